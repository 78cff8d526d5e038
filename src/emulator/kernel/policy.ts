/** Scheduling policies: remembered for who asks. The order of execution is the scheduler's alone; they matter for how late a sleep may end. */
import type { Thread } from '../thread.js';

/** SCHED_*. */
export const POLICY = { OTHER: 0, FIFO: 1, RR: 2, BATCH: 3, IDLE: 5, DEADLINE: 6 } as const;

export function isRealtime(policy: number): boolean {
  return policy === POLICY.FIFO || policy === POLICY.RR;
}

/** ns that a sleep with a time limit lasts longer, as in Linux where nothing else wakes the processor (PR_SET_TIMERSLACK of prctl(2)). */
export function timerSlack({ policy, process }: Thread): number {
  return isRealtime(policy.policy) ? 0 : process.timerSlack;
}
