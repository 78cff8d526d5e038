/**
 * Code that the interpreter can run: a basic block, found by address and bytes, shared by all address spaces where these bytes are fetched there. Its IR
 * is not kept: the few blocks that turn hot are lifted once more.
 */
import type { PlacedHook } from '../ir/ir.js';
import type { SpaceCode } from './space-code.js';

export interface Block {
  readonly ip: number;
  /** Address behind the last instruction. */
  readonly end: number;
  /** What was lifted, `ip` to `end`. */
  readonly bytes: Uint8Array;
  readonly hooks: readonly PlacedHook[];
  /** Lifted with a limit of one instruction, for steps. */
  readonly single: boolean;
  /** Physical address of its code: what the jump cache knows. */
  readonly code: number;
  /** Where its first instruction begins: behind the record that counts executions, if it has one. */
  readonly start: number;
  /** Behind its last record. */
  readonly codeEnd: number;
  /** The address spaces that have it in their tables. */
  readonly users: Set<SpaceCode>;
}
