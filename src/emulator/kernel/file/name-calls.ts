/** Making, removing, renaming and linking names (fs/namei.c). */

import { pathBytes } from '../../host/path-text.js';
import { EBUSY, EEXIST, EFAULT, EINVAL, EISDIR, ENOENT, ENOTDIR, ENOTEMPTY, EPERM, EXDEV } from '../errno.js';
import { CAP, capable } from '../identity-checks.js';
import type { SyscallContext, SyscallRow } from '../syscall-table.js';
import type { FileSystemChanges } from './file-system.js';
import { directoryOf, giveToGuest, mayChangeDirectory, openFile } from './open.js';
import { O } from './open-file.js';
import { AT, isBelow, type Located, locateAt, locateText, pathArgument } from './path-walk.js';
import { mayRemove } from './permission.js';
import { pathRenamed } from './renamed-paths.js';
import { type FileStat, isDirectory, S, typeOf } from './stat.js';

const NO_FOLLOW = { follow: false } as const;
const NAME = { follow: 'never' } as const;

/** Where a name shall be made: it must be free. */
function freeName(context: SyscallContext, directory: number, path: number): Located | number {
  return checkFree(context, locateAt(context, directory, path, 0, NO_FOLLOW));
}

function checkFree(context: SyscallContext, found: Located | number): Located | number {
  if (typeof found === 'number') return found;
  if (found.stat !== undefined || found.last !== 'name') return -EEXIST;
  const refusal = mayChangeDirectory(context, found);
  return refusal < 0 ? refusal : found;
}

/** A FIFO or socket at a path from the working directory: 0 or -errno. `type`: S.IFIFO, S.IFSOCK. */
export function makeNode(context: SyscallContext, path: string, type: number, mode: number): number {
  const found = checkFree(context, locateText(context, AT.FDCWD, path, 0, NO_FOLLOW));
  return makeNodeAt(context, found, type, mode);
}

function makeNodeAt(context: SyscallContext, found: Located | number, type: number, mode: number): number {
  const { umask } = context.process.fs;
  return make(context, found, (free) => changesOf(free).mknod(free.inner, type, mode & 0o7777, umask));
}

function changesOf({ mount }: Located): FileSystemChanges {
  const { changes } = mount.fs;
  if (changes === undefined) throw new Error(`${mount.at} cannot be changed`);
  return changes;
}

/** Makes a name, and gives it to the guest's user. */
function make(context: SyscallContext, found: Located | number, how: (found: Located) => number): number {
  if (typeof found === 'number') return found;
  const result = how(found);
  if (result === 0) giveToGuest(context.machine, context.process, found);
  return result;
}

function mkdir(context: SyscallContext, directory: number, path: number, mode: number): number {
  const { umask } = context.process.fs;
  return make(context, freeName(context, directory, path), (found) =>
    changesOf(found).mkdir(found.inner, mode & 0o1777, umask),
  );
}

function symlink(context: SyscallContext, targetAt: number, directory: number, path: number): number {
  const target = pathArgument(context, targetAt);
  if (typeof target === 'number') return target;
  if (target === '') return -ENOENT;
  const found = freeName(context, directory, path);
  if (typeof found !== 'number' && found.mustBeDirectory) return -ENOENT;
  return make(context, found, ({ inner }) => changesOf(found as Located).symlink(target, inner));
}

/** Regular files, FIFOs and sockets; devices take privileges. */
function mknod(context: SyscallContext, directory: number, pathAt: number, mode: number): number {
  const type = mode & S.IFMT;
  if (type === S.IFDIR) return -EPERM;
  const found = freeName(context, directory, pathAt);
  if (typeof found === 'number') return found;
  if (type === S.IFIFO || type === S.IFSOCK) return makeNodeAt(context, found, type, mode);
  if (type !== 0 && type !== S.IFREG) return -EPERM;
  const path = pathArgument(context, pathAt);
  if (typeof path === 'number') return path;
  const flags = O.CREAT | O.EXCL | O.WRONLY;
  const file = openFile(context, directory, path, { flags, mode: mode & 0o7777, resolve: 0 });
  if (typeof file === 'number') return file;
  file.release();
  return 0;
}

/** Something that shall lose its name. */
function victim(context: SyscallContext, found: Located): FileStat | number {
  const { machine, process } = context;
  if (found.stat === undefined) return -ENOENT;
  if (found.mount.fs.changes === undefined) return -EPERM;
  const refusal = mayChangeDirectory(context, found);
  if (refusal < 0) return refusal;
  const directory = directoryOf(machine, process, found.path);
  if (typeof directory === 'number') return directory;
  return mayRemove(machine, process, directory, found.stat) ? found.stat : -EPERM;
}

function unlink(context: SyscallContext, directory: number, path: number): number {
  const found = locateAt(context, directory, path, 0, NAME);
  if (typeof found === 'number') return found;
  if (found.last !== 'name') return -EISDIR;
  const stat = victim(context, found);
  if (typeof stat === 'number') return stat;
  if (isDirectory(stat)) return -EISDIR;
  if (found.mustBeDirectory) return -ENOTDIR;
  return changesOf(found).unlink(found.inner);
}

function rmdir(context: SyscallContext, directory: number, path: number): number {
  const found = locateAt(context, directory, path, 0, NAME);
  if (typeof found === 'number') return found;
  if (found.last === 'dotdot') return -ENOTEMPTY;
  if (found.last === 'dot') return -EINVAL;
  if (found.last === 'root' || found.inner === '/') return -EBUSY;
  const stat = victim(context, found);
  if (typeof stat === 'number') return stat;
  return isDirectory(stat) ? changesOf(found).rmdir(found.inner) : -ENOTDIR;
}

function unlinkat(context: SyscallContext): number {
  const [directory, path, flags] = context.args as [number, number, number];
  if (flags & ~AT.REMOVEDIR) return -EINVAL;
  return flags & AT.REMOVEDIR ? rmdir(context, directory | 0, path) : unlink(context, directory | 0, path);
}

const RENAME = { NOREPLACE: 1, EXCHANGE: 2, WHITEOUT: 4 } as const;

/** Node's rename knows no flags: NOREPLACE is checked before, EXCHANGE and WHITEOUT are refused as a file system without them does. */
function rename(
  context: SyscallContext,
  fromDirectory: number,
  fromPath: number,
  toDirectory: number,
  toPath: number,
  flags = 0,
): number {
  if (flags & ~RENAME.NOREPLACE) return -EINVAL;
  const from = locateAt(context, fromDirectory, fromPath, 0, NAME);
  if (typeof from === 'number') return from;
  const to = locateAt(context, toDirectory, toPath, 0, NAME);
  if (typeof to === 'number') return to;
  const refusal = mayRename(context, from, to, flags);
  if (refusal !== 0) return refusal;
  if (from.stat?.inode === to.stat?.inode && from.stat?.device === to.stat?.device) return 0;
  const result = changesOf(from).rename(from.inner, to.inner);
  if (result === 0) pathRenamed(context.machine, from.path, to.path);
  return result;
}

function mayRename(context: SyscallContext, from: Located, to: Located, flags: number): number {
  if (from.mount !== to.mount) return -EXDEV;
  if (from.last !== 'name' || to.last !== 'name') return -EBUSY;
  if (from.stat === undefined) return -ENOENT;
  if (to.stat !== undefined && flags & RENAME.NOREPLACE) return -EEXIST;
  const isTree = isDirectory(from.stat);
  if (!isTree && (from.mustBeDirectory || to.mustBeDirectory)) return -ENOTDIR;
  if (isTree && from.path !== to.path && isBelow(to.path, from.path)) return -EINVAL;
  if (to.path !== from.path && isBelow(from.path, to.path)) return -ENOTEMPTY;
  const source = victim(context, from);
  if (typeof source === 'number') return source;
  const target = to.stat === undefined ? mayChangeDirectory(context, to) : victim(context, to);
  if (typeof target === 'number') return target;
  if (isTree !== isDirectory(target)) return isTree ? -ENOTDIR : -EISDIR;
  return 0;
}

function link(
  context: SyscallContext,
  fromDirectory: number,
  fromPath: number,
  toDirectory: number,
  toPath: number,
  flags = 0,
): number {
  if (flags & ~(AT.SYMLINK_FOLLOW | AT.EMPTY_PATH)) return -EINVAL;
  if (flags & AT.EMPTY_PATH && !capable(context.process, CAP.DAC_READ_SEARCH)) return -ENOENT;
  const follow = (flags & AT.SYMLINK_FOLLOW) !== 0;
  const from = locateAt(context, fromDirectory, fromPath, flags, { follow });
  if (typeof from === 'number') return from;
  if (from.stat === undefined) return -ENOENT;
  const to = freeName(context, toDirectory, toPath);
  if (typeof to === 'number') return to;
  if (from.file?.isNameless) return from.file.path === undefined ? -EXDEV : -ENOENT;
  if (from.mount !== to.mount) return -EXDEV;
  if (isDirectory(from.stat)) return -EPERM;
  return changesOf(to).link(from.inner, to.inner);
}

function readlink(context: SyscallContext, directory: number, path: number, at: number, size: number): number {
  if ((size | 0) <= 0) return -EINVAL;
  const found = locateAt(context, directory, path, AT.EMPTY_PATH, NO_FOLLOW);
  if (typeof found === 'number') return found;
  if (found.stat === undefined) return -ENOENT;
  if (typeOf(found.stat) !== S.IFLNK) return isEmptyPath(context, path) ? -ENOENT : -EINVAL;
  const target = found.mount.fs.readlink(found.inner, context.process);
  if (typeof target === 'number') return target;
  const bytes = pathBytes(target).subarray(0, size | 0);
  return context.memory.writeBytes(at, bytes) ? bytes.length : -EFAULT;
}

function isEmptyPath({ memory }: SyscallContext, at: number): boolean {
  const bytes = memory.readBytes(at, 1);
  return bytes !== undefined && bytes[0] === 0;
}

type Numbers = [number, number, number, number, number];

function numbers({ args }: SyscallContext): Numbers {
  return args as readonly number[] as Numbers;
}

export const nameSyscalls: readonly SyscallRow[] = [
  {
    nr: 82,
    name: 'rename',
    run: (context) => {
      const [from, to] = numbers(context);
      return rename(context, AT.FDCWD, from, AT.FDCWD, to);
    },
  },
  {
    nr: 83,
    name: 'mkdir',
    run: (context) => {
      const [path, mode] = numbers(context);
      return mkdir(context, AT.FDCWD, path, mode);
    },
  },
  { nr: 84, name: 'rmdir', run: (context) => rmdir(context, AT.FDCWD, context.args[0] as number) },
  {
    nr: 86,
    name: 'link',
    run: (context) => {
      const [from, to] = numbers(context);
      return link(context, AT.FDCWD, from, AT.FDCWD, to);
    },
  },
  { nr: 87, name: 'unlink', run: (context) => unlink(context, AT.FDCWD, context.args[0] as number) },
  {
    nr: 88,
    name: 'symlink',
    run: (context) => {
      const [target, path] = numbers(context);
      return symlink(context, target, AT.FDCWD, path);
    },
  },
  {
    nr: 89,
    name: 'readlink',
    run: (context) => {
      const [path, at, size] = numbers(context);
      return readlink(context, AT.FDCWD, path, at, size);
    },
  },
  {
    nr: 133,
    name: 'mknod',
    run: (context) => {
      const [path, mode] = numbers(context);
      return mknod(context, AT.FDCWD, path, mode);
    },
  },
  {
    nr: 258,
    name: 'mkdirat',
    run: (context) => {
      const [directory, path, mode] = numbers(context);
      return mkdir(context, directory | 0, path, mode);
    },
  },
  {
    nr: 259,
    name: 'mknodat',
    run: (context) => {
      const [directory, path, mode] = numbers(context);
      return mknod(context, directory | 0, path, mode);
    },
  },
  { nr: 263, name: 'unlinkat', run: unlinkat },
  {
    nr: 264,
    name: 'renameat',
    run: (context) => {
      const [fromDirectory, from, toDirectory, to] = numbers(context);
      return rename(context, fromDirectory | 0, from, toDirectory | 0, to);
    },
  },
  {
    nr: 265,
    name: 'linkat',
    run: (context) => {
      const [fromDirectory, from, toDirectory, to, flags] = numbers(context);
      return link(context, fromDirectory | 0, from, toDirectory | 0, to, flags);
    },
  },
  {
    nr: 266,
    name: 'symlinkat',
    run: (context) => {
      const [target, directory, path] = numbers(context);
      return symlink(context, target, directory | 0, path);
    },
  },
  {
    nr: 267,
    name: 'readlinkat',
    run: (context) => {
      const [directory, path, at, size] = numbers(context);
      return readlink(context, directory | 0, path, at, size);
    },
  },
  {
    nr: 316,
    name: 'renameat2',
    run: (context) => {
      const [fromDirectory, from, toDirectory, to, flags] = numbers(context);
      return rename(context, fromDirectory | 0, from, toDirectory | 0, to, flags);
    },
  },
];
