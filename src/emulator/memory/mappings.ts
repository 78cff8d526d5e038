/** Changes to the mappings of one address space, and what they do to its pages (mm/mmap.c). Addresses are multiples of a page; checks are the caller's. */
import { ACCESS } from '../stop.js';
import type { FrameUser, MachineMemory } from './machine-memory.js';
import type { FilePages } from './page-cache.js';
import { type Pager, pageOfObject } from './pager.js';
import type { Placement } from './placement.js';
import { isPrivate, PROT, VMA, type Vma, type VmaList } from './vma.js';

const PAGE = 4096;

export interface MapRequest {
  readonly at: number;
  readonly length: number;
  /** PROT bits. */
  readonly prot: number;
  /** What mprotect may give; everything unless said otherwise. */
  readonly maxProt?: number;
  /** VMA bits. */
  readonly flags?: number;
  /** With a user that passes to the mapping. */
  readonly pages?: FilePages | undefined;
  /** Byte of `pages` that the mapping begins with, a multiple of a page. */
  readonly offset?: number;
  readonly name?: string;
}

export interface MappingsParts {
  readonly owner: FrameUser;
  readonly memory: MachineMemory;
  readonly vmas: VmaList;
  readonly pager: Pager;
  readonly placement: Placement;
  /** The breakpoints of the probe engine in [from, to) are gone. */
  forgetBreakpoints(from: number, to: number): void;
}

export class Mappings {
  /** madvise and mlockall(MCL_FUTURE): VMA bits that every new mapping gets. */
  futureFlags = 0;

  constructor(private readonly parts: MappingsParts) {}

  /** Maps, in place of whatever is there. */
  map(request: MapRequest): void {
    const { vmas, placement, memory, owner } = this.parts;
    const { at, length, prot, maxProt = PROT.READ | PROT.WRITE | PROT.EXEC, flags = 0 } = request;
    const end = at + length;
    this.unmap(at, end);
    placement.fill(at, end);
    const { pages, offset = 0, name = '' } = request;
    const all = accounted(flags | this.futureFlags, prot);
    vmas.insert({ start: at, end, prot, maxProt, flags: all, pages, offset, name });
    memory.observer.mapped(owner, at, end);
  }

  unmap(from: number, to: number): void {
    const { vmas, pager, memory, owner, forgetBreakpoints } = this.parts;
    const gone = vmas.remove(from, to);
    if (gone.length === 0) return;
    forgetBreakpoints(from, to);
    pager.zap(from / PAGE, to / PAGE);
    for (const vma of gone) {
      if (!isPrivate(vma)) this.writeBack(vma, vma.start, vma.end);
      vma.pages?.dropUser();
    }
    memory.observer.unmapped(owner, from, to);
  }

  /** All of [from, to) is mapped and may have this protection. */
  protect(from: number, to: number, prot: number): void {
    const { vmas, pager } = this.parts;
    for (const vma of vmas.isolate(from, to)) {
      if (vma.prot === prot) continue;
      const noCode = (vma.prot & PROT.EXEC) !== 0 && (prot & PROT.EXEC) === 0;
      vma.prot = prot;
      vma.flags = accounted(vma.flags, prot);
      pager.reprotect(vma.start / PAGE, vma.end / PAGE, noCode);
    }
    vmas.join(from, to);
  }

  /** Other flags for what is mapped in [from, to). */
  setFlags(from: number, to: number, set: number, clear: number): void {
    const { vmas } = this.parts;
    for (const vma of vmas.isolate(from, to)) vma.flags = (vma.flags & ~clear) | set;
    vmas.join(from, to);
  }

  /** The pages of [from, to) go: private ones come back as zeros or as the file has them, shared ones as they are (MADV_DONTNEED). */
  discard(from: number, to: number): void {
    for (const vma of this.parts.vmas.meeting(from, to)) {
      this.parts.pager.zap(Math.max(from, vma.start) / PAGE, Math.min(to, vma.end) / PAGE);
    }
  }

  /** Writes back what shared mappings in [from, to) have stored: 0 or -errno. */
  sync(from: number, to: number): number {
    let failed = 0;
    for (const vma of this.parts.vmas.meeting(from, to)) {
      if (isPrivate(vma)) continue;
      const result = this.writeBack(vma, Math.max(from, vma.start), Math.min(to, vma.end));
      if (failed === 0) failed = result;
    }
    return failed;
  }

  /** Makes the mapping that ends at `end` longer, into free space. */
  extend(vma: Vma, end: number): void {
    const { memory, owner, vmas } = this.parts;
    const from = vma.end;
    vma.end = end;
    vmas.join(vma.start, end);
    memory.observer.mapped(owner, from, end);
  }

  /**
   * Moves [from, from + length), which lies in one mapping, to `to`, where nothing is, with another length (mremap). Pages beyond the new length go.
   * `keep`: the old mapping stays, empty (MREMAP_DONTUNMAP).
   */
  move(from: number, length: number, to: number, newLength: number, keep: boolean): void {
    const { vmas, pager, placement, memory, owner, forgetBreakpoints } = this.parts;
    const moved = Math.min(length, newLength);
    const [vma] = vmas.isolate(from, from + length);
    placement.fill(to, to + newLength);
    forgetBreakpoints(from, from + length);
    pager.move(from / PAGE, (from + moved) / PAGE, to / PAGE);
    vma.pages?.addUser();
    vmas.insert({ ...vma, start: to, end: to + newLength, name: '' });
    if (keep) vmas.join(from, from + length);
    else this.unmap(from, from + length);
    memory.observer.mapped(owner, to, to + newLength);
  }

  /** Maps what a shared mapping shows from `from` on once more (mremap of nothing to something). */
  duplicate(vma: Vma, from: number, to: number, length: number): void {
    vma.pages?.addUser();
    const { prot, maxProt, flags, pages } = vma;
    this.map({ at: to, length, prot, maxProt, flags, pages, offset: vma.offset + (from - vma.start) });
  }

  /** Faults in what can be of [from, to) (MAP_POPULATE, MADV_WILLNEED, mlock): 0 or less is the fault that stopped it. */
  populate(from: number, to: number): number {
    for (let page = from / PAGE; page < to / PAGE; page++) {
      const vma = this.parts.vmas.find(page * PAGE);
      const writing = vma !== undefined && (vma.prot & PROT.WRITE) !== 0 && isPrivate(vma);
      const frame = this.parts.pager.pageIn(page, writing ? ACCESS.WRITE : ACCESS.READ);
      if (frame <= 0) return frame;
    }
    return 1;
  }

  /** Everything goes: the last user of the address space has. */
  clear(): void {
    this.unmap(0, Number.MAX_SAFE_INTEGER - (Number.MAX_SAFE_INTEGER % PAGE));
  }

  /** The mappings of fork's child: those it inherits, with the pages that its parent has. */
  copyTo(child: Mappings): void {
    for (const vma of this.parts.vmas.all()) {
      if (vma.flags & VMA.DONTFORK) continue;
      vma.pages?.addUser();
      child.parts.vmas.insert({ ...vma, flags: vma.flags & ~VMA.LOCKED });
      if (vma.flags & VMA.WIPEONFORK) continue;
      this.parts.pager.shareWith(child.parts.pager, vma.start / PAGE, vma.end / PAGE);
    }
  }

  private writeBack(vma: Vma, from: number, to: number): number {
    return vma.pages?.sync(pageOfObject(vma, from / PAGE), pageOfObject(vma, to / PAGE)) ?? 0;
  }
}

/** Flags of a mapping that now has this protection. */
function accounted(flags: number, prot: number): number {
  const counts = (prot & PROT.WRITE) !== 0 && (flags & (VMA.SHARED | VMA.NORESERVE)) === 0;
  return counts ? flags | VMA.ACCOUNT : flags;
}
