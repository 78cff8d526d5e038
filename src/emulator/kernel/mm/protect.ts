/** mprotect(2) (mm/mprotect.c), and the protection keys that this processor does not have. */
import { PROT, VMA } from '../../memory/vma.js';
import { EACCES, EINVAL, ENOMEM, ENOSPC } from '../errno.js';
import type { SyscallContext, SyscallRow } from '../syscall-table.js';
import { isAligned, isUserRange, pageAlign, spaceOf, unsigned } from './space.js';

const ANY = PROT.READ | PROT.WRITE | PROT.EXEC;
const SEM = 8;
const GROWSDOWN = 0x100_0000;
const GROWSUP = 0x200_0000;

function mprotect(context: SyscallContext): number {
  const { vmas, mappings } = spaceOf(context);
  const [start, length] = context.args.map(unsigned) as [number, number];
  const wanted = context.args[2] as number;
  const grows = wanted & (GROWSDOWN | GROWSUP);
  const prot = wanted & ~grows;
  if (grows === (GROWSDOWN | GROWSUP) || !isAligned(start)) return -EINVAL;
  if (length === 0) return 0;
  const size = pageAlign(length);
  if (size === 0 || !isUserRange(start, size)) return -ENOMEM;
  if (prot & ~(ANY | SEM)) return -EINVAL;
  const end = start + size;
  let from = start;
  if (grows !== 0) {
    const vma = vmas.next(start);
    if (vma === undefined || vma.start >= end) return -ENOMEM;
    if (grows === GROWSUP || !(vma.flags & VMA.GROWSDOWN)) return -EINVAL;
    from = vma.start;
  }
  // Mapping by mapping: what comes before one that refuses is changed.
  while (from < end) {
    const vma = vmas.find(from);
    if (vma === undefined) return -ENOMEM;
    if (prot & ANY & ~vma.maxProt) return -EACCES;
    const to = Math.min(end, vma.end);
    mappings.protect(from, to, prot & ANY);
    from = to;
  }
  return 0;
}

/** Only key -1, which is none, can be used. */
function pkeyMprotect(context: SyscallContext): number {
  return ((context.args[3] as number) | 0) === -1 ? mprotect(context) : -EINVAL;
}

const PKEY_RIGHTS = 3;

function pkeyAlloc({ args }: SyscallContext): number {
  const [flags, rights] = args as [number, number];
  return flags !== 0 || rights & ~PKEY_RIGHTS ? -EINVAL : -ENOSPC;
}

export const protectSyscalls: readonly SyscallRow[] = [
  { nr: 10, name: 'mprotect', run: mprotect },
  { nr: 329, name: 'pkey_mprotect', run: pkeyMprotect },
  { nr: 330, name: 'pkey_alloc', run: pkeyAlloc },
  { nr: 331, name: 'pkey_free', run: () => -EINVAL },
];
