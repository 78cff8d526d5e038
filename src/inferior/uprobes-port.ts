/**
 * This emulator as the probe engine's host (uprobes/port.ts): one object per thread, process and address space, each a view of the machine's own.
 */
import type { AgentMachine } from '../agent-expression/evaluate.js';
import { CpuState, STATE } from '../emulator/cpu-state.js';
import type { CodeHooks, Hook } from '../emulator/execution/code-hooks.js';
import type { Machine } from '../emulator/machine.js';
import { AddressSpace } from '../emulator/memory/address-space.js';
import { PROT, VMA, type Vma } from '../emulator/memory/vma.js';
import type { Process } from '../emulator/process.js';
import type { Thread } from '../emulator/thread.js';
import { REGISTERS, SLOT } from '../register-set.js';
import { type Pid, TASK_SIZE, type Tid } from '../types.js';
import type { HookPlan, HostHook, HostProcess, HostSpace, HostThread, HostVma, StepEnd } from '../uprobes/port.js';
import { readRegister } from './registers.js';

const PAGE = 4096;
/** Trap flag. */
const TF = 0x100;

export interface PortParts {
  readonly machine: Machine;
  /** What agent expressions of a thread see. */
  agentMachine(thread: Thread): AgentMachine;
  /** The debugger resumed the thread with a step, and it has executed nothing since. */
  isStepping(thread: Thread): boolean;
  /** A thread that slept in a handler may run again: the machine may have been idle. */
  unparked?(): void;
}

/** Hands out the one view of each thread, process and address space. */
export class UprobesPort {
  private readonly threadViews = new WeakMap<Thread, ThreadView>();
  private latest: ThreadView | undefined;
  private readonly processViews = new WeakMap<Process, ProcessView>();
  private readonly spaceViews = new WeakMap<AddressSpace, SpaceView>();

  constructor(readonly parts: PortParts) {}

  /** Asked at every hit, mostly of the same thread. */
  thread(thread: Thread): ThreadView {
    if (this.latest?.own === thread) return this.latest;
    this.latest = viewOf(this.threadViews, thread, () => new ThreadView(this, thread));
    return this.latest;
  }

  process(process: Process): ProcessView {
    return viewOf(this.processViews, process, () => new ProcessView(this, process));
  }

  space({ pid, space }: Process): SpaceView {
    if (!(space instanceof AddressSpace)) throw new Error(`process ${pid} has no memory`);
    return this.spaceView(space);
  }

  spaceView(space: AddressSpace): SpaceView {
    return viewOf(this.spaceViews, space, () => new SpaceView(space, this.parts.machine.execution.hooks));
  }

  /** A condition wanted memory that the TLB did not have: the next time it does, if it may. */
  lendMissed({ cpu, process: { space } }: Thread): void {
    const missed = cpu.num(STATE.DECIDER_MISS);
    if (missed === 0) return;
    cpu.setNum(STATE.DECIDER_MISS, 0);
    if (missed < TASK_SIZE && space instanceof AddressSpace) space.lend(missed);
  }

  /** Every living process but the virtual root, in the order of their pids. */
  processes(): readonly ProcessView[] {
    const { processes, root } = this.parts.machine;
    return [...processes.values()]
      .filter((process) => process !== root && process.status === undefined)
      .sort((a, b) => a.pid - b.pid)
      .map((process) => this.process(process));
  }
}

function viewOf<Key extends object, View>(views: WeakMap<Key, View>, key: Key, make: () => View): View {
  const known = views.get(key);
  if (known !== undefined) return known;
  const view = make();
  views.set(key, view);
  return view;
}

export class ThreadView implements HostThread {
  private agent: { readonly tid: Tid; readonly machine: AgentMachine } | undefined;
  private processView: ProcessView | undefined;

  constructor(
    private readonly port: UprobesPort,
    readonly own: Thread,
  ) {
    // A child begins with a copy of its parent's struct.
    this.unfinished = false;
  }

  get tid(): Tid {
    return this.own.tid;
  }

  /** Asked at every hit. */
  get process(): ProcessView {
    const { process } = this.own;
    if (this.processView?.own !== process) this.processView = this.port.process(process);
    return this.processView;
  }

  get unfinished(): boolean {
    return this.own.cpu.int(STATE.UNFINISHED) !== 0;
  }

  set unfinished(value: boolean) {
    this.own.cpu.setInt(STATE.UNFINISHED, value ? 1 : 0);
  }

  get alive(): boolean {
    return this.own.state !== 'dead';
  }

  get displaced(): boolean {
    return this.own.displaced;
  }

  set displaced(value: boolean) {
    this.own.displaced = value;
  }

  get ip(): number {
    return this.own.cpu.rip;
  }

  set ip(value: number) {
    this.own.cpu.rip = value;
  }

  get sp(): number {
    return this.own.cpu.rsp;
  }

  readGpr(hardware: number): bigint {
    return this.own.cpu.big(CpuState.gpr(hardware));
  }

  writeGpr(hardware: number, value: bigint): void {
    this.own.touched = true;
    this.own.cpu.setBig(CpuState.gpr(hardware), value);
  }

  get trapFlag(): boolean {
    return (this.own.cpu.int(SLOT.FLAGS_REST) & TF) !== 0;
  }

  readFlags(): number {
    return this.machine.execution.getFlags(this.own.cpu);
  }

  writeFlags(flags: number): void {
    this.own.touched = true;
    this.machine.execution.setFlags(this.own.cpu, flags);
  }

  readRegister(number: number): bigint | undefined {
    const row = REGISTERS[number];
    if (row === undefined || row.bits > 64) return undefined;
    // Conditions ask for these at every hit.
    if (row.slot !== undefined && row.bits === 64) return this.own.cpu.big(row.slot);
    const value = Buffer.alloc(8);
    readRegister(this.machine, this.own, row, value.subarray(0, row.bits / 8));
    return value.readBigUInt64LE();
  }

  get fip(): number {
    return this.own.cpu.num(SLOT.FIP);
  }

  set fip(value: number) {
    this.own.cpu.setNum(SLOT.FIP, value);
  }

  step(): StepEnd {
    return this.machine.runOne(this.own);
  }

  account(count: number): void {
    this.machine.account(this.own, count);
  }

  park(): void {
    this.own.parked++;
  }

  unpark(): void {
    this.own.parked--;
    this.port.parts.unparked?.();
  }

  get stepping(): boolean {
    return this.port.parts.isStepping(this.own);
  }

  agentMachine(): AgentMachine {
    // A thread takes another tid when it execs for its leader.
    if (this.agent?.tid !== this.own.tid) this.agent = { tid: this.own.tid, machine: this.newAgentMachine() };
    return this.agent.machine;
  }

  private newAgentMachine(): AgentMachine {
    return {
      ...this.port.parts.agentMachine(this.own),
      readRegister: (number) => this.readRegister(number),
      readMemory: (address, into) => {
        return address < TASK_SIZE && this.port.space(this.own.process).read(Number(address), into) === into.length;
      },
    };
  }

  private get machine(): Machine {
    return this.port.parts.machine;
  }
}

export class ProcessView implements HostProcess {
  private spaceView: SpaceView | undefined;

  constructor(
    private readonly port: UprobesPort,
    readonly own: Process,
  ) {}

  get pid(): Pid {
    return this.own.pid;
  }

  get alive(): boolean {
    return this.own.status === undefined && this.own.space instanceof AddressSpace;
  }

  /** Asked at every hit. */
  get space(): SpaceView {
    if (this.spaceView?.own !== this.own.space) this.spaceView = this.port.space(this.own);
    return this.spaceView;
  }

  threads(): readonly HostThread[] {
    const { leader } = this.own;
    const others = [...this.own.threads.values()].filter((thread) => thread !== leader);
    return (leader === undefined ? others : [leader, ...others]).map((thread) => this.port.thread(thread));
  }
}

export class SpaceView implements HostSpace {
  /** In place, by address. */
  private readonly hooks = new Map<number, Hook>();

  constructor(
    readonly own: AddressSpace,
    private readonly codeHooks: CodeHooks | undefined,
  ) {}

  read(address: number, into: Uint8Array): number {
    return this.own.peek(address, into);
  }

  write(address: number, bytes: Uint8Array): boolean {
    return this.own.poke(address, bytes);
  }

  store(address: number, bytes: Uint8Array): boolean {
    return this.own.writeBytes(address, bytes);
  }

  insertSwbp(address: number): boolean {
    return this.own.insertSwbp(address);
  }

  removeSwbp(address: number): boolean {
    return this.own.removeSwbp(address);
  }

  setHook(address: number, plan: HookPlan | undefined): HostHook | undefined {
    const { codeHooks, hooks, own } = this;
    if (codeHooks === undefined) return undefined;
    const before = hooks.get(address);
    if (before !== undefined) {
      hooks.delete(address);
      codeHooks.release(before);
    }
    const hook = plan && codeHooks.acquire(`${own.id} ${address}`, plan.insn, plan.decisions);
    own.setHook(address, hook);
    if (hook === undefined) return undefined;
    hook.owner = plan?.owner;
    hooks.set(address, hook);
    return { take: () => codeHooks.take(hook) };
  }

  isExecutable(address: number): boolean {
    const vma = this.own.vmas.find(address);
    return vma !== undefined && (vma.prot & PROT.EXEC) !== 0;
  }

  vma(address: number): HostVma | undefined {
    const vma = this.own.vmas.find(address);
    return vma && hostVma(vma);
  }

  vmas(): readonly HostVma[] {
    return this.own.vmas.all().map(hostVma);
  }

  mapXol(where: { readonly near: number } | { readonly at: number }): number | undefined {
    const free = this.own.reservedHoles.filter((hole) => !this.own.hasXol(hole, hole + PAGE));
    const hole = 'at' in where ? free.find((page) => page === where.at) : nearest(free, where.near);
    return hole !== undefined && this.own.mapXol(hole, new Uint8Array(PAGE).fill(INT3)) ? hole : undefined;
  }

  writeXol(address: number, bytes: Uint8Array): void {
    this.own.writeXol(address, bytes);
  }

  inXolHole(address: number): boolean {
    return this.own.reservedHoles.includes(Math.floor(address / PAGE) * PAGE);
  }

  /** Steps end before anybody else can run. */
  freeze(): void {}

  thaw(): void {}
}

/** Slots that nobody has written yet stop whoever gets there. */
const INT3 = 0xcc;

function nearest(pages: readonly number[], address: number): number | undefined {
  let best: number | undefined;
  for (const page of pages) {
    if (best === undefined || Math.abs(page - address) < Math.abs(best - address)) best = page;
  }
  return best;
}

export function hostVma({ start, end, prot, maxProt, flags, pages, offset }: Vma): HostVma {
  const file = pages?.file;
  return {
    start,
    end,
    readable: (prot & PROT.READ) !== 0,
    writable: (prot & PROT.WRITE) !== 0,
    executable: (prot & PROT.EXEC) !== 0,
    mayExecute: (maxProt & PROT.EXEC) !== 0,
    shared: (flags & VMA.SHARED) !== 0,
    ...(file === undefined ? {} : { file: { dev: file.device, ino: file.inode } }),
    offset,
  };
}
