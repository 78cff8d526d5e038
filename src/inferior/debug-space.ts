/** A process's memory as the debugger sees it: whatever the protection, without the engine's breakpoints. Addresses are unsigned 64-bit. */
import type { AddressSpace } from '../emulator/memory/address-space.js';
import type { Process } from '../emulator/process.js';
import { TASK_SIZE } from '../types.js';

/** What the debugger needs of an address space beside what the program itself has. */
export type DebugSpace = Pick<AddressSpace, 'peek' | 'poke' | 'watch' | 'onWatched'>;

/** Every process of a machine that can be debugged has such a space; the virtual root has not. */
export function debugSpace({ pid, space }: Process): DebugSpace {
  if (!('peek' in space && 'watch' in space)) throw new Error(`process ${pid} has no memory`);
  return space as unknown as DebugSpace;
}

/** Bytes from `address` on that can be read. */
export function readMemory(process: Process, address: bigint, into: Uint8Array): number {
  return address >= BigInt(TASK_SIZE) ? 0 : debugSpace(process).peek(Number(address), into);
}

/** All of them or none. */
export function writeMemory(process: Process, address: bigint, bytes: Uint8Array): boolean {
  return address < BigInt(TASK_SIZE) && debugSpace(process).poke(Number(address), bytes);
}
