/** How a row finds the file of a descriptor (fs/file.c: fdget, fdget_raw). */
import type { SyscallContext } from '../syscall-table.js';
import { filesOf } from './file-table.js';
import { O, type OpenFile } from './open-file.js';

/** The file of an int argument; undefined for EBADF. O_PATH descriptors count as none. */
export function fileAt({ process, args }: SyscallContext, index = 0): OpenFile | undefined {
  const file = filesOf(process).get((args[index] as number) | 0);
  return file === undefined || file.flags & O.PATH ? undefined : file;
}

/** The same with O_PATH descriptors: for close, dup, fstat and what starts a path walk. */
export function anyFileAt({ process, args }: SyscallContext, index = 0): OpenFile | undefined {
  return filesOf(process).get((args[index] as number) | 0);
}
