/** What the debugger knows about processes and threads of the machine that it holds in its hands. */
import type { Process } from '../emulator/process.js';
import type { Progress, Thread } from '../emulator/thread.js';
import type { StopEvent } from '../rsp/stop-event.js';
import type { ThreadId } from '../rsp/thread-id.js';
import type { Pid, Tid } from '../types.js';

/** A process under the debugger: from its start, attach or fork to its end or detach. */
export interface DebuggedProcess {
  readonly process: Process;
  /** It was running when the debugger came; a client that quits detaches from it. */
  readonly attached: boolean;
  /** Syscalls to stop at. */
  caught: ReadonlySet<number> | 'all';
  /**
   * Living processes whose threads are this one's for a debugger, as for gdbserver: made by clone with another exit signal than SIGCHLD, which ptrace
   * reports as it reports new threads.
   */
  readonly members: Set<Process>;
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
  /** How the step went that is its present stop. */
  steppedBy: Progress | undefined;
  /** Its present stop is none that a signal can be given to: the kernel ignores what a debugger resumes it with (ptrace_notify). */
  takesNoSignal: boolean;
  /** The client has resumed it with this signal, but another report came first and it was not let go; 0: none. */
  owedSignal: number;
}

export class Debugged {
  private readonly byPid = new Map<Pid, DebuggedProcess>();
  /** Of members, living or not. */
  private readonly owners = new WeakMap<Process, DebuggedProcess>();
  private readonly records = new WeakMap<Thread, ThreadRecord>();

  add(process: Process, attached: boolean): DebuggedProcess {
    const debugged: DebuggedProcess = { process, attached, caught: new Set(), members: new Set() };
    this.byPid.set(process.pid, debugged);
    process.traced = true;
    return debugged;
  }

  remove(process: Process): void {
    for (const member of this.group(process.pid)) this.leave(member);
    this.byPid.delete(process.pid);
    process.traced = false;
  }

  /** Clients know the threads of `member` as those of `owner`. */
  join(member: Process, owner: DebuggedProcess): void {
    owner.members.add(member);
    this.owners.set(member, owner);
    member.traced = true;
  }

  leave(member: Process): void {
    this.owners.get(member)?.members.delete(member);
    member.traced = false;
  }

  isMember(process: Process): boolean {
    return this.owners.get(process)?.members.has(process) === true;
  }

  /** Not of members: clients do not know their pids. */
  get(pid: Pid): DebuggedProcess | undefined {
    return this.byPid.get(pid);
  }

  /** The debugged process, or the one that it is a member of. */
  of(process: Process): DebuggedProcess | undefined {
    return this.byPid.get(process.pid) ?? (this.isMember(process) ? this.owners.get(process) : undefined);
  }

  has(process: Process): boolean {
    return this.of(process) !== undefined;
  }

  /** The debugged process and its members. */
  group(pid: Pid): readonly Process[] {
    const debugged = this.byPid.get(pid);
    return debugged === undefined ? [] : [debugged.process, ...debugged.members];
  }

  /** Oldest first. */
  all(): readonly DebuggedProcess[] {
    return [...this.byPid.values()];
  }

  /** Living threads of one process, the leader first. */
  threadsOf({ process, members }: DebuggedProcess): readonly Thread[] {
    const { leader } = process;
    const others = [process, ...members].flatMap(({ threads }) => [...threads.values()]);
    return leader === undefined ? others : [leader, ...others.filter((thread) => thread !== leader)];
  }

  threads(): readonly Thread[] {
    return this.all().flatMap((debugged) => this.threadsOf(debugged));
  }

  thread({ pid, tid }: ThreadId): Thread | undefined {
    for (const { threads } of this.group(pid)) {
      const thread = threads.get(tid);
      if (thread !== undefined) return thread;
    }
    return undefined;
  }

  record(thread: Thread): ThreadRecord {
    const known = this.records.get(thread);
    if (known !== undefined) return known;
    const record: ThreadRecord = {
      stop: undefined,
      retiredAtResume: -1,
      traceSteps: [],
      steppedBy: undefined,
      takesNoSignal: false,
      owedSignal: 0,
    };
    this.records.set(thread, record);
    return record;
  }

  /** What clients call the thread. */
  idOf({ process, tid }: Thread): ThreadId {
    return { pid: this.idOfLeader(process).pid, tid };
  }

  idOfLeader(process: Process): ThreadId {
    return { pid: (this.owners.get(process)?.process ?? process).pid, tid: process.pid as number as Tid };
  }
}
