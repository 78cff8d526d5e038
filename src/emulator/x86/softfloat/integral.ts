/** ROUNDSS, ROUNDSD, ROUNDPS, ROUNDPD: (source, immediate) → (result, trap). */
import type { OpBuilder, Value } from '../../ir/op-builder.js';
import type { Subroutine } from '../../ir/subroutine.js';
import { F32, F64, type FloatFormat } from './format.js';
import { ROUND_IMMEDIATE, SOFT_INTEGER } from './integer.js';
import { LaneResults, laneBits } from './lanes.js';
import { has, isNative, ROUNDING, raise } from './mxcsr.js';
import { asBits, asFloat, noLane, notSubnormal, subnormalLanes } from './native.js';
import { type NativeSubroutine, nativeSubroutine } from './native-subroutine.js';

/** The four roundings of wasm, chosen by the immediate; MXCSR's is to nearest where it is asked for. */
function rounded(b: OpBuilder, shape: string, x: Value, immediate: Value): Value {
  if (immediate.constant !== undefined) return roundedAs(b, shape, x, Number(immediate.constant));
  const mode = b.and(immediate, b.i32(ROUND_IMMEDIATE.MODE));
  const is = (rounding: number): Value => b.eq(mode, b.i32(rounding));
  const directed = b.select(
    is(ROUNDING.DOWN),
    b.op(`${shape}.floor`, x),
    b.select(is(ROUNDING.UP), b.op(`${shape}.ceil`, x), b.op(`${shape}.trunc`, x)),
  );
  const nearest = b.or(is(ROUNDING.NEAREST), has(b, immediate, ROUND_IMMEDIATE.FROM_MXCSR));
  return b.select(nearest, b.op(`${shape}.nearest`, x), directed);
}

const DIRECTED = ['nearest', 'floor', 'ceil', 'trunc'] as const;

function roundedAs(b: OpBuilder, shape: string, x: Value, immediate: number): Value {
  const mode = immediate & ROUND_IMMEDIATE.FROM_MXCSR ? ROUNDING.NEAREST : immediate & ROUND_IMMEDIATE.MODE;
  return b.op(`${shape}.${DIRECTED[mode]}`, x);
}

/** True where an inexact result changes nothing: suppressed by the immediate, or MXCSR as isNative wants it. */
function unnoticed(b: OpBuilder, state: Value, immediate: Value): Value {
  const kind = b.and(immediate, b.i32(ROUND_IMMEDIATE.NO_PRECISION | ROUND_IMMEDIATE.FROM_MXCSR));
  return b.or(b.eq(kind, b.i32(ROUND_IMMEDIATE.NO_PRECISION)), isNative(b, state));
}

function scalar(format: FloatFormat): NativeSubroutine {
  const { name, letter } = format;
  return nativeSubroutine(
    `integral.${name}`,
    `${letter}i>${letter}i`,
    (b, state, bits, immediate) => {
      const x = asFloat(b, format, bits as Value);
      const result = rounded(b, name, x, immediate as Value);
      const plain = b.and(b.op(`${name}.eq`, x, x), notSubnormal(b, format, bits as Value));
      return { result: asBits(b, format, result), holds: b.and(plain, unnoticed(b, state, immediate as Value)) };
    },
    (b, bits, immediate) => {
      const [result, flags] = b.call(SOFT_INTEGER[name].integral, b.extendU(bits as Value), immediate as Value) as [
        Value,
        Value,
      ];
      return [format.bits === 32 ? b.wrap(result) : result, b.call1(raise, flags)];
    },
  );
}

function packed(format: FloatFormat): NativeSubroutine {
  const { lanes } = format;
  return nativeSubroutine(
    `integral.${lanes}`,
    'vi>vi',
    (b, state, x, immediate) => ({
      result: rounded(b, lanes, x as Value, immediate as Value),
      holds: b.and(
        noLane(b, b.op(`${lanes}.ne`, x as Value, x as Value), subnormalLanes(b, format, x as Value)),
        unnoticed(b, state, immediate as Value),
      ),
    }),
    (b, x, immediate) => {
      const results = new LaneResults(b, format, x as Value);
      for (let lane = 0; lane < format.laneCount; lane++) {
        const bits = laneBits(b, format, x as Value, lane);
        results.put(lane, b.call(SOFT_INTEGER[format.name].integral, bits, immediate as Value));
      }
      return results.raise();
    },
  );
}

export const INTEGRAL = {
  scalar: { f32: scalar(F32), f64: scalar(F64) },
  packed: { f32: packed(F32), f64: packed(F64) },
} as const;

export const integralSubroutines: readonly Subroutine[] = [INTEGRAL.scalar, INTEGRAL.packed].flatMap((shape) => [
  shape.f32,
  shape.f64,
]);
