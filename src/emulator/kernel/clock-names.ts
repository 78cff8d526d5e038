/** Which clock an id names, the dynamic ones of clock_getcpuclockid(3) included (linux/posix-timers.h: ~pid << 3 | which). */
import type { Tid } from '../../types.js';
import type { Machine } from '../machine.js';
import type { Thread } from '../thread.js';
import { CLOCK } from './guest-time.js';
import { idFrom, numberFor, processNumbered } from './pid-namespace.js';

const PER_THREAD = 4;
const CLOCKFD = 3;
const WALLS: ReadonlySet<number> = new Set([
  CLOCK.REALTIME, CLOCK.MONOTONIC, CLOCK.MONOTONIC_RAW, CLOCK.REALTIME_COARSE, CLOCK.MONOTONIC_COARSE, CLOCK.BOOTTIME, CLOCK.REALTIME_ALARM,
  CLOCK.BOOTTIME_ALARM, CLOCK.TAI,
]); // biome-ignore format: a list

/** Whose CPU time a clock counts: undefined for a wall or monotonic clock; 0 for the caller's process; a tid for a thread. */
export function cpuClockOwner(thread: Thread, clock: number): number | undefined | 'invalid' {
  if (clock === CLOCK.PROCESS_CPUTIME_ID) return 0;
  if (clock === CLOCK.THREAD_CPUTIME_ID) return thread.tid;
  if (clock >= 0) return WALLS.has(clock) ? undefined : 'invalid';
  if ((clock & CLOCKFD) === CLOCKFD) return 'invalid';
  const id = ~(clock >> 3);
  if (clock & PER_THREAD) {
    const tid = id === 0 ? thread.tid : (idFrom(thread.process, id) as Tid);
    return thread.process.threads.has(tid) ? tid : 'invalid';
  }
  return id === 0 || id === numberFor(thread.process, thread.process.pid) ? 0 : 'invalid';
}

/** CPU time in ns that a CPU clock shows, also of another process; undefined: no such clock. */
export function cpuClock(machine: Machine, thread: Thread, clock: number): number | undefined {
  const owner = cpuClockOwner(thread, clock);
  if (owner === undefined) return undefined;
  if (owner === 0) return thread.process.retired;
  if (owner !== 'invalid') return machine.threads.get(owner as Tid)?.retired;
  if (clock >= 0 || (clock & CLOCKFD) === CLOCKFD || clock & PER_THREAD) return undefined;
  return processNumbered(machine, thread.process, ~(clock >> 3))?.retired;
}

export function isWallClock(clock: number): boolean {
  return WALLS.has(clock);
}
