/** RCPSS, RCPPS, RSQRTSS, RSQRTPS as Zen computes them: 12 bits, no exceptions, subnormals are zero whatever MXCSR says. */
import type { Value } from '../../ir/op-builder.js';
import { type Subroutine, type SubroutineBuilder, subroutine } from '../../ir/subroutine.js';
import { TABLE } from '../tables.js';
import { CORRECTIONS } from './approximation-tables.js';
import { classify, F32, indefiniteBits, infinityBits, type Operand, quieted, withSign } from './format.js';
import { laneBits, withLane } from './lanes.js';

/** Fraction bits that choose a result; those of the result. */
const INDEX_BITS = 12;
const UNUSED_BITS = F32.fractionBits - INDEX_BITS;

/** The 12 fraction bits of the result (i32) from the operand's bits and a table (i32, its address). */
function lookUp(b: SubroutineBuilder, bits: Value, table: Value): Value {
  const index = b.and(b.shrU(bits, b.i32(UNUSED_BITS)), b.i32((1 << INDEX_BITS) - 1));
  const first8 = b.shrU(index, b.i32(4));
  const base = b.raw('load16', b.add(table, b.shl(first8, b.i32(1))));
  const choice = b.or(b.and(first8, b.i32(0xf0)), b.and(index, b.i32(15)));
  return b.sub(base, b.raw('load8', b.add(table, choice), CORRECTIONS));
}

function assemble(b: SubroutineBuilder, sign: Value, field: Value, fraction: Value): Value {
  const magnitude = b.or(b.shl(field, b.i32(F32.fractionBits)), b.shl(fraction, b.i32(UNUSED_BITS)));
  return withSign(b, F32, sign, b.extendU(magnitude));
}

function exponentField(b: SubroutineBuilder, x: Operand): Value {
  return b.wrap(b.shrU(x.magnitude, b.i64(F32.fractionBits)));
}

/** (bits) → bits. Reciprocals below the normal numbers are zero. */
const reciprocal = subroutine('approximate.reciprocal', 'l>l', (b, bits) => {
  const x = classify(b, F32, bits as Value);
  b.returnIf(x.nan, quieted(b, F32, x.bits));
  b.returnIf(b.or(x.zero, x.denormal), withSign(b, F32, x.sign, b.i64(infinityBits(F32))));
  const field = b.sub(b.i32(2 * F32.bias - 1), exponentField(b, x));
  b.returnIf(b.leS(field, b.i32(0)), withSign(b, F32, x.sign, b.i64(0)));
  return assemble(b, x.sign, field, lookUp(b, b.wrap(x.bits), b.i32(TABLE.RECIPROCAL)));
});

/** (bits) → bits. */
const reciprocalRoot = subroutine('approximate.root', 'l>l', (b, bits) => {
  const x = classify(b, F32, bits as Value);
  b.returnIf(x.nan, quieted(b, F32, x.bits));
  b.returnIf(b.or(x.zero, x.denormal), withSign(b, F32, x.sign, b.i64(infinityBits(F32))));
  b.returnIf(x.sign, b.i64(indefiniteBits(F32)));
  b.returnIf(x.infinite, b.i64(0));
  const exponent = b.sub(exponentField(b, x), b.i32(F32.bias));
  const odd = b.and(exponent, b.i32(1));
  const table = b.select(odd, b.i32(TABLE.ROOT_OF_DOUBLE), b.i32(TABLE.ROOT));
  const field = b.sub(b.i32(F32.bias - 1), b.shrS(exponent, b.i32(1)));
  return assemble(b, b.i32(0), field, lookUp(b, b.wrap(x.bits), table));
});

/** A function of one lane, on all four. */
function onLanes(name: string, lane: Subroutine): Subroutine {
  return subroutine(name, 'v>v', (b, x) => {
    let result = x as Value;
    for (let i = 0; i < F32.laneCount; i++) {
      result = withLane(b, F32, result, i, b.call1(lane, laneBits(b, F32, x as Value, i)));
    }
    return result;
  });
}

/** (bits as an i64) → bits; (vector) → vector. */
export const APPROXIMATE = {
  reciprocal: { scalar: reciprocal, packed: onLanes('approximate.reciprocal.f32x4', reciprocal) },
  reciprocalRoot: { scalar: reciprocalRoot, packed: onLanes('approximate.root.f32x4', reciprocalRoot) },
} as const;

export const approximationSubroutines: readonly Subroutine[] = Object.values(APPROXIMATE).flatMap((each) => [
  each.scalar,
  each.packed,
]);
