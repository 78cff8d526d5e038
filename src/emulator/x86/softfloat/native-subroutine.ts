/** A subroutine with a native fast path in front, which compiled code may inline. */
import { SLOT } from '../../../register-set.js';
import type { OpBuilder, Value } from '../../ir/op-builder.js';
import { type Subroutine, type SubroutineBuilder, subroutine } from '../../ir/subroutine.js';
import { readMxcsr } from './mxcsr.js';
import type { NativeResult } from './native.js';

/**
 * Returns (result, trap): trap is not zero when the instruction must raise #XM before it writes anything. When `fast` holds, its result is the
 * subroutine's first one and the trap is zero.
 */
export interface NativeSubroutine extends Subroutine {
  /** Straight-line. `mxcsr`: i32, the value of its slot. */
  fast(b: OpBuilder, mxcsr: Value, ...args: Value[]): NativeResult;
}

/** Slot that `fast` wants to know. */
export const FAST_SLOT = SLOT.MXCSR;

export function nativeSubroutine(
  name: string,
  signature: string,
  fast: NativeSubroutine['fast'],
  slow: (b: SubroutineBuilder, ...args: Value[]) => readonly Value[],
): NativeSubroutine {
  const sub = subroutine(name, signature, (b, ...args) => {
    const { result, holds } = fast(b, readMxcsr(b), ...args);
    b.returnIf(holds, result, b.i32(0));
    return slow(b, ...args);
  });
  return { ...sub, fast };
}
