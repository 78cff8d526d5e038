/**
 * Guest registers in WebAssembly locals: which slots of the CPU struct a region keeps there, loaded at its entry, stored at its exits. A local holds
 * a whole register; narrower reads and writes are cut out of it.
 */
import { SLOT } from '../../register-set.js';
import type { IrOp } from '../ir/ir.js';
import type { FunctionWriter, WasmType } from '../wasm/function-writer.js';
import { constant, type Expression, local, narrow, op, push, wide } from './expression.js';
import type { RegionPlan } from './regions.js';

export interface CachedRegister {
  readonly slot: number;
  readonly type: WasmType;
  readonly local: number;
  written: boolean;
}

const LOAD: Readonly<Partial<Record<WasmType, readonly number[]>>> = { i32: [0x28], i64: [0x29], v128: [0xfd, 0x00] };
const STORE: Readonly<Partial<Record<WasmType, readonly number[]>>> = { i32: [0x36], i64: [0x37], v128: [0xfd, 0x0b] };

/** The register that holds a slot, if it is one that regions keep in locals. */
function registerOf(slot: number): { slot: number; type: WasmType } | undefined {
  if (slot < SLOT.RIP) return { slot: slot & ~7, type: 'i64' };
  if (slot >= SLOT.VECTOR && slot < SLOT.X87) return { slot: slot & ~15, type: 'v128' };
  if (slot >= SLOT.FS_BASE && slot < SLOT.CC_KIND) return { slot: slot & ~7, type: 'i64' };
  if (slot >= SLOT.CC_A && slot < SLOT.FLAGS_REST) return { slot: slot & ~7, type: 'i64' };
  return slot === SLOT.CC_KIND ? { slot, type: 'i32' } : undefined;
}

const FLAG_SLOTS = [SLOT.CC_KIND, SLOT.CC_A, SLOT.CC_B, SLOT.CC_R] as const;

export function isFlagsOp({ row }: IrOp): boolean {
  return row.name === 'flags32' || row.name === 'flags64';
}

export class RegisterFile {
  private readonly registers = new Map<number, CachedRegister>();

  constructor(
    private readonly w: FunctionWriter,
    plan: RegionPlan,
  ) {
    for (const { ir } of plan.blocks.values()) {
      for (const insn of ir.insns) for (const one of insn.ops) this.note(one);
    }
  }

  private note(one: IrOp): void {
    if (isFlagsOp(one)) for (const slot of FLAG_SLOTS) this.allocate(slot).written = true;
    if (one.row.kind !== 'get' && one.row.kind !== 'set') return;
    const slot = Number(one.immediate);
    if (registerOf(slot) === undefined) return;
    const register = this.allocate(slot);
    if (one.row.kind === 'set') register.written = true;
  }

  private allocate(slot: number): CachedRegister {
    const { slot: base, type } = registerOf(slot) as { slot: number; type: WasmType };
    const known = this.registers.get(base);
    if (known !== undefined) return known;
    const made = { slot: base, type, local: this.w.local(type), written: false };
    this.registers.set(base, made);
    return made;
  }

  /** Stores one slot of 64 bits, if the region may have changed it. */
  storeSlot(slot: number, cpu: number): void {
    const register = this.at(slot);
    if (register?.written) this.store(register, cpu);
  }

  private store({ slot, type, local: index }: CachedRegister, cpu: number): void {
    this.w.get(cpu);
    this.w.get(index);
    this.w.memory(STORE[type] as readonly number[], slot);
  }

  /** The register with this slot; undefined for slots that stay in memory. */
  at(slot: number): CachedRegister | undefined {
    const register = registerOf(slot);
    return register === undefined ? undefined : this.registers.get(register.slot);
  }

  need(slot: number): CachedRegister {
    const found = this.at(slot);
    if (found === undefined) throw new Error(`slot ${slot} is in no local`);
    return found;
  }

  loadAll(cpu: number): void {
    for (const { slot, type, local: index } of this.registers.values()) {
      this.w.get(cpu);
      this.w.memory(LOAD[type] as readonly number[], slot);
      this.w.set(index);
    }
  }

  storeWritten(cpu: number): void {
    for (const register of this.registers.values()) if (register.written) this.store(register, cpu);
  }
}

/** `size` bytes at `slot` of a register, as `get` reads them: up to 4 bytes an i32 with zeros. */
export function readPart(register: CachedRegister, slot: number, size: number): Expression {
  const whole = local(register.type, register.local);
  const offset = slot - register.slot;
  if (register.type === 'v128') return readLane(whole, offset, size);
  if (register.type === 'i32' || size === 8) return whole;
  const shifted = offset === 0 ? whole : op('i64', [0x88], whole, constant('i64', 8 * offset));
  if (size === 4) return narrow(shifted);
  return op('i32', [0x71], narrow(shifted), constant('i32', size === 1 ? 0xff : 0xffff));
}

/** Lane instructions: extract (unsigned) and replace, by size. */
const LANES: Readonly<Record<number, readonly [type: WasmType, extract: number, replace: number]>> = {
  1: ['i32', 0x16, 0x17],
  2: ['i32', 0x19, 0x1a],
  4: ['i32', 0x1b, 0x1c],
  8: ['i64', 0x1d, 0x1e],
};

const FLOAT_REPLACE: Readonly<Partial<Record<WasmType, number>>> = { f32: 0x20, f64: 0x22 };

function readLane(whole: Expression, offset: number, size: number): Expression {
  if (size === 16) return whole;
  const lane = LANES[size];
  if (lane === undefined || offset % size !== 0) throw new Error(`no lane of ${size} bytes at ${offset}`);
  return op(lane[0], [0xfd, lane[1], offset / size], whole);
}

/** Puts the register's new value on the stack after `size` bytes at `slot` were replaced by a value. */
export function pushMerged(
  w: FunctionWriter,
  register: CachedRegister,
  slot: number,
  size: number,
  value: Expression,
): void {
  const whole = local(register.type, register.local);
  const offset = slot - register.slot;
  if (register.type === 'v128') return pushLane(w, whole, offset, size, value);
  if (register.type === 'i32' || size === 8) return push(w, value);
  const mask = ((1n << BigInt(8 * size)) - 1n) << BigInt(8 * offset);
  const kept = op('i64', [0x83], whole, constant('i64', BigInt.asIntN(64, ~mask)));
  const moved = offset === 0 ? wide(value) : op('i64', [0x86], wide(value), constant('i64', 8 * offset));
  const cut = size === 4 && offset === 0 ? moved : op('i64', [0x83], moved, constant('i64', BigInt.asIntN(64, mask)));
  push(w, op('i64', [0x84], kept, cut));
}

function pushLane(w: FunctionWriter, whole: Expression, offset: number, size: number, value: Expression): void {
  if (size === 16) return push(w, value);
  const lane = LANES[size];
  if (lane === undefined || offset % size !== 0) throw new Error(`no lane of ${size} bytes at ${offset}`);
  const replace = FLOAT_REPLACE[value.type] ?? lane[2];
  push(w, op('v128', [0xfd, replace, offset / size], whole, value));
}
