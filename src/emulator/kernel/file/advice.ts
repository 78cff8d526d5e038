/** Calls about files that advise, and file handles (mm/fadvise.c, mm/readahead.c, fs/fhandle.c). */
import { EBADF, EINVAL, EOPNOTSUPP, ESPIPE } from '../errno.js';
import type { SyscallContext, SyscallRow } from '../syscall-table.js';
import { fileAt } from './descriptors.js';
import { PipeEnd } from './pipe.js';

const ADVICE_MAX = 5;

/** Nothing is cached here that advice could help with. */
function fadvise(context: SyscallContext): number {
  const [, , length, advice] = context.args as [number, number, number, number];
  const file = fileAt(context);
  if (file === undefined) return -EBADF;
  if (file instanceof PipeEnd) return -ESPIPE;
  return length < 0 || advice < 0 || advice > ADVICE_MAX ? -EINVAL : 0;
}

function readahead(context: SyscallContext): number {
  const file = fileAt(context);
  if (file === undefined || !file.readable) return -EBADF;
  return file.isRegular ? 0 : -EINVAL;
}

export const adviceSyscalls: readonly SyscallRow[] = [
  { nr: 187, name: 'readahead', run: readahead },
  { nr: 221, name: 'fadvise64', run: fadvise },
  // File handles of the host cannot be had by Node.
  { nr: 303, name: 'name_to_handle_at', run: () => -EOPNOTSUPP },
];
