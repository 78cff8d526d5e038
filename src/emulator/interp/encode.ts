/** IR blocks → code of the interpreter, written to the physical memory. */
import { SLOT } from '../../register-set.js';
import { STATE } from '../cpu-state.js';
import type { IrBlock, IrInsn, IrOp } from '../ir/ir.js';
import type { Value } from '../ir/op-builder.js';
import type { Subroutine } from '../ir/subroutine.js';
import type { PhysicalMemory } from '../memory/physical.js';
import { FIRST_SUBROUTINE, IMMEDIATE_OPCODE, OWN, RECORD_BYTES } from './opcodes.js';

/** Where a value is while its instruction is encoded. */
interface Place {
  slot: number;
  /** The last op (by index) that reads it. */
  lastUse: number;
  temporary: boolean;
}

export class InterpreterEncoder {
  private at = 0;
  private places = new Map<number, Place>();
  private free: number[] = [];
  private readonly subroutineOpcode: ReadonlyMap<Subroutine, number>;

  constructor(
    private readonly physical: PhysicalMemory,
    subroutines: readonly Subroutine[],
  ) {
    this.subroutineOpcode = new Map(subroutines.map((sub, i) => [sub, FIRST_SUBROUTINE + i]));
  }

  /** An upper bound of what `encode` writes for a block, in bytes. */
  static bound(block: IrBlock): number {
    let records = 2;
    for (const insn of block.insns) records += 1 + 3 * insn.ops.length;
    return records * RECORD_BYTES;
  }

  /**
   * Writes a block at physical address `at`; the address behind it. `hotAfter`: executions until EXIT.HOT, 0 for code that is never counted.
   */
  encode(block: IrBlock, at: number, hotAfter: number): number {
    this.at = at;
    if (hotAfter > 0) this.record(OWN.ENTER, 0, 0, 0, BigInt(hotAfter));
    for (const insn of block.insns) this.insn(insn);
    this.record(OWN.END, 0, 0, 0, BigInt(block.end));
    return this.at;
  }

  private record(opcode: number, result: number, a: number, b: number, immediate: bigint): void {
    const { view } = this.physical;
    view.setUint16(this.at, opcode, true);
    view.setUint16(this.at + 2, result, true);
    view.setUint16(this.at + 4, a, true);
    view.setUint16(this.at + 6, b, true);
    view.setBigUint64(this.at + 8, BigInt.asUintN(64, immediate), true);
    this.at += RECORD_BYTES;
  }

  private inline(bytes: Uint8Array): void {
    this.physical.u8.set(bytes, this.at);
    this.at += RECORD_BYTES;
  }

  private insn(insn: IrInsn): void {
    this.record(OWN.INSN, 0, 0, 0, BigInt(insn.ip));
    this.places = new Map();
    this.free = [];
    for (let slot = STATE.SCRATCH - 16; slot >= STATE.TEMPS; slot -= 16) this.free.push(slot);
    const lastUse = lastUses(insn.ops);
    for (const [index, op] of insn.ops.entries()) this.op(op, index, insn.ops, lastUse);
  }

  private op(op: IrOp, index: number, ops: readonly IrOp[], lastUse: ReadonlyMap<number, number>): void {
    const { row, args } = op;
    if (row.kind === 'const' && this.isAlwaysImmediate(op, ops)) return;
    if (row.kind === 'get' && this.foldGet(op, index, ops, lastUse)) return;
    const immediate = typeof op.immediate === 'bigint' ? op.immediate : 0n;
    const operands = args.map((arg, i) => (this.usesImmediate(op, i) ? 0 : this.slotOf(arg)));
    this.release(args, index);
    const result = op.result === undefined ? 0 : this.allocate(op.result, lastUse.get(op.result.id) ?? index);
    const [a = 0, b = 0, c = 0, d = 0] = operands;

    if (op.sub !== undefined) {
      const more = (op.results ?? []).slice(1).map((value) => this.allocate(value, lastUse.get(value.id) ?? index));
      const packed = BigInt(c) | (BigInt(d) << 16n) | (BigInt(more[0] ?? 0) << 32n) | (BigInt(more[1] ?? 0) << 48n);
      this.record(this.subroutineOpcode.get(op.sub) as number, result, a, b, packed);
    } else if (row.kind === 'set') this.record(row.number, Number(immediate), a, 0, 0n);
    else if (row.kind === 'get') this.record(row.number, result, Number(immediate), 0, 0n);
    else if (args.length === 3 && row.name.startsWith('flags')) this.record(row.number, c, a, b, immediate);
    else if (args.length === 3) this.record(row.number, result, a, b, BigInt(c));
    else if (args.some((_, i) => this.usesImmediate(op, i))) {
      const constant = (args.at(-1) as Value).constant as bigint;
      this.record(IMMEDIATE_OPCODE.get(row) as number, result, a, 0, constant);
    } else {
      this.record(row.number, result, a, b, immediate);
      if (op.immediate instanceof Uint8Array) this.inline(op.immediate);
    }
    this.releaseResult(op, index, lastUse);
  }

  /** The last operand of an op with an immediate form is never read from a slot when it is a constant. */
  private usesImmediate(op: IrOp, operand: number): boolean {
    return op.row.immediateForm && operand === op.args.length - 1 && op.args[operand]?.constant !== undefined;
  }

  private isAlwaysImmediate(op: IrOp, ops: readonly IrOp[]): boolean {
    const id = op.result?.id;
    if (op.result?.constant === undefined) return false;
    return ops.every((user) => user.args.every((arg, i) => arg.id !== id || this.usesImmediate(user, i)));
  }

  /** A whole-slot `get` costs nothing: its users read the slot itself, unless the slot is written before the last of them. */
  private foldGet(op: IrOp, index: number, ops: readonly IrOp[], lastUse: ReadonlyMap<number, number>): boolean {
    if (op.row.size < 4 || op.result === undefined) return false;
    const slot = Number(op.immediate);
    const last = lastUse.get(op.result.id) ?? index;
    for (let i = index + 1; i < last; i++) {
      if (writesSlot(ops[i] as IrOp, slot, op.row.size)) return false;
    }
    this.places.set(op.result.id, { slot, lastUse: last, temporary: false });
    return true;
  }

  private slotOf(value: Value): number {
    const place = this.places.get(value.id);
    if (place === undefined) throw new Error(`value ${value.id} is used outside its instruction`);
    return place.slot;
  }

  private allocate(value: Value, lastUse: number): number {
    const slot = this.free.pop();
    if (slot === undefined) throw new Error('an instruction needs too many temporaries');
    this.places.set(value.id, { slot, lastUse, temporary: true });
    return slot;
  }

  private release(args: readonly Value[], index: number): void {
    for (const arg of new Set(args)) {
      const place = this.places.get(arg.id);
      if (place?.temporary && place.lastUse === index) this.free.push(place.slot);
    }
  }

  /** A result that nobody reads frees its place at once. */
  private releaseResult(op: IrOp, index: number, lastUse: ReadonlyMap<number, number>): void {
    for (const result of op.results ?? (op.result === undefined ? [] : [op.result])) {
      const place = this.places.get(result.id);
      if (place?.temporary && (lastUse.get(result.id) ?? index) === index) this.free.push(place.slot);
    }
  }
}

function lastUses(ops: readonly IrOp[]): Map<number, number> {
  const last = new Map<number, number>();
  ops.forEach((op, index) => {
    for (const arg of op.args) last.set(arg.id, index);
  });
  return last;
}

/** True when an op writes any of `size` bytes at a slot. */
function writesSlot(op: IrOp, slot: number, size: number): boolean {
  if (op.row.kind === 'set') {
    const at = Number(op.immediate);
    return at < slot + size && slot < at + op.row.size;
  }
  if (op.row.name === 'flags32' || op.row.name === 'flags64') {
    return slot + size > SLOT.CC_KIND && slot < SLOT.FLAGS_REST;
  }
  // A subroutine may write any slot that compiled code does not cache, but none that it does.
  return op.sub !== undefined && slot >= SLOT.FLAGS_REST && !(slot >= SLOT.VECTOR && slot < SLOT.X87);
}
