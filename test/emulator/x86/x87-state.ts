/** The x87 stack of a module of subroutines, as tests set it up and look at it. */
import { push } from '../../../src/emulator/x86/x87/stack.js';
import { SLOT } from '../../../src/register-set.js';
import type { SubroutineModule } from './subroutine-module.js';

export interface Extended {
  readonly significand: bigint;
  readonly signExponent: number;
}

export const BIAS = 16383;
export const CONTROL = 0x37f;

export class X87State {
  constructor(private readonly module: SubroutineModule) {}

  /** Empties the stack, pushes the numbers, the first one last, and clears the status word. */
  setUp(control: number, ...stack: Extended[]): void {
    const { cpu } = this.module;
    cpu.setInt32(SLOT.FCW, control, true);
    for (const slot of [SLOT.FSW, SLOT.FTOP, SLOT.FTAG]) cpu.setInt32(slot, 0, true);
    for (const { significand, signExponent } of [...stack].reverse()) {
      this.module.fn(push)(BigInt.asIntN(64, significand), signExponent, 0);
    }
    cpu.setInt32(SLOT.FSW, 0, true);
  }

  st(index: number): Extended {
    const { cpu } = this.module;
    const at = SLOT.X87 + 16 * ((cpu.getInt32(SLOT.FTOP, true) + index) & 7);
    return { significand: cpu.getBigUint64(at, true), signExponent: cpu.getUint16(at + 8, true) };
  }

  /** The status word without TOP. */
  get status(): number {
    return this.module.cpu.getInt32(SLOT.FSW, true);
  }
}

/** A double as an 80-bit number. */
export function extend(value: number): Extended {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const sign = Number(bits >> 63n) << 15;
  const field = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & ((1n << 52n) - 1n);
  if (field === 0x7ff) return { significand: (1n << 63n) | (fraction << 11n), signExponent: sign | 0x7fff };
  if (field === 0 && fraction === 0n) return { significand: 0n, signExponent: sign };
  const zeros = field === 0 ? 53 - fraction.toString(2).length : 0;
  const significand = ((field === 0 ? 0n : 1n << 52n) | fraction) << BigInt(11 + zeros);
  return { significand, signExponent: sign | (Math.max(field, 1) - 1023 + BIAS - zeros) };
}
