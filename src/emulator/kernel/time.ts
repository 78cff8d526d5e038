/** Clocks and sleeping (kernel/time/). All clocks are virtual: docs/design.md, "Time is virtual". */

import { NS_PER_SECOND } from '../../types.js';
import { type Timespec, timespec } from '../clock.js';
import type { Process } from '../process.js';
import { cpuClock, cpuClockOwner } from './clock-names.js';
import { EFAULT, EINVAL, EPERM, ERESTART_RESTARTBLOCK, ERESTARTNOHAND } from './errno.js';
import { CLOCK, instantOf, isRealtime, readTimespec, spanOf, writeSpan, writeTimespec } from './guest-time.js';
import { CAP, capable } from './identity-checks.js';
import { block, type SyscallContext, type SyscallResult, type SyscallRow } from './syscall-table.js';
import type { Blocked } from './wait.js';

const TIMER_ABSTIME = 1;
/** USER_HZ: what times(2) counts in. */
const TICK_NS = NS_PER_SECOND / 100;
/** Resolution of the COARSE clocks, a tick of 250 Hz; they still show the exact time. */
const COARSE_NS = 4_000_000;

function show({ machine, thread }: SyscallContext, clock: number): Timespec | undefined {
  const owner = cpuClockOwner(thread, clock);
  if (owner === undefined) return isRealtime(clock) ? machine.clock.realtime : timespec(machine.clock.monotonic);
  const ns = cpuClock(machine, thread, clock);
  return ns === undefined ? undefined : timespec(ns);
}

function clockGettime(context: SyscallContext): number {
  const time = show(context, (context.args[0] as number) | 0);
  if (time === undefined) return -EINVAL;
  return writeTimespec(context.memory, context.args[1] as number, time) ? 0 : -EFAULT;
}

function clockGetres(context: SyscallContext): number {
  const [clock, at] = context.args as [number, number];
  if (show(context, clock | 0) === undefined) return -EINVAL;
  const coarse = (clock | 0) === CLOCK.REALTIME_COARSE || (clock | 0) === CLOCK.MONOTONIC_COARSE;
  const nanoseconds = coarse ? COARSE_NS : 1;
  return at === 0 || writeTimespec(context.memory, at, { seconds: 0, nanoseconds }) ? 0 : -EFAULT;
}

function setWall({ machine, process }: SyscallContext, time: Timespec): number {
  if (!capable(process, CAP.SYS_TIME)) return -EPERM;
  const offset = timespec(time.nanoseconds - machine.clock.monotonic);
  machine.clock.epoch = { seconds: time.seconds + offset.seconds, nanoseconds: offset.nanoseconds };
  return 0;
}

function clockSettime(context: SyscallContext): number {
  if (((context.args[0] as number) | 0) !== CLOCK.REALTIME) return -EINVAL;
  const time = readTimespec(context.memory, context.args[1] as number);
  return typeof time === 'number' ? time : setWall(context, time);
}

function settimeofday(context: SyscallContext): number {
  const at = context.args[0] as number;
  if (at === 0) return capable(context.process, CAP.SYS_TIME) ? 0 : -EPERM;
  const seconds = context.memory.readU64(at);
  const microseconds = context.memory.readU64(at + 8);
  if (seconds === undefined || microseconds === undefined) return -EFAULT;
  if (microseconds > 999_999 || seconds >= 2 ** 63) return -EINVAL;
  return setWall(context, { seconds, nanoseconds: microseconds * 1000 });
}

/** struct timeval, struct timezone (always UTC). */
function gettimeofday({ machine, memory, args }: SyscallContext): number {
  const [time, zone] = args as [number, number];
  const { seconds, nanoseconds } = machine.clock.realtime;
  if (time !== 0) {
    const ok = memory.writeU64(time, seconds) && memory.writeU64(time + 8, Math.floor(nanoseconds / 1000));
    if (!ok) return -EFAULT;
  }
  return zone === 0 || memory.writeU64(zone, 0) ? 0 : -EFAULT;
}

function time({ machine, memory, args }: SyscallContext): number {
  const { seconds } = machine.clock.realtime;
  const at = args[0] as number;
  return at === 0 || memory.writeU64(at, seconds) ? seconds : -EFAULT;
}

/** struct tms: all CPU time is user time. */
function times({ machine, process, memory, args }: SyscallContext): number {
  const at = args[0] as number;
  if (at !== 0) {
    const bytes = new Uint8Array(32);
    const view = new DataView(bytes.buffer);
    view.setBigUint64(0, BigInt(Math.floor(process.retired / TICK_NS)), true);
    view.setBigUint64(16, BigInt(Math.floor(process.childrenUsage.retired / TICK_NS)), true);
    if (!memory.writeBytes(at, bytes)) return -EFAULT;
  }
  return Math.floor(machine.clock.monotonic / TICK_NS);
}

/** Where a relative sleep writes what is left, and whether it can be gone on with. */
interface Sleep {
  readonly remaining: number;
  readonly absolute: boolean;
  /** CPU clock that the sleep counts: then `until` is on that clock. */
  readonly cpu?: { readonly clock: number; readonly until: number };
}

function nanosleep(context: SyscallContext): SyscallResult {
  const [at, remaining] = context.args as [number, number];
  const span = readTimespec(context.memory, at);
  if (typeof span === 'number') return span;
  return sleepUntil(context, context.machine.clock.monotonic + spanOf(span), { remaining, absolute: false });
}

function clockNanosleep(context: SyscallContext): SyscallResult {
  const { machine, thread, memory, args } = context;
  const [clockId, flags, at, remaining] = args as [number, number, number, number];
  const clock = clockId | 0;
  const owner = cpuClockOwner(thread, clock);
  if (owner === 'invalid' || clock === CLOCK.THREAD_CPUTIME_ID || owner === thread.tid) return -EINVAL;
  const span = readTimespec(memory, at);
  if (typeof span === 'number') return span;
  const absolute = (flags & TIMER_ABSTIME) !== 0;
  const sleep = { remaining, absolute };
  if (owner !== undefined) {
    const now = cpuClock(machine, thread, clock) ?? 0;
    const until = absolute ? spanOf(span) : now + spanOf(span);
    return cpuSleep(context, { ...sleep, cpu: { clock, until } });
  }
  const until = absolute ? instantOf(machine, clock, span) : machine.clock.monotonic + spanOf(span);
  return sleepUntil(context, until, sleep);
}

function sleepUntil(context: SyscallContext, deadline: number, progress: Sleep): SyscallResult {
  if (deadline <= context.machine.clock.monotonic) return 0;
  return block(context, { deadline, progress });
}

/** CPU time passes at most as fast as virtual time: look again when it could have come. */
function cpuSleep(context: SyscallContext, progress: Sleep): SyscallResult {
  const { machine, thread } = context;
  const { clock, until } = progress.cpu as { clock: number; until: number };
  const left = until - (cpuClock(machine, thread, clock) ?? Number.POSITIVE_INFINITY);
  if (left <= 0) return 0;
  return block(context, { deadline: machine.clock.monotonic + left, progress });
}

function resumeSleep(context: SyscallContext, blocked: Blocked): SyscallResult {
  const progress = blocked.progress as Sleep;
  if (progress.cpu !== undefined) return cpuSleep(context, progress);
  return (blocked.deadline ?? 0) <= context.machine.clock.monotonic ? 0 : blocked;
}

/** An absolute sleep is simply called again; a relative one goes on to its old end. */
function interruptSleep(_context: SyscallContext, { progress }: Blocked): number {
  return (progress as Sleep).absolute ? -ERESTARTNOHAND : -ERESTART_RESTARTBLOCK;
}

function tellRemaining({ machine, memory, thread }: SyscallContext, { progress, deadline }: Blocked): void {
  const { remaining, absolute, cpu } = progress as Sleep;
  if (absolute || remaining === 0 || thread.state === 'dead') return;
  const left =
    cpu === undefined
      ? (deadline ?? 0) - machine.clock.monotonic
      : cpu.until - (cpuClock(machine, thread, cpu.clock) ?? 0);
  // A bad address is reported only by the next call: the program is on its way to a handler.
  writeSpan(memory, remaining, left);
}

/** CPU time of children that were waited for, or of a process: struct rusage, 144 bytes. */
export function rusageBytes(retired: number, usage: Process['usage'], maxResident: number): Uint8Array {
  const bytes = new Uint8Array(144);
  const view = new DataView(bytes.buffer);
  const put = (index: number, value: number): void => view.setBigInt64(8 * index, BigInt(Math.floor(value)), true);
  put(0, retired / NS_PER_SECOND);
  put(1, (retired % NS_PER_SECOND) / 1000);
  put(4, maxResident / 1024);
  put(8, usage.minorFaults);
  put(16, usage.voluntarySwitches);
  put(17, usage.involuntarySwitches);
  return bytes;
}

const RUSAGE_SELF = 0;
const RUSAGE_CHILDREN = -1;
const RUSAGE_THREAD = 1;

function getrusage({ process, thread, memory, args }: SyscallContext): number {
  const who = (args[0] as number) | 0;
  if (who !== RUSAGE_SELF && who !== RUSAGE_CHILDREN && who !== RUSAGE_THREAD) return -EINVAL;
  const retired =
    who === RUSAGE_SELF ? process.retired : who === RUSAGE_THREAD ? thread.retired : process.childrenUsage.retired;
  const { minorFaults } = process;
  const usage = who === RUSAGE_CHILDREN ? process.childrenUsage : { ...process.usage, minorFaults };
  return memory.writeBytes(args[1] as number, rusageBytes(retired, usage, process.peakResident)) ? 0 : -EFAULT;
}

const sleepRow = { resume: resumeSleep, interrupt: interruptSleep, abandon: tellRemaining };

export const timeSyscalls: readonly SyscallRow[] = [
  { nr: 35, name: 'nanosleep', run: nanosleep, ...sleepRow },
  { nr: 96, name: 'gettimeofday', run: gettimeofday },
  { nr: 98, name: 'getrusage', run: getrusage },
  { nr: 100, name: 'times', run: times },
  { nr: 164, name: 'settimeofday', run: settimeofday },
  { nr: 201, name: 'time', run: time },
  { nr: 227, name: 'clock_settime', run: clockSettime },
  { nr: 228, name: 'clock_gettime', run: clockGettime },
  { nr: 229, name: 'clock_getres', run: clockGetres },
  { nr: 230, name: 'clock_nanosleep', run: clockNanosleep, ...sleepRow },
];
