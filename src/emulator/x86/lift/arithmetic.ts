/** Binary integer arithmetic and logic: SDM vol. 1, 5.1.2 and 5.1.4. */
import { Mnemonic } from 'iced-x86';
import type { Value } from '../../ir/op-builder.js';
import { condition, FLAGS_BASE, flagsKind } from '../flags.js';
import { type InsnRow, type Lifter, row } from '../lifter.js';

/** ADD: dst ← dst + src. */
function add(b: Lifter): void {
  const size = b.size(0);
  const x = b.readForUpdate(0);
  const y = b.readSized(1, size);
  const sum = b.truncate(b.add(x, y), size);
  b.write(0, sum);
  b.recordFlags(flagsKind(FLAGS_BASE.ADD, size), x, y, sum);
}

/** SUB: dst ← dst - src. CMP: only the flags. */
function subtract(b: Lifter, store: boolean): void {
  const size = b.size(0);
  const x = store ? b.readForUpdate(0) : b.read(0);
  const y = b.readSized(1, size);
  const difference = b.truncate(b.sub(x, y), size);
  if (store) b.write(0, difference);
  b.recordFlags(flagsKind(FLAGS_BASE.SUB, size), x, y, difference);
}

/** AND, OR, XOR; TEST only the flags. */
function logic(b: Lifter, operation: (x: Value, y: Value) => Value, store: boolean): void {
  const size = b.size(0);
  const x = store ? b.readForUpdate(0) : b.read(0);
  const result = operation(x, b.readSized(1, size));
  if (store) b.write(0, result);
  b.recordFlags(flagsKind(FLAGS_BASE.LOGIC, size), result);
}

/** INC, DEC: dst ← dst ± 1; CF stays. */
function step(b: Lifter, base: number, by: number): void {
  const size = b.size(0);
  const x = b.readForUpdate(0);
  const carry = condition(b, 2);
  const result = b.truncate(b.add(x, b.like(x, by)), size);
  b.write(0, result);
  b.recordFlags(flagsKind(base, size), result, size === 8 ? b.extendU(carry) : carry, result);
}

export const arithmetic: readonly InsnRow[] = [
  row(Mnemonic.Add, add),
  row(Mnemonic.Sub, (b) => subtract(b, true)),
  row(Mnemonic.Cmp, (b) => subtract(b, false)),
  row(Mnemonic.And, (b) => logic(b, (x, y) => b.and(x, y), true)),
  row(Mnemonic.Or, (b) => logic(b, (x, y) => b.or(x, y), true)),
  row(Mnemonic.Xor, (b) => logic(b, (x, y) => b.xor(x, y), true)),
  row(Mnemonic.Test, (b) => logic(b, (x, y) => b.and(x, y), false)),
  row(Mnemonic.Inc, (b) => step(b, FLAGS_BASE.INC, 1)),
  row(Mnemonic.Dec, (b) => step(b, FLAGS_BASE.DEC, -1)),
];
