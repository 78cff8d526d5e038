/** What becomes of probes when processes fork, exec and end, and when mappings come, change and go. */
import type { Core } from './core.js';
import { settle } from './execution.js';
import { dropForbidden, placeFileProbes } from './file-probe.js';
import { threadJoined, threadsLeft, updateHook } from './inline-hook.js';
import type { HostProcess, HostSpace, HostThread, HostVma } from './port.js';
import { isProbeError } from './probe-error.js';
import type { Probepoint } from './probepoint.js';
import { place, placeWaiting } from './register.js';
import { type ConsumerRecord, probeOf } from './registration.js';
import { forgetReturns, inheritReturns } from './return-probe.js';
import { countUp } from './semaphore.js';
import type { Stepping, UTask } from './task.js';
import type { Departure } from './uprobe.js';
import type { UProc } from './uproc.js';
import { sameBytes } from './xol-area.js';

/** The child's memory is a copy without breakpoints: it gets those that somebody wants there. */
export function forked(core: Core, parent: HostThread, child: HostThread): void {
  const uproc = core.uprocs.get(parent.process.space);
  if (uproc !== undefined) inheritProbes(core, uproc, child);
  placeFileProbes(core, child.process);
  const task = core.tasks.get(parent);
  if (task !== undefined && task.returns.length > 0) inheritPendingReturns(core, task, uproc, child);
}

/** Probes of a process are about that process, unless their filter wants the child as well. */
function inheritProbes(core: Core, uproc: UProc, child: HostThread): void {
  for (const { vaddr, consumers, refCounter } of [...uproc.probepoints.values()]) {
    for (const { registration } of consumers) {
      const { action } = registration;
      if (action?.kind !== 'uprobe' || !registration.hasFilter || !registration.wants(child)) continue;
      place(core, registration, child.process, vaddr, refCounter);
    }
  }
}

/** The child returns from the same calls: through a trampoline at the same address, or, without one, straight to its callers. */
function inheritPendingReturns(core: Core, parent: UTask, uproc: UProc | undefined, child: HostThread): void {
  const [area] = uproc?.areas ?? [];
  if (area === undefined) throw new Error(`thread ${parent.thread.tid} has pending returns without a trampoline`);
  const { space } = child.process;
  const own = core.uproc(space);
  if (own.areas.length === 0) own.addArea({ at: area.base });
  if (own.isTrampoline(area.base)) return inheritReturns(parent, core.task(child));
  for (const { sp, returnsTo } of parent.returns) {
    const word = Buffer.alloc(8);
    word.writeBigUInt64LE(BigInt(returnsTo));
    space.write(sp, word);
  }
}

/** A thread in the same address space. Filters may want it; a vfork child returns from its parent's calls. */
export function cloned(core: Core, parent: HostThread, child: HostThread): void {
  const uproc = core.uprocs.get(child.process.space);
  if (uproc === undefined) return;
  for (const probepoint of [...uproc.probepoints.values()]) {
    if (probepoint.state === 'deferred') core.update(probepoint);
  }
  threadJoined(core, uproc, child);
  const task = core.tasks.get(parent);
  if (child.process !== parent.process && task !== undefined && task.returns.length > 0)
    inheritReturns(task, core.task(child));
}

export function execed(core: Core, thread: HostThread): void {
  // Hosts need not report the other threads, which exec has ended.
  forgetTasks(core, thread.process);
  forgetWaiting(core, thread.process);
  for (const record of recordsOf(core, thread.process)) {
    if (record.probepoint.uproc.space !== thread.process.space) depart(core, record, 'exec');
  }
  threadsLeft(core);
  dropForbidden(core, thread.process);
  placeFileProbes(core, thread.process);
}

export function threadExited(core: Core, thread: HostThread): void {
  forgetTask(core, thread);
}

export function processExited(core: Core, process: HostProcess): void {
  forgetTasks(core, process);
  forgetWaiting(core, process);
  for (const record of recordsOf(core, process)) depart(core, record, 'exit');
  threadsLeft(core);
}

export function spaceGone(core: Core, space: HostSpace): void {
  const uproc = core.uprocs.get(space);
  if (uproc === undefined) return;
  core.uprocs.delete(space);
  for (const probepoint of [...uproc.probepoints.values()]) {
    core.lose(probepoint, true);
    for (const record of probepoint.consumers) depart(core, record, record.process.alive ? 'exec' : 'exit');
  }
}

function forgetTasks(core: Core, process: HostProcess): void {
  for (const task of [...core.tasks.values()]) {
    if (task.thread.process === process) forgetTask(core, task.thread);
  }
}

/** Addresses of another program mean nothing. */
function forgetWaiting(core: Core, process: HostProcess): void {
  for (const registration of core.waiting)
    if (registration.waitsAt?.process === process) core.forgetClient(registration);
}

/** What the thread was in the middle of is over; what resolves later finds it dead. */
function forgetTask(core: Core, thread: HostThread): void {
  const task = core.tasks.get(thread);
  if (task === undefined) return;
  core.tasks.delete(thread);
  // A thread that has exec'ed goes on.
  if (thread.alive && thread.unfinished) thread.unfinished = false;
  task.dead = true;
  core.statistics.slept += core.clock.awake(task);
  const { state } = task;
  const uproc = state.name === 'running' ? undefined : state.probepoint?.uproc;
  if (uproc !== undefined) dropWaiter(uproc, task);
  task.abandon();
  if (state.name === 'sstep') leaveSlot(core, state, thread);
  if (state.name === 'inline') {
    uproc?.close(state.probepoint.vaddr);
    updateHook(core, state.probepoint);
    uproc?.space.thaw(thread);
  }
  task.dropMarks(() => true);
  forgetReturns(task);
  task.runDeferred();
}

/** Its core shows the instruction that it was executing, where the program has it. */
function leaveSlot(core: Core, { probepoint, slot, step }: Stepping, thread: HostThread): void {
  if (!isProbeError(probepoint.insn)) core.arch.abortStep(probepoint.insn, step, thread);
  probepoint.uproc.release(slot);
}

function dropWaiter({ slotWaiters }: UProc, task: UTask): void {
  const at = slotWaiters.findIndex((waiter) => waiter.task === task);
  if (at >= 0) slotWaiters.splice(at, 1);
}

function recordsOf(core: Core, process: HostProcess): ConsumerRecord[] {
  const found: ConsumerRecord[] = [];
  for (const uproc of core.uprocs.values()) {
    for (const { consumers } of uproc.probepoints.values()) {
      found.push(...consumers.filter((record) => record.process === process));
    }
  }
  return found;
}

/** The place has gone; the client's probe with it when it was its only one. */
export function depart(core: Core, record: ConsumerRecord, why: Departure): void {
  const { registration } = record;
  core.removeConsumer(record);
  const { action } = registration;
  if (why === 'unmap' && action !== undefined && registration.waitsAt !== undefined) {
    core.waiting.add(registration);
    return;
  }
  if (action === undefined || action.kind === 'file' || registration.records.size > 0) return;
  const probe = probeOf(action);
  core.forgetClient(registration);
  if (probe !== undefined && 'onGone' in probe) probe.onGone?.(why);
}

// ---- mappings

export function mapped(core: Core, process: HostProcess, vma: HostVma): void {
  placeFileProbes(core, process, vma);
  if (core.waiting.size > 0) placeWaiting(core, process, vma);
  const uproc = core.uprocs.get(process.space);
  for (const probepoint of [...(uproc?.uncounted ?? [])]) countUp(probepoint);
}

export function unmapped(core: Core, space: HostSpace, from: number, to: number): void {
  for (const probepoint of probepointsIn(core, space, from, to)) {
    core.lose(probepoint, false);
    for (const record of probepoint.consumers) depart(core, record, 'unmap');
  }
}

/** The probed instruction may be another one now. */
export function rewritten(core: Core, space: HostSpace, from: number, to: number): void {
  for (const probepoint of probepointsIn(core, space, from - core.arch.maxInsnLength + 1, to)) {
    const bytes = core.readInsn(space, probepoint.vaddr);
    if (sameBytes(bytes, probepoint.bytes)) continue;
    evict(core, probepoint);
    probepoint.uproc.releaseBoost(probepoint);
    if (core.options.onRewrite === 'disable') {
      for (const record of probepoint.consumers) depart(core, record, 'unmap');
      continue;
    }
    probepoint.setInsn(bytes, core.analyze(probepoint.uproc, probepoint.vaddr, bytes));
    updateHook(core, probepoint);
  }
}

/** Threads leave a boosted slot whose contents are about to change. */
function evict(core: Core, probepoint: Probepoint): void {
  for (const task of core.tasks.values()) {
    if (task.state.name === 'boosted' && task.state.probepoint === probepoint) settle(core, task, { kind: 'fuel' });
  }
}

function probepointsIn(core: Core, space: HostSpace, from: number, to: number): Probepoint[] {
  const all = core.uprocs.get(space)?.probepoints.values() ?? [];
  return [...all].filter(({ vaddr }) => vaddr >= from && vaddr < to);
}
