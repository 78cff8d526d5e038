/** Files and directories of the host by node:fs, synchronously. */

import * as fs from 'node:fs';
import { NS_PER_SECOND } from '../../types.js';
import { EFBIG, ENOENT, ENXIO, EOPNOTSUPP, EROFS } from '../kernel/errno.js';
import { O } from '../kernel/file/open-file.js';
import type { FileStat } from '../kernel/file/stat.js';
import { FileTimes } from './file-times.js';
import { Handles } from './handles.js';
import type { HostDirectoryEntry, HostFiles, HostStatfs, OpenRequest, TimeChange } from './host.js';
import { attempt, perform } from './node-errors.js';
import { fileStat } from './node-stat.js';
import { hostFlags, mayWrite } from './open-flags.js';
import { pathBytes, pathText } from './path-text.js';
import type { HostPath, HostPlace } from './place.js';
import { StandIns } from './stand-ins.js';
import { withUmask } from './umask.js';

const BIG = { bigint: true } as const;
const LOOK = { bigint: true, throwIfNoEntry: false } as const;
const S_IFMT = 0o170000;
const S_IFLNK = 0o120000;
const S_IFSOCK = 0o140000;
/** Directory entries that one call to the host fetches. */
const ENTRIES_AT_ONCE = 256;
const SECOND = BigInt(NS_PER_SECOND);

const DT = { UNKNOWN: 0, FIFO: 1, CHR: 2, DIR: 4, BLK: 6, REG: 8, LNK: 10, SOCK: 12 } as const;

export class NodeFiles implements HostFiles {
  private readonly handles = new Handles<number>();
  private readonly times = new FileTimes(now);
  private readonly standIns = new StandIns();

  /** `readOnly`: every request that would change something answers -EROFS. */
  constructor(
    private readonly place: HostPlace,
    private readonly readOnly: boolean,
  ) {}

  follow(guestClock: () => bigint): void {
    this.times.follow(guestClock);
  }

  open({ path, flags, mode, umask }: OpenRequest): number {
    if (this.readOnly && mayWrite(flags)) return -EROFS;
    if (flags & (O.CREAT | O.TRUNC)) this.times.note();
    const creates = (flags & O.CREAT) !== 0;
    const descriptor = this.at(path, (host) => {
      const open = (): number => fs.openSync(host, hostFlags(flags), mode);
      return creates ? withUmask(umask, open) : open();
    });
    if (descriptor < 0) return descriptor;
    const stat = attempt(() => fs.fstatSync(descriptor, BIG));
    const isPlain = typeof stat === 'object' && (stat.isFile() || stat.isDirectory());
    if (isPlain && this.standIns.typeOf(stat) === undefined) return this.handles.add(descriptor);
    fs.closeSync(descriptor);
    return typeof stat === 'number' ? stat : -ENXIO;
  }

  close(handle: number): void {
    fs.closeSync(this.handles.remove(handle));
  }

  pread(handle: number, into: Uint8Array, at: number): number {
    if (!Number.isSafeInteger(at + into.length)) return 0;
    return attempt(() => fs.readSync(this.handles.get(handle), into, 0, into.length, at));
  }

  pwrite(handle: number, from: Uint8Array, at: number): number {
    if (!Number.isSafeInteger(at + from.length)) return -EFBIG;
    this.times.note();
    return attempt(() => fs.writeSync(this.handles.get(handle), from, 0, from.length, at));
  }

  fstat(handle: number): FileStat | number {
    return attempt(() => this.times.show(fileStat(fs.fstatSync(this.handles.get(handle), BIG))));
  }

  truncate(handle: number, size: number): number {
    if (!Number.isSafeInteger(size)) return -EFBIG;
    this.times.note();
    return perform(() => fs.ftruncateSync(this.handles.get(handle), size));
  }

  sync(handle: number, dataOnly: boolean): number {
    const descriptor = this.handles.get(handle);
    return perform(() => (dataOnly ? fs.fdatasyncSync(descriptor) : fs.fsyncSync(descriptor)));
  }

  lstat(path: string): FileStat | number {
    return this.at(path, (host) => {
      // Missing names are looked for all the time: an exception for each would be slow.
      const stat = fs.lstatSync(host, LOOK);
      return stat === undefined ? -ENOENT : this.times.show(this.standIns.show(stat));
    });
  }

  statfs(path: string): HostStatfs | number {
    return this.at(path, (host) => {
      const { type, bsize, blocks, bfree, bavail, files, ffree } = fs.statfsSync(host);
      return { type, blockSize: bsize, blocks, free: bfree, available: bavail, files, freeFiles: ffree };
    });
  }

  readlink(path: string): string | number {
    return this.at(path, (host) => pathText(fs.readlinkSync(host, 'buffer')));
  }

  readdir(path: string): readonly HostDirectoryEntry[] | number {
    return this.at(path, (host) => {
      return entriesOf(host).map((entry) => {
        return { name: pathText(entry.name), type: this.standIns.entryType(host, entry) ?? entryType(entry) };
      });
    });
  }

  mkdir(path: string, mode: number, umask: number): number {
    return this.change(path, (host) => withUmask(umask, () => fs.mkdirSync(host, mode)));
  }

  mknod(path: string, type: number, mode: number, umask: number): number {
    const { O_CREAT, O_EXCL, O_WRONLY } = fs.constants;
    return this.change(path, (host) => {
      const descriptor = withUmask(umask, () => fs.openSync(host, O_CREAT | O_EXCL | O_WRONLY, mode));
      this.standIns.add(fs.fstatSync(descriptor, BIG), type);
      fs.closeSync(descriptor);
    });
  }

  /** Lets `replace` put the real thing where a stand-in for a socket is: 0 or -errno. */
  replaceSocket(path: string, replace: (host: HostPath, standIn: fs.BigIntStats) => number): number {
    return this.change(path, (host) => {
      const stat = fs.lstatSync(host, BIG);
      const status = this.standIns.typeOf(stat) === S_IFSOCK ? replace(host, stat) : -ENOENT;
      if (status === 0) this.standIns.unlinked(stat);
      return status;
    });
  }

  rmdir(path: string): number {
    return this.change(path, (host) => fs.rmdirSync(host));
  }

  unlink(path: string): number {
    return this.change(path, (host) => {
      const stat = fs.lstatSync(host, BIG);
      fs.unlinkSync(host);
      this.standIns.unlinked(stat);
    });
  }

  rename(from: string, to: string): number {
    return this.change(to, (hostTo) => this.at(from, (hostFrom) => perform(() => fs.renameSync(hostFrom, hostTo))));
  }

  link(from: string, to: string): number {
    return this.change(to, (hostTo) => this.at(from, (hostFrom) => perform(() => fs.linkSync(hostFrom, hostTo))));
  }

  symlink(target: string, path: string): number {
    return this.change(path, (host) => fs.symlinkSync(Buffer.from(pathBytes(target)), host));
  }

  chmod(path: string, mode: number): number {
    return this.change(path, (host) => (isLink(host) ? -EOPNOTSUPP : perform(() => fs.chmodSync(host, mode))));
  }

  chown(path: string, uid: number, gid: number): number {
    return this.change(path, (host) => fs.lchownSync(host, uid, gid));
  }

  utimes(path: string, accessed: TimeChange, modified: TimeChange): number {
    return this.change(path, (host) => {
      const old = fileStat(fs.lstatSync(host, BIG));
      fs.lutimesSync(host, seconds(accessed, old.accessed), seconds(modified, old.modified));
      this.times.remember(fileStat(fs.lstatSync(host, BIG)), old, accessed, modified);
    });
  }

  access(path: string, mode: number): number {
    if (this.readOnly && mode & 2) return -EROFS;
    return this.at(path, (host) => (isLink(host) ? 0 : perform(() => fs.accessSync(host, mode))));
  }

  fchmod(handle: number, mode: number): number {
    return this.changeOpen(handle, (descriptor) => fs.fchmodSync(descriptor, mode));
  }

  fchown(handle: number, uid: number, gid: number): number {
    return this.changeOpen(handle, (descriptor) => fs.fchownSync(descriptor, uid, gid));
  }

  futimes(handle: number, accessed: TimeChange, modified: TimeChange): number {
    return this.changeOpen(handle, (descriptor) => {
      const old = fileStat(fs.fstatSync(descriptor, BIG));
      fs.futimesSync(descriptor, seconds(accessed, old.accessed), seconds(modified, old.modified));
      this.times.remember(fileStat(fs.fstatSync(descriptor, BIG)), old, accessed, modified);
    });
  }

  /** Does something with the host's path. */
  private at<T>(path: string, what: (host: HostPath) => T): T | number {
    const host = this.place.locate(path);
    return typeof host === 'number' ? host : attempt(() => what(host));
  }

  /** The same for what changes the host: 0 or -errno. */
  private change(path: string, what: (host: HostPath) => unknown): number {
    if (this.readOnly) return -EROFS;
    this.times.note();
    return statusOf(this.at(path, what));
  }

  private changeOpen(handle: number, what: (descriptor: number) => void): number {
    if (this.readOnly) return -EROFS;
    this.times.note();
    return perform(() => what(this.handles.get(handle)));
  }
}

/** The host's clock, to the microsecond or so, in ns since 1970. */
function now(): bigint {
  return BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n;
}

/** What a change answered, where it answered anything. */
function statusOf(answer: unknown): number {
  return typeof answer === 'number' ? answer : 0;
}

function isLink(host: HostPath): boolean {
  return (fs.lstatSync(host).mode & S_IFMT) === S_IFLNK;
}

/** Node takes seconds as a double: within about 0.2 us of what was asked for (FileTimes remembers the rest). */
function seconds(change: TimeChange, old: bigint): number {
  if (change === 'now') return Date.now() / 1000;
  const ns = change ?? old;
  return Number(ns / SECOND) + Number(ns % SECOND) / NS_PER_SECOND;
}

/** In the file system's own order, which programs show that do not sort (`readdirSync` does sort). */
function entriesOf(directory: HostPath): fs.Dirent<Buffer>[] {
  // @types/node knows names as strings only here.
  const open = fs.opendirSync(directory, { encoding: 'buffer' as BufferEncoding, bufferSize: ENTRIES_AT_ONCE });
  try {
    const entries: fs.Dirent<Buffer>[] = [];
    for (let entry = open.readSync(); entry !== null; entry = open.readSync()) {
      entries.push(entry as unknown as fs.Dirent<Buffer>);
    }
    return entries;
  } finally {
    open.closeSync();
  }
}

function entryType(entry: fs.Dirent<Buffer>): number {
  if (entry.isFile()) return DT.REG;
  if (entry.isDirectory()) return DT.DIR;
  if (entry.isSymbolicLink()) return DT.LNK;
  if (entry.isFIFO()) return DT.FIFO;
  if (entry.isSocket()) return DT.SOCK;
  if (entry.isCharacterDevice()) return DT.CHR;
  return entry.isBlockDevice() ? DT.BLK : DT.UNKNOWN;
}
