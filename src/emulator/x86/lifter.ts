/**
 * What a lift function works with: the operands of one decoded instruction, as values. Only this file knows operand kinds, widths,
 * high-byte registers, 32-bit zero extension and segment bases; it asks iced-x86, never the bytes.
 *
 * The discipline of a lift function: read all operands; check every access (`probe`) before the first store where there are several; compute;
 * store; write registers, then flags. Then a fault leaves no trace (docs/design.md).
 */
import { type Instruction, MemorySizeExt, type Mnemonic, OpKind, Register } from '../../iced-x86.js';
import { GPR, SLOT } from '../../register-set.js';
import type { Model } from '../guest-arch.js';
import { type Address, IrBuilder } from '../ir/builder.js';
import type { Value } from '../ir/op-builder.js';
import { FAULT } from '../stop.js';
import { hasRegister, registerSlot } from './registers.js';

export type LiftFunction = (b: Lifter) => void;

/** One row: the decoder's mnemonic and what it does. */
export interface InsnRow {
  readonly mnemonic: Mnemonic;
  readonly lift: LiftFunction;
}

export function row(mnemonic: Mnemonic, lift: LiftFunction): InsnRow {
  return { mnemonic, lift };
}

/** Rows of an instruction's legacy form and its VEX form. */
export function both(legacy: Mnemonic, vex: Mnemonic, lift: LiftFunction): readonly InsnRow[] {
  return [row(legacy, lift), row(vex, lift)];
}

/** Thrown by a lift function for a form that the guest's processor does not have: becomes #UD. */
export class UndefinedInstruction extends Error {}

export class Lifter extends IrBuilder {
  insn!: Instruction;
  /** The processor model whose instructions exist. */
  model: Model = 'base';
  /** The instruction's own bytes, borrowed: only for what the x87 keeps of them (FOP). Everything else asks `insn`. */
  bytes: Uint8Array = new Uint8Array();
  /** Addresses of this instruction and of the next one. */
  ip = 0;
  nextIp = 0;
  private addresses: (Address | undefined)[] = [];

  start(insn: Instruction, ip: number, bytes: Uint8Array): void {
    this.insn = insn;
    this.bytes = bytes;
    this.ip = ip;
    this.nextIp = ip + insn.length;
    this.addresses = [];
    this.beginInsn();
  }

  // ---- operands ----

  isMemory(operand: number): boolean {
    const kind = this.insn.opKind(operand);
    return kind === OpKind.Memory || (kind >= OpKind.MemorySegSI && kind <= OpKind.MemoryESRDI);
  }

  isRegister(operand: number): boolean {
    return this.insn.opKind(operand) === OpKind.Register;
  }

  isSegment(operand: number): boolean {
    return this.isRegister(operand) && registerSlot(this.insn.opRegister(operand)).kind === 'segment';
  }

  /** Size of an operand in bytes. An immediate has that of the first operand. */
  size(operand: number): number {
    switch (this.insn.opKind(operand)) {
      case OpKind.Register:
        return registerSlot(this.insn.opRegister(operand)).size;
      case OpKind.Immediate8:
      case OpKind.Immediate8_2nd:
        return 1;
      case OpKind.Immediate16:
      case OpKind.Immediate8to16:
        return 2;
      case OpKind.Immediate32:
      case OpKind.Immediate8to32:
        return 4;
      case OpKind.Immediate64:
      case OpKind.Immediate8to64:
      case OpKind.Immediate32to64:
        return 8;
      default:
        return MemorySizeExt.size(this.insn.memorySize);
    }
  }

  /** An integer operand, zero-extended: an i32 for 1, 2 and 4 bytes, an i64 for 8. */
  read(operand: number): Value {
    return this.readSized(operand, this.size(operand), false);
  }

  /** Like `read`, for an operand that this instruction also writes: an unwritable page faults as a write. */
  readForUpdate(operand: number): Value {
    return this.readSized(operand, this.size(operand), true);
  }

  /** Reads `size` bytes of an operand: of a register its low part (vector registers too), of memory that many bytes. */
  readSized(operand: number, size: number, forWrite = false): Value {
    switch (this.insn.opKind(operand)) {
      case OpKind.Register:
        return this.get(registerSlot(this.insn.opRegister(operand)).slot, size);
      case OpKind.Memory:
        return this.load(this.address(operand), size, forWrite);
      default:
        return this.isMemory(operand)
          ? this.load(this.address(operand), size, forWrite)
          : this.immediate(operand, size);
    }
  }

  /** An immediate operand as a constant of the given size. */
  immediate(operand: number, size: number): Value {
    const value = this.insn.immediate(operand);
    return size === 8 ? this.i64(value) : this.i32(Number(BigInt.asIntN(32, BigInt.asUintN(8 * size, value))));
  }

  /** Sign-extends a value of `size` bytes within its type. */
  signExtend(value: Value, size: number): Value {
    if (size === 1) return this.op('i32.extend8_s', value);
    if (size === 2) return this.op('i32.extend16_s', value);
    return value;
  }

  /** Clears what lies above `size` bytes in an i32 after arithmetic. */
  truncate(value: Value, size: number): Value {
    if (size >= 4) return value;
    return this.and(value, this.i32(size === 1 ? 0xff : 0xffff));
  }

  /** Writes an integer operand; a 32-bit general register is zero-extended to 64 bits. */
  write(operand: number, value: Value): void {
    if (this.isMemory(operand)) return this.store(this.address(operand), this.size(operand), value);
    this.setRegister(this.insn.opRegister(operand), value);
  }

  /** Writes a general register operand where `keep` (i32) is 0; otherwise the whole register keeps its bits. */
  writeUnless(keep: Value, operand: number, value: Value): void {
    const { slot, size, number } = registerSlot(this.insn.opRegister(operand));
    if (size === 4) this.setGpr(number, this.select(keep, this.gpr(number), this.extendU(value)));
    else this.set(slot, size, this.select(keep, this.get(slot, size), value));
  }

  /** Writes `size` bytes: to memory, or to the low part of a vector register, the rest of which stays. */
  writeSized(operand: number, size: number, value: Value): void {
    if (this.isMemory(operand)) return this.store(this.address(operand), size, value);
    this.set(registerSlot(this.insn.opRegister(operand)).slot, size, value);
  }

  /** Reads a register by iced's name. */
  register(register: Register): Value {
    const { slot, size } = registerSlot(register);
    return this.get(slot, size);
  }

  /** Writes a register by iced's name, with the zero extension of 32-bit general registers. */
  setRegister(register: Register, value: Value): void {
    const { slot, size, kind } = registerSlot(register);
    if (size === 4 && kind === 'general') this.set(slot, 8, this.extendU(value));
    else this.set(slot, size, value);
  }

  /** A general register's low `size` bytes by hardware number (GPR.*). */
  gpr(number: number, size = 8): Value {
    return this.get(SLOT.GPR + 8 * number, size);
  }

  /** Writes a general register by hardware number; 4 bytes are zero-extended. */
  setGpr(number: number, value: Value, size = 8): void {
    if (size === 4) this.set(SLOT.GPR + 8 * number, 8, this.extendU(value));
    else this.set(SLOT.GPR + 8 * number, size, value);
  }

  // ---- vectors ----

  /** A 16-byte vector operand. `half` 1: the upper half of a 32-byte one. */
  readVector(operand: number, half = 0): Value {
    if (this.isMemory(operand)) return this.load(this.at(this.address(operand), 16 * half), 16);
    return this.get(this.vectorSlot(operand) + 16 * half, 16);
  }

  /** Writes a 16-byte vector operand; legacy SSE keeps the upper half of ymm. */
  writeVector(operand: number, value: Value, half = 0): void {
    if (this.isMemory(operand)) return this.store(this.at(this.address(operand), 16 * half), 16, value);
    this.set(this.vectorSlot(operand) + 16 * half, 16, value);
  }

  /** Offset in the CPU struct of a register operand. Throws UndefinedInstruction for registers that the guest has not. */
  vectorSlot(operand: number): number {
    const register = this.insn.opRegister(operand);
    if (!hasRegister(register)) throw new UndefinedInstruction(Register[register]);
    return registerSlot(register).slot;
  }

  /** Legacy SSE memory operands of 16 bytes must be aligned: #GP. */
  requireAligned(operand: number, alignment = 16): void {
    if (!this.isMemory(operand)) return;
    const low = this.and(this.wrap(this.linear(this.address(operand))), this.i32(alignment - 1));
    this.faultIf(low, FAULT.PROTECTION);
  }

  // ---- addresses ----

  /** The address of a memory operand, segment base included. */
  address(operand: number): Address {
    const known = this.addresses[operand];
    if (known !== undefined) return known;
    const made = this.makeAddress(operand);
    this.addresses[operand] = made;
    return made;
  }

  private makeAddress(operand: number): Address {
    switch (this.insn.opKind(operand)) {
      case OpKind.MemorySegRSI:
        return this.plain(this.withSegment(this.gpr(GPR.RSI)));
      case OpKind.MemorySegESI:
        return this.plain(this.withSegment(this.extendU(this.gpr(GPR.RSI, 4))));
      case OpKind.MemorySegRDI:
        return this.plain(this.withSegment(this.gpr(GPR.RDI)));
      case OpKind.MemorySegEDI:
        return this.plain(this.withSegment(this.extendU(this.gpr(GPR.RDI, 4))));
      case OpKind.MemoryESRDI:
        return this.plain(this.gpr(GPR.RDI));
      case OpKind.MemoryESEDI:
        return this.plain(this.extendU(this.gpr(GPR.RDI, 4)));
      default:
        return this.modRm();
    }
  }

  /** An address without displacement. */
  plain(base: Value, stack = false): Address {
    return { base, displacement: 0, stack };
  }

  /** An address some bytes further. */
  at(address: Address, offset: number): Address {
    const displacement = address.displacement + offset;
    if (displacement === (displacement | 0)) return { ...address, displacement };
    return { ...address, base: this.add(address.base, this.i64(offset)) };
  }

  /** The address of a memory operand moved by `offset` (i64) bytes, which counts like another index register. */
  displacedAddress(offset: Value): Address {
    return this.modRm(true, offset);
  }

  /** The effective address without segment base, for LEA. */
  effectiveAddress(): Value {
    return this.linear(this.modRm(false));
  }

  private modRm(segmented = true, offset?: Value): Address {
    const { memoryBase, memoryIndex, memoryDisplacement } = this.insn;
    const stack = segmented && this.insn.memorySegment === Register.SS;
    if (memoryBase === Register.RIP || memoryBase === Register.EIP) {
      const target = this.i64(memoryDisplacement);
      return this.plain(this.segment(offset === undefined ? target : this.add(target, offset), segmented));
    }
    const narrow = isNarrow(memoryBase) || isNarrow(memoryIndex);
    const displacement = BigInt.asIntN(64, memoryDisplacement);
    const parts: Value[] = [];
    if (memoryBase !== Register.None) parts.push(this.get(registerSlot(memoryBase).slot, 8));
    if (memoryIndex !== Register.None) {
      // XLAT's index is AL.
      const { slot, size } = registerSlot(memoryIndex);
      const index = this.extendU(this.get(slot, size === 1 ? 1 : 8));
      parts.push(this.shl(index, this.i64(Math.log2(this.insn.memoryIndexScale))));
    }
    if (offset !== undefined) parts.push(offset);
    if (parts.length === 0)
      return this.plain(this.segment(this.i64(narrow ? BigInt.asUintN(32, displacement) : displacement), segmented));
    const sum = parts.reduce((x, y) => this.add(x, y));
    if (narrow) {
      const whole = this.and(this.add(sum, this.i64(displacement)), this.i64(0xffff_ffff));
      return this.plain(this.segment(whole, segmented), stack);
    }
    const small = displacement === BigInt.asIntN(32, displacement);
    const base = small ? sum : this.add(sum, this.i64(displacement));
    return { base: this.segment(base, segmented), displacement: small ? Number(displacement) : 0, stack };
  }

  private segment(address: Value, segmented: boolean): Value {
    return segmented ? this.withSegment(address) : address;
  }

  /** Only FS and GS have a base in 64-bit mode (SDM vol. 1, 3.4.2.1). */
  private withSegment(address: Value): Value {
    const segment = this.insn.memorySegment;
    if (segment === Register.FS) return this.add(address, this.get(SLOT.FS_BASE, 8));
    if (segment === Register.GS) return this.add(address, this.get(SLOT.GS_BASE, 8));
    return address;
  }

  // ---- stack ----

  /** Pushes 8 (or 2) bytes: the store first, then rsp, so that a fault leaves no trace. */
  push(value: Value, size = 8): void {
    const top = this.sub(this.gpr(GPR.RSP), this.i64(size));
    this.store(this.plain(top, true), size, value);
    this.setGpr(GPR.RSP, top);
  }

  /** What is on top of the stack; `rsp` is not moved. */
  top(size = 8): Value {
    return this.load(this.plain(this.gpr(GPR.RSP), true), size);
  }

  /** Drops `bytes` from the stack. */
  drop(bytes: number): void {
    this.setGpr(GPR.RSP, this.add(this.gpr(GPR.RSP), this.i64(bytes)));
  }

  // ---- control ----

  /** Target of a near branch operand. */
  get branchTarget(): number {
    return Number(this.insn.nearBranchTarget);
  }
}

function isNarrow(register: Register): boolean {
  return register >= Register.EAX && register <= Register.R15D;
}
