/**
 * One WebAssembly function in the making: its locals and its code. Instructions are written in order; block structure is counted so that
 * a label can be branched to by the depth at which it was opened.
 */
import { ByteWriter } from './byte-writer.js';

export type WasmType = 'i32' | 'i64' | 'f32' | 'f64' | 'v128';

export const TYPE_CODE: Readonly<Record<WasmType, number>> = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b };

/** Depth of the block structure at which a label was opened. */
export type Label = number & { readonly __label: true };

/** Of a function index that is put in later. */
export const CALL_INDEX_BYTES = 5;

/** Unsigned LEB128 of a value below 2^32 in as many bytes as the largest needs. */
export function ulebOfFixedSize(value: number): number[] {
  return Array.from({ length: CALL_INDEX_BYTES }, (_, i) => {
    const last = i === CALL_INDEX_BYTES - 1;
    return ((value >>> (7 * i)) & 0x7f) | (last ? 0 : 0x80);
  });
}

/** What a module needs of a function. */
export interface WasmFunction {
  readonly params: readonly WasmType[];
  readonly results: readonly WasmType[];
  /** Writes the code-section entry. */
  encode(out: ByteWriter): void;
}

export class FunctionWriter implements WasmFunction {
  readonly code = new ByteWriter();
  private readonly locals: WasmType[] = [];
  private depth = 0;

  constructor(
    readonly params: readonly WasmType[],
    readonly results: readonly WasmType[],
  ) {}

  /** Index of a new local. */
  local(type: WasmType): number {
    this.locals.push(type);
    return this.params.length + this.locals.length - 1;
  }

  op(...bytes: number[]): void {
    for (const byte of bytes) this.code.u8(byte);
  }

  get(local: number): void {
    this.code.u8(0x20);
    this.code.uleb(local);
  }

  set(local: number): void {
    this.code.u8(0x21);
    this.code.uleb(local);
  }

  tee(local: number): void {
    this.code.u8(0x22);
    this.code.uleb(local);
  }

  i32(value: number): void {
    this.code.u8(0x41);
    this.code.sleb32(value);
  }

  i64(value: bigint | number): void {
    this.code.u8(0x42);
    this.code.sleb64(BigInt(value));
  }

  v128(bytes: Uint8Array): void {
    this.op(0xfd, 0x0c);
    this.code.raw(bytes);
  }

  /** A load or store: opcode bytes, then alignment 0 and the offset. */
  memory(opcode: readonly number[], offset: number): void {
    this.code.raw(opcode);
    this.code.u8(0);
    this.code.uleb(offset);
  }

  call(index: number): void {
    this.code.u8(0x10);
    this.code.uleb(index);
  }

  /** A call whose function index is put in later, at the position in the code that comes back: CALL_INDEX_BYTES bytes. */
  callLater(): number {
    this.code.u8(0x10);
    this.code.raw(ulebOfFixedSize(0));
    return this.code.length - CALL_INDEX_BYTES;
  }

  /** Calls the function at the table index on top of the stack; `type`, `table`: indices in the module. */
  callIndirect(type: number, table: number): void {
    this.code.u8(0x11);
    this.code.uleb(type);
    this.code.uleb(table);
  }

  block(): Label {
    this.op(0x02, 0x40);
    return ++this.depth as Label;
  }

  loop(): Label {
    this.op(0x03, 0x40);
    return ++this.depth as Label;
  }

  /** `if` without a result; takes an i32 off the stack. */
  if(): Label {
    this.op(0x04, 0x40);
    return ++this.depth as Label;
  }

  else(): void {
    this.op(0x05);
  }

  end(): void {
    this.op(0x0b);
    this.depth--;
  }

  br(label: Label): void {
    this.code.u8(0x0c);
    this.code.uleb(this.depth - label);
  }

  brIf(label: Label): void {
    this.code.u8(0x0d);
    this.code.uleb(this.depth - label);
  }

  brTable(labels: readonly Label[], otherwise: Label): void {
    this.code.u8(0x0e);
    this.code.uleb(labels.length);
    for (const label of labels) this.code.uleb(this.depth - label);
    this.code.uleb(this.depth - otherwise);
  }

  return(): void {
    this.op(0x0f);
  }

  unreachable(): void {
    this.op(0x00);
  }

  /** The code-section entry: its size and the body. */
  encode(out: ByteWriter): void {
    const { bytes } = this.body();
    out.uleb(bytes.length);
    out.raw(bytes);
  }

  /** Locals in runs of one type, code (at `codeAt`), `end`. Borrowed. */
  body(): { readonly bytes: Uint8Array; readonly codeAt: number } {
    const body = new ByteWriter();
    const runs: { type: WasmType; count: number }[] = [];
    for (const type of this.locals) {
      const last = runs.at(-1);
      if (last?.type === type) last.count++;
      else runs.push({ type, count: 1 });
    }
    body.uleb(runs.length);
    for (const { type, count } of runs) {
      body.uleb(count);
      body.u8(TYPE_CODE[type]);
    }
    const codeAt = body.length;
    body.append(this.code);
    body.u8(0x0b);
    return { bytes: body.view(), codeAt };
  }
}
