/** How threads and processes end (kernel/exit.c): what a thread leaves behind, zombies, orphans, and what the parent is told. */
import type { Machine } from '../machine.js';
import type { ExitStatus, Process, Usage } from '../process.js';
import { DEFAULT_ACTION, kernelInfo, killInfo, SA, SIG_IGN, SIGNAL } from '../signals.js';
import type { Thread } from '../thread.js';
import { wakeFutex } from './futex-queue.js';
import { endsWith, leaveNamespace } from './pid-namespace.js';
import { isOrphanedGroup, membersOf } from './process-groups.js';
import { releaseRobustFutexes } from './robust-futex.js';
import { undoSemaphores } from './semaphore.js';
import { endInfo, retarget, sendToGroup, sendToProcess } from './signal-send.js';
import { leaderExits } from './tty/job-control.js';

/** One thread ends by itself, with exit(2). The last one of a process ends the process. */
export function exitThread(machine: Machine, thread: Thread, code: number): void {
  const { process } = thread;
  if (thread.isLeader) process.leaderExitCode = code & 0xff;
  if (process.threads.size === 1) {
    machine.doom(process, { kind: 'exited', code: process.leaderExitCode ?? code & 0xff });
    return;
  }
  if (machine.hooks.threadExit(thread, code) === 'stop') machine.postStop({ kind: 'thread-exit', thread, code });
  endThread(machine, thread);
}

/** The process ends, with all its threads. */
export function endProcess(machine: Machine, process: Process, status: ExitStatus): void {
  if (process.status !== undefined) return;
  process.fate = status;
  for (const thread of [...process.threads.values()].reverse()) endThread(machine, thread);
  process.status = status;
  process.stopped = undefined;
  for (const other of endsWith(machine, process))
    endProcess(machine, other, { kind: 'killed', signal: SIGNAL.KILL, core: false });
  releaseResources(machine, process);
  leaderExits(machine, process);
  machine.wake(process.signalKey);
  const groups = mindedGroups(process);
  orphanChildren(machine, process);
  hangUpGroups(machine, process, groups);
  if (machine.hooks.processExit(process, status) === 'stop') {
    machine.postStop({ kind: 'process-exit', process, status });
  }
  tellParent(machine, process);
}

/** Takes the thread apart. Its object stays readable, its registers do not. */
export function endThread(machine: Machine, thread: Thread): void {
  const { process } = thread;
  const { blocked } = thread;
  if (blocked !== undefined) machine.syscalls.find(blocked.nr)?.abandon?.(machine.context(thread, blocked), blocked);
  machine.forgetSleeper(thread);
  machine.scheduler.dequeue(thread);
  thread.blocked = undefined;
  thread.state = 'dead';
  releaseRobustFutexes(machine, thread);
  clearChildTid(machine, thread);
  retarget(machine, thread, process.pending.set & ~thread.signalMask);
  process.threads.delete(thread.tid);
  machine.threads.delete(thread.tid);
  if (!thread.isLeader) leaveNamespace(machine, process, thread.tid);
  tellOrphansOfThread(machine, thread);
  machine.releaseCpu(thread.cpu);
}

/** CLONE_CHILD_CLEARTID: pthread_join waits for it. Only when somebody else uses the memory (mm_release). */
export function clearChildTid(machine: Machine, thread: Thread): void {
  const at = thread.clearChildTid;
  thread.clearChildTid = 0;
  if (at === 0 || !sharesSpace(machine, thread)) return;
  const { space } = thread.process;
  if (space.writeU32(at, 0)) wakeFutex(machine, space, at, 1);
}

function sharesSpace(machine: Machine, { process }: Thread): boolean {
  return process.threads.size > 1 || hasOtherUser(machine, process);
}

/** Another living process uses the address space (CLONE_VM without CLONE_THREAD). */
export function hasOtherUser(machine: Machine, process: Process): boolean {
  for (const other of machine.processes.values()) {
    if (other !== process && other.space === process.space && other.status === undefined) return true;
  }
  return false;
}

/** PR_SET_PDEATHSIG is about the thread that forked, not about its process. */
function tellOrphansOfThread(machine: Machine, { tid, process }: Thread): void {
  for (const child of process.children) {
    if (child.parentTid !== tid) continue;
    for (const thread of child.threads.values()) {
      const signal = thread.parentDeathSignal;
      if (signal !== 0) sendToProcess(machine, child, killInfo(signal, process.pid, process.credentials.ruid));
    }
  }
}

function releaseResources(machine: Machine, process: Process): void {
  process.timers.clear();
  for (const timer of process.itimers) timer.setting++;
  undoSemaphores(machine, process);
  process.files.release();
  leaveSpace(machine, process);
  finishVfork(machine, process);
}

/** The process stops using its address space, which goes when nobody else uses it. */
export function leaveSpace(machine: Machine, process: Process): void {
  if (hasOtherUser(machine, process)) return;
  process.formerPeak = process.peakResident;
  process.usage.minorFaults += process.space.pageFaults ?? 0;
  machine.hooks.spaceGone(process);
  process.space.destroy();
}

/** A vfork child has its own memory now or has ended: the parent goes on. */
export function finishVfork(machine: Machine, process: Process): void {
  const waiting = process.vforkParent;
  process.vforkParent = undefined;
  if (waiting !== undefined) machine.wake(waiting.key);
}

/** Children go to the nearest subreaper among the ancestors, else to process 1 of their namespace, else to the root. */
function orphanChildren(machine: Machine, process: Process): void {
  const heir = reaperFor(machine, process) ?? machine.root;
  if (heir === undefined) return;
  for (const child of [...process.children]) {
    process.children.delete(child);
    child.parent = heir;
    child.parentTid = undefined;
    child.adopted = heir === machine.root;
    heir.children.add(child);
    if (child.status === undefined) continue;
    child.exitSignal = SIGNAL.CHLD;
    tellParent(machine, child);
  }
}

function reaperFor(machine: Machine, { parent, pidNamespace, pid }: Process): Process | undefined {
  for (let ancestor = parent; ancestor !== undefined; ancestor = ancestor.parent) {
    if (ancestor.pidNamespace !== pidNamespace) break;
    if (ancestor.subreaper && ancestor.status === undefined) return ancestor;
  }
  const init = pidNamespace?.init;
  return init === undefined || init === pid ? undefined : machine.processes.get(init);
}

/** Groups that the process links to their session: its own through its parent, its children's through itself. */
function mindedGroups({ parent, children, pgid, sid }: Process): Set<number> {
  const groups = new Set<number>();
  if (parent !== undefined && parent.pgid !== pgid && parent.sid === sid) groups.add(pgid);
  for (const child of children) if (child.pgid !== pgid && child.sid === sid) groups.add(child.pgid);
  return groups;
}

/** Stopped groups that lost their last link to their session get SIGHUP and SIGCONT (kill_orphaned_pgrp). */
function hangUpGroups(machine: Machine, process: Process, groups: ReadonlySet<number>): void {
  for (const pgid of groups) {
    const stopped = membersOf(machine, pgid).some((member) => member.stopped !== undefined);
    if (!stopped || !isOrphanedGroup(machine, pgid, process)) continue;
    sendToGroup(machine, pgid, kernelInfo(SIGNAL.HUP));
    sendToGroup(machine, pgid, kernelInfo(SIGNAL.CONT));
  }
}

/** The parent gets its signal and may wait; one that does not care for children never sees the zombie. */
function tellParent(machine: Machine, process: Process): void {
  const { parent, exitSignal } = process;
  if (parent === undefined || parent === machine.root) return reap(machine, process);
  const { handler, flags } = parent.handlers.actions[SIGNAL.CHLD] ?? DEFAULT_ACTION;
  const ignored = handler === SIG_IGN;
  const careless = exitSignal === SIGNAL.CHLD && (ignored || (flags & SA.NOCLDWAIT) !== 0);
  if (exitSignal !== 0 && !(careless && ignored)) sendToProcess(machine, parent, endInfo(process));
  if (careless) reap(machine, process);
  machine.wake(parent.childKey);
}

/** The zombie goes: nobody can ask for it any more. */
export function reap(machine: Machine, process: Process): void {
  process.parent?.children.delete(process);
  machine.processes.delete(process.pid);
  leaveNamespace(machine, process, process.pid);
}

/** Adds what a waited-for child used, its own children included (wait_task_zombie). */
export function addUsage(total: Usage, child: Process): void {
  const { usage, childrenUsage } = child;
  total.retired += child.retired + childrenUsage.retired;
  total.minorFaults += usage.minorFaults + childrenUsage.minorFaults;
  total.voluntarySwitches += usage.voluntarySwitches + childrenUsage.voluntarySwitches;
  total.involuntarySwitches += usage.involuntarySwitches + childrenUsage.involuntarySwitches;
}
