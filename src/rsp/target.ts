/**
 * What the protocol needs of the machine below: `src/rsp` owns this interface and somebody else implements it.
 *
 * Every call is synchronous, happens while the session is fed, and must neither run guest code nor report an event: what shall run leaves the
 * session as an action (session.ts). Addresses are unsigned 64-bit as sent, canonical or not. Optional abilities are optional objects;
 * `qSupported` and the packets that need one follow from whether it is there.
 */
import type { RegisterRow } from '../register-set.js';
import type { Pid } from '../types.js';
import type { GuestState } from './guest-state.js';
import type {
  Breakpoints,
  EventReports,
  HostIo,
  Identities,
  Launcher,
  MemoryMap,
  NonStop,
  OsData,
  SigInfoAccess,
  SignalPolicy,
  SyscallCatch,
  ThreadLocalStorage,
} from './target-abilities.js';
import type { ThreadId } from './thread-id.js';
import type { TraceRecorder } from './tracing/trace-recorder.js';

export interface ProcessInfo {
  readonly pid: Pid;
  /** We joined it while it ran, so a client that quits detaches; otherwise it kills. */
  readonly attached: boolean;
}

export interface ThreadInfo extends ThreadId {
  /** As /proc/PID/task/TID/comm has it; undefined for a task that is there only in the debugger's eyes. */
  readonly name: string | undefined;
  /** Number of the virtual CPU it ran on last. */
  readonly core: number;
}

export interface Target extends GuestState {
  /** The debugged processes that live, oldest first. */
  processes(): readonly ProcessInfo[];
  /** Their threads that live, grouped by process, leaders first. */
  threads(): readonly ThreadInfo[];
  /** undefined: no such thread lives. */
  thread(id: ThreadId): ThreadInfo | undefined;

  writeRegister(thread: ThreadId, row: RegisterRow, bytes: Uint8Array): boolean;
  /** All of the bytes, or none when one page is not mapped. Protection does not matter. */
  writeMemory(pid: Pid, address: bigint, bytes: Uint8Array): boolean;

  /** Pairs of u64, as on the program's stack, with the closing AT_NULL. */
  auxv(pid: Pid): Uint8Array | undefined;
  /** Absolute guest path of the program. */
  executable(pid: Pid): string | undefined;

  /** Ends the process at once; no event is reported for it. */
  kill(pid: Pid): void;
  /** Forgets the process, which goes on by itself; no event is reported for it any more. */
  detach(pid: Pid): void;

  readonly breakpoints?: Breakpoints;
  readonly signals?: SignalPolicy;
  readonly sigInfo?: SigInfoAccess;
  readonly hostIo?: HostIo;
  readonly launcher?: Launcher;
  readonly events?: EventReports;
  readonly syscalls?: SyscallCatch;
  readonly nonStop?: NonStop;
  readonly threadLocal?: ThreadLocalStorage;
  readonly osData?: OsData;
  readonly memoryMap?: MemoryMap;
  readonly identities?: Identities;
  readonly tracing?: TraceRecorder;
}

/** Names of the optional abilities. */
export type Ability = {
  [Key in keyof Target]-?: undefined extends Target[Key] ? Key : never;
}[keyof Target];
