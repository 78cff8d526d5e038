/** Moves of vector and MMX registers, their non-temporal and masked stores, and moves of sign masks: SDM vol. 1, 5.4.1, 5.5.1.1, 5.6.1.1, 5.7.3. */
import { Mnemonic } from '../../../iced-x86.js';
import { SLOT } from '../../../register-set.js';
import type { Value } from '../../ir/op-builder.js';
import { both, type InsnRow, type Lifter, type LiftFunction, row, UndefinedInstruction } from '../lifter.js';
import { registerSlot } from '../registers.js';
import { enterMmx, isMmx, readMmx, writeMmx } from './mmx-operands.js';
import {
  begin,
  binary,
  eachHalf,
  halves,
  laneIndices,
  sources,
  unary,
  writeHalves,
  writeInteger,
  writeLowest,
  zero,
} from './vector-operands.js';
import { wait } from './x87-operands.js';

/** MOVAPS and its kin: aligned in memory to their own size, in the VEX form too. */
function moveAligned(b: Lifter): void {
  const bytes = b.size(0);
  for (const operand of [0, 1]) b.requireAligned(operand, bytes);
  moveUnaligned(b);
}

/** MOVUPS and its kin. */
function moveUnaligned(b: Lifter): void {
  eachHalf(b, (half) => b.readVector(1, half));
}

function isVector(b: Lifter, operand: number): boolean {
  return b.isRegister(operand) && registerSlot(b.insn.opRegister(operand)).kind === 'vector';
}

/** 4 or 8 bytes as a vector that is zero above them. */
function lowOnly(b: Lifter, value: Value): Value {
  return b.op('i64x2.replace_lane.0', zero(b), b.extendU(value));
}

/** MOVD, MOVQ between vector or MMX registers, general registers and memory: registers of the first two are filled up with zeros. */
function moveLow(size: number): LiftFunction {
  return (b) => {
    const mmx = begin(b);
    const value = b.readSized(1, size);
    if (isVector(b, 0)) return writeHalves(b, [lowOnly(b, value)]);
    if (isMmx(b, 0)) return writeMmx(b, 0, b.extendU(value));
    b.write(0, value);
    if (mmx) enterMmx(b);
  };
}

/** MOVSS, MOVSD: a load fills up with zeros; between registers the rest stays. */
function moveScalar(b: Lifter, size: number): void {
  const value = b.readSized(b.insn.opCount - 1, size);
  if (b.isMemory(0)) b.store(b.address(0), size, value);
  else if (b.isMemory(1)) writeHalves(b, [lowOnly(b, value)]);
  else writeLowest(b, size, value);
}

/** MOVSD of vector registers. iced gives the string instruction the same mnemonic; that one has two memory operands. */
export function movsd(b: Lifter): void {
  if (b.isMemory(0) && b.isMemory(1)) throw new UndefinedInstruction('movsd');
  moveScalar(b, 8);
}

/** MOVHPS, MOVHPD. */
function moveHigh(b: Lifter): void {
  if (b.isMemory(0)) return b.store(b.address(0), 8, b.op('i64x2.extract_lane.1', b.readVector(1)));
  const [first, last] = sources(b);
  writeHalves(b, [b.op('i64x2.replace_lane.1', b.readVector(first), b.readSized(last, 8))]);
}

/** MOVLPS, MOVLPD. */
function moveLowHalf(b: Lifter): void {
  if (b.isMemory(0)) b.store(b.address(0), 8, b.readSized(1, 8));
  else writeLowest(b, 8, b.readSized(sources(b)[1], 8));
}

/** MOVHLPS: the high half of src to the low half of dst. MOVLHPS: the other way. */
function moveHalf(lanes: readonly [number, number]): LiftFunction {
  return binary((b, x, y) => b.shuffle(x, y, laneIndices(8, lanes)));
}

/** MOVSLDUP, MOVSHDUP. */
function duplicate(lanes: readonly number[]): LiftFunction {
  return unary((b, x) => b.shuffle(x, x, laneIndices(4, lanes)));
}

/** MOVDDUP: 8 bytes twice; of ymm the first 8 of each half. */
function movddup(b: Lifter): void {
  eachHalf(b, (half) => {
    if (b.isMemory(1)) return b.op('i64x2.splat', b.load(b.at(b.address(1), 16 * half), 8));
    const x = b.readVector(1, half);
    return b.shuffle(x, x, laneIndices(8, [0, 0]));
  });
}

/** MOVNTQ. */
function movntq(b: Lifter): void {
  wait(b);
  b.store(b.address(0), 8, readMmx(b, 1));
  enterMmx(b);
}

function movq2dq(b: Lifter): void {
  wait(b);
  b.writeVector(0, lowOnly(b, readMmx(b, 1)));
  enterMmx(b);
}

function movdq2q(b: Lifter): void {
  wait(b);
  writeMmx(b, 0, b.readSized(1, 8));
}

/** MASKMOVDQU: the bytes of src whose mask byte is negative, to DS:rDI. With an empty mask memory is not touched. */
function maskmovdqu(b: Lifter): void {
  const mask = b.op('i8x16.shr_s', b.readVector(2), b.i32(7));
  b.leaveIf(b.eqz(b.op('v128.any_true', mask)), b.nextIp);
  const old = b.load(b.address(0), 16, true);
  b.store(b.address(0), 16, b.op('v128.bitselect', b.readVector(1), old, mask));
}

/** MASKMOVQ: as MASKMOVDQU, 8 bytes. */
function maskmovq(b: Lifter): void {
  wait(b);
  const signs = b.op('i8x16.shr_s', b.op('i64x2.splat', readMmx(b, 2)), b.i32(7));
  const mask = b.op('i64x2.extract_lane.0', signs);
  const old = b.load(b.address(0), 8, true);
  b.store(b.address(0), 8, b.or(b.and(readMmx(b, 1), mask), b.and(old, b.not(mask))));
  enterMmx(b);
}

/** EMMS: all x87 registers are empty, TOP is 0. */
function emms(b: Lifter): void {
  wait(b);
  b.set(SLOT.FTOP, 4, b.i32(0));
  b.set(SLOT.FTAG, 4, b.i32(0));
}

function lanesOf(shape: string): number {
  return Number(shape.slice(shape.indexOf('x') + 1));
}

/** PMOVMSKB, MOVMSKPS, MOVMSKPD: the sign bits of the lanes. */
function signMask(shape: string): LiftFunction {
  return (b) => {
    if (begin(b)) {
      writeInteger(b, 0, b.and(b.op(`${shape}.bitmask`, b.op('i64x2.splat', readMmx(b, 1))), b.i32(0xff)));
      return enterMmx(b);
    }
    const masks = halves(b, 1).map((half) => b.op(`${shape}.bitmask`, b.readVector(1, half)));
    const [low, high] = masks as [Value, Value?];
    writeInteger(b, 0, high === undefined ? low : b.or(low, b.shl(high, b.i32(lanesOf(shape)))));
  };
}

const ALIGNED: readonly (readonly [Mnemonic, Mnemonic])[] = [
  [Mnemonic.Movaps, Mnemonic.Vmovaps],
  [Mnemonic.Movapd, Mnemonic.Vmovapd],
  [Mnemonic.Movdqa, Mnemonic.Vmovdqa],
  [Mnemonic.Movntps, Mnemonic.Vmovntps],
  [Mnemonic.Movntpd, Mnemonic.Vmovntpd],
  [Mnemonic.Movntdq, Mnemonic.Vmovntdq],
  [Mnemonic.Movntdqa, Mnemonic.Vmovntdqa],
];

const UNALIGNED: readonly (readonly [Mnemonic, Mnemonic])[] = [
  [Mnemonic.Movups, Mnemonic.Vmovups],
  [Mnemonic.Movupd, Mnemonic.Vmovupd],
  [Mnemonic.Movdqu, Mnemonic.Vmovdqu],
  [Mnemonic.Lddqu, Mnemonic.Vlddqu],
];

export const vectorMoves: readonly InsnRow[] = [
  ...ALIGNED.flatMap(([legacy, vex]) => both(legacy, vex, moveAligned)),
  ...UNALIGNED.flatMap(([legacy, vex]) => both(legacy, vex, moveUnaligned)),
  ...both(Mnemonic.Movd, Mnemonic.Vmovd, moveLow(4)),
  ...both(Mnemonic.Movq, Mnemonic.Vmovq, moveLow(8)),
  ...both(Mnemonic.Movss, Mnemonic.Vmovss, (b) => moveScalar(b, 4)),
  ...both(Mnemonic.Movsd, Mnemonic.Vmovsd, movsd),
  ...both(Mnemonic.Movhps, Mnemonic.Vmovhps, moveHigh),
  ...both(Mnemonic.Movhpd, Mnemonic.Vmovhpd, moveHigh),
  ...both(Mnemonic.Movlps, Mnemonic.Vmovlps, moveLowHalf),
  ...both(Mnemonic.Movlpd, Mnemonic.Vmovlpd, moveLowHalf),
  ...both(Mnemonic.Movhlps, Mnemonic.Vmovhlps, moveHalf([3, 1])),
  ...both(Mnemonic.Movlhps, Mnemonic.Vmovlhps, moveHalf([0, 2])),
  ...both(Mnemonic.Movsldup, Mnemonic.Vmovsldup, duplicate([0, 0, 2, 2])),
  ...both(Mnemonic.Movshdup, Mnemonic.Vmovshdup, duplicate([1, 1, 3, 3])),
  ...both(Mnemonic.Movddup, Mnemonic.Vmovddup, movddup),
  row(Mnemonic.Movntq, movntq),
  row(Mnemonic.Movq2dq, movq2dq),
  row(Mnemonic.Movdq2q, movdq2q),
  ...both(Mnemonic.Maskmovdqu, Mnemonic.Vmaskmovdqu, maskmovdqu),
  row(Mnemonic.Maskmovq, maskmovq),
  ...both(Mnemonic.Pmovmskb, Mnemonic.Vpmovmskb, signMask('i8x16')),
  ...both(Mnemonic.Movmskps, Mnemonic.Vmovmskps, signMask('i32x4')),
  ...both(Mnemonic.Movmskpd, Mnemonic.Vmovmskpd, signMask('i64x2')),
  row(Mnemonic.Emms, emms),
];
