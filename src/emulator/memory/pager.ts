/** The pages of one address space: which frame each lies in, faulted in on demand, copied on the first write while somebody else uses the frame. */
import type { PageFault } from '../executor.js';
import { ACCESS } from '../stop.js';
import type { MachineMemory } from './machine-memory.js';
import { BEYOND_FILE, OUT_OF_FRAMES } from './page-cache.js';
import { PageTable } from './page-table.js';
import type { Tlb } from './tlb.js';
import { isPrivate, PROT, STACK_GUARD, VMA, type Vma, type VmaList } from './vma.js';

const PAGE = 4096;
/** A debugger's access: whatever the protection, as ptrace (FOLL_FORCE). */
export const FORCE = 8;

/** What stands for a frame that cannot be had: 0 or less. */
const UNMAPPED = 0;
const DENIED = -2;
const PAGE_FAULTS: ReadonlyMap<number, PageFault> = new Map([
  [UNMAPPED, 'unmapped'],
  [DENIED, 'denied'],
  [BEYOND_FILE, 'beyond-file'],
  [OUT_OF_FRAMES, 'out-of-memory'],
]);

export function pageFault(code: number): PageFault {
  const fault = PAGE_FAULTS.get(code);
  if (fault === undefined) throw new Error(`frame ${code} is no fault`);
  return fault;
}

export interface PagerParts {
  readonly space: number;
  readonly memory: MachineMemory;
  readonly vmas: VmaList;
  readonly tlb: Tlb;
  /** What is fetched from [from, to) is no longer what it was. */
  codeChanged(from: number, to: number): void;
  /** The page (address / 4096) has got a frame. */
  attached(page: number, frame: number): void;
}

export class Pager {
  readonly table = new PageTable();
  /** Bytes that the stack may have: RLIMIT_STACK. */
  stackLimit = Number.POSITIVE_INFINITY;
  /** Pages that got a frame, or a frame of their own. */
  faults = 0;
  private readonly memory: MachineMemory;
  private readonly vmas: VmaList;
  private readonly tlb: Tlb;

  constructor(private readonly parts: PagerParts) {
    this.memory = parts.memory;
    this.vmas = parts.vmas;
    this.tlb = parts.tlb;
  }

  /**
   * The frame of a page for an access: ACCESS.READ, WRITE or FETCH, perhaps with FORCE; 0 or less says why not (`pageFault`). On the path of every
   * first touch of a page: no allocation.
   */
  pageIn(page: number, access: number): number {
    const at = page * PAGE;
    const vma = access & FORCE ? this.vmas.find(at) : this.mappingAt(page);
    if (vma === undefined) return UNMAPPED;
    if (!allows(vma, access)) return DENIED;
    const frame = this.table.get(page);
    if ((access & ACCESS.WRITE) === 0) return frame === 0 ? this.bringIn(vma, page, false) : frame;
    if (!isPrivate(vma)) return this.forSharedWrite(vma, page, frame);
    if (frame === 0) return this.bringIn(vma, page, true);
    return this.memory.frames.usersOf(frame) === 1 ? frame : this.copyOnWrite(page, frame);
  }

  /** The mapping that a page lies in, grown to reach it if it is a stack. */
  mappingAt(page: number): Vma | undefined {
    return this.vmas.find(page * PAGE) ?? this.growStack(page * PAGE);
  }

  /** Whether a page that was read may be written without anything to be seen to: its frame is the process's own and holds no code. */
  storesFreely(page: number, frame: number): boolean {
    const vma = this.vmas.find(page * PAGE);
    return (
      vma !== undefined &&
      (vma.prot & PROT.WRITE) !== 0 &&
      isPrivate(vma) &&
      this.memory.frames.usersOf(frame) === 1 &&
      !this.memory.code.has(frame)
    );
  }

  /** Bytes of the space were stored to: code there is void. */
  stored(at: number, length: number): void {
    const end = at + length;
    for (let page = Math.floor(at / PAGE); page * PAGE < end; page++) {
      const frame = this.table.get(page);
      const from = Math.max(0, at - page * PAGE);
      if (frame !== 0) this.memory.stored(frame, from, Math.min(PAGE, end - page * PAGE));
    }
  }

  /** The pages [from, to) lose their frames. */
  zap(from: number, to: number): void {
    let codeFrom = Number.POSITIVE_INFINITY;
    let codeTo = 0;
    this.table.each(from, to, (page, frame) => {
      if (this.memory.code.has(frame)) {
        codeFrom = Math.min(codeFrom, page);
        codeTo = page + 1;
      }
      this.table.remove(page);
      this.tlb.drop(page);
      this.memory.reverse.remove(frame, this.parts.space, page);
      this.memory.release(frame);
    });
    if (codeTo > 0) this.parts.codeChanged(codeFrom * PAGE, codeTo * PAGE);
  }

  /** The protection of the pages [from, to) has changed. `noCode`: they cannot be executed any more. */
  reprotect(from: number, to: number, noCode: boolean): void {
    this.table.each(from, to, (page, frame) => {
      this.tlb.drop(page);
      if (noCode && this.memory.code.has(frame)) this.parts.codeChanged(page * PAGE, (page + 1) * PAGE);
    });
  }

  /** The frames of the pages [from, to) go to the pages from `target` on, where there are none. */
  move(from: number, to: number, target: number): void {
    const { space } = this.parts;
    this.table.each(from, to, (page, frame) => {
      const moved = target + (page - from);
      if (this.memory.code.has(frame)) this.parts.codeChanged(page * PAGE, (page + 1) * PAGE);
      this.table.remove(page);
      this.tlb.drop(page);
      this.memory.reverse.remove(frame, space, page);
      this.table.put(moved, frame);
      this.memory.reverse.add(frame, space, moved);
    });
  }

  /** A child of fork shares the frames of these pages: both copy before they write, once the parent's TLB has no writes. */
  shareWith(child: Pager, from: number, to: number): void {
    this.table.each(from, to, (page, frame) => {
      this.memory.frames.retain(frame);
      child.attach(page, frame);
    });
  }

  /** The stack, or another mapping that grows downwards, reaches for the address (expand_downwards). */
  private growStack(at: number): Vma | undefined {
    const vma = this.vmas.next(at);
    if (vma === undefined || !(vma.flags & VMA.GROWSDOWN) || vma.end - at > this.stackLimit || at < PAGE)
      return undefined;
    const below = this.vmas.previous(vma.start);
    const isGuarded = below !== undefined && !(below.flags & VMA.GROWSDOWN) && below.prot !== PROT.NONE;
    if (isGuarded && at - below.end < STACK_GUARD) return undefined;
    vma.start = at;
    return vma;
  }

  private bringIn(vma: Vma, page: number, writing: boolean): number {
    const { frames } = this.memory;
    let frame: number | undefined;
    if (vma.pages === undefined) frame = frames.alloc();
    else {
      const cached = vma.pages.frame(pageOfObject(vma, page));
      if (cached <= 0) return cached;
      if (writing && isPrivate(vma)) frame = frames.copy(cached);
      else {
        frames.retain(cached);
        frame = cached;
      }
    }
    if (frame === undefined) return OUT_OF_FRAMES;
    this.attach(page, frame);
    this.faults++;
    return frame;
  }

  private forSharedWrite(vma: Vma, page: number, present: number): number {
    const frame = present === 0 ? this.bringIn(vma, page, true) : present;
    if (frame > 0) vma.pages?.markDirty(pageOfObject(vma, page));
    return frame;
  }

  /** The same bytes in a frame of the process's own: what was translated from them holds. */
  private copyOnWrite(page: number, shared: number): number {
    const { memory } = this;
    const frame = memory.frames.copy(shared);
    if (frame === undefined) return OUT_OF_FRAMES;
    memory.code.copy(shared, frame);
    this.tlb.drop(page);
    this.table.replace(page, frame);
    memory.reverse.remove(shared, this.parts.space, page);
    memory.reverse.add(frame, this.parts.space, page);
    memory.release(shared);
    this.faults++;
    return frame;
  }

  private attach(page: number, frame: number): void {
    this.table.put(page, frame);
    this.memory.reverse.add(frame, this.parts.space, page);
    this.parts.attached(page, frame);
  }
}

/** Which page of its object a page of a mapping shows. */
export function pageOfObject(vma: Vma, page: number): number {
  return (vma.offset - vma.start) / PAGE + page;
}

/** On x86 what may be written or executed may be read too. A debugger's stores go to private copies, never through a shared mapping that is not writable. */
function allows(vma: Vma, access: number): boolean {
  const { prot } = vma;
  if (access & ACCESS.WRITE) return (prot & PROT.WRITE) !== 0 || ((access & FORCE) !== 0 && isPrivate(vma));
  if (access & FORCE) return true;
  return access & ACCESS.FETCH ? (prot & PROT.EXEC) !== 0 : prot !== PROT.NONE;
}
