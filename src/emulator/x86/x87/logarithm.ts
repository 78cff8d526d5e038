/** FYL2X and FYL2XP1: y · log2(x), y · log2(x + 1) (SDM vol. 2A). */
import type { Value } from '../../ir/op-builder.js';
import { type Subroutine, type SubroutineBuilder, subroutine } from '../../ir/subroutine.js';
import { EXCEPTION, flagIf } from '../softfloat/mxcsr.js';
import type { Wide } from '../softfloat/wide.js';
import { finish, returnExtended, returnExtendedIf, returnInvalidIf, returnSpecial } from './arithmetic.js';
import {
  classifyExtended,
  INTEGER_BIT,
  infinityOf,
  normalizeExtended,
  type Operand,
  TOP_EXPONENT,
  zeroOf,
} from './extended.js';
import {
  addFractions,
  constantFraction,
  divideFractions,
  multiplyFractions,
  normalizeFraction,
  polynomial,
  reciprocals,
  selectFraction,
  shiftFraction,
  shiftFractionBy,
  subtractFractions,
} from './fraction.js';
import { fullPrecision, readMode } from './status.js';
import { inexactResult, onTwo } from './transcendental.js';

/** 2 / ln 2 · 2^126. */
const TWO_OVER_LN2 = 0xb8aa_3b29_5c17_f0bb_be87_fed0_691d_3e88n;
/** √2 · 2^63. */
const SQRT2 = 0xb504_f333_f9de_6484n;
/** atanh(s) / s = 1 + s² / 3 + s⁴ / 5 + … for |s| up to (√2 - 1) / (√2 + 1) = 0.172. */
const SERIES = reciprocals(26, (n) => 2n * n + 1n);

/** A logarithm: sign, and magnitude fraction · 2^exponent. */
interface Logarithm {
  readonly sign: Value;
  readonly fraction: Wide;
  readonly exponent: Value;
}

/**
 * log2((1 + s) / (1 - s)) = 2 / ln 2 · atanh(s) for s = n / d · 2^exponent, n and d fractions from one half up, below 0.172. The sign is the
 * caller's.
 */
function logarithmOfRatio(b: SubroutineBuilder, n: Wide, d: Wide, exponent: Value): Omit<Logarithm, 'sign'> {
  const ratio = divideFractions(b, n, d);
  const s = shiftFractionBy(b, ratio, b.sub(b.i32(-1), exponent));
  const sum = polynomial(b, multiplyFractions(b, s, s), SERIES, false);
  // (ratio / 2) · (sum / 2) · (2 / ln 2 / 4): 16 times too small.
  const product = multiplyFractions(b, multiplyFractions(b, ratio, sum), constantFraction(b, TWO_OVER_LN2));
  return { fraction: product, exponent: b.add(exponent, b.i32(4)) };
}

/** log2 of whole + a fraction of it: `part` (0 … 1/2, its sign apart) joined to an integer that is not zero. */
function join(b: SubroutineBuilder, whole: Value, part: Wide, negative: Value): Logarithm {
  const sign = b.ltS(whole, b.i32(0));
  const magnitude = b.select(sign, b.sub(b.i32(0), whole), whole);
  const opposed = b.and(b.xor(sign, negative), b.ne(b.or(part.high, part.low), b.i64(0)));
  const integer = b.extendU(b.sub(magnitude, opposed));
  const zero = constantFraction(b, 0n);
  const fraction = selectFraction(b, opposed, subtractFractions(b, zero, part), part);
  // 64 bits of integer, 128 of fraction: keep the upper 128 that count.
  const count = b.op('i64.clz', integer);
  const back = b.sub(b.i64(64), count);
  const high = b.or(b.shl(integer, count), b.shrU(fraction.high, back));
  const low = b.or(b.shl(fraction.high, count), b.shrU(fraction.low, back));
  const none = b.eqz(integer);
  return {
    sign,
    fraction: selectFraction(b, none, fraction, { high, low }),
    exponent: b.select(none, b.i32(0), b.wrap(back)),
  };
}

/** log2 of 2^exponent · m, m in [1, 2) given in units of 2^-127, not a power of two. */
const log2 = subroutine('x87.log2', 'ill>lli', (b, exponent, high, low) => {
  const m = { high: high as Value, low: low as Value };
  const upper = b.gtU(m.high, b.i64(SQRT2));
  const whole = b.add(exponent as Value, upper);
  // n = |m - 1| or |m / 2 - 1|, d = m + 1 or m / 2 + 1: both halved again to fit.
  const above = { high: b.sub(m.high, b.i64(INTEGER_BIT)), low: m.low };
  const below = subtractFractions(b, constantFraction(b, 0n), m);
  const n = normalizeFraction(b, selectFraction(b, upper, below, above));
  const halved = shiftFraction(b, m, 1);
  const one = b.select(upper, b.i64(INTEGER_BIT), b.i64(INTEGER_BIT >> 1n));
  const d = { high: b.add(halved.high, one), low: halved.low };
  const part = logarithmOfRatio(b, n.fraction, d, b.sub(b.i32(-1), n.zeros));
  const normal = normalizeFraction(b, part.fraction);
  const place = b.sub(part.exponent, normal.zeros);
  const alone: Logarithm = { sign: upper, fraction: normal.fraction, exponent: place };
  const fixed = shiftFractionBy(b, normal.fraction, b.sub(b.i32(0), place));
  const joined = join(b, whole, fixed, upper);
  const single = b.eqz(whole);
  const fraction = selectFraction(b, single, alone.fraction, joined.fraction);
  const sign = b.select(single, alone.sign, joined.sign);
  const place2 = b.select(single, alone.exponent, joined.exponent);
  // The sign rides on the exponent.
  return [fraction.high, fraction.low, b.or(b.shl(place2, b.i32(1)), sign)];
});

function callLog2(b: SubroutineBuilder, exponent: Value, m: Wide): Logarithm {
  const [high, low, packed] = b.call(log2, exponent, m.high, m.low) as [Value, Value, Value];
  return { fraction: { high, low }, exponent: b.shrS(packed, b.i32(1)), sign: b.and(packed, b.i32(1)) };
}

/** y times a logarithm. */
function scaled(b: SubroutineBuilder, y: Operand, log: Logarithm, flags: Value): readonly Value[] {
  const ny = normalizeExtended(b, y);
  const normal = normalizeFraction(b, log.fraction);
  const product = multiplyFractions(b, normal.fraction, { high: ny.significand, low: b.i64(0) });
  const exponent = b.add(b.sub(log.exponent, normal.zeros), b.add(ny.exponent, b.i32(1)));
  return inexactResult(b, b.xor(y.sign, log.sign), product, exponent, flags);
}

/** x = 2^integer: y times an integer. Processors call that inexact even where it is not. */
function scaledInteger(b: SubroutineBuilder, y: Operand, integer: Value, flags: Value): readonly Value[] {
  const negative = b.ltS(integer, b.i32(0));
  const magnitude = b.extendU(b.select(negative, b.sub(b.i32(0), integer), integer));
  const ny = normalizeExtended(b, y);
  const zeros = b.op('i64.clz', magnitude);
  const product = multiplyFractions(
    b,
    { high: ny.significand, low: b.i64(0) },
    { high: b.shl(magnitude, zeros), low: b.i64(0) },
  );
  const normal = normalizeFraction(b, product);
  const exponent = b.sub(b.add(ny.exponent, b.sub(b.i32(64), b.wrap(zeros))), normal.zeros);
  const { high, low } = normal.fraction;
  const mode = fullPrecision(b, readMode(b));
  const [significand, signExponent, found] = finish(b, mode, b.xor(y.sign, negative), [exponent, high, low], flags);
  const tiny = b.eqz(b.and(signExponent as Value, b.i32(TOP_EXPONENT)));
  const inexact = b.or(b.i32(EXCEPTION.PRECISION), flagIf(b, tiny, EXCEPTION.UNDERFLOW));
  return [significand as Value, signExponent as Value, b.or(found as Value, inexact)];
}

/** (x, y) → y · log2(x). */
const logCore = subroutine('x87.core.yl2x', 'lili>lii', (b, xs, xe, ys, ye) => {
  const x = classifyExtended(b, xs as Value, xe as Value);
  const y = classifyExtended(b, ys as Value, ye as Value);
  returnSpecial(b, x, y);
  const flags = flagIf(b, b.or(x.denormal, y.denormal), EXCEPTION.DENORMAL);
  b.if(x.zero, () => {
    returnInvalidIf(b, y.zero);
    const infinity = infinityOf(b, b.xor(y.sign, b.i32(1)));
    returnExtended(b, infinity, b.select(y.infinite, b.i32(0), b.i32(EXCEPTION.ZERO_DIVIDE)));
  });
  returnInvalidIf(b, x.sign);
  b.if(x.infinite, () => {
    returnInvalidIf(b, y.zero);
    returnExtended(b, infinityOf(b, y.sign), flags);
  });
  const { exponent, significand } = normalizeExtended(b, x);
  const power = b.eq(significand, b.i64(INTEGER_BIT));
  const one = b.and(power, b.eqz(exponent));
  const belowOne = b.ltS(exponent, b.i32(0));
  b.if(y.infinite, () => {
    returnInvalidIf(b, one);
    returnExtended(b, infinityOf(b, b.xor(y.sign, belowOne)), flags);
  });
  returnExtendedIf(b, b.or(y.zero, one), zeroOf(b, b.xor(y.sign, belowOne)), flags);
  b.if(power, () => b.return(...scaledInteger(b, y, exponent, flags)));
  return scaled(b, y, callLog2(b, exponent, { high: significand, low: b.i64(0) }), flags);
});

/** (x, y) → y · log2(x + 1). Defined for |x| up to 1 - √2 / 2; beyond, the sum is computed to 128 bits. */
const logPlusOneCore = subroutine('x87.core.yl2xp1', 'lili>lii', (b, xs, xe, ys, ye) => {
  const x = classifyExtended(b, xs as Value, xe as Value);
  const y = classifyExtended(b, ys as Value, ye as Value);
  returnSpecial(b, x, y);
  const flags = flagIf(b, b.or(x.denormal, y.denormal), EXCEPTION.DENORMAL);
  const sign = b.xor(x.sign, y.sign);
  b.if(x.zero, () => {
    returnInvalidIf(b, y.infinite);
    returnExtended(b, zeroOf(b, sign), flags);
  });
  const { exponent, significand } = normalizeExtended(b, x);
  b.if(x.infinite, () => {
    returnInvalidIf(b, b.or(x.sign, y.zero));
    returnExtended(b, infinityOf(b, y.sign), flags);
  });
  returnExtendedIf(b, y.infinite, infinityOf(b, sign), flags);
  returnExtendedIf(b, y.zero, zeroOf(b, sign), flags);
  // Undefined from -1 down: AMD leaves x and says that it is inexact.
  const minusOneOrLess = b.and(x.sign, b.geS(exponent, b.i32(0)));
  returnExtendedIf(b, minusOneOrLess, x, b.or(flags, b.i32(EXCEPTION.PRECISION)));

  const size = { high: significand, low: b.i64(0) };
  b.if(b.geS(exponent, b.i32(-2)), () => {
    const sum = plusOne(b, x, size, exponent);
    const power = b.and(b.eq(sum.m.high, b.i64(INTEGER_BIT)), b.eqz(sum.m.low));
    b.if(power, () => b.return(...scaledInteger(b, y, sum.exponent, flags)));
    b.return(...scaled(b, y, callLog2(b, sum.exponent, sum.m), flags));
  });
  // s = x / (2 + x), the denominator in quarters, or in halves below 2.
  const quarter = shiftFractionBy(b, size, b.sub(b.i32(1), exponent));
  const two = constantFraction(b, 1n << 127n);
  const greater = addFractions(b, two, quarter);
  const lesser = subtractFractions(b, two, quarter);
  const d = selectFraction(b, x.sign, normalizeFraction(b, lesser).fraction, greater);
  const place = b.sub(b.add(exponent, b.i32(1)), b.select(x.sign, b.i32(1), b.i32(2)));
  const log = logarithmOfRatio(b, size, d, place);
  return scaled(b, y, { ...log, sign: x.sign }, flags);
});

/** 1 + x as 2^exponent · m, for |x| from 1/4 up and above -1. */
function plusOne(b: SubroutineBuilder, x: Operand, size: Wide, exponent: Value): { m: Wide; exponent: Value } {
  const far = b.geS(exponent, b.i32(0));
  const one = { high: b.i64(INTEGER_BIT), low: b.i64(0) };
  // Both in units of 2^(e - 127), e the larger exponent, and halved so that the sum fits.
  const big = selectFraction(b, far, size, one);
  const small = selectFraction(b, far, one, size);
  const distance = b.select(far, exponent, b.sub(b.i32(0), exponent));
  const shifted = shiftFractionBy(b, small, b.add(distance, b.i32(1)));
  const halfBig = shiftFraction(b, big, 1);
  const sum = selectFraction(b, x.sign, subtractFractions(b, halfBig, shifted), addFractions(b, halfBig, shifted));
  const normal = normalizeFraction(b, sum);
  const top = b.select(far, exponent, b.i32(0));
  return { m: normal.fraction, exponent: b.sub(b.add(top, b.i32(1)), normal.zeros) };
}

/** FYL2X. */
export const logarithm = onTwo('x87.yl2x', logCore);
/** FYL2XP1. */
export const logarithmPlusOne = onTwo('x87.yl2xp1', logPlusOneCore);

export const logarithmSubroutines: readonly Subroutine[] = [log2, logCore, logPlusOneCore, logarithm, logarithmPlusOne];
