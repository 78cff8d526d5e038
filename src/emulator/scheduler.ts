/**
 * Who runs: threads of all processes take turns in slices counted in retired instructions, first come first served (docs/design.md, the laws of
 * determinism). The order depends on nothing but the guest and the events that enter at slice ends; stops and holds by a debugger do not consume
 * fuel and do not change anybody's place in the queue.
 */
import type { Alarm } from './alarms.js';
import { STATE } from './cpu-state.js';
import { attend, handleExit } from './dispatch.js';
import type { Exit, IpRange } from './executor.js';
import type { RunResult, StopEvent } from './hooks.js';
import { endProcess } from './kernel/exit.js';
import { cpuTimeReached, ringItimer } from './kernel/itimer.js';
import { ringPosixTimer } from './kernel/posix-timer.js';
import { recalculatePending } from './kernel/signal-send.js';
import type { Machine } from './machine.js';
import type { ExitStatus, Process } from './process.js';
import { kernelInfo, killInfo, type SigInfo } from './signals.js';
import { leaveByDebugger, showInSyscall } from './sleep.js';
import { CONTINUE, type ResumeAction, type Thread } from './thread.js';

export class Scheduler {
  /** Fuel of the run of guest code that is under way. */
  fuelGiven = 0;
  private readonly queue: Thread[] = [];
  /** Whose slice it is. */
  private current: Thread | undefined;
  private readonly events: StopEvent[] = [];
  private readonly doomed: Process[] = [];
  private stopRequested = false;
  private budget = 0;
  private pauses = 0;

  constructor(private readonly machine: Machine) {}

  run(limit: number): RunResult {
    this.budget = limit;
    for (;;) {
      this.endDoomed();
      const event = this.events.shift();
      if (event !== undefined) return { kind: 'stop', event };
      this.ringAlarms();
      const thread = this.pick();
      if (this.stopRequested && this.current === undefined) return this.interrupt();
      if (thread === undefined) return this.nobody();
      if (this.budget <= 0) return { kind: 'limit' };
      this.turn(thread);
    }
  }

  /** The thread whose turn it is: inside a system call, the one that makes it. */
  get running(): Thread | undefined {
    return this.current;
  }

  /** Makes `run` come back soon with `limit`, for what takes time without retiring instructions. */
  endRun(): void {
    this.budget = 0;
  }

  requestStop(): void {
    this.stopRequested = true;
  }

  /** Reports an event and holds the thread that it is about. */
  post(event: StopEvent): void {
    this.events.push(event);
    if ('thread' in event) this.hold(event.thread);
    if ('child' in event) this.hold(event.child);
  }

  /** The debugger takes the thread: it runs no more until released. Its place in the queue stays. */
  hold(thread: Thread): void {
    if (thread.held || thread.state === 'dead') return;
    thread.held = true;
    if (thread.blocked !== undefined) showInSyscall(this.machine, thread);
  }

  /**
   * The debugger lets the thread go on. `signal` is what it shall receive first: the number of the signal that stopped it delivers that one with
   * its siginfo (`thread.intercepted`, which the debugger may have replaced), another number a plain one, none suppresses it. One that was given
   * before and has not arrived, because the thread had no turn, still will.
   */
  release(thread: Thread, action: ResumeAction = CONTINUE, signal = 0): void {
    const { intercepted } = thread;
    thread.held = false;
    thread.action = action;
    thread.stepped = 0;
    thread.progress = undefined;
    thread.intercepted = undefined;
    if (signal !== 0) thread.injected = this.injection(signal, intercepted);
    if (thread.shownInSyscall !== undefined) leaveByDebugger(this.machine, thread);
    recalculatePending(thread);
    if (thread.state === 'runnable' || thread.injected !== undefined || thread.signalPending) this.enqueue(thread);
  }

  private injection(signal: number, intercepted: SigInfo | undefined): SigInfo {
    if (intercepted?.signal === signal) return intercepted;
    const { root } = this.machine;
    return root === undefined ? kernelInfo(signal) : killInfo(signal, root.pid, root.credentials.ruid);
  }

  holdAll(process: Process): void {
    for (const thread of process.threads.values()) this.hold(thread);
  }

  enqueue(thread: Thread): void {
    if (thread.queued || thread.state === 'dead') return;
    thread.queued = true;
    this.queue.push(thread);
  }

  dequeue(thread: Thread): void {
    if (this.current === thread) this.current = undefined;
    thread.sliceLeft = 0;
    if (!thread.queued) return;
    thread.queued = false;
    this.queue.splice(this.queue.indexOf(thread), 1);
  }

  /** sched_yield(2): the rest of the slice is given up. */
  endSlice(thread: Thread): void {
    thread.sliceLeft = 0;
  }

  /** The process shall end with this status before any guest code runs: exit_group, a fatal signal. The first status holds. */
  doom(process: Process, status: ExitStatus): void {
    if (process.fate !== undefined || process.status !== undefined) return;
    process.fate = status;
    this.doomed.push(process);
  }

  private endDoomed(): void {
    for (let next = this.doomed.shift(); next !== undefined; next = this.doomed.shift()) {
      endProcess(this.machine, next, next.fate as ExitStatus);
    }
  }

  private pick(): Thread | undefined {
    const { current } = this;
    if (current !== undefined && canRun(current) && current.queued) return current;
    this.current = undefined;
    return this.queue.find(canRun);
  }

  private interrupt(): RunResult {
    this.stopRequested = false;
    return { kind: 'stop', event: { kind: 'interrupt' } };
  }

  private nobody(): RunResult {
    const { machine } = this;
    const live = machine.root === undefined ? 0 : 1;
    if (machine.processes.size <= live) return { kind: 'exited' };
    return { kind: 'idle', deadline: this.nextAlarm() };
  }

  private turn(thread: Thread): void {
    const { machine } = this;
    if (thread.sliceLeft <= 0) thread.sliceLeft = machine.config.sliceLength;
    this.current = thread;
    if (!attend(machine, thread) || this.events.length > 0) return;
    const within = this.rangeOf(thread);
    handleExit(machine, thread, this.execute(thread, this.fuelFor(thread, within), within));
    if (thread.state === 'dead') return;
    // A step is reported before anybody else runs.
    if (thread.action.kind !== 'continue' && thread.state === 'runnable') attend(machine, thread);
    if (thread.sliceLeft <= 0) this.rotate(thread);
  }

  /** Runs guest code and counts what retired, a `syscall` at its end not included. */
  execute(thread: Thread, fuel: number, within?: IpRange): Exit {
    const { cpu, process } = thread;
    this.fuelGiven = fuel;
    const exit = this.machine.execution.run(cpu, process.space, fuel, within);
    // Not `fuel`: a pause may have counted some of it.
    const retired = this.fuelGiven - cpu.int(STATE.FUEL);
    this.fuelGiven = 0;
    cpu.setInt(STATE.FUEL, 0);
    this.account(thread, retired);
    return thread.displaced ? this.machine.hooks.settle(thread, exit) : exit;
  }

  /** Guest code of the running thread asks something: what has retired so far is counted, as it would be had it come back. */
  pause(): Thread {
    const thread = this.current;
    if (thread === undefined || this.fuelGiven === 0) throw new Error('nobody runs guest code');
    const left = thread.cpu.int(STATE.FUEL);
    const retired = this.fuelGiven - left;
    this.fuelGiven = left;
    this.account(thread, retired);
    if (++this.pauses % PAUSES_IN_A_RUN === 0) this.endRun();
    return thread;
  }

  /** Something has happened in a pause that is to be looked at before the thread goes on behind its instruction. */
  runIsOver({ action, held, parked }: Thread): boolean {
    return (
      this.budget <= 0 ||
      this.stopRequested ||
      this.events.length > 0 ||
      held ||
      parked > 0 ||
      action.kind !== 'continue'
    );
  }

  /** The range of a step that has taken long enough to be run at once: a loop. Short ones are over before code is made for them. */
  private rangeOf({ action, cpu, displaced, stepped }: Thread): IpRange | undefined {
    const runs = action.kind === 'range' && stepped >= SINGLE_STEPS && !displaced;
    return runs && cpu.rip >= action.start && cpu.rip < action.end ? action : undefined;
  }

  private fuelFor(thread: Thread, within: IpRange | undefined): number {
    if (thread.action.kind !== 'continue' && within === undefined) {
      thread.stepped++;
      return 1;
    }
    const { clock, alarms } = this.machine;
    const alarm = (alarms.first?.at ?? Number.POSITIVE_INFINITY) - clock.monotonic;
    const cpuTime = Math.min(thread.process.cpuDeadline - thread.process.retired, thread.cpuDeadline - thread.retired);
    const fuel = Math.min(thread.sliceLeft, this.budget, alarm, cpuTime, MAX_FUEL);
    // In a slot: its return jump has been taken back in advance, but what comes before it may use up the fuel (REP).
    return Math.max(1, thread.displaced ? fuel - 1 : fuel);
  }

  /** `count` instructions have retired on behalf of the thread. */
  account(thread: Thread, count: number): void {
    if (count === 0) return;
    const { process } = thread;
    this.machine.clock.retired += count;
    this.budget -= count;
    thread.retired += count;
    thread.sliceLeft -= count;
    thread.progress = 'instruction';
    process.retired += count;
    if (process.retired >= process.cpuDeadline || thread.retired >= thread.cpuDeadline) {
      cpuTimeReached(this.machine, thread);
    }
  }

  /** The slice is over: behind everybody else. */
  private rotate(thread: Thread): void {
    if (this.current === thread) this.current = undefined;
    if (!thread.queued) return;
    this.queue.splice(this.queue.indexOf(thread), 1);
    this.queue.push(thread);
  }

  private ringAlarms(): void {
    const { alarms, clock } = this.machine;
    while (alarms.first !== undefined && alarms.first.at <= clock.monotonic) this.ring(alarms.take() as Alarm);
  }

  /** The earliest alarm that still means something. */
  private nextAlarm(): number | undefined {
    const { alarms } = this.machine;
    while (alarms.first !== undefined && !this.isLive(alarms.first)) alarms.take();
    return alarms.first?.at;
  }

  private isLive({ target }: Alarm): boolean {
    const { threads, processes } = this.machine;
    switch (target.kind) {
      case 'thread': {
        const thread = threads.get(target.tid);
        return thread?.state === 'blocked' && thread.sleep === target.sleep;
      }
      case 'key':
        return this.machine.isAwaited(target.key);
      case 'itimer':
        return processes.get(target.pid)?.itimers[0].setting === target.setting;
      case 'timer':
        return processes.get(target.pid)?.timers.get(target.id)?.setting === target.setting;
      case 'bell':
        return target.bell.setting === target.setting;
    }
  }

  private ring(alarm: Alarm): void {
    if (!this.isLive(alarm)) return;
    const { machine } = this;
    const { target } = alarm;
    if (target.kind === 'key') return machine.wake(target.key);
    if (target.kind === 'bell') return target.bell.ring();
    if (target.kind === 'thread') return machine.wakeThread(machine.threads.get(target.tid) as Thread);
    const process = machine.processes.get(target.pid) as Process;
    if (target.kind === 'itimer') ringItimer(machine, process);
    else ringPosixTimer(machine, process, target.id);
  }
}

/** They take as long as many instructions: after so many the caller of `run` gets its turn. */
const PAUSES_IN_A_RUN = 4096;
/** Of a range step, before it is taken for a loop. */
const SINGLE_STEPS = 64;
/** STATE.FUEL is an i32. */
const MAX_FUEL = 0x7fff_ffff;

function canRun(thread: Thread): boolean {
  return (
    !thread.held && thread.parked === 0 && thread.process.stopped === undefined && thread.process.fate === undefined
  );
}
