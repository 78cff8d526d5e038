/** The optional abilities of a target, one interface each. */
import type { AgentProgram } from '../agent-expression/program.js';
import type { Pid } from '../types.js';
import type { Rejected } from './error-code.js';
import type { StopEvent } from './stop-event.js';
import type { ThreadId } from './thread-id.js';

/** Z0, Z1, Z2, Z3, Z4. */
export const BREAKPOINT_KINDS = ['software', 'hardware', 'write', 'read', 'access'] as const;
export type BreakpointKind = (typeof BREAKPOINT_KINDS)[number];

export interface Breakpoint {
  readonly kind: BreakpointKind;
  readonly pid: Pid;
  readonly address: bigint;
  /** Watched bytes; of a breakpoint the packet's kind, which x86 does not need. */
  readonly length: number;
}

export interface BreakpointRequest extends Breakpoint {
  /** Stop when one is true or cannot be evaluated; always when there is none (agent-expression/evaluate.ts, evaluateConditions). */
  readonly conditions: readonly AgentProgram[];
  /** With commands: run them and go on, instead of stopping, when the conditions hold. */
  readonly commands: readonly AgentProgram[];
  /** The commands stay in force when the client goes. */
  readonly persistent: boolean;
}

export interface Breakpoints {
  readonly kinds: ReadonlySet<BreakpointKind>;
  /** Replaces one of the same kind, process, address and length. ENOSPC when there are too many. */
  insert(request: BreakpointRequest): Rejected | undefined;
  /** Succeeds when there is none: clients may remove twice. */
  remove(breakpoint: Breakpoint): Rejected | undefined;
  /** The client is gone: removes all but the persistent ones. */
  removeAll(): void;
}

/** What happens with signals that the client does not want to hear of. Linux numbers. */
export interface SignalPolicy {
  /** Deliver these without stopping. */
  pass(signals: ReadonlySet<number>): void;
  /** Of those pending when the client detaches or resumes with no signal named, only these reach the program. */
  program(signals: ReadonlySet<number>): void;
}

/** The siginfo_t of a thread's stop: 128 bytes as in the program's own memory. */
export interface SigInfoAccess {
  read(thread: ThreadId): Uint8Array | Rejected;
  /** `bytes` replace those at `offset`; they go to the program if the signal is delivered. */
  write(thread: ThreadId, offset: number, bytes: Uint8Array): Rejected | undefined;
}

export interface OpenMode {
  readonly access: 'read' | 'write' | 'both';
  readonly append: boolean;
  readonly create: boolean;
  readonly truncate: boolean;
  readonly exclusive: boolean;
  /** For a file that is created. */
  readonly permissions: number;
}

/** The fields of struct stat that `vFile:fstat` sends. Times in seconds. */
export interface FileStat {
  readonly dev: number;
  readonly ino: number;
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  readonly rdev: number;
  readonly size: number;
  readonly blksize: number;
  readonly blocks: number;
  readonly atime: number;
  readonly mtime: number;
  readonly ctime: number;
}

/** An open file; lives until it is closed by the client or with its connection. */
export interface HostFile {
  /** Bytes read, 0 at the end of the file. */
  read(offset: number, into: Uint8Array): number | Rejected;
  write(offset: number, bytes: Uint8Array): number | Rejected;
  stat(): FileStat | Rejected;
  close(): void;
}

/**
 * The guest's file system, synthetic /proc included. `pid` says whose view: undefined is the server's own, the guest's root. Paths are as the
 * client sent them.
 */
export interface HostIo {
  open(pid: Pid | undefined, path: string, mode: OpenMode): HostFile | Rejected;
  unlink(pid: Pid | undefined, path: string): Rejected | undefined;
  readLink(pid: Pid | undefined, path: string): string | Rejected;
}

/** Starting programs and joining processes. All settings are for the next `run`. */
export interface Launcher {
  /**
   * Starts a program; the report is its first stop, or its end when it could not start. No program: the one of the last run or of the command line.
   */
  run(program: string | undefined, args: readonly string[]): StopEvent | Rejected;
  /** Kills what runs and starts the last program again. */
  restart(): StopEvent | Rejected;
  attach(pid: Pid): StopEvent | Rejected;
  setEnvironment(name: string, value: string): void;
  unsetEnvironment(name: string): void;
  /** Back to what the server was started with. */
  resetEnvironment(): void;
  /** undefined: the server's own. */
  setWorkingDirectory(path: string | undefined): void;
  setStartWithShell(on: boolean): void;
  setRandomization(on: boolean): void;
}

/** Events that stop the program only for a client that asks for them. */
export const EVENT_KINDS = ['fork', 'vfork', 'exec', 'threads', 'no-resumed'] as const;
export type EventKind = (typeof EVENT_KINDS)[number];

export interface EventReports {
  readonly kinds: ReadonlySet<EventKind>;
  /** Report these from now on, and no others. */
  report(kinds: ReadonlySet<EventKind>): void;
}

export interface SyscallCatch {
  /** Stop at entry and return of these; an empty set: of none. */
  catch(pid: Pid, numbers: ReadonlySet<number> | 'all'): void;
}

/** Threads stop and go each by itself. */
export interface NonStop {
  /** Takes effect while everything is stopped. */
  set(on: boolean): Rejected | undefined;
  /** The report of every thread that is stopped, in the order of `threads()`. */
  stops(): readonly StopEvent[];
}

export interface ThreadLocalStorage {
  /** Address of a thread's copy of the variable at `offset` in the TLS segment of the object with this struct link_map. */
  address(thread: ThreadId, offset: bigint, linkMap: bigint): { readonly address: bigint } | Rejected;
}

/** `info os`: tables of text. */
export interface OsTable {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** A range of addresses of one kind: a mapping, or a gap between mappings. */
export interface MemoryRegion {
  readonly start: bigint;
  /** First address behind it, at most 2^64. */
  readonly end: bigint;
  /** Of a mapping: `r`, `w` and `x` as far as they are allowed. Undefined: a gap. */
  readonly permissions?: string;
  /** As /proc/PID/maps shows it; empty for anonymous memory. */
  readonly name?: string;
}

export interface MemoryMap {
  /** Every address lies in a region; undefined: there is no such process. */
  region(pid: Pid, address: bigint): MemoryRegion | undefined;
  /** Maps zeroed memory for the debugger's own use in the program. */
  allocate(pid: Pid, size: number, permissions: string): { readonly address: bigint } | Rejected;
  /** Gives back what `allocate` gave. */
  release(pid: Pid, address: bigint): Rejected | undefined;
}

/** Who a process is. Ids are the guest's. */
export interface ProcessIdentity {
  readonly parent: number;
  readonly uid: number;
  readonly gid: number;
  readonly euid: number;
  readonly egid: number;
}

export interface Identities {
  of(pid: Pid): ProcessIdentity | undefined;
  readonly hostname: string;
}

export interface OsData {
  /** Names of the tables with one sentence each. */
  readonly tables: readonly { readonly name: string; readonly title: string; readonly description: string }[];
  read(name: string): OsTable | undefined;
}
