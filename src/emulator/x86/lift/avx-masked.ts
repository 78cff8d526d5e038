/**
 * Accesses to some lanes only: VMASKMOV, VPMASKMOV, gathers (SDM vol. 1, 5.13, 5.16; vol. 2C). A lane that the mask leaves out must not fault: it
 * goes where the first lane goes that the mask has, so that it touches nothing else. Without any such lane memory is left alone.
 */
import { Mnemonic, Register } from '../../../iced-x86.js';
import { SLOT } from '../../../register-set.js';
import type { Address } from '../../ir/builder.js';
import type { Value } from '../../ir/op-builder.js';
import { ACCESS } from '../../stop.js';
import { type InsnRow, type Lifter, type LiftFunction, row, UndefinedInstruction } from '../lifter.js';
import { registerSlot } from '../registers.js';
import { halves, shapeOf, writeHalves, zero } from './vector-operands.js';

/** The mask of an instruction: the sign bits of an operand's lanes, as the low bits of an i32. */
function maskBits(b: Lifter, operand: number, bytes: number, lanes: number): Value {
  const perHalf = 16 / bytes;
  const [low, high] = halves(b, operand).map((half) =>
    b.op(`${shapeOf(bytes)}.bitmask`, b.readVector(operand, half)),
  ) as [Value, Value?];
  const all = high === undefined ? low : b.or(low, b.shl(high, b.i32(perHalf)));
  return lanes < halves(b, operand).length * perHalf ? b.and(all, b.i32((1 << lanes) - 1)) : all;
}

function isChosen(b: Lifter, mask: Value, lane: number): Value {
  return b.and(mask, b.i32(1 << lane));
}

function lanesOf(b: Lifter, bytes: number, vectors: readonly Value[]): Value[] {
  const perHalf = 16 / bytes;
  return vectors.flatMap((vector) =>
    Array.from({ length: perHalf }, (_, i) => b.op(`${shapeOf(bytes)}.extract_lane.${i}`, vector)),
  );
}

/** Lanes as 16-byte vectors; what is not there is zero. */
function vectorsOf(b: Lifter, bytes: number, lanes: readonly Value[]): Value[] {
  const perHalf = 16 / bytes;
  const count = Math.max(1, lanes.length / perHalf);
  return Array.from({ length: count }, (_, half) =>
    lanes
      .slice(half * perHalf, (half + 1) * perHalf)
      .reduce((vector, lane, i) => b.op(`${shapeOf(bytes)}.replace_lane.${i}`, vector, lane), zero(b)),
  );
}

/** The value of the first lane that the mask has. */
function firstChosen(b: Lifter, mask: Value, values: readonly Value[]): Value {
  return values.reduceRight((rest, value, lane) => b.select(isChosen(b, mask, lane), value, rest));
}

/** Reads the operand's vectors. */
function vectors(b: Lifter, operand: number): Value[] {
  return halves(b, operand).map((half) => b.readVector(operand, half));
}

/** Writes `values` where the mask is empty and ends the instruction there; otherwise the registers stay as they are. */
function leaveWhenEmpty(b: Lifter, mask: Value, values: readonly (readonly [slot: number, value: Value])[]): void {
  for (const [slot, value] of values) b.set(slot, 16, b.select(mask, b.get(slot, 16), value));
  b.leaveIf(b.eqz(mask), b.nextIp);
}

/** Slots of both halves of a vector register operand. */
function slots(b: Lifter, operand: number): [number, number] {
  const slot = b.vectorSlot(operand);
  return [slot, slot + 16];
}

/** VMASKMOVPS, VMASKMOVPD, VPMASKMOVD, VPMASKMOVQ: a load fills the other lanes with zeros. */
function maskedMove(bytes: number): LiftFunction {
  return (b) => {
    const store = b.isMemory(0);
    const count = b.size(store ? 2 : 0) / bytes;
    const mask = maskBits(b, 1, bytes, count);
    const base = b.linear(b.address(store ? 0 : 2));
    if (store) b.leaveIf(b.eqz(mask), b.nextIp);
    else
      leaveWhenEmpty(
        b,
        mask,
        slots(b, 0).map((slot) => [slot, zero(b)] as const),
      );
    const first = b.extendU(b.mul(b.op('i32.ctz', mask), b.i32(bytes)));
    const places = Array.from({ length: count }, (_, lane) =>
      placeOf(b, base, b.select(isChosen(b, mask, lane), b.i64(lane * bytes), first)),
    );
    if (!store) {
      const loaded = places.map((at, lane) => {
        const value = b.load(at, bytes);
        return b.select(isChosen(b, mask, lane), value, b.like(value, 0));
      });
      return writeHalves(b, vectorsOf(b, bytes, loaded));
    }
    const values = lanesOf(b, bytes, vectors(b, 2));
    const instead = firstChosen(b, mask, values);
    for (const at of places) b.probe(at, bytes, ACCESS.WRITE);
    places.forEach((at, lane) => {
      b.store(at, bytes, b.select(isChosen(b, mask, lane), values[lane] as Value, instead));
    });
  };
}

function placeOf(b: Lifter, base: Value, offset: Value): Address {
  return b.plain(b.add(base, offset));
}

/** The addresses of a gather: base + each sign-extended index times the scale. */
function gatherPlaces(b: Lifter, indexBytes: number, count: number): Value[] {
  const { memoryBase, memoryIndex, memoryIndexScale, memorySegment } = b.insn;
  const { slot, size } = registerSlot(memoryIndex);
  const indices = lanesOf(
    b,
    indexBytes,
    Array.from({ length: size / 16 }, (_, half) => b.get(slot + 16 * half, 16)),
  );
  let base = b.i64(BigInt.asUintN(64, b.insn.memoryDisplacement));
  if (memoryBase !== Register.None) base = b.add(b.get(registerSlot(memoryBase).slot, 8), base);
  const narrow = memoryBase >= Register.EAX && memoryBase <= Register.R15D;
  return indices.slice(0, count).map((index) => {
    const scaled = b.shl(b.extendS(index), b.i64(Math.log2(memoryIndexScale)));
    const sum = b.add(base, scaled);
    const offset = narrow ? b.and(sum, b.i64(0xffff_ffff)) : sum;
    if (memorySegment === Register.FS) return b.add(offset, b.get(SLOT.FS_BASE, 8));
    return memorySegment === Register.GS ? b.add(offset, b.get(SLOT.GS_BASE, 8)) : offset;
  });
}

/** VPGATHERDD and its kin: elements of `bytes` by indices of `indexBytes`, where the mask (the last operand) says; then the mask is zero. */
function gather(indexBytes: number, bytes: number): LiftFunction {
  return (b) => {
    const index = registerSlot(b.insn.memoryIndex);
    const [destination, mask] = [registerSlot(b.insn.opRegister(0)), registerSlot(b.insn.opRegister(2))];
    const numbers = [destination.number, mask.number, index.number];
    if (new Set(numbers).size !== 3) throw new UndefinedInstruction('registers of a gather');
    const count = Math.min(destination.size / bytes, index.size / indexBytes);
    const bits = maskBits(b, 2, bytes, count);
    const old = vectors(b, 0);
    const places = gatherPlaces(b, indexBytes, count);
    const kept = lanesOf(b, bytes, old);
    const used = (16 * Math.ceil((count * bytes) / 16)) / bytes;
    const cleared = vectorsOf(
      b,
      bytes,
      kept.slice(0, used).map((lane, i) => (i < count ? lane : b.like(lane, 0))),
    );
    const nothing = zero(b);
    const [low, high] = slots(b, 0);
    const [maskLow, maskHigh] = slots(b, 2);
    leaveWhenEmpty(b, bits, [
      [low, cleared[0] as Value],
      [high, cleared[1] ?? nothing],
      [maskLow, nothing],
      [maskHigh, nothing],
    ]);
    const instead = firstChosen(b, bits, places);
    const lanes = places.map((at, lane) => {
      const chosen = isChosen(b, bits, lane);
      const value = b.load(b.plain(b.select(chosen, at, instead)), bytes);
      return b.select(chosen, value, kept[lane] as Value);
    });
    const results = vectorsOf(b, bytes, lanes);
    b.set(low, 16, results[0] as Value);
    b.set(high, 16, results[1] ?? nothing);
    b.set(maskLow, 16, nothing);
    b.set(maskHigh, 16, nothing);
  };
}

export const avxMasked: readonly InsnRow[] = [
  row(Mnemonic.Vmaskmovps, maskedMove(4)),
  row(Mnemonic.Vmaskmovpd, maskedMove(8)),
  row(Mnemonic.Vpmaskmovd, maskedMove(4)),
  row(Mnemonic.Vpmaskmovq, maskedMove(8)),
  row(Mnemonic.Vpgatherdd, gather(4, 4)),
  row(Mnemonic.Vgatherdps, gather(4, 4)),
  row(Mnemonic.Vpgatherdq, gather(4, 8)),
  row(Mnemonic.Vgatherdpd, gather(4, 8)),
  row(Mnemonic.Vpgatherqd, gather(8, 4)),
  row(Mnemonic.Vgatherqps, gather(8, 4)),
  row(Mnemonic.Vpgatherqq, gather(8, 8)),
  row(Mnemonic.Vgatherqpd, gather(8, 8)),
];
