/**
 * What a client gives to the engine: probes with handlers, breakpoints of a debugger, collectors of tracepoints. These objects are the
 * client's; the engine forgets them at unregister, while what it keeps about the place (Probepoint) lives on until the last thread has left.
 */
import type { AgentProgram } from '../agent-expression/program.js';
import type { Counter } from './counter.js';
import type { FileId, HostProcess, HostThread } from './port.js';
import type { ProbeError } from './probe-error.js';

/**
 * What a handler says about the hit.
 * - continue: the usual
 * - remove: this process need not be probed any more, as far as this probe goes. When all handlers of a hit say so, the breakpoint is withdrawn
 *   from this process only
 * - ignore: of a probe with both handlers: do not call `retHandler` for this call
 * - stop: show the thread to the debugger before the instruction runs
 */
export type HandlerResult = 'continue' | 'remove' | 'ignore' | 'stop';

/** Beside the uprobe in a handler's arguments: the hit thread's registers, memory and identity. Valid until the handler has returned or resolved. */
export interface Hit {
  readonly thread: HostThread;
  /** The probed address; in a return handler the address to which the function returns. */
  readonly address: number;
  /** General registers by hardware number (GPR in register-set.ts), as unsigned 64 bits. */
  get(register: number): bigint;
  set(register: number, value: bigint): void;
  /**
   * Where the thread goes on instead of executing the probed instruction. False (EINVAL): no user mapping can contain the address. Counts only
   * while the caller's is the only consumer of the probepoint.
   */
  setIp(address: bigint): boolean;
  /** Bytes of the thread's memory as it sees them itself; undefined when one of them is not mapped. */
  read(address: bigint, length: number): Uint8Array | undefined;
  /** Stores bytes as a debugger does: protection does not matter. False, and nothing is written: one of them is not mapped. */
  write(address: bigint, bytes: Uint8Array): boolean;
  /** A value that the entry handler leaves for the return handler of the same call, one per probe. 0n at entry. */
  cookie: bigint;
}

/** Why a probe has gone without being unregistered. */
export type Departure = 'exec' | 'exit' | 'unmap' | 'permission';

/** What the two kinds of probes have in common. The engine calls these as methods of the client's object. */
export interface ProbeHandlers {
  /** Counts the hits, before the handler runs. Without handlers a hit costs nanoseconds: translated code counts it. */
  readonly counter?: Counter;
  /**
   * The handlers are called only at hits where this is true, and not where it cannot be evaluated. Without a counter translated code decides it, and a
   * hit for which it is false costs nanoseconds.
   */
  readonly when?: AgentProgram;
  /** Runs in the thread's own time, before the instruction. A promise puts the thread, and only it, to sleep. */
  handler?(hit: Hit): HandlerResult | Promise<HandlerResult>;
  /** Runs when the probed function (the probed address must be its first instruction) has returned to its caller. */
  retHandler?(hit: Hit): void | Promise<void>;
  /** The filter: is this thread of interest? Asked at registration and for new threads, forked children and new mappings. Must have no side effects. */
  wantsProbe?(thread: HostThread): boolean;
  /** The outcome of a registration or unregistration that was put off (EINPROGRESS): undefined for success. */
  registrationCallback?(registered: boolean, outcome: ProbeError | undefined): void;
}

/** A probe of one process at one address. Owned by the client. */
export interface Uprobe extends ProbeHandlers {
  /** In the pid namespace of the caller at the time of registration: any thread of the process. */
  readonly pid: number;
  readonly vaddr: number | bigint;
  /** Address of a USDT semaphore: a u16 that counts the probes that are in place. */
  readonly refCounter?: number;
  /** The probe has gone by itself. */
  onGone?(why: Departure): void;
}

/** A probe of every process that maps this byte of a file for execution, now or later. Owned by the client. */
export interface FileProbe extends ProbeHandlers {
  readonly file: FileId;
  readonly offset: number;
  /** Bytes of the file; unknown: the offset is not checked. */
  readonly fileSize?: number;
  /** Offset of the USDT semaphore in the file. */
  readonly refCounterOffset?: number;
  /** Only in processes that the caller may probe anyway. Needed by callers without privilege. */
  readonly ownProcessesOnly?: boolean;
}

/** A debugger's breakpoint: stops the thread, or prints and goes on. On any mapped byte, an instruction or not. */
export interface StopRequest {
  readonly process: HostProcess;
  readonly address: number;
  /** Stop when one of them is true or cannot be evaluated; always when there is none. */
  readonly conditions: readonly AgentProgram[];
  /** Instead of stopping: run these and go on. */
  readonly commands: readonly AgentProgram[];
  /** Where nothing is mapped it is no error: the breakpoint waits until something is, as one in a debug register does. */
  readonly waits?: boolean;
}

/** A tracepoint's collector. `stop`: show the thread to the debugger. */
export interface CollectRequest {
  readonly process: HostProcess;
  readonly address: number;
  /** Where this is false, `collect` would do nothing: the hit need not come to it. */
  readonly unless?: AgentProgram;
  collect(thread: HostThread): 'continue' | 'stop';
}
