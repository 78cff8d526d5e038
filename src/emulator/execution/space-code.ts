/** The code that is known in one address space: which block is at an address, and the jump cache that guest code consults. Lives as long as the space. */
import type { ExecutionSpace } from '../executor.js';
import { JUMP_CACHE_BYTES, JUMP_ENTRY, JUMP_REGION, jumpCacheIndex, SPACE_JUMP_CACHE } from '../memory/layout.js';
import type { PhysicalMemory } from '../memory/physical.js';
import type { Block } from './block.js';

const PAGE = 4096;

export class SpaceCode {
  private readonly blocks = new Map<number, Block>();
  private readonly singles = new Map<number, Block>();
  /** The blocks with a byte in a page, by page number. */
  private readonly pages = new Map<number, Set<Block>>();
  private readonly jumpCache: number;

  constructor(
    readonly space: ExecutionSpace,
    private readonly physical: PhysicalMemory,
  ) {
    this.jumpCache = space.area + SPACE_JUMP_CACHE;
    this.clearJumpCache();
  }

  find(ip: number, single: boolean): Block | undefined {
    return this.table(single).get(ip);
  }

  add(block: Block): void {
    this.table(block.single).set(block.ip, block);
    block.users.add(this);
    for (const page of pagesOf(block)) {
      const known = this.pages.get(page);
      if (known === undefined) this.pages.set(page, new Set([block]));
      else known.add(block);
    }
  }

  remove(block: Block): void {
    this.table(block.single).delete(block.ip);
    block.users.delete(this);
    for (const page of pagesOf(block)) this.removeFromPage(page, block);
    this.forgetJump(block.ip);
  }

  private removeFromPage(page: number, block: Block): void {
    const known = this.pages.get(page);
    known?.delete(block);
    if (known?.size === 0) this.pages.delete(page);
  }

  /** Removes every block with a byte in [from, to). */
  removeRange(from: number, to: number): void {
    for (const page of this.pagesWithin(from, to)) {
      for (const block of [...(this.pages.get(page) ?? [])]) {
        if (block.ip < to && from < block.end) this.remove(block);
      }
    }
  }

  private pagesWithin(from: number, to: number): number[] {
    const first = Math.floor(from / PAGE);
    const last = Math.floor((to - 1) / PAGE);
    if (last - first > this.pages.size) return [...this.pages.keys()].filter((page) => page >= first && page <= last);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  }

  removeAll(): void {
    for (const block of [...this.blocks.values(), ...this.singles.values()]) block.users.delete(this);
    this.blocks.clear();
    this.singles.clear();
    this.pages.clear();
    this.clearJumpCache();
  }

  /** From now on guest code finds what is at `ip`: interpreter code (`region` 0, `entry` its physical address), or an entry of a compiled region. */
  setJump(ip: number, region: number, entry: number): void {
    const { i32, view } = this.physical;
    const at = this.jumpCache + 16 * jumpCacheIndex(ip);
    view.setUint32(at, ip % 0x1_0000_0000, true);
    view.setUint32(at + 4, Math.floor(ip / 0x1_0000_0000), true);
    i32[(at + JUMP_REGION) >>> 2] = region;
    i32[(at + JUMP_ENTRY) >>> 2] = entry;
  }

  private forgetJump(ip: number): void {
    const { i32, view } = this.physical;
    const at = this.jumpCache + 16 * jumpCacheIndex(ip);
    if (view.getUint32(at, true) !== ip % 0x1_0000_0000) return;
    i32[at >>> 2] = -1;
    i32[(at + 4) >>> 2] = -1;
  }

  private clearJumpCache(): void {
    this.physical.u8.fill(0xff, this.jumpCache, this.jumpCache + JUMP_CACHE_BYTES);
  }

  private table(single: boolean): Map<number, Block> {
    return single ? this.singles : this.blocks;
  }
}

function pagesOf(block: Block): number[] {
  const first = Math.floor(block.ip / PAGE);
  const last = Math.floor((block.end - 1) / PAGE);
  return first === last ? [first] : [first, last];
}
