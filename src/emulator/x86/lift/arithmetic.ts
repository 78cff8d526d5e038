/** Binary integer arithmetic and logic: SDM vol. 1, 5.1.2 and 5.1.4. */
import { Mnemonic } from '../../../iced-x86.js';
import type { Value } from '../../ir/op-builder.js';
import { condition } from '../conditions.js';
import { changeFlags } from '../flag-parts.js';
import { FLAGS_BASE, flagsKind } from '../flags.js';
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

/** ADC, SBB: with CF. */
function withCarry(b: Lifter, base: number): void {
  const size = b.size(0);
  const x = b.readForUpdate(0);
  const y = b.readSized(1, size);
  const bit = condition(b, 2);
  const carry = size === 8 ? b.extendU(bit) : bit;
  const whole = base === FLAGS_BASE.ADC ? b.add(b.add(x, y), carry) : b.sub(b.sub(x, y), carry);
  const result = b.truncate(whole, size);
  b.write(0, result);
  b.recordFlags(flagsKind(base, size), x, y, result);
}

/** NEG: dst ← 0 - dst. */
function neg(b: Lifter): void {
  const size = b.size(0);
  const x = b.readForUpdate(0);
  const result = b.truncate(b.neg(x), size);
  b.write(0, result);
  b.recordFlags(flagsKind(FLAGS_BASE.SUB, size), b.like(x, 0), x, result);
}

/** NOT: no flags. */
function not(b: Lifter): void {
  b.write(0, b.truncate(b.not(b.readForUpdate(0)), b.size(0)));
}

/** ADCX, ADOX: an addition whose only flag, in and out, is CF or OF. */
function addWith(b: Lifter, flag: 'carry' | 'overflow'): void {
  const size = b.size(0);
  const x = b.read(0);
  const y = b.read(1);
  const bit = condition(b, flag === 'carry' ? 2 : 0);
  const partial = b.add(x, y);
  const sum = b.add(partial, size === 8 ? b.extendU(bit) : bit);
  b.write(0, sum);
  changeFlags(b, { [flag]: b.or(b.ltU(partial, x), b.ltU(sum, partial)) });
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
  row(Mnemonic.Adc, (b) => withCarry(b, FLAGS_BASE.ADC)),
  row(Mnemonic.Sbb, (b) => withCarry(b, FLAGS_BASE.SBB)),
  row(Mnemonic.Neg, neg),
  row(Mnemonic.Not, not),
  row(Mnemonic.Adcx, (b) => addWith(b, 'carry')),
  row(Mnemonic.Adox, (b) => addWith(b, 'overflow')),
];
