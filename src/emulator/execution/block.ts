/** Code that the interpreter can run: a basic block, found by address and bytes, shared by all address spaces where these bytes are fetched there. */
import type { SpaceCode } from './space-code.js';

export interface Block {
  readonly ip: number;
  /** Address behind the last instruction. */
  readonly end: number;
  /** What was lifted, `ip` to `end`. */
  readonly bytes: Uint8Array;
  /** Lifted with a limit of one instruction, for steps. */
  readonly single: boolean;
  /** Physical address of its first record. */
  readonly code: number;
  /** The address spaces that have it in their tables. */
  readonly users: Set<SpaceCode>;
}
