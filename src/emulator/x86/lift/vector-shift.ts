/** Shifts of vectors: SDM vol. 1, 5.4.6, 5.6.3. */
import { Mnemonic } from '../../../iced-x86.js';
import type { Value } from '../../ir/op-builder.js';
import { both, type InsnRow, type Lifter, type LiftFunction } from '../lifter.js';
import { begin, eachHalf, result, shapeOf, source, sources, zero } from './vector-operands.js';

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

/** PSLL, PSRL, PSRA: by an immediate or by the low 64 bits of a vector, which shifts both halves. */
function shiftLanes(bytes: number, shift: Shift): LiftFunction {
  return (b) => {
    const mmx = begin(b);
    const [first, last] = sources(b);
    const immediate = !b.isMemory(last) && !b.isRegister(last);
    const counts = immediate ? undefined : source(b, last, mmx);
    const shifted = (x: Value): Value =>
      counts === undefined ? byConstant(b, bytes, shift, x, b.insn.immediate8) : byVector(b, bytes, shift, x, counts);
    if (mmx) return result(b, shifted(source(b, first, true)), true);
    eachHalf(b, (half) => shifted(b.readVector(first, half)));
  };
}

/** PSLLDQ, PSRLDQ: whole bytes, of each half. */
function shiftBytes(left: boolean): LiftFunction {
  return (b) => {
    const count = Math.min(b.insn.immediate8, 16);
    const start = left ? 16 - count : count;
    const indices = Uint8Array.from({ length: 16 }, (_, i) => start + i);
    const [first] = sources(b);
    eachHalf(b, (half) => {
      const x = b.readVector(first, half);
      return left ? b.shuffle(zero(b), x, indices) : b.shuffle(x, zero(b), indices);
    });
  };
}

export const vectorShift: readonly InsnRow[] = [
  ...both(Mnemonic.Psllw, Mnemonic.Vpsllw, shiftLanes(2, 'shl')),
  ...both(Mnemonic.Pslld, Mnemonic.Vpslld, shiftLanes(4, 'shl')),
  ...both(Mnemonic.Psllq, Mnemonic.Vpsllq, shiftLanes(8, 'shl')),
  ...both(Mnemonic.Psrlw, Mnemonic.Vpsrlw, shiftLanes(2, 'shr_u')),
  ...both(Mnemonic.Psrld, Mnemonic.Vpsrld, shiftLanes(4, 'shr_u')),
  ...both(Mnemonic.Psrlq, Mnemonic.Vpsrlq, shiftLanes(8, 'shr_u')),
  ...both(Mnemonic.Psraw, Mnemonic.Vpsraw, shiftLanes(2, 'shr_s')),
  ...both(Mnemonic.Psrad, Mnemonic.Vpsrad, shiftLanes(4, 'shr_s')),
  ...both(Mnemonic.Pslldq, Mnemonic.Vpslldq, shiftBytes(true)),
  ...both(Mnemonic.Psrldq, Mnemonic.Vpsrldq, shiftBytes(false)),
];
