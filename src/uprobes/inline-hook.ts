/**
 * The inline hook of a probepoint: what the host's translated code may decide about hits by itself, and what it has decided. A hit that passes there is
 * counted here as if the engine had seen it; every other one comes to the engine. Whatever changes what a hit does (consumers, filters, threads, the
 * instruction) makes the plan anew.
 */
import type { Core } from './core.js';
import type { Counter } from './counter.js';
import type { HookDecision, HostHook, HostThread } from './port.js';
import type { Probepoint } from './probepoint.js';
import type { ConsumerRecord } from './registration.js';
import type { UProc } from './uproc.js';

/** A consumer's part in a plan. */
interface Share {
  readonly record: ConsumerRecord;
  readonly decision: HookDecision;
  readonly counter?: Counter;
}

interface Plan {
  /** undefined: every hit is the engine's. Consumers that no thread concerns have none. */
  readonly shares: readonly Share[] | undefined;
  /** A consumer concerns some threads of the address space only. */
  readonly mixed: boolean;
  readonly bytes: Uint8Array;
}

/** A plan in force. */
export interface InlineHook extends Plan {
  readonly host: HostHook;
  /** Adds what has passed since the last time to all that counts it. */
  bringIn(): void;
}

/** Makes the probepoint's hook what it should be now. */
export function updateHook(core: Core, probepoint: Probepoint): void {
  const { uproc, vaddr, hook } = probepoint;
  const { space } = uproc;
  if (space.setHook === undefined) return;
  const wanted = uproc.isInPlace(vaddr) && core.canHook(probepoint) ? planOf(core, probepoint) : undefined;
  if (hook !== undefined) {
    if (wanted !== undefined && isSame(hook, wanted)) return;
    removeHook(core, probepoint, hook);
  }
  if (wanted === undefined) return;
  const { shares, bytes } = wanted;
  const host = space.setHook(vaddr, {
    owner: probepoint,
    insn: bytes,
    decisions: shares?.map(({ decision }) => decision),
  });
  if (host === undefined) return;
  const made: InlineHook = { ...wanted, host, bringIn: () => bringIn(core, probepoint, made) };
  probepoint.hook = made;
  core.hooks.add(probepoint);
  for (const { counter } of shares ?? []) counter?.attach(made.bringIn);
}

function removeHook(core: Core, probepoint: Probepoint, hook: InlineHook): void {
  hook.bringIn();
  probepoint.uproc.space.setHook?.(probepoint.vaddr, undefined);
  probepoint.hook = undefined;
  core.hooks.delete(probepoint);
  for (const { counter } of hook.shares ?? []) counter?.detach(hook.bringIn);
}

function isSame(x: Plan, y: Plan): boolean {
  if (x.bytes !== y.bytes || x.mixed !== y.mixed || x.shares?.length !== y.shares?.length) return false;
  return x.shares?.every(({ record }, i) => record === y.shares?.[i]?.record) ?? true;
}

function planOf(core: Core, probepoint: Probepoint): Plan {
  const { consumers, uproc, insnBytes: bytes } = probepoint;
  const threads = [...core.processesIn(uproc.space)].flatMap((process) => [...process.threads()]);
  const shares: Share[] = [];
  let [mixed, decidable] = [false, true];
  for (const record of consumers) {
    const concerned = threads.filter((thread) => record.concerns(thread)).length;
    if (concerned === 0) continue;
    if (concerned < threads.length) mixed = true;
    const share = shareOf(record);
    if (share === undefined) decidable = false;
    else shares.push(share);
  }
  return { shares: mixed || !decidable ? undefined : shares, mixed, bytes };
}

/** What code can decide for a consumer; undefined: nothing. */
function shareOf(record: ConsumerRecord): Share | undefined {
  const { action } = record.registration;
  switch (action?.kind) {
    case 'stop':
    case 'commands':
      if (action.conditions.length === 0) return undefined;
      return { record, decision: { kind: 'unless', conditions: action.conditions } };
    case 'collect':
      return action.unless && { record, decision: { kind: 'unless', conditions: [action.unless] } };
    case 'uprobe':
    case 'file': {
      const { counter, handler, retHandler, when } = action.probe;
      if (handler !== undefined || retHandler !== undefined) {
        if (counter !== undefined || when === undefined) return undefined;
        return { record, decision: { kind: 'unless', conditions: [when] } };
      }
      if (counter === undefined) return undefined;
      return { record, decision: { kind: 'count', when: counter.when }, counter };
    }
    default:
      return undefined;
  }
}

function bringIn(core: Core, probepoint: Probepoint, { host, shares = [] }: InlineHook): void {
  const [passed = 0, ...counted] = host.take();
  if (passed === 0) return;
  const { statistics } = core;
  statistics.hits += passed;
  probepoint.tally.hits += passed;
  statistics.executed.hook += passed;
  probepoint.tally.method = 'hook';
  if (shares.length === 0) {
    statistics.skipped += passed;
    probepoint.tally.skipped += passed;
  }
  for (const { record, decision, counter } of shares) {
    if (decision.kind === 'count') counter?.add(decision.when === undefined ? passed : (counted.shift() ?? 0));
    else if (record.registration.stops) {
      statistics.conditionsFalse += passed;
      probepoint.tally.falseConditions += passed;
    }
  }
}

/** All that code has counted so far. */
export function bringInAll(core: Core): void {
  for (const { hook } of core.hooks) hook?.bringIn();
}

/** A thread has joined the address space. */
export function threadJoined(core: Core, { probepoints }: UProc, thread: HostThread): void {
  for (const probepoint of probepoints.values()) {
    const { hook, consumers } = probepoint;
    if (hook?.shares === undefined) continue;
    const included = new Set(hook.shares.map(({ record }) => record));
    if (consumers.some((record) => record.concerns(thread) !== included.has(record))) updateHook(core, probepoint);
  }
}

/** Threads have left some address space: consumers may concern all that are left. */
export function threadsLeft(core: Core): void {
  for (const probepoint of [...core.hooks]) if (probepoint.hook?.mixed) updateHook(core, probepoint);
}
