/** iced-x86's registers as slots of the CPU struct. */
import { Register } from '../../iced-x86.js';
import { SLOT } from '../../register-set.js';

export interface RegisterSlot {
  /** Byte offset in the CPU struct; `ah` and its like are one byte above their register. */
  readonly slot: number;
  /** Bytes: 1, 2, 4, 8 general; 16, 32 vector; 8 MMX. */
  readonly size: number;
  readonly kind: 'general' | 'vector' | 'mmx' | 'segment' | 'ip';
  /** Hardware number. */
  readonly number: number;
}

const table: (RegisterSlot | undefined)[] = [];

function define(first: Register, count: number, make: (number: number) => RegisterSlot): void {
  for (let i = 0; i < count; i++) table[first + i] = make(i);
}

function general(number: number, size: number): RegisterSlot {
  return { slot: SLOT.GPR + 8 * number, size, kind: 'general', number };
}

// iced numbers AL CL DL BL AH CH DH BH SPL BPL SIL DIL R8L..R15L, then 16, 32 and 64 bits in hardware order.
define(Register.AL, 4, (n) => general(n, 1));
define(Register.AH, 4, (n) => ({ slot: SLOT.GPR + 8 * n + 1, size: 1, kind: 'general', number: n + 4 }));
define(Register.SPL, 12, (n) => general(n + 4, 1));
define(Register.AX, 16, (n) => general(n, 2));
define(Register.EAX, 16, (n) => general(n, 4));
define(Register.RAX, 16, (n) => general(n, 8));
define(Register.XMM0, 16, (n) => ({ slot: SLOT.VECTOR + 32 * n, size: 16, kind: 'vector', number: n }));
define(Register.YMM0, 16, (n) => ({ slot: SLOT.VECTOR + 32 * n, size: 32, kind: 'vector', number: n }));
// MMX registers are the significands of the physical x87 registers (SDM vol. 1, 9.2.1).
define(Register.MM0, 8, (n) => ({ slot: SLOT.X87 + 16 * n, size: 8, kind: 'mmx', number: n }));

const SEGMENT_ORDER = [Register.CS, Register.SS, Register.DS, Register.ES, Register.FS, Register.GS];
SEGMENT_ORDER.forEach((register, i) => {
  table[register] = { slot: SLOT.SEG + 4 * i, size: 4, kind: 'segment', number: i };
});

/** Where a register lives. Throws for one that the emulator does not have. */
export function registerSlot(register: Register): RegisterSlot {
  const found = table[register];
  if (found === undefined) throw new Error(`no slot for register ${Register[register]}`);
  return found;
}

/** True when the emulator has the register at all (zmm and opmask registers it has not). */
export function hasRegister(register: Register): boolean {
  return table[register] !== undefined;
}
