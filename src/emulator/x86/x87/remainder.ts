/** FPREM and FPREM1: exact remainders, some of the quotient's bits at a time (SDM vol. 2A, FPREM, FPREM1). */
import { SLOT } from '../../../register-set.js';
import type { Value } from '../../ir/op-builder.js';
import { type Subroutine, type SubroutineBuilder, subroutine } from '../../ir/subroutine.js';
import { EXCEPTION, flagIf } from '../softfloat/mxcsr.js';
import { divideWide } from '../softfloat/wide.js';
import { deliverUnderflow, finish, returnExtendedIf, returnInvalidIf, returnSpecial } from './arithmetic.js';
import { classifyExtended, normalizeExtended, zeroOf } from './extended.js';
import { deliver, isEmpty, readSt } from './stack.js';
import { CONDITION_CODES, fullPrecision, readMode, readStatus, STATUS } from './status.js';

/** Among the flags: the condition codes that report the quotient, already in their places in the status word. */
const CODES = CONDITION_CODES & ~STATUS.C1;
/** Among the flags, too: both operands were numbers, so that there is a quotient. */
const REDUCED = 1 << 16;
/** Exponents this far apart are reduced in steps. */
const COMPLETE = 64;

/** C0, C3, C1 from the quotient's bits 2, 1, 0. */
function quotientCodes(b: SubroutineBuilder, quotient: Value): Value {
  const low = b.wrap(quotient);
  const bitTo = (from: number, code: number): Value =>
    b.shl(b.and(b.shrU(low, b.i32(from)), b.i32(1)), b.i32(31 - Math.clz32(code)));
  return [bitTo(2, STATUS.C0), bitTo(1, STATUS.C3), bitTo(0, STATUS.C1)].reduce((x, y) => b.or(x, y));
}

/** (x, y) → remainder, its flags with C0 C1 C2 C3. `nearest`: the quotient is rounded to nearest (FPREM1) instead of chopped. */
function core(name: string, nearest: boolean): Subroutine {
  return subroutine(name, 'lili>lii', (b, xs, xe, ys, ye) => {
    const x = classifyExtended(b, xs as Value, xe as Value);
    const y = classifyExtended(b, ys as Value, ye as Value);
    returnSpecial(b, x, y);
    returnInvalidIf(b, b.or(x.infinite, y.zero));
    const flags = b.or(flagIf(b, b.or(x.denormal, y.denormal), EXCEPTION.DENORMAL), b.i32(REDUCED));
    returnExtendedIf(b, x.zero, x, flags);
    const nx = normalizeExtended(b, x);
    const ny = normalizeExtended(b, y);
    const mode = fullPrecision(b, readMode(b));
    const apart = b.sub(nx.exponent, ny.exponent);
    const smaller = b.ltS(apart, b.i32(nearest ? -1 : 0));
    b.if(b.or(y.infinite, smaller), () => {
      b.return(...finish(b, mode, x.sign, [nx.exponent, nx.significand, b.i64(0)], flags));
    });

    // Zen takes 32 to 63 bits of a longer quotient, so that a multiple of 32 remains.
    const partial = b.geS(apart, b.i32(COMPLETE));
    const step = b.or(b.and(apart, b.i32(31)), b.i32(32));
    const bits = b.select(partial, step, apart);
    const below = b.ltS(apart, b.i32(0));
    const count = b.extendU(b.select(below, b.i32(0), bits));
    // The first bit of the quotient, then `count` more in one division.
    const first = b.and(b.geU(nx.significand, ny.significand), b.eqz(below));
    const start = b.sub(nx.significand, b.select(first, ny.significand, b.i64(0)));
    const high = b.select(b.eqz(count), b.i64(0), b.shrU(start, b.sub(b.i64(64), count)));
    const divided = b.call(divideWide, high, b.shl(start, count), ny.significand) as [Value, Value];
    const shifted = b.eqz(b.eqz(count));
    const rest = b.variable(b.select(shifted, divided[1], start));
    const quotient = b.variable(b.add(b.shl(b.extendU(first), count), b.select(shifted, divided[0], b.i64(0))));
    const exponent = b.variable(b.select(below, nx.exponent, b.sub(nx.exponent, b.wrap(count))));
    const sign = b.variable(x.sign);
    if (nearest) {
      b.if(b.eqz(partial), () => roundQuotient(b, { rest, quotient, exponent, sign }, ny.significand, below));
    }

    const codes = b.select(partial, b.i32(STATUS.C2), quotientCodes(b, b.read(quotient)));
    const all = b.or(flags, codes);
    const left = b.read(rest);
    returnExtendedIf(b, b.eqz(left), zeroOf(b, x.sign), all);
    const zeros = b.op('i64.clz', left);
    const normalized = [b.sub(b.read(exponent), b.wrap(zeros)), b.shl(left, zeros), b.i64(0)];
    return finish(b, mode, b.read(sign), normalized, all);
  });
}

interface Division {
  readonly rest: Variable;
  readonly quotient: Variable;
  readonly exponent: Variable;
  readonly sign: Variable;
}
type Variable = ReturnType<SubroutineBuilder['variable']>;

/**
 * One more when the rest is above half of the divisor, or is half and the quotient odd. `below`: the rest is in units half as large as the
 * divisor's (x had the smaller exponent), so that rest · 2 against the divisor becomes rest against it.
 */
function roundQuotient(b: SubroutineBuilder, division: Division, divisor: Value, below: Value): void {
  const rest = b.read(division.rest);
  const odd = b.wrap(b.and(b.read(division.quotient), b.i64(1)));
  const other = b.select(below, divisor, b.sub(divisor, rest));
  const up = b.or(b.gtU(rest, other), b.and(b.eq(rest, other), odd));
  b.if(up, () => {
    b.assign(division.quotient, b.add(b.read(division.quotient), b.i64(1)));
    // divisor - rest; in half units twice the divisor less the rest, which fits as the rest is above the divisor.
    const full = b.select(below, b.add(divisor, b.sub(divisor, rest)), b.sub(divisor, rest));
    b.assign(division.rest, full);
    b.assign(division.sign, b.xor(b.read(division.sign), b.i32(1)));
  });
}

function onStack(name: string, sub: Subroutine): Subroutine {
  return subroutine(name, '>', (b) => {
    const [zero, one] = [b.i32(0), b.i32(1)];
    b.rawStore('store32', b.cpu, SLOT.FSW, b.and(readStatus(b), b.i32(~STATUS.C2)));
    b.if(b.or(isEmpty(b, zero), isEmpty(b, one)), () => {
      deliverUnderflow(b, zero);
      b.return();
    });
    const [x, y] = [readSt(b, zero), readSt(b, one)];
    const result = b.call(sub, x.significand, x.signExponent, y.significand, y.signExponent) as [Value, Value, Value];
    // Without a quotient C0 and C3 stay as they were.
    b.if(b.and(result[2], b.i32(REDUCED)), () => {
      const status = b.and(readStatus(b), b.i32(~CODES));
      b.rawStore('store32', b.cpu, SLOT.FSW, b.or(status, b.and(result[2], b.i32(CODES))));
    });
    b.call(deliver, zero, ...result);
    return undefined;
  });
}

const chopped = core('x87.core.remainder', false);
const rounded = core('x87.core.remainder1', true);
/** FPREM. */
export const remainder = onStack('x87.remainder', chopped);
/** FPREM1. */
export const remainder1 = onStack('x87.remainder1', rounded);

export const remainderSubroutines: readonly Subroutine[] = [chopped, rounded, remainder, remainder1];
