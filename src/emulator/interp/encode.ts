/** IR blocks → code of the interpreter, written to the physical memory. Runs for every block that is executed at all: arrays, no maps. */
import { SLOT } from '../../register-set.js';
import { STATE } from '../cpu-state.js';
import type { IrBlock, IrInsn, IrOp } from '../ir/ir.js';
import type { Value } from '../ir/op-builder.js';
import { opNamed } from '../ir/ops.js';
import type { Subroutine } from '../ir/subroutine.js';
import type { PhysicalMemory } from '../memory/physical.js';
import { FIRST_SUBROUTINE, IMMEDIATE_OPCODE, OWN, RECORD_BYTES } from './opcodes.js';

const NONE = -1;
/** Their 16 bytes follow the record. */
const V128_CONST = opNamed('v128.const');
const SHUFFLE = opNamed('i8x16.shuffle');

export class InterpreterEncoder {
  private at = 0;
  /** By value id less `firstId`: the slot, the last op (by index) that reads it, whether an op reads it from a slot at all. */
  private slots: number[] = [];
  private lastUse: number[] = [];
  private readFromSlot: boolean[] = [];
  private firstId = 0;
  /** Temporaries that are free again, and the next one that was never used in the instruction. */
  private readonly free: number[] = [];
  private nextTemporary: number = STATE.TEMPS;
  private readonly subroutineOpcode: ReadonlyMap<Subroutine, number>;

  /** `needs`: told of every subroutine that code calls, before the code can run. */
  constructor(
    private readonly physical: PhysicalMemory,
    subroutines: readonly Subroutine[],
    private readonly needs: (sub: Subroutine) => void,
  ) {
    this.subroutineOpcode = new Map(subroutines.map((sub, i) => [sub, FIRST_SUBROUTINE + i]));
  }

  /** An upper bound of what `encode` writes for a block, in bytes. */
  static bound(block: IrBlock): number {
    let records = 2;
    for (const insn of block.insns) records += 2 + 3 * insn.ops.length;
    return records * RECORD_BYTES;
  }

  /**
   * Writes a block at physical address `at`; the address behind it. `hotAfter`: executions until EXIT.HOT, 0 for code that is never counted.
   */
  encode(block: IrBlock, at: number, hotAfter: number): number {
    this.at = at;
    if (hotAfter > 0) this.number(OWN.ENTER, 0, 0, 0, hotAfter);
    for (const insn of block.insns) this.insn(insn);
    this.number(OWN.END, 0, 0, 0, block.end);
    return this.at;
  }

  /** Writes the records of a block that `encode` has written before; the address behind them. */
  restore(records: Uint8Array, subroutines: readonly Subroutine[], at: number): number {
    for (const sub of subroutines) this.needs(sub);
    this.physical.u8.set(records, at);
    return at + records.length;
  }

  /** The first record of the instruction at `ip` in the code from `from` to `end`, if it can be entered with lazy flags of this kind. */
  find(from: number, end: number, ip: number, flagsKind: number): number | undefined {
    const { u32 } = this.physical;
    for (let at = from; at < end; at += RECORD_BYTES) {
      const word = at >>> 2;
      const opcode = (u32[word] as number) & 0xffff;
      if ((opcode === OWN.INSN || opcode === OWN.HOOK) && u32[word + 2] === ip % 0x1_0000_0000) {
        const own = opcode === OWN.HOOK ? word + RECORD_BYTES / 4 : word;
        const known = (u32[own + 1] as number) & 0xffff;
        return known === 0 || known === flagsKind + 1 ? at : undefined;
      }
      if (opcode === V128_CONST.number || opcode === SHUFFLE.number) at += RECORD_BYTES;
    }
    return undefined;
  }

  /** Sets the counter of a block whose code at `at` begins with one. */
  setCounter(at: number, executions: number): void {
    this.physical.i32[(at + 8) >> 2] = executions;
  }

  /**
   * Where the indirect transfer in front of the END record, which ends at `end`, went last: the interpreter notes it in the record. Undefined if it has
   * not run or went beyond 2^53.
   */
  lastTarget(end: number): number | undefined {
    const at = (end - 2 * RECORD_BYTES + 8) >>> 2;
    const target = (this.physical.u32[at + 1] as number) * 0x1_0000_0000 + (this.physical.u32[at] as number);
    return target > 0 && target < Number.MAX_SAFE_INTEGER ? target : undefined;
  }

  private header(opcode: number, result: number, a: number, b: number): void {
    const { u32 } = this.physical;
    u32[this.at >>> 2] = opcode | (result << 16);
    u32[(this.at + 4) >>> 2] = a | (b << 16);
  }

  /** A record whose immediate is a natural number below 2^53. */
  private number(opcode: number, result: number, a: number, b: number, immediate: number): void {
    this.header(opcode, result, a, b);
    const { u32 } = this.physical;
    u32[(this.at + 8) >>> 2] = immediate;
    u32[(this.at + 12) >>> 2] = immediate / 0x1_0000_0000;
    this.at += RECORD_BYTES;
  }

  private record(opcode: number, result: number, a: number, b: number, immediate: bigint): void {
    this.header(opcode, result, a, b);
    this.physical.u64[(this.at + 8) / 8] = immediate;
    this.at += RECORD_BYTES;
  }

  private inline(bytes: Uint8Array): void {
    this.physical.u8.set(bytes, this.at);
    this.at += RECORD_BYTES;
  }

  private insn(insn: IrInsn): void {
    const { hook } = insn;
    if (hook !== undefined) {
      this.number(OWN.HOOK, hook.decider?.slot ?? 0, hook.number & 0xffff, hook.number >>> 16, insn.ip);
    }
    this.number(OWN.INSN, 0, (insn.flagsBefore ?? -1) + 1, 0, insn.ip);
    this.free.length = 0;
    this.nextTemporary = STATE.TEMPS;
    this.countUses(insn.ops);
    for (let index = 0; index < insn.ops.length; index++) this.op(insn.ops[index] as IrOp, index, insn.ops);
  }

  private countUses(ops: readonly IrOp[]): void {
    this.slots = [];
    this.lastUse = [];
    this.readFromSlot = [];
    this.firstId = firstIdOf(ops);
    for (let index = 0; index < ops.length; index++) {
      const op = ops[index] as IrOp;
      for (let i = 0; i < op.args.length; i++) {
        const id = (op.args[i] as Value).id - this.firstId;
        this.lastUse[id] = index;
        if (!usesImmediate(op, i)) this.readFromSlot[id] = true;
      }
    }
  }

  private lastUseOf(value: Value, index: number): number {
    return this.lastUse[value.id - this.firstId] ?? index;
  }

  private op(op: IrOp, index: number, ops: readonly IrOp[]): void {
    const { row, args } = op;
    const { result: value } = op;
    if (row.kind === 'const' && value?.constant !== undefined && !this.readFromSlot[value.id - this.firstId]) return;
    if (row.kind === 'get' && this.foldGet(op, index, ops)) return;
    const a = this.operand(op, 0);
    const b = this.operand(op, 1);
    const c = this.operand(op, 2);
    const d = this.operand(op, 3);
    this.release(args, index);
    const result = value === undefined ? 0 : this.allocate(value);
    const immediate = typeof op.immediate === 'bigint' ? op.immediate : 0n;

    if (op.sub !== undefined) this.call(op, op.sub, result, [a, b, c, d]);
    else if (row.kind === 'set') this.number(row.number, Number(immediate), a, 0, 0);
    else if (row.kind === 'get') this.number(row.number, result, Number(immediate), 0, 0);
    else if (args.length === 3) {
      if (row.kind === 'control') this.record(row.number, c, a, b, immediate);
      else this.number(row.number, result, a, b, c);
    } else if (args.length > 0 && usesImmediate(op, args.length - 1)) {
      const { constant } = args[args.length - 1] as Value;
      this.record(IMMEDIATE_OPCODE.get(row) as number, result, a, 0, constant as bigint);
    } else {
      this.record(row.number, result, a, b, immediate);
      if (op.immediate instanceof Uint8Array) this.inline(op.immediate);
    }
    this.releaseResults(op, index);
  }

  private call(
    op: IrOp,
    sub: Subroutine,
    result: number,
    [a, b, c, d]: readonly [number, number, number, number],
  ): void {
    this.needs(sub);
    const more = (op.results ?? []).slice(1).map((value) => this.allocate(value));
    const packed = BigInt(c) | (BigInt(d) << 16n) | (BigInt(more[0] ?? 0) << 32n) | (BigInt(more[1] ?? 0) << 48n);
    this.record(this.subroutineOpcode.get(sub) as number, result, a, b, packed);
  }

  private operand(op: IrOp, index: number): number {
    const arg = op.args[index];
    if (arg === undefined || usesImmediate(op, index)) return 0;
    const slot = this.slots[arg.id - this.firstId];
    if (slot === undefined) throw new Error(`value ${arg.id} is used outside its instruction`);
    return slot;
  }

  /** A whole-slot `get` costs nothing: its users read the slot itself, unless the slot is written before the last of them. */
  private foldGet(op: IrOp, index: number, ops: readonly IrOp[]): boolean {
    if (op.row.size < 4 || op.result === undefined) return false;
    const slot = Number(op.immediate);
    const last = this.lastUseOf(op.result, index);
    for (let i = index + 1; i < last; i++) {
      if (writesSlot(ops[i] as IrOp, slot, op.row.size)) return false;
    }
    this.slots[op.result.id - this.firstId] = slot;
    return true;
  }

  private allocate(value: Value): number {
    const slot = this.free.pop() ?? this.nextTemporary;
    if (slot === this.nextTemporary) this.nextTemporary += 16;
    if (this.nextTemporary > STATE.SCRATCH) throw new Error('an instruction needs too many temporaries');
    this.slots[value.id - this.firstId] = slot;
    return slot;
  }

  private release(args: readonly Value[], index: number): void {
    for (let i = 0; i < args.length; i++) {
      const arg = args[i] as Value;
      if (this.lastUseOf(arg, NONE) === index) this.giveBack(arg);
    }
  }

  /** A result that nobody reads frees its place at once. */
  private releaseResults(op: IrOp, index: number): void {
    if (op.results !== undefined) {
      for (const result of op.results) if (this.lastUseOf(result, index) === index) this.giveBack(result);
    } else if (op.result !== undefined && this.lastUseOf(op.result, index) === index) this.giveBack(op.result);
  }

  private giveBack(value: Value): void {
    const slot = this.slots[value.id - this.firstId];
    if (slot !== undefined && slot >= STATE.TEMPS && !this.free.includes(slot)) this.free.push(slot);
  }
}

function firstIdOf(ops: readonly IrOp[]): number {
  for (const { result } of ops) if (result !== undefined) return result.id;
  return 0;
}

/** The last operand of an op with an immediate form is never read from a slot when it is a constant. */
function usesImmediate({ row, args }: IrOp, operand: number): boolean {
  return row.immediateForm && operand === args.length - 1 && args[operand]?.constant !== undefined;
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
