/** vmsplice(2): between a pipe and memory (fs/splice.c). The bytes are copied, as the kernel may do. */
import { EBADF, EINVAL } from '../errno.js';
import type { SyscallRow } from '../syscall-table.js';
import type { Blocked } from '../wait.js';
import { fileAt } from './descriptors.js';
import type { OpenFile } from './open-file.js';
import { PipeEnd } from './pipe.js';
import { here, PLAIN, readRow, vector, writeRow } from './transfer.js';

const SPLICE_F_NONBLOCK = 2;
const KNOWN = 15;
const NR = 278;
const NAME = 'vmsplice';

const form = {
  buffer: vector,
  position: here,
  mode: ({ args }: { readonly args: readonly number[] }) => {
    return { ...PLAIN, noWait: ((args[3] as number) & SPLICE_F_NONBLOCK) !== 0 };
  },
};
const intoPipe = writeRow(NR, NAME, form);
const outOfPipe = readRow(NR, NAME, form);

/** The pipe's end says which way the bytes go. */
function rowFor({ writable }: OpenFile): SyscallRow {
  return writable ? intoPipe : outOfPipe;
}

function sleepingFile({ progress }: Blocked): OpenFile {
  return (progress as { readonly file: OpenFile }).file;
}

export const vmspliceSyscalls: readonly SyscallRow[] = [
  {
    nr: NR,
    name: NAME,
    run(context) {
      if ((context.args[3] as number) & ~KNOWN) return -EINVAL;
      const file = fileAt(context);
      return file instanceof PipeEnd ? rowFor(file).run(context) : -EBADF;
    },
    resume: (context, blocked) => rowFor(sleepingFile(blocked)).resume?.(context, blocked) ?? -EBADF,
    interrupt: (context, blocked) => rowFor(sleepingFile(blocked)).interrupt?.(context, blocked) ?? -EBADF,
    abandon: (context, blocked) => rowFor(sleepingFile(blocked)).abandon?.(context, blocked),
  },
];
