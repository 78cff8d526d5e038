/** What the debugger knows about processes and threads of the machine that it holds in its hands. */
import type { Process } from '../emulator/process.js';
import type { Thread } from '../emulator/thread.js';
import type { StopEvent } from '../rsp/stop-event.js';
import type { ThreadId } from '../rsp/thread-id.js';
import type { Pid } from '../types.js';

/** A process under the debugger: from its start, attach or fork to its end or detach. */
export interface DebuggedProcess {
  readonly process: Process;
  /** It was running when the debugger came; a client that quits detaches from it. */
  readonly attached: boolean;
  /** Syscalls to stop at. */
  caught: ReadonlySet<number> | 'all';
}

/** Code that the thread records while it steps behind a tracepoint. */
export interface TraceSteps {
  readonly number: number;
  readonly address: bigint;
  left: number;
  /** What the client lets the thread do meanwhile. */
  readonly action: Thread['action'];
}

/** What the debugger remembers of a thread. Lives as long as the thread's object. */
export interface ThreadRecord {
  /** The report of its present stop, while it is held. */
  stop: StopEvent | undefined;
  /** `retired` when it was let go the last time: a step begins with the instruction itself, whatever breakpoint is on it. */
  retiredAtResume: number;
  traceSteps: TraceSteps[];
  /** Its present stop is none that a signal can be given to: the kernel ignores what a debugger resumes it with (ptrace_notify). */
  takesNoSignal: boolean;
}

export class Debugged {
  private readonly byPid = new Map<Pid, DebuggedProcess>();
  private readonly records = new WeakMap<Thread, ThreadRecord>();

  add(process: Process, attached: boolean): DebuggedProcess {
    const debugged: DebuggedProcess = { process, attached, caught: new Set() };
    this.byPid.set(process.pid, debugged);
    process.traced = true;
    return debugged;
  }

  remove(process: Process): void {
    this.byPid.delete(process.pid);
    process.traced = false;
  }

  get(pid: Pid): DebuggedProcess | undefined {
    return this.byPid.get(pid);
  }

  has({ pid }: Process): boolean {
    return this.byPid.has(pid);
  }

  /** Oldest first. */
  all(): readonly DebuggedProcess[] {
    return [...this.byPid.values()];
  }

  /** Living threads of one process, the leader first. */
  threadsOf({ process }: DebuggedProcess): readonly Thread[] {
    const { leader } = process;
    const others = [...process.threads.values()].filter((thread) => thread !== leader);
    return leader === undefined ? others : [leader, ...others];
  }

  threads(): readonly Thread[] {
    return this.all().flatMap((debugged) => this.threadsOf(debugged));
  }

  thread({ pid, tid }: ThreadId): Thread | undefined {
    return this.byPid.get(pid)?.process.threads.get(tid);
  }

  record(thread: Thread): ThreadRecord {
    const known = this.records.get(thread);
    if (known !== undefined) return known;
    const record: ThreadRecord = { stop: undefined, retiredAtResume: -1, traceSteps: [], takesNoSignal: false };
    this.records.set(thread, record);
    return record;
  }
}

export function idOf(thread: Thread): ThreadId {
  return { pid: thread.process.pid, tid: thread.tid };
}
