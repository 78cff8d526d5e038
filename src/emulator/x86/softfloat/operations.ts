/** SSE arithmetic as lift functions call it: one subroutine for each operation, format and shape. */

import type { Value } from '../../ir/op-builder.js';
import { type ArithmeticName, SOFT, type SoftArithmetic } from './arithmetic.js';
import { F32, F64, type FloatFormat } from './format.js';
import { eachLane, oneLane } from './lanes.js';
import { readMxcsr } from './mxcsr.js';
import {
  exactArithmetic,
  inlineArithmetic,
  inlinePackedArithmetic,
  inlineSquareRoot,
  nativeArithmetic,
  nativePackedArithmetic,
  nativePackedSquareRoot,
  nativeSquareRoot,
} from './native.js';
import { type NativeSubroutine, nativeSubroutine } from './native-subroutine.js';

/** (x, y) → (result, trap), for `sqrt` (x) → (result, trap). */
export type Operations = Readonly<Record<keyof SoftArithmetic, NativeSubroutine>>;

function scalar(format: FloatFormat): Operations {
  const { letter, name } = format;
  const binary = (op: ArithmeticName): NativeSubroutine =>
    nativeSubroutine(
      `${op}.${name}`,
      `${letter}${letter}>${letter}i`,
      (b, state, x, y) => nativeArithmetic(b, format, op, state, x as Value, y as Value),
      (b, ...args) => {
        const [x, y] = args as [Value, Value];
        const { result, holds } = exactArithmetic(b, format, op, readMxcsr(b), x, y);
        b.returnIf(holds, result, b.i32(0));
        return oneLane(b, SOFT[name][op], args);
      },
      (b, state, x, y) => inlineArithmetic(b, format, op, state, x as Value, y as Value),
    );
  const sqrt = nativeSubroutine(
    `sqrt.${name}`,
    `${letter}>${letter}i`,
    (b, state, x) => nativeSquareRoot(b, format, state, x as Value),
    (b, ...args) => oneLane(b, SOFT[name].sqrt, args),
    (b, state, x) => inlineSquareRoot(b, format, state, x as Value),
  );
  return { add: binary('add'), sub: binary('sub'), mul: binary('mul'), div: binary('div'), sqrt };
}

function packed(format: FloatFormat): Operations {
  const { lanes, name } = format;
  const binary = (op: ArithmeticName): NativeSubroutine =>
    nativeSubroutine(
      `${op}.${lanes}`,
      'vv>vi',
      (b, state, x, y) => nativePackedArithmetic(b, format, op, state, x as Value, y as Value),
      (b, ...args) => eachLane(b, format, SOFT[name][op], args),
      (b, state, x, y) => inlinePackedArithmetic(b, format, op, state, x as Value, y as Value),
    );
  const sqrt = nativeSubroutine(
    `sqrt.${lanes}`,
    'v>vi',
    (b, state, x) => nativePackedSquareRoot(b, format, state, x as Value),
    (b, ...args) => eachLane(b, format, SOFT[name].sqrt, args),
  );
  return { add: binary('add'), sub: binary('sub'), mul: binary('mul'), div: binary('div'), sqrt };
}

export const SCALAR = { f32: scalar(F32), f64: scalar(F64) } as const;
export const PACKED = { f32: packed(F32), f64: packed(F64) } as const;

export const operationSubroutines: readonly NativeSubroutine[] = [SCALAR, PACKED].flatMap((shape) =>
  [shape.f32, shape.f64].flatMap((operations) => Object.values(operations)),
);
