/**
 * The gateway: everything that the emulator learns from outside or does to it. Requests and results are plain data (numbers, strings, bytes, plain
 * objects), so that a log of results can stand in for the host. Nothing here blocks but writing to an inherited descriptor; a failure is -errno (Linux's
 * number, whatever the host). Implemented by node-host.ts.
 */
import type { Timespec } from '../clock.js';
import type { FileStat } from '../kernel/file/stat.js';
import type { HostSockets } from './sockets.js';

/** What the server gives once, at the start. */
export interface HostInputs {
  /** CLOCK_REALTIME. */
  readonly epoch: Timespec;
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  /** `NAME=value`. */
  readonly environ: readonly Uint8Array[];
  /** As path text (path-text.ts). */
  readonly cwd: string;
  readonly umask: number;
  readonly hostname: string;
}

/** struct statfs, as numbers. */
export interface HostStatfs {
  readonly type: number;
  readonly blockSize: number;
  readonly blocks: number;
  readonly free: number;
  readonly available: number;
  readonly files: number;
  readonly freeFiles: number;
}

export interface HostDirectoryEntry {
  readonly name: string;
  /** DT_*. */
  readonly type: number;
}

/** Open flags that the host is asked for: Linux's bits (kernel/file/open-file.ts). Others are the guest's own business. */
export interface OpenRequest {
  readonly path: string;
  readonly flags: number;
  readonly mode: number;
  /** Of the guest process; counts when the file is created. */
  readonly umask: number;
}

/** Seconds and ns since 1970; 'now': the host's present; undefined: unchanged. */
export type TimeChange = bigint | 'now' | undefined;

/**
 * Regular files and directories. Paths are absolute path text below the gateway's root. No request follows a symbolic link in the last part of a
 * path, and none may stand in the parts before it: the kernel side has resolved them.
 */
export interface HostFiles {
  /** A handle (not the host's descriptor). Never blocks: what is neither a regular file nor a directory is refused with -ENXIO. */
  /** The guest's clock (CLOCK_REALTIME, ns) starts: times of files from now on are told in its terms. */
  follow(guestClock: () => bigint): void;
  open(request: OpenRequest): number;
  close(handle: number): void;
  /** Bytes read, fewer than asked only at the end. */
  pread(handle: number, into: Uint8Array, at: number): number;
  /** Bytes written; fewer when the disk is full. */
  pwrite(handle: number, from: Uint8Array, at: number): number;
  fstat(handle: number): FileStat | number;
  truncate(handle: number, size: number): number;
  sync(handle: number, dataOnly: boolean): number;
  lstat(path: string): FileStat | number;
  statfs(path: string): HostStatfs | number;
  readlink(path: string): string | number;
  /** Without `.` and `..`, in the order of their bytes. */
  readdir(path: string): readonly HostDirectoryEntry[] | number;
  mkdir(path: string, mode: number, umask: number): number;
  /**
   * A FIFO or socket (`type`: S_IF* bits): on the host an empty regular file, since Node makes no other; the gateway remembers what it stands for as
   * long as the server lives, and tells so wherever it shows the file. It cannot be opened: -ENXIO.
   */
  mknod(path: string, type: number, mode: number, umask: number): number;
  rmdir(path: string): number;
  unlink(path: string): number;
  rename(from: string, to: string): number;
  link(from: string, to: string): number;
  symlink(target: string, path: string): number;
  /** Of no symbolic link: -EOPNOTSUPP. */
  chmod(path: string, mode: number): number;
  /** -1: unchanged. */
  chown(path: string, uid: number, gid: number): number;
  utimes(path: string, accessed: TimeChange, modified: TimeChange): number;
  /** R_OK 4, W_OK 2, X_OK 1, F_OK 0, with the rights of the server's user. */
  access(path: string, mode: number): number;
  /** The same through a handle, for files whose name is gone. */
  fchmod(handle: number, mode: number): number;
  fchown(handle: number, uid: number, gid: number): number;
  futimes(handle: number, accessed: TimeChange, modified: TimeChange): number;
}

/** What an inherited descriptor is on the host. */
export type StreamKind = 'terminal' | 'pipe' | 'socket' | 'file' | 'null' | 'closed';

export interface WindowSize {
  readonly rows: number;
  readonly columns: number;
}

/** The three descriptors that the server inherited. */
export interface HostStreams {
  /** Called before anything of the guest's is written: text of the server's own that came earlier goes out first. */
  beforeWrite?: (() => void) | undefined;
  kind(fd: number): StreamKind;
  stat(fd: number): FileStat | number;
  /** Bytes, 0 at the end, -errno; 'pending': nothing is there yet, an event tells when to ask again. */
  read(fd: number, into: Uint8Array): number | 'pending';
  /** Is there something to read? 'pending' as for read. Takes at most one byte ahead, which the next read gives. */
  poll(fd: number): 'ready' | 'pending';
  /** Writes everything, waiting where it has to: bytes written or -errno. */
  write(fd: number, from: Uint8Array): number;
  /** What the host calls it: a path, `pipe:[N]`. */
  name(fd: number): string;
  /** Access mode and O_APPEND, in Linux's bits; undefined where the host cannot tell. */
  flags(fd: number): number | undefined;
  /** Position of a file's descriptor when the server started; undefined where the host cannot tell. */
  position(fd: number): number | undefined;
  /** Of a file: reads and writes at a position, the descriptor's own stays. */
  pread(fd: number, into: Uint8Array, at: number): number;
  pwrite(fd: number, from: Uint8Array, at: number): number;
  truncate(fd: number, size: number): number;
  windowSize(fd: number): WindowSize | undefined;
  /** Of a terminal: characters come at once and without echo, or by lines. */
  setRaw(fd: number, raw: boolean): number;
}

/** Something outside has changed: the kernel side wakes who waits for this source. */
export interface HostEvent {
  readonly source: HostSource;
}

/** `fd N` for an inherited descriptor, `socket N` for a socket. */
export type HostSource = `${'fd' | 'socket'} ${number}`;

/** Files that make the next run faster; nothing that the guest can see depends on them. */
export interface HostCache {
  /** A file's bytes. */
  read(name: string): Uint8Array<ArrayBuffer> | undefined;
  /** Puts a file in place of any of that name. Failing is silent. */
  write(name: string, parts: readonly Uint8Array[]): void;
  /** Before the server ends: the time to write. */
  atEnd(save: () => void): void;
}

export interface Host {
  readonly inputs: HostInputs;
  readonly files: HostFiles;
  readonly streams: HostStreams;
  /** Absent: the guest has no network (`--no-network`). */
  readonly sockets?: HostSockets | undefined;
  /** Absent: the user wants none, or there is no place for it. */
  readonly cache?: HostCache | undefined;
  /**
   * Comes back when an event is there, `interruptWait` was called, or so many ns of host time have passed (undefined: any number). Only for a machine that is idle.
   */
  wait(atMost: number | undefined): Promise<void>;
  /** What was written to connections that are closed by now goes out, as Linux sends it after a program's end; given up after some seconds. */
  flush(): Promise<void>;
  /** Makes a running `wait` come back. */
  interruptWait(): void;
  /** The events since the last call, in the order in which they came. They enter the machine at the end of a slice. */
  drain(): readonly HostEvent[];
}
