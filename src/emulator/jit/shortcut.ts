/**
 * Shortcuts of subroutines, written out in front of the call: straight-line code on expressions, and the call only where it does not hold. Guest floating
 * point is host floating point that way, most of the time.
 */
import { SLOT } from '../../register-set.js';
import type { IrOp } from '../ir/ir.js';
import { type Immediate, OpBuilder, type Value } from '../ir/op-builder.js';
import { type OpRow, opNamed } from '../ir/ops.js';
import type { Shortcut } from '../ir/subroutine.js';
import { op as apply, constant, type Expression } from './expression.js';

/** What a subroutine's op becomes: the ops before it compute these values. */
export interface ShortcutValues {
  readonly result: Value;
  /** `result` before it was reinterpreted as an integer, where it is a number of the host. */
  readonly float: Value | undefined;
  readonly holds: Value;
  /** The second result faults the instruction when it is not zero: the `fault.if` behind the call, which is left out. */
  readonly faults: boolean;
}

export interface ExpandedOp extends IrOp {
  readonly shortcut?: ShortcutValues;
  /** The op stands for what a region has prepared of a slot. */
  readonly prepared?: Prepare;
}

export type Prepare = Shortcut['prepare'];

const CONST = { i32: opNamed('i32.const'), i64: opNamed('i64.const'), v128: opNamed('v128.const') } as const;
const GET32 = opNamed('get32');
const GETV = opNamed('getv');
/** Beyond the numbers of the values that a lifter makes. */
const FIRST_VALUE = 2 ** 30;

/** Names of the ops that take a number out of a vector, and what they shorten. */
const LANE_OF: Readonly<Record<string, { readonly shape: string; readonly bytes: number }>> = {
  'f32.reinterpret_i32': { shape: 'f32x4', bytes: 4 },
  'f64.reinterpret_i64': { shape: 'f64x2', bytes: 8 },
};
const TO_INTEGER: ReadonlySet<string> = new Set(['i32.reinterpret_f32', 'i64.reinterpret_f64']);

class Expander extends OpBuilder {
  readonly ops: ExpandedOp[] = [];
  private readonly madeBy = new Map<number, IrOp>();
  private nextValue = FIRST_VALUE;
  private registersAsAtStart = true;

  protected emit(row: OpRow, args: readonly Value[], immediate: Immediate = 0n): Value {
    const lane = row.kind === 'pure' ? this.asLane(row, args[0]) : undefined;
    if (lane !== undefined) return lane;
    const result: Value = { type: row.result as Value['type'], id: this.nextValue++ };
    this.append({ row, args, result, immediate });
    return result;
  }

  /** A number that lies in a vector register is taken from there, not by way of an integer. */
  private asLane(row: OpRow, bits: Value | undefined): Value | undefined {
    const from = LANE_OF[row.name];
    const source = bits === undefined ? undefined : this.madeBy.get(bits.id);
    if (from === undefined || source?.row.kind !== 'get' || !this.registersAsAtStart) return undefined;
    const slot = Number(source.immediate);
    if (slot < SLOT.VECTOR || slot >= SLOT.X87 || source.row.size !== from.bytes) return undefined;
    const vector = this.emit(GETV, [], BigInt(slot & ~15));
    return this.op(`${from.shape}.extract_lane.${(slot & 15) / from.bytes}`, vector);
  }

  append(op: ExpandedOp): void {
    if (op.result !== undefined) this.madeBy.set(op.result.id, op);
    if (op.row.kind === 'set') this.registersAsAtStart = false;
    this.ops.push(op);
  }

  i32(value: number): Value {
    return this.constant('i32', BigInt.asUintN(32, BigInt(value)));
  }

  i64(value: bigint | number): Value {
    return this.constant('i64', BigInt.asUintN(64, BigInt(value)));
  }

  private constant(type: 'i32' | 'i64', value: bigint): Value {
    const result: Value = { type, id: this.nextValue++, constant: value };
    this.append({ row: CONST[type], args: [], result, immediate: value });
    return result;
  }

  v128(bytes: Uint8Array): Value {
    return this.emit(CONST.v128, [], bytes);
  }

  /** Appends a call with its shortcut in front of it. */
  expand(call: IrOp, shortcut: Shortcut, faults: boolean): void {
    const prepared: Value = { type: 'i32', id: this.nextValue++ };
    this.append({
      row: GET32,
      args: [],
      result: prepared,
      immediate: BigInt(shortcut.slot),
      prepared: shortcut.prepare,
    });
    const { result, holds } = shortcut.build(this, prepared, ...call.args);
    const made = this.madeBy.get(result.id);
    const float = made !== undefined && TO_INTEGER.has(made.row.name) ? made.args[0] : undefined;
    this.append({ ...call, shortcut: { result, float, holds, faults } });
  }
}

/** Builds an expression of pure ops over one value. */
class ExpressionBuilder extends OpBuilder {
  private readonly expressions: Expression[] = [];

  protected emit(row: OpRow, args: readonly Value[]): Value {
    return this.value(apply(row.result as Value['type'], row.code, ...args.map((arg) => this.expression(arg))));
  }

  value(expression: Expression): Value {
    return { type: expression.type, id: this.expressions.push(expression) - 1 };
  }

  expression({ id }: Value): Expression {
    const found = this.expressions[id];
    if (found === undefined) throw new Error('a value of another builder');
    return found;
  }

  i32(value: number): Value {
    return this.value(constant('i32', value));
  }

  i64(value: bigint | number): Value {
    return this.value(constant('i64', value));
  }

  v128(bytes: Uint8Array): Value {
    return this.value({ kind: 'const', type: 'v128', value: bytes });
  }
}

/** What `prepare` makes of a slot's value. */
export function preparedOf(prepare: Prepare, slotValue: Expression): Expression {
  const builder = new ExpressionBuilder();
  return builder.expression(prepare(builder, builder.value(slotValue)));
}

/** True when all that becomes of a call's second result is the fault right behind it. */
function onlyFaults(ops: readonly IrOp[], index: number): boolean {
  const trap = ops[index]?.results?.[1];
  const next = ops[index + 1];
  if (trap === undefined || next?.row.name !== 'fault.if' || next.args[0]?.id !== trap.id) return false;
  return ops.slice(index + 2).every(({ args }) => args.every(({ id }) => id !== trap.id));
}

/** The ops of an instruction with the shortcuts of its subroutines written out. */
export function withShortcuts(ops: readonly IrOp[]): readonly ExpandedOp[] {
  if (ops.every(({ sub }) => sub?.shortcut === undefined)) return ops;
  const expander = new Expander();
  for (let i = 0; i < ops.length; i++) {
    const one = ops[i] as IrOp;
    const shortcut = one.sub?.shortcut;
    if (shortcut === undefined) {
      expander.append(one);
      continue;
    }
    const faults = onlyFaults(ops, i);
    expander.expand(one, shortcut, faults);
    if (faults) i++;
  }
  return expander.ops;
}
