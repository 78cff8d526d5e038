/** What all x87 lift functions share: the check for a pending exception, operands, the pointers of the last instruction. */
import { MemorySize, Register } from '../../../iced-x86.js';
import { SLOT } from '../../../register-set.js';
import type { Value } from '../../ir/op-builder.js';
import { FAULT } from '../../stop.js';
import type { Lifter } from '../lifter.js';
import { EXTEND, extendInteger } from '../x87/extended.js';
import { STATUS } from '../x87/status.js';

/** Waiting instructions raise #MF for an exception that is pending (SDM vol. 1, 8.7.1). */
export function wait(b: Lifter): void {
  b.faultIf(b.and(b.get(SLOT.FSW, 4), b.i32(STATUS.SUMMARY)), FAULT.X87);
}

/** FOP: the low three bits of the opcode, then the ModRM byte (SDM vol. 1, 8.1.9). */
function lastOpcode(bytes: Uint8Array): number {
  // No prefix and no REX byte lies between D8 and DF.
  const at = bytes.findIndex((byte) => (byte & 0xf8) === 0xd8);
  return (((bytes[at] ?? 0) & 7) << 8) | (bytes[at + 1] ?? 0);
}

/** Records the instruction and its memory operand: last of all, when no fault can happen any more. */
export function track(b: Lifter): void {
  b.set(SLOT.FIP, 8, b.i64(b.ip));
  b.set(SLOT.FOP, 4, b.i32(lastOpcode(b.bytes)));
  for (let operand = 0; operand < b.insn.opCount; operand++) {
    if (b.isMemory(operand)) b.set(SLOT.FDP, 8, b.linear(b.address(operand)));
  }
}

/** ST number of a register operand. */
export function stIndex(b: Lifter, operand: number): number {
  return b.insn.opRegister(operand) - Register.ST0;
}

/** The number of the last operand that is an ST register, or `otherwise`. */
export function lastStIndex(b: Lifter, otherwise: number): number {
  const last = b.insn.opCount - 1;
  return last >= 0 && b.isRegister(last) ? stIndex(b, last) : otherwise;
}

/** A number from memory, integer or floating point, converted exactly: significand, sign and exponent. */
export function readNumber(b: Lifter): [Value, Value] {
  const at = b.address(0);
  switch (b.insn.memorySize) {
    case MemorySize.Float32:
      return b.call(EXTEND.f32, b.extendU(b.load(at, 4))) as [Value, Value];
    case MemorySize.Float64:
      return b.call(EXTEND.f64, b.load(at, 8)) as [Value, Value];
    case MemorySize.Int16:
      return b.call(extendInteger, b.extendS(b.op('i32.extend16_s', b.load(at, 2)))) as [Value, Value];
    case MemorySize.Int32:
      return b.call(extendInteger, b.extendS(b.load(at, 4))) as [Value, Value];
    case MemorySize.Int64:
      return b.call(extendInteger, b.load(at, 8)) as [Value, Value];
    default:
      return [b.load(at, 8), b.load(b.at(at, 8), 2)];
  }
}
