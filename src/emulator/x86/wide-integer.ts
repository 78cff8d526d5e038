/** Products and quotients of 128 bits, as IR subroutines: WebAssembly has none (SDM vol. 2, MUL, IMUL, DIV, IDIV). */
import type { Value } from '../ir/op-builder.js';
import { type SubroutineBuilder, subroutine } from '../ir/subroutine.js';

/** The high half of an unsigned product, from four products of 32 bits. */
function highUnsigned(b: SubroutineBuilder, x: Value, y: Value): Value {
  const half = b.i64(32);
  const mask = b.i64(0xffff_ffff);
  const xLow = b.and(x, mask);
  const xHigh = b.shrU(x, half);
  const yLow = b.and(y, mask);
  const yHigh = b.shrU(y, half);
  const middle = b.add(b.mul(xHigh, yLow), b.shrU(b.mul(xLow, yLow), half));
  const carry = b.add(b.mul(xLow, yHigh), b.and(middle, mask));
  return b.add(b.add(b.mul(xHigh, yHigh), b.shrU(middle, half)), b.shrU(carry, half));
}

/** (x, y) → (high, low) of the unsigned product. */
export const multiplyUnsigned = subroutine('multiply.unsigned', 'll>ll', (b, x, y) => [
  highUnsigned(b, x as Value, y as Value),
  b.mul(x as Value, y as Value),
]);

/** (x, y) → (high, low) of the signed product. */
export const multiplySigned = subroutine('multiply.signed', 'll>ll', (b, first, second) => {
  const x = first as Value;
  const y = second as Value;
  const sign = b.i64(63);
  const correction = b.add(b.and(b.shrS(x, sign), y), b.and(b.shrS(y, sign), x));
  return [b.sub(highUnsigned(b, x, y), correction), b.mul(x, y)];
});

/**
 * (high, low, divisor) → (quotient, remainder), unsigned; high must be below the divisor. Two digits of 32 bits with a normalised
 * divisor (Knuth, The Art of Computer Programming vol. 2, 4.3.1, algorithm D).
 */
export const divideUnsigned = subroutine('divide.unsigned', 'lll>ll', (b, highWord, lowWord, by) => {
  const [high, low, divisor] = [highWord as Value, lowWord as Value, by as Value];
  b.if(b.eqz(high), () => b.return(b.op('i64.div_u', low, divisor), b.op('i64.rem_u', low, divisor)));

  const half = b.i64(32);
  const mask = b.i64(0xffff_ffff);
  const shift = b.op('i64.clz', divisor);
  const d = b.shl(divisor, shift);
  const dHigh = b.shrU(d, half);
  const dLow = b.and(d, mask);
  // low >> (64 - shift), and 0 for a shift of 0.
  const carried = b.shrU(b.shrU(low, b.i64(1)), b.sub(b.i64(63), shift));
  const top = b.or(b.shl(high, shift), carried);
  const bottom = b.shl(low, shift);

  /** One digit: the quotient of (rest, next 32 bits) by d, and the rest after it. */
  const digit = (rest: Value, next: Value): [Value, Value] => {
    const q = b.variable(b.op('i64.div_u', rest, dHigh));
    const r = b.variable(b.sub(rest, b.mul(b.read(q), dHigh)));
    b.block((done) => {
      b.loop(() => {
        const tooBig = b.gtU(b.read(q), mask);
        const above = b.gtU(b.mul(b.read(q), dLow), b.or(b.shl(b.read(r), half), next));
        b.leaveIf(done, b.eqz(b.or(tooBig, above)));
        b.assign(q, b.sub(b.read(q), b.i64(1)));
        b.assign(r, b.add(b.read(r), dHigh));
        return b.leU(b.read(r), mask);
      });
    });
    const quotient = b.read(q);
    return [quotient, b.sub(b.or(b.shl(rest, half), next), b.mul(quotient, d))];
  };
  const [first, middle] = digit(top, b.shrU(bottom, half));
  const [second, last] = digit(middle, b.and(bottom, mask));
  return [b.or(b.shl(first, half), second), b.shrU(last, shift)];
});

/** (high, low, divisor) → (quotient, remainder, overflow), signed, truncated towards zero; the divisor is not 0. After an overflow (i32) the others mean nothing. */
export const divideSigned = subroutine('divide.signed', 'lll>lli', (b, highWord, lowWord, by) => {
  const [high, low, divisor] = [highWord as Value, lowWord as Value, by as Value];
  const sign = b.i64(63);
  const minimum = b.i64(1n << 63n);
  const narrow = b.eq(high, b.shrS(low, sign));
  const overflows = b.and(b.eq(low, minimum), b.eq(divisor, b.i64(-1)));
  // WebAssembly traps where the quotient does not fit, so the division must not even be tried.
  b.if(b.and(narrow, b.eqz(overflows)), () => {
    b.return(b.op('i64.div_s', low, divisor), b.op('i64.rem_s', low, divisor), b.i32(0));
  });

  const negative = b.ltS(high, b.i64(0));
  const size = b.select(b.ltS(divisor, b.i64(0)), b.neg(divisor), divisor);
  const highSize = b.select(negative, b.sub(b.not(high), b.neg(b.extendU(b.eqz(low)))), high);
  const lowSize = b.select(negative, b.neg(low), low);
  b.returnIf(b.geU(highSize, size), b.i64(0), b.i64(0), b.i32(1));

  const [q, r] = b.call(divideUnsigned, highSize, lowSize, size) as [Value, Value];
  const quotientNegative = b.ltS(b.xor(high, divisor), b.i64(0));
  const limit = b.select(quotientNegative, minimum, b.i64((1n << 63n) - 1n));
  return [b.select(quotientNegative, b.neg(q), q), b.select(negative, b.neg(r), r), b.gtU(q, limit)];
});

export const wideIntegerSubroutines = [multiplyUnsigned, multiplySigned, divideUnsigned, divideSigned];
