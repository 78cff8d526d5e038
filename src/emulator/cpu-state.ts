/**
 * The CPU struct of one thread: one 4 KiB frame of the physical memory, shared by JavaScript, the interpreter and compiled code.
 * The register file is at SLOT.* (register-set.ts); behind it the execution state and the interpreter's temporaries.
 */
import { GPR, SLOT } from '../register-set.js';
import type { PhysicalMemory } from './memory/physical.js';

/** Byte offsets behind the register file. i32 unless said otherwise. */
export const STATE = {
  /** Physical addresses of the address space's read TLB, write TLB and jump cache. */
  TLB_READ: 904,
  TLB_WRITE: 908,
  JUMP_CACHE: 912,
  /** Instructions that may still retire in this run; never negative outside compiled code. */
  FUEL: 916,
  /** Why execution came back (EXIT in stop.ts), and its facts. */
  EXIT_KIND: 920,
  EXIT_INFO: 924,
  /** i64 */
  EXIT_ADDRESS: 928,
  /** i64: instructions retired in compiled code, for `--stats`. */
  RETIRED_COMPILED: 936,
  /** Fill of the access log, in entries. */
  ACCESS_COUNT: 944,
  /** Physical address of the interpreter's record of the instruction that could not complete, after an exit that refunds it; 0: unknown. */
  RESUME: 948,
  /** i32, not 0: something is unfinished with the thread, so that its hits are not for translated code to decide. */
  UNFINISHED: 952,
  /** i64: where a decider found nothing in the TLB; 0: it did not look in vain. */
  DECIDER_MISS: 960,
  /** Interpreter temporaries: 16 bytes each. */
  TEMPS: 1024,
  /** Scratch of IR subroutines. */
  SCRATCH: 3584,
  END: 4096,
} as const;

/** Number of interpreter temporaries. */
export const TEMP_COUNT = (STATE.SCRATCH - STATE.TEMPS) / 16;

/**
 * JavaScript's view of one CPU struct: plain accessors, no state of its own but the address.
 * 64-bit registers come as `number` where the caller wants an address or a size (`num`, exact below 2^53),
 * as signed 32 bits (`int`), or as `bigint` on cold paths.
 */
export class CpuState {
  constructor(
    readonly physical: PhysicalMemory,
    /** Physical address of the struct. */
    readonly base: number,
  ) {}

  /** Low 32 bits of a 64-bit slot, signed. */
  int(slot: number): number {
    return this.physical.i32[(this.base + slot) >>> 2] as number;
  }

  setInt(slot: number, value: number): void {
    this.physical.i32[(this.base + slot) >>> 2] = value;
  }

  /** A 64-bit slot as an unsigned number; exact below 2^53, and never below it when the true value is not. */
  num(slot: number): number {
    const { u32 } = this.physical;
    const at = (this.base + slot) >>> 2;
    return (u32[at + 1] as number) * 0x1_0000_0000 + (u32[at] as number);
  }

  /** A 64-bit slot as a signed number; exact when its magnitude is below 2^53. */
  signed(slot: number): number {
    const { u32, i32 } = this.physical;
    const at = (this.base + slot) >>> 2;
    return (i32[at + 1] as number) * 0x1_0000_0000 + (u32[at] as number);
  }

  /** Stores an integer of magnitude below 2^53, sign extended to 64 bits. */
  setNum(slot: number, value: number): void {
    const { i32 } = this.physical;
    const at = (this.base + slot) >>> 2;
    i32[at] = (value % 0x1_0000_0000) | 0;
    i32[at + 1] = Math.floor(value / 0x1_0000_0000) | 0;
  }

  big(slot: number): bigint {
    return this.physical.view.getBigUint64(this.base + slot, true);
  }

  setBig(slot: number, value: bigint): void {
    this.physical.view.setBigUint64(this.base + slot, BigInt.asUintN(64, value), true);
  }

  /** The bytes of a slot, borrowed. */
  bytes(slot: number, length: number): Uint8Array {
    return this.physical.u8.subarray(this.base + slot, this.base + slot + length);
  }

  /** Slot of a general register by hardware number. */
  static gpr(hardware: number): number {
    return SLOT.GPR + 8 * hardware;
  }

  get rip(): number {
    return this.num(SLOT.RIP);
  }

  set rip(value: number) {
    this.setNum(SLOT.RIP, value);
  }

  get rsp(): number {
    return this.num(SLOT.GPR + 8 * GPR.RSP);
  }

  set rsp(value: number) {
    this.setNum(SLOT.GPR + 8 * GPR.RSP, value);
  }
}
