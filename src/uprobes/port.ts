/**
 * What the probe engine needs of the machine that runs the probed programs: the engine owns these interfaces and somebody else implements them
 * (src/inferior/uprobes-port.ts for this emulator). Two directions: `Host*` is what the engine calls; `HostEvents`, which the engine implements, is
 * what the host calls.
 *
 * Identity matters: the host hands out one object per thread, process and address space, the same one every time, and the engine keys its tables
 * by it. Every call is synchronous, happens between two guest instructions, and reports expected failure as a value.
 */
import type { AgentMachine } from '../agent-expression/evaluate.js';
import type { AgentProgram } from '../agent-expression/program.js';
import type { Pid, Tid } from '../types.js';

// ---- how one instruction ends

/** A processor exception as Linux turns it into a signal. */
export interface StepFault {
  readonly signal: number;
  /** si_code */
  readonly code: number;
  /** si_addr */
  readonly address: number | bigint;
  /** What the signal frame shows: vector, and the page fault's error code (bit 4: it was a fetch). */
  readonly trapNumber: number;
  readonly errorCode: number;
}

/** A watched access, as a watchpoint saw it. */
export interface WatchedAccess {
  readonly address: number;
  readonly length: number;
  readonly access: 'read' | 'write';
}

/**
 * How executing ended. `ip` is precise in all cases. The kinds are those of the emulator's Exit, so that an adapter passes values through.
 * - fuel: retired; ip is where the instruction left it (for a REP string instruction with iterations left: still at it)
 * - syscall: ip is at the `syscall` instruction, which is the kernel's to execute
 * - breakpoint: ip is at an int3; nothing retired
 * - fault: ip is at the instruction that faulted; nothing of it was done
 * - watch: retired, and a watchpoint saw its accesses
 */
export type StepEnd =
  | { readonly kind: 'fuel' }
  | { readonly kind: 'syscall' }
  | { readonly kind: 'breakpoint' }
  | { readonly kind: 'fault'; readonly fault: StepFault }
  | { readonly kind: 'watch'; readonly hits: readonly WatchedAccess[] };

/**
 * What the host does after a breakpoint hit:
 * - program: the int3 is the program's own: it retires, ip moves behind it, SIGTRAP is raised
 * - passed: the same, but without the signal: a debugger's breakpoint stands on it
 * - resume: go on at the thread's ip, which may have changed. What the engine executed or emulated is accounted for already
 * - park: the thread must not run now (`park` was called); others go on
 * - stop: as resume, but the debugger wants to see the thread first. Its ip is the probed address
 * - a StepEnd: the original instruction was executed elsewhere, or is the kernel's to execute, and ended like this; ip is as if it had been executed in
 *   place. `fault`, `syscall` and `watch` then take their course
 */
export type HitAnswer = 'program' | 'passed' | 'resume' | 'park' | 'stop' | StepEnd;

/** What a host does that can execute the original itself: `original`: that, at ip, as if no breakpoint were there; the consumers have run. */
export type HookAnswer = HitAnswer | 'original';

// ---- what the engine calls

/** One thread, from its creation to its end. */
export interface HostThread {
  readonly tid: Tid;
  /** Its thread group. The process's `space` changes at exec. */
  readonly process: HostProcess;
  /** False once it has ended: then nothing else of it may be used. */
  readonly alive: boolean;

  /** The instruction pointer, exact below 2^53. */
  ip: number;
  /** General registers by hardware number (GPR in register-set.ts), as unsigned 64 bits. */
  readGpr(hardware: number): bigint;
  writeGpr(hardware: number, value: bigint): void;
  /** The stack pointer as a number, exact below 2^53: read at every hit. */
  readonly sp: number;
  /** The program steps itself (TF). Asked at every hit, where materialising all flags would cost more than the rest. */
  readonly trapFlag: boolean;
  /** RFLAGS, materialised. */
  readFlags(): number;
  writeFlags(flags: number): void;
  /** By number in register-set.ts, zero-extended; undefined where there is none or it is wider than 64 bits. */
  readRegister(number: number): bigint | undefined;
  /** Address of the last x87 instruction (FIP): an XOL step leaves the slot's address there, which the engine mends. */
  fip: number;

  /**
   * Executes exactly one instruction at ip, or one iteration of a REP string instruction, breakpoints of other addresses aside, and counts it as
   * retired if it retired. Faults that memory management can resolve are resolved inside.
   * `running`: this host steps in the background (TF on a real CPU) and calls `stepEnded` later; meanwhile the thread's registers are not to be
   * touched, signals and stops wait, and the thread counts as parked.
   */
  step(): StepEnd | 'running';
  /** `count` instructions of the thread have retired without the host's doing. -1 takes back the weight of a boosted slot's return jump. */
  account(count: number): void;
  /** Parking is counted: the thread runs when as many unparks as parks have been seen. A parked thread counts as stopped at its ip. */
  park(): void;
  unpark(): void;
  /**
   * Set by the engine when it sends the thread into a boosted slot. While it is true the host calls HostEvents.settle before anybody can see the
   * thread's registers: when its execution has come back (for whatever reason, a breakpoint included), and, should it not have run again after the
   * hit, before a signal frame, the debugger, or /proc show them. The engine clears it.
   */
  displaced: boolean;
  /** The debugger resumed it with a step, or range step: a hit must execute the original instruction at once, and only that. */
  readonly stepping: boolean;
  /**
   * Set by the engine while it has something unfinished with the thread: its hits then come by HostEvents.breakpoint, neither decided nor asked for by
   * translated code.
   */
  unfinished: boolean;
  /** What agent expressions of breakpoints see. Valid while the thread stands still. */
  agentMachine(): AgentMachine;
}

/** One process (thread group), until it is a zombie. */
export interface HostProcess {
  readonly pid: Pid;
  /** False once it is a zombie, or has lost its address space. */
  readonly alive: boolean;
  readonly space: HostSpace;
  /** Its living threads, leader first. */
  threads(): Iterable<HostThread>;
}

/** A regular file, as mappings know it. */
export interface FileId {
  readonly dev: number;
  readonly ino: number;
}

/** One mapping. */
export interface HostVma {
  readonly start: number;
  /** First address behind it. */
  readonly end: number;
  readonly readable: boolean;
  readonly writable: boolean;
  readonly executable: boolean;
  /** mprotect could make it executable (VM_MAYEXEC). */
  readonly mayExecute: boolean;
  readonly shared: boolean;
  readonly file?: FileId;
  /** Offset in the file of `start`. */
  readonly offset: number;
}

/** One address space, from exec or fork until its last user has gone. Processes after vfork share one. */
export interface HostSpace {
  /**
   * Bytes as the program and the debugger see them: never an int3 of ours, whatever the protection. The number read before the first byte that
   * is not mapped. The XOL area can be read.
   */
  read(address: number, into: Uint8Array): number;
  /** A debugger's write: protection does not matter, all or nothing. */
  write(address: number, bytes: Uint8Array): boolean;
  /** A store of the program itself: its protection counts and watchpoints see it. All or nothing; false: it would fault. */
  store(address: number, bytes: Uint8Array): boolean;

  /**
   * From now on a fetch at `address` is a breakpoint hit, executable or not. Only what is fetched changes. False: not mapped, or no memory.
   * Inserting twice is the engine's mistake and may throw.
   */
  insertSwbp(address: number): boolean;
  /** False: it is not there any more, because the page is gone. */
  removeSwbp(address: number): boolean;

  /**
   * What translated code does about the breakpoint at this address, until it is removed or set again; undefined: nothing, it comes back for every hit. Returns
   * undefined when it cannot. A host without translated code has no such method.
   */
  setHook?(address: number, plan: HookPlan | undefined): HostHook | undefined;

  /** May the program execute what is mapped at the address? Asked at every hit. */
  isExecutable(address: number): boolean;
  /** The mapping that holds the address. The XOL area is none. */
  vma(address: number): HostVma | undefined;
  vmas(): Iterable<HostVma>;

  /**
   * Maps a page for XOL slots in one of the holes that every process keeps for it: executable for the program and nothing else, not listed, not
   * inherited by fork. `near`: the free hole closest to this address. `at`: this very hole (a fork child's, for return trampolines).
   * The address of the page, or undefined when there is no hole or no memory.
   */
  mapXol(where: { readonly near: number } | { readonly at: number }): number | undefined;
  /** Writes to a mapped XOL page. */
  writeXol(address: number, bytes: Uint8Array): void;
  /** Is the address in one of the holes, mapped or not? */
  inXolHole(address: number): boolean;

  /** No thread of this space but `thread` runs until `thaw`. Only for hosts whose `step` is `running`; nothing to do elsewhere. */
  freeze(thread: HostThread): void;
  thaw(thread: HostThread): void;
}

/** What code in the place of a breakpoint can do about a hit. */
export interface HookPlan {
  /** The host gives it back to HostEvents.hook. */
  readonly owner: object;
  /** The instruction, as the program has it. */
  readonly insn: Uint8Array;
  /**
   * What each consumer says about a hit. Where all of them can be answered and none objects, the hit passes: it is counted, and the instruction is
   * executed. Any other hit, and every one when this is undefined, goes to HostEvents.hook (or HostEvents.breakpoint), as if nothing had been decided.
   */
  readonly decisions: readonly HookDecision[] | undefined;
}

export type HookDecision =
  /** Objects when one of the conditions is true. */
  | { readonly kind: 'unless'; readonly conditions: readonly AgentProgram[] }
  /** Never objects. Counts the hit; with a program, when that is true. */
  | { readonly kind: 'count'; readonly when: AgentProgram | undefined };

export interface HostHook {
  /** Since the last call: hits that passed, then for each count with a program the hits that it counted, in the order of the decisions. */
  take(): readonly number[];
}

/** On whose behalf a probe is registered: what it can see and may do. */
export interface Caller {
  /** The living process whose thread has this number in the caller's pid namespace; undefined: none is visible. */
  resolve(pid: number): HostProcess | undefined;
  /** The rule of ptrace attach: same ids and dumpable, or CAP_SYS_PTRACE. Asked at registration and again after a set-uid exec. */
  mayProbe(process: HostProcess): boolean;
  /** May probe files, that is everybody's processes. */
  readonly privileged: boolean;
}

export interface HostSettings {
  /** Every living process, in the order of their pids: file probes look for mappings in them. */
  processes(): Iterable<HostProcess>;
  /** Instructions that a boosted slot's return jump counts as retired: 0 when the host knows it to be weightless, else 1. */
  readonly returnJumpWeight: 0 | 1;
  /** For what hits cost, in reports, and for warnings of handlers that do not come back. Left out: there are none. */
  readonly clock?: HostClock;
}

/** Real time: no probe behaves differently for it. */
export interface HostClock {
  /** ns since some moment. */
  now(): number;
  /** Calls back once, in so many ns, unless the host has ended by then: it does not wait for it. */
  after(ns: number, call: () => void): void;
}

// ---- what the host calls

export interface HostEvents {
  /** The fetch of an int3, the program's own or one that was inserted; ip is at it and nothing has retired. */
  breakpoint(thread: HostThread): HitAnswer;
  /**
   * As `breakpoint`, for a host whose code translator has put a call in the place of the int3 and the original behind it (the inline hook): the thread
   * need not leave translated code as long as the answer is `original`, which is most of the time. Same consumers, counts and order. Not for a thread
   * that is `unfinished`. `owner`: that of the hook's plan, if the host knows it; it need not be in force any more.
   */
  hook(thread: HostThread, owner?: object): HookAnswer;
  /** Execution of a `displaced` thread came back with `end`: moves it out of the slot and answers what the program's own code would have ended with. */
  settle(thread: HostThread, end: StepEnd): StepEnd;
  /** The `running` step of the thread has ended. What the host does with the answer: as for a hit. */
  stepEnded(thread: HostThread, end: StepEnd): HitAnswer;
  /** The debugger lets a thread go on, at its present ip. `step`: by one instruction, or a range. */
  resumed(thread: HostThread, how: 'continue' | 'step'): void;

  /**
   * A child process with an address space of its own exists and has not run. Its space has no swbp and no XOL area: the engine inserts what the
   * child shall have.
   */
  forked(parent: HostThread, child: HostThread): void;
  /** A new thread in the same address space: of the same process, or of a vfork child. It has not run. */
  cloned(parent: HostThread, child: HostThread): void;
  /**
   * The process runs a new image: `thread.process.space` is new, and its other threads are gone, reported or not. Whoever may probe it only with the ids
   * that it had loses it.
   */
  execed(thread: HostThread): void;
  threadExited(thread: HostThread): void;
  /** The process became a zombie; its threads are gone, reported or not. */
  processExited(process: HostProcess): void;
  /** Nobody uses the address space any more; it may be torn down already. */
  spaceGone(space: HostSpace): void;

  /** A mapping has appeared, whatever made it (mmap, mremap, exec's loader). Before any thread can fetch from it. */
  mapped(process: HostProcess, vma: HostVma): void;
  /** [from, to) was unmapped, or replaced, or moved away. Swbps there are gone. */
  unmapped(space: HostSpace, from: number, to: number): void;
  /** [from, to) was written by the program or a debugger, or lost its private copy (MADV_DONTNEED). Swbps there are still in place. */
  rewritten(space: HostSpace, from: number, to: number): void;
}
