/**
 * String instructions: SDM vol. 1, 5.1.8. One execution of a repeated one does one iteration and goes on at itself until it is finished, so
 * that an iteration is the unit of retirement, of a step and of a fault. REP MOVS and STOS then do as many more as lie in the same page
 * and the fuel allows, and retire these at once (x86/string-subroutines.ts).
 */
import { Mnemonic, OpKind } from '../../../iced-x86.js';
import { GPR, SLOT } from '../../../register-set.js';
import type { Value } from '../../ir/op-builder.js';
import { condition } from '../conditions.js';
import { FLAGS_BASE, flagsKind } from '../flags.js';
import { type InsnRow, type Lifter, type LiftFunction, row } from '../lifter.js';
import { copyElements, fillElements } from '../string-subroutines.js';

/** Bytes of rSI, rDI and rCX: the address size. */
function addressSize(b: Lifter): number {
  const kinds = [b.insn.opKind(0), b.insn.opKind(1)];
  return kinds.includes(OpKind.MemorySegESI) || kinds.includes(OpKind.MemoryESEDI) ? 4 : 8;
}

/** ± the element size as DF has it (i32). */
function stride(b: Lifter, size: number): Value {
  return b.sub(b.i32(size), b.mul(b.get(SLOT.DF, 4), b.i32(2 * size)));
}

/** Moves rSI or rDI over `count` (i32) elements. */
function advance(b: Lifter, register: number, step: Value, count?: Value): void {
  const bytes = count === undefined ? step : b.mul(step, count);
  const size = addressSize(b);
  const old = b.gpr(register, size);
  b.setGpr(register, b.add(old, size === 8 ? b.extendS(bytes) : bytes), size);
}

function isRepeated(b: Lifter): boolean {
  return b.insn.hasRepPrefix || b.insn.hasRepnePrefix;
}

/** A count of 0: the instruction is done. */
function leaveWhenDone(b: Lifter): void {
  b.leaveIf(b.eqz(b.gpr(GPR.RCX, addressSize(b))), b.nextIp);
}

/** Counts `done` (i32) iterations and goes on at this instruction while there are more and `more` (i32) holds. */
function repeat(b: Lifter, done: Value, more?: Value): void {
  const size = addressSize(b);
  const left = b.sub(b.gpr(GPR.RCX, size), size === 8 ? b.extendU(done) : done);
  b.setGpr(GPR.RCX, left, size);
  const again = b.ne(left, b.like(left, 0));
  b.branch(more === undefined ? again : b.and(again, more), b.ip);
}

/** Iterations that may follow the first one within this run (i32). */
function following(b: Lifter): Value {
  const fuel = b.fuel();
  const left = b.sub(b.extendU(b.gpr(GPR.RCX, addressSize(b))), b.i64(1));
  return b.wrap(b.select(b.ltU(left, b.extendU(fuel)), left, b.extendU(fuel)));
}

/** MOVS: [rDI] ← [rSI]. */
function movs(size: number): LiftFunction {
  return (b) => {
    const repeated = isRepeated(b);
    if (repeated) leaveWhenDone(b);
    const step = stride(b, size);
    b.store(b.address(0), size, b.load(b.address(1), size));
    const [to, from] = [b.linear(b.address(0)), b.linear(b.address(1))];
    const more = repeated && addressSize(b) === 8 ? b.call1(copyElements, to, from, following(b), step) : undefined;
    finish(b, [GPR.RSI, GPR.RDI], step, repeated, more);
  };
}

/** STOS: [rDI] ← rAX. */
function stos(size: number): LiftFunction {
  return (b) => {
    const repeated = isRepeated(b);
    if (repeated) leaveWhenDone(b);
    const step = stride(b, size);
    const value = b.gpr(GPR.RAX, size);
    const to = b.address(0);
    b.store(to, size, value);
    const more =
      repeated && addressSize(b) === 8
        ? b.call1(fillElements, b.linear(to), b.extendU(value), following(b), step)
        : undefined;
    finish(b, [GPR.RDI], step, repeated, more);
  };
}

/** Moves the registers over the element, and `more` (i32) that a bulk operation did. */
function finish(b: Lifter, registers: readonly number[], step: Value, repeated: boolean, more?: Value): void {
  const done = more === undefined ? b.i32(1) : b.add(more, b.i32(1));
  for (const register of registers) advance(b, register, step, more === undefined ? undefined : done);
  if (more !== undefined) b.burn(more);
  if (repeated) repeat(b, done);
}

/** LODS: rAX ← [rSI]. */
function lods(size: number): LiftFunction {
  return (b) => {
    const repeated = isRepeated(b);
    if (repeated) leaveWhenDone(b);
    const value = b.load(b.address(1), size);
    b.setGpr(GPR.RAX, value, size);
    advance(b, GPR.RSI, stride(b, size));
    if (repeated) repeat(b, b.i32(1));
  };
}

/** CMPS compares [rSI] with [rDI], SCAS rAX with [rDI]; REPE goes on while they are equal, REPNE while they are not. */
function compare(size: number, registers: readonly number[]): LiftFunction {
  return (b) => {
    const repeated = isRepeated(b);
    if (repeated) leaveWhenDone(b);
    const x = b.read(0);
    const y = b.read(1);
    for (const register of registers) advance(b, register, stride(b, size));
    b.recordFlags(flagsKind(FLAGS_BASE.SUB, size), x, y, b.truncate(b.sub(x, y), size));
    if (repeated) repeat(b, b.i32(1), condition(b, b.insn.hasRepnePrefix ? 5 : 4));
  };
}

const SIZES = [
  ['b', 1],
  ['w', 2],
  ['d', 4],
  ['q', 8],
] as const;

const MNEMONICS = {
  movs: { b: Mnemonic.Movsb, w: Mnemonic.Movsw, d: Mnemonic.Movsd, q: Mnemonic.Movsq },
  stos: { b: Mnemonic.Stosb, w: Mnemonic.Stosw, d: Mnemonic.Stosd, q: Mnemonic.Stosq },
  lods: { b: Mnemonic.Lodsb, w: Mnemonic.Lodsw, d: Mnemonic.Lodsd, q: Mnemonic.Lodsq },
  cmps: { b: Mnemonic.Cmpsb, w: Mnemonic.Cmpsw, d: Mnemonic.Cmpsd, q: Mnemonic.Cmpsq },
  scas: { b: Mnemonic.Scasb, w: Mnemonic.Scasw, d: Mnemonic.Scasd, q: Mnemonic.Scasq },
} as const;

export const strings: readonly InsnRow[] = SIZES.flatMap(([letter, size]) => [
  row(MNEMONICS.movs[letter], movs(size)),
  row(MNEMONICS.stos[letter], stos(size)),
  row(MNEMONICS.lods[letter], lods(size)),
  row(MNEMONICS.cmps[letter], compare(size, [GPR.RSI, GPR.RDI])),
  row(MNEMONICS.scas[letter], compare(size, [GPR.RDI])),
]);
