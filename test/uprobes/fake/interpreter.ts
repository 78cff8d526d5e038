/** Executes one instruction of a fake thread: the few that the scenarios need, on the general registers. */
import {
  Code,
  Decoder,
  FlowControl,
  type Instruction,
  Mnemonic,
  OpKind,
  Register,
  RegisterExt,
} from '../../../src/iced-x86.js';
import { GPR } from '../../../src/register-set.js';
import type { StepEnd, StepFault } from '../../../src/uprobes/port.js';
import { holds } from '../../../src/uprobes/x86/emulate.js';
import type { FakeThread } from './host.js';

const CF = 1;
const ZF = 0x40;
const SF = 0x80;
const OF = 0x800;
const DONE: StepEnd = { kind: 'fuel' };

class Fault extends Error {
  constructor(readonly fault: StepFault) {
    super('fault');
  }
}

function pageFault(address: number, errorCode: number): Fault {
  return new Fault({ signal: 11, code: 1, address, trapNumber: 14, errorCode });
}

/** Fetches and executes at ip. `breakpoint`: an int3 is there. `past`: the one at ip does not count. */
export function interpret(thread: FakeThread, past = false): StepEnd {
  const { space } = thread.process;
  const bytes: number[] = [];
  for (let i = 0; i < 15; i++) {
    const byte = space.fetch(thread.ip + i, past ? thread.ip : -1);
    if (byte === undefined) break;
    bytes.push(byte);
  }
  if (bytes.length === 0) return pageFaultEnd(thread.ip, 0x14);
  if (bytes[0] === 0xcc) return { kind: 'breakpoint' };
  const decoder = new Decoder(64, Uint8Array.from(bytes), 0);
  decoder.ip = BigInt(thread.ip);
  const insn = decoder.decode();
  try {
    return run(thread, insn);
  } catch (error) {
    if (error instanceof Fault) return { kind: 'fault', fault: error.fault };
    throw error;
  } finally {
    insn.free();
    decoder.free();
  }
}

function pageFaultEnd(address: number, errorCode: number): StepEnd {
  return { kind: 'fault', fault: pageFault(address, errorCode).fault };
}

function run(thread: FakeThread, insn: Instruction): StepEnd {
  const next = thread.ip + insn.length;
  if (insn.mnemonic === Mnemonic.Syscall) return { kind: 'syscall' };
  if (insn.isInvalid || insn.mnemonic === Mnemonic.Ud2)
    return { kind: 'fault', fault: { signal: 4, code: 2, address: thread.ip, trapNumber: 6, errorCode: 0 } };
  const to = insn.flowControl === FlowControl.Next ? plain(thread, insn, next) : transfer(thread, insn, next);
  if (insn.mnemonic === Mnemonic.Fld1) thread.fip = thread.ip;
  thread.ip = to;
  thread.retired++;
  return DONE;
}

function transfer(thread: FakeThread, insn: Instruction, next: number): number {
  const direct = insn.op0Kind === OpKind.NearBranch64;
  const target = (): number => (direct ? Number(insn.nearBranchTarget) : Number(operand(thread, insn, 0)));
  switch (insn.flowControl) {
    case FlowControl.ConditionalBranch:
      if (insn.code === Code.Loop_rel8_64_RCX) {
        thread.writeGpr(GPR.RCX, BigInt.asUintN(64, thread.readGpr(GPR.RCX) - 1n));
        return thread.readGpr(GPR.RCX) !== 0n ? target() : next;
      }
      if (insn.code === Code.Jrcxz_rel8_64) return thread.readGpr(GPR.RCX) === 0n ? target() : next;
      return holds(insn.conditionCode - 1, thread.flags) ? target() : next;
    case FlowControl.UnconditionalBranch:
    case FlowControl.IndirectBranch:
      return target();
    case FlowControl.Call:
    case FlowControl.IndirectCall: {
      const to = target();
      push(thread, BigInt(next));
      return to;
    }
    case FlowControl.Return: {
      const to = load(thread, thread.sp, 8);
      const extra = insn.opCount > 0 ? Number(insn.immediate(0)) : 0;
      thread.writeGpr(GPR.RSP, BigInt(thread.sp + 8 + extra));
      return Number(to);
    }
    default:
      throw new Error(`the fake machine cannot do ${insn.toString()}`);
  }
}

function plain(thread: FakeThread, insn: Instruction, next: number): number {
  const { mnemonic } = insn;
  switch (mnemonic) {
    case Mnemonic.Nop:
    case Mnemonic.Endbr64:
    case Mnemonic.Pause:
    case Mnemonic.Fld1:
      return next;
    case Mnemonic.Push:
      push(thread, insn.op0Kind === OpKind.Register ? operand(thread, insn, 0) : BigInt.asUintN(64, insn.immediate(0)));
      return next;
    case Mnemonic.Pushfq:
      push(thread, BigInt(thread.flags));
      return next;
    case Mnemonic.Pop: {
      const value = load(thread, thread.sp, 8);
      thread.writeGpr(GPR.RSP, BigInt(thread.sp + 8));
      assign(thread, insn, value);
      return next;
    }
    case Mnemonic.Mov:
      assign(thread, insn, operand(thread, insn, 1));
      return next;
    case Mnemonic.Lea:
      assign(thread, insn, BigInt(address(thread, insn)));
      return next;
    case Mnemonic.Movsb:
      return moveString(thread, insn, next);
    case Mnemonic.Xadd: {
      const [x, y] = [operand(thread, insn, 0), operand(thread, insn, 1)];
      assign(thread, insn, x + y);
      thread.writeGpr(hardware(insn.op1Register), x);
      return next;
    }
    default:
      return arithmetic(thread, insn, next);
  }
}

const OPERATIONS = new Map<Mnemonic, (x: bigint, y: bigint) => bigint>([
  [Mnemonic.Add, (x, y) => x + y],
  [Mnemonic.Sub, (x, y) => x - y],
  [Mnemonic.Cmp, (x, y) => x - y],
  [Mnemonic.Xor, (x, y) => x ^ y],
  [Mnemonic.Test, (x, y) => x & y],
  [Mnemonic.Inc, (x) => x + 1n],
  [Mnemonic.Dec, (x) => x - 1n],
]);

function arithmetic(thread: FakeThread, insn: Instruction, next: number): number {
  const operation = OPERATIONS.get(insn.mnemonic);
  if (operation === undefined) throw new Error(`the fake machine cannot do ${insn.toString()}`);
  const x = operand(thread, insn, 0);
  const y = insn.opCount > 1 ? operand(thread, insn, 1) : 1n;
  const bits = insn.op0Kind === OpKind.Register ? RegisterExt.size(insn.op0Register) * 8 : 64;
  const result = BigInt.asUintN(bits, operation(x, y));
  if (insn.mnemonic !== Mnemonic.Cmp && insn.mnemonic !== Mnemonic.Test) assign(thread, insn, result);
  const sign = (value: bigint): boolean => (value >> BigInt(bits - 1)) % 2n === 1n;
  const subtracts = insn.mnemonic === Mnemonic.Sub || insn.mnemonic === Mnemonic.Cmp;
  const borrow = subtracts && x < BigInt.asUintN(bits, y);
  const overflow = subtracts && sign(x) !== sign(y) && sign(result) !== sign(x);
  thread.flags &= ~(CF | ZF | SF | OF);
  thread.flags |= (result === 0n ? ZF : 0) | (sign(result) ? SF : 0) | (borrow ? CF : 0) | (overflow ? OF : 0);
  return next;
}

/** One iteration. */
function moveString(thread: FakeThread, insn: Instruction, next: number): number {
  const repeats = insn.hasRepPrefix;
  const count = thread.readGpr(GPR.RCX);
  if (repeats && count === 0n) return next;
  const byte = load(thread, Number(thread.readGpr(GPR.RSI)), 1);
  store(thread, Number(thread.readGpr(GPR.RDI)), byte, 1);
  thread.writeGpr(GPR.RSI, thread.readGpr(GPR.RSI) + 1n);
  thread.writeGpr(GPR.RDI, thread.readGpr(GPR.RDI) + 1n);
  if (!repeats) return next;
  thread.writeGpr(GPR.RCX, count - 1n);
  return count === 1n ? next : thread.ip;
}

function hardware(register: Register): number {
  return RegisterExt.fullRegister(register) - Register.RAX;
}

function address(thread: FakeThread, insn: Instruction): number {
  if (insn.isIpRelMemoryOperand) return Number(insn.ipRelMemoryAddress);
  const base = insn.memoryBase === Register.None ? 0n : thread.readGpr(hardware(insn.memoryBase));
  return Number(BigInt.asUintN(64, base + insn.memoryDisplacement));
}

function operand(thread: FakeThread, insn: Instruction, n: number): bigint {
  const kind = insn.opKind(n);
  if (kind === OpKind.Register) {
    const register = insn.opRegister(n);
    return BigInt.asUintN(RegisterExt.size(register) * 8, thread.readGpr(hardware(register)));
  }
  if (kind === OpKind.Memory) return load(thread, address(thread, insn), 8);
  return BigInt.asUintN(64, insn.immediate(n));
}

function assign(thread: FakeThread, insn: Instruction, value: bigint): void {
  if (insn.op0Kind === OpKind.Memory) return store(thread, address(thread, insn), value, 8);
  const bits = RegisterExt.size(insn.op0Register) * 8;
  thread.writeGpr(hardware(insn.op0Register), BigInt.asUintN(bits, value));
}

function load(thread: FakeThread, at: number, size: number): bigint {
  const bytes = new Uint8Array(8);
  if (!thread.process.space.vma(at)?.readable || thread.process.space.read(at, bytes.subarray(0, size)) < size)
    throw pageFault(at, 4);
  return new DataView(bytes.buffer).getBigUint64(0, true);
}

function store(thread: FakeThread, at: number, value: bigint, size: number): void {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, value), true);
  if (!thread.process.space.store(at, bytes.subarray(0, size))) throw pageFault(at, 6);
}

function push(thread: FakeThread, value: bigint): void {
  store(thread, thread.sp - 8, value, 8);
  thread.writeGpr(GPR.RSP, BigInt(thread.sp - 8));
}
