/** SSE arithmetic against exact rational arithmetic and the rules of SDM vol. 1, chapters 4 and 11. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SOFT } from '../../../src/emulator/x86/softfloat/arithmetic.js';
import { FUSED } from '../../../src/emulator/x86/softfloat/fused.js';
import { SCALAR } from '../../../src/emulator/x86/softfloat/operations.js';
import { SLOT } from '../../../src/register-set.js';
import {
  DOUBLE,
  type Exact,
  exactly,
  FLAGS,
  MODES,
  type Mode,
  type Operation,
  type ReferenceFormat,
  round,
  SINGLE,
  scaled,
  squareRoot,
} from './float-reference.js';
import { subroutineModule } from './subroutine-module.js';

const OPERATIONS: readonly Operation[] = ['add', 'sub', 'mul', 'div'];
const EXCEPTIONS = 0x3f;
const MASKED = 0x1f80;

const module = subroutineModule(
  [SOFT.f32, SOFT.f64, SCALAR.f32, SCALAR.f64, FUSED].flatMap((each) => Object.values(each)),
);

interface Format extends ReferenceFormat {
  readonly name: 'f32' | 'f64';
  readonly bits: number;
}

const FORMATS: readonly Format[] = [
  { ...SINGLE, name: 'f32', bits: 32 },
  { ...DOUBLE, name: 'f64', bits: 64 },
];

function setMxcsr(value: number): void {
  module.cpu.setUint32(SLOT.MXCSR, value, true);
}

function soft(format: Format, operation: Operation | 'sqrt', ...operands: bigint[]): { bits: bigint; flags: number } {
  const [bits, flags] = module.fn(SOFT[format.name][operation])(...operands) as [bigint, number];
  return { bits: BigInt.asUintN(64, bits), flags: flags & EXCEPTIONS };
}

function field(format: Format, bits: bigint): number {
  return Number((bits >> BigInt(format.precision - 1)) & ((1n << BigInt(format.bits - format.precision)) - 1n));
}

/** The exact value of finite bits. */
function decode(format: Format, bits: bigint): Exact {
  const exponent = field(format, bits);
  const fraction = bits & ((1n << BigInt(format.precision - 1)) - 1n);
  const significand = exponent === 0 ? fraction : fraction | (1n << BigInt(format.precision - 1));
  const sign = bits >> BigInt(format.bits - 1) ? 1 : 0;
  return scaled(sign, significand, Math.max(exponent, 1) - 1 + format.least - format.precision + 1);
}

/** The bits of a rounded exact number, and its exceptions. */
function encode(format: Format, value: Exact, mode: Mode): { bits: bigint; flags: number } {
  const { infinite, significand, exponent, flags } = round(value, format, mode);
  const hidden = 1n << BigInt(format.precision - 1);
  const normal = significand >= hidden;
  const whole = BigInt(exponent - format.least + 1) << BigInt(format.precision - 1);
  const magnitude = infinite
    ? BigInt(format.greatest - format.least + 2) << BigInt(format.precision - 1)
    : normal
      ? whole + (significand - hidden)
      : significand;
  return { bits: (BigInt(value.sign) << BigInt(format.bits - 1)) | magnitude, flags: flags & ~FLAGS.up };
}

/** Finite bits with exponents near each other, near the ends, and anywhere. */
function finite(format: Format): fc.Arbitrary<bigint> {
  const top = format.greatest - format.least + 1;
  const middle = Math.round(top / 2);
  const exponent = fc.oneof(
    fc.integer({ min: middle - 30, max: middle + 30 }),
    fc.integer({ min: 0, max: 3 }),
    fc.integer({ min: top - 2, max: top }),
    fc.integer({ min: 0, max: top }),
  );
  const width = BigInt(format.precision - 1);
  const fraction = fc.oneof(
    fc.bigInt({ min: 0n, max: (1n << width) - 1n }),
    fc.constantFrom(0n, 1n, (1n << width) - 1n, 1n << (width - 1n)),
  );
  return fc
    .tuple(fc.boolean(), exponent, fraction)
    .map(([sign, e, f]) => (BigInt(sign) << BigInt(format.bits - 1)) | (BigInt(e) << width) | f);
}

function isDenormal(format: Format, bits: bigint): boolean {
  return field(format, bits) === 0 && decode(format, bits).num !== 0n;
}

const rows = FORMATS.flatMap((format) =>
  MODES.map((mode, rounding) => ({ name: format.name, mode, format, rounding })),
);

describe.each(rows)('$name rounding to $mode', ({ format, mode, rounding }) => {
  test.each(OPERATIONS)('%s is the exact result rounded once, with its exceptions', (operation) => {
    setMxcsr(MASKED | (rounding << 13));
    fc.assert(
      fc.property(finite(format), finite(format), (x, y) => {
        const exact = { x: decode(format, x), y: decode(format, y) };
        fc.pre(exact.x.num !== 0n && exact.y.num !== 0n);
        const result = exactly(operation, exact.x, exact.y);
        const denormal = isDenormal(format, x) || isDenormal(format, y) ? 2 : 0;
        const cancelled = mode === 'down' ? 1n << BigInt(format.bits - 1) : 0n;
        const expected = result.num === 0n ? { bits: cancelled, flags: 0 } : encode(format, result, mode);
        expect(soft(format, operation, x, y)).toEqual({ bits: expected.bits, flags: expected.flags | denormal });
      }),
      { numRuns: 400 },
    );
  });

  test('sqrt is the exact root rounded once', () => {
    setMxcsr(MASKED | (rounding << 13));
    fc.assert(
      fc.property(finite(format), (bits) => {
        const x = bits & ((1n << BigInt(format.bits - 1)) - 1n);
        fc.pre(x !== 0n);
        const expected = encode(format, squareRoot(decode(format, x)), mode);
        const denormal = isDenormal(format, x) ? 2 : 0;
        expect(soft(format, 'sqrt', x)).toEqual({ bits: expected.bits, flags: expected.flags | denormal });
      }),
      { numRuns: 300 },
    );
  });
});

test.each(rows)('a fused $name multiply-add rounds once to $mode', ({ format, mode, rounding }) => {
  setMxcsr(MASKED | (rounding << 13));
  fc.assert(
    fc.property(finite(format), finite(format), finite(format), fc.integer({ min: 0, max: 3 }), (x, y, z, turns) => {
      const operands = [x, y, z].map((bits) => decode(format, bits));
      const [a, b, c] = operands as [Exact, Exact, Exact];
      fc.pre(operands.every(({ num }) => num !== 0n));
      const turn = (value: Exact, bit: number): Exact => ({ ...value, sign: value.sign === bit ? 0 : 1 });
      const sum = exactly('add', turn(exactly('mul', a, b), turns & 1), turn(c, turns >> 1));
      fc.pre(sum.num !== 0n);
      const expected = encode(format, sum, mode);
      const denormal = [x, y, z].some((bits) => isDenormal(format, bits)) ? 2 : 0;
      const [bits, flags] = module.fn(FUSED[format.name])(x, y, z, turns) as [bigint, number];
      expect(BigInt.asUintN(64, bits)).toBe(expected.bits);
      expect(flags & EXCEPTIONS).toBe(expected.flags | denormal);
    }),
    { numRuns: 400 },
  );
});

describe.each(FORMATS)('$name with and without host arithmetic', (format) => {
  const any = fc.oneof(finite(format), fc.bigInt({ min: 0n, max: (1n << BigInt(format.bits)) - 1n }));

  test.each(OPERATIONS)('%s gives the same bits and flags', (operation) => {
    fc.assert(
      fc.property(any, any, fc.constantFrom(0x1f80, 0x1fa0, 0x9fe0, 0x7fa0), (x, y, mxcsr) => {
        setMxcsr(mxcsr);
        const expected = soft(format, operation, x, y);
        const operand = (bits: bigint): bigint | number =>
          format.bits === 32 ? Number(BigInt.asIntN(32, bits)) : bits;
        const [bits, trap] = module.fn(SCALAR[format.name][operation])(operand(x), operand(y)) as [bigint, number];
        expect(trap).toBe(0);
        expect(BigInt.asUintN(format.bits, BigInt(bits))).toBe(expected.bits);
        expect(module.cpu.getUint32(SLOT.MXCSR, true)).toBe(mxcsr | expected.flags);
      }),
      { numRuns: 1000 },
    );
  });
});

const ONE = 0x3ff0_0000_0000_0000n;
const QNAN = 0x7ff8_0000_0000_1234n;
const SNAN = 0x7ff0_0000_0000_0001n;
const INFINITY = 0x7ff0_0000_0000_0000n;
const MINUS = 1n << 63n;
const INDEFINITE = 0xfff8_0000_0000_0000n;
const DENORMAL = 1n;

test.each<{ name: string; operation: Operation; x: bigint; y: bigint; mxcsr?: number; bits: bigint; flags: number }>([
  { name: 'the first NaN wins', operation: 'add', x: QNAN, y: SNAN, bits: QNAN, flags: 1 },
  { name: 'an SNaN is quieted', operation: 'mul', x: ONE, y: SNAN, bits: SNAN | (1n << 51n), flags: 1 },
  { name: 'a NaN hides a denormal', operation: 'add', x: DENORMAL, y: QNAN, bits: QNAN, flags: 0 },
  { name: 'inf - inf is invalid', operation: 'sub', x: INFINITY, y: INFINITY, bits: INDEFINITE, flags: 1 },
  { name: '0 · inf is invalid', operation: 'mul', x: 0n, y: INFINITY | MINUS, bits: INDEFINITE, flags: 1 },
  { name: '0 / 0 is invalid', operation: 'div', x: 0n, y: MINUS, bits: INDEFINITE, flags: 1 },
  { name: '1 / -0 divides by zero', operation: 'div', x: ONE, y: MINUS, bits: INFINITY | MINUS, flags: 4 },
  { name: 'denormal / 0 only divides by zero', operation: 'div', x: DENORMAL, y: 0n, bits: INFINITY, flags: 4 },
  { name: 'DAZ makes denormals zero', operation: 'mul', x: DENORMAL, y: ONE, mxcsr: 0x1fc0, bits: 0n, flags: 0 },
  { name: 'FTZ flushes an exact result', operation: 'mul', x: DENORMAL, y: ONE, mxcsr: 0x9f80, bits: 0n, flags: 0x32 },
  { name: 'FTZ yields to unmasked UE', operation: 'add', x: DENORMAL, y: 0n, mxcsr: 0x9780, bits: 0n, flags: 0x12 },
])('$name', ({ operation, x, y, mxcsr = MASKED, bits, flags }) => {
  setMxcsr(mxcsr);
  expect(soft(FORMATS[1] as Format, operation, x, y)).toEqual({ bits, flags });
});

test.each([
  { name: 'masked', mxcsr: 0x1f80, trap: 0, flags: 0x4 },
  { name: 'unmasked', mxcsr: 0x1d80, trap: 4, flags: 0x4 },
])('a $name exception sticks in MXCSR', ({ mxcsr, trap, flags }) => {
  setMxcsr(mxcsr);
  const [, trapped] = module.fn(SCALAR.f64.div)(ONE, 0n) as [bigint, number];
  expect(trapped).toBe(trap);
  expect(module.cpu.getUint32(SLOT.MXCSR, true)).toBe(mxcsr | flags);
});
