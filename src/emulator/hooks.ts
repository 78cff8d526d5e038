/**
 * What the emulator reports while it runs, implemented by src/inferior.ts. Every hook runs synchronously between two guest instructions and
 * must not run guest code. A hook that answers `stop` makes the scheduler hold that thread and machine.run return the event.
 */
import type { CodeHook, Exit, WatchHit } from './executor.js';
import type { ExitStatus, Process } from './process.js';
import type { SigInfo } from './signals.js';
import type { Progress, Thread } from './thread.js';

export type Answer = 'go' | 'stop';

/**
 * - program: the int3 is the program's own: it retires, ip moves behind it, SIGTRAP (SI_KERNEL) is raised
 * - passed: the same, but without the signal
 * - resume: go on at the thread's ip, which the hook may have changed; what it emulated it has told `machine.account`
 * - park: the thread shall not run now (its `parked` count was raised by the hook); others go on
 * - stop: as resume, but the debugger wants to see the thread first
 * - an Exit: the original instruction was executed elsewhere (`machine.runOne`) or is to be executed by the kernel, and ended like this; ip is as if
 *   it had been executed in place. `syscall` and `fault` then take their course.
 */
export type BreakpointAnswer = 'program' | 'passed' | 'resume' | 'park' | 'stop' | Exit;

/** What becomes of a signal that is about to be delivered. `stop`: the debugger decides later, with `release`. */
export type SignalAnswer = 'deliver' | 'suppress' | 'stop';

export interface MachineHooks {
  /** The fetch of an int3 (ip at it, nothing retired). */
  breakpoint(thread: Thread): BreakpointAnswer;
  /**
   * As `breakpoint`, asked from within translated code, which goes on with the instruction when the answer is `original`. Nothing is unfinished with the
   * thread, and it is not displaced.
   */
  hook(thread: Thread, hook: CodeHook): BreakpointAnswer | 'original';
  /** Guest code of a thread that is `displaced` has come back: puts its ip where the program's own is, and says what that ended with. */
  settle(thread: Thread, exit: Exit): Exit;
  /** Only for processes with `traced` set; never for SIGKILL. */
  signal(thread: Thread, info: SigInfo): SignalAnswer;
  /** A watched access; its instruction has retired. */
  watch(thread: Thread, hits: readonly WatchHit[]): Answer;
  /** A step or range step is complete. */
  stepped(thread: Thread): Answer;
  /**
   * The child, a new process, exists and has not run. `stop` holds parent and child, and is reported as `how`: `clone` is what a debugger of Linux hears of
   * a process whose end sends another signal than SIGCHLD, or none.
   */
  fork(parent: Thread, child: Thread, how: 'fork' | 'vfork' | 'clone'): Answer;
  /** The vfork child has exec'ed or ended; its parent goes on. */
  vforkDone(parent: Thread): Answer;
  /** A new thread of the same process, which has not run. */
  clone(parent: Thread, child: Thread): Answer;
  /** The new image is in place, ip at its entry; the other threads are gone. `formerTid`: the caller's, when it was not the leader. */
  exec(thread: Thread, formerTid: number): Answer;
  /** The thread ends; its registers can still be read. Not called for the last thread of a process, nor for threads killed by its end. */
  threadExit(thread: Thread, code: number): Answer;
  /** The process has ended; it is a zombie or already gone. Never holds anything up; `stop` makes machine.run return. */
  processExit(process: Process, status: ExitStatus): Answer;
  /** A syscall of a traced process is about to run (ip behind it, orig_rax the number) or has its result. Only when `catchSyscalls` says so. */
  syscallEntry(thread: Thread, nr: number): Answer;
  syscallReturn(thread: Thread, nr: number): Answer;
  /** Do syscallEntry and syscallReturn want this one? */
  catchesSyscall(process: Process, nr: number): boolean;
  /** A program signals the virtual root, its getppid(): one whose default action ends a process ends the server. */
  rootSignal(info: SigInfo): void;
  /** The process is about to lose this address space (exec, exit) with no other user left. */
  spaceGone(process: Process): void;
}

/** Why machine.run came back for the debugger. */
export type StopEvent =
  | { readonly kind: 'breakpoint'; readonly thread: Thread }
  | { readonly kind: 'signal'; readonly thread: Thread; readonly info: SigInfo }
  | { readonly kind: 'watch'; readonly thread: Thread; readonly hits: readonly WatchHit[] }
  | { readonly kind: 'stepped'; readonly thread: Thread; readonly by: Progress }
  | { readonly kind: 'fork' | 'vfork' | 'clone'; readonly thread: Thread; readonly child: Thread }
  | { readonly kind: 'vfork-done'; readonly thread: Thread }
  | { readonly kind: 'exec'; readonly thread: Thread; readonly formerTid: number }
  | { readonly kind: 'thread-exit'; readonly thread: Thread; readonly code: number }
  | { readonly kind: 'process-exit'; readonly process: Process; readonly status: ExitStatus }
  | { readonly kind: 'syscall-entry' | 'syscall-return'; readonly thread: Thread; readonly nr: number }
  /** machine.requestStop() was honoured at the end of a slice. */
  | { readonly kind: 'interrupt' };

export type RunResult =
  | { readonly kind: 'stop'; readonly event: StopEvent }
  /** Every process has ended (and has been waited for by the virtual root). */
  | { readonly kind: 'exited' }
  /** No thread can run: all wait for the host or for an instant of virtual time (ns of CLOCK_MONOTONIC). */
  | { readonly kind: 'idle'; readonly deadline: number | undefined }
  | { readonly kind: 'limit' };

/** Hooks for a machine without a debugger: everything goes on, every int3 is the program's own. */
export const NO_HOOKS: MachineHooks = {
  breakpoint: () => 'program',
  hook: () => {
    throw new Error('a hook without a probe engine');
  },
  settle: (_thread, exit) => exit,
  signal: () => 'deliver',
  watch: () => 'go',
  stepped: () => 'go',
  fork: () => 'go',
  vforkDone: () => 'go',
  clone: () => 'go',
  exec: () => 'go',
  threadExit: () => 'go',
  processExit: () => 'go',
  syscallEntry: () => 'go',
  syscallReturn: () => 'go',
  catchesSyscall: () => false,
  rootSignal: () => undefined,
  spaceGone: () => undefined,
};
