/**
 * The two formats of SSE arithmetic, the half of F16C, and the fields of a number in them. The soft path works on i64 in both: a single is its 32 bits,
 * zero-extended.
 */
import type { OpBuilder, Value } from '../../ir/op-builder.js';

/** How the bits of a number lie. */
export interface FloatLayout {
  readonly name: string;
  readonly bits: number;
  /** Stored bits of the significand. */
  readonly fractionBits: number;
  readonly bias: number;
  /** The exponent field of infinity and NaN. */
  readonly topExponent: number;
}

/** Half precision: storage alone, never computed with (SDM vol. 1, 4.2.2). */
export const F16: FloatLayout = { name: 'f16', bits: 16, fractionBits: 10, bias: 15, topExponent: 0x1f };

export interface FloatFormat extends FloatLayout {
  readonly name: 'f32' | 'f64';
  /** The integer type of a number's bits. */
  readonly type: 'i32' | 'i64';
  readonly lanes: 'f32x4' | 'f64x2';
  readonly laneCount: 4 | 2;
  readonly bits: 32 | 64;
  readonly fractionBits: 23 | 52;
  readonly bias: 127 | 1023;
  readonly topExponent: 0xff | 0x7ff;
  /** Letter in subroutine signatures. */
  readonly letter: 'i' | 'l';
}

export const F32: FloatFormat = {
  name: 'f32',
  type: 'i32',
  lanes: 'f32x4',
  laneCount: 4,
  bits: 32,
  fractionBits: 23,
  bias: 127,
  topExponent: 0xff,
  letter: 'i',
};

export const F64: FloatFormat = {
  name: 'f64',
  type: 'i64',
  lanes: 'f64x2',
  laneCount: 2,
  bits: 64,
  fractionBits: 52,
  bias: 1023,
  topExponent: 0x7ff,
  letter: 'l',
};

/** Bit patterns, as unsigned numbers of the format's width. */
export function infinityBits(format: FloatLayout): bigint {
  return BigInt(format.topExponent) << BigInt(format.fractionBits);
}

export function signBit(format: FloatLayout): bigint {
  return 1n << BigInt(format.bits - 1);
}

export function quietBit(format: FloatLayout): bigint {
  return 1n << BigInt(format.fractionBits - 1);
}

/** The QNaN of a masked invalid operation (SDM vol. 1, 4.8.3.7). */
export function indefiniteBits(format: FloatLayout): bigint {
  return signBit(format) | infinityBits(format) | quietBit(format);
}

/** One operand of the soft path, classified. Conditions are i32, 0 or 1. */
export interface Operand {
  /** i64. */
  readonly bits: Value;
  /** i32: 0 or 1. */
  readonly sign: Value;
  /** i64: the bits without the sign. */
  readonly magnitude: Value;
  readonly nan: Value;
  readonly signalling: Value;
  readonly infinite: Value;
  readonly zero: Value;
  /** Subnormal and not zero. */
  readonly denormal: Value;
}

/** Classifies the bits (i64) of a number. */
export function classify(b: OpBuilder, format: FloatFormat, bits: Value): Operand {
  const infinity = b.i64(infinityBits(format));
  const magnitude = b.and(bits, b.i64(signBit(format) - 1n));
  const nan = b.gtU(magnitude, infinity);
  const zero = b.eqz(magnitude);
  const belowNormal = b.ltU(magnitude, b.i64(1n << BigInt(format.fractionBits)));
  const quiet = b.wrap(b.and(b.shrU(bits, b.i64(format.fractionBits - 1)), b.i64(1)));
  return {
    bits,
    magnitude,
    sign: b.wrap(b.shrU(bits, b.i64(format.bits - 1))),
    nan,
    signalling: b.and(nan, b.xor(quiet, b.i32(1))),
    infinite: b.eq(magnitude, infinity),
    zero,
    denormal: b.and(belowNormal, b.xor(zero, b.i32(1))),
  };
}

/** A finite number that is not zero: significand with bit 63 set (i64), and the exponent (i32) of that bit. */
export interface Normalized {
  readonly exponent: Value;
  readonly significand: Value;
}

/** Splits a finite number that is not zero; subnormals are normalized. */
export function normalize(b: OpBuilder, format: FloatFormat, operand: Operand): Normalized {
  const { fractionBits, bias } = format;
  const field = b.wrap(b.shrU(operand.magnitude, b.i64(fractionBits)));
  // A subnormal has no implicit bit and the exponent of field 1; shifting its leading bit to the top lowers that.
  const subnormal = b.eqz(field);
  const explicit = b.or(
    b.shl(operand.magnitude, b.i64(63 - fractionBits)),
    b.select(subnormal, b.i64(0), b.i64(1n << 63n)),
  );
  const zeros = b.op('i64.clz', explicit);
  const exponent = b.sub(b.sub(b.add(field, subnormal), b.i32(bias)), b.wrap(zeros));
  return { exponent, significand: b.shl(explicit, zeros) };
}

/** The NaN with its quiet bit set. */
export function quieted(b: OpBuilder, format: FloatLayout, bits: Value): Value {
  return b.or(bits, b.i64(quietBit(format)));
}

/** Zero or infinity (or any magnitude, i64) with a sign (i32). */
export function withSign(b: OpBuilder, format: FloatLayout, sign: Value, magnitude: Value): Value {
  return b.or(b.shl(b.extendU(sign), b.i64(format.bits - 1)), magnitude);
}
