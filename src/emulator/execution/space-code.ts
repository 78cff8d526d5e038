/** The code that is known in one address space: which block is at an address, and the jump cache that guest code consults. Lives as long as the space. */
import type { ExecutionSpace } from '../executor.js';
import { SPACE_JUMP_CACHE } from '../memory/layout.js';
import type { PhysicalMemory } from '../memory/physical.js';
import type { Block } from './block.js';
import { JumpCache } from './jump-cache.js';
import type { Region } from './region-store.js';

const PAGE = 4096;

export class SpaceCode {
  private readonly blocks = new Map<number, Block>();
  private readonly singles = new Map<number, Block>();
  /** Single instructions that have a hook in front of them. */
  private readonly originals = new Map<number, Block>();
  /** The blocks with a byte in a page, by page number. */
  private readonly pages = new Map<number, Set<Block>>();
  /** By entrance. */
  private readonly regions = new Map<number, Region>();
  private readonly regionPages = new Map<number, Set<Region>>();
  /** Hot blocks that were left to the region which they are part of, once. */
  readonly cooled = new Set<number>();
  /** Changes whenever code is removed. */
  version = 0;
  private readonly jumpCache: JumpCache;

  constructor(
    readonly space: ExecutionSpace,
    physical: PhysicalMemory,
  ) {
    this.jumpCache = new JumpCache(physical, space.area + SPACE_JUMP_CACHE);
  }

  find(ip: number, single: boolean): Block | undefined {
    return this.table(single).get(ip);
  }

  /** The blocks that begin before `ip` and end behind it. */
  around(ip: number): Block[] {
    const here = this.pages.get(Math.floor(ip / PAGE)) ?? [];
    return [...here].filter((block) => !block.single && block.ip < ip && ip < block.end);
  }

  add(block: Block): void {
    this.table(block.single).set(block.ip, block);
    block.users.add(this);
    for (const page of pagesOf(block)) addTo(this.pages, page, block);
  }

  findOriginal(ip: number): Block | undefined {
    return this.originals.get(ip);
  }

  addOriginal(block: Block): void {
    this.originals.set(block.ip, block);
    block.users.add(this);
    for (const page of pagesOf(block)) addTo(this.pages, page, block);
  }

  /** The region that is entered at an address. */
  findRegion(ip: number): Region | undefined {
    return this.regions.get(ip);
  }

  addRegion(region: Region): void {
    region.users.add(this);
    for (const [number, ip] of region.entrances.entries()) {
      // One that begins at an address knows more of the way from there.
      if (number > 0 && this.regions.has(ip)) continue;
      this.regions.set(ip, region);
      this.enterRegion(ip, region);
    }
    for (const range of region.ranges) for (const page of pagesOf(range)) addTo(this.regionPages, page, region);
  }

  /** Guest code finds the region at its entrance `ip`. */
  enterRegion(ip: number, { index, entrances }: Region): void {
    this.setJump(ip, index, entrances.indexOf(ip));
  }

  /** Whether a block that begins at `ip` is part of a region. */
  isInRegion(ip: number): boolean {
    const here = this.regionPages.get(Math.floor(ip / PAGE)) ?? [];
    for (const { ranges } of here) if (ranges.some((range) => range.ip === ip)) return true;
    return false;
  }

  removeRegion(region: Region): void {
    this.version++;
    for (const ip of region.entrances) {
      if (this.regions.get(ip) !== region) continue;
      this.regions.delete(ip);
      this.jumpCache.forget(ip);
    }
    region.users.delete(this);
    for (const range of region.ranges) for (const page of pagesOf(range)) removeFrom(this.regionPages, page, region);
  }

  remove(block: Block): void {
    this.version++;
    for (const table of [this.table(block.single), this.originals]) {
      if (table.get(block.ip) === block) table.delete(block.ip);
    }
    block.users.delete(this);
    for (const page of pagesOf(block)) removeFrom(this.pages, page, block);
    this.jumpCache.forget(block.ip);
  }

  /** Removes all code with a byte in [from, to). */
  removeRange(from: number, to: number): void {
    const touches = (range: { ip: number; end: number }): boolean => range.ip < to && from < range.end;
    for (const block of within(this.pages, from, to)) if (touches(block)) this.remove(block);
    for (const region of within(this.regionPages, from, to)) if (region.ranges.some(touches)) this.removeRegion(region);
  }

  /** The space is gone: its tables are as they were. */
  giveBack(): void {
    this.version++;
    for (const codes of [this.blocks, this.singles, this.originals, this.regions]) {
      for (const { users } of codes.values()) users.delete(this);
    }
    this.regions.clear();
    this.regionPages.clear();
    this.cooled.clear();
    this.blocks.clear();
    this.singles.clear();
    this.originals.clear();
    this.pages.clear();
    this.jumpCache.giveBack();
  }

  /** From now on guest code finds what is at `ip`: interpreter code (`region` 0, `entry` its physical address), or entrance `entry` of a compiled region. */
  setJump(ip: number, region: number, entry: number): void {
    this.jumpCache.set(ip, region, entry);
  }

  /** Whatever guest code goes on to has to be asked for. */
  forgetJumps(): void {
    this.jumpCache.clear();
  }

  private table(single: boolean): Map<number, Block> {
    return single ? this.singles : this.blocks;
  }
}

type ByPage<T> = Map<number, Set<T>>;

function addTo<T>(pages: ByPage<T>, page: number, code: T): void {
  const known = pages.get(page);
  if (known === undefined) pages.set(page, new Set([code]));
  else known.add(code);
}

function removeFrom<T>(pages: ByPage<T>, page: number, code: T): void {
  const known = pages.get(page);
  known?.delete(code);
  if (known?.size === 0) pages.delete(page);
}

/** The code of the pages that [from, to) touches: a copy. */
function within<T>(pages: ByPage<T>, from: number, to: number): Set<T> {
  const first = Math.floor(from / PAGE);
  const last = Math.floor((to - 1) / PAGE);
  const found = new Set<T>();
  if (last - first > pages.size) {
    for (const [page, code] of pages) if (page >= first && page <= last) for (const one of code) found.add(one);
  } else {
    for (let page = first; page <= last; page++) for (const one of pages.get(page) ?? []) found.add(one);
  }
  return found;
}

function pagesOf(block: { readonly ip: number; readonly end: number }): number[] {
  const first = Math.floor(block.ip / PAGE);
  const last = Math.floor((block.end - 1) / PAGE);
  return first === last ? [first] : [first, last];
}
