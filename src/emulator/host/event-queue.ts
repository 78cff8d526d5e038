/** Events on their way into the machine, and the one wait for them. Edge between the event loop and the synchronous emulator. */
import { NS_PER_MS } from '../../types.js';
import type { HostEvent, HostSource } from './host.js';

/** Looked at while somebody waits and at every drain: true when something came. */
export type Poller = () => boolean;

const SHORTEST_MS = 1;
const LONGEST_MS = 10;

export class EventQueue {
  private events: HostEvent[] = [];
  private readonly pollers = new Set<Poller>();
  private endWait: (() => void) | undefined;

  /** Something came in: a wait ends. */
  post(source: HostSource): void {
    this.events.push({ source });
    this.endWait?.();
  }

  /** For what Node cannot wait for without taking it: the poller posts its own event and then removes itself. */
  addPoller(poller: Poller): void {
    this.pollers.add(poller);
  }

  removePoller(poller: Poller): void {
    this.pollers.delete(poller);
  }

  drain(): readonly HostEvent[] {
    this.poll();
    const { events } = this;
    this.events = [];
    return events;
  }

  interrupt(): void {
    this.endWait?.();
  }

  /** `atMost`: ns. One at a time. */
  async wait(atMost: number | undefined): Promise<void> {
    const end = atMost === undefined ? Number.POSITIVE_INFINITY : performance.now() + atMost / NS_PER_MS;
    let pause = SHORTEST_MS;
    while (this.events.length === 0 && !this.poll()) {
      const left = end - performance.now();
      if (left <= 0) return;
      const interrupted = await this.sleep(this.pollers.size === 0 ? left : Math.min(left, pause));
      if (interrupted) return;
      pause = Math.min(2 * pause, LONGEST_MS);
    }
  }

  private poll(): boolean {
    let came = false;
    for (const poller of [...this.pollers]) came = poller() || came;
    return came;
  }

  /** True when it ended before its time. */
  private sleep(ms: number): Promise<boolean> {
    return new Promise((resolve) => {
      const finish = (early: boolean): void => {
        clearTimeout(timer);
        this.endWait = undefined;
        resolve(early);
      };
      const timer = setTimeout(() => finish(false), Math.min(ms, MAX_TIMEOUT_MS));
      this.endWait = () => finish(true);
    });
  }
}

/** What setTimeout can hold; the loop above goes on after it. */
const MAX_TIMEOUT_MS = 0x7fff_ffff;
