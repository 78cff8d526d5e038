/**
 * FSIN, FCOS, FSINCOS, FPTAN (SDM vol. 1, 8.3.8; vol. 2A). Arguments are reduced exactly, by a π of 66 bits, as processors do: near a
 * multiple of π the sine is that of a slightly different angle.
 */
import { SLOT } from '../../../register-set.js';
import type { Value } from '../../ir/op-builder.js';
import { type Subroutine, type SubroutineBuilder, subroutine } from '../../ir/subroutine.js';
import { EXCEPTION, flagIf } from '../softfloat/mxcsr.js';
import type { Wide } from '../softfloat/wide.js';
import { deliverUnderflow } from './arithmetic.js';
import { BIAS, classifyExtended, INTEGER_BIT, normalizeExtended, type Operand, quietedExtended } from './extended.js';
import {
  addFractions,
  constantFraction,
  divideFractions,
  factorial,
  multiplyFractions,
  normalizeFraction,
  polynomial,
  reciprocals,
  selectFraction,
  shiftFractionBy,
  subtractFractions,
} from './fraction.js';
import { deliver, indefinite, isEmpty, moveTop, readSt, writeSt } from './stack.js';
import { EARLY, note, readStatus, STACK_OVERFLOW, STACK_UNDERFLOW, STATUS } from './status.js';
import { inexactResult } from './transcendental.js';

/** π / 2 in units of 2^-65, with π cut to 66 bits. */
const HALF_PI = 0x3_243f_6a88_85a3_08d3n;
/** Arguments from 2^63 up are not reduced: C2 says so. */
const RANGE = 63;
/** Below 2^-33 the second term of a series is less than a quarter of a unit in the last place. */
const TINY = -33;
/** sin(r) / r and cos(r) in r², for r up to π / 4. */
const SINE = reciprocals(15, (n) => factorial(2n * n + 1n));
const COSINE = reciprocals(15, (n) => factorial(2n * n));

/** fraction · 2^exponent. */
interface Number128 {
  readonly fraction: Wide;
  readonly exponent: Value;
}

function double(b: SubroutineBuilder, x: Wide): Wide {
  return addFractions(b, x, x);
}

function notBelow(b: SubroutineBuilder, x: Wide, y: Wide): Value {
  return b.or(b.gtU(x.high, y.high), b.and(b.eq(x.high, y.high), b.geU(x.low, y.low)));
}

/**
 * (exponent below 63, significand) → the distance r of a magnitude from the nearest multiple q of π / 2, as a fraction and its exponent; the latter
 * shifted left by 3, with 4 when the multiple is above, and q modulo 4.
 */
const reduce = subroutine('x87.reduce', 'il>lli', (b, exponent, significand) => {
  const small = { high: significand as Value, low: b.i64(0) };
  const alone = b.shl(b.add(exponent as Value, b.i32(1)), b.i32(3));
  b.returnIf(b.ltS(exponent as Value, b.i32(-1)), small.high, small.low, alone);

  const divisor = constantFraction(b, HALF_PI);
  const high = b.variable(b.i64(0));
  const low = b.variable(significand as Value);
  const quotient = b.variable(b.i32(0));
  const steps = b.variable(b.add(exponent as Value, b.i32(2)));
  b.loop(() => {
    const doubled = double(b, { high: b.read(high), low: b.read(low) });
    const goes = notBelow(b, doubled, divisor);
    const next = selectFraction(b, goes, subtractFractions(b, doubled, divisor), doubled);
    b.assign(high, next.high);
    b.assign(low, next.low);
    b.assign(quotient, b.or(b.shl(b.read(quotient), b.i32(1)), goes));
    b.assign(steps, b.sub(b.read(steps), b.i32(1)));
    return b.gtS(b.read(steps), b.i32(0));
  });
  const rest = { high: b.read(high), low: b.read(low) };
  const above = notBelow(b, double(b, rest), divisor);
  const distance = normalizeFraction(b, selectFraction(b, above, subtractFractions(b, divisor, rest), rest));
  const multiple = b.and(b.add(b.read(quotient), above), b.i32(3));
  const place = b.sub(b.i32(63), distance.zeros);
  const packed = b.or(b.or(b.shl(place, b.i32(3)), b.shl(above, b.i32(2))), multiple);
  return [distance.fraction.high, distance.fraction.low, packed];
});

function square(b: SubroutineBuilder, { fraction, exponent }: Number128): Wide {
  const r = shiftFractionBy(b, fraction, b.sub(b.i32(0), exponent));
  return multiplyFractions(b, r, r);
}

/** One unit less: what is computed of a sine or a cosine is never below the true value by more than the unit. */
function justBelow(b: SubroutineBuilder, x: Wide): Wide {
  return subtractFractions(b, x, constantFraction(b, 1n));
}

/** (fraction, exponent) → sin of it, in the same form. */
const sine = subroutine('x87.sine', 'lli>lli', (b, high, low, exponent) => {
  const r = { fraction: { high: high as Value, low: low as Value }, exponent: exponent as Value };
  const sum = polynomial(b, square(b, r), SINE, true);
  const product = justBelow(b, multiplyFractions(b, r.fraction, sum));
  return [product.high, product.low, b.add(r.exponent, b.i32(1))];
});

/** (fraction, exponent) → cos of it, in the same form. */
const cosine = subroutine('x87.cosine', 'lli>lli', (b, high, low, exponent) => {
  const r = { fraction: { high: high as Value, low: low as Value }, exponent: exponent as Value };
  const sum = justBelow(b, polynomial(b, square(b, r), COSINE, true));
  return [sum.high, sum.low, b.i32(1)];
});

/** (fraction, exponent) → tan of it, in the same form. */
const tangent = subroutine('x87.tangent', 'llii>lli', (b, high, low, exponent, inverse) => {
  const sin = callKernel(b, sine, [high, low, exponent] as Value[]);
  const cos = callKernel(b, cosine, [high, low, exponent] as Value[]);
  const s = normalizeFraction(b, sin.fraction);
  const c = normalizeFraction(b, cos.fraction);
  const apart = b.sub(b.sub(sin.exponent, s.zeros), b.sub(cos.exponent, c.zeros));
  b.if(inverse as Value, () => {
    const ratio = divideFractions(b, c.fraction, s.fraction);
    b.return(ratio.high, ratio.low, b.sub(b.i32(1), apart));
  });
  const ratio = divideFractions(b, s.fraction, c.fraction);
  // A tangent is above its angle; so far down the quotient may not show it.
  const tiny = b.ltS(exponent as Value, b.i32(TINY));
  const own = { high: high as Value, low: b.or(low as Value, b.i64(1)) };
  const result = selectFraction(b, tiny, own, ratio);
  return [result.high, result.low, b.select(tiny, exponent as Value, b.add(apart, b.i32(1)))];
});

function callKernel(b: SubroutineBuilder, kernel: Subroutine, args: readonly Value[]): Number128 {
  const [high, low, exponent] = b.call(kernel, ...args) as [Value, Value, Value];
  return { fraction: { high, low }, exponent };
}

/** A reduced argument. */
interface Reduced {
  readonly args: readonly [Value, Value, Value];
  /** The nearest multiple of π / 2 is above: the distance counts negative. */
  readonly above: Value;
  /** That multiple modulo 4. */
  readonly quadrant: Value;
}

function reduced(b: SubroutineBuilder, x: Operand): Reduced {
  const { exponent, significand } = normalizeExtended(b, x);
  const [high, low, packed] = b.call(reduce, exponent, significand) as [Value, Value, Value];
  return {
    args: [high, low, b.shrS(packed, b.i32(3))],
    above: b.and(b.shrU(packed, b.i32(2)), b.i32(1)),
    quadrant: b.and(packed, b.i32(3)),
  };
}

type Function = 'sin' | 'cos';

/** sin or cos of an operand in range and not zero: significand, sign and exponent, flags. */
function compute(b: SubroutineBuilder, name: Function, x: Operand, angle: Reduced, flags: Value): readonly Value[] {
  // cos(x) = sin(x + π / 2).
  const quadrant = name === 'sin' ? angle.quadrant : b.add(angle.quadrant, b.i32(1));
  const useCosine = b.and(quadrant, b.i32(1));
  const lower = b.and(b.shrU(quadrant, b.i32(1)), b.i32(1));
  const turned = b.xor(lower, b.select(useCosine, b.i32(0), angle.above));
  const sign = name === 'sin' ? b.xor(turned, x.sign) : turned;
  const [high, low, exponent] = [b.variable(b.i64(0)), b.variable(b.i64(0)), b.variable(b.i32(0))];
  const keep = (result: Number128): void => {
    b.assign(high, result.fraction.high);
    b.assign(low, result.fraction.low);
    b.assign(exponent, result.exponent);
  };
  b.if(
    useCosine,
    () => keep(callKernel(b, cosine, angle.args)),
    () => keep(callKernel(b, sine, angle.args)),
  );
  return inexactResult(b, sign, { high: b.read(high), low: b.read(low) }, b.read(exponent), flags);
}

/** (significand, sign and exponent) → sin or cos: significand, sign and exponent, flags. In range, not special; zero allowed. */
function functionCore(name: Function): Subroutine {
  return subroutine(`x87.core.${name}`, 'li>lii', (b, significand, signExponent) => {
    const x = classifyExtended(b, significand as Value, signExponent as Value);
    const one = { significand: b.i64(INTEGER_BIT), signExponent: b.i32(BIAS) };
    const atZero = name === 'sin' ? x : one;
    b.returnIf(x.zero, atZero.significand, atZero.signExponent, b.i32(0));
    return compute(b, name, x, reduced(b, x), flagIf(b, x.denormal, EXCEPTION.DENORMAL));
  });
}

const CORE = { sin: functionCore('sin'), cos: functionCore('cos') } as const;

/** (significand, sign and exponent) → tan: significand, sign and exponent, flags. */
const tangentCore = subroutine('x87.core.tan', 'li>lii', (b, significand, signExponent) => {
  const x = classifyExtended(b, significand as Value, signExponent as Value);
  b.returnIf(x.zero, x.significand, x.signExponent, b.i32(0));
  const angle = reduced(b, x);
  const odd = b.and(angle.quadrant, b.i32(1));
  const found = callKernel(b, tangent, [...angle.args, odd]);
  const sign = b.xor(b.xor(x.sign, angle.above), odd);
  return inexactResult(b, sign, found.fraction, found.exponent, flagIf(b, x.denormal, EXCEPTION.DENORMAL));
});

function setC2(b: SubroutineBuilder, value: number): void {
  const status = b.and(readStatus(b), b.i32(~(STATUS.C1 | STATUS.C2)));
  b.rawStore('store32', b.cpu, SLOT.FSW, b.or(status, b.i32(value)));
}

/** What to do about an operand that has no angle: significand, sign and exponent, flags. */
type Special = (when: Value, value: readonly [Value, Value], flags: Value) => void;

/** Leaves for an argument out of range; hands NaNs, infinities and unsupported encodings to `special`, which leaves too. */
function checkArgument(b: SubroutineBuilder, x: Operand, special: Special): void {
  const nothing = indefinite(b);
  const invalid = b.or(x.unsupported, x.infinite);
  special(invalid, [nothing.significand, nothing.signExponent], b.i32(EXCEPTION.INVALID));
  const nan = quietedExtended(b, x);
  special(x.nan, [nan.significand, nan.signExponent], x.signalling);
  b.if(b.geS(normalizeExtended(b, x).exponent, b.i32(RANGE)), () => {
    setC2(b, STATUS.C2);
    b.return();
  });
}

/** FSIN, FCOS. */
function onTopAngle(name: Function): Subroutine {
  return subroutine(`x87.${name}`, '>', (b) => {
    const zero = b.i32(0);
    setC2(b, 0);
    b.if(isEmpty(b, zero), () => {
      deliverUnderflow(b, zero);
      b.return();
    });
    const top = readSt(b, zero);
    const x = classifyExtended(b, top.significand, top.signExponent);
    checkArgument(b, x, (when, value, flags) => {
      b.if(when, () => {
        b.call(deliver, zero, ...value, flags);
        b.return();
      });
    });
    b.call(deliver, zero, ...b.call(CORE[name], top.significand, top.signExponent));
    return undefined;
  });
}

/** Replaces ST(0) by the first result and pushes the second one. */
function deliverTwo(b: SubroutineBuilder, first: readonly Value[], second: readonly Value[], flags: Value): void {
  b.returnIf(b.and(b.call1(note, flags), b.i32(EARLY)));
  writeSt(b, b.i32(0), { significand: first[0] as Value, signExponent: first[1] as Value });
  moveTop(b, 7);
  writeSt(b, b.i32(0), { significand: second[0] as Value, signExponent: second[1] as Value });
  b.return();
}

/** FSINCOS, FPTAN: (significand, sign and exponent) → both results through `both`. */
function withPush(
  name: string,
  both: (b: SubroutineBuilder, significand: Value, signExponent: Value) => [readonly Value[], readonly Value[]],
): Subroutine {
  return subroutine(name, '>', (b) => {
    const zero = b.i32(0);
    setC2(b, 0);
    const missing = isEmpty(b, zero);
    const full = b.eqz(isEmpty(b, b.i32(7)));
    const nothing = indefinite(b);
    const none = [nothing.significand, nothing.signExponent];
    b.if(b.or(missing, full), () => {
      deliverTwo(b, none, none, b.select(missing, b.i32(STACK_UNDERFLOW), b.i32(STACK_OVERFLOW)));
    });
    const top = readSt(b, zero);
    const x = classifyExtended(b, top.significand, top.signExponent);
    checkArgument(b, x, (when, value, flags) => b.if(when, () => deliverTwo(b, value, value, flags)));
    const [first, second] = both(b, top.significand, top.signExponent);
    deliverTwo(b, first, second, b.or(first[2] as Value, second[2] as Value));
    return undefined;
  });
}

/** FSIN. */
export const topSine = onTopAngle('sin');
/** FCOS. */
export const topCosine = onTopAngle('cos');

/** FSINCOS. */
export const sineAndCosine = withPush('x87.sincos', (b, significand, signExponent) => [
  b.call(CORE.sin, significand, signExponent),
  b.call(CORE.cos, significand, signExponent),
]);

/** FPTAN: the tangent, then 1. */
export const topTangent = withPush('x87.tan', (b, significand, signExponent) => [
  b.call(tangentCore, significand, signExponent),
  [b.i64(INTEGER_BIT), b.i32(BIAS), b.i32(0)],
]);

export const trigonometricSubroutines: readonly Subroutine[] = [
  ...[reduce, sine, cosine, tangent, CORE.sin, CORE.cos, tangentCore],
  ...[topSine, topCosine, sineAndCosine, topTangent],
];
