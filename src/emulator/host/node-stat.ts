/** Node's struct stat as the kernel side's. */
import type { BigIntStats } from 'node:fs';
import type { FileStat } from '../kernel/file/stat.js';

export function fileStat(stat: BigIntStats): FileStat {
  return {
    device: Number(stat.dev),
    inode: Number(stat.ino),
    mode: Number(stat.mode),
    links: Number(stat.nlink),
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    rdevice: Number(stat.rdev),
    size: Number(stat.size),
    blockSize: Number(stat.blksize),
    blocks: Number(stat.blocks),
    accessed: stat.atimeNs,
    modified: stat.mtimeNs,
    changed: stat.ctimeNs,
    born: stat.birthtimeNs,
  };
}
