/** The probe engine as the debugger uses it, in the emulator's terms (uprobes-port.ts implements it over the engine's port). */
import type { AgentProgram } from '../agent-expression/program.js';
import type { CodeHook, Exit } from '../emulator/executor.js';
import type { BreakpointAnswer } from '../emulator/hooks.js';
import type { Process } from '../emulator/process.js';
import type { Thread } from '../emulator/thread.js';
import type { Rejected } from '../rsp/error-code.js';

/** A planted probe; lives until it is withdrawn or its address space goes. */
export interface PlantedProbe {
  withdraw(): void;
}

export interface StopProbe {
  readonly conditions: readonly AgentProgram[];
  readonly commands: readonly AgentProgram[];
  /** Until something is mapped at the address. */
  readonly waits: boolean;
}

export interface Collector {
  /** Where it is false, `collect` would do nothing. */
  readonly unless?: AgentProgram | undefined;
  /** Runs at each hit, before anything of the instruction is done. */
  collect(thread: Thread): void;
}

export interface ProbeSites {
  plantStop(process: Process, address: number, probe: StopProbe): PlantedProbe | Rejected;
  plantCollector(process: Process, address: number, collector: Collector): PlantedProbe | Rejected;
}

export interface ProbeHooks extends ProbeSites {
  breakpoint(thread: Thread): BreakpointAnswer;
  hook(thread: Thread, hook: CodeHook): BreakpointAnswer | 'original';
  /** Guest code of a thread in a boosted slot has come back. */
  settle(thread: Thread, exit: Exit): Exit;
  resumed(thread: Thread, how: 'continue' | 'step'): void;
  forked(parent: Thread, child: Thread): void;
  cloned(parent: Thread, child: Thread): void;
  execed(thread: Thread): void;
  threadExited(thread: Thread): void;
  processExited(process: Process): void;
  spaceGone(process: Process): void;
  /** Bytes that were read for the debugger get what the program has there, where the engine has changed it. */
  overlay(process: Process, address: number, bytes: Uint8Array): void;
  /** For `monitor uprobes`. */
  report(): readonly string[];
}
