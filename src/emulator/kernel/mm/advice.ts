/** madvise(2) (mm/madvise.c): one row for each piece of advice. */
import type { AddressSpace } from '../../memory/address-space.js';
import { pageFault, pageOfObject } from '../../memory/pager.js';
import { isPrivate, PROT, VMA, type Vma } from '../../memory/vma.js';
import { ACCESS } from '../../stop.js';
import { EACCES, EFAULT, EINVAL, ENOMEM, EPERM } from '../errno.js';
import type { SyscallContext, SyscallRow } from '../syscall-table.js';
import { isAligned, isAnonymous, PAGE, pageAlign, spaceOf, unsigned } from './space.js';

/** Takes the advice for the part [from, to) of one mapping: 0 or -errno. */
type Advice = (space: AddressSpace, vma: Vma, from: number, to: number) => number;

const nothing: Advice = () => 0;

function setFlags(set: number, clear: number): Advice {
  return (space, _vma, from, to) => {
    space.mappings.setFlags(from, to, set, clear);
    return 0;
  };
}

const dontNeed: Advice = (space, { flags }, from, to) => {
  if (flags & VMA.LOCKED) return -EINVAL;
  space.mappings.discard(from, to);
  return 0;
};

/** The kernel may free such pages at any time: at once. */
const free: Advice = (space, vma, from, to) => (isAnonymous(vma) ? dontNeed(space, vma, from, to) : -EINVAL);

const dontNeedLocked: Advice = (space, _vma, from, to) => {
  space.mappings.discard(from, to);
  return 0;
};

/** A hole in the file or the shared memory: zeros. */
const remove: Advice = (_space, vma, from, to) => {
  const { flags, pages, maxProt } = vma;
  if (flags & VMA.LOCKED || pages === undefined) return -EINVAL;
  if (isPrivate(vma) || !(maxProt & PROT.WRITE)) return -EACCES;
  return pages.clear(pageOfObject(vma, from / PAGE), pageOfObject(vma, to / PAGE));
};

const wipeOnFork: Advice = (space, vma, from, to) => {
  return isAnonymous(vma) ? setFlags(VMA.WIPEONFORK, 0)(space, vma, from, to) : -EINVAL;
};

function populate(access: number): Advice {
  return (space, { prot }, from, to) => {
    if (!(prot & (access === ACCESS.WRITE ? PROT.WRITE : PROT.READ))) return -EINVAL;
    for (let page = from / PAGE; page < to / PAGE; page++) {
      const frame = space.pager.pageIn(page, access);
      if (frame <= 0) return pageFault(frame) === 'out-of-memory' ? -ENOMEM : -EFAULT;
    }
    return 0;
  };
}

const ADVICE: ReadonlyMap<number, Advice> = new Map([
  [0, nothing], // NORMAL
  [1, nothing], // RANDOM
  [2, nothing], // SEQUENTIAL
  [3, nothing], // WILLNEED: files are read ahead anyway
  [4, dontNeed],
  [8, free],
  [9, remove],
  [10, setFlags(VMA.DONTFORK, 0)],
  [11, setFlags(0, VMA.DONTFORK)],
  [12, nothing], // MERGEABLE
  [13, nothing], // UNMERGEABLE
  [14, nothing], // HUGEPAGE
  [15, nothing], // NOHUGEPAGE
  [16, setFlags(VMA.DONTDUMP, 0)],
  [17, setFlags(0, VMA.DONTDUMP)],
  [18, wipeOnFork],
  [19, setFlags(0, VMA.WIPEONFORK)],
  [20, nothing], // COLD
  [21, nothing], // PAGEOUT
  [22, populate(ACCESS.READ)],
  [23, populate(ACCESS.WRITE)],
  [24, dontNeedLocked],
]);
/** HWPOISON, SOFT_OFFLINE: for whoever may break the machine. */
const POISON = [100, 101];
/** These stop at the first byte that is not mapped; others go on behind it. */
const POPULATE = [22, 23];

function madvise(context: SyscallContext): number {
  const space = spaceOf(context);
  const [start, length] = context.args.map(unsigned) as [number, number];
  const behaviour = context.args[2] as number;
  if (POISON.includes(behaviour)) return -EPERM;
  const advice = ADVICE.get(behaviour);
  if (advice === undefined || !isAligned(start)) return -EINVAL;
  const size = pageAlign(length);
  if ((length > 0 && size === 0) || start + size >= 2 ** 64) return -EINVAL;
  const end = start + size;
  let missing = false;
  for (let from = start; from < end; ) {
    const vma = space.vmas.next(from);
    if (vma === undefined || vma.start > from) missing = true;
    if (vma === undefined || vma.start >= end || (missing && POPULATE.includes(behaviour))) break;
    const begin = Math.max(from, vma.start);
    const to = Math.min(end, vma.end);
    const refused = advice(space, vma, begin, to);
    if (refused < 0) return refused;
    from = to;
  }
  return missing ? -ENOMEM : 0;
}

export const adviceSyscalls: readonly SyscallRow[] = [{ nr: 28, name: 'madvise', run: madvise }];
