/**
 * What the kernel side uses of an address space: copies to and from guest memory with the guest's permissions. Every method says how many
 * bytes it managed, or undefined for EFAULT; none throws for a bad guest address. Watchpoints see these accesses too.
 */
import type { Vaddr } from '../../types.js';

export interface UserMemory {
  /** Copies from the guest; the bytes copied before the first unreadable one. */
  read(at: Vaddr | number, into: Uint8Array): number;
  /** Copies to the guest; the bytes copied before the first unwritable one. */
  write(at: Vaddr | number, from: Uint8Array): number;
  /** How many of the bytes from `at` on its mappings let it write, at most `length`; touches nothing. What is read and not to be lost asks first. */
  writable(at: Vaddr | number, length: number): number;
  /** All or nothing: fresh bytes, or undefined for EFAULT. */
  readBytes(at: Vaddr | number, length: number): Uint8Array | undefined;
  /** All or nothing: false for EFAULT, then nothing was written. */
  writeBytes(at: Vaddr | number, from: Uint8Array): boolean;
  readU32(at: Vaddr | number): number | undefined;
  writeU32(at: Vaddr | number, value: number): boolean;
  /** An unsigned 64-bit number; undefined for EFAULT. Exact below 2^53. */
  readU64(at: Vaddr | number): number | undefined;
  writeU64(at: Vaddr | number, value: number | bigint): boolean;
  /** Bytes up to the NUL (not included); undefined for EFAULT, 'too-long' when there is none within `limit` bytes. */
  readCString(at: Vaddr | number, limit: number): Uint8Array | undefined | 'too-long';
}
