/**
 * What the engine knows of one address space (uprobe_process of the 2010 design; mm->uprobes_state today). Made with its first probe; lives until the
 * address space goes.
 */
import type { AnalyzedInsn, Arch } from './arch.js';
import type { HostSpace } from './port.js';
import type { ProbeError } from './probe-error.js';
import type { Probepoint } from './probepoint.js';
import { Tally } from './tally.js';
import type { UTask } from './task.js';
import { sameBytes, XolArea, type XolSlot } from './xol-area.js';

/** Neighbourhoods that get an area of their own. */
const MAX_AREAS = 8;
/** Farther than this from an area, copies may not reach what their originals reach. */
const NEAR = 0x7000_0000;
/** Places kept whose probepoints have gone. */
const MAX_TALLIES = 4096;
/** Analyses kept for breakpoints that come and go. */
const MAX_ANALYSES = 4096;

interface Analysis {
  readonly bytes: Uint8Array;
  readonly insn: AnalyzedInsn | ProbeError;
}

export interface SlotWaiter {
  readonly task: UTask;
  readonly area: XolArea;
  /** Called when the slot that was freed can be taken. */
  wake(): void;
}

export class UProc {
  readonly probepoints = new Map<number, Probepoint>();
  /** Disabled, but somebody is still inside. */
  readonly lingering = new Set<Probepoint>();
  readonly areas: XolArea[] = [];
  /** Threads that wait for a slot of an area, first come first. */
  readonly slotWaiters: SlotWaiter[] = [];
  /** Probepoints whose semaphore is not mapped yet. */
  readonly uncounted = new Set<Probepoint>();
  /** Where breakpoints are in place. */
  private readonly swbps = new Set<number>();
  /** Where a thread executes the original in place right now, and how many do. */
  private readonly opened = new Map<number, number>();
  private readonly analyses = new Map<number, Analysis>();
  private readonly tallies = new Map<number, Tally>();
  private unmappable = false;

  constructor(
    readonly space: HostSpace,
    private readonly arch: Arch,
    private readonly slotLimit: number,
  ) {}

  /** Nobody refers to the probepoint any more. */
  forget(probepoint: Probepoint): void {
    if (probepoint.state !== 'disabled')
      throw new Error(`live probepoint 0x${probepoint.vaddr.toString(16)} has no references`);
    this.lingering.delete(probepoint);
    this.releaseBoost(probepoint);
  }

  // ---- breakpoints

  /** Makes what is in place at the address what should be. False: it cannot be set. */
  sync(address: number): boolean {
    const wanted = this.probepoints.get(address)?.state === 'set' && !this.opened.has(address);
    if (wanted === this.swbps.has(address)) return true;
    if (wanted) {
      if (!this.space.insertSwbp(address)) return false;
      this.swbps.add(address);
    } else {
      this.swbps.delete(address);
      this.space.removeSwbp(address);
    }
    return true;
  }

  /** For the invariants: where a breakpoint is in place without a probepoint that wants it, or the other way round. */
  *misplaced(): Iterable<number> {
    const wanted = (address: number): boolean =>
      this.probepoints.get(address)?.state === 'set' && !this.opened.has(address);
    for (const address of new Set([...this.swbps, ...this.probepoints.keys()])) {
      if (wanted(address) !== this.swbps.has(address)) yield address;
    }
  }

  isInPlace(address: number): boolean {
    return this.swbps.has(address);
  }

  /** A thread is about to execute the original in place. */
  open(address: number): void {
    this.opened.set(address, (this.opened.get(address) ?? 0) + 1);
    this.sync(address);
  }

  /** It has. False: the breakpoint cannot be set again, because the page is gone. */
  close(address: number): boolean {
    const left = (this.opened.get(address) ?? 0) - 1;
    if (left < 0) throw new Error(`nobody executes 0x${address.toString(16)} in place`);
    if (left > 0) this.opened.set(address, left);
    else this.opened.delete(address);
    return this.sync(address);
  }

  /** The breakpoint has gone with its page. */
  lose(address: number): void {
    this.swbps.delete(address);
  }

  // ---- what is kept for later

  releaseBoost(probepoint: Probepoint): void {
    if (probepoint.boosted === undefined) return;
    this.release(probepoint.boosted);
    probepoint.boosted = undefined;
  }

  /** What has happened at this address, from now on and before. */
  tally(address: number, text: string): Tally {
    const known = this.tallies.get(address);
    if (known !== undefined) {
      known.text = text;
      return known;
    }
    if (this.tallies.size >= MAX_TALLIES + this.probepoints.size) this.dropTallies();
    const made = new Tally(text);
    this.tallies.set(address, made);
    return made;
  }

  private dropTallies(): void {
    for (const address of this.tallies.keys()) if (!this.probepoints.has(address)) this.tallies.delete(address);
  }

  /** Where something has happened and no probepoint is any more. */
  *gone(): Iterable<readonly [address: number, tally: Tally]> {
    for (const [address, tally] of this.tallies) {
      if (tally.hits > 0 && !this.probepoints.has(address)) yield [address, tally];
    }
  }

  /** gdb withdraws its breakpoints at each stop and sets them again: their analysis is kept. */
  analysis(address: number, bytes: Uint8Array, analyze: () => AnalyzedInsn | ProbeError): AnalyzedInsn | ProbeError {
    const known = this.analyses.get(address);
    if (known !== undefined && sameBytes(known.bytes, bytes)) return known.insn;
    if (this.analyses.size >= MAX_ANALYSES) this.analyses.clear();
    const insn = analyze();
    this.analyses.set(address, { bytes, insn });
    return insn;
  }

  // ---- XOL

  /** The area whose trampoline return probes use: the first one. undefined: no page can be had. */
  trampolineArea(near: number): XolArea | undefined {
    return this.areas[0] ?? this.addArea({ near });
  }

  isTrampoline(address: number): boolean {
    return this.areas[0]?.base === address;
  }

  inArea(address: number): boolean {
    return this.areas.some((area) => area.contains(address));
  }

  /** For the invariants: the slot that an address lies in. */
  slotAt(address: number): XolSlot | undefined {
    const slots = this.areas.find((area) => area.contains(address))?.slots ?? [];
    return slots.findLast((slot) => slot.address <= address);
  }

  /** An area for originals at this address: a near one, if need be a new one, if that cannot be any. undefined: no page can be had. */
  areaFor(address: number): XolArea | undefined {
    const near = this.areas.find(({ base }) => Math.abs(base - address) < NEAR);
    if (near !== undefined) return near;
    return (this.areas.length < MAX_AREAS ? this.addArea({ near: address }) : undefined) ?? this.areas[0];
  }

  addArea(where: { readonly near: number } | { readonly at: number }): XolArea | undefined {
    if (this.unmappable) return undefined;
    const base = this.space.mapXol(where);
    if (base === undefined) {
      // Neither holes nor memory come back: asking at every hit would only cost time.
      this.unmappable = true;
      return undefined;
    }
    const area = new XolArea(this.space, base, this.arch.slotSize, this.arch.breakpoint, this.slotLimit);
    this.areas.push(area);
    return area;
  }

  /** A freed slot is handed to whoever waits longest for one of its area. */
  release(slot: XolSlot): void {
    slot.area.release(slot);
    const at = this.slotWaiters.findIndex(({ area }) => area === slot.area);
    const [waiter] = at < 0 ? [] : this.slotWaiters.splice(at, 1);
    waiter?.wake();
  }

  get slotsUsed(): number {
    return this.areas.reduce((sum, area) => sum + area.slots.length - area.free, 0);
  }

  get slotsFree(): number {
    return this.areas.reduce((sum, area) => sum + area.free, 0);
  }
}
