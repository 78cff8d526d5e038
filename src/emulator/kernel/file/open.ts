/** open(2) and its kin (fs/open.c, fs/namei.c: do_open, open_last_lookups). */
import type { Machine } from '../../machine.js';
import type { Process } from '../../process.js';
import {
  E2BIG,
  EACCES,
  EAGAIN,
  EEXIST,
  EFAULT,
  EINVAL,
  EISDIR,
  ELOOP,
  ENOENT,
  ENOTDIR,
  EOPNOTSUPP,
  EPERM,
  ETXTBSY,
} from '../errno.js';
import { block, type SyscallContext, type SyscallResult, type SyscallRow } from '../syscall-table.js';
import type { Blocked } from '../wait.js';
import { fifoAt } from './fifo.js';
import { innerPath, type Opener } from './file-system.js';
import { install } from './file-table.js';
import { O, type OpenFile } from './open-file.js';
import { PathFile } from './path-file.js';
import { AT, type Located, locateText, parentOf, pathArgument, RESOLVE, type WalkOptions } from './path-walk.js';
import { MAY, mayUse, ownsFile } from './permission.js';
import { openFifo } from './pipe.js';
import { type FileStat, isDirectory, isLink, S, typeOf } from './stat.js';

/** What open(2) is asked for, after its flags were checked. */
export interface OpenHow {
  readonly flags: number;
  /** Permission bits of a new file. */
  readonly mode: number;
  /** RESOLVE bits. */
  readonly resolve: number;
}

const PERMISSIONS = 0o7777;
const KNOWN_FLAGS = 0o37777703; // VALID_OPEN_FLAGS: O_ACCMODE to __O_TMPFILE.

/** Drops what open(2) ignores (build_open_how), or -EINVAL (build_open_flags). */
export function openHow(flags: number, mode: number, resolve = 0): OpenHow | number {
  const creates = (flags & (O.CREAT | TMPFILE_BIT)) !== 0;
  let used = flags & KNOWN_FLAGS;
  if (used & O.PATH) used &= O.PATH | O.DIRECTORY | O.NOFOLLOW | O.CLOEXEC;
  if (used & O.CREAT && used & O.DIRECTORY) return -EINVAL;
  if (used & TMPFILE_BIT) {
    if ((used & O.TMPFILE) !== O.TMPFILE || (used & O.ACCMODE) === O.RDONLY) return -EINVAL;
  }
  return { flags: used, mode: creates ? mode & PERMISSIONS : 0, resolve };
}

const TMPFILE_BIT = O.TMPFILE & ~O.DIRECTORY;

/** Opens for the process: the file, with one user; or -errno. A file that is `opening` has still to be waited for. */
export function openFile(context: Opener, directory: number, path: string, how: OpenHow): OpenFile | number {
  const { flags } = how;
  const creates = (flags & O.CREAT) !== 0;
  const follow = !(flags & O.NOFOLLOW) && !(creates && flags & O.EXCL);
  const options: WalkOptions = { follow, resolve: how.resolve };
  const found = locateText(context, directory, path, 0, options);
  if (typeof found === 'number') return found;
  // Node cannot give an unnamed file a name afterwards: programs fall back to named ones.
  if ((flags & O.TMPFILE) === O.TMPFILE) return found.stat === undefined ? -ENOENT : -EOPNOTSUPP;
  return found.stat === undefined ? create(context, found, how) : openExisting(context, found, found.stat, how);
}

function create(context: Opener, found: Located, how: OpenHow): OpenFile | number {
  if (!(how.flags & O.CREAT)) return -ENOENT;
  if (found.mustBeDirectory) return -EISDIR;
  const refusal = mayChangeDirectory(context, found);
  return refusal < 0 ? refusal : owned(context, found, ask(context, found, how));
}

/** May names in the directory of this one be made? 0 or -errno. */
export function mayChangeDirectory({ machine, process }: Opener, found: Located): number {
  const { changes, creationError } = found.mount.fs;
  if (changes === undefined) return creationError ?? -EACCES;
  const directory = directoryOf(machine, process, found.path);
  if (typeof directory === 'number') return directory;
  return mayUse(machine, process, directory, MAY.WRITE | MAY.EXEC) ? 0 : -EACCES;
}

/** The directory that a name lies in. */
export function directoryOf(machine: Machine, process: Process, path: string): FileStat | number {
  const parent = parentOf(path);
  const mount = machine.mounts.find(parent);
  return mount.fs.lstat(innerPath(mount, parent), process);
}

/** The gateway creates as the server's user: a guest with other ids gets the file given. */
function owned({ process, machine }: Opener, found: Located, file: OpenFile | number): OpenFile | number {
  if (typeof file !== 'number') giveToGuest(machine, process, found);
  return file;
}

export function giveToGuest({ host: { inputs } }: Machine, { credentials }: Process, { mount, inner }: Located): void {
  const { fsuid, fsgid } = credentials;
  if (fsuid !== inputs.uid || fsgid !== inputs.gid) mount.fs.changes?.chown(inner, fsuid, fsgid);
}

function openExisting(context: Opener, found: Located, stat: FileStat, how: OpenHow): OpenFile | number {
  const { flags } = how;
  if (flags & O.CREAT && flags & O.EXCL) return -EEXIST;
  const isPath = (flags & O.PATH) !== 0;
  if (isDirectory(stat)) {
    const changes = (flags & O.ACCMODE) !== O.RDONLY || (flags & O.TRUNC) !== 0 || (flags & O.CREAT) !== 0;
    if (changes && !isPath) return -EISDIR;
  } else if (flags & O.DIRECTORY || found.mustBeDirectory) {
    return -ENOTDIR;
  }
  if (isPath) return new PathFile(context.machine, flags & ~O.CLOEXEC, found, context.process, stat);
  if (isLink(stat)) return -ELOOP;
  const refusal = mayOpen(context, found.path, stat, flags);
  if (refusal < 0) return refusal;
  if (typeOf(stat) === S.IFIFO && found.file === undefined)
    return openFifo(context, fifoAt(context.machine, stat, found.path), flags);
  if (found.file?.isNameless) return found.file.reopen(context, flags);
  return ask(context, found, how);
}

function mayOpen({ machine, process }: Opener, path: string, stat: FileStat, flags: number): number {
  const access = flags & O.ACCMODE;
  const reads = access !== O.WRONLY ? MAY.READ : 0;
  const writes = access !== O.RDONLY || flags & O.TRUNC ? MAY.WRITE : 0;
  if (!mayUse(machine, process, stat, reads | writes)) return -EACCES;
  if (flags & O.NOATIME && !ownsFile(machine, process, stat)) return -EPERM;
  return writes !== 0 && isExecuted(machine, path) ? -ETXTBSY : 0;
}

/** Does a process run this program? */
function isExecuted({ processes }: Machine, path: string): boolean {
  for (const { image, isZombie } of processes.values()) if (image.exe === path && !isZombie) return true;
  return false;
}

function ask(opener: Opener, { mount, inner, path }: Located, { flags, mode }: OpenHow): OpenFile | number {
  const { umask } = opener.process.fs;
  return mount.fs.open({ opener, path: inner, fullPath: path, flags, mode, umask });
}

/** Gives the file a number, or sleeps until a FIFO has its other end. */
function finish(context: SyscallContext, file: OpenFile | number, flags: number): SyscallResult {
  if (typeof file === 'number') return file;
  if (file.opening) return block(context, { keys: [file.key], progress: { file, flags } satisfies Opening });
  file.announce();
  return install(context.process, file, (flags & O.CLOEXEC) !== 0);
}

interface Opening {
  readonly file: OpenFile;
  readonly flags: number;
}

/** A sleeping open owns its file; who leaves the sleep closes it. */
const opening = {
  resume(context: SyscallContext, { progress }: Blocked): SyscallResult {
    const { file, flags } = progress as Opening;
    return finish(context, file, flags);
  },
  abandon(_context: SyscallContext, { progress }: Blocked): void {
    (progress as Opening).file.release();
  },
};

function open(context: SyscallContext, directory: number, at: number, flags: number, mode: number): SyscallResult {
  const how = openHow(flags, mode);
  if (typeof how === 'number') return how;
  const path = pathArgument(context, at);
  if (typeof path === 'number') return path;
  return finish(context, openFile(context, directory, path, how), flags);
}

/** struct open_how: flags, mode, resolve. */
const OPEN_HOW_BYTES = 24;
const RESOLVE_KNOWN = 0x3f;

function openat2(context: SyscallContext): SyscallResult {
  const [directory, at, howAt, size] = context.args as [number, number, number, number];
  if (size < OPEN_HOW_BYTES) return -EINVAL;
  if (size > PAGE) return -E2BIG;
  const bytes = context.memory.readBytes(howAt, size);
  if (bytes === undefined) return -EFAULT;
  if (bytes.subarray(OPEN_HOW_BYTES).some((byte) => byte !== 0)) return -E2BIG;
  const how = decodeHow(bytes);
  if (typeof how === 'number') return how;
  const path = pathArgument(context, at);
  if (typeof path === 'number') return path;
  if (how.resolve & RESOLVE.CACHED) return -EAGAIN;
  return finish(context, openFile(context, directory | 0, path, how), how.flags);
}

const PAGE = 4096;

/** openat2 refuses what open ignores. */
function decodeHow(bytes: Uint8Array): OpenHow | number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, OPEN_HOW_BYTES);
  const [flags, mode, resolve] = [0, 8, 16].map((at) => Number(view.getBigUint64(at, true))) as [
    number,
    number,
    number,
  ];
  const creates = (flags & (O.CREAT | TMPFILE_BIT)) !== 0;
  if (flags > KNOWN_FLAGS || flags & ~KNOWN_FLAGS) return -EINVAL;
  if (mode > PERMISSIONS || (mode !== 0 && !creates)) return -EINVAL;
  if (resolve > RESOLVE_KNOWN || (resolve & RESOLVE.BENEATH && resolve & RESOLVE.IN_ROOT)) return -EINVAL;
  if (flags & O.PATH && flags & ~(O.PATH | O.DIRECTORY | O.NOFOLLOW | O.CLOEXEC)) return -EINVAL;
  return openHow(flags, mode, resolve);
}

export const openSyscalls: readonly SyscallRow[] = [
  {
    nr: 2,
    name: 'open',
    run: (context) => {
      const [at, flags, mode] = context.args as [number, number, number];
      return open(context, AT.FDCWD, at, flags, mode);
    },
    ...opening,
  },
  {
    nr: 85,
    name: 'creat',
    run: (context) => {
      const [at, mode] = context.args as [number, number];
      return open(context, AT.FDCWD, at, O.CREAT | O.WRONLY | O.TRUNC, mode);
    },
    ...opening,
  },
  {
    nr: 257,
    name: 'openat',
    run: (context) => {
      const [directory, at, flags, mode] = context.args as [number, number, number, number];
      return open(context, directory | 0, at, flags, mode);
    },
    ...opening,
  },
  { nr: 437, name: 'openat2', run: openat2, ...opening },
];
