/** The x87's control and status words (SDM vol. 1, 8.1.3 to 8.1.5), its exceptions and how they are noted. */
import { SLOT } from '../../../register-set.js';
import type { OpBuilder, Value } from '../../ir/op-builder.js';
import { type SubroutineBuilder, subroutine } from '../../ir/subroutine.js';
import { ALL_EXCEPTIONS, EXCEPTION, MXCSR } from '../softfloat/mxcsr.js';

/** Bits of the status word beside the exception flags (EXCEPTION). */
export const STATUS = {
  STACK_FAULT: 1 << 6,
  /** ES: an unmasked exception is pending; the next waiting instruction raises #MF. */
  SUMMARY: 1 << 7,
  C0: 1 << 8,
  C1: 1 << 9,
  C2: 1 << 10,
  C3: 1 << 14,
  BUSY: 1 << 15,
} as const;

export const CONDITION_CODES = STATUS.C0 | STATUS.C1 | STATUS.C2 | STATUS.C3;
export const PENDING = STATUS.SUMMARY | STATUS.BUSY;

/** A stack fault: underflow clears C1, overflow sets it. */
export const STACK_UNDERFLOW = EXCEPTION.INVALID | STATUS.STACK_FAULT;
export const STACK_OVERFLOW = STACK_UNDERFLOW | STATUS.C1;

/** Exceptions that are found before computing: unmasked, they leave the operands alone. */
export const EARLY = EXCEPTION.INVALID | EXCEPTION.DENORMAL | EXCEPTION.ZERO_DIVIDE;

/** Values of the precision-control field. */
export const PRECISION = { SINGLE: 0, DOUBLE: 2 } as const;

/** Where `mode` has what MXCSR has not. */
const MODE = { PRECISION: 3, SIGN_SHIFT: 2 } as const;

export function readStatus(b: SubroutineBuilder): Value {
  return b.raw('load32', b.cpu, SLOT.FSW);
}

export function readControl(b: SubroutineBuilder): Value {
  return b.raw('load32', b.cpu, SLOT.FCW);
}

/** The control word laid out like MXCSR (masks, rounding) with precision control in the two low bits: what `pack` functions take. */
export function modeOf(b: OpBuilder, control: Value): Value {
  const masks = b.shl(b.and(control, b.i32(ALL_EXCEPTIONS)), b.i32(MXCSR.MASK_SHIFT));
  const rounding = b.shl(b.and(control, b.i32(0xc00)), b.i32(MXCSR.ROUNDING_SHIFT - 10));
  return b.or(b.or(masks, rounding), b.and(b.shrU(control, b.i32(8)), b.i32(MODE.PRECISION)));
}

export function readMode(b: SubroutineBuilder): Value {
  return modeOf(b, readControl(b));
}

export function precisionOf(b: OpBuilder, mode: Value): Value {
  return b.and(mode, b.i32(MODE.PRECISION));
}

/** A mode that always keeps 64 bits, whatever precision control says. */
export function fullPrecision(b: OpBuilder, mode: Value): Value {
  return b.or(mode, b.i32(MODE.PRECISION));
}

/** A mode with the sign of a result in it. */
export function modeWithSign(b: OpBuilder, mode: Value, sign: Value): Value {
  return b.or(mode, b.shl(sign, b.i32(MODE.SIGN_SHIFT)));
}

export function signOfMode(b: OpBuilder, mode: Value): Value {
  return b.and(b.shrU(mode, b.i32(MODE.SIGN_SHIFT)), b.i32(1));
}

/** Exceptions among the flags that the control word does not mask. */
export function unmaskedOf(b: SubroutineBuilder, flags: Value): Value {
  return b.and(b.and(flags, b.not(readControl(b))), b.i32(ALL_EXCEPTIONS));
}

/**
 * Notes what an instruction found: (flags) → the unmasked exceptions among them. Exceptions and the stack fault stick, C1 becomes what the
 * flags say, an unmasked exception becomes pending.
 */
export const note = subroutine('x87.note', 'i>i', (b, flags) => {
  const unmasked = unmaskedOf(b, flags as Value);
  // What was found while computing is void when an operand stops the instruction; a stack fault keeps its C1.
  const early = b.and(unmasked, b.i32(EARLY));
  const stackFault = b.and(flags as Value, b.i32(STATUS.STACK_FAULT));
  const all = ALL_EXCEPTIONS | STATUS.STACK_FAULT | STATUS.C1;
  const kept = b.select(b.and(b.eqz(stackFault), b.ne(early, b.i32(0))), b.i32(EARLY), b.i32(all));
  const seen = b.and(flags as Value, kept);
  const pending = b.select(unmasked, b.i32(PENDING), b.i32(0));
  const status = b.and(readStatus(b), b.i32(~STATUS.C1));
  b.rawStore('store32', b.cpu, SLOT.FSW, b.or(b.or(status, seen), pending));
  return unmasked;
});
