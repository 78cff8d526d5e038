/** SSE conversions and comparisons against JavaScript's own numbers, and their exceptions. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EXTREMA, ORDERING, PREDICATE, PREDICATES } from '../../../src/emulator/x86/softfloat/compare.js';
import { CONVERT } from '../../../src/emulator/x86/softfloat/convert.js';
import { INTEGRAL } from '../../../src/emulator/x86/softfloat/integral.js';
import { SLOT } from '../../../src/register-set.js';
import { subroutineModule } from './subroutine-module.js';

const { widen, narrow, round, truncate, fromInteger } = CONVERT;
const module = subroutineModule([
  ...[widen, narrow, round.f64[32], round.f64[64], truncate.f64[32], truncate.f64[64]],
  ...[fromInteger.f32, fromInteger.f64, INTEGRAL.scalar.f64, ORDERING.f64, PREDICATE.scalar.f64],
  ...[EXTREMA.min.scalar.f64, EXTREMA.max.scalar.f64],
]);

const view = new DataView(new ArrayBuffer(8));
const MASKED = 0x1f80;
const INVALID = 1;
const PRECISION = 0x20;

function bitsOf(value: number): bigint {
  view.setFloat64(0, value);
  return view.getBigInt64(0);
}

function numberOf(bits: bigint): number {
  view.setBigUint64(0, BigInt.asUintN(64, bits));
  return view.getFloat64(0);
}

/** Runs with this MXCSR; the flags that are set afterwards. */
function flagsAfter(mxcsr: number, run: () => void): number {
  module.cpu.setUint32(SLOT.MXCSR, mxcsr, true);
  run();
  return module.cpu.getUint32(SLOT.MXCSR, true) & 0x3f & ~mxcsr;
}

/** Doubles of every kind but NaN and subnormal. */
const plain = fc
  .oneof(
    fc.double({ noNaN: true }),
    fc.integer({ min: -(2 ** 31), max: 2 ** 31 }),
    fc.integer({ min: -100, max: 100 }).map((n) => n / 4),
    fc.constantFrom(2 ** 31, -(2 ** 31), 2 ** 63, -(2 ** 63), 2 ** 31 - 0.5, 2 ** 53 + 2),
  )
  .filter((value) => value === 0 || Math.abs(value) >= 2 ** -1022);

/** Rounded to nearest, ties to even. */
function nearest(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor;
}

describe.each([
  { name: 'cvtsd2si', table: round, rounded: nearest },
  { name: 'cvttsd2si', table: truncate, rounded: Math.trunc },
])('$name', ({ table, rounded }) => {
  test.each([32, 64] as const)('to %i bits rounds, or gives the indefinite integer', (width) => {
    fc.assert(
      fc.property(plain, fc.constantFrom(MASKED, MASKED | PRECISION), (value, mxcsr) => {
        const integer = rounded(value);
        const fits = integer >= -(2 ** (width - 1)) && integer < 2 ** (width - 1);
        const indefinite = -(1n << BigInt(width - 1));
        const inexact = fits && integer !== value ? PRECISION : 0;
        const flags = flagsAfter(mxcsr, () => {
          const [found] = module.fn(table.f64[width])(bitsOf(value)) as [bigint | number, number];
          expect(BigInt(found)).toBe(fits ? BigInt(integer) : indefinite);
        });
        expect(flags).toBe((fits ? inexact : INVALID) & ~mxcsr);
      }),
      { numRuns: 500 },
    );
  });
});

test('cvtsi2sd and cvtsi2ss round 64-bit integers as JavaScript does', () => {
  const integers = fc.oneof(fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }), fc.bigInt(-1000n, 1000n));
  fc.assert(
    fc.property(integers, (integer) => {
      const double = Number(integer);
      const flags = flagsAfter(MASKED, () => {
        const [bits] = module.fn(fromInteger.f64)(integer) as [bigint, number];
        expect(numberOf(bits)).toBe(double);
      });
      expect(flags).toBe(BigInt(double) === integer ? 0 : PRECISION);
    }),
  );
});

test('cvtsd2ss and back is Math.fround', () => {
  const normal = plain.filter((x) => x === 0 || (Math.abs(x) >= 2 ** -126 && Math.abs(x) < 2 ** 127));
  fc.assert(
    fc.property(normal, (value) => {
      const flags = flagsAfter(MASKED, () => {
        const [single] = module.fn(narrow)(bitsOf(value)) as [number, number];
        const [bits] = module.fn(widen)(single) as [bigint, number];
        expect(numberOf(bits)).toBe(Math.fround(value));
      });
      expect(flags).toBe(Math.fround(value) === value ? 0 : PRECISION);
    }),
  );
});

test.each([
  { name: 'nearest', immediate: 0, rounded: nearest },
  { name: 'down', immediate: 1, rounded: Math.floor },
  { name: 'up', immediate: 2, rounded: Math.ceil },
  { name: 'zero', immediate: 3, rounded: Math.trunc },
])('roundsd to $name', ({ immediate, rounded }) => {
  fc.assert(
    fc.property(plain, fc.boolean(), (value, silent) => {
      const integral = Number.isFinite(value) ? rounded(value) : value;
      const flags = flagsAfter(MASKED, () => {
        const how = immediate | (silent ? 8 : 0);
        const [bits] = module.fn(INTEGRAL.scalar.f64)(bitsOf(value), how) as [bigint, number];
        expect(numberOf(bits)).toBe(integral === 0 ? 0 * Math.sign(1 / value) : integral);
      });
      expect(flags).toBe(silent || integral === value ? 0 : PRECISION);
    }),
  );
});

const QNAN = bitsOf(Number.NaN);
const ORDERINGS = [
  { name: 'greater', x: 2, y: 1, flags: 0x00 },
  { name: 'less', x: -2, y: 1, flags: 0x01 },
  { name: 'equal', x: 0, y: -0, flags: 0x40 },
  { name: 'unordered', x: Number.NaN, y: 1, flags: 0x45 },
];

test.each(ORDERINGS)('ucomisd: $name', ({ x, y, flags }) => {
  const raised = flagsAfter(MASKED, () => {
    const [eflags] = module.fn(ORDERING.f64)(bitsOf(x), bitsOf(y), 1) as [number, number];
    expect(eflags).toBe(flags);
  });
  expect(raised).toBe(0);
});

test('comisd says that a quiet NaN is invalid', () => {
  expect(flagsAfter(MASKED, () => void module.fn(ORDERING.f64)(QNAN, QNAN, 0))).toBe(INVALID);
});

test.each(ORDERINGS)('cmpsd: the eight predicates of $name operands', ({ x, y }) => {
  const nan = Number.isNaN(x) || Number.isNaN(y);
  const positive = [x === y, x < y, x <= y, nan];
  const expected = [...positive, ...positive.map((holds) => !holds)];
  const found = PREDICATES.slice(0, 8).map(({ relations, quiet }) => {
    const [mask] = module.fn(PREDICATE.scalar.f64)(bitsOf(x), bitsOf(y), relations, quiet ? 1 : 0) as [bigint, number];
    return mask === -1n;
  });
  expect(found).toEqual(expected);
});

test.each([
  { name: 'min', x: Number.NaN, y: 1, result: 1, flags: INVALID },
  { name: 'min', x: 1, y: Number.NaN, result: Number.NaN, flags: INVALID },
  { name: 'min', x: -0, y: 0, result: 0, flags: 0 },
  { name: 'max', x: 0, y: -0, result: -0, flags: 0 },
  { name: 'max', x: 3, y: -4, result: 3, flags: 0 },
] as const)('$name of $x and $y: the second operand unless the first wins', ({ name, x, y, result, flags }) => {
  const raised = flagsAfter(MASKED, () => {
    const [bits] = module.fn(EXTREMA[name].scalar.f64)(bitsOf(x), bitsOf(y)) as [bigint, number];
    expect(numberOf(bits)).toBe(result);
  });
  expect(raised).toBe(flags);
});
