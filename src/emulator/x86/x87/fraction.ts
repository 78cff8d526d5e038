/**
 * Fixed-point fractions of 128 bits, value = (high · 2^64 + low) / 2^128, for the transcendental instructions: products and quotients
 * that are off by a few units of the last bit, and polynomials. That is some 60 bits more than a result keeps.
 */
import type { OpBuilder, Value } from '../../ir/op-builder.js';
import { type Subroutine, type SubroutineBuilder, subroutine } from '../../ir/subroutine.js';
import { bit, divideWide, multiplyWide, shiftRightJam, type Wide } from '../softfloat/wide.js';

const MASK = (1n << 64n) - 1n;

/** A constant below 2^128 as a fraction. */
export function constantFraction(b: OpBuilder, value: bigint): Wide {
  return { high: b.i64(value >> 64n), low: b.i64(value & MASK) };
}

export function addFractions(b: OpBuilder, x: Wide, y: Wide): Wide {
  const low = b.add(x.low, y.low);
  return { high: b.add(b.add(x.high, y.high), bit(b, b.ltU(low, x.low))), low };
}

export function subtractFractions(b: OpBuilder, x: Wide, y: Wide): Wide {
  return { high: b.sub(b.sub(x.high, y.high), bit(b, b.ltU(x.low, y.low))), low: b.sub(x.low, y.low) };
}

export function selectFraction(b: OpBuilder, condition: Value, yes: Wide, no: Wide): Wide {
  return { high: b.select(condition, yes.high, no.high), low: b.select(condition, yes.low, no.low) };
}

const multiplySub = subroutine('fraction.multiply', 'llll>ll', (b, xh, xl, yh, yl) => {
  const [high, low] = b.call(multiplyWide, xh as Value, yh as Value) as [Value, Value];
  const [crossX] = b.call(multiplyWide, xh as Value, yl as Value) as [Value];
  const [crossY] = b.call(multiplyWide, xl as Value, yh as Value) as [Value];
  const once = b.add(low, crossX);
  const twice = b.add(once, crossY);
  const carry = b.add(bit(b, b.ltU(once, low)), bit(b, b.ltU(twice, once)));
  return [b.add(high, carry), twice];
});

/** x · y, at most 3 units too small. */
export function multiplyFractions(b: SubroutineBuilder, x: Wide, y: Wide): Wide {
  const [high, low] = b.call(multiplySub, x.high, x.low, y.high, y.low) as [Value, Value];
  return { high, low };
}

const divideSub = subroutine('fraction.divide', 'llll>ll', (b, nh, nl, dh, dl) => {
  const n = { high: nh as Value, low: nl as Value };
  const d = { high: dh as Value, low: dl as Value };
  // A reciprocal of 64 bits, then one step of Newton's method on the quotient.
  const [reciprocal] = b.call(divideWide, b.i64(MASK >> 1n), b.i64(MASK), d.high) as [Value];
  const inverse = { high: reciprocal, low: b.i64(0) };
  const first = multiplyFractions(b, n, inverse);
  const half = shiftFraction(b, n, 1);
  const rest = subtractFractions(b, half, multiplyFractions(b, first, d));
  const negative = b.ltS(rest.high, b.i64(0));
  const zero = constantFraction(b, 0n);
  const size = selectFraction(b, negative, subtractFractions(b, zero, rest), rest);
  const step = multiplyFractions(b, size, inverse);
  const correction = {
    high: b.or(b.shl(step.high, b.i64(1)), b.shrU(step.low, b.i64(63))),
    low: b.shl(step.low, b.i64(1)),
  };
  const sum = addFractions(b, first, correction);
  const difference = subtractFractions(b, first, correction);
  const result = selectFraction(b, negative, difference, sum);
  return [result.high, result.low];
});

/** n / (2 d), for fractions from one half up: the quotient has the weight 2^127. */
export function divideFractions(b: SubroutineBuilder, n: Wide, d: Wide): Wide {
  const [high, low] = b.call(divideSub, n.high, n.low, d.high, d.low) as [Value, Value];
  return { high, low };
}

/** x >> count, a constant from 1 to 63. */
export function shiftFraction(b: OpBuilder, x: Wide, count: number): Wide {
  const by = b.i64(count);
  return {
    high: b.shrU(x.high, by),
    low: b.or(b.shl(x.high, b.i64(64 - count)), b.shrU(x.low, by)),
  };
}

/** x >> count (i32, from 0 up, any size). */
export function shiftFractionBy(b: OpBuilder, x: Wide, count: Value): Wide {
  const by = b.extendU(count);
  const near = b.ltU(count, b.i32(64));
  const spill = b.select(b.eqz(count), b.i64(0), b.shl(x.high, b.sub(b.i64(64), by)));
  return {
    high: b.select(near, b.shrU(x.high, by), b.i64(0)),
    low: b.select(near, b.or(spill, b.shrU(x.low, by)), shiftRightJam(b, x.high, b.sub(count, b.i32(64)))),
  };
}

/** The fraction with its leading bit at the top, and how far it was shifted (i32). Zero stays zero. */
export function normalizeFraction(b: OpBuilder, x: Wide): { fraction: Wide; zeros: Value } {
  const gone = b.eqz(x.high);
  const top = b.select(gone, x.low, x.high);
  const fill = b.select(gone, b.i64(0), x.low);
  const count = b.op('i64.clz', top);
  const spill = b.select(b.eqz(count), b.i64(0), b.shrU(fill, b.sub(b.i64(64), count)));
  return {
    fraction: { high: b.or(b.shl(top, count), spill), low: b.shl(fill, count) },
    zeros: b.add(b.wrap(count), b.select(gone, b.i32(64), b.i32(0))),
  };
}

/**
 * Horner's scheme: c0 ± x (c1 ± x (c2 ± …)). Coefficients are given in units of 2^-127, so that they may be 1, and so is the result; `alternate` subtracts.
 * Every partial sum must be positive and below 2.
 */
export function polynomial(b: SubroutineBuilder, x: Wide, coefficients: readonly bigint[], alternate: boolean): Wide {
  let sum = constantFraction(b, coefficients.at(-1) as bigint);
  for (let i = coefficients.length - 2; i >= 0; i--) {
    const product = multiplyFractions(b, x, sum);
    const coefficient = constantFraction(b, coefficients[i] as bigint);
    sum = alternate ? subtractFractions(b, coefficient, product) : addFractions(b, coefficient, product);
  }
  return sum;
}

/** One, in units of 2^-127. */
export const ONE = 1n << 127n;

/** ONE / divisor(0), ONE / divisor(1) … until they vanish below `count` terms. */
export function reciprocals(count: number, divisor: (index: bigint) => bigint): bigint[] {
  return Array.from({ length: count }, (_, i) => ONE / divisor(BigInt(i)));
}

export function factorial(n: bigint): bigint {
  return n <= 1n ? 1n : n * factorial(n - 1n);
}

export const fractionSubroutines: readonly Subroutine[] = [multiplySub, divideSub];
