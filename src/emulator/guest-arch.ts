/** What interpreter, code generator and execution need to know of a guest architecture. A second one would be a second folder and a value of this type. */
import type { CpuState } from './cpu-state.js';
import type { CodeHook, PageFault } from './executor.js';
import type { IrBlock } from './ir/ir.js';
import type { Subroutine } from './ir/subroutine.js';
import type { FaultSignal } from './stop.js';

/** An instruction that JavaScript executes (EXIT.HELPER): reads and writes the CPU struct, without memory access. */
export interface HelperRow {
  readonly name: string;
  run(cpu: CpuState, environment: HelperEnvironment): void;
}

/** A processor model: `base` is x86-64-v2, `v3` adds AVX, AVX2, FMA, F16C, BMI and XSAVE (`--cpu`). */
export type Model = 'base' | 'v3';

export interface HelperEnvironment {
  /** Virtual time stamp counter. */
  readonly tsc: bigint;
  readonly model: Model;
}

/** Bytes that subroutines find at a fixed physical address, within the area of memory/layout.ts. */
export interface ConstantTable {
  readonly address: number;
  readonly bytes: Uint8Array;
}

/** Calls a subroutine on a CPU struct (its physical address) from JavaScript: cold paths only. */
export type SubroutineCall = (sub: Subroutine, cpu: number, ...args: (number | bigint)[]) => number | bigint;

/** An access that no page serves. */
export interface PageFaultReport {
  readonly why: PageFault;
  /** ACCESS.* */
  readonly access: number;
  readonly address: number | bigint;
  /** The page is there and only this kind of access is forbidden. */
  readonly present: boolean;
}

/** What lifting found at an address. */
export type Lifted =
  | { readonly kind: 'block'; readonly block: IrBlock }
  /** The bytes ended inside the first instruction: the byte at this offset must be fetched. */
  | { readonly kind: 'truncated' };

export interface LiftOptions {
  /** Most instructions in the block. */
  readonly limit: number;
  /** Instructions that the model has not are undefined. Left out: `base`. */
  readonly model?: Model;
  /** The hook in place of a breakpoint instruction at this address. Left out: there are none. */
  readonly hookAt?: (address: number) => CodeHook | undefined;
}

export interface GuestArch {
  /** Lifts the basic block at `ip` from its bytes (at least one). It ends at the first transfer of control, before the first truncated instruction, or at the limit. */
  lift(bytes: Uint8Array, ip: number, options: LiftOptions): Lifted;
  readonly subroutines: readonly Subroutine[];
  readonly helpers: readonly HelperRow[];
  /** To be copied into the physical memory before any code runs. */
  readonly tables: readonly ConstantTable[];
  /** The flags register, from and to the lazy record. */
  getFlags(cpu: CpuState, call: SubroutineCall): number;
  setFlags(cpu: CpuState, flags: number): void;
  /** The signal of a processor exception that the instruction at ip raises; `info` as in EXIT_INFO (`faultInfo`). */
  exception(cpu: CpuState, info: number): FaultSignal;
  /** The program wants a trap after each of its instructions (x86: TF). */
  stepsItself(cpu: CpuState): boolean;
  /** The signal of that trap. */
  stepTrap(cpu: CpuState): FaultSignal;
  /** The signal of a page fault. */
  pageFault(report: PageFaultReport): FaultSignal;
  /** The instruction at the start of the bytes, as text, and whether it is a legal one that this emulator does not know. */
  explainUndefined(bytes: Uint8Array, ip: number): { text: string; unsupported: boolean };
}
