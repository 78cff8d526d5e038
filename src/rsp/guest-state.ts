/** The part of a target that can be read: registers of threads, memory of processes. Addresses are unsigned 64-bit. */
import type { RegisterRow } from '../register-set.js';
import type { Pid } from '../types.js';
import type { ThreadId } from './thread-id.js';

export interface GuestState {
  /** Rows of `g`, in order: a row's `number` is its index. */
  registers(pid: Pid): readonly RegisterRow[];
  /** Copies the value, little-endian, `bits / 8` bytes long. False: the value is not available. */
  readRegister(thread: ThreadId, row: RegisterRow, into: Uint8Array): boolean;
  /** All of `registers`, one after another; undefined: there is no such thread. The bytes are valid until the next call. */
  readRegisters(thread: ThreadId): Uint8Array | undefined;
  /** What the program itself would read, without breakpoint bytes. Returns how many bytes from the first on are readable. */
  readMemory(pid: Pid, address: bigint, into: Uint8Array): number;
}
