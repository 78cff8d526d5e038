/**
 * How instructions of a block leave to the interpreter half way, with nothing of them done: what such ways out share stands once, behind them. V8's
 * optimising compiler pays for each way into a region's epilogue, by all the registers that may differ there.
 */
import type { IrInsn } from '../ir/ir.js';
import { EXIT } from '../stop.js';
import type { FunctionWriter, Label } from '../wasm/function-writer.js';

/** In the scratch local `kind` on the way: EXIT.*, from these bits on the fuel to give back and the instruction's offset in the block. */
const UNPAID_SHIFT = 4;
const IP_SHIFT = 12;

/** What a region has for its ways out. */
export interface ExitLocals {
  readonly w: FunctionWriter;
  /** i32: why it leaves; scratch before. */
  readonly kind: number;
  /** i64: where the guest goes on. */
  readonly ip: number;
  /** i32: fuel left after what the block under way has paid for. */
  readonly fuel: number;
  /** Leaves the region with EXIT.* from the stack. */
  leaveWith(): void;
}

export class Undone {
  private readonly behind: Label;
  private readonly out: Label;

  constructor(
    private readonly blockIp: number,
    private readonly region: ExitLocals,
  ) {
    this.behind = region.w.block();
    this.out = region.w.block();
  }

  /** Leaves; `unpaid`: instructions from this one on that were paid for. */
  leave({ ip, hook }: IrInsn, unpaid: number): void {
    const { w, kind } = this.region;
    const exit = hook === undefined ? EXIT.INTERPRET : EXIT.PASSED;
    w.i32(exit | (unpaid << UNPAID_SHIFT) | ((ip - this.blockIp) << IP_SHIFT));
    w.set(kind);
    w.br(this.out);
  }

  /** No instruction that could leave follows: writes the rest of the ways out. */
  close(): void {
    const { w, kind, ip, fuel } = this.region;
    w.br(this.behind);
    w.end();
    w.i64(this.blockIp);
    w.get(kind);
    w.i32(IP_SHIFT);
    w.op(0x76, 0xad, 0x7c); // i32.shr_u, i64.extend_i32_u, i64.add
    w.set(ip);
    w.get(fuel);
    w.get(kind);
    w.i32(UNPAID_SHIFT);
    w.op(0x76);
    w.i32((1 << (IP_SHIFT - UNPAID_SHIFT)) - 1);
    w.op(0x71, 0x6a);
    w.set(fuel);
    w.get(kind);
    w.i32((1 << UNPAID_SHIFT) - 1);
    w.op(0x71);
    this.region.leaveWith();
    w.end();
  }
}

/** Whether it may find only half way that it has to be interpreted. */
export function canBeUndone({ ops }: IrInsn): boolean {
  return ops.some(({ row: { kind, name }, sub }) => {
    return (
      kind === 'load' || kind === 'store' || kind === 'probe' || name === 'fault.if' || sub?.shortcut !== undefined
    );
  });
}
