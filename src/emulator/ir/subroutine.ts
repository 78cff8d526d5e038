/**
 * IR subroutines: what is too big to be inlined in every block (soft float, 128-bit division, dynamic flags ...), written with the same
 * operations as instructions, plus control flow. Each becomes one WebAssembly function of the runtime module, whose first parameter is
 * the CPU struct; interpreter and compiled code call it alike.
 *
 * A subroutine must not touch guest registers that compiled code keeps in locals (general and vector registers, lazy flags): it
 * takes and returns them. The rest of the CPU struct (x87, MXCSR, scratch) is its to read and write.
 */
import type { FunctionWriter, Label, WasmType } from '../wasm/function-writer.js';
import { type Immediate, OpBuilder, type Value } from './op-builder.js';
import type { OpRow } from './ops.js';

export interface Subroutine {
  readonly name: string;
  /** Without the CPU struct. At most 4. */
  readonly params: readonly WasmType[];
  /** At most 3. */
  readonly results: readonly WasmType[];
  build(b: SubroutineBuilder, ...args: Value[]): readonly Value[] | Value | undefined;
  /** Compiled code may try this before it calls. */
  readonly shortcut?: Shortcut;
}

/** Straight-line code that often does what a subroutine would. When `holds`, `result` is the subroutine's first result and the others are zero. */
export interface Shortcut {
  /** A slot of the CPU struct (i32) on which `build` depends. */
  readonly slot: number;
  /** What `build` wants to know of it (i32). Compiled code keeps it for as long as nothing can have written the slot. */
  prepare(b: OpBuilder, slotValue: Value): Value;
  build(b: OpBuilder, prepared: Value, ...args: Value[]): { readonly result: Value; readonly holds: Value };
}

const LETTER: Record<string, WasmType> = { i: 'i32', l: 'i64', f: 'f32', d: 'f64', v: 'v128' };

/** `signature`: parameter letters, `>`, result letters (i = i32, l = i64, f = f32, d = f64, v = v128), as in ir/ops.ts. */
export function subroutine(name: string, signature: string, build: Subroutine['build']): Subroutine {
  const [params, results] = signature.split('>').map((letters) => [...letters].map((c) => LETTER[c] as WasmType));
  if (params === undefined || results === undefined || params.length > 4 || results.length > 3) {
    throw new Error(`${name}: bad subroutine signature ${signature}`);
  }
  return { name, params, results, build };
}

/** A mutable local of a subroutine. */
export interface Variable {
  readonly type: WasmType;
  readonly local: number;
}

type RawLoad = 'load8' | 'load16' | 'load32' | 'load64' | 'loadv' | 'loadf32' | 'loadf64';
type RawStore = 'store8' | 'store16' | 'store32' | 'store64' | 'storev' | 'storef32' | 'storef64';

const RAW_LOAD: Readonly<Record<RawLoad, readonly [WasmType, readonly number[]]>> = {
  load8: ['i32', [0x2d]],
  load16: ['i32', [0x2f]],
  load32: ['i32', [0x28]],
  load64: ['i64', [0x29]],
  loadf32: ['f32', [0x2a]],
  loadf64: ['f64', [0x2b]],
  loadv: ['v128', [0xfd, 0x00]],
};

const RAW_STORE: Readonly<Record<RawStore, readonly number[]>> = {
  store8: [0x3a],
  store16: [0x3b],
  store32: [0x36],
  store64: [0x37],
  storef32: [0x38],
  storef64: [0x39],
  storev: [0xfd, 0x0b],
};

export class SubroutineBuilder extends OpBuilder {
  /** Physical address of the CPU struct. */
  readonly cpu: Value = { type: 'i32', id: 0 };
  private readonly constants = new Map<number, { type: WasmType; value: bigint | Uint8Array }>();
  private nextConstant = -1;

  constructor(
    private readonly writer: FunctionWriter,
    private readonly functionIndex: (sub: Subroutine) => number,
  ) {
    super();
  }

  /** The parameter after the CPU struct. */
  param(index: number): Value {
    return { type: this.writer.params[index + 1] as WasmType, id: index + 1 };
  }

  i32(value: number): Value {
    return this.constant('i32', BigInt.asUintN(32, BigInt(value)));
  }

  i64(value: bigint | number): Value {
    return this.constant('i64', BigInt.asUintN(64, BigInt(value)));
  }

  v128(bytes: Uint8Array): Value {
    this.constants.set(this.nextConstant, { type: 'v128', value: bytes });
    return { type: 'v128', id: this.nextConstant-- };
  }

  private constant(type: WasmType, value: bigint): Value {
    this.constants.set(this.nextConstant, { type, value });
    return { type, id: this.nextConstant--, constant: value };
  }

  /** Puts a value on the WebAssembly stack. */
  push(value: Value): void {
    if (value.id >= 0) return this.writer.get(value.id);
    const constant = this.constants.get(value.id);
    if (constant === undefined) throw new Error('a value of another builder');
    if (constant.value instanceof Uint8Array) this.writer.v128(constant.value);
    else if (constant.type === 'i32') this.writer.i32(Number(BigInt.asIntN(32, constant.value)));
    else this.writer.i64(constant.value);
  }

  private pop(type: WasmType): Value {
    const local = this.writer.local(type);
    this.writer.set(local);
    return { type, id: local };
  }

  protected emit(row: OpRow, args: readonly Value[], immediate?: Immediate): Value {
    if (row.kind !== 'pure' || row.result === undefined) throw new Error(`${row.name} in a subroutine`);
    args.forEach((arg, i) => {
      if (arg.type !== row.params[i]) throw new Error(`${row.name}: operand ${i} is a ${arg.type}`);
      this.push(arg);
    });
    this.writer.code.raw(row.code);
    if (immediate instanceof Uint8Array) this.writer.code.raw(immediate);
    return this.pop(row.result);
  }

  /** Calls another subroutine; its results. */
  call(sub: Subroutine, ...args: Value[]): Value[] {
    this.push(this.cpu);
    for (const arg of args) this.push(arg);
    this.writer.call(this.functionIndex(sub));
    return sub.results
      .map((type) => ({ type, local: this.writer.local(type) }))
      .reverse()
      .map(({ type, local }) => {
        this.writer.set(local);
        return { type, id: local };
      })
      .reverse();
  }

  /** Calls another subroutine that has one result. */
  call1(sub: Subroutine, ...args: Value[]): Value {
    return this.call(sub, ...args)[0] as Value;
  }

  variable(initial: Value): Variable {
    const local = this.writer.local(initial.type);
    this.push(initial);
    this.writer.set(local);
    return { type: initial.type, local };
  }

  /** The variable's value now: a copy, which later assignments do not change. */
  read(variable: Variable): Value {
    this.writer.get(variable.local);
    return this.pop(variable.type);
  }

  assign(variable: Variable, value: Value): void {
    this.push(value);
    this.writer.set(variable.local);
  }

  if(condition: Value, then: () => void, otherwise?: () => void): void {
    this.push(condition);
    this.writer.if();
    then();
    if (otherwise !== undefined) {
      this.writer.else();
      otherwise();
    }
    this.writer.end();
  }

  /** Repeats `body` while it says so: `body` returns the condition (i32) to go on. */
  loop(body: () => Value): void {
    const label = this.writer.loop();
    this.push(body());
    this.writer.brIf(label);
    this.writer.end();
  }

  /** A block that can be left early: `leave(label)` or `leaveIf(label, condition)` inside `body`. */
  block(body: (label: Label) => void): void {
    const label = this.writer.block();
    body(label);
    this.writer.end();
  }

  leave(label: Label): void {
    this.writer.br(label);
  }

  leaveIf(label: Label, condition: Value): void {
    this.push(condition);
    this.writer.brIf(label);
  }

  /** Leaves the subroutine at once. */
  return(...results: Value[]): void {
    for (const result of results) this.push(result);
    this.writer.return();
  }

  /** Leaves the subroutine at once when the condition holds. */
  returnIf(condition: Value, ...results: Value[]): void {
    this.if(condition, () => this.return(...results));
  }

  /** Reads the physical memory: `at` (i32) + offset. `b.raw('load32', b.cpu, SLOT.MXCSR)` reads a slot of the CPU struct. */
  raw(name: RawLoad, at: Value, offset = 0): Value {
    const [type, code] = RAW_LOAD[name];
    this.push(at);
    this.writer.memory(code, offset);
    return this.pop(type);
  }

  /** Writes the physical memory: `at` (i32) + offset. */
  rawStore(name: RawStore, at: Value, offset: number, value: Value): void {
    this.push(at);
    this.push(value);
    this.writer.memory(RAW_STORE[name], offset);
  }

  /** memory.copy within the physical memory (i32 each). */
  copy(to: Value, from: Value, length: Value): void {
    for (const value of [to, from, length]) this.push(value);
    this.writer.op(0xfc, 10, 0, 0);
  }

  /** memory.fill of the physical memory (i32 each). */
  fill(to: Value, byte: Value, length: Value): void {
    for (const value of [to, byte, length]) this.push(value);
    this.writer.op(0xfc, 11, 0);
  }

  f64(value: number): Value {
    return this.op('f64.reinterpret_i64', this.i64(new BigInt64Array(new Float64Array([value]).buffer)[0] as bigint));
  }
}

/** Writes a subroutine's function. */
export function buildSubroutine(
  sub: Subroutine,
  writer: FunctionWriter,
  functionIndex: (sub: Subroutine) => number,
): void {
  const b = new SubroutineBuilder(writer, functionIndex);
  const results = sub.build(b, ...sub.params.map((_, i) => b.param(i)));
  const list = results === undefined ? [] : 'type' in results ? [results] : results;
  if (list.length !== sub.results.length) throw new Error(`${sub.name} returns ${list.length} values`);
  for (const result of list) b.push(result);
}
