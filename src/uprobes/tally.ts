/**
 * What has happened at one address of an address space. It outlives the probepoint: a debugger takes its breakpoints out at every stop and puts them in
 * again, and whoever looks then wants to see what they have cost.
 */
import type { Method } from './arch.js';

export class Tally {
  hits = 0;
  /** Hits that reached no consumer: none wanted the thread. */
  skipped = 0;
  falseConditions = 0;
  /** How the original was executed latest. */
  method: Method | undefined;
  /** Hits that were timed, and how long they took together, ns of the host's clock. */
  timed = 0;
  took = 0;

  constructor(
    /** The instruction, or why there is none. */
    public text: string,
  ) {}

  /** ns */
  get cost(): number | undefined {
    return this.timed === 0 ? undefined : this.took / this.timed;
  }
}
