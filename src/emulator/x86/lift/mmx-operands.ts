/** MMX registers: the significands of the physical x87 registers, and what their use does to the x87 (SDM vol. 1, 9.5.1). */
import { SLOT } from '../../../register-set.js';
import type { Value } from '../../ir/op-builder.js';
import type { Lifter } from '../lifter.js';
import { registerSlot } from '../registers.js';

const ALL_IN_USE = 0xff;
/** Exponent and sign of an x87 register that holds an MMX value. */
const MMX_SIGN_EXPONENT = 0xffff;

export function isMmx(b: Lifter, operand: number): boolean {
  return b.isRegister(operand) && registerSlot(b.insn.opRegister(operand)).kind === 'mmx';
}

/** What the use of an MMX register does to the x87: TOP is 0 and every register is in use. */
export function enterMmx(b: Lifter): void {
  b.set(SLOT.FTOP, 4, b.i32(0));
  b.set(SLOT.FTAG, 4, b.i32(ALL_IN_USE));
}

/** The 8 bytes of an MMX register or of memory; a shorter memory operand is zero-extended. */
export function readMmx(b: Lifter, operand: number): Value {
  return b.extendU(b.readSized(operand, b.size(operand)));
}

/** Writes an MMX register (i64). */
export function writeMmx(b: Lifter, operand: number, value: Value): void {
  const { slot } = registerSlot(b.insn.opRegister(operand));
  enterMmx(b);
  b.set(slot, 8, value);
  b.set(slot + 8, 2, b.i32(MMX_SIGN_EXPONENT));
}
