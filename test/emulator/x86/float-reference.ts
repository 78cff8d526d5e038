/**
 * IEEE 754 rounding by definition, on exact rational numbers: what the soft float subroutines are compared with. Slow and obvious.
 */

/** An exact number: (-1)^sign · num / den, num not negative, den positive. */
export interface Exact {
  readonly sign: 0 | 1;
  readonly num: bigint;
  readonly den: bigint;
}

export interface ReferenceFormat {
  readonly precision: number;
  /** Exponents of the smallest and the largest normal number. */
  readonly least: number;
  readonly greatest: number;
  /** Precision of subnormals counts from here; the same as `precision` but where precision control narrows an 80-bit number. */
  readonly width: number;
}

export const SINGLE: ReferenceFormat = { precision: 24, width: 24, least: -126, greatest: 127 };
export const DOUBLE: ReferenceFormat = { precision: 53, width: 53, least: -1022, greatest: 1023 };

/** Extended precision under precision control. */
export function extended(precision: 24 | 53 | 64): ReferenceFormat {
  return { precision, width: 64, least: -16382, greatest: 16383 };
}

export const MODES = ['nearest', 'down', 'up', 'zero'] as const;
export type Mode = (typeof MODES)[number];

export const FLAGS = { overflow: 8, underflow: 16, precision: 32, up: 0x200 } as const;

/** A rounded magnitude: significand · 2^(exponent - width + 1), or infinity. Exceptions as FLAGS, all masked. */
export interface Rounded {
  readonly infinite: boolean;
  readonly significand: bigint;
  readonly exponent: number;
  readonly flags: number;
}

/** num / den as 2^exponent · [1, 2). */
function exponentOf(num: bigint, den: bigint): number {
  let exponent = num.toString(2).length - den.toString(2).length;
  const scaled = (e: number): boolean => (e >= 0 ? num >= den << BigInt(e) : num << BigInt(-e) >= den);
  if (!scaled(exponent)) exponent--;
  return exponent;
}

/** num / den in units of 2^unit, rounded: the integer, and whether it was inexact and incremented. */
function roundAt(value: Exact, unit: number, mode: Mode): { integer: bigint; inexact: boolean; up: boolean } {
  const num = unit < 0 ? value.num << BigInt(-unit) : value.num;
  const den = unit > 0 ? value.den << BigInt(unit) : value.den;
  const floor = num / den;
  const rest = num - floor * den;
  const inexact = rest !== 0n;
  const half = 2n * rest - den;
  const nearest = half > 0n || (half === 0n && (floor & 1n) === 1n);
  const away = mode === (value.sign ? 'down' : 'up');
  const up = inexact && (mode === 'nearest' ? nearest : away);
  return { integer: up ? floor + 1n : floor, inexact, up };
}

/** Rounds an exact number that is not zero. */
export function round(value: Exact, format: ReferenceFormat, mode: Mode): Rounded {
  const exponent = exponentOf(value.num, value.den);
  const free = roundAt(value, exponent - format.precision + 1, mode);
  const carried = free.integer >> BigInt(format.precision) !== 0n;
  const final = exponent + (carried ? 1 : 0);
  const spare = BigInt(format.width - format.precision);
  if (final > format.greatest) {
    const away = mode === 'nearest' || mode === (value.sign ? 'down' : 'up');
    const largest = ((1n << BigInt(format.precision)) - 1n) << spare;
    const flags = FLAGS.overflow | FLAGS.precision | (away ? FLAGS.up : 0);
    return { infinite: away, significand: largest, exponent: format.greatest, flags };
  }
  const tiny = final < format.least;
  const unit = Math.max(exponent, format.least) - format.precision + 1;
  const { integer, inexact, up } = roundAt(value, unit, mode);
  const wrapped = integer >> BigInt(format.precision) !== 0n;
  const flags = (inexact ? FLAGS.precision : 0) | (tiny && inexact ? FLAGS.underflow : 0) | (up ? FLAGS.up : 0);
  return {
    infinite: false,
    significand: (wrapped ? integer >> 1n : integer) << spare,
    exponent: Math.max(exponent, format.least) + (wrapped ? 1 : 0),
    flags,
  };
}

export type Operation = 'add' | 'sub' | 'mul' | 'div';

/** The exact result of an operation on numbers of which the divisor is not zero. A sum that cancels is +0. */
export function exactly(operation: Operation, x: Exact, y: Exact): Exact {
  const signed = (value: Exact): bigint => (value.sign ? -value.num : value.num);
  const result = (num: bigint, den: bigint): Exact => ({ sign: num < 0n ? 1 : 0, num: num < 0n ? -num : num, den });
  switch (operation) {
    case 'add':
      return result(signed(x) * y.den + signed(y) * x.den, x.den * y.den);
    case 'sub':
      return result(signed(x) * y.den - signed(y) * x.den, x.den * y.den);
    case 'mul':
      return result(signed(x) * signed(y), x.den * y.den);
    case 'div':
      return { sign: x.sign === y.sign ? 0 : 1, num: x.num * y.den, den: x.den * y.num };
  }
}

/** A number that rounds like the square root of a positive one: the root cut far below any precision, and something more if it is not exact. */
export function squareRoot(x: Exact): Exact {
  const extra = BigInt(x.den.toString(2).length + 200);
  const radicand = (x.num << (2n * extra)) / x.den;
  const root = integerRoot(radicand);
  const exact = root * root === radicand && radicand * x.den === x.num << (2n * extra);
  return { sign: 0, num: 2n * root + (exact ? 0n : 1n), den: 2n << extra };
}

function integerRoot(value: bigint): bigint {
  let root = 1n << BigInt((value.toString(2).length + 1) >> 1);
  for (;;) {
    const next = (root + value / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}

/** significand · 2^scale. */
export function scaled(sign: 0 | 1, significand: bigint, scale: number): Exact {
  return scale >= 0
    ? { sign, num: significand << BigInt(scale), den: 1n }
    : { sign, num: significand, den: 1n << BigInt(-scale) };
}
