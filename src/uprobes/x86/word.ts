/** 64-bit words on a program's stack. Hot: pushed, read and replaced at every hit of some kinds, where a new typed array costs more than all the rest. */
import type { HostSpace } from '../port.js';

const WORD = new Uint8Array(8);
const VIEW = new DataView(WORD.buffer);

/** undefined: it is not mapped. */
export function readWord(space: HostSpace, address: number): bigint | undefined {
  return space.read(address, WORD) === WORD.length ? VIEW.getBigUint64(0, true) : undefined;
}

/** As the program stores: false where it may not. */
export function storeWord(space: HostSpace, address: number, value: bigint): boolean {
  VIEW.setBigUint64(0, value, true);
  return space.store(address, WORD);
}

/** As a debugger writes: protection does not matter. */
export function writeWord(space: HostSpace, address: number, value: bigint): boolean {
  VIEW.setBigUint64(0, value, true);
  return space.write(address, WORD);
}
