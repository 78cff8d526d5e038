/** A subroutine with a native fast path in front, which compiled code may inline. */
import { SLOT } from '../../../register-set.js';
import type { Value } from '../../ir/op-builder.js';
import { type Shortcut, type Subroutine, type SubroutineBuilder, subroutine } from '../../ir/subroutine.js';
import { readMxcsr } from './mxcsr.js';

/**
 * Returns (result, trap): trap is not zero when the instruction must raise #XM before it writes anything. The shortcut's `slotValue` is MXCSR; when
 * it holds, the trap is zero.
 */
export interface NativeSubroutine extends Subroutine {
  readonly shortcut: Shortcut;
}

export function nativeSubroutine(
  name: string,
  signature: string,
  fast: Shortcut['build'],
  slow: (b: SubroutineBuilder, ...args: Value[]) => readonly Value[],
): NativeSubroutine {
  const sub = subroutine(name, signature, (b, ...args) => {
    const { result, holds } = fast(b, readMxcsr(b), ...args);
    b.returnIf(holds, result, b.i32(0));
    return slow(b, ...args);
  });
  return { ...sub, shortcut: { slot: SLOT.MXCSR, build: fast } };
}
