/** Moves of vector and MMX registers, their non-temporal and masked stores, and moves of sign masks: SDM vol. 1, 5.4.1, 5.5.1.1, 5.6.1.1, 5.7.3. */
import { Mnemonic } from 'iced-x86';
import { SLOT } from '../../../register-set.js';
import type { Value } from '../../ir/op-builder.js';
import { type InsnRow, type Lifter, type LiftFunction, row, UndefinedInstruction } from '../lifter.js';
import { registerSlot } from '../registers.js';
import { enterMmx, isMmx, readMmx, writeMmx } from './mmx-operands.js';
import { begin, laneIndices, readAligned, writeInteger, zero } from './vector-operands.js';
import { wait } from './x87-operands.js';

/** MOVAPS and its kin: 16 bytes, aligned in memory. */
function moveAligned(b: Lifter): void {
  b.requireAligned(0);
  b.writeVector(0, readAligned(b, 1));
}

/** MOVUPS and its kin. */
function moveUnaligned(b: Lifter): void {
  b.writeVector(0, b.readVector(1));
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
    if (isVector(b, 0)) return b.writeVector(0, lowOnly(b, value));
    if (isMmx(b, 0)) return writeMmx(b, 0, b.extendU(value));
    b.write(0, value);
    if (mmx) enterMmx(b);
  };
}

/** MOVSS, MOVSD: a load fills up with zeros; between registers the rest stays. */
function moveScalar(b: Lifter, size: number): void {
  const value = b.readSized(1, size);
  if (b.isMemory(1)) b.writeVector(0, lowOnly(b, value));
  else b.writeSized(0, size, value);
}

/** MOVSD of vector registers. iced gives the string instruction the same mnemonic; that one has two memory operands. */
export function movsd(b: Lifter): void {
  if (b.isMemory(0) && b.isMemory(1)) throw new UndefinedInstruction('movsd');
  moveScalar(b, 8);
}

/** MOVHPS, MOVHPD. */
function moveHigh(b: Lifter): void {
  if (b.isMemory(0)) b.store(b.address(0), 8, b.op('i64x2.extract_lane.1', b.readVector(1)));
  else b.writeVector(0, b.op('i64x2.replace_lane.1', b.readVector(0), b.readSized(1, 8)));
}

/** MOVLPS, MOVLPD. */
function moveLowHalf(b: Lifter): void {
  b.writeSized(0, 8, b.readSized(1, 8));
}

/** MOVHLPS: the high half of src to the low half of dst. MOVLHPS: the other way. */
function moveHalf(lanes: readonly [number, number]): LiftFunction {
  return (b) => b.writeVector(0, b.shuffle(b.readVector(0), b.readVector(1), laneIndices(8, lanes)));
}

/** MOVSLDUP, MOVSHDUP. */
function duplicate(lanes: readonly number[]): LiftFunction {
  return (b) => {
    const x = readAligned(b, 1);
    b.writeVector(0, b.shuffle(x, x, laneIndices(4, lanes)));
  };
}

/** MOVDDUP: 8 bytes twice. */
function movddup(b: Lifter): void {
  b.writeVector(0, b.op('i64x2.splat', b.readSized(1, 8)));
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

/** PMOVMSKB, MOVMSKPS, MOVMSKPD: the sign bits of the lanes. */
function signMask(shape: string): LiftFunction {
  return (b) => {
    if (begin(b)) {
      writeInteger(b, 0, b.and(b.op(`${shape}.bitmask`, b.op('i64x2.splat', readMmx(b, 1))), b.i32(0xff)));
      return enterMmx(b);
    }
    writeInteger(b, 0, b.op(`${shape}.bitmask`, b.readVector(1)));
  };
}

export const vectorMoves: readonly InsnRow[] = [
  ...[
    Mnemonic.Movaps,
    Mnemonic.Movapd,
    Mnemonic.Movdqa,
    Mnemonic.Movntps,
    Mnemonic.Movntpd,
    Mnemonic.Movntdq,
    Mnemonic.Movntdqa,
  ].map((mnemonic) => row(mnemonic, moveAligned)),
  ...[Mnemonic.Movups, Mnemonic.Movupd, Mnemonic.Movdqu, Mnemonic.Lddqu].map((mnemonic) =>
    row(mnemonic, moveUnaligned),
  ),
  row(Mnemonic.Movd, moveLow(4)),
  row(Mnemonic.Movq, moveLow(8)),
  row(Mnemonic.Movss, (b) => moveScalar(b, 4)),
  row(Mnemonic.Movsd, movsd),
  row(Mnemonic.Movhps, moveHigh),
  row(Mnemonic.Movhpd, moveHigh),
  row(Mnemonic.Movlps, moveLowHalf),
  row(Mnemonic.Movlpd, moveLowHalf),
  row(Mnemonic.Movhlps, moveHalf([3, 1])),
  row(Mnemonic.Movlhps, moveHalf([0, 2])),
  row(Mnemonic.Movsldup, duplicate([0, 0, 2, 2])),
  row(Mnemonic.Movshdup, duplicate([1, 1, 3, 3])),
  row(Mnemonic.Movddup, movddup),
  row(Mnemonic.Movntq, movntq),
  row(Mnemonic.Movq2dq, movq2dq),
  row(Mnemonic.Movdq2q, movdq2q),
  row(Mnemonic.Maskmovdqu, maskmovdqu),
  row(Mnemonic.Maskmovq, maskmovq),
  row(Mnemonic.Pmovmskb, signMask('i8x16')),
  row(Mnemonic.Movmskps, signMask('i32x4')),
  row(Mnemonic.Movmskpd, signMask('i64x2')),
  row(Mnemonic.Emms, emms),
];
