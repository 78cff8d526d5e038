/** close, dup and their kin (fs/file.c). */
import type { Limit } from '../../process.js';
import { EBADF, EINVAL } from '../errno.js';
import { RLIMIT } from '../limits.js';
import type { SyscallContext, SyscallRow } from '../syscall-table.js';
import { anyFileAt } from './descriptors.js';
import { filesOf } from './file-table.js';
import { O, type OpenFile } from './open-file.js';

function close({ process, args }: SyscallContext): number {
  return filesOf(process).close((args[0] as number) | 0);
}

const CLOSE_RANGE = { UNSHARE: 2, CLOEXEC: 4 } as const;

function closeRange({ process, args }: SyscallContext): number {
  const [first, last, flags] = args.map((arg) => arg >>> 0) as [number, number, number];
  if (flags & ~(CLOSE_RANGE.UNSHARE | CLOSE_RANGE.CLOEXEC) || first > last) return -EINVAL;
  if (flags & CLOSE_RANGE.UNSHARE) process.files = process.files.unshare();
  const files = filesOf(process);
  for (const fd of files.numbers()) {
    if (fd < first || fd > last) continue;
    const descriptor = files.descriptor(fd);
    if (!(flags & CLOSE_RANGE.CLOEXEC)) files.close(fd);
    else if (descriptor !== undefined) descriptor.closeOnExec = true;
  }
  return 0;
}

function nofile({ process }: SyscallContext): Limit {
  return process.limits[RLIMIT.NOFILE] as Limit;
}

/** The lowest free number from `from` on, for a file that has one already. */
export function duplicate(context: SyscallContext, file: OpenFile, closeOnExec: boolean, from: number): number {
  const fd = filesOf(context.process).add(file, closeOnExec, nofile(context), from);
  if (fd >= 0) file.retain();
  return fd;
}

function dup(context: SyscallContext): number {
  const file = anyFileAt(context);
  return file === undefined ? -EBADF : duplicate(context, file, false, 0);
}

function dupTo(context: SyscallContext, closeOnExec: boolean): number {
  const file = anyFileAt(context);
  const to = (context.args[1] as number) >>> 0;
  if (to >= nofile(context).soft || file === undefined) return -EBADF;
  filesOf(context.process).replace(to, file.retain(), closeOnExec);
  return to;
}

function dup2(context: SyscallContext): number {
  const [from, to] = context.args.map((arg) => arg | 0) as [number, number];
  if (from !== to) return dupTo(context, false);
  return anyFileAt(context) === undefined ? -EBADF : to;
}

function dup3(context: SyscallContext): number {
  const [from, to, flags] = context.args.map((arg) => arg | 0) as [number, number, number];
  if (flags & ~O.CLOEXEC || from === to) return -EINVAL;
  return dupTo(context, (flags & O.CLOEXEC) !== 0);
}

export const descriptorSyscalls: readonly SyscallRow[] = [
  { nr: 3, name: 'close', run: close },
  { nr: 32, name: 'dup', run: dup },
  { nr: 33, name: 'dup2', run: dup2 },
  { nr: 292, name: 'dup3', run: dup3 },
  { nr: 436, name: 'close_range', run: closeRange },
];
