/** Exchanges, with or without LOCK: SDM vol. 1, 5.1.1. Guest threads take turns on one host thread, so every instruction is atomic. */
import { Mnemonic } from '../../../iced-x86.js';
import { GPR } from '../../../register-set.js';
import { ACCESS } from '../../stop.js';
import { ARITHMETIC_FLAGS, arithmeticFlags, FLAG, FLAGS_BASE, flagsKind, setArithmeticFlags } from '../flags.js';
import { type InsnRow, type Lifter, row } from '../lifter.js';

/** XCHG: memory, where there is some, is the first operand and is written first. */
function xchg(b: Lifter): void {
  const [first, second] = b.isMemory(1) ? [1, 0] : [0, 1];
  const x = b.readForUpdate(first);
  const y = b.read(second);
  b.write(first, y);
  b.write(second, x);
}

/** XADD: src ← dst, dst ← dst + src; of one register twice, the sum. */
function xadd(b: Lifter): void {
  const size = b.size(0);
  const x = b.readForUpdate(0);
  const y = b.read(1);
  const sum = b.truncate(b.add(x, y), size);
  if (b.isMemory(0)) b.write(0, sum);
  b.write(1, x);
  if (!b.isMemory(0)) b.write(0, sum);
  b.recordFlags(flagsKind(FLAGS_BASE.ADD, size), x, y, sum);
}

/** CMPXCHG: compares rAX with dst; dst ← src when they are equal, else rAX ← dst. Memory is written in any case (SDM vol. 2A, CMPXCHG). */
function cmpxchg(b: Lifter): void {
  const size = b.size(0);
  const accumulator = b.gpr(GPR.RAX, size);
  const x = b.readForUpdate(0);
  const equal = b.eq(accumulator, x);
  const difference = b.truncate(b.sub(accumulator, x), size);
  const value = b.select(equal, b.read(1), x);
  // The accumulator is not touched at all, not even zero-extended, when it was equal.
  const old = size === 4 ? b.gpr(GPR.RAX) : accumulator;
  const found = size === 4 ? b.extendU(x) : x;
  if (b.isMemory(0)) b.write(0, value);
  b.setGpr(GPR.RAX, b.select(equal, old, found), size === 4 ? 8 : size);
  if (!b.isMemory(0)) b.writeUnless(b.eqz(equal), 0, value);
  b.recordFlags(flagsKind(FLAGS_BASE.SUB, size), accumulator, x, difference);
}

/** CMPXCHG8B, CMPXCHG16B: the same with rDX:rAX and rCX:rBX; of the flags only ZF changes. `half`: bytes of one register. */
function cmpxchgPair(b: Lifter, half: number): void {
  const at = b.address(0);
  if (half === 8) b.requireAligned(0, 16);
  b.probe(at, 2 * half, ACCESS.WRITE);
  const low = b.load(at, half, true);
  const high = b.load(b.at(at, half), half, true);
  const equal = b.and(b.eq(low, b.gpr(GPR.RAX, half)), b.eq(high, b.gpr(GPR.RDX, half)));
  const flags = b.and(arithmeticFlags(b), b.i32(ARITHMETIC_FLAGS & ~FLAG.ZF));

  b.store(at, half, b.select(equal, b.gpr(GPR.RBX, half), low));
  b.store(b.at(at, half), half, b.select(equal, b.gpr(GPR.RCX, half), high));
  b.setGpr(GPR.RAX, b.select(equal, b.gpr(GPR.RAX), b.extendU(low)));
  b.setGpr(GPR.RDX, b.select(equal, b.gpr(GPR.RDX), b.extendU(high)));
  setArithmeticFlags(b, b.or(flags, b.shl(equal, b.i32(6))));
}

export const exchange: readonly InsnRow[] = [
  row(Mnemonic.Xchg, xchg),
  row(Mnemonic.Xadd, xadd),
  row(Mnemonic.Cmpxchg, cmpxchg),
  row(Mnemonic.Cmpxchg8b, (b) => cmpxchgPair(b, 4)),
  row(Mnemonic.Cmpxchg16b, (b) => cmpxchgPair(b, 8)),
];
