/** Generation of signals (kernel/signal.c: send_signal_locked, prepare_signal, complete_signal) and the mask that decides who takes them. */

import type { Machine } from '../machine.js';
import { type Process, waitStatus } from '../process.js';
import {
  bit, CLD, DEFAULT_ACTION, defaultAction, type PendingSignals, SA, SIG_DFL, SIG_IGN, SIGNAL, SIGRTMIN, type SigInfo, type SigSet, STOP_SIGNALS, UNBLOCKABLE,
} from '../signals.js'; // biome-ignore format: one list
import { isInterruptible } from '../sleep.js';
import type { Thread } from '../thread.js';
import { EAGAIN } from './errno.js';
import { RLIMIT } from './limits.js';
import { numberFor } from './pid-namespace.js';

/** Sends to the process as a whole: whichever thread takes it. 0, or -EAGAIN when its queue of real-time signals is full. */
/** Numbers in `info` are the machine's: the receiver gets those that it can see. */
export function sendToProcess(machine: Machine, process: Process, info: SigInfo): number {
  return send(machine, process, undefined, infoFor(process, info));
}

export function sendToThread(machine: Machine, thread: Thread, info: SigInfo): number {
  return send(machine, thread.process, thread, infoFor(thread.process, info));
}

/** The kernel's own kinds; what sigqueue sends is the sender's to say. */
export function infoFor(viewer: Process, info: SigInfo): SigInfo {
  const { fields } = info;
  if (viewer.pidNamespace === undefined || (fields.kind !== 'kill' && fields.kind !== 'child')) return info;
  return { ...info, fields: { ...fields, pid: numberFor(viewer, fields.pid) } };
}

/** Sends to every process of a group; how many there are. */
export function sendToGroup(machine: Machine, pgid: number, info: SigInfo): number {
  const members = [...machine.processes.values()].filter((process) => process.pgid === pgid);
  for (const process of members) sendToProcess(machine, process, info);
  return members.length;
}

/** A fault of the thread itself: when it blocks or ignores the signal, it dies of it (force_sig_info). */
export function forceSignal(machine: Machine, thread: Thread, info: SigInfo): void {
  const { actions } = thread.process.handlers;
  const blocked = (thread.signalMask & bit(info.signal)) !== 0n;
  if (blocked || actions[info.signal]?.handler === SIG_IGN) actions[info.signal] = DEFAULT_ACTION;
  if (blocked) thread.signalMask &= ~bit(info.signal);
  queue(thread.pending, info);
  notify(machine, thread);
}

/** The thread dies of the signal whatever its disposition (force_fatal_sig). */
export function forceFatalSignal(machine: Machine, thread: Thread, info: SigInfo): void {
  thread.process.handlers.actions[info.signal] = DEFAULT_ACTION;
  forceSignal(machine, thread, info);
}

function send(machine: Machine, process: Process, thread: Thread | undefined, info: SigInfo): number {
  if (process === machine.root) {
    machine.hooks.rootSignal(info);
    return 0;
  }
  if (process.status !== undefined || process.fate !== undefined) return 0;
  prepare(machine, process, info.signal);
  if (isIgnored(process, thread ?? process.leader, info.signal)) return 0;
  if (info.signal === SIGNAL.KILL) {
    machine.doom(process, { kind: 'killed', signal: SIGNAL.KILL, core: false });
    return 0;
  }
  const pending = thread?.pending ?? process.pending;
  // A timer's signal is its own (send_sigqueue): it is never taken for one that is pending already.
  if (info.signal < SIGRTMIN && pending.set & bit(info.signal) && info.fields.kind !== 'timer') return 0;
  const refused = enqueue(process, pending, info);
  machine.wake(process.signalKey);
  const taker = thread ?? chooseTaker(process, info.signal);
  if (taker !== undefined && wants(taker, info.signal)) notify(machine, taker);
  return refused;
}

/** A full queue loses only the facts of a kill; a signal that promised a value is refused. */
function enqueue(process: Process, pending: PendingSignals, info: SigInfo): number {
  const limit = process.limits[RLIMIT.SIGPENDING]?.soft ?? Number.POSITIVE_INFINITY;
  if (info.signal < SIGRTMIN || pending.queue.length < limit) queue(pending, info);
  else if (info.code < 0) return -EAGAIN;
  else pending.set |= bit(info.signal);
  return 0;
}

function queue(pending: PendingSignals, info: SigInfo): void {
  pending.set |= bit(info.signal);
  pending.queue.push(info);
}

/** A stop signal cancels a pending SIGCONT and the other way round; SIGCONT wakes a stopped process whatever becomes of it later. */
function prepare(machine: Machine, process: Process, signal: number): void {
  if (bit(signal) & STOP_SIGNALS) discard(process, bit(SIGNAL.CONT));
  if (signal === SIGNAL.CONT) {
    discard(process, STOP_SIGNALS);
    continueProcess(machine, process);
  }
}

function discard(process: Process, signals: SigSet): void {
  discardFrom(process.pending, signals);
  for (const thread of process.threads.values()) discardFrom(thread.pending, signals);
}

/** Forgets pending signals. */
export function discardFrom(pending: PendingSignals, signals: SigSet): void {
  if ((pending.set & signals) === 0n) return;
  pending.set &= ~signals;
  pending.queue = pending.queue.filter(({ signal }) => (bit(signal) & signals) === 0n);
}

function continueProcess(machine: Machine, process: Process): void {
  if (process.stopped === undefined) return;
  process.stopped = undefined;
  process.unreported = 'continued';
  for (const thread of process.threads.values()) {
    recalculatePending(thread);
    if (thread.signalPending) machine.scheduler.enqueue(thread);
  }
  tellParent(machine, process, CLD.CONTINUED, SIGNAL.CONT);
}

/** Job control stops the process. */
export function stopProcess(machine: Machine, process: Process, signal: number): void {
  process.stopped = signal;
  process.unreported = 'stopped';
  tellParent(machine, process, CLD.STOPPED, signal);
}

/** SIGCHLD for a stop or continuation (do_notify_parent_cldstop). */
function tellParent(machine: Machine, process: Process, code: number, status: number): void {
  const { parent } = process;
  if (parent === undefined || parent === machine.root) return;
  const action = parent.handlers.actions[SIGNAL.CHLD] ?? DEFAULT_ACTION;
  if (action.handler !== SIG_IGN && !(action.flags & SA.NOCLDSTOP)) {
    sendToProcess(machine, parent, childInfo(process, SIGNAL.CHLD, code, status));
  }
  machine.wake(parent.childKey);
}

const NS_PER_TICK = 10_000_000;

/** The siginfo that tells a parent about its child. */
export function childInfo(child: Process, signal: number, code: number, status: number): SigInfo {
  const utime = Math.floor(child.retired / NS_PER_TICK);
  const fields = { kind: 'child', pid: child.pid, uid: child.credentials.ruid, status, utime, stime: 0 } as const;
  return { signal, errno: 0, code, fields };
}

/** What the parent is told about the end of a child, in siginfo's words. */
export function endInfo(child: Process): SigInfo {
  const { status } = child;
  if (status === undefined) throw new Error(`process ${child.pid} has not ended`);
  if (status.kind === 'exited') return childInfo(child, child.exitSignal, CLD.EXITED, status.code & 0xff);
  return childInfo(child, child.exitSignal, status.core ? CLD.DUMPED : CLD.KILLED, waitStatus(status) & 0x7f);
}

/** A blocked signal is kept even when it is ignored now: the disposition may have changed when it is unblocked. A debugger sees ignored ones too. */
function isIgnored(process: Process, thread: Thread | undefined, signal: number): boolean {
  if (signal === SIGNAL.KILL || signal === SIGNAL.STOP) return false;
  if (process.traced) return false;
  if (thread !== undefined && thread.signalMask & bit(signal)) return false;
  const handler = process.handlers.actions[signal]?.handler ?? SIG_DFL;
  if (handler === SIG_IGN) return true;
  const byDefault = defaultAction(signal);
  return handler === SIG_DFL && (byDefault === 'ignore' || byDefault === 'continue');
}

/** The leader first, then the others in order of their age. */
function chooseTaker(process: Process, signal: number): Thread | undefined {
  const { leader } = process;
  if (leader !== undefined && wants(leader, signal)) return leader;
  for (const thread of process.threads.values()) if (wants(thread, signal)) return thread;
  return undefined;
}

function wants(thread: Thread, signal: number): boolean {
  if (thread.signalMask & ~thread.awaitedSignals & bit(signal)) return false;
  return !thread.held && thread.process.stopped === undefined;
}

/** The thread has something to look at before it runs on. */
function notify(machine: Machine, thread: Thread): void {
  thread.signalPending = true;
  if (thread.state !== 'blocked') return;
  if (thread.awaitedSignals !== 0n) machine.wakeThread(thread);
  else if (isInterruptible(machine, thread)) machine.scheduler.enqueue(thread);
}

/** Sets `signalPending` from what is pending and not blocked. */
export function recalculatePending(thread: Thread): void {
  const all = thread.pending.set | thread.process.pending.set;
  thread.signalPending = (all & ~thread.signalMask) !== 0n;
}

/** Replaces the mask of a thread; SIGKILL and SIGSTOP cannot be blocked. */
export function setSignalMask(machine: Machine, thread: Thread, mask: SigSet): void {
  const newlyBlocked = mask & ~thread.signalMask & thread.process.pending.set;
  thread.signalMask = mask & ~UNBLOCKABLE;
  recalculatePending(thread);
  if (newlyBlocked !== 0n) retarget(machine, thread, newlyBlocked);
}

/** Signals for the process that this thread was to take and now blocks go to another one that wants them (retarget_shared_pending). */
export function retarget(machine: Machine, from: Thread, signals: SigSet): void {
  for (const thread of from.process.threads.values()) {
    if (thread === from || (signals & ~thread.signalMask) === 0n || thread.held) continue;
    signals &= thread.signalMask;
    notify(machine, thread);
  }
}

/** Runs the syscall under another mask (ppoll, pselect, epoll_pwait, sigsuspend): the old one comes back when it is over. */
export function setTemporaryMask(machine: Machine, thread: Thread, mask: SigSet): void {
  thread.savedMask = thread.signalMask;
  setSignalMask(machine, thread, mask);
}
