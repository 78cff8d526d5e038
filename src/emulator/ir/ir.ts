/** IR as data: what the lifter makes of a basic block of guest instructions. */
import type { CodeHook } from '../executor.js';
import type { Immediate, Value } from './op-builder.js';
import type { OpRow } from './ops.js';
import type { Subroutine } from './subroutine.js';

export interface IrOp {
  readonly row: OpRow;
  readonly args: readonly Value[];
  readonly result: Value | undefined;
  /**
   * Constants: the value. Slots: the offset in the CPU struct. Memory: the displacement (32 bits signed), and bit 32 set when a
   * non-canonical address is a stack fault. Probes: the size. Control: see ir/ops.ts.
   */
  readonly immediate: Immediate;
  /** For `sub`: what is called, and its results. */
  readonly sub?: Subroutine;
  readonly results?: readonly Value[];
}

/** The ops of one guest instruction. It retires as one unit of fuel. */
export interface IrInsn {
  readonly ip: number;
  readonly length: number;
  readonly ops: readonly IrOp[];
  /** The lazy-flags kind in force when the instruction starts: a constant, or undefined when the block does not know it. */
  readonly flagsBefore: number | undefined;
  /** To be asked before anything of it is done. */
  readonly hook?: CodeHook;
}

/** A basic block: entered at the top; its last instruction ends in a control op or falls through to the next address. */
export interface IrBlock {
  readonly ip: number;
  readonly insns: readonly IrInsn[];
  /** Address behind the last instruction. */
  readonly end: number;
  /** The bytes that it was made of, `ip` to `end`. */
  readonly bytes: Uint8Array;
  /** What was known at the addresses of breakpoint instructions in it. */
  readonly hooks: readonly PlacedHook[];
}

/** A breakpoint instruction in fetched bytes: of the probe engine with this hook, or without any. */
export interface PlacedHook {
  readonly ip: number;
  readonly hook: CodeHook | undefined;
}

/** Bit 32 of a memory op's immediate: a non-canonical address raises #SS, not #GP (SDM vol. 1, 3.3.7.1). */
export const STACK_SEGMENT = 1n << 32n;
