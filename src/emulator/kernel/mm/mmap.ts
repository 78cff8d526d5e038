/** mmap(2), munmap(2) (mm/mmap.c). */
import type { AddressSpace } from '../../memory/address-space.js';
import type { FilePages } from '../../memory/page-cache.js';
import { BOTTOM_UP_LOW, LOW_2G, LOWEST } from '../../memory/placement.js';
import { PROT, VMA } from '../../memory/vma.js';
import type { Process } from '../../process.js';
import { EACCES, EBADF, EEXIST, EINVAL, ENODEV, ENOMEM, EOPNOTSUPP, EOVERFLOW, EPERM } from '../errno.js';
import { fileAt } from '../file/descriptors.js';
import type { OpenFile } from '../file/open-file.js';
import { capable } from '../identity-checks.js';
import type { SyscallContext, SyscallRow } from '../syscall-table.js';
import { lockRefusal } from './lock.js';
import {
  canPromise,
  isAligned,
  isUserRange,
  MAX_MAP_COUNT,
  mayExpand,
  PAGE,
  pageAlign,
  spaceOf,
  unsigned,
} from './space.js';

/** Flags of mmap (asm-generic/mman-common.h, asm/mman.h). */
export const MAP = {
  SHARED: 1, PRIVATE: 2, SHARED_VALIDATE: 3, TYPE: 15, FIXED: 0x10, ANONYMOUS: 0x20, LOW_2G: 0x40, GROWSDOWN: 0x100, DENYWRITE: 0x800, EXECUTABLE: 0x1000, LOCKED: 0x2000,
  NORESERVE: 0x4000, POPULATE: 0x8000, NONBLOCK: 0x1_0000, STACK: 0x2_0000, HUGETLB: 0x4_0000, FIXED_NOREPLACE: 0x10_0000,
} as const; // biome-ignore format: a table

/** Those that MAP_SHARED_VALIDATE knows (LEGACY_MAP_MASK). */
const KNOWN =
  MAP.SHARED | MAP.PRIVATE | MAP.FIXED | MAP.ANONYMOUS | MAP.LOW_2G | MAP.GROWSDOWN | MAP.DENYWRITE | MAP.EXECUTABLE | MAP.LOCKED | MAP.NORESERVE | MAP.POPULATE | MAP.NONBLOCK |
  MAP.STACK | MAP.HUGETLB; // biome-ignore format: a list
const ANY = PROT.READ | PROT.WRITE | PROT.EXEC;
/** personality(2): what may be read may be executed. */
const READ_IMPLIES_EXEC = 0x40_0000;
const CAP_SYS_RAWIO = 17;

interface Request {
  readonly hint: number;
  readonly length: number;
  readonly prot: number;
  readonly flags: number;
  readonly offset: number;
  /** undefined: anonymous. */
  readonly file: OpenFile | undefined;
}

function mmap(context: SyscallContext): number {
  const [hint, length, prot, flags, , offset] = context.args as [number, number, number, number, number, number];
  if (!isAligned(offset)) return -EINVAL;
  const isAnonymousMap = (flags & MAP.ANONYMOUS) !== 0;
  const file = isAnonymousMap ? undefined : fileAt(context, 4);
  if (!isAnonymousMap && file === undefined) return -EBADF;
  // No huge pages are reserved on this machine.
  if (flags & MAP.HUGETLB) return isAnonymousMap ? -ENOMEM : -EINVAL;
  return mapRequest(context, {
    hint: unsigned(hint),
    length: unsigned(length),
    prot: protOf(context.process, prot),
    flags,
    offset: unsigned(offset),
    file,
  });
}

function protOf({ personality }: Process, prot: number): number {
  const implied = personality & READ_IMPLIES_EXEC && prot & PROT.READ ? PROT.EXEC : 0;
  return (prot & ANY) | implied;
}

function mapRequest(context: SyscallContext, request: Request): number {
  const space = spaceOf(context);
  const { flags, prot, file } = request;
  if (request.length === 0) return -EINVAL;
  const length = pageAlign(request.length);
  if (length === 0) return -ENOMEM;
  if (request.offset + length >= 2 ** 64) return -EOVERFLOW;
  if (space.vmas.count > MAX_MAP_COUNT) return -ENOMEM;
  const at = placeFor(space, context.process, { ...request, length });
  if (at < 0) return at;
  const isLocked =
    ((flags & MAP.LOCKED) !== 0 || (space.mappings.futureFlags & VMA.LOCKED) !== 0) && prot !== PROT.NONE;
  const unlockable = isLocked ? lockRefusal(context, length) : 0;
  if (unlockable < 0) return unlockable;
  const refused = file === undefined ? anonymousRefusal(request) : fileRefusal(request, file);
  if (refused < 0) return refused;
  const vmaFlags = vmaFlagsOf(flags);
  if (!mayExpand(context, length, prot, vmaFlags)) return -ENOMEM;
  if (file === undefined && !canPromise(context, length, prot, vmaFlags)) return -ENOMEM;
  if (space.hasXol(at, at + length)) return -ENOMEM;
  const pages = pagesOf(space, request, length);
  if (pages === 'none') return -ENODEV;
  space.mappings.map({
    at,
    length,
    prot,
    maxProt: maxProtOf(request),
    flags: vmaFlags,
    pages,
    offset: file ? request.offset : 0,
  });
  const isWanted = (flags & MAP.POPULATE) !== 0 && (flags & MAP.NONBLOCK) === 0;
  if (isLocked || isWanted) space.mappings.populate(at, at + length);
  return at;
}

function vmaFlagsOf(flags: number): number {
  return (
    (isSharedType(flags) ? VMA.SHARED : 0) |
    (flags & MAP.GROWSDOWN ? VMA.GROWSDOWN : 0) |
    (flags & MAP.NORESERVE ? VMA.NORESERVE : 0) |
    (flags & MAP.LOCKED ? VMA.LOCKED : 0) |
    (flags & MAP.STACK ? VMA.STACK : 0)
  );
}

/** Where it goes, or -errno (get_unmapped_area). */
function placeFor(space: AddressSpace, process: Process, { hint, length, flags }: Request): number {
  if (flags & (MAP.FIXED | MAP.FIXED_NOREPLACE)) {
    if (!isUserRange(hint, length)) return -ENOMEM;
    if (!isAligned(hint)) return -EINVAL;
    if (hint < LOWEST && !capable(process, CAP_SYS_RAWIO)) return -EPERM;
    const isTaken = flags & MAP.FIXED_NOREPLACE && space.vmas.meeting(hint, hint + length).length > 0;
    return isTaken ? -EEXIST : hint;
  }
  return findPlace(space, hint, length, (flags & MAP.LOW_2G) !== 0) ?? -ENOMEM;
}

/** A free place: at the hint if that is free, else the highest one below mmap_base. */
export function findPlace({ placement }: AddressSpace, hint: number, length: number, low = false): number | undefined {
  if (!isUserRange(0, length)) return undefined;
  const wanted = hint > 0 ? Math.max(LOWEST, Math.floor(hint / PAGE) * PAGE) : 0;
  const limit = low ? LOW_2G.high : Number.POSITIVE_INFINITY;
  if (wanted > 0 && isUserRange(wanted, length) && wanted + length <= limit && placement.isFree(wanted, length))
    return wanted;
  if (low) return placement.lowest(length, LOW_2G.low, LOW_2G.high);
  return (
    placement.highest(length, LOWEST, placement.mmapBase) ?? placement.lowest(length, BOTTOM_UP_LOW, placement.mmapBase)
  );
}

function anonymousRefusal({ flags }: Request): number {
  const type = flags & MAP.TYPE;
  if (type !== MAP.SHARED && type !== MAP.PRIVATE) return -EINVAL;
  return type === MAP.SHARED && flags & MAP.GROWSDOWN ? -EINVAL : 0;
}

function fileRefusal({ flags, prot }: Request, file: OpenFile): number {
  const type = flags & MAP.TYPE;
  if (type !== MAP.SHARED && type !== MAP.PRIVATE && type !== MAP.SHARED_VALIDATE) return -EINVAL;
  if (type === MAP.SHARED_VALIDATE && flags & ~(KNOWN | MAP.FIXED_NOREPLACE)) return -EOPNOTSUPP;
  if (type !== MAP.PRIVATE && prot & PROT.WRITE && !file.writable) return -EACCES;
  if (!file.readable) return -EACCES;
  if (file.backing() === undefined && !file.mapsZeros) return -ENODEV;
  return flags & MAP.GROWSDOWN ? -EINVAL : 0;
}

function isSharedType(flags: number): boolean {
  return (flags & MAP.TYPE) !== MAP.PRIVATE;
}

function maxProtOf({ flags, file }: Request): number {
  return file !== undefined && isSharedType(flags) && !file.writable ? ANY & ~PROT.WRITE : ANY;
}

function pagesOf({ cache }: AddressSpace, { file, flags }: Request, length: number): FilePages | undefined | 'none' {
  if (file === undefined || file.mapsZeros) return isSharedType(flags) ? cache.shared(length) : undefined;
  const backing = file.backing();
  if (backing === undefined) return 'none';
  backing.retain();
  const pages = cache.open(backing);
  if (isSharedType(flags) && file.writable) {
    backing.retain();
    pages.offerWriter(backing);
  }
  return pages;
}

function munmap(context: SyscallContext): number {
  const space = spaceOf(context);
  const [from, length] = context.args.map(unsigned) as [number, number];
  if (!isAligned(from) || !isUserRange(from, length)) return -EINVAL;
  const to = from + pageAlign(length);
  if (to === from) return -EINVAL;
  if (splits(space, from, to) && space.vmas.count >= MAX_MAP_COUNT) return -ENOMEM;
  space.mappings.unmap(from, to);
  return 0;
}

/** Taking [from, to) out leaves two mappings of one. */
function splits({ vmas }: AddressSpace, from: number, to: number): boolean {
  const vma = vmas.find(from);
  return vma !== undefined && vma.start < from && vma.end > to;
}

export const mmapSyscalls: readonly SyscallRow[] = [
  { nr: 9, name: 'mmap', run: mmap },
  { nr: 11, name: 'munmap', run: munmap },
];
