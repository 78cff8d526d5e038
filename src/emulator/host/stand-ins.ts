/**
 * Empty regular files on the host that stand for FIFOs and sockets, which Node cannot make (it can
 * where a stream listens: node-unix.ts). They are known by inode and time of birth, so that a file
 * that gets the same inode later is not taken for one.
 */
import * as fs from 'node:fs';
import type { FileStat } from '../kernel/file/stat.js';
import { attempt } from './node-errors.js';
import { fileStat } from './node-stat.js';
import type { HostPath } from './place.js';

interface StandIn {
  /** S_IFIFO, S_IFSOCK. */
  readonly type: number;
  readonly born: bigint;
}

const PERMISSIONS = 0o7777;
const SLASH = Buffer.from('/');

export class StandIns {
  private readonly known = new Map<string, StandIn>();

  add(stat: fs.BigIntStats, type: number): void {
    this.known.set(keyOf(stat), { type, born: stat.birthtimeNs });
  }

  /** What the file stands for; undefined: itself. */
  typeOf(stat: fs.BigIntStats): number | undefined {
    if (this.known.size === 0) return undefined;
    const found = this.known.get(keyOf(stat));
    return found?.born === stat.birthtimeNs && stat.size === 0n ? found.type : undefined;
  }

  show(stat: fs.BigIntStats): FileStat {
    const type = this.typeOf(stat);
    const shown = fileStat(stat);
    return type === undefined ? shown : { ...shown, mode: type | (shown.mode & PERMISSIONS) };
  }

  /** DT_* of an entry that is a stand-in. */
  entryType(directory: HostPath, entry: fs.Dirent<Buffer>): number | undefined {
    if (this.known.size === 0 || !entry.isFile()) return undefined;
    const path = Buffer.concat([typeof directory === 'string' ? Buffer.from(directory) : directory, SLASH, entry.name]);
    const stat = attempt(() => fs.lstatSync(path, { bigint: true }));
    const type = typeof stat === 'number' ? undefined : this.typeOf(stat);
    return type === undefined ? undefined : type >> 12;
  }

  /** One name less: the last one makes the inode free for another file. */
  unlinked(stat: fs.BigIntStats): void {
    if (stat.nlink === 1n) this.known.delete(keyOf(stat));
  }
}

function keyOf({ dev, ino }: fs.BigIntStats): string {
  return `${dev}:${ino}`;
}
