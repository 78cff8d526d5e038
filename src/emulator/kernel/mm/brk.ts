/** brk(2) (mm/mmap.c): the heap behind the program. */
import { PROT } from '../../memory/vma.js';
import { RLIMIT } from '../limits.js';
import type { SyscallContext, SyscallRow } from '../syscall-table.js';
import { canPromise, isUserRange, limitOf, mayExpand, PAGE, pageAlign, spaceOf, unsigned } from './space.js';

const HEAP_PROT = PROT.READ | PROT.WRITE;

/** The new end of the heap; the old one when that cannot be. */
function brk(context: SyscallContext): number {
  const { marks, mappings, placement } = spaceOf(context);
  const wanted = unsigned(context.args[0] as number);
  const { brk: before, startBrk } = marks;
  if (wanted < startBrk || !isUserRange(wanted, PAGE) || exceedsData(context, wanted)) return before;
  const [from, to] = [pageAlign(before), pageAlign(wanted)];
  if (to < from) mappings.unmap(to, from);
  if (to > from) {
    // A page stays free between the heap and what comes behind it.
    if (!placement.isFree(from, to - from + PAGE)) return before;
    if (!mayExpand(context, to - from, HEAP_PROT, 0) || !canPromise(context, to - from, HEAP_PROT, 0)) return before;
    mappings.map({ at: from, length: to - from, prot: HEAP_PROT, name: '[heap]' });
    if (mappings.futureFlags !== 0) mappings.populate(from, to);
  }
  marks.brk = wanted;
  return wanted;
}

/** RLIMIT_DATA bounds the program's data and the heap together (check_data_rlimit). */
function exceedsData(context: SyscallContext, wanted: number): boolean {
  const { marks } = spaceOf(context);
  const [start, end] = marks.data;
  return wanted - marks.startBrk + (end - start) > limitOf(context.process, RLIMIT.DATA);
}

export const brkSyscalls: readonly SyscallRow[] = [{ nr: 12, name: 'brk', run: brk }];
