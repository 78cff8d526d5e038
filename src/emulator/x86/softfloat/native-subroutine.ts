/** A subroutine with a native fast path in front, which compiled code may inline. */
import { SLOT } from '../../../register-set.js';
import type { Value } from '../../ir/op-builder.js';
import { type Shortcut, type Subroutine, type SubroutineBuilder, subroutine } from '../../ir/subroutine.js';
import { nativeState, readMxcsr } from './mxcsr.js';

/** Returns (result, trap): trap is not zero when the instruction must raise #XM before it writes anything. When the shortcut holds, it is zero. */
export type NativeSubroutine = Subroutine;

/**
 * `fast` is given the state of MXCSR (`nativeState`). `inline`, if given, stands for it in compiled code: shorter, and content with fewer operands, since
 * `fast` is tried before `slow` all the same; `call` says that nothing is worth inlining.
 */
export function nativeSubroutine(
  name: string,
  signature: string,
  fast: Shortcut['build'],
  slow: (b: SubroutineBuilder, ...args: Value[]) => readonly Value[],
  inline: Shortcut['build'] | 'call' = fast,
): NativeSubroutine {
  const sub = subroutine(name, signature, (b, ...args) => {
    const { result, holds } = fast(b, nativeState(b, readMxcsr(b)), ...args);
    b.returnIf(holds, result, b.i32(0));
    return slow(b, ...args);
  });
  if (inline === 'call') return sub;
  return { ...sub, shortcut: { slot: SLOT.MXCSR, prepare: nativeState, build: inline } };
}
