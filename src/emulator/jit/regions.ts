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
  /** For a block that ends in an indirect transfer: where in the region it may lead, which compiled code compares the target with. */
  readonly indirect: readonly number[];
}

/** A way on from the region's start or a loop's head. */
export interface Fork {
  readonly to: number;
  /** Of the entrances that it leads to: the one at `to`, or those within the loop there. */
  readonly numbers: readonly number[];
}

export interface RegionPlan {
  /** Its start. */
  readonly entry: number;
  /** Addresses of the blocks where it can be entered, by number; the first is its start. */
  readonly entrances: readonly number[];
  /** How those who enter elsewhere than at the start get there, by the block where they are sent on. */
  readonly forks: ReadonlyMap<number, readonly Fork[]>;
  readonly blocks: ReadonlyMap<number, RegionBlock>;
}

/** Where the blocks of a region come from. */
export interface BlockSource {
  /** Undefined for code that shall stay outside (never executed, not fetchable). */
  blockAt(ip: number): IrBlock | undefined;
  /** Where the indirect jump or call at the end of the block at `ip` went last. */
  lastTarget(ip: number): number | undefined;
}

interface Found {
  readonly ir: IrBlock;
  /** The function that it calls at its end, as far as is known. */
  readonly callee: number | undefined;
  /** Where it goes within its function. */
  readonly local: readonly number[];
  /** Where an indirect jump or call went last. */
  readonly guess: number | undefined;
}

/** How large a region may get. */
export interface RegionLimits {
  readonly blocks: number;
  readonly insns: number;
}

/** More are left to the dispatcher: each costs a comparison. */
const INDIRECT_LIMIT = 4;

/** Finds the blocks of the region at `entry`. */
export function discover(entry: number, source: BlockSource, limits: RegionLimits): RegionPlan | undefined {
  const found = new Map<number, Found>();
  // Within the function first, then into the callees.
  const near: number[] = [entry];
  const far: number[] = [];
  let insns = 0;
  for (let ip = near.shift(); ip !== undefined; ip = near.shift() ?? far.shift()) {
    if (found.has(ip)) continue;
    const ir = source.blockAt(ip);
    if (ir === undefined) continue;
    insns += ir.insns.length;
    if (found.size > 0 && (found.size >= limits.blocks || insns > limits.insns)) break;
    const one = describe(ir, source);
    found.set(ip, one);
    near.push(...one.local);
    if (one.callee !== undefined) far.push(one.callee, ir.end);
  }
  return found.has(entry) ? { entry, entrances: [entry], forks: new Map(), blocks: link(found) } : undefined;
}

function describe(ir: IrBlock, source: BlockSource): Found {
  const last = lastOp(ir);
  const name = last?.row.name;
  const guess = name === 'call.to' || name === 'jump.to' ? source.lastTarget(ir.ip) : undefined;
  const local = localTargets(ir);
  if (name === 'call') return { ir, callee: Number(last?.immediate), local, guess };
  if (name === 'call.to') return { ir, callee: guess, local, guess };
  return { ir, callee: undefined, local: guess === undefined ? local : [...local, guess], guess };
}

function link(found: ReadonlyMap<number, Found>): Map<number, RegionBlock> {
  const returns = returnsOf(found);
  const blocks = new Map<number, RegionBlock>();
  for (const [ip, { ir, callee, local, guess }] of found) {
    const indirect = guess === undefined ? [...(returns.get(ip) ?? [])] : [guess];
    const known = indirect.filter((target) => found.has(target)).slice(0, INDIRECT_LIMIT);
    const direct = local.filter((target) => target !== guess);
    if (callee !== undefined && callee !== guess) direct.push(callee);
    const successors = [...direct, ...known].filter((target) => found.has(target));
    blocks.set(ip, { ir, successors, indirect: known });
  }
  return blocks;
}

/** For each block that returns: the return points of the calls, within the region, of functions that it is part of. */
function returnsOf(found: ReadonlyMap<number, Found>): Map<number, Set<number>> {
  const points = new Map<number, number[]>();
  for (const { ir, callee } of found.values()) {
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
function returningBlocks(start: number, found: ReadonlyMap<number, Found>): number[] {
  const seen = new Set<number>();
  const todo = [start];
  const returning: number[] = [];
  for (let ip = todo.pop(); ip !== undefined; ip = todo.pop()) {
    const one = found.get(ip);
    if (one === undefined || seen.has(ip)) continue;
    seen.add(ip);
    if (lastOp(one.ir)?.row.name === 'ret') returning.push(ip);
    todo.push(...one.local);
    if (one.callee !== undefined) todo.push(one.ir.end);
  }
  return returning;
}

export function lastOp(ir: IrBlock): IrOp | undefined {
  return ir.insns.at(-1)?.ops.at(-1);
}

/** Where a block goes within its function by what its code says. */
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
