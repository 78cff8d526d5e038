/** Single elements of vectors, sign and zero extension, and the bit test: SDM vol. 1, 5.4.2, 5.5.2, 5.10.5, 5.10.9 to 5.10.11. */
import { Mnemonic } from '../../../iced-x86.js';
import type { Value } from '../../ir/op-builder.js';
import { setArithmeticFlags } from '../flags.js';
import { both, type InsnRow, type Lifter, type LiftFunction, row } from '../lifter.js';
import { enterMmx, readMmx } from './mmx-operands.js';
import {
  begin,
  eachHalf,
  halves,
  readAligned,
  result,
  shapeOf,
  source,
  sources,
  splat,
  writeHalves,
  writeInteger,
  zero,
} from './vector-operands.js';

function extractLane(b: Lifter, bytes: number, vector: Value, lane: number): Value {
  return b.op(`${shapeOf(bytes)}.extract_lane${bytes < 4 ? '_u' : ''}.${lane}`, vector);
}

/** The lane that the immediate chooses, of lanes of so many bytes in so wide a register. */
function chosenLane(b: Lifter, bytes: number, width: number): number {
  return b.insn.immediate8 & (width / bytes - 1);
}

/** PEXTRB, PEXTRW, PEXTRD, PEXTRQ, EXTRACTPS: to memory the lane alone, to a register zero-extended. */
function extract(bytes: number): LiftFunction {
  return (b) => {
    const mmx = begin(b);
    const vector = mmx ? b.op('i64x2.splat', readMmx(b, 1)) : b.readVector(1);
    const value = extractLane(b, bytes, vector, chosenLane(b, bytes, mmx ? 8 : 16));
    if (b.isMemory(0)) b.store(b.address(0), bytes, value);
    else writeInteger(b, 0, value);
    if (mmx) enterMmx(b);
  };
}

/** PINSRB, PINSRW, PINSRD, PINSRQ: from the low part of a register, or from memory. */
function insert(bytes: number): LiftFunction {
  return (b) => {
    const mmx = begin(b);
    const [first, last] = sources(b);
    const value = b.readSized(last, bytes);
    const lane = chosenLane(b, bytes, mmx ? 8 : 16);
    result(b, b.op(`${shapeOf(bytes)}.replace_lane.${lane}`, source(b, first, mmx), value), mmx);
  };
}

/** INSERTPS: a lane of src to a lane of dst, then zeros where the immediate's low bits say. */
function insertps(b: Lifter): void {
  const chosen = b.insn.immediate8;
  const [first, last] = sources(b);
  const value = b.isMemory(last) ? b.readSized(last, 4) : extractLane(b, 4, b.readVector(last), chosen >> 6);
  const inserted = b.op(`i32x4.replace_lane.${(chosen >> 4) & 3}`, b.readVector(first), value);
  const kept = Uint8Array.from({ length: 16 }, (_, i) => ((chosen >> (i >> 2)) & 1 ? 0 : 0xff));
  writeHalves(b, [(chosen & 15) === 0 ? inserted : b.op('v128.and', inserted, b.v128(kept))]);
}

/** `bytes` bytes of a source, from `offset` on, in the low part of a vector. */
function readPart(b: Lifter, operand: number, bytes: number, offset: number): Value {
  if (b.isMemory(operand)) {
    return b.op('i64x2.replace_lane.0', zero(b), b.extendU(b.load(b.at(b.address(operand), offset), bytes)));
  }
  const x = b.readVector(operand);
  return offset === 0
    ? x
    : b.shuffle(
        x,
        x,
        Uint8Array.from({ length: 16 }, (_, i) => (i + offset) & 15),
      );
}

/** PMOVSX, PMOVZX: low lanes of `from` bytes become lanes of `to` bytes. */
function extend(from: number, to: number, signed: boolean): LiftFunction {
  const suffix = signed ? 's' : 'u';
  const bytes = (16 * from) / to;
  return (b) =>
    eachHalf(b, (half) => {
      let value = readPart(b, 1, bytes, half * bytes);
      for (let size = from; size < to; size *= 2) {
        value = b.op(`${shapeOf(2 * size)}.extend_low_${shapeOf(size)}_${suffix}`, value);
      }
      return value;
    });
}

/** PTEST: ZF when the sources have no bit in common, CF when the first has all of the second's; VTESTPS, VTESTPD: sign bits alone. */
function test(signs?: bigint): LiftFunction {
  return (b) => {
    const common: Value[] = [];
    const missing: Value[] = [];
    for (const half of halves(b, 0)) {
      const read = readAligned(b, 1, half);
      const y = signs === undefined ? read : b.op('v128.and', read, splat(b, 8, signs));
      const x = b.readVector(0, half);
      common.push(b.op('v128.and', y, x));
      missing.push(b.op('v128.andnot', y, x));
    }
    const none = (vectors: readonly Value[]): Value =>
      b.eqz(
        b.op(
          'v128.any_true',
          vectors.reduce((p, q) => b.op('v128.or', p, q)),
        ),
      );
    setArithmeticFlags(b, b.or(b.shl(none(common), b.i32(6)), none(missing)));
  };
}

export const vectorElement: readonly InsnRow[] = [
  ...both(Mnemonic.Pextrb, Mnemonic.Vpextrb, extract(1)),
  ...both(Mnemonic.Pextrw, Mnemonic.Vpextrw, extract(2)),
  ...both(Mnemonic.Pextrd, Mnemonic.Vpextrd, extract(4)),
  ...both(Mnemonic.Pextrq, Mnemonic.Vpextrq, extract(8)),
  ...both(Mnemonic.Extractps, Mnemonic.Vextractps, extract(4)),
  ...both(Mnemonic.Pinsrb, Mnemonic.Vpinsrb, insert(1)),
  ...both(Mnemonic.Pinsrw, Mnemonic.Vpinsrw, insert(2)),
  ...both(Mnemonic.Pinsrd, Mnemonic.Vpinsrd, insert(4)),
  ...both(Mnemonic.Pinsrq, Mnemonic.Vpinsrq, insert(8)),
  ...both(Mnemonic.Insertps, Mnemonic.Vinsertps, insertps),
  ...both(Mnemonic.Pmovsxbw, Mnemonic.Vpmovsxbw, extend(1, 2, true)),
  ...both(Mnemonic.Pmovsxbd, Mnemonic.Vpmovsxbd, extend(1, 4, true)),
  ...both(Mnemonic.Pmovsxbq, Mnemonic.Vpmovsxbq, extend(1, 8, true)),
  ...both(Mnemonic.Pmovsxwd, Mnemonic.Vpmovsxwd, extend(2, 4, true)),
  ...both(Mnemonic.Pmovsxwq, Mnemonic.Vpmovsxwq, extend(2, 8, true)),
  ...both(Mnemonic.Pmovsxdq, Mnemonic.Vpmovsxdq, extend(4, 8, true)),
  ...both(Mnemonic.Pmovzxbw, Mnemonic.Vpmovzxbw, extend(1, 2, false)),
  ...both(Mnemonic.Pmovzxbd, Mnemonic.Vpmovzxbd, extend(1, 4, false)),
  ...both(Mnemonic.Pmovzxbq, Mnemonic.Vpmovzxbq, extend(1, 8, false)),
  ...both(Mnemonic.Pmovzxwd, Mnemonic.Vpmovzxwd, extend(2, 4, false)),
  ...both(Mnemonic.Pmovzxwq, Mnemonic.Vpmovzxwq, extend(2, 8, false)),
  ...both(Mnemonic.Pmovzxdq, Mnemonic.Vpmovzxdq, extend(4, 8, false)),
  ...both(Mnemonic.Ptest, Mnemonic.Vptest, test()),
  row(Mnemonic.Vtestps, test(0x8000_0000_8000_0000n)),
  row(Mnemonic.Vtestpd, test(0x8000_0000_0000_0000n)),
];
