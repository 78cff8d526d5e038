/**
 * Fused multiply-add (SDM vol. 1, 14.5): x · y + z rounded once, for FMA3. (x, y, z, turns) → bits, flags; `turns` has bit 0 for the sign of the
 * product, bit 1 for that of z. A NaN operand comes through with its own sign, the first of x, y, z that is one.
 */
import type { OpBuilder, Value } from '../../ir/op-builder.js';
import { type Subroutine, type SubroutineBuilder, subroutine } from '../../ir/subroutine.js';
import { readOperand, zeroSumSign } from './arithmetic.js';
import {
  F32,
  F64,
  type FloatFormat,
  indefiniteBits,
  infinityBits,
  normalize,
  type Operand,
  quieted,
  withSign,
} from './format.js';
import { nativeFused, turned } from './fused-native.js';
import { LaneResults, laneBits } from './lanes.js';
import { jam, multiplyMagnitudes } from './magnitude.js';
import { EXCEPTION, flagIf, raise, readMxcsr } from './mxcsr.js';
import { integers, type NativeResult } from './native.js';
import { type NativeSubroutine, nativeSubroutine } from './native-subroutine.js';
import { packOf } from './pack.js';
import { bit, shiftRightJamWide, type Wide } from './wide.js';

export const TURN = { PRODUCT: 1, ADDEND: 2 } as const;

/** A magnitude with bit 127 set and the weight 2^exponent there. */
interface Magnitude extends Wide {
  readonly exponent: Value;
}

function select(b: SubroutineBuilder, condition: Value, yes: Magnitude, no: Magnitude): Magnitude {
  return {
    exponent: b.select(condition, yes.exponent, no.exponent),
    high: b.select(condition, yes.high, no.high),
    low: b.select(condition, yes.low, no.low),
  };
}

function isBelow(b: SubroutineBuilder, x: Magnitude, y: Magnitude): Value {
  const sameHigh = b.and(b.eq(x.high, y.high), b.ltU(x.low, y.low));
  const significand = b.or(b.ltU(x.high, y.high), sameHigh);
  return b.or(b.ltS(x.exponent, y.exponent), b.and(b.eq(x.exponent, y.exponent), significand));
}

/** Leaves for NaNs and for 0 · ∞, which is invalid unless z is a quiet NaN. */
function returnSpecial(b: SubroutineBuilder, format: FloatFormat, x: Operand, y: Operand, z: Operand): void {
  const signalling = b.or(b.or(x.signalling, y.signalling), z.signalling);
  b.if(b.or(b.or(x.nan, y.nan), z.nan), () => {
    const first = b.select(x.nan, x.bits, b.select(y.nan, y.bits, z.bits));
    b.return(quieted(b, format, first), signalling);
  });
  const invalid = b.or(b.and(x.infinite, y.zero), b.and(x.zero, y.infinite));
  b.returnIf(invalid, b.i64(indefiniteBits(format)), b.i32(EXCEPTION.INVALID));
}

/** big ± small, not below it: with the sticky bits of what was shifted out. */
function combine(b: SubroutineBuilder, big: Magnitude, small: Magnitude, differ: Value): Magnitude {
  const aligned = shiftRightJamWide(b, small, b.sub(big.exponent, small.exponent));
  const low = b.add(big.low, aligned.low);
  const high = b.add(b.add(big.high, aligned.high), bit(b, b.ltU(low, big.low)));
  // A carry out of bit 127: the sum is below big then, and its lost bits stay sticky.
  const carry = b.or(b.ltU(high, big.high), b.and(b.eq(high, big.high), b.ltU(low, big.low)));
  const halved = shiftRightJamWide(b, { high, low }, carry);
  const sum = {
    exponent: b.add(big.exponent, carry),
    high: b.or(halved.high, b.shl(bit(b, carry), b.i64(63))),
    low: halved.low,
  };

  const restLow = b.sub(big.low, aligned.low);
  const restHigh = b.sub(b.sub(big.high, aligned.high), bit(b, b.ltU(big.low, aligned.low)));
  const gone = b.eqz(restHigh);
  const top = b.select(gone, restLow, restHigh);
  const fill = b.select(gone, b.i64(0), restLow);
  const zeros = b.op('i64.clz', top);
  const spill = b.select(b.eqz(zeros), b.i64(0), b.shrU(fill, b.sub(b.i64(64), zeros)));
  const difference = {
    exponent: b.sub(big.exponent, b.add(b.wrap(zeros), b.select(gone, b.i32(64), b.i32(0)))),
    high: b.or(b.shl(top, zeros), spill),
    low: b.shl(fill, zeros),
  };
  return select(b, differ, difference, sum);
}

function fused(format: FloatFormat): Subroutine {
  return subroutine(`soft.fused.${format.name}`, 'llli>li', (b, xBits, yBits, zBits, turns) => {
    const mode = readMxcsr(b);
    const x = readOperand(b, format, xBits as Value, mode);
    const y = readOperand(b, format, yBits as Value, mode);
    const z = readOperand(b, format, zBits as Value, mode);
    returnSpecial(b, format, x, y, z);
    const sign = b.xor(b.xor(x.sign, y.sign), b.and(turns as Value, b.i32(TURN.PRODUCT)));
    const zSign = b.xor(z.sign, b.and(b.shrU(turns as Value, b.i32(1)), b.i32(1)));
    const differ = b.xor(sign, zSign);
    const infinite = b.or(x.infinite, y.infinite);
    const flags = flagIf(b, b.or(b.or(x.denormal, y.denormal), z.denormal), EXCEPTION.DENORMAL);
    const cancel = b.and(b.and(infinite, z.infinite), differ);
    b.returnIf(cancel, b.i64(indefiniteBits(format)), b.i32(EXCEPTION.INVALID));
    const infinity = b.i64(infinityBits(format));
    b.returnIf(b.or(infinite, z.infinite), withSign(b, format, b.select(infinite, sign, zSign), infinity), flags);

    const finish = (resultSign: Value, { exponent, high, low }: Magnitude): readonly Value[] => {
      const [bits, more] = b.call(packOf(format), mode, resultSign, exponent, jam(b, high, low)) as [Value, Value];
      return [bits, b.or(flags, more)];
    };
    const noProduct = b.or(x.zero, y.zero);
    b.if(b.and(noProduct, z.zero), () => {
      const zeroSign = b.select(differ, zeroSumSign(b, mode), sign);
      b.return(withSign(b, format, zeroSign, b.i64(0)), flags);
    });
    const nz = normalize(b, format, z);
    const addend = { exponent: nz.exponent, high: nz.significand, low: b.i64(0) };
    b.if(noProduct, () => b.return(...finish(zSign, addend)));
    const nx = normalize(b, format, x);
    const ny = normalize(b, format, y);
    const [exponent, high, low] = b.call(
      multiplyMagnitudes,
      nx.exponent,
      nx.significand,
      ny.exponent,
      ny.significand,
    ) as [Value, Value, Value];
    const product = { exponent, high, low };
    b.if(z.zero, () => b.return(...finish(sign, product)));
    const swap = isBelow(b, product, addend);
    const big = select(b, swap, addend, product);
    const small = select(b, swap, product, addend);
    const result = combine(b, big, small, differ);
    b.returnIf(b.eqz(result.high), withSign(b, format, zeroSumSign(b, mode), b.i64(0)), flags);
    return finish(b.select(swap, zSign, sign), result);
  });
}

export const FUSED = { f32: fused(F32), f64: fused(F64) } as const;

/** Places of the bits of TURN.PRODUCT and TURN.ADDEND, and how much further those of odd lanes are in the operand of the packed forms. */
const PRODUCT_BIT = 0;
const ADDEND_BIT = 1;
export const ODD_TURNS_SHIFT = 2;

/** The host's result for vectors, of whose odd lanes the turns are `odd` bits further. */
function attempt(
  b: OpBuilder,
  format: FloatFormat,
  state: Value,
  operands: readonly Value[],
  odd: number,
): NativeResult {
  const [x, y, z, turns] = operands as [Value, Value, Value, Value];
  return nativeFused(
    b,
    format,
    state,
    turned(b, format, x, turns, PRODUCT_BIT, PRODUCT_BIT + odd),
    y,
    turned(b, format, z, turns, ADDEND_BIT, ADDEND_BIT + odd),
  );
}

/** (x, y, z, turns) → (result, trap). */
function scalar(format: FloatFormat): NativeSubroutine {
  const { letter, name } = format;
  const shape = integers(format);
  return nativeSubroutine(
    `fused.${name}`,
    `${letter}${letter}${letter}i>${letter}i`,
    (b, state, ...args) => {
      const vectors = args.slice(0, 3).map((operand) => b.op(`${shape}.splat`, operand));
      const { result, holds } = attempt(b, format, state, [...vectors, args[3] as Value], 0);
      return { result: b.op(`${shape}.extract_lane.0`, result), holds };
    },
    (b, ...args) => {
      const operands = args.slice(0, 3).map((operand) => b.extendU(operand));
      const [bits, flags] = b.call(FUSED[name], ...operands, args[3] as Value) as [Value, Value];
      return [format.type === 'i32' ? b.wrap(bits) : bits, b.call1(raise, flags)];
    },
    'call',
  );
}

/** (x, y, z, turns of even lanes | turns of odd lanes << 2) → (result, trap). */
function packed(format: FloatFormat): NativeSubroutine {
  return nativeSubroutine(
    `fused.${format.lanes}`,
    'vvvi>vi',
    (b, state, ...args) => attempt(b, format, state, args, ODD_TURNS_SHIFT),
    (b, ...args) => {
      const [x, y, z, turns] = args as [Value, Value, Value, Value];
      const results = new LaneResults(b, format, x);
      const ofParity = [b.and(turns, b.i32(3)), b.shrU(turns, b.i32(ODD_TURNS_SHIFT))];
      for (let lane = 0; lane < format.laneCount; lane++) {
        const operands = [x, y, z].map((vector) => laneBits(b, format, vector, lane));
        results.put(lane, b.call(FUSED[format.name], ...operands, ofParity[lane & 1] as Value));
      }
      return results.raise();
    },
    'call',
  );
}

export const MULTIPLY_ADD = {
  scalar: { f32: scalar(F32), f64: scalar(F64) },
  packed: { f32: packed(F32), f64: packed(F64) },
} as const;

export const fusedSubroutines: readonly Subroutine[] = [FUSED, MULTIPLY_ADD.scalar, MULTIPLY_ADD.packed].flatMap(
  (each) => [each.f32, each.f64],
);
