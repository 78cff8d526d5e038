/**
 * Keeps a machine going beside the event loop: a piece of guest code, then a look at sockets and host events, and so on; real sleep while everybody
 * sleeps. Host time decides only when events enter.
 */
import type { Machine } from '../emulator/machine.js';
import type { Progress } from '../inferior.js';
import { NS_PER_MS } from '../types.js';
import { Pace } from './pace.js';

/** A timer of Node is up to a millisecond late, more on a busy machine; what is later than this is lost. */
const MOST_LATE_NS = 10 * NS_PER_MS;
/** Of so many times that everybody slept, one lets the event loop look at sockets and signals before anybody runs again. */
const IDLES_IN_A_TURN = 32;

export interface DriveOptions {
  /** Sleeping takes no time of the host. */
  readonly fastSleep: boolean;
}

export class Drive {
  private readonly pace = new Pace();
  private awaken: (() => void) | undefined;
  /** `wake` was called while nobody slept. */
  private woken = false;
  /** ns that timers of the host came late: the next sleeps are shorter by as much. */
  private late = 0;
  /** Times that everybody slept. */
  private idles = 0;

  constructor(
    private readonly guest: { readonly machine: Machine },
    private readonly options: DriveOptions,
  ) {}

  /** One piece: `run` runs at most so many instructions. */
  piece<Result>(run: (limit: number) => Result): Result {
    const { clock } = this.guest.machine;
    const before = clock.retired;
    const start = performance.now();
    const result = run(this.pace.limit);
    this.pace.took(clock.retired - before, performance.now() - start);
    return result;
  }

  /** What comes between two pieces. */
  async pause(progress: Progress | { readonly kind: 'limit' }): Promise<void> {
    if (progress.kind === 'idle') await this.idle(progress.deadline);
    else if (progress.kind === 'held' || progress.kind === 'exited') await this.rest();
    else await new Promise((resolve) => setImmediate(resolve));
    this.woken = false;
    this.guest.machine.enterHostEvents();
  }

  /** Something has happened that a sleeper must look at: a packet, a signal. */
  wake(): void {
    this.woken = true;
    this.pace.restart();
    this.guest.machine.host.interruptWait();
    this.awaken?.();
  }

  /** Until `wake`: virtual time stands still. */
  private async rest(): Promise<void> {
    if (this.woken) return;
    // Something must keep the event loop alive.
    const alive = setInterval(() => undefined, 1 << 30);
    await new Promise<void>((resolve) => {
      this.awaken = resolve;
    });
    this.awaken = undefined;
    clearInterval(alive);
  }

  /** A probe's handler that only waits for what is settled already has its thread back before a timer is made; now and then the event loop has its turn. */
  private async idle(deadline: number | undefined): Promise<void> {
    if (++this.idles % IDLES_IN_A_TURN === 0) await new Promise((resolve) => setImmediate(resolve));
    else await undefined;
    if (!this.woken) await this.sleep(deadline);
  }

  /** Everybody sleeps; the clock then shows that the time has passed. */
  private async sleep(deadline: number | undefined): Promise<void> {
    const { machine } = this.guest;
    const { clock } = machine;
    if (machine.enterHostEvents()) return;
    if (this.options.fastSleep && deadline !== undefined) {
      clock.jumpTo(deadline);
      // Others get their turn even from a program that only sleeps.
      return new Promise((resolve) => setImmediate(resolve));
    }
    if (this.woken) return;
    const began = clock.monotonic;
    const wanted = deadline === undefined ? Number.POSITIVE_INFINITY : deadline - began;
    if (wanted <= this.late) {
      this.late -= wanted;
      clock.jumpTo(began + wanted);
      return new Promise((resolve) => setImmediate(resolve));
    }
    const start = performance.now();
    await machine.host.wait(deadline === undefined ? undefined : wanted - this.late);
    const slept = this.late + Math.floor((performance.now() - start) * NS_PER_MS);
    clock.jumpTo(began + Math.min(wanted, slept));
    this.late = Math.min(MOST_LATE_NS, Math.max(0, slept - wanted));
  }
}
