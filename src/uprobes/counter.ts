/** Counting hits: the consumer that costs nanoseconds, because translated code can do it by itself. */
import type { AgentProgram } from '../agent-expression/program.js';

/**
 * The `counter` of a probe. One counter may serve several probes. A hit counts when `when` is true (or left out); where it cannot be evaluated the hit
 * does not count, and `conditionErrors` of the statistics does.
 */
export class Counter {
  private counted = 0;
  /** Brings in what translated code has counted: one for each place. */
  private readonly places = new Set<() => void>();

  constructor(readonly when?: AgentProgram) {}

  /** Exact at any time, a handler's included. */
  get hits(): number {
    for (const bringIn of this.places) bringIn();
    return this.counted;
  }

  // ---- for the engine

  add(hits: number): void {
    this.counted += hits;
  }

  attach(bringIn: () => void): void {
    this.places.add(bringIn);
  }

  detach(bringIn: () => void): void {
    this.places.delete(bringIn);
  }
}
