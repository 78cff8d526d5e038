/** Sockets that are bound to paths: the node in the file tree that stands for them (net/unix/af_unix.c: unix_bind_bsd, unix_find_bsd). */
import { pathText } from '../../host/path-text.js';
import type { Machine } from '../../machine.js';
import { EACCES, EADDRINUSE, ECONNREFUSED, EEXIST, EINVAL, ENOENT } from '../errno.js';
import { HostFileSystem } from '../file/host-fs.js';
import { makeNode } from '../file/name-calls.js';
import { AT, locateText } from '../file/path-walk.js';
import { MAY, mayUse } from '../file/permission.js';
import { type FileStat, S, typeOf } from '../file/stat.js';
import type { SyscallContext } from '../syscall-table.js';
import type { UnixName } from './unix-name.js';

/** Names of sockets in the table of bound ones. */
function keyOf({ device, inode }: FileStat): string {
  return `${device}:${inode}`;
}

/** Makes the node: the name, or -EADDRINUSE when it is taken, or what the path walk says. */
export function bindPath(context: SyscallContext, path: Uint8Array): UnixName | number {
  const text = pathText(path);
  const made = makeNode(context, text, S.IFSOCK, 0o777);
  if (made < 0) return made === -EEXIST ? -EADDRINUSE : made;
  const found = locateText(context, AT.FDCWD, text, 0, { follow: true });
  if (typeof found === 'number') return found;
  if (found.stat === undefined) return -ENOENT;
  const hostPath = found.mount.fs instanceof HostFileSystem ? found.inner : undefined;
  return { bytes: path.slice(), key: keyOf(found.stat), hostPath };
}

/** The key of the node that is at a path of the host now. */
export function keyOnHost({ host: { files } }: Machine, path: string): string | undefined {
  const stat = files.lstat(path);
  return typeof stat === 'number' ? undefined : keyOf(stat);
}

/** What a socket that has a name is told: the path counts first. */
export function bindPathAgain(context: SyscallContext, path: Uint8Array): number {
  const found = locateText(context, AT.FDCWD, pathText(path), 0, { follow: false });
  if (typeof found === 'number') return found;
  return found.stat === undefined ? -EINVAL : -EADDRINUSE;
}

/** The key of the node at a path; -ECONNREFUSED when it is no socket. */
export function findPath(context: SyscallContext, path: Uint8Array): string | number {
  const found = locateText(context, AT.FDCWD, pathText(path), 0, { follow: true });
  if (typeof found === 'number') return found;
  if (found.stat === undefined) return -ENOENT;
  if (!mayUse(context.machine, context.process, found.stat, MAY.WRITE)) return -EACCES;
  return typeOf(found.stat) === S.IFSOCK ? keyOf(found.stat) : -ECONNREFUSED;
}
