/** struct timespec and struct timeval in guest memory, and the clocks that syscalls name (linux/time.h). */

import { NS_PER_SECOND } from '../../types.js';
import { type Timespec, timespec } from '../clock.js';
import type { Machine } from '../machine.js';
import type { UserMemory } from '../memory/user-memory.js';
import { EFAULT, EINVAL } from './errno.js';

export const CLOCK = {
  REALTIME: 0, MONOTONIC: 1, PROCESS_CPUTIME_ID: 2, THREAD_CPUTIME_ID: 3, MONOTONIC_RAW: 4, REALTIME_COARSE: 5, MONOTONIC_COARSE: 6, BOOTTIME: 7,
  REALTIME_ALARM: 8, BOOTTIME_ALARM: 9, TAI: 11,
} as const; // biome-ignore format: a table

/** Furthest instant that the kernel's 64-bit ns can name, KTIME_MAX, in seconds: anything later means never. */
const FOREVER_SECONDS = 9_223_372_036;

/** The clocks that show the wall: they move with clock_settime. */
export function isRealtime(clock: number): boolean {
  return (
    clock === CLOCK.REALTIME || clock === CLOCK.REALTIME_ALARM || clock === CLOCK.TAI || clock === CLOCK.REALTIME_COARSE
  );
}

/** A timespec from the guest, or -EFAULT, or -EINVAL when it is not normal (timespec64_valid). */
export function readTimespec(memory: UserMemory, at: number): Timespec | number {
  const bytes = memory.readBytes(at, 16);
  if (bytes === undefined) return -EFAULT;
  const view = new DataView(bytes.buffer, bytes.byteOffset, 16);
  const seconds = Number(view.getBigInt64(0, true));
  const nanoseconds = Number(view.getBigInt64(8, true));
  if (seconds < 0 || nanoseconds < 0 || nanoseconds >= NS_PER_SECOND) return -EINVAL;
  return { seconds, nanoseconds };
}

/** ns of a span; Infinity when it is longer than the kernel can count. */
export function spanOf({ seconds, nanoseconds }: Timespec): number {
  return seconds >= FOREVER_SECONDS ? Number.POSITIVE_INFINITY : seconds * NS_PER_SECOND + nanoseconds;
}

/** 16 bytes: struct timespec. */
export function timespecBytes({ seconds, nanoseconds }: Timespec): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setBigInt64(0, BigInt(seconds), true);
  view.setBigInt64(8, BigInt(nanoseconds), true);
  return bytes;
}

export function writeTimespec(memory: UserMemory, at: number, time: Timespec): boolean {
  return memory.writeBytes(at, timespecBytes(time));
}

/** A span in ns as struct timespec; Infinity becomes the longest one. */
export function writeSpan(memory: UserMemory, at: number, ns: number): boolean {
  return writeTimespec(
    memory,
    at,
    Number.isFinite(ns) ? timespec(Math.max(0, ns)) : { seconds: FOREVER_SECONDS, nanoseconds: 0 },
  );
}

/** The virtual monotonic instant of an absolute time on a clock that shows monotonic or wall time. */
export function instantOf({ clock: virtual }: Machine, clock: number, when: Timespec): number {
  if (when.seconds >= FOREVER_SECONDS) return Number.POSITIVE_INFINITY;
  return isRealtime(clock) ? virtual.monotonicOf(when) : spanOf(when);
}

/** A struct timeval as ns, or -EFAULT, or -EINVAL. */
export function readTimeval(memory: UserMemory, at: number): number {
  const bytes = memory.readBytes(at, 16);
  if (bytes === undefined) return -EFAULT;
  const view = new DataView(bytes.buffer, bytes.byteOffset, 16);
  const seconds = Number(view.getBigInt64(0, true));
  const microseconds = Number(view.getBigInt64(8, true));
  if (seconds < 0 || microseconds < 0 || microseconds >= 1_000_000) return -EINVAL;
  return spanOf({ seconds, nanoseconds: microseconds * 1000 });
}

/** 16 bytes: struct timeval, rounded up as the kernel does for what is left of a timer. */
export function timevalBytes(ns: number): Uint8Array {
  return timespecBytes({
    seconds: Math.floor(ns / NS_PER_SECOND),
    nanoseconds: Math.floor((ns % NS_PER_SECOND) / 1000),
  });
}
