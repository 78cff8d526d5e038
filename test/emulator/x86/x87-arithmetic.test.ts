/** x87 arithmetic in 80 bits against exact rational arithmetic, under every precision and rounding control. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ON_REGISTERS, squareRoot as squareRootOfTop } from '../../../src/emulator/x86/x87/arithmetic.js';
import { loadNumber } from '../../../src/emulator/x86/x87/load.js';
import { remainder, remainder1 } from '../../../src/emulator/x86/x87/remainder.js';
import { push } from '../../../src/emulator/x86/x87/stack.js';
import { STORE_AS, storeInteger } from '../../../src/emulator/x86/x87/store.js';
import { SLOT } from '../../../src/register-set.js';
import {
  type Exact,
  exactly,
  extended,
  MODES,
  type Mode,
  type Operation,
  round,
  scaled,
  squareRoot,
} from './float-reference.js';
import { subroutineModule } from './subroutine-module.js';
import { BIAS, CONTROL, type Extended, extend, X87State } from './x87-state.js';

const module = subroutineModule([
  ...Object.values(ON_REGISTERS),
  ...[squareRootOfTop, push, loadNumber, remainder, remainder1, STORE_AS.f64, storeInteger],
]);

const state = new X87State(module);
const FLAG_BITS = 0x23f;

function decode({ significand, signExponent }: Extended): Exact {
  const field = Math.max(signExponent & 0x7fff, 1);
  return scaled(signExponent >> 15 ? 1 : 0, significand, field - BIAS - 63);
}

function encode(value: Exact, precision: 24 | 53 | 64, mode: Mode): Extended & { flags: number } {
  const { infinite, significand, exponent, flags } = round(value, extended(precision), mode);
  const sign = value.sign << 15;
  if (infinite) return { significand: 1n << 63n, signExponent: sign | 0x7fff, flags };
  return { significand, signExponent: sign | (significand >> 63n ? exponent + BIAS : 0), flags };
}

/** Numbers that are finite and not zero: near 1, at both ends of the range, denormal. */
const finite: fc.Arbitrary<Extended> = fc
  .tuple(
    fc.boolean(),
    fc.oneof(
      fc.integer({ min: BIAS - 70, max: BIAS + 70 }),
      fc.integer({ min: 0, max: 70 }),
      fc.integer({ min: 0x7ffe - 3, max: 0x7ffe }),
    ),
    fc.oneof(fc.bigInt({ min: 1n, max: (1n << 63n) - 1n }), fc.constantFrom(1n, (1n << 63n) - 1n, 1n << 39n)),
  )
  .map(([negative, field, fraction]) => ({
    significand: field === 0 ? fraction : (1n << 63n) | fraction,
    signExponent: (negative ? 0x8000 : 0) | field,
  }));

function denormal(...values: Extended[]): number {
  return values.some(({ signExponent }) => (signExponent & 0x7fff) === 0) ? 2 : 0;
}

const rows = ([24, 53, 64] as const).flatMap((precision, i) =>
  MODES.map((mode, rounding) => {
    const control = (CONTROL & ~0xf00) | ((i === 0 ? 0 : i + 1) << 8) | (rounding << 10);
    return { precision, mode, control };
  }),
);

describe.each(rows)('$precision bits, rounding to $mode', ({ precision, mode, control }) => {
  test.each<Operation>(['add', 'sub', 'mul', 'div'])('%s rounds the exact result once and sets C1', (operation) => {
    fc.assert(
      fc.property(finite, finite, (x, y) => {
        const exact = exactly(operation, decode(x), decode(y));
        fc.pre(exact.num !== 0n);
        state.setUp(control, x, y);
        module.fn(ON_REGISTERS[operation])(0, 1, 0);
        const { flags, ...number } = encode(exact, precision, mode);
        expect(state.st(0)).toEqual(number);
        expect(state.status & FLAG_BITS).toBe(flags | denormal(x, y));
      }),
      { numRuns: 300 },
    );
  });

  test('fsqrt rounds the exact root once', () => {
    fc.assert(
      fc.property(finite, (any) => {
        const x = { ...any, signExponent: any.signExponent & 0x7fff };
        state.setUp(control, x);
        module.fn(squareRootOfTop)();
        const { flags, ...number } = encode(squareRoot(decode(x)), precision, mode);
        expect(state.st(0)).toEqual(number);
        expect(state.status & FLAG_BITS).toBe(flags | denormal(x));
      }),
      { numRuns: 60 },
    );
  });
});

/** Numbers that are about as far apart as the significand is long, with few ones, so that sums lie near halves. */
const apart: fc.Arbitrary<[Extended, Extended]> = fc
  .tuple(
    fc.integer({ min: 0, max: 70 }),
    fc.array(fc.integer({ min: 0, max: 63 }), { maxLength: 3 }),
    fc.oneof(fc.array(fc.integer({ min: 0, max: 63 }), { maxLength: 3 }), fc.constant([...Array(63).keys()])),
    fc.boolean(),
    fc.boolean(),
  )
  .map(([distance, xBits, yBits, xNegative, yNegative]) => {
    const significand = (bits: readonly number[]): bigint =>
      bits.reduce((sum, i) => sum | (1n << BigInt(i)), 1n << 63n);
    const number = (bits: readonly number[], exponent: number, negative: boolean): Extended => {
      return { significand: significand(bits), signExponent: (BIAS + exponent) | (negative ? 0x8000 : 0) };
    };
    return [number(xBits, distance, xNegative), number(yBits, 0, yNegative)];
  });

test.each<Operation>(['add', 'sub', 'mul'])('%s of numbers that are far apart', (operation) => {
  fc.assert(
    fc.property(apart, fc.boolean(), ([p, q], swapped) => {
      const [x, y] = swapped ? [q, p] : [p, q];
      const exact = exactly(operation, decode(x), decode(y));
      fc.pre(exact.num !== 0n);
      state.setUp(CONTROL, x, y);
      module.fn(ON_REGISTERS[operation])(0, 1, 0);
      const { flags, ...number } = encode(exact, 64, 'nearest');
      expect(state.st(0)).toEqual(number);
      expect(state.status & FLAG_BITS).toBe(flags);
    }),
    { numRuns: 4000 },
  );
});

test('fprem and fprem1 end in the exact remainder', () => {
  const magnitude = ({ num, den }: Exact, unit: Exact): bigint => (num * unit.den) / den;
  fc.assert(
    fc.property(finite, finite, fc.boolean(), (x, y, nearest) => {
      const C2 = 0x400;
      state.setUp(CONTROL, x, y);
      do module.fn(nearest ? remainder1 : remainder)();
      while (state.status & C2);
      // In units of the smallest denormal number everything is an integer.
      const unit = scaled(0, 1n, -16445);
      const [a, b] = [magnitude(decode(x), unit), magnitude(decode(y), unit)];
      let rest = a % b;
      if (nearest && (2n * rest > b || (2n * rest === b && (a / b) & 1n))) rest -= b;
      const expected = decode(x).sign ? -rest : rest;
      const got = decode(state.st(0));
      expect(got.sign ? -magnitude(got, unit) : magnitude(got, unit)).toBe(expected);
    }),
    { numRuns: 500 },
  );
});

test('a double survives fld and fstp', () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true }), (value) => {
      state.setUp(CONTROL);
      const view = new DataView(new ArrayBuffer(8));
      view.setFloat64(0, value);
      const { significand, signExponent } = extend(value);
      module.fn(loadNumber)(BigInt.asIntN(64, significand), signExponent);
      const [bits] = module.fn(STORE_AS.f64)(1) as [bigint, number];
      expect(BigInt.asUintN(64, bits)).toBe(view.getBigUint64(0));
      expect(module.cpu.getInt32(SLOT.FTAG, true)).toBe(0);
    }),
  );
});

test.each([
  { value: 2.5, width: 32, truncate: 0, integer: 2n, flags: 0x20 },
  { value: -2.5, width: 32, truncate: 1, integer: -2n, flags: 0x20 },
  { value: 3.5, width: 64, truncate: 0, integer: 4n, flags: 0x220 },
  { value: 2 ** 31, width: 32, truncate: 0, integer: -(1n << 31n), flags: 1 },
  { value: -(2 ** 31), width: 32, truncate: 0, integer: -(1n << 31n), flags: 0 },
  { value: 2 ** 63, width: 64, truncate: 1, integer: -(1n << 63n), flags: 1 },
  { value: Number.NaN, width: 16, truncate: 0, integer: -(1n << 15n), flags: 1 },
])('fist of $value to $width bits', ({ value, width, truncate, integer, flags }) => {
  state.setUp(CONTROL, extend(value));
  const [found, stopped] = module.fn(storeInteger)(width, truncate, 1) as [bigint, number];
  expect({ found, stopped }).toEqual({ found: integer, stopped: 0 });
  expect(state.status & FLAG_BITS).toBe(flags);
});

describe('stack faults', () => {
  const one = extend(1);
  const indefinite = { significand: 3n << 62n, signExponent: 0xffff };

  test('adding to an empty register gives the indefinite number, with C1 clear', () => {
    state.setUp(CONTROL, one);
    module.fn(ON_REGISTERS.add)(0, 1, 0);
    expect({ st0: state.st(0), status: state.status }).toEqual({ st0: indefinite, status: 0x41 });
  });

  test('pushing onto a full stack gives the indefinite number, with C1 set', () => {
    state.setUp(CONTROL, one, one, one, one, one, one, one, one);
    module.fn(push)(1n << 63n, BIAS, 0);
    expect({ st0: state.st(0), status: state.status }).toEqual({ st0: indefinite, status: 0x241 });
  });

  test('unmasked, it changes nothing but the status word', () => {
    state.setUp(CONTROL & ~1, one);
    module.fn(ON_REGISTERS.add)(0, 1, 0);
    expect({ st0: state.st(0), status: state.status }).toEqual({ st0: one, status: 0x80c1 });
  });
});

test('unmasked overflow delivers the result with its exponent wrapped', () => {
  const huge = { significand: 1n << 63n, signExponent: 0x7ffe };
  state.setUp(CONTROL & ~8, huge, huge);
  module.fn(ON_REGISTERS.mul)(0, 1, 0);
  expect(state.st(0)).toEqual({ significand: 1n << 63n, signExponent: 0x7ffe + 0x7ffe - BIAS - 24576 });
  expect(state.status).toBe(0x8088);
});
