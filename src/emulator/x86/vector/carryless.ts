/** Carry-less multiplication (SDM vol. 1, 12.13.3). */
import type { Value } from '../../ir/op-builder.js';
import { type Subroutine, type SubroutineBuilder, subroutine } from '../../ir/subroutine.js';

/** Every fourth bit. */
const QUARTER = 0x1111_1111_1111_1111n;

/**
 * Polynomials of 32 bits → their product. In a product of numbers that have every fourth bit, at most eight ones meet in one place: their sum stays
 * within four bits, and its lowest is the exclusive or.
 */
const multiplyHalves = subroutine('carryless.halves', 'll>l', (b, x, y) => {
  const parts = (value: Value): Value[] => [0n, 1n, 2n, 3n].map((i) => b.and(value, b.i64(QUARTER << i)));
  const [xs, ys] = [parts(x as Value), parts(y as Value)];
  return [0, 1, 2, 3]
    .map((place) => {
      const products = xs.map((part, i) => b.mul(part, ys[(place - i) & 3] as Value));
      return b.and(
        products.reduce((p, q) => b.xor(p, q)),
        b.i64(QUARTER << BigInt(place)),
      );
    })
    .reduce((p, q) => b.or(p, q));
});

function halves(b: SubroutineBuilder, x: Value): [Value, Value] {
  return [b.and(x, b.i64(0xffff_ffff)), b.shrU(x, b.i64(32))];
}

/** Polynomials of 64 bits → their product of 128 bits, by Karatsuba's three products. */
export const multiplyCarryless = subroutine('carryless.multiply', 'll>v', (b, x, y) => {
  const [x0, x1] = halves(b, x as Value);
  const [y0, y1] = halves(b, y as Value);
  const low = b.call1(multiplyHalves, x0, y0);
  const high = b.call1(multiplyHalves, x1, y1);
  const middle = b.xor(b.call1(multiplyHalves, b.xor(x0, x1), b.xor(y0, y1)), b.xor(low, high));
  const result = b.op('i64x2.splat', b.xor(low, b.shl(middle, b.i64(32))));
  return b.op('i64x2.replace_lane.1', result, b.xor(high, b.shrU(middle, b.i64(32))));
});

export const carrylessSubroutines: readonly Subroutine[] = [multiplyHalves, multiplyCarryless];
