/** Transfers of control, system entry and traps: SDM vol. 1, 5.1.7. */
import { Code, Mnemonic, Register } from '../../../iced-x86.js';
import { GPR } from '../../../register-set.js';
import type { Value } from '../../ir/op-builder.js';
import { ACCESS, EXIT, FAULT, faultInfo } from '../../stop.js';
import { CONDITIONS, condition } from '../conditions.js';
import { type InsnRow, type Lifter, row } from '../lifter.js';
import { USER_CS } from '../signal-frame.js';
import { writeFlags } from './flag-control.js';
import { checkSegment, setSegment } from './segment.js';

/** LOOPcc with the 32-bit address size: they count in ecx. */
const LOOP_ECX: ReadonlySet<Code> = new Set([
  ...[Code.Loop_rel8_16_ECX, Code.Loop_rel8_32_ECX, Code.Loop_rel8_64_ECX],
  ...[Code.Loope_rel8_16_ECX, Code.Loope_rel8_32_ECX, Code.Loope_rel8_64_ECX],
  ...[Code.Loopne_rel8_16_ECX, Code.Loopne_rel8_32_ECX, Code.Loopne_rel8_64_ECX],
]);

/** A far transfer stays in 64-bit code: the selector must name it. Others need a change of mode or privilege, which user mode sees as #GP. */
function checkCode(b: Lifter, selector: Value): void {
  b.faultIf(b.ne(b.or(selector, b.i32(3)), b.i32(USER_CS)), FAULT.PROTECTION);
}

/** The far pointer of a memory operand: (selector, offset). */
function farPointer(b: Lifter): [Value, Value] {
  const size = b.size(0) - 2;
  const at = b.address(0);
  const offset = b.extendU(b.load(at, size));
  const selector = b.load(b.at(at, size), 2);
  checkCode(b, selector);
  checkTarget(b, offset);
  return [selector, offset];
}

/** A near transfer to an address that is not canonical is a #GP of the transfer itself (SDM vol. 2A, JMP), before it changes anything. */
function checkTarget(b: Lifter, target: Value): void {
  const sixteen = b.i64(16);
  b.faultIf(b.ne(b.shrS(b.shl(target, sixteen), sixteen), target), FAULT.PROTECTION);
}

/** The target in a register or in memory. */
function indirectTarget(b: Lifter): Value {
  const target = b.extendU(b.read(0));
  checkTarget(b, target);
  return target;
}

/** JMP. */
function jmp(b: Lifter): void {
  if (b.insn.isJmpFarIndirect) return b.jumpIndirect(farPointer(b)[1], 'jump.to');
  if (b.isRegister(0) || b.isMemory(0)) return b.jumpIndirect(indirectTarget(b), 'jump.to');
  b.jump(b.branchTarget);
}

/** CALL: the target is read before the return address is pushed. */
function call(b: Lifter): void {
  if (b.insn.isCallFarIndirect) return callFar(b);
  const indirect = b.isRegister(0) || b.isMemory(0);
  const target = indirect ? indirectTarget(b) : undefined;
  b.push(b.i64(b.nextIp));
  if (target === undefined) b.callTo(b.branchTarget);
  else b.jumpIndirect(target, 'call.to');
}

/** CALL to a far pointer pushes CS, then the return address, in the operand size. */
function callFar(b: Lifter): void {
  const size = b.size(0) - 2;
  const [, target] = farPointer(b);
  const rsp = b.gpr(GPR.RSP);
  const value = (number: number): Value => (size === 8 ? b.i64(number) : b.i32(number & (size === 2 ? 0xffff : -1)));
  const top = b.plain(b.sub(rsp, b.i64(2 * size)), true);
  b.probe(top, 2 * size, ACCESS.WRITE);
  b.store(b.at(top, size), size, value(USER_CS));
  b.store(top, size, value(b.nextIp));
  b.setGpr(GPR.RSP, b.sub(rsp, b.i64(2 * size)));
  b.jumpIndirect(target, 'call.to');
}

/** RETF: the return address, then CS. `size`: of each. */
function retf(b: Lifter): void {
  const extra = b.insn.opCount > 0 ? b.insn.immediate16 : 0;
  const size = (b.insn.stackPointerIncrement - extra) / 2;
  const at = b.plain(b.gpr(GPR.RSP), true);
  const target = b.extendU(b.load(at, size));
  checkCode(b, b.and(b.wrap(b.load(b.at(at, size), size)), b.i32(0xffff)));
  checkTarget(b, target);
  b.drop(2 * size + extra);
  b.jumpIndirect(target, 'ret');
}

/** IRET, IRETD, IRETQ to the same privilege: rip, CS, RFLAGS, rsp, SS, of the operand size each. */
function iret(b: Lifter, size: number): void {
  const at = b.plain(b.gpr(GPR.RSP), true);
  const load = (place: number): Value => b.load(b.at(at, size * place), size);
  const rip = b.extendU(load(0));
  const cs = b.wrap(load(1));
  const flags = b.wrap(load(2));
  const rsp = b.extendU(load(3));
  const ss = b.wrap(load(4));
  checkCode(b, b.and(cs, b.i32(0xffff)));
  checkTarget(b, rip);
  checkSegment(b, Register.SS, ss);
  setSegment(b, Register.SS, ss);
  b.setGpr(GPR.RSP, rsp);
  writeFlags(b, flags, size);
  b.jumpIndirect(rip, 'jump.to');
}

/** RET, and RET imm16. */
function ret(b: Lifter): void {
  const target = b.top();
  checkTarget(b, target);
  const extra = b.insn.opCount > 0 ? b.insn.immediate16 : 0;
  b.drop(8 + extra);
  b.jumpIndirect(target, 'ret');
}

/** Jcc. */
function jcc(code: number): (b: Lifter) => void {
  return (b) => b.branch(condition(b, code), b.branchTarget);
}

const JCC = [
  Mnemonic.Jo,
  Mnemonic.Jno,
  Mnemonic.Jb,
  Mnemonic.Jae,
  Mnemonic.Je,
  Mnemonic.Jne,
  Mnemonic.Jbe,
  Mnemonic.Ja,
  Mnemonic.Js,
  Mnemonic.Jns,
  Mnemonic.Jp,
  Mnemonic.Jnp,
  Mnemonic.Jl,
  Mnemonic.Jge,
  Mnemonic.Jle,
  Mnemonic.Jg,
];

/** JRCXZ, JECXZ. */
function jrcxz(b: Lifter, size: number): void {
  b.branch(b.eqz(b.gpr(GPR.RCX, size)), b.branchTarget);
}

/** LOOP, LOOPE, LOOPNE: rCX counts down; the flags stay. `equal`: the ZF to go on with. */
function loop(b: Lifter, equal?: boolean): void {
  const size = LOOP_ECX.has(b.insn.code) ? 4 : 8;
  const count = b.sub(b.gpr(GPR.RCX, size), size === 8 ? b.i64(1) : b.i32(1));
  const more = b.ne(count, b.like(count, 0));
  const again = equal === undefined ? more : b.and(more, condition(b, equal ? 4 : 5));
  b.setGpr(GPR.RCX, count, size);
  b.branch(again, b.branchTarget);
}

/**
 * INT n: Linux lets user mode call the gates of #BP and #OF. That of 32-bit system calls (INT 0x80) is closed, as in kernels without
 * CONFIG_IA32_EMULATION: the error code names the gate (SDM vol. 3A, 6.13).
 */
function int(b: Lifter): void {
  const vector = b.insn.immediate8;
  const allowed = vector === FAULT.BREAKPOINT || vector === FAULT.OVERFLOW;
  b.exit(EXIT.FAULT, allowed ? vector : faultInfo(FAULT.PROTECTION, 8 * vector + 2));
}

export const controlFlow: readonly InsnRow[] = [
  row(Mnemonic.Jmp, jmp),
  row(Mnemonic.Call, call),
  row(Mnemonic.Ret, ret),
  ...CONDITIONS.map((_, code) => row(JCC[code] as Mnemonic, jcc(code))),
  row(Mnemonic.Jrcxz, (b) => jrcxz(b, 8)),
  row(Mnemonic.Jecxz, (b) => jrcxz(b, 4)),
  row(Mnemonic.Retf, retf),
  row(Mnemonic.Iret, (b) => iret(b, 2)),
  row(Mnemonic.Iretd, (b) => iret(b, 4)),
  row(Mnemonic.Iretq, (b) => iret(b, 8)),
  row(Mnemonic.Loop, (b) => loop(b)),
  row(Mnemonic.Loope, (b) => loop(b, true)),
  row(Mnemonic.Loopne, (b) => loop(b, false)),
  row(Mnemonic.Int, int),
  row(Mnemonic.Int1, (b) => b.exit(EXIT.FAULT, FAULT.DEBUG)),
  row(Mnemonic.Syscall, (b) => b.exit(EXIT.SYSCALL)),
  row(Mnemonic.Int3, (b) => b.exit(EXIT.BREAKPOINT)),
  row(Mnemonic.Ud2, (b) => b.exit(EXIT.FAULT, FAULT.INVALID_OPCODE)),
];
