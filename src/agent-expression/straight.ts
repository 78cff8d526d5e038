/** Which programs can be code that decides in place: they only look, and run forward to their end. */
import type { OpName } from './opcodes.js';
import type { AgentProgram } from './program.js';

/** What prints, records or changes a variable is the evaluator's. */
const EFFECTS: ReadonlySet<OpName> = new Set([
  'trace',
  'trace_quick',
  'trace16',
  'tracenz',
  'tracev',
  'getv',
  'setv',
  'printf',
]);

/** It has no effects, no loops, and leaves a value whichever way it takes. */
export function isStraight({ code }: AgentProgram): boolean {
  return code.every(({ op: { name }, operand, height }, index) => {
    if (name === 'goto' || name === 'if_goto') return operand > index;
    return !EFFECTS.has(name) && (name !== 'end' || height > 0);
  });
}
