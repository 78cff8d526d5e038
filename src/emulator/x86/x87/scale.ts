/** FRNDINT, FSCALE, FXTRACT: what works on exponents and integer parts (SDM vol. 1, 8.3.5; vol. 2A). */
import type { Value } from '../../ir/op-builder.js';
import { type Subroutine, subroutine } from '../../ir/subroutine.js';
import { roundMagnitude } from '../softfloat/integer.js';
import { EXCEPTION, flagIf, ROUNDING, roundingOf } from '../softfloat/mxcsr.js';
import { finish, onTop, returnExtended, returnExtendedIf, returnInvalidIf, returnSpecial } from './arithmetic.js';
import {
  BIAS,
  classifyExtended,
  fromMagnitude,
  infinityOf,
  normalizeExtended,
  quietedExtended,
  signedField,
  TOP_EXPONENT,
  zeroOf,
} from './extended.js';
import { deliver, indefinite, isEmpty, moveTop, push, readSt, writeSt } from './stack.js';
import { EARLY, fullPrecision, note, readMode, STACK_OVERFLOW, STACK_UNDERFLOW } from './status.js';

/** Exponents from here up have no fraction bits. */
const WHOLE = 63;

const roundCore = subroutine('x87.core.round', 'li>lii', (b, significand, signExponent) => {
  const x = classifyExtended(b, significand as Value, signExponent as Value);
  returnInvalidIf(b, x.unsupported);
  b.if(x.nan, () => returnExtended(b, quietedExtended(b, x), x.signalling));
  const normal = normalizeExtended(b, x);
  returnExtendedIf(b, b.or(b.or(x.zero, x.infinite), b.geS(normal.exponent, b.i32(WHOLE))), x, b.i32(0));
  const rounding = roundingOf(b, readMode(b));
  const args = [rounding, x.sign, normal.exponent, normal.significand];
  const [magnitude, found] = b.call(roundMagnitude, ...args) as [Value, Value];
  const flags = b.or(found, flagIf(b, x.denormal, EXCEPTION.DENORMAL));
  returnExtendedIf(b, b.eqz(magnitude), zeroOf(b, x.sign), flags);
  return [...fromMagnitude(b, x.sign, magnitude), flags];
});

/** FRNDINT. */
export const roundTop = onTop('x87.round', roundCore);

/** Scaling further than this over- or underflows whatever is scaled. */
const FARTHEST = 0x1_0000;

/** (x, y) → x · 2^trunc(y). */
const scaleCore = subroutine('x87.core.scale', 'lili>lii', (b, xs, xe, ys, ye) => {
  const x = classifyExtended(b, xs as Value, xe as Value);
  const y = classifyExtended(b, ys as Value, ye as Value);
  returnSpecial(b, x, y);
  const flags = flagIf(b, b.or(x.denormal, y.denormal), EXCEPTION.DENORMAL);
  b.if(y.infinite, () => {
    returnInvalidIf(b, b.select(y.sign, x.infinite, x.zero));
    returnExtendedIf(b, y.sign, zeroOf(b, x.sign), flags);
    returnExtended(b, infinityOf(b, x.sign), flags);
  });
  returnExtendedIf(b, b.or(x.infinite, x.zero), x, flags);
  const ny = normalizeExtended(b, y);
  const within = b.ltS(ny.exponent, b.i32(31 - Math.clz32(FARTHEST)));
  const [whole] = b.call(roundMagnitude, b.i32(ROUNDING.ZERO), y.sign, ny.exponent, ny.significand) as [Value];
  const distance = b.select(within, b.wrap(whole), b.i32(FARTHEST));
  const by = b.select(y.zero, b.i32(0), b.select(y.sign, b.sub(b.i32(0), distance), distance));
  const nx = normalizeExtended(b, x);
  const result = [b.add(nx.exponent, by), nx.significand, b.i64(0)];
  return finish(b, fullPrecision(b, readMode(b)), x.sign, result, flags);
});

/** FSCALE: ST(0) by ST(1). */
export const scaleTop = subroutine('x87.scale', '>', (b) => {
  const [zero, one] = [b.i32(0), b.i32(1)];
  b.if(b.or(isEmpty(b, zero), isEmpty(b, one)), () => {
    const nothing = indefinite(b);
    b.call(deliver, zero, nothing.significand, nothing.signExponent, b.i32(STACK_UNDERFLOW));
    b.return();
  });
  const [x, y] = [readSt(b, zero), readSt(b, one)];
  b.call(deliver, zero, ...b.call(scaleCore, x.significand, x.signExponent, y.significand, y.signExponent));
  return undefined;
});

/** FXTRACT: ST(0) becomes the exponent as a number, the significand is pushed. */
export const extract = subroutine('x87.extract', '>', (b) => {
  const zero = b.i32(0);
  const missing = isEmpty(b, zero);
  const full = b.eqz(isEmpty(b, b.i32(7)));
  b.if(b.or(missing, full), () => {
    const fault = b.select(missing, b.i32(STACK_UNDERFLOW), b.i32(STACK_OVERFLOW));
    b.returnIf(b.and(b.call1(note, fault), b.i32(EARLY)));
    writeSt(b, zero, indefinite(b));
    moveTop(b, 7);
    writeSt(b, zero, indefinite(b));
    b.return();
  });
  const top = readSt(b, zero);
  const x = classifyExtended(b, top.significand, top.signExponent);
  const both = (exponent: readonly Value[], significand: readonly Value[], flags: Value): void => {
    b.returnIf(b.and(b.call1(note, flags), b.i32(EARLY)));
    writeSt(b, zero, { significand: exponent[0] as Value, signExponent: exponent[1] as Value });
    b.call(push, significand[0] as Value, significand[1] as Value, b.i32(0));
    b.return();
  };
  b.if(x.unsupported, () => {
    const nothing = [b.i64(0xc000_0000_0000_0000n), b.i32(0xffff)];
    both(nothing, nothing, b.i32(EXCEPTION.INVALID));
  });
  b.if(x.nan, () => {
    const nan = quietedExtended(b, x);
    both([nan.significand, nan.signExponent], [nan.significand, nan.signExponent], x.signalling);
  });
  const own = [x.significand, x.signExponent];
  b.if(x.infinite, () => both([x.significand, b.i32(TOP_EXPONENT)], own, b.i32(0)));
  b.if(x.zero, () => both([b.i64(1n << 63n), b.i32(0xffff)], own, b.i32(EXCEPTION.ZERO_DIVIDE)));
  const normal = normalizeExtended(b, x);
  const negative = b.ltS(normal.exponent, zero);
  const magnitude = b.extendU(b.select(negative, b.sub(zero, normal.exponent), normal.exponent));
  const number = fromMagnitude(b, negative, magnitude);
  const isZero = b.eqz(magnitude);
  const exponent = [number[0] as Value, b.select(isZero, zero, number[1] as Value)];
  const significand = [normal.significand, signedField(b, x.sign, BIAS)];
  both(exponent, significand, flagIf(b, x.denormal, EXCEPTION.DENORMAL));
  return undefined;
});

export const scaleSubroutines: readonly Subroutine[] = [roundCore, roundTop, scaleCore, scaleTop, extract];
