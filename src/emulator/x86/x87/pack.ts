/** Rounding of an exact result to extended precision (SDM vol. 1, 8.1.5.2, 8.5.4, 8.5.5, 4.9.1). */
import type { Value } from '../../ir/op-builder.js';
import { type SubroutineBuilder, subroutine } from '../../ir/subroutine.js';
import { EXCEPTION, flagIf, MXCSR, roundingOf } from '../softfloat/mxcsr.js';
import { ROUNDED_UP, roundsUp } from '../softfloat/pack.js';
import { bit, shiftRightJamWide, type Wide } from '../softfloat/wide.js';
import { BIAS, INTEGER_BIT, TOP_EXPONENT } from './extended.js';
import { PRECISION, precisionOf, signOfMode } from './status.js';

/** Exponent of the smallest normal number. */
const LEAST = 1 - BIAS;
/** What the exponent of a result is adjusted by when overflow or underflow is unmasked. */
const WRAP = 24576;

interface Rounded {
  /** With the lost bits cleared; 0 when the increment carried out of bit 63. */
  readonly significand: Value;
  readonly inexact: Value;
  readonly up: Value;
}

/** Rounds high:low to the bits that `keep` (i64, a mask) names. */
function roundTo(b: SubroutineBuilder, mode: Value, value: Wide, lostBits: Value): Rounded {
  const whole = b.eqz(lostBits);
  const kept = b.shl(b.shrU(value.high, lostBits), lostBits);
  const fromHigh = b.shl(value.high, b.sub(b.i64(64), lostBits));
  const lost = b.select(whole, value.low, b.or(fromHigh, bit(b, b.ne(value.low, b.i64(0)))));
  const odd = b.wrap(b.and(b.shrU(value.high, lostBits), b.i64(1)));
  const up = roundsUp(b, roundingOf(b, mode), signOfMode(b, mode), lost, b.i64(INTEGER_BIT), odd);
  const ulp = b.shl(b.i64(1), lostBits);
  return {
    significand: b.add(kept, b.select(up, ulp, b.i64(0))),
    inexact: b.ne(lost, b.i64(0)),
    up,
  };
}

/**
 * (mode with the sign, exponent, high, low) → significand, sign and exponent, flags. Bit 63 of `high` is set and has the weight 2^exponent; bits below
 * `low` are or'ed into it.
 */
export const packExtended = subroutine('x87.pack', 'iill>lii', (b, mode, exponent, high, low) => {
  const precision = precisionOf(b, mode as Value);
  const lostBits = b.select(
    b.eq(precision, b.i32(PRECISION.SINGLE)),
    b.i64(40),
    b.select(b.eq(precision, b.i32(PRECISION.DOUBLE)), b.i64(11), b.i64(0)),
  );
  const sign = b.shl(signOfMode(b, mode as Value), b.i32(15));
  const masked = (flag: number): Value => b.ne(b.and(mode as Value, b.i32(flag << MXCSR.MASK_SHIFT)), b.i32(0));
  const value = { high: high as Value, low: low as Value };

  const free = roundTo(b, mode as Value, value, lostBits);
  const carried = b.eqz(free.significand);
  const significand = b.select(carried, b.i64(INTEGER_BIT), free.significand);
  const rounded = b.add(exponent as Value, carried);
  const inexact = b.or(flagIf(b, free.inexact, EXCEPTION.PRECISION), flagIf(b, free.up, ROUNDED_UP));
  // The unmasked response: the exponent wrapped, or, where FSCALE went further than that reaches, what a masked response would give.
  const wrap = (adjustment: number, flag: number, beyond: readonly [bigint, number, number]): void => {
    const field = b.add(rounded, b.i32(BIAS + adjustment));
    const reaches = b.ltU(b.sub(field, b.i32(1)), b.i32(TOP_EXPONENT - 1));
    b.returnIf(reaches, significand, b.or(sign, field), b.or(inexact, b.i32(flag)));
    const [limit, limitField, more] = beyond;
    b.return(b.i64(limit), b.or(sign, b.i32(limitField)), b.i32(flag | EXCEPTION.PRECISION | more));
  };

  b.if(b.gtS(rounded, b.i32(BIAS)), () => {
    b.if(b.eqz(masked(EXCEPTION.OVERFLOW)), () => {
      wrap(-WRAP, EXCEPTION.OVERFLOW, [INTEGER_BIT, TOP_EXPONENT, ROUNDED_UP]);
    });
    const one = b.i64(1);
    const away = roundsUp(b, roundingOf(b, mode as Value), signOfMode(b, mode as Value), one, b.i64(0), b.i32(0));
    const largest = b.shl(b.i64(-1), lostBits);
    const flags = b.or(b.i32(EXCEPTION.OVERFLOW | EXCEPTION.PRECISION), flagIf(b, away, ROUNDED_UP));
    const field = b.add(b.i32(TOP_EXPONENT - 1), away);
    b.return(b.select(away, b.i64(INTEGER_BIT), largest), b.or(sign, field), flags);
  });
  b.if(b.ltS(rounded, b.i32(LEAST)), () => {
    b.if(b.eqz(masked(EXCEPTION.UNDERFLOW)), () => {
      wrap(WRAP, EXCEPTION.UNDERFLOW, [0n, 0, 0]);
    });
    const shifted = shiftRightJamWide(b, value, b.sub(b.i32(LEAST), exponent as Value));
    const denormal = roundTo(b, mode as Value, shifted, lostBits);
    const flags = [
      flagIf(b, denormal.inexact, EXCEPTION.PRECISION),
      flagIf(b, denormal.inexact, EXCEPTION.UNDERFLOW),
      flagIf(b, denormal.up, ROUNDED_UP),
    ].reduce((x, y) => b.or(x, y));
    // A carry into bit 63 makes it the smallest normal number.
    const field = b.wrap(b.shrU(denormal.significand, b.i64(63)));
    b.return(denormal.significand, b.or(sign, field), flags);
  });
  return [significand, b.or(sign, b.add(rounded, b.i32(BIAS))), inexact];
});
