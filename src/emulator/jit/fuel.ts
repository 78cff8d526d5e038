/**
 * Where a region looks at its fuel. Every block is paid for on the way to it; a look, and a way out for want of fuel, stand only before loops and after so
 * many instructions. What is looked at has to suffice for the dearest way to the next look, so fuel never runs short unseen.
 */
import type { IrInsn } from '../ir/ir.js';
import type { RegionPlan } from './regions.js';
import type { Structure } from './structure.js';

/** What whoever comes to a block pays. */
export interface Fare {
  /** Instructions up to the first one that looks at the fuel itself. */
  readonly price: number;
  /** Fuel that has to be left behind that. */
  readonly reserve: number;
  /** Whether the way there looks at the fuel. */
  checked: boolean;
}

/** Most instructions from one look to the next: so many are left to the interpreter at the end of a slice. */
const UNSEEN_LIMIT = 48;

/** The fares of all blocks, by address. */
export function faresOf(
  { entrances, blocks }: RegionPlan,
  { nodes, edge }: Pick<Structure, 'nodes' | 'edge'>,
): ReadonlyMap<number, Fare> {
  const fares = new Map<number, Fare>();
  // From the ends on: the ways behind a block are known.
  for (const { ip, isLoop } of nodes.toReversed()) {
    const block = blocks.get(ip);
    if (block === undefined) throw new Error(`the region has no block at ${ip.toString(16)}`);
    const { insns } = block.ir;
    const forward = block.successors.filter((to) => edge(ip, to) === 'inline' || edge(ip, to) === 'merge');
    const behind = forward.map((to) => fares.get(to) as Fare);
    // How much a repeated string instruction takes is not known before.
    if (insns.some(looksAtFuel)) for (const fare of behind) fare.checked = true;
    const reserve = Math.max(0, ...behind.map((fare) => (fare.checked ? 0 : fare.price + fare.reserve)));
    const price = segmentEnd(insns, 0);
    fares.set(ip, { price, reserve, checked: isLoop || entrances.includes(ip) || price + reserve > UNSEEN_LIMIT });
  }
  return fares;
}

/** Behind the first instruction from `from` on that looks at the fuel: everything before is paid for at once. */
export function segmentEnd(insns: readonly IrInsn[], from: number): number {
  const found = insns.findIndex((insn, i) => i >= from && looksAtFuel(insn));
  return found < 0 ? insns.length : found + 1;
}

function looksAtFuel({ ops }: IrInsn): boolean {
  return ops.some(({ row }) => row.name === 'fuel' || row.name === 'burn');
}
