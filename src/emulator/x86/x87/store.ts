/**
 * ST(0) on its way to memory: to singles, doubles, integers, or as it is. The lift function has made sure that the memory can be written. Exceptions are
 * noted and the stack is popped here; `stopped` says that an unmasked exception forbids the store.
 */
import type { Value } from '../../ir/op-builder.js';
import { type Subroutine, subroutine } from '../../ir/subroutine.js';
import { F32, F64, type FloatFormat, indefiniteBits, infinityBits, quietBit, withSign } from '../softfloat/format.js';
import { fitInteger, roundMagnitude } from '../softfloat/integer.js';
import { EXCEPTION, ROUNDING, roundingOf } from '../softfloat/mxcsr.js';
import { packOf } from '../softfloat/pack.js';
import { classifyExtended, normalizeExtended } from './extended.js';
import { indefinite, isEmpty, popCount, readSt } from './stack.js';
import { note, readMode, STACK_UNDERFLOW } from './status.js';

/** (flags, registers to pop) → stopped. */
export const leaveTop = subroutine('x87.leave', 'ii>i', (b, flags, pops) => {
  // An inexact result is stored, trap or not.
  const stopped = b.and(b.call1(note, flags as Value), b.i32(~EXCEPTION.PRECISION));
  b.returnIf(stopped, b.i32(1));
  popCount(b, pops as Value);
  return b.i32(0);
});

/** FST m32, m64: () → bits (i64), flags. */
function convertTop(format: FloatFormat): Subroutine {
  return subroutine(`x87.convert.${format.name}`, '>li', (b) => {
    const invalid = b.i64(indefiniteBits(format));
    b.returnIf(isEmpty(b, b.i32(0)), invalid, b.i32(STACK_UNDERFLOW));
    const top = readSt(b, b.i32(0));
    const x = classifyExtended(b, top.significand, top.signExponent);
    b.returnIf(x.unsupported, invalid, b.i32(EXCEPTION.INVALID));
    b.if(b.or(x.nan, x.infinite), () => {
      const moved = b.shrU(b.shl(x.significand, b.i64(1)), b.i64(64 - format.fractionBits));
      const quiet = b.select(x.nan, b.i64(quietBit(format)), b.i64(0));
      const magnitude = b.or(b.or(moved, quiet), b.i64(infinityBits(format)));
      b.return(withSign(b, format, x.sign, magnitude), x.signalling);
    });
    b.returnIf(x.zero, withSign(b, format, x.sign, b.i64(0)), b.i32(0));
    const { exponent, significand } = normalizeExtended(b, x);
    return b.call(packOf(format), readMode(b), x.sign, exponent, significand);
  });
}

const CONVERT_TOP = { f32: convertTop(F32), f64: convertTop(F64) } as const;

/** FIST, FISTTP: (width in bits, truncate) → integer (sign-extended i64), flags. */
export const roundTop = subroutine('x87.convert.integer', 'ii>li', (b, width, truncate) => {
  const invalid = b.shl(b.i64(-1), b.sub(b.extendU(width as Value), b.i64(1)));
  b.returnIf(isEmpty(b, b.i32(0)), invalid, b.i32(STACK_UNDERFLOW));
  const top = readSt(b, b.i32(0));
  const x = classifyExtended(b, top.significand, top.signExponent);
  b.returnIf(x.zero, b.i64(0), b.i32(0));
  const rounding = b.select(truncate as Value, b.i32(ROUNDING.ZERO), roundingOf(b, readMode(b)));
  const { exponent, significand } = normalizeExtended(b, x);
  const [magnitude, flags] = b.call(roundMagnitude, rounding, x.sign, exponent, significand) as [Value, Value];
  const bad = b.or(b.gtS(exponent, b.i32(63)), b.or(x.unsupported, b.or(x.nan, x.infinite)));
  return fitInteger(b, width as Value, x.sign, magnitude, flags, bad);
});

/** (pops) → bits (i64), stopped. */
function storeAs(format: FloatFormat): Subroutine {
  return subroutine(`x87.store.${format.name}`, 'i>li', (b, pops) => {
    const [bits, flags] = b.call(CONVERT_TOP[format.name]) as [Value, Value];
    return [bits, b.call1(leaveTop, flags, pops as Value)];
  });
}

export const STORE_AS = { f32: storeAs(F32), f64: storeAs(F64) } as const;

/** (width in bits, truncate, pops) → integer (sign-extended i64), stopped. */
export const storeInteger = subroutine('x87.store.integer', 'iii>li', (b, width, truncate, pops) => {
  const [integer, flags] = b.call(roundTop, width as Value, truncate as Value) as [Value, Value];
  return [integer, b.call1(leaveTop, flags, pops as Value)];
});

/** FSTP m80: () → significand, sign and exponent, stopped. Only a stack fault can happen. */
export const storeExtended = subroutine('x87.store.extended', '>lii', (b) => {
  const empty = isEmpty(b, b.i32(0));
  const top = readSt(b, b.i32(0));
  const nothing = indefinite(b);
  const stopped = b.call1(leaveTop, b.select(empty, b.i32(STACK_UNDERFLOW), b.i32(0)), b.i32(1));
  return [
    b.select(empty, nothing.significand, top.significand),
    b.select(empty, nothing.signExponent, top.signExponent),
    stopped,
  ];
});

export const storeSubroutines: readonly Subroutine[] = [
  leaveTop,
  ...[CONVERT_TOP.f32, CONVERT_TOP.f64, roundTop],
  ...[STORE_AS.f32, STORE_AS.f64, storeInteger, storeExtended],
];
