/** POSIX timers: timer_create(2) and its family (kernel/time/posix-timers.c). */

import type { Tid } from '../../types.js';
import { timespec } from '../clock.js';
import type { Machine } from '../machine.js';
import type { Process } from '../process.js';
import { SI, SIGNAL, SIGNAL_COUNT, type SigInfo } from '../signals.js';
import type { Thread } from '../thread.js';
import { cpuClockOwner } from './clock-names.js';
import { EAGAIN, EFAULT, EINVAL } from './errno.js';
import { instantOf, readTimespec, spanOf, timespecBytes } from './guest-time.js';
import { sendToProcess, sendToThread } from './signal-send.js';
import type { SyscallContext, SyscallRow } from './syscall-table.js';
import type { PosixTimer, TimerNotification } from './timer-state.js';

const NEVER = Number.POSITIVE_INFINITY;
const TIMER_ABSTIME = 1;
const SIGEV_SIGNAL = 0;
const SIGEV_NONE = 1;
const SIGEV_THREAD_ID = 4;
/** DELAYTIMER_MAX is not reached: the count saturates here. */
const OVERRUN_MAX = 0x7fff_ffff;
/** More than this many timers would be more than RLIMIT_SIGPENDING allows. */
const TIMERS_MAX = 31_000;

/** The alarm of a timer on a clock that is not a CPU clock. */
export function ringPosixTimer(machine: Machine, process: Process, id: number): void {
  const timer = process.timers.get(id);
  if (timer === undefined) return;
  timer.setting++;
  expire(machine, process, timer);
}

/** CPU timers of the thread and of its process that are due. */
export function expireCpuTimers(machine: Machine, thread: Thread): void {
  const { process } = thread;
  for (const timer of process.timers.values()) {
    if (timer.cpuOf === undefined || timer.fired || timer.expires > nowOf(machine, process, timer)) continue;
    expire(machine, process, timer);
  }
}

/** Earliest expiry of a timer on the CPU clock of a thread (0: of the process). */
export function nextCpuExpiry(process: Process, cpuOf: number): number {
  let next = NEVER;
  for (const timer of process.timers.values()) {
    if (timer.cpuOf === cpuOf && !timer.fired && timer.notify.kind !== 'none') next = Math.min(next, timer.expires);
  }
  return next;
}

/** Sends the signal; a periodic timer is armed again when the signal is taken, and tells then how often it expired meanwhile. */
function expire(machine: Machine, process: Process, timer: PosixTimer): void {
  const { notify, id } = timer;
  timer.fired = true;
  if (notify.kind === 'none') return;
  const fields = { kind: 'timer', id, overrun: 0, value: notify.value } as const;
  const info: SigInfo = { signal: notify.signal, errno: 0, code: SI.TIMER, fields };
  if (notify.kind === 'signal') sendToProcess(machine, process, info);
  else {
    const thread = machine.threads.get(notify.tid as Tid);
    if (thread !== undefined) sendToThread(machine, thread, info);
  }
}

/** The signal of a timer is being taken: its siginfo tells the overrun, and the timer goes on. */
export function timerDelivered(machine: Machine, process: Process, info: SigInfo): SigInfo {
  if (info.fields.kind !== 'timer') return info;
  const timer = process.timers.get(info.fields.id);
  if (timer === undefined) return info;
  forward(machine, process, timer);
  return { ...info, fields: { ...info.fields, overrun: timer.overrun } };
}

function forward(machine: Machine, process: Process, timer: PosixTimer): void {
  const now = nowOf(machine, process, timer);
  timer.fired = false;
  if (timer.interval === 0 || timer.expires > now) {
    timer.overrun = 0;
    if (timer.expires <= now) timer.expires = NEVER;
    return;
  }
  const missed = Math.floor((now - timer.expires) / timer.interval);
  timer.overrun = Math.min(missed, OVERRUN_MAX);
  timer.expires += (missed + 1) * timer.interval;
  arm(machine, process, timer);
}

function arm(machine: Machine, process: Process, timer: PosixTimer): void {
  timer.setting++;
  if (timer.cpuOf !== undefined) return machine.cpuTimersChanged(process);
  if (timer.expires === NEVER || timer.notify.kind === 'none') return;
  machine.alarms.set(timer.expires, { kind: 'timer', pid: process.pid, id: timer.id, setting: timer.setting });
}

/** Now on the timer's clock; wall clocks count as monotonic, because expiries do. */
function nowOf(machine: Machine, process: Process, { cpuOf }: PosixTimer): number {
  if (cpuOf === undefined) return machine.clock.monotonic;
  if (cpuOf === 0) return process.retired;
  return machine.threads.get(cpuOf as Tid)?.retired ?? 0;
}

/** struct sigevent: value, signo, notify, tid. */
function readNotification(context: SyscallContext, at: number, id: number): TimerNotification | number {
  if (at === 0) return { kind: 'signal', signal: SIGNAL.ALRM, value: BigInt(id) };
  const bytes = context.memory.readBytes(at, 64);
  if (bytes === undefined) return -EFAULT;
  const view = new DataView(bytes.buffer, bytes.byteOffset, 64);
  const value = view.getBigUint64(0, true);
  const signal = view.getInt32(8, true);
  const how = view.getInt32(12, true);
  if (how === SIGEV_NONE) return { kind: 'none' };
  if (signal < 1 || signal > SIGNAL_COUNT) return -EINVAL;
  if (how === SIGEV_SIGNAL || how === SIGEV_THREAD) return { kind: 'signal', signal, value };
  if (how !== (SIGEV_SIGNAL | SIGEV_THREAD_ID)) return -EINVAL;
  const tid = view.getInt32(16, true);
  const mine = context.process.threads.has(tid as Tid);
  return mine ? { kind: 'thread', signal, value, tid } : -EINVAL;
}

const SIGEV_THREAD = 2;

function timerCreate(context: SyscallContext): number {
  const { process, memory, args } = context;
  const clock = (args[0] as number) | 0;
  const cpuOf = cpuClockOwner(context.thread, clock);
  if (cpuOf === 'invalid') return -EINVAL;
  if (process.timers.size >= TIMERS_MAX) return -EAGAIN;
  const id = freeId(process);
  const notify = readNotification(context, args[1] as number, id);
  if (typeof notify === 'number') return notify;
  if (!memory.writeU32(args[2] as number, id)) return -EFAULT;
  const timer = { id, clock, cpuOf, notify, expires: NEVER, interval: 0, setting: 0, fired: false, overrun: 0 };
  process.timers.set(id, timer);
  return 0;
}

function freeId({ timers }: Process): number {
  for (let id = 0; ; id++) if (!timers.has(id)) return id;
}

/** 32 bytes: struct itimerspec, interval and time left. */
function currentValue(machine: Machine, process: Process, timer: PosixTimer): Uint8Array {
  const now = nowOf(machine, process, timer);
  let { expires } = timer;
  if (timer.interval > 0 && expires <= now) {
    expires += (Math.floor((now - expires) / timer.interval) + 1) * timer.interval;
  }
  const left = expires === NEVER || (expires <= now && timer.notify.kind === 'none') ? 0 : Math.max(1, expires - now);
  const bytes = new Uint8Array(32);
  bytes.set(timespecBytes(timespec(timer.interval)), 0);
  bytes.set(timespecBytes(timespec(timer.fired && timer.interval === 0 ? 0 : left)), 16);
  return bytes;
}

function timerOf({ process, args }: SyscallContext): PosixTimer | undefined {
  return process.timers.get((args[0] as number) | 0);
}

function timerSettime(context: SyscallContext): number {
  const { machine, process, memory, args } = context;
  const timer = timerOf(context);
  const [, flags, next, old] = args as [number, number, number, number];
  const interval = readTimespec(memory, next);
  if (typeof interval === 'number') return interval;
  const value = readTimespec(memory, next + 16);
  if (typeof value === 'number') return value;
  if (timer === undefined) return -EINVAL;
  const before = currentValue(machine, process, timer);
  const disarm = value.seconds === 0 && value.nanoseconds === 0;
  const absolute = (flags & TIMER_ABSTIME) !== 0;
  const at = absolute
    ? timer.cpuOf === undefined
      ? instantOf(machine, timer.clock, value)
      : spanOf(value)
    : nowOf(machine, process, timer) + spanOf(value);
  timer.interval = disarm ? 0 : spanOf(interval);
  timer.expires = disarm ? NEVER : at;
  timer.overrun = 0;
  timer.fired = false;
  arm(machine, process, timer);
  return old === 0 || memory.writeBytes(old, before) ? 0 : -EFAULT;
}

function timerGettime(context: SyscallContext): number {
  const { machine, process, memory, args } = context;
  const timer = timerOf(context);
  if (timer === undefined) return -EINVAL;
  return memory.writeBytes(args[1] as number, currentValue(machine, process, timer)) ? 0 : -EFAULT;
}

function timerGetoverrun(context: SyscallContext): number {
  return timerOf(context)?.overrun ?? -EINVAL;
}

function timerDelete(context: SyscallContext): number {
  const timer = timerOf(context);
  if (timer === undefined) return -EINVAL;
  context.process.timers.delete(timer.id);
  context.machine.cpuTimersChanged(context.process);
  return 0;
}

export const posixTimerSyscalls: readonly SyscallRow[] = [
  { nr: 222, name: 'timer_create', run: timerCreate },
  { nr: 223, name: 'timer_settime', run: timerSettime },
  { nr: 224, name: 'timer_gettime', run: timerGettime },
  { nr: 225, name: 'timer_getoverrun', run: timerGetoverrun },
  { nr: 226, name: 'timer_delete', run: timerDelete },
];
