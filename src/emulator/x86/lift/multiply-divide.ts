/** Multiplication and division: SDM vol. 1, 5.1.2. */
import { Mnemonic } from '../../../iced-x86.js';
import { GPR } from '../../../register-set.js';
import type { Value } from '../../ir/op-builder.js';
import { FAULT } from '../../stop.js';
import { FLAGS_BASE, flagsKind } from '../flags.js';
import { type InsnRow, type Lifter, row } from '../lifter.js';
import { divideSigned, divideUnsigned, multiplySigned, multiplyUnsigned } from '../wide-integer.js';

/** A value of `size` bytes (1, 2, 4) as an i64, with its sign or with zeros. */
function widen(b: Lifter, value: Value, size: number, signed: boolean): Value {
  return signed ? b.extendS(b.signExtend(value, size)) : b.extendU(value);
}

/** Writes a result of two halves: AX for bytes, else rDX:rAX. */
function writePair(b: Lifter, size: number, low: Value, high: Value): void {
  if (size === 1) return b.setGpr(GPR.RAX, b.or(b.and(low, b.i32(0xff)), b.shl(high, b.i32(8))), 2);
  b.setGpr(GPR.RAX, low, size);
  b.setGpr(GPR.RDX, high, size);
}

/** (low, high) of the product of two values of `size` bytes. */
export function product(b: Lifter, x: Value, y: Value, size: number, signed: boolean): [Value, Value] {
  if (size === 8) {
    const [high, low] = b.call(signed ? multiplySigned : multiplyUnsigned, x, y) as [Value, Value];
    return [low, high];
  }
  const whole = b.mul(widen(b, x, size, signed), widen(b, y, size, signed));
  return [b.truncate(b.wrap(whole), size), b.truncate(b.wrap(b.shrU(whole, b.i64(8 * size))), size)];
}

/** MUL: rDX:rAX ← rAX × src; CF = OF = 1 when the upper half is needed. SF, ZF, AF, PF are undefined. */
function mul(b: Lifter): void {
  const size = b.size(0);
  const [low, high] = product(b, b.gpr(GPR.RAX, size), b.read(0), size, false);
  const needed = b.ne(high, b.like(high, 0));
  const flag = size === 8 ? b.extendU(needed) : needed;
  writePair(b, size, low, high);
  b.recordFlags(flagsKind(FLAGS_BASE.RESULT, size), flag, flag, low);
}

/** IMUL with one operand. */
function imulWide(b: Lifter): void {
  const size = b.size(0);
  const x = b.gpr(GPR.RAX, size);
  const y = b.read(0);
  const [low, high] = product(b, x, y, size, true);
  writePair(b, size, low, high);
  b.recordFlags(flagsKind(FLAGS_BASE.MUL, size), x, y, low);
}

/** IMUL with two or three operands: dst ← the low half. */
function imul(b: Lifter): void {
  if (b.insn.opCount === 1) return imulWide(b);
  const size = b.size(0);
  const x = b.read(b.insn.opCount - 2);
  const y = b.readSized(b.insn.opCount - 1, size);
  const low = b.truncate(b.mul(x, y), size);
  b.write(0, low);
  b.recordFlags(flagsKind(FLAGS_BASE.MUL, size), x, y, low);
}

/** DIV and IDIV by 1, 2 or 4 bytes: the dividend fits an i64. */
function divideNarrow(b: Lifter, size: number, signed: boolean): void {
  const divisor = widen(b, b.read(0), size, signed);
  const low = size === 1 ? b.gpr(GPR.RAX, 2) : b.gpr(GPR.RAX, size);
  const bits = b.i64(8 * size);
  const dividend =
    size === 1
      ? widen(b, low, 2, signed)
      : b.or(b.shl(widen(b, b.gpr(GPR.RDX, size), size, signed), bits), b.extendU(low));
  b.faultIf(b.eqz(divisor), FAULT.DIVIDE);
  if (signed) {
    // WebAssembly would trap.
    b.faultIf(b.and(b.eq(dividend, b.i64(1n << 63n)), b.eq(divisor, b.i64(-1))), FAULT.DIVIDE);
  }
  const quotient = b.op(signed ? 'i64.div_s' : 'i64.div_u', dividend, divisor);
  const remainder = b.op(signed ? 'i64.rem_s' : 'i64.rem_u', dividend, divisor);
  const result = b.truncate(b.wrap(quotient), size);
  b.faultIf(b.ne(widen(b, result, size, signed), quotient), FAULT.DIVIDE);
  writePair(b, size, result, b.truncate(b.wrap(remainder), size));
}

/** DIV by 8 bytes. */
function divideWide(b: Lifter): void {
  const divisor = b.read(0);
  const high = b.gpr(GPR.RDX);
  b.faultIf(b.geU(high, divisor), FAULT.DIVIDE);
  const [quotient, remainder] = b.call(divideUnsigned, high, b.gpr(GPR.RAX), divisor) as [Value, Value];
  writePair(b, 8, quotient, remainder);
}

/** IDIV by 8 bytes. */
function divideWideSigned(b: Lifter): void {
  const divisor = b.read(0);
  b.faultIf(b.eqz(divisor), FAULT.DIVIDE);
  const [quotient, remainder, overflow] = b.call(divideSigned, b.gpr(GPR.RDX), b.gpr(GPR.RAX), divisor);
  b.faultIf(overflow as Value, FAULT.DIVIDE);
  writePair(b, 8, quotient as Value, remainder as Value);
}

/** DIV, IDIV: rAX ← quotient, rDX ← remainder; #DE for a divisor of 0 and a quotient that does not fit. The flags, undefined, stay. */
function divide(b: Lifter, signed: boolean): void {
  const size = b.size(0);
  if (size < 8) return divideNarrow(b, size, signed);
  if (signed) divideWideSigned(b);
  else divideWide(b);
}

export const multiplyDivide: readonly InsnRow[] = [
  row(Mnemonic.Mul, mul),
  row(Mnemonic.Imul, imul),
  row(Mnemonic.Div, (b) => divide(b, false)),
  row(Mnemonic.Idiv, (b) => divide(b, true)),
];
