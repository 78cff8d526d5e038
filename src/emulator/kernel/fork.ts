/** fork(2), vfork(2), clone(2), clone3(2): new processes and threads (kernel/fork.c, copy_process). */

import { SLOT } from '../../register-set.js';
import type { Pid, Tid } from '../../types.js';
import type { CpuState } from '../cpu-state.js';
import type { Machine } from '../machine.js';
import { Process } from '../process.js';
import { DEFAULT_ACTION, SIG_DFL, SIG_IGN, SIGNAL_COUNT, type SignalHandlers } from '../signals.js';
import { Thread } from '../thread.js';
import { E2BIG, EAGAIN, EFAULT, EINVAL, ENOMEM, EPERM } from './errno.js';
import { leaveSpace } from './exit.js';
import { filesOf, install } from './file/file-table.js';
import { PidFile } from './file/pidfd.js';
import { CAP, capable } from './identity-checks.js';
import { RLIMIT } from './limits.js';
import { enterNamespace, leaveNamespace, nestedNamespace, numberFor } from './pid-namespace.js';
import { block, type SyscallContext, type SyscallResult, type SyscallRow } from './syscall-table.js';
import type { Blocked } from './wait.js';

const CLONE = {
  VM: 0x100, FS: 0x200, FILES: 0x400, SIGHAND: 0x800, PIDFD: 0x1000, VFORK: 0x4000, PARENT: 0x8000, THREAD: 0x1_0000, SETTLS: 0x8_0000,
  PARENT_SETTID: 0x10_0000, CHILD_CLEARTID: 0x20_0000, CHILD_SETTID: 0x100_0000, CLEAR_SIGHAND: 0x1_0000_0000, INTO_CGROUP: 0x2_0000_0000,
  NEWPID: 0x2000_0000,
} as const; // biome-ignore format: a table
/** NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWNET: there are no such namespaces here. */
const NAMESPACES = 0x5e02_0000;
const SIGCHLD = 17;

interface CloneRequest {
  /** May have bits above 32. */
  readonly flags: number;
  /** Top of the new stack; 0: the parent's. */
  readonly stack: number;
  readonly parentTid: number;
  /** Where the descriptor of the new process is told (CLONE_PIDFD). */
  readonly pidfd: number;
  readonly childTid: number;
  readonly tls: number;
  readonly exitSignal: number;
}

function has({ flags }: CloneRequest, flag: number): boolean {
  return flag > 0xffff_ffff ? Math.floor(flags / flag) % 2 === 1 : ((flags % 0x1_0000_0000) & flag) !== 0;
}

function check({ process }: SyscallContext, request: CloneRequest): number {
  if (has(request, NAMESPACES)) return -EPERM;
  const namespaceError = checkNamespace(process, request);
  if (namespaceError !== 0) return namespaceError;
  if (has(request, CLONE.THREAD) && !has(request, CLONE.SIGHAND)) return -EINVAL;
  if (has(request, CLONE.SIGHAND) && !has(request, CLONE.VM)) return -EINVAL;
  if (has(request, CLONE.CLEAR_SIGHAND) && has(request, CLONE.SIGHAND)) return -EINVAL;
  if (has(request, CLONE.PIDFD) && has(request, CLONE.THREAD)) return -EINVAL;
  // There are no cgroups.
  if (has(request, CLONE.INTO_CGROUP)) return -EINVAL;
  if (has(request, CLONE.PARENT) && process.parent === undefined) return -EINVAL;
  return 0;
}

function checkNamespace(process: Process, request: CloneRequest): number {
  const { pidNamespace, childrenPidNamespace } = process;
  if (has(request, CLONE.NEWPID)) {
    if (has(request, CLONE.THREAD) || has(request, CLONE.PARENT)) return -EINVAL;
    if (!capable(process, CAP.SYS_ADMIN)) return -EPERM;
  }
  // Behind unshare a process has no threads in two namespaces.
  if (has(request, CLONE.THREAD) && pidNamespace !== childrenPidNamespace) return -EINVAL;
  return childrenPidNamespace?.ended ? -ENOMEM : 0;
}

/** RLIMIT_NPROC counts the threads of a user, the machine's own limit those of everybody. */
function mayGrow(machine: Machine, process: Process): boolean {
  if (machine.threads.size >= machine.config.maxProcesses) return false;
  const limit = process.limits[RLIMIT.NPROC]?.soft ?? Number.POSITIVE_INFINITY;
  if (process.credentials.ruid === 0 || machine.threads.size < limit) return true;
  let mine = 0;
  for (const other of machine.threads.values()) {
    if (other.process.credentials.ruid === process.credentials.ruid) mine++;
  }
  return mine < limit;
}

function clone(context: SyscallContext, request: CloneRequest): SyscallResult {
  const { machine, process, thread } = context;
  const refused = check(context, request);
  if (refused !== 0) return refused;
  if (!mayGrow(machine, process)) return -EAGAIN;
  const cpu = machine.newCpu();
  if (cpu === undefined) return -ENOMEM;
  const child = has(request, CLONE.THREAD) ? newThread(context, cpu) : newProcess(context, request, cpu);
  if (child === undefined) {
    machine.releaseCpu(cpu);
    return -ENOMEM;
  }
  const told = has(request, CLONE.PIDFD) ? tellPidfd(context, request, child) : 0;
  if (told < 0) return undo(context, child, told);
  inherit(context, request, child);
  machine.threads.set(child.tid, child);
  machine.scheduler.enqueue(child);
  announce(machine, thread, child, request);
  return has(request, CLONE.VFORK) ? waitForVfork(context, child) : numberFor(process, child.tid);
}

function tellPidfd({ machine, process, memory }: SyscallContext, { pidfd }: CloneRequest, child: Thread): number {
  const fd = install(process, new PidFile(machine, 0, child.process), true);
  if (fd >= 0 && !memory.writeU32(pidfd, fd)) {
    filesOf(process).close(fd);
    return -EFAULT;
  }
  return fd;
}

/** The new process has not run and nobody has heard of it. */
function undo({ machine }: SyscallContext, child: Thread, error: number): number {
  const { process } = child;
  process.parent?.children.delete(process);
  machine.processes.delete(process.pid);
  leaveNamespace(machine, process, process.pid);
  process.files.release();
  leaveSpace(machine, process);
  machine.releaseCpu(child.cpu);
  return error;
}

function newThread({ machine, process, thread }: SyscallContext, cpu: CpuState): Thread {
  const child = new Thread(machine.newPid() as number as Tid, process, cpu, thread.name);
  process.threads.set(child.tid, child);
  enterNamespace(process, child.tid);
  return child;
}

/** undefined when there is no memory for a copy of the address space. */
function newProcess(
  { machine, process, thread }: SyscallContext,
  request: CloneRequest,
  cpu: CpuState,
): Thread | undefined {
  const nests = has(request, CLONE.NEWPID);
  const pidNamespace = nests ? nestedNamespace(process.childrenPidNamespace) : process.childrenPidNamespace;
  if (nests && pidNamespace === undefined) return undefined;
  const space = has(request, CLONE.VM) ? process.space : process.space.fork();
  if (space === undefined) return undefined;
  const sibling = has(request, CLONE.PARENT);
  const child = new Process({
    pid: machine.newPid(),
    parent: sibling ? process.parent : process,
    pidNamespace,
    pgid: process.pgid,
    sid: process.sid,
    space,
    files: has(request, CLONE.FILES) ? process.files.share() : process.files.fork(),
    fs: has(request, CLONE.FS) ? process.fs : { ...process.fs },
    handlers: copyHandlers(process.handlers, request),
    credentials: { ...process.credentials, capabilities: { ...process.credentials.capabilities } },
    limits: [...process.limits],
    image: { ...process.image },
    comm: thread.name,
    startTime: machine.clock.monotonic,
    childKey: machine.newWaitKey(),
    signalKey: machine.newWaitKey(),
  });
  child.exitSignal = sibling ? process.exitSignal : request.exitSignal;
  child.parentTid = sibling ? process.parentTid : thread.tid;
  child.dumpable = process.dumpable;
  child.keepCapabilities = process.keepCapabilities;
  child.timerSlack = process.timerSlack;
  child.oomScoreAdjustment = process.oomScoreAdjustment;
  child.coredumpFilter = process.coredumpFilter;
  child.personality = process.personality;
  child.terminal = process.terminal;
  child.parent?.children.add(child);
  machine.processes.set(child.pid, child);
  const leader = new Thread(child.pid as number as Tid, child, cpu, thread.name);
  child.threads.set(leader.tid, leader);
  enterNamespace(child, leader.tid);
  return leader;
}

function copyHandlers(handlers: SignalHandlers, request: CloneRequest): SignalHandlers {
  if (has(request, CLONE.SIGHAND)) {
    handlers.users++;
    return handlers;
  }
  const copy = { actions: [...handlers.actions], users: 1 };
  return has(request, CLONE.CLEAR_SIGHAND) ? resetHandlers(copy) : copy;
}

/** Caught signals go back to their defaults, ignored ones stay ignored: what execve and CLONE_CLEAR_SIGHAND do. */
export function resetHandlers({ actions }: SignalHandlers): SignalHandlers {
  const reset = Array.from({ length: SIGNAL_COUNT + 1 }, (_, signal) => {
    return { ...DEFAULT_ACTION, handler: actions[signal]?.handler === SIG_IGN ? SIG_IGN : SIG_DFL };
  });
  return { actions: reset, users: 1 };
}

function inherit({ machine, thread, memory }: SyscallContext, request: CloneRequest, child: Thread): void {
  child.cpu.bytes(0, SLOT.END).set(thread.cpu.bytes(0, SLOT.END));
  machine.abi.setResult(child.cpu, 0);
  if (request.stack !== 0) machine.abi.setStack(child.cpu, request.stack);
  if (has(request, CLONE.SETTLS)) machine.abi.setThreadPointer(child.cpu, request.tls);
  child.signalMask = thread.signalMask;
  child.nice = thread.nice;
  child.policy = { ...thread.policy };
  child.lastFault = { ...thread.lastFault };
  // Two threads in one memory must not share a signal stack; after vfork only one of them runs.
  const sharesMemory = has(request, CLONE.VM) && !has(request, CLONE.VFORK);
  if (!sharesMemory) child.altStack = { ...thread.altStack };
  if (has(request, CLONE.CHILD_CLEARTID)) child.clearChildTid = request.childTid;
  if (has(request, CLONE.CHILD_SETTID))
    child.process.space.writeU32(request.childTid, numberFor(child.process, child.tid));
  if (has(request, CLONE.PARENT_SETTID)) memory.writeU32(request.parentTid, numberFor(thread.process, child.tid));
}

function announce(machine: Machine, thread: Thread, child: Thread, request: CloneRequest): void {
  if (has(request, CLONE.THREAD)) {
    if (machine.hooks.clone(thread, child) === 'stop') machine.postStop({ kind: 'clone', thread, child });
    return;
  }
  // As the kernel chooses among its PTRACE_EVENTs (kernel_clone).
  const how = has(request, CLONE.VFORK) ? 'vfork' : request.exitSignal === SIGCHLD ? 'fork' : 'clone';
  if (machine.hooks.fork(thread, child, how) === 'stop') machine.postStop({ kind: how, thread, child });
}

interface VforkWait {
  readonly child: Pid;
}

function waitForVfork(context: SyscallContext, child: Thread): Blocked {
  const key = context.machine.newWaitKey();
  child.process.vforkParent = { thread: context.thread, key };
  const progress: VforkWait = { child: child.process.pid };
  return block(context, { keys: [key], progress });
}

/** The child has exec'ed or ended. */
function resumeVfork({ machine, thread }: SyscallContext, blocked: Blocked): SyscallResult {
  const { child } = blocked.progress as VforkWait;
  if (machine.processes.get(child)?.vforkParent !== undefined) return blocked;
  if (machine.hooks.vforkDone(thread) === 'stop') machine.postStop({ kind: 'vfork-done', thread });
  return numberFor(thread.process, child);
}

function cloneSyscall(context: SyscallContext): SyscallResult {
  const [flags, stack, parentTid, childTid, tls] = context.args as [number, number, number, number, number];
  const low = flags >>> 0;
  // clone(2) has one place for both.
  if (low & CLONE.PIDFD && low & CLONE.PARENT_SETTID) return -EINVAL;
  const request = { stack, parentTid, pidfd: parentTid, childTid, tls };
  return clone(context, { ...request, flags: low - (low & 0xff), exitSignal: low & 0xff });
}

/** struct clone_args: 64 bytes in its first version, 88 with set_tid and cgroup. */
const CLONE_ARGS_FIRST = 64;
const CLONE_ARGS_BYTES = 88;

function clone3(context: SyscallContext): SyscallResult {
  const [at, size] = context.args as [number, number];
  if (size < CLONE_ARGS_FIRST) return -EINVAL;
  if (size > 4096) return -E2BIG;
  const bytes = context.memory.readBytes(at, size);
  if (bytes === undefined) return -EFAULT;
  if (bytes.subarray(CLONE_ARGS_BYTES).some((byte) => byte !== 0)) return -E2BIG;
  const view = new DataView(bytes.buffer, bytes.byteOffset, size);
  const field = (i: number): number => (8 * i < size ? Number(view.getBigUint64(8 * i, true)) : 0);
  const [flags, pidfd, childTid, parentTid, exitSignal, stack, stackSize, tls, setTid, setTidSize] = Array.from({ length: 11 }, (_, i) => field(i)) as number[] as [
    number, number, number, number, number, number, number, number, number, number, number,
  ]; // biome-ignore format: one list
  const request = { flags, stack: stack + stackSize, parentTid, pidfd, childTid, tls, exitSignal };
  if ((flags & 0xff) !== 0 || exitSignal > SIGNAL_COUNT) return -EINVAL;
  if ((stack === 0) !== (stackSize === 0)) return -EINVAL;
  if ((has(request, CLONE.THREAD) || has(request, CLONE.PARENT)) && exitSignal !== 0) return -EINVAL;
  // Choosing pids takes CAP_CHECKPOINT_RESTORE.
  if (setTid !== 0 || setTidSize !== 0) return -EPERM;
  return clone(context, request);
}

function plain(flags: number): CloneRequest {
  return { flags, stack: 0, parentTid: 0, pidfd: 0, childTid: 0, tls: 0, exitSignal: SIGCHLD };
}

const vforkWait = { resume: resumeVfork, uninterruptible: true } as const;

export const forkSyscalls: readonly SyscallRow[] = [
  { nr: 56, name: 'clone', run: cloneSyscall, ...vforkWait },
  { nr: 57, name: 'fork', run: (context) => clone(context, plain(0)) },
  { nr: 58, name: 'vfork', run: (context) => clone(context, plain(CLONE.VM | CLONE.VFORK)), ...vforkWait },
  { nr: 435, name: 'clone3', run: clone3, ...vforkWait },
];
