/** Resource limits (asm-generic/resource.h). */
import type { Limit } from '../process.js';

export const RLIMIT = {
  CPU: 0, FSIZE: 1, DATA: 2, STACK: 3, CORE: 4, RSS: 5, NPROC: 6, NOFILE: 7, MEMLOCK: 8, AS: 9, LOCKS: 10, SIGPENDING: 11, MSGQUEUE: 12, NICE: 13, RTPRIO: 14,
  RTTIME: 15,
} as const; // biome-ignore format: a table

export const RLIMIT_COUNT = 16;
const INFINITE: Limit = { soft: Number.POSITIVE_INFINITY, hard: Number.POSITIVE_INFINITY };

function limit(soft: number, hard = soft): Limit {
  return { soft, hard };
}

/** What a login on an ordinary Linux system has. */
export function defaultLimits(): Limit[] {
  const limits = Array.from({ length: RLIMIT_COUNT }, () => INFINITE);
  limits[RLIMIT.STACK] = limit(8 << 20, Number.POSITIVE_INFINITY);
  limits[RLIMIT.CORE] = limit(0, Number.POSITIVE_INFINITY);
  limits[RLIMIT.NPROC] = limit(31_000);
  limits[RLIMIT.NOFILE] = limit(1024, 1_048_576);
  limits[RLIMIT.MEMLOCK] = limit(8 << 20);
  limits[RLIMIT.SIGPENDING] = limit(31_000);
  limits[RLIMIT.MSGQUEUE] = limit(819_200);
  limits[RLIMIT.NICE] = limit(0);
  limits[RLIMIT.RTPRIO] = limit(0);
  return limits;
}
