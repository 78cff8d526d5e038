/** MXCSR (SDM vol. 1, 10.2.3) and the raising of SIMD floating-point exceptions. */
import { SLOT } from '../../../register-set.js';
import type { OpBuilder, Value } from '../../ir/op-builder.js';
import { type Subroutine, type SubroutineBuilder, subroutine } from '../../ir/subroutine.js';

/** Exception flags: the same bits in MXCSR and in the x87 status word. */
export const EXCEPTION = {
  INVALID: 1,
  DENORMAL: 2,
  ZERO_DIVIDE: 4,
  OVERFLOW: 8,
  UNDERFLOW: 16,
  PRECISION: 32,
} as const;
export const ALL_EXCEPTIONS = 63;

export const MXCSR = {
  DAZ: 1 << 6,
  /** Distance of an exception's mask from its flag. */
  MASK_SHIFT: 7,
  ROUNDING_SHIFT: 13,
  FTZ: 1 << 15,
} as const;

/** Values of the rounding-control field, in MXCSR and in the x87 control word. */
export const ROUNDING = { NEAREST: 0, DOWN: 1, UP: 2, ZERO: 3 } as const;

/** All exceptions masked, to nearest, PE sticky; DAZ, FTZ and the other flags do not matter. */
const NATIVE_MASK = 0x7fa0;
const NATIVE_VALUE = 0x1fa0;

/**
 * 0 (i32) when MXCSR lets host arithmetic stand for the guest's, provided that neither operands nor the result are special: rounding is to nearest,
 * nothing can trap, and an inexact result changes no flag. Negative otherwise.
 */
export function nativeState(b: OpBuilder, mxcsr: Value): Value {
  return b.neg(b.xor(b.and(mxcsr, b.i32(NATIVE_MASK)), b.i32(NATIVE_VALUE)));
}

/** True (i32) for the state in which host arithmetic may stand. */
export function isNative(b: OpBuilder, state: Value): Value {
  return b.eqz(state);
}

/** As `isNative`, of MXCSR itself, whether PE is set already or not: for results that are exact. */
export function isNativeIfExact(b: OpBuilder, mxcsr: Value): Value {
  return b.eq(b.and(mxcsr, b.i32(NATIVE_MASK & ~EXCEPTION.PRECISION)), b.i32(NATIVE_VALUE & ~EXCEPTION.PRECISION));
}

export function readMxcsr(b: SubroutineBuilder): Value {
  return b.raw('load32', b.cpu, SLOT.MXCSR);
}

/** Rounding control (ROUNDING.*) of an MXCSR value. */
export function roundingOf(b: OpBuilder, mxcsr: Value): Value {
  return b.and(b.shrU(mxcsr, b.i32(MXCSR.ROUNDING_SHIFT)), b.i32(3));
}

/** True (i32) when MXCSR has bits of the mask. */
export function has(b: OpBuilder, mxcsr: Value, mask: number): Value {
  return b.ne(b.and(mxcsr, b.i32(mask)), b.i32(0));
}

/** An exception flag where a condition (i32, 0 or 1) holds. */
export function flagIf(b: OpBuilder, condition: Value, flag: number): Value {
  return b.shl(condition, b.i32(31 - Math.clz32(flag)));
}

const PRE_COMPUTATION = EXCEPTION.INVALID | EXCEPTION.DENORMAL | EXCEPTION.ZERO_DIVIDE;

/**
 * Raises what an instruction's lanes have found together: (flags) → trap. Flags stick in MXCSR; trap is not zero when one of them is unmasked.
 * An unmasked exception that is found before computing keeps the later ones from being seen (SDM vol. 1, 11.5.3).
 */
export const raise = subroutine('sse.raise', 'i>i', (b, flags) => {
  const mxcsr = readMxcsr(b);
  const unmasked = b.and(b.and(flags as Value, b.not(b.shrU(mxcsr, b.i32(MXCSR.MASK_SHIFT)))), b.i32(ALL_EXCEPTIONS));
  const early = has(b, unmasked, PRE_COMPUTATION);
  const seen = b.and(flags as Value, b.select(early, b.i32(PRE_COMPUTATION), b.i32(ALL_EXCEPTIONS)));
  b.rawStore('store32', b.cpu, SLOT.MXCSR, b.or(mxcsr, seen));
  return unmasked;
});

/**
 * After an instruction that raised twice, for each half of its lanes: (MXCSR before it, both traps) → trap. What one half has found before computing keeps
 * the later exceptions of both from being seen.
 */
export const settle: Subroutine = {
  ...subroutine('sse.settle', 'ii>i', (b, before, trap) => {
    b.if(b.and(trap as Value, b.i32(PRE_COMPUTATION)), () => {
      const early = b.and(readMxcsr(b), b.i32(PRE_COMPUTATION));
      b.rawStore('store32', b.cpu, SLOT.MXCSR, b.or(before as Value, early));
    });
    return trap;
  }),
  shortcut: {
    slot: SLOT.MXCSR,
    prepare: nativeState,
    build: (b, _, _before, trap) => ({ result: trap as Value, holds: b.eqz(trap as Value) }),
  },
};
