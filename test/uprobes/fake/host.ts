/** A fake host of the probe engine: processes and threads without a kernel, run by the test itself, with everything that happens in a log. */
import type { AgentMachine } from '../../../src/agent-expression/evaluate.js';
import { GPR, REGISTERS, SLOT } from '../../../src/register-set.js';
import type { Pid, Tid } from '../../../src/types.js';
import type { EngineOptions } from '../../../src/uprobes/core.js';
import { UprobeEngine } from '../../../src/uprobes/engine.js';
import type {
  Caller,
  HitAnswer,
  HostClock,
  HostProcess,
  HostSettings,
  HostThread,
  HostVma,
  StepEnd,
} from '../../../src/uprobes/port.js';
import { interpret } from './interpreter.js';
import { FakeSpace, type Mapping } from './memory.js';

export const TEXT = 0x40_1000;
export const DATA = 0x40_4000;
export const STACK = 0x7fff_0000_0000;
const STACK_SIZE = 0x1_0000;
const FIRST_ID = 100;

export class FakeThread implements HostThread {
  alive = true;
  ip = TEXT;
  flags = 0x202;
  fip = 0;
  retired = 0;
  parked = 0;
  displaced = false;
  unfinished = false;
  stepping = false;
  /** A step in the background is under way. */
  stepsInBackground = false;
  readonly gprs = new BigUint64Array(16);
  readonly printed: string[] = [];

  constructor(
    readonly tid: Tid,
    public process: FakeProcess,
  ) {
    this.gprs[GPR.RSP] = BigInt(STACK + STACK_SIZE - 0x400 * ((tid as number) - FIRST_ID + 1));
  }

  readGpr(hardware: number): bigint {
    return this.gprs[hardware] as bigint;
  }

  writeGpr(hardware: number, value: bigint): void {
    this.gprs[hardware] = value;
  }

  get sp(): number {
    return Number(this.gprs[GPR.RSP]);
  }

  get trapFlag(): boolean {
    return (this.flags & 0x100) !== 0;
  }

  readFlags(): number {
    return this.flags;
  }

  writeFlags(flags: number): void {
    this.flags = flags;
  }

  readRegister(number: number): bigint | undefined {
    const slot = REGISTERS[number]?.slot;
    if (slot === SLOT.RIP) return BigInt(this.ip);
    return slot !== undefined && slot < SLOT.RIP ? this.gprs[slot / 8] : undefined;
  }

  step(): StepEnd | 'running' {
    if (!this.process.host.background) return interpret(this);
    this.stepsInBackground = true;
    this.parked++;
    return 'running';
  }

  account(count: number): void {
    this.retired += count;
  }

  park(): void {
    this.parked++;
  }

  unpark(): void {
    if (--this.parked < 0) throw new Error(`thread ${this.tid} was unparked too often`);
  }

  agentMachine(): AgentMachine {
    const { space } = this.process;
    return {
      readMemory: (address, into) => space.read(Number(address), into) === into.length,
      readRegister: (number) => this.readRegister(number),
      readVariable: () => undefined,
      writeVariable: () => false,
      print: (text) => this.printed.push(text),
    };
  }
}

export class FakeProcess implements HostProcess {
  alive = true;
  uid = 1000;
  readonly list: FakeThread[] = [];

  constructor(
    readonly host: FakeHost,
    readonly pid: Pid,
    public space: FakeSpace,
  ) {}

  threads(): FakeThread[] {
    return this.list.filter(({ alive }) => alive);
  }

  thread(): FakeThread {
    const thread = new FakeThread(this.host.newId() as Tid, this);
    this.list.push(thread);
    return thread;
  }

  get leader(): FakeThread {
    return this.list[0] as FakeThread;
  }
}

/** What became of a run. */
export type Stop =
  | Exclude<HitAnswer, 'resume' | 'park' | StepEnd>
  | 'fuel'
  | 'parked'
  | 'frozen'
  | 'dead'
  | Exclude<StepEnd['kind'], 'fuel'>;

/** Time goes on when the test says so. */
export class FakeClock implements HostClock {
  private time = 0;
  private alarms: { readonly at: number; readonly call: () => void }[] = [];

  now(): number {
    return this.time;
  }

  after(ns: number, call: () => void): void {
    this.alarms.push({ at: this.time + ns, call });
  }

  pass(ns: number): void {
    this.time += ns;
    const due = this.alarms.filter(({ at }) => at <= this.time);
    this.alarms = this.alarms.filter(({ at }) => at > this.time);
    for (const { call } of due) call();
  }
}

export class FakeHost implements HostSettings {
  readonly clock = new FakeClock();
  readonly list: FakeProcess[] = [];
  readonly returnJumpWeight = 1;
  /** Steps are done by `finishStep`. */
  background = false;
  /** Originals are executed behind inline hooks. */
  hooks = false;
  /** The latest end of a run that was not `fuel`. */
  end: HitAnswer | undefined;
  /** Is looked at after every event. */
  check = true;
  readonly engine: UprobeEngine;
  private nextId = FIRST_ID;
  /** Nothing has been executed since the latest hit. */
  private justHit = false;

  constructor(options: Partial<EngineOptions> = {}) {
    this.engine = new UprobeEngine(this, options);
  }

  newId(): number {
    return this.nextId++;
  }

  processes(): FakeProcess[] {
    return this.list.filter(({ alive }) => alive);
  }

  /** A process with one thread at the start of this code, a page of data and a stack. */
  spawn(code: string): FakeProcess {
    const space = new FakeSpace();
    space.map(TEXT, hexBytes(code));
    space.map(DATA, 0x1000, { writable: true, executable: false });
    space.map(STACK, STACK_SIZE, { writable: true, executable: false });
    return this.adopt(space);
  }

  adopt(space: FakeSpace): FakeProcess {
    const process = new FakeProcess(this, this.nextId as Pid, space);
    this.list.push(process);
    process.thread();
    return process;
  }

  /** The superuser, who sees every process under its own number. */
  get root(): Caller {
    return this.caller(0);
  }

  /** `view`: pids of the caller's namespace. */
  caller(uid: number, view?: ReadonlyMap<number, FakeProcess>): Caller {
    const find = (pid: number): FakeProcess | undefined =>
      view === undefined
        ? this.list.find((process) => process.list.some(({ tid }) => (tid as number) === pid))
        : view.get(pid);
    return {
      resolve: find,
      mayProbe: (process) => uid === 0 || (process as FakeProcess).uid === uid,
      privileged: uid === 0,
    };
  }

  // ---- running

  /** At most `fuel` fetches of the thread. */
  run(thread: FakeThread, fuel = 1): Stop {
    for (let i = 0; i < fuel; i++) {
      const stop = this.once(thread);
      if (this.check) this.engine.checkInvariants();
      if (stop !== 'fuel') return stop;
    }
    if (!this.justHit) this.expose(thread);
    return 'fuel';
  }

  /** Somebody is going to look at the thread's registers. */
  expose(thread: FakeThread): void {
    if (thread.displaced) this.settled(thread, { kind: 'fuel' });
  }

  private once(thread: FakeThread): Stop {
    if (!thread.alive) return 'dead';
    if (thread.parked > 0) return 'parked';
    if (thread.process.space.frozenBy !== undefined && thread.process.space.frozenBy !== thread) return 'frozen';
    this.justHit = false;
    let end = interpret(thread);
    if (end.kind === 'fuel') return 'fuel';
    if (thread.displaced) end = this.settled(thread, end);
    if (end.kind !== 'breakpoint') return this.ended(end);
    if (!this.hooks) return this.ended(this.engine.breakpoint(thread));
    const answer = this.engine.hook(thread);
    return this.ended(answer === 'original' ? asAnswer(interpret(thread, true)) : answer);
  }

  private settled(thread: FakeThread, end: StepEnd): StepEnd {
    const translated = this.engine.settle(thread, end);
    if (this.check) this.engine.checkInvariants();
    return translated;
  }

  private ended(answer: HitAnswer): Stop {
    this.end = answer;
    this.justHit = answer === 'resume';
    if (answer === 'resume') return 'fuel';
    if (answer === 'park') return 'parked';
    return typeof answer === 'string' ? answer : answer.kind;
  }

  /** Runs until the thread is at the address; how it stopped otherwise. */
  runTo(thread: FakeThread, address: number, limit = 10_000): Stop {
    for (let i = 0; i < limit; i++) {
      if (thread.ip === address) {
        this.expose(thread);
        return 'fuel';
      }
      const stop = this.once(thread);
      if (this.check) this.engine.checkInvariants();
      if (stop !== 'fuel') return stop;
    }
    throw new Error(`thread ${thread.tid} does not reach ${address.toString(16)}: ip ${thread.ip.toString(16)}`);
  }

  /** The background step of the thread is done now. */
  finishStep(thread: FakeThread): Stop {
    if (!thread.stepsInBackground) throw new Error(`thread ${thread.tid} does not step`);
    thread.stepsInBackground = false;
    thread.parked--;
    const stop = this.ended(this.engine.stepEnded(thread, interpret(thread)));
    if (this.check) this.engine.checkInvariants();
    return stop;
  }

  // ---- life

  exitThread(thread: FakeThread): void {
    this.engine.threadExited(thread);
    thread.alive = false;
    this.engine.checkInvariants();
  }

  exit(process: FakeProcess): void {
    process.alive = false;
    this.engine.processExited(process);
    for (const thread of process.list) thread.alive = false;
    if (!this.processes().some(({ space }) => space === process.space)) this.engine.spaceGone(process.space);
    this.engine.checkInvariants();
  }

  fork(parent: FakeThread): FakeProcess {
    const child = this.adopt(parent.process.space.fork());
    child.uid = parent.process.uid;
    copyState(parent, child.leader);
    this.engine.forked(parent, child.leader);
    this.engine.checkInvariants();
    return child;
  }

  vfork(parent: FakeThread): FakeProcess {
    const child = this.adopt(parent.process.space);
    copyState(parent, child.leader);
    this.engine.cloned(parent, child.leader);
    this.engine.checkInvariants();
    return child;
  }

  clone(parent: FakeThread): FakeThread {
    const child = parent.process.thread();
    const { sp } = child;
    copyState(parent, child);
    child.gprs[GPR.RSP] = BigInt(sp);
    this.engine.cloned(parent, child);
    this.engine.checkInvariants();
    return child;
  }

  exec(thread: FakeThread, code: string): void {
    const { process } = thread;
    for (const other of process.threads()) if (other !== thread) this.exitThread(other);
    const old = process.space;
    process.space = new FakeSpace();
    process.space.map(TEXT, hexBytes(code));
    process.space.map(STACK, STACK_SIZE, { writable: true, executable: false });
    thread.ip = TEXT;
    this.engine.execed(thread);
    if (!this.processes().some(({ space }) => space === old)) this.engine.spaceGone(old);
    this.engine.checkInvariants();
  }

  map(process: FakeProcess, start: number, bytes: Uint8Array | number, facts: Partial<Mapping> = {}): Mapping {
    const mapping = process.space.map(start, bytes, facts);
    this.engine.mapped(process, mapping satisfies HostVma);
    this.engine.checkInvariants();
    return mapping;
  }

  unmap(process: FakeProcess, mapping: Mapping): void {
    process.space.unmap(mapping);
    this.engine.unmapped(process.space, mapping.start, mapping.end);
    this.engine.checkInvariants();
  }

  /** A store of the program or the debugger to text. */
  rewrite(process: FakeProcess, address: number, bytes: string): void {
    process.space.write(address, hexBytes(bytes));
    this.engine.rewritten(process.space, address, address + hexBytes(bytes).length);
    this.engine.checkInvariants();
  }
}

function asAnswer(end: StepEnd): HitAnswer {
  return end.kind === 'fuel' ? 'resume' : end;
}

function copyState(from: FakeThread, to: FakeThread): void {
  to.gprs.set(from.gprs);
  to.ip = from.ip;
  to.flags = from.flags;
}

export function hexBytes(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'));
}

/** Lets promises that have resolved take effect. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
