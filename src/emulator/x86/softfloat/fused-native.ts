/**
 * Fused multiply-add in host arithmetic, which has none: the exact product as two doubles (Dekker, "A floating-point technique for extending the available
 * precision", 1971), exact sums as two doubles (Knuth), and one rounding to odd before the last addition, which makes it the only one that counts
 * (Boldo and Melquiond, "Emulation of a FMA and correctly rounded sums: proved algorithms using rounding to odd", 2008).
 *
 * All of it on vectors; numbers whose exponents could make a step overflow or lose bits are left to the soft path.
 */
import type { OpBuilder, Value } from '../../ir/op-builder.js';
import { F32, F64, type FloatFormat } from './format.js';
import { isNative } from './mxcsr.js';
import { integers, type NativeResult, splat } from './native.js';

/** Two vectors of doubles whose unevaluated sum is meant. */
type Pair = readonly [high: Value, low: Value];

function f(b: OpBuilder, name: string, x: Value, y: Value): Value {
  return b.op(`f64x2.${name}`, x, y);
}

function doubleBits(value: number): bigint {
  return new BigUint64Array(new Float64Array([value]).buffer)[0] as bigint;
}

/** Halves of a significand, whose products are exact. */
function split(b: OpBuilder, x: Value): Pair {
  const scaled = f(b, 'mul', x, splat(b, F64, doubleBits(2 ** 27 + 1)));
  const high = f(b, 'sub', scaled, f(b, 'sub', scaled, x));
  return [high, f(b, 'sub', x, high)];
}

function exactProduct(b: OpBuilder, x: Value, y: Value): Pair {
  const [xh, xl] = split(b, x);
  const [yh, yl] = split(b, y);
  const product = f(b, 'mul', x, y);
  const error = [
    [xh, yl],
    [xl, yh],
    [xl, yl],
  ].reduce(
    (sum, [p, q]) => f(b, 'add', sum, f(b, 'mul', p as Value, q as Value)),
    f(b, 'sub', f(b, 'mul', xh, yh), product),
  );
  return [product, error];
}

function exactSum(b: OpBuilder, x: Value, y: Value): Pair {
  const sum = f(b, 'add', x, y);
  const fromY = f(b, 'sub', sum, x);
  const fromX = f(b, 'sub', sum, fromY);
  return [sum, f(b, 'add', f(b, 'sub', x, fromX), f(b, 'sub', y, fromY))];
}

/** x + y rounded to odd: of two neighbours of an inexact sum the one whose last bit is set. */
function oddSum(b: OpBuilder, x: Value, y: Value): Value {
  const [sum, error] = exactSum(b, x, y);
  const one = splat(b, F64, 1n);
  const inexact = f(b, 'ne', error, splat(b, F64, 0n));
  const even = b.op('i64x2.ne', b.op('v128.and', sum, one), one);
  // Towards the error: one more in magnitude when it has the sum's sign, else one less.
  const differs = b.op('i64x2.shr_s', b.op('v128.xor', sum, error), b.i32(63));
  const step = b.op('v128.or', b.op('i64x2.shl', differs, b.i32(1)), one);
  return b.op('i64x2.add', sum, b.op('v128.and', step, b.op('v128.and', inexact, even)));
}

/** Lanes whose magnitude is not in a range of powers of two are negative. */
function outside(b: OpBuilder, format: FloatFormat, x: Value, least: number, greatest: number): Value {
  const lanes = integers(format);
  const bound = (exponent: number): bigint => BigInt(format.bias + exponent) << BigInt(format.fractionBits);
  const magnitude = b.op('v128.and', x, splat(b, format, (1n << BigInt(format.bits - 1)) - 1n));
  const above = b.op(`${lanes}.sub`, magnitude, splat(b, format, bound(least)));
  return b.op('v128.or', above, b.op(`${lanes}.sub`, splat(b, format, bound(greatest + 1) - 1n), magnitude));
}

function allInside(b: OpBuilder, format: FloatFormat, state: Value, lanes: readonly Value[]): Value {
  const outsiders = lanes.reduce((p, q) => b.op('v128.or', p, q));
  return b.and(isNative(b, state), b.eqz(b.op(`${integers(format)}.bitmask`, outsiders)));
}

/** Factors and addends so far from the ends of the range that no step overflows, and no error term is subnormal. */
const FACTOR_RANGE = 450;
const ADDEND_RANGE = 900;

function fusedDoubles(b: OpBuilder, state: Value, x: Value, y: Value, z: Value): NativeResult {
  const [high, low] = exactProduct(b, x, y);
  const [upper, lowest] = exactSum(b, z, low);
  const [sum, rest] = exactSum(b, high, upper);
  const holds = allInside(b, F64, state, [
    outside(b, F64, x, -FACTOR_RANGE, FACTOR_RANGE),
    outside(b, F64, y, -FACTOR_RANGE, FACTOR_RANGE),
    outside(b, F64, z, -ADDEND_RANGE, ADDEND_RANGE),
  ]);
  return { result: f(b, 'add', sum, oddSum(b, lowest, rest)), holds };
}

/** Two singles of each operand, widened: their product is exact, and a double has room for rounding to odd. */
function fusedPairOfSingles(b: OpBuilder, x: Value, y: Value, z: Value): Value {
  const [wx, wy, wz] = [x, y, z].map((v) => b.op('f64x2.promote_low_f32x4', v)) as [Value, Value, Value];
  return b.op('f32x4.demote_f64x2_zero', oddSum(b, f(b, 'mul', wx, wy), wz));
}

const UPPER_HALF = Uint8Array.from({ length: 16 }, (_, i) => (i + 8) & 15);
const LOWER_HALVES = Uint8Array.from({ length: 16 }, (_, i) => (i < 8 ? i : i + 8));

function fusedSingles(b: OpBuilder, state: Value, x: Value, y: Value, z: Value): NativeResult {
  const upper = (v: Value): Value => b.shuffle(v, v, UPPER_HALF);
  const low = fusedPairOfSingles(b, x, y, z);
  const high = fusedPairOfSingles(b, upper(x), upper(y), upper(z));
  const result = b.shuffle(low, high, LOWER_HALVES);
  const normal = [x, y, z].map((v) => outside(b, F32, v, 1 - F32.bias, F32.bias));
  // Above the lowest binade, where tininess before and after rounding differ.
  const holds = allInside(b, F32, state, [...normal, outside(b, F32, result, 2 - F32.bias, F32.bias)]);
  return { result, holds };
}

/** x · y + z on all lanes. */
export function nativeFused(
  b: OpBuilder,
  format: FloatFormat,
  state: Value,
  x: Value,
  y: Value,
  z: Value,
): NativeResult {
  return (format === F32 ? fusedSingles : fusedDoubles)(b, state, x, y, z);
}

/** A vector whose even or odd lanes have their sign turned where a bit of `turns` (i32) says so. */
export function turned(b: OpBuilder, format: FloatFormat, x: Value, turns: Value, even: number, odd: number): Value {
  const bit = (number: number): Value => b.and(b.shrU(b.extendU(turns), b.i64(number)), b.i64(1));
  const top = b.shl(bit(odd), b.i64(63));
  const low = b.shl(bit(even), b.i64(format.bits - 1));
  const signs =
    format.bits === 32
      ? b.op('i64x2.splat', b.or(top, low))
      : b.op('i64x2.replace_lane.1', b.op('i64x2.splat', low), top);
  return b.op('v128.xor', x, signs);
}
