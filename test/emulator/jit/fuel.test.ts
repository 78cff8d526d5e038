/** Fuel never runs short unseen, on whatever way through a region, and looks are no farther apart than the interpreter can make up for. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { IrBlock, IrInsn, IrOp } from '../../../src/emulator/ir/ir.js';
import { opNamed } from '../../../src/emulator/ir/ops.js';
import { faresOf, segmentEnd } from '../../../src/emulator/jit/fuel.js';
import type { RegionBlock, RegionPlan } from '../../../src/emulator/jit/regions.js';
import { structure } from '../../../src/emulator/jit/structure.js';

const BLOCKS = 8;
/** So many instructions behind a block may be left to the interpreter. */
const LEFT = 48;

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
  return { entry: 0, blocks };
}

test('what is taken unseen is there', () => {
  const drafts = fc.array(draft, { minLength: BLOCKS, maxLength: BLOCKS });
  const choices = fc.array(fc.nat(2), { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(drafts, choices, fc.nat(400), (all, ways, given) => {
      const plan = planOf(all);
      const shape = structure(plan);
      const fares = faresOf(plan, shape);
      let [fuel, at] = [given, 0];
      for (const [step, way] of ways.entries()) {
        const fare = fares.get(at);
        const insns = plan.blocks.get(at)?.ir.insns ?? [];
        if (fare === undefined) throw new Error('a way to nowhere');
        if (step === 0) expect(fare.checked).toBe(true);
        fuel -= fare.price;
        expect(fare.reserve).toBeLessThanOrEqual(LEFT);
        if (fare.checked && fuel < fare.reserve) return;
        expect(fuel).toBeGreaterThanOrEqual(0);
        // The instruction that looks takes what it likes; what is behind it is paid with a look.
        for (let i = fare.price; i < insns.length || insns[i - 1]?.ops[0]?.row.name === 'fuel'; ) {
          if (insns[i - 1]?.ops[0]?.row.name === 'fuel') fuel = Math.min(fuel, way);
          if (i >= insns.length) break;
          const end = segmentEnd(insns, i);
          fuel -= end - i;
          if (fuel < 0) return;
          i = end;
        }
        const { successors = [] } = plan.blocks.get(at) ?? {};
        const next = successors[way % Math.max(1, successors.length)];
        if (next === undefined || shape.edge(at, next) === 'leave') return;
        if (shape.edge(at, next) === 'back') expect(fares.get(next)?.checked).toBe(true);
        at = next;
      }
    }),
    { numRuns: 2000, seed: 3 },
  );
});
