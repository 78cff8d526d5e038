/**
 * Compiled regions of the machine: where they came from, and their place in the table that the dispatcher calls through. Like blocks they are found by
 * address and bytes, so a region serves every address space in which all its code is there. When the table is full the oldest one goes.
 */
import type { PlacedHook } from '../ir/ir.js';
import { REGION_TABLE_SIZE, type Runtime } from './runtime.js';
import type { SpaceCode } from './space-code.js';

/** A piece of code that a region was made of. */
export interface CodeRange {
  readonly ip: number;
  readonly end: number;
  readonly bytes: Uint8Array;
  readonly hooks: readonly PlacedHook[];
}

export interface Region {
  /** Addresses where it can be entered, by number. */
  readonly entrances: readonly number[];
  readonly ranges: readonly CodeRange[];
  /** In the dispatcher's table, from 1 on. */
  readonly index: number;
  readonly users: Set<SpaceCode>;
}

export class RegionStore {
  private readonly byEntrance = new Map<number, Region[]>();
  /** In the order in which they were made. */
  private readonly live = new Set<Region>();
  private readonly free: number[] = [];
  /** Regions made so far. */
  made = 0;

  constructor(private readonly table: Runtime['regions']) {
    for (let index = REGION_TABLE_SIZE - 1; index > 0; index--) this.free.push(index);
  }

  get count(): number {
    return this.live.size;
  }

  add(entrances: readonly number[], ranges: readonly CodeRange[], code: WebAssembly.ExportValue): Region {
    const index = this.free.pop() ?? this.evictOldest();
    this.table.set(index, code);
    const region = { entrances, ranges, index, users: new Set<SpaceCode>() };
    this.live.add(region);
    this.made++;
    for (const ip of entrances) {
      const others = this.byEntrance.get(ip);
      if (others === undefined) this.byEntrance.set(ip, [region]);
      else others.push(region);
    }
    return region;
  }

  /** A region that can be entered at this address and whose code is there now: `matches` compares. */
  find(ip: number, matches: (range: CodeRange) => boolean): Region | undefined {
    return this.byEntrance.get(ip)?.find(({ ranges }) => ranges.every(matches));
  }

  private evictOldest(): number {
    const [oldest] = this.live;
    if (oldest === undefined) throw new Error('a full table without regions');
    this.live.delete(oldest);
    for (const user of [...oldest.users]) user.removeRegion(oldest);
    this.table.set(oldest.index, null);
    for (const ip of oldest.entrances) {
      const left = (this.byEntrance.get(ip) ?? []).filter((other) => other !== oldest);
      if (left.length === 0) this.byEntrance.delete(ip);
      else this.byEntrance.set(ip, left);
    }
    return oldest.index;
  }
}
