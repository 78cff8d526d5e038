/**
 * XSAVE, XSAVEC, XSAVEOPT and XRSTOR (SDM vol. 1, chapter 13). The components are x87, SSE and AVX; there is no other one, so that the compacted
 * format lies as the standard one does.
 *
 * What EDX:EAX leaves out must stay as it is: its old value is read and written again.
 */
import { Mnemonic } from '../../../iced-x86.js';
import { GPR, SLOT } from '../../../register-set.js';
import type { Value } from '../../ir/op-builder.js';
import { ACCESS, FAULT } from '../../stop.js';
import { XCR0 } from '../cpuid.js';
import { INITIAL_FCW, INITIAL_MXCSR, MXCSR_MASK } from '../fpu-image.js';
import { type InsnRow, type Lifter, type LiftFunction, row, UndefinedInstruction } from '../lifter.js';
import { loadSt, saveSt, setControl, setStatus } from '../x87/control.js';
import { zero } from './vector-operands.js';
import { statusWord } from './x87-control.js';

/** Bits of XCR0, XSTATE_BV and the requested mask. */
const COMPONENT = { X87: 1, SSE: 2, AVX: 4 } as const;
const COMPACTED = 1n << 63n;

const OFFSET = {
  FCW: 0,
  FSW: 2,
  FTW: 4,
  FOP: 6,
  FIP: 8,
  FDP: 16,
  MXCSR: 24,
  MXCSR_MASK: 28,
  ST: 32,
  XMM: 160,
} as const;
const HEADER = { XSTATE_BV: 512, XCOMP_BV: 520, RESERVED: 528, BYTES: 64 } as const;
const YMM_HIGH = 576;
const AREA_BYTES = 832;
const ALIGNMENT = 64;

function requireModel(b: Lifter): void {
  if (b.model === 'base') throw new UndefinedInstruction('XSAVE');
}

/** The requested components (i32): EDX:EAX and XCR0. */
function requested(b: Lifter): Value {
  return b.and(b.gpr(GPR.RAX, 4), b.i32(XCR0));
}

function vectorSlot(i: number): number {
  return SLOT.VECTOR + 32 * i;
}

/** 1 (i32) when some upper half of ymm is not zero. */
function avxInUse(b: Lifter): Value {
  const all = Array.from({ length: 16 }, (_, i) => b.get(vectorSlot(i) + 16, 16));
  return b.op(
    'v128.any_true',
    all.reduce((x, y) => b.op('v128.or', x, y)),
  );
}

/** The components of the mask that are not in their initial state: x87 and SSE count as used. */
function inUse(b: Lifter, mask: Value): Value {
  return b.and(mask, b.or(b.shl(avxInUse(b), b.i32(2)), b.i32(COMPONENT.X87 | COMPONENT.SSE)));
}

/** Stores a value where the condition holds, otherwise what is there. */
function storeIf(b: Lifter, condition: Value, offset: number, size: number, value: Value): void {
  const at = b.at(b.address(0), offset);
  b.store(at, size, b.select(condition, value, b.load(at, size, true)));
}

function saveX87(b: Lifter, wanted: Value): void {
  storeIf(b, wanted, OFFSET.FCW, 2, b.get(SLOT.FCW, 4));
  storeIf(b, wanted, OFFSET.FSW, 2, statusWord(b));
  storeIf(b, wanted, OFFSET.FTW, 2, b.and(b.get(SLOT.FTAG, 4), b.i32(0xff)));
  storeIf(b, wanted, OFFSET.FOP, 2, b.get(SLOT.FOP, 4));
  storeIf(b, wanted, OFFSET.FIP, 8, b.get(SLOT.FIP, 8));
  storeIf(b, wanted, OFFSET.FDP, 8, b.get(SLOT.FDP, 8));
  for (let i = 0; i < 8; i++) {
    const [significand, signExponent] = b.call(saveSt, b.i32(i)) as [Value, Value];
    storeIf(b, wanted, OFFSET.ST + 16 * i, 8, significand);
    storeIf(b, wanted, OFFSET.ST + 16 * i + 8, 8, b.extendU(signExponent));
  }
}

function component(b: Lifter, mask: Value, bits: number): Value {
  return b.and(mask, b.i32(bits));
}

/** XSAVE, XSAVE64, XSAVEOPT; `compact`: XSAVEC, which leaves out what is in its initial state. */
function xsave(compact: boolean): LiftFunction {
  return (b) => {
    requireModel(b);
    b.requireAligned(0, ALIGNMENT);
    b.probe(b.address(0), AREA_BYTES, ACCESS.WRITE);
    const mask = requested(b);
    const used = inUse(b, mask);
    const stored = compact ? used : mask;
    saveX87(b, component(b, stored, COMPONENT.X87));
    // MXCSR belongs to SSE; the standard format has it with AVX too.
    const withMxcsr = component(b, stored, compact ? COMPONENT.SSE : COMPONENT.SSE | COMPONENT.AVX);
    storeIf(b, withMxcsr, OFFSET.MXCSR, 4, b.get(SLOT.MXCSR, 4));
    storeIf(b, withMxcsr, OFFSET.MXCSR_MASK, 4, b.i32(MXCSR_MASK));
    for (let i = 0; i < 16; i++) {
      storeIf(b, component(b, stored, COMPONENT.SSE), OFFSET.XMM + 16 * i, 16, b.get(vectorSlot(i), 16));
      storeIf(b, component(b, stored, COMPONENT.AVX), YMM_HIGH + 16 * i, 16, b.get(vectorSlot(i) + 16, 16));
    }
    const header = b.at(b.address(0), HEADER.XSTATE_BV);
    if (compact) {
      b.store(header, 8, b.extendU(used));
      b.store(b.at(b.address(0), HEADER.XCOMP_BV), 8, b.or(b.extendU(mask), b.i64(COMPACTED)));
    } else {
      const kept = b.and(b.load(header, 8, true), b.not(b.extendU(mask)));
      b.store(header, 8, b.or(kept, b.extendU(used)));
    }
  };
}

/** #GP unless the header is one that XSAVE or XSAVEC could have written. Returns XSTATE_BV, and 1 for the compacted format. */
function checkHeader(b: Lifter): [Value, Value] {
  const field = (offset: number): Value => b.load(b.at(b.address(0), offset), 8);
  const present = field(HEADER.XSTATE_BV);
  const layout = field(HEADER.XCOMP_BV);
  const compacted = b.ltS(layout, b.i64(0));
  const named = b.and(layout, b.i64(~COMPACTED));
  const absent = b.and(present, b.not(b.select(compacted, named, b.i64(XCR0))));
  const unknown = b.and(named, b.select(compacted, b.i64(~XCR0), b.i64(-1)));
  let bad = b.or(absent, unknown);
  for (let offset = HEADER.RESERVED; offset < HEADER.XSTATE_BV + HEADER.BYTES; offset += 8) {
    // The standard format reserves 16 bytes behind XCOMP_BV, the compacted one all of them.
    const value = field(offset);
    bad = b.or(bad, offset < HEADER.RESERVED + 8 ? value : b.select(compacted, value, b.i64(0)));
  }
  b.faultIf(b.ne(bad, b.i64(0)), FAULT.PROTECTION);
  return [b.wrap(present), compacted];
}

/** Reads a field where the condition holds, otherwise its initial value. */
function loadOr(b: Lifter, condition: Value, offset: number, size: number, initial: Value): Value {
  return b.select(condition, b.load(b.at(b.address(0), offset), size), initial);
}

function restoreX87(b: Lifter, wanted: Value, present: Value): void {
  const choose = (offset: number, size: number, initial: Value, now: Value): Value =>
    b.select(wanted, loadOr(b, present, offset, size, initial), now);
  const [zero32, zero64] = [b.i32(0), b.i64(0)];
  const control = choose(OFFSET.FCW, 2, b.i32(INITIAL_FCW), b.get(SLOT.FCW, 4));
  const status = choose(OFFSET.FSW, 2, zero32, statusWord(b));
  const tags = choose(OFFSET.FTW, 1, zero32, b.get(SLOT.FTAG, 4));
  const opcode = choose(OFFSET.FOP, 2, zero32, b.get(SLOT.FOP, 4));
  const instruction = choose(OFFSET.FIP, 8, zero64, b.get(SLOT.FIP, 8));
  const data = choose(OFFSET.FDP, 8, zero64, b.get(SLOT.FDP, 8));
  const registers = Array.from({ length: 8 }, (_, i): [Value, Value] => {
    const [significand, signExponent] = b.call(saveSt, b.i32(i)) as [Value, Value];
    const at = OFFSET.ST + 16 * i;
    return [choose(at, 8, zero64, significand), choose(at + 8, 2, zero32, signExponent)];
  });
  b.call(setControl, control);
  b.call(setStatus, status);
  b.set(SLOT.FTAG, 4, tags);
  b.set(SLOT.FOP, 4, b.and(opcode, b.i32(0x7ff)));
  b.set(SLOT.FIP, 8, instruction);
  b.set(SLOT.FDP, 8, data);
  for (const [i, [significand, signExponent]] of registers.entries()) {
    b.call(loadSt, b.i32(i), significand, signExponent);
  }
}

/** XRSTOR: components that are requested and not in the area go to their initial state. */
function xrstor(b: Lifter): void {
  requireModel(b);
  b.requireAligned(0, ALIGNMENT);
  b.probe(b.address(0), AREA_BYTES, ACCESS.READ);
  const mask = requested(b);
  const [present, compacted] = checkHeader(b);
  const here = b.and(present, mask);
  // The standard format loads MXCSR with SSE or AVX whether they are there or not.
  const standard = component(b, mask, COMPONENT.SSE | COMPONENT.AVX);
  const loadsMxcsr = b.select(compacted, component(b, here, COMPONENT.SSE), standard);
  const resetsMxcsr = b.and(compacted, b.ne(component(b, mask, COMPONENT.SSE), b.i32(0)));
  const rest = b.select(resetsMxcsr, b.i32(INITIAL_MXCSR), b.get(SLOT.MXCSR, 4));
  const mxcsr = loadOr(b, loadsMxcsr, OFFSET.MXCSR, 4, rest);
  b.faultIf(b.and(mxcsr, b.i32(~MXCSR_MASK)), FAULT.PROTECTION);
  restoreX87(b, component(b, mask, COMPONENT.X87), component(b, present, COMPONENT.X87));
  b.set(SLOT.MXCSR, 4, mxcsr);
  for (let i = 0; i < 16; i++) {
    for (const [bit, slot, offset] of [
      [COMPONENT.SSE, vectorSlot(i), OFFSET.XMM + 16 * i],
      [COMPONENT.AVX, vectorSlot(i) + 16, YMM_HIGH + 16 * i],
    ] as const) {
      const value = loadOr(b, component(b, present, bit), offset, 16, zero(b));
      b.set(slot, 16, b.select(component(b, mask, bit), value, b.get(slot, 16)));
    }
  }
}

export const xsaveRows: readonly InsnRow[] = [
  ...[Mnemonic.Xsave, Mnemonic.Xsave64, Mnemonic.Xsaveopt, Mnemonic.Xsaveopt64].map((mnemonic) =>
    row(mnemonic, xsave(false)),
  ),
  row(Mnemonic.Xsavec, xsave(true)),
  row(Mnemonic.Xsavec64, xsave(true)),
  row(Mnemonic.Xrstor, xrstor),
  row(Mnemonic.Xrstor64, xrstor),
];
