/**
 * The probe engine: uprobes as designed in 2010, for processes whose host it does not know. Clients register and unregister; the host reports what
 * happens (HostEvents). One per machine. docs/uprobes.md is the guide.
 */
import { Core, DEFAULT_OPTIONS, type EngineOptions } from './core.js';
import { settle, stepEnded } from './execution.js';
import { registerFileProbe } from './file-probe.js';
import { breakpoint, hook } from './hit.js';
import { bringInAll } from './inline-hook.js';
import { checkInvariants } from './invariants.js';
import {
  cloned,
  execed,
  forked,
  mapped,
  processExited,
  rewritten,
  spaceGone,
  threadExited,
  unmapped,
} from './lifecycle.js';
import type {
  Caller,
  HitAnswer,
  HookAnswer,
  HostEvents,
  HostProcess,
  HostSettings,
  HostSpace,
  HostThread,
  HostVma,
  StepEnd,
} from './port.js';
import type { ProbeError } from './probe-error.js';
import {
  applyFilter,
  drained,
  registerAll,
  registerCollector,
  registerStop,
  registerUprobe,
  unregister,
} from './register.js';
import type { Registration } from './registration.js';
import { showReturns } from './return-probe.js';
import { type EngineReport, placeReport, probepointReport, type Statistics } from './statistics.js';
import type { CollectRequest, FileProbe, StopRequest, Uprobe } from './uprobe.js';
import { X86_64 } from './x86/arch.js';

/** A debugger's breakpoint or a tracepoint in force. */
export type Breakpoint = Registration;

export class UprobeEngine implements HostEvents {
  private readonly core: Core;

  constructor(host: HostSettings, options: Partial<EngineOptions> = {}) {
    this.core = new Core(host, X86_64, { ...DEFAULT_OPTIONS, ...options });
  }

  // ---- for clients

  /**
   * Puts a probe in force: when this returns undefined, every thread that fetches the address from now on hits it. Errors, in the order of the checks:
   * EINVAL no handler; EBUSY this object is registered; EINPROGRESS called by a handler, follows after the probed instruction (registrationCallback);
   * ESRCH no such process in the caller's view; EPERM not the caller's to probe; EINVAL not an address, not mapped, not executable, an XOL slot;
   * EIO unreadable; EEXIST the program has a breakpoint there; ENOEXEC no instruction; ENOTSUPP one that cannot be probed; ENOSPC limits; EINVAL
   * semaphore; ENOMEM.
   */
  register(caller: Caller, uprobe: Uprobe): ProbeError | undefined {
    return registerUprobe(this.core, caller, uprobe);
  }

  /** All of them or none. E2BIG: more than 2^20. */
  registerAll(caller: Caller, uprobes: readonly Uprobe[]): ProbeError | undefined {
    return registerAll(this.core, caller, uprobes);
  }

  /**
   * A probe of everybody who maps the file. EACCES: the caller has no privilege and does not ask for its own processes only; EINVAL: offset or
   * semaphore; ENOTSUPP, ENOEXEC: the instruction, if somebody maps it already.
   */
  registerFile(caller: Caller, probe: FileProbe): ProbeError | undefined {
    return registerFileProbe(this.core, caller, probe);
  }

  /**
   * No handler call of this probe starts any more; running ones may finish. Never fails, never waits; unknown probes are ignored. The caller may forget
   * the object at once.
   */
  unregister(probe: Uprobe | FileProbe): void {
    unregister(this.core, this.core.registrations.get(probe));
  }

  /** As unregister; resolves when no handler of the probe runs. */
  unregisterSync(probe: Uprobe | FileProbe): Promise<void> {
    const registration = this.core.registrations.get(probe);
    unregister(this.core, registration);
    return drained(registration);
  }

  /** Asks the probe's filter anew, for every thread. */
  applyFilter(probe: Uprobe | FileProbe): void {
    applyFilter(this.core, this.core.registrations.get(probe));
  }

  /** gdb's Z0 and Z1. ESRCH, EINVAL (an XOL slot), EIO (not mapped), ENOSPC, ENOMEM. */
  setBreakpoint(request: StopRequest): Breakpoint | ProbeError {
    return registerStop(this.core, request);
  }

  /** A tracepoint's collector runs before handlers and stops. Errors as for breakpoints. */
  setCollector(request: CollectRequest): Breakpoint | ProbeError {
    return registerCollector(this.core, request);
  }

  /** Once more does no harm. */
  clearBreakpoint(breakpoint: Breakpoint): void {
    unregister(this.core, breakpoint);
  }

  /** Bytes read at `address` for a debugger get the real return addresses where trampolines are. */
  overlay(space: HostSpace, address: number, bytes: Uint8Array): void {
    showReturns(this.core.tasks.values(), space, address, bytes);
  }

  get statistics(): Readonly<Statistics> {
    bringInAll(this.core);
    return this.core.statistics;
  }

  report(): EngineReport {
    const { core } = this;
    bringInAll(core);
    const uprocs = [...core.uprocs.values()];
    const tasks = [...core.tasks.values()];
    return {
      statistics: { ...core.statistics, executed: { ...core.statistics.executed } },
      probepoints: uprocs.flatMap((uproc) => {
        const pids = this.pidsIn(uproc.space);
        return [...uproc.probepoints.values(), ...uproc.lingering].map((one) => probepointReport(one, pids));
      }),
      gone: uprocs.flatMap((uproc) => {
        const pids = this.pidsIn(uproc.space);
        return [...uproc.gone()].map(([address, tally]) => placeReport(address, tally, pids));
      }),
      slotsUsed: uprocs.reduce((sum, { slotsUsed }) => sum + slotsUsed, 0),
      slotsFree: uprocs.reduce((sum, { slotsFree }) => sum + slotsFree, 0),
      waiting: tasks.filter(({ state: { name } }) => name === 'parked' || name === 'slotWait').length,
      pendingReturns: tasks.reduce((sum, { returns }) => sum + returns.length, 0),
      tasks: tasks.length,
      spaces: uprocs.length,
    };
  }

  private pidsIn(space: HostSpace): readonly number[] {
    return [...this.core.processesIn(space)].map(({ pid }) => pid as number);
  }

  /** Throws when the engine's tables contradict each other. For tests: it walks all of them. */
  checkInvariants(): void {
    checkInvariants(this.core);
  }

  // ---- for the host

  breakpoint(thread: HostThread): HitAnswer {
    return breakpoint(this.core, thread);
  }

  hook(thread: HostThread, owner?: object): HookAnswer {
    return hook(this.core, thread, owner);
  }

  settle(thread: HostThread, end: StepEnd): StepEnd {
    return settle(this.core, this.core.task(thread), end);
  }

  stepEnded(thread: HostThread, end: StepEnd): HitAnswer {
    return stepEnded(this.core, this.core.task(thread), end);
  }

  resumed(thread: HostThread, how: 'continue' | 'step'): void {
    const { core } = this;
    const { ip } = thread;
    const task = core.tasks.get(thread);
    // The debugger has sent it elsewhere: a stop that it has seen is over.
    task?.dropMarks(({ phase, probepoint }) => phase === 'reported' && probepoint.vaddr !== ip);
    const isProbed = core.uprocs.get(thread.process.space)?.probepoints.has(ip) === true;
    if (how === 'step' && isProbed) core.task(thread).stepFrom = ip;
    else if (task !== undefined) task.stepFrom = undefined;
  }

  forked(parent: HostThread, child: HostThread): void {
    forked(this.core, parent, child);
  }

  cloned(parent: HostThread, child: HostThread): void {
    cloned(this.core, parent, child);
  }

  execed(thread: HostThread): void {
    execed(this.core, thread);
  }

  threadExited(thread: HostThread): void {
    threadExited(this.core, thread);
  }

  processExited(process: HostProcess): void {
    processExited(this.core, process);
  }

  spaceGone(space: HostSpace): void {
    spaceGone(this.core, space);
  }

  mapped(process: HostProcess, vma: HostVma): void {
    mapped(this.core, process, vma);
  }

  unmapped(space: HostSpace, from: number, to: number): void {
    unmapped(this.core, space, from, to);
  }

  rewritten(space: HostSpace, from: number, to: number): void {
    rewritten(this.core, space, from, to);
  }
}
