/** Moves, extensions, exchanges, stack: SDM vol. 1, 5.1.1. */
import { Mnemonic, Register } from 'iced-x86';
import { GPR } from '../../../register-set.js';
import { type InsnRow, type Lifter, row } from '../lifter.js';

/** MOV: dst ← src. */
function mov(b: Lifter): void {
  b.write(0, b.readSized(1, b.size(0)));
}

/** LEA: dst ← the address itself. */
function lea(b: Lifter): void {
  const address = b.effectiveAddress();
  b.write(0, b.size(0) === 8 ? address : b.truncate(b.wrap(address), b.size(0)));
}

/** PUSH: of rsp, the old value. */
function push(b: Lifter): void {
  const size = b.insn.stackPointerIncrement === -2 ? 2 : 8;
  if (b.isRegister(0) || b.isMemory(0)) return b.push(b.readSized(0, b.isSegment(0) ? 4 : size), size);
  b.push(b.immediate(0, size), size);
}

/** POP: rsp moves before the destination's address is computed (SDM vol. 2B, POP). */
function pop(b: Lifter): void {
  const size = b.insn.stackPointerIncrement;
  const value = b.top(size);
  if (!b.isMemory(0)) {
    b.drop(size);
    return b.writeSized(0, size, value);
  }
  const usesRsp = b.insn.memoryBase === Register.RSP;
  const at = b.address(0);
  b.store(usesRsp ? b.at(at, size) : at, size, value);
  b.drop(size);
}

/** LEAVE: rsp ← rbp, pop rbp. */
function leave(b: Lifter): void {
  const frame = b.gpr(GPR.RBP);
  const saved = b.load(b.plain(frame, true), 8);
  b.setGpr(GPR.RSP, b.add(frame, b.i64(8)));
  b.setGpr(GPR.RBP, saved);
}

export const dataMovement: readonly InsnRow[] = [
  row(Mnemonic.Mov, mov),
  row(Mnemonic.Lea, lea),
  row(Mnemonic.Push, push),
  row(Mnemonic.Pop, pop),
  row(Mnemonic.Leave, leave),
];
