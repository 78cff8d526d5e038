/**
 * Builds the IR of guest instructions, one basic block after another. Knows nothing of x86: registers are slots of the CPU struct.
 */
import type { CodeHook } from '../executor.js';
import { ACCESS } from '../stop.js';
import type { IrBlock, IrInsn, IrOp, PlacedHook } from './ir.js';
import { STACK_SEGMENT } from './ir.js';
import { type Immediate, OpBuilder, type Value } from './op-builder.js';
import { type OpRow, opNamed } from './ops.js';
import type { Subroutine } from './subroutine.js';

/** A guest address as an instruction computes it. */
export interface Address {
  readonly base: Value;
  /** Added to the base by the access itself; signed 32 bits. */
  readonly displacement: number;
  /** A non-canonical address is a stack fault. */
  readonly stack: boolean;
}

const NO_VALUE: Value = { type: 'i32', id: -1 };

const I32_CONST = opNamed('i32.const');
const I64_CONST = opNamed('i64.const');
const V128_CONST = opNamed('v128.const');
const SUB = opNamed('sub');

const GET: Readonly<Record<number, OpRow>> = {
  1: opNamed('get8'),
  2: opNamed('get16'),
  4: opNamed('get32'),
  8: opNamed('get64'),
  16: opNamed('getv'),
};
const SET: Readonly<Record<number, OpRow>> = {
  1: opNamed('set8'),
  2: opNamed('set16'),
  4: opNamed('set32'),
  8: opNamed('set64'),
  16: opNamed('setv'),
};
const LOAD: Readonly<Record<number, OpRow>> = {
  1: opNamed('load8'),
  2: opNamed('load16'),
  4: opNamed('load32'),
  8: opNamed('load64'),
  16: opNamed('loadv'),
};
const LOAD_RMW: Readonly<Record<number, OpRow>> = {
  1: opNamed('load8.rmw'),
  2: opNamed('load16.rmw'),
  4: opNamed('load32.rmw'),
  8: opNamed('load64.rmw'),
  16: opNamed('loadv.rmw'),
};
const STORE: Readonly<Record<number, OpRow>> = {
  1: opNamed('store8'),
  2: opNamed('store16'),
  4: opNamed('store32'),
  8: opNamed('store64'),
  16: opNamed('storev'),
};

function sized(rows: Readonly<Record<number, OpRow>>, size: number): OpRow {
  const row = rows[size];
  if (row === undefined) throw new Error(`no access of ${size} bytes`);
  return row;
}

export class IrBuilder extends OpBuilder {
  private ops: IrOp[] = [];
  private nextValue = 0;
  private insns: IrInsn[] = [];
  private insnFlags: number | undefined;
  /** The lazy-flags kind that the block has set last; undefined where it does not know. */
  flagsKind: number | undefined;

  protected emit(row: OpRow, args: readonly Value[], immediate: Immediate = 0n): Value {
    for (let i = 0; i < args.length; i++) {
      const { type } = args[i] as Value;
      if (type !== row.params[i]) throw new Error(`${row.name}: operand ${i} is a ${type}`);
    }
    const result = row.result === undefined ? undefined : { type: row.result, id: this.nextValue++ };
    this.ops.push({ row, args, result, immediate });
    return result ?? NO_VALUE;
  }

  i32(value: number): Value {
    return this.constant(I32_CONST, BigInt.asUintN(32, BigInt(value)));
  }

  i64(value: bigint | number): Value {
    return this.constant(I64_CONST, BigInt.asUintN(64, BigInt(value)));
  }

  private constant(row: OpRow, value: bigint): Value {
    const result: Value = { type: row.result as 'i32' | 'i64', id: this.nextValue++, constant: value };
    this.ops.push({ row, args: [], result, immediate: value });
    return result;
  }

  v128(bytes: Uint8Array): Value {
    return this.emit(V128_CONST, [], bytes);
  }

  /** Reads `size` bytes of a slot of the CPU struct: an i32 (zero-extended) up to 4 bytes, an i64, or a v128. */
  get(slot: number, size: number): Value {
    return this.emit(sized(GET, size), [], BigInt(slot));
  }

  /** Writes `size` bytes of a slot, nothing around them. */
  set(slot: number, size: number, value: Value): void {
    this.emit(sized(SET, size), [value], BigInt(slot));
  }

  private static memoryImmediate(at: Address): bigint {
    return BigInt.asUintN(32, BigInt(at.displacement)) | (at.stack ? STACK_SEGMENT : 0n);
  }

  /** Loads 1, 2, 4, 8 or 16 bytes. `forWrite`: the instruction will store there, so an unwritable page faults as a write. */
  load(at: Address, size: number, forWrite = false): Value {
    return this.emit(sized(forWrite ? LOAD_RMW : LOAD, size), [at.base], IrBuilder.memoryImmediate(at));
  }

  /** Stores the low `size` bytes of a value. */
  store(at: Address, size: number, value: Value): void {
    this.emit(sized(STORE, size), [at.base, value], IrBuilder.memoryImmediate(at));
  }

  /** Makes sure, before anything is changed, that `size` bytes (up to 4096) can be accessed. */
  probe(at: Address, size: number, access: number): void {
    const name = access === ACCESS.WRITE ? 'probe.write' : 'probe.read';
    this.emit(opNamed(name), [this.linear(at)], BigInt(size) | (at.stack ? STACK_SEGMENT : 0n));
  }

  /** The address as one i64. */
  linear(at: Address): Value {
    return at.displacement === 0 ? at.base : this.add(at.base, this.i64(at.displacement));
  }

  /** Calls a subroutine; its results. */
  call(sub: Subroutine, ...args: Value[]): Value[] {
    args.forEach((arg, i) => {
      if (arg.type !== sub.params[i]) throw new Error(`${sub.name}: operand ${i} is a ${arg.type}`);
    });
    const results = sub.results.map((type) => ({ type, id: this.nextValue++ }));
    this.ops.push({ row: SUB, args, result: results[0], immediate: 0n, sub, results });
    return results;
  }

  /** Calls a subroutine that has one result. */
  call1(sub: Subroutine, ...args: Value[]): Value {
    return this.call(sub, ...args)[0] as Value;
  }

  /** Records the lazy flags; what the operands mean is the kind's business. Operands that are left out are the first one. */
  recordFlags(kind: number, a: Value, b: Value = a, result: Value = a): void {
    const name = a.type === 'i64' ? 'flags64' : 'flags32';
    this.emit(opNamed(name), [a, b, result], BigInt(kind));
    this.flagsKind = kind;
  }

  /** Faults with a processor exception (FAULT.*) if the condition (i32) is not zero. Nothing of the instruction may be done yet. */
  faultIf(condition: Value, vector: number): void {
    this.emit(opNamed('fault.if'), [condition], BigInt(vector));
  }

  /** The instruction is complete if the condition (i32) is not zero: go on at `target`. */
  leaveIf(condition: Value, target: number): void {
    this.emit(opNamed('leave.if'), [condition], BigInt(target));
  }

  /** Instructions that may still retire in this run. */
  fuel(): Value {
    return this.emit(opNamed('fuel'), []);
  }

  /** Retires `count` (i32) instructions beside this one. */
  burn(count: Value): void {
    this.emit(opNamed('burn'), [count]);
  }

  jump(target: number): void {
    this.emit(opNamed('jump'), [], BigInt(target));
  }

  callTo(target: number): void {
    this.emit(opNamed('call'), [], BigInt(target));
  }

  jumpIndirect(target: Value, how: 'jump.to' | 'call.to' | 'ret'): void {
    this.emit(opNamed(how), [target]);
  }

  branch(condition: Value, target: number): void {
    this.emit(opNamed('branch'), [condition], BigInt(target));
  }

  /** Leaves execution with an EXIT kind and EXIT_INFO, ip at this instruction, nothing of it done. */
  exit(kind: number, info = 0): void {
    this.emit(opNamed('exit'), [], BigInt(kind | (info << 8)));
  }

  beginInsn(): void {
    this.ops = [];
    this.insnFlags = this.flagsKind;
  }

  /** Drops what the current instruction has emitted (its lift function refused it). */
  restartInsn(): void {
    this.ops = [];
    this.flagsKind = this.insnFlags;
  }

  endInsn(ip: number, length: number, hook?: CodeHook): void {
    const insn = { ip, length, ops: this.ops, flagsBefore: this.insnFlags };
    this.insns.push(hook === undefined ? insn : { ...insn, hook });
  }

  /** True when the last op ends the block. */
  get blockEnded(): boolean {
    const name = this.ops.at(-1)?.row.name;
    return name !== undefined && BLOCK_ENDS.has(name);
  }

  beginBlock(): void {
    this.insns = [];
    this.nextValue = 0;
    this.flagsKind = undefined;
  }

  endBlock(bytes: Uint8Array, hooks: readonly PlacedHook[]): IrBlock {
    const first = this.insns[0] as IrInsn;
    const last = this.insns.at(-1) as IrInsn;
    return { ip: first.ip, insns: this.insns, end: last.ip + last.length, bytes, hooks };
  }
}

const BLOCK_ENDS: ReadonlySet<string> = new Set(['jump', 'call', 'jump.to', 'call.to', 'ret', 'branch', 'exit']);
