/**
 * The address space of a process (struct mm_struct): lives from execve or fork until its last user is gone. Its mappings and pages are in the parts that
 * it is made of; here is what execution, the kernel's copies, the probe engine and a debugger see of it.
 */
import type { CodeHook, CodeOrigin, LoggedAccess, PageFault, WatchHit } from '../executor.js';
import type { ProcessSpace } from '../process.js';
import { ACCESS } from '../stop.js';
import { FetchFrames } from './fetch-frames.js';
import type { FrameUser, MachineMemory } from './machine-memory.js';
import { Mappings } from './mappings.js';
import type { PageCache } from './page-cache.js';
import { FORCE, Pager, pageFault, pageOfObject } from './pager.js';
import { Placement } from './placement.js';
import { Tlb } from './tlb.js';
import { UserAccess } from './user-access.js';
import { isPrivate, PROT, type Vma, VmaList } from './vma.js';
import { Watches, type WatchRange } from './watches.js';

const PAGE = 4096;

/** Where things go in an address space. */
export interface SpaceLayout {
  /** Where the area of mappings begins, downwards. */
  readonly mmapBase: number;
  /** Pages that stay free for XOL areas (`holesFor`). */
  readonly holes: readonly number[];
  /** RLIMIT_STACK in bytes. */
  readonly stackLimit: number;
}

/** The heap of brk(2), and the addresses that /proc/PID/stat tells. */
export interface SpaceMarks {
  startBrk: number;
  brk: number;
  startStack: number;
  /** Of the program's code and data, its arguments and its environment. */
  code: readonly [start: number, end: number];
  data: readonly [start: number, end: number];
  arguments: readonly [start: number, end: number];
  environment: readonly [start: number, end: number];
}

const NO_MARKS: SpaceMarks = {
  startBrk: 0,
  brk: 0,
  startStack: 0,
  code: [0, 0],
  data: [0, 0],
  arguments: [0, 0],
  environment: [0, 0],
};

export class AddressSpace extends UserAccess implements ProcessSpace, FrameUser {
  readonly id: number;
  readonly vmas = new VmaList();
  readonly pager: Pager;
  readonly placement: Placement;
  readonly mappings: Mappings;
  readonly marks: SpaceMarks = { ...NO_MARKS };
  /** Accesses by system calls that watchpoints have seen: told when they happen, in the system call. */
  onWatched: ((hits: readonly WatchHit[]) => void) | undefined;
  private readonly tlb: Tlb;
  private readonly swbps: FetchFrames;
  /** Hooks that stand for breakpoints, by address. */
  private readonly hooks = new Map<number, CodeHook>();
  /** Frames of XOL areas by page: seen by decoding and debuggers, by nothing else. */
  private readonly xol = new Map<number, number>();
  private watches = new Watches();
  /** Pages that have TLB entries for one instruction. */
  private readonly once: number[] = [];

  private constructor(
    readonly memory: MachineMemory,
    readonly cache: PageCache,
    readonly area: number,
    private readonly layout: SpaceLayout,
  ) {
    super(memory.physical);
    this.id = memory.newSpaceId();
    this.tlb = new Tlb(memory.physical, area);
    this.swbps = new FetchFrames(memory);
    this.placement = new Placement(this.vmas, layout.mmapBase, [...layout.holes]);
    const { vmas, tlb, placement } = this;
    const codeChanged = (from: number, to: number): void => this.codeChanged(from, to);
    const attached = (page: number, frame: number): void => this.attached(page, frame);
    this.pager = new Pager({ space: this.id, memory, vmas, tlb, codeChanged, attached });
    this.pager.stackLimit = layout.stackLimit;
    const { pager } = this;
    const forgetBreakpoints = (from: number, to: number): void => this.forgetBreakpoints(from, to);
    this.mappings = new Mappings({ owner: this, memory, vmas, pager, placement, forgetBreakpoints });
    memory.spaces.set(this.id, this);
  }

  /** An empty address space; undefined when there is no memory for its tables. */
  static create(memory: MachineMemory, cache: PageCache, layout: SpaceLayout): AddressSpace | undefined {
    const area = memory.frames.allocArea();
    return area === undefined ? undefined : new AddressSpace(memory, cache, area, layout);
  }

  /** Breakpoints, XOL areas and watchpoints are not inherited: who placed them decides about the child. */
  fork(): AddressSpace | undefined {
    const { mmapBase } = this.layout;
    const layout = { mmapBase, holes: this.placement.holes, stackLimit: this.pager.stackLimit };
    const child = AddressSpace.create(this.memory, this.cache, layout);
    if (child === undefined) return undefined;
    this.mappings.copyTo(child.mappings);
    this.tlb.dropWrites();
    Object.assign(child.marks, this.marks);
    return child;
  }

  destroy(): void {
    if (!this.memory.spaces.has(this.id)) return;
    // First: no code needs to be told of what becomes of its pages.
    this.memory.listener.spaceGone(this);
    this.mappings.clear();
    this.swbps.dropAll();
    this.hooks.clear();
    for (const frame of this.xol.values()) this.memory.release(frame);
    this.xol.clear();
    this.memory.spaces.delete(this.id);
    this.tlb.giveBack();
    this.memory.frames.releaseArea(this.area);
  }

  sharedAddress(at: number): number | undefined {
    const page = Math.floor(at / PAGE);
    const vma = this.vmas.find(at);
    if (vma === undefined || isPrivate(vma)) return undefined;
    const frame = this.pager.pageIn(page, ACCESS.READ);
    return frame <= 0 ? undefined : frame * PAGE + (at - page * PAGE);
  }

  fill(address: number, access: number): 'filled' | 'once' | PageFault {
    const page = Math.floor(address / PAGE);
    const writing = (access & ACCESS.WRITE) !== 0;
    const frame = this.pager.pageIn(page, writing ? ACCESS.WRITE : ACCESS.READ);
    if (frame <= 0) return pageFault(frame);
    const isRare =
      (writing && this.memory.code.has(frame)) ||
      (this.watches.any && this.watches.meets(page * PAGE, (page + 1) * PAGE));
    if (isRare) {
      this.tlb.enter(page, frame, writing);
      this.once.push(page);
      return 'once';
    }
    this.tlb.enter(page, frame, writing || this.pager.storesFreely(page, frame));
    return 'filled';
  }

  settle(accesses: readonly LoggedAccess[]): readonly WatchHit[] {
    for (const page of this.once) this.tlb.drop(page);
    this.once.length = 0;
    const hits: WatchHit[] = [];
    for (const { address, size, access } of accesses) {
      const writing = (access & ACCESS.WRITE) !== 0;
      if (writing) this.pager.stored(address, size);
      if (this.watches.any) this.watches.collect(address, size, writing ? 'write' : 'read', hits);
    }
    return hits;
  }

  fetch(address: number): number | PageFault {
    const page = Math.floor(address / PAGE);
    const offset = address - page * PAGE;
    const slot = this.xol.get(page);
    if (slot !== undefined) return slot * PAGE + offset;
    const frame = this.pager.pageIn(page, ACCESS.FETCH);
    if (frame <= 0) return pageFault(frame);
    const fetched = this.swbps.any ? this.swbps.frameFor(page, frame) : frame;
    return fetched === undefined ? 'out-of-memory' : fetched * PAGE + offset;
  }

  markCode(from: number, to: number): void {
    const page = Math.floor(from / PAGE);
    const frame = this.pager.table.get(page);
    if (frame !== 0) this.memory.markCode(frame, from - page * PAGE, to - page * PAGE);
  }

  codeOrigin(at: number): CodeOrigin | undefined {
    const vma = this.vmas.find(at);
    const contents = vma?.pages?.contents;
    return vma === undefined || contents === undefined ? undefined : { contents, base: vma.start - vma.offset };
  }

  /** Places an int3 that only decoding sees. False where nothing is mapped, and where one is already. */
  insertSwbp(at: number): boolean {
    if (this.vmas.find(at) === undefined || !this.swbps.insert(at)) return false;
    const page = Math.floor(at / PAGE);
    this.attached(page, this.pager.table.get(page));
    this.fetchChanged(at, at + 1);
    return true;
  }

  /** False when there was none. */
  removeSwbp(at: number): boolean {
    if (!this.swbps.remove(at)) return false;
    this.hooks.delete(at);
    this.fetchChanged(at, at + 1);
    return true;
  }

  hasSwbp(at: number): boolean {
    return this.swbps.any && this.swbps.has(at);
  }

  /** What translated code asks in the place of the breakpoint at this address; undefined: it comes back for it. */
  setHook(at: number, hook: CodeHook | undefined): void {
    if (!this.hasSwbp(at) || this.hooks.get(at) === hook) return;
    if (hook === undefined) this.hooks.delete(at);
    else this.hooks.set(at, hook);
    this.fetchChanged(at, at + 1);
  }

  hookAt(at: number): CodeHook | undefined {
    return this.hooks.size === 0 ? undefined : this.hooks.get(at);
  }

  /** Reads of the page hit the TLB from now on, if nobody can tell: the program may read it, it has its frame, and nobody watches it. */
  lend(at: number): void {
    const page = Math.floor(at / PAGE);
    const frame = this.pager.table.get(page);
    if (frame === 0 || this.watches.meets(page * PAGE, (page + 1) * PAGE)) return;
    if (this.pager.pageIn(page, ACCESS.READ) === frame) this.tlb.enter(page, frame, false);
  }

  /** Pages that are free for XOL areas, ascending. */
  get reservedHoles(): readonly number[] {
    return this.placement.holes;
  }

  /** Whether the address lies in a reserved page, used or not. */
  isReserved(at: number): boolean {
    return this.placement.holes.includes(Math.floor(at / PAGE) * PAGE);
  }

  /** Makes a reserved page an XOL area with these bytes at its start. False when the page is not reserved (any more) or there is no memory. */
  mapXol(at: number, bytes: Uint8Array): boolean {
    if (!this.placement.holes.includes(at)) return false;
    const frame = this.xol.get(at / PAGE) ?? this.memory.frames.alloc('aside');
    if (frame === undefined) return false;
    this.xol.set(at / PAGE, frame);
    this.writeXol(at, bytes);
    return true;
  }

  /** Changes bytes of an XOL area. All lie in one page of one. */
  writeXol(at: number, bytes: Uint8Array): void {
    const frame = this.xol.get(Math.floor(at / PAGE));
    if (frame === undefined) throw new Error(`no XOL area at ${at}`);
    this.physical.u8.set(bytes, frame * PAGE + (at % PAGE));
    this.fetchChanged(at, at + bytes.length);
  }

  /** Whether an XOL area lies in [from, to): the program cannot map anything there. */
  hasXol(from: number, to: number): boolean {
    for (const page of this.xol.keys()) if (page * PAGE < to && (page + 1) * PAGE > from) return true;
    return false;
  }

  /** Accesses to these ranges are reported from now on, and no others. */
  watch(ranges: readonly WatchRange[]): void {
    const before = this.watches;
    this.watches = new Watches(ranges);
    for (const { from, to } of [...before.ranges, ...ranges]) {
      this.pager.table.each(Math.floor(from / PAGE), Math.ceil(to / PAGE), (page) => this.tlb.drop(page));
    }
  }

  /** Reads as ptrace does, whatever the protection, the bytes that the program has (never an int3 of the engine): how many from the start. */
  peek(at: number, into: Uint8Array): number {
    let done = 0;
    while (done < into.length) {
      const page = Math.floor((at + done) / PAGE);
      const offset = at + done - page * PAGE;
      const length = Math.min(PAGE - offset, into.length - done);
      const frame = this.peekFrame(page);
      if (frame < 0) break;
      if (frame === 0) into.fill(0, done, done + length);
      else into.set(this.physical.u8.subarray(frame * PAGE + offset, frame * PAGE + offset + length), done);
      done += length;
    }
    return done;
  }

  /** Writes as ptrace does, private pages whatever their protection: all bytes, or none and false. */
  poke(at: number, bytes: Uint8Array): boolean {
    const end = at + bytes.length;
    for (let page = Math.floor(at / PAGE); page * PAGE < end; page++) {
      if (this.pager.pageIn(page, ACCESS.WRITE | FORCE) <= 0) return false;
    }
    for (let from = at; from < end; ) {
      const page = Math.floor(from / PAGE);
      const to = Math.min(end, (page + 1) * PAGE);
      this.physical.u8.set(
        bytes.subarray(from - at, to - at),
        this.pager.table.get(page) * PAGE + (from - page * PAGE),
      );
      from = to;
    }
    this.pager.stored(at, bytes.length);
    return true;
  }

  /** Bytes of memory that the process has in frames. */
  get residentBytes(): number {
    return this.pager.table.present * PAGE;
  }

  get peakBytes(): number {
    return this.pager.table.peak * PAGE;
  }

  get pageFaults(): number {
    return this.pager.faults;
  }

  /** Bytes mapped. */
  get mappedBytes(): number {
    return this.vmas.all().reduce((sum, { start, end }) => sum + (end - start), 0);
  }

  /** Bytes of a mapping that lie in frames. */
  residentOf({ start, end }: Vma): number {
    return this.pager.table.count(start / PAGE, end / PAGE) * PAGE;
  }

  dropWrite(page: number): void {
    this.tlb.dropWrite(page);
  }

  codeStored(page: number, from: number, to: number): void {
    this.codeChanged(page * PAGE + from, page * PAGE + to);
    this.attached(page, this.pager.table.get(page));
  }

  truncated(pages: object, kept: number): void {
    for (const vma of this.vmas.all()) {
      if (vma.pages !== pages) continue;
      const first = Math.max(vma.start / PAGE, vma.start / PAGE + kept - pageOfObject(vma, vma.start / PAGE));
      if (first < vma.end / PAGE) this.pager.zap(first, vma.end / PAGE);
    }
  }

  override writable(at: number, length: number): number {
    let end = at;
    while (end < at + length) {
      const vma = this.pager.mappingAt(Math.floor(end / PAGE));
      if (vma === undefined || !(vma.prot & PROT.WRITE)) break;
      end = vma.end;
    }
    return Math.min(length, end - at);
  }

  protected override frameFor(page: number, writing: boolean): number {
    return this.pager.pageIn(page, writing ? ACCESS.WRITE : ACCESS.READ);
  }

  protected override accessed(at: number, length: number, writing: boolean): void {
    if (writing) this.pager.stored(at, length);
    if (!this.watches.any || this.onWatched === undefined) return;
    const hits: WatchHit[] = [];
    this.watches.collect(at, length, writing ? 'write' : 'read', hits);
    if (hits.length > 0) this.onWatched(hits);
  }

  /** Bytes that may have been translated are void. */
  private codeChanged(from: number, to: number): void {
    this.fetchChanged(from, to);
    if (this.swbps.meets(from, to)) this.memory.observer.rewritten(this, from, to);
  }

  private fetchChanged(from: number, to: number): void {
    for (let page = Math.floor(from / PAGE); page * PAGE < to && this.swbps.any; page++) this.swbps.drop(page);
    this.memory.listener.codeChanged(this, from, to);
  }

  /** A page with breakpoints has (another) frame: every store to it shall be seen, whether anything of it has been fetched or not. */
  private attached(page: number, frame: number): void {
    if (frame !== 0 && this.swbps.covers(page)) this.memory.markCode(frame, 0, PAGE);
  }

  private forgetBreakpoints(from: number, to: number): void {
    if (!this.swbps.any) return;
    this.swbps.forget(from / PAGE, to / PAGE);
    for (const at of this.hooks.keys()) if (at >= from && at < to) this.hooks.delete(at);
  }

  /** 0: a page of zeros that has no frame yet, and needs none for being looked at; less: not mapped, or beyond the end of the file. */
  private peekFrame(page: number): number {
    const slot = this.xol.get(page);
    if (slot !== undefined) return slot;
    const frame = this.pager.table.get(page);
    if (frame !== 0) return frame;
    const vma = this.vmas.find(page * PAGE);
    if (vma === undefined) return -1;
    return vma.pages === undefined ? 0 : this.pager.pageIn(page, ACCESS.READ | FORCE);
  }
}
