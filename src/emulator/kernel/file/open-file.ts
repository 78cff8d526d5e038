/**
 * An open file description: what descriptors share after dup and fork. One subclass for each kind of file, in the file of that kind; a method that
 * a kind does not have answers the errno that Linux answers for it.
 *
 * Nothing here blocks: `WAIT` says that the call would, and the syscall's row then sleeps on `sleepKeys` (or answers EAGAIN with O_NONBLOCK).
 */
import type { Machine } from '../../machine.js';
import type { BackingFile } from '../../memory/backing-file.js';
import type { Thread } from '../../thread.js';
import { EAGAIN, EBADF, EINVAL, ENOTDIR, ENOTTY, ENXIO, EOPNOTSUPP, EPERM, ESPIPE } from '../errno.js';
import type { SyscallContext, SyscallResult } from '../syscall-table.js';
import { ANY_EVENT, type WaitKey } from '../wait.js';
import type { NewTime, Opener } from './file-system.js';
import type { FileTable } from './file-table.js';
import type { FileStat } from './stat.js';

/** The call would block: sleep on the file's key and try again. */
export const WAIT = Symbol('wait');
export type IoResult = number | typeof WAIT;

/** poll(2) events (asm-generic/poll.h). */
export const POLL = {
  IN: 1,
  PRI: 2,
  OUT: 4,
  ERR: 8,
  HUP: 16,
  NVAL: 32,
  RDNORM: 64,
  RDBAND: 128,
  WRNORM: 256,
  WRBAND: 512,
  RDHUP: 0x2000,
} as const;

/** Open flags (asm-generic/fcntl.h, x86-64). */
export const O = {
  RDONLY: 0, WRONLY: 1, RDWR: 2, ACCMODE: 3, CREAT: 0o100, EXCL: 0o200, NOCTTY: 0o400, TRUNC: 0o1000, APPEND: 0o2000, NONBLOCK: 0o4000,
  DSYNC: 0o10000, ASYNC: 0o20000, DIRECT: 0o40000, LARGEFILE: 0o100000, DIRECTORY: 0o200000, NOFOLLOW: 0o400000, NOATIME: 0o1000000,
  CLOEXEC: 0o2000000, SYNC: 0o4010000, PATH: 0o10000000, TMPFILE: 0o20200000,
} as const; // biome-ignore format: a table

/** What F_GETFL shows of the flags that a file was opened with: those that matter only to open(2) are gone. */
export function statusFlags(flags: number): number {
  const temporary = O.CREAT | O.EXCL | O.NOCTTY | O.TRUNC | O.CLOEXEC;
  return (flags & ~temporary) | (flags & O.PATH ? 0 : O.LARGEFILE);
}

/** Attributes that calls change: 0 or -errno. */
export interface Changeable {
  setMode(mode: number): number;
  setOwner(uid: number, gid: number): number;
  setTimes(accessed: NewTime, modified: NewTime): number;
}

export abstract class OpenFile {
  /** Woken whenever what `poll` says, or whether `read` and `write` would block, may have changed. */
  readonly key: WaitKey;
  /** Position of read(2) and write(2), for files that have one. */
  offset = 0;
  /** fcntl(F_SETOWN, F_SETSIG). */
  owner = 0;
  ownerSignal = 0;
  /** F_SETOWN_EX with F_OWNER_TID. */
  ownerIsThread = false;
  private users = 1;
  private interests: Set<FileInterest> | undefined;

  constructor(
    protected readonly machine: Machine,
    /** Access mode and status flags, as F_GETFL shows them. */
    public flags: number,
    /** Shared by files that change together: the ends of one pipe. */
    key: WaitKey = machine.newWaitKey(),
  ) {
    this.key = key;
  }

  /** What /proc/PID/fd/N points to. */
  abstract name(): string;

  /** Absolute path in the machine's namespace of a file that has a name. */
  path: string | undefined;

  abstract stat(): FileStat | number;

  get readable(): boolean {
    return (this.flags & O.ACCMODE) !== O.WRONLY && !(this.flags & O.PATH);
  }

  get writable(): boolean {
    return (this.flags & O.ACCMODE) !== O.RDONLY && !(this.flags & O.PATH);
  }

  /** pread(2) and lseek(2) work on it (FMODE_PREAD, FMODE_LSEEK). */
  get isSeekable(): boolean {
    return false;
  }

  /** A regular file: RLIMIT_FSIZE and locks of its bytes count. */
  get isRegular(): boolean {
    return false;
  }

  get nonBlocking(): boolean {
    return (this.flags & O.NONBLOCK) !== 0;
  }

  /** Reads and writes at the file's position, or from a stream: bytes moved, 0 at the end, or -errno. */
  read(_into: Uint8Array, _context: SyscallContext): IoResult {
    return -EINVAL;
  }

  write(_from: Uint8Array, _context: SyscallContext): IoResult {
    return -EINVAL;
  }

  /** Reads and writes at a position of the caller's. */
  pread(_into: Uint8Array, _at: number): number {
    return -ESPIPE;
  }

  pwrite(_from: Uint8Array, _at: number): number {
    return -ESPIPE;
  }

  /** lseek(2): the new position or -errno. */
  seek(_offset: number, _whence: number): number {
    return -ESPIPE;
  }

  truncate(_size: number): number {
    return -EINVAL;
  }

  /** fallocate(2) with these FALLOC_FL bits. */
  allocate(_mode: number, _offset: number, _length: number): number {
    return -EOPNOTSUPP;
  }

  sync(_dataOnly = false): number {
    return -EINVAL;
  }

  /** fchmod(2), fchown(2), futimens(3): 0 or -errno. */
  setMode(mode: number): number {
    return this.inode?.setMode(mode) ?? -EPERM;
  }

  /** -1: unchanged. */
  setOwner(uid: number, gid: number): number {
    return this.inode?.setOwner(uid, gid) ?? -EPERM;
  }

  setTimes(accessed: NewTime, modified: NewTime): number {
    return this.inode?.setTimes(accessed, modified) ?? -EPERM;
  }

  /** What it has in place of a file on a disk, if that can be changed. */
  protected get inode(): Changeable | undefined {
    return undefined;
  }

  /** Lines of /proc/PID/fdinfo/N that this kind of file adds. */
  details(): string {
    return '';
  }

  /** No path leads to it (any more). */
  get isNameless(): boolean {
    return this.path === undefined;
  }

  /** What open(2) of /proc/PID/fd/N makes of a file without a name: -ENXIO for those that cannot be opened again. */
  reopen(_opener: Opener, _flags: number): OpenFile | number {
    return -ENXIO;
  }

  /** ioctl(2) requests of this kind of file; FIONBIO, FIOCLEX and the like are the row's. */
  ioctl(_context: SyscallContext, _request: number, _argument: number): SyscallResult {
    return -ENOTTY;
  }

  /** POLL bits that hold now for the thread that asks (a signalfd shows each its own), POLL.ERR and POLL.HUP always among them when they do. */
  poll(_asker: Thread): number {
    return POLL.IN | POLL.OUT | POLL.RDNORM | POLL.WRNORM;
  }

  /** What is woken when `poll` may have changed. Empty for a file that is always ready: epoll refuses it with EPERM. */
  pollKeys(_asker: Thread): readonly WaitKey[] {
    return [];
  }

  /** A program opened it by its name: inotify hears of it, and later of its end. */
  announce(): void {}

  /** What a read or write that would block sleeps on. */
  sleepKeys(_sleeper: Thread): readonly WaitKey[] {
    return [this.key];
  }

  /** What mmap(2) maps: undefined for ENODEV. */
  backing(): BackingFile | undefined {
    return undefined;
  }

  /** mmap(2) of it gives anonymous memory, private or shared (/dev/zero). */
  get mapsZeros(): boolean {
    return false;
  }

  /** getdents64(2): names from the present position on; -errno. */
  entries(_limit: number): readonly DirectoryEntry[] | number {
    return -ENOTDIR;
  }

  /** fcntl(2) commands of this kind of file; the common ones are the row's. */
  fcntl(_context: SyscallContext, command: number, _argument: number): number {
    return command === F_SETPIPE_SZ || command === F_GETPIPE_SZ ? -EBADF : -EINVAL;
  }

  /** The open(2) that made it sleeps on `key` while this holds: a FIFO without its other end. */
  get opening(): boolean {
    return false;
  }

  /** SO_RCVTIMEO, SO_SNDTIMEO: ns that a read or write may sleep; undefined: for ever. */
  timeout(_direction: 'read' | 'write'): number | undefined {
    return undefined;
  }

  /** What a read answers when its time is over. */
  get readTimedOut(): number {
    return -EAGAIN;
  }

  /** An epoll file is interested: it is told when the last user is gone. */
  addInterest(interest: FileInterest): void {
    this.interests ??= new Set();
    this.interests.add(interest);
  }

  removeInterest(interest: FileInterest): void {
    this.interests?.delete(interest);
  }

  /** One descriptor (or message in flight) more. */
  retain(): this {
    this.users++;
    return this;
  }

  /** One less; the last one closes. */
  release(): void {
    if (--this.users > 0) return;
    for (const interest of this.interests ?? []) interest.fileClosed();
    if (!this.machine.locks.isEmpty) this.machine.locks.releaseAll(this);
    this.closed();
  }

  /** A table of descriptors closes it, whether others have it or not. */
  flush(table: FileTable): void {
    if (this.machine.locks.isEmpty) return;
    const file = this.lockKey();
    if (file !== undefined) this.machine.locks.releaseAll(table, file);
  }

  /** Names the file for locks: equal for two opens of the same one. undefined: it cannot be locked. */
  lockKey(): string | undefined {
    const stat = this.stat();
    return typeof stat === 'object' ? `${stat.device}:${stat.inode}` : undefined;
  }

  /** The last user is gone. */
  protected closed(): void {}

  /** Wakes everybody who waits for a change; `events`: POLL bits that it may be about. */
  protected changed(events = ANY_EVENT): void {
    this.machine.wake(this.key, events);
  }
}

export interface FileInterest {
  fileClosed(): void;
}

export const F_SETPIPE_SZ = 1031;
export const F_GETPIPE_SZ = 1032;

/** One record of getdents64(2). `type`: DT_*. `next`: the position behind it. */
export interface DirectoryEntry {
  readonly name: Uint8Array;
  readonly inode: number;
  readonly type: number;
  readonly next: number;
}
