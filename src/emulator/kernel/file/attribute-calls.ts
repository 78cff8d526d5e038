/** Changing the mode, owner, times and size of files, and writing them back (fs/open.c, fs/utimes.c, fs/attr.c, fs/sync.c). */

import { NS_PER_SECOND } from '../../../types.js';
import type { Timespec } from '../../clock.js';
import { exactNs } from '../../clock.js';
import { SIGNAL } from '../../signals.js';
import { EACCES, EBADF, EFAULT, EFBIG, EINVAL, EISDIR, ENODEV, ENOENT, EPERM, ESPIPE } from '../errno.js';
import { CAP, capable } from '../identity-checks.js';
import { RLIMIT } from '../limits.js';
import type { SyscallContext, SyscallRow } from '../syscall-table.js';
import { anyFileAt, fileAt } from './descriptors.js';
import type { NewTime } from './file-system.js';
import { openFile, openHow } from './open.js';
import { O, type OpenFile } from './open-file.js';
import { AT, type Located, locateAt, pathArgument } from './path-walk.js';
import { MAY, mayUse, ownsFile } from './permission.js';
import { type FileStat, isDirectory, S } from './stat.js';
import { raise } from './transfer.js';

/** What can be changed: a name, or an open file. */
interface Target {
  readonly stat: FileStat;
  setMode(mode: number): number;
  setOwner(uid: number, gid: number): number;
  setTimes(accessed: NewTime, modified: NewTime): number;
}

function namedTarget(found: Located | number): Target | number {
  if (typeof found === 'number') return found;
  const { stat, mount, inner, file } = found;
  if (stat === undefined) return -ENOENT;
  if (file?.isNameless) return openTarget(file);
  const changes = mount.fs.changes ?? mount.fs.attributes;
  if (changes === undefined) return -EPERM;
  return {
    stat,
    setMode: (mode) => changes.chmod(inner, mode),
    setOwner: (uid, gid) => changes.chown(inner, uid, gid),
    setTimes: (accessed, modified) => changes.utimes(inner, accessed, modified),
  };
}

function openTarget(file: OpenFile | undefined): Target | number {
  const stat = file?.stat() ?? -EBADF;
  if (typeof stat === 'number' || file === undefined) return stat as number;
  return {
    stat,
    setMode: (mode) => file.setMode(mode),
    setOwner: (uid, gid) => file.setOwner(uid, gid),
    setTimes: (accessed, modified) => file.setTimes(accessed, modified),
  };
}

/** Mode bits beyond the owner's rights are dropped (setattr_prepare): set-gid of a group that the process is not in. */
function chmod({ machine, process }: SyscallContext, target: Target | number, mode: number): number {
  if (typeof target === 'number') return target;
  if (!ownsFile(machine, process, target.stat)) return -EPERM;
  const { fsgid, groups } = process.credentials;
  const inGroup = target.stat.gid === fsgid || groups.includes(target.stat.gid) || capable(process, CAP.FSETID);
  return target.setMode(mode & (inGroup ? 0o7777 : 0o5777));
}

function chmodAt(context: SyscallContext, directory: number, path: number, mode: number, flags: number): number {
  if (flags & ~(AT.SYMLINK_NOFOLLOW | AT.EMPTY_PATH)) return -EINVAL;
  const follow = !(flags & AT.SYMLINK_NOFOLLOW);
  return chmod(context, namedTarget(locateAt(context, directory, path, flags, { follow })), mode);
}

/** A uid_t or gid_t argument: unsigned 32 bits, but -1, which keeps what there is. */
function ownerId(argument: number): number {
  return (argument | 0) === -1 ? -1 : argument >>> 0;
}

/** The owner may give a file to another group of his; everything else takes CAP_CHOWN (chown_ok, chgrp_ok). */
function chown({ machine, process }: SyscallContext, target: Target | number, uid: number, gid: number): number {
  if (typeof target === 'number') return target;
  const { credentials } = process;
  const isOwner = ownsFile(machine, process, target.stat);
  const ownGroup = gid === -1 || gid === credentials.fsgid || credentials.groups.includes(gid);
  const keepsUser = uid === -1 || uid === target.stat.uid;
  if (!(isOwner && keepsUser && ownGroup) && !capable(process, CAP.CHOWN)) return -EPERM;
  const result = target.setOwner(uid, gid);
  if (result === 0 && !isDirectory(target.stat) && target.stat.mode & (S.ISUID | S.ISGID)) {
    return target.setMode(target.stat.mode & 0o7777 & ~S.ISUID & ~(target.stat.mode & 0o010 ? S.ISGID : 0));
  }
  return result;
}

function chownAt(
  context: SyscallContext,
  directory: number,
  path: number,
  ids: readonly number[],
  flags: number,
): number {
  if (flags & ~(AT.SYMLINK_NOFOLLOW | AT.EMPTY_PATH)) return -EINVAL;
  const follow = !(flags & AT.SYMLINK_NOFOLLOW);
  const [uid, gid] = ids as [number, number];
  return chown(context, namedTarget(locateAt(context, directory, path, flags, { follow })), ownerId(uid), ownerId(gid));
}

const UTIME_NOW = 0x3fff_ffff;
const UTIME_OMIT = 0x3fff_fffe;

/** What one struct timespec of utimensat(2) says; -EINVAL. */
function newTime(when: Timespec): { readonly time: NewTime } | number {
  const { nanoseconds } = when;
  if (nanoseconds === UTIME_NOW) return { time: 'now' };
  if (nanoseconds === UTIME_OMIT) return { time: undefined };
  if (nanoseconds < 0 || nanoseconds > 999_999_999) return -EINVAL;
  return { time: exactNs(when) };
}

interface Times {
  readonly accessed: NewTime;
  readonly modified: NewTime;
}

const NOW: Times = { accessed: 'now', modified: 'now' };

/** Two times in the guest's memory; a null pointer is the present. `unit`: ns in the second word's unit. */
function readTimes({ memory }: SyscallContext, at: number, unit: 'timespec' | 'timeval'): Times | number {
  if (at === 0) return NOW;
  const bytes = memory.readBytes(at, 32);
  if (bytes === undefined) return -EFAULT;
  const view = new DataView(bytes.buffer, bytes.byteOffset, 32);
  const times = [0, 16].map((offset) => {
    const seconds = Number(view.getBigInt64(offset, true));
    const fraction = Number(view.getBigInt64(offset + 8, true));
    if (unit === 'timespec') return newTime({ seconds, nanoseconds: fraction });
    return fraction < 0 || fraction > 999_999 ? -EINVAL : newTime({ seconds, nanoseconds: 1000 * fraction });
  });
  const [accessed, modified] = times;
  if (typeof accessed !== 'object' || typeof modified !== 'object') return -EINVAL;
  return { accessed: accessed.time, modified: modified.time };
}

/** Who may write the file may set its times to the present; all else is the owner's (vfs_utimes, notify_change). */
function setTimes({ machine, process }: SyscallContext, target: Target | number, times: Times | number): number {
  if (typeof times === 'number') return times;
  if (typeof target === 'number') return target;
  const { accessed, modified } = times;
  if (accessed === undefined && modified === undefined) return 0;
  const isNow = accessed === 'now' && modified === 'now';
  if (!ownsFile(machine, process, target.stat)) {
    if (!isNow) return -EPERM;
    if (!mayUse(machine, process, target.stat, MAY.WRITE)) return -EACCES;
  }
  return target.setTimes(accessed, modified);
}

function utimensat(context: SyscallContext): number {
  const [directory, path, at, flags] = context.args as [number, number, number, number];
  const times = readTimes(context, at, 'timespec');
  if (typeof times === 'number') return times;
  if (times.accessed === undefined && times.modified === undefined) return 0;
  if (path === 0) return flags !== 0 ? -EINVAL : setTimes(context, openTarget(fileAt(context)), times);
  if (flags & ~(AT.SYMLINK_NOFOLLOW | AT.EMPTY_PATH)) return -EINVAL;
  const follow = !(flags & AT.SYMLINK_NOFOLLOW);
  return setTimes(context, namedTarget(locateAt(context, directory | 0, path, flags, { follow })), times);
}

function utimes(context: SyscallContext, directory: number, path: number, at: number): number {
  const times = readTimes(context, at, 'timeval');
  if (typeof times === 'number') return times;
  if (path === 0 && directory !== AT.FDCWD) return setTimes(context, openTarget(fileAt(context)), times);
  return setTimes(context, namedTarget(locateAt(context, directory, path, 0, { follow: true })), times);
}

/** struct utimbuf: two times in seconds. */
function utime(context: SyscallContext): number {
  const [path, at] = context.args as [number, number];
  const found = namedTarget(locateAt(context, AT.FDCWD, path, 0, { follow: true }));
  if (at === 0) return setTimes(context, found, NOW);
  const bytes = context.memory.readBytes(at, 16);
  if (bytes === undefined) return -EFAULT;
  const view = new DataView(bytes.buffer, bytes.byteOffset, 16);
  const [accessed, modified] = [0, 8].map((offset) => view.getBigInt64(offset, true) * BigInt(NS_PER_SECOND));
  return setTimes(context, found, { accessed, modified });
}

/** RLIMIT_FSIZE counts for growing (inode_newsize_ok). */
function resize(context: SyscallContext, file: OpenFile, size: number): number {
  const stat = file.stat();
  const limit = context.process.limits[RLIMIT.FSIZE]?.soft ?? Number.POSITIVE_INFINITY;
  if (typeof stat === 'object' && size > stat.size && size > limit) {
    raise(context, SIGNAL.XFSZ);
    return -EFBIG;
  }
  return file.truncate(size);
}

function truncate(context: SyscallContext): number {
  const [at, size] = context.args as [number, number];
  const path = pathArgument(context, at);
  if (typeof path === 'number') return path;
  if (size < 0) return -EINVAL;
  const how = openHow(O.WRONLY, 0);
  const file = typeof how === 'number' ? how : openFile(context, AT.FDCWD, path, how);
  if (typeof file === 'number') return file;
  const result = file.isRegular ? resize(context, file, size) : -EINVAL;
  file.release();
  return result;
}

function ftruncate(context: SyscallContext): number {
  const file = fileAt(context);
  const size = context.args[1] as number;
  if (size < 0) return -EINVAL;
  if (file === undefined) return -EBADF;
  return file.isRegular && file.writable ? resize(context, file, size) : -EINVAL;
}

function fallocate(context: SyscallContext): number {
  const [, mode, offset, length] = context.args as [number, number, number, number];
  const file = fileAt(context);
  if (file === undefined) return -EBADF;
  if (offset < 0 || length <= 0) return -EINVAL;
  if (!file.writable) return -EBADF;
  const stat = file.stat();
  if (typeof stat === 'number') return stat;
  if (isDirectory(stat)) return -EISDIR;
  if ((stat.mode & S.IFMT) === S.IFIFO) return -ESPIPE;
  return file.isRegular ? file.allocate(mode, offset, length) : -ENODEV;
}

/** fsync of what has nothing to write back is EINVAL: OpenFile's answer. */
function sync(context: SyscallContext, dataOnly: boolean): number {
  return fileAt(context)?.sync(dataOnly) ?? -EBADF;
}

const SYNC_FILE_RANGE_FLAGS = 7;

function syncFileRange(context: SyscallContext): number {
  const [, offset, length, flags] = context.args as [number, number, number, number];
  const file = fileAt(context);
  if (file === undefined) return -EBADF;
  if (offset < 0 || length < 0 || flags & ~SYNC_FILE_RANGE_FLAGS) return -EINVAL;
  return file.isRegular ? file.sync(true) : -ESPIPE;
}

type Numbers = [number, number, number, number, number];

function numbers({ args }: SyscallContext): Numbers {
  return args as readonly number[] as Numbers;
}

function chownPath(context: SyscallContext, flags: number): number {
  const [path, uid, gid] = numbers(context);
  return chownAt(context, AT.FDCWD, path, [uid, gid], flags);
}

export const attributeSyscalls: readonly SyscallRow[] = [
  { nr: 74, name: 'fsync', run: (context) => sync(context, false) },
  { nr: 75, name: 'fdatasync', run: (context) => sync(context, true) },
  { nr: 76, name: 'truncate', run: truncate },
  { nr: 77, name: 'ftruncate', run: ftruncate },
  {
    nr: 90,
    name: 'chmod',
    run: (context) => {
      const [path, mode] = numbers(context);
      return chmodAt(context, AT.FDCWD, path, mode, 0);
    },
  },
  { nr: 91, name: 'fchmod', run: (context) => chmod(context, openTarget(fileAt(context)), context.args[1] as number) },
  { nr: 92, name: 'chown', run: (context) => chownPath(context, 0) },
  {
    nr: 93,
    name: 'fchown',
    run: (context) => {
      const [, uid, gid] = numbers(context);
      return chown(context, openTarget(fileAt(context)), ownerId(uid), ownerId(gid));
    },
  },
  { nr: 94, name: 'lchown', run: (context) => chownPath(context, AT.SYMLINK_NOFOLLOW) },
  { nr: 132, name: 'utime', run: utime },
  // The gateway's writes are the host's at once.
  { nr: 162, name: 'sync', run: () => 0 },
  {
    nr: 235,
    name: 'utimes',
    run: (context) => {
      const [path, at] = numbers(context);
      return utimes(context, AT.FDCWD, path, at);
    },
  },
  {
    nr: 260,
    name: 'fchownat',
    run: (context) => {
      const [directory, path, uid, gid, flags] = numbers(context);
      return chownAt(context, directory | 0, path, [uid, gid], flags);
    },
  },
  {
    nr: 261,
    name: 'futimesat',
    run: (context) => {
      const [directory, path, at] = numbers(context);
      return utimes(context, directory | 0, path, at);
    },
  },
  {
    nr: 268,
    name: 'fchmodat',
    run: (context) => {
      const [directory, path, mode] = numbers(context);
      return chmodAt(context, directory | 0, path, mode, 0);
    },
  },
  { nr: 277, name: 'sync_file_range', run: syncFileRange },
  { nr: 280, name: 'utimensat', run: utimensat },
  { nr: 285, name: 'fallocate', run: fallocate },
  { nr: 306, name: 'syncfs', run: (context) => (anyFileAt(context) === undefined ? -EBADF : 0) },
  {
    nr: 452,
    name: 'fchmodat2',
    run: (context) => {
      const [directory, path, mode, flags] = numbers(context);
      return chmodAt(context, directory | 0, path, mode, flags);
    },
  },
];
