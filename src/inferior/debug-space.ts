/** What the debugger needs of an address space beside what the program itself has (memory/address-space.ts has it). */
import type { Process, ProcessSpace } from '../emulator/process.js';
import { TASK_SIZE } from '../types.js';

/** A watched range, `to` excluded. */
export interface WatchRange {
  readonly from: number;
  readonly to: number;
  readonly read: boolean;
  readonly write: boolean;
}

export interface DebugSpace extends ProcessSpace {
  /** Reads whatever the protection, without our breakpoints and without watchpoints seeing it. The bytes before the first one that is not mapped. */
  peek(at: number, into: Uint8Array): number;
  /** Writes whatever the protection. All or nothing. */
  poke(at: number, from: Uint8Array): boolean;
  /** Accesses to these ranges are reported from now on, and no others. */
  watch(ranges: readonly WatchRange[]): void;
}

/** Every process of a machine that can be debugged has such a space; the virtual root has not. */
export function debugSpace({ pid, space }: Process): DebugSpace {
  if (!('peek' in space && 'poke' in space)) throw new Error(`process ${pid} has no memory`);
  return space as DebugSpace;
}

/** Bytes from `address` on that can be read. */
export function readMemory(process: Process, address: bigint, into: Uint8Array): number {
  return address >= BigInt(TASK_SIZE) ? 0 : debugSpace(process).peek(Number(address), into);
}

/** All of them or none. */
export function writeMemory(process: Process, address: bigint, bytes: Uint8Array): boolean {
  return address < BigInt(TASK_SIZE) && debugSpace(process).poke(Number(address), bytes);
}
