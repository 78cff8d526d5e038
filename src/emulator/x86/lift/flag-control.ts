/** Instructions on the flags themselves: SDM vol. 1, 5.1.11. */
import { Mnemonic } from '../../../iced-x86.js';
import { GPR, SLOT } from '../../../register-set.js';
import type { Value } from '../../ir/op-builder.js';
import { FAULT } from '../../stop.js';
import { condition } from '../conditions.js';
import { changeFlags } from '../flag-parts.js';
import { ARITHMETIC_FLAGS, arithmeticFlags, FLAG, setArithmeticFlags } from '../flags.js';
import { type InsnRow, type Lifter, row } from '../lifter.js';

/** SF ZF AF PF CF: what AH holds. */
const LOW_FLAGS = FLAG.SF | FLAG.ZF | FLAG.AF | FLAG.PF | FLAG.CF;
const AH = SLOT.GPR + 8 * GPR.RAX + 1;
/** Of the flags that are kept apart, what POPF changes at privilege level 3: IF and IOPL stay, RF is cleared (SDM vol. 2B, table 4-16). */
const USER_REST = FLAG.TF | FLAG.NT | FLAG.AC | FLAG.ID;

function lahf(b: Lifter): void {
  b.set(AH, 1, b.or(b.and(arithmeticFlags(b), b.i32(LOW_FLAGS)), b.i32(2)));
}

function sahf(b: Lifter): void {
  const kept = b.and(arithmeticFlags(b), b.i32(FLAG.OF));
  setArithmeticFlags(b, b.or(kept, b.and(b.get(AH, 1), b.i32(LOW_FLAGS))));
}

function direction(b: Lifter, value: number): void {
  b.set(SLOT.DF, 4, b.i32(value));
}

/** RFLAGS as PUSHF shows them (i32). */
export function readFlags(b: Lifter): Value {
  const df = b.shl(b.get(SLOT.DF, 4), b.i32(10));
  return b.or(b.or(arithmeticFlags(b), df), b.get(SLOT.FLAGS_REST, 4));
}

/** Sets of RFLAGS what user mode may, from an i32; a 16-bit value leaves AC and ID. */
export function writeFlags(b: Lifter, value: Value, size: number): void {
  const rest = size === 2 ? USER_REST & 0xffff : USER_REST;
  const kept = b.and(b.get(SLOT.FLAGS_REST, 4), b.i32(~rest));
  b.set(SLOT.FLAGS_REST, 4, b.or(kept, b.and(value, b.i32(rest))));
  b.set(SLOT.DF, 4, b.and(b.shrU(value, b.i32(10)), b.i32(1)));
  setArithmeticFlags(b, b.and(value, b.i32(ARITHMETIC_FLAGS)));
}

function pushf(b: Lifter, size: number): void {
  const flags = readFlags(b);
  b.push(size === 2 ? flags : b.extendU(flags), size);
}

function popf(b: Lifter, size: number): void {
  const value = b.wrap(b.top(size));
  const stepping = b.ne(b.and(value, b.i32(FLAG.TF)), b.i32(0));
  b.faultIf(b.and(stepping, b.ne(b.fuel(), b.i32(0))), FAULT.BEGIN_STEPPING);
  b.drop(size);
  writeFlags(b, value, size);
}

export const flagControl: readonly InsnRow[] = [
  row(Mnemonic.Lahf, lahf),
  row(Mnemonic.Sahf, sahf),
  row(Mnemonic.Clc, (b) => changeFlags(b, { carry: b.i32(0) })),
  row(Mnemonic.Stc, (b) => changeFlags(b, { carry: b.i32(1) })),
  row(Mnemonic.Cmc, (b) => changeFlags(b, { carry: condition(b, 3) })),
  row(Mnemonic.Cld, (b) => direction(b, 0)),
  row(Mnemonic.Std, (b) => direction(b, 1)),
  row(Mnemonic.Pushf, (b) => pushf(b, 2)),
  row(Mnemonic.Pushfq, (b) => pushf(b, 8)),
  row(Mnemonic.Popf, (b) => popf(b, 2)),
  row(Mnemonic.Popfq, (b) => popf(b, 8)),
];
