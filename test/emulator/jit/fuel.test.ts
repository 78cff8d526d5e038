/** Fuel never runs short unseen, on whatever way through a region, and looks are no farther apart than the interpreter can make up for. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { faresOf, segmentEnd } from '../../../src/emulator/jit/fuel.js';
import { structure } from '../../../src/emulator/jit/structure.js';
import { BLOCKS, randomPlan } from './random-plan.js';

/** So many instructions behind a block may be left to the interpreter. */
const LEFT = 48;

test('what is taken unseen is there', () => {
  const choices = fc.array(fc.nat(2), { minLength: 1, maxLength: 60 });
  const entrance = fc.nat(BLOCKS);
  fc.assert(
    fc.property(randomPlan, choices, fc.nat(400), entrance, (plan, ways, given, first) => {
      const shape = structure(plan);
      const fares = faresOf(plan, shape);
      let [fuel, at] = [given, plan.entrances[first % plan.entrances.length] as number];
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
