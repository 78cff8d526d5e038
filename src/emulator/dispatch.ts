/**
 * Between guest code and kernel: what happens when guest code comes back, and all that comes before a thread may run guest code again (Linux:
 * exit_to_user_mode_loop and arch_do_signal_or_restart).
 */
import { log } from '../log.js';
import { unreachable } from '../types.js';
import type { Exit, WatchHit } from './executor.js';
import type { Answer, StopEvent } from './hooks.js';
import { EINTR, ENOSYS, ERESTART_RESTARTBLOCK, ERESTARTNOHAND, ERESTARTNOINTR, ERESTARTSYS } from './kernel/errno.js';
import { deliverSignals } from './kernel/signal-delivery.js';
import { forceSignal, setSignalMask } from './kernel/signal-send.js';
import { SYSCALL_NAMES } from './kernel/syscall-names.js';
import type { SyscallResult } from './kernel/syscall-table.js';
import type { Machine } from './machine.js';
import { faultInfo, kernelInfo, SIGNAL } from './signals.js';
import { type FaultSignal, TRAPS } from './stop.js';
import { CONTINUE, type Progress, type Thread } from './thread.js';

/** restart_syscall(2). */
const NR_RESTART_SYSCALL = 219;
const TRAP_BREAKPOINT = 3;
const RF = 0x1_0000;

/** Asks a hook; `stop` becomes an event. */
function report(machine: Machine, answer: Answer, event: StopEvent): void {
  if (answer === 'stop') machine.postStop(event);
}

/** What guest code came back for. */
export function handleExit(machine: Machine, thread: Thread, exit: Exit): void {
  switch (exit.kind) {
    case 'fuel':
      return;
    case 'syscall':
      return syscallInstruction(machine, thread);
    case 'breakpoint':
      return breakpoint(machine, thread);
    case 'fault':
      return fault(machine, thread, exit.fault);
    case 'watch':
      return watch(machine, thread, exit.hits);
    default:
      unreachable(exit);
  }
}

function watch(machine: Machine, thread: Thread, hits: readonly WatchHit[]): void {
  report(machine, machine.hooks.watch(thread, hits), { kind: 'watch', thread, hits });
}

function breakpoint(machine: Machine, thread: Thread): void {
  const answer = machine.takeHookAnswer() ?? machine.hooks.breakpoint(thread);
  if (answer === 'resume' || answer === 'park') return;
  if (answer === 'stop') return machine.postStop({ kind: 'breakpoint', thread });
  if (typeof answer === 'object') return handleExit(machine, thread, answer);
  machine.account(thread, 1);
  machine.abi.passBreakpoint(thread.cpu, (address) => fetchedByte(machine, thread, address));
  if (answer === 'passed') return;
  // Of a step the signal is the end: the processor's own trap would come behind the next instruction only.
  thread.progress = undefined;
  thread.lastFault = { trapNumber: TRAP_BREAKPOINT, errorCode: 0, address: thread.lastFault.address };
  forceSignal(machine, thread, kernelInfo(SIGNAL.TRAP));
}

/** As decoding sees it; undefined where nothing can be fetched. */
function fetchedByte({ physical }: Machine, { process }: Thread, address: number): number | undefined {
  const at = process.space.fetch(address);
  return typeof at === 'number' ? physical.u8[at] : undefined;
}

function fault(machine: Machine, thread: Thread, found: FaultSignal): void {
  const { execution } = machine;
  const { trapNumber, errorCode, signal, code, address } = found;
  const cr2 = trapNumber === 14 ? address : thread.lastFault.address;
  thread.lastFault = { trapNumber, errorCode, address: cr2 };
  // A fault shows RF, a trap does not (SDM vol. 3B, 17.3.1.1).
  if (!TRAPS.has(trapNumber)) {
    execution.setFlags(thread.cpu, execution.getFlags(thread.cpu) | RF);
    thread.resumeFlag = true;
  }
  forceSignal(machine, thread, faultInfo(signal, code, address));
}

function syscallInstruction(machine: Machine, thread: Thread): void {
  machine.account(thread, 1);
  thread.progress = 'syscall';
  machine.clock.chargeSyscall();
  machine.abi.enterSyscall(thread.cpu);
  const nr = machine.abi.syscallNumber(thread.cpu);
  if (thread.process.traced && machine.hooks.catchesSyscall(thread.process, nr)) {
    machine.abi.setResult(thread.cpu, -ENOSYS);
    if (machine.hooks.syscallEntry(thread, nr) === 'stop') {
      thread.stoppedAtEntry = nr;
      return machine.postStop({ kind: 'syscall-entry', thread, nr });
    }
  }
  runSyscall(machine, thread);
}

/** The number is read again: a debugger may have changed it. */
function runSyscall(machine: Machine, thread: Thread): void {
  thread.stoppedAtEntry = undefined;
  const context = machine.context(thread);
  if (context.nr === -1) return;
  const row = machine.syscalls.find(context.nr);
  finish(machine, thread, row === undefined ? unknownSyscall(machine, context.nr) : row.run(context), context.nr);
}

function unknownSyscall(machine: Machine, nr: number): number {
  if (!machine.unknownSyscalls.has(nr)) {
    machine.unknownSyscalls.add(nr);
    log.warn({ nr, name: SYSCALL_NAMES[nr] }, 'unknown syscall: the program gets ENOSYS');
  }
  return -ENOSYS;
}

function isRestart(result: number): boolean {
  return result <= -ERESTARTSYS && result >= -ERESTART_RESTARTBLOCK;
}

function finish(machine: Machine, thread: Thread, result: SyscallResult, nr: number): void {
  if (thread.state === 'dead') return;
  if (typeof result === 'object') return machine.block(thread, result);
  if (typeof result === 'number') {
    machine.abi.setResult(thread.cpu, result);
    // The mask of ppoll and its kin goes unless a handler is about to save it (restore_saved_sigmask_unless).
    if (thread.savedMask !== undefined && result !== -EINTR && !isRestart(result)) restoreMask(machine, thread);
  }
  // Held by an event of the syscall itself (fork): its return is a stop of its own, when the thread goes on.
  if (thread.held) thread.returnsFrom = nr;
  else reportReturn(machine, thread, nr);
}

function reportReturn(machine: Machine, thread: Thread, nr: number): void {
  // A step that was resumed inside the syscall ends with it.
  if (thread.returnsFrom !== undefined) thread.progress = 'syscall';
  thread.returnsFrom = undefined;
  if (thread.process.fate === undefined && thread.process.traced && machine.hooks.catchesSyscall(thread.process, nr)) {
    report(machine, machine.hooks.syscallReturn(thread, nr), { kind: 'syscall-return', thread, nr });
  }
}

function restoreMask(machine: Machine, thread: Thread): void {
  const mask = thread.savedMask as bigint;
  thread.savedMask = undefined;
  setSignalMask(machine, thread, mask);
}

/** Everything that is due before guest code: false when the thread may not run any. */
export function attend(machine: Machine, thread: Thread): boolean {
  for (;;) {
    if (thread.state === 'dead' || thread.held || thread.parked > 0) return false;
    if (thread.process.stopped !== undefined || thread.process.fate !== undefined) return false;
    if (thread.state === 'runnable' && thread.blocked !== undefined) resume(machine, thread);
    else if (thread.returnsFrom !== undefined) reportReturn(machine, thread, thread.returnsFrom);
    else if (thread.progress !== undefined && thread.action.kind !== 'continue' && thread.state === 'runnable')
      stepDone(machine, thread, thread.progress);
    else if (thread.stoppedAtEntry !== undefined) runSyscall(machine, thread);
    else if (!deliverSignals(machine, thread)) break;
  }
  if (thread.state === 'blocked') {
    machine.scheduler.dequeue(thread);
    return false;
  }
  restartWithoutHandler(machine, thread);
  if (thread.savedMask !== undefined) {
    restoreMask(machine, thread);
    if (thread.signalPending) return attend(machine, thread);
  }
  machine.abi.leaveSyscall(thread.cpu);
  if (thread.resumeFlag) clearResumeFlag(machine, thread);
  return true;
}

/** RF lasts for one instruction. */
function clearResumeFlag({ execution }: Machine, thread: Thread): void {
  thread.resumeFlag = false;
  execution.setFlags(thread.cpu, execution.getFlags(thread.cpu) & ~RF);
}

/** A sleeper was woken: its syscall goes on, and may sleep again. */
function resume(machine: Machine, thread: Thread): void {
  const { blocked } = thread;
  if (blocked === undefined) throw new Error(`thread ${thread.tid} has nothing to resume`);
  const row = machine.syscalls.find(blocked.nr);
  if (row?.resume === undefined) throw new Error(`syscall ${blocked.nr} sleeps but cannot be resumed`);
  thread.blocked = undefined;
  finish(machine, thread, row.resume(machine.context(thread, blocked), blocked), blocked.nr);
  // ptrace steps over an interrupted syscall by executing it again: its end is the end of the step.
  thread.progress = thread.state === 'blocked' ? undefined : 'syscall';
}

/** An instruction of a step has retired, or a handler was entered. */
function stepDone(machine: Machine, thread: Thread, by: Progress): void {
  const { action, cpu } = thread;
  thread.progress = undefined;
  if (action.kind === 'range' && cpu.rip >= action.start && cpu.rip < action.end) return;
  thread.action = CONTINUE;
  report(machine, machine.hooks.stepped(thread), { kind: 'stepped', thread, by });
}

/** No handler ran: an interrupted syscall is executed again (the end of arch_do_signal_or_restart). */
function restartWithoutHandler(machine: Machine, thread: Thread): void {
  const { abi } = machine;
  const nr = abi.syscallNumber(thread.cpu);
  if (nr < 0) return;
  const result = abi.result(thread.cpu);
  if (result === -ERESTART_RESTARTBLOCK) abi.restart(thread.cpu, NR_RESTART_SYSCALL);
  else if (result === -ERESTARTSYS || result === -ERESTARTNOINTR || result === -ERESTARTNOHAND)
    abi.restart(thread.cpu, nr);
}
