/**
 * The floating-point state of a thread as FXSAVE64 lays it out (SDM vol. 1, table 10-2): 512 bytes. The CPU struct holds the x87 registers by
 * physical number and TOP apart; the image holds them from the top of the stack.
 */
import { SLOT } from '../../register-set.js';
import type { CpuState } from '../cpu-state.js';

export const FXSAVE_BYTES = 512;
/** Bits of MXCSR that may be set, DAZ included. */
export const MXCSR_MASK = 0xffff;
export const INITIAL_FCW = 0x37f;
export const INITIAL_MXCSR = 0x1f80;

const OFFSET = {
  FCW: 0,
  FSW: 2,
  FTW: 4,
  FOP: 6,
  FIP: 8,
  FDP: 16,
  MXCSR: 24,
  MXCSR_MASK: 28,
  ST: 32,
  XMM: 160,
} as const;
const TOP_SHIFT = 11;
const TOP_BITS = 7 << TOP_SHIFT;

/** An even number of bytes of the CPU struct. Without a view of them: signal frames and trace frames have 26 such pieces each. */
function copy(to: DataView, at: number, { physical, base }: CpuState, slot: number, length: number): void {
  const from = physical.view;
  for (let i = 0; i < length; i += 2) to.setUint16(at + i, from.getUint16(base + slot + i, true), true);
}

/** Writes the image; bytes from 416 on (reserved, and left to software) stay as they are. */
export function fxsave(cpu: CpuState, image: DataView): void {
  saveX87(cpu, image);
  for (let i = 0; i < 16; i++) copy(image, OFFSET.XMM + 16 * i, cpu, SLOT.VECTOR + 32 * i, 16);
}

/** The part before the vector registers. */
export function saveX87(cpu: CpuState, image: DataView): void {
  const top = cpu.int(SLOT.FTOP) & 7;
  image.setUint16(OFFSET.FCW, cpu.int(SLOT.FCW), true);
  image.setUint16(OFFSET.FSW, (cpu.int(SLOT.FSW) & ~TOP_BITS) | (top << TOP_SHIFT), true);
  image.setUint16(OFFSET.FTW, cpu.int(SLOT.FTAG) & 0xff, true);
  image.setUint16(OFFSET.FOP, cpu.int(SLOT.FOP), true);
  copy(image, OFFSET.FIP, cpu, SLOT.FIP, 8);
  copy(image, OFFSET.FDP, cpu, SLOT.FDP, 8);
  image.setUint32(OFFSET.MXCSR, cpu.int(SLOT.MXCSR), true);
  image.setUint32(OFFSET.MXCSR_MASK, MXCSR_MASK, true);
  for (let i = 0; i < 8; i++) {
    copy(image, OFFSET.ST + 16 * i, cpu, SLOT.X87 + 16 * ((top + i) & 7), 10);
  }
}

/** Loads the image; false when MXCSR has reserved bits set (FXRSTOR would raise #GP), then nothing has changed. */
export function fxrstor(cpu: CpuState, image: DataView): boolean {
  const mxcsr = image.getUint32(OFFSET.MXCSR, true);
  if (mxcsr & ~MXCSR_MASK) return false;
  const bytes = (at: number, length: number): Uint8Array => new Uint8Array(image.buffer, image.byteOffset + at, length);
  const status = image.getUint16(OFFSET.FSW, true);
  const top = (status >> TOP_SHIFT) & 7;
  cpu.setInt(SLOT.FCW, image.getUint16(OFFSET.FCW, true));
  cpu.setInt(SLOT.FSW, status & ~TOP_BITS);
  cpu.setInt(SLOT.FTOP, top);
  cpu.setInt(SLOT.FTAG, image.getUint8(OFFSET.FTW));
  cpu.setInt(SLOT.FOP, image.getUint16(OFFSET.FOP, true) & 0x7ff);
  cpu.bytes(SLOT.FIP, 8).set(bytes(OFFSET.FIP, 8));
  cpu.bytes(SLOT.FDP, 8).set(bytes(OFFSET.FDP, 8));
  cpu.setInt(SLOT.MXCSR, mxcsr);
  for (let i = 0; i < 8; i++) {
    cpu.bytes(SLOT.X87 + 16 * ((top + i) & 7), 10).set(bytes(OFFSET.ST + 16 * i, 10));
  }
  for (let i = 0; i < 16; i++) cpu.bytes(SLOT.VECTOR + 32 * i, 16).set(bytes(OFFSET.XMM + 16 * i, 16));
  return true;
}

/** The state after FNINIT and a reset of MXCSR, vector registers zero: what exec and a signal handler start with. */
export function initFpu(cpu: CpuState): void {
  cpu.bytes(SLOT.VECTOR, 32 * 16).fill(0);
  cpu.bytes(SLOT.X87, 16 * 8).fill(0);
  for (const slot of [SLOT.FSW, SLOT.FTOP, SLOT.FTAG, SLOT.FOP]) cpu.setInt(slot, 0);
  cpu.setNum(SLOT.FIP, 0);
  cpu.setNum(SLOT.FDP, 0);
  cpu.setInt(SLOT.FCW, INITIAL_FCW);
  cpu.setInt(SLOT.MXCSR, INITIAL_MXCSR);
}

/** How floating-point state lies in a signal frame. */
export interface FrameState {
  readonly bytes: number;
  /** uc_flags has UC_FP_XSTATE. */
  readonly extended: boolean;
  save(cpu: CpuState, image: DataView): void;
  /** False when the image is not one that the kernel could have made; then nothing is promised about the registers. */
  restore(cpu: CpuState, image: DataView): boolean;
}

/** Without XSAVE: the FXSAVE image alone. */
export const FXSAVE_FRAME: FrameState = { bytes: FXSAVE_BYTES, extended: false, save: fxsave, restore: fxrstor };

/** struct _fpx_sw_bytes in the FXSAVE image's spare bytes, the XSAVE header, the upper halves of ymm, the closing magic (asm/sigcontext.h). */
const SW = { MAGIC1: 464, EXTENDED_SIZE: 468, FEATURES: 472, STATE_SIZE: 480 } as const;
const HEADER = 512;
const YMM_HIGH = 576;
const STATE_BYTES = 832;
const MAGIC1 = 0x4650_5853;
const MAGIC2 = 0x4650_5845;
const MAGIC2_BYTES = 4;
const FEATURES = { X87: 1, SSE: 2, AVX: 4 } as const;
const ALL_FEATURES = 7;

function highHalf(cpu: CpuState, i: number): Uint8Array {
  return cpu.bytes(SLOT.VECTOR + 32 * i + 16, 16);
}

function saveExtended(cpu: CpuState, image: DataView): void {
  fxsave(cpu, image);
  let used = FEATURES.X87 | FEATURES.SSE;
  for (let i = 0; i < 16; i++) {
    const half = highHalf(cpu, i);
    if (half.some((byte) => byte !== 0)) used |= FEATURES.AVX;
    copy(image, YMM_HIGH + 16 * i, cpu, SLOT.VECTOR + 32 * i + 16, 16);
  }
  image.setUint32(SW.MAGIC1, MAGIC1, true);
  image.setUint32(SW.EXTENDED_SIZE, STATE_BYTES + MAGIC2_BYTES, true);
  image.setUint32(SW.FEATURES, ALL_FEATURES, true);
  image.setUint32(SW.STATE_SIZE, STATE_BYTES, true);
  image.setUint32(HEADER, used, true);
  image.setUint32(STATE_BYTES, MAGIC2, true);
}

/** An image whose magic is gone counts as FXSAVE alone: what it does not hold is in its initial state (check_xstate_in_sigframe). */
function restoreExtended(cpu: CpuState, image: DataView): boolean {
  const whole = image.getUint32(SW.MAGIC1, true) === MAGIC1 && image.getUint32(STATE_BYTES, true) === MAGIC2;
  const used = whole ? image.getUint32(HEADER, true) : FEATURES.X87 | FEATURES.SSE;
  if (used & ~ALL_FEATURES || !fxrstor(cpu, image)) return false;
  for (let i = 0; i < 16; i++) {
    const half = highHalf(cpu, i);
    if (used & FEATURES.AVX) half.set(new Uint8Array(image.buffer, image.byteOffset + YMM_HIGH + 16 * i, 16));
    else half.fill(0);
  }
  return true;
}

/** With AVX: XSAVE's standard format. */
export const XSAVE_FRAME: FrameState = {
  bytes: STATE_BYTES + MAGIC2_BYTES,
  extended: true,
  save: saveExtended,
  restore: restoreExtended,
};
