import { AddressSpace } from '../memory/address-space.js';
import type { Limit, Process } from '../process.js';
import type { Thread } from '../thread.js';
import { EACCES, EFAULT, EINVAL, ENOSYS, EPERM, ESRCH } from './errno.js';
import { exitThread } from './exit.js';
import { CAP, capable, mayInspect } from './identity-checks.js';
import { RLIMIT, RLIMIT_COUNT } from './limits.js';
import { idFrom, numberFor, ownerNumbered, threadNumbered } from './pid-namespace.js';
import { isRealtime, POLICY } from './policy.js';
import type { SyscallContext, SyscallResult, SyscallRow } from './syscall-table.js';

function exit({ machine, thread, args }: SyscallContext): SyscallResult {
  exitThread(machine, thread, (args[0] as number) & 0xff);
  return 'no-return';
}

function exitGroup({ machine, process, args }: SyscallContext): SyscallResult {
  machine.doom(process, { kind: 'exited', code: (args[0] as number) & 0xff });
  return 'no-return';
}

function setTidAddress({ thread, args }: SyscallContext): number {
  thread.clearChildTid = args[0] as number;
  return numberFor(thread.process, thread.tid);
}

function threadOf({ machine, thread }: SyscallContext, tid: number): Thread | undefined {
  return tid === 0 ? thread : threadNumbered(machine, thread.process, tid);
}

const RESET_ON_FORK = 0x4000_0000;

/** The lowest and highest static priority of a policy. */
function priorities(policy: number): readonly [number, number] | undefined {
  if (isRealtime(policy)) return [1, 99];
  return policy === POLICY.OTHER || policy === POLICY.BATCH || policy === POLICY.IDLE ? [0, 0] : undefined;
}

/** Policies are remembered and change nothing: the order of execution is the scheduler's alone. */
function setScheduler(
  context: SyscallContext,
  tid: number,
  policy: number | undefined,
  priority: number | undefined,
): number {
  if (tid < 0 || priority === undefined) return priority === undefined ? -EFAULT : -EINVAL;
  const thread = threadOf(context, tid);
  if (thread === undefined) return -ESRCH;
  const wanted = policy ?? thread.policy.policy;
  const range = priorities(wanted & ~RESET_ON_FORK);
  if (range === undefined || priority < range[0] || priority > range[1]) return -EINVAL;
  const limit = thread.process.limits[RLIMIT.RTPRIO]?.soft ?? 0;
  if (isRealtime(wanted & ~RESET_ON_FORK) && priority > limit && !capable(context.process, CAP.SYS_NICE)) return -EPERM;
  thread.policy = { policy: wanted, priority };
  return 0;
}

function schedSetparam(context: SyscallContext): number {
  const [tid, at] = context.args as [number, number];
  const priority = context.memory.readU32(at);
  return setScheduler(context, tid | 0, undefined, priority === undefined ? undefined : priority | 0);
}

function schedSetscheduler(context: SyscallContext): number {
  const [tid, policy, at] = context.args as [number, number, number];
  if ((policy | 0) < 0) return -EINVAL;
  const priority = context.memory.readU32(at);
  return setScheduler(context, tid | 0, policy | 0, priority === undefined ? undefined : priority | 0);
}

function schedGetparam(context: SyscallContext): number {
  const [tid, at] = context.args as [number, number];
  const thread = threadOf(context, tid | 0);
  if (thread === undefined) return (tid | 0) < 0 ? -EINVAL : -ESRCH;
  return context.memory.writeU32(at, thread.policy.priority) ? 0 : -EFAULT;
}

function schedGetscheduler(context: SyscallContext): number {
  const tid = (context.args[0] as number) | 0;
  return threadOf(context, tid)?.policy.policy ?? (tid < 0 ? -EINVAL : -ESRCH);
}

/** SCHED_RR's interval is Linux's default of 100 ms; the others say 0 or a slice. */
function schedRrGetInterval(context: SyscallContext): number {
  const [tid, at] = context.args as [number, number];
  const thread = threadOf(context, tid | 0);
  if (thread === undefined) return (tid | 0) < 0 ? -EINVAL : -ESRCH;
  const ns = thread.policy.policy === POLICY.RR ? 100_000_000 : thread.policy.policy === POLICY.FIFO ? 0 : 4_000_000;
  return context.memory.writeU64(at, 0) && context.memory.writeU64(at + 8, ns) ? 0 : -EFAULT;
}

/** The guest has one processor, number 0: its threads take turns, and programs that ask size their pools accordingly. */
export const CPU_COUNT = 1;

function schedGetaffinity(context: SyscallContext): number {
  const [tid, size, at] = context.args as [number, number, number];
  if (threadOf(context, tid | 0) === undefined) return -ESRCH;
  if (size < 8 || size % 8 !== 0) return -EINVAL;
  return context.memory.writeU64(at, CPU_COUNT) ? 8 : -EFAULT;
}

function schedSetaffinity(context: SyscallContext): number {
  const [tid, size, at] = context.args as [number, number, number];
  const bytes = context.memory.readBytes(at, Math.min(size >>> 0, 128));
  if (bytes === undefined) return -EFAULT;
  if (threadOf(context, tid | 0) === undefined) return -ESRCH;
  return ((bytes[0] ?? 0) & 1) === 1 ? 0 : -EINVAL;
}

/** struct sched_attr, its first version: 48 bytes. */
const SCHED_ATTR_BYTES = 48;

function schedGetattr(context: SyscallContext): number {
  const [tid, at, size] = context.args as [number, number, number];
  const thread = threadOf(context, tid | 0);
  if (size < SCHED_ATTR_BYTES) return -EINVAL;
  if (thread === undefined) return -ESRCH;
  const view = new DataView(new ArrayBuffer(SCHED_ATTR_BYTES));
  view.setUint32(0, SCHED_ATTR_BYTES, true);
  view.setUint32(4, thread.policy.policy, true);
  view.setInt32(16, thread.nice, true);
  view.setUint32(20, thread.policy.priority, true);
  return context.memory.writeBytes(at, new Uint8Array(view.buffer)) ? 0 : -EFAULT;
}

function schedSetattr(context: SyscallContext): number {
  const [tid, at] = context.args as [number, number];
  const bytes = context.memory.readBytes(at, SCHED_ATTR_BYTES);
  if (bytes === undefined) return -EFAULT;
  const view = new DataView(bytes.buffer, bytes.byteOffset, SCHED_ATTR_BYTES);
  const policy = view.getUint32(4, true);
  const result = setScheduler(context, tid | 0, policy, view.getUint32(20, true));
  const thread = threadOf(context, tid | 0);
  if (result === 0 && thread !== undefined && !isRealtime(policy)) thread.nice = clampNice(view.getInt32(16, true));
  return result;
}

function clampNice(nice: number): number {
  return Math.min(19, Math.max(-20, nice));
}

const PRIO_PROCESS = 0;
const PRIO_PGRP = 1;
const PRIO_USER = 2;

function priorityTargets({ machine, process, thread, args }: SyscallContext): Thread[] | undefined {
  const [which, who] = args.map((arg) => arg | 0) as [number, number];
  const threadsOf = (match: (other: Process) => boolean): Thread[] =>
    [...machine.threads.values()].filter((other) => match(other.process));
  switch (which) {
    case PRIO_PROCESS: {
      const one = who === 0 ? thread : threadNumbered(machine, process, who);
      return one === undefined ? [] : [one];
    }
    case PRIO_PGRP:
      return threadsOf(({ pgid }) => pgid === (who === 0 ? process.pgid : idFrom(process, who)));
    case PRIO_USER:
      return threadsOf(({ credentials }) => credentials.ruid === (who === 0 ? process.credentials.ruid : who));
    default:
      return undefined;
  }
}

/** 20 - nice, so that no result looks like an error. */
function getpriority(context: SyscallContext): number {
  const targets = priorityTargets(context);
  if (targets === undefined) return -EINVAL;
  return targets.length === 0 ? -ESRCH : Math.max(...targets.map(({ nice }) => 20 - nice));
}

function setpriority(context: SyscallContext): number {
  const targets = priorityTargets(context);
  if (targets === undefined) return -EINVAL;
  if (targets.length === 0) return -ESRCH;
  const nice = clampNice((context.args[2] as number) | 0);
  const rises = targets.some((thread) => nice < thread.nice);
  const limit = 20 - (context.process.limits[RLIMIT.NICE]?.soft ?? 0);
  if (rises && nice < limit && !capable(context.process, CAP.SYS_NICE)) return -EACCES;
  for (const thread of targets) thread.nice = nice;
  return 0;
}

function isKnown(resource: number): boolean {
  return resource >= 0 && resource < RLIMIT_COUNT;
}

const INFINITY = 0xffff_ffff_ffff_ffffn;

function limitBytes({ soft, hard }: Limit): Uint8Array {
  const view = new DataView(new ArrayBuffer(16));
  const word = (value: number): bigint => (Number.isFinite(value) ? BigInt(value) : INFINITY);
  view.setBigUint64(0, word(soft), true);
  view.setBigUint64(8, word(hard), true);
  return new Uint8Array(view.buffer);
}

function readLimit({ memory }: SyscallContext, at: number): Limit | undefined {
  const bytes = memory.readBytes(at, 16);
  if (bytes === undefined) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, 16);
  const number = (word: bigint): number => (word === INFINITY ? Number.POSITIVE_INFINITY : Number(word));
  return { soft: number(view.getBigUint64(0, true)), hard: number(view.getBigUint64(8, true)) };
}

function setLimit({ machine, process }: SyscallContext, target: Process, resource: number, next: Limit): number {
  const hard = target.limits[resource]?.hard ?? Number.POSITIVE_INFINITY;
  if (next.soft > next.hard) return -EINVAL;
  if (next.hard > hard && !capable(process, CAP.SYS_RESOURCE)) return -EPERM;
  target.limits[resource] = next;
  if (resource === RLIMIT.CPU) machine.cpuTimersChanged(target);
  if (resource === RLIMIT.STACK && target.space instanceof AddressSpace) target.space.pager.stackLimit = next.soft;
  return 0;
}

function getrlimit(context: SyscallContext): number {
  const [resource, at] = context.args as [number, number];
  const limit = context.process.limits[resource >>> 0];
  if (!isKnown(resource | 0) || limit === undefined) return -EINVAL;
  return context.memory.writeBytes(at, limitBytes(limit)) ? 0 : -EFAULT;
}

function setrlimit(context: SyscallContext): number {
  const [resource, at] = context.args as [number, number];
  const next = readLimit(context, at);
  if (next === undefined) return -EFAULT;
  return isKnown(resource | 0) ? setLimit(context, context.process, resource | 0, next) : -EINVAL;
}

function prlimit64(context: SyscallContext): number {
  const { machine, process, memory } = context;
  const [pid, resource, nextAt, oldAt] = context.args as [number, number, number, number];
  if (!isKnown(resource | 0)) return -EINVAL;
  const next = nextAt === 0 ? undefined : readLimit(context, nextAt);
  if (nextAt !== 0 && next === undefined) return -EFAULT;
  const target = (pid | 0) === 0 ? process : ownerNumbered(machine, process, pid | 0);
  if (target === undefined) return -ESRCH;
  if (!mayInspect(process, target)) return -EPERM;
  const before = target.limits[resource | 0] as Limit;
  if (next !== undefined) {
    const result = setLimit(context, target, resource | 0, next);
    if (result !== 0) return result;
  }
  return oldAt === 0 || memory.writeBytes(oldAt, limitBytes(before)) ? 0 : -EFAULT;
}

function schedYield({ machine, thread }: SyscallContext): number {
  machine.scheduler.endSlice(thread);
  return 0;
}

/** cpu 0 of node 0. */
function getcpu({ memory, args }: SyscallContext): number {
  const [cpu, node] = args as [number, number];
  const written = (cpu === 0 || memory.writeU32(cpu, 0)) && (node === 0 || memory.writeU32(node, 0));
  return written ? 0 : -EFAULT;
}

/** membarrier(2): threads take turns on one processor, so every barrier is already there. All commands but those for restartable sequences. */
const MEMBARRIER_SUPPORTED = 0x7f;

function membarrier({ args }: SyscallContext): number {
  const [command, flags] = args as [number, number];
  if (flags !== 0) return -EINVAL;
  if (command === 0) return MEMBARRIER_SUPPORTED;
  return command & ~MEMBARRIER_SUPPORTED ? -EINVAL : 0;
}

/** I/O priorities are remembered nowhere: the answer is the default, "none". */
function ioprio(): number {
  return 0;
}

export const taskSyscalls: readonly SyscallRow[] = [
  { nr: 24, name: 'sched_yield', run: schedYield },
  { nr: 60, name: 'exit', run: exit },
  { nr: 97, name: 'getrlimit', run: getrlimit },
  { nr: 140, name: 'getpriority', run: getpriority },
  { nr: 141, name: 'setpriority', run: setpriority },
  { nr: 142, name: 'sched_setparam', run: schedSetparam },
  { nr: 143, name: 'sched_getparam', run: schedGetparam },
  { nr: 144, name: 'sched_setscheduler', run: schedSetscheduler },
  { nr: 145, name: 'sched_getscheduler', run: schedGetscheduler },
  { nr: 146, name: 'sched_get_priority_max', run: ({ args }) => priorities((args[0] as number) | 0)?.[1] ?? -EINVAL },
  { nr: 147, name: 'sched_get_priority_min', run: ({ args }) => priorities((args[0] as number) | 0)?.[0] ?? -EINVAL },
  { nr: 148, name: 'sched_rr_get_interval', run: schedRrGetInterval },
  { nr: 160, name: 'setrlimit', run: setrlimit },
  { nr: 203, name: 'sched_setaffinity', run: schedSetaffinity },
  { nr: 204, name: 'sched_getaffinity', run: schedGetaffinity },
  { nr: 218, name: 'set_tid_address', run: setTidAddress },
  { nr: 231, name: 'exit_group', run: exitGroup },
  { nr: 251, name: 'ioprio_set', run: ioprio },
  { nr: 252, name: 'ioprio_get', run: ioprio },
  { nr: 302, name: 'prlimit64', run: prlimit64 },
  { nr: 309, name: 'getcpu', run: getcpu },
  { nr: 314, name: 'sched_setattr', run: schedSetattr },
  { nr: 315, name: 'sched_getattr', run: schedGetattr },
  { nr: 324, name: 'membarrier', run: membarrier },
  // Restartable sequences: glibc does without.
  { nr: 334, name: 'rseq', run: () => -ENOSYS },
];
