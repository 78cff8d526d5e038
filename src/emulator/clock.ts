/**
 * Virtual time (docs/design.md, "Time is virtual"): CLOCK_MONOTONIC is the machine-wide count of retired instructions times 1 ns, plus a
 * fixed charge for every system call, plus jumps.
 */
import { NS_PER_SECOND } from '../types.js';

/** A point on a clock whose ns do not fit a double: whole seconds and 0..999,999,999 ns. */
export interface Timespec {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** All of it in ns. */
export function exactNs({ seconds, nanoseconds }: Timespec): bigint {
  return BigInt(seconds) * BigInt(NS_PER_SECOND) + BigInt(nanoseconds);
}

/** A timespec from ns that a double holds exactly. */
export function timespec(ns: number): Timespec {
  const seconds = Math.floor(ns / NS_PER_SECOND);
  return { seconds, nanoseconds: ns - seconds * NS_PER_SECOND };
}

/** ns that a system call takes: what is between a fast processor's and the emulator's own time for one. The same for all, so it is the guest's doing alone. */
export const SYSCALL_NS = 2000;

export class VirtualClock {
  /** Instructions retired by all threads of the machine. */
  retired = 0;
  /** ns by which the clock was moved ahead while nobody could run. */
  jumps = 0;
  /** ns that system calls have taken. */
  private charges = 0;
  /** CLOCK_REALTIME at CLOCK_MONOTONIC 0. clock_settime(2) changes it. */
  epoch: Timespec;

  constructor(epoch: Timespec) {
    this.epoch = epoch;
  }

  /** CLOCK_MONOTONIC, CLOCK_BOOTTIME: ns since the machine started. Exact between runs of guest code. */
  get monotonic(): number {
    return this.retired + this.charges + this.jumps;
  }

  /** A system call begins. */
  chargeSyscall(): void {
    this.charges += SYSCALL_NS;
  }

  get realtime(): Timespec {
    const { seconds, nanoseconds } = timespec(this.epoch.nanoseconds + this.monotonic);
    return { seconds: this.epoch.seconds + seconds, nanoseconds };
  }

  /** The CLOCK_MONOTONIC instant (ns, may lie in the past or be negative) at which CLOCK_REALTIME shows `when`. */
  monotonicOf(when: Timespec): number {
    return (when.seconds - this.epoch.seconds) * NS_PER_SECOND + when.nanoseconds - this.epoch.nanoseconds;
  }

  /** Nobody could run until `instant`: now it is that late. Earlier instants change nothing. */
  jumpTo(instant: number): void {
    if (instant > this.monotonic) this.jumps += instant - this.monotonic;
  }
}
