/** Shuffles, unpacking, packing and blending of vectors: SDM vol. 1, 5.4.2, 5.5.1.5, 5.6.1.5, 5.6.3, 5.8.4, 5.8.6, 5.10.5, 5.10.8. */
import { Mnemonic } from '../../../iced-x86.js';
import { SLOT } from '../../../register-set.js';
import type { Value } from '../../ir/op-builder.js';
import { both, type InsnRow, type Lifter, type LiftFunction, row } from '../lifter.js';
import { isMmx, readMmx, writeMmx } from './mmx-operands.js';
import {
  type Binary,
  begin,
  binary,
  isVex,
  joining,
  laneIndices,
  named,
  result,
  shapeOf,
  source,
  splat,
  unary,
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
    writeMmx(b, 0, b.op('i64x2.extract_lane.1', low(b, source(b, 0, mmx), y, 0)));
  };
}

/** Four two-bit fields of the immediate. */
function fields(b: Lifter): [number, number, number, number] {
  const chosen = b.insn.immediate8;
  return [chosen & 3, (chosen >> 2) & 3, (chosen >> 4) & 3, (chosen >> 6) & 3];
}

/** PSHUFD, PSHUFW, PSHUFLW, PSHUFHW: lanes of src, chosen by the immediate. */
function shuffleOne(bytes: number, lanes: (four: readonly number[]) => readonly number[]): LiftFunction {
  return unary((b, x) => b.shuffle(x, x, laneIndices(bytes, lanes(fields(b)))));
}

/** SHUFPS: two lanes of dst, two of src. */
function shufps(b: Lifter, x: Value, y: Value): Value {
  const [i, j, k, l] = fields(b);
  return b.shuffle(x, y, laneIndices(4, [i, j, 4 + k, 4 + l]));
}

function shufpd(b: Lifter, x: Value, y: Value, half: number): Value {
  const chosen = b.insn.immediate8 >> (2 * half);
  return b.shuffle(x, y, laneIndices(8, [chosen & 1, 2 + ((chosen >> 1) & 1)]));
}

/** PSHUFB: bytes of the first source chosen by those of the second; negative ones give zero. */
function pshufb(b: Lifter, x: Value, y: Value): Value {
  const indices = b.op('v128.and', y, splat(b, 1, isMmx(b, 0) ? 0x87 : 0x8f));
  return b.op('i8x16.swizzle', x, indices);
}

/** PALIGNR: the first source above the second, shifted right by bytes. */
function palignr(b: Lifter, x: Value, y: Value): Value {
  const count = b.insn.immediate8;
  const from = (start: number): Uint8Array => Uint8Array.from({ length: 16 }, (_, i) => Math.min(start + i, 31));
  // Of MMX both halves of a source are the same: its 16 bytes are the low halves.
  if (isMmx(b, 0)) return b.shuffle(b.shuffle(y, x, laneIndices(8, [0, 2])), zero(b), from(count));
  return count < 16 ? b.shuffle(y, x, from(count)) : b.shuffle(x, zero(b), from(count - 16));
}

/** BLENDPS, BLENDPD, VPBLENDD: lanes of the second source where the immediate has ones. PBLENDW: the same for both halves. */
function blend(bytes: number): LiftFunction {
  return binary((b, x, y, half) => {
    const count = 16 / bytes;
    const chosen = b.insn.immediate8 >> (bytes === 2 ? 0 : half * count);
    const lanes = Array.from({ length: count }, (_, i) => i + ((chosen >> i) & 1) * count);
    return b.shuffle(x, y, laneIndices(bytes, lanes));
  });
}

/** PBLENDVB, BLENDVPS, BLENDVPD: lanes of the second source where those of xmm0, or of a fourth operand, are negative. */
function blendVariable(bytes: number): LiftFunction {
  return binary((b, x, y, half) => {
    const chosen = isVex(b) ? b.readVector(3, half) : b.get(SLOT.VECTOR, 16);
    const mask = b.op(`${shapeOf(bytes)}.shr_s`, chosen, b.i32(8 * bytes - 1));
    return b.op('v128.bitselect', y, x, mask);
  });
}

/** PSHUFW: MMX alone. */
function pshufw(b: Lifter): void {
  wait(b);
  const x = b.op('i64x2.splat', readMmx(b, 1));
  result(b, b.shuffle(x, x, laneIndices(2, [...fields(b), 0, 0, 0, 0])), true);
}

export const vectorShuffle: readonly InsnRow[] = [
  ...both(Mnemonic.Punpcklbw, Mnemonic.Vpunpcklbw, unpackLow(1)),
  ...both(Mnemonic.Punpcklwd, Mnemonic.Vpunpcklwd, unpackLow(2)),
  ...both(Mnemonic.Punpckldq, Mnemonic.Vpunpckldq, unpackLow(4)),
  ...both(Mnemonic.Punpcklqdq, Mnemonic.Vpunpcklqdq, unpackLow(8)),
  ...both(Mnemonic.Unpcklps, Mnemonic.Vunpcklps, unpackLow(4)),
  ...both(Mnemonic.Unpcklpd, Mnemonic.Vunpcklpd, unpackLow(8)),
  ...both(Mnemonic.Punpckhbw, Mnemonic.Vpunpckhbw, unpackHigh(1)),
  ...both(Mnemonic.Punpckhwd, Mnemonic.Vpunpckhwd, unpackHigh(2)),
  ...both(Mnemonic.Punpckhdq, Mnemonic.Vpunpckhdq, unpackHigh(4)),
  ...both(Mnemonic.Punpckhqdq, Mnemonic.Vpunpckhqdq, unpackHigh(8)),
  ...both(Mnemonic.Unpckhps, Mnemonic.Vunpckhps, unpackHigh(4)),
  ...both(Mnemonic.Unpckhpd, Mnemonic.Vunpckhpd, unpackHigh(8)),
  ...both(Mnemonic.Packsswb, Mnemonic.Vpacksswb, joining(named('i8x16.narrow_i16x8_s'))),
  ...both(Mnemonic.Packuswb, Mnemonic.Vpackuswb, joining(named('i8x16.narrow_i16x8_u'))),
  ...both(Mnemonic.Packssdw, Mnemonic.Vpackssdw, joining(named('i16x8.narrow_i32x4_s'))),
  ...both(Mnemonic.Packusdw, Mnemonic.Vpackusdw, joining(named('i16x8.narrow_i32x4_u'))),
  row(Mnemonic.Pshufw, pshufw),
  ...both(
    Mnemonic.Pshufd,
    Mnemonic.Vpshufd,
    shuffleOne(4, (four) => four),
  ),
  ...both(
    Mnemonic.Pshuflw,
    Mnemonic.Vpshuflw,
    shuffleOne(2, (four) => [...four, 4, 5, 6, 7]),
  ),
  ...both(
    Mnemonic.Pshufhw,
    Mnemonic.Vpshufhw,
    shuffleOne(2, (four) => [0, 1, 2, 3, ...four.map((lane) => lane + 4)]),
  ),
  ...both(Mnemonic.Shufps, Mnemonic.Vshufps, binary(shufps)),
  ...both(Mnemonic.Shufpd, Mnemonic.Vshufpd, binary(shufpd)),
  ...both(Mnemonic.Pshufb, Mnemonic.Vpshufb, binary(pshufb)),
  ...both(Mnemonic.Palignr, Mnemonic.Vpalignr, binary(palignr)),
  row(Mnemonic.Vpblendd, blend(4)),
  ...both(Mnemonic.Blendps, Mnemonic.Vblendps, blend(4)),
  ...both(Mnemonic.Blendpd, Mnemonic.Vblendpd, blend(8)),
  ...both(Mnemonic.Pblendw, Mnemonic.Vpblendw, blend(2)),
  ...both(Mnemonic.Pblendvb, Mnemonic.Vpblendvb, blendVariable(1)),
  ...both(Mnemonic.Blendvps, Mnemonic.Vblendvps, blendVariable(4)),
  ...both(Mnemonic.Blendvpd, Mnemonic.Vblendvpd, blendVariable(8)),
];
