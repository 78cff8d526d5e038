/** mremap(2) (mm/mremap.c). */
import type { AddressSpace } from '../../memory/address-space.js';
import { isPrivate, VMA, type Vma } from '../../memory/vma.js';
import { EAGAIN, EFAULT, EINVAL, ENOMEM } from '../errno.js';
import type { SyscallContext, SyscallRow } from '../syscall-table.js';
import { mayLock } from './lock.js';
import { findPlace } from './mmap.js';
import { canPromise, isAligned, isUserRange, MAX_MAP_COUNT, mayExpand, pageAlign, spaceOf, unsigned } from './space.js';

const MREMAP = { MAYMOVE: 1, FIXED: 2, DONTUNMAP: 4 } as const;

interface Request {
  readonly from: number;
  readonly oldLength: number;
  readonly newLength: number;
  readonly flags: number;
  readonly to: number;
}

function mremap(context: SyscallContext): number {
  const [from, oldLength, newLength, , to] = context.args.map(unsigned) as [number, number, number, number, number];
  const flags = context.args[3] as number;
  const request = { from, oldLength: pageAlign(oldLength), newLength: pageAlign(newLength), flags, to };
  if (flags & ~7 || !isAligned(from)) return -EINVAL;
  if (flags & (MREMAP.FIXED | MREMAP.DONTUNMAP) && !(flags & MREMAP.MAYMOVE)) return -EINVAL;
  if (flags & MREMAP.DONTUNMAP && request.oldLength !== request.newLength) return -EINVAL;
  if (request.newLength === 0) return -EINVAL;
  const goesTo = (flags & (MREMAP.FIXED | MREMAP.DONTUNMAP)) !== 0;
  if (goesTo && !isPlace(request)) return -EINVAL;
  const vma = spaceOf(context).vmas.find(from);
  if (vma === undefined) return -EFAULT;
  if (goesTo) return moveTo(context, vma, request);
  return request.oldLength >= request.newLength && request.oldLength > 0
    ? shrink(context, request)
    : grow(context, vma, request);
}

/** Where it goes is a range of pages apart from where it comes from. */
function isPlace({ from, oldLength, newLength, to }: Request): boolean {
  return isAligned(to) && isUserRange(to, newLength) && (from + oldLength <= to || to + newLength <= from);
}

function shrink(context: SyscallContext, { from, oldLength, newLength }: Request): number {
  if (!isUserRange(from, oldLength)) return -EINVAL;
  if (oldLength > newLength) spaceOf(context).mappings.unmap(from + newLength, from + oldLength);
  return from;
}

function grow(context: SyscallContext, vma: Vma, request: Request): number {
  const refused = resizeRefusal(context, vma, request);
  if (refused < 0) return refused;
  const space = spaceOf(context);
  const { from, oldLength, newLength, flags } = request;
  const more = newLength - oldLength;
  const isAtEnd = oldLength > 0 && from + oldLength === vma.end;
  if (isAtEnd && isUserRange(vma.end, more) && space.placement.isFree(vma.end, more)) {
    space.mappings.extend(vma, vma.end + more);
    populateLocked(space, vma, from + oldLength, from + newLength);
    return from;
  }
  if (!(flags & MREMAP.MAYMOVE)) return -ENOMEM;
  const to = findPlace(space, 0, newLength);
  return to === undefined ? -ENOMEM : move(space, vma, request, to);
}

/** MREMAP_FIXED, or MREMAP_DONTUNMAP with the address as a hint. */
function moveTo(context: SyscallContext, vma: Vma, request: Request): number {
  const space = spaceOf(context);
  const { from, newLength, flags, to } = request;
  const isFixed = (flags & MREMAP.FIXED) !== 0;
  if (space.vmas.count + 2 >= MAX_MAP_COUNT - 3) return -ENOMEM;
  if (isFixed && space.hasXol(to, to + newLength)) return -ENOMEM;
  const cut = { ...request, oldLength: Math.min(request.oldLength, newLength) };
  const refused = resizeRefusal(context, vma, cut);
  if (refused < 0) return refused;
  if (flags & MREMAP.DONTUNMAP && !mayExpand(context, newLength, vma.prot, vma.flags)) return -ENOMEM;
  if (isFixed) space.mappings.unmap(to, to + newLength);
  if (request.oldLength > newLength) space.mappings.unmap(from + newLength, from + request.oldLength);
  const place = isFixed ? to : findPlace(space, to, newLength);
  return place === undefined ? -ENOMEM : move(space, vma, cut, place);
}

/** vma_to_resize: 0 or -errno. */
function resizeRefusal(context: SyscallContext, vma: Vma, { from, oldLength, newLength }: Request): number {
  if (oldLength === 0 && isPrivate(vma)) return -EINVAL;
  if (oldLength > vma.end - from) return -EFAULT;
  if (oldLength === newLength) return 0;
  const more = newLength - oldLength;
  if (vma.flags & VMA.LOCKED && !mayLock(context, more)) return -EAGAIN;
  if (!mayExpand(context, more, vma.prot, vma.flags)) return -ENOMEM;
  return vma.pages === undefined && !canPromise(context, more, vma.prot, vma.flags) ? -ENOMEM : 0;
}

function move(space: AddressSpace, vma: Vma, { from, oldLength, newLength, flags }: Request, to: number): number {
  if (oldLength === 0) space.mappings.duplicate(vma, from, to, newLength);
  else space.mappings.move(from, oldLength, to, newLength, (flags & MREMAP.DONTUNMAP) !== 0);
  populateLocked(space, vma, to + oldLength, to + newLength);
  return to;
}

function populateLocked({ mappings }: AddressSpace, { flags }: Vma, from: number, to: number): void {
  if (flags & VMA.LOCKED) mappings.populate(from, to);
}

export const remapSyscalls: readonly SyscallRow[] = [{ nr: 25, name: 'mremap', run: mremap }];
