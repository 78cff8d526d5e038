/**
 * The trace experiment of a server: its tracepoints, state variables and buffer. It outlives clients, because tracing may go on without
 * one. The owner of the target makes it, plants its sites, and calls `hit` and `stepped` while the thread stands there.
 */
import { type AgentMachine, evaluate } from '../../agent-expression/evaluate.js';
import type { AgentProgram } from '../../agent-expression/program.js';
import type { RegisterRow } from '../../register-set.js';
import type { Pid } from '../../types.js';
import { agentMachine } from '../agent-machine.js';
import { EBUSY, ENOSPC, type Rejected, rejected } from '../error-code.js';
import type { GuestState } from '../guest-state.js';
import type { ThreadId } from '../thread-id.js';
import { TraceBuffer } from './trace-buffer.js';
import { type AddressRange, FrameBuilder, FrameView, framePc, type TraceFrame } from './trace-frame.js';
import type { TraceAction, Tracepoint } from './tracepoint.js';

/** Where a tracepoint lies in a program. */
export interface TracepointSite {
  readonly pid: Pid;
  readonly number: number;
  readonly address: bigint;
  /** Hits where it is false need not be reported. */
  readonly condition: AgentProgram | undefined;
}

/** Plants tracepoints. After `remove` no hit of the site may be reported any more. */
export interface TracepointSites {
  insert(site: TracepointSite): Rejected | undefined;
  remove(site: TracepointSite): void;
}

export interface RecorderHost {
  readonly target: GuestState;
  readonly sites: TracepointSites;
  /** Microseconds since the epoch. */
  now(): number;
  /** Output of `printf` in actions: bytes, as latin-1. */
  print(text: string): void;
}

/** Why tracing does not run, in the words of `qTStatus`. */
export type TraceStop =
  | { readonly kind: 'tnotrun' | 'tstop' | 'tfull' | 'tdisconnected' }
  | { readonly kind: 'tpasscount'; readonly tracepoint: number }
  | { readonly kind: 'terror'; readonly tracepoint: number; readonly reason: string };

export interface TraceVariable {
  readonly number: number;
  readonly initial: bigint;
  /** Its value comes from us. */
  readonly builtin: boolean;
  readonly name: string;
}

const TIMESTAMP: TraceVariable = { number: 1, initial: 0n, builtin: true, name: 'trace_timestamp' };

const MAX_TRACEPOINTS = 4096;
const MAX_VARIABLES = 4096;

export class TraceRecorder {
  readonly buffer = new TraceBuffer();
  readonly notes = { user: '', notes: '', tstop: '' };
  constantMemory: readonly AddressRange[] = [];
  /** Go on when the client goes. */
  disconnected = false;
  startTime = 0;
  stopTime = 0;
  stopped: TraceStop = { kind: 'tnotrun' };

  private list: Tracepoint[] = [];
  private readonly declared = new Map<number, TraceVariable>([[TIMESTAMP.number, TIMESTAMP]]);
  private readonly values = new Map<number, bigint>();
  /** undefined: tracing does not run. */
  private sites: TracepointSite[] | undefined;
  private pid: Pid | undefined;
  /** Of the program that was traced last. */
  private rows: readonly RegisterRow[] = [];

  constructor(private readonly host: RecorderHost) {}

  get running(): boolean {
    return this.sites !== undefined;
  }

  get tracepoints(): readonly Tracepoint[] {
    return this.list;
  }

  get variables(): readonly TraceVariable[] {
    return [...this.declared.values()];
  }

  // ---- definitions

  /** `QTinit`: forgets the experiment, not the variables. */
  reset(): void {
    if (this.running) this.stop({ kind: 'tstop' });
    this.list = [];
    this.constantMemory = [];
    this.buffer.clear();
    this.stopped = { kind: 'tnotrun' };
  }

  tracepoint(number: number, address: bigint): Tracepoint | undefined {
    return this.list.find((candidate) => candidate.number === number && candidate.address === address);
  }

  /** Refuses a second one of the same number and address. */
  add(tracepoint: Tracepoint): Rejected | undefined {
    if (this.tracepoint(tracepoint.number, tracepoint.address) !== undefined)
      return rejected(EBUSY, 'tracepoint exists');
    if (this.list.length >= MAX_TRACEPOINTS) return rejected(ENOSPC, 'too many tracepoints');
    this.list.push(tracepoint);
    return undefined;
  }

  /** A tracepoint that was defined while tracing runs. */
  install({ number, address, condition }: Tracepoint): Rejected | undefined {
    if (this.sites === undefined || this.pid === undefined) return undefined;
    if (this.sites.some((site) => site.number === number && site.address === address)) return undefined;
    return this.plant(this.sites, { pid: this.pid, number, address, condition });
  }

  declare(variable: TraceVariable): Rejected | undefined {
    if (variable.number === TIMESTAMP.number) return undefined;
    if (!this.declared.has(variable.number) && this.declared.size >= MAX_VARIABLES) return rejected(ENOSPC);
    this.declared.set(variable.number, variable);
    this.values.set(variable.number, variable.initial);
    return undefined;
  }

  readonly readVariable = (number: number): bigint | undefined => {
    return number === TIMESTAMP.number ? BigInt(this.host.now()) : this.values.get(number);
  };

  readonly writeVariable = (number: number, value: bigint): boolean => {
    if (!this.values.has(number)) return false;
    this.values.set(number, value);
    return true;
  };

  // ---- running

  /** Plants everything, disabled tracepoints too: they may be enabled meanwhile. */
  start(pid: Pid): Rejected | undefined {
    if (this.running) this.stop({ kind: 'tstop' });
    const sites: TracepointSite[] = [];
    for (const tracepoint of this.list) {
      const { number, address, condition } = tracepoint;
      const refusal = this.plant(sites, { pid, number, address, condition });
      if (refusal === undefined) continue;
      for (const site of sites) this.host.sites.remove(site);
      return refusal;
    }
    for (const tracepoint of this.list) {
      tracepoint.hits = 0;
      tracepoint.usage = 0;
    }
    this.buffer.clear();
    this.startTime = this.host.now();
    this.stopTime = 0;
    this.stopped = { kind: 'tnotrun' };
    this.pid = pid;
    this.rows = this.host.target.registers(pid);
    this.sites = sites;
    return undefined;
  }

  stop(reason: TraceStop): void {
    if (this.sites === undefined) return;
    const sites = this.sites;
    this.sites = undefined;
    this.stopTime = this.host.now();
    this.stopped = reason;
    for (const site of sites) this.host.sites.remove(site);
  }

  /** The client is gone. */
  clientGone(): void {
    if (!this.disconnected) this.stop({ kind: 'tdisconnected' });
  }

  private plant(sites: TracepointSite[], site: TracepointSite): Rejected | undefined {
    const refusal = this.host.sites.insert(site);
    if (refusal === undefined) sites.push(site);
    return refusal;
  }

  /**
   * The thread is at a site, nothing of the instruction done. Records what the tracepoint asks for. Returns how many instructions the
   * thread shall step, with a call of `stepped` after each.
   */
  hit(thread: ThreadId, number: number, address: bigint): number {
    const tracepoint = this.tracepoint(number, address);
    if (!this.running || tracepoint === undefined || !tracepoint.enabled) return 0;
    if (!this.conditionHolds(thread, tracepoint)) return 0;
    tracepoint.hits++;
    this.record(thread, tracepoint, tracepoint.actions);
    if (tracepoint.stepCount === 0) this.checkPassCount(tracepoint);
    return this.running ? tracepoint.stepCount : 0;
  }

  /** One of the steps behind a hit is done. `last`: no other follows. */
  stepped(thread: ThreadId, number: number, address: bigint, last: boolean): void {
    const tracepoint = this.tracepoint(number, address);
    if (!this.running || tracepoint === undefined) return;
    this.record(thread, tracepoint, tracepoint.stepActions);
    if (last) this.checkPassCount(tracepoint);
  }

  private checkPassCount({ number, hits, passCount }: Tracepoint): void {
    if (passCount > 0 && hits >= passCount) this.stop({ kind: 'tpasscount', tracepoint: number });
  }

  /** One that cannot be evaluated ends the experiment. */
  private conditionHolds(thread: ThreadId, tracepoint: Tracepoint): boolean {
    if (tracepoint.condition === undefined) return true;
    const result = evaluate(tracepoint.condition, this.machine(thread));
    if (result.kind === 'done') return result.value !== 0n && result.value !== undefined;
    this.stop({ kind: 'terror', tracepoint: tracepoint.number, reason: result.reason });
    return false;
  }

  private record(thread: ThreadId, tracepoint: Tracepoint, actions: readonly TraceAction[]): void {
    const builder = new FrameBuilder(this.host.target, thread, this.buffer.size);
    const problem = this.collect(thread, actions, builder);
    const frame = builder.finish(tracepoint.number, tracepoint.address);
    tracepoint.usage += frame.blocks.length;
    if (builder.full || !this.buffer.add(frame)) this.stop({ kind: 'tfull' });
    if (problem !== undefined) this.stop({ kind: 'terror', tracepoint: tracepoint.number, reason: problem });
  }

  /** Says why an action failed. */
  private collect(thread: ThreadId, actions: readonly TraceAction[], builder: FrameBuilder): string | undefined {
    // Made when it is needed: many tracepoints collect registers and nothing else.
    let machine: AgentMachine | undefined;
    for (const action of actions) {
      if (action.kind === 'registers') {
        builder.registers();
        continue;
      }
      machine ??= this.machine(thread, builder);
      if (action.kind === 'memory') this.collectMemory(action, builder, machine);
      else {
        const problem = runExpression(action.program, machine);
        if (problem !== undefined) return problem;
      }
    }
    return undefined;
  }

  private collectMemory(
    { base, offset, length }: Extract<TraceAction, { kind: 'memory' }>,
    builder: FrameBuilder,
    machine: AgentMachine,
  ): void {
    const start = base === undefined ? 0n : machine.readRegister(base);
    if (start !== undefined) builder.memory(BigInt.asUintN(64, start + offset), length);
  }

  private machine(thread: ThreadId, builder?: FrameBuilder): AgentMachine {
    const machine = agentMachine(this.host.target, thread, this, this.host.print);
    if (builder === undefined) return machine;
    const collector = {
      memory: (address: bigint, length: number): boolean => {
        builder.memory(address, length);
        return !builder.full;
      },
      variable: (number: number): boolean => {
        const value = this.readVariable(number);
        if (value !== undefined) builder.variable(number, value);
        return value !== undefined;
      },
    };
    return { ...machine, collector };
  }

  // ---- looking at frames

  /** undefined: there is no such frame. */
  view(index: number): FrameView | undefined {
    const frame = this.buffer.get(index);
    return frame && new FrameView(frame, this.host.target, this.rows, this.constantMemory);
  }

  /** The first frame behind `after` whose pc lies inside [start, end], or outside of it. */
  findByPc(after: number | undefined, { start, end }: AddressRange, inside: boolean): number | undefined {
    return this.buffer.find(firstBehind(after), (frame) => {
      const pc = framePc(frame, this.rows);
      return (pc >= start && pc <= end) === inside;
    });
  }

  findByTracepoint(after: number | undefined, number: number): number | undefined {
    return this.buffer.find(firstBehind(after), (frame: TraceFrame) => frame.tracepoint === number);
  }
}

function firstBehind(after: number | undefined): number {
  return after === undefined ? 0 : after + 1;
}

function runExpression(program: AgentProgram, machine: AgentMachine): string | undefined {
  const result = evaluate(program, machine);
  return result.kind === 'error' ? result.reason : undefined;
}
