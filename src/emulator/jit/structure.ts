/**
 * The control flow graph of a region as WebAssembly can express it: dominator tree, loop headers, merge points. The translation is Ramsey's ("Beyond
 * Relooper", 2022): a node with several forward predecessors becomes the end of a block, a target of back edges a loop, everything else is nested
 * in its only predecessor. A back edge whose target does not dominate its source (an irreducible loop) leaves the region.
 */
import type { RegionPlan } from './regions.js';

export interface Node {
  readonly ip: number;
  /** Place in reverse postorder. */
  readonly order: number;
  readonly isLoop: boolean;
  /** Several forward edges lead here. */
  readonly isMerge: boolean;
  /** Nodes that it dominates immediately, in reverse postorder. */
  readonly children: readonly Node[];
}

/** How an edge is expressed. */
export type EdgeKind = 'back' | 'merge' | 'inline' | 'leave';

export interface Structure {
  readonly root: Node;
  /** In reverse postorder. */
  readonly nodes: readonly Node[];
  node(ip: number): Node | undefined;
  edge(from: number, to: number): EdgeKind;
}

interface Draft {
  readonly ip: number;
  readonly order: number;
  readonly successors: readonly number[];
  readonly predecessors: Draft[];
  dominator: Draft | undefined;
  isLoop: boolean;
  forward: number;
  readonly children: Draft[];
}

export function structure(plan: RegionPlan): Structure {
  const nodes = drafts(plan);
  const ordered = [...nodes.values()];
  findDominators(ordered);
  for (const node of ordered) {
    if (node.order > 0) node.dominator?.children.push(node);
    for (const from of node.predecessors) {
      if (from.order < node.order) node.forward++;
      else if (dominates(node, from)) node.isLoop = true;
    }
  }
  const finished = new Map<number, Node>();
  // Children come after their dominator in reverse postorder.
  for (const draft of ordered.toReversed()) {
    const { ip, order, isLoop, forward } = draft;
    const children = draft.children.map((child) => finished.get(child.ip) as Node);
    finished.set(ip, { ip, order, isLoop, isMerge: forward > 1, children });
  }
  return {
    root: finished.get(plan.entry) as Node,
    nodes: ordered.map(({ ip }) => finished.get(ip) as Node),
    node: (ip) => finished.get(ip),
    edge: (from, to) => edgeKind(nodes.get(from), nodes.get(to)),
  };
}

function edgeKind(from: Draft | undefined, to: Draft | undefined): EdgeKind {
  if (from === undefined || to === undefined) return 'leave';
  if (to.order <= from.order) return dominates(to, from) ? 'back' : 'leave';
  return to.forward > 1 ? 'merge' : 'inline';
}

/** Where a block leads, and where those are sent on who have entered elsewhere. */
function waysFrom({ blocks, forks }: RegionPlan, ip: number): number[] {
  return [...(blocks.get(ip)?.successors ?? []), ...(forks.get(ip) ?? []).map(({ to }) => to)];
}

/** The nodes that can be reached, in reverse postorder. */
function drafts(plan: RegionPlan): Map<number, Draft> {
  const order = postorder(plan).toReversed();
  const nodes = new Map<number, Draft>();
  for (const [i, ip] of order.entries()) {
    const successors = waysFrom(plan, ip);
    nodes.set(ip, {
      ...{ ip, order: i, successors, predecessors: [], dominator: undefined },
      ...{ isLoop: false, forward: 0, children: [] },
    });
  }
  for (const node of nodes.values()) {
    for (const target of node.successors) nodes.get(target)?.predecessors.push(node);
  }
  return nodes;
}

function postorder(plan: RegionPlan): number[] {
  const { entry } = plan;
  const done: number[] = [];
  const seen = new Set([entry]);
  const stack = [{ ip: entry, ways: waysFrom(plan, entry), next: 0 }];
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    const target = top.ways[top.next++];
    if (target === undefined) {
      done.push(top.ip);
      stack.pop();
    } else if (!seen.has(target)) {
      seen.add(target);
      stack.push({ ip: target, ways: waysFrom(plan, target), next: 0 });
    }
  }
  return done;
}

/** Cooper, Harvey and Kennedy, "A Simple, Fast Dominance Algorithm". */
function findDominators(ordered: readonly Draft[]): void {
  const [root, ...rest] = ordered;
  if (root === undefined) return;
  root.dominator = root;
  for (let changed = true; changed; ) {
    changed = false;
    for (const node of rest) {
      const known = node.predecessors.filter((from) => from.dominator !== undefined);
      const dominator = known.reduce(common, known[0] as Draft);
      if (dominator !== node.dominator) {
        node.dominator = dominator;
        changed = true;
      }
    }
  }
}

function common(x: Draft, y: Draft): Draft {
  let [a, b] = [x, y];
  while (a !== b) {
    while (a.order > b.order) a = a.dominator as Draft;
    while (b.order > a.order) b = b.dominator as Draft;
  }
  return a;
}

function dominates(node: Draft, other: Draft): boolean {
  let at = other;
  while (at.order > node.order) at = at.dominator as Draft;
  return at === node;
}
