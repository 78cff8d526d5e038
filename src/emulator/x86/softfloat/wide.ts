/** Unsigned 128-bit steps of the soft path: products, quotients, square roots and shifts, exact or with a sticky bit. */
import type { OpBuilder, Value } from '../../ir/op-builder.js';
import { type SubroutineBuilder, subroutine } from '../../ir/subroutine.js';

/** Two i64: value = high · 2^64 + low. */
export interface Wide {
  readonly high: Value;
  readonly low: Value;
}

const LOW_HALF = 0xffff_ffffn;

/** 1 (i64) when the condition holds. */
export function bit(b: OpBuilder, condition: Value): Value {
  return b.extendU(condition);
}

/** (x, y) → high, low of the 128-bit product. */
export const multiplyWide = subroutine('wide.multiply', 'll>ll', (b, x, y) => {
  const mask = b.i64(LOW_HALF);
  const half = b.i64(32);
  const [x0, x1] = [b.and(x as Value, mask), b.shrU(x as Value, half)];
  const [y0, y1] = [b.and(y as Value, mask), b.shrU(y as Value, half)];
  const low = b.mul(x0, y0);
  // None of these sums overflows: (2^32 - 1)^2 + 2 (2^32 - 1) = 2^64 - 1.
  const cross = b.add(b.mul(x1, y0), b.shrU(low, half));
  const middle = b.add(b.mul(x0, y1), b.and(cross, mask));
  const high = b.add(b.add(b.mul(x1, y1), b.shrU(cross, half)), b.shrU(middle, half));
  return [high, b.or(b.shl(middle, half), b.and(low, mask))];
});

/**
 * (high, low, divisor) → quotient, remainder of a 128-bit dividend. The divisor has bit 63 set and is above `high`
 * (Knuth, The Art of Computer Programming vol. 2, 4.3.1, algorithm D with 32-bit digits).
 */
export const divideWide = subroutine('wide.divide', 'lll>ll', (b, high, low, divisor) => {
  const half = b.i64(32);
  const first = digit(b, high as Value, b.shrU(low as Value, half), divisor as Value);
  const second = digit(b, first.rest, b.and(low as Value, b.i64(LOW_HALF)), divisor as Value);
  return [b.or(b.shl(first.digit, half), second.digit), second.rest];
});

/** One 32-bit digit of the quotient of (high · 2^32 + next) / divisor, and the remainder. */
function digit(b: SubroutineBuilder, high: Value, next: Value, divisor: Value): { digit: Value; rest: Value } {
  const half = b.i64(32);
  const top = b.shrU(divisor, half);
  const bottom = b.and(divisor, b.i64(LOW_HALF));
  const estimate = b.variable(b.op('i64.div_u', high, top));
  const rest = b.variable(b.op('i64.rem_u', high, top));
  // At most two corrections: the estimate is at most 2 too large.
  for (let i = 0; i < 2; i++) {
    const guess = b.read(estimate);
    const left = b.read(rest);
    const product = b.mul(guess, bottom);
    const tooLarge = b.or(b.ne(b.shrU(guess, half), b.i64(0)), b.gtU(product, b.or(b.shl(left, half), next)));
    const wrong = b.and(tooLarge, b.eqz(b.shrU(left, half)));
    b.assign(estimate, b.sub(guess, bit(b, wrong)));
    b.assign(rest, b.add(left, b.select(wrong, top, b.i64(0))));
  }
  const quotient = b.read(estimate);
  const remainder = b.sub(b.or(b.shl(high, half), next), b.mul(quotient, divisor));
  return { digit: quotient, rest: remainder };
}

/**
 * (high, low) → floor of the square root, and the remainder compared with it: 0 exact, 1 below the next half, 2 above. `high` is at
 * least 2^62 (P. Zimmermann, Karatsuba Square Root, INRIA RR-3805, one level over a 64-bit root).
 */
export const squareRootWide = subroutine('wide.sqrt', 'll>li', (b, high, low) => {
  const half = b.i64(32);
  const [s1, r1] = squareRoot64(b, high as Value);
  const numerator = b.or(b.shl(r1, b.i64(31)), b.shrU(low as Value, b.i64(33)));
  // (r1 · 2^32 + a1) / 2 s1, with the numerator halved so that it fits: the bit that falls off belongs to the remainder.
  const quotient = b.op('i64.div_u', numerator, s1);
  const rest = b.or(b.shl(b.op('i64.rem_u', numerator, s1), b.i64(1)), b.and(b.shrU(low as Value, half), b.i64(1)));
  // A quotient of 2^32 is one too large.
  const over = b.ne(b.shrU(quotient, half), b.i64(0));
  const q = b.sub(quotient, bit(b, over));
  const u = b.add(rest, b.select(over, b.shl(s1, b.i64(1)), b.i64(0)));
  const root = b.variable(b.add(b.shl(s1, half), q));
  // remainder = u · 2^32 + a0 - q², as 128 bits: u may have 34 bits.
  const square = b.mul(q, q);
  const partial = b.or(b.shl(u, half), b.and(low as Value, b.i64(LOW_HALF)));
  const remainderLow = b.variable(b.sub(partial, square));
  const remainderHigh = b.variable(b.sub(b.shrU(u, half), bit(b, b.ltU(partial, square))));
  b.if(b.ltS(b.read(remainderHigh), b.i64(0)), () => {
    // One too large: remainder += 2 root - 1.
    const old = b.read(root);
    const add = b.sub(b.shl(old, b.i64(1)), b.i64(1));
    const carryOut = b.shrU(old, b.i64(63));
    const before = b.read(remainderLow);
    const sum = b.add(before, add);
    b.assign(remainderLow, sum);
    b.assign(remainderHigh, b.add(b.add(b.read(remainderHigh), carryOut), bit(b, b.ltU(sum, before))));
    b.assign(root, b.sub(old, b.i64(1)));
  });
  const found = b.read(root);
  const above = b.or(b.ne(b.read(remainderHigh), b.i64(0)), b.gtU(b.read(remainderLow), found));
  const inexact = b.ne(b.or(b.read(remainderHigh), b.read(remainderLow)), b.i64(0));
  return [found, b.select(above, b.i32(2), inexact)];
});

/** Root (below 2^32) and remainder of a 64-bit number, from the double-precision root, which is off by at most one. */
function squareRoot64(b: SubroutineBuilder, value: Value): [Value, Value] {
  const near = b.op('i64.trunc_sat_f64_s', b.op('f64.sqrt', b.op('f64.convert_i64_u', value)));
  const estimate = b.select(b.gtU(near, b.i64(LOW_HALF)), b.i64(LOW_HALF), near);
  const high = b.gtU(b.mul(estimate, estimate), value);
  const root = b.sub(estimate, bit(b, high));
  return [root, b.sub(value, b.mul(root, root))];
}

/** value >> count with every lost bit or'ed into bit 0; any count from 0 up (i32, signed). */
export function shiftRightJam(b: OpBuilder, value: Value, count: Value): Value {
  const wide = b.extendU(count);
  const shifted = b.shrU(value, wide);
  const lost = b.ne(b.shl(shifted, wide), value);
  const far = b.gtU(count, b.i32(63));
  return b.select(far, bit(b, b.ne(value, b.i64(0))), b.or(shifted, bit(b, lost)));
}

/** (high:0) >> count as a Wide with the lost bits or'ed into bit 0. */
export function shiftRightWide(b: OpBuilder, high: Value, count: Value): Wide {
  const wide = b.extendU(count);
  const near = b.ltU(count, b.i32(64));
  const nearLow = b.select(b.eqz(count), b.i64(0), b.shl(high, b.sub(b.i64(64), wide)));
  const farLow = shiftRightJam(b, high, b.sub(count, b.i32(64)));
  return {
    high: b.select(near, b.shrU(high, wide), b.i64(0)),
    low: b.select(near, nearLow, farLow),
  };
}

/** value >> count (i32, from 0 up, any size) with the lost bits or'ed into bit 0. */
export function shiftRightJamWide(b: OpBuilder, value: Wide, count: Value): Wide {
  const by = b.extendU(count);
  const near = b.ltU(count, b.i32(64));
  const spilled = b.select(b.eqz(count), b.i64(0), b.shl(value.high, b.sub(b.i64(64), by)));
  const nearLow = b.or(spilled, shiftRightJam(b, value.low, count));
  const jammed = shiftRightJam(b, value.high, b.sub(count, b.i32(64)));
  const farLow = b.or(jammed, bit(b, b.ne(value.low, b.i64(0))));
  return {
    high: b.select(near, b.shrU(value.high, by), b.i64(0)),
    low: b.select(near, nearLow, farLow),
  };
}
