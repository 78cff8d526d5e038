/**
 * Shifts and rotates: SDM vol. 1, 5.1.5. Counts are taken modulo 32, or 64 for 8-byte operands; a count of 0 changes no flag. Where the
 * SDM leaves a flag undefined, it is what AMD's processors make of it (measured on Zen 4).
 */
import { Mnemonic } from '../../../iced-x86.js';
import type { Value } from '../../ir/op-builder.js';
import { condition } from '../conditions.js';
import { changeFlags } from '../flag-parts.js';
import { FLAG, FLAGS_BASE, flagsKind, recordFlagsIf } from '../flags.js';
import { type InsnRow, type Lifter, type LiftFunction, row } from '../lifter.js';

/** The masked count, in the type of the operand; a constant when it is an immediate. */
function maskedCount(b: Lifter, operand: number, size: number): Value {
  const mask = size === 8 ? 63 : 31;
  const wide = (value: Value): Value => (size === 8 ? b.extendU(value) : value);
  if (!b.isRegister(operand)) return wide(b.i32(b.insn.immediate8 & mask));
  return wide(b.and(b.read(operand), b.i32(mask)));
}

/** The highest bit of a value of `size` bytes (i32, 0 or 1); `below`: the bit that many places lower. */
function topBit(b: Lifter, value: Value, size: number, below = 0): Value {
  return b.and(b.wrap(b.shrU(value, b.like(value, 8 * size - 1 - below))), b.i32(1));
}

/** Records lazy flags unless the count is 0. */
function shiftFlags(b: Lifter, count: Value, kind: number, x: Value, y: Value, result: Value): void {
  if (count.constant === 0n) return;
  if (count.constant !== undefined) return b.recordFlags(kind, x, y, result);
  recordFlagsIf(b, b.ne(count, b.like(count, 0)), kind, x, y, result);
}

/** SHL, SHR, SAR. */
function shift(base: number, compute: (b: Lifter, x: Value, count: Value, size: number) => Value): LiftFunction {
  return (b) => {
    const size = b.size(0);
    const x = b.readForUpdate(0);
    const count = maskedCount(b, 1, size);
    const result = b.truncate(compute(b, x, count, size), size);
    b.write(0, result);
    shiftFlags(b, count, flagsKind(base, size), x, count, result);
  };
}

/** Sets CF and OF (i32, 0 or 1) unless the count is 0; the other flags stay. */
function rotateFlags(b: Lifter, count: Value, carry: Value, overflow: Value): void {
  if (count.constant === 0n) return;
  const changes = count.constant === undefined ? b.ne(count, b.like(count, 0)) : undefined;
  changeFlags(b, { carry, overflow }, changes);
}

/** ROL, ROR. A narrow value is repeated over 32 bits first, so that the rotation wraps by itself. */
function rotate(left: boolean): LiftFunction {
  return (b) => {
    const size = b.size(0);
    const x = b.readForUpdate(0);
    const count = maskedCount(b, 1, size);
    const repeated = size === 1 ? b.mul(x, b.i32(0x0101_0101)) : size === 2 ? b.mul(x, b.i32(0x1_0001)) : x;
    const result = b.truncate(b.op(`${x.type}.${left ? 'rotl' : 'rotr'}`, repeated, count), size);
    b.write(0, result);
    const top = topBit(b, result, size);
    const carry = left ? b.and(b.wrap(result), b.i32(1)) : top;
    rotateFlags(b, count, carry, b.xor(top, left ? carry : topBit(b, result, size, 1)));
  };
}

/** RCL, RCR of 1, 2 or 4 bytes: CF above the value makes one number, which is rotated within an i64. Result and new CF. */
function rotateCarryNarrow(
  b: Lifter,
  x: Value,
  count: Value,
  carry: Value,
  size: number,
  left: boolean,
): [Value, Value] {
  const bits = 8 * size + 1;
  const by = size === 4 ? count : b.op('i32.rem_u', count, b.i32(bits));
  const up = b.extendU(left ? by : b.sub(b.i32(bits), by));
  const whole = b.or(b.extendU(x), b.shl(b.extendU(carry), b.i64(bits - 1)));
  const rotated = b.or(b.shl(whole, up), b.shrU(whole, b.sub(b.i64(bits), up)));
  return [b.truncate(b.wrap(rotated), size), b.and(b.wrap(b.shrU(rotated, b.i64(bits - 1))), b.i32(1))];
}

/** RCL, RCR of 8 bytes. */
function rotateCarryWide(b: Lifter, x: Value, count: Value, carry: Value, left: boolean): [Value, Value] {
  const zero = b.eqz(count);
  const one = b.i64(1);
  const less = b.sub(count, one);
  const [away, back] = left ? ['shl' as const, 'shrU' as const] : ['shrU' as const, 'shl' as const];
  // Three parts: the value moved, CF behind it, and what left at the other end, one place further.
  const carried = left ? b.shl(b.extendU(carry), less) : b.shl(b.extendU(carry), b.sub(b.i64(64), count));
  const wrapped = b[back](b[back](x, one), b.sub(b.i64(64), count));
  const result = b.or(b.or(b[away](x, count), carried), wrapped);
  const out = b.and(b.wrap(b.shrU(x, left ? b.sub(b.i64(64), count) : less)), b.i32(1));
  return [b.select(zero, x, result), b.select(zero, carry, out)];
}

/** RCL, RCR: rotates through CF. */
function rotateCarry(left: boolean): LiftFunction {
  return (b) => {
    const size = b.size(0);
    const x = b.readForUpdate(0);
    const count = maskedCount(b, 1, size);
    const carryIn = condition(b, 2);
    const [result, carry] =
      size === 8 ? rotateCarryWide(b, x, count, carryIn, left) : rotateCarryNarrow(b, x, count, carryIn, size, left);
    b.write(0, result);
    const top = topBit(b, result, size);
    rotateFlags(b, count, carry, b.xor(top, left ? carry : topBit(b, result, size, 1)));
  };
}

/** SHLD, SHRD: shifts bits of the second operand in. */
function doubleShift(left: boolean): LiftFunction {
  return (b) => {
    const size = b.size(0);
    const x = b.readForUpdate(0);
    const y = b.read(1);
    const count = maskedCount(b, 2, size);
    const form = size === 8 ? doubleWide : size === 4 ? doubleNarrow : doubleWord;
    const [result, carry] = form(b, x, y, count, left);
    // For a count of 1 this is, as defined, whether the sign has changed.
    const overflow = b.xor(topBit(b, result, size), left ? carry : topBit(b, result, size, 1));
    const bit = (value: Value): Value => (size === 8 ? b.extendU(value) : value);
    b.write(0, result);
    const bits = b.or(carry, b.i32(FLAG.AF));
    shiftFlags(b, count, flagsKind(FLAGS_BASE.RESULT, size), bit(bits), bit(overflow), result);
  };
}

/** 4 bytes: within an i64. */
function doubleNarrow(b: Lifter, x: Value, y: Value, count: Value, left: boolean): [Value, Value] {
  const by = b.extendU(count);
  const [high, low] = left ? [x, y] : [y, x];
  const pair = b.or(b.shl(b.extendU(high), b.i64(32)), b.extendU(low));
  const bit = (value: Value): Value => b.and(b.wrap(value), b.i32(1));
  if (!left) return [b.wrap(b.shrU(pair, by)), bit(b.shrU(pair, b.sub(by, b.i64(1))))];
  return [b.wrap(b.shrU(b.shl(pair, by), b.i64(32))), bit(b.shrU(pair, b.sub(b.i64(64), by)))];
}

/** 2 bytes. For counts above 16 everything is undefined: there the second operand follows a second time, and CF is 0. */
function doubleWord(b: Lifter, x: Value, y: Value, count: Value, left: boolean): [Value, Value] {
  const by = b.extendU(count);
  const parts = left ? [x, y, y] : [y, y, x];
  const whole = parts.map((part) => b.extendU(part)).reduce((high, low) => b.or(b.shl(high, b.i64(16)), low));
  const out = b.and(b.wrap(b.shrU(whole, left ? b.sub(b.i64(48), by) : b.sub(by, b.i64(1)))), b.i32(1));
  const result = left ? b.shrU(b.shl(whole, by), b.i64(32)) : b.shrU(whole, by);
  return [b.truncate(b.wrap(result), 2), b.gtU(out, b.gtU(count, b.i32(16)))];
}

/** 8 bytes. */
function doubleWide(b: Lifter, x: Value, y: Value, count: Value, left: boolean): [Value, Value] {
  const one = b.i64(1);
  const rest = b.sub(b.i64(63), count);
  const result = left
    ? b.or(b.shl(x, count), b.shrU(b.shrU(y, one), rest))
    : b.or(b.shrU(x, count), b.shl(b.shl(y, one), rest));
  const out = b.shrU(x, left ? b.sub(b.i64(64), count) : b.sub(count, one));
  return [result, b.and(b.wrap(out), b.i32(1))];
}

const shl = shift(FLAGS_BASE.SHL, (b, x, count) => b.shl(x, count));

export const shifts: readonly InsnRow[] = [
  row(Mnemonic.Shl, shl),
  row(Mnemonic.Sal, shl),
  row(
    Mnemonic.Shr,
    shift(FLAGS_BASE.SHR, (b, x, count) => b.shrU(x, count)),
  ),
  row(
    Mnemonic.Sar,
    shift(FLAGS_BASE.SAR, (b, x, count, size) => b.shrS(b.signExtend(x, size), count)),
  ),
  row(Mnemonic.Rol, rotate(true)),
  row(Mnemonic.Ror, rotate(false)),
  row(Mnemonic.Rcl, rotateCarry(true)),
  row(Mnemonic.Rcr, rotateCarry(false)),
  row(Mnemonic.Shld, doubleShift(true)),
  row(Mnemonic.Shrd, doubleShift(false)),
];
