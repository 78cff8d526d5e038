import type { Machine } from '../machine.js';
import type { UserMemory } from '../memory/user-memory.js';
import type { Process } from '../process.js';
import { decodeSigInfo, encodeSigInfo, SIGINFO_BYTES } from '../siginfo.js';
import {
  bit, DEFAULT_ACTION, defaultAction, killInfo, SI, SIG_DFL, SIG_IGN, SIGNAL, SIGNAL_COUNT, type SigAction, type SigInfo, type SigSet, UNBLOCKABLE,
} from '../signals.js'; // biome-ignore format: one list
import type { Thread } from '../thread.js';
import {
  EAGAIN, EFAULT, EINTR, EINVAL, ENOMEM, EPERM, ERESTARTNOHAND, ESRCH,
} from './errno.js'; // biome-ignore format: one list
import { readTimespec, spanOf } from './guest-time.js';
import { maySignal } from './identity-checks.js';
import {
  idFrom,
  isInit,
  isVisible,
  numberFor,
  ownerNumbered,
  processNumbered,
  threadNumbered,
} from './pid-namespace.js';
import { membersOf } from './process-groups.js';
import { dequeueSignal } from './signal-dequeue.js';
import {
  discardFrom, forceFatalSignal, recalculatePending, sendToProcess, sendToThread, setSignalMask, setTemporaryMask,
} from './signal-send.js'; // biome-ignore format: one list
import { block, type SyscallContext, type SyscallResult, type SyscallRow } from './syscall-table.js';
import type { Blocked } from './wait.js';

/** sizeof(sigset_t) in the kernel. */
const SIGSET_BYTES = 8;
const SIG_BLOCK = 0;
const SIG_UNBLOCK = 1;
const SIG_SETMASK = 2;
const SS_ONSTACK = 1;
const SS_DISABLE = 2;
const SS_AUTODISARM = 0x8000_0000;
const MINSIGSTKSZ = 2048;

/** A sigset_t from the guest; undefined for EFAULT. */
export function readSigSet(memory: UserMemory, at: number): SigSet | undefined {
  const bytes = memory.readBytes(at, SIGSET_BYTES);
  return bytes && new DataView(bytes.buffer, bytes.byteOffset, SIGSET_BYTES).getBigUint64(0, true);
}

function isSignal(signal: number): boolean {
  return signal >= 1 && signal <= SIGNAL_COUNT;
}

/** struct kernel_sigaction: handler, flags, restorer, mask, 8 bytes each. */
function readAction(memory: UserMemory, at: number): SigAction | undefined {
  const bytes = memory.readBytes(at, 32);
  if (bytes === undefined) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, 32);
  return {
    handler: Number(view.getBigUint64(0, true)),
    flags: view.getUint32(8, true),
    restorer: Number(view.getBigUint64(16, true)),
    mask: view.getBigUint64(24, true) & ~UNBLOCKABLE,
  };
}

function writeAction(memory: UserMemory, at: number, action: SigAction): boolean {
  const bytes = new Uint8Array(32);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(action.handler), true);
  view.setUint32(8, action.flags, true);
  view.setBigUint64(16, BigInt(action.restorer), true);
  view.setBigUint64(24, action.mask, true);
  return memory.writeBytes(at, bytes);
}

function sigaction({ memory, process, args }: SyscallContext): number {
  const [signal, next, old, size] = args as [number, number, number, number];
  if (size !== SIGSET_BYTES || !isSignal(signal | 0)) return -EINVAL;
  const { actions } = process.handlers;
  const before = actions[signal | 0] ?? DEFAULT_ACTION;
  if (next !== 0) {
    const action = readAction(memory, next);
    if (action === undefined) return -EFAULT;
    if (bit(signal | 0) & UNBLOCKABLE) return -EINVAL;
    actions[signal | 0] = action;
    if (isDropped(signal | 0, action)) forgetPending(process, signal | 0);
  }
  return old === 0 || writeAction(memory, old, before) ? 0 : -EFAULT;
}

function isDropped(signal: number, { handler }: SigAction): boolean {
  const byDefault = defaultAction(signal);
  return handler === SIG_IGN || (handler === SIG_DFL && (byDefault === 'ignore' || byDefault === 'continue'));
}

/** POSIX 3.3.1.3: setting a signal to be ignored discards pending ones, even blocked ones. */
function forgetPending(process: Process, signal: number): void {
  discardFrom(process.pending, bit(signal));
  for (const thread of process.threads.values()) {
    discardFrom(thread.pending, bit(signal));
    recalculatePending(thread);
  }
}

function sigprocmask({ machine, thread, memory, args }: SyscallContext): number {
  const [how, next, old, size] = args as [number, number, number, number];
  if (size !== SIGSET_BYTES) return -EINVAL;
  const before = thread.signalMask;
  if (next !== 0) {
    const set = readSigSet(memory, next);
    if (set === undefined) return -EFAULT;
    const kind = how | 0;
    if (kind === SIG_BLOCK) setSignalMask(machine, thread, before | set);
    else if (kind === SIG_UNBLOCK) setSignalMask(machine, thread, before & ~set);
    else if (kind === SIG_SETMASK) setSignalMask(machine, thread, set);
    else return -EINVAL;
  }
  return old === 0 || memory.writeU64(old, before) ? 0 : -EFAULT;
}

function sigpending({ thread, process, memory, args }: SyscallContext): number {
  const [set, size] = args as [number, number];
  if (size > SIGSET_BYTES) return -EINVAL;
  const pending = (thread.pending.set | process.pending.set) & thread.signalMask;
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, pending, true);
  return memory.writeBytes(set, bytes.subarray(0, size)) ? 0 : -EFAULT;
}

/** A signal frame that cannot be read kills the program, as `force_sig(SIGSEGV)` does. */
function sigreturn({ machine, thread, memory }: SyscallContext): SyscallResult {
  const frame = machine.abi.returnFromHandler(thread.cpu, memory);
  machine.abi.leaveSyscall(thread.cpu);
  if (frame === undefined) {
    forceFatalSignal(machine, thread, {
      signal: SIGNAL.SEGV,
      errno: 0,
      code: SI.KERNEL,
      fields: { kind: 'kill', pid: 0, uid: 0 },
    });
    return 'no-return';
  }
  setSignalMask(machine, thread, frame.mask);
  // As restore_altstack: a stack that cannot be installed is silently left as it was.
  installAltStack(machine, thread, frame.altStack);
  return 'no-return';
}

function installAltStack({ abi }: Machine, thread: Thread, stack: { sp: number; flags: number; size: number }): number {
  const mode = (stack.flags & ~SS_AUTODISARM) >>> 0;
  if (abi.onAltStack(thread.cpu, thread.altStack)) return -EPERM;
  if (mode !== SS_DISABLE && mode !== SS_ONSTACK && mode !== 0) return -EINVAL;
  if (mode === SS_DISABLE) {
    thread.altStack = { sp: 0, size: 0, flags: stack.flags >>> 0 };
    return 0;
  }
  if (stack.size < MINSIGSTKSZ) return -ENOMEM;
  thread.altStack = { sp: stack.sp, size: stack.size, flags: stack.flags >>> 0 };
  return 0;
}

/** struct stack_t: sp, flags (int, padded), size. */
function sigaltstack({ machine, thread, memory, args }: SyscallContext): number {
  const [next, old] = args as [number, number];
  const { sp, size, flags } = thread.altStack;
  const state = size === 0 ? SS_DISABLE : machine.abi.onAltStack(thread.cpu, thread.altStack) ? SS_ONSTACK : 0;
  if (next !== 0) {
    const bytes = memory.readBytes(next, 24);
    if (bytes === undefined) return -EFAULT;
    const view = new DataView(bytes.buffer, bytes.byteOffset, 24);
    const error = installAltStack(machine, thread, {
      sp: Number(view.getBigUint64(0, true)),
      flags: view.getUint32(8, true),
      size: Number(view.getBigUint64(16, true)),
    });
    if (error !== 0) return error;
  }
  if (old === 0) return 0;
  const bytes = new Uint8Array(24);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(sp), true);
  view.setUint32(8, (state | (flags & SS_AUTODISARM)) >>> 0, true);
  view.setBigUint64(16, BigInt(size), true);
  return memory.writeBytes(old, bytes) ? 0 : -EFAULT;
}

function sigsuspend(context: SyscallContext): SyscallResult {
  const { machine, thread, memory, args } = context;
  if (args[1] !== SIGSET_BYTES) return -EINVAL;
  const set = readSigSet(memory, args[0] as number);
  if (set === undefined) return -EFAULT;
  setTemporaryMask(machine, thread, set);
  return block(context, {});
}

/** sigsuspend and pause sleep until a handler has run: nothing but a signal ends them. */
const sleepOn = (_context: SyscallContext, blocked: Blocked): SyscallResult => blocked;
const untilHandler = (): number => -ERESTARTNOHAND;

interface TimedWait {
  readonly set: SigSet;
}

function sigtimedwait(context: SyscallContext): SyscallResult {
  const { machine, thread, memory, args } = context;
  const [at, , timeout, size] = args as [number, number, number, number];
  if (size !== SIGSET_BYTES) return -EINVAL;
  const wanted = readSigSet(memory, at);
  if (wanted === undefined) return -EFAULT;
  const span = timeout === 0 ? undefined : readTimespec(memory, timeout);
  if (typeof span === 'number') return span;
  const set = wanted & ~UNBLOCKABLE;
  const info = dequeueSignal(machine, thread, set);
  if (info !== undefined) return tellSignal(context, info);
  const wait = span === undefined ? undefined : spanOf(span);
  if (wait === 0) return -EAGAIN;
  thread.awaitedSignals = set;
  const progress: TimedWait = { set };
  return block(context, { deadline: wait === undefined ? undefined : machine.clock.monotonic + wait, progress });
}

function resumeTimedWait(context: SyscallContext, blocked: Blocked): SyscallResult {
  const { machine, thread } = context;
  const { set } = blocked.progress as TimedWait;
  const info = dequeueSignal(machine, thread, set);
  if (info !== undefined || machine.clock.monotonic >= (blocked.deadline ?? Number.POSITIVE_INFINITY)) {
    thread.awaitedSignals = 0n;
    recalculatePending(thread);
    return info === undefined ? -EAGAIN : tellSignal(context, info);
  }
  // Another signal: it interrupts the wait, whatever becomes of it.
  recalculatePending(thread);
  return blocked;
}

function tellSignal({ memory, args }: SyscallContext, info: SigInfo): number {
  const at = args[1] as number;
  return at === 0 || memory.writeBytes(at, encodeSigInfo(info)) ? info.signal : -EFAULT;
}

function sender({ process }: SyscallContext, signal: number, code: number = SI.USER): SigInfo {
  return { ...killInfo(signal, process.pid, process.credentials.ruid), code };
}

/** Process 1 gets from its own namespace only the signals that it handles. */
function isSpared({ pidNamespace }: Process, target: Process, signal: number): boolean {
  const { handler } = target.handlers.actions[signal] ?? DEFAULT_ACTION;
  return isInit(target) && pidNamespace === target.pidNamespace && handler === SIG_DFL;
}

/** One target of kill: 0 only asks whether it may. */
function killOne(context: SyscallContext, target: Process, signal: number): number {
  if (!maySignal(context.process, target, signal)) return -EPERM;
  return signal === 0 || isSpared(context.process, target, signal)
    ? 0
    : sendToProcess(context.machine, target, sender(context, signal));
}

/** kill(-1): everybody in sight but oneself and process 1. */
function mayReach({ machine, process }: SyscallContext, other: Process): boolean {
  return other !== process && other !== machine.root && isVisible(process, other) && !isInit(other);
}

function kill(context: SyscallContext): number {
  const { machine, process, args } = context;
  const pid = (args[0] as number) | 0;
  const signal = (args[1] as number) | 0;
  if (signal !== 0 && !isSignal(signal)) return -EINVAL;
  if (pid > 0) {
    const target = ownerNumbered(machine, process, pid);
    return target === undefined ? -ESRCH : killOne(context, target, signal);
  }
  if (pid === -0x8000_0000) return -ESRCH;
  const targets =
    pid === -1
      ? [...machine.processes.values()].filter((other) => mayReach(context, other))
      : membersOf(machine, pid === 0 ? process.pgid : idFrom(process, -pid));
  if (targets.length === 0) return -ESRCH;
  const results = targets.map((target) => killOne(context, target, signal));
  return results.includes(0) ? 0 : (results[0] as number);
}

/** tkill and tgkill; `tgid` undefined for tkill. */
function killThread(
  context: SyscallContext,
  tgid: number | undefined,
  tid: number,
  signal: number,
  info: SigInfo,
): number {
  const { machine, process } = context;
  if (tid <= 0 || (tgid !== undefined && tgid <= 0)) return -EINVAL;
  const target = threadNumbered(machine, process, tid);
  if (target === undefined || (tgid !== undefined && target.process.pid !== idFrom(process, tgid))) return -ESRCH;
  if (signal !== 0 && !isSignal(signal)) return -EINVAL;
  if (!maySignal(process, target.process, signal)) return -EPERM;
  return signal === 0 || isSpared(process, target.process, signal) ? 0 : sendToThread(machine, target, info);
}

function tkill(context: SyscallContext): number {
  const [tid, signal] = context.args.map((arg) => arg | 0) as [number, number];
  return killThread(context, undefined, tid, signal, sender(context, signal, SI.TKILL));
}

function tgkill(context: SyscallContext): number {
  const [tgid, tid, signal] = context.args.map((arg) => arg | 0) as [number, number, number];
  return killThread(context, tgid, tid, signal, sender(context, signal, SI.TKILL));
}

/** The kernel lets nobody pretend to be itself or kill(2), unless to oneself. */
function mayForge({ process }: SyscallContext, pid: number, { code }: SigInfo): boolean {
  return code < 0 && code !== SI.TKILL ? true : pid === numberFor(process, process.pid);
}

function sigqueueinfo(context: SyscallContext): number {
  const { machine, process, memory, args } = context;
  const [pid, signal] = args.map((arg) => arg | 0) as [number, number];
  const bytes = memory.readBytes(args[2] as number, SIGINFO_BYTES);
  if (bytes === undefined) return -EFAULT;
  const info = decodeSigInfo(bytes, signal);
  if (!mayForge(context, pid, info)) return -EPERM;
  if (signal !== 0 && !isSignal(signal)) return -EINVAL;
  const target = processNumbered(machine, process, pid);
  if (target === undefined) return -ESRCH;
  if (!maySignal(process, target, signal)) return -EPERM;
  return signal === 0 ? 0 : sendToProcess(machine, target, info);
}

function tgsigqueueinfo(context: SyscallContext): number {
  const { memory, args } = context;
  const [tgid, tid, signal] = args.map((arg) => arg | 0) as [number, number, number];
  const bytes = memory.readBytes(args[3] as number, SIGINFO_BYTES);
  if (bytes === undefined) return -EFAULT;
  const info = decodeSigInfo(bytes, signal);
  if (tgid <= 0 || tid <= 0) return -EINVAL;
  if (!mayForge(context, tgid, info)) return -EPERM;
  return killThread(context, tgid, tid, signal, info);
}

/** Goes on with the syscall that a stop or a handler-less signal left (ERESTART_RESTARTBLOCK). */
function restartSyscall({ machine, thread }: SyscallContext): SyscallResult {
  const { restartBlock } = thread;
  thread.restartBlock = undefined;
  if (restartBlock === undefined) return -EINTR;
  const row = machine.syscalls.find(restartBlock.nr);
  return row?.resume?.(machine.context(thread, restartBlock), restartBlock) ?? -EINTR;
}

export const signalSyscalls: readonly SyscallRow[] = [
  { nr: 13, name: 'rt_sigaction', run: sigaction },
  { nr: 14, name: 'rt_sigprocmask', run: sigprocmask },
  { nr: 15, name: 'rt_sigreturn', run: sigreturn },
  { nr: 34, name: 'pause', run: (context) => block(context, {}), resume: sleepOn, interrupt: untilHandler },
  { nr: 62, name: 'kill', run: kill },
  { nr: 127, name: 'rt_sigpending', run: sigpending },
  {
    nr: 128,
    name: 'rt_sigtimedwait',
    run: sigtimedwait,
    resume: resumeTimedWait,
    interrupt: () => -EINTR,
    abandon: ({ thread }) => {
      thread.awaitedSignals = 0n;
    },
  },
  { nr: 129, name: 'rt_sigqueueinfo', run: sigqueueinfo },
  { nr: 130, name: 'rt_sigsuspend', run: sigsuspend, resume: sleepOn, interrupt: untilHandler },
  { nr: 131, name: 'sigaltstack', run: sigaltstack },
  { nr: 200, name: 'tkill', run: tkill },
  { nr: 219, name: 'restart_syscall', run: restartSyscall },
  { nr: 234, name: 'tgkill', run: tgkill },
  { nr: 297, name: 'rt_tgsigqueueinfo', run: tgsigqueueinfo },
];
