/** Regions → a WebAssembly module: many at once, since a module costs more than a function (measured: 96 us alone, 10 us in a batch of 100). */

import { SLOT } from '../../register-set.js';
import type { IrBlock } from '../ir/ir.js';
import type { Subroutine } from '../ir/subroutine.js';
import type { PhysicalMemory } from '../memory/physical.js';
import type { ByteWriter } from '../wasm/byte-writer.js';
import { ulebOfFixedSize } from '../wasm/function-writer.js';
import { ModuleWriter } from '../wasm/module-writer.js';
import type { Callee, RegionCode } from './codegen.js';

/** What regions call, as the runtime has it. */
export interface RegionCallees {
  readonly subroutine: (sub: Subroutine) => WebAssembly.ExportValue;
  readonly askHook: (cpu: number, number: number) => number;
}

/** The functions of the regions, in their order. */
export function compileRegions(
  regions: readonly RegionCode[],
  physical: PhysicalMemory,
  { subroutine, askHook }: RegionCallees,
): WebAssembly.ExportValue[] {
  const module = new ModuleWriter(physical.size / 0x1_0000);
  const indices = new Map<Callee, number>();
  const env: Record<string, WebAssembly.ImportValue> = { memory: physical.memory };
  const link = (callee: Callee): void => {
    const name = `f${indices.size}`;
    if (callee === 'askHook' || !('params' in callee)) {
      indices.set(callee, module.import(name, ['i32', 'i32'], ['i32']));
      env[name] = callee === 'askHook' ? askHook : callee.code;
    } else {
      indices.set(callee, module.import(name, ['i32', ...callee.params], callee.results));
      env[name] = subroutine(callee);
    }
  };
  for (const { calls } of regions) for (const { callee } of calls) if (!indices.has(callee)) link(callee);
  for (const [i, { body, calls }] of regions.entries()) {
    const encode = (out: ByteWriter): void => {
      const linked = body.slice();
      for (const { at, callee } of calls) linked.set(ulebOfFixedSize(indices.get(callee) as number), at);
      out.uleb(linked.length);
      out.raw(linked);
    };
    module.function({ params: ['i32', 'i32'], results: ['i32'], encode }, `r${i}`);
  }
  const instance = new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(module.encode())), { env });
  return regions.map((_, i) => instance.exports[`r${i}`] as WebAssembly.ExportValue);
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
