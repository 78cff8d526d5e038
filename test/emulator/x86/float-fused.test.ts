/** Fused multiply-adds in host arithmetic against the soft ones, which float-arithmetic.test.ts compares with exact arithmetic. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SOFT } from '../../../src/emulator/x86/softfloat/arithmetic.js';
import { FUSED, MULTIPLY_ADD } from '../../../src/emulator/x86/softfloat/fused.js';
import { SLOT } from '../../../src/register-set.js';
import { subroutineModule } from './subroutine-module.js';

const module = subroutineModule([
  SOFT.f32.mul,
  SOFT.f64.mul,
  ...Object.values(FUSED),
  MULTIPLY_ADD.scalar.f32,
  MULTIPLY_ADD.scalar.f64,
]);
const EXCEPTIONS = 0x3f;
/** All exceptions masked, to nearest, PE sticky. */
const NATIVE = 0x1fa0;
const PRECISION = 0x20;

const FORMATS = [
  { name: 'f32', bits: 32, fractionBits: 23, bias: 127 },
  { name: 'f64', bits: 64, fractionBits: 52, bias: 1023 },
] as const;
type Format = (typeof FORMATS)[number];

function bitsOf(...places: fc.Arbitrary<number>[]): fc.Arbitrary<bigint> {
  return fc.tuple(...places).map((all) => all.reduce((bits, place) => bits | (1n << BigInt(place)), 0n));
}

/** A number whose exponent is small; its fraction is noise, or a few ones, so that products and sums come to lie halfway. */
function moderate(format: Format, exponents: number): fc.Arbitrary<bigint> {
  const place = fc.integer({ min: 0, max: format.fractionBits - 1 });
  const noise = fc.bigInt({ min: 0n, max: (1n << BigInt(format.fractionBits)) - 1n });
  const exponent = fc.integer({ min: -exponents, max: exponents });
  return fc.tuple(fc.oneof(noise, bitsOf(place, place)), exponent, fc.boolean()).map(([fraction, e, negative]) => {
    const field = BigInt(format.bias + e) << BigInt(format.fractionBits);
    return fraction | field | (negative ? 1n << BigInt(format.bits - 1) : 0n);
  });
}

/** How far an addend is from the rounded product, in units in the last place, and whether it has its sign. */
const nearProduct = fc.record({ off: fc.bigInt({ min: -3n, max: 3n }), same: fc.boolean() });

test.each(FORMATS)('$name: the same bits and flags as in soft arithmetic', (format) => {
  const { name, bits } = format;
  const parameter = (value: bigint): number | bigint => (bits === 32 ? Number(BigInt.asIntN(32, value)) : value);
  const unsigned = (value: number | bigint): bigint => BigInt.asUintN(bits, BigInt(value));
  const factor = moderate(format, 60);
  const turns = fc.integer({ min: 0, max: 3 });
  const addend = fc.oneof(moderate(format, 120), nearProduct);
  fc.assert(
    fc.property(factor, factor, addend, turns, (x, y, third, turned) => {
      module.cpu.setUint32(SLOT.MXCSR, NATIVE, true);
      const [product] = module.fn(SOFT[name].mul)(x, y) as [bigint, number];
      const sign = 1n << BigInt(bits - 1);
      const z = typeof third === 'bigint' ? third : (unsigned(product) ^ (third.same ? 0n : sign)) + third.off;
      const [wanted, flags] = module.fn(FUSED[name])(x, y, z, turned) as [bigint, number];
      const [got, trap] = module.fn(MULTIPLY_ADD.scalar[name])(parameter(x), parameter(y), parameter(z), turned) as [
        number | bigint,
        number,
      ];
      expect(trap).toBe(0);
      expect(unsigned(got)).toBe(unsigned(wanted));
      expect(module.cpu.getUint32(SLOT.MXCSR, true) & EXCEPTIONS).toBe((flags & EXCEPTIONS) | PRECISION);
    }),
    { numRuns: 10_000 },
  );
});
