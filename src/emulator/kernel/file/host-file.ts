/** Open regular files of the host. */
import type { HostFiles } from '../../host/host.js';
import type { Machine } from '../../machine.js';
import type { BackingFile } from '../../memory/backing-file.js';
import { EACCES, EFAULT, EINVAL, ENOTTY, ENXIO } from '../errno.js';
import type { SyscallContext, SyscallResult } from '../syscall-table.js';
import type { NewTime, Opener } from './file-system.js';
import { tellClosed, tellOpen } from './inotify-news.js';
import { IN } from './inotify-table.js';
import { O, OpenFile, statusFlags } from './open-file.js';
import type { FileStat } from './stat.js';

export interface OpenedHostFile {
  readonly handle: number;
  /** Absolute, in the machine and for the gateway. */
  readonly path: string;
  readonly stat: FileStat;
  /** Open flags: they say what the handle may do. */
  readonly flags: number;
  /** Opened with O_TRUNC. */
  readonly isTruncated: boolean;
}

/** One open of a file by the gateway: shared by the open file and what it mapped. Lives until the last of them is gone. */
export class HostBacking implements BackingFile {
  readonly key: string;
  readonly device: number;
  readonly inode: number;
  private users = 1;

  constructor(
    private readonly files: HostFiles,
    private readonly opened: OpenedHostFile,
    /** The guest's name of the file, now. */
    private readonly nameOf: () => string,
  ) {
    const { device, inode } = opened.stat;
    this.key = `host ${device}:${inode}`;
    this.device = device;
    this.inode = inode;
  }

  get path(): string {
    return this.nameOf();
  }

  get contents(): string | undefined {
    const stat = this.stat();
    if (typeof stat === 'number') return undefined;
    const { device, inode, size, modified, changed } = stat;
    return [device, inode, size, modified, changed].map((fact) => fact.toString(36)).join('-');
  }

  stat(): FileStat | number {
    return this.files.fstat(this.opened.handle);
  }

  size(): number {
    const stat = this.stat();
    return typeof stat === 'number' ? 0 : stat.size;
  }

  pread(into: Uint8Array, at: number): number {
    return this.files.pread(this.opened.handle, into, at);
  }

  pwrite(from: Uint8Array, at: number): number {
    return this.files.pwrite(this.opened.handle, from, at);
  }

  truncate(size: number): number {
    return this.files.truncate(this.opened.handle, size);
  }

  sync(dataOnly: boolean): number {
    return this.files.sync(this.opened.handle, dataOnly);
  }

  chmod(mode: number): number {
    return this.files.fchmod(this.opened.handle, mode);
  }

  chown(uid: number, gid: number): number {
    return this.files.fchown(this.opened.handle, uid, gid);
  }

  utimes(accessed: NewTime, modified: NewTime): number {
    return this.files.futimes(this.opened.handle, accessed, modified);
  }

  retain(): void {
    this.users++;
  }

  release(): void {
    if (--this.users === 0) this.files.close(this.opened.handle);
  }
}

const SEEK = { SET: 0, CUR: 1, END: 2, DATA: 3, HOLE: 4 } as const;

/** The new position of lseek(2) in a file of this size whose bytes are all data; -errno. */
export function seekTo(position: number, size: number, offset: number, whence: number): number {
  const isInside = offset >= 0 && offset < size;
  switch (whence) {
    case SEEK.SET:
      return checked(offset);
    case SEEK.CUR:
      return checked(position + offset);
    case SEEK.END:
      return checked(size + offset);
    case SEEK.DATA:
      return isInside ? offset : -ENXIO;
    case SEEK.HOLE:
      return isInside ? size : -ENXIO;
    default:
      return -EINVAL;
  }
}

function checked(position: number): number {
  return position >= 0 && position < 2 ** 63 ? position : -EINVAL;
}

export class HostFile extends OpenFile {
  private readonly file: HostBacking;
  override path: string;
  private readonly isTruncated: boolean;
  private readonly opened: OpenedHostFile;
  private isAnnounced = false;

  /** `again`: the file of an earlier open that this one shares. */
  constructor(machine: Machine, flags: number, opened: OpenedHostFile, again?: HostBacking) {
    super(machine, flags);
    this.path = opened.path;
    this.opened = opened;
    this.file = again ?? new HostBacking(machine.host.files, opened, () => this.name());
    again?.retain();
    if (opened.isTruncated) machine.pageCache.truncated(this.file.key, 0);
    this.isTruncated = opened.isTruncated;
  }

  override announce(): void {
    this.isAnnounced = true;
    tellOpen(this.machine, this, IN.OPEN);
    if (this.isTruncated) tellOpen(this.machine, this, IN.MODIFY);
  }

  name(): string {
    return this.isNameless ? `${this.path} (deleted)` : this.path;
  }

  override get isNameless(): boolean {
    const stat = this.stat();
    return typeof stat === 'number' || stat.links === 0;
  }

  /** A file whose name is gone: Node opens it no more, so the rights are those of the first open. */
  override reopen({ machine }: Opener, flags: number): OpenFile | number {
    const again = new HostFile(machine, statusFlags(flags), { ...this.opened, isTruncated: false }, this.file);
    const held = this.opened.flags & O.ACCMODE;
    const writes = again.writable || (flags & O.TRUNC) !== 0;
    const isMore = (again.readable && held === O.WRONLY) || (writes && held === O.RDONLY);
    if (!isMore && flags & O.TRUNC) again.truncate(0);
    if (!isMore) return again;
    again.release();
    return -EACCES;
  }

  stat(): FileStat | number {
    return this.file.stat();
  }

  override get isSeekable(): boolean {
    return true;
  }

  override get isRegular(): boolean {
    return true;
  }

  override read(into: Uint8Array): number {
    const got = this.pread(into, this.offset);
    if (got > 0) this.offset += got;
    return got;
  }

  override write(from: Uint8Array): number {
    if (this.flags & O.APPEND) this.offset = this.file.size();
    const put = this.machine.pageCache.write(this.file, from, this.offset);
    if (put > 0) this.offset += put;
    return this.modified(put);
  }

  override pread(into: Uint8Array, at: number): number {
    const got = this.machine.pageCache.read(this.file, into, at);
    if (got > 0) tellOpen(this.machine, this, IN.ACCESS);
    return got;
  }

  private modified(result: number): number {
    if (result > 0) tellOpen(this.machine, this, IN.MODIFY);
    return result;
  }

  /** With O_APPEND the position is ignored, as Linux does. */
  override pwrite(from: Uint8Array, at: number): number {
    return this.modified(this.machine.pageCache.write(this.file, from, this.flags & O.APPEND ? this.file.size() : at));
  }

  override seek(offset: number, whence: number): number {
    const to = seekTo(this.offset, this.file.size(), offset, whence);
    if (to >= 0) this.offset = to;
    return to;
  }

  override truncate(size: number): number {
    if (!this.writable) return -EINVAL;
    const result = this.file.truncate(size);
    if (result === 0) this.machine.pageCache.truncated(this.file.key, size);
    if (result === 0) tellOpen(this.machine, this, IN.MODIFY);
    return result;
  }

  override sync(dataOnly = false): number {
    const result = this.machine.pageCache.sync(this.file.key);
    return result < 0 ? result : this.file.sync(dataOnly);
  }

  override setMode(mode: number): number {
    return this.changedAttributes(this.file.chmod(mode));
  }

  override setOwner(uid: number, gid: number): number {
    return this.changedAttributes(this.file.chown(uid, gid));
  }

  override setTimes(accessed: NewTime, modified: NewTime): number {
    return this.changedAttributes(this.file.utimes(accessed, modified));
  }

  private changedAttributes(result: number): number {
    if (result === 0) tellOpen(this.machine, this, IN.ATTRIB);
    return result;
  }

  override backing(): BackingFile {
    return this.file;
  }

  /** FIONREAD: bytes from the position to the end. */
  override ioctl({ memory }: SyscallContext, request: number, argument: number): SyscallResult {
    if (request !== FIONREAD) return -ENOTTY;
    return memory.writeU32(argument, Math.max(0, this.file.size() - this.offset)) ? 0 : -EFAULT;
  }

  protected override closed(): void {
    if (this.isAnnounced) tellClosed(this.machine, this);
    this.file.release();
  }
}

export const FIONREAD = 0x541b;
