/** Instants of virtual time at which something happens by itself: a heap ordered by instant, then by order of setting. Plain data. */

import type { Pid, Tid } from '../types.js';
import type { WaitKey } from './kernel/wait.js';

/** What an alarm does. An alarm whose owner has changed its mind is ignored when it rings: owners check. */
export type AlarmTarget =
  /** Wakes a blocked thread if it still is in the sleep numbered `sleep`. */
  | { readonly kind: 'thread'; readonly tid: Tid; readonly sleep: number }
  | { readonly kind: 'key'; readonly key: WaitKey }
  /** setitimer(ITIMER_REAL), alarm(2). */
  | { readonly kind: 'itimer'; readonly pid: Pid; readonly setting: number }
  /** timer_settime(2) on a clock that is not a CPU clock. */
  | { readonly kind: 'timer'; readonly pid: Pid; readonly id: number; readonly setting: number }
  /** timerfd_settime(2). */
  | { readonly kind: 'bell'; readonly bell: Bell; readonly setting: number };

/** Something that rings by itself; `setting` counts its settings. */
export interface Bell {
  readonly setting: number;
  ring(): void;
}

export interface Alarm {
  readonly at: number;
  readonly order: number;
  readonly target: AlarmTarget;
}

function before(a: Alarm, b: Alarm): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

export class Alarms {
  private readonly heap: Alarm[] = [];
  private order = 0;

  set(at: number, target: AlarmTarget): void {
    const { heap } = this;
    const alarm = { at, order: this.order++, target };
    let i = heap.length;
    heap.push(alarm);
    while (i > 0) {
      const up = (i - 1) >> 1;
      const parent = heap[up] as Alarm;
      if (before(parent, alarm)) break;
      heap[i] = parent;
      i = up;
    }
    heap[i] = alarm;
  }

  /** The earliest alarm, stale ones included. */
  get first(): Alarm | undefined {
    return this.heap[0];
  }

  /** Takes out the earliest alarm. */
  take(): Alarm | undefined {
    const { heap } = this;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    this.sink(last);
    return first;
  }

  private sink(alarm: Alarm): void {
    const { heap } = this;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      const right = heap[child + 1];
      if (right !== undefined && before(right, heap[child] as Alarm)) child++;
      if (before(alarm, heap[child] as Alarm)) break;
      heap[i] = heap[child] as Alarm;
      i = child;
    }
    heap[i] = alarm;
  }
}
