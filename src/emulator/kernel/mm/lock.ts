/** mlock(2) and its kin (mm/mlock.c). Nothing here is ever swapped out: locking counts, and brings pages in. */
import { VMA } from '../../memory/vma.js';
import { EAGAIN, EINVAL, ENOMEM, EPERM } from '../errno.js';
import { CAP, capable } from '../identity-checks.js';
import { RLIMIT } from '../limits.js';
import type { SyscallContext, SyscallRow } from '../syscall-table.js';
import { bytesOf, limitOf, PAGE, pageAlign, spaceOf, unsigned } from './space.js';

const MLOCK_ONFAULT = 1;
const MCL = { CURRENT: 1, FUTURE: 2, ONFAULT: 4 } as const;

/** RLIMIT_MEMLOCK allows so many bytes more to be locked. */
export function mayLock(context: SyscallContext, bytes: number): boolean {
  if (capable(context.process, CAP.IPC_LOCK)) return true;
  const locked = bytesOf(spaceOf(context), ({ flags }) => (flags & VMA.LOCKED) !== 0);
  return locked + bytes <= limitOf(context.process, RLIMIT.MEMLOCK);
}

function mayLockAnything({ process }: SyscallContext): boolean {
  return capable(process, CAP.IPC_LOCK) || limitOf(process, RLIMIT.MEMLOCK) > 0;
}

/** Of mmap with MAP_LOCKED: 0 or -errno. */
export function lockRefusal(context: SyscallContext, bytes: number): number {
  if (!mayLockAnything(context)) return -EPERM;
  return mayLock(context, bytes) ? 0 : -EAGAIN;
}

function lock(context: SyscallContext, onFault: boolean): number {
  const { vmas, mappings } = spaceOf(context);
  const range = rangeOf(context);
  if (!mayLockAnything(context)) return -EPERM;
  if (range === undefined) return -EINVAL;
  const { from, to } = range;
  const already = vmas.meeting(from, to).reduce((sum, vma) => {
    return sum + (vma.flags & VMA.LOCKED ? Math.min(to, vma.end) - Math.max(from, vma.start) : 0);
  }, 0);
  if (!mayLock(context, to - from - already)) return -ENOMEM;
  if (from === to) return 0;
  // What comes before a gap is locked all the same.
  const end = vmas.coveredTo(from, to);
  mappings.setFlags(from, end, VMA.LOCKED, 0);
  if (end < to) return -ENOMEM;
  return onFault || mappings.populate(from, to) > 0 ? 0 : -ENOMEM;
}

function mlock2(context: SyscallContext): number {
  const flags = context.args[2] as number;
  return flags & ~MLOCK_ONFAULT ? -EINVAL : lock(context, flags === MLOCK_ONFAULT);
}

function munlock(context: SyscallContext): number {
  const { vmas, mappings } = spaceOf(context);
  const range = rangeOf(context);
  if (range === undefined) return -EINVAL;
  const { from, to } = range;
  const end = vmas.coveredTo(from, to);
  mappings.setFlags(from, end, 0, VMA.LOCKED);
  return end < to ? -ENOMEM : 0;
}

/** The pages that [start, start + length) touches; undefined when their end overflows, none when already their number does. */
function rangeOf({ args }: SyscallContext): { from: number; to: number } | undefined {
  const [start, length] = args.map(unsigned) as [number, number];
  const from = Math.floor(start / PAGE) * PAGE;
  const bytes = length + (start - from);
  const size = pageAlign(bytes > 2 ** 64 - PAGE ? Math.max(0, bytes - 2 ** 64) : bytes);
  return from + size >= 2 ** 64 ? undefined : { from, to: from + size };
}

function mlockall(context: SyscallContext): number {
  const { mappings, mappedBytes } = spaceOf(context);
  const flags = context.args[0] as number;
  if (flags === 0 || flags & ~(MCL.CURRENT | MCL.FUTURE | MCL.ONFAULT) || flags === MCL.ONFAULT) return -EINVAL;
  if (!mayLockAnything(context)) return -EPERM;
  const isCurrent = (flags & MCL.CURRENT) !== 0;
  const isFree = capable(context.process, CAP.IPC_LOCK);
  if (isCurrent && !isFree && mappedBytes > limitOf(context.process, RLIMIT.MEMLOCK)) return -ENOMEM;
  mappings.futureFlags = flags & MCL.FUTURE ? VMA.LOCKED : 0;
  if (isCurrent) mappings.setFlags(0, EVERYTHING, VMA.LOCKED, 0);
  if (isCurrent && !(flags & MCL.ONFAULT)) {
    for (const { start, end, prot } of [...spaceOf(context).vmas.all()]) if (prot !== 0) mappings.populate(start, end);
  }
  return 0;
}

const EVERYTHING = 2 ** 48;

function munlockall(context: SyscallContext): number {
  const { mappings } = spaceOf(context);
  mappings.futureFlags = 0;
  mappings.setFlags(0, EVERYTHING, 0, VMA.LOCKED);
  return 0;
}

export const lockSyscalls: readonly SyscallRow[] = [
  { nr: 149, name: 'mlock', run: (context) => lock(context, false) },
  { nr: 150, name: 'munlock', run: munlock },
  { nr: 151, name: 'mlockall', run: mlockall },
  { nr: 152, name: 'munlockall', run: munlockall },
  { nr: 325, name: 'mlock2', run: mlock2 },
];
