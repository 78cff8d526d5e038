/**
 * Registers of a thread as the protocol's rows have them. Most are slots of the CPU struct; flags and the x87 are computed as ptrace shows them:
 * PTRACE_GETREGS for eflags, the FXSAVE image for the others (gdbserver's i387-fp.cc turns its tag byte into the full tag word).
 */
import type { CpuState } from '../emulator/cpu-state.js';
import type { Machine } from '../emulator/machine.js';
import type { Thread } from '../emulator/thread.js';
import { FXSAVE_BYTES, fxrstor, fxsave, saveX87 } from '../emulator/x86/fpu-image.js';
import { type RegisterRow, registerNamed, SLOT } from '../register-set.js';
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
  else readX87(x87Image(cpu), row, into);
  return true;
}

/** Where each row of a set lies in a block of all of them, and how it gets there. */
interface Layout {
  /** The 32-bit words of the block that are words of the CPU struct, in runs: number in the block, number in the struct, how many; and so on. */
  readonly runs: Int32Array;
  /** Where eflags goes. */
  readonly flags: Uint8Array | undefined;
  readonly x87: readonly { readonly row: RegisterRow; readonly into: Uint8Array }[];
  /** X87_WORDS of the thread whose x87 is in the block: few programs use it, and to compute it takes longer than all the rest. */
  readonly x87Of: Int32Array;
  /** What `readRegisters` fills. */
  readonly block: Int32Array;
  readonly bytes: Uint8Array;
}

/** The words of the CPU struct that the rows of the x87 are computed from. */
const X87_WORDS = Int32Array.from([...wordsOf(SLOT.FCW, SLOT.SEG), ...wordsOf(SLOT.X87, SLOT.ORIG_RAX)]);

function wordsOf(from: number, to: number): number[] {
  return Array.from({ length: (to - from) / 4 }, (_, i) => from / 4 + i);
}

const layouts = new WeakMap<readonly RegisterRow[], Layout>();

function layoutOf(rows: readonly RegisterRow[]): Layout {
  const known = layouts.get(rows);
  if (known !== undefined) return known;
  const size = rows.reduce((sum, { bits }) => sum + bits / 8, 0);
  const block = new Int32Array(Math.ceil(size / 4));
  const bytes = new Uint8Array(block.buffer, 0, size);
  const runs: number[] = [];
  const x87: { row: RegisterRow; into: Uint8Array }[] = [];
  let flags: Uint8Array | undefined;
  let at = 0;
  for (const row of rows) {
    const length = row.bits / 8;
    const into = bytes.subarray(at, at + length);
    if (row.name === 'eflags') flags = into;
    else if (row.slot === undefined) x87.push({ row, into });
    else if (at % 4 !== 0) throw new Error(`register ${row.name} is not aligned`);
    else runs.push(at / 4, row.slot / 4, length / 4);
    at += length;
  }
  // Of no thread yet: a control word has 16 bits.
  const x87Of = new Int32Array(X87_WORDS.length).fill(-1);
  const made = { runs: Int32Array.from(runs), flags, x87, x87Of, block, bytes };
  layouts.set(rows, made);
  return made;
}

/** All registers of a set, one after another. Hot: tracepoints that collect $regs. The bytes are valid until the next call. */
export function readRegisters({ execution }: Machine, { cpu }: Thread, rows: readonly RegisterRow[]): Uint8Array {
  const { runs, flags, x87, x87Of, block, bytes } = layoutOf(rows);
  const { i32 } = cpu.physical;
  const base = cpu.base / 4;
  for (let run = 0; run < runs.length; run += 3) {
    const into = runs[run] as number;
    const from = base + (runs[run + 1] as number);
    const count = runs[run + 2] as number;
    for (let i = 0; i < count; i++) block[into + i] = i32[from + i] as number;
  }
  if (flags !== undefined) writeU32(flags, execution.getFlags(cpu));
  if (x87Changed(cpu, x87Of)) {
    const image = x87Image(cpu);
    for (const { row, into } of x87) readX87(image, row, into);
  }
  return bytes;
}

/** Whether the words are others than `known`, which are these from now on. */
function x87Changed({ physical: { i32 }, base }: CpuState, known: Int32Array): boolean {
  let changed = false;
  for (let i = 0; i < known.length; i++) {
    const word = i32[base / 4 + (X87_WORDS[i] as number)] as number;
    if (word === known[i]) continue;
    known[i] = word;
    changed = true;
  }
  return changed;
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

const fpu = new DataView(new ArrayBuffer(FXSAVE_BYTES));

/** For reading: without the vector registers. Valid until the next call. */
function x87Image(cpu: CpuState): DataView {
  saveX87(cpu, fpu);
  return fpu;
}

function readX87(image: DataView, { name }: RegisterRow, into: Uint8Array): void {
  const field = X87_FIELDS[name];
  if (name.startsWith('st')) {
    const from = ST_AT + ST_BYTES * Number(name.slice(2));
    for (let i = 0; i < into.length; i++) into[i] = image.getUint8(from + i);
  } else if (name === 'ftag') writeU32(into, fullTags(image));
  else if (field !== undefined) {
    writeU32(into, (field.wide ? image.getUint32(field.at, true) : image.getUint16(field.at, true)) & field.mask);
  } else throw new Error(`no way to read register ${name}`);
}

function writeX87(cpu: CpuState, { name }: RegisterRow, bytes: Uint8Array): boolean {
  const image = fpu;
  fxsave(cpu, image);
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
  for (let i = 0; i < 4; i++) into[i] = value >>> (8 * i);
}
