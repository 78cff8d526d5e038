/**
 * What a region is made of: the blocks that can be reached from a hot entry by static transfers, calls included, capped. A region is shaped like a
 * guest function with the functions that it calls inside: a call is a jump into the callee, a return a choice among the return points known here.
 */
import type { IrBlock, IrOp } from '../ir/ir.js';

/** A block and where it can go within the region. */
export interface RegionBlock {
  readonly ir: IrBlock;
  /** Addresses, of blocks of the region only; one for each edge. */
  readonly successors: readonly number[];
  /** For a block that ends in `ret`: where it may return to within the region. */
  readonly returns: readonly number[];
}

export interface RegionPlan {
  readonly entry: number;
  readonly blocks: ReadonlyMap<number, RegionBlock>;
}

const BLOCK_LIMIT = 64;
const INSN_LIMIT = 1500;
/** More are left to the dispatcher: each costs a comparison. */
const RETURN_LIMIT = 4;

/** Address of a block whose function starts at `fn`. */
interface Wanted {
  readonly ip: number;
  readonly fn: number;
}

/** Finds the blocks of the region at `entry`. `blockAt`: undefined for code that shall stay outside (never executed, not fetchable). */
export function discover(entry: number, blockAt: (ip: number) => IrBlock | undefined): RegionPlan | undefined {
  const found = new Map<number, { ir: IrBlock; fn: number }>();
  const returnPoints = new Map<number, number[]>();
  // Within the function first, then into the callees.
  const near: Wanted[] = [{ ip: entry, fn: entry }];
  const far: Wanted[] = [];
  let insns = 0;
  for (let next = near.shift(); next !== undefined; next = near.shift() ?? far.shift()) {
    const { ip, fn } = next;
    if (found.has(ip)) continue;
    const ir = blockAt(ip);
    if (ir === undefined) continue;
    insns += ir.insns.length;
    if (found.size > 0 && (found.size >= BLOCK_LIMIT || insns > INSN_LIMIT)) break;
    found.set(ip, { ir, fn });
    for (const target of localTargets(ir)) near.push({ ip: target, fn });
    const callee = calledBy(ir);
    if (callee === undefined) continue;
    far.push({ ip: callee, fn: callee }, { ip: ir.end, fn });
    const points = returnPoints.get(callee);
    if (points === undefined) returnPoints.set(callee, [ir.end]);
    else points.push(ir.end);
  }
  if (!found.has(entry)) return undefined;
  return { entry, blocks: link(found, returnPoints) };
}

function link(
  found: ReadonlyMap<number, { ir: IrBlock; fn: number }>,
  returnPoints: ReadonlyMap<number, readonly number[]>,
): Map<number, RegionBlock> {
  const blocks = new Map<number, RegionBlock>();
  for (const [ip, { ir, fn }] of found) {
    const returns = lastOp(ir)?.row.name === 'ret' ? (returnPoints.get(fn) ?? []) : [];
    const known = [...new Set(returns)].filter((point) => found.has(point)).slice(0, RETURN_LIMIT);
    const callee = calledBy(ir);
    const targets = [...localTargets(ir), ...(callee === undefined ? [] : [callee]), ...known];
    blocks.set(ip, { ir, successors: targets.filter((target) => found.has(target)), returns: known });
  }
  return blocks;
}

export function lastOp(ir: IrBlock): IrOp | undefined {
  return ir.insns.at(-1)?.ops.at(-1);
}

function calledBy(ir: IrBlock): number | undefined {
  const last = lastOp(ir);
  return last?.row.name === 'call' ? Number(last.immediate) : undefined;
}

/** Where a block goes within its function. */
function localTargets(ir: IrBlock): number[] {
  const targets: number[] = [];
  for (const insn of ir.insns) {
    for (const op of insn.ops) if (op.row.name === 'leave.if') targets.push(Number(op.immediate));
  }
  const last = lastOp(ir);
  switch (last?.row.name) {
    case 'jump':
      targets.push(Number(last.immediate));
      break;
    case 'branch':
      targets.push(Number(last.immediate), ir.end);
      break;
    case 'call':
    case 'ret':
    case 'jump.to':
    case 'call.to':
    case 'exit':
      break;
    default:
      targets.push(ir.end);
  }
  return targets;
}
