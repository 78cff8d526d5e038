/** Packed decimal: FBLD and FBSTP, 18 digits and a sign in 80 bits (SDM vol. 1, 4.7). */
import type { Value } from '../../ir/op-builder.js';
import { type Subroutine, subroutine } from '../../ir/subroutine.js';
import { EXCEPTION } from '../softfloat/mxcsr.js';
import { extendInteger } from './extended.js';
import { push, readSt } from './stack.js';
import { leaveTop, roundTop } from './store.js';

const DIGITS_LOW = 16;
const LARGEST = 999_999_999_999_999_999n;
/** What an invalid operation stores (SDM vol. 2A, FBSTP). */
const INDEFINITE_LOW = 0xc000_0000_0000_0000n;
const INDEFINITE_HIGH = 0xffff;

/** FBLD: (the low 16 digits, two digits and the sign). Digits above 9 count as what they are. */
export const loadDecimal = subroutine('x87.load.decimal', 'li>', (b, low, high) => {
  let value = b.i64(0);
  const append = (digit: Value): void => {
    value = b.add(b.mul(value, b.i64(10)), digit);
  };
  for (const shift of [4, 0]) append(b.extendU(b.and(b.shrU(high as Value, b.i32(shift)), b.i32(15))));
  for (let i = DIGITS_LOW - 1; i >= 0; i--) append(b.and(b.shrU(low as Value, b.i64(4 * i)), b.i64(15)));
  const [significand, signExponent] = b.call(extendInteger, value) as [Value, Value];
  const sign = b.and(high as Value, b.i32(0x8000));
  b.call(push, significand, b.or(signExponent, sign), b.i32(0));
  return undefined;
});

/** FBSTP: () → the low 16 digits, two digits and the sign, stopped. */
export const storeDecimal = subroutine('x87.store.decimal', '>lii', (b) => {
  const [integer, found] = b.call(roundTop, b.i32(64), b.i32(0)) as [Value, Value];
  // Of a number that rounds to zero, too, the sign is stored.
  const sign = b.and(readSt(b, b.i32(0)).signExponent, b.i32(0x8000));
  const negative = b.ltS(integer, b.i64(0));
  const magnitude = b.select(negative, b.sub(b.i64(0), integer), integer);
  const tooLarge = b.gtU(magnitude, b.i64(LARGEST));
  const bad = b.or(tooLarge, b.and(found, b.i32(EXCEPTION.INVALID)));
  const flags = b.select(bad, b.or(b.and(found, b.i32(~0x23f)), b.i32(EXCEPTION.INVALID)), found);
  let rest = magnitude;
  let low = b.i64(0);
  let high = b.i32(0);
  const next = (): Value => {
    const digit = b.op('i64.rem_u', rest, b.i64(10));
    rest = b.op('i64.div_u', rest, b.i64(10));
    return digit;
  };
  for (let i = 0; i < DIGITS_LOW; i++) low = b.or(low, b.shl(next(), b.i64(4 * i)));
  for (const shift of [0, 4]) high = b.or(high, b.shl(b.wrap(next()), b.i32(shift)));
  const stopped = b.call1(leaveTop, flags, b.i32(1));
  return [b.select(bad, b.i64(INDEFINITE_LOW), low), b.select(bad, b.i32(INDEFINITE_HIGH), b.or(high, sign)), stopped];
});

export const decimalSubroutines: readonly Subroutine[] = [loadDecimal, storeDecimal];
