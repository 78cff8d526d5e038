/** Moves, extensions, exchanges, stack: SDM vol. 1, 5.1.1. */
import { Code, Mnemonic, Register } from '../../../iced-x86.js';
import { GPR } from '../../../register-set.js';
import type { Address } from '../../ir/builder.js';
import type { Value } from '../../ir/op-builder.js';
import { ACCESS, EXIT, FAULT } from '../../stop.js';
import { CONDITIONS, condition } from '../conditions.js';
import { type InsnRow, type Lifter, type LiftFunction, row } from '../lifter.js';
import { checkSegment, setSegment } from './segment.js';

/** Control, debug and test registers. */
const CONTROL: ReadonlySet<Register> = new Set(
  Array.from({ length: 16 }, (_, i) => [Register.CR0 + i, Register.DR0 + i, Register.TR0 + (i % 8)]).flat(),
);

/** MOV, MOVNTI: dst ← src. To a segment register, or from one, only 2 bytes count. */
function mov(b: Lifter): void {
  const register = b.insn.op0Register;
  if (b.isRegister(0) && (CONTROL.has(register) || CONTROL.has(b.insn.op1Register))) {
    return b.exit(EXIT.FAULT, FAULT.PROTECTION);
  }
  if (b.isRegister(0) && b.isSegment(0)) {
    const selector = b.readSized(1, 2);
    checkSegment(b, register, selector);
    return setSegment(b, register, selector);
  }
  if (b.isRegister(1) && b.isSegment(1)) {
    const selector = b.readSized(1, 4);
    if (b.isMemory(0)) return b.store(b.address(0), 2, selector);
    return b.write(0, b.size(0) === 8 ? b.extendU(selector) : selector);
  }
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
  if (b.isSegment(0)) {
    const selector = b.readSized(0, 4);
    return b.push(size === 8 ? b.extendU(selector) : selector, size);
  }
  if (b.isRegister(0) || b.isMemory(0)) return b.push(b.readSized(0, size), size);
  b.push(b.immediate(0, size), size);
}

/** POP: rsp moves before the destination's address is computed (SDM vol. 2B, POP). */
function pop(b: Lifter): void {
  const size = b.insn.stackPointerIncrement;
  const value = b.top(size);
  if (!b.isMemory(0)) {
    if (b.isSegment(0)) return popSegment(b, value, size);
    b.drop(size);
    return b.writeSized(0, size, value);
  }
  const usesRsp = b.insn.memoryBase === Register.RSP;
  const at = b.address(0);
  b.store(usesRsp ? b.at(at, size) : at, size, value);
  b.drop(size);
}

function popSegment(b: Lifter, value: Value, size: number): void {
  checkSegment(b, b.insn.op0Register, b.wrap(value));
  setSegment(b, b.insn.op0Register, b.wrap(value));
  b.drop(size);
}

/** ENTER: pushes rbp, copies `level` - 1 frame pointers of the frame below, and reserves `bytes` (SDM vol. 2A, ENTER). */
function enter(b: Lifter): void {
  const size = b.insn.code === Code.Enterw_imm16_imm8 ? 2 : 8;
  const bytes = b.insn.immediate16;
  const level = b.insn.immediate8_2nd % 32;
  const pushed = size * (1 + level);
  const rsp = b.gpr(GPR.RSP);
  const rbp = b.gpr(GPR.RBP);
  const frame = b.sub(rsp, b.i64(size));
  const end = b.sub(rsp, b.i64(pushed + bytes));
  const below = (base: Value, i: number): Address => b.plain(b.sub(base, b.i64(size * i)), true);
  b.store(below(frame, 0), size, size === 2 ? b.gpr(GPR.RBP, 2) : rbp);
  for (let i = 1; i < level; i++) b.store(below(frame, i), size, b.load(below(rbp, i), size));
  if (level > 0) b.store(below(frame, level), size, size === 2 ? b.and(b.wrap(frame), b.i32(0xffff)) : frame);
  b.probe(b.plain(end, true), size, ACCESS.WRITE);
  b.setGpr(GPR.RBP, size === 2 ? b.wrap(frame) : frame, size);
  b.setGpr(GPR.RSP, end);
}

/** LEAVE: rsp ← rbp, pop rbp. */
function leave(b: Lifter): void {
  const size = b.insn.code === Code.Leavew ? 2 : 8;
  const frame = b.gpr(GPR.RBP);
  const saved = b.load(b.plain(frame, true), size);
  b.setGpr(GPR.RSP, b.add(frame, b.i64(size)));
  b.setGpr(GPR.RBP, saved, size);
}

/** MOVZX: the source's zero extension. */
function movzx(b: Lifter): void {
  const value = b.read(1);
  b.write(0, b.size(0) === 8 ? b.extendU(value) : value);
}

/** MOVSX, MOVSXD: the source's sign extension. */
function movsx(b: Lifter): void {
  const value = b.signExtend(b.read(1), b.size(1));
  b.write(0, b.size(0) === 8 ? b.extendS(value) : b.truncate(value, b.size(0)));
}

/** CMOVcc: the source is read, and a 32-bit destination zero-extended, in any case. */
function cmov(code: number): LiftFunction {
  return (b) => {
    const source = b.read(1);
    b.write(0, b.select(condition(b, code), source, b.read(0)));
  };
}

/** SETcc. */
function set(code: number): LiftFunction {
  return (b) => b.write(0, condition(b, code));
}

/** The bytes of a value of 2, 4 or 8 bytes in reverse order. */
function reverseBytes(b: Lifter, value: Value, size: number): Value {
  if (size === 2) return b.and(b.or(b.shl(value, b.i32(8)), b.shrU(value, b.i32(8))), b.i32(0xffff));
  if (size === 4) {
    const odd = b.and(b.op('i32.rotl', value, b.i32(8)), b.i32(0x00ff_00ff));
    return b.or(odd, b.and(b.op('i32.rotr', value, b.i32(8)), b.i32(0xff00_ff00)));
  }
  const swap = (x: Value, bits: number, mask: bigint): Value =>
    b.or(b.shl(b.and(x, b.i64(mask)), b.i64(bits)), b.and(b.shrU(x, b.i64(bits)), b.i64(mask)));
  const words = swap(swap(value, 8, 0x00ff_00ff_00ff_00ffn), 16, 0x0000_ffff_0000_ffffn);
  return b.op('i64.rotl', words, b.i64(32));
}

/** BSWAP; of a 16-bit register, where the result is undefined, zero. */
function bswap(b: Lifter): void {
  const size = b.size(0);
  b.write(0, size === 2 ? b.i32(0) : reverseBytes(b, b.read(0), size));
}

/** MOVBE: a move between a register and memory that reverses the bytes. */
function movbe(b: Lifter): void {
  b.write(0, reverseBytes(b, b.read(1), b.size(1)));
}

/** CBW, CWDE, CDQE: the sign of the lower half of rAX fills the upper half. `size`: of the result. */
function extendAccumulator(b: Lifter, size: number): void {
  const half = b.signExtend(b.gpr(GPR.RAX, size / 2), size / 2);
  b.setGpr(GPR.RAX, size === 8 ? b.extendS(half) : half, size);
}

/** CWD, CDQ, CQO: rDX is filled with the sign of rAX. */
function spreadSign(b: Lifter, size: number): void {
  const value = b.signExtend(b.gpr(GPR.RAX, size), size);
  b.setGpr(GPR.RDX, b.shrS(value, b.like(value, size === 8 ? 63 : 31)), size);
}

/** XLAT: al ← [rbx + al]. */
function xlat(b: Lifter): void {
  b.setGpr(GPR.RAX, b.load(b.address(0), 1), 1);
}

const CMOV = [
  Mnemonic.Cmovo,
  Mnemonic.Cmovno,
  Mnemonic.Cmovb,
  Mnemonic.Cmovae,
  Mnemonic.Cmove,
  Mnemonic.Cmovne,
  Mnemonic.Cmovbe,
  Mnemonic.Cmova,
  Mnemonic.Cmovs,
  Mnemonic.Cmovns,
  Mnemonic.Cmovp,
  Mnemonic.Cmovnp,
  Mnemonic.Cmovl,
  Mnemonic.Cmovge,
  Mnemonic.Cmovle,
  Mnemonic.Cmovg,
];

const SET = [
  Mnemonic.Seto,
  Mnemonic.Setno,
  Mnemonic.Setb,
  Mnemonic.Setae,
  Mnemonic.Sete,
  Mnemonic.Setne,
  Mnemonic.Setbe,
  Mnemonic.Seta,
  Mnemonic.Sets,
  Mnemonic.Setns,
  Mnemonic.Setp,
  Mnemonic.Setnp,
  Mnemonic.Setl,
  Mnemonic.Setge,
  Mnemonic.Setle,
  Mnemonic.Setg,
];

export const dataMovement: readonly InsnRow[] = [
  row(Mnemonic.Mov, mov),
  row(Mnemonic.Lea, lea),
  row(Mnemonic.Push, push),
  row(Mnemonic.Pop, pop),
  row(Mnemonic.Enter, enter),
  row(Mnemonic.Leave, leave),
  row(Mnemonic.Movzx, movzx),
  row(Mnemonic.Movsx, movsx),
  row(Mnemonic.Movsxd, movsx),
  ...CONDITIONS.flatMap((_, code) => [row(CMOV[code] as Mnemonic, cmov(code)), row(SET[code] as Mnemonic, set(code))]),
  row(Mnemonic.Movnti, mov),
  row(Mnemonic.Bswap, bswap),
  row(Mnemonic.Movbe, movbe),
  row(Mnemonic.Cbw, (b) => extendAccumulator(b, 2)),
  row(Mnemonic.Cwde, (b) => extendAccumulator(b, 4)),
  row(Mnemonic.Cdqe, (b) => extendAccumulator(b, 8)),
  row(Mnemonic.Cwd, (b) => spreadSign(b, 2)),
  row(Mnemonic.Cdq, (b) => spreadSign(b, 4)),
  row(Mnemonic.Cqo, (b) => spreadSign(b, 8)),
  row(Mnemonic.Xlatb, xlat),
];
