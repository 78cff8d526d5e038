/** Instructions that change CF or OF alone (rotates, BT, CLC ...): the other flags stay lazy. */
import type { IrBuilder } from '../ir/builder.js';
import type { Value } from '../ir/op-builder.js';
import { knownAdjust, knownCarry, knownOverflow, knownRecord } from './conditions.js';
import { ARITHMETIC_FLAGS, arithmeticFlags, FLAG, FLAGS_BASE, flagsKind, setArithmeticFlags } from './flags.js';

/** New values (i32, 0 or 1). What is left out stays. */
export interface FlagChange {
  readonly carry?: Value;
  readonly overflow?: Value;
}

/** Changes CF and OF as given; when `changes` (i32) is 0, they stay, too. */
export function changeFlags(b: IrBuilder, change: FlagChange, changes?: Value): void {
  if (!changeLazily(b, change, changes)) changeExplicitly(b, change, changes);
}

function chosen(
  b: IrBuilder,
  value: Value | undefined,
  old: () => Value | undefined,
  changes?: Value,
): Value | undefined {
  if (value !== undefined && changes === undefined) return value;
  const kept = old();
  if (value === undefined || changes === undefined || kept === undefined) return kept;
  return b.select(changes, value, kept);
}

/** Makes a record of kind RESULT of the present one; false when its kind is not known, or what stays has no short form. */
function changeLazily(b: IrBuilder, { carry, overflow }: FlagChange, changes?: Value): boolean {
  const record = knownRecord(b);
  if (record === undefined) return false;
  const newCarry = chosen(b, carry, () => knownCarry(b, record), changes);
  const newOverflow = chosen(b, overflow, () => knownOverflow(b, record), changes);
  if (newCarry === undefined || newOverflow === undefined) return false;
  const wide = (value: Value): Value => (record.size === 8 ? b.extendU(value) : value);
  const bits = b.or(newCarry, knownAdjust(b, record));
  b.recordFlags(flagsKind(FLAGS_BASE.RESULT, record.size), wide(bits), wide(newOverflow), record.result());
  return true;
}

function changeExplicitly(b: IrBuilder, { carry, overflow }: FlagChange, changes?: Value): void {
  const old = arithmeticFlags(b);
  const replaced = (carry === undefined ? 0 : FLAG.CF) | (overflow === undefined ? 0 : FLAG.OF);
  let made = b.and(old, b.i32(ARITHMETIC_FLAGS & ~replaced));
  if (carry !== undefined) made = b.or(made, carry);
  if (overflow !== undefined) made = b.or(made, b.shl(overflow, b.i32(11)));
  setArithmeticFlags(b, changes === undefined ? made : b.select(changes, made, old));
}
