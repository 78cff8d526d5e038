/** How a thread leaves the sleep of a syscall without the event it waited for: for a signal handler, or because a debugger moved it. */
import { ERESTARTSYS } from './kernel/errno.js';
import type { Machine } from './machine.js';
import type { Thread } from './thread.js';

/** False for a thread that only a fatal signal takes out of its sleep. */
export function isInterruptible(machine: Machine, { blocked }: Thread): boolean {
  return blocked === undefined || machine.syscalls.find(blocked.nr)?.uninterruptible !== true;
}

/** What a syscall answers when the thread leaves its sleep now. */
function interruption(machine: Machine, thread: Thread): number {
  const { blocked } = thread;
  if (blocked === undefined) throw new Error(`thread ${thread.tid} does not sleep`);
  const row = machine.syscalls.find(blocked.nr);
  return row?.interrupt?.(machine.context(thread, blocked), blocked) ?? -ERESTARTSYS;
}

/** A debugger stops a thread inside a syscall: the registers look as ptrace would show them, the sleep goes on. */
export function showInSyscall(machine: Machine, thread: Thread): void {
  const { abi } = machine;
  const result = interruption(machine, thread);
  abi.setResult(thread.cpu, result);
  thread.shownInSyscall = { ip: thread.cpu.rip, nr: abi.syscallNumber(thread.cpu), result };
}

/**
 * The debugger lets a thread go that it stopped inside a syscall. When it has moved it (a function call by gdb sets orig_rax to -1), the thread leaves
 * the syscall; the registers say what becomes of it, as with ptrace: gdb puts the old ones back later, and they restart the call.
 */
export function leaveByDebugger(machine: Machine, thread: Thread): void {
  const { abi } = machine;
  const shown = thread.shownInSyscall;
  thread.shownInSyscall = undefined;
  if (shown === undefined || thread.blocked === undefined) return;
  const same =
    thread.cpu.rip === shown.ip &&
    abi.syscallNumber(thread.cpu) === shown.nr &&
    abi.result(thread.cpu) === shown.result;
  if (same) return;
  leaveSleep(machine, thread);
}

/** The thread leaves its sleep without an answer in its registers. */
function leaveSleep(machine: Machine, thread: Thread): void {
  const { blocked } = thread;
  if (blocked === undefined) return;
  machine.syscalls.find(blocked.nr)?.abandon?.(machine.context(thread, blocked), blocked);
  machine.forgetSleeper(thread);
  thread.blocked = undefined;
  thread.restartBlock = blocked;
  thread.state = 'runnable';
  machine.scheduler.enqueue(thread);
}

/** A handler is about to run: the thread leaves its sleep with what the syscall answers then. */
export function interruptSleep(machine: Machine, thread: Thread): void {
  if (thread.blocked === undefined) return;
  const result = interruption(machine, thread);
  leaveSleep(machine, thread);
  machine.abi.setResult(thread.cpu, result);
}
