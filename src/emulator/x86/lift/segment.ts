/** Segment registers and descriptors as user mode sees them: SDM vol. 1, 5.1.12, and vol. 3A, chapter 5. */
import { Mnemonic, Register } from '../../../iced-x86.js';
import { SLOT } from '../../../register-set.js';
import type { Value } from '../../ir/op-builder.js';
import { FAULT } from '../../stop.js';
import { descriptorField, isNull, isReadable, isWritable } from '../descriptors.js';
import { ARITHMETIC_FLAGS, arithmeticFlags, FLAG, setArithmeticFlags } from '../flags.js';
import { type InsnRow, type Lifter, type LiftFunction, row, UndefinedInstruction } from '../lifter.js';
import { registerSlot } from '../registers.js';

/** Faults unless a segment register may be loaded with the selector (i32); CS never may. */
export function checkSegment(b: Lifter, register: Register, selector: Value): void {
  if (register === Register.CS) throw new UndefinedInstruction('a load of CS');
  if (register === Register.SS) {
    // Data, writable, requested privilege level 3.
    const legal = b.and(isWritable(b, selector), b.eq(b.and(selector, b.i32(3)), b.i32(3)));
    return b.faultIf(b.eqz(legal), FAULT.PROTECTION);
  }
  b.faultIf(b.eqz(b.or(isNull(b, selector), isReadable(b, selector))), FAULT.PROTECTION);
}

/** Loads a segment register with a selector that `checkSegment` has let pass. Every descriptor has base 0. */
export function setSegment(b: Lifter, register: Register, selector: Value): void {
  b.set(registerSlot(register).slot, 4, b.and(selector, b.i32(0xffff)));
  if (register === Register.FS) b.set(SLOT.FS_BASE, 8, b.i64(0));
  if (register === Register.GS) b.set(SLOT.GS_BASE, 8, b.i64(0));
}

/** LSS, LFS, LGS: a far pointer from memory: the offset, then the selector. */
function loadFarPointer(register: Register): LiftFunction {
  return (b) => {
    const size = b.size(0);
    const at = b.address(1);
    const offset = b.load(at, size);
    const selector = b.load(b.at(at, size), 2);
    checkSegment(b, register, selector);
    setSegment(b, register, selector);
    b.write(0, offset);
  };
}

function setZero(b: Lifter, zero: Value): void {
  const rest = b.and(arithmeticFlags(b), b.i32(ARITHMETIC_FLAGS & ~FLAG.ZF));
  setArithmeticFlags(b, b.or(rest, b.shl(zero, b.i32(6))));
}

/** LAR, LSL: ZF, and the destination changes, when the selector names a descriptor. */
function describe(field: 'rights' | 'limit'): LiftFunction {
  return (b) => {
    const selector = b.readSized(1, 2);
    const valid = isReadable(b, selector);
    const value = descriptorField(b, selector, field);
    const size = b.size(0);
    b.writeUnless(b.eqz(valid), 0, size === 8 ? b.extendU(value) : b.truncate(value, size));
    setZero(b, valid);
  };
}

/** RDFSBASE and its kin; a base must be canonical. */
function readBase(slot: number): LiftFunction {
  return (b) => b.write(0, b.get(slot, b.size(0)));
}

function writeBase(slot: number): LiftFunction {
  return (b) => {
    const base = b.extendU(b.read(0));
    const sign = b.shrS(base, b.i64(47));
    b.faultIf(b.and(b.ne(sign, b.i64(0)), b.ne(sign, b.i64(-1))), FAULT.PROTECTION);
    b.set(slot, 8, base);
  };
}

export const segments: readonly InsnRow[] = [
  row(Mnemonic.Lss, loadFarPointer(Register.SS)),
  row(Mnemonic.Lfs, loadFarPointer(Register.FS)),
  row(Mnemonic.Lgs, loadFarPointer(Register.GS)),
  row(Mnemonic.Lar, describe('rights')),
  row(Mnemonic.Lsl, describe('limit')),
  row(Mnemonic.Verr, (b) => setZero(b, isReadable(b, b.readSized(0, 2)))),
  row(Mnemonic.Verw, (b) => setZero(b, isWritable(b, b.readSized(0, 2)))),
  row(Mnemonic.Rdfsbase, readBase(SLOT.FS_BASE)),
  row(Mnemonic.Rdgsbase, readBase(SLOT.GS_BASE)),
  row(Mnemonic.Wrfsbase, writeBase(SLOT.FS_BASE)),
  row(Mnemonic.Wrgsbase, writeBase(SLOT.GS_BASE)),
];
