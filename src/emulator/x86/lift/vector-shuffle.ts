/** Shuffles, unpacking, packing and blending of vectors: SDM vol. 1, 5.4.2, 5.5.1.5, 5.6.1.5, 5.6.3, 5.8.4, 5.8.6, 5.10.5, 5.10.8. */
import { Mnemonic } from 'iced-x86';
import { SLOT } from '../../../register-set.js';
import { type InsnRow, type Lifter, type LiftFunction, row } from '../lifter.js';
import { isMmx, readMmx, writeMmx } from './mmx-operands.js';
import {
  type Binary,
  begin,
  binary,
  joining,
  laneIndices,
  named,
  readAligned,
  result,
  shapeOf,
  source,
  splat,
  zero,
} from './vector-operands.js';
import { wait } from './x87-operands.js';

/** Lanes of dst and src in turn, from `first` on. */
function interleaved(bytes: number, first: number): Binary {
  const count = 16 / bytes;
  const lanes = Array.from({ length: count }, (_, i) => first + (i >> 1) + (i & 1) * count);
  const indices = laneIndices(bytes, lanes);
  return (b, x, y) => b.shuffle(x, y, indices);
}

/** PUNPCKL, UNPCKL: the low halves interleaved. */
function unpackLow(bytes: number): LiftFunction {
  return binary(interleaved(bytes, 0));
}

/** PUNPCKH, UNPCKH: the high halves. Of MMX they are the high half of the low halves interleaved. */
function unpackHigh(bytes: number): LiftFunction {
  const low = interleaved(bytes, 0);
  const high = binary(interleaved(bytes, 8 / bytes));
  return (b) => {
    if (!isMmx(b, 0)) return high(b);
    const mmx = begin(b);
    const y = source(b, 1, mmx);
    writeMmx(b, 0, b.op('i64x2.extract_lane.1', low(b, source(b, 0, mmx), y)));
  };
}

/** Four two-bit fields of the immediate. */
function fields(b: Lifter): [number, number, number, number] {
  const chosen = b.insn.immediate8;
  return [chosen & 3, (chosen >> 2) & 3, (chosen >> 4) & 3, (chosen >> 6) & 3];
}

/** PSHUFD, PSHUFW, PSHUFLW, PSHUFHW: lanes of src, chosen by the immediate. */
function shuffleOne(bytes: number, lanes: (four: readonly number[]) => readonly number[]): LiftFunction {
  return (b) => {
    const mmx = begin(b);
    const x = source(b, 1, mmx);
    result(b, b.shuffle(x, x, laneIndices(bytes, lanes(fields(b)))), mmx);
  };
}

/** SHUFPS: two lanes of dst, two of src. */
function shufps(b: Lifter): void {
  const y = readAligned(b, 1);
  const [i, j, k, l] = fields(b);
  b.writeVector(0, b.shuffle(b.readVector(0), y, laneIndices(4, [i, j, 4 + k, 4 + l])));
}

function shufpd(b: Lifter): void {
  const y = readAligned(b, 1);
  const chosen = b.insn.immediate8;
  b.writeVector(0, b.shuffle(b.readVector(0), y, laneIndices(8, [chosen & 1, 2 + ((chosen >> 1) & 1)])));
}

/** PSHUFB: bytes of dst chosen by those of src; negative ones give zero. */
function pshufb(b: Lifter): void {
  const mmx = begin(b);
  const chosen = source(b, 1, mmx);
  const indices = b.op('v128.and', chosen, splat(b, 1, mmx ? 0x87 : 0x8f));
  result(b, b.op('i8x16.swizzle', source(b, 0, mmx), indices), mmx);
}

/** PALIGNR: dst above src, shifted right by bytes. */
function palignr(b: Lifter): void {
  const count = b.insn.immediate8;
  const mmx = begin(b);
  const whole = (first: number): Uint8Array => Uint8Array.from({ length: 16 }, (_, i) => Math.min(first + i, 31));
  if (mmx) {
    const low = readMmx(b, 1);
    const both = b.op('i64x2.replace_lane.1', b.op('i64x2.splat', low), readMmx(b, 0));
    return result(b, b.shuffle(both, zero(b), whole(count)), true);
  }
  const y = readAligned(b, 1);
  const x = b.readVector(0);
  b.writeVector(0, count < 16 ? b.shuffle(y, x, whole(count)) : b.shuffle(x, zero(b), whole(count - 16)));
}

/** BLENDPS, BLENDPD, PBLENDW: lanes of src where the immediate has ones. */
function blend(bytes: number): LiftFunction {
  return (b) => {
    const y = readAligned(b, 1);
    const count = 16 / bytes;
    const lanes = Array.from({ length: count }, (_, i) => i + ((b.insn.immediate8 >> i) & 1) * count);
    b.writeVector(0, b.shuffle(b.readVector(0), y, laneIndices(bytes, lanes)));
  };
}

/** PBLENDVB, BLENDVPS, BLENDVPD: lanes of src where those of xmm0 are negative. */
function blendVariable(bytes: number): LiftFunction {
  return (b) => {
    const y = readAligned(b, 1);
    const mask = b.op(`${shapeOf(bytes)}.shr_s`, b.get(SLOT.VECTOR, 16), b.i32(8 * bytes - 1));
    b.writeVector(0, b.op('v128.bitselect', y, b.readVector(0), mask));
  };
}

/** PSHUFW: MMX alone. */
function pshufw(b: Lifter): void {
  wait(b);
  const x = b.op('i64x2.splat', readMmx(b, 1));
  result(b, b.shuffle(x, x, laneIndices(2, [...fields(b), 0, 0, 0, 0])), true);
}

export const vectorShuffle: readonly InsnRow[] = [
  row(Mnemonic.Punpcklbw, unpackLow(1)),
  row(Mnemonic.Punpcklwd, unpackLow(2)),
  row(Mnemonic.Punpckldq, unpackLow(4)),
  row(Mnemonic.Punpcklqdq, unpackLow(8)),
  row(Mnemonic.Unpcklps, unpackLow(4)),
  row(Mnemonic.Unpcklpd, unpackLow(8)),
  row(Mnemonic.Punpckhbw, unpackHigh(1)),
  row(Mnemonic.Punpckhwd, unpackHigh(2)),
  row(Mnemonic.Punpckhdq, unpackHigh(4)),
  row(Mnemonic.Punpckhqdq, unpackHigh(8)),
  row(Mnemonic.Unpckhps, unpackHigh(4)),
  row(Mnemonic.Unpckhpd, unpackHigh(8)),
  row(Mnemonic.Packsswb, joining(named('i8x16.narrow_i16x8_s'))),
  row(Mnemonic.Packuswb, joining(named('i8x16.narrow_i16x8_u'))),
  row(Mnemonic.Packssdw, joining(named('i16x8.narrow_i32x4_s'))),
  row(Mnemonic.Packusdw, joining(named('i16x8.narrow_i32x4_u'))),
  row(Mnemonic.Pshufw, pshufw),
  row(
    Mnemonic.Pshufd,
    shuffleOne(4, (four) => four),
  ),
  row(
    Mnemonic.Pshuflw,
    shuffleOne(2, (four) => [...four, 4, 5, 6, 7]),
  ),
  row(
    Mnemonic.Pshufhw,
    shuffleOne(2, (four) => [0, 1, 2, 3, ...four.map((lane) => lane + 4)]),
  ),
  row(Mnemonic.Shufps, shufps),
  row(Mnemonic.Shufpd, shufpd),
  row(Mnemonic.Pshufb, pshufb),
  row(Mnemonic.Palignr, palignr),
  row(Mnemonic.Blendps, blend(4)),
  row(Mnemonic.Blendpd, blend(8)),
  row(Mnemonic.Pblendw, blend(2)),
  row(Mnemonic.Pblendvb, blendVariable(1)),
  row(Mnemonic.Blendvps, blendVariable(4)),
  row(Mnemonic.Blendvpd, blendVariable(8)),
];
