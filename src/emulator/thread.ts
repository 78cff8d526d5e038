/**
 * A guest thread: one schedulable CPU context of a process, from clone to exit. Plain data but for the view of its CPU struct.
 */
import type { Tid } from '../types.js';
import type { CpuState } from './cpu-state.js';
import type { Blocked } from './kernel/wait.js';
import type { Process } from './process.js';
import { noPending, type PendingSignals, type SigInfo, type SigSet } from './signals.js';

/**
 * - runnable: has its place in the run queue (it may still hold a `blocked` record that was woken: `resume` comes first)
 * - blocked: sleeps in a syscall; `blocked` says in which
 * - dead: gone; only its object is left
 * A process stopped by job control keeps its threads' states: see Process.stopped.
 */
export type ThreadState = 'runnable' | 'blocked' | 'dead';

/** What the debugger lets a thread do. `range`: step until ip has left [start, end). */
export type ResumeAction =
  | { readonly kind: 'continue' }
  | { readonly kind: 'step' }
  | { readonly kind: 'range'; readonly start: number; readonly end: number };

/** What a step has done: retired an instruction, come to the end of a syscall, or entered a signal handler. */
export type Progress = 'instruction' | 'syscall' | 'handler';

export const CONTINUE: ResumeAction = { kind: 'continue' };

/** sigaltstack(2), struct stack_t. */
export interface AltStack {
  sp: number;
  size: number;
  flags: number;
}

/** What the kernel remembers of the last fault, for signal frames (struct thread_struct: trap_nr, error_code, cr2). */
export interface FaultRecord {
  trapNumber: number;
  errorCode: number;
  address: number | bigint;
}

export class Thread {
  state: ThreadState = 'runnable';
  /** The syscall in which it sleeps, or which was woken and has to be resumed. */
  blocked: Blocked | undefined;
  /** A syscall that a signal left, for restart_syscall(2). */
  restartBlock: Blocked | undefined;

  signalMask: SigSet = 0n;
  /** The mask to put back when the syscall that replaced it (sigsuspend, ppoll, pselect, epoll_pwait) is over. */
  savedMask: SigSet | undefined;
  /** Signals that sigtimedwait waits for: they wake it although they are blocked. */
  awaitedSignals: SigSet = 0n;
  readonly pending: PendingSignals = noPending();
  /** A signal may be deliverable: looked at before the thread runs guest code (TIF_SIGPENDING). */
  signalPending = false;
  altStack: AltStack = { sp: 0, size: 0, flags: 2 };
  lastFault: FaultRecord = { trapNumber: 0, errorCode: 0, address: 0 };

  /** CLONE_CHILD_CLEARTID, set_tid_address(2); 0: none. */
  clearChildTid = 0;
  /** set_robust_list(2): address of the head; 0: none. */
  robustList = 0;
  /** comm of the thread, at most 15 bytes (PR_SET_NAME). */
  name: string;
  /** Instructions retired by this thread: its CPU time in ns. */
  retired = 0;
  /** `retired` at which a timer on its CPU clock expires. */
  cpuDeadline = Number.POSITIVE_INFINITY;
  /** Signal sent to it when its parent thread dies (PR_SET_PDEATHSIG); 0: none. */
  parentDeathSignal = 0;
  /** Nice value, -20 to 19. Order of execution does not depend on it. */
  nice = 0;
  /** Scheduling policy and priority as sched_setscheduler(2) left them. Order of execution does not depend on them. */
  policy = { policy: 0, priority: 0 };

  /** The debugger holds it: it does not run until released. */
  held = false;
  /** Reasons other than the debugger's for not running (a probe handler that sleeps); it runs when 0. */
  parked = 0;
  action: ResumeAction = CONTINUE;
  /** Instructions that were executed one by one for this action. */
  stepped = 0;
  /** What it has done last since the action was given: a step is complete when there is something and it has left its range. */
  progress: Progress | undefined;
  /** The signal that made it stop: the debugger decides about it with `release`, and may replace it before ($_siginfo). */
  intercepted: SigInfo | undefined;
  /** The signal that the debugger delivers: it passes no hook any more. */
  injected: SigInfo | undefined;
  /** Stopped between entering this syscall and running it. */
  stoppedAtEntry: number | undefined;
  /** Stopped by an event inside this syscall, which has its result: the return is still to be told to a debugger that catches it. */
  returnsFrom: number | undefined;
  /** What a thread held inside a syscall showed to the debugger: when one of them has changed it leaves the syscall. */
  shownInSyscall: { readonly ip: number; readonly nr: number; readonly result: number } | undefined;

  /** In the scheduler's queue: runnable, or asleep with a signal to look at. */
  queued = false;
  /** Instructions left of its slice. */
  sliceLeft = 0;
  /** Number of its current or latest sleep, so that an alarm set for an earlier one is known to be stale. */
  sleep = 0;
  /** The probe engine has sent it into a slot, from which it comes back by itself: its ip is not the program's. */
  displaced = false;
  /** Its registers were written from outside since the flag was cleared: a hook wants to know. */
  touched = false;
  /** RF is set: it faulted and has executed nothing since (SDM vol. 3B, 17.3.1.1). */
  resumeFlag = false;

  constructor(
    /** Changes once at most: a thread that execs takes over its leader's. */
    public tid: Tid,
    public process: Process,
    readonly cpu: CpuState,
    name: string,
  ) {
    this.name = name;
  }

  get isLeader(): boolean {
    return (this.tid as number) === (this.process.pid as number);
  }
}
