/** What can be asked for when a machine, a run or a server is started: plain data, made by the command line or by a caller of the API. */
import type { CommAddress } from './rsp/comm-address.js';
import type { DisablablePacket } from './rsp/session-types.js';

export const TIERS = ['auto', 'interp', 'compile'] as const;
/** auto: hot code is compiled; interp: nothing is; compile: everything is, at its first execution. */
export type Tier = (typeof TIERS)[number];

export const CPU_MODELS = ['base', 'v3'] as const;
export type CpuModel = (typeof CPU_MODELS)[number];

export interface MachineOptions {
  readonly tier: Tier;
  readonly cpu: CpuModel;
  /** Start of every random sequence that the program sees. */
  readonly seed: number;
  /** CLOCK_REALTIME at the start, in seconds since 1970; undefined: the host's. */
  readonly epoch: number | undefined;
  /** Instructions in a thread's turn. */
  readonly sliceLength: number;
  /** Bytes of memory for all processes together. */
  readonly maxMemory: number;
  readonly maxProcesses: number;
  /** Address space layout randomisation, from the seed. */
  readonly randomise: boolean;
  /** The guest's root directory on the host; undefined: the host's own. */
  readonly root: string | undefined;
  /** Sockets may reach outside the emulator: INET ones, and UNIX ones that listen at paths. */
  readonly network: boolean;
  /** Sleeping takes no time of the host: the virtual clock jumps. */
  readonly fastSleep: boolean;
  /** Translated code decides about hits of probes where it can. */
  readonly inlineHooks: boolean;
}

export const DEFAULT_MACHINE: MachineOptions = {
  tier: 'auto',
  cpu: 'v3',
  seed: 1,
  epoch: undefined,
  sliceLength: 100_000,
  maxMemory: 3 * 2 ** 30,
  maxProcesses: 1024,
  randomise: false,
  root: undefined,
  network: true,
  fastSleep: false,
  inlineHooks: true,
};

/** `sidestep run`. */
export interface RunOptions {
  readonly machine: MachineOptions;
  /** As typed: searched in PATH when it has no slash. */
  readonly program: string;
  readonly args: readonly string[];
  /** Print counts to stderr at the end. */
  readonly stats: boolean;
}

/** `sidestep probe`. */
export interface ProbeOptions {
  readonly machine: MachineOptions;
  readonly program: string;
  readonly args: readonly string[];
  /** As given to `-e` (probing/event-spec.ts). */
  readonly events: readonly string[];
  /** Only hits for which this is true count (probing/expression.ts): of every event. */
  readonly filter: string | undefined;
  /** Children, too. */
  readonly follow: boolean;
  /** A line for each hit: a FORMAT (probing/line-format.ts), or true for the usual one. */
  readonly print: string | boolean;
  /** Show how the values of these expressions are distributed. */
  readonly histograms: readonly string[];
  /** Count the stacks that lead to a hit, or show them with each line. */
  readonly stack: boolean;
  /** One JSON object at the end instead of a table. */
  readonly json: boolean;
  /** File for the table, the object and the lines instead of stderr. */
  readonly output: string | undefined;
  /** File for a trace in the Trace Event Format. */
  readonly perfetto: string | undefined;
  /** File for a trace as `perf script` prints it. */
  readonly perfScript: string | undefined;
  /** Show on a terminal how far a long run is. */
  readonly progress: boolean;
}

/** `sidestep gdb`: a gdb of the user's, connected to a server of its own. */
export interface GdbOptions {
  readonly machine: MachineOptions;
  /** The gdb to start: a name in PATH, or a path. */
  readonly gdb: string;
  /** For gdb, as typed. */
  readonly gdbArgs: readonly string[];
  /** As typed: searched in PATH when it has no slash. */
  readonly program: string;
  readonly args: readonly string[];
  /** End as the program did, not as gdb did. */
  readonly programStatus: boolean;
  readonly stats: boolean;
}

/** `sidestep [OPTIONS] COMM PROG [ARGS]`. */
export interface ServeOptions {
  readonly machine: MachineOptions;
  readonly address: CommAddress;
  /** Listening beyond this machine: asked for, and confirmed. */
  readonly remoteAllowed: boolean;
  readonly once: boolean;
  /** Start without a program, and outlive programs. */
  readonly multi: boolean;
  /** A new client takes the place of the present one. */
  readonly takeover: boolean;
  /** undefined only with `multi`. */
  readonly program: string | undefined;
  readonly args: readonly string[];
  /** Words to put before the program: it is started by them. */
  readonly wrapper: readonly string[];
  readonly startWithShell: boolean;
  readonly disabledPackets: ReadonlySet<DisablablePacket>;
  /** gdbserver's --debug, --remote-debug, --event-loop-debug, and whether their lines start with the time. */
  readonly debug: {
    readonly general: boolean;
    readonly remote: boolean;
    readonly eventLoop: boolean;
    readonly timestamps: boolean;
  };
  /** `--attach COMM PID`: a process of the host, which is always refused. */
  readonly attachPid: number | undefined;
  readonly stats: boolean;
}
