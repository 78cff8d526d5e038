/** Hot: how compiled code finds the physical address of an access, in the TLB. */
import { SPACE_TLB_WRITE, TLB_ENTRIES } from '../memory/layout.js';
import type { FunctionWriter } from '../wasm/function-writer.js';
import { type Expression, push } from './expression.js';

/** Locals of a region that a lookup uses. */
export interface TlbLocals {
  readonly w: FunctionWriter;
  /** i32: physical address of the read TLB. */
  readonly tlb: number;
  /** i64 scratch: the address and the TLB entry of an access. */
  readonly address: number;
  readonly entry: number;
}

export interface Access {
  readonly at: Expression;
  readonly displacement: bigint;
  /** Bytes, all in one page or it is a miss. */
  readonly size: number;
  /** Looks in the write TLB. */
  readonly forWrite: boolean;
}

/** Leaves the physical address on the stack. `missIf` leaves the region when the i32 on the stack is not zero. */
export function locate({ w, tlb, address, entry }: TlbLocals, access: Access, missIf: () => void): void {
  const { at, displacement, size, forWrite } = access;
  push(w, at);
  if (displacement !== 0n) {
    w.i64(displacement);
    w.op(0x7c);
  }
  w.set(address);
  w.get(tlb);
  w.get(address);
  w.i64(9);
  w.op(0x88, 0xa7);
  w.i32((TLB_ENTRIES - 1) << 3);
  w.op(0x71, 0x6a);
  w.memory([0x29], forWrite ? SPACE_TLB_WRITE : 0);
  w.set(entry);
  w.get(address);
  if (size > 1) {
    w.i64(size - 1);
    w.op(0x7c);
  }
  w.i64(12);
  w.op(0x88);
  w.get(entry);
  w.i64(20);
  w.op(0x88, 0x52);
  missIf();
  w.get(address);
  w.op(0xa7);
  w.get(entry);
  w.op(0xa7);
  w.i32(12);
  w.op(0x74, 0x6a);
}
