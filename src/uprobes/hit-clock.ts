/**
 * What hits cost, and handlers that sleep for long: for reports and warnings only. Nothing else looks at the host's clock, and a host without one is
 * probed in the same way.
 */
import { log } from '../log.js';
import { hex, NS_PER_SECOND } from '../types.js';
import type { HostClock } from './port.js';
import type { Probepoint } from './probepoint.js';
import type { UTask } from './task.js';

/** One hit of a probepoint in so many is timed: two looks at a clock take as long as a third of a hit. */
const TIMED_EVERY = 64;
/** A handler that sleeps for longer is told of, ns. */
const LONG_SLEEP = 10 * NS_PER_SECOND;

interface Sleeper {
  readonly probepoint: Probepoint | undefined;
  readonly since: number;
  told: boolean;
}

export class HitClock {
  private readonly sleepers = new Map<UTask, Sleeper>();
  private watching = false;

  constructor(private readonly clock: HostClock | undefined) {}

  /** Where a hit of the probepoint begins that is to be timed, ns; undefined: this one is not. */
  begin({ tally: { hits } }: Probepoint): number | undefined {
    return hits % TIMED_EVERY === 0 ? this.clock?.now() : undefined;
  }

  /** It has been answered. */
  end(probepoint: Probepoint, began: number): void {
    if (this.clock === undefined) return;
    const { tally } = probepoint;
    tally.timed++;
    tally.took += this.clock.now() - began;
  }

  /** A handler has gone to sleep; `probepoint` is undefined for a return handler. */
  asleep(task: UTask, probepoint: Probepoint | undefined): void {
    if (this.clock === undefined) return;
    this.sleepers.set(task, { probepoint, since: this.clock.now(), told: false });
    if (!this.watching) this.watch(this.clock);
  }

  /** It has resolved, or its thread is gone. How long it slept, ns. */
  awake(task: UTask): number {
    const sleeper = this.sleepers.get(task);
    this.sleepers.delete(task);
    return sleeper === undefined || this.clock === undefined ? 0 : this.clock.now() - sleeper.since;
  }

  /** One timer for all that sleep. */
  private watch(clock: HostClock): void {
    this.watching = true;
    clock.after(LONG_SLEEP, () => {
      this.watching = false;
      const now = clock.now();
      for (const [{ thread }, sleeper] of this.sleepers) {
        const slept = now - sleeper.since;
        if (sleeper.told || slept < LONG_SLEEP) continue;
        sleeper.told = true;
        const address = sleeper.probepoint && hex(sleeper.probepoint.vaddr);
        log.warn(
          { tid: thread.tid, address, seconds: Math.round(slept / NS_PER_SECOND) },
          'a probe handler sleeps for long',
        );
      }
      if (this.sleepers.size > 0) this.watch(clock);
    });
  }
}
