/** One call of a handler: what it sees and may change. */

import { vaddr } from '../types.js';
import type { HostThread } from './port.js';
import type { Hit } from './uprobe.js';

export class ProbeHit implements Hit {
  /** Where the handler wants the thread to go on. */
  movedTo: number | undefined;

  constructor(
    readonly thread: HostThread,
    readonly address: number,
    public cookie: bigint,
  ) {}

  get(register: number): bigint {
    return this.thread.readGpr(register);
  }

  set(register: number, value: bigint): void {
    this.thread.writeGpr(register, BigInt.asUintN(64, value));
  }

  setIp(address: bigint): boolean {
    const to = vaddr(address);
    if (to === undefined) return false;
    this.movedTo = to;
    return true;
  }

  read(address: bigint, length: number): Uint8Array | undefined {
    const from = vaddr(address);
    if (from === undefined) return undefined;
    const bytes = new Uint8Array(length);
    return this.thread.process.space.read(from, bytes) === length ? bytes : undefined;
  }

  write(address: bigint, bytes: Uint8Array): boolean {
    const to = vaddr(address);
    return to !== undefined && this.thread.process.space.write(to, bytes);
  }
}
