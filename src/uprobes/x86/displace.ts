/**
 * The copy of an instruction in an XOL slot: its bytes, and what must be mended after it has run there instead of at its own address
 * (pre_xol, post_xol and abort_xol of arch/x86/kernel/uprobes.c). TF is never used: see design.md.
 */
import type { DisplacedStep } from '../arch.js';
import type { HostSpace, HostThread, StepFault } from '../port.js';
import type { X86Insn } from './analyze.js';
import { readWord, writeWord } from './word.js';

/** Room for the longest instruction and its return jump. */
export const SLOT_SIZE = 32;

/** `jmp rel32`. One through memory would have to read the slot, and the program may not. */
const RETURN_JUMP = 5;

const inReach = (distance: number): boolean => distance >= -0x8000_0000 && distance <= 0x7fff_ffff;

/** The disp32 that addresses the operand from the slot; undefined: out of reach. */
function displacementFrom(slot: number, { ipRelative, length }: X86Insn): number | undefined {
  if (ipRelative === undefined) return undefined;
  const distance = ipRelative.target - (slot + length);
  return inReach(distance) ? distance : undefined;
}

function needsScratch(insn: X86Insn, slot: number): boolean {
  return insn.ipRelative !== undefined && displacementFrom(slot, insn) === undefined;
}

/** Can a copy in this slot reach everything? */
export function canDisplaceTo(insn: X86Insn, slot: number): boolean {
  return !needsScratch(insn, slot) || insn.ipRelative?.scratch !== undefined;
}

export function canBoost(insn: X86Insn, address: number, slot: number): boolean {
  if (!insn.methods.has('boost') || needsScratch(insn, slot)) return false;
  return !hasReturnJump(insn) || inReach(returnDistance(address, slot));
}

export function hasReturnJump(insn: X86Insn): boolean {
  return insn.ipAfter === 'relative';
}

export function slotCode(insn: X86Insn, address: number, slot: number, boosted: boolean): Uint8Array {
  const copy = copyFor(insn, slot);
  if (!boosted || !hasReturnJump(insn)) return copy;
  const code = new Uint8Array(copy.length + RETURN_JUMP);
  code.set(copy);
  code[copy.length] = 0xe9;
  new DataView(code.buffer).setInt32(copy.length + 1, returnDistance(address, slot), true);
  return code;
}

function copyFor(insn: X86Insn, slot: number): Uint8Array {
  const { ipRelative } = insn;
  if (ipRelative === undefined) return insn.bytes.slice();
  const displacement = displacementFrom(slot, insn);
  if (displacement === undefined) {
    if (ipRelative.scratch === undefined) throw new Error(`${insn.text} cannot be copied to 0x${slot.toString(16)}`);
    return ipRelative.scratch.bytes.slice();
  }
  const copy = insn.bytes.slice();
  new DataView(copy.buffer).setInt32(ipRelative.offset, displacement, true);
  return copy;
}

/** From behind the copy to behind the original. */
function returnDistance(address: number, slot: number): number {
  return address - slot - RETURN_JUMP;
}

export function enterSlot(insn: X86Insn, address: number, slot: number, thread: HostThread): DisplacedStep {
  const register = needsScratch(insn, slot) ? insn.ipRelative?.scratch?.register : undefined;
  let scratch: DisplacedStep['scratch'];
  if (register !== undefined) {
    scratch = { register, value: thread.readGpr(register) };
    thread.writeGpr(register, BigInt(address + insn.length));
  }
  thread.ip = slot;
  return { address, slot, scratch };
}

function restoreScratch({ scratch }: DisplacedStep, thread: HostThread): void {
  if (scratch !== undefined) thread.writeGpr(scratch.register, scratch.value);
}

export function leaveSlot(insn: X86Insn, step: DisplacedStep, thread: HostThread, space: HostSpace): boolean {
  const { address, slot } = step;
  restoreScratch(step, thread);
  // A REP instruction with iterations left, or one that jumps to itself, is still at the slot.
  if (insn.ipAfter === 'relative') thread.ip += address - slot;
  if (insn.x87 && thread.fip === slot) thread.fip = address;
  return !insn.calls || mendReturnAddress(insn, step, thread, space);
}

/** What the copy of a call has pushed is the address behind the copy. */
function mendReturnAddress(
  insn: X86Insn,
  { address, slot }: DisplacedStep,
  thread: HostThread,
  space: HostSpace,
): boolean {
  if (readWord(space, thread.sp) !== BigInt(slot + insn.length)) return false;
  return writeWord(space, thread.sp, BigInt(address + insn.length));
}

export function abortStep(_insn: X86Insn, step: DisplacedStep, thread: HostThread): void {
  restoreScratch(step, thread);
  thread.ip = step.address;
}

const PAGE_FAULT = 14;
const FETCH = 0x10;

/** Faults that report the instruction's own address have it from the slot; that of a data access is right already. */
export function translateFault(insn: X86Insn, { address, slot }: DisplacedStep, fault: StepFault): StepFault {
  const isFetch = (fault.errorCode & FETCH) !== 0;
  if (fault.trapNumber === PAGE_FAULT && !isFetch) return fault;
  const offset = Number(fault.address) - slot;
  return offset >= 0 && offset < insn.length ? { ...fault, address: address + offset } : fault;
}

const INVALID_OPCODE = 6;
const SIGILL = 4;
const ILL_ILLOPN = 2;

export function illegal(address: number): StepFault {
  return { signal: SIGILL, code: ILL_ILLOPN, address, trapNumber: INVALID_OPCODE, errorCode: 0 };
}
