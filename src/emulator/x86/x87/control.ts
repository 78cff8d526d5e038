/** Control and environment of the x87 (SDM vol. 1, 8.1.10, 8.3.9). */
import { SLOT } from '../../../register-set.js';
import type { Value } from '../../ir/op-builder.js';
import { type Subroutine, type SubroutineBuilder, subroutine } from '../../ir/subroutine.js';
import { ALL_EXCEPTIONS } from '../softfloat/mxcsr.js';
import { classifyExtended } from './extended.js';
import { readSt, writeSt } from './stack.js';
import { PENDING, readControl, readStatus } from './status.js';

/** Bits of the control word that can be set; bit 6 always is. */
const CONTROL_BITS = 0x1f3f;
const CONTROL_ONES = 0x40;
export const INITIAL_CONTROL = 0x37f;

/** Makes ES and B agree with the exception flags and masks. */
function updatePending(b: SubroutineBuilder): void {
  const status = b.and(readStatus(b), b.i32(~PENDING));
  const unmasked = b.and(b.and(status, b.not(readControl(b))), b.i32(ALL_EXCEPTIONS));
  const pending = b.select(unmasked, b.i32(PENDING), b.i32(0));
  b.rawStore('store32', b.cpu, SLOT.FSW, b.or(status, pending));
}

/** FLDCW: (control word). */
export const setControl = subroutine('x87.control.set', 'i>', (b, control) => {
  const valid = b.or(b.and(control as Value, b.i32(CONTROL_BITS)), b.i32(CONTROL_ONES));
  b.rawStore('store32', b.cpu, SLOT.FCW, valid);
  updatePending(b);
  return undefined;
});

/** (status word with TOP): sets it, with ES and B as the control word makes them. */
export const setStatus = subroutine('x87.status.set', 'i>', (b, status) => {
  b.rawStore('store32', b.cpu, SLOT.FTOP, b.and(b.shrU(status as Value, b.i32(11)), b.i32(7)));
  b.rawStore('store32', b.cpu, SLOT.FSW, b.and(status as Value, b.i32(0xffff & ~0x3800)));
  updatePending(b);
  return undefined;
});

/** FNINIT. The registers keep their contents. */
export const initialize = subroutine('x87.initialize', '>', (b) => {
  for (const slot of [SLOT.FSW, SLOT.FTOP, SLOT.FTAG, SLOT.FOP]) b.rawStore('store32', b.cpu, slot, b.i32(0));
  for (const slot of [SLOT.FIP, SLOT.FDP]) b.rawStore('store64', b.cpu, slot, b.i64(0));
  b.rawStore('store32', b.cpu, SLOT.FCW, b.i32(INITIAL_CONTROL));
  return undefined;
});

/** () → the tag word of FNSTENV: two bits a physical register: 0 valid, 1 zero, 2 special, 3 empty (SDM vol. 1, 8.1.7). */
export const fullTags = subroutine('x87.tags', '>i', (b) => {
  const top = b.raw('load32', b.cpu, SLOT.FTOP);
  const inUse = b.raw('load32', b.cpu, SLOT.FTAG);
  let word = b.i32(0);
  for (let number = 0; number < 8; number++) {
    const { significand, signExponent } = readSt(b, b.sub(b.i32(number), top));
    const x = classifyExtended(b, significand, signExponent);
    const special = [x.nan, x.infinite, x.denormal, x.unsupported].reduce((p, q) => b.or(p, q));
    const tag = b.select(x.zero, b.i32(1), b.select(special, b.i32(2), b.i32(0)));
    const present = b.and(inUse, b.i32(1 << number));
    word = b.or(word, b.shl(b.select(present, tag, b.i32(3)), b.i32(2 * number)));
  }
  return word;
});

/** (tag word of FLDENV): empty or not is all that counts. */
export const setTags = subroutine('x87.tags.set', 'i>', (b, word) => {
  let inUse = b.i32(0);
  for (let number = 0; number < 8; number++) {
    const tag = b.and(b.shrU(word as Value, b.i32(2 * number)), b.i32(3));
    inUse = b.or(inUse, b.shl(b.ne(tag, b.i32(3)), b.i32(number)));
  }
  b.rawStore('store32', b.cpu, SLOT.FTAG, inUse);
  return undefined;
});

/** (ST index) → significand, sign and exponent, whatever the tag says. */
export const saveSt = subroutine('x87.save', 'i>li', (b, index) => {
  const { significand, signExponent } = readSt(b, index as Value);
  return [significand, signExponent];
});

/** (ST index, significand, sign and exponent): the tag stays. */
export const loadSt = subroutine('x87.restore', 'ili>', (b, index, significand, signExponent) => {
  const tags = b.raw('load32', b.cpu, SLOT.FTAG);
  writeSt(b, index as Value, { significand: significand as Value, signExponent: signExponent as Value });
  b.rawStore('store32', b.cpu, SLOT.FTAG, tags);
  return undefined;
});

export const controlSubroutines: readonly Subroutine[] = [
  ...[setControl, setStatus, initialize, fullTags, setTags],
  ...[saveSt, loadSt],
];
