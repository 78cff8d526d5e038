/** F2XM1: 2^x - 1 for |x| up to 1 (SDM vol. 2A, F2XM1). */
import type { Value } from '../../ir/op-builder.js';
import { type Subroutine, subroutine } from '../../ir/subroutine.js';
import { EXCEPTION, flagIf } from '../softfloat/mxcsr.js';
import { ROUNDED_UP } from '../softfloat/pack.js';
import { onTop, returnExtended, returnExtendedIf, returnInvalidIf } from './arithmetic.js';
import { BIAS, classifyExtended, INTEGER_BIT, normalizeExtended, quietedExtended } from './extended.js';
import {
  constantFraction,
  factorial,
  multiplyFractions,
  polynomial,
  reciprocals,
  selectFraction,
  shiftFractionBy,
} from './fraction.js';
import type { Extended } from './stack.js';
import { inexactResult } from './transcendental.js';

/** ln 2 · 2^128. */
const LN2 = 0xb172_17f7_d1cf_79ab_c9e3_b398_03f2_f6afn;
/** (e^t - 1) / t = 1 + t / 2! + t² / 3! + … for |t| up to ln 2. */
const SERIES = reciprocals(29, (n) => factorial(n + 1n));

const core = subroutine('x87.core.2xm1', 'li>lii', (b, significand, signExponent) => {
  const x = classifyExtended(b, significand as Value, signExponent as Value);
  returnInvalidIf(b, x.unsupported);
  b.if(x.nan, () => returnExtended(b, quietedExtended(b, x), x.signalling));
  returnExtendedIf(b, x.zero, x, b.i32(0));
  const flags = flagIf(b, x.denormal, EXCEPTION.DENORMAL);
  const normal = normalizeExtended(b, x);
  b.if(b.geS(normal.exponent, b.i32(0)), () => {
    const power = (field: number): Extended => ({
      significand: b.i64(INTEGER_BIT),
      signExponent: b.i32(0x8000 | field),
    });
    returnExtendedIf(b, b.and(x.infinite, x.sign), power(BIAS), flags);
    returnExtendedIf(b, x.infinite, x, flags);
    // ±1 is exact, which processors do not say; beyond, the result is undefined, and AMD leaves x.
    const inexact = b.or(flags, b.i32(EXCEPTION.PRECISION));
    const one = b.and(b.eqz(normal.exponent), b.eq(normal.significand, b.i64(INTEGER_BIT)));
    returnExtendedIf(b, b.and(one, x.sign), power(BIAS - 1), inexact);
    returnExtended(b, x, b.or(inexact, flagIf(b, one, ROUNDED_UP)));
  });
  // t = |x| ln 2, normalized and as a fraction.
  const t = multiplyFractions(b, { high: normal.significand, low: b.i64(0) }, constantFraction(b, LN2));
  const fixed = shiftFractionBy(b, t, b.sub(b.i32(-1), normal.exponent));
  const sum = selectFraction(b, x.sign, polynomial(b, fixed, SERIES, true), polynomial(b, fixed, SERIES, false));
  const product = multiplyFractions(b, t, sum);
  return inexactResult(b, x.sign, product, b.add(normal.exponent, b.i32(2)), flags);
});

/** F2XM1. */
export const exponential = onTop('x87.2xm1', core);

export const exponentialSubroutines: readonly Subroutine[] = [core, exponential];
