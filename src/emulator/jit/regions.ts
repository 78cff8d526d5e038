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

/** Finds the blocks of the region at `entry`. `blockAt`: undefined for code that shall stay outside (never executed, not fetchable). */
export function discover(entry: number, blockAt: (ip: number) => IrBlock | undefined): RegionPlan | undefined {
  const found = new Map<number, IrBlock>();
  // Within the function first, then into the callees.
  const near: number[] = [entry];
  const far: number[] = [];
  let insns = 0;
  for (let ip = near.shift(); ip !== undefined; ip = near.shift() ?? far.shift()) {
    if (found.has(ip)) continue;
    const ir = blockAt(ip);
    if (ir === undefined) continue;
    insns += ir.insns.length;
    if (found.size > 0 && (found.size >= BLOCK_LIMIT || insns > INSN_LIMIT)) break;
    found.set(ip, ir);
    near.push(...localTargets(ir));
    const callee = calledBy(ir);
    if (callee !== undefined) far.push(callee, ir.end);
  }
  return found.has(entry) ? { entry, blocks: link(found) } : undefined;
}

function link(found: ReadonlyMap<number, IrBlock>): Map<number, RegionBlock> {
  const returns = returnsOf(found);
  const blocks = new Map<number, RegionBlock>();
  for (const [ip, ir] of found) {
    const points = [...(returns.get(ip) ?? [])].slice(0, RETURN_LIMIT);
    const callee = calledBy(ir);
    const targets = [...localTargets(ir), ...(callee === undefined ? [] : [callee]), ...points];
    blocks.set(ip, { ir, successors: targets.filter((target) => found.has(target)), returns: points });
  }
  return blocks;
}

/** For each block that returns: the return points of the calls, within the region, of functions that it is part of. */
function returnsOf(found: ReadonlyMap<number, IrBlock>): Map<number, Set<number>> {
  const points = new Map<number, number[]>();
  for (const ir of found.values()) {
    const callee = calledBy(ir);
    if (callee === undefined || !found.has(callee) || !found.has(ir.end)) continue;
    points.set(callee, [...(points.get(callee) ?? []), ir.end]);
  }
  const returns = new Map<number, Set<number>>();
  for (const [callee, after] of points) {
    for (const ip of returningBlocks(callee, found)) {
      const known = returns.get(ip) ?? new Set();
      for (const point of after) known.add(point);
      returns.set(ip, known);
    }
  }
  return returns;
}

/** The blocks that end in `ret` and can be reached from a function's start without leaving the function. */
function returningBlocks(start: number, found: ReadonlyMap<number, IrBlock>): number[] {
  const seen = new Set<number>();
  const todo = [start];
  const returning: number[] = [];
  for (let ip = todo.pop(); ip !== undefined; ip = todo.pop()) {
    const ir = found.get(ip);
    if (ir === undefined || seen.has(ip)) continue;
    seen.add(ip);
    if (lastOp(ir)?.row.name === 'ret') returning.push(ip);
    todo.push(...localTargets(ir));
    if (calledBy(ir) !== undefined) todo.push(ir.end);
  }
  return returning;
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
