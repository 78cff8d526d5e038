/** Rounding of an exact result into a format of SSE, with the exceptions that this finds (SDM vol. 1, 4.9.1.4 to 4.9.1.6). */
import type { Value } from '../../ir/op-builder.js';
import { type Subroutine, type SubroutineBuilder, subroutine } from '../../ir/subroutine.js';
import { F16, F32, F64, type FloatFormat, type FloatLayout, infinityBits, withSign } from './format.js';
import { EXCEPTION, flagIf, has, MXCSR, ROUNDING, roundingOf } from './mxcsr.js';
import { bit, shiftRightJam } from './wide.js';

/** Beside the exception flags: the magnitude was rounded up (what the x87 shows as C1). Same bit as C1 in the status word. */
export const ROUNDED_UP = 1 << 9;

/** 1 (i32) when a magnitude with these lost bits must be incremented. `half`: the value of the highest lost bit. */
export function roundsUp(
  b: SubroutineBuilder,
  rounding: Value,
  sign: Value,
  lost: Value,
  half: Value,
  odd: Value,
): Value {
  const inexact = b.ne(lost, b.i64(0));
  const nearest = b.or(b.gtU(lost, half), b.and(b.eq(lost, half), odd));
  const away = b.select(sign, b.i32(ROUNDING.DOWN), b.i32(ROUNDING.UP));
  const directed = b.and(b.eq(rounding, away), inexact);
  return b.select(b.eqz(rounding), nearest, directed);
}

interface Rounded {
  readonly inexact: Value;
  /** What is kept, incremented where it is rounded up. */
  readonly value: Value;
  /** PE and ROUNDED_UP. */
  readonly flags: Value;
}

/**
 * (mode, sign, exponent, significand) → bits, flags. The significand has bit 63 set, which has the weight 2^exponent, and every bit below the last
 * one is or'ed into it. `mode` is laid out like MXCSR (rounding, FTZ, masks). Bits of a result that will trap are of no use.
 */
function packer(format: FloatLayout): Subroutine {
  const { fractionBits, topExponent } = format;
  const lostBits = BigInt(63 - fractionBits);
  return subroutine(`soft.pack.${format.name}`, 'iiil>li', (b, mode, sign, exponent, significand) => {
    const rounding = roundingOf(b, mode as Value);
    const masked = (flag: number): Value => has(b, mode as Value, flag << MXCSR.MASK_SHIFT);
    const round = (value: Value): Rounded => {
      const kept = b.shrU(value, b.i64(lostBits));
      const lost = b.and(value, b.i64((1n << lostBits) - 1n));
      const odd = b.and(b.wrap(kept), b.i32(1));
      const up = roundsUp(b, rounding, sign as Value, lost, b.i64(1n << (lostBits - 1n)), odd);
      const inexact = b.ne(lost, b.i64(0));
      const flags = b.or(flagIf(b, inexact, EXCEPTION.PRECISION), flagIf(b, up, ROUNDED_UP));
      return { inexact, value: b.add(kept, bit(b, up)), flags };
    };
    const signed = (magnitude: Value): Value => withSign(b, format, sign as Value, magnitude);

    const field = b.add(exponent as Value, b.i32(format.bias));
    const free = round(significand as Value);
    // The implicit bit adds one to the exponent field, and so does a carry out of the fraction.
    const below = b.shl(b.extendU(b.sub(field, b.i32(1))), b.i64(fractionBits));
    const magnitude = b.add(below, free.value);
    const fits = b.ltU(b.sub(field, b.i32(1)), b.i32(topExponent - 1));
    b.returnIf(b.and(fits, b.ltU(magnitude, b.i64(infinityBits(format)))), signed(magnitude), free.flags);

    b.if(b.gtS(field, b.i32(0)), () => {
      const away = roundsUp(b, rounding, sign as Value, b.i64(1), b.i64(0), b.i32(0));
      const inexact = b.or(b.i32(EXCEPTION.PRECISION), flagIf(b, away, ROUNDED_UP));
      const flags = b.select(masked(EXCEPTION.OVERFLOW), inexact, free.flags);
      const huge = b.add(b.i64(infinityBits(format) - 1n), bit(b, away));
      b.return(signed(huge), b.or(flags, b.i32(EXCEPTION.OVERFLOW)));
    });
    // Tininess is detected after rounding to an unbounded exponent: just below the smallest normal number a carry rescues the result.
    const carries = b.eq(free.value, b.i64(2n << BigInt(fractionBits)));
    const tiny = b.eqz(b.and(b.eqz(field), carries));
    const underflow = flagIf(b, tiny, EXCEPTION.UNDERFLOW);
    b.if(b.and(tiny, b.eqz(masked(EXCEPTION.UNDERFLOW))), () =>
      b.return(signed(b.i64(0)), b.or(free.flags, underflow)),
    );
    b.if(b.and(tiny, has(b, mode as Value, MXCSR.FTZ)), () => {
      b.return(signed(b.i64(0)), b.i32(EXCEPTION.UNDERFLOW | EXCEPTION.PRECISION));
    });
    const denormal = round(shiftRightJam(b, significand as Value, b.sub(b.i32(1), field)));
    return [signed(denormal.value), b.or(denormal.flags, b.select(denormal.inexact, underflow, b.i32(0)))];
  });
}

const packF32 = packer(F32);
const packF64 = packer(F64);
/** Rounds to half precision. */
export const packHalf = packer(F16);

export function packOf(format: FloatFormat): Subroutine {
  return format === F32 ? packF32 : packF64;
}

export const packSubroutines: readonly Subroutine[] = [packF32, packF64, packHalf];
