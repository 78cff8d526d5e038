/** futex(2) and the robust list (kernel/futex/). Threads have no priorities here: PI futexes are handed over in order of arrival. */
import type { Machine } from '../machine.js';
import {
  EAGAIN, EDEADLK, EFAULT, EINVAL, ENOSYS, EPERM, ERESTART_RESTARTBLOCK, ERESTARTNOINTR, ERESTARTSYS, ESRCH, ETIMEDOUT,
} from './errno.js'; // biome-ignore format: one list
import {
  FUTEX_OWNER_DIED, FUTEX_TID_MASK, FUTEX_WAITERS, type FutexLock, type FutexName, type FutexWait, futexKey, futexName, handOver, MATCH_ANY, NR_FUTEX, sleepersOn, tidyFutex,
  wakeSleepers,
} from './futex-queue.js'; // biome-ignore format: one list
import { CLOCK, instantOf, readTimespec, spanOf } from './guest-time.js';
import { mayInspect } from './identity-checks.js';
import { idFrom, numberFor, threadNumbered } from './pid-namespace.js';
import { ROBUST_HEAD_BYTES } from './robust-futex.js';
import { block, type SyscallContext, type SyscallResult, type SyscallRow } from './syscall-table.js';
import type { Blocked } from './wait.js';

const PRIVATE_FLAG = 128;
const CLOCK_REALTIME_FLAG = 256;

/** The arguments of one futex operation, named. */
interface Call {
  readonly context: SyscallContext;
  readonly machine: Machine;
  readonly at: number;
  readonly value: number;
  readonly timeout: number;
  /** The fourth argument where it is a count. */
  readonly count: number;
  readonly at2: number;
  readonly value3: number;
  readonly isPrivate: boolean;
  readonly realtime: boolean;
}

interface Operation {
  run(call: Call): SyscallResult;
  /** FUTEX_CLOCK_REALTIME is allowed. */
  readonly clocks?: true;
}

const operations: readonly (Operation | undefined)[] = [
  /*  0 WAIT */ { run: (call) => wait(call, MATCH_ANY, relative(call)) },
  /*  1 WAKE */ { run: (call) => wake(call, MATCH_ANY) },
  /*  2 FD */ undefined,
  /*  3 REQUEUE */ { run: (call) => requeue(call, undefined) },
  /*  4 CMP_REQUEUE */ { run: (call) => requeue(call, call.value3) },
  /*  5 WAKE_OP */ { run: wakeOperation },
  /*  6 LOCK_PI */ { run: (call) => lock(call, absolute(call, CLOCK.REALTIME)) },
  /*  7 UNLOCK_PI */ { run: unlock },
  /*  8 TRYLOCK_PI */ { run: tryLock },
  /*  9 WAIT_BITSET */ { run: (call) => wait(call, call.value3, absolute(call)), clocks: true },
  /* 10 WAKE_BITSET */ { run: (call) => wake(call, call.value3) },
  // 11 WAIT_REQUEUE_PI and 12 CMP_REQUEUE_PI: ENOSYS; glibc has not used them since 2.25.
  undefined,
  undefined,
  /* 13 LOCK_PI2 */ { run: (call) => lock(call, absolute(call)), clocks: true },
];

function futex(context: SyscallContext): SyscallResult {
  const { args, machine } = context;
  const op = (args[1] as number) | 0;
  const operation = operations[op & ~(PRIVATE_FLAG | CLOCK_REALTIME_FLAG)];
  const realtime = (op & CLOCK_REALTIME_FLAG) !== 0;
  if (operation === undefined || (realtime && operation.clocks !== true)) return -ENOSYS;
  const at = args[0] as number;
  if (at % 4 !== 0) return -EINVAL;
  return operation.run({
    context,
    machine,
    at,
    value: (args[2] as number) >>> 0,
    timeout: args[3] as number,
    count: (args[3] as number) | 0,
    at2: args[4] as number,
    value3: (args[5] as number) >>> 0,
    isPrivate: (op & PRIVATE_FLAG) !== 0,
    realtime,
  });
}

/** The deadline, `undefined` for none; negative never occurs for an instant that is an error, so errors come as `{ error }`. */
type Deadline = { readonly at: number | undefined } | { readonly error: number };

function relative({ context, machine, timeout }: Call): Deadline {
  if (timeout === 0) return { at: undefined };
  const span = readTimespec(context.memory, timeout);
  return typeof span === 'number' ? { error: span } : { at: machine.clock.monotonic + spanOf(span) };
}

function absolute({ context, machine, timeout, realtime }: Call, clock?: number): Deadline {
  if (timeout === 0) return { at: undefined };
  const when = readTimespec(context.memory, timeout);
  if (typeof when === 'number') return { error: when };
  return { at: instantOf(machine, clock ?? (realtime ? CLOCK.REALTIME : CLOCK.MONOTONIC), when) };
}

function name({ context, isPrivate }: Call, at: number): FutexName {
  return futexName(context.process.space, at, isPrivate);
}

function wait(call: Call, bitset: number, deadline: Deadline): SyscallResult {
  const { context, machine, at, value } = call;
  if (bitset === 0) return -EINVAL;
  if ('error' in deadline) return deadline.error;
  const now = context.memory.readU32(at);
  if (now === undefined) return -EFAULT;
  if (now !== value) return -EAGAIN;
  if (deadline.at !== undefined && deadline.at <= machine.clock.monotonic) return -ETIMEDOUT;
  const futex = name(call, at);
  const progress: FutexWait = { kind: 'wait', name: futex, value, bitset, woken: false };
  return block(context, { keys: [futexKey(machine, futex)], deadline: deadline.at, progress });
}

function wake(call: Call, bitset: number): number {
  if (bitset === 0) return -EINVAL;
  const { context, machine, at, value } = call;
  // A bad address is an error for shared futexes only: private ones are not looked up.
  if (!call.isPrivate && context.memory.readU32(at) === undefined) return -EFAULT;
  return wakeSleepers(machine, name(call, at), Math.max(1, value | 0), bitset);
}

/** Wakes `value`, moves `count` others to the second futex. CMP_REQUEUE counts both, REQUEUE too. */
function requeue(call: Call, expected: number | undefined): number {
  const { context, machine, at, at2, value, count } = call;
  if ((value | 0) < 0 || count < 0) return -EINVAL;
  if (at2 % 4 !== 0) return -EINVAL;
  if (expected !== undefined) {
    const now = context.memory.readU32(at);
    if (now === undefined) return -EFAULT;
    if (now !== expected) return -EAGAIN;
  }
  const from = name(call, at);
  const to = name(call, at2);
  const woken = value === 0 ? 0 : wakeSleepers(machine, from, value);
  let moved = 0;
  for (const thread of from === to ? [] : sleepersOn(machine, from)) {
    if (moved >= count) break;
    const record = thread.blocked as Blocked;
    const progress = record.progress as FutexWait | FutexLock;
    if (progress.kind !== 'wait') continue;
    progress.name = to;
    machine.moveSleeper(thread, { ...record, keys: [futexKey(machine, to)] });
    moved++;
  }
  tidyFutex(machine, from);
  return woken + moved;
}

/** Changes the second word by an operation encoded in value3, wakes on the first, and on the second if its old value compares. */
function wakeOperation(call: Call): number {
  const { context, machine, at, at2, value, count, value3 } = call;
  if (at2 % 4 !== 0) return -EINVAL;
  const old = context.memory.readU32(at2);
  if (old === undefined) return -EFAULT;
  const next = applyWakeOp(old, value3);
  if (next === undefined) return -ENOSYS;
  if (!context.memory.writeU32(at2, next)) return -EFAULT;
  const compared = compareWakeOp(old | 0, value3);
  if (compared === undefined) return -ENOSYS;
  const first = wakeSleepers(machine, name(call, at), Math.max(1, value | 0));
  return first + (compared ? wakeSleepers(machine, name(call, at2), Math.max(1, count)) : 0);
}

function applyWakeOp(old: number, encoded: number): number | undefined {
  const raw = (encoded << 8) >> 20;
  const shifted = encoded & 0x8000_0000;
  const arg = shifted ? 1 << (raw & 31) : raw;
  const results = [arg, old + arg, old | arg, old & ~arg, old ^ arg];
  const result = results[(encoded >>> 28) & 7];
  return result === undefined ? undefined : result >>> 0;
}

function compareWakeOp(old: number, encoded: number): boolean | undefined {
  const arg = (encoded << 20) >> 20;
  const results = [old === arg, old !== arg, old < arg, old <= arg, old > arg, old >= arg];
  return results[(encoded >>> 24) & 15];
}

/** Takes the lock in the word if nobody holds it: true; false when it is held; or -errno. */
function take({ context, at }: Call, waiting: boolean): boolean | number {
  const { memory, thread } = context;
  const word = memory.readU32(at);
  if (word === undefined) return -EFAULT;
  const owner = word & FUTEX_TID_MASK;
  const own = numberFor(thread.process, thread.tid);
  if (owner === own) return -EDEADLK;
  if (owner !== 0) return false;
  const next = ((word & FUTEX_OWNER_DIED) | own | (waiting ? FUTEX_WAITERS : 0)) >>> 0;
  return memory.writeU32(at, next) ? true : -EFAULT;
}

function lock(call: Call, deadline: Deadline): SyscallResult {
  const { context, machine, at } = call;
  if ('error' in deadline) return deadline.error;
  const futex = name(call, at);
  const taken = take(call, sleepersOn(machine, futex).length > 0);
  if (typeof taken === 'number') return taken;
  if (taken) return 0;
  const word = context.memory.readU32(at) ?? 0;
  const owner = idFrom(context.process, word & FUTEX_TID_MASK);
  if (!machine.threads.has(owner as typeof context.thread.tid)) return -ESRCH;
  if (!context.memory.writeU32(at, (word | FUTEX_WAITERS) >>> 0)) return -EFAULT;
  const progress: FutexLock = { kind: 'lock', name: futex, at, owner, granted: false };
  return block(context, { keys: [futexKey(machine, futex)], deadline: deadline.at, progress });
}

function tryLock(call: Call): number {
  const taken = take(call, sleepersOn(call.machine, name(call, call.at)).length > 0);
  if (typeof taken === 'number') return taken;
  return taken ? 0 : -EAGAIN;
}

function unlock(call: Call): number {
  const { context, machine, at } = call;
  const word = context.memory.readU32(at);
  if (word === undefined) return -EFAULT;
  if ((word & FUTEX_TID_MASK) !== numberFor(context.process, context.thread.tid)) return -EPERM;
  if (handOver(machine, context.process.space, name(call, at), at, 0)) return 0;
  return context.memory.writeU32(at, 0) ? 0 : -EFAULT;
}

function resume(context: SyscallContext, blocked: Blocked): SyscallResult {
  const { machine, memory } = context;
  const progress = blocked.progress as FutexWait | FutexLock;
  tidyFutex(machine, progress.name);
  if (progress.kind === 'lock' ? progress.granted : progress.woken) return 0;
  if (blocked.deadline !== undefined && blocked.deadline <= machine.clock.monotonic) return -ETIMEDOUT;
  if (progress.kind === 'wait') {
    // After a signal, by restart_syscall: the word is looked at again.
    const now = memory.readU32(blocked.args[0] as number);
    if (now === undefined) return -EFAULT;
    if (now !== progress.value) return -EAGAIN;
  }
  return { ...blocked, keys: [futexKey(machine, progress.name)] };
}

function interrupt(_context: SyscallContext, { progress, deadline }: Blocked): number {
  if ((progress as FutexLock | FutexWait).kind === 'lock') return -ERESTARTNOINTR;
  return deadline === undefined ? -ERESTARTSYS : -ERESTART_RESTARTBLOCK;
}

function setRobustList({ thread, args }: SyscallContext): number {
  if (args[1] !== ROBUST_HEAD_BYTES) return -EINVAL;
  thread.robustList = args[0] as number;
  return 0;
}

function getRobustList({ machine, thread, process, memory, args }: SyscallContext): number {
  const [tid, head, length] = args as [number, number, number];
  const found = tid === 0 ? thread : threadNumbered(machine, thread.process, tid);
  if (found === undefined) return -ESRCH;
  if (!mayInspect(process, found.process)) return -EPERM;
  return memory.writeU64(length, ROBUST_HEAD_BYTES) && memory.writeU64(head, found.robustList) ? 0 : -EFAULT;
}

export const futexSyscalls: readonly SyscallRow[] = [
  { nr: NR_FUTEX, name: 'futex', run: futex, resume, interrupt },
  { nr: 273, name: 'set_robust_list', run: setRobustList },
  { nr: 274, name: 'get_robust_list', run: getRobustList },
];
