/** FPATAN: the angle of the point (x, y) = (ST(0), ST(1)) (SDM vol. 2A, FPATAN, table 3-31). */
import type { Value } from '../../ir/op-builder.js';
import { type Subroutine, type SubroutineBuilder, subroutine } from '../../ir/subroutine.js';
import { EXCEPTION, flagIf } from '../softfloat/mxcsr.js';
import type { Wide } from '../softfloat/wide.js';
import { returnExtendedIf, returnSpecial } from './arithmetic.js';
import { classifyExtended, normalizeExtended, type Operand, zeroOf } from './extended.js';
import {
  addFractions,
  constantFraction,
  divideFractions,
  multiplyFractions,
  normalizeFraction,
  ONE,
  polynomial,
  reciprocals,
  selectFraction,
  shiftFractionBy,
  subtractFractions,
} from './fraction.js';
import { inexactResult, onTwo } from './transcendental.js';

/** π / 4 · 2^128, and so π · 2^126: angles, which reach π, are measured in 2^-126. */
const QUARTER_PI = 0xc90f_daa2_2168_c234_c4c6_628b_80dc_1cd1n;
/** atan(r) / r = 1 - r² / 3 + r⁴ / 5 - … for r up to 1 / 31. */
const SERIES = reciprocals(14, (n) => 2n * n + 1n);
/** The tangents 0, 1/16 … 15/16 have known angles. */
const KNOWN = 16;

/** atan(k / 16) · 2^126, by Euler's series: the sum of 2^2n (n!)² / (2n + 1)! · t^(2n + 1) / (1 + t²)^(n + 1). */
function knownAngle(k: number): bigint {
  const guard = 32n;
  const [tangent, whole] = [BigInt(k), BigInt(KNOWN)];
  const square = tangent * tangent;
  const hypotenuse = square + whole * whole;
  let term = ((tangent * whole) << (126n + guard)) / hypotenuse;
  let sum = 0n;
  for (let n = 1n; term > 0n; n++) {
    sum += term;
    term = (term * 2n * n * square) / ((2n * n + 1n) * hypotenuse);
  }
  return sum >> guard;
}

/** (k from 0 to 15) → atan(k / 16) in units of 2^-126. */
const knownAngles = subroutine('x87.atan.known', 'i>ll', (b, k) => {
  for (let i = 1; i < KNOWN; i++) {
    const angle = constantFraction(b, knownAngle(i));
    b.returnIf(b.eq(k as Value, b.i32(i)), angle.high, angle.low);
  }
  return [b.i64(0), b.i64(0)];
});

/** atan(r) for r = fraction · 2^exponent up to 1 / 31, in the same form. */
function smallAngle(b: SubroutineBuilder, fraction: Wide, exponent: Value): { fraction: Wide; exponent: Value } {
  const r = shiftFractionBy(b, fraction, b.sub(b.i32(0), exponent));
  const sum = polynomial(b, multiplyFractions(b, r, r), SERIES, true);
  // One unit less: the angle is below r, even where no term of the series says so any more.
  const product = subtractFractions(b, multiplyFractions(b, fraction, sum), constantFraction(b, 1n));
  return { fraction: product, exponent: b.add(exponent, b.i32(1)) };
}

/** (n, d, e) → fraction, exponent of atan(n / d · 2^e), for significands n and d and a tangent up to 1. */
const angle = subroutine('x87.atan', 'lli>lli', (b, n, d, e) => {
  const ratio = divideFractions(b, { high: n as Value, low: b.i64(0) }, { high: d as Value, low: b.i64(0) });
  // The tangent t and k / 16 in units of 2^-127.
  const t = shiftFractionBy(b, ratio, b.sub(b.i32(0), e as Value));
  const sixteenths = b.shrU(b.add(b.shrU(t.high, b.i64(58)), b.i64(1)), b.i64(1));
  const k = b.select(b.gtU(sixteenths, b.i64(KNOWN - 1)), b.i64(KNOWN - 1), sixteenths);
  b.if(b.eqz(k), () => {
    const small = smallAngle(b, ratio, b.add(e as Value, b.i32(1)));
    b.return(small.fraction.high, small.fraction.low, small.exponent);
  });
  const reference = { high: b.shl(k, b.i64(59)), low: b.i64(0) };
  const below = b.ltU(t.high, reference.high);
  const apart = selectFraction(b, below, subtractFractions(b, reference, t), subtractFractions(b, t, reference));
  // r = |t - k / 16| / (1 + t k / 16).
  const gap = normalizeFraction(b, apart);
  const product = multiplyFractions(b, t, { high: b.shl(k, b.i64(60)), low: b.i64(0) });
  const reduced = divideFractions(b, gap.fraction, addFractions(b, constantFraction(b, ONE), product));
  const small = smallAngle(b, reduced, b.sub(b.i32(1), gap.zeros));
  const fixed = shiftFractionBy(b, small.fraction, b.sub(b.i32(2), small.exponent));
  const [high, low] = b.call(knownAngles, b.wrap(k)) as [Value, Value];
  const known = { high, low };
  const sum = selectFraction(b, below, subtractFractions(b, known, fixed), addFractions(b, known, fixed));
  return [sum.high, sum.low, b.i32(2)];
});

/** Leaves with a multiple of π / 4, of y's sign. */
function returnMultiple(b: SubroutineBuilder, condition: Value, y: Operand, quarters: bigint, flags: Value): void {
  b.if(condition, () => {
    const multiple = constantFraction(b, (QUARTER_PI * quarters) >> 2n);
    b.return(...inexactResult(b, y.sign, multiple, b.i32(2), flags));
  });
}

const core = subroutine('x87.core.patan', 'lili>lii', (b, xs, xe, ys, ye) => {
  const x = classifyExtended(b, xs as Value, xe as Value);
  const y = classifyExtended(b, ys as Value, ye as Value);
  returnSpecial(b, x, y);
  const flags = flagIf(b, b.or(x.denormal, y.denormal), EXCEPTION.DENORMAL);
  const positive = b.eqz(x.sign);
  const both = b.and(x.infinite, y.infinite);
  returnMultiple(b, b.and(both, positive), y, 1n, flags);
  returnMultiple(b, both, y, 3n, flags);
  const flat = b.or(y.zero, x.infinite);
  returnExtendedIf(b, b.and(flat, positive), zeroOf(b, y.sign), flags);
  returnMultiple(b, flat, y, 4n, flags);
  returnMultiple(b, b.or(x.zero, y.infinite), y, 2n, flags);

  const nx = normalizeExtended(b, x);
  const ny = normalizeExtended(b, y);
  const same = b.eq(nx.exponent, ny.exponent);
  const steep = b.select(same, b.gtU(ny.significand, nx.significand), b.gtS(ny.exponent, nx.exponent));
  const n = b.select(steep, nx.significand, ny.significand);
  const d = b.select(steep, ny.significand, nx.significand);
  const apart = b.sub(ny.exponent, nx.exponent);
  const [high, low, exponent] = b.call(angle, n, d, b.select(steep, b.sub(b.i32(0), apart), apart)) as [
    Value,
    Value,
    Value,
  ];
  const found = { high, low };
  // Without a reflection a small angle keeps all its bits.
  b.if(b.and(positive, b.eqz(steep)), () => b.return(...inexactResult(b, y.sign, found, exponent, flags)));
  const fixed = shiftFractionBy(b, found, b.sub(b.i32(2), exponent));
  const half = constantFraction(b, QUARTER_PI >> 1n);
  const first = selectFraction(b, steep, subtractFractions(b, half, fixed), fixed);
  const second = subtractFractions(b, constantFraction(b, QUARTER_PI), first);
  return inexactResult(b, y.sign, selectFraction(b, x.sign, second, first), b.i32(2), flags);
});

/** FPATAN. */
export const arctangent = onTwo('x87.patan', core);

export const arctangentSubroutines: readonly Subroutine[] = [knownAngles, angle, core, arctangent];
