/** Random regions: blocks of nothing much, with whatever ways between them. */
import fc from 'fast-check';
import type { IrBlock, IrInsn, IrOp } from '../../../src/emulator/ir/ir.js';
import { opNamed } from '../../../src/emulator/ir/ops.js';
import { withEntrances } from '../../../src/emulator/jit/entrances.js';
import type { RegionBlock, RegionPlan } from '../../../src/emulator/jit/regions.js';

export const BLOCKS = 8;

function insn(ip: number, looks: boolean): IrInsn {
  const op: IrOp = { row: opNamed(looks ? 'fuel' : 'get64'), args: [], result: undefined, immediate: 0n };
  return { ip, ops: [op] } as unknown as IrInsn;
}

interface Draft {
  readonly length: number;
  /** Its instruction that looks at the fuel, if it has that many. */
  readonly looks: number;
  readonly successors: readonly number[];
}

const draft: fc.Arbitrary<Draft> = fc.record({
  length: fc.integer({ min: 1, max: 40 }),
  looks: fc.oneof({ weight: 4, arbitrary: fc.constant(99) }, { weight: 1, arbitrary: fc.nat(40) }),
  successors: fc.uniqueArray(fc.nat(BLOCKS - 1), { maxLength: 3 }),
});

function planOf(drafts: readonly Draft[]): RegionPlan {
  const blocks = new Map<number, RegionBlock>();
  for (const [ip, { length, looks, successors }] of drafts.entries()) {
    const insns = Array.from({ length }, (_, i) => insn(ip, i === looks));
    blocks.set(ip, { ir: { ip, insns } as unknown as IrBlock, successors, indirect: [] });
  }
  const plan = { entry: 0, entrances: [0], forks: new Map(), blocks };
  return withEntrances(plan, () => true);
}

/** With all the entrances that it can have. */
export const randomPlan: fc.Arbitrary<RegionPlan> = fc
  .array(draft, { minLength: BLOCKS, maxLength: BLOCKS })
  .map(planOf);
