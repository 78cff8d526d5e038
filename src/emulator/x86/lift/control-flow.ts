/** Transfers of control, system entry and traps: SDM vol. 1, 5.1.7. */
import { Mnemonic } from 'iced-x86';
import { GPR } from '../../../register-set.js';
import { EXIT, FAULT } from '../../stop.js';
import { CONDITIONS, condition } from '../flags.js';
import { type InsnRow, type Lifter, row } from '../lifter.js';

/** JMP. */
function jmp(b: Lifter): void {
  if (b.isRegister(0) || b.isMemory(0)) return b.jumpIndirect(b.read(0), 'jump.to');
  b.jump(b.branchTarget);
}

/** CALL: the target is read before the return address is pushed. */
function call(b: Lifter): void {
  const indirect = b.isRegister(0) || b.isMemory(0);
  const target = indirect ? b.read(0) : undefined;
  b.push(b.i64(b.nextIp));
  if (target === undefined) b.callTo(b.branchTarget);
  else b.jumpIndirect(target, 'call.to');
}

/** RET, and RET imm16. */
function ret(b: Lifter): void {
  const target = b.top();
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

export const controlFlow: readonly InsnRow[] = [
  row(Mnemonic.Jmp, jmp),
  row(Mnemonic.Call, call),
  row(Mnemonic.Ret, ret),
  ...CONDITIONS.map((_, code) => row(JCC[code] as Mnemonic, jcc(code))),
  row(Mnemonic.Jrcxz, (b) => jrcxz(b, 8)),
  row(Mnemonic.Jecxz, (b) => jrcxz(b, 4)),
  row(Mnemonic.Nop, () => {}),
  row(Mnemonic.Endbr64, () => {}),
  row(Mnemonic.Endbr32, () => {}),
  row(Mnemonic.Pause, () => {}),
  row(Mnemonic.Syscall, (b) => b.exit(EXIT.SYSCALL)),
  row(Mnemonic.Int3, (b) => b.exit(EXIT.BREAKPOINT)),
  row(Mnemonic.Ud2, (b) => b.exit(EXIT.FAULT, FAULT.INVALID_OPCODE)),
  row(Mnemonic.Hlt, (b) => b.exit(EXIT.FAULT, FAULT.PROTECTION)),
];
