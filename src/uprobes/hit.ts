/**
 * A thread has fetched a breakpoint (handle_swbp): the consumers of the probepoint run in the thread's own time, then the instruction is executed. A
 * handler that sleeps parks the thread; when it has resolved the thread fetches the breakpoint again, and a mark says what is left to do.
 */
import { evaluate, evaluateConditions } from '../agent-expression/evaluate.js';
import type { AgentProgram } from '../agent-expression/program.js';
import { log } from '../log.js';
import { hex } from '../types.js';
import type { Core } from './core.js';
import { execute } from './execution.js';
import { guarded, handlerFailed } from './handler-call.js';
import type { HitAnswer, HookAnswer, HostThread } from './port.js';
import { ProbeHit } from './probe-hit.js';
import { Probepoint } from './probepoint.js';
import { type ConsumerRecord, type ProbeAction, probeOf } from './registration.js';
import { prepareReturn, returned } from './return-probe.js';
import { type HitMark, RUNNING, type UTask } from './task.js';
import type { FileProbe, HandlerResult, Uprobe } from './uprobe.js';

export function breakpoint(core: Core, thread: HostThread): HitAnswer {
  const answer = arrive(core, thread);
  if (answer === 'original') throw new Error('the original was left to a host that did not offer to execute it');
  return answer;
}

/** The same from an inline hook, of a thread that has nothing unfinished. Hot: what a handler costs is mostly this. */
export function hook(core: Core, thread: HostThread, owner: object | undefined): HookAnswer {
  core.hooked = true;
  try {
    const known = owner instanceof Probepoint && owner.state === 'set';
    return known ? freshHit(core, core.task(thread), owner, false) : arrive(core, thread);
  } finally {
    core.hooked = false;
  }
}

function arrive(core: Core, thread: HostThread): HookAnswer {
  const { space } = thread.process;
  const address = thread.ip;
  const uproc = core.uprocs.get(space);
  if (uproc?.isTrampoline(address)) return returned(core, core.task(thread));
  const probepoint = uproc?.probepoints.get(address);
  if (probepoint === undefined || probepoint.state !== 'set') return stray(core, thread);
  return hit(core, core.task(thread), probepoint);
}

const fetched = new Uint8Array(16);

/** No breakpoint of ours is here: the program's own, one that has just gone, or the program has jumped into a slot. */
function stray(core: Core, thread: HostThread): HookAnswer {
  const { space } = thread.process;
  if (space.inXolHole(thread.ip)) return { kind: 'fault', fault: core.arch.illegal(thread.ip) };
  const bytes = fetched.subarray(0, space.read(thread.ip, fetched));
  if (core.arch.isBreakpoint(bytes)) return 'program';
  core.statistics.stale++;
  return 'resume';
}

/** The thread has come back to finish a hit, or a new one begins. */
function hit(core: Core, task: UTask, probepoint: Probepoint): HookAnswer {
  const mark = task.takeMark(probepoint, () => core.arch.repeatState(task.thread));
  const stepped = task.stepFrom === probepoint.vaddr;
  task.stepFrom = undefined;
  return mark === undefined
    ? freshHit(core, task, probepoint, stepped)
    : resumeHit(core, task, probepoint, mark, stepped);
}

/** Handlers have run for this hit already. */
function resumeHit(core: Core, task: UTask, probepoint: Probepoint, mark: HitMark, stepped: boolean): HookAnswer {
  const { phase } = mark;
  task.enter(probepoint.handling);
  if (phase === 'stop') return report(task, probepoint);
  if (phase === 'execute' || stepped) return execute(core, task, probepoint, mark.slot);
  // gdb relies on it: to continue from a breakpoint that is still there means to stop there again, without progress.
  if (phase === 'reported') countHit(core, probepoint);
  return anyStops(core, task.thread, probepoint)
    ? report(task, probepoint)
    : execute(core, task, probepoint, mark.slot);
}

/** A hit of which nothing has been done. `skipStops`: the debugger has seen this stop, its consumers do not count. */
function freshHit(core: Core, task: UTask, probepoint: Probepoint, skipStops: boolean): HookAnswer {
  const began = core.clock.begin(probepoint);
  task.enter(probepoint.handling);
  countHit(core, probepoint);
  const answer = callConsumers(core, task, probepoint, skipStops);
  if (began !== undefined) core.clock.end(probepoint, began);
  return answer;
}

function countHit(core: Core, probepoint: Probepoint): void {
  probepoint.tally.hits++;
  core.statistics.hits++;
}

/**
 * Hot: what a handler costs is mostly this. Synchronous handlers, which are most of what programs are probed with, are called here, so that this is
 * compiled for them and not for all that a consumer can be; from whatever is unusual on the hit goes the long way.
 */
function callConsumers(core: Core, task: UTask, probepoint: Probepoint, skipStops: boolean): HookAnswer {
  const { consumers, vaddr } = probepoint;
  const { thread } = task;
  for (let i = 0; i < consumers.length; i++) {
    const record = consumers[i] as ConsumerRecord;
    const probe = plainProbe(record, thread);
    if (probe === undefined) return goOn(new Run(core, task, probepoint, consumers, skipStops, i));
    const call = new ProbeHit(thread, vaddr, 0n);
    record.registration.enter();
    const outcome = guarded(core, task, () => probe.handler?.(call)) ?? 'continue';
    if (outcome !== 'continue' || call.movedTo !== undefined || thread.ip !== vaddr)
      return goOnAfter(new Run(core, task, probepoint, consumers, skipStops, i + 1), record, call, outcome);
    record.registration.leave();
  }
  return consumers.length === 0
    ? goOn(new Run(core, task, probepoint, consumers, skipStops, 0))
    : execute(core, task, probepoint);
}

/** Of a consumer that is nothing but handlers for this thread, and wants to see no return. */
function plainProbe(record: ConsumerRecord, thread: HostThread): Uprobe | FileProbe | undefined {
  const probe = probeOf(record.registration.action);
  if (probe?.handler === undefined || !record.concerns(thread)) return undefined;
  const { retHandler, counter, when } = probe;
  return retHandler === undefined && counter === undefined && when === undefined ? probe : undefined;
}

function anyStops(core: Core, thread: HostThread, probepoint: Probepoint): boolean {
  let stop = false;
  for (const record of probepoint.consumers) {
    const { action } = record.registration;
    if (action === undefined || (action.kind !== 'stop' && action.kind !== 'commands')) continue;
    if (record.concerns(thread) && decides(core, thread, probepoint, action)) stop = true;
  }
  return stop;
}

function report(task: UTask, probepoint: Probepoint): HookAnswer {
  const { thread } = task;
  if (probepoint.state === 'set') task.mark({ probepoint, sp: thread.sp, phase: 'reported' });
  task.enter(RUNNING);
  task.runDeferred();
  return 'stop';
}

// ---- the long way

const NONE: readonly never[] = [];

/** A hit under way, and what it has done so far. */
class Run {
  /** Index of the next consumer. */
  next: number;
  handlers: number;
  removals = 0;
  stop = false;
  movedTo: number | undefined;
  /** Who wants to know of the return, and with which cookie. */
  returns: readonly { readonly record: ConsumerRecord; readonly cookie: bigint }[] = NONE;

  /**
   * `consumers`: as they were when the thread arrived: who registers meanwhile is not called. `skipStops`: the debugger has seen this stop, its consumers
   * do not count. `called`: so many consumers have had their call.
   */
  constructor(
    readonly core: Core,
    readonly task: UTask,
    readonly probepoint: Probepoint,
    readonly consumers: readonly ConsumerRecord[],
    readonly skipStops: boolean,
    called: number,
  ) {
    this.next = called;
    this.handlers = called;
  }
}

/** After a handler that has done something out of the ordinary. */
function goOnAfter(run: Run, record: ConsumerRecord, call: ProbeHit, outcome: Outcome): HookAnswer {
  return handlerReturned(run, record, call, outcome) === 'asleep' ? 'park' : goOn(run);
}

/** The consumers that are left, and then the instruction. */
function goOn(run: Run): HookAnswer {
  const { core, task, probepoint } = run;
  const decision = decide(run);
  if (decision === 'asleep') return 'park';
  afterConsumers(run);
  if (run.movedTo !== undefined) return moved(run, run.movedTo);
  return decision === 'stop' ? report(task, probepoint) : execute(core, task, probepoint);
}

/** Calls the consumers that are left, until one sleeps. Executes nothing. */
function decide(run: Run): 'asleep' | 'stop' | 'execute' {
  const { core, probepoint } = run;
  const { thread } = run.task;
  while (run.next < run.consumers.length) {
    const record = run.consumers[run.next++] as ConsumerRecord;
    const { action } = record.registration;
    if (action === undefined || !record.concerns(thread)) continue;
    run.handlers++;
    if (action.kind === 'collect') {
      if (action.collect(thread) === 'stop') run.stop = true;
    } else if (action.kind === 'uprobe' || action.kind === 'file') {
      const { counter, handler, retHandler, when } = action.probe;
      if (counter !== undefined && holds(core, thread, probepoint, counter.when)) counter.add(1);
      if (handler === undefined && retHandler === undefined) continue;
      if (!holds(core, thread, probepoint, when)) continue;
      if (callHandler(run, record) === 'asleep') return 'asleep';
    } else if (!run.skipStops && decides(core, thread, probepoint, action)) {
      run.stop = true;
    }
  }
  return run.stop ? 'stop' : 'execute';
}

/** Of what a probe wants to see: what cannot be evaluated is false. */
function holds(core: Core, thread: HostThread, probepoint: Probepoint, when: AgentProgram | undefined): boolean {
  if (when === undefined) return true;
  const { stop, error } = evaluateConditions([when], thread.agentMachine());
  if (error === undefined) return stop;
  core.statistics.conditionErrors++;
  log.debug({ address: hex(probepoint.vaddr), error }, 'whether a hit counts cannot be evaluated: it does not');
  return false;
}

/** Does this breakpoint of the debugger stop the thread? One with commands runs them instead. */
function decides(
  core: Core,
  thread: HostThread,
  probepoint: Probepoint,
  action: Extract<ProbeAction, { kind: 'stop' | 'commands' }>,
): boolean {
  const { conditions } = action;
  const machine = thread.agentMachine();
  const { stop, error } = evaluateConditions(conditions, machine);
  if (error !== undefined) {
    core.statistics.conditionErrors++;
    log.warn({ address: hex(probepoint.vaddr), error }, 'a breakpoint condition cannot be evaluated: it stops');
    return true;
  }
  if (!stop) {
    core.statistics.conditionsFalse++;
    probepoint.tally.falseConditions++;
    return false;
  }
  return action.kind === 'stop' || !runCommands(action.commands, machine, probepoint);
}

/** False: one cannot be evaluated. The others have run. */
function runCommands(
  commands: readonly AgentProgram[],
  machine: ReturnType<HostThread['agentMachine']>,
  probepoint: Probepoint,
): boolean {
  let well = true;
  for (const command of commands) {
    const result = evaluate(command, machine);
    if (result.kind === 'done') continue;
    well = false;
    log.warn({ address: hex(probepoint.vaddr), error: result.reason }, 'a breakpoint command failed: it stops');
  }
  return well;
}

function callHandler(run: Run, record: ConsumerRecord): 'done' | 'asleep' {
  const { core, task, probepoint } = run;
  const { registration } = record;
  const probe = probeOf(registration.action);
  if (probe === undefined) throw new Error('handler of no probe');
  const call = new ProbeHit(task.thread, probepoint.vaddr, 0n);
  registration.enter();
  const outcome = guarded(core, task, () => probe.handler?.(call)) ?? 'continue';
  return handlerReturned(run, record, call, outcome);
}

type Outcome = HandlerResult | Promise<HandlerResult>;

function handlerReturned(run: Run, record: ConsumerRecord, call: ProbeHit, outcome: Outcome): 'done' | 'asleep' {
  const { core, task, probepoint } = run;
  if (!(outcome instanceof Promise)) {
    note(run, record, call, outcome);
    record.registration.leave();
    return 'done';
  }
  core.statistics.sleeps++;
  core.clock.asleep(task, probepoint);
  task.enter({ name: 'parked', probepoint });
  task.thread.park();
  outcome.then(
    (result) => wake(run, record, call, result),
    (error: unknown) => {
      handlerFailed(core, error);
      wake(run, record, call, 'continue');
    },
  );
  return 'asleep';
}

/** What a handler's end means. */
function note(run: Run, record: ConsumerRecord, call: ProbeHit, result: HandlerResult): void {
  if (result === 'stop') run.stop = true;
  if (result === 'remove') run.removals++;
  const { probepoint } = run;
  const { thread } = run.task;
  if (thread.ip !== probepoint.vaddr) {
    call.movedTo ??= thread.ip;
    thread.ip = probepoint.vaddr;
  }
  if (call.movedTo !== undefined && run.consumers.filter(({ alive }) => alive).length <= 1) run.movedTo = call.movedTo;
  if (result !== 'ignore' && probeOf(record.registration.action)?.retHandler !== undefined)
    run.returns = [...run.returns, { record, cookie: call.cookie }];
}

/** A handler that slept has resolved. The consumers behind it run now; then the thread goes back to the breakpoint. */
function wake(run: Run, record: ConsumerRecord, call: ProbeHit, result: HandlerResult): void {
  const { core, task, probepoint } = run;
  core.statistics.slept += core.clock.awake(task);
  if (task.dead) return record.registration.leave();
  task.enter(probepoint.handling);
  note(run, record, call, result);
  record.registration.leave();
  const decision = decide(run);
  if (decision !== 'asleep') comeBack(run, decision);
  task.thread.unpark();
}

function comeBack(run: Run, phase: 'stop' | 'execute'): void {
  const { task, probepoint } = run;
  const { thread } = task;
  afterConsumers(run);
  if (run.movedTo !== undefined) thread.ip = run.movedTo;
  // Where the breakpoint has gone meanwhile, the original is executed in place.
  else if (probepoint.state === 'set') task.mark({ probepoint, sp: thread.sp, phase });
  task.enter(RUNNING);
  if (run.movedTo !== undefined || probepoint.state !== 'set') task.runDeferred();
}

/** A handler has sent the thread elsewhere: the original is not executed. */
function moved({ task, stop }: Run, movedTo: number): HookAnswer {
  task.thread.ip = movedTo;
  task.enter(RUNNING);
  task.runDeferred();
  return stop ? 'stop' : 'resume';
}

function afterConsumers({ core, task, probepoint, consumers, handlers, returns, removals }: Run): void {
  if (handlers === 0) {
    probepoint.tally.skipped++;
    core.statistics.skipped++;
  }
  if (returns.length > 0) {
    const wanted = returns.filter(({ record }) => record.alive);
    if (wanted.length > 0) prepareReturn(core, task, probepoint, wanted);
  }
  if (removals > 0 && removals === consumers.length) core.withdraw(probepoint);
}
