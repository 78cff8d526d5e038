/** Interval timers: setitimer(2), getitimer(2), alarm(2), and everything that counts CPU time (kernel/time/itimer.c, posix-cpu-timers.c). */
import { NS_PER_SECOND } from '../../types.js';
import type { Machine } from '../machine.js';
import type { Process } from '../process.js';
import { kernelInfo, SIGNAL } from '../signals.js';
import type { Thread } from '../thread.js';
import { EFAULT, EINVAL } from './errno.js';
import { readTimeval, timevalBytes } from './guest-time.js';
import { RLIMIT } from './limits.js';
import { expireCpuTimers, nextCpuExpiry } from './posix-timer.js';
import { sendToProcess } from './signal-send.js';
import type { SyscallContext, SyscallRow } from './syscall-table.js';
import type { Itimer } from './timer-state.js';

const REAL = 0;
/** Signal of each timer. */
const SIGNALS = [SIGNAL.ALRM, SIGNAL.VTALRM, SIGNAL.PROF] as const;

/** ITIMER_REAL has expired. It is armed again when the signal is taken (dequeue_signal), so a blocked SIGALRM does not ring on and on. */
export function ringItimer(machine: Machine, process: Process): void {
  const timer = process.itimers[REAL];
  timer.setting++;
  sendToProcess(machine, process, kernelInfo(SIGNAL.ALRM));
}

/** SIGALRM is being taken. */
export function rearmRealTimer(machine: Machine, process: Process): void {
  const timer = process.itimers[REAL];
  const now = machine.clock.monotonic;
  if (timer.expires > now) return;
  if (timer.interval === 0) {
    timer.expires = Number.POSITIVE_INFINITY;
    return;
  }
  timer.expires += (Math.floor((now - timer.expires) / timer.interval) + 1) * timer.interval;
  armReal(machine, process, timer);
}

function armReal(machine: Machine, process: Process, timer: Itimer): void {
  timer.setting++;
  if (timer.expires === Number.POSITIVE_INFINITY) return;
  machine.alarms.set(timer.expires, { kind: 'itimer', pid: process.pid, setting: timer.setting });
}

/** A clock of CPU time has come to a deadline of the thread or its process. */
export function cpuTimeReached(machine: Machine, thread: Thread): void {
  const { process } = thread;
  for (const which of [1, 2] as const) {
    const timer = process.itimers[which];
    if (timer.expires > process.retired) continue;
    timer.expires = timer.interval === 0 ? Number.POSITIVE_INFINITY : timer.expires + timer.interval;
    sendToProcess(machine, process, kernelInfo(SIGNALS[which]));
  }
  limitCpuTime(machine, process);
  expireCpuTimers(machine, thread);
  updateCpuDeadline(process);
}

/** RLIMIT_CPU: SIGXCPU at the soft limit and every second after it, SIGKILL at the hard one. */
function limitCpuTime(machine: Machine, process: Process): void {
  const { soft, hard } = cpuLimit(process);
  const seconds = process.retired / NS_PER_SECOND;
  if (seconds >= hard) machine.doom(process, { kind: 'killed', signal: SIGNAL.KILL, core: false });
  else if (seconds >= soft) {
    sendToProcess(machine, process, kernelInfo(SIGNAL.XCPU));
    process.limits[RLIMIT.CPU] = { soft: Math.floor(seconds) + 1, hard };
  }
}

function cpuLimit(process: Process): { soft: number; hard: number } {
  return process.limits[RLIMIT.CPU] ?? { soft: Number.POSITIVE_INFINITY, hard: Number.POSITIVE_INFINITY };
}

/** The deadlines change with every setting of a CPU timer or of RLIMIT_CPU. */
export function updateCpuDeadline(process: Process): void {
  const { soft, hard } = cpuLimit(process);
  process.cpuDeadline = Math.min(
    process.itimers[1].expires,
    process.itimers[2].expires,
    Math.min(soft, hard) * NS_PER_SECOND,
    nextCpuExpiry(process, 0),
  );
  for (const thread of process.threads.values()) thread.cpuDeadline = nextCpuExpiry(process, thread.tid);
}

function nowOn(machine: Machine, process: Process, which: number): number {
  return which === REAL ? machine.clock.monotonic : process.retired;
}

/** 32 bytes: struct itimerval. An armed timer never shows zero. */
function currentValue(machine: Machine, process: Process, which: number): Uint8Array {
  const timer = process.itimers[which as 0 | 1 | 2];
  const armed = timer.expires !== Number.POSITIVE_INFINITY;
  const left = armed ? Math.max(1000, timer.expires - nowOn(machine, process, which)) : 0;
  const bytes = new Uint8Array(32);
  bytes.set(timevalBytes(timer.interval), 0);
  bytes.set(timevalBytes(left), 16);
  return bytes;
}

function set(machine: Machine, process: Process, which: number, value: number, interval: number): void {
  const timer = process.itimers[which as 0 | 1 | 2];
  timer.expires = value === 0 ? Number.POSITIVE_INFINITY : nowOn(machine, process, which) + value;
  timer.interval = interval;
  if (which === REAL) armReal(machine, process, timer);
  else updateCpuDeadline(process);
}

function getitimer({ machine, process, memory, args }: SyscallContext): number {
  const which = args[0] as number;
  if (which !== 0 && which !== 1 && which !== 2) return -EINVAL;
  return memory.writeBytes(args[1] as number, currentValue(machine, process, which)) ? 0 : -EFAULT;
}

function setitimer({ machine, process, memory, args }: SyscallContext): number {
  const [which, next, old] = args as [number, number, number];
  if (which !== 0 && which !== 1 && which !== 2) return -EINVAL;
  const interval = next === 0 ? 0 : readTimeval(memory, next);
  const value = next === 0 ? 0 : readTimeval(memory, next + 16);
  if (interval < 0) return interval;
  if (value < 0) return value;
  const before = currentValue(machine, process, which);
  set(machine, process, which, value, interval);
  return old === 0 || memory.writeBytes(old, before) ? 0 : -EFAULT;
}

/** The seconds that were left, rounded to the nearest and never 0 for an armed timer. */
function alarm({ machine, process, args }: SyscallContext): number {
  const timer = process.itimers[REAL];
  const armed = timer.expires !== Number.POSITIVE_INFINITY;
  const left = armed ? Math.max(0, timer.expires - machine.clock.monotonic) : 0;
  set(machine, process, REAL, ((args[0] as number) >>> 0) * NS_PER_SECOND, 0);
  if (!armed) return 0;
  return Math.max(1, Math.floor((left + NS_PER_SECOND / 2) / NS_PER_SECOND));
}

export const itimerSyscalls: readonly SyscallRow[] = [
  { nr: 36, name: 'getitimer', run: getitimer },
  { nr: 37, name: 'alarm', run: alarm },
  { nr: 38, name: 'setitimer', run: setitimer },
];
