/** What AVX, AVX2 and F16C do with whole lanes and halves: broadcasts, permutations, extraction, insertion (SDM vol. 1, 5.13, 5.16). */
import { Mnemonic } from '../../../iced-x86.js';
import { SLOT } from '../../../register-set.js';
import type { Value } from '../../ir/op-builder.js';
import { ACCESS, FAULT } from '../../stop.js';
import { type InsnRow, type Lifter, type LiftFunction, row } from '../lifter.js';
import { HALF } from '../softfloat/half.js';
import { settle } from '../softfloat/mxcsr.js';
import { binary, eachHalf, halves, laneIndices, shapeOf, splat, unary, writeHalves, zero } from './vector-operands.js';

/** VBROADCASTSS, VPBROADCASTB and their kin: one element in all lanes. */
function broadcast(bytes: number): LiftFunction {
  return (b) => {
    const value = b.op(`${shapeOf(bytes)}.splat`, b.readSized(1, bytes));
    eachHalf(b, () => value);
  };
}

/** VBROADCASTF128, VBROADCASTI128. */
function broadcastHalf(b: Lifter): void {
  const value = b.readVector(1);
  writeHalves(b, [value, value]);
}

/** VINSERTF128, VINSERTI128. */
function insertHalf(b: Lifter): void {
  const value = b.readVector(2);
  const place = b.insn.immediate8 & 1;
  eachHalf(b, (half) => (half === place ? value : b.readVector(1, half)));
}

/** VEXTRACTF128, VEXTRACTI128. */
function extractHalf(b: Lifter): void {
  writeHalves(b, [b.readVector(1, b.insn.immediate8 & 1)]);
}

/** VPERM2F128, VPERM2I128: each half is one of four, or zero. All of a source in memory is read, needed or not. */
function permuteHalves(b: Lifter): void {
  const four = [1, 1, 2, 2].map((operand, i) => b.readVector(operand, i & 1));
  eachHalf(b, (half) => {
    const chosen = b.insn.immediate8 >> (4 * half);
    return chosen & 8 ? zero(b) : (four[chosen & 3] as Value);
  });
}

/** VPERMQ, VPERMPD: four lanes by the immediate. */
function permuteQuads(b: Lifter): void {
  const [low, high] = [b.readVector(1), b.readVector(1, 1)];
  eachHalf(b, (half) => {
    const chosen = b.insn.immediate8 >> (4 * half);
    return b.shuffle(low, high, laneIndices(8, [chosen & 3, (chosen >> 2) & 3]));
  });
}

/** Byte indices for `swizzle` from numbers of 32-bit lanes below 8. */
function byteIndices(b: Lifter, lanes: Value): Value {
  return b.op('i32x4.add', b.op('i32x4.mul', lanes, splat(b, 4, 0x0404_0404)), splat(b, 4, 0x0302_0100));
}

/** VPERMD, VPERMPS: eight lanes by the first source. */
function permuteDoubles(b: Lifter): void {
  const [low, high] = [b.readVector(2), b.readVector(2, 1)];
  eachHalf(b, (half) => {
    const indices = byteIndices(b, b.op('v128.and', b.readVector(1, half), splat(b, 4, 7)));
    const fromHigh = b.op('i8x16.swizzle', high, b.op('i8x16.sub', indices, splat(b, 1, 16)));
    return b.op('v128.or', b.op('i8x16.swizzle', low, indices), fromHigh);
  });
}

/** By the immediate when there is one, else by the second source. */
function within(byImmediate: LiftFunction, bySource: LiftFunction): LiftFunction {
  return (b) => (b.isMemory(2) || b.isRegister(2) ? bySource(b) : byImmediate(b));
}

/** VPERMILPS: within each half. */
const permuteSingles = within(
  unary((b, x) => {
    const chosen = b.insn.immediate8;
    return b.shuffle(
      x,
      x,
      laneIndices(
        4,
        [0, 2, 4, 6].map((shift) => (chosen >> shift) & 3),
      ),
    );
  }),
  binary((b, x, y) => b.op('i8x16.swizzle', x, byteIndices(b, b.op('v128.and', y, splat(b, 4, 3))))),
);

/** VPERMILPD: within each half; a source chooses by its bits 1. */
const permuteDoublesWithin = within(
  unary((b, x, half) => {
    const chosen = b.insn.immediate8 >> (2 * half);
    return b.shuffle(x, x, laneIndices(8, [chosen & 1, (chosen >> 1) & 1]));
  }),
  binary((b, x, y) => {
    const upper = b.op('i64x2.shr_s', b.op('i64x2.shl', y, b.i32(62)), b.i32(63));
    const both = (lane: number): Value => b.shuffle(x, x, laneIndices(8, [lane, lane]));
    return b.op('v128.bitselect', both(1), both(0), upper);
  }),
);

/** VPSLLVD and its kin: each lane by its own count; beyond the width everything is shifted out. */
function shiftEach(bytes: number, shift: 'shl' | 'shr_u' | 'shr_s'): LiftFunction {
  const [shape, type] = [shapeOf(bytes), bytes === 4 ? 'i32' : 'i64'];
  return binary((b, x, counts) => {
    let result = x;
    for (let lane = 0; lane < 16 / bytes; lane++) {
      const count = b.op(`${shape}.extract_lane.${lane}`, counts);
      const value = b.op(`${shape}.extract_lane.${lane}`, x);
      const fits = b.ltU(count, b.like(count, 8 * bytes));
      const shifted =
        shift === 'shr_s'
          ? b.shrS(value, b.select(fits, count, b.like(count, 8 * bytes - 1)))
          : b.select(fits, b.op(`${type}.${shift}`, value, count), b.like(value, 0));
      result = b.op(`${shape}.replace_lane.${lane}`, result, shifted);
    }
    return result;
  });
}

/** VCVTPH2PS: a source half as wide as the destination. */
function widenHalves(b: Lifter): void {
  const parts = halves(b, 0).map((half) => {
    if (b.isMemory(1)) return b.op('i64x2.splat', b.load(b.at(b.address(1), 8 * half), 8));
    const x = b.readVector(1);
    return half === 0 ? x : b.shuffle(x, x, laneIndices(8, [1, 1]));
  });
  const before = b.get(SLOT.MXCSR, 4);
  const results = parts.map((part) => b.call(HALF.widen, part) as [Value, Value]);
  raiseAll(b, before, results);
  writeHalves(
    b,
    results.map(([value]) => value),
  );
}

function raiseAll(b: Lifter, before: Value, results: readonly (readonly [Value, Value])[]): void {
  const trap = results.map(([, each]) => each).reduce((x, y) => b.or(y, x));
  b.faultIf(results.length > 1 ? b.call1(settle, before, trap) : trap, FAULT.SIMD);
}

/** VCVTPS2PH: to 8 bytes, or 16 of ymm. A store is checked before MXCSR changes. */
function narrowToHalves(b: Lifter): void {
  const before = b.get(SLOT.MXCSR, 4);
  const how = b.i32(b.insn.immediate8);
  const wide = b.size(1) === 32;
  if (b.isMemory(0)) b.probe(b.address(0), wide ? 16 : 8, ACCESS.WRITE);
  const results = halves(b, 1).map((half) => b.call(HALF.narrow, b.readVector(1, half), how) as [Value, Value]);
  raiseAll(b, before, results);
  const [[low], high] = results as [[Value, Value], [Value, Value]?];
  const value = high === undefined ? low : b.shuffle(low, high[0], laneIndices(8, [0, 2]));
  if (b.isMemory(0) && !wide) b.store(b.address(0), 8, b.op('i64x2.extract_lane.0', value));
  else writeHalves(b, [value]);
}

/** VZEROUPPER, and VZEROALL, which clears the low halves too. */
function clear(all: boolean): LiftFunction {
  return (b) => {
    const nothing = zero(b);
    for (let i = 0; i < 16; i++) {
      if (all) b.set(SLOT.VECTOR + 32 * i, 16, nothing);
      b.set(SLOT.VECTOR + 32 * i + 16, 16, nothing);
    }
  };
}

export const avxLanes: readonly InsnRow[] = [
  row(Mnemonic.Vbroadcastss, broadcast(4)),
  row(Mnemonic.Vbroadcastsd, broadcast(8)),
  row(Mnemonic.Vpbroadcastb, broadcast(1)),
  row(Mnemonic.Vpbroadcastw, broadcast(2)),
  row(Mnemonic.Vpbroadcastd, broadcast(4)),
  row(Mnemonic.Vpbroadcastq, broadcast(8)),
  row(Mnemonic.Vbroadcastf128, broadcastHalf),
  row(Mnemonic.Vbroadcasti128, broadcastHalf),
  row(Mnemonic.Vinsertf128, insertHalf),
  row(Mnemonic.Vinserti128, insertHalf),
  row(Mnemonic.Vextractf128, extractHalf),
  row(Mnemonic.Vextracti128, extractHalf),
  row(Mnemonic.Vperm2f128, permuteHalves),
  row(Mnemonic.Vperm2i128, permuteHalves),
  row(Mnemonic.Vpermq, permuteQuads),
  row(Mnemonic.Vpermpd, permuteQuads),
  row(Mnemonic.Vpermd, permuteDoubles),
  row(Mnemonic.Vpermps, permuteDoubles),
  row(Mnemonic.Vpermilps, permuteSingles),
  row(Mnemonic.Vpermilpd, permuteDoublesWithin),
  row(Mnemonic.Vpsllvd, shiftEach(4, 'shl')),
  row(Mnemonic.Vpsllvq, shiftEach(8, 'shl')),
  row(Mnemonic.Vpsrlvd, shiftEach(4, 'shr_u')),
  row(Mnemonic.Vpsrlvq, shiftEach(8, 'shr_u')),
  row(Mnemonic.Vpsravd, shiftEach(4, 'shr_s')),
  row(Mnemonic.Vcvtph2ps, widenHalves),
  row(Mnemonic.Vcvtps2ph, narrowToHalves),
  row(Mnemonic.Vzeroupper, clear(false)),
  row(Mnemonic.Vzeroall, clear(true)),
];
