/**
 * The x87 environment and the state of x87 and SSE in memory: FNSTENV, FLDENV, FNSAVE, FRSTOR, FXSAVE, FXRSTOR (SDM vol. 1, 8.1.10, 10.5;
 * figures 8-9 to 8-12, table 10-2). Every byte is checked before the first one is written.
 */
import { MemorySize, Mnemonic } from '../../../iced-x86.js';
import { SLOT } from '../../../register-set.js';
import type { Value } from '../../ir/op-builder.js';
import { ACCESS, FAULT } from '../../stop.js';
import { FXSAVE_BYTES, MXCSR_MASK } from '../fpu-image.js';
import { type InsnRow, type Lifter, row } from '../lifter.js';
import { fullTags, initialize, loadSt, saveSt, setControl, setStatus, setTags } from '../x87/control.js';
import { STATUS } from '../x87/status.js';
import { statusWord } from './x87-control.js';
import { wait } from './x87-operands.js';

const USER_CS = 0x33;
const OPCODE_BITS = 0x7ff;
const ALL_MASKED = 0x3f;

/** One field of an environment: where in each form, how wide, what of the state. */
interface EnvironmentField {
  readonly read: (b: Lifter) => Value;
  /** Undefined: ignored when it is loaded. */
  readonly write?: (b: Lifter, value: Value) => void;
  /** What the upper half of the field holds in the 28-byte form: ones, or the field's own bits. */
  readonly upper: 'ones' | 'own';
}

/** The selector is known where an instruction is: user code has one code segment. */
function codeSegment(b: Lifter): Value {
  return b.select(b.eqz(b.get(SLOT.FIP, 8)), b.i32(0), b.i32(USER_CS));
}

const FIELDS: readonly EnvironmentField[] = [
  { read: (b) => b.get(SLOT.FCW, 4), write: (b, value) => void b.call(setControl, value), upper: 'ones' },
  { read: statusWord, write: (b, value) => void b.call(setStatus, value), upper: 'ones' },
  { read: (b) => b.call1(fullTags), write: (b, value) => void b.call(setTags, value), upper: 'ones' },
  { read: (b) => b.get(SLOT.FIP, 4), write: (b, value) => b.set(SLOT.FIP, 8, b.extendU(value)), upper: 'own' },
  {
    read: (b) => b.or(codeSegment(b), b.shl(b.get(SLOT.FOP, 4), b.i32(16))),
    write: (b, value) => b.set(SLOT.FOP, 4, b.and(b.shrU(value, b.i32(16)), b.i32(OPCODE_BITS))),
    upper: 'own',
  },
  { read: (b) => b.get(SLOT.FDP, 4), write: (b, value) => b.set(SLOT.FDP, 8, b.extendU(value)), upper: 'own' },
  { read: (b) => b.i32(0), upper: 'ones' },
];

/** Bytes of a field: 4 in the 32-bit form, 2 in the one that an operand-size prefix chooses. */
function fieldBytes(b: Lifter): 2 | 4 {
  const { memorySize } = b.insn;
  return memorySize === MemorySize.FpuEnv14 || memorySize === MemorySize.FpuState94 ? 2 : 4;
}

function environmentBytes(b: Lifter): number {
  return fieldBytes(b) * FIELDS.length;
}

function storeEnvironment(b: Lifter): void {
  const size = fieldBytes(b);
  FIELDS.forEach(({ read, upper }, i) => {
    const value = read(b);
    const whole = upper === 'ones' && size === 4 ? b.or(value, b.i32(~0xffff)) : value;
    b.store(b.at(b.address(0), size * i), size, whole);
  });
}

function loadEnvironment(b: Lifter): void {
  const size = fieldBytes(b);
  const values = FIELDS.map((_, i) => b.load(b.at(b.address(0), size * i), size));
  FIELDS.forEach(({ write }, i) => {
    write?.(b, values[i] as Value);
  });
}

/** FNSTENV: afterwards all exceptions are masked. */
function fnstenv(b: Lifter): void {
  b.probe(b.address(0), environmentBytes(b), ACCESS.WRITE);
  storeEnvironment(b);
  b.call(setControl, b.or(b.get(SLOT.FCW, 4), b.i32(ALL_MASKED)));
}

/** FLDENV: an exception that it leaves unmasked is raised by the next waiting instruction. */
function fldenv(b: Lifter): void {
  wait(b);
  b.probe(b.address(0), environmentBytes(b), ACCESS.READ);
  loadEnvironment(b);
}

/** FNSAVE: environment, registers from ST(0) on, then FNINIT. */
function fnsave(b: Lifter): void {
  const start = environmentBytes(b);
  b.probe(b.address(0), start + 80, ACCESS.WRITE);
  storeEnvironment(b);
  for (let i = 0; i < 8; i++) storeRegister(b, i, start + 10 * i);
  b.call(initialize);
}

/** Stores the ten bytes of ST(index). */
function storeRegister(b: Lifter, index: number, offset: number): void {
  const [significand, signExponent] = b.call(saveSt, b.i32(index)) as [Value, Value];
  b.store(b.at(b.address(0), offset), 8, significand);
  b.store(b.at(b.address(0), offset + 8), 2, signExponent);
}

/** Loads the ten bytes of ST(index), whose tag stays. */
function loadRegister(b: Lifter, index: number, offset: number): void {
  const significand = b.load(b.at(b.address(0), offset), 8);
  const signExponent = b.load(b.at(b.address(0), offset + 8), 2);
  b.call(loadSt, b.i32(index), significand, signExponent);
}

/** FRSTOR. */
function frstor(b: Lifter): void {
  wait(b);
  const start = environmentBytes(b);
  b.probe(b.address(0), start + 80, ACCESS.READ);
  loadEnvironment(b);
  for (let i = 0; i < 8; i++) loadRegister(b, i, start + 10 * i);
}

const ST = 32;
const XMM = 160;

/** Checks the whole area: aligned to 16 bytes, and accessible. */
function checkArea(b: Lifter, access: number): void {
  b.requireAligned(0);
  b.probe(b.address(0), FXSAVE_BYTES, access);
}

/** FXSAVE, FXSAVE64. AMD saves the pointers only while an exception is pending, and zeros otherwise (APM vol. 2, 11.4.4). */
function fxsave(b: Lifter): void {
  checkArea(b, ACCESS.WRITE);
  const put = (offset: number, size: number, value: Value): void => b.store(b.at(b.address(0), offset), size, value);
  const wide = b.insn.mnemonic === Mnemonic.Fxsave64;
  const pending = b.and(b.get(SLOT.FSW, 4), b.i32(STATUS.SUMMARY));
  const pointer = (slot: number): Value => {
    const value = wide ? b.get(slot, 8) : b.extendU(b.get(slot, 4));
    return b.select(pending, value, b.i64(0));
  };
  const selector = wide ? b.i64(0) : b.shl(b.extendU(b.select(pending, codeSegment(b), b.i32(0))), b.i64(32));
  put(0, 2, b.get(SLOT.FCW, 4));
  put(2, 2, statusWord(b));
  put(4, 2, b.and(b.get(SLOT.FTAG, 4), b.i32(0xff)));
  put(6, 2, b.select(pending, b.get(SLOT.FOP, 4), b.i32(0)));
  put(8, 8, b.or(pointer(SLOT.FIP), selector));
  put(16, 8, pointer(SLOT.FDP));
  put(24, 4, b.get(SLOT.MXCSR, 4));
  put(28, 4, b.i32(MXCSR_MASK));
  for (let i = 0; i < 8; i++) {
    const [significand, signExponent] = b.call(saveSt, b.i32(i)) as [Value, Value];
    put(ST + 16 * i, 8, significand);
    put(ST + 16 * i + 8, 8, b.extendU(signExponent));
  }
  for (let i = 0; i < 16; i++) put(XMM + 16 * i, 16, b.get(SLOT.VECTOR + 32 * i, 16));
}

/** FXRSTOR, FXRSTOR64: reserved bits of MXCSR are #GP. */
function fxrstor(b: Lifter): void {
  checkArea(b, ACCESS.READ);
  const get = (offset: number, size: number): Value => b.load(b.at(b.address(0), offset), size);
  const pointerBytes = b.insn.mnemonic === Mnemonic.Fxrstor64 ? 8 : 4;
  const mxcsr = get(24, 4);
  b.faultIf(b.and(mxcsr, b.i32(~MXCSR_MASK)), FAULT.PROTECTION);
  b.call(setControl, get(0, 2));
  b.call(setStatus, get(2, 2));
  b.set(SLOT.FTAG, 4, get(4, 1));
  b.set(SLOT.FOP, 4, b.and(get(6, 2), b.i32(OPCODE_BITS)));
  b.set(SLOT.FIP, 8, b.extendU(get(8, pointerBytes)));
  b.set(SLOT.FDP, 8, b.extendU(get(16, pointerBytes)));
  b.set(SLOT.MXCSR, 4, mxcsr);
  for (let i = 0; i < 8; i++) loadRegister(b, i, ST + 16 * i);
  for (let i = 0; i < 16; i++) b.set(SLOT.VECTOR + 32 * i, 16, get(XMM + 16 * i, 16));
}

export const x87State: readonly InsnRow[] = [
  row(Mnemonic.Fnstenv, fnstenv),
  row(Mnemonic.Fldenv, fldenv),
  row(Mnemonic.Fnsave, fnsave),
  row(Mnemonic.Frstor, frstor),
  row(Mnemonic.Fxsave, fxsave),
  row(Mnemonic.Fxsave64, fxsave),
  row(Mnemonic.Fxrstor, fxrstor),
  row(Mnemonic.Fxrstor64, fxrstor),
];
