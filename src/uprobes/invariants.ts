/** What must hold whenever the host is not inside the engine. Tests check it after every event; a violation is a bug of the engine. */
import type { Core } from './core.js';
import type { Probepoint } from './probepoint.js';

/** Throws with all that is wrong. */
export function checkInvariants(core: Core): void {
  const problems = [...taskProblems(core), ...probepointProblems(core), ...slotProblems(core)];
  if (problems.length > 0) throw new Error(`uprobes: ${problems.join('; ')}`);
}

function* taskProblems(core: Core): Iterable<string> {
  for (const task of core.tasks.values()) {
    const { state, thread } = task;
    const who = `thread ${thread.tid}`;
    if (task.dead) yield `${who} is dead and in the table`;
    if (state.name === 'handling' || state.name === 'sstepAck' || state.name === 'sstepTrapped')
      yield `${who} was left in state ${state.name}`;
    if (thread.displaced !== (state.name === 'boosted'))
      yield `${who} is ${state.name} with displaced ${thread.displaced}`;
    // What the program's signal frames or a debugger could show.
    const hidden = state.name === 'sstep' || thread.displaced;
    const slot = core.uprocs.get(thread.process.space)?.slotAt(thread.ip);
    if (!hidden && slot?.holder !== undefined)
      yield `${who} is ${state.name} and seen in the slot 0x${slot.address.toString(16)}`;
    if (state.name === 'running' && task.marks.length === 0 && task.deferred.length > 0)
      yield `${who} has forgotten what was put off`;
  }
}

function* probepointProblems(core: Core): Iterable<string> {
  const expected = references(core);
  for (const uproc of core.uprocs.values()) {
    for (const [address, probepoint] of uproc.probepoints) {
      const where = `probepoint 0x${address.toString(16)}`;
      if (probepoint.state === 'disabled') yield `${where} is disabled and in the table`;
      if (probepoint.consumers.length === 0) yield `${where} has no consumers`;
      for (const record of probepoint.consumers) {
        if (!record.registration.records.has(record)) yield `${where} has a consumer that does not know it`;
      }
      yield* wrongCount(where, probepoint, expected, 1);
    }
    for (const address of uproc.misplaced()) yield `the breakpoint at 0x${address.toString(16)} is not as wanted`;
    for (const probepoint of uproc.lingering) {
      yield* wrongCount(`old probepoint 0x${probepoint.vaddr.toString(16)}`, probepoint, expected, 0);
    }
  }
}

function* wrongCount(
  where: string,
  probepoint: Probepoint,
  expected: Map<Probepoint, number>,
  own: number,
): Iterable<string> {
  const count = (expected.get(probepoint) ?? 0) + own;
  if (probepoint.refs !== count) yield `${where} has ${probepoint.refs} references, not ${count}`;
}

/** Who holds which probepoint: states, marks, pending returns. */
function references(core: Core): Map<Probepoint, number> {
  const counts = new Map<Probepoint, number>();
  const add = (probepoint: Probepoint | undefined): void => {
    if (probepoint !== undefined) counts.set(probepoint, (counts.get(probepoint) ?? 0) + 1);
  };
  for (const { state, marks, returns } of core.tasks.values()) {
    if (state.name !== 'running') add(state.probepoint);
    for (const { probepoint } of marks) add(probepoint);
    for (const { probepoint } of returns) add(probepoint);
  }
  return counts;
}

function* slotProblems(core: Core): Iterable<string> {
  const stepping = new Set<unknown>();
  for (const { state, marks } of core.tasks.values()) {
    if (state.name === 'sstep') stepping.add(state.slot);
    for (const { slot } of marks) if (slot !== undefined) stepping.add(slot);
  }
  for (const uproc of core.uprocs.values()) {
    const boosted = new Set(
      [...uproc.probepoints.values(), ...uproc.lingering].map((probepoint) => probepoint.boosted),
    );
    for (const slot of uproc.areas.flatMap(({ slots }) => slots)) {
      const where = `slot 0x${slot.address.toString(16)} (${slot.holder ?? 'free'})`;
      if ((slot.holder === 'step') !== stepping.has(slot))
        yield `${where}: ${stepping.has(slot) ? 'a' : 'no'} thread is in it`;
      if ((slot.holder === 'boost') !== boosted.has(slot))
        yield `${where}: ${boosted.has(slot) ? 'a' : 'no'} probepoint has it`;
    }
    const waiting = [...core.tasks.values()].filter(
      ({ state }) => state.name === 'slotWait' && state.probepoint.uproc === uproc,
    );
    if (waiting.length !== uproc.slotWaiters.length)
      yield `${waiting.length} threads wait for ${uproc.slotWaiters.length} slots`;
  }
}
