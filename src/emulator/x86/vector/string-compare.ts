/**
 * The aggregation of PCMPESTRI and its kin (SDM vol. 1, 12.10; vol. 2B, 4.1): (first string, second string, its length, the other's) → one bit for each
 * element of the second string. Elements beyond a length are invalid; lengths count elements and are at most the vector's.
 */
import type { Value } from '../../ir/op-builder.js';
import { type Subroutine, type SubroutineBuilder, subroutine } from '../../ir/subroutine.js';

/** Bytes or words. */
export type ElementBytes = 1 | 2;

function shape(bytes: ElementBytes): string {
  return bytes === 1 ? 'i8x16' : 'i16x8';
}

/** `length` ones. */
function ones(b: SubroutineBuilder, length: Value): Value {
  return b.sub(b.shl(b.i32(1), length), b.i32(1));
}

/** Element `index` of a vector in all lanes. */
function broadcast(b: SubroutineBuilder, bytes: ElementBytes, vector: Value, index: Value): Value {
  if (bytes === 1) return b.op('i8x16.swizzle', vector, b.op('i8x16.splat', index));
  const pair = b.add(b.mul(index, b.i32(0x202)), b.i32(0x100));
  return b.op('i8x16.swizzle', vector, b.op('i16x8.splat', pair));
}

/** Runs `body` for the indices of the first string in steps, while a whole step is valid. */
function eachElement(b: SubroutineBuilder, length: Value, step: number, body: (index: Value) => void): void {
  const index = b.variable(b.i32(0));
  b.block((done) => {
    b.leaveIf(done, b.ltU(length, b.i32(step)));
    b.loop(() => {
      const at = b.read(index);
      body(at);
      const next = b.add(at, b.i32(step));
      b.assign(index, next);
      return b.leU(b.add(next, b.i32(step)), length);
    });
  });
}

type Aggregation = (
  b: SubroutineBuilder,
  bytes: ElementBytes,
  x: Value,
  y: Value,
  xLength: Value,
  yLength: Value,
) => Value;

/** Elements that are in the set x. */
const equalAny: Aggregation = (b, bytes, x, y, xLength, yLength) => {
  const found = b.variable(b.i32(0));
  eachElement(b, xLength, 1, (i) => {
    const equal = b.op(`${shape(bytes)}.eq`, y, broadcast(b, bytes, x, i));
    b.assign(found, b.or(b.op(`${shape(bytes)}.bitmask`, equal), b.read(found)));
  });
  return b.and(b.read(found), ones(b, yLength));
};

/** Elements that are in one of the ranges x[0]..x[1], x[2]..x[3] ... */
function inRanges(signed: boolean): Aggregation {
  const suffix = signed ? 's' : 'u';
  return (b, bytes, x, y, xLength, yLength) => {
    const found = b.variable(b.i32(0));
    eachElement(b, xLength, 2, (i) => {
      const above = b.op(`${shape(bytes)}.ge_${suffix}`, y, broadcast(b, bytes, x, i));
      const below = b.op(`${shape(bytes)}.le_${suffix}`, y, broadcast(b, bytes, x, b.add(i, b.i32(1))));
      const within = b.op(`${shape(bytes)}.bitmask`, b.op('v128.and', above, below));
      b.assign(found, b.or(within, b.read(found)));
    });
    return b.and(b.read(found), ones(b, yLength));
  };
}

/** Elements that are equal in both, or invalid in both. */
const equalEach: Aggregation = (b, bytes, x, y, xLength, yLength) => {
  const all = (1 << (16 / bytes)) - 1;
  const equal = b.op(`${shape(bytes)}.bitmask`, b.op(`${shape(bytes)}.eq`, x, y));
  const [validX, validY] = [ones(b, xLength), ones(b, yLength)];
  const bothInvalid = b.xor(b.or(validX, validY), b.i32(all));
  return b.or(b.and(equal, b.and(validX, validY)), bothInvalid);
};

/** Places where x begins, or could if the second string went on. */
const equalOrdered: Aggregation = (b, bytes, x, y, xLength, yLength) => {
  const all = b.i32((1 << (16 / bytes)) - 1);
  const found = b.variable(all);
  const valid = ones(b, yLength);
  eachElement(b, xLength, 1, (i) => {
    const equal = b.op(`${shape(bytes)}.bitmask`, b.op(`${shape(bytes)}.eq`, y, broadcast(b, bytes, x, i)));
    const beyond = b.xor(b.shrU(all, i), all);
    b.assign(found, b.and(b.read(found), b.or(b.shrU(b.and(equal, valid), i), beyond)));
  });
  return b.read(found);
};

/** By the immediate's bits 3:2, for unsigned and signed elements. */
const AGGREGATIONS: readonly (readonly [string, Aggregation, Aggregation])[] = [
  ['any', equalAny, equalAny],
  ['ranges', inRanges(false), inRanges(true)],
  ['each', equalEach, equalEach],
  ['ordered', equalOrdered, equalOrdered],
];

function compareFor(bytes: ElementBytes, signed: boolean): readonly Subroutine[] {
  const elements = `${signed ? 's' : 'u'}${8 * bytes}`;
  return AGGREGATIONS.map(([name, ofUnsigned, ofSigned]) =>
    subroutine(`strings.${name}.${elements}`, 'vvii>i', (b, ...args) => {
      const [x, y, xLength, yLength] = args as [Value, Value, Value, Value];
      return (signed ? ofSigned : ofUnsigned)(b, bytes, x, y, xLength, yLength);
    }),
  );
}

/** By the immediate's bits 1:0 (unsigned bytes, unsigned words, signed bytes, signed words), then 3:2. */
export const COMPARE_STRINGS: readonly (readonly Subroutine[])[] = [
  compareFor(1, false),
  compareFor(2, false),
  compareFor(1, true),
  compareFor(2, true),
];

export const stringCompareSubroutines: readonly Subroutine[] = COMPARE_STRINGS.flat();
