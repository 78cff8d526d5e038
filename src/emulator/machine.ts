/**
 * One machine: the physical memory and everything that lives on it. Owns the tables of processes and threads, virtual time, and who waits for what.
 * Lives as long as the server or `run` command; everything in it that belongs to the guest is plain data.
 */
import type { Pid, Tid } from '../types.js';
import { Alarms } from './alarms.js';
import { exactNs, type Timespec, VirtualClock } from './clock.js';
import { CpuState, STATE } from './cpu-state.js';
import { Entropy } from './entropy.js';
import type { CodeHook, Executor, Exit } from './executor.js';
import type { GuestAbi } from './guest-abi.js';
import { type BreakpointAnswer, type MachineHooks, NO_HOOKS, type RunResult, type StopEvent } from './hooks.js';
import type { Host, HostSource } from './host/host.js';
import { NO_HOST } from './host/no-host.js';
import { Mounts } from './kernel/file/file-system.js';
import { InotifyTable } from './kernel/file/inotify-table.js';
import { Locks } from './kernel/file/locks.js';
import { mountAll } from './kernel/file/mount-table.js';
import type { Pipe } from './kernel/file/pipe.js';
import { updateCpuDeadline } from './kernel/itimer.js';
import type { MessageQueue } from './kernel/message-queue.js';
import type { Segment } from './kernel/mm/shm.js';
import { timerSlack } from './kernel/policy.js';
import { Semaphores } from './kernel/semaphore.js';
import { UnixNames } from './kernel/socket/unix-name.js';
import type { SyscallContext, SyscallTable } from './kernel/syscall-table.js';
import { IpcTable } from './kernel/sysv-ipc.js';
import { Terminals } from './kernel/tty/terminals.js';
import { ANY_EVENT, type Blocked, type WaitKey, type Watcher } from './kernel/wait.js';
import { MachineMemory } from './memory/machine-memory.js';
import { PageCache } from './memory/page-cache.js';
import type { PhysicalMemory } from './memory/physical.js';
import type { ExitStatus, Limit, Process, ProcessSpace } from './process.js';
import type { ProgramLoader } from './program-loader.js';
import { Scheduler } from './scheduler.js';
import { EXIT } from './stop.js';
import type { Thread } from './thread.js';

/** Bytes that go through an intermediate buffer at a time. */
export const TRANSFER_BYTES = 1 << 20;

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
  /** How many a program is told that it can have. */
  readonly available: number;
}

export interface MachineParts {
  readonly config: MachineConfig;
  readonly physical: PhysicalMemory;
  readonly frames: FrameSource;
  readonly execution: Executor<ProcessSpace>;
  readonly abi: GuestAbi;
  readonly loader: ProgramLoader;
  readonly syscalls: SyscallTable;
  /** The gateway; absent: nothing is outside. */
  readonly host?: Host;
  /** Of the memory whose frames are `frames`; absent: nothing can be mapped. */
  readonly pageCache?: PageCache;
}

export class Machine {
  readonly config: MachineConfig;
  readonly physical: PhysicalMemory;
  readonly frames: FrameSource;
  readonly execution: Executor<ProcessSpace>;
  readonly abi: GuestAbi;
  readonly loader: ProgramLoader;
  readonly syscalls: SyscallTable;
  readonly host: Host;
  /** Regular files are read and written through it, so that they agree with their mappings. */
  readonly pageCache: PageCache;
  /** What is woken by an event of the host: the key of the file that asked for it. */
  readonly hostKeys = new Map<HostSource, WaitKey>();

  readonly locks = new Locks(this);
  readonly terminals = new Terminals();
  readonly inotify = new InotifyTable();
  /** FIFOs with an open end, by device and inode (kernel/file/fifo.ts). */
  readonly fifos = new Map<string, Pipe>();
  /** Bytes on their way from a file to guest memory; means nothing between two calls. */
  readonly transferBuffer = new Uint8Array(TRANSFER_BYTES);
  /** The file tree, the same for all processes. */
  readonly mounts = new Mounts();

  readonly processes = new Map<Pid, Process>();
  readonly threads = new Map<Tid, Thread>();
  readonly clock: VirtualClock;
  readonly alarms = new Alarms();
  readonly scheduler: Scheduler;
  /** Source of every random number the guest sees. */
  readonly entropy: Entropy;
  hooks: MachineHooks = NO_HOOKS;
  readonly semaphores = new Semaphores();
  readonly messageQueues = new IpcTable<MessageQueue>();
  readonly sharedMemory = new IpcTable<Segment>();
  readonly unixNames = new UnixNames();
  /** uname(2): sethostname and setdomainname change them. */
  hostname: string;
  domainname = '(none)';
  /** Futexes with sleepers (kernel/futex-queue.ts). */
  readonly futexes = new Map<string, WaitKey>();
  /** Numbers of syscalls without a row that were warned about. */
  readonly unknownSyscalls = new Set<number>();
  /** The virtual parent of the first process: no thread, never scheduled. Set by the first spawn. */
  root: Process | undefined;

  private hookAnswer: BreakpointAnswer | undefined;
  private nextKey: WaitKey = 1;
  private nextPid: number;
  /** Threads asleep by key, in the order in which they fell asleep. */
  private readonly waiters = new Map<WaitKey, Thread[]>();
  private readonly watchers = new Map<WaitKey, Watcher[]>();
  private readonly arguments: number[] = [0, 0, 0, 0, 0, 0];

  constructor(parts: MachineParts) {
    this.config = parts.config;
    this.physical = parts.physical;
    this.frames = parts.frames;
    this.execution = parts.execution;
    this.abi = parts.abi;
    this.loader = parts.loader;
    this.syscalls = parts.syscalls;
    this.host = parts.host ?? NO_HOST;
    this.pageCache = parts.pageCache ?? new PageCache(new MachineMemory(parts.physical));
    this.clock = new VirtualClock(parts.config.epoch);
    this.host.files.follow(() => exactNs(this.clock.realtime));
    this.entropy = new Entropy(parts.config.seed);
    this.hostname = parts.config.hostname;
    this.nextPid = parts.config.pidBase;
    this.scheduler = new Scheduler(this);
    mountAll(this);
  }

  /**
   * Runs guest code until there is something for the debugger, nobody can run, everybody has ended, or about `limit` instructions have retired.
   * The caller waits for the host or lets `clock.jumpTo` move time when the machine is idle, and calls again.
   */
  run(limit: number): RunResult {
    return this.scheduler.run(limit);
  }

  /** Ctrl-C: `run` returns `interrupt` at the end of the running slice, or at once when nobody runs. */
  requestStop(): void {
    this.scheduler.requestStop();
  }

  /** Makes `run` return this event before the next instruction and holds its thread. For what is seen outside the scheduler: watched syscall copies. */
  postStop(event: StopEvent): void {
    this.scheduler.post(event);
  }

  /** The process ends with this status before any guest code runs again. */
  doom(process: Process, status: ExitStatus): void {
    this.scheduler.doom(process, status);
  }

  /** Translated code of the running thread has come to a hook: see ExecutionConfig.askHook. */
  askHook(cpu: CpuState, hook: CodeHook): number {
    const thread = this.scheduler.pause();
    if (cpu.int(STATE.UNFINISHED) !== 0) return EXIT.BREAKPOINT;
    if (thread.displaced) this.hooks.settle(thread, { kind: 'fuel' });
    thread.touched = false;
    const answer = this.hooks.hook(thread, hook);
    if (answer === 'original') return thread.touched || this.scheduler.runIsOver(thread) ? EXIT.ALONE : 0;
    this.hookAnswer = answer;
    return EXIT.BREAKPOINT;
  }

  /** What a hook has answered, where the exit for its breakpoint is served. */
  takeHookAnswer(): BreakpointAnswer | undefined {
    const answer = this.hookAnswer;
    this.hookAnswer = undefined;
    return answer;
  }

  /** One instruction of the thread, counted, for the probe engine's step out of line. What its end means is the caller's business. */
  runOne(thread: Thread): Exit {
    return this.scheduler.execute(thread, 1);
  }

  /** `count` instructions of the thread have been emulated by the probe engine. */
  account(thread: Thread, count: number): void {
    this.scheduler.account(thread, count);
  }

  /** A timer on CPU time was set or deleted. */
  cpuTimersChanged(process: Process): void {
    updateCpuDeadline(process);
  }

  newWaitKey(): WaitKey {
    return this.nextKey++;
  }

  /** The next pid. pid_max is Linux's 64-bit maximum of 4194304; a machine that has used them all starts again, skipping what lives. */
  newPid(): Pid {
    for (;;) {
      const pid = this.nextPid++;
      if (this.nextPid >= MAX_PID) this.nextPid = this.config.pidBase;
      if (!this.usesPid(pid)) return pid as Pid;
    }
  }

  /** A thread, process, group or session has this number. */
  usesPid(pid: number): boolean {
    if (this.threads.has(pid as Tid) || this.processes.has(pid as Pid)) return true;
    for (const { pgid, sid } of this.processes.values()) if (pgid === pid || sid === pid) return true;
    return false;
  }

  /** Pids that were given away so far: the forks and clones since the start. */
  get startedPids(): number {
    return this.nextPid - this.config.pidBase;
  }

  /** The thread of the process that makes the syscall which is running, or its leader's. */
  currentTid({ pid, threads }: Process): Tid {
    const { running } = this.scheduler;
    return running !== undefined && threads.has(running.tid) ? running.tid : (pid as number as Tid);
  }

  /** Bytes of guest memory that programs can still have. */
  freeMemory(): number {
    return this.frames.available * FRAME_BYTES;
  }

  newCpu(): CpuState | undefined {
    const frame = this.frames.alloc();
    return frame === undefined ? undefined : new CpuState(this.physical, frame * FRAME_BYTES);
  }

  releaseCpu(cpu: CpuState): void {
    this.frames.release(cpu.base / FRAME_BYTES);
  }

  /** Time stamp counter at the instruction that the thread is executing: virtual time inside a run, where `clock` stands still. */
  timestamp(cpu: CpuState): number {
    return this.clock.monotonic + this.scheduler.fuelGiven - cpu.int(STATE.FUEL);
  }

  /** A context for calling a row of the thread's syscall. Fresh: the arguments of nested calls do not mix. */
  context(thread: Thread, blocked?: Blocked): SyscallContext {
    const { process } = thread;
    const args = blocked?.args ?? this.arguments;
    const nr = blocked?.nr ?? this.abi.syscall(thread.cpu, this.arguments);
    return { machine: this, process, thread, memory: process.space, nr, args };
  }

  /** Wakes every thread that sleeps on the key: their rows' `resume` runs when their turn comes. Watchers hear of it, and of what it is about, at once. */
  wake(key: WaitKey, events = ANY_EVENT): void {
    const asleep = this.waiters.get(key);
    if (asleep !== undefined) for (const thread of [...asleep]) this.wakeThread(thread);
    const watchers = this.watchers.get(key);
    if (watchers !== undefined) tellWatchers([...watchers], events);
  }

  watch(key: WaitKey, watcher: Watcher): void {
    const watchers = this.watchers.get(key);
    if (watchers === undefined) this.watchers.set(key, [watcher]);
    else watchers.push(watcher);
  }

  unwatch(key: WaitKey, watcher: Watcher): void {
    const watchers = this.watchers.get(key) ?? [];
    const at = watchers.indexOf(watcher);
    if (at >= 0) watchers.splice(at, 1);
    if (watchers.length === 0) this.watchers.delete(key);
  }

  /** Somebody sleeps on the key or watches it. */
  isAwaited(key: WaitKey): boolean {
    return this.waiters.has(key) || this.watchers.has(key);
  }

  /** Lets in what has come from the host since the last time: between two runs, that is at the end of a slice. True when something came. */
  enterHostEvents(): boolean {
    const events = this.host.drain();
    for (const { source } of events) {
      const key = this.hostKeys.get(source);
      if (key !== undefined) this.wake(key);
    }
    return events.length > 0;
  }

  /** Threads asleep on a key, first come first. */
  waitersOf(key: WaitKey): readonly Thread[] {
    return this.waiters.get(key) ?? NOBODY;
  }

  /** Makes one sleeper runnable. It keeps its record until its turn. */
  wakeThread(thread: Thread): void {
    if (thread.state !== 'blocked') return;
    this.forgetSleeper(thread);
    thread.state = 'runnable';
    this.scheduler.enqueue(thread);
  }

  /** At virtual instant `at` (ns) the key is woken. */
  wakeAt(at: number, key: WaitKey): void {
    this.alarms.set(at, { kind: 'key', key });
  }

  /** Puts a thread to sleep. */
  block(thread: Thread, record: Blocked): void {
    thread.blocked = record;
    thread.state = 'blocked';
    thread.sleep++;
    for (const key of record.keys) this.addWaiter(key, thread);
    if (record.deadline !== undefined && record.deadline !== Number.POSITIVE_INFINITY) {
      this.alarms.set(record.deadline + timerSlack(thread), { kind: 'thread', tid: thread.tid, sleep: thread.sleep });
    }
    if (!thread.signalPending) this.scheduler.dequeue(thread);
  }

  /** Moves a sleeper to other keys, at the end of their queues, with a new record (futex requeue). */
  moveSleeper(thread: Thread, record: Blocked): void {
    this.forgetSleeper(thread);
    thread.blocked = record;
    for (const key of record.keys) this.addWaiter(key, thread);
  }

  /** The thread no longer waits for its keys; its state is the caller's business. */
  forgetSleeper(thread: Thread): void {
    for (const key of thread.blocked?.keys ?? []) {
      const asleep = this.waiters.get(key);
      const at = asleep?.indexOf(thread) ?? -1;
      if (asleep === undefined || at < 0) continue;
      asleep.splice(at, 1);
      if (asleep.length === 0) this.waiters.delete(key);
    }
  }

  private addWaiter(key: WaitKey, thread: Thread): void {
    const asleep = this.waiters.get(key);
    if (asleep === undefined) this.waiters.set(key, [thread]);
    else asleep.push(thread);
  }
}

/** Everybody hears of it, but of the exclusive ones only the first that wakes somebody by it. */
function tellWatchers(watchers: readonly Watcher[], events: number): void {
  let taken = false;
  for (const watcher of watchers) {
    if (watcher.exclusive && taken) continue;
    const woke = watcher.woken(events);
    if (watcher.exclusive && woke) taken = true;
  }
}

const FRAME_BYTES = 4096;
const MAX_PID = 4_194_304;
const NOBODY: readonly Thread[] = [];
