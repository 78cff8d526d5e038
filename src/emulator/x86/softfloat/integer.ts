/** Rounding to integers, and integers to floating point: the soft path. */
import type { Value } from '../../ir/op-builder.js';
import { type Subroutine, type SubroutineBuilder, subroutine } from '../../ir/subroutine.js';
import { readOperand } from './arithmetic.js';
import { F32, F64, type FloatFormat, normalize, quieted, withSign } from './format.js';
import { EXCEPTION, flagIf, readMxcsr, roundingOf } from './mxcsr.js';
import { packOf, ROUNDED_UP, roundsUp } from './pack.js';
import { bit } from './wide.js';

/**
 * (rounding, sign, exponent, significand) → integer magnitude, exception flags (PE, ROUNDED_UP) of a number that is finite and not zero. Exponents
 * above 63 give no useful magnitude; the caller asks before.
 */
export const roundMagnitude = subroutine('soft.round', 'iiil>li', (b, rounding, sign, exponent, significand) => {
  const distance = b.sub(b.i32(63), exponent as Value);
  const wide = b.extendU(distance);
  const within = b.ltU(distance, b.i32(64));
  const whole = b.leS(distance, b.i32(0));
  const kept = b.select(within, b.shrU(significand as Value, wide), b.i64(0));
  // The lost bits from the top of an i64 down; far below the point only that there are some matters.
  const near = b.select(whole, b.i64(0), b.shl(significand as Value, b.sub(b.i64(64), wide)));
  const far = b.select(b.eq(distance, b.i32(64)), significand as Value, b.i64(1));
  const lost = b.select(b.or(within, whole), near, far);
  const odd = b.and(b.wrap(kept), b.i32(1));
  const up = roundsUp(b, rounding as Value, sign as Value, lost, b.i64(1n << 63n), odd);
  const flags = b.or(flagIf(b, b.ne(lost, b.i64(0)), EXCEPTION.PRECISION), flagIf(b, up, ROUNDED_UP));
  return [b.add(kept, bit(b, up)), flags];
});

/** (bits, rounding, log2 of the integer's width) → integer (sign-extended i64), flags. What does not fit is the indefinite integer, IE. */
function toInteger(format: FloatFormat): Subroutine {
  return subroutine(`soft.toInteger.${format.name}`, 'lii>li', (b, bits, rounding, width) => {
    const x = readOperand(b, format, bits as Value, readMxcsr(b));
    const { exponent, significand } = normalize(b, format, x);
    b.returnIf(x.zero, b.i64(0), b.i32(0));
    const [magnitude, flags] = b.call(roundMagnitude, rounding as Value, x.sign, exponent, significand) as [
      Value,
      Value,
    ];
    const invalid = b.or(b.gtS(exponent, b.i32(63)), x.nan);
    return fitInteger(b, width as Value, x.sign, magnitude, flags, invalid);
  });
}

/** A magnitude as a signed integer of `width` bits (i32), or the indefinite integer with IE alone. */
export function fitInteger(
  b: SubroutineBuilder,
  width: Value,
  sign: Value,
  magnitude: Value,
  flags: Value,
  invalid: Value,
): readonly Value[] {
  const indefinite = b.shl(b.i64(-1), b.sub(b.extendU(width), b.i64(1)));
  const limit = b.sub(b.sub(b.i64(0), indefinite), bit(b, b.eqz(sign)));
  const bad = b.or(invalid, b.gtU(magnitude, limit));
  const value = b.select(sign, b.sub(b.i64(0), magnitude), magnitude);
  return [b.select(bad, indefinite, value), b.select(bad, b.i32(EXCEPTION.INVALID), flags)];
}

/** (signed i64) → bits, flags. */
function fromInteger(format: FloatFormat): Subroutine {
  return subroutine(`soft.fromInteger.${format.name}`, 'l>li', (b, value) => {
    const mode = readMxcsr(b);
    b.returnIf(b.eqz(value as Value), b.i64(0), b.i32(0));
    const negative = b.ltS(value as Value, b.i64(0));
    const magnitude = b.select(negative, b.sub(b.i64(0), value as Value), value as Value);
    const zeros = b.op('i64.clz', magnitude);
    const exponent = b.sub(b.i32(63), b.wrap(zeros));
    return b.call(packOf(format), mode, negative, exponent, b.shl(magnitude, zeros));
  });
}

/** Bits of ROUNDPS's immediate (SDM vol. 2B, table 4-17). */
export const ROUND_IMMEDIATE = { MODE: 3, FROM_MXCSR: 4, NO_PRECISION: 8 } as const;

/** (bits, immediate) → bits, flags: rounded to an integer that stays in the format. */
function toIntegral(format: FloatFormat): Subroutine {
  return subroutine(`soft.toIntegral.${format.name}`, 'li>li', (b, bits, immediate) => {
    const mxcsr = readMxcsr(b);
    const x = readOperand(b, format, bits as Value, mxcsr);
    b.returnIf(x.nan, quieted(b, format, x.bits), x.signalling);
    const { exponent, significand } = normalize(b, format, x);
    b.returnIf(b.or(x.zero, b.geS(exponent, b.i32(format.fractionBits))), x.bits, b.i32(0));
    const fromMxcsr = b.and(immediate as Value, b.i32(ROUND_IMMEDIATE.FROM_MXCSR));
    const own = b.and(immediate as Value, b.i32(ROUND_IMMEDIATE.MODE));
    const rounding = b.select(fromMxcsr, roundingOf(b, mxcsr), own);
    const [magnitude, found] = b.call(roundMagnitude, rounding, x.sign, exponent, significand) as [Value, Value];
    const silent = b.and(immediate as Value, b.i32(ROUND_IMMEDIATE.NO_PRECISION));
    const flags = b.select(silent, b.i32(0), found);
    b.returnIf(b.eqz(magnitude), withSign(b, format, x.sign, b.i64(0)), flags);
    const zeros = b.op('i64.clz', magnitude);
    const [result] = b.call(packOf(format), mxcsr, x.sign, b.sub(b.i32(63), b.wrap(zeros)), b.shl(magnitude, zeros));
    return [result as Value, flags];
  });
}

export const SOFT_INTEGER = {
  f32: { to: toInteger(F32), from: fromInteger(F32), integral: toIntegral(F32) },
  f64: { to: toInteger(F64), from: fromInteger(F64), integral: toIntegral(F64) },
} as const;

export const integerSubroutines: readonly Subroutine[] = [
  roundMagnitude,
  ...Object.values(SOFT_INTEGER.f32),
  ...Object.values(SOFT_INTEGER.f64),
];
