/** Comparisons, minimum and maximum: the soft path for each format, and the subroutines that lift functions call. */
import type { OpBuilder, Value } from '../../ir/op-builder.js';
import { type Subroutine, subroutine } from '../../ir/subroutine.js';
import { FLAG } from '../flags.js';
import { readOperand } from './arithmetic.js';
import { F32, F64, type FloatFormat, type Operand, signBit } from './format.js';
import { eachLane, LaneResults, laneBits, oneLane } from './lanes.js';
import { EXCEPTION, flagIf, raise, readMxcsr } from './mxcsr.js';
import { asFloat, type NativeResult, noLane, notSubnormal, subnormalLanes } from './native.js';
import { type NativeSubroutine, nativeSubroutine } from './native-subroutine.js';

/** What two numbers are to each other, as bits, so that a predicate is a set of them. */
export const RELATION = { LESS: 1, EQUAL: 2, GREATER: 4, UNORDERED: 8 } as const;

/** The relation of two classified operands (i32, one RELATION bit). */
function relation(b: OpBuilder, format: FloatFormat, x: Operand, y: Operand): Value {
  const sign = b.i64(signBit(format));
  const key = (operand: Operand): Value =>
    b.select(operand.sign, b.sub(b.i64(0), operand.magnitude), b.and(operand.bits, b.sub(sign, b.i64(1))));
  const [kx, ky] = [key(x), key(y)];
  const ordered = b.select(
    b.eq(kx, ky),
    b.i32(RELATION.EQUAL),
    b.select(b.ltS(kx, ky), b.i32(RELATION.LESS), b.i32(RELATION.GREATER)),
  );
  return b.select(b.or(x.nan, y.nan), b.i32(RELATION.UNORDERED), ordered);
}

/** Flags of a comparison. `quiet` (i32): a QNaN is not invalid. DE gives way to IE. */
function comparisonFlags(b: OpBuilder, x: Operand, y: Operand, quiet: Value): Value {
  const nan = b.or(x.nan, y.nan);
  const invalid = b.select(quiet, b.or(x.signalling, y.signalling), nan);
  const denormal = b.and(b.or(x.denormal, y.denormal), b.eqz(nan));
  return b.or(invalid, flagIf(b, denormal, EXCEPTION.DENORMAL));
}

/** (x, y, quiet) → RELATION, exception flags. */
function softCompare(format: FloatFormat): Subroutine {
  return subroutine(`soft.compare.${format.name}`, 'lli>ii', (b, xBits, yBits, quiet) => {
    const mxcsr = readMxcsr(b);
    const x = readOperand(b, format, xBits as Value, mxcsr);
    const y = readOperand(b, format, yBits as Value, mxcsr);
    return [relation(b, format, x, y), comparisonFlags(b, x, y, quiet as Value)];
  });
}

export const SOFT_COMPARE = { f32: softCompare(F32), f64: softCompare(F64) } as const;

/** (x, y) → bits, flags. The second operand wins unless the first is less (greater): SDM vol. 2B, MINPD. */
function softExtremum(format: FloatFormat, name: 'min' | 'max'): Subroutine {
  return subroutine(`soft.${name}.${format.name}`, 'll>li', (b, xBits, yBits) => {
    const mxcsr = readMxcsr(b);
    const x = readOperand(b, format, xBits as Value, mxcsr);
    const y = readOperand(b, format, yBits as Value, mxcsr);
    const wins = name === 'min' ? RELATION.LESS : RELATION.GREATER;
    const first = b.eq(relation(b, format, x, y), b.i32(wins));
    return [b.select(first, x.bits, y.bits), comparisonFlags(b, x, y, b.i32(0))];
  });
}

const SOFT_EXTREMUM = {
  min: { f32: softExtremum(F32, 'min'), f64: softExtremum(F64, 'min') },
  max: { f32: softExtremum(F32, 'max'), f64: softExtremum(F64, 'max') },
} as const;

/** Neither NaN nor subnormal. */
function comparable(b: OpBuilder, format: FloatFormat, x: Value, y: Value): Value {
  const [fx, fy] = [asFloat(b, format, x), asFloat(b, format, y)];
  const ordered = b.or(b.op(`${format.name}.lt`, fx, fy), b.op(`${format.name}.ge`, fx, fy));
  return b.and(ordered, b.and(notSubnormal(b, format, x), notSubnormal(b, format, y)));
}

function comparableLanes(b: OpBuilder, format: FloatFormat, x: Value, y: Value): Value {
  const unordered = b.op('v128.or', b.op(`${format.lanes}.ne`, x, x), b.op(`${format.lanes}.ne`, y, y));
  return noLane(b, unordered, subnormalLanes(b, format, x), subnormalLanes(b, format, y));
}

function nativeExtremum(b: OpBuilder, format: FloatFormat, name: 'min' | 'max', x: Value, y: Value): NativeResult {
  const compare = `${format.name}.${name === 'min' ? 'lt' : 'gt'}`;
  const first = b.op(compare, asFloat(b, format, x), asFloat(b, format, y));
  return { result: b.select(first, x, y), holds: comparable(b, format, x, y) };
}

function nativePackedExtremum(
  b: OpBuilder,
  format: FloatFormat,
  name: 'min' | 'max',
  x: Value,
  y: Value,
): NativeResult {
  const first = b.op(`${format.lanes}.${name === 'min' ? 'lt' : 'gt'}`, x, y);
  return { result: b.op('v128.bitselect', x, y, first), holds: comparableLanes(b, format, x, y) };
}

export type Shape = 'scalar' | 'packed';

/** MIN, MAX: (x, y) → (result, trap). */
function extremum(format: FloatFormat, name: 'min' | 'max', shape: Shape): NativeSubroutine {
  const { letter } = format;
  const soft = SOFT_EXTREMUM[name][format.name];
  if (shape === 'scalar') {
    return nativeSubroutine(
      `${name}.${format.name}`,
      `${letter}${letter}>${letter}i`,
      (b, _, x, y) => nativeExtremum(b, format, name, x as Value, y as Value),
      (b, ...args) => oneLane(b, soft, args),
    );
  }
  return nativeSubroutine(
    `${name}.${format.lanes}`,
    'vv>vi',
    (b, _, x, y) => nativePackedExtremum(b, format, name, x as Value, y as Value),
    (b, ...args) => eachLane(b, format, soft, args),
  );
}

function extrema(name: 'min' | 'max'): Record<Shape, Record<'f32' | 'f64', NativeSubroutine>> {
  return {
    scalar: { f32: extremum(F32, name, 'scalar'), f64: extremum(F64, name, 'scalar') },
    packed: { f32: extremum(F32, name, 'packed'), f64: extremum(F64, name, 'packed') },
  };
}

export const EXTREMA = { min: extrema('min'), max: extrema('max') } as const;

/** COMIS and UCOMIS: (x, y, quiet) → (arithmetic flags, trap): ZF PF CF say greater 000, less 001, equal 100, unordered 111. */
function ordering(format: FloatFormat): NativeSubroutine {
  return nativeSubroutine(
    `comi.${format.name}`,
    `${format.letter}${format.letter}i>ii`,
    (b, _, xBits, yBits) => {
      const [x, y] = [asFloat(b, format, xBits as Value), asFloat(b, format, yBits as Value)];
      const equal = flagIf(b, b.op(`${format.name}.eq`, x, y), FLAG.ZF);
      const less = b.op(`${format.name}.lt`, x, y);
      return { result: b.or(equal, less), holds: comparable(b, format, xBits as Value, yBits as Value) };
    },
    (b, x, y, quiet) => {
      const operands = [b.extendU(x as Value), b.extendU(y as Value), quiet as Value];
      const [found, flags] = b.call(SOFT_COMPARE[format.name], ...operands) as [Value, Value];
      return [relationFlags(b, found), b.call1(raise, flags)];
    },
  );
}

/** ZF, PF, CF of a relation. */
export function relationFlags(b: OpBuilder, found: Value): Value {
  const is = (mask: number): Value => b.ne(b.and(found, b.i32(mask)), b.i32(0));
  return [
    flagIf(b, is(RELATION.EQUAL | RELATION.UNORDERED), FLAG.ZF),
    flagIf(b, is(RELATION.UNORDERED), FLAG.PF),
    is(RELATION.LESS | RELATION.UNORDERED),
  ].reduce((x, y) => b.or(x, y));
}

export const ORDERING = { f32: ordering(F32), f64: ordering(F64) } as const;

/** A predicate of CMPPS and its kin (SDM vol. 2A, table 3-1): the relations for which it holds, and whether QNaNs are quiet. */
export interface Predicate {
  readonly relations: number;
  readonly quiet: boolean;
}

const { LESS, EQUAL, GREATER, UNORDERED } = RELATION;

/** EQ LT LE UNORD NEQ NLT NLE ORD. */
const LEGACY_PREDICATES: readonly Predicate[] = [
  { relations: EQUAL, quiet: true },
  { relations: LESS, quiet: false },
  { relations: LESS | EQUAL, quiet: false },
  { relations: UNORDERED, quiet: true },
  { relations: LESS | GREATER | UNORDERED, quiet: true },
  { relations: EQUAL | GREATER | UNORDERED, quiet: false },
  { relations: GREATER | UNORDERED, quiet: false },
  { relations: LESS | EQUAL | GREATER, quiet: true },
];

/** EQ LT LE UNORD NEQ NLT NLE ORD with unordered operands counted the other way: EQ_UQ NGE NGT FALSE NEQ_OQ GE GT TRUE. */
const AVX_PREDICATES: readonly Predicate[] = [
  { relations: EQUAL | UNORDERED, quiet: true },
  { relations: LESS | UNORDERED, quiet: false },
  { relations: LESS | EQUAL | UNORDERED, quiet: false },
  { relations: 0, quiet: true },
  { relations: LESS | GREATER, quiet: true },
  { relations: EQUAL | GREATER, quiet: false },
  { relations: GREATER, quiet: false },
  { relations: LESS | EQUAL | GREATER | UNORDERED, quiet: true },
];

const SIXTEEN = [...LEGACY_PREDICATES, ...AVX_PREDICATES];

/** By immediate. The upper sixteen differ from the lower ones in whether QNaNs are quiet. */
export const PREDICATES: readonly Predicate[] = [
  ...SIXTEEN,
  ...SIXTEEN.map(({ relations, quiet }) => ({ relations, quiet: !quiet })),
];

/** Mask of ones (i64) where the predicate's relations contain the one found. */
function maskOf(b: OpBuilder, found: Value, relations: Value): Value {
  return b.sub(b.i64(0), b.extendU(b.ne(b.and(found, relations), b.i32(0))));
}

/** (x, y, relations, quiet) → (mask, trap). */
function scalarPredicate(format: FloatFormat): NativeSubroutine {
  const { letter, name } = format;
  const inType = (b: OpBuilder, mask: Value): Value => (format.type === 'i32' ? b.wrap(mask) : mask);
  return nativeSubroutine(
    `cmp.${name}`,
    `${letter}${letter}ii>${letter}i`,
    (b, _, ...args) => {
      const [x, y, relations] = args as [Value, Value, Value];
      const [fx, fy] = [asFloat(b, format, x), asFloat(b, format, y)];
      const less = b.op(`${name}.lt`, fx, fy);
      const equal = b.op(`${name}.eq`, fx, fy);
      const found = b.select(less, b.i32(LESS), b.select(equal, b.i32(EQUAL), b.i32(GREATER)));
      return { result: inType(b, maskOf(b, found, relations)), holds: comparable(b, format, x, y) };
    },
    (b, ...args) => {
      const [x, y, relations, quiet] = args as [Value, Value, Value, Value];
      const [found, flags] = b.call(SOFT_COMPARE[name], b.extendU(x), b.extendU(y), quiet) as [Value, Value];
      return [inType(b, maskOf(b, found, relations)), b.call1(raise, flags)];
    },
  );
}

const ORDERED = [
  ['lt', LESS],
  ['eq', EQUAL],
  ['gt', GREATER],
] as const;

/** False when a constant says that the relation does not count. */
function mayHave({ constant }: Value, relation: number): boolean {
  return constant === undefined || (constant & BigInt(relation)) !== 0n;
}

/** (x, y, relations, quiet) → (mask, trap) for all lanes. */
function packedPredicate(format: FloatFormat): NativeSubroutine {
  const lanes = (b: OpBuilder, condition: string, x: Value, y: Value, relations: Value, when: number): Value => {
    const holds = b.sub(b.i32(0), b.ne(b.and(relations, b.i32(when)), b.i32(0)));
    return b.op('v128.and', b.op(`${format.lanes}.${condition}`, x, y), b.op('i32x4.splat', holds));
  };
  return nativeSubroutine(
    `cmp.${format.lanes}`,
    'vvii>vi',
    (b, _, ...args) => {
      const [x, y, relations] = args as [Value, Value, Value];
      const result = ORDERED.filter(([, when]) => mayHave(relations, when))
        .map(([condition, when]) => lanes(b, condition, x, y, relations, when))
        .reduce((p, q) => b.op('v128.or', p, q), b.v128(new Uint8Array(16)));
      return { result, holds: comparableLanes(b, format, x, y) };
    },
    (b, ...args) => {
      const [x, y, relations, quiet] = args as [Value, Value, Value, Value];
      const results = new LaneResults(b, format, x);
      for (let lane = 0; lane < format.laneCount; lane++) {
        const operands = [laneBits(b, format, x, lane), laneBits(b, format, y, lane), quiet];
        const [found, flags] = b.call(SOFT_COMPARE[format.name], ...operands) as [Value, Value];
        results.put(lane, [maskOf(b, found, relations), flags]);
      }
      return results.raise();
    },
  );
}

export const PREDICATE = {
  scalar: { f32: scalarPredicate(F32), f64: scalarPredicate(F64) },
  packed: { f32: packedPredicate(F32), f64: packedPredicate(F64) },
} as const;

export const compareSubroutines: readonly Subroutine[] = [
  ...[SOFT_COMPARE, SOFT_EXTREMUM.min, SOFT_EXTREMUM.max, ORDERING, PREDICATE.scalar, PREDICATE.packed],
  ...[EXTREMA.min.scalar, EXTREMA.min.packed, EXTREMA.max.scalar, EXTREMA.max.packed],
].flatMap((each) => [each.f32, each.f64]);
