/**
 * A guest process (thread group): lives from fork to the moment when its parent has waited for it.
 */
import type { Pid, Tid } from '../types.js';
import type { ExecutionSpace } from './executor.js';
import type { PidNamespace } from './kernel/pid-namespace.js';
import { type ItimerTable, noItimers, type PosixTimer } from './kernel/timer-state.js';
import type { WaitKey } from './kernel/wait.js';
import type { UserMemory } from './memory/user-memory.js';
import { noPending, type PendingSignals, type SignalHandlers } from './signals.js';
import type { Thread } from './thread.js';

/** What a process's life needs of its address space (memory/address-space.ts). */
export interface ProcessSpace extends UserMemory, ExecutionSpace {
  /** A copy-on-write copy; undefined when there is no memory for it. */
  fork(): ProcessSpace | undefined;
  /** The last user is gone. */
  destroy(): void;
  /** For memory that processes share: the physical address of the byte, equal for all of them; undefined for private memory. */
  sharedAddress(at: number): number | undefined;
  /** Pages that were faulted in so far, and the most bytes that were in memory at once; absent where nothing is counted. */
  readonly pageFaults?: number;
  readonly peakBytes?: number;
}

/** What a process's life needs of its descriptors (kernel/file-table.ts). */
export interface ProcessFiles {
  /** A copy for fork: same open files. */
  fork(): ProcessFiles;
  /** Another process or thread group uses this same table (CLONE_FILES). */
  share(): ProcessFiles;
  /** A table that nobody else uses: this one, or a copy of it. */
  unshare(): ProcessFiles;
  closeOnExec(): void;
  /** One user less; the last one closes everything. */
  release(): void;
}

/** What CLONE_FS shares. Paths are the guest's, absolute. */
export interface FsContext {
  cwd: string;
  root: string;
  umask: number;
}

/** Capabilities as 64-bit sets (capability.h). */
export interface Capabilities {
  effective: bigint;
  permitted: bigint;
  inheritable: bigint;
  bounding: bigint;
  ambient: bigint;
}

/** Of the whole process: glibc keeps the threads of one equal anyway (setxid broadcasts). */
export interface Credentials {
  ruid: number;
  euid: number;
  suid: number;
  fsuid: number;
  rgid: number;
  egid: number;
  sgid: number;
  fsgid: number;
  groups: readonly number[];
  capabilities: Capabilities;
  securebits: number;
  noNewPrivileges: boolean;
}

/** One resource limit; Infinity is RLIM_INFINITY. */
export interface Limit {
  readonly soft: number;
  readonly hard: number;
}

/** How a process ended, as wait(2) tells it. */
export type ExitStatus =
  | { readonly kind: 'exited'; readonly code: number }
  | { readonly kind: 'killed'; readonly signal: number; readonly core: boolean };

/** The int that wait4(2) stores. */
export function waitStatus(status: ExitStatus): number {
  return status.kind === 'exited' ? (status.code & 0xff) << 8 : status.signal | (status.core ? 0x80 : 0);
}

/** Instruction counts and events that getrusage(2) and times(2) tell, summed over threads or over waited-for children. */
export interface Usage {
  /** Instructions retired, that is ns of CPU time. */
  retired: number;
  minorFaults: number;
  voluntarySwitches: number;
  involuntarySwitches: number;
}

export function noUsage(): Usage {
  return { retired: 0, minorFaults: 0, voluntarySwitches: 0, involuntarySwitches: 0 };
}

/** What a program image brings: set by execve, copied by fork. */
export interface Image {
  /** Absolute guest path of the executable: /proc/PID/exe. */
  exe: string;
  argv: readonly Uint8Array[];
  environ: readonly Uint8Array[];
  /** (type, value) pairs with the closing AT_NULL, as on the stack. */
  auxv: readonly (readonly [type: number, value: bigint])[];
}

export interface ProcessParts {
  readonly pid: Pid;
  readonly parent: Process | undefined;
  readonly pidNamespace?: PidNamespace | undefined;
  readonly pgid: Pid;
  readonly sid: Pid;
  readonly space: ProcessSpace;
  readonly files: ProcessFiles;
  readonly fs: FsContext;
  readonly handlers: SignalHandlers;
  readonly credentials: Credentials;
  readonly limits: Limit[];
  readonly image: Image;
  readonly comm: string;
  /** CLOCK_MONOTONIC at its start, ns. */
  readonly startTime: number;
  readonly childKey: WaitKey;
  readonly signalKey: WaitKey;
}

export class Process {
  readonly pid: Pid;
  /** undefined only for the virtual process at the root. */
  parent: Process | undefined;
  readonly children = new Set<Process>();
  /** undefined: the first one. */
  readonly pidNamespace: PidNamespace | undefined;
  /** Of the children that it will have (unshare). */
  childrenPidNamespace: PidNamespace | undefined;
  pgid: Pid;
  sid: Pid;
  space: ProcessSpace;
  files: ProcessFiles;
  fs: FsContext;
  handlers: SignalHandlers;
  /** What threads that wait for a change of one of its children sleep on. */
  readonly childKey: WaitKey;
  /** Woken for every signal that is queued for the process or one of its threads (signalfd), and at its end (pidfd). */
  readonly signalKey: WaitKey;
  /** Signals for the process as a whole. */
  readonly pending: PendingSignals = noPending();
  readonly threads = new Map<Tid, Thread>();
  credentials: Credentials;
  /** By RLIMIT_* number. */
  limits: Limit[];
  image: Image;
  /** Name of the leader thread at exec: /proc/PID/comm. */
  get comm(): string {
    return this.leader?.name ?? this.lastComm;
  }
  private readonly lastComm: string;
  /** Signal that its end sends to the parent (low byte of clone's flags); 0: none. */
  exitSignal: number;
  readonly startTime: number;

  /** How it shall end, before any guest code runs again. */
  fate: ExitStatus | undefined;
  /** What the leader gave to exit(2) when it ended before other threads: the status of the whole unless exit_group says otherwise. */
  leaderExitCode: number | undefined;
  /** Set when the process has ended: a zombie until its parent has waited for it. */
  status: ExitStatus | undefined;
  /** Stopped by job control, and by which signal. */
  stopped: number | undefined;
  /** What wait4 may still report once: WSTOPPED or WCONTINUED. */
  unreported: 'stopped' | 'continued' | undefined;
  /** Instructions retired by all its threads, ended ones included: CLOCK_PROCESS_CPUTIME_ID in ns. */
  retired = 0;
  /** `retired` at which a timer or limit on CPU time expires. */
  cpuDeadline = Number.POSITIVE_INFINITY;
  readonly itimers: ItimerTable = noItimers();
  /** timer_create(2), by id. */
  readonly timers = new Map<number, PosixTimer>();
  /** CPU time and the like of threads that ended, and of children that were waited for. */
  usage: Usage = noUsage();
  /** The most bytes that address spaces it has left had in memory. */
  formerPeak = 0;
  childrenUsage: Usage = noUsage();

  /** prctl(2): PR_SET_DUMPABLE (0, 1), PR_SET_CHILD_SUBREAPER, PR_SET_KEEPCAPS, timer slack (ns). */
  dumpable = 1;
  subreaper = false;
  keepCapabilities = false;
  timerSlack = 50_000;
  /** /proc/PID/oom_score_adj: remembered, nobody is killed for want of memory. */
  oomScoreAdjustment = 0;
  /** /proc/PID/coredump_filter: anonymous mappings, ELF headers and private huge pages. */
  coredumpFilter = 0x33;
  /** Bytes and calls of read(2), write(2) and their kin: /proc/PID/io. */
  readonly io = { read: 0, written: 0, reads: 0, writes: 0 };
  personality = 0;
  /** Its parent ended before it, and the root took it. */
  adopted = false;
  /** It has called execve since it was forked: setpgid by its parent is refused then. */
  hasExecuted = false;
  /** A debugger is attached: signals pass its hooks. */
  traced = false;
  /** The thread of the parent that waits in vfork(2) for this process to exec or end, and the key it sleeps on. */
  vforkParent: { readonly thread: Thread; readonly key: WaitKey } | undefined;
  /** The thread of the parent that forked it: PR_SET_PDEATHSIG and __WNOTHREAD look at it. */
  parentTid: Tid | undefined;
  /** Controlling terminal: id of the tty, its device number (kernel/tty/); undefined: none. */
  terminal: number | undefined;
  /** Group that was in the foreground of the terminal when it was hung up: it is told when this leader ends (tty_old_pgrp); 0: none. */
  hungUpForeground = 0;

  constructor(parts: ProcessParts) {
    this.pid = parts.pid;
    this.parent = parts.parent;
    this.pidNamespace = parts.pidNamespace;
    this.childrenPidNamespace = parts.pidNamespace;
    this.pgid = parts.pgid;
    this.sid = parts.sid;
    this.space = parts.space;
    this.files = parts.files;
    this.fs = parts.fs;
    this.handlers = parts.handlers;
    this.credentials = parts.credentials;
    this.limits = parts.limits;
    this.image = parts.image;
    this.lastComm = parts.comm;
    this.startTime = parts.startTime;
    this.childKey = parts.childKey;
    this.signalKey = parts.signalKey;
    this.exitSignal = 17;
  }

  /** The thread whose tid is the pid; undefined once it has ended. */
  get leader(): Thread | undefined {
    return this.threads.get(this.pid as number as Tid);
  }

  get isZombie(): boolean {
    return this.status !== undefined;
  }

  /** Bytes: the most memory it had (ru_maxrss). */
  get peakResident(): number {
    return Math.max(this.formerPeak, this.space.peakBytes ?? 0);
  }

  /** ru_minflt. */
  get minorFaults(): number {
    return this.usage.minorFaults + (this.isZombie ? 0 : (this.space.pageFaults ?? 0));
  }
}
