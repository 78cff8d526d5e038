/** The instructions that the engine executes itself: those of which functions are entered with, and those whose copies would need mending. */
import { Code, type Instruction, Mnemonic, OpKind, Register } from '../../iced-x86.js';
import { GPR } from '../../register-set.js';
import { TASK_SIZE } from '../../types.js';
import type { HostSpace, HostThread, StepEnd } from '../port.js';
import { storeWord } from './word.js';

/** What to do. `register`: hardware number. */
export type Emulation =
  | { readonly op: 'nop' }
  | { readonly op: 'push'; readonly register: number }
  | { readonly op: 'pushImmediate'; readonly value: bigint }
  | { readonly op: 'pushFlags' }
  | { readonly op: 'jump'; readonly target: number }
  | { readonly op: 'jumpIf'; readonly condition: number; readonly target: number }
  /** LOOP (`zf` undefined), LOOPE, LOOPNE; JRCXZ is its own. */
  | { readonly op: 'loop'; readonly zf: boolean | undefined; readonly target: number }
  | { readonly op: 'jumpIfRcxZero'; readonly target: number }
  | { readonly op: 'call'; readonly target: number }
  | { readonly op: 'load'; readonly register: number; readonly value: bigint }
  | { readonly op: 'syscall' };

const NOP: Emulation = { op: 'nop' };

/** undefined: it is not one that we execute ourselves. */
export function emulationOf(insn: Instruction): Emulation | undefined {
  switch (insn.mnemonic) {
    case Mnemonic.Nop:
    case Mnemonic.Pause:
    case Mnemonic.Endbr64:
    case Mnemonic.Endbr32:
      return NOP;
    case Mnemonic.Push:
      return push(insn);
    case Mnemonic.Pushfq:
      return { op: 'pushFlags' };
    case Mnemonic.Syscall:
      return { op: 'syscall' };
    case Mnemonic.Lea:
      return lea(insn);
    default:
      return branch(insn);
  }
}

function push(insn: Instruction): Emulation | undefined {
  switch (insn.code) {
    case Code.Push_r64:
      return { op: 'push', register: insn.op0Register - Register.RAX };
    case Code.Pushq_imm8:
    case Code.Pushq_imm32:
      return { op: 'pushImmediate', value: BigInt.asUintN(64, insn.immediate(0)) };
    default:
      return undefined;
  }
}

/** Of an address relative to ip: a constant. */
function lea(insn: Instruction): Emulation | undefined {
  if (!insn.isIpRelMemoryOperand || insn.memoryBase !== Register.RIP) return undefined;
  const address = insn.ipRelMemoryAddress;
  if (insn.code === Code.Lea_r64_m) return { op: 'load', register: insn.op0Register - Register.RAX, value: address };
  if (insn.code !== Code.Lea_r32_m) return undefined;
  return { op: 'load', register: insn.op0Register - Register.EAX, value: BigInt.asUintN(32, address) };
}

const LOOPS: ReadonlyMap<Code, boolean | undefined> = new Map([
  [Code.Loop_rel8_64_RCX, undefined],
  [Code.Loope_rel8_64_RCX, true],
  [Code.Loopne_rel8_64_RCX, false],
]);

function branch(insn: Instruction): Emulation | undefined {
  if (insn.opCount === 0 || insn.op0Kind !== OpKind.NearBranch64) return undefined;
  const target = Number(insn.nearBranchTarget);
  if (target >= TASK_SIZE) return undefined;
  const { code } = insn;
  if (code === Code.Call_rel32_64) return { op: 'call', target };
  if (insn.isJmpShortOrNear) return { op: 'jump', target };
  // iced numbers the conditions from 1, in the order of their encoding.
  if (insn.isJccShortOrNear) return { op: 'jumpIf', condition: insn.conditionCode - 1, target };
  if (LOOPS.has(code)) return { op: 'loop', zf: LOOPS.get(code), target };
  return code === Code.Jrcxz_rel8_64 ? { op: 'jumpIfRcxZero', target } : undefined;
}

const CF = 0x1;
const PF = 0x4;
const ZF = 0x40;
const SF = 0x80;
const OF = 0x800;
/** What pushf stores: all but VM and RF (SDM vol. 2B, PUSHF). */
const PUSHED_FLAGS = 0xfc_ffff;

const SYSCALL: StepEnd = { kind: 'syscall' };

/**
 * Executes it for the thread. `impossible`, with nothing changed: the stack cannot be written, and the host has to raise what follows.
 */
export function emulate(
  insn: Emulation,
  next: number,
  thread: HostThread,
  space: HostSpace,
): 'done' | 'impossible' | StepEnd {
  if (insn.op === 'syscall') return SYSCALL;
  const target = targetOf(insn, next, thread, space);
  if (target === undefined) return 'impossible';
  thread.ip = target;
  return 'done';
}

/** Does all but the jump; undefined when it cannot. */
function targetOf(
  insn: Exclude<Emulation, { op: 'syscall' }>,
  next: number,
  thread: HostThread,
  space: HostSpace,
): number | undefined {
  switch (insn.op) {
    case 'nop':
      return next;
    case 'push':
      return pushed(thread, space, thread.readGpr(insn.register)) ? next : undefined;
    case 'pushImmediate':
      return pushed(thread, space, insn.value) ? next : undefined;
    case 'pushFlags':
      return pushed(thread, space, BigInt(thread.readFlags() & PUSHED_FLAGS)) ? next : undefined;
    case 'jump':
      return insn.target;
    case 'jumpIf':
      return holds(insn.condition, thread.readFlags()) ? insn.target : next;
    case 'loop':
      return countDown(thread, insn.zf) ? insn.target : next;
    case 'jumpIfRcxZero':
      return thread.readGpr(GPR.RCX) === 0n ? insn.target : next;
    case 'call':
      return pushed(thread, space, BigInt(next)) ? insn.target : undefined;
    case 'load':
      thread.writeGpr(insn.register, insn.value);
      return next;
  }
}

function pushed(thread: HostThread, space: HostSpace, value: bigint): boolean {
  const sp = thread.sp - 8;
  if (sp < 0 || !storeWord(space, sp, value)) return false;
  thread.writeGpr(GPR.RSP, BigInt(sp));
  return true;
}

/** LOOPcc: the jump is taken while the counter is not zero and ZF is as wanted. Flags stay. */
function countDown(thread: HostThread, zf: boolean | undefined): boolean {
  const counter = BigInt.asUintN(64, thread.readGpr(GPR.RCX) - 1n);
  thread.writeGpr(GPR.RCX, counter);
  return counter !== 0n && (zf === undefined || ((thread.readFlags() & ZF) !== 0) === zf);
}

/** The sixteen conditions by their encoding (SDM vol. 1, appendix B): even ones, and their negations. */
export function holds(condition: number, flags: number): boolean {
  const set = (mask: number): boolean => (flags & mask) !== 0;
  const negated = (condition & 1) === 1;
  switch (condition >> 1) {
    case 0:
      return set(OF) !== negated;
    case 1:
      return set(CF) !== negated;
    case 2:
      return set(ZF) !== negated;
    case 3:
      return (set(CF) || set(ZF)) !== negated;
    case 4:
      return set(SF) !== negated;
    case 5:
      return set(PF) !== negated;
    case 6:
      return (set(SF) !== set(OF)) !== negated;
    default:
      return (set(ZF) || set(SF) !== set(OF)) !== negated;
  }
}
