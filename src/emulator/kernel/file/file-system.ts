/** What the path walk and the syscalls ask of a file system: the host's (host-fs.ts) and synthetic ones (synthetic-fs.ts). */
import type { Process } from '../../process.js';
import type { SyscallContext } from '../syscall-table.js';
import type { OpenFile } from './open-file.js';
import type { FileStat } from './stat.js';

/** Paths are text (host/path-text.ts), absolute within the file system, without links, `.` and `..`; its root is `/`. */
export interface FileSystem {
  /** As /proc/filesystems and /proc/mounts name it. */
  readonly type: string;
  /** Of the name itself, never of what a link points to. `viewer` matters to /proc/self and its kin. */
  lstat(path: string, viewer: Process): FileStat | number;
  readlink(path: string, viewer: Process): string | number;
  /** A link that leads to a thing and not to a name (/proc/PID/fd/N, exe): the file, or its absolute path in the machine. undefined: an ordinary link. */
  jump?(path: string, viewer: Process): OpenFile | string | number | undefined;
  /** Opens what is there, or creates it with O_CREAT (O_EXCL, O_TMPFILE were seen to). `mode`: of a new file; the umask is still to be applied. */
  open(request: OpenFileRequest): OpenFile | number;
  statfs(path: string): FileSystemStat | number;
  /** What making a name answers where there are no `changes`: -EACCES, or as it says. */
  readonly creationError?: number;
  /** Absent: nothing here can be changed (-EPERM). */
  readonly changes?: FileSystemChanges;
  /** Where there are no `changes`: what some of its files nonetheless let change. */
  readonly attributes?: AttributeChanges;
}

/** For whom a file is opened. */
export type Opener = Pick<SyscallContext, 'machine' | 'process'>;

export interface OpenFileRequest {
  readonly opener: Opener;
  readonly path: string;
  /** The path in the machine's namespace. */
  readonly fullPath: string;
  readonly flags: number;
  readonly mode: number;
  readonly umask: number;
}

/** ns since 1970, the host's present, or unchanged. */
export type NewTime = bigint | 'now' | undefined;

/** Of one file. All answer 0 or -errno. */
export interface AttributeChanges {
  chmod(path: string, mode: number): number;
  /** -1: unchanged. */
  chown(path: string, uid: number, gid: number): number;
  utimes(path: string, accessed: NewTime, modified: NewTime): number;
}

/** All answer 0 or -errno. */
export interface FileSystemChanges extends AttributeChanges {
  mkdir(path: string, mode: number, umask: number): number;
  /** A FIFO or socket: S_IFIFO, S_IFSOCK. */
  mknod(path: string, type: number, mode: number, umask: number): number;
  rmdir(path: string): number;
  unlink(path: string): number;
  rename(from: string, to: string): number;
  link(from: string, to: string): number;
  symlink(target: string, path: string): number;
  access(path: string, mode: number): number;
}

/** struct statfs, as numbers. */
export interface FileSystemStat {
  readonly type: number;
  readonly blockSize: number;
  readonly blocks: number;
  readonly free: number;
  readonly available: number;
  readonly files: number;
  readonly freeFiles: number;
}

export interface Mount {
  /** Absolute path in the machine. */
  readonly at: string;
  readonly fs: FileSystem;
  /** As /proc/mounts shows them. */
  readonly source: string;
  readonly options: string;
  /** Small number, unique: mnt_id. */
  readonly id: number;
}

/** The mounts of a machine; all processes see the same. */
export class Mounts {
  private readonly mounts: Mount[] = [];

  add(at: string, fs: FileSystem, source: string, options = 'rw,relatime'): void {
    this.mounts.push({ at, fs, source, options, id: FIRST_ID + this.mounts.length });
    this.mounts.sort((a, b) => b.at.length - a.at.length);
  }

  /** In the order in which they were mounted. */
  list(): readonly Mount[] {
    return [...this.mounts].sort((a, b) => a.id - b.id);
  }

  /** The mount that an absolute path lies in. */
  find(path: string): Mount {
    const found = this.mounts.find(({ at }) => at === '/' || path === at || path.startsWith(`${at}/`));
    if (found === undefined) throw new Error(`no mount for ${path}`);
    return found;
  }
}

const FIRST_ID = 20;

/** The path within its mount. */
export function innerPath({ at }: Mount, path: string): string {
  if (at === '/') return path;
  return path === at ? '/' : path.slice(at.length);
}
