/**
 * Operands of the integer vector instructions, whose MMX, SSE and AVX forms compute the same: a lift function works on vectors of 16 bytes and need
 * not know which form it has.
 *
 * An MMX operand comes as its 8 bytes twice, and of a result for it the low 8 bytes count.
 */
import type { Value } from '../../ir/op-builder.js';
import type { Lifter, LiftFunction } from '../lifter.js';
import { isMmx, readMmx, writeMmx } from './mmx-operands.js';
import { wait } from './x87-operands.js';

/** What an instruction computes of 16 bytes of each source. */
export type Binary = (b: Lifter, x: Value, y: Value) => Value;
export type Unary = (b: Lifter, x: Value) => Value;

/** True when the instruction works on MMX registers; then waits for the x87, as all of them do. */
export function begin(b: Lifter): boolean {
  const mmx = isMmx(b, 0) || (b.insn.opCount > 1 && isMmx(b, 1));
  if (mmx) wait(b);
  return mmx;
}

/** A 16-byte source, aligned when it is in memory. */
export function readAligned(b: Lifter, operand: number): Value {
  b.requireAligned(operand);
  return b.readVector(operand);
}

/** A source of the instruction's own width. */
export function source(b: Lifter, operand: number, mmx: boolean): Value {
  return mmx ? b.op('i64x2.splat', readMmx(b, operand)) : readAligned(b, operand);
}

/** Writes the destination register. */
export function result(b: Lifter, value: Value, mmx: boolean): void {
  if (mmx) writeMmx(b, 0, b.op('i64x2.extract_lane.0', value));
  else b.writeVector(0, value);
}

/** dst ← op(dst, src), where each lane depends on the same place of the sources (or, of MMX, on the low half). */
export function binary(op: Binary): LiftFunction {
  return (b) => {
    const mmx = begin(b);
    const y = source(b, 1, mmx);
    result(b, op(b, source(b, 0, mmx), y), mmx);
  };
}

/** dst ← op(dst, src), where the result's low half comes of all of dst and its high half of all of src. */
export function joining(op: Binary): LiftFunction {
  return (b) => {
    if (!begin(b)) {
      const y = readAligned(b, 1);
      return b.writeVector(0, op(b, b.readVector(0), y));
    }
    const y = readMmx(b, 1);
    const both = b.op('i64x2.replace_lane.1', b.op('i64x2.splat', readMmx(b, 0)), y);
    result(b, op(b, both, both), true);
  };
}

/** dst ← op(src). */
export function unary(op: Unary): LiftFunction {
  return (b) => {
    const mmx = begin(b);
    result(b, op(b, source(b, 1, mmx)), mmx);
  };
}

/** The wasm op of that name. */
export function named(name: string): Binary {
  return (b, x, y) => b.op(name, x, y);
}

/** A constant of equal lanes of `bytes` bytes. */
export function splat(b: Lifter, bytes: number, value: number | bigint): Value {
  const lanes = new Uint8Array(16);
  for (let i = 0; i < 16; i++) lanes[i] = Number((BigInt(value) >> BigInt(8 * (i % bytes))) & 0xffn);
  return b.v128(lanes);
}

export function zero(b: Lifter): Value {
  return b.v128(new Uint8Array(16));
}

/** Name of the integer shape with lanes of that many bytes. */
export function shapeOf(bytes: number): string {
  return `i${8 * bytes}x${16 / bytes}`;
}

/** Byte indices for `shuffle` of a list of lane numbers (lanes of the second vector follow those of the first). */
export function laneIndices(bytes: number, lanes: readonly number[]): Uint8Array {
  return Uint8Array.from({ length: 16 }, (_, i) => (lanes[Math.floor(i / bytes)] as number) * bytes + (i % bytes));
}

/** Writes an i32 to a general register or memory operand of any width, zero-extended. */
export function writeInteger(b: Lifter, operand: number, value: Value): void {
  b.write(operand, b.size(operand) === 8 ? b.extendU(value) : value);
}
