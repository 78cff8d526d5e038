/**
 * A machine whose guest code is written in TypeScript: a program is a generator that yields what its thread does next and receives what its syscalls
 * answer. Instructions have addresses and syscalls go through registers, so that restarts, handlers and sigreturn work as with real code.
 */

import { type CpuState as Cpu, type CpuState, STATE } from '../../../src/emulator/cpu-state.js';
import type { Executor, Exit, IpRange, WatchHit } from '../../../src/emulator/executor.js';
import type { Host } from '../../../src/emulator/host/host.js';
import { NO_HOST } from '../../../src/emulator/host/no-host.js';
import { execSyscalls } from '../../../src/emulator/kernel/exec.js';
import { credentialsAfterExec } from '../../../src/emulator/kernel/exec-credentials.js';
import { FileTable } from '../../../src/emulator/kernel/file/file-table.js';
import { fileSyscalls } from '../../../src/emulator/kernel/file/rows.js';
import { forkSyscalls } from '../../../src/emulator/kernel/fork.js';
import { futexSyscalls } from '../../../src/emulator/kernel/futex.js';
import { identitySyscalls } from '../../../src/emulator/kernel/identity.js';
import { itimerSyscalls } from '../../../src/emulator/kernel/itimer.js';
import { defaultLimits } from '../../../src/emulator/kernel/limits.js';
import { messageQueueSyscalls } from '../../../src/emulator/kernel/message-queue.js';
import { posixTimerSyscalls } from '../../../src/emulator/kernel/posix-timer.js';
import { prctlSyscalls } from '../../../src/emulator/kernel/prctl.js';
import { createRoot } from '../../../src/emulator/kernel/root.js';
import { semaphoreSyscalls } from '../../../src/emulator/kernel/semaphore.js';
import { signalSyscalls } from '../../../src/emulator/kernel/signal.js';
import { SyscallTable } from '../../../src/emulator/kernel/syscall-table.js';
import { systemSyscalls } from '../../../src/emulator/kernel/system.js';
import { taskSyscalls } from '../../../src/emulator/kernel/task.js';
import { timeSyscalls } from '../../../src/emulator/kernel/time.js';
import { waitSyscalls } from '../../../src/emulator/kernel/wait4.js';
import { Machine, type MachineConfig } from '../../../src/emulator/machine.js';
import { FRAMES_BASE } from '../../../src/emulator/memory/layout.js';
import { PhysicalMemory } from '../../../src/emulator/memory/physical.js';
import { Process, type ProcessSpace } from '../../../src/emulator/process.js';
import type { LoadedProgram, LoadFailure, LoadRequest } from '../../../src/emulator/program-loader.js';
import { DEFAULT_ACTION, SIGNAL_COUNT } from '../../../src/emulator/signals.js';
import type { FaultSignal } from '../../../src/emulator/stop.js';
import { Thread } from '../../../src/emulator/thread.js';
import { linuxX86Abi } from '../../../src/emulator/x86/abi.js';
import { GPR, SLOT } from '../../../src/register-set.js';
import type { Tid } from '../../../src/types.js';

/** What a program does next. */
export type Step =
  | { readonly call: number; readonly args?: readonly (number | bigint)[]; readonly child?: Program }
  | { readonly work: number }
  /** An instruction that faults until the function gives nothing: then it completes. */
  | { readonly fault: () => FaultSignal | undefined }
  | { readonly int3: true };

/** Receives the result of each syscall (0 after other steps). */
export type Program = () => Generator<Step, void, number>;

export function sys(call: number, ...args: (number | bigint)[]): Step {
  return { call, args };
}

export function work(count: number): Step {
  return { work: count };
}

/** One activation: the program itself, or a handler on top of it. */
/** Of a file without set-user-id. */
const NOBODYS = { setUser: undefined, setGroup: undefined };

interface Activation {
  readonly generator: Generator<Step, void, number>;
  /** Address of the next instruction that no step has yet. */
  next: number;
  step: Step | undefined;
  /** Address of the current step. */
  at: number;
}

const CODE = 0x40_0000;
const HANDLERS = 0x50_0000;
const RESTORER = 0x60_0000;
const IMAGES = 0x70_0000;
const STACK_TOP = 0x2_f000;
const RAX = SLOT.GPR + 8 * GPR.RAX;
const NR_SIGRETURN = 15;
const ARGUMENTS = [GPR.RDI, GPR.RSI, GPR.RDX, GPR.R10, GPR.R8, GPR.R9].map((n) => SLOT.GPR + 8 * n);

/** 128 KiB of memory at 0x10000, of which a part may be shared between copies. */
export class ScriptedSpace implements ProcessSpace {
  static next = 1;
  readonly id = ScriptedSpace.next++;
  readonly area = 0;
  destroyed = false;
  static readonly BASE = 0x1_0000;
  static readonly SIZE = 0x2_0000;
  /** Physical identity of what lies from SHARED on. */
  static readonly SHARED = 0x2_8000;

  constructor(
    readonly bytes = new Uint8Array(ScriptedSpace.SIZE),
    private readonly shared = bytes,
  ) {}

  fork(): ScriptedSpace {
    return new ScriptedSpace(this.bytes.slice(), this.shared);
  }
  destroy(): void {
    this.destroyed = true;
  }
  fill(): 'unmapped' {
    return 'unmapped';
  }
  settle(): [] {
    return [];
  }
  fetch(): 'unmapped' {
    return 'unmapped';
  }
  hookAt(): undefined {}

  codeOrigin(): undefined {
    return undefined;
  }

  hasSwbp(): boolean {
    return false;
  }
  /** The debugger's view: the same memory, watchpoints not seen. */
  peek(at: number, into: Uint8Array): number {
    return this.read(at, into);
  }
  poke(at: number, from: Uint8Array): boolean {
    return this.writeBytes(at, from);
  }
  readonly watched: { from: number; to: number }[] = [];
  onWatched: ((hits: readonly WatchHit[]) => void) | undefined;
  watch(ranges: readonly { from: number; to: number }[]): void {
    this.watched.splice(0, this.watched.length, ...ranges);
  }
  markCode(): void {}
  sharedAddress(at: number): number | undefined {
    return at >= ScriptedSpace.SHARED ? at : undefined;
  }
  private backing(at: number): Uint8Array {
    return at >= ScriptedSpace.SHARED ? this.shared : this.bytes;
  }
  private room(at: number, length: number): number {
    const end = ScriptedSpace.BASE + ScriptedSpace.SIZE;
    return at < ScriptedSpace.BASE || at >= end ? 0 : Math.min(length, end - at);
  }
  read(at: number, into: Uint8Array): number {
    const length = this.room(at, into.length);
    const from = at - ScriptedSpace.BASE;
    if (length > 0) into.set(this.backing(at).subarray(from, from + length));
    return length;
  }
  write(at: number, from: Uint8Array): number {
    const length = this.room(at, from.length);
    if (length > 0) this.backing(at).set(from.subarray(0, length), at - ScriptedSpace.BASE);
    return length;
  }
  writable(at: number, length: number): number {
    return this.room(at, length);
  }
  readBytes(at: number, length: number): Uint8Array | undefined {
    const bytes = new Uint8Array(length);
    return this.read(at, bytes) === length ? bytes : undefined;
  }
  writeBytes(at: number, from: Uint8Array): boolean {
    return this.room(at, from.length) === from.length && this.write(at, from) === from.length;
  }
  readU32(at: number): number | undefined {
    const bytes = this.readBytes(at, 4);
    return bytes && new DataView(bytes.buffer).getUint32(0, true);
  }
  writeU32(at: number, value: number): boolean {
    return this.writeBytes(at, new Uint8Array(Uint32Array.of(value).buffer));
  }
  readU64(at: number): number | undefined {
    const bytes = this.readBytes(at, 8);
    return bytes && Number(new DataView(bytes.buffer).getBigUint64(0, true));
  }
  writeU64(at: number, value: number | bigint): boolean {
    return this.writeBytes(at, new Uint8Array(BigUint64Array.of(BigInt.asUintN(64, BigInt(value))).buffer));
  }
  readCString(at: number, limit: number): Uint8Array | undefined | 'too-long' {
    const bytes = new Uint8Array(limit);
    const got = this.read(at, bytes);
    const end = bytes.subarray(0, got).indexOf(0);
    return end >= 0 ? bytes.subarray(0, end) : got < limit ? undefined : 'too-long';
  }
}

class ScriptedExecutor implements Executor<ProcessSpace> {
  private readonly stacks = new Map<number, Activation[]>();
  private readonly handlers = new Map<number, Program>();
  private readonly images = new Map<number, Program>();
  private readonly waiting: Program[] = [];
  private pages = 0;
  /** Work that retired, in order: the letter of the thread (A is the first that began) and how much. */
  readonly trace: string[] = [];
  private readonly names = new Map<number, string>();

  /** Gives a handler an address. */
  handler(program: Program): number {
    const at = HANDLERS + 0x1000 * this.handlers.size;
    this.handlers.set(at, program);
    return at;
  }

  begin(cpu: CpuState, program: Program): void {
    const next = CODE + 0x1_0000 * this.pages++;
    this.names.set(cpu.base, String.fromCharCode(65 + this.names.size));
    this.stacks.set(cpu.base, [{ generator: program(), next, step: undefined, at: next }]);
    cpu.rip = next;
  }

  /** A program image: whoever comes to the address begins it. */
  image(program: Program): number {
    const at = IMAGES + 0x1000 * this.images.size;
    this.images.set(at, program);
    return at;
  }

  /** The innermost activation is gone without a return: a debugger put the registers back. */
  forget(cpu: CpuState): void {
    this.stacks.get(cpu.base)?.pop();
  }

  getFlags(cpu: CpuState): number {
    return cpu.int(SLOT.FLAGS_REST);
  }

  setFlags(cpu: CpuState, flags: number): void {
    cpu.setInt(SLOT.FLAGS_REST, flags);
  }

  /** What has to stay `within` goes on one by one: `fuel` may come back early. */
  run(cpu: CpuState, space: ProcessSpace, fuel: number, within?: IpRange): Exit {
    if (within !== undefined) {
      const exit = this.run(cpu, space, 1);
      cpu.setInt(STATE.FUEL, cpu.int(STATE.FUEL) + fuel - 1);
      return exit;
    }
    cpu.setInt(STATE.FUEL, fuel);
    for (;;) {
      const activation = this.settle(cpu);
      if (activation.step === undefined) this.advance(cpu, activation);
      const { step } = activation;
      if (step === undefined) return this.leave(cpu);
      const exit = this.perform(cpu, activation, step);
      if (exit !== undefined) return exit;
    }
  }

  /** Whose instruction is at ip? A new handler's, or that of the activation that a sigreturn went back to. */
  private settle(cpu: CpuState): Activation {
    const { rip } = cpu;
    let stack = this.stacks.get(cpu.base);
    if (stack === undefined) {
      const program = this.waiting.shift();
      if (program === undefined) throw new Error('a thread without a program');
      this.begin(cpu, program);
      stack = this.stacks.get(cpu.base) as Activation[];
    }
    const image = this.images.get(rip);
    if (image !== undefined && stack[0]?.next !== rip + 1) {
      stack.length = 0;
      stack.push({ generator: image(), next: rip + 1, step: undefined, at: rip });
    }
    const handler = this.handlers.get(rip);
    if (handler !== undefined) stack.push({ generator: handler(), next: rip + 1, step: undefined, at: rip });
    return stack.at(-1) as Activation;
  }

  /** The step before is over: its result is in rax. */
  private advance(cpu: CpuState, activation: Activation): void {
    const result = activation.generator.next(cpu.signed(RAX));
    activation.at = activation.next;
    cpu.rip = activation.at;
    if (result.done) return;
    const step = result.value;
    activation.step = step;
    activation.next = activation.at + ('call' in step ? 2 : 'work' in step ? step.work : 1);
    if (!('call' in step)) return;
    cpu.setNum(RAX, step.call);
    ARGUMENTS.forEach((slot, i) => {
      cpu.setBig(slot, BigInt(step.args?.[i] ?? 0));
    });
    if (step.child !== undefined) this.waiting.push(step.child);
  }

  private perform(cpu: CpuState, activation: Activation, step: Step): Exit | undefined {
    const left = cpu.int(STATE.FUEL);
    if ('call' in step) {
      if (cpu.rip === activation.at + 2) {
        activation.step = undefined;
        return undefined;
      }
      return left === 0 ? { kind: 'fuel' } : { kind: 'syscall' };
    }
    if ('work' in step) {
      const done = Math.min(left, activation.next - cpu.rip);
      this.note(cpu, done);
      cpu.rip = cpu.rip + done;
      cpu.setInt(STATE.FUEL, left - done);
      if (cpu.rip < activation.next) return { kind: 'fuel' };
      activation.step = undefined;
      return left === done ? { kind: 'fuel' } : undefined;
    }
    if (left === 0) return { kind: 'fuel' };
    if ('int3' in step) {
      if (cpu.rip !== activation.at) {
        activation.step = undefined;
        return undefined;
      }
      return { kind: 'breakpoint' };
    }
    if (cpu.rip !== activation.at) {
      activation.step = undefined;
      return undefined;
    }
    const fault = step.fault();
    if (fault !== undefined) return { kind: 'fault', fault };
    cpu.setInt(STATE.FUEL, left - 1);
    cpu.rip = activation.next;
    activation.step = undefined;
    return undefined;
  }

  private note(cpu: CpuState, count: number): void {
    if (count > 0) this.trace.push(`${this.names.get(cpu.base)}${count}`);
  }

  /** The end of a handler returns through the restorer; the end of a program is a mistake of the test. */
  private leave(cpu: CpuState): Exit {
    const stack = this.stacks.get(cpu.base) as Activation[];
    if (stack.length === 1) throw new Error('the program ended without exit');
    if (cpu.int(STATE.FUEL) === 0) return { kind: 'fuel' };
    stack.pop();
    cpu.rsp = cpu.rsp + 8;
    cpu.rip = RESTORER;
    cpu.setNum(RAX, NR_SIGRETURN);
    return { kind: 'syscall' };
  }
}

export interface Scripted {
  readonly machine: Machine;
  readonly process: Process;
  readonly thread: Thread;
  readonly space: ScriptedSpace;
  readonly execution: ScriptedExecutor;
  /** Another process that the root starts. */
  start(program: Program): Process;
  /** Installs a handler by an address that rt_sigaction takes; returns the 32 bytes' place. */
  action(handler: Program | number, flags?: number, mask?: bigint): number;
  /** A string with its NUL at an address. */
  text(at: number, text: string): number;
  /** 8-byte words at an address. */
  words(at: number, ...values: (number | bigint)[]): number;
}

const SA_RESTORER = 0x0400_0000;

/** Programs that execve finds, by path: each gets a fresh space. */
export type Programs = Readonly<Record<string, Program>>;

export function scripted(
  program: Program,
  config: Partial<MachineConfig> = {},
  programs: Programs = {},
  host: Host = NO_HOST,
): Scripted {
  const physical = new PhysicalMemory(FRAMES_BASE + 0x40_0000);
  let frame = FRAMES_BASE / 4096;
  const execution = new ScriptedExecutor();
  const syscalls = new SyscallTable(
    execSyscalls, fileSyscalls, forkSyscalls, futexSyscalls, identitySyscalls, itimerSyscalls, messageQueueSyscalls, semaphoreSyscalls, posixTimerSyscalls, prctlSyscalls, signalSyscalls, systemSyscalls, taskSyscalls,
    timeSyscalls, waitSyscalls,
  ); // biome-ignore format: one list
  const machine = new Machine({
    config: {
      seed: 1, epoch: { seconds: 1_000_000_000, nanoseconds: 500 }, sliceLength: 100, limits: defaultLimits(), randomise: false, cpu: 'base', pidBase: 1000,
      maxProcesses: 64, maxMemory: 1 << 30, hostname: 'guest', ...config,
    }, // biome-ignore format: a table
    physical,
    frames: { alloc: () => frame++, release: () => undefined, available: 100 },
    execution,
    abi: linuxX86Abi(execution),
    loader: { load: (request) => load(request) },
    syscalls,
    host,
  });
  machine.root = createRoot(machine);
  const load = ({ machine, process, path, argv, environ }: LoadRequest): LoadedProgram | LoadFailure => {
    const found = programs[path];
    if (found === undefined) return { errno: 2 };
    const image = { exe: path, argv, environ, auxv: [] };
    return {
      space: new ScriptedSpace(),
      entry: execution.image(found),
      stack: STACK_TOP,
      image,
      comm: path.slice(1, 16),
      credentials: credentialsAfterExec(machine, process, NOBODYS),
    };
  };
  let scratch = 0x1_0100;
  let newest = new ScriptedSpace();
  const start = (start: Program): Process => {
    newest = new ScriptedSpace();
    const process = newProcess(machine, newest);
    const cpu = machine.newCpu() as Cpu;
    machine.abi.start(cpu, 0, STACK_TOP);
    execution.begin(cpu, start);
    const thread = new Thread(process.pid as number as Tid, process, cpu, 'scripted');
    process.threads.set(thread.tid, thread);
    machine.threads.set(thread.tid, thread);
    machine.scheduler.enqueue(thread);
    return process;
  };
  const process = start(program);
  const space = newest;
  const words = (at: number, ...values: (number | bigint)[]): number => {
    values.forEach((value, i) => {
      space.writeU64(at + 8 * i, value);
    });
    return at;
  };
  return {
    machine,
    process,
    thread: process.leader as Thread,
    space,
    execution,
    start,
    words,
    text(at, text) {
      space.writeBytes(at, new TextEncoder().encode(`${text}\0`));
      return at;
    },
    action(handler, flags = 0, mask = 0n) {
      const address = typeof handler === 'number' ? handler : execution.handler(handler);
      scratch += 32;
      return words(scratch, address, flags | SA_RESTORER, RESTORER, mask);
    },
  };
}

function newProcess(machine: Machine, space: ScriptedSpace): Process {
  const root = machine.root as Process;
  const pid = machine.newPid();
  const process = new Process({
    pid,
    parent: root,
    pgid: pid,
    sid: root.sid,
    space,
    files: new FileTable(),
    fs: { cwd: '/', root: '/', umask: 0o22 },
    handlers: { actions: Array.from({ length: SIGNAL_COUNT + 1 }, () => DEFAULT_ACTION), users: 1 },
    credentials: { ...root.credentials, capabilities: { ...root.credentials.capabilities } },
    limits: defaultLimits(),
    image: { exe: '/scripted', argv: [], environ: [], auxv: [] },
    comm: 'scripted',
    startTime: machine.clock.monotonic,
    childKey: machine.newWaitKey(),
    signalKey: machine.newWaitKey(),
  });
  root.children.add(process);
  machine.processes.set(pid, process);
  return process;
}

/** Runs until nothing more can run, letting time jump to every deadline. */
export function runAll(machine: Machine): void {
  for (let i = 0; i < 10_000; i++) {
    const result = machine.run(1_000_000);
    if (result.kind === 'exited') return;
    if (result.kind === 'idle' && result.deadline === undefined) throw new Error('everybody sleeps for ever');
    if (result.kind === 'idle') machine.clock.jumpTo(result.deadline as number);
    if (result.kind === 'stop') throw new Error(`stopped: ${result.event.kind}`);
  }
  throw new Error('the machine does not come to an end');
}
