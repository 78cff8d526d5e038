/** The two TLBs and the jump cache of one address space, in its area (memory/layout.ts). */
import {
  JUMP_CACHE_BYTES,
  SPACE_JUMP_CACHE,
  SPACE_TLB_READ,
  SPACE_TLB_WRITE,
  TLB_BYTES,
  TLB_ENTRIES,
} from './layout.js';
import type { PhysicalMemory } from './physical.js';

const FRAME_MASK = 0xf_ffff;
const INDEX_MASK = TLB_ENTRIES - 1;

export class Tlb {
  private readonly u32: Uint32Array;
  /** Index of the tables' first word in `u32`. */
  private readonly reads: number;
  private readonly writes: number;

  /** `area`: full of zeros. */
  constructor(physical: PhysicalMemory, area: number) {
    this.u32 = physical.u32;
    this.reads = (area + SPACE_TLB_READ) / 4;
    this.writes = (area + SPACE_TLB_WRITE) / 4;
    this.setEmptyEntries(this.reads);
    this.setEmptyEntries(this.writes);
    const cache = (area + SPACE_JUMP_CACHE) / 4;
    for (let word = cache; word < cache + JUMP_CACHE_BYTES / 4; word += 4) {
      this.u32[word] = 0xffff_ffff;
      this.u32[word + 1] = 0xffff_ffff;
    }
  }

  /** Reads (and with `writable` writes) of the page hit from now on. */
  enter(page: number, frame: number, writable: boolean): void {
    const index = 2 * (page & INDEX_MASK);
    const low = (page << 20) | ((frame - page) & FRAME_MASK);
    const high = Math.floor(page / 4096);
    this.u32[this.reads + index] = low;
    this.u32[this.reads + index + 1] = high;
    if (!writable) return;
    this.u32[this.writes + index] = low;
    this.u32[this.writes + index + 1] = high;
  }

  /** The page misses from now on. */
  drop(page: number): void {
    this.dropFrom(this.reads, page);
    this.dropFrom(this.writes, page);
  }

  /** Writes of the page miss from now on. */
  dropWrite(page: number): void {
    this.dropFrom(this.writes, page);
  }

  /** Every write misses. */
  dropWrites(): void {
    this.clear(this.writes);
  }

  private dropFrom(table: number, page: number): void {
    const at = table + 2 * (page & INDEX_MASK);
    if (this.u32[at + 1] !== Math.floor(page / 4096) || this.u32[at] >>> 20 !== (page & 4095)) return;
    this.u32[at] = emptyEntry(page & INDEX_MASK);
    this.u32[at + 1] = 0;
  }

  private clear(table: number): void {
    this.u32.fill(0, table, table + TLB_BYTES / 4);
    this.setEmptyEntries(table);
  }

  /** Where zero is not the empty value. */
  private setEmptyEntries(table: number): void {
    for (const index of [0, INDEX_MASK]) this.u32[table + 2 * index] = emptyEntry(index);
  }
}

/**
 * The low half of "no entry". Zero would be page 0, which is found by entry 0, and by the last one when an access wraps around the end of the address space:
 * there it is page 1 (TLB_EMPTY_0).
 */
function emptyEntry(index: number): number {
  return index === 0 || index === INDEX_MASK ? 1 << 20 : 0;
}
