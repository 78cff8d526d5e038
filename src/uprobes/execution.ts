/**
 * After the handlers: the original instruction is executed, emulated, in a boosted slot, by a step in a slot, or in place, whichever comes first in the
 * probepoint's order of methods and works. Everything that leaves a state of that does so here.
 */
import { log } from '../log.js';
import { unreachable } from '../types.js';
import type { AnalyzedInsn, Method } from './arch.js';
import { METHODS } from './arch.js';
import type { Core } from './core.js';
import { updateHook } from './inline-hook.js';
import type { HitAnswer, HookAnswer, StepEnd } from './port.js';
import { isProbeError } from './probe-error.js';
import type { Probepoint } from './probepoint.js';
import { RUNNING, type Stepping, type TaskState, type UTask } from './task.js';
import type { XolArea, XolSlot } from './xol-area.js';

/** The task is `handling`; its thread stands at the probepoint. `slot`: handed over after a wait. */
export function execute(core: Core, task: UTask, probepoint: Probepoint, slot?: XolSlot): HookAnswer {
  const { insn, uproc, vaddr } = probepoint;
  if (core.hooked && slot === undefined && (probepoint.hook !== undefined || core.canHook(probepoint)))
    return leaveToHost(core, task, probepoint);
  // What may not be executed in place may not be executed elsewhere either: it raises its own fault. And a program that steps itself (TF) wants its
  // trap after the instruction, which is the host's to raise.
  const allowed = !isProbeError(insn) && uproc.space.isExecutable(vaddr);
  if (!allowed || task.thread.trapFlag) return inline(core, task, probepoint, slot);
  if (slot !== undefined) return stepOutOfLine(core, task, probepoint, insn, slot);
  for (const method of METHODS) {
    if (!insn.methods.has(method) || !core.options.methods.has(method)) continue;
    const answer = tryMethod(core, task, probepoint, insn, method);
    if (answer !== undefined) return answer;
  }
  return inline(core, task, probepoint);
}

/** undefined: it cannot be done in this way here; nothing has changed. */
function tryMethod(
  core: Core,
  task: UTask,
  probepoint: Probepoint,
  insn: AnalyzedInsn,
  method: Method,
): HitAnswer | undefined {
  switch (method) {
    case 'hook':
      return undefined;
    case 'emulate':
      return emulate(core, task, probepoint, insn);
    case 'boost':
      return boost(core, task, probepoint, insn);
    case 'xol':
      return outOfLine(core, task, probepoint, insn);
    case 'inline':
      return inline(core, task, probepoint);
    default:
      return unreachable(method);
  }
}

function leaveToHost(core: Core, task: UTask, probepoint: Probepoint): 'original' {
  count(core, probepoint, 'hook');
  finish(task);
  return 'original';
}

function count(core: Core, probepoint: Probepoint, method: Method): void {
  core.statistics.executed[method]++;
  probepoint.tally.method = method;
}

/** The instruction of this hit is over: what its handlers wanted to have done afterwards is done now, before the next fetch. */
function finish(task: UTask): void {
  task.enter(RUNNING);
  task.runDeferred();
}

// ---- emulate

function emulate(core: Core, task: UTask, probepoint: Probepoint, insn: AnalyzedInsn): HitAnswer | undefined {
  const { thread } = task;
  const outcome = core.arch.emulate(insn, probepoint.vaddr, thread, probepoint.uproc.space);
  if (outcome === 'impossible') return undefined;
  count(core, probepoint, 'emulate');
  if (outcome === 'done') thread.account(1);
  finish(task);
  return outcome === 'done' ? 'resume' : outcome;
}

// ---- boost

/**
 * The slot ends in a jump back: no second trap. Not for a thread that the debugger steps, which would stop inside, nor for a REP instruction whose
 * iterations a breakpoint wants to see.
 */
function boost(core: Core, task: UTask, probepoint: Probepoint, insn: AnalyzedInsn): HitAnswer | undefined {
  const { thread } = task;
  if (thread.stepping || (insn.repeats && probepoint.stops)) return undefined;
  const slot = probepoint.boosted ?? boostedSlot(core, probepoint, insn);
  if (slot === undefined) return undefined;
  probepoint.boosted = slot;
  count(core, probepoint, 'boost');
  const weight = core.host.returnJumpWeight;
  if (weight > 0 && core.arch.hasReturnJump(insn)) thread.account(-weight);
  thread.ip = slot.address;
  thread.displaced = true;
  task.enter({ name: 'boosted', probepoint, slot });
  task.runDeferred();
  return 'resume';
}

function boostedSlot(core: Core, probepoint: Probepoint, insn: AnalyzedInsn): XolSlot | undefined {
  const { uproc, vaddr } = probepoint;
  const area = uproc.areaFor(vaddr);
  const slot = area?.take(vaddr, 'boost');
  if (area === undefined || slot === undefined) return undefined;
  if (!core.arch.canBoost(insn, vaddr, slot.address)) {
    uproc.release(slot);
    return undefined;
  }
  area.fill(slot, core.arch.slotCode(insn, vaddr, slot.address, true));
  return slot;
}

/** Execution of a boosted thread came back: out of the slot with it, before anybody looks. */
export function settle(core: Core, task: UTask, end: StepEnd): StepEnd {
  const { state, thread } = task;
  if (state.name !== 'boosted') throw new Error(`thread ${thread.tid} is displaced but ${state.name}`);
  thread.displaced = false;
  const { probepoint, slot } = state;
  const { insn, vaddr } = probepoint;
  if (isProbeError(insn)) throw new Error(`boosted copy of no instruction at 0x${vaddr.toString(16)}`);
  const offset = thread.ip - slot.address;
  const inside = offset >= 0 && offset < slot.code.length;
  const translated = translateOut(core, task, offset, inside, insn, end, state);
  task.enter(RUNNING);
  return translated;
}

/** A boosted slot has two places where a thread can be: before the copy, and behind it, before the return jump. */
function translateOut(
  core: Core,
  task: UTask,
  offset: number,
  inside: boolean,
  insn: AnalyzedInsn,
  end: StepEnd,
  { probepoint, slot }: Extract<TaskState, { name: 'boosted' }>,
): StepEnd {
  const { thread } = task;
  const { vaddr } = probepoint;
  if (!inside) return end;
  const weight = core.host.returnJumpWeight;
  if (weight > 0 && core.arch.hasReturnJump(insn)) thread.account(weight);
  if (offset === insn.length) {
    thread.ip = vaddr + insn.length;
    return end;
  }
  if (offset !== 0) throw new Error(`thread ${thread.tid} is ${offset} bytes into the boosted slot of ${insn.text}`);
  thread.ip = vaddr;
  if (end.kind === 'fault') {
    core.statistics.aborts++;
    return {
      kind: 'fault',
      fault: core.arch.translateFault(insn, { address: vaddr, slot: slot.address, scratch: undefined }, end.fault),
    };
  }
  markUnfinished(core, task, probepoint, insn.repeats);
  return end;
}

/** The handlers have run, and the thread will come to the breakpoint again. */
function markUnfinished(core: Core, task: UTask, probepoint: Probepoint, repeats: boolean): void {
  if (probepoint.state !== 'set') return;
  const { thread } = task;
  const mark = { probepoint, sp: thread.sp };
  if (repeats) task.mark({ ...mark, phase: 'repeat', counters: core.arch.repeatState(thread) });
  else task.mark({ ...mark, phase: 'execute' });
}

// ---- XOL

function outOfLine(core: Core, task: UTask, probepoint: Probepoint, insn: AnalyzedInsn): HitAnswer | undefined {
  const { uproc, vaddr } = probepoint;
  const area = uproc.areaFor(vaddr);
  if (area === undefined || !core.arch.canDisplace(insn, area.base)) return undefined;
  const slot = area.take(vaddr, 'step');
  if (slot === undefined) return waitForSlot(core, task, probepoint, area);
  return stepOutOfLine(core, task, probepoint, insn, slot);
}

/** First come first served: a freed slot is taken on behalf of the head of the queue at once. */
function waitForSlot(core: Core, task: UTask, probepoint: Probepoint, area: XolArea): HitAnswer {
  const { thread } = task;
  const { uproc, vaddr } = probepoint;
  core.statistics.slotWaits++;
  task.enter({ name: 'slotWait', probepoint });
  thread.park();
  const wake = (): void => {
    const slot = area.take(vaddr, 'step');
    if (slot === undefined) throw new Error('a freed XOL slot cannot be taken');
    if (probepoint.state === 'set') {
      task.mark({ probepoint, sp: thread.sp, phase: 'execute', slot });
    } else {
      uproc.release(slot);
    }
    task.enter(RUNNING);
    thread.unpark();
  };
  uproc.slotWaiters.push({ task, area, wake });
  return 'park';
}

function stepOutOfLine(core: Core, task: UTask, probepoint: Probepoint, insn: AnalyzedInsn, slot: XolSlot): HitAnswer {
  const { vaddr } = probepoint;
  const { thread } = task;
  slot.area.fill(slot, core.arch.slotCode(insn, vaddr, slot.address, false));
  count(core, probepoint, 'xol');
  const step = core.arch.enterSlot(insn, vaddr, slot.address, thread);
  task.enter({ name: 'sstep', probepoint, slot, step });
  const end = thread.step();
  return end === 'running' ? 'park' : stepEnded(core, task, end);
}

/** The step in the slot, or in place, has ended: the thread is made to look as if the original had run, or had faulted, at its own address. */
export function stepEnded(core: Core, task: UTask, end: StepEnd): HitAnswer {
  const { state } = task;
  if (state.name === 'inline') return inlineEnded(core, task, state, end);
  if (state.name !== 'sstep') throw new Error(`thread ${task.thread.tid}: a step ended in state ${state.name}`);
  const { insn } = state.probepoint;
  if (isProbeError(insn))
    throw new Error(`stepped a copy of no instruction at 0x${state.probepoint.vaddr.toString(16)}`);
  return end.kind === 'fuel' || end.kind === 'watch'
    ? acknowledge(core, task, insn, state, end)
    : trapped(core, task, insn, state, end);
}

/** post_xol */
function acknowledge(core: Core, task: UTask, insn: AnalyzedInsn, state: Stepping, end: StepEnd): HitAnswer {
  const { thread } = task;
  const { probepoint, slot, step } = state;
  task.enter({ ...state, name: 'sstepAck' });
  const mended = core.arch.leaveSlot(insn, step, thread, probepoint.uproc.space);
  if (insn.repeats && thread.ip === probepoint.vaddr) markUnfinished(core, task, probepoint, true);
  releaseSlot(task, slot);
  if (!mended) {
    log.warn({ address: probepoint.vaddr, insn: insn.text }, 'the return address of a probed call cannot be mended');
    return { kind: 'fault', fault: core.arch.illegal(probepoint.vaddr) };
  }
  return end.kind === 'fuel' ? 'resume' : end;
}

/** abort_xol: the instruction is repeated after the signal handler returns, and hits the probe again. */
function trapped(core: Core, task: UTask, insn: AnalyzedInsn, state: Stepping, end: StepEnd): HitAnswer {
  const { thread } = task;
  const { slot, step } = state;
  task.enter({ ...state, name: 'sstepTrapped' });
  core.arch.abortStep(insn, step, thread);
  releaseSlot(task, slot);
  if (end.kind === 'breakpoint') return 'program';
  if (end.kind !== 'fault') return end;
  core.statistics.aborts++;
  return { kind: 'fault', fault: core.arch.translateFault(insn, step, end.fault) };
}

function releaseSlot(task: UTask, slot: XolSlot): void {
  const { state } = task;
  const uproc = state.name === 'running' ? undefined : state.probepoint?.uproc;
  finish(task);
  uproc?.release(slot);
}

// ---- inline

/**
 * In place, with the breakpoint taken out: whatever cannot be copied, what is no instruction (its own fault or trap is raised), and when no slot can be
 * had. Nobody else may pass meanwhile.
 */
function inline(core: Core, task: UTask, probepoint: Probepoint, slot?: XolSlot): HitAnswer {
  const { thread } = task;
  const { space } = probepoint.uproc;
  if (slot !== undefined) probepoint.uproc.release(slot);
  count(core, probepoint, 'inline');
  space.freeze(thread);
  probepoint.uproc.open(probepoint.vaddr);
  updateHook(core, probepoint);
  task.enter({ name: 'inline', probepoint });
  const end = thread.step();
  return end === 'running' ? 'park' : stepEnded(core, task, end);
}

function inlineEnded(
  core: Core,
  task: UTask,
  { probepoint }: Extract<TaskState, { name: 'inline' }>,
  end: StepEnd,
): HitAnswer {
  const { thread } = task;
  const { insn, uproc, vaddr } = probepoint;
  const lost = !uproc.close(vaddr);
  updateHook(core, probepoint);
  uproc.space.thaw(thread);
  const done = end.kind === 'fuel' || end.kind === 'watch';
  const goesOn = !isProbeError(insn) && insn.repeats && done && thread.ip === vaddr;
  if (goesOn && !lost) markUnfinished(core, task, probepoint, true);
  finish(task);
  if (lost) core.disable(probepoint);
  if (end.kind === 'breakpoint') return probepoint.stopsFor(thread) ? 'passed' : 'program';
  if (end.kind === 'fault') core.statistics.aborts++;
  return end.kind === 'fuel' ? 'resume' : end;
}
