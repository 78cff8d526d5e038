/** Integer arithmetic, logic and comparison of vectors: SDM vol. 1, 5.4.3 to 5.4.6, 5.6.3, 5.8, 5.10.6, 5.10.7, 5.11. */
import { Mnemonic } from '../../../iced-x86.js';
import type { Value } from '../../ir/op-builder.js';
import { both, type InsnRow, type Lifter } from '../lifter.js';
import {
  type Binary,
  binary,
  joining,
  laneIndices,
  named,
  shapeOf,
  splat,
  type Unary,
  unary,
} from './vector-operands.js';

/** PANDN: src and not dst. */
function andNot(b: Lifter, x: Value, y: Value): Value {
  return b.op('v128.andnot', y, x);
}

/** The high halves of eight 32-bit products. */
function highProducts(signed: boolean): Binary {
  const suffix = signed ? 's' : 'u';
  return (b, x, y) => {
    const low = b.op(`i32x4.extmul_low_i16x8_${suffix}`, x, y);
    const high = b.op(`i32x4.extmul_high_i16x8_${suffix}`, x, y);
    return b.shuffle(low, high, laneIndices(2, [1, 3, 5, 7, 9, 11, 13, 15]));
  };
}

/** PMULUDQ, PMULDQ: products of the even 32-bit lanes. */
function evenProducts(signed: boolean): Binary {
  const even = laneIndices(4, [0, 2, 0, 2]);
  return (b, x, y) =>
    b.op(`i64x2.extmul_low_i32x4_${signed ? 's' : 'u'}`, b.shuffle(x, x, even), b.shuffle(y, y, even));
}

/** PMULHRSW: like q15mulr, but -1 times -1 wraps to -1. */
function roundedProducts(b: Lifter, x: Value, y: Value): Value {
  const least = splat(b, 2, 0x8000);
  const both = b.op('v128.and', b.op('i16x8.eq', x, least), b.op('i16x8.eq', y, least));
  return b.op('v128.xor', b.op('i16x8.q15mulr_sat_s', x, y), both);
}

/** PMADDUBSW: sums of pairs of products of an unsigned byte (dst) and a signed one (src), saturated. */
function mixedProducts(b: Lifter, x: Value, y: Value): Value {
  const even = b.op(
    'i16x8.mul',
    b.op('v128.and', x, splat(b, 2, 0xff)),
    b.op('i16x8.shr_s', b.op('i16x8.shl', y, b.i32(8)), b.i32(8)),
  );
  const odd = b.op('i16x8.mul', b.op('i16x8.shr_u', x, b.i32(8)), b.op('i16x8.shr_s', y, b.i32(8)));
  return b.op('i16x8.add_sat_s', even, odd);
}

/** PSADBW: the sum of absolute differences of eight bytes. */
function sumOfDifferences(b: Lifter, x: Value, y: Value): Value {
  const differences = b.op('i8x16.sub', b.op('i8x16.max_u', x, y), b.op('i8x16.min_u', x, y));
  const quads = b.op('i32x4.extadd_pairwise_i16x8_u', b.op('i16x8.extadd_pairwise_i8x16_u', differences));
  const twice = b.op('i64x2.add', quads, b.op('i64x2.shl', quads, b.i32(32)));
  return b.op('i64x2.shr_u', twice, b.i32(32));
}

/** MPSADBW: sums of four absolute differences, of eight places of dst and one of src. */
function sumsAtPlaces(b: Lifter, x: Value, y: Value, half: number): Value {
  const chosen = b.insn.immediate8 >> (3 * half);
  const [first, other] = [chosen & 4, 4 * (chosen & 3)];
  const differences = [0, 1, 2, 3].map((i) => {
    const place = b.shuffle(
      x,
      x,
      Uint8Array.from({ length: 16 }, (_, byte) => (first + i + byte) & 15),
    );
    const wide = b.op('i16x8.extend_low_i8x16_u', place);
    const same = b.op('i16x8.splat', b.op(`i8x16.extract_lane_u.${other + i}`, y));
    return b.op('i16x8.abs', b.op('i16x8.sub', wide, same));
  });
  return differences.reduce((p, q) => b.op('i16x8.add', p, q));
}

/** PHMINPOSUW: the least word of src, then its index; zeros above them. */
function leastWord(b: Lifter, x: Value): Value {
  const numbered = (half: 'low' | 'high', first: number): Value => {
    const wide = b.op('i32x4.shl', b.op(`i32x4.extend_${half}_i16x8_u`, x), b.i32(16));
    const places = Uint8Array.from({ length: 16 }, (_, i) => (i & 3 ? 0 : first + (i >> 2)));
    return b.op('v128.or', wide, b.v128(places));
  };
  let least = b.op('i32x4.min_u', numbered('low', 0), numbered('high', 4));
  for (const lanes of [
    [2, 3, 2, 3],
    [1, 1, 1, 1],
  ]) {
    least = b.op('i32x4.min_u', least, b.shuffle(least, least, laneIndices(4, lanes)));
  }
  const turned = b.op('i32.rotl', b.op('i32x4.extract_lane.0', least), b.i32(16));
  return b.op('i32x4.replace_lane.0', splat(b, 1, 0), turned);
}

/** PSIGN: dst negated where src is negative, zero where it is zero. */
function withSign(bytes: number): Binary {
  const shape = shapeOf(bytes);
  return (b, x, y) => {
    const negative = b.op(`${shape}.shr_s`, y, b.i32(8 * bytes - 1));
    const signed = b.op(`${shape}.sub`, b.op('v128.xor', x, negative), negative);
    return b.op('v128.andnot', signed, b.op(`${shape}.eq`, y, splat(b, bytes, 0)));
  };
}

/** PHADD, PHSUB: neighbours of dst, then of src. */
function neighbours(bytes: number, operation: string): Binary {
  const lanes = Array.from({ length: 16 / bytes }, (_, i) => 2 * i);
  const even = laneIndices(bytes, lanes);
  const odd = laneIndices(
    bytes,
    lanes.map((lane) => lane + 1),
  );
  return (b, x, y) => b.op(`${shapeOf(bytes)}.${operation}`, b.shuffle(x, y, even), b.shuffle(x, y, odd));
}

function absolute(shape: string): Unary {
  return (b, x) => b.op(`${shape}.abs`, x);
}

/** What instructions do to each lane of their sources: the mnemonics of the legacy and of the VEX form. */
const LANEWISE: readonly (readonly [Mnemonic, Mnemonic, Binary])[] = [
  [Mnemonic.Pand, Mnemonic.Vpand, named('v128.and')],
  [Mnemonic.Andps, Mnemonic.Vandps, named('v128.and')],
  [Mnemonic.Andpd, Mnemonic.Vandpd, named('v128.and')],
  [Mnemonic.Por, Mnemonic.Vpor, named('v128.or')],
  [Mnemonic.Orps, Mnemonic.Vorps, named('v128.or')],
  [Mnemonic.Orpd, Mnemonic.Vorpd, named('v128.or')],
  [Mnemonic.Pxor, Mnemonic.Vpxor, named('v128.xor')],
  [Mnemonic.Xorps, Mnemonic.Vxorps, named('v128.xor')],
  [Mnemonic.Xorpd, Mnemonic.Vxorpd, named('v128.xor')],
  [Mnemonic.Pandn, Mnemonic.Vpandn, andNot],
  [Mnemonic.Andnps, Mnemonic.Vandnps, andNot],
  [Mnemonic.Andnpd, Mnemonic.Vandnpd, andNot],
  [Mnemonic.Paddb, Mnemonic.Vpaddb, named('i8x16.add')],
  [Mnemonic.Paddw, Mnemonic.Vpaddw, named('i16x8.add')],
  [Mnemonic.Paddd, Mnemonic.Vpaddd, named('i32x4.add')],
  [Mnemonic.Paddq, Mnemonic.Vpaddq, named('i64x2.add')],
  [Mnemonic.Paddsb, Mnemonic.Vpaddsb, named('i8x16.add_sat_s')],
  [Mnemonic.Paddsw, Mnemonic.Vpaddsw, named('i16x8.add_sat_s')],
  [Mnemonic.Paddusb, Mnemonic.Vpaddusb, named('i8x16.add_sat_u')],
  [Mnemonic.Paddusw, Mnemonic.Vpaddusw, named('i16x8.add_sat_u')],
  [Mnemonic.Psubb, Mnemonic.Vpsubb, named('i8x16.sub')],
  [Mnemonic.Psubw, Mnemonic.Vpsubw, named('i16x8.sub')],
  [Mnemonic.Psubd, Mnemonic.Vpsubd, named('i32x4.sub')],
  [Mnemonic.Psubq, Mnemonic.Vpsubq, named('i64x2.sub')],
  [Mnemonic.Psubsb, Mnemonic.Vpsubsb, named('i8x16.sub_sat_s')],
  [Mnemonic.Psubsw, Mnemonic.Vpsubsw, named('i16x8.sub_sat_s')],
  [Mnemonic.Psubusb, Mnemonic.Vpsubusb, named('i8x16.sub_sat_u')],
  [Mnemonic.Psubusw, Mnemonic.Vpsubusw, named('i16x8.sub_sat_u')],
  [Mnemonic.Pmullw, Mnemonic.Vpmullw, named('i16x8.mul')],
  [Mnemonic.Pmulld, Mnemonic.Vpmulld, named('i32x4.mul')],
  [Mnemonic.Pmulhw, Mnemonic.Vpmulhw, highProducts(true)],
  [Mnemonic.Pmulhuw, Mnemonic.Vpmulhuw, highProducts(false)],
  [Mnemonic.Pmulhrsw, Mnemonic.Vpmulhrsw, roundedProducts],
  [Mnemonic.Pmuludq, Mnemonic.Vpmuludq, evenProducts(false)],
  [Mnemonic.Pmuldq, Mnemonic.Vpmuldq, evenProducts(true)],
  [Mnemonic.Pmaddwd, Mnemonic.Vpmaddwd, named('i32x4.dot_i16x8_s')],
  [Mnemonic.Pmaddubsw, Mnemonic.Vpmaddubsw, mixedProducts],
  [Mnemonic.Psadbw, Mnemonic.Vpsadbw, sumOfDifferences],
  [Mnemonic.Pavgb, Mnemonic.Vpavgb, named('i8x16.avgr_u')],
  [Mnemonic.Pavgw, Mnemonic.Vpavgw, named('i16x8.avgr_u')],
  [Mnemonic.Pminub, Mnemonic.Vpminub, named('i8x16.min_u')],
  [Mnemonic.Pminuw, Mnemonic.Vpminuw, named('i16x8.min_u')],
  [Mnemonic.Pminud, Mnemonic.Vpminud, named('i32x4.min_u')],
  [Mnemonic.Pminsb, Mnemonic.Vpminsb, named('i8x16.min_s')],
  [Mnemonic.Pminsw, Mnemonic.Vpminsw, named('i16x8.min_s')],
  [Mnemonic.Pminsd, Mnemonic.Vpminsd, named('i32x4.min_s')],
  [Mnemonic.Pmaxub, Mnemonic.Vpmaxub, named('i8x16.max_u')],
  [Mnemonic.Pmaxuw, Mnemonic.Vpmaxuw, named('i16x8.max_u')],
  [Mnemonic.Pmaxud, Mnemonic.Vpmaxud, named('i32x4.max_u')],
  [Mnemonic.Pmaxsb, Mnemonic.Vpmaxsb, named('i8x16.max_s')],
  [Mnemonic.Pmaxsw, Mnemonic.Vpmaxsw, named('i16x8.max_s')],
  [Mnemonic.Pmaxsd, Mnemonic.Vpmaxsd, named('i32x4.max_s')],
  [Mnemonic.Pcmpeqb, Mnemonic.Vpcmpeqb, named('i8x16.eq')],
  [Mnemonic.Pcmpeqw, Mnemonic.Vpcmpeqw, named('i16x8.eq')],
  [Mnemonic.Pcmpeqd, Mnemonic.Vpcmpeqd, named('i32x4.eq')],
  [Mnemonic.Pcmpeqq, Mnemonic.Vpcmpeqq, named('i64x2.eq')],
  [Mnemonic.Pcmpgtb, Mnemonic.Vpcmpgtb, named('i8x16.gt_s')],
  [Mnemonic.Pcmpgtw, Mnemonic.Vpcmpgtw, named('i16x8.gt_s')],
  [Mnemonic.Pcmpgtd, Mnemonic.Vpcmpgtd, named('i32x4.gt_s')],
  [Mnemonic.Pcmpgtq, Mnemonic.Vpcmpgtq, named('i64x2.gt_s')],
  [Mnemonic.Psignb, Mnemonic.Vpsignb, withSign(1)],
  [Mnemonic.Psignw, Mnemonic.Vpsignw, withSign(2)],
  [Mnemonic.Psignd, Mnemonic.Vpsignd, withSign(4)],
];

export const vectorArithmetic: readonly InsnRow[] = [
  ...LANEWISE.flatMap(([legacy, vex, op]) => both(legacy, vex, binary(op))),
  ...both(Mnemonic.Phaddw, Mnemonic.Vphaddw, joining(neighbours(2, 'add'))),
  ...both(Mnemonic.Phaddd, Mnemonic.Vphaddd, joining(neighbours(4, 'add'))),
  ...both(Mnemonic.Phaddsw, Mnemonic.Vphaddsw, joining(neighbours(2, 'add_sat_s'))),
  ...both(Mnemonic.Phsubw, Mnemonic.Vphsubw, joining(neighbours(2, 'sub'))),
  ...both(Mnemonic.Phsubd, Mnemonic.Vphsubd, joining(neighbours(4, 'sub'))),
  ...both(Mnemonic.Phsubsw, Mnemonic.Vphsubsw, joining(neighbours(2, 'sub_sat_s'))),
  ...both(Mnemonic.Mpsadbw, Mnemonic.Vmpsadbw, binary(sumsAtPlaces)),
  ...both(Mnemonic.Phminposuw, Mnemonic.Vphminposuw, unary(leastWord)),
  ...both(Mnemonic.Pabsb, Mnemonic.Vpabsb, unary(absolute('i8x16'))),
  ...both(Mnemonic.Pabsw, Mnemonic.Vpabsw, unary(absolute('i16x8'))),
  ...both(Mnemonic.Pabsd, Mnemonic.Vpabsd, unary(absolute('i32x4'))),
];
