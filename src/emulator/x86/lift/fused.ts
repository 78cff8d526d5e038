/** FMA3: SDM vol. 1, 14.5.2. */
import { Mnemonic } from '../../../iced-x86.js';
import type { Value } from '../../ir/op-builder.js';
import { type InsnRow, type Lifter, type LiftFunction, row } from '../lifter.js';
import { F32, F64, type FloatFormat } from '../softfloat/format.js';
import { MULTIPLY_ADD, ODD_TURNS_SHIFT, TURN } from '../softfloat/fused.js';
import { computed, computedHalves } from './sse-float.js';
import { readAligned, replaceLowest, writeHalves } from './vector-operands.js';

/** Operands that are multiplied, then the one that is added, by the digits of the mnemonic. */
const ORDERS = { '132': [0, 2, 1], '213': [1, 0, 2], '231': [1, 2, 0] } as const;

/** Signs that are turned in even and in odd lanes. */
const KINDS = {
  fmadd: [0, 0],
  fmsub: [TURN.ADDEND, TURN.ADDEND],
  fnmadd: [TURN.PRODUCT, TURN.PRODUCT],
  fnmsub: [TURN.PRODUCT | TURN.ADDEND, TURN.PRODUCT | TURN.ADDEND],
  fmaddsub: [TURN.ADDEND, 0],
  fmsubadd: [0, TURN.ADDEND],
} as const;

function scalar(format: FloatFormat, order: readonly number[], turns: number): LiftFunction {
  const bytes = format.bits / 8;
  return (b) => {
    const operands = order.map((operand) => b.readSized(operand, bytes));
    const result = computed(b, MULTIPLY_ADD.scalar[format.name], ...operands, b.i32(turns));
    writeHalves(b, [replaceLowest(b, bytes, b.readVector(0), result)]);
  };
}

function packed(format: FloatFormat, order: readonly number[], [even, odd]: readonly [number, number]): LiftFunction {
  const turns = even | (odd << ODD_TURNS_SHIFT);
  const args = (b: Lifter, half: number): Value[] => [
    ...order.map((operand) => readAligned(b, operand, half)),
    b.i32(turns),
  ];
  return (b) => computedHalves(b, MULTIPLY_ADD.packed[format.name], (half) => args(b, half));
}

function mnemonic(name: string): Mnemonic {
  const found = Mnemonic[name as keyof typeof Mnemonic];
  if (found === undefined) throw new Error(`no mnemonic is named ${name}`);
  return found;
}

export const fusedRows: readonly InsnRow[] = Object.entries(KINDS).flatMap(([kind, turns]) =>
  Object.entries(ORDERS).flatMap(([digits, order]) => [
    row(mnemonic(`V${kind}${digits}ps`), packed(F32, order, turns)),
    row(mnemonic(`V${kind}${digits}pd`), packed(F64, order, turns)),
    ...(turns[0] === turns[1]
      ? [
          row(mnemonic(`V${kind}${digits}ss`), scalar(F32, order, turns[0])),
          row(mnemonic(`V${kind}${digits}sd`), scalar(F64, order, turns[0])),
        ]
      : []),
  ]),
);
