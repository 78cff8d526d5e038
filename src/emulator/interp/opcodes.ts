/**
 * Opcodes of the interpreter's code: the IR ops by their numbers, then the forms with an immediate, then records of the interpreter's own,
 * then one opcode for each subroutine.
 *
 *     record (16 bytes): u16 opcode, u16 result, u16 a, u16 b, 8 bytes immediate
 *
 * Result and operands are byte offsets in the CPU struct: registers and temporaries alike.
 */
import { OPS, type OpRow } from '../ir/ops.js';

export const RECORD_BYTES = 16;

const immediateForms = OPS.filter((op) => op.immediateForm);
const firstImmediate = OPS.length;
const firstOwn = firstImmediate + immediateForms.length;

/** Opcode of an op whose last operand is the record's immediate. */
export const IMMEDIATE_OPCODE: ReadonlyMap<OpRow, number> = new Map(
  immediateForms.map((op, i) => [op, firstImmediate + i]),
);

/** Records that no IR op stands for. */
export const OWN = {
  /** Start of a block: immediate = executions until the block is hot (i32, counted down in place). */
  ENTER: firstOwn,
  /** Start of an instruction: immediate = its ip, a = 0 or the lazy-flags kind on which its code counts, plus 1. One unit of fuel. */
  INSN: firstOwn + 1,
  /** End of a block: go on at the immediate. */
  END: firstOwn + 2,
  /** In front of an instruction with a hook: immediate = its ip, result = slot of the decider or 0, a and b = the hook's number. */
  HOOK: firstOwn + 3,
} as const;

export const FIRST_SUBROUTINE = firstOwn + 4;
