/** Values in the making: what an IR value is as WebAssembly, before it is put on the stack. */
import type { FunctionWriter, WasmType } from '../wasm/function-writer.js';

export type Expression =
  | { readonly kind: 'const'; readonly type: WasmType; readonly value: bigint | Uint8Array }
  /** A local: a temporary, or one that holds a guest register and may change. */
  | { readonly kind: 'local'; readonly type: WasmType; readonly local: number }
  /** A pure instruction (with its immediates) applied to others. */
  | {
      readonly kind: 'op';
      readonly type: WasmType;
      readonly code: readonly number[];
      readonly args: readonly Expression[];
    };

export function constant(type: 'i32' | 'i64', value: bigint | number): Expression {
  return { kind: 'const', type, value: BigInt(value) };
}

export function local(type: WasmType, index: number): Expression {
  return { kind: 'local', type, local: index };
}

export function op(type: WasmType, code: readonly number[], ...args: readonly Expression[]): Expression {
  return { kind: 'op', type, code, args };
}

/** Puts the value on the stack. */
export function push(w: FunctionWriter, value: Expression): void {
  switch (value.kind) {
    case 'const':
      if (value.value instanceof Uint8Array) w.v128(value.value);
      else if (value.type === 'i32') w.i32(Number(BigInt.asIntN(32, value.value)));
      else w.i64(value.value);
      return;
    case 'local':
      return w.get(value.local);
    case 'op':
      for (const arg of value.args) push(w, arg);
      w.code.raw(value.code);
  }
}

export function dependsOn(value: Expression, index: number): boolean {
  if (value.kind === 'local') return value.local === index;
  return value.kind === 'op' && value.args.some((arg) => dependsOn(arg, index));
}

/** The same value with one local instead of another. */
export function replaceLocal(value: Expression, from: number, to: number): Expression {
  if (value.kind === 'local') return value.local === from ? { ...value, local: to } : value;
  if (value.kind === 'const' || !dependsOn(value, from)) return value;
  return { ...value, args: value.args.map((arg) => replaceLocal(arg, from, to)) };
}

export function localsOf(value: Expression, into: Set<number>): void {
  if (value.kind === 'local') into.add(value.local);
  else if (value.kind === 'op') for (const arg of value.args) localsOf(arg, into);
}

/** i64 of an i32 or i64, zero-extended. */
export function wide(value: Expression): Expression {
  if (value.type === 'i64') return value;
  if (value.kind === 'const') return constant('i64', BigInt.asUintN(32, value.value as bigint));
  return op('i64', [0xad], value);
}

/** i32 of an i32 or i64, the low half. */
export function narrow(value: Expression): Expression {
  if (value.type === 'i32') return value;
  if (value.kind === 'const') return constant('i32', BigInt.asUintN(32, value.value as bigint));
  return op('i32', [0xa7], value);
}
