/** Where the lazy flags have to be exact: at the start of which blocks of a region anybody may look at them. */

import { SLOT } from '../../register-set.js';
import type { IrBlock, IrOp } from '../ir/ir.js';
import type { RegionPlan } from './regions.js';
import { isFlagsOp } from './register-file.js';

/** What a block does to the flags first. */
type First = 'looks' | 'overwrites' | 'passes';

function looks(op: IrOp): boolean {
  const { kind, name } = op.row;
  if (kind === 'load' || kind === 'store' || kind === 'probe') return true;
  if (kind === 'get') return Number(op.immediate) >= SLOT.CC_KIND && Number(op.immediate) < SLOT.FLAGS_REST;
  return name === 'exit' || name === 'fault.if' || name === 'leave.if' || name === 'burn';
}

function first(ir: IrBlock): First {
  for (const insn of ir.insns) {
    if (insn.hook !== undefined) return 'looks';
    for (const op of insn.ops) {
      if (looks(op)) return 'looks';
      if (isFlagsOp(op)) return 'overwrites';
    }
  }
  return 'passes';
}

const LEAVES: ReadonlySet<string> = new Set(['jump.to', 'call.to', 'ret', 'exit']);

/**
 * The addresses of blocks at whose start the flags are live. Leaving for want of fuel does not count: that happens on the way to the block, where what
 * set the flags is still known.
 */
export function flagsLiveAt({ blocks }: RegionPlan): ReadonlySet<number> {
  const live = new Set<number>();
  const passing: number[] = [];
  for (const [ip, { ir }] of blocks) {
    const what = first(ir);
    if (what === 'looks') live.add(ip);
    else if (what === 'passes') passing.push(ip);
  }
  for (let changed = true; changed; ) {
    changed = false;
    for (const ip of passing) {
      const block = blocks.get(ip);
      if (live.has(ip) || block === undefined) continue;
      const last = block.ir.insns.at(-1)?.ops.at(-1)?.row.name ?? '';
      const leaves = LEAVES.has(last) || block.successors.length < edges(last);
      if (!leaves && !block.successors.some((target) => live.has(target))) continue;
      live.add(ip);
      changed = true;
    }
  }
  return live;
}

/** Static ways out of a block. */
function edges(last: string): number {
  return last === 'branch' ? 2 : 1;
}
