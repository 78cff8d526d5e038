/**
 * Runs raw x86-64 instructions in the emulator, for tests of instructions:
 *
 *     const after = runCode({ code: [0x01, 0xd8], registers: { rax: 1n, rbx: 2n } }); // add %ebx,%eax
 *     expect(after.register('rax')).toBe(3n);
 *
 * The code lies at CODE and is followed by `hlt`, whose #GP ends the run: then `after.exit` is `{ kind: 'end' }` (and rip is at the hlt).
 * Anything else that ends it (a fault, a syscall, fuel) is the Exit itself. 16 KiB at DATA and at STACK (rsp starts in its middle) can be read
 * and written; other memory must be given. Registers that are not given are 0, x87 and MXCSR as after execve.
 */
import { type CpuState as Cpu, CpuState, STATE } from '../../../src/emulator/cpu-state.js';
import type { Tier } from '../../../src/emulator/execution/tiering.js';
import { Execution } from '../../../src/emulator/execution.js';
import type { Exit, IpRange } from '../../../src/emulator/executor.js';
import { ACCESS } from '../../../src/emulator/stop.js';
import { x86 } from '../../../src/emulator/x86/arch.js';
import { initFpu } from '../../../src/emulator/x86/fpu-image.js';
import { REGISTERS, registerNamed, SLOT } from '../../../src/register-set.js';
import { FlatMemory, FlatSpace } from '../execution/flat-space.js';

export const CODE = 0x5555_5555_4000;
export const DATA = 0x5555_5556_0000;
export const STACK = 0x7fff_ffff_8000;
export const AREA_BYTES = 0x4000;
/** Where rsp starts. */
export const STACK_POINTER = STACK + AREA_BYTES / 2;
const HLT = 0xf4;
const ALL = ACCESS.READ | ACCESS.WRITE;

export interface CodeRequest {
  readonly code: ArrayLike<number>;
  /** By gdb's names (register-set.ts): rax..r15, fs_base, mxcsr, xmm0 (128 bits), ymm0h ... and `eflags`. */
  readonly registers?: Readonly<Record<string, bigint>>;
  /** Bytes put into memory before the run, at any user address; pages that are not there are made. `access`: ACCESS.*, read and write if not given. */
  readonly memory?: readonly {
    readonly address: number;
    readonly bytes: ArrayLike<number>;
    readonly access?: number;
  }[];
  /** Addresses in pages whose every access `settle` sees. */
  readonly watch?: readonly number[];
  /** Most instructions; a million if not given. */
  readonly fuel?: number;
  /** Instructions in one run: the code is run in slices of so many. As one if not given. */
  readonly slice?: number;
  /** It ends with `fuel` behind the first instruction that leads out of these addresses. */
  readonly within?: IpRange;
  /** `interp` if not given. */
  readonly tier?: Tier;
  /** Anything else in the CPU struct, before the run: x87 registers and the like. */
  readonly prepare?: (cpu: Cpu) => void;
}

export interface CodeOutcome {
  readonly exit: Exit | { readonly kind: 'end' };
  /** Instructions retired. */
  readonly retired: number;
  /** Of these, how many in compiled code. */
  readonly compiled: number;
  /** By gdb's names; `eflags` too. */
  register(name: string): bigint;
  /** All registers with a slot, and eflags, by name: for whole comparisons. */
  registers(): Record<string, bigint>;
  memory(address: number, length: number): Uint8Array;
  /** Borrowed until the next runCode. */
  readonly cpu: Cpu;
  readonly space: FlatSpace;
}

interface Bench {
  readonly memory: FlatMemory;
  readonly execution: Execution;
  lastSpace: FlatSpace | undefined;
}

const benches = new Map<Tier, Bench>();

function benchOf(tier: Tier): Bench {
  const known = benches.get(tier);
  if (known !== undefined) return known;
  const memory = new FlatMemory();
  const environment = (cpu: Cpu) => ({ tsc: BigInt(1_000_000 - cpu.int(STATE.FUEL)), model: 'v3' as const });
  const execution = new Execution({
    physical: memory.physical,
    arch: x86,
    model: 'v3',
    environment,
    tier,
    hotAfter: 20,
  });
  const made = { memory, execution, lastSpace: undefined };
  benches.set(tier, made);
  return made;
}

function readRegister(execution: Execution, cpu: Cpu, name: string): bigint {
  if (name === 'eflags') return BigInt(execution.getFlags(cpu));
  const { slot, bits } = registerNamed(name);
  if (slot === undefined) throw new Error(`${name} is not plain storage`);
  return cpu.bytes(slot, bits / 8).reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

function writeRegister(execution: Execution, cpu: Cpu, name: string, value: bigint): void {
  if (name === 'eflags') return execution.setFlags(cpu, Number(value));
  const { slot, bits } = registerNamed(name);
  if (slot === undefined) throw new Error(`${name} is not plain storage`);
  cpu.bytes(slot, bits / 8).forEach((_, i, bytes) => {
    bytes[i] = Number((value >> BigInt(8 * i)) & 0xffn);
  });
}

function newSpace(bench: Bench, request: CodeRequest): FlatSpace {
  const { memory, execution, lastSpace } = bench;
  if (lastSpace !== undefined) execution.spaceGone(lastSpace);
  memory.reset();
  const space = new FlatSpace(memory);
  bench.lastSpace = space;
  space.listener = execution;
  const code = [...Array.from(request.code), HLT];
  space.map(CODE, code.length, ACCESS.READ | ACCESS.FETCH);
  space.write(CODE, code);
  space.map(DATA, AREA_BYTES, ALL);
  space.map(STACK, AREA_BYTES, ALL);
  for (const { address, bytes, access } of request.memory ?? []) {
    space.map(address, bytes.length, access ?? ALL);
    space.write(address, bytes);
  }
  for (const address of request.watch ?? []) space.watch(address);
  return space;
}

function newCpu({ memory, execution }: Bench, request: CodeRequest): Cpu {
  const cpu = new CpuState(memory.physical, memory.allocate(4096));
  initFpu(cpu);
  execution.setFlags(cpu, 0x202);
  cpu.rsp = STACK_POINTER;
  for (const [name, value] of Object.entries(request.registers ?? {})) writeRegister(execution, cpu, name, value);
  request.prepare?.(cpu);
  cpu.rip = CODE;
  return cpu;
}

function isIn(range: IpRange | undefined, ip: number): boolean {
  return range === undefined || (ip >= range.start && ip < range.end);
}

export function runCode(request: CodeRequest): CodeOutcome {
  const bench = benchOf(request.tier ?? 'interp');
  const { execution } = bench;
  const space = newSpace(bench, request);
  const cpu = newCpu(bench, request);
  const fuel = request.fuel ?? 1_000_000;
  const slice = request.slice ?? fuel;
  const { within } = request;
  let retired = 0;
  const compiledBefore = execution.statistics.compiled;
  let exit: Exit;
  do {
    const given = Math.min(slice, fuel - retired);
    exit = execution.run(cpu, space, given, given === 1 ? undefined : within);
    retired += given - cpu.int(STATE.FUEL);
  } while (exit.kind === 'fuel' && retired < fuel && isIn(within, cpu.rip));
  const ended = exit.kind === 'fault' && cpu.rip === CODE + request.code.length && exit.fault.trapNumber === 13;
  return {
    exit: ended ? { kind: 'end' } : exit,
    retired,
    compiled: execution.statistics.compiled - compiledBefore,
    register: (name) => readRegister(execution, cpu, name),
    registers: () => {
      const named = REGISTERS.filter(({ slot }) => slot !== undefined).map(({ name }) => name);
      return Object.fromEntries([...named, 'eflags'].map((name) => [name, readRegister(execution, cpu, name)]));
    },
    memory: (address, length) => space.read(address, length),
    cpu,
    space,
  };
}

/** The x87 register file: physical registers, control, status, TOP and tags, as they are in the CPU struct. */
export function x87Bytes(cpu: Cpu): Uint8Array {
  return Uint8Array.from([...cpu.bytes(SLOT.FCW, SLOT.FOP - SLOT.FCW), ...cpu.bytes(SLOT.X87, 8 * 16)]);
}
