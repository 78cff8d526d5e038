/** Single elements of vectors, sign and zero extension, and the bit test: SDM vol. 1, 5.4.2, 5.5.2, 5.10.5, 5.10.9 to 5.10.11. */
import { Mnemonic } from 'iced-x86';
import type { Value } from '../../ir/op-builder.js';
import { setArithmeticFlags } from '../flags.js';
import { type InsnRow, type Lifter, type LiftFunction, row } from '../lifter.js';
import { enterMmx, readMmx } from './mmx-operands.js';
import { begin, readAligned, result, shapeOf, source, writeInteger, zero } from './vector-operands.js';

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
    const value = b.readSized(1, bytes);
    const lane = chosenLane(b, bytes, mmx ? 8 : 16);
    result(b, b.op(`${shapeOf(bytes)}.replace_lane.${lane}`, source(b, 0, mmx), value), mmx);
  };
}

/** INSERTPS: a lane of src to a lane of dst, then zeros where the immediate's low bits say. */
function insertps(b: Lifter): void {
  const chosen = b.insn.immediate8;
  const value = b.isMemory(1) ? b.readSized(1, 4) : extractLane(b, 4, b.readVector(1), chosen >> 6);
  const inserted = b.op(`i32x4.replace_lane.${(chosen >> 4) & 3}`, b.readVector(0), value);
  const kept = Uint8Array.from({ length: 16 }, (_, i) => ((chosen >> (i >> 2)) & 1 ? 0 : 0xff));
  b.writeVector(0, (chosen & 15) === 0 ? inserted : b.op('v128.and', inserted, b.v128(kept)));
}

/** PMOVSX, PMOVZX: low lanes of `from` bytes become lanes of `to` bytes. */
function extend(from: number, to: number, signed: boolean): LiftFunction {
  const suffix = signed ? 's' : 'u';
  return (b) => {
    const bytes = (16 * from) / to;
    const read = b.isMemory(1) ? b.extendU(b.readSized(1, bytes)) : undefined;
    let value = read === undefined ? b.readVector(1) : b.op('i64x2.replace_lane.0', zero(b), read);
    for (let size = from; size < to; size *= 2) {
      value = b.op(`${shapeOf(2 * size)}.extend_low_${shapeOf(size)}_${suffix}`, value);
    }
    b.writeVector(0, value);
  };
}

/** PTEST: ZF when src and dst have no bit in common, CF when dst has all of src's bits; the other flags are 0. */
function ptest(b: Lifter): void {
  const y = readAligned(b, 1);
  const x = b.readVector(0);
  const disjoint = b.eqz(b.op('v128.any_true', b.op('v128.and', y, x)));
  const covered = b.eqz(b.op('v128.any_true', b.op('v128.andnot', y, x)));
  setArithmeticFlags(b, b.or(b.shl(disjoint, b.i32(6)), covered));
}

export const vectorElement: readonly InsnRow[] = [
  row(Mnemonic.Pextrb, extract(1)),
  row(Mnemonic.Pextrw, extract(2)),
  row(Mnemonic.Pextrd, extract(4)),
  row(Mnemonic.Pextrq, extract(8)),
  row(Mnemonic.Extractps, extract(4)),
  row(Mnemonic.Pinsrb, insert(1)),
  row(Mnemonic.Pinsrw, insert(2)),
  row(Mnemonic.Pinsrd, insert(4)),
  row(Mnemonic.Pinsrq, insert(8)),
  row(Mnemonic.Insertps, insertps),
  row(Mnemonic.Pmovsxbw, extend(1, 2, true)),
  row(Mnemonic.Pmovsxbd, extend(1, 4, true)),
  row(Mnemonic.Pmovsxbq, extend(1, 8, true)),
  row(Mnemonic.Pmovsxwd, extend(2, 4, true)),
  row(Mnemonic.Pmovsxwq, extend(2, 8, true)),
  row(Mnemonic.Pmovsxdq, extend(4, 8, true)),
  row(Mnemonic.Pmovzxbw, extend(1, 2, false)),
  row(Mnemonic.Pmovzxbd, extend(1, 4, false)),
  row(Mnemonic.Pmovzxbq, extend(1, 8, false)),
  row(Mnemonic.Pmovzxwd, extend(2, 4, false)),
  row(Mnemonic.Pmovzxwq, extend(2, 8, false)),
  row(Mnemonic.Pmovzxdq, extend(4, 8, false)),
  row(Mnemonic.Ptest, ptest),
];
