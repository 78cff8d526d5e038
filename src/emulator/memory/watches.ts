/** The watchpoints of an address space: ranges of any length whose accesses are reported. */
import type { WatchHit } from '../executor.js';

export interface Watch {
  readonly address: number;
  /** Bytes, at least one. */
  readonly length: number;
  readonly access: 'read' | 'write' | 'access';
}

export class Watches {
  constructor(readonly list: readonly Watch[] = []) {}

  get any(): boolean {
    return this.list.length > 0;
  }

  /** Whether a watched byte lies in [from, to). */
  meets(from: number, to: number): boolean {
    for (const { address, length } of this.list) if (address < to && address + length > from) return true;
    return false;
  }

  /** Appends what the watchpoints see of one access, first byte watched first. */
  collect(at: number, size: number, access: 'read' | 'write', hits: WatchHit[]): void {
    for (const watch of this.list) {
      if (watch.access !== access && watch.access !== 'access') continue;
      const from = Math.max(at, watch.address);
      const to = Math.min(at + size, watch.address + watch.length);
      if (from < to) hits.push({ address: from, length: to - from, access });
    }
  }
}
