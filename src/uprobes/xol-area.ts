/**
 * Execute-out-of-line slots of one address space: pages in the holes that every process keeps for them, one area for each neighbourhood of 2 GiB, so
 * that copies reach what their originals reach. A slot belongs to a thread while it steps there, or to a probepoint whose copy is boosted.
 */
import { PAGE_SIZE } from '../types.js';
import type { HostSpace } from './port.js';

export interface XolSlot {
  readonly address: number;
  readonly area: XolArea;
  /** undefined: free. */
  holder: 'step' | 'boost' | undefined;
  /** The address of the original and the bytes in the slot: what is there already need not be written again. */
  original: number;
  code: Uint8Array;
  /** When it was taken last, in takes of the area. */
  used: number;
}

const NOTHING = new Uint8Array();

/** One page. The first slot holds the trampoline of return probes. Lives as long as the address space. */
export class XolArea {
  readonly slots: readonly XolSlot[];
  private readonly byOriginal = new Map<number, XolSlot>();
  private takes = 0;
  private boosted = 0;

  constructor(
    private readonly space: HostSpace,
    readonly base: number,
    slotSize: number,
    filler: number,
    limit: number,
  ) {
    const count = Math.min(limit, PAGE_SIZE / slotSize - 1);
    this.slots = Array.from({ length: count }, (_, i): XolSlot => {
      const address = base + (i + 1) * slotSize;
      return { address, area: this, holder: undefined, original: -1, code: NOTHING, used: 0 };
    });
    space.writeXol(base, new Uint8Array(PAGE_SIZE).fill(filler));
  }

  contains(address: number): boolean {
    return address >= this.base && address < this.base + PAGE_SIZE;
  }

  get free(): number {
    return this.slots.filter(({ holder }) => holder === undefined).length;
  }

  /**
   * A slot for the instruction at `original`: the one that holds its copy already, else the one that has been free for longest. undefined: all are
   * taken; boosted copies never take the last one.
   */
  take(original: number, holder: 'step' | 'boost'): XolSlot | undefined {
    if (holder === 'boost' && this.boosted >= this.slots.length - 1) return undefined;
    const kept = this.byOriginal.get(original);
    const slot = kept?.holder === undefined && kept !== undefined ? kept : this.oldest();
    if (slot === undefined) return undefined;
    slot.holder = holder;
    slot.used = ++this.takes;
    if (holder === 'boost') this.boosted++;
    if (slot.original !== original) this.rename(slot, original);
    return slot;
  }

  private oldest(): XolSlot | undefined {
    let found: XolSlot | undefined;
    for (const slot of this.slots) {
      if (slot.holder === undefined && (found === undefined || slot.used < found.used)) found = slot;
    }
    return found;
  }

  private rename(slot: XolSlot, original: number): void {
    if (this.byOriginal.get(slot.original) === slot) this.byOriginal.delete(slot.original);
    this.byOriginal.set(original, slot);
    slot.original = original;
  }

  fill(slot: XolSlot, code: Uint8Array): void {
    if (sameBytes(slot.code, code)) return;
    slot.code = code;
    this.space.writeXol(slot.address, code);
  }

  release(slot: XolSlot): void {
    if (slot.holder === undefined) throw new Error(`XOL slot 0x${slot.address.toString(16)} was freed twice`);
    if (slot.holder === 'boost') this.boosted--;
    slot.holder = undefined;
  }
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
