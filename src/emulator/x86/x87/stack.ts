/** The register stack in the CPU struct: registers by physical number, TOP, tags (SDM vol. 1, 8.1.2, 8.1.7). */
import { SLOT } from '../../../register-set.js';
import type { Value } from '../../ir/op-builder.js';
import { type Subroutine, type SubroutineBuilder, subroutine } from '../../ir/subroutine.js';
import { EXCEPTION } from '../softfloat/mxcsr.js';
import { EARLY, note, STACK_OVERFLOW } from './status.js';

/** A number in extended precision: significand (i64), sign and exponent (i32, 16 bits). */
export interface Extended {
  readonly significand: Value;
  readonly signExponent: Value;
}

/** The QNaN of a masked invalid operation. */
export const INDEFINITE_SIGNIFICAND = 0xc000_0000_0000_0000n;
export const INDEFINITE_SIGN_EXPONENT = 0xffff;

export function indefinite(b: SubroutineBuilder): Extended {
  return { significand: b.i64(INDEFINITE_SIGNIFICAND), signExponent: b.i32(INDEFINITE_SIGN_EXPONENT) };
}

/** Physical number of ST(index). */
export function physical(b: SubroutineBuilder, index: Value): Value {
  return b.and(b.add(b.raw('load32', b.cpu, SLOT.FTOP), index), b.i32(7));
}

function registerAddress(b: SubroutineBuilder, number: Value): Value {
  return b.add(b.cpu, b.shl(number, b.i32(4)));
}

/** ST(index), whatever its tag says. */
export function readSt(b: SubroutineBuilder, index: Value): Extended {
  const at = registerAddress(b, physical(b, index));
  return {
    significand: b.raw('load64', at, SLOT.X87),
    signExponent: b.raw('load16', at, SLOT.X87 + 8),
  };
}

/** Writes ST(index) and marks it as in use. */
export function writeSt(b: SubroutineBuilder, index: Value, value: Extended): void {
  const number = physical(b, index);
  const at = registerAddress(b, number);
  b.rawStore('store64', at, SLOT.X87, value.significand);
  b.rawStore('store16', at, SLOT.X87 + 8, value.signExponent);
  const tags = b.raw('load32', b.cpu, SLOT.FTAG);
  b.rawStore('store32', b.cpu, SLOT.FTAG, b.or(tags, b.shl(b.i32(1), number)));
}

/** 1 (i32) when ST(index) is empty. */
export function isEmpty(b: SubroutineBuilder, index: Value): Value {
  const tags = b.raw('load32', b.cpu, SLOT.FTAG);
  return b.xor(b.and(b.shrU(tags, physical(b, index)), b.i32(1)), b.i32(1));
}

/** Marks ST(index) as empty. */
export function freeSt(b: SubroutineBuilder, index: Value): void {
  const tags = b.raw('load32', b.cpu, SLOT.FTAG);
  const bit = b.shl(b.i32(1), physical(b, index));
  b.rawStore('store32', b.cpu, SLOT.FTAG, b.and(tags, b.not(bit)));
}

/** Adds to TOP (modulo 8). */
export function moveTop(b: SubroutineBuilder, by: number): void {
  b.rawStore('store32', b.cpu, SLOT.FTOP, physical(b, b.i32(by)));
}

/** Pops `count` (i32: 0, 1 or 2) registers. */
export function popCount(b: SubroutineBuilder, count: Value): void {
  for (const nth of [1, 2]) {
    b.if(b.geU(count, b.i32(nth)), () => {
      freeSt(b, b.i32(0));
      moveTop(b, 1);
    });
  }
}

/**
 * Delivers a result: (ST index | registers to pop << 8, significand, sign and exponent, flags). An unmasked exception that was found
 * before computing leaves registers and stack as they were; any other one lets the result through.
 */
export const deliver = subroutine('x87.deliver', 'ilii>', (b, where, significand, signExponent, flags) => {
  const unmasked = b.call1(note, flags as Value);
  b.returnIf(b.and(unmasked, b.i32(EARLY)));
  const index = b.and(where as Value, b.i32(7));
  writeSt(b, index, { significand: significand as Value, signExponent: signExponent as Value });
  popCount(b, b.shrU(where as Value, b.i32(8)));
  return undefined;
});

/**
 * (significand, sign and exponent, flags): pushes a number, or the indefinite one when the stack is full. A subnormal is
 * pushed even where its DE is unmasked.
 */
export const push = subroutine('x87.push', 'lii>', (b, significand, signExponent, flags) => {
  const full = b.eqz(isEmpty(b, b.i32(7)));
  const unmasked = b.call1(note, b.select(full, b.i32(STACK_OVERFLOW), flags as Value));
  b.returnIf(b.and(unmasked, b.i32(EXCEPTION.INVALID)));
  moveTop(b, 7);
  const nothing = indefinite(b);
  writeSt(b, b.i32(0), {
    significand: b.select(full, nothing.significand, significand as Value),
    signExponent: b.select(full, nothing.signExponent, signExponent as Value),
  });
  return undefined;
});

/** (registers to pop). */
export const pop = subroutine('x87.pop', 'i>', (b, count) => {
  popCount(b, count as Value);
  return undefined;
});

export const stackSubroutines: readonly Subroutine[] = [note, deliver, push, pop];
