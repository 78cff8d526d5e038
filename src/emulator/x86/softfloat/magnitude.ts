/**
 * Exact arithmetic on magnitudes that are finite and not zero, whatever their format: an exponent (i32) and a significand (i64) with bit 63 set, which
 * has the weight 2^exponent. Results have 64 bits more, with every bit below those or'ed into the last: enough to round to 64 bits
 * and fewer, once.
 */
import type { Value } from '../../ir/op-builder.js';
import { type Subroutine, type SubroutineBuilder, subroutine } from '../../ir/subroutine.js';
import { bit, divideWide, multiplyWide, shiftRightWide, squareRootWide } from './wide.js';

const TOP = 1n << 63n;

/** (exponent, significand, exponent, significand) → exponent, high, low of x + y. x is not below y. */
export const addMagnitudes = subroutine('soft.add', 'ilil>ill', (b, ex, x, ey, y) => {
  const aligned = shiftRightWide(b, y as Value, b.sub(ex as Value, ey as Value));
  const sum = b.add(x as Value, aligned.high);
  const carry = b.ltU(sum, x as Value);
  const one = b.i64(1);
  const shiftedLow = b.or(b.or(b.shl(sum, b.i64(63)), b.shrU(aligned.low, one)), b.and(aligned.low, one));
  return [
    b.add(ex as Value, carry),
    b.select(carry, b.or(b.shrU(sum, one), b.i64(TOP)), sum),
    b.select(carry, shiftedLow, aligned.low),
  ];
});

/** (exponent, significand, exponent, significand) → exponent, high, low of x - y. x is not below y; high is 0 when they are equal. */
export const subtractMagnitudes = subroutine('soft.subtract', 'ilil>ill', (b, ex, x, ey, y) => {
  const aligned = shiftRightWide(b, y as Value, b.sub(ex as Value, ey as Value));
  const low = b.sub(b.i64(0), aligned.low);
  const high = b.sub(b.sub(x as Value, aligned.high), bit(b, b.ne(aligned.low, b.i64(0))));
  // Only with exponents at most one apart can more than one bit cancel, and then `low` has one bit at most.
  const gone = b.eqz(high);
  const top = b.select(gone, low, high);
  const zeros = b.op('i64.clz', top);
  const fill = b.select(gone, b.i64(0), low);
  const spill = b.select(b.eqz(zeros), b.i64(0), b.shrU(fill, b.sub(b.i64(64), zeros)));
  const distance = b.add(b.wrap(zeros), b.select(gone, b.i32(64), b.i32(0)));
  return [b.sub(ex as Value, distance), b.or(b.shl(top, zeros), spill), b.shl(fill, zeros)];
});

/** (exponent, significand, exponent, significand) → exponent, high, low of x · y. */
export const multiplyMagnitudes = subroutine('soft.multiply', 'ilil>ill', (b, ex, x, ey, y) => {
  const [high, low] = b.call(multiplyWide, x as Value, y as Value) as [Value, Value];
  const small = b.geS(high, b.i64(0));
  const one = b.i64(1);
  const exponent = b.add(b.add(ex as Value, ey as Value), b.eqz(small));
  const shifted = b.or(b.shl(high, one), b.shrU(low, b.i64(63)));
  return [exponent, b.select(small, shifted, high), b.select(small, b.shl(low, one), low)];
});

/** (exponent, significand, exponent, significand) → exponent, high, low of x / y. */
export const divideMagnitudes = subroutine('soft.divide', 'ilil>ill', (b, ex, x, ey, y) => {
  const least = b.geU(x as Value, y as Value);
  const one = b.i64(1);
  const high = b.select(least, b.shrU(x as Value, one), x as Value);
  const low = b.select(least, b.shl(x as Value, b.i64(63)), b.i64(0));
  const [quotient, rest] = b.call(divideWide, high, low, y as Value) as [Value, Value];
  const exponent = b.sub(b.sub(ex as Value, ey as Value), b.eqz(least));
  const inexact = b.ne(rest, b.i64(0));
  const half = b.geU(rest, b.sub(y as Value, rest));
  return [exponent, quotient, below(b, inexact, half)];
});

/** (exponent, significand) → exponent, high, low of the square root. */
export const squareRootMagnitude = subroutine('soft.sqrt', 'il>ill', (b, exponent, significand) => {
  const odd = b.ne(b.and(exponent as Value, b.i32(1)), b.i32(0));
  const one = b.i64(1);
  const high = b.select(odd, significand as Value, b.shrU(significand as Value, one));
  const low = b.select(odd, b.i64(0), b.shl(significand as Value, b.i64(63)));
  const [root, rest] = b.call(squareRootWide, high, low) as [Value, Value];
  return [b.shrS(exponent as Value, b.i32(1)), root, below(b, b.ne(rest, b.i32(0)), b.eq(rest, b.i32(2)))];
});

/** The low half of a result of which is known: whether it is inexact, and whether the rest is at least half (never exactly half). */
function below(b: SubroutineBuilder, inexact: Value, half: Value): Value {
  return b.or(bit(b, inexact), b.shl(bit(b, b.and(inexact, half)), b.i64(63)));
}

/** high with bits of low or'ed into its last bit: for formats that keep far less than 64 bits. */
export function jam(b: SubroutineBuilder, high: Value, low: Value): Value {
  return b.or(high, bit(b, b.ne(low, b.i64(0))));
}

export const magnitudeSubroutines: readonly Subroutine[] = [
  multiplyWide,
  divideWide,
  squareRootWide,
  addMagnitudes,
  subtractMagnitudes,
  multiplyMagnitudes,
  divideMagnitudes,
  squareRootMagnitude,
];
