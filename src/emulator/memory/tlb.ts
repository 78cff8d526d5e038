/** The two TLBs of one address space, in its area (memory/layout.ts). */
import { SPACE_TLB_READ, SPACE_TLB_WRITE, TLB_BYTES, TLB_ENTRIES } from './layout.js';
import type { PhysicalMemory } from './physical.js';
import { SparseTable } from './sparse-table.js';

const FRAME_MASK = 0xf_ffff;
const INDEX_MASK = TLB_ENTRIES - 1;

/** One of the tables. */
class TlbTable extends SparseTable {
  private readonly u32: Uint32Array;

  constructor(physical: PhysicalMemory, base: number) {
    super(physical, base, TLB_BYTES);
    this.u32 = physical.u32;
    this.setEmptyEntries();
  }

  enter(page: number, low: number, high: number): void {
    const at = this.base + 8 * (page & INDEX_MASK);
    this.touch(at);
    this.u32[at >>> 2] = low;
    this.u32[(at + 4) >>> 2] = high;
  }

  drop(page: number): void {
    const at = (this.base + 8 * (page & INDEX_MASK)) >>> 2;
    if (this.u32[at + 1] !== Math.floor(page / 4096) || (this.u32[at] as number) >>> 20 !== (page & 4095)) return;
    this.u32[at] = emptyEntry(page & INDEX_MASK);
    this.u32[at + 1] = 0;
  }

  protected setEmptyEntries(): void {
    for (const index of [0, INDEX_MASK]) {
      const at = this.base + 8 * index;
      this.touch(at);
      this.u32[at >>> 2] = emptyEntry(index);
    }
  }
}

export class Tlb {
  private readonly reads: TlbTable;
  private readonly writes: TlbTable;

  /** `area`: full of zeros. */
  constructor(physical: PhysicalMemory, area: number) {
    this.reads = new TlbTable(physical, area + SPACE_TLB_READ);
    this.writes = new TlbTable(physical, area + SPACE_TLB_WRITE);
  }

  /** Reads (and with `writable` writes) of the page hit from now on. */
  enter(page: number, frame: number, writable: boolean): void {
    const low = (page << 20) | ((frame - page) & FRAME_MASK);
    const high = Math.floor(page / 4096);
    this.reads.enter(page, low, high);
    if (writable) this.writes.enter(page, low, high);
  }

  /** The page misses from now on. */
  drop(page: number): void {
    this.reads.drop(page);
    this.writes.drop(page);
  }

  /** Writes of the page miss from now on. */
  dropWrite(page: number): void {
    this.writes.drop(page);
  }

  /** Every write misses. */
  dropWrites(): void {
    this.writes.clear();
  }

  /** The area is full of zeros again, for another space. */
  giveBack(): void {
    this.reads.giveBack();
    this.writes.giveBack();
  }
}

/**
 * The low half of "no entry". Zero would be page 0, which is found by entry 0, and by the last one when an access wraps around the end of the address space:
 * there it is page 1 (TLB_EMPTY_0).
 */
function emptyEntry(index: number): number {
  return index === 0 || index === INDEX_MASK ? 1 << 20 : 0;
}
