/**
 * Operands of the vector instructions, whose MMX, SSE and AVX forms compute the same. A lift function says what becomes of 16 bytes of each source and
 * need not know which form it has.
 *
 * An MMX operand comes as its 8 bytes twice, and of a result for it the low 8 bytes count. A ymm operand comes in halves.
 */
import { EncodingKind } from '../../../iced-x86.js';
import type { Value } from '../../ir/op-builder.js';
import { ACCESS } from '../../stop.js';
import type { Lifter, LiftFunction } from '../lifter.js';
import { isMmx, readMmx, writeMmx } from './mmx-operands.js';
import { wait } from './x87-operands.js';

/** What an instruction computes of 16 bytes of each source; `half` is 1 for the upper ones of ymm. */
export type Binary = (b: Lifter, x: Value, y: Value, half: number) => Value;
export type Unary = (b: Lifter, x: Value, half: number) => Value;

/** True for the AVX form of an instruction: it names its destination apart, needs no alignment and clears what is above its result. */
export function isVex(b: Lifter): boolean {
  return b.insn.encoding === EncodingKind.VEX;
}

/** Numbers of the operands that an instruction with two sources reads. */
export function sources(b: Lifter): [number, number] {
  return isVex(b) ? [1, 2] : [0, 1];
}

/** True when the instruction works on MMX registers; then waits for the x87, as all of them do. */
export function begin(b: Lifter): boolean {
  const mmx = isMmx(b, 0) || (b.insn.opCount > 1 && isMmx(b, 1));
  if (mmx) wait(b);
  return mmx;
}

/** A 16-byte source, or a half of a longer one. Legacy SSE wants it aligned when it is in memory. */
export function readAligned(b: Lifter, operand: number, half = 0): Value {
  if (!isVex(b)) b.requireAligned(operand);
  return b.readVector(operand, half);
}

/** A source of the instruction's own width: MMX or 16 bytes. */
export function source(b: Lifter, operand: number, mmx: boolean): Value {
  return mmx ? b.op('i64x2.splat', readMmx(b, operand)) : readAligned(b, operand);
}

/** Numbers of the halves that an operand has: 0, or 0 and 1. */
export function halves(b: Lifter, operand: number): readonly number[] {
  return b.size(operand) === 32 ? [0, 1] : [0];
}

/** Writes a vector result, half after half. Legacy SSE keeps the upper half of ymm, AVX clears it when there is no value for it. */
export function writeHalves(b: Lifter, values: readonly Value[], operand = 0): void {
  if (b.isMemory(operand)) {
    if (values.length > 1) b.probe(b.address(operand), 32, ACCESS.WRITE);
  } else if (values.length === 1 && isVex(b)) b.writeVector(operand, zero(b), 1);
  for (const [half, value] of values.entries()) b.writeVector(operand, value, half);
}

/** Writes the destination, MMX or 16 bytes. */
export function result(b: Lifter, value: Value, mmx: boolean): void {
  if (mmx) writeMmx(b, 0, b.op('i64x2.extract_lane.0', value));
  else writeHalves(b, [value]);
}

/** dst ← what `compute` makes of each half. */
export function eachHalf(b: Lifter, compute: (half: number) => Value): void {
  writeHalves(b, halves(b, 0).map(compute));
}

/** dst ← op(x, y), where each lane depends on the same place of the sources (or, of MMX, on the low half). */
export function binary(op: Binary): LiftFunction {
  return (b) => {
    if (begin(b)) {
      const y = source(b, 1, true);
      return result(b, op(b, source(b, 0, true), y, 0), true);
    }
    const [first, last] = sources(b);
    eachHalf(b, (half) => {
      const y = readAligned(b, last, half);
      return op(b, b.readVector(first, half), y, half);
    });
  };
}

/** dst ← op(x, y), where the result's low half comes of all of x and its high half of all of y. */
export function joining(op: Binary): LiftFunction {
  const onVectors = binary(op);
  return (b) => {
    if (!begin(b)) return onVectors(b);
    const y = readMmx(b, 1);
    const both = b.op('i64x2.replace_lane.1', b.op('i64x2.splat', readMmx(b, 0)), y);
    result(b, op(b, both, both, 0), true);
  };
}

/** dst ← op(src). */
export function unary(op: Unary): LiftFunction {
  return (b) => {
    if (begin(b)) return result(b, op(b, source(b, 1, true), 0), true);
    eachHalf(b, (half) => op(b, readAligned(b, 1, half), half));
  };
}

/** Writes the lowest `bytes` of the destination: legacy SSE keeps the rest, AVX takes the rest of 16 bytes from the operand before the source. */
export function writeLowest(b: Lifter, bytes: number, value: Value): void {
  if (isVex(b)) writeHalves(b, [replaceLowest(b, bytes, b.readVector(1), value)]);
  else b.writeSized(0, bytes, value);
}

/** A vector whose lowest 4 or 8 bytes are replaced. */
export function replaceLowest(b: Lifter, bytes: number, vector: Value, value: Value): Value {
  return b.op(`${shapeOf(bytes)}.replace_lane.0`, vector, value);
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
