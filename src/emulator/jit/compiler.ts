/** Regions → a WebAssembly module: many at once, since a module costs more than a function (measured: 96 us alone, 10 us in a batch of 100). */

import { SLOT } from '../../register-set.js';
import type { Decider } from '../executor.js';
import type { IrBlock } from '../ir/ir.js';
import type { Subroutine } from '../ir/subroutine.js';
import type { PhysicalMemory } from '../memory/physical.js';
import { ModuleWriter } from '../wasm/module-writer.js';
import { type FunctionIndices, hooksOf, subroutinesOf, writeRegion } from './codegen.js';
import type { RegionPlan } from './regions.js';

/** What regions call, as the runtime has it. */
export interface RegionCallees {
  readonly subroutine: (sub: Subroutine) => WebAssembly.ExportValue;
  readonly askHook: (cpu: number, number: number) => number;
}

/** The functions of the plans, in their order. */
export function compileRegions(
  plans: readonly RegionPlan[],
  physical: PhysicalMemory,
  { subroutine, askHook }: RegionCallees,
): WebAssembly.ExportValue[] {
  const module = new ModuleWriter(physical.size / 0x1_0000);
  const called = new Set<Subroutine>();
  for (const plan of plans) subroutinesOf(plan, called);
  const indices = new Map<Subroutine, number>();
  const env: Record<string, WebAssembly.ImportValue> = { memory: physical.memory };
  for (const sub of called) {
    const index = module.import(`s${indices.size}`, ['i32', ...sub.params], sub.results);
    env[`s${indices.size}`] = subroutine(sub);
    indices.set(sub, index);
  }
  const deciders = new Map<Decider, number>();
  const hooks = plans.flatMap(hooksOf);
  for (const { decider } of hooks) {
    if (decider === undefined || deciders.has(decider)) continue;
    const name = `d${deciders.size}`;
    deciders.set(decider, module.import(name, ['i32', 'i32'], ['i32']));
    env[name] = decider.code;
  }
  const ask = hooks.length === 0 ? undefined : module.import('askHook', ['i32', 'i32'], ['i32']);
  if (ask !== undefined) env.askHook = askHook;
  const callees: FunctionIndices = {
    subroutine: (sub) => indices.get(sub) as number,
    decider: (decider) => deciders.get(decider) as number,
    get askHook() {
      if (ask === undefined) throw new Error('a hook in none of the regions');
      return ask;
    },
  };
  for (const [i, plan] of plans.entries()) module.function(writeRegion(plan, callees), `r${i}`);
  const instance = new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(module.encode())), { env });
  return plans.map((_, i) => instance.exports[`r${i}`] as WebAssembly.ExportValue);
}

/** Whether the code generator can write a block: vector registers are accessed by aligned lanes only. */
export function canCompile(block: IrBlock): boolean {
  return block.insns.every(({ ops }) =>
    ops.every(({ row, immediate }) => {
      if (row.kind !== 'get' && row.kind !== 'set') return true;
      const slot = Number(immediate);
      return slot < SLOT.VECTOR || slot >= SLOT.X87 || slot % row.size === 0;
    }),
  );
}
