/** Conversions of SSE between singles, doubles and integers, as lift functions call them: (source) → (result, trap). */
import type { OpBuilder, Value } from '../../ir/op-builder.js';
import { type Subroutine, type SubroutineBuilder, subroutine } from '../../ir/subroutine.js';
import { readOperand } from './arithmetic.js';
import { F32, F64, type FloatFormat, infinityBits, normalize, quieted, withSign } from './format.js';
import { SOFT_INTEGER } from './integer.js';
import { laneBits, withLane } from './lanes.js';
import { EXCEPTION, flagIf, isNative, ROUNDING, raise, readMxcsr, roundingOf } from './mxcsr.js';
import {
  asBits,
  asFloat,
  hugeLanes,
  type NativeResult,
  noLane,
  notSubnormal,
  plainResult,
  splat,
  subnormalLanes,
  tinyLanes,
} from './native.js';
import { type NativeSubroutine, nativeSubroutine } from './native-subroutine.js';
import { packOf } from './pack.js';

// ---- single ↔ double ----

/** (bits in `from`) → bits in `to`, flags. A NaN keeps the top of its payload. */
function softChange(from: FloatFormat, to: FloatFormat): Subroutine {
  return subroutine(`soft.${from.name}.to.${to.name}`, 'l>li', (b, bits) => {
    const mode = readMxcsr(b);
    const x = readOperand(b, from, bits as Value, mode);
    b.if(b.or(x.nan, x.infinite), () => {
      const by = b.i64(Math.abs(to.fractionBits - from.fractionBits));
      const moved = to.bits > from.bits ? b.shl(x.magnitude, by) : b.shrU(x.magnitude, by);
      const fraction = b.and(moved, b.i64((1n << BigInt(to.fractionBits)) - 1n));
      const magnitude = b.or(fraction, b.i64(infinityBits(to)));
      b.return(withSign(b, to, x.sign, b.select(x.nan, quieted(b, to, magnitude), magnitude)), x.signalling);
    });
    b.returnIf(x.zero, withSign(b, to, x.sign, b.i64(0)), b.i32(0));
    const { exponent, significand } = normalize(b, from, x);
    const [result, flags] = b.call(packOf(to), mode, x.sign, exponent, significand) as [Value, Value];
    return [result, b.or(flags, flagIf(b, x.denormal, EXCEPTION.DENORMAL))];
  });
}

const SOFT_CHANGE = { widen: softChange(F32, F64), narrow: softChange(F64, F32) } as const;

/** CVTSS2SD. */
const widen = nativeSubroutine(
  'widen.f64',
  'i>li',
  (b, _, x) => {
    const single = asFloat(b, F32, x as Value);
    const notNan = b.op('f32.eq', single, single);
    return {
      result: asBits(b, F64, b.op('f64.promote', single)),
      holds: b.and(notNan, notSubnormal(b, F32, x as Value)),
    };
  },
  (b, x) => {
    const [bits, flags] = b.call(SOFT_CHANGE.widen, b.extendU(x as Value)) as [Value, Value];
    return [bits, b.call1(raise, flags)];
  },
);

/** CVTSD2SS. */
const narrow = nativeSubroutine(
  'narrow.f32',
  'l>ii',
  (b, state, x) => {
    const result = asBits(b, F32, b.op('f32.demote', asFloat(b, F64, x as Value)));
    return { result, holds: b.and(isNative(b, state), plainResult(b, F32, result)) };
  },
  (b, x) => {
    const [bits, flags] = b.call(SOFT_CHANGE.narrow, x as Value) as [Value, Value];
    return [b.wrap(bits), b.call1(raise, flags)];
  },
);

/** Two lanes, each by a soft subroutine of (bits, …); the rest of the result is zero. */
function twoLanes(
  b: SubroutineBuilder,
  from: FloatFormat,
  to: FloatFormat,
  x: Value,
  soft: (bits: Value) => Value[],
): Value[] {
  const low = soft(laneBits(b, from, x, 0)) as [Value, Value];
  const high = soft(laneBits(b, from, x, 1)) as [Value, Value];
  const empty = b.v128(new Uint8Array(16));
  const result = withLane(b, to, withLane(b, to, empty, 0, low[0]), 1, high[0]);
  return [result, b.call1(raise, b.or(low[1], high[1]))];
}

/** CVTPS2PD: the two low singles. */
const widenLanes = nativeSubroutine(
  'widen.f64x2',
  'v>vi',
  (b, _, x) => {
    // The upper half does not count: repeat the lower one.
    const pair = b.op('i64x2.splat', b.op('i64x2.extract_lane.0', x as Value));
    const nan = b.op('f32x4.ne', pair, pair);
    return {
      result: b.op('f64x2.promote_low_f32x4', x as Value),
      holds: noLane(b, nan, subnormalLanes(b, F32, pair)),
    };
  },
  (b, x) => twoLanes(b, F32, F64, x as Value, (bits) => b.call(SOFT_CHANGE.widen, bits)),
);

/** CVTPD2PS: into the two low singles, the others zero. */
const narrowLanes = nativeSubroutine(
  'narrow.f32x4',
  'v>vi',
  (b, state, x) => {
    const result = b.op('f32x4.demote_f64x2_zero', x as Value);
    const pair = b.op('i64x2.splat', b.op('i64x2.extract_lane.0', result));
    const plain = noLane(b, tinyLanes(b, F32, pair), hugeLanes(b, F32, pair));
    return { result, holds: b.and(isNative(b, state), plain) };
  },
  (b, x) => twoLanes(b, F64, F32, x as Value, (bits) => b.call(SOFT_CHANGE.narrow, bits)),
);

// ---- to integers ----

export type Width = 32 | 64;

function softToInteger(
  b: SubroutineBuilder,
  format: FloatFormat,
  bits: Value,
  width: Width,
  truncate: boolean,
): Value[] {
  const rounding = truncate ? b.i32(ROUNDING.ZERO) : roundingOf(b, readMxcsr(b));
  return b.call(SOFT_INTEGER[format.name].to, bits, rounding, b.i32(width));
}

/** CVTSD2SI and its kin. Host conversion serves when it is exact, or when nobody would notice that it is not. */
function toInteger(format: FloatFormat, width: Width, truncate: boolean): NativeSubroutine {
  const result = width === 32 ? 'i' : 'l';
  const { name } = format;
  return nativeSubroutine(
    `${truncate ? 'truncate' : 'round'}.${name}.i${width}`,
    `${format.letter}>${result}i`,
    (b, state, bits) => {
      const x = asFloat(b, format, bits as Value);
      const rounded = truncate ? x : b.op(`${name}.nearest`, x);
      const integer = b.op(`i${width}.trunc_sat_${name}_s`, rounded);
      const limit = asFloatConstant(b, format, 2 ** (width - 1) - (width === 32 && name === 'f64' ? 1 : 0));
      const exact = b.op(`${name}.eq`, b.op(`${name}.convert_i${width}_s`, integer), x);
      const inRange = b.op(`${name}.lt`, b.op(`${name}.abs`, x), limit);
      return { result: integer, holds: b.and(inRange, b.or(exact, isNative(b, state))) };
    },
    (b, bits) => {
      const [value, flags] = softToInteger(b, format, b.extendU(bits as Value), width, truncate) as [Value, Value];
      return [width === 32 ? b.wrap(value) : value, b.call1(raise, flags)];
    },
  );
}

function asFloatConstant(b: OpBuilder, format: FloatFormat, value: number): Value {
  if (format.bits === 32) return asFloat(b, F32, b.i32(new Int32Array(new Float32Array([value]).buffer)[0] as number));
  return asFloat(b, F64, b.i64(new BigInt64Array(new Float64Array([value]).buffer)[0] as bigint));
}

/** CVTPS2DQ and CVTTPS2DQ. */
function singlesToIntegers(truncate: boolean): NativeSubroutine {
  return nativeSubroutine(
    `${truncate ? 'truncate' : 'round'}.f32x4.i32x4`,
    'v>vi',
    (b, state, x) => {
      const rounded = truncate ? (x as Value) : b.op('f32x4.nearest', x as Value);
      const result = b.op('i32x4.trunc_sat_f32x4_s', rounded);
      const inRange = b.op('f32x4.lt', b.op('f32x4.abs', x as Value), splat(b, F32, 0x4f00_0000n));
      const exact = b.op('f32x4.eq', b.op('f32x4.convert_i32x4_s', result), x as Value);
      return { result, holds: allowed(b, state, inRange, exact) };
    },
    (b, x) => {
      let result = x as Value;
      let flags = b.i32(0);
      for (let lane = 0; lane < 4; lane++) {
        const [value, more] = softToInteger(b, F32, laneBits(b, F32, x as Value, lane), 32, truncate) as [Value, Value];
        result = withLane(b, F32, result, lane, value);
        flags = b.or(flags, more);
      }
      return [result, b.call1(raise, flags)];
    },
  );
}

function allowed(b: OpBuilder, state: Value, inRange: Value, exact: Value): Value {
  const all = (mask: Value): Value => b.op('i32x4.all_true', mask);
  return b.and(all(inRange), b.or(all(exact), isNative(b, state)));
}

/** CVTPD2DQ and CVTTPD2DQ: into the two low integers, the others zero. */
function doublesToIntegers(truncate: boolean): NativeSubroutine {
  return nativeSubroutine(
    `${truncate ? 'truncate' : 'round'}.f64x2.i32x4`,
    'v>vi',
    (b, state, x) => {
      const rounded = truncate ? (x as Value) : b.op('f64x2.nearest', x as Value);
      const result = b.op('i32x4.trunc_sat_f64x2_s_zero', rounded);
      const inRange = b.op('f64x2.lt', b.op('f64x2.abs', x as Value), splat(b, F64, 0x41df_ffff_ffc0_0000n));
      const exact = b.op('f64x2.eq', b.op('f64x2.convert_low_i32x4_s', result), x as Value);
      return { result, holds: allowed(b, state, inRange, exact) };
    },
    (b, x) => twoLanes(b, F64, F32, x as Value, (bits) => softToInteger(b, F64, bits, 32, truncate)),
  );
}

// ---- from integers ----

/** CVTSI2SS, CVTSI2SD: (signed i64) → (bits, trap). */
function fromInteger(format: FloatFormat): NativeSubroutine {
  const { name, fractionBits } = format;
  return nativeSubroutine(
    `fromInteger.${name}`,
    `l>${format.letter}i`,
    (b, state, value) => {
      const result = asBits(b, format, b.op(`${name}.convert_i64_s`, value as Value));
      const bound = 2n << BigInt(fractionBits);
      const exact = b.ltU(b.add(value as Value, b.i64(bound)), b.i64(2n * bound));
      return { result, holds: b.or(exact, isNative(b, state)) };
    },
    (b, value) => {
      const [bits, flags] = b.call(SOFT_INTEGER[name].from, value as Value) as [Value, Value];
      return [format.bits === 32 ? b.wrap(bits) : bits, b.call1(raise, flags)];
    },
  );
}

/** CVTDQ2PS. */
const integersToSingles = nativeSubroutine(
  'fromInteger.f32x4',
  'v>vi',
  (b, state, x): NativeResult => ({ result: b.op('f32x4.convert_i32x4_s', x as Value), holds: isNative(b, state) }),
  (b, x) => {
    let result = x as Value;
    let flags = b.i32(0);
    for (let lane = 0; lane < 4; lane++) {
      const value = b.extendS(b.op(`i32x4.extract_lane.${lane}`, x as Value));
      const [bits, more] = b.call(SOFT_INTEGER.f32.from, value) as [Value, Value];
      result = withLane(b, F32, result, lane, bits);
      flags = b.or(flags, more);
    }
    return [result, b.call1(raise, flags)];
  },
);

const toIntegerOf = (format: FloatFormat, truncate: boolean) =>
  ({ 32: toInteger(format, 32, truncate), 64: toInteger(format, 64, truncate) }) as const;

export const CONVERT = {
  widen,
  narrow,
  widenLanes,
  narrowLanes,
  fromInteger: { f32: fromInteger(F32), f64: fromInteger(F64) },
  integersToSingles,
  round: { f32: toIntegerOf(F32, false), f64: toIntegerOf(F64, false) },
  truncate: { f32: toIntegerOf(F32, true), f64: toIntegerOf(F64, true) },
  roundLanes: { f32: singlesToIntegers(false), f64: doublesToIntegers(false) },
  truncateLanes: { f32: singlesToIntegers(true), f64: doublesToIntegers(true) },
} as const;

export const convertSubroutines: readonly Subroutine[] = [
  ...[SOFT_CHANGE.widen, SOFT_CHANGE.narrow, widen, narrow, widenLanes, narrowLanes, integersToSingles],
  ...[CONVERT.fromInteger, CONVERT.roundLanes, CONVERT.truncateLanes].flatMap((each) => [each.f32, each.f64]),
  ...[CONVERT.round, CONVERT.truncate].flatMap((each) => [each.f32, each.f64].flatMap((w) => [w[32], w[64]])),
];
