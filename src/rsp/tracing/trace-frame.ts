/**
 * Trace frames: what one hit recorded, as blocks in the form of gdb's trace files (gdb manual, "Trace File Format"): `R` and all registers, `M`
 * u64 address u16 length bytes, `V` u32 number u64 value; everything little-endian.
 */
import type { RegisterRow } from '../../register-set.js';
import type { Pid } from '../../types.js';
import type { GuestState } from '../guest-state.js';
import type { ThreadId } from '../thread-id.js';

export interface TraceFrame {
  readonly tracepoint: number;
  /** Of the tracepoint. */
  readonly address: bigint;
  readonly blocks: Uint8Array;
}

const R = 0x52;
const M = 0x4d;
const V = 0x56;
const M_HEAD = 11;
const V_SIZE = 13;
/** Bytes of one `M` block at most. */
const MAX_BLOCK = 0xffff;

/** What blocks are cut from: with memory of its own for each, a hit costs a fifth more. */
const SLAB = 1 << 18;
let slab = new ArrayBuffer(0);
let slabUsed = 0;

function cut(length: number): Uint8Array {
  if (slabUsed + length > slab.byteLength) {
    slab = new ArrayBuffer(Math.max(SLAB, length));
    slabUsed = 0;
  }
  const block = new Uint8Array(slab, slabUsed, length);
  slabUsed += length;
  return block;
}

/** Gathers the blocks of a frame. */
export class FrameBuilder {
  private readonly blocks: Uint8Array[] = [];
  /** One block each: an expression may record a variable before and after it has changed it, and the last value counts. */
  private variables: Map<number, Buffer> | undefined;
  private hasRegisters = false;
  private size = 0;

  /** `limit`: bytes of blocks at most. */
  constructor(
    private readonly target: GuestState,
    private readonly thread: ThreadId,
    private readonly limit: number,
  ) {}

  /** Something did not fit; what did is there. */
  get full(): boolean {
    return this.size > this.limit;
  }

  registers(): void {
    if (this.hasRegisters) return;
    this.hasRegisters = true;
    const values = this.target.readRegisters(this.thread);
    if (values === undefined) return;
    const block = cut(1 + values.length);
    block[0] = R;
    block.set(values, 1);
    this.push(block);
  }

  /** What of it can be read. */
  memory(address: bigint, length: number): void {
    for (let done = 0; done < length && !this.full; done += MAX_BLOCK) {
      const wanted = Math.min(MAX_BLOCK, length - done);
      const at = BigInt.asUintN(64, address + BigInt(done));
      const block = Buffer.alloc(M_HEAD + wanted);
      const got = this.target.readMemory(this.thread.pid, at, block.subarray(M_HEAD));
      if (got === 0) return;
      block[0] = M;
      block.writeBigUInt64LE(at, 1);
      block.writeUInt16LE(got, 9);
      this.push(block.subarray(0, M_HEAD + got));
      if (got < wanted) return;
    }
  }

  variable(number: number, value: bigint): void {
    this.variables ??= new Map();
    const known = this.variables.get(number);
    if (known !== undefined) return void known.writeBigUInt64LE(value, 5);
    const block = Buffer.alloc(V_SIZE);
    this.variables.set(number, block);
    block[0] = V;
    block.writeUInt32LE(number, 1);
    block.writeBigUInt64LE(value, 5);
    this.push(block);
  }

  private push(block: Uint8Array): void {
    this.size += block.length;
    if (!this.full) this.blocks.push(block);
  }

  finish(tracepoint: number, address: bigint): TraceFrame {
    const [first] = this.blocks;
    const blocks = this.blocks.length === 1 && first !== undefined ? first : Buffer.concat(this.blocks);
    return { tracepoint, address, blocks };
  }
}

function registersSize(rows: readonly RegisterRow[]): number {
  return rows.reduce((size, { bits }) => size + bits / 8, 0);
}

/** The frame's part of a trace file: u16 tracepoint, u32 size, blocks. */
export function encodeFrame({ tracepoint, blocks }: TraceFrame): Uint8Array {
  const head = Buffer.alloc(FRAME_HEAD);
  head.writeUInt16LE(tracepoint & 0xffff, 0);
  head.writeUInt32LE(blocks.length, 2);
  return Buffer.concat([head, blocks]);
}

export const FRAME_HEAD = 6;

interface MemoryBlock {
  readonly address: bigint;
  readonly bytes: Buffer;
}

interface Blocks {
  readonly registers: Buffer | undefined;
  readonly memory: readonly MemoryBlock[];
  readonly variables: ReadonlyMap<number, bigint>;
}

function parseBlocks(frame: TraceFrame, rows: readonly RegisterRow[]): Blocks {
  const bytes = Buffer.from(frame.blocks.buffer, frame.blocks.byteOffset, frame.blocks.byteLength);
  const memory: MemoryBlock[] = [];
  const variables = new Map<number, bigint>();
  let registers: Buffer | undefined;
  for (let at = 0; at < bytes.length; ) {
    if (bytes[at] === R) {
      registers = bytes.subarray(at + 1, at + 1 + registersSize(rows));
      at += 1 + registers.length;
    } else if (bytes[at] === M) {
      const end = at + M_HEAD + bytes.readUInt16LE(at + 9);
      memory.push({ address: bytes.readBigUInt64LE(at + 1), bytes: bytes.subarray(at + M_HEAD, end) });
      at = end;
    } else {
      variables.set(bytes.readUInt32LE(at + 1), bytes.readBigUInt64LE(at + 5));
      at += V_SIZE;
    }
  }
  return { registers, memory, variables };
}

/** Addresses that are the same in every frame: read-only sections that gdb has named with `QTro`. */
export interface AddressRange {
  readonly start: bigint;
  /** Not part of it. */
  readonly end: bigint;
}

/** What `g`, `p` and `m` show while a client looks at a frame. */
export class FrameView {
  private readonly blocks: Blocks;

  constructor(
    private readonly frame: TraceFrame,
    private readonly target: GuestState,
    private readonly rows: readonly RegisterRow[],
    private readonly constant: readonly AddressRange[],
  ) {
    this.blocks = parseBlocks(frame, rows);
  }

  /** Without registers the pc is known all the same. */
  readRegister(_thread: ThreadId, row: RegisterRow, into: Uint8Array): boolean {
    const { registers } = this.blocks;
    if (registers !== undefined) {
      const at = registersSize(this.rows.slice(0, row.number));
      into.set(registers.subarray(at, at + row.bits / 8));
      return true;
    }
    if (row.name !== 'rip') return false;
    Buffer.from(into.buffer, into.byteOffset, 8).writeBigUInt64LE(this.frame.address);
    return true;
  }

  readMemory(pid: Pid, address: bigint, into: Uint8Array): number {
    let done = 0;
    while (done < into.length) {
      const got = this.readPart(pid, BigInt.asUintN(64, address + BigInt(done)), into.subarray(done));
      if (got === 0) break;
      done += got;
    }
    return done;
  }

  private readPart(pid: Pid, address: bigint, into: Uint8Array): number {
    const block = this.blocks.memory.find(({ address: start, bytes }) => {
      return address >= start && address < start + BigInt(bytes.length);
    });
    if (block !== undefined) {
      const piece = block.bytes.subarray(Number(address - block.address)).subarray(0, into.length);
      into.set(piece);
      return piece.length;
    }
    const range = this.constant.find(({ start, end }) => address >= start && address < end);
    if (range === undefined) return 0;
    const room = range.end - address;
    return this.target.readMemory(pid, address, room < BigInt(into.length) ? into.subarray(0, Number(room)) : into);
  }

  variable(number: number): bigint | undefined {
    return this.blocks.variables.get(number);
  }

  /** What `qXfer:traceframe-info` tells. */
  info(): string {
    const memory = this.blocks.memory.map(({ address, bytes }) => {
      return `<memory start="0x${address.toString(16)}" length="0x${bytes.length.toString(16)}"/>\n`;
    });
    const variables = [...this.blocks.variables.keys()].map((number) => `<tvar id="0x${number.toString(16)}"/>\n`);
    const head = '<?xml version="1.0"?>\n<!DOCTYPE traceframe-info SYSTEM "traceframe-info.dtd">\n';
    return `${head}<traceframe-info>\n${memory.join('')}${variables.join('')}</traceframe-info>\n`;
  }
}

/** The pc that a frame was recorded at: a while-stepping frame's own if it has registers. */
export function framePc(frame: TraceFrame, rows: readonly RegisterRow[]): bigint {
  const { registers } = parseBlocks(frame, rows);
  const rip = rows.find(({ name }) => name === 'rip');
  if (registers === undefined || rip === undefined) return frame.address;
  return registers.readBigUInt64LE(registersSize(rows.slice(0, rip.number)));
}
