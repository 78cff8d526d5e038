/**
 * Registers of a thread as the protocol's rows have them. Most are slots of the CPU struct; flags and the x87 are computed as ptrace shows them:
 * PTRACE_GETREGS for eflags, the FXSAVE image for the others (gdbserver's i387-fp.cc turns its tag byte into the full tag word).
 */
import type { CpuState } from '../emulator/cpu-state.js';
import type { Machine } from '../emulator/machine.js';
import type { Thread } from '../emulator/thread.js';
import { FXSAVE_BYTES, fxrstor, fxsave } from '../emulator/x86/fpu-image.js';
import { type RegisterRow, registerNamed } from '../register-set.js';
import { TASK_SIZE } from '../types.js';

const MXCSR = registerNamed('mxcsr').number;
const FS_BASE = registerNamed('fs_base').number;
const GS_BASE = registerNamed('gs_base').number;

/** CF PF AF ZF SF TF DF OF NT RF AC: what ptrace lets a debugger change (arch/x86/kernel/ptrace.c, FLAG_MASK). */
const WRITABLE_FLAGS = 0x5_4dd5;

const ST_AT = 32;
const ST_BYTES = 16;
const TAG_AT = 4;

/** Where the 32-bit rows of the x87 lie in the FXSAVE image: offset, and whether 16 or 32 bits of it count. */
const X87_FIELDS: Readonly<Record<string, { readonly at: number; readonly wide: boolean; readonly mask: number }>> = {
  fctrl: { at: 0, wide: false, mask: 0xffff },
  fstat: { at: 2, wide: false, mask: 0xffff },
  fop: { at: 6, wide: false, mask: 0x7ff },
  fioff: { at: 8, wide: true, mask: 0xffff_ffff },
  fiseg: { at: 12, wide: false, mask: 0xffff },
  fooff: { at: 16, wide: true, mask: 0xffff_ffff },
  foseg: { at: 20, wide: false, mask: 0xffff },
};

/** Copies the register's value, little-endian. */
export function readRegister({ execution }: Machine, { cpu }: Thread, row: RegisterRow, into: Uint8Array): boolean {
  const bytes = row.bits / 8;
  if (row.slot !== undefined) into.set(cpu.bytes(row.slot, bytes));
  else if (row.name === 'eflags') writeU32(into, execution.getFlags(cpu));
  else readX87(cpu, row, into);
  return true;
}

/**
 * False: such a value cannot be in the register. Selectors never change: a debugger that writes all registers back must be able to, and
 * ptrace accepts no others than these.
 */
export function writeRegister({ execution }: Machine, { cpu }: Thread, row: RegisterRow, bytes: Uint8Array): boolean {
  if (row.name === 'eflags') {
    const kept = execution.getFlags(cpu) & ~WRITABLE_FLAGS;
    execution.setFlags(cpu, kept | (readU32(bytes) & WRITABLE_FLAGS));
    return true;
  }
  if (row.slot === undefined) return writeX87(cpu, row, bytes);
  if (row.type === 'int32' && row.feature === 'core') return true;
  if (row.number === MXCSR && readU32(bytes) > 0xffff) return false;
  if ((row.number === FS_BASE || row.number === GS_BASE) && readU64(bytes) >= TASK_SIZE) return false;
  cpu.bytes(row.slot, row.bits / 8).set(bytes);
  return true;
}

function fpuImage(cpu: CpuState): DataView {
  const image = new DataView(new ArrayBuffer(FXSAVE_BYTES));
  fxsave(cpu, image);
  return image;
}

function readX87(cpu: CpuState, { name }: RegisterRow, into: Uint8Array): void {
  const image = fpuImage(cpu);
  const field = X87_FIELDS[name];
  if (name.startsWith('st')) into.set(stackRegister(image, Number(name.slice(2))));
  else if (name === 'ftag') writeU32(into, fullTags(image));
  else if (field !== undefined) {
    writeU32(into, (field.wide ? image.getUint32(field.at, true) : image.getUint16(field.at, true)) & field.mask);
  } else throw new Error(`no way to read register ${name}`);
}

function writeX87(cpu: CpuState, { name }: RegisterRow, bytes: Uint8Array): boolean {
  const image = fpuImage(cpu);
  const field = X87_FIELDS[name];
  if (name.startsWith('st')) stackRegister(image, Number(name.slice(2))).set(bytes);
  else if (name === 'ftag') image.setUint8(TAG_AT, usedRegisters(readU32(bytes)));
  else if (field === undefined) throw new Error(`no way to write register ${name}`);
  else if (field.wide) image.setUint32(field.at, readU32(bytes), true);
  else image.setUint16(field.at, readU32(bytes) & field.mask, true);
  return fxrstor(cpu, image);
}

function stackRegister(image: DataView, i: number): Uint8Array {
  return new Uint8Array(image.buffer, image.byteOffset + ST_AT + ST_BYTES * i, 10);
}

const TAG = { VALID: 0, ZERO: 1, SPECIAL: 2, EMPTY: 3 } as const;

/** Two bits for each physical register, made from the bit that FXSAVE has and the values (SDM vol. 1, 8.1.7). */
function fullTags(image: DataView): number {
  const used = image.getUint8(TAG_AT);
  const top = (image.getUint16(2, true) >> 11) & 7;
  let tags = 0;
  for (let physical = 0; physical < 8; physical++) {
    const tag = used & (1 << physical) ? tagOf(stackRegister(image, (physical + 8 - top) & 7)) : TAG.EMPTY;
    tags |= tag << (2 * physical);
  }
  return tags;
}

function tagOf(value: Uint8Array): number {
  const view = new DataView(value.buffer, value.byteOffset, value.length);
  const exponent = view.getUint16(8, true) & 0x7fff;
  const significand = view.getBigUint64(0, true);
  if (exponent === 0x7fff) return TAG.SPECIAL;
  if (exponent === 0) return significand === 0n ? TAG.ZERO : TAG.SPECIAL;
  return significand >> 63n ? TAG.VALID : TAG.SPECIAL;
}

function usedRegisters(tags: number): number {
  let used = 0;
  for (let physical = 0; physical < 8; physical++)
    if (((tags >> (2 * physical)) & 3) !== TAG.EMPTY) used |= 1 << physical;
  return used;
}

function readU32(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(0, true);
}

function readU64(bytes: Uint8Array): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getBigUint64(0, true);
}

function writeU32(into: Uint8Array, value: number): void {
  new DataView(into.buffer, into.byteOffset, into.length).setUint32(0, value >>> 0, true);
}
