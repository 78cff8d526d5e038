/** What the rows about memory share: the process's address space, and the limits on it. */
import { TASK_SIZE } from '../../../types.js';
import { AddressSpace } from '../../memory/address-space.js';
import { isPrivate, PROT, VMA, type Vma } from '../../memory/vma.js';
import type { Process } from '../../process.js';
import { RLIMIT } from '../limits.js';
import type { SyscallContext } from '../syscall-table.js';

export const PAGE = 4096;
/** vm.max_map_count. */
export const MAX_MAP_COUNT = 65_530;

/** Every process that runs guest code has such a space. */
export function spaceOf({ process }: Pick<SyscallContext, 'process'>): AddressSpace {
  if (!(process.space instanceof AddressSpace)) throw new Error(`process ${process.pid} has no address space`);
  return process.space;
}

/** A register as the unsigned number that the kernel takes it for. */
export function unsigned(value: number): number {
  return value < 0 ? value + 2 ** 64 : value;
}

export function isAligned(at: number): boolean {
  return at % PAGE === 0;
}

/** PAGE_ALIGN; 0 when it overflows. */
export function pageAlign(length: number): number {
  const aligned = Math.ceil(length / PAGE) * PAGE;
  return aligned >= 2 ** 64 ? 0 : aligned;
}

/** [from, from + length) lies in what a process can have. */
export function isUserRange(from: number, length: number): boolean {
  return from <= TASK_SIZE && length <= TASK_SIZE - from;
}

/** Counts against RLIMIT_DATA (is_data_mapping). */
function isData(prot: number, flags: number): boolean {
  return (prot & PROT.WRITE) !== 0 && (flags & (VMA.SHARED | VMA.GROWSDOWN)) === 0;
}

export function limitOf({ limits }: Process, resource: number): number {
  return limits[resource]?.soft ?? Number.POSITIVE_INFINITY;
}

/** Whether the limits allow so many bytes more, of such a mapping (may_expand_vm). */
export function mayExpand(context: SyscallContext, bytes: number, prot: number, flags: number): boolean {
  const space = spaceOf(context);
  const total = limitOf(context.process, RLIMIT.AS);
  if (Number.isFinite(total) && space.mappedBytes + bytes > total) return false;
  const data = limitOf(context.process, RLIMIT.DATA);
  if (!isData(prot, flags) || !Number.isFinite(data)) return true;
  return bytesOf(space, (vma) => isData(vma.prot, vma.flags)) + bytes <= data;
}

/** Whether so much private or shared memory can be promised at once: no more than the machine has (overcommit_memory 0). */
export function canPromise({ machine }: SyscallContext, bytes: number, prot: number, flags: number): boolean {
  const isPromise = (flags & VMA.NORESERVE) === 0 && ((flags & VMA.SHARED) !== 0 || (prot & PROT.WRITE) !== 0);
  return !isPromise || bytes <= machine.config.maxMemory;
}

export function bytesOf({ vmas }: AddressSpace, counts: (vma: Vma) => boolean): number {
  return vmas.all().reduce((sum, vma) => sum + (counts(vma) ? vma.end - vma.start : 0), 0);
}

/** Whether the mapping is private memory that no file stands behind. */
export function isAnonymous(vma: Vma): boolean {
  return isPrivate(vma) && vma.pages === undefined;
}
