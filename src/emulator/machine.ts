/**
 * One machine: the physical memory and everything that lives on it. Owns the tables of processes and threads, virtual time, and who waits for what.
 * Lives as long as the server or `run` command; everything in it that belongs to the guest is plain data.
 */
import type { Pid, Tid } from '../types.js';
import { Alarms } from './alarms.js';
import { type Timespec, VirtualClock } from './clock.js';
import { CpuState } from './cpu-state.js';
import type { Executor } from './executor.js';
import { type MachineHooks, NO_HOOKS } from './hooks.js';
import type { SyscallTable } from './kernel/syscall-table.js';
import type { Blocked, WaitKey } from './kernel/wait.js';
import type { PhysicalMemory } from './memory/physical.js';
import type { Limit, Process, ProcessSpace } from './process.js';
import type { Thread } from './thread.js';

export interface MachineConfig {
  /** Start of every random sequence the guest sees. */
  readonly seed: number;
  /** CLOCK_REALTIME at the start. */
  readonly epoch: Timespec;
  /** Instructions in a slice. */
  readonly sliceLength: number;
  /** Resource limits of the first process, by RLIMIT_* number. */
  readonly limits: readonly Limit[];
  /** Address space layout randomisation, from the seed. */
  readonly randomise: boolean;
  readonly cpu: 'base' | 'v3';
  /** Pid of the virtual root; guests count up from it. No live host pid may lie behind it. */
  readonly pidBase: number;
  readonly maxProcesses: number;
  /** Bytes that sysinfo(2) and /proc/meminfo call the machine's memory. */
  readonly maxMemory: number;
  /** What uname(2) says. */
  readonly hostname: string;
}

/** The frames that the machine itself needs (memory/frames.ts). */
export interface FrameSource {
  alloc(): number | undefined;
  release(frame: number): void;
}

export class Machine {
  readonly processes = new Map<Pid, Process>();
  readonly threads = new Map<Tid, Thread>();
  readonly clock: VirtualClock;
  readonly alarms = new Alarms();
  hooks: MachineHooks = NO_HOOKS;

  private nextKey: WaitKey = 1;
  private nextPid: number;
  /** Threads asleep by key, in the order in which they fell asleep. */
  private readonly waiters = new Map<WaitKey, Thread[]>();

  constructor(
    readonly config: MachineConfig,
    readonly physical: PhysicalMemory,
    readonly frames: FrameSource,
    readonly execution: Executor<ProcessSpace>,
    readonly syscalls: SyscallTable,
  ) {
    this.clock = new VirtualClock(config.epoch);
    this.nextPid = config.pidBase;
  }

  newWaitKey(): WaitKey {
    return this.nextKey++;
  }

  /** A pid that no process, thread, group or session uses. */
  newPid(): Pid {
    return this.nextPid++ as Pid;
  }

  /** Wakes every thread that sleeps on the key: their rows' `resume` runs when their turn comes. */
  wake(key: WaitKey): void {
    const asleep = this.waiters.get(key);
    if (asleep === undefined) return;
    for (const thread of [...asleep]) this.wakeThread(thread);
  }

  /** Threads asleep on a key, first come first. */
  waitersOf(key: WaitKey): readonly Thread[] {
    return this.waiters.get(key) ?? [];
  }

  /** Makes one sleeper runnable. It keeps its record until its turn. */
  wakeThread(thread: Thread): void {
    if (thread.state !== 'blocked' || thread.blocked === undefined) return;
    this.forget(thread, thread.blocked);
    thread.state = 'runnable';
  }

  /** At virtual instant `at` the key is woken. */
  wakeAt(at: number, key: WaitKey): void {
    this.alarms.set(at, { kind: 'key', key });
  }

  private forget(thread: Thread, { keys }: Blocked): void {
    for (const key of keys) {
      const asleep = this.waiters.get(key);
      const at = asleep?.indexOf(thread) ?? -1;
      if (asleep === undefined || at < 0) continue;
      asleep.splice(at, 1);
      if (asleep.length === 0) this.waiters.delete(key);
    }
  }

  newCpu(): CpuState | undefined {
    const frame = this.frames.alloc();
    return frame === undefined ? undefined : new CpuState(this.physical, frame * 4096);
  }
}
