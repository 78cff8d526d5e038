/**
 * Host arithmetic in the guest's place. Straight-line IR that computes a result natively and says whether it holds: then MXCSR asks for nothing else
 * (`isNative`), and neither operands nor result are among the numbers that raise flags or have rules of their own. When it does not
 * hold the result is garbage and the soft path computes it.
 *
 * The code generator may inline this in front of the subroutine.
 */
import type { OpBuilder, Value } from '../../ir/op-builder.js';
import type { ArithmeticName } from './arithmetic.js';
import { type FloatFormat, infinityBits, signBit } from './format.js';
import { isNative, isNativeIfExact } from './mxcsr.js';

export interface NativeResult {
  /** Scalars: the bits, in the format's integer type. Packed: a v128. */
  readonly result: Value;
  /** i32. */
  readonly holds: Value;
}

export function asFloat(b: OpBuilder, format: FloatFormat, bits: Value): Value {
  return format.name === 'f32' ? b.op('f32.reinterpret_i32', bits) : b.op('f64.reinterpret_i64', bits);
}

export function asBits(b: OpBuilder, format: FloatFormat, value: Value): Value {
  return format.name === 'f32' ? b.op('i32.reinterpret_f32', value) : b.op('i64.reinterpret_f64', value);
}

export function constant(b: OpBuilder, format: FloatFormat, value: bigint): Value {
  return format.type === 'i32' ? b.i32(Number(value)) : b.i64(value);
}

/** Smallest normal number's bits without the sign, shifted left by one: where the sign has gone. */
function leastNormal(format: FloatFormat): bigint {
  return 2n << BigInt(format.fractionBits);
}

/** Zero, normal, infinite or NaN: with the sign shifted out, subnormals are 1 … leastNormal - 1. */
export function notSubnormal(b: OpBuilder, format: FloatFormat, bits: Value): Value {
  const magnitude = b.shl(bits, b.like(bits, 1));
  return b.geU(b.sub(magnitude, b.like(bits, 1)), constant(b, format, leastNormal(format) - 1n));
}

/**
 * Normal and above the lowest binade, where tininess before and after rounding differ: such a result has raised nothing but PE, and no operand
 * of it was a NaN, nor an infinity unless it became one.
 */
export function plainResult(b: OpBuilder, format: FloatFormat, bits: Value): Value {
  const magnitude = b.shl(bits, b.like(bits, 1));
  const least = 2n * leastNormal(format);
  const range = 2n * infinityBits(format) - least;
  return b.ltU(b.sub(magnitude, constant(b, format, least)), constant(b, format, range));
}

export function finite(b: OpBuilder, format: FloatFormat, bits: Value): Value {
  return b.ltU(b.shl(bits, b.like(bits, 1)), constant(b, format, 2n * infinityBits(format)));
}

/** x op y on bits. Sums and differences may be zero: then they are exact. */
export function nativeArithmetic(
  b: OpBuilder,
  format: FloatFormat,
  name: ArithmeticName,
  state: Value,
  x: Value,
  y: Value,
): NativeResult {
  const { result, plain } = plainArithmetic(b, format, name, x, y);
  return { result, holds: b.and(isNative(b, state), plain) };
}

/** x op y on bits, and whether operands and result are plain. `zero`: a product or quotient that is nothing because a factor or the dividend is. */
function plainArithmetic(
  b: OpBuilder,
  format: FloatFormat,
  name: ArithmeticName,
  x: Value,
  y: Value,
): { result: Value; plain: Value; zero: Value } {
  const result = asBits(b, format, b.op(`${format.name}.${name}`, asFloat(b, format, x), asFloat(b, format, y)));
  const operandsPlain = b.and(notSubnormal(b, format, x), notSubnormal(b, format, y));
  if (name === 'add' || name === 'sub') {
    const resultPlain = b.and(finite(b, format, result), notSubnormal(b, format, result));
    return { result, plain: b.and(operandsPlain, resultPlain), zero: b.i32(0) };
  }
  // The other operand was infinite or a NaN, or the divisor zero, where the result is a NaN.
  const zero = b.and(name === 'mul' ? b.or(isZero(b, x), isZero(b, y)) : isZero(b, x), finite(b, format, result));
  return { result, plain: b.and(operandsPlain, b.or(plainResult(b, format, result), zero)), zero };
}

function isZero(b: OpBuilder, bits: Value): Value {
  return b.eqz(b.shl(bits, b.like(bits, 1)));
}

/**
 * x op y on bits while PE is not sticky yet: holds where the result is exact. Programs that count in floating point never raise PE, and would stay
 * on the soft path for ever.
 */
export function exactArithmetic(
  b: OpBuilder,
  format: FloatFormat,
  name: ArithmeticName,
  mxcsr: Value,
  x: Value,
  y: Value,
): NativeResult {
  const { result, plain, zero } = plainArithmetic(b, format, name, x, y);
  const exact =
    name === 'mul'
      ? b.or(zero, hasRoom(b, format, x, y))
      : name === 'div'
        ? b.or(zero, b.and(hasRoom(b, format, result, y), equals(b, format, 'mul', result, y, x)))
        : exactSum(b, format, name, result, x, y);
  return { result, holds: b.and(b.and(isNativeIfExact(b, mxcsr), plain), exact) };
}

/** The product of two normal numbers is exact: their significands end in so many zeros that it fits. */
function hasRoom(b: OpBuilder, format: FloatFormat, x: Value, y: Value): Value {
  const implicit = constant(b, format, 1n << BigInt(format.fractionBits));
  const zeros = (bits: Value): Value => b.wrap(b.op(`${format.type}.ctz`, b.or(bits, implicit)));
  return b.gtU(b.add(zeros(x), zeros(y)), b.i32(format.fractionBits));
}

function equals(b: OpBuilder, format: FloatFormat, name: ArithmeticName, x: Value, y: Value, z: Value): Value {
  const result = b.op(`${format.name}.${name}`, asFloat(b, format, x), asFloat(b, format, y));
  return b.op(`${format.name}.eq`, result, asFloat(b, format, z));
}

/** x ± y = result without rounding: the error term of Knuth's TwoSum is zero. */
function exactSum(b: OpBuilder, format: FloatFormat, name: 'add' | 'sub', result: Value, x: Value, y: Value): Value {
  const op = (which: string, p: Value, q: Value): Value => b.op(`${format.name}.${which}`, p, q);
  const [s, p] = [asFloat(b, format, result), asFloat(b, format, x)];
  const q = name === 'add' ? asFloat(b, format, y) : b.op(`${format.name}.neg`, asFloat(b, format, y));
  const fromQ = op('sub', s, p);
  const fromP = op('sub', s, fromQ);
  return b.and(op('eq', fromQ, q), op('eq', fromP, p));
}

/** The root of a positive normal number. */
export function nativeSquareRoot(b: OpBuilder, format: FloatFormat, state: Value, x: Value): NativeResult {
  const result = asBits(b, format, b.op(`${format.name}.sqrt`, asFloat(b, format, x)));
  const least = leastNormal(format) / 2n;
  const range = infinityBits(format) - least;
  const plain = b.ltU(b.sub(x, constant(b, format, least)), constant(b, format, range));
  return { result, holds: b.and(isNative(b, state), plain) };
}

// ---- packed ----

export function splat(b: OpBuilder, format: FloatFormat, value: bigint): Value {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < 16; at += format.bits / 8) {
    if (format.bits === 32) view.setUint32(at, Number(value), true);
    else view.setBigUint64(at, value, true);
  }
  return b.v128(bytes);
}

function magnitudes(b: OpBuilder, format: FloatFormat, x: Value): Value {
  return b.op('v128.and', x, splat(b, format, signBit(format) - 1n));
}

export function integers(format: FloatFormat): string {
  return format.bits === 32 ? 'i32x4' : 'i64x2';
}

/** Lanes that are subnormal, all ones: a bias carries zero to the greatest signed number, subnormals to the least ones. */
export function subnormalLanes(b: OpBuilder, format: FloatFormat, x: Value): Value {
  const lanes = integers(format);
  const biased = b.op(`${lanes}.add`, magnitudes(b, format, x), splat(b, format, signBit(format) - 1n));
  return b.op(`${lanes}.lt_s`, biased, splat(b, format, signBit(format) + leastNormal(format) / 2n - 1n));
}

/** Lanes that are infinite or NaN. */
export function hugeLanes(b: OpBuilder, format: FloatFormat, x: Value): Value {
  return b.op(`${integers(format)}.gt_s`, magnitudes(b, format, x), splat(b, format, infinityBits(format) - 1n));
}

/** Lanes in the lowest binade, subnormal or zero. */
export function tinyLanes(b: OpBuilder, format: FloatFormat, x: Value): Value {
  return b.op(`${integers(format)}.lt_s`, magnitudes(b, format, x), splat(b, format, leastNormal(format)));
}

export function noLane(b: OpBuilder, ...masks: Value[]): Value {
  return b.eqz(
    b.op(
      'v128.any_true',
      masks.reduce((x, y) => b.op('v128.or', x, y)),
    ),
  );
}

/** x op y on all lanes. */
export function nativePackedArithmetic(
  b: OpBuilder,
  format: FloatFormat,
  name: ArithmeticName,
  state: Value,
  x: Value,
  y: Value,
): NativeResult {
  const result = b.op(`${format.lanes}.${name}`, x, y);
  const plain = noLane(
    b,
    subnormalLanes(b, format, x),
    subnormalLanes(b, format, y),
    smallLanes(b, format, name, result, x, y),
    hugeLanes(b, format, result),
  );
  return { result, holds: b.and(isNative(b, state), plain) };
}

/** Lanes of results so small that they may have raised something. */
function smallLanes(b: OpBuilder, format: FloatFormat, name: ArithmeticName, result: Value, x: Value, y: Value): Value {
  if (name === 'add' || name === 'sub') return subnormalLanes(b, format, result);
  const zero =
    name === 'mul' ? b.op('v128.or', zeroLanes(b, format, x), zeroLanes(b, format, y)) : zeroLanes(b, format, x);
  return b.op('v128.andnot', tinyLanes(b, format, result), zero);
}

function zeroLanes(b: OpBuilder, format: FloatFormat, x: Value): Value {
  return b.op(`${integers(format)}.eq`, magnitudes(b, format, x), splat(b, format, 0n));
}

/** Roots of positive normal numbers. */
export function nativePackedSquareRoot(b: OpBuilder, format: FloatFormat, state: Value, x: Value): NativeResult {
  const lanes = integers(format);
  const low = b.op(`${lanes}.lt_s`, x, splat(b, format, leastNormal(format) / 2n));
  const high = b.op(`${lanes}.gt_s`, x, splat(b, format, infinityBits(format) - 1n));
  return {
    result: b.op(`${format.lanes}.sqrt`, x),
    holds: b.and(isNative(b, state), noLane(b, low, high)),
  };
}

// ---- for compiled code ----

/** The 32 bits of a number that have its sign, its exponent and the top of its fraction. */
function top(b: OpBuilder, format: FloatFormat, bits: Value): Value {
  return format.type === 'i32' ? bits : b.wrap(b.shrU(bits, b.i64(32)));
}

const TOP_MAGNITUDE = 0x7fff_ffff;

function topBits(format: FloatFormat, value: bigint): number {
  return Number(format.bits === 32 ? value : value >> 32n);
}

/**
 * x op y on bits as `nativeArithmetic`, for numbers that are not zero: differences of the exponents' words whose signs say what does not hold.
 */
export function inlineArithmetic(
  b: OpBuilder,
  format: FloatFormat,
  name: ArithmeticName,
  state: Value,
  x: Value,
  y: Value,
): NativeResult {
  const result = asBits(b, format, b.op(`${format.name}.${name}`, asFloat(b, format, x), asFloat(b, format, y)));
  const least = leastNormal(format) / 2n;
  // Sums and differences of normal numbers are exact where they are small.
  const leastResult = name === 'add' || name === 'sub' ? least : 2n * least;
  const magnitude = (bits: Value): Value => b.and(top(b, format, bits), b.i32(TOP_MAGNITUDE));
  const above = (value: Value, bound: bigint): Value => b.sub(value, b.i32(topBits(format, bound)));
  const ofResult = magnitude(result);
  const below = b.sub(b.i32(topBits(format, infinityBits(format)) - 1), ofResult);
  const bad = [above(magnitude(x), least), above(magnitude(y), least), above(ofResult, leastResult), below, state];
  return {
    result,
    holds: b.geS(
      bad.reduce((p, q) => b.or(p, q)),
      b.i32(0),
    ),
  };
}

/** The root of a positive normal number. */
export function inlineSquareRoot(b: OpBuilder, format: FloatFormat, state: Value, x: Value): NativeResult {
  const result = asBits(b, format, b.op(`${format.name}.sqrt`, asFloat(b, format, x)));
  const word = top(b, format, x);
  const above = b.sub(word, b.i32(topBits(format, leastNormal(format) / 2n)));
  const below = b.sub(b.i32(topBits(format, infinityBits(format)) - 1), word);
  const bad = [word, above, below, state].reduce((p, q) => b.or(p, q));
  return { result, holds: b.geS(bad, b.i32(0)) };
}

/** x op y on all lanes as `nativePackedArithmetic`, for numbers that are not zero: as `inlineArithmetic`. */
export function inlinePackedArithmetic(
  b: OpBuilder,
  format: FloatFormat,
  name: ArithmeticName,
  state: Value,
  x: Value,
  y: Value,
): NativeResult {
  const lanes = integers(format);
  const result = b.op(`${format.lanes}.${name}`, x, y);
  const least = leastNormal(format) / 2n;
  const leastResult = name === 'add' || name === 'sub' ? least : 2n * least;
  const above = (value: Value, bound: bigint): Value => b.op(`${lanes}.sub`, value, splat(b, format, bound));
  const ofResult = magnitudes(b, format, result);
  const below = b.op(`${lanes}.sub`, splat(b, format, infinityBits(format) - 1n), ofResult);
  const bad = [
    above(magnitudes(b, format, x), least),
    above(magnitudes(b, format, y), least),
    above(ofResult, leastResult),
    below,
  ].reduce((p, q) => b.op('v128.or', p, q));
  return { result, holds: b.eqz(b.or(b.op(`${lanes}.bitmask`, bad), state)) };
}
