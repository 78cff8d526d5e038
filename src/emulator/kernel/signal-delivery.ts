/** Delivery of signals: what a thread does about them before it runs guest code (kernel/signal.c get_signal, arch/x86/kernel/signal.c). */
import type { Machine } from '../machine.js';
import {
  bit, DEFAULT_ACTION, defaultAction, kernelInfo, SA, SIG_DFL, SIG_IGN, SIGNAL, type SigAction, type SigInfo,
} from '../signals.js'; // biome-ignore format: one list
import { interruptSleep, isInterruptible } from '../sleep.js';
import type { Thread } from '../thread.js';
import { EINTR, ERESTART_RESTARTBLOCK, ERESTARTNOHAND, ERESTARTNOINTR, ERESTARTSYS } from './errno.js';
import { isOrphanedGroup } from './process-groups.js';
import { dequeueSignal } from './signal-dequeue.js';
import {
  forceFatalSignal,
  forceSignal,
  recalculatePending,
  sendToThread,
  setSignalMask,
  stopProcess,
} from './signal-send.js';

const SS_AUTODISARM = 0x8000_0000;
const SS_DISABLE = 2;

/** Takes one signal, if one is deliverable, as far as it goes: false when there is nothing to do. */
export function deliverSignals(machine: Machine, thread: Thread): boolean {
  if (!thread.signalPending && thread.injected === undefined) return false;
  if (!isInterruptible(machine, thread)) return false;
  const { injected } = thread;
  if (injected !== undefined) {
    thread.injected = undefined;
    deliverInjected(machine, thread, injected);
    return true;
  }
  const info = dequeueSignal(machine, thread, ~thread.signalMask);
  recalculatePending(thread);
  if (info === undefined) return false;
  if (thread.process.traced && !passesDebugger(machine, thread, info)) return true;
  act(machine, thread, info);
  return true;
}

/** The debugger's choice is queued again when the thread blocks it by now (ptrace_signal). */
function deliverInjected(machine: Machine, thread: Thread, info: SigInfo): void {
  if (thread.signalMask & bit(info.signal)) sendToThread(machine, thread, info);
  else act(machine, thread, info);
}

function passesDebugger(machine: Machine, thread: Thread, info: SigInfo): boolean {
  const answer = machine.hooks.signal(thread, info);
  if (answer === 'stop') {
    thread.intercepted = info;
    machine.postStop({ kind: 'signal', thread, info });
  }
  return answer === 'deliver';
}

function act(machine: Machine, thread: Thread, info: SigInfo): void {
  const { process } = thread;
  const { signal } = info;
  if (signal === SIGNAL.KILL) return machine.doom(process, { kind: 'killed', signal, core: false });
  const action = process.handlers.actions[signal] ?? DEFAULT_ACTION;
  if (action.handler === SIG_IGN) return;
  if (action.handler !== SIG_DFL) return runHandler(machine, thread, info, action);
  switch (defaultAction(signal)) {
    case 'ignore':
    case 'continue':
      return;
    case 'stop':
      if (signal !== SIGNAL.STOP && isOrphanedGroup(machine, process.pgid)) return;
      return stopProcess(machine, process, signal);
    default:
      // No core file is written here, so the flag in the status stays clear.
      return machine.doom(process, { kind: 'killed', signal, core: false });
  }
}

function runHandler(machine: Machine, thread: Thread, info: SigInfo, action: SigAction): void {
  const { process, altStack } = thread;
  const { signal } = info;
  interruptSleep(machine, thread);
  settleSyscall(machine, thread, action);
  if (action.flags & SA.RESETHAND) process.handlers.actions[signal] = { ...action, handler: SIG_DFL };

  const mask = thread.savedMask ?? thread.signalMask;
  const call = { info, action, mask, altStack, fault: thread.lastFault };
  if (!machine.abi.enterHandler(thread.cpu, process.space, call)) {
    // A handler without a stack: SIGSEGV, which must not try the same stack for ever (force_sigsegv).
    if (signal === SIGNAL.SEGV) forceFatalSignal(machine, thread, kernelInfo(SIGNAL.SEGV));
    else forceSignal(machine, thread, kernelInfo(SIGNAL.SEGV));
    return;
  }
  thread.savedMask = undefined;
  const blocked = action.flags & SA.NODEFER ? 0n : bit(signal);
  setSignalMask(machine, thread, thread.signalMask | action.mask | blocked);
  if (altStack.flags & SS_AUTODISARM) thread.altStack = { sp: 0, size: 0, flags: SS_DISABLE };
  machine.abi.leaveSyscall(thread.cpu);
  thread.resumeFlag = false;
  // A single step ends at the first instruction of the handler (signal_setup_done).
  thread.progress = 'handler';
}

/** What the interrupted syscall's caller will see after the handler: EINTR, or the call once more. */
function settleSyscall({ abi }: Machine, { cpu }: Thread, action: SigAction): void {
  const nr = abi.syscallNumber(cpu);
  if (nr < 0) return;
  const result = abi.result(cpu);
  const restarts = result === -ERESTARTNOINTR || (result === -ERESTARTSYS && (action.flags & SA.RESTART) !== 0);
  if (restarts) abi.restart(cpu, nr);
  else if (result === -ERESTARTSYS || result === -ERESTARTNOHAND || result === -ERESTART_RESTARTBLOCK)
    abi.setResult(cpu, -EINTR);
}
