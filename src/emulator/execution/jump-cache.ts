/**
 * The jump cache of an address space, as JavaScript fills it: where guest code goes on without asking. An address has two places, its own and the one
 * beside it (interp/generate.ts looks there in this order); what is pushed out of the first moves to the second.
 */
import { JUMP_CACHE_BYTES, JUMP_ENTRY, JUMP_REGION, jumpCacheIndex } from '../memory/layout.js';
import type { PhysicalMemory } from '../memory/physical.js';
import { SparseTable } from '../memory/sparse-table.js';

const ENTRY_BYTES = 16;

export class JumpCache extends SparseTable {
  /** `base`: physical address of the cache, which is full of zeros. */
  constructor(physical: PhysicalMemory, base: number) {
    super(physical, base, JUMP_CACHE_BYTES);
    this.setEmptyEntries();
  }

  /** What is at `ip`: interpreter code (`region` 0, `entry` its physical address), or a compiled region. */
  set(ip: number, region: number, entry: number): void {
    const { i32, u32, u8 } = this.physical;
    const at = this.first(ip);
    // Both places of an address lie in one piece of the table.
    this.touch(at);
    if (!this.holds(at, ip)) u8.copyWithin(this.second(at), at, at + ENTRY_BYTES);
    u32[at >>> 2] = ip % 0x1_0000_0000;
    u32[(at + 4) >>> 2] = ip / 0x1_0000_0000;
    i32[(at + JUMP_REGION) >>> 2] = region;
    i32[(at + JUMP_ENTRY) >>> 2] = entry;
  }

  forget(ip: number): void {
    const at = this.first(ip);
    for (const place of [at, this.second(at)]) {
      if (this.holds(place, ip)) this.setEmpty(place);
    }
  }

  protected setEmptyEntries(): void {
    const at = this.first(0);
    this.touch(at);
    for (const place of [at, this.second(at)]) this.setEmpty(place);
  }

  private setEmpty(place: number): void {
    const isOfZero = (place & ~ENTRY_BYTES) >>> 0 === this.base;
    this.physical.u8.fill(isOfZero ? 0xff : 0, place, place + ENTRY_BYTES);
  }

  private first(ip: number): number {
    return this.base + ENTRY_BYTES * jumpCacheIndex(ip);
  }

  private second(first: number): number {
    return (first ^ ENTRY_BYTES) >>> 0;
  }

  private holds(at: number, ip: number): boolean {
    const { u32 } = this.physical;
    return u32[at >>> 2] === ip % 0x1_0000_0000 && u32[(at + 4) >>> 2] === Math.floor(ip / 0x1_0000_0000);
  }
}
