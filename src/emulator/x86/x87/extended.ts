/** Numbers in double extended precision: classes, NaN rules, and the exact conversions into the format (SDM vol. 1, 4.2.2, 4.8, 8.2). */
import type { OpBuilder, Value } from '../../ir/op-builder.js';
import { type Subroutine, type SubroutineBuilder, subroutine } from '../../ir/subroutine.js';
import { classify, F32, F64, type FloatFormat, infinityBits, normalize } from '../softfloat/format.js';
import type { Extended } from './stack.js';

export const BIAS = 16383;
export const TOP_EXPONENT = 0x7fff;
export const INTEGER_BIT = 1n << 63n;
const QUIET_BIT = 1n << 62n;
/** Above the sign in sign-and-exponent: a number from memory that was subnormal in its own format. Such a number raises DE as an operand. */
export const WAS_DENORMAL_SHIFT = 16;

/** A classified operand. Conditions are i32, 0 or 1. */
export interface Operand {
  readonly significand: Value;
  readonly signExponent: Value;
  readonly sign: Value;
  /** The exponent field. */
  readonly field: Value;
  readonly nan: Value;
  readonly signalling: Value;
  readonly infinite: Value;
  readonly zero: Value;
  /** Denormal, pseudo-denormal, or subnormal where it came from. */
  readonly denormal: Value;
  /** An encoding that the 80387 and later reject: pseudo-NaN, pseudo-infinity, unnormal (SDM vol. 1, table 8-3). */
  readonly unsupported: Value;
}

export function classifyExtended(b: OpBuilder, significand: Value, signExponent: Value): Operand {
  const field = b.and(signExponent, b.i32(TOP_EXPONENT));
  const integerBit = b.ltS(significand, b.i64(0));
  const top = b.eq(field, b.i32(TOP_EXPONENT));
  const bottom = b.eqz(field);
  const noFraction = b.eqz(b.shl(significand, b.i64(1)));
  const special = b.and(top, integerBit);
  const nan = b.and(special, b.xor(noFraction, b.i32(1)));
  const quiet = b.ne(b.and(significand, b.i64(QUIET_BIT)), b.i64(0));
  const nothing = b.eqz(significand);
  const wasDenormal = b.and(b.shrU(signExponent, b.i32(WAS_DENORMAL_SHIFT)), b.i32(1));
  return {
    significand,
    signExponent: b.and(signExponent, b.i32(0xffff)),
    sign: b.and(b.shrU(signExponent, b.i32(15)), b.i32(1)),
    field,
    nan,
    signalling: b.and(nan, b.xor(quiet, b.i32(1))),
    infinite: b.and(special, noFraction),
    zero: b.and(bottom, nothing),
    denormal: b.or(b.and(bottom, b.xor(nothing, b.i32(1))), wasDenormal),
    unsupported: b.and(b.xor(integerBit, b.i32(1)), b.xor(bottom, b.i32(1))),
  };
}

/** Exponent (i32) and significand with bit 63 set of a finite number that is not zero. */
export function normalizeExtended(b: OpBuilder, operand: Operand): { exponent: Value; significand: Value } {
  const zeros = b.op('i64.clz', operand.significand);
  const field = b.add(operand.field, b.eqz(operand.field));
  return {
    exponent: b.sub(b.sub(field, b.i32(BIAS)), b.wrap(zeros)),
    significand: b.shl(operand.significand, zeros),
  };
}

export function quietedExtended(b: OpBuilder, operand: Operand): Extended {
  return { significand: b.or(operand.significand, b.i64(QUIET_BIT)), signExponent: operand.signExponent };
}

/** Sign and exponent (i32) from a sign and an exponent field. */
export function signedField(b: OpBuilder, sign: Value, field: number): Value {
  return b.or(b.shl(sign, b.i32(15)), b.i32(field));
}

export function zeroOf(b: OpBuilder, sign: Value): Extended {
  return { significand: b.i64(0), signExponent: signedField(b, sign, 0) };
}

export function infinityOf(b: OpBuilder, sign: Value): Extended {
  return { significand: b.i64(INTEGER_BIT), signExponent: signedField(b, sign, TOP_EXPONENT) };
}

export function selectExtended(b: OpBuilder, condition: Value, yes: Extended, no: Extended): Extended {
  return {
    significand: b.select(condition, yes.significand, no.significand),
    signExponent: b.select(condition, yes.signExponent, no.signExponent),
  };
}

/**
 * The NaN that comes of two operands of which at least one is: a QNaN before an SNaN, then the larger significand, then the positive
 * one (SDM vol. 1, table 4-7).
 */
export function chooseNan(b: OpBuilder, x: Operand, y: Operand): Extended {
  const larger = b.or(
    b.gtU(x.significand, y.significand),
    b.and(b.eq(x.significand, y.significand), b.ltU(x.sign, y.sign)),
  );
  const mixed = b.xor(x.signalling, y.signalling);
  const both = b.select(mixed, y.signalling, larger);
  const first = b.and(x.nan, b.or(b.eqz(y.nan), both));
  return selectExtended(b, first, quietedExtended(b, x), quietedExtended(b, y));
}

/** (bits) → significand, sign and exponent with WAS_DENORMAL. Exact; a NaN stays signalling. */
function extend(format: FloatFormat): Subroutine {
  return subroutine(`x87.extend.${format.name}`, 'l>li', (b, bits) => {
    const x = classify(b, format, bits as Value);
    b.returnIf(x.zero, b.i64(0), signedField(b, x.sign, 0));
    const { exponent, significand } = normalize(b, format, x);
    const fraction = b.shl(b.and(x.magnitude, b.i64(infinityBits(format) - 1n)), b.i64(63 - format.fractionBits));
    const special = b.or(x.nan, x.infinite);
    const top = b.or(fraction, b.i64(INTEGER_BIT));
    const field = b.select(special, b.i32(TOP_EXPONENT), b.add(exponent, b.i32(BIAS)));
    const sign = b.shl(x.sign, b.i32(15));
    const denormal = b.shl(x.denormal, b.i32(WAS_DENORMAL_SHIFT));
    return [b.select(special, top, significand), b.or(b.or(field, sign), denormal)];
  });
}

export const EXTEND = { f32: extend(F32), f64: extend(F64) } as const;

/** (signed i64) → significand, sign and exponent. Exact. */
export const extendInteger = subroutine('x87.extend.integer', 'l>li', (b, value) => {
  b.returnIf(b.eqz(value as Value), b.i64(0), b.i32(0));
  const sign = b.ltS(value as Value, b.i64(0));
  const magnitude = b.select(sign, b.sub(b.i64(0), value as Value), value as Value);
  return fromMagnitude(b, sign, magnitude);
});

/** An integer magnitude that is not zero, as an extended number. */
export function fromMagnitude(b: SubroutineBuilder, sign: Value, magnitude: Value): Value[] {
  const zeros = b.op('i64.clz', magnitude);
  const field = b.sub(b.i32(BIAS + 63), b.wrap(zeros));
  return [b.shl(magnitude, zeros), b.or(field, b.shl(sign, b.i32(15)))];
}

export const extendSubroutines: readonly Subroutine[] = [EXTEND.f32, EXTEND.f64, extendInteger];
