/** Shifts of vectors: SDM vol. 1, 5.4.6, 5.6.3. */
import { Mnemonic } from 'iced-x86';
import type { Value } from '../../ir/op-builder.js';
import { type InsnRow, type Lifter, type LiftFunction, row } from '../lifter.js';
import { begin, result, shapeOf, source, zero } from './vector-operands.js';

type Shift = 'shl' | 'shr_u' | 'shr_s';

/** Shifts lanes of `bytes` by a constant; a count beyond the width shifts everything out. */
function byConstant(b: Lifter, bytes: number, shift: Shift, x: Value, count: number): Value {
  const width = 8 * bytes;
  if (count < width) return b.op(`${shapeOf(bytes)}.${shift}`, x, b.i32(count));
  return shift === 'shr_s' ? b.op(`${shapeOf(bytes)}.shr_s`, x, b.i32(width - 1)) : zero(b);
}

/** Shifts lanes by the low 64 bits of a vector. */
function byVector(b: Lifter, bytes: number, shift: Shift, x: Value, counts: Value): Value {
  const count = b.op('i64x2.extract_lane.0', counts);
  const beyond = b.geU(count, b.i64(8 * bytes));
  const within = b.wrap(count);
  const last = b.i32(8 * bytes - 1);
  if (shift === 'shr_s') return b.op(`${shapeOf(bytes)}.shr_s`, x, b.select(beyond, last, within));
  return b.select(beyond, zero(b), b.op(`${shapeOf(bytes)}.${shift}`, x, within));
}

/** PSLL, PSRL, PSRA: by an immediate or by the low 64 bits of a vector. */
function shiftLanes(bytes: number, shift: Shift): LiftFunction {
  return (b) => {
    const mmx = begin(b);
    const immediate = !b.isMemory(1) && !b.isRegister(1);
    const counts = immediate ? undefined : source(b, 1, mmx);
    const x = source(b, 0, mmx);
    const shifted =
      counts === undefined ? byConstant(b, bytes, shift, x, b.insn.immediate8) : byVector(b, bytes, shift, x, counts);
    result(b, shifted, mmx);
  };
}

/** PSLLDQ, PSRLDQ: whole bytes. */
function shiftBytes(left: boolean): LiftFunction {
  return (b) => {
    const count = Math.min(b.insn.immediate8, 16);
    const first = left ? 16 - count : count;
    const indices = Uint8Array.from({ length: 16 }, (_, i) => first + i);
    const x = b.readVector(0);
    b.writeVector(0, left ? b.shuffle(zero(b), x, indices) : b.shuffle(x, zero(b), indices));
  };
}

export const vectorShift: readonly InsnRow[] = [
  row(Mnemonic.Psllw, shiftLanes(2, 'shl')),
  row(Mnemonic.Pslld, shiftLanes(4, 'shl')),
  row(Mnemonic.Psllq, shiftLanes(8, 'shl')),
  row(Mnemonic.Psrlw, shiftLanes(2, 'shr_u')),
  row(Mnemonic.Psrld, shiftLanes(4, 'shr_u')),
  row(Mnemonic.Psrlq, shiftLanes(8, 'shr_u')),
  row(Mnemonic.Psraw, shiftLanes(2, 'shr_s')),
  row(Mnemonic.Psrad, shiftLanes(4, 'shr_s')),
  row(Mnemonic.Pslldq, shiftBytes(true)),
  row(Mnemonic.Psrldq, shiftBytes(false)),
];
