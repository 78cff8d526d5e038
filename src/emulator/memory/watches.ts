/** The watchpoints of an address space: ranges of any length whose accesses are reported. */
import type { WatchHit } from '../executor.js';

/** A watched range, `to` excluded. */
export interface WatchRange {
  readonly from: number;
  readonly to: number;
  readonly read: boolean;
  readonly write: boolean;
}

export class Watches {
  constructor(readonly ranges: readonly WatchRange[] = []) {}

  get any(): boolean {
    return this.ranges.length > 0;
  }

  /** Whether a watched byte lies in [from, to). */
  meets(from: number, to: number): boolean {
    for (const range of this.ranges) if (range.from < to && range.to > from) return true;
    return false;
  }

  /** Appends what the watchpoints see of one access. */
  collect(at: number, size: number, access: 'read' | 'write', hits: WatchHit[]): void {
    for (const range of this.ranges) {
      if (!range[access]) continue;
      const address = Math.max(at, range.from);
      const end = Math.min(at + size, range.to);
      if (address < end) hits.push({ address, length: end - address, access });
    }
  }
}
