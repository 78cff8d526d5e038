/** Taking pending signals out of their queues (kernel/signal.c: dequeue_signal, next_signal). */
import type { Machine } from '../machine.js';
import { bit, type PendingSignals, SIGNAL, SIGNAL_COUNT, type SigInfo, type SigSet, setOf } from '../signals.js';
import type { Thread } from '../thread.js';
import { rearmRealTimer } from './itimer.js';
import { timerDelivered } from './posix-timer.js';

/** Signals that an instruction of the thread raises come before all others. */
const SYNCHRONOUS = setOf(SIGNAL.SEGV, SIGNAL.BUS, SIGNAL.ILL, SIGNAL.TRAP, SIGNAL.FPE, SIGNAL.SYS);

/** The next signal out of `allowed` for the thread: its own before its process's, the lowest number first, equal ones in order. */
export function dequeueSignal(machine: Machine, thread: Thread, allowed: SigSet): SigInfo | undefined {
  const info = take(thread.pending, allowed) ?? take(thread.process.pending, allowed);
  if (info?.signal === SIGNAL.ALRM) rearmRealTimer(machine, thread.process);
  if (info?.fields.kind === 'timer') return timerDelivered(machine, thread.process, info);
  return info;
}

function take(pending: PendingSignals, allowed: SigSet): SigInfo | undefined {
  const candidates = pending.set & allowed;
  if (candidates === 0n) return undefined;
  const urgent = candidates & SYNCHRONOUS;
  return takeSignal(pending, lowest(urgent === 0n ? candidates : urgent));
}

function lowest(set: SigSet): number {
  for (let signal = 1; signal <= SIGNAL_COUNT; signal++) if (set & bit(signal)) return signal;
  throw new Error('an empty set has no lowest signal');
}

function takeSignal(pending: PendingSignals, signal: number): SigInfo {
  const at = pending.queue.findIndex((info) => info.signal === signal);
  const info = at < 0 ? undefined : pending.queue.splice(at, 1)[0];
  if (!pending.queue.some((other) => other.signal === signal)) pending.set &= ~bit(signal);
  // The queue was full when it was sent: all that is known is that it came.
  return info ?? { signal, errno: 0, code: 0, fields: { kind: 'kill', pid: 0, uid: 0 } };
}
