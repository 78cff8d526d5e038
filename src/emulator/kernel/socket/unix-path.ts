/** Sockets that are bound to paths need a node in the file tree, which the host cannot make: refused as a file system without sockets does. */
import { EOPNOTSUPP } from '../errno.js';
import type { SyscallContext } from '../syscall-table.js';

export function bindPath(_context: SyscallContext, _path: Uint8Array): string | number {
  return -EOPNOTSUPP;
}

export function findPath(_context: SyscallContext, _path: Uint8Array): string | number {
  return -EOPNOTSUPP;
}
