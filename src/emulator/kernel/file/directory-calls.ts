/** getdents(2), the working directory, the root directory (fs/readdir.c, fs/open.c, fs/d_path.c). */

import { pathBytes } from '../../host/path-text.js';
import { EACCES, EBADF, EFAULT, EINVAL, ENOENT, ENOTDIR, EPERM, ERANGE } from '../errno.js';
import { CAP, capable } from '../identity-checks.js';
import type { SyscallContext, SyscallRow } from '../syscall-table.js';
import { anyFileAt, fileAt } from './descriptors.js';
import { innerPath } from './file-system.js';
import type { DirectoryEntry } from './open-file.js';
import { AT, isBelow, type Located, locateAt } from './path-walk.js';
import { MAY, mayUse } from './permission.js';
import { type FileStat, isDirectory } from './stat.js';
import { statOf } from './stat-calls.js';

/** A record never takes less; so many entries are asked for at most. */
const RECORD_MIN = 24;

type Encode = (entry: DirectoryEntry, room: number) => Uint8Array | undefined;

function readEntries(context: SyscallContext, encode: Encode): number {
  const [, at, size] = context.args as [number, number, number];
  const file = fileAt(context);
  if (file === undefined) return -EBADF;
  const room = size >>> 0;
  const entries = file.entries(Math.max(1, Math.floor(room / RECORD_MIN)));
  if (typeof entries === 'number') return entries;
  let used = 0;
  for (const entry of entries) {
    const record = encode(entry, room - used);
    // Not even one fits: the caller's buffer is too small.
    if (record === undefined) return used > 0 ? used : -EINVAL;
    if (!context.memory.writeBytes(at + used, record)) return used > 0 ? used : -EFAULT;
    used += record.length;
    file.offset = entry.next;
  }
  return used;
}

/** struct linux_dirent64: inode, next position, length, type, name; 8-byte aligned. */
function encode64({ name, inode, type, next }: DirectoryEntry, room: number): Uint8Array | undefined {
  const length = (19 + name.length + 1 + 7) & ~7;
  if (length > room) return undefined;
  const view = header(length, inode, next);
  view.setUint8(18, type);
  return withName(view, 19, name);
}

/** struct linux_dirent: the type is its last byte. */
function encodeOld({ name, inode, type, next }: DirectoryEntry, room: number): Uint8Array | undefined {
  const length = (18 + name.length + 2 + 7) & ~7;
  if (length > room) return undefined;
  const view = header(length, inode, next);
  view.setUint8(length - 1, type);
  return withName(view, 18, name);
}

function header(length: number, inode: number, next: number): DataView {
  const view = new DataView(new ArrayBuffer(length));
  view.setBigUint64(0, BigInt(inode), true);
  view.setBigInt64(8, BigInt(next), true);
  view.setUint16(16, length, true);
  return view;
}

function withName(view: DataView, at: number, name: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(view.buffer);
  bytes.set(name, at);
  return bytes;
}

/** Length with the NUL, as the syscall answers; -ENOENT when the directory is gone. */
function getcwd({ machine, process, memory, args }: SyscallContext): number {
  const [at, size] = args as [number, number];
  const { cwd, root } = process.fs;
  const mount = machine.mounts.find(cwd);
  const stat = mount.fs.lstat(innerPath(mount, cwd), process);
  if (typeof stat === 'number') return -ENOENT;
  const bytes = pathBytes(shownPath(cwd, root));
  if (bytes.length + 1 > size) return -ERANGE;
  const text = new Uint8Array(bytes.length + 1);
  text.set(bytes);
  return memory.writeBytes(at, text) ? text.length : -EFAULT;
}

/** A path as a process with this root sees it (d_path). */
export function shownPath(path: string, root: string): string {
  if (root === '/') return path;
  if (!isBelow(path, root)) return `(unreachable)${path}`;
  return path === root ? '/' : path.slice(root.length);
}

function enter({ machine, process }: SyscallContext, stat: FileStat | number): number {
  if (typeof stat === 'number') return stat;
  if (!isDirectory(stat)) return -ENOTDIR;
  return mayUse(machine, process, stat, MAY.EXEC) ? 0 : -EACCES;
}

/** The host's own opinion on entering a directory: it is what lookups in it will meet. */
function enterPath(context: SyscallContext, found: Located | number): number {
  const refusal = enter(context, statOf(found));
  if (refusal !== 0 || typeof found === 'number') return refusal;
  return found.mount.fs.changes?.access(found.inner, MAY.EXEC) ?? 0;
}

function chdir(context: SyscallContext): number {
  const found = locateAt(context, AT.FDCWD, context.args[0] as number, 0, { follow: true });
  const refusal = enterPath(context, found);
  if (refusal === 0 && typeof found !== 'number') context.process.fs.cwd = found.path;
  return refusal;
}

function fchdir(context: SyscallContext): number {
  const file = anyFileAt(context);
  if (file === undefined) return -EBADF;
  const refusal = enter(context, file.stat());
  if (refusal !== 0) return refusal;
  if (file.path === undefined) return -ENOTDIR;
  context.process.fs.cwd = file.path;
  return 0;
}

function chroot(context: SyscallContext): number {
  const found = locateAt(context, AT.FDCWD, context.args[0] as number, 0, { follow: true });
  const refusal = enterPath(context, found);
  if (refusal !== 0 || typeof found === 'number') return refusal;
  if (!capable(context.process, CAP.SYS_CHROOT)) return -EPERM;
  context.process.fs.root = found.path;
  return 0;
}

function umask({ process: { fs }, args }: SyscallContext): number {
  const old = fs.umask;
  fs.umask = (args[0] as number) & 0o777;
  return old;
}

export const directorySyscalls: readonly SyscallRow[] = [
  { nr: 78, name: 'getdents', run: (context) => readEntries(context, encodeOld) },
  { nr: 79, name: 'getcwd', run: getcwd },
  { nr: 80, name: 'chdir', run: chdir },
  { nr: 81, name: 'fchdir', run: fchdir },
  { nr: 95, name: 'umask', run: umask },
  { nr: 161, name: 'chroot', run: chroot },
  { nr: 217, name: 'getdents64', run: (context) => readEntries(context, encode64) },
];
