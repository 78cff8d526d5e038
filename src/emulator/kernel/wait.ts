/**
 * How a guest thread sleeps: a plain-data record, never a promise or closure (docs/design.md, "A blocked thread stays inside its syscall").
 */

/** Names one thing that can be waited for: a pipe's end, a futex word, a child's change of state. Allocated by the machine. */
export type WaitKey = number;

/** Hears of every wake of a key, whether anybody sleeps on it or not: an epoll file's interest in another file. Plain data, part of the guest's state. */
export interface Watcher {
  /** One of several exclusive watchers is told, as long as it has somebody to wake (EPOLLEXCLUSIVE). */
  readonly exclusive: boolean;
  /** `events`: POLL bits that the change may be about. True when it woke a sleeper. */
  woken(events: number): boolean;
}

/** Events of a wake that is about everything. */
export const ANY_EVENT = -1;

/** What a syscall row returns to put its thread to sleep, and what the thread then holds. */
export interface Blocked {
  readonly kind: 'blocked';
  /** Number of the syscall whose row's `resume` continues it. */
  readonly nr: number;
  /** The six arguments as they were. */
  readonly args: readonly number[];
  /** What wakes it; empty for a pure sleep. */
  readonly keys: readonly WaitKey[];
  /** Virtual CLOCK_MONOTONIC instant in ns at which it wakes by itself. */
  readonly deadline?: number;
  /** What the row needs to go on: bytes already moved and the like. Structured-clonable. */
  readonly progress?: unknown;
}
