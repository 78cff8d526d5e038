/** Regions → a WebAssembly module: many at once, since a module costs more than a function (measured: 96 us alone, 10 us in a batch of 100). */

import { SLOT } from '../../register-set.js';
import type { IrBlock } from '../ir/ir.js';
import type { Subroutine } from '../ir/subroutine.js';
import type { PhysicalMemory } from '../memory/physical.js';
import { ModuleWriter } from '../wasm/module-writer.js';
import { subroutinesOf, writeRegion } from './codegen.js';
import type { RegionPlan } from './regions.js';

/** The functions of the plans, in their order. `subroutine`: the runtime's export. */
export function compileRegions(
  plans: readonly RegionPlan[],
  physical: PhysicalMemory,
  subroutine: (sub: Subroutine) => WebAssembly.ExportValue,
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
  for (const [i, plan] of plans.entries()) {
    module.function(
      writeRegion(plan, (sub) => indices.get(sub) as number),
      `r${i}`,
    );
  }
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
