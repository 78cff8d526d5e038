/**
 * Return probes (uretprobes): at a function's entry its return address is replaced by the trampoline, a breakpoint in the XOL area; when the thread
 * fetches that, the function has returned. Instances form a stack in the task that mirrors the calls on the program's stack.
 */
import { log } from '../log.js';
import { hex } from '../types.js';
import type { Core } from './core.js';
import { guarded, handlerFailed } from './handler-call.js';
import type { HitAnswer, HostSpace } from './port.js';
import { ProbeHit } from './probe-hit.js';
import type { Probepoint } from './probepoint.js';
import { probeOf } from './registration.js';
import { type ReturnInstance, RUNNING, type UTask } from './task.js';

/** The thread is at the entry of a function whose return these consumers want to see. */
export function prepareReturn(
  core: Core,
  task: UTask,
  probepoint: Probepoint,
  consumers: ReturnInstance['consumers'],
): void {
  const { thread } = task;
  const { uproc } = probepoint;
  const area = uproc.trampolineArea(probepoint.vaddr);
  if (area === undefined) return miss(core, probepoint, 'no page for the trampoline');
  const found = core.arch.readReturnAddress(thread, uproc.space);
  if (found === undefined) return miss(core, probepoint, 'the return address is unreadable');
  const chained = found === area.base;
  // A chained one has the same frame as the one before; another may be the frame of a call that longjmp has left.
  abandon(core, task, ({ sp }) => (chained ? sp < thread.sp : sp <= thread.sp));
  if (task.returns.length >= core.options.maxReturns) return miss(core, probepoint, 'calls are nested too deep');
  const outer = task.returns.at(-1);
  if (chained && outer === undefined) return miss(core, probepoint, 'the program returns to the trampoline by itself');
  const returnsTo = chained && outer !== undefined ? outer.returnsTo : found;
  if (!chained && !core.arch.writeReturnAddress(thread, uproc.space, area.base))
    return miss(core, probepoint, 'the return address is not writable');
  task.returns.push({ probepoint: probepoint.get(), consumers, sp: thread.sp, returnsTo, chained });
}

function miss(core: Core, probepoint: Probepoint, reason: string): void {
  if (core.statistics.returnsMissed++ === 0)
    log.warn({ address: hex(probepoint.vaddr), reason }, 'a return will not be seen (more are only counted)');
}

/** Frames that longjmp has left. They are innermost. */
function abandon(core: Core, task: UTask, isDead: (instance: ReturnInstance) => boolean): void {
  for (let last = task.returns.at(-1); last !== undefined && isDead(last); last = task.returns.at(-1)) {
    task.returns.pop();
    core.statistics.returnsAbandoned++;
    last.probepoint.put();
  }
}

/** The thread has fetched the trampoline (handle_trampoline). Its ip is right before the handlers run, and the instances are gone. */
export function returned(core: Core, task: UTask): HitAnswer {
  const { thread } = task;
  const finished = popReturned(core, task);
  const outermost = finished.at(-1);
  if (outermost === undefined) return { kind: 'fault', fault: core.arch.illegal(thread.ip) };
  thread.ip = outermost.returnsTo;
  core.statistics.returns += finished.length;
  const [first] = finished;
  // Nearly always there is one.
  const calls =
    finished.length === 1 && first !== undefined ? first.consumers : finished.flatMap((one) => one.consumers);
  const answer = runReturnHandlers(core, task, calls, 0);
  for (const { probepoint } of finished) probepoint.put();
  return answer;
}

/**
 * The instances of the frame that has returned, innermost first. Frames that longjmp has left lie on top: such a frame is known by the next one, which
 * would lie below the stack pointer too.
 */
function popReturned(core: Core, task: UTask): ReturnInstance[] {
  for (;;) {
    const chain: ReturnInstance[] = [];
    for (let last = task.returns.pop(); last !== undefined; last = task.returns.pop()) {
      chain.push(last);
      if (!last.chained) break;
    }
    const next = task.returns.at(-1);
    if (next === undefined || task.thread.sp <= next.sp) return chain;
    core.statistics.returnsAbandoned += chain.length;
    for (const { probepoint } of chain) probepoint.put();
  }
}

type ReturnCall = ReturnInstance['consumers'][number];

function runReturnHandlers(core: Core, task: UTask, calls: readonly ReturnCall[], from: number): 'resume' | 'park' {
  for (let i = from; i < calls.length; i++) {
    const outcome = callReturnHandler(core, task, calls[i] as ReturnCall);
    if (!(outcome instanceof Promise)) continue;
    sleep(core, task, calls, i, outcome);
    return 'park';
  }
  task.runDeferred();
  return 'resume';
}

/** A promise: the handler sleeps. */
function callReturnHandler(core: Core, task: UTask, { record, cookie }: ReturnCall): Promise<void> | undefined {
  const { registration } = record;
  const probe = probeOf(registration.action);
  if (probe?.retHandler === undefined) return undefined;
  registration.enter();
  const outcome = guarded(core, task, () => probe.retHandler?.(new ProbeHit(task.thread, task.thread.ip, cookie)));
  if (outcome instanceof Promise) return outcome;
  registration.leave();
  return undefined;
}

function sleep(core: Core, task: UTask, calls: readonly ReturnCall[], at: number, outcome: Promise<void>): void {
  const { thread } = task;
  const { registration } = (calls[at] as ReturnCall).record;
  core.statistics.sleeps++;
  core.clock.asleep(task, undefined);
  task.enter({ name: 'parked', probepoint: undefined });
  thread.park();
  const wake = (): void => {
    core.statistics.slept += core.clock.awake(task);
    registration.leave();
    if (task.dead) return;
    task.enter(RUNNING);
    runReturnHandlers(core, task, calls, at + 1);
    thread.unpark();
  };
  outcome.then(wake, (error: unknown) => {
    handlerFailed(core, error);
    wake();
  });
}

/** A child that begins with a copy of the stack returns through the trampoline too, and nobody there wants to know. */
export function inheritReturns(parent: UTask, child: UTask): void {
  for (const instance of parent.returns) {
    child.returns.push({ ...instance, probepoint: instance.probepoint.get(), consumers: [] });
  }
}

export function forgetReturns(task: UTask): void {
  for (const { probepoint } of task.returns.splice(0)) probepoint.put();
}

const RETURN_ADDRESS = 8;

/**
 * Puts the real return addresses over trampolines in bytes that were read at `address`: a debugger's view of the stack.
 */
export function showReturns(tasks: Iterable<UTask>, space: HostSpace, address: number, bytes: Uint8Array): void {
  for (const task of tasks) {
    if (task.thread.process.space !== space) continue;
    for (const { sp, returnsTo } of task.returns) {
      const real = Buffer.alloc(RETURN_ADDRESS);
      real.writeBigUInt64LE(BigInt(returnsTo));
      for (let i = 0; i < RETURN_ADDRESS; i++) {
        const at = sp + i - address;
        if (at >= 0 && at < bytes.length) bytes[at] = real[i] as number;
      }
    }
  }
}
