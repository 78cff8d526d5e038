/** Rounding of an exact result into a format of SSE, with the exceptions that this finds (SDM vol. 1, 4.9.1.4 to 4.9.1.6). */
import type { Value } from '../../ir/op-builder.js';
import { type Subroutine, type SubroutineBuilder, subroutine } from '../../ir/subroutine.js';
import { F32, F64, type FloatFormat, infinityBits, withSign } from './format.js';
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

/**
 * (mode, sign, exponent, significand) → bits, flags. The significand has bit 63 set, which has the weight 2^exponent, and every bit below the last
 * one is or'ed into it. `mode` is laid out like MXCSR (rounding, FTZ, underflow mask).
 */
function packer(format: FloatFormat): Subroutine {
  const lostBits = 63 - format.fractionBits;
  const lostMask = (1n << BigInt(lostBits)) - 1n;
  return subroutine(`soft.pack.${format.name}`, 'iiil>li', (b, mode, sign, exponent, significand) => {
    const rounding = roundingOf(b, mode as Value);
    const round = (value: Value): { kept: Value; lost: Value; up: Value } => {
      const kept = b.shrU(value, b.i64(lostBits));
      const lost = b.and(value, b.i64(lostMask));
      const odd = b.and(b.wrap(kept), b.i32(1));
      return { kept, lost, up: roundsUp(b, rounding, sign as Value, lost, b.i64(1n << BigInt(lostBits - 1)), odd) };
    };

    const field = b.add(exponent as Value, b.i32(format.bias));
    const belowNormal = b.leS(field, b.i32(0));
    const free = round(significand as Value);
    // Tininess is detected after rounding to an unbounded exponent: just below the smallest normal number, a carry rescues the result.
    const carries = b.eq(b.add(free.kept, bit(b, free.up)), b.i64(1n << BigInt(format.fractionBits + 1)));
    const tiny = b.and(belowNormal, b.eqz(b.and(b.eqz(field), carries)));

    const distance = b.select(belowNormal, b.sub(b.i32(1), field), b.i32(0));
    const { kept, lost, up } = round(shiftRightJam(b, significand as Value, distance));
    const inexact = b.ne(lost, b.i64(0));
    // The implicit bit adds one to the exponent field, and so does a carry out of the fraction.
    const below = b.extendU(b.select(belowNormal, b.i32(0), b.sub(field, b.i32(1))));
    const magnitude = b.add(b.shl(below, b.i64(format.fractionBits)), b.add(kept, bit(b, up)));
    const overflow = b.or(b.gtS(field, b.i32(format.topExponent)), b.geU(magnitude, b.i64(infinityBits(format))));
    b.if(b.and(overflow, b.eqz(belowNormal)), () => {
      const away = roundsUp(b, rounding, sign as Value, b.i64(1), b.i64(0), b.i32(0));
      const largest = b.i64(infinityBits(format) - 1n);
      const huge = withSign(b, format, sign as Value, b.add(largest, bit(b, away)));
      b.return(huge, b.or(b.i32(EXCEPTION.OVERFLOW | EXCEPTION.PRECISION), flagIf(b, away, ROUNDED_UP)));
    });
    const masked = has(b, mode as Value, EXCEPTION.UNDERFLOW << MXCSR.MASK_SHIFT);
    b.if(b.and(tiny, b.and(masked, has(b, mode as Value, MXCSR.FTZ))), () => {
      b.return(withSign(b, format, sign as Value, b.i64(0)), b.i32(EXCEPTION.UNDERFLOW | EXCEPTION.PRECISION));
    });
    const underflow = b.and(tiny, b.or(inexact, b.eqz(masked)));
    const flags = [
      flagIf(b, inexact, EXCEPTION.PRECISION),
      flagIf(b, underflow, EXCEPTION.UNDERFLOW),
      flagIf(b, up, ROUNDED_UP),
    ].reduce((x, y) => b.or(x, y));
    return [withSign(b, format, sign as Value, magnitude), flags];
  });
}

const packF32 = packer(F32);
const packF64 = packer(F64);

export function packOf(format: FloatFormat): Subroutine {
  return format === F32 ? packF32 : packF64;
}

export const packSubroutines: readonly Subroutine[] = [packF32, packF64];
