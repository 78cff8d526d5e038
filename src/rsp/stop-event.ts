/** Why the target stopped, and how it shall go on: what passes between the session and whoever runs the program. */
import type { Pid } from '../types.js';
import type { ThreadId } from './thread-id.js';

/**
 * One report. In all-stop mode every thread is stopped when the session gets it, and each resume is answered by exactly one; further
 * events wait in the target for the next resume. Signal numbers are Linux's.
 */
export type StopEvent =
  /** A signal is about to be delivered; it will be only if the next resume says so. A new program stops with SIGTRAP before its first instruction. */
  | { readonly kind: 'signal'; readonly thread: ThreadId; readonly signal: number }
  /** A Z0 or Z1 breakpoint: the pc is its address. */
  | { readonly kind: 'breakpoint'; readonly thread: ThreadId; readonly hardware: boolean }
  /** A Z2, Z3 or Z4 watchpoint: the access is done, the address lies inside the watched range. */
  | {
      readonly kind: 'watchpoint';
      readonly thread: ThreadId;
      readonly access: 'write' | 'read' | 'access';
      readonly address: bigint;
    }
  /** A step or range step is complete. */
  | { readonly kind: 'stepped'; readonly thread: ThreadId }
  /** The client's 0x03 or `vCtrlC`. */
  | { readonly kind: 'interrupted'; readonly thread: ThreadId }
  /** A thread that a `stop` action stopped (non-stop mode only). */
  | { readonly kind: 'paused'; readonly thread: ThreadId }
  /** The child is stopped too and has not run. */
  | { readonly kind: 'fork' | 'vfork'; readonly thread: ThreadId; readonly child: ThreadId }
  | { readonly kind: 'vfork-done'; readonly thread: ThreadId }
  /** The new image is in place; all breakpoints of the process are gone. */
  | { readonly kind: 'exec'; readonly thread: ThreadId; readonly path: string }
  | { readonly kind: 'syscall-entry' | 'syscall-return'; readonly thread: ThreadId; readonly number: number }
  | { readonly kind: 'thread-created'; readonly thread: ThreadId }
  | { readonly kind: 'thread-exited'; readonly thread: ThreadId; readonly code: number }
  | { readonly kind: 'exited'; readonly pid: Pid; readonly code: number }
  | { readonly kind: 'killed'; readonly pid: Pid; readonly signal: number }
  /** All threads that were resumed have ended; others exist and are stopped. */
  | { readonly kind: 'no-resumed' };

/** The thread that a report is about; undefined where it is about a process or nobody. */
export function threadOf(event: StopEvent): ThreadId | undefined {
  return 'thread' in event ? event.thread : undefined;
}

/**
 * What one thread shall do. `signal` is Linux's number, 0 for none, and is delivered before the first instruction. Threads that a resume
 * does not name stay as they are. In non-stop mode an action for a thread that already runs is ignored, except `stop`.
 */
export type ResumeAction = { readonly thread: ThreadId } & (
  | { readonly kind: 'continue'; readonly signal: number }
  | { readonly kind: 'step'; readonly signal: number }
  /** Step until the pc leaves [start, end); at least one step. */
  | { readonly kind: 'range'; readonly start: bigint; readonly end: bigint }
  | { readonly kind: 'stop' }
);
