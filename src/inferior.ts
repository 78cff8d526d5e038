/**
 * The debugged programs: binds the protocol's `Target` to the emulator's machine and the probe engine. Alone knows all three. Lives as long as the
 * machine; clients come and go.
 */

import type { AgentMachine } from './agent-expression/evaluate.js';
import type { WatchHit } from './emulator/executor.js';
import type { StopEvent as MachineStop } from './emulator/hooks.js';
import type { Machine } from './emulator/machine.js';
import type { Process } from './emulator/process.js';
import type { SigInfo } from './emulator/signals.js';
import { SIGNAL } from './emulator/signals.js';
import type { Thread } from './emulator/thread.js';
import { CodePoints, isCodeKind } from './inferior/code-points.js';
import { Control } from './inferior/control.js';
import { readMemory, writeMemory } from './inferior/debug-space.js';
import { Debugged } from './inferior/debugged.js';
import { debuggerHooks } from './inferior/hooks.js';
import { type LaunchSettings, ProgramLauncher, type ProgramStarter, type StartupEnd } from './inferior/launcher.js';
import { DebuggerMemory, regionAround } from './inferior/memory-regions.js';
import { osData } from './inferior/os-data.js';
import type { ProbeHooks } from './inferior/probe-hooks.js';
import { readRegister, readRegisters, writeRegister } from './inferior/registers.js';
import { readSigInfo, SignalRules, writeSigInfo } from './inferior/signals.js';
import { threadLocalAddress } from './inferior/thread-local.js';
import { TraceSites } from './inferior/tracing.js';
import { WatchPoints } from './inferior/watch-points.js';
import { type RegisterRow, registerSet } from './register-set.js';
import { agentMachine, NO_VARIABLES } from './rsp/agent-machine.js';
import { EBUSY, EPERM, ESRCH, type Rejected, rejected } from './rsp/error-code.js';
import type { ResumeAction, StopEvent } from './rsp/stop-event.js';
import type { ProcessInfo, Target, ThreadInfo } from './rsp/target.js';
import {
  BREAKPOINT_KINDS,
  type Breakpoint,
  type BreakpointRequest,
  type Breakpoints,
  EVENT_KINDS,
  type EventReports,
  type HostIo,
  type Identities,
  type Launcher,
  type MemoryMap,
  type NonStop,
  type OsData,
  type SigInfoAccess,
  type SyscallCatch,
  type ThreadLocalStorage,
} from './rsp/target-abilities.js';
import type { ThreadId } from './rsp/thread-id.js';
import { TraceRecorder } from './rsp/tracing/trace-recorder.js';
import type { Pid } from './types.js';

export interface InferiorParts {
  readonly machine: Machine;
  /** Makes the probe engine. It asks what agent expressions of a thread see, and whether the client lets the thread step and it has executed nothing since. */
  readonly probes: (
    agentMachine: (thread: Thread) => AgentMachine,
    isStepping: (thread: Thread) => boolean,
  ) => ProbeHooks;
  readonly starter: ProgramStarter;
  readonly launch: LaunchSettings;
  readonly hostIo?: HostIo;
  /** Text that commands at breakpoints and tracepoints print: bytes, as latin-1. */
  print(text: string): void;
  /** A line for the server's console, in gdbserver's words. */
  announce(line: string): void;
}

/** What `run` came back for; reports are fetched with `next`. */
export type Progress =
  | { readonly kind: 'report' | 'limit' | 'exited' }
  /** Nobody can run before the host brings something, or virtual time reaches the deadline (ns). */
  | { readonly kind: 'idle'; readonly deadline: number | undefined }
  /** The debugger holds everybody. */
  | { readonly kind: 'held' };

export class Inferior implements Target {
  readonly control: Control;
  readonly signals = new SignalRules();
  readonly tracing: TraceRecorder;
  readonly osData: OsData;
  readonly hostIo?: HostIo;

  /** A program has signalled the server, by getppid(). */
  onRootSignal: ((info: SigInfo) => void) | undefined;

  /** The process of the program that was started last; it may be over. */
  started: Pid | undefined;

  private readonly machine: Machine;
  private readonly debugged = new Debugged();
  private readonly codePoints: CodePoints;
  private readonly watchPoints: WatchPoints;
  private readonly programs: ProgramLauncher;
  private readonly probes: ProbeHooks;
  private readonly rows: readonly RegisterRow[];
  private readonly print: (text: string) => void;
  private readonly announce: (line: string) => void;

  constructor(parts: InferiorParts) {
    const { machine } = parts;
    this.machine = machine;
    this.print = parts.print;
    this.announce = parts.announce;
    this.rows = registerSet(machine.config.cpu === 'v3');
    this.osData = osData(machine);
    if (parts.hostIo !== undefined) this.hostIo = parts.hostIo;
    const agent = (thread: Thread): AgentMachine => this.agentMachine(thread);
    this.probes = parts.probes(agent, (thread) => this.isStepping(thread));
    this.watchPoints = new WatchPoints({
      agentMachine: agent,
      process: (pid) => {
        const process = machine.processes.get(pid);
        return process !== undefined && this.debugged.has(process) ? process : undefined;
      },
      watchedInSyscall: (hits) => this.watchedInSyscall(hits),
    });
    this.codePoints = new CodePoints(this.probes);
    this.control = new Control(machine, this.debugged, {
      isHardware: (thread) => this.codePoints.isHardware(thread),
      watchReport: (thread) => this.watchPoints.reportOf(thread),
      resumed: (thread, how) => this.probes.resumed(thread, how),
    });
    const traceSites = new TraceSites(this.debugged, this.probes);
    this.tracing = new TraceRecorder({
      target: this,
      sites: traceSites,
      now: () => {
        const { seconds, nanoseconds } = machine.clock.realtime;
        return seconds * 1e6 + Math.floor(nanoseconds / 1000);
      },
      print: this.print,
    });
    traceSites.recorder = this.tracing;
    this.programs = new ProgramLauncher(machine, parts.starter, parts.launch, (event) => this.take(event));
    machine.hooks = debuggerHooks({
      machine,
      debugged: this.debugged,
      control: this.control,
      probes: this.probes,
      codePoints: this.codePoints,
      watchPoints: this.watchPoints,
      rules: this.signals,
      traceSites,
      launching: this.programs,
      rootSignal: (info) => this.onRootSignal?.(info),
    });
  }

  // ---- running, for the host's loop

  /** Starts the program of the command line, or of `vRun`. Its first stop, or how it failed to start. */
  start(program: string | undefined, args: readonly string[]): StopEvent | StartupEnd | Rejected {
    const started = this.programs.launch(program, args);
    if (!('pid' in started)) return started;
    this.debugged.add(started, false);
    this.started = started.pid;
    this.announce(`Process ${this.programs.program} created; pid = ${started.pid}`);
    return this.firstStop(started);
  }

  private firstStop(process: Process): StopEvent {
    this.machine.scheduler.holdAll(process);
    const [thread] = process.threads.values();
    if (thread === undefined) throw new Error(`process ${process.pid} has no thread`);
    const stop: StopEvent = { kind: 'signal', thread: this.debugged.idOf(thread), signal: SIGNAL.TRAP };
    this.debugged.record(thread).stop = stop;
    return stop;
  }

  resume(actions: readonly ResumeAction[]): void {
    this.control.resume(actions);
  }

  interrupt(): void {
    this.control.interrupt();
  }

  /** Runs guest code for about `limit` instructions. */
  run(limit: number): Progress {
    if (this.control.hasReport) return { kind: 'report' };
    if (this.control.holdsAll) return { kind: 'held' };
    const result = this.machine.run(limit);
    if (result.kind !== 'stop') return this.control.hasReport ? { kind: 'report' } : result;
    this.take(result.event);
    return { kind: this.control.hasReport ? 'report' : 'limit' };
  }

  private take(event: MachineStop): void {
    this.control.take(event);
    if (event.kind === 'process-exit') this.debugged.remove(event.process);
  }

  /** The report that the client waits for, or the next one of non-stop mode. */
  nextReport(): StopEvent | undefined {
    return this.control.next();
  }

  /** The debugger sleeps: threads stop one by one and nothing is reported, until it goes on. */
  freezeReports(on: boolean): void {
    const { root } = this.machine;
    // Programs look in /proc whether their debugger has stopped.
    if (root !== undefined) root.stopped = on ? SIGNAL.STOP : undefined;
    this.control.freeze(on);
  }

  /** A debugged thread runs, or would if it did not sleep. */
  get running(): boolean {
    return this.debugged.threads().some(({ held }) => !held);
  }

  // ---- what can be read

  processes(): readonly ProcessInfo[] {
    return this.debugged.all().map(({ process, attached }) => ({ pid: process.pid, attached }));
  }

  threads(): readonly ThreadInfo[] {
    return this.debugged.threads().map((thread) => this.infoOf(thread));
  }

  thread(id: ThreadId): ThreadInfo | undefined {
    const thread = this.debugged.thread(id);
    return thread && this.infoOf(thread);
  }

  registers(): readonly RegisterRow[] {
    return this.rows;
  }

  readRegister(id: ThreadId, row: RegisterRow, into: Uint8Array): boolean {
    const thread = this.debugged.thread(id);
    return thread !== undefined && readRegister(this.machine, thread, row, into);
  }

  readRegisters(id: ThreadId): Uint8Array | undefined {
    const thread = this.debugged.thread(id);
    return thread && readRegisters(this.machine, thread, this.rows);
  }

  writeRegister(id: ThreadId, row: RegisterRow, bytes: Uint8Array): boolean {
    const thread = this.debugged.thread(id);
    return thread !== undefined && writeRegister(this.machine, thread, row, bytes);
  }

  readMemory(pid: Pid, address: bigint, into: Uint8Array): number {
    const process = this.debugged.get(pid)?.process;
    if (process === undefined) return 0;
    const got = readMemory(process, address, into);
    if (got > 0) this.probes.overlay(process, Number(address), into.subarray(0, got));
    return got;
  }

  writeMemory(pid: Pid, address: bigint, bytes: Uint8Array): boolean {
    const process = this.debugged.get(pid)?.process;
    return process !== undefined && writeMemory(process, address, bytes);
  }

  auxv(pid: Pid): Uint8Array | undefined {
    const process = this.debugged.get(pid)?.process;
    if (process === undefined) return undefined;
    const words = process.image.auxv.flatMap(([type, value]) => [BigInt(type), value]);
    return new Uint8Array(BigUint64Array.from(words).buffer);
  }

  executable(pid: Pid): string | undefined {
    return this.debugged.get(pid)?.process.image.exe;
  }

  // ---- ends

  kill(pid: Pid): void {
    for (const process of this.forget(pid)) {
      this.machine.doom(process, { kind: 'killed', signal: SIGNAL.KILL, core: false });
    }
    this.settle();
  }

  /** Threads that stopped for a signal keep it, if the client lets the program have such. */
  detach(pid: Pid): void {
    const debugged = this.debugged.get(pid);
    if (debugged === undefined) return;
    const threads = this.debugged.threadsOf(debugged);
    this.forget(pid);
    this.announce(`Detaching from process ${pid}`);
    for (const thread of threads) {
      const record = this.debugged.record(thread);
      const { stop } = record;
      record.stop = undefined;
      record.traceSteps = [];
      if (!thread.held) continue;
      this.probes.resumed(thread, 'continue');
      this.machine.scheduler.release(thread, { kind: 'continue' }, this.signals.ofDetach(stop));
    }
  }

  /** Takes the process and its members out of the debugger's hands. */
  private forget(pid: Pid): readonly Process[] {
    const group = this.debugged.group(pid);
    const [process] = group;
    if (process === undefined) return group;
    for (const one of group) {
      this.codePoints.removeAll(one.pid);
      this.watchPoints.removeAll(one);
    }
    this.control.forget(process);
    this.debugged.remove(process);
    if (this.debugged.all().length === 0) this.control.forgetReports();
    return group;
  }

  /** Ends what was doomed, without running guest code. */
  private settle(): void {
    for (;;) {
      const result = this.machine.run(0);
      if (result.kind !== 'stop') return;
      this.take(result.event);
    }
  }

  // ---- abilities

  readonly breakpoints: Breakpoints = {
    kinds: new Set(BREAKPOINT_KINDS),
    insert: (request) => this.insertBreakpoint(request),
    remove: (breakpoint) => {
      const group = this.debugged.group(breakpoint.pid);
      return inAll(group, breakpoint, (process, one) => this.removeBreakpoint(process, one));
    },
    removeAll: () => {
      this.codePoints.removeAllButPersistent();
      for (const { process } of this.debugged.all()) this.watchPoints.removeAll(process);
    },
  };

  private insertBreakpoint(request: BreakpointRequest): Rejected | undefined {
    const group = this.debugged.group(request.pid);
    if (group.length === 0) return rejected(ESRCH);
    return inAll(group, request, (process, one) => {
      return isCodeKind(one.kind) ? this.codePoints.insert(process, one) : this.watchPoints.insert(process, one);
    });
  }

  private removeBreakpoint(process: Process, breakpoint: Breakpoint): Rejected | undefined {
    if (isCodeKind(breakpoint.kind)) return this.codePoints.remove(process, breakpoint);
    this.watchPoints.remove(process, breakpoint);
    return undefined;
  }

  private watchedInSyscall(hits: readonly WatchHit[]): void {
    const thread = this.machine.scheduler.running;
    if (thread === undefined || thread.state === 'dead' || !this.debugged.has(thread.process)) return;
    if (this.watchPoints.sees(thread, hits)) this.machine.postStop({ kind: 'watch', thread, hits });
  }

  readonly sigInfo: SigInfoAccess = {
    read: (id) => {
      const thread = this.debugged.thread(id);
      if (thread === undefined) return rejected(ESRCH);
      return readSigInfo(this.machine, thread, this.debugged.record(thread));
    },
    write: (id, offset, bytes) => {
      const thread = this.debugged.thread(id);
      if (thread === undefined) return rejected(ESRCH);
      return writeSigInfo(this.machine, thread, this.debugged.record(thread), { offset, bytes });
    },
  };

  readonly launcher: Launcher = {
    run: (program, args) => {
      const started = this.start(program, args);
      if ('startupEnd' in started) return rejected(ESRCH, `the program ${endText(started)} before it began`);
      return started;
    },
    restart: () => {
      for (const { pid } of this.processes()) this.kill(pid);
      return this.launcher.run(undefined, []);
    },
    attach: (pid) => this.attach(pid),
    setEnvironment: (name, value) => this.programs.setEnvironment(name, value),
    unsetEnvironment: (name) => this.programs.unsetEnvironment(name),
    resetEnvironment: () => this.programs.resetEnvironment(),
    setWorkingDirectory: (path) => this.programs.setWorkingDirectory(path),
    setStartWithShell: (on) => this.programs.setStartWithShell(on),
    setRandomization: (on) => this.programs.setRandomization(on),
  };

  /** Only a process of this machine: others are beyond reach. */
  private attach(pid: Pid): StopEvent | Rejected {
    const process = this.machine.processes.get(pid);
    if (process === undefined || process.status !== undefined) {
      return rejected(ESRCH, `no process ${pid}: sidestep debugs only what runs inside it`);
    }
    if (process === this.machine.root) return rejected(EPERM, 'this is the server itself');
    if (this.debugged.has(process)) return rejected(EBUSY, `process ${pid} is being debugged already`);
    this.debugged.add(process, true);
    this.announce(`Attached; pid = ${pid}`);
    const stop = this.firstStop(process);
    if (this.control.nonStop) this.control.add(stop);
    return stop;
  }

  private readonly ownMemory = new DebuggerMemory();

  readonly memoryMap: MemoryMap = {
    region: (pid, address) => {
      const process = this.debugged.get(pid)?.process;
      return process && regionAround(process, address);
    },
    allocate: (pid, size, permissions) => {
      const process = this.debugged.get(pid)?.process;
      return process === undefined ? rejected(ESRCH) : this.ownMemory.allocate(process, size, permissions);
    },
    release: (pid, address) => {
      const process = this.debugged.get(pid)?.process;
      return process === undefined ? rejected(ESRCH) : this.ownMemory.release(process, address);
    },
  };

  get identities(): Identities {
    return {
      hostname: this.machine.hostname,
      of: (pid) => {
        const process = this.debugged.get(pid)?.process;
        if (process === undefined) return undefined;
        const { ruid, rgid, euid, egid } = process.credentials;
        return { parent: process.parent?.pid ?? 0, uid: ruid, gid: rgid, euid, egid };
      },
    };
  }

  readonly events: EventReports = {
    kinds: new Set(EVENT_KINDS),
    report: (kinds) => {
      this.control.reported = kinds;
    },
  };

  readonly syscalls: SyscallCatch = {
    catch: (pid, numbers) => {
      const debugged = this.debugged.get(pid);
      if (debugged !== undefined) debugged.caught = numbers;
    },
  };

  readonly nonStop: NonStop = {
    set: (on) => {
      this.control.setNonStop(on);
      return undefined;
    },
    stops: () => this.control.stops(),
  };

  readonly threadLocal: ThreadLocalStorage = {
    address: (id, offset, linkMap) => {
      const thread = this.debugged.thread(id);
      if (thread === undefined) return rejected(ESRCH);
      return threadLocalAddress(thread.process, this.machine.abi.threadPointer(thread.cpu), offset, linkMap);
    },
  };

  /** Lines for `monitor uprobes`. */
  probeReport(): readonly string[] {
    return this.probes.report();
  }

  private infoOf(thread: Thread): ThreadInfo {
    const name = this.debugged.isMember(thread.process) ? undefined : thread.name;
    return { ...this.debugged.idOf(thread), name, core: 0 };
  }

  private isStepping(thread: Thread): boolean {
    return thread.action.kind !== 'continue' && thread.retired === this.debugged.record(thread).retiredAtResume;
  }

  private agentMachine(thread: Thread): AgentMachine {
    return agentMachine(this, this.debugged.idOf(thread), NO_VARIABLES, this.print);
  }
}

/** Does it in a process and its members; what the process itself answers counts. */
function inAll<Point extends Breakpoint>(
  group: readonly Process[],
  point: Point,
  act: (process: Process, point: Point) => Rejected | undefined,
): Rejected | undefined {
  const [answer] = group.map((process) => act(process, { ...point, pid: process.pid }));
  return answer;
}

/** `exited with code 127`, `terminated with signal 9`: gdbserver's words. */
export function endText({ startupEnd }: StartupEnd): string {
  return startupEnd.kind === 'exited'
    ? `exited with code ${startupEnd.code}`
    : `terminated with signal ${startupEnd.signal}`;
}
