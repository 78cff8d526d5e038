/** What a process remembers of its interval timers (setitimer) and POSIX timers (timer_create). Plain data; kernel/itimer.ts and posix-timer.ts use it. */

/** One of ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF. */
export interface Itimer {
  /** Instant on its clock (virtual monotonic, or the process's CPU time) in ns; Infinity: disarmed. */
  expires: number;
  /** ns; 0: once. */
  interval: number;
  /** Number of the latest setting: an alarm of an earlier one is stale. */
  setting: number;
}

export type ItimerTable = readonly [real: Itimer, virtual: Itimer, prof: Itimer];

function disarmed(): Itimer {
  return { expires: Number.POSITIVE_INFINITY, interval: 0, setting: 0 };
}

export function noItimers(): ItimerTable {
  return [disarmed(), disarmed(), disarmed()];
}

/** How an expiry is told (struct sigevent). */
export type TimerNotification =
  | { readonly kind: 'none' }
  | { readonly kind: 'signal'; readonly signal: number; readonly value: bigint }
  | { readonly kind: 'thread'; readonly signal: number; readonly value: bigint; readonly tid: number };

export interface PosixTimer {
  readonly id: number;
  readonly clock: number;
  /** For a CPU clock: the thread whose time it counts, 0 for the whole process. undefined: no CPU clock. */
  readonly cpuOf: number | undefined;
  readonly notify: TimerNotification;
  /** Virtual monotonic ns, or CPU ns for CPU clocks; Infinity: disarmed. */
  expires: number;
  interval: number;
  setting: number;
  /** Expired; waits for its signal to be taken. */
  fired: boolean;
  /** What timer_getoverrun tells: expiries beyond the first that the signal delivered last stood for. */
  overrun: number;
}
