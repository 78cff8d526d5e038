/** Calling a client's code. */
import { log } from '../log.js';
import type { Core } from './core.js';
import type { UTask } from './task.js';

/**
 * A client's mistake must not end the machine: it is logged and counted, and the hit goes on. While the call lasts, registrations are put off until the
 * instruction of the hit is over.
 */
export function guarded<T>(core: Core, task: UTask, call: () => T): T | undefined {
  const outer = core.handling;
  core.handling = task;
  try {
    return call();
  } catch (error) {
    handlerFailed(core, error);
    return undefined;
  } finally {
    core.handling = outer;
  }
}

export function handlerFailed(core: Core, error: unknown): void {
  core.statistics.handlerErrors++;
  log.error({ error: String(error) }, 'a probe handler has thrown: the thread goes on');
}
