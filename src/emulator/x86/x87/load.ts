/** What fills and rearranges the register stack: loads, constants, exchanges, conditional moves, signs (SDM vol. 1, 8.3.3, 8.3.4). */
import { SLOT } from '../../../register-set.js';
import type { Value } from '../../ir/op-builder.js';
import { type Subroutine, type SubroutineBuilder, subroutine } from '../../ir/subroutine.js';
import { EXCEPTION, flagIf, ROUNDING, roundingOf } from '../softfloat/mxcsr.js';
import { deliverUnderflow } from './arithmetic.js';
import { classifyExtended, quietedExtended, selectExtended } from './extended.js';
import { deliver, freeSt, indefinite, isEmpty, moveTop, push, readSt, writeSt } from './stack.js';
import { EARLY, note, readMode, readStatus, STACK_UNDERFLOW, STATUS } from './status.js';

/** FLD m32, m64: (significand, sign and exponent as EXTEND gives them). An SNaN is invalid, a subnormal raises DE. */
export const loadNumber = subroutine('x87.load', 'li>', (b, significand, signExponent) => {
  const x = classifyExtended(b, significand as Value, signExponent as Value);
  const flags = b.or(x.signalling, flagIf(b, x.denormal, EXCEPTION.DENORMAL));
  const value = selectExtended(b, x.nan, quietedExtended(b, x), x);
  b.call(push, value.significand, value.signExponent, flags);
  return undefined;
});

/** FLD ST(index). A missing source comes before a full stack. */
export const loadRegister = subroutine('x87.load.register', 'i>', (b, index) => {
  b.if(isEmpty(b, index as Value), () => {
    const nothing = indefinite(b);
    b.returnIf(b.and(b.call1(note, b.i32(STACK_UNDERFLOW)), b.i32(EARLY)));
    moveTop(b, 7);
    writeSt(b, b.i32(0), nothing);
    b.return();
  });
  const value = readSt(b, index as Value);
  b.call(push, value.significand, value.signExponent, b.i32(0));
  return undefined;
});

/** What `loadConstant` must know of a constant: its nearest number is above, below or exactly the true value. */
export const NEAREST_IS = { EXACT: 0, ABOVE: 1, BELOW: 2 } as const;

/** FLDPI and its kin: (nearest significand, sign and exponent, NEAREST_IS). Rounding control applies, nothing is raised. */
export const loadConstant = subroutine('x87.load.constant', 'lii>', (b, significand, signExponent, nearestIs) => {
  const rounding = roundingOf(b, readMode(b));
  const downward = b.or(b.eq(rounding, b.i32(ROUNDING.DOWN)), b.eq(rounding, b.i32(ROUNDING.ZERO)));
  const less = b.and(downward, b.eq(nearestIs as Value, b.i32(NEAREST_IS.ABOVE)));
  const upward = b.eq(rounding, b.i32(ROUNDING.UP));
  const more = b.and(upward, b.eq(nearestIs as Value, b.i32(NEAREST_IS.BELOW)));
  const adjusted = b.add(b.sub(significand as Value, b.extendU(less)), b.extendU(more));
  b.call(push, adjusted, signExponent as Value, b.i32(0));
  return undefined;
});

/** FST, FSTP ST: (ST index | pops << 8). */
export const storeRegister = subroutine('x87.store.register', 'i>', (b, where) => {
  const zero = b.i32(0);
  b.if(isEmpty(b, zero), () => {
    deliverUnderflow(b, where as Value);
    b.return();
  });
  const top = readSt(b, zero);
  b.call(deliver, where as Value, top.significand, top.signExponent, zero);
  return undefined;
});

/** FSTPNCE, an undocumented FSTP: (ST index). An empty ST(0) is popped without a stack fault and stored nowhere. */
export const storeRegisterQuietly = subroutine('x87.store.register.quietly', 'i>', (b, index) => {
  b.if(isEmpty(b, b.i32(0)), () => {
    moveTop(b, 1);
    b.return();
  });
  b.call(storeRegister, b.or(index as Value, b.i32(1 << 8)));
  return undefined;
});

/** FXCH: (ST index). */
export const exchange = subroutine('x87.exchange', 'i>', (b, index) => {
  const zero = b.i32(0);
  const [noTop, noOther] = [isEmpty(b, zero), isEmpty(b, index as Value)];
  const flags = b.select(b.or(noTop, noOther), b.i32(STACK_UNDERFLOW), zero);
  b.returnIf(b.and(b.call1(note, flags), b.i32(EARLY)));
  const top = selectExtended(b, noTop, indefinite(b), readSt(b, zero));
  const other = selectExtended(b, noOther, indefinite(b), readSt(b, index as Value));
  writeSt(b, zero, other);
  writeSt(b, index as Value, top);
  return undefined;
});

/** FCMOVcc: (ST index, condition). */
export const moveIf = subroutine('x87.move.if', 'ii>', (b, index, condition) => {
  const zero = b.i32(0);
  b.if(b.or(isEmpty(b, zero), isEmpty(b, index as Value)), () => {
    deliverUnderflow(b, zero);
    b.return();
  });
  // C1 stays.
  writeSt(b, zero, selectExtended(b, condition as Value, readSt(b, index as Value), readSt(b, zero)));
  return undefined;
});

/** FABS, FCHS: (bits of the sign to keep, bits to turn). */
export const changeSign = subroutine('x87.sign', 'ii>', (b, keep, turn) => {
  const zero = b.i32(0);
  b.if(isEmpty(b, zero), () => {
    deliverUnderflow(b, zero);
    b.return();
  });
  const top = readSt(b, zero);
  const signExponent = b.xor(b.and(top.signExponent, keep as Value), turn as Value);
  b.call(deliver, zero, top.significand, signExponent, zero);
  return undefined;
});

function clearC1(b: SubroutineBuilder): void {
  b.rawStore('store32', b.cpu, SLOT.FSW, b.and(readStatus(b), b.i32(~STATUS.C1)));
}

/** FINCSTP (1), FDECSTP (7). */
function rotate(by: number): Subroutine {
  return subroutine(`x87.rotate.${by}`, '>', (b) => {
    moveTop(b, by);
    clearC1(b);
    return undefined;
  });
}

export const ROTATE = { up: rotate(1), down: rotate(7) } as const;

/** FFREE: (ST index). Intel's processors clear C1. */
export const free = subroutine('x87.free', 'i>', (b, index) => {
  freeSt(b, index as Value);
  clearC1(b);
  return undefined;
});

export const loadSubroutines: readonly Subroutine[] = [
  ...[loadNumber, loadRegister, loadConstant, storeRegister, storeRegisterQuietly, exchange, moveIf, changeSign, free],
  ...[ROTATE.up, ROTATE.down],
];
