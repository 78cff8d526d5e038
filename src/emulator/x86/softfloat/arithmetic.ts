/**
 * The soft path of SSE arithmetic: every case of add, subtract, multiply, divide and square root, on the bits of the operands (i64).
 * (x, y) → bits, exception flags; nothing is raised here. NaN rules: SDM vol. 1, table 4-7; priorities: table 4-11.
 */
import type { Value } from '../../ir/op-builder.js';
import { type Subroutine, type SubroutineBuilder, subroutine } from '../../ir/subroutine.js';
import {
  classify,
  F32,
  F64,
  type FloatFormat,
  indefiniteBits,
  infinityBits,
  normalize,
  type Operand,
  quieted,
  signBit,
  withSign,
} from './format.js';
import {
  addMagnitudes,
  divideMagnitudes,
  jam,
  multiplyMagnitudes,
  squareRootMagnitude,
  subtractMagnitudes,
} from './magnitude.js';
import { EXCEPTION, flagIf, has, MXCSR, ROUNDING, readMxcsr, roundingOf } from './mxcsr.js';
import { packOf } from './pack.js';

export type ArithmeticName = 'add' | 'sub' | 'mul' | 'div';

/** An operand as MXCSR.DAZ wants it: a subnormal becomes a zero of its sign, and then is none. */
export function readOperand(b: SubroutineBuilder, format: FloatFormat, bits: Value, mxcsr: Value): Operand {
  const raw = classify(b, format, bits);
  const flushed = b.and(raw.denormal, has(b, mxcsr, MXCSR.DAZ));
  const sign = b.i64(signBit(format));
  return {
    ...raw,
    bits: b.select(flushed, b.and(bits, sign), bits),
    magnitude: b.select(flushed, b.i64(0), raw.magnitude),
    zero: b.or(raw.zero, flushed),
    denormal: b.xor(raw.denormal, flushed),
  };
}

/** Returns the NaN of two operands, if one is a NaN: the first one that is, quieted. */
export function returnNan(b: SubroutineBuilder, format: FloatFormat, x: Operand, y: Operand): void {
  b.if(b.or(x.nan, y.nan), () => {
    const nan = quieted(b, format, b.select(x.nan, x.bits, y.bits));
    b.return(nan, b.or(x.signalling, y.signalling));
  });
}

function returnInvalidIf(b: SubroutineBuilder, format: FloatFormat, condition: Value): void {
  b.returnIf(condition, b.i64(indefiniteBits(format)), b.i32(EXCEPTION.INVALID));
}

/** Rounds a result of magnitude.ts and adds the flags that were found before. */
function finish(
  b: SubroutineBuilder,
  format: FloatFormat,
  mode: Value,
  sign: Value,
  [exponent, high, low]: readonly Value[],
  flags: Value,
): readonly Value[] {
  const [bits, more] = b.call(packOf(format), mode, sign, exponent as Value, jam(b, high as Value, low as Value)) as [
    Value,
    Value,
  ];
  return [bits, b.or(flags, more)];
}

/** The sign of a zero that is the sum of numbers with different signs. */
export function zeroSumSign(b: SubroutineBuilder, mode: Value): Value {
  return b.eq(roundingOf(b, mode), b.i32(ROUNDING.DOWN));
}

/** x + y, y's sign turned for a subtraction (a NaN keeps its own). */
function sum(
  b: SubroutineBuilder,
  format: FloatFormat,
  x: Operand,
  y: Operand,
  mode: Value,
  flip: number,
): readonly Value[] {
  const ySign = b.xor(y.sign, b.i32(flip));
  const differ = b.xor(x.sign, ySign);
  returnInvalidIf(b, format, b.and(b.and(x.infinite, y.infinite), differ));
  const flags = flagIf(b, b.or(x.denormal, y.denormal), EXCEPTION.DENORMAL);
  const signedY = withSign(b, format, ySign, y.magnitude);
  b.returnIf(b.or(x.infinite, y.infinite), b.select(x.infinite, x.bits, signedY), flags);
  b.if(b.and(x.zero, y.zero), () => {
    const sign = b.select(differ, zeroSumSign(b, mode), x.sign);
    b.return(withSign(b, format, sign, b.i64(0)), flags);
  });
  // One zero: the other goes through `pack` alone, where FTZ and an unmasked underflow see it.
  const swap = b.ltU(x.magnitude, y.magnitude);
  const nx = normalize(b, format, x);
  const ny = normalize(b, format, y);
  const bigExponent = b.select(swap, ny.exponent, nx.exponent);
  const big = b.select(swap, ny.significand, nx.significand);
  const sign = b.select(swap, ySign, x.sign);
  b.if(b.or(x.zero, y.zero), () => {
    b.return(...finish(b, format, mode, sign, [bigExponent, big, b.i64(0)], flags));
  });
  const args = [
    bigExponent,
    big,
    b.select(swap, nx.exponent, ny.exponent),
    b.select(swap, nx.significand, ny.significand),
  ];
  b.if(differ, () => {
    const difference = b.call(subtractMagnitudes, ...args);
    b.returnIf(b.eqz(difference[1] as Value), withSign(b, format, zeroSumSign(b, mode), b.i64(0)), flags);
    b.return(...finish(b, format, mode, sign, difference, flags));
  });
  return finish(b, format, mode, sign, b.call(addMagnitudes, ...args), flags);
}

function product(b: SubroutineBuilder, format: FloatFormat, x: Operand, y: Operand, mode: Value): readonly Value[] {
  const infinite = b.or(x.infinite, y.infinite);
  const zero = b.or(x.zero, y.zero);
  returnInvalidIf(b, format, b.and(infinite, zero));
  const sign = b.xor(x.sign, y.sign);
  const flags = flagIf(b, b.or(x.denormal, y.denormal), EXCEPTION.DENORMAL);
  b.returnIf(infinite, withSign(b, format, sign, b.i64(infinityBits(format))), flags);
  b.returnIf(zero, withSign(b, format, sign, b.i64(0)), flags);
  const nx = normalize(b, format, x);
  const ny = normalize(b, format, y);
  const result = b.call(multiplyMagnitudes, nx.exponent, nx.significand, ny.exponent, ny.significand);
  return finish(b, format, mode, sign, result, flags);
}

function quotient(b: SubroutineBuilder, format: FloatFormat, x: Operand, y: Operand, mode: Value): readonly Value[] {
  returnInvalidIf(b, format, b.or(b.and(x.infinite, y.infinite), b.and(x.zero, y.zero)));
  const sign = b.xor(x.sign, y.sign);
  const infinity = withSign(b, format, sign, b.i64(infinityBits(format)));
  const flags = flagIf(b, b.or(x.denormal, y.denormal), EXCEPTION.DENORMAL);
  b.returnIf(x.infinite, infinity, flags);
  b.returnIf(y.zero, infinity, b.i32(EXCEPTION.ZERO_DIVIDE));
  b.returnIf(b.or(x.zero, y.infinite), withSign(b, format, sign, b.i64(0)), flags);
  const nx = normalize(b, format, x);
  const ny = normalize(b, format, y);
  const result = b.call(divideMagnitudes, nx.exponent, nx.significand, ny.exponent, ny.significand);
  return finish(b, format, mode, sign, result, flags);
}

function binary(format: FloatFormat, name: ArithmeticName): Subroutine {
  return subroutine(`soft.${name}.${format.name}`, 'll>li', (b, xBits, yBits) => {
    const mode = readMxcsr(b);
    const x = readOperand(b, format, xBits as Value, mode);
    const y = readOperand(b, format, yBits as Value, mode);
    returnNan(b, format, x, y);
    switch (name) {
      case 'add':
        return sum(b, format, x, y, mode, 0);
      case 'sub':
        return sum(b, format, x, y, mode, 1);
      case 'mul':
        return product(b, format, x, y, mode);
      case 'div':
        return quotient(b, format, x, y, mode);
    }
  });
}

/** (x) → bits, flags of the square root. */
function squareRoot(format: FloatFormat): Subroutine {
  return subroutine(`soft.sqrt.${format.name}`, 'l>li', (b, bits) => {
    const mode = readMxcsr(b);
    const x = readOperand(b, format, bits as Value, mode);
    b.returnIf(x.nan, quieted(b, format, x.bits), x.signalling);
    b.returnIf(x.zero, x.bits, b.i32(0));
    returnInvalidIf(b, format, x.sign);
    b.returnIf(x.infinite, x.bits, b.i32(0));
    const flags = flagIf(b, x.denormal, EXCEPTION.DENORMAL);
    const { exponent, significand } = normalize(b, format, x);
    return finish(b, format, mode, x.sign, b.call(squareRootMagnitude, exponent, significand), flags);
  });
}

export interface SoftArithmetic {
  readonly add: Subroutine;
  readonly sub: Subroutine;
  readonly mul: Subroutine;
  readonly div: Subroutine;
  readonly sqrt: Subroutine;
}

function softArithmetic(format: FloatFormat): SoftArithmetic {
  return {
    add: binary(format, 'add'),
    sub: binary(format, 'sub'),
    mul: binary(format, 'mul'),
    div: binary(format, 'div'),
    sqrt: squareRoot(format),
  };
}

/** The soft path of each format. */
export const SOFT = { f32: softArithmetic(F32), f64: softArithmetic(F64) } as const;
