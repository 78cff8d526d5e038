/**
 * Where else than at its start a region can be entered: behind calls that leave it, and at its loops, where a turn that ran out of fuel goes on. An
 * entrance within loops is reached by way of their heads, so that the control flow graph stays reducible: whoever enters there is sent on from
 * the region's start, and from each head, by the entrance's number.
 */
import { lastOp, type RegionBlock, type RegionPlan } from './regions.js';
import { type Structure, structure } from './structure.js';

/** Each makes the graph that V8 optimises larger. */
const LIMIT = 8;

/** The plan with more entrances, of those that are `wanted`. */
export function withEntrances(plan: RegionPlan, wanted: (ip: number) => boolean): RegionPlan {
  const shape = structure(plan);
  const loops = loopsOf(plan, shape);
  const behind = new Set([...plan.blocks.values()].filter(isCall).map(({ ir }) => ir.end));
  const places = shape.nodes.filter(({ ip, isLoop }) => ip !== plan.entry && (isLoop || behind.has(ip)));
  const ips = places.map(({ ip }) => ip).filter(wanted);
  if (ips.length === 0) return plan;
  const entrances = [plan.entry, ...ips.slice(0, LIMIT)];
  const forks = new Map<number, { to: number; numbers: number[] }[]>();
  for (const [number, ip] of entrances.entries()) {
    if (number === 0) continue;
    // A head comes before the heads of the loops within its own.
    const heads = shape.nodes.filter(({ ip: head }) => head !== ip && loops.get(head)?.has(ip)).map((node) => node.ip);
    const stations = [plan.entry, ...heads.filter((head) => head !== plan.entry), ip];
    for (const [i, from] of stations.slice(0, -1).entries()) {
      const to = stations[i + 1] as number;
      const here = forks.get(from) ?? [];
      const known = here.find((fork) => fork.to === to);
      if (known === undefined) forks.set(from, [...here, { to, numbers: [number] }]);
      else known.numbers.push(number);
    }
  }
  return { ...plan, entrances, forks };
}

function isCall({ ir }: RegionBlock): boolean {
  const name = lastOp(ir)?.row.name;
  return name === 'call' || name === 'call.to';
}

/** The blocks of each loop, its head among them, by the head's address. */
function loopsOf({ blocks }: RegionPlan, { nodes, edge }: Structure): ReadonlyMap<number, ReadonlySet<number>> {
  const predecessors = new Map<number, number[]>();
  const loops = new Map<number, Set<number>>();
  const ends = new Map<number, number[]>();
  for (const { ip } of nodes) {
    for (const to of blocks.get(ip)?.successors ?? []) {
      append(predecessors, to, ip);
      if (edge(ip, to) === 'back') append(ends, to, ip);
    }
  }
  for (const [head, todo] of ends) {
    const loop = new Set([head]);
    for (let ip = todo.pop(); ip !== undefined; ip = todo.pop()) {
      if (loop.has(ip)) continue;
      loop.add(ip);
      todo.push(...(predecessors.get(ip) ?? []));
    }
    loops.set(head, loop);
  }
  return loops;
}

function append(lists: Map<number, number[]>, key: number, value: number): void {
  const known = lists.get(key);
  if (known === undefined) lists.set(key, [value]);
  else known.push(value);
}
