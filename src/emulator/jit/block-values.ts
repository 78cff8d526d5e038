/**
 * What the writer of a block knows: the values of the instruction under way, and the lazy flags. Both stay expressions until they are needed, so that most
 * never see a local; the flags reach their locals only on the way out of the block or in the cold code of an exit.
 */
import { SLOT } from '../../register-set.js';
import type { IrOp } from '../ir/ir.js';
import type { Value } from '../ir/op-builder.js';
import type { FunctionWriter, WasmType } from '../wasm/function-writer.js';
import {
  constant,
  dependsOn,
  type Expression,
  local,
  localsOf,
  narrow,
  push,
  replaceLocal,
  wide,
} from './expression.js';
import type { CachedRegister, RegisterFile } from './register-file.js';
import type { Temporaries } from './temporaries.js';

interface PendingFlags {
  readonly kind: number;
  operands: Expression[];
}

interface Computed {
  expression: Expression;
  /** Reads by later ops of the instruction. */
  uses: number;
  /** For the bits of a number: the number itself. */
  float?: Expression;
}

export type LocalExpression = Extract<Expression, { kind: 'local' }>;

export class BlockValues {
  private values = new Map<number, Computed>();
  private uses: ReadonlyMap<number, number> = new Map();
  private pending: PendingFlags | undefined;
  private readonly held = new Set<number>();

  constructor(
    private readonly w: FunctionWriter,
    private readonly registers: RegisterFile,
    private readonly temporaries: Temporaries,
  ) {}

  // ---- values of an instruction ----

  beginInsn(ops: readonly IrOp[]): void {
    this.values = new Map();
    this.uses = countUses(ops);
  }

  /** Only what the flags need is held any longer. */
  endInsn(): void {
    const kept = new Set<number>();
    for (const operand of this.pending?.operands ?? []) localsOf(operand, kept);
    this.give([...this.held].filter((index) => !kept.has(index)));
  }

  endBlock(): void {
    this.give([...this.held]);
  }

  private give(indices: readonly number[]): void {
    for (const index of indices) {
      this.held.delete(index);
      this.temporaries.give(index);
    }
  }

  use(value: Value): Expression {
    const known = this.values.get(value.id);
    if (known === undefined) throw new Error(`value ${value.id} is used outside its instruction`);
    known.uses--;
    return known.expression;
  }

  /** The number whose bits a value is, if that is known. */
  floatOf(value: Value): Expression | undefined {
    return this.values.get(value.id)?.float;
  }

  /** `float`: the number whose bits the value is. */
  define(result: Value | undefined, expression: Expression, float?: Expression): void {
    if (result === undefined) return;
    const uses = this.uses.get(result.id) ?? 0;
    const shared = expression.kind === 'op' && uses > 1;
    const computed = { expression: shared ? this.hold(expression) : expression, uses };
    this.values.set(result.id, float === undefined ? computed : { ...computed, float });
  }

  /** Computes an expression into a temporary now. */
  hold(expression: Expression): LocalExpression {
    push(this.w, expression);
    return this.popTemporary(expression.type);
  }

  /** Takes what is on the stack into a temporary. */
  popTemporary(type: WasmType): LocalExpression {
    const index = this.temporaries.take(type);
    this.held.add(index);
    this.w.set(index);
    return { kind: 'local', type, local: index };
  }

  /** A register is about to change: whoever still needs the old value gets a copy. */
  preserve({ local: index, type }: CachedRegister): void {
    const waiting = [...this.values.values()].filter(
      ({ uses, expression }) => uses > 0 && dependsOn(expression, index),
    );
    const flags = this.pending?.operands.some((operand) => dependsOn(operand, index)) ?? false;
    if (waiting.length === 0 && !flags) return;
    const copy = this.hold(local(type, index)).local;
    for (const value of waiting) value.expression = replaceLocal(value.expression, index, copy);
    if (this.pending === undefined) return;
    this.pending.operands = this.pending.operands.map((operand) => replaceLocal(operand, index, copy));
  }

  // ---- flags ----

  /** The flags are those of this kind over these operands. */
  setFlags(kind: number, operands: Expression[]): void {
    this.pending = { kind, operands };
  }

  /** A slot of the lazy flags while the block knows what is in it. */
  flagsPart(slot: number, size: number): Expression | undefined {
    if (this.pending === undefined) return undefined;
    if (slot === SLOT.CC_KIND) return constant('i32', this.pending.kind);
    const operand = this.pending.operands[[SLOT.CC_A, SLOT.CC_B, SLOT.CC_R].indexOf(slot as 160 | 168 | 176)];
    if (operand === undefined) return undefined;
    return size === 8 ? wide(operand) : narrow(operand);
  }

  /** Puts the flags that the block knows into their locals. The block goes on knowing them. */
  storeFlags(): void {
    if (this.pending === undefined) return;
    const { w } = this;
    for (const operand of this.pending.operands) push(w, wide(operand));
    for (const slot of [SLOT.CC_R, SLOT.CC_B, SLOT.CC_A]) w.set(this.registers.need(slot).local);
    w.i32(this.pending.kind);
    w.set(this.registers.need(SLOT.CC_KIND).local);
  }

  /** From now on the flags are what their locals say. */
  forgetFlags(): void {
    this.storeFlags();
    this.pending = undefined;
  }
}

function countUses(ops: readonly IrOp[]): Map<number, number> {
  const uses = new Map<number, number>();
  for (const one of ops) for (const { id } of one.args) uses.set(id, (uses.get(id) ?? 0) + 1);
  return uses;
}
