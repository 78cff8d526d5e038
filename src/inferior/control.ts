/**
 * Who of the debugged threads runs, and what the client is told: resume actions in, reports out.
 *
 * All-stop: one report answers one resume, and everything is held when it is given; what happens meanwhile waits in `pending` for the next resume.
 * Non-stop: every thread is held and let go by itself, and each stop is a report.
 */
import type { StopEvent as MachineStop } from '../emulator/hooks.js';
import type { Machine } from '../emulator/machine.js';
import type { Process } from '../emulator/process.js';
import { bit, SIGNAL } from '../emulator/signals.js';
import type { Thread, ResumeAction as ThreadAction } from '../emulator/thread.js';
import type { ResumeAction, StopEvent } from '../rsp/stop-event.js';
import type { EventKind } from '../rsp/target-abilities.js';
import { unreachable } from '../types.js';
import type { Debugged } from './debugged.js';
import { interruption } from './signals.js';
import type { WatchReport } from './watch-points.js';

/** What is told beside the thread: facts that the machine's own events do not carry. */
export interface StopFacts {
  /** Of a thread that a breakpoint has just stopped. */
  isHardware(thread: Thread): boolean;
  watchReport(thread: Thread): WatchReport | undefined;
  /** The debugger lets the thread go on at its present ip. */
  resumed(thread: Thread, how: 'continue' | 'step'): void;
}

export class Control {
  nonStop = false;
  /** Events that the client wants to hear of. */
  reported: ReadonlySet<EventKind> = new Set();
  private readonly pending: StopEvent[] = [];
  /** All-stop: those of threads that the client has not resumed, which it does not want to hear of now. */
  private withheld: ReadonlySet<StopEvent> = new Set();
  /** All-stop: the client waits for a report. */
  private owesReport = false;
  /** Nobody looks at stops for now. */
  private frozen = false;

  constructor(
    private readonly machine: Machine,
    private readonly debugged: Debugged,
    private readonly facts: StopFacts,
  ) {}

  /** Threads that run go on; back in all-stop mode the first stop of one of them is a report. */
  setNonStop(on: boolean): void {
    if (this.nonStop && !on) this.owesReport = this.debugged.threads().some(({ held }) => !held);
    this.nonStop = on;
  }

  // ---- resuming

  resume(actions: readonly ResumeAction[]): void {
    if (!this.nonStop) {
      this.owesReport = true;
      this.withhold(actions);
    }
    const reportsAtOnce = !this.nonStop && this.due !== undefined;
    for (const action of actions) {
      const thread = this.debugged.thread(action.thread);
      if (thread === undefined) continue;
      if (reportsAtOnce) this.oweSignal(thread, action);
      else if (action.kind === 'stop') this.pause(thread);
      else if (thread.held) this.letGo(thread, action);
    }
  }

  private withhold(actions: readonly ResumeAction[]): void {
    const resumed = new Set(actions.map(({ thread }) => thread.tid));
    const stands = (event: StopEvent): boolean =>
      'thread' in event && !resumed.has(event.thread.tid) && this.debugged.thread(event.thread) !== undefined;
    this.withheld = new Set(this.pending.filter(stands));
  }

  /** All-stop: what waits to be told first. */
  private get due(): StopEvent | undefined {
    return this.pending.find((event) => !this.withheld.has(event));
  }

  /** Nobody moves before the report; a thread in a stop that was not told keeps its signal for then. */
  private oweSignal(thread: Thread, action: ResumeAction): void {
    if ('signal' in action && action.signal !== 0) this.debugged.record(thread).owedSignal = action.signal;
  }

  private letGo(thread: Thread, action: Exclude<ResumeAction, { kind: 'stop' }>): void {
    const record = this.debugged.record(thread);
    record.stop = undefined;
    record.retiredAtResume = thread.retired;
    record.traceSteps = [];
    const { scheduler } = this.machine;
    this.facts.resumed(thread, action.kind === 'continue' ? 'continue' : 'step');
    const asked = action.kind === 'range' ? 0 : action.signal;
    const signal = record.takesNoSignal ? 0 : asked || record.owedSignal;
    record.takesNoSignal = false;
    record.owedSignal = 0;
    scheduler.release(thread, threadAction(action), signal);
  }

  /** Non-stop: a `stop` action. */
  private pause(thread: Thread): void {
    if (thread.held) return;
    this.machine.scheduler.hold(thread);
    this.add({ kind: 'paused', thread: this.debugged.idOf(thread) });
  }

  /**
   * Ctrl-C, which comes between two runs of the machine: a thread stops where it is, as if SIGINT had come, and keeps the rest of its slice. Nothing, when
   * there is a report already or nobody runs.
   */
  interrupt(): void {
    if (this.hasReport) return;
    const thread = this.interruptible();
    if (thread === undefined) return;
    this.machine.scheduler.hold(thread);
    thread.intercepted = interruption(this.machine);
    this.add({ kind: 'interrupted', thread: this.debugged.idOf(thread) });
    if (!this.nonStop) this.holdAll();
  }

  /** The debugger holds every thread that there is: nobody can run, and time stands still. */
  get holdsAll(): boolean {
    for (const thread of this.machine.threads.values()) if (!thread.held) return false;
    return this.machine.threads.size > 0;
  }

  // ---- reports

  /** The next report that the client shall get now. */
  next(): StopEvent | undefined {
    if (this.frozen) return undefined;
    if (this.nonStop) return this.pending.shift();
    if (!this.owesReport) return undefined;
    const event = this.due ?? this.noneResumed();
    if (event === undefined) return undefined;
    if (this.pending.includes(event)) this.pending.splice(this.pending.indexOf(event), 1);
    this.owesReport = false;
    this.holdAll();
    return event;
  }

  /** Whether `next` would say something. */
  get hasReport(): boolean {
    if (this.frozen) return false;
    if (this.nonStop) return this.pending.length > 0;
    return this.owesReport && (this.due !== undefined || this.noneResumed() !== undefined);
  }

  holdAll(): void {
    for (const thread of this.debugged.threads()) this.machine.scheduler.hold(thread);
  }

  /** Everybody that was resumed is gone, others are held: nothing would ever be reported. */
  private noneResumed(): StopEvent | undefined {
    const threads = this.debugged.threads();
    const [first] = threads;
    if (first === undefined || threads.some((thread) => !thread.held)) return undefined;
    return this.reported.has('no-resumed')
      ? { kind: 'no-resumed' }
      : { kind: 'paused', thread: this.debugged.idOf(first) };
  }

  /** Non-stop: a new thread waits for the client, while its parent goes on. */
  reportCreated(thread: Thread): void {
    this.machine.scheduler.hold(thread);
    this.add({ kind: 'thread-created', thread: this.debugged.idOf(thread) });
  }

  /** A report by somebody else than the machine. */
  add(event: StopEvent): void {
    this.pending.push(event);
    if (!('thread' in event)) return;
    const thread = this.debugged.thread(event.thread);
    if (thread !== undefined) this.debugged.record(thread).stop = event;
  }

  /** The client has let go of the process, or killed it: nothing more is told about it. */
  forget({ pid }: Process): void {
    const others = this.pending.filter((event) => pidOf(event) !== pid);
    this.pending.splice(0, this.pending.length, ...others);
  }

  /** No client knows of the reports that wait: the next one asks for the state of all. */
  forgetReports(): void {
    this.pending.length = 0;
    this.owesReport = false;
  }

  /** Non-stop: the reports of all threads that are stopped. */
  stops(): readonly StopEvent[] {
    const held = this.debugged.threads().filter(({ held }) => held);
    this.pending.length = 0;
    return held.map(
      (thread) => this.debugged.record(thread).stop ?? { kind: 'paused', thread: this.debugged.idOf(thread) },
    );
  }

  /** What the machine came back with. */
  take(event: MachineStop): void {
    if (event.kind === 'interrupt') return;
    const report = this.translate(event);
    if (report === undefined) return;
    if ('thread' in event) this.noteKind(event, report);
    // Held already, unless an earlier event of the same instruction was reported and the thread let go since.
    if ('thread' in event && event.thread.state !== 'dead') this.machine.scheduler.hold(event.thread);
    this.add(report);
    if (!this.nonStop && !this.frozen) this.holdAll();
  }

  freeze(on: boolean): void {
    this.frozen = on;
    if (!on && !this.nonStop && this.pending.length > 0) this.holdAll();
  }

  /** Events of a debugger's own, and the step into a handler, are reported by the kernel without a signal that could be replaced. */
  private noteKind(event: Extract<MachineStop, { thread: Thread }>, { kind }: StopEvent): void {
    const record = this.debugged.record(event.thread);
    record.steppedBy = event.kind === 'stepped' ? event.by : undefined;
    record.takesNoSignal = record.steppedBy === 'handler' || NOTIFICATIONS.has(kind);
  }

  /** The thread that the kernel would give SIGINT to: the leader if it takes it, else one that does (wants_signal, complete_signal). */
  private interruptible(): Thread | undefined {
    const running = this.debugged.threads().filter(({ held }) => !held);
    return running.find(({ signalMask }) => (signalMask & bit(SIGNAL.INT)) === 0n) ?? running[0];
  }

  private translate(event: Exclude<MachineStop, { kind: 'interrupt' }>): StopEvent | undefined {
    if (event.kind === 'process-exit') {
      const id = this.debugged.idOfLeader(event.process);
      return id.pid === event.process.pid
        ? ending(event.process, event.status)
        : {
            kind: 'thread-exited',
            thread: id,
            code: event.status.kind === 'exited' ? event.status.code : event.status.signal,
          };
    }
    const thread = this.debugged.idOf(event.thread);
    switch (event.kind) {
      case 'breakpoint':
        return { kind: 'breakpoint', thread, hardware: this.facts.isHardware(event.thread) };
      case 'signal':
        return { kind: 'signal', thread, signal: event.info.signal };
      case 'watch': {
        const report = this.facts.watchReport(event.thread);
        return report && { kind: 'watchpoint', thread, ...report };
      }
      case 'stepped':
      case 'vfork-done':
        return { kind: event.kind, thread };
      case 'fork':
      case 'vfork':
        return { kind: event.kind, thread, child: this.debugged.idOf(event.child) };
      case 'clone':
        return { kind: 'thread-created', thread: this.debugged.idOf(event.child) };
      case 'exec':
        // A client that does not know exec events gets the SIGTRAP that execve sends under an old ptrace.
        if (!this.reported.has('exec')) return { kind: 'signal', thread, signal: SIGNAL.TRAP };
        return { kind: 'exec', thread, path: event.thread.process.image.exe };
      case 'thread-exit':
        return { kind: 'thread-exited', thread, code: event.code };
      case 'syscall-entry':
      case 'syscall-return':
        return { kind: event.kind, thread, number: event.nr };
      default:
        return unreachable(event);
    }
  }
}

/** Made by ptrace_event in the kernel. */
const NOTIFICATIONS: ReadonlySet<StopEvent['kind']> = new Set([
  'fork', 'vfork', 'vfork-done', 'exec', 'thread-created', 'thread-exited',
] as const); // biome-ignore format: a table

function ending(process: Process, status: NonNullable<Process['status']>): StopEvent {
  const { pid } = process;
  return status.kind === 'exited'
    ? { kind: 'exited', pid, code: status.code }
    : { kind: 'killed', pid, signal: status.signal };
}

function threadAction(action: Exclude<ResumeAction, { kind: 'stop' }>): ThreadAction {
  if (action.kind !== 'range') return { kind: action.kind };
  return { kind: 'range', start: Number(action.start), end: Number(action.end) };
}

function pidOf(event: StopEvent): number | undefined {
  if ('thread' in event) return event.thread.pid;
  return 'pid' in event ? event.pid : undefined;
}
