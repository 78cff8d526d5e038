/**
 * The common case of x87 arithmetic: both operands normal, rounding to nearest with all 64 bits, a result that is normal too. It leaves the core at once;
 * where it does not apply, nothing has happened.
 */
import type { Value } from '../../ir/op-builder.js';
import type { SubroutineBuilder } from '../../ir/subroutine.js';
import { EXCEPTION, flagIf } from '../softfloat/mxcsr.js';
import { ROUNDED_UP } from '../softfloat/pack.js';
import { bit, multiplyWide } from '../softfloat/wide.js';
import { BIAS, INTEGER_BIT, TOP_EXPONENT } from './extended.js';
import { readControl } from './status.js';

/** Rounding and precision control, and their values for "to nearest" and "64 bits". */
const CONTROL_MASK = 0xf00;
const CONTROL_USUAL = 0x300;
/** Exponent fields from which no sum or product of two leaves the normal range. */
const LEAST_FIELD = BIAS - 8000;
const FIELD_RANGE = 16000;

/** Bits of a magnitude beyond its 64: the highest is worth half a unit, the others are sticky. */
interface Parts {
  readonly field: Value;
  readonly high: Value;
  readonly low: Value;
}

/** Runs `body` when the case is the common one. */
export function whenUsual(
  b: SubroutineBuilder,
  [xs, xe, ys, ye]: readonly [Value, Value, Value, Value],
  body: () => void,
): void {
  const inRange = (signExponent: Value): Value => {
    // A number that was subnormal in memory is marked above its sign: out of range.
    const field = b.and(signExponent, b.i32(~0x8000));
    return b.ltU(b.sub(field, b.i32(LEAST_FIELD)), b.i32(FIELD_RANGE));
  };
  const normal = b.ltS(b.and(xs, ys), b.i64(0));
  const control = b.eq(b.and(readControl(b), b.i32(CONTROL_MASK)), b.i32(CONTROL_USUAL));
  b.if(b.and(b.and(normal, control), b.and(inRange(xe), inRange(ye))), body);
}

function fieldOf(b: SubroutineBuilder, signExponent: Value): Value {
  return b.and(signExponent, b.i32(TOP_EXPONENT));
}

/** Rounds to nearest even and leaves the core. */
function deliverRounded(b: SubroutineBuilder, sign: Value, { field, high, low }: Parts): void {
  const half = b.i64(INTEGER_BIT);
  const odd = b.wrap(b.and(high, b.i64(1)));
  const up = b.or(b.gtU(low, half), b.and(b.eq(low, half), odd));
  const rounded = b.add(high, bit(b, up));
  const carried = b.eqz(rounded);
  const flags = b.or(flagIf(b, b.ne(low, b.i64(0)), EXCEPTION.PRECISION), flagIf(b, up, ROUNDED_UP));
  b.return(b.select(carried, half, rounded), b.or(sign, b.add(field, carried)), flags);
}

/** x · y. */
export function quickProduct(b: SubroutineBuilder, xs: Value, xe: Value, ys: Value, ye: Value): void {
  const sign = b.and(b.xor(xe, ye), b.i32(0x8000));
  const [high, low] = b.call(multiplyWide, xs, ys) as [Value, Value];
  const field = b.sub(b.add(fieldOf(b, xe), fieldOf(b, ye)), b.i32(BIAS));
  const long = b.ltS(high, b.i64(0));
  deliverRounded(b, sign, {
    field: b.add(field, long),
    high: b.select(long, high, b.or(b.shl(high, b.i64(1)), b.shrU(low, b.i64(63)))),
    low: b.select(long, low, b.shl(low, b.i64(1))),
  });
}

/** x + y, with y's sign turned by `flip` (0 or 1). A difference whose upper 64 bits vanish is left alone. */
export function quickSum(b: SubroutineBuilder, xs: Value, xe: Value, ys: Value, ye: Value, flip: number): void {
  const turnedYe = flip === 0 ? ye : b.xor(ye, b.i32(0x8000));
  const [xField, yField] = [fieldOf(b, xe), fieldOf(b, ye)];
  const below = b.or(b.ltU(xField, yField), b.and(b.eq(xField, yField), b.ltU(xs, ys)));
  const sign = b.and(b.select(below, turnedYe, xe), b.i32(0x8000));
  const field = b.select(below, yField, xField);
  const big = b.select(below, ys, xs);
  const small = b.select(below, xs, ys);
  const distance = b.extendU(b.sub(field, b.select(below, xField, yField)));
  const far = b.geU(distance, b.i64(64));
  const shifted = b.select(far, b.i64(0), b.shrU(small, distance));
  const out = b.select(b.eqz(distance), b.i64(0), b.shl(small, b.sub(b.i64(64), distance)));
  // What is left of the number below the 64 bits; its last bit stands for all that is further down.
  const beyond = b.select(b.gtU(distance, b.i64(127)), b.i64(63), b.sub(distance, b.i64(64)));
  const rest = b.shrU(small, beyond);
  const lost = b.select(far, b.or(rest, bit(b, b.ne(b.shl(rest, beyond), small))), out);
  b.if(
    b.and(b.xor(xe, turnedYe), b.i32(0x8000)),
    () => {
      const low = b.sub(b.i64(0), lost);
      const high = b.sub(b.sub(big, shifted), bit(b, b.ne(lost, b.i64(0))));
      b.if(b.ne(high, b.i64(0)), () => {
        const zeros = b.op('i64.clz', high);
        const spill = b.select(b.eqz(zeros), b.i64(0), b.shrU(low, b.sub(b.i64(64), zeros)));
        deliverRounded(b, sign, {
          field: b.sub(field, b.wrap(zeros)),
          high: b.or(b.shl(high, zeros), spill),
          low: b.shl(low, zeros),
        });
      });
    },
    () => {
      const total = b.add(big, shifted);
      const carry = b.ltU(total, big);
      const halved = b.or(b.shrU(lost, b.i64(1)), b.or(b.and(lost, b.i64(1)), b.shl(total, b.i64(63))));
      deliverRounded(b, sign, {
        field: b.add(field, carry),
        high: b.select(carry, b.or(b.shrU(total, b.i64(1)), b.i64(INTEGER_BIT)), total),
        low: b.select(carry, halved, lost),
      });
    },
  );
}
