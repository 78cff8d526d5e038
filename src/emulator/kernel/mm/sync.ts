/** msync(2), mincore(2) (mm/msync.c, mm/mincore.c). */
import type { AddressSpace } from '../../memory/address-space.js';
import { pageOfObject } from '../../memory/pager.js';
import { VMA } from '../../memory/vma.js';
import { EBUSY, EFAULT, EINVAL, ENOMEM } from '../errno.js';
import type { SyscallContext, SyscallRow } from '../syscall-table.js';
import { isAligned, isUserRange, PAGE, pageAlign, spaceOf, unsigned } from './space.js';

const MS = { ASYNC: 1, INVALIDATE: 2, SYNC: 4 } as const;

/** MS_ASYNC writes at once too: nobody would come to do it later. */
function msync(context: SyscallContext): number {
  const { vmas, mappings } = spaceOf(context);
  const [start, length] = context.args.map(unsigned) as [number, number];
  const flags = context.args[2] as number;
  if (flags & ~(MS.ASYNC | MS.INVALIDATE | MS.SYNC) || !isAligned(start)) return -EINVAL;
  if (flags & MS.ASYNC && flags & MS.SYNC) return -EINVAL;
  const size = pageAlign(length);
  if (start + size >= 2 ** 64) return -ENOMEM;
  const end = start + size;
  if (flags & MS.INVALIDATE && vmas.meeting(start, end).some((vma) => vma.flags & VMA.LOCKED)) return -EBUSY;
  const failed = mappings.sync(start, end);
  if (failed < 0) return failed;
  return vmas.covers(start, end) ? 0 : -ENOMEM;
}

/** One byte for each page, bit 0: it is in memory. */
function mincore(context: SyscallContext): number {
  const space = spaceOf(context);
  const [start, length, vector] = context.args.map(unsigned) as [number, number, number];
  if (!isAligned(start)) return -EINVAL;
  if (!isUserRange(start, length)) return -ENOMEM;
  const end = start + pageAlign(length);
  for (let from = start; from < end; from += PAGE * CHUNK) {
    const to = Math.min(end, from + PAGE * CHUNK);
    if (!space.vmas.covers(from, to)) return -ENOMEM;
    const bytes = Uint8Array.from({ length: (to - from) / PAGE }, (_, i) =>
      isResident(space, from / PAGE + i) ? 1 : 0,
    );
    if (!context.memory.writeBytes(vector + (from - start) / PAGE, bytes)) return -EFAULT;
  }
  return 0;
}

/** Pages that are answered at once. */
const CHUNK = 4096;

function isResident({ pager, vmas }: AddressSpace, page: number): boolean {
  if (pager.table.get(page) !== 0) return true;
  const vma = vmas.find(page * PAGE);
  return vma?.pages !== undefined && vma.pages.cached(pageOfObject(vma, page)) !== 0;
}

export const syncSyscalls: readonly SyscallRow[] = [
  { nr: 26, name: 'msync', run: msync },
  { nr: 27, name: 'mincore', run: mincore },
];
