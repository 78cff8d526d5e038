/** Who enters a region elsewhere than at its start gets there, and nothing of its control flow is lost for that. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { structure } from '../../../src/emulator/jit/structure.js';
import { BLOCKS, randomPlan } from './random-plan.js';

test('from fork to fork every entrance is reached', () => {
  let seen = 0;
  fc.assert(
    fc.property(randomPlan, (plan) => {
      const shape = structure(plan);
      for (const [number, entrance] of plan.entrances.entries()) {
        let at = plan.entry;
        for (let steps = 0; number > 0 && at !== entrance; steps++) {
          expect(steps).toBeLessThan(BLOCKS);
          const ways = (plan.forks.get(at) ?? []).filter(({ numbers }) => numbers.includes(number));
          expect(ways).toHaveLength(1);
          const to = ways[0]?.to as number;
          expect(['merge', 'inline']).toContain(shape.edge(at, to));
          at = to;
          if (at === entrance) seen++;
        }
      }
    }),
    { numRuns: 2000, seed: 5 },
  );
  expect(seen).toBeGreaterThan(1000);
});

test('loops stay loops', () => {
  fc.assert(
    fc.property(randomPlan, (plan) => {
      const [before, after] = [structure({ ...plan, forks: new Map() }), structure(plan)];
      for (const { ip } of before.nodes) {
        for (const to of plan.blocks.get(ip)?.successors ?? []) {
          if (before.edge(ip, to) === 'back') expect(after.edge(ip, to)).toBe('back');
        }
      }
    }),
    { numRuns: 2000, seed: 6 },
  );
});
