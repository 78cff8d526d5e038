/**
 * The package's `sidestep/uprobes`: probing programs from TypeScript, and the engine itself with the port to its host, for other emulators.
 * docs/uprobes.md is the guide; examples/ has a program for each concept.
 */

// ---- the engine, and what it needs of a host
export type { AgentMachine } from './agent-expression/evaluate.js';
// ---- what files say
export { ElfFile } from './elf/elf-file.js';
export { type LineSearch, SourceLines } from './elf/source-lines.js';
export { type ElfSymbol, elfSymbols, SymbolTable } from './elf/symbols.js';
export { type UsdtProbe, usdtProbes } from './elf/usdt.js';
export { type UsdtOperand, usdtOperands } from './elf/usdt-operand.js';
// ---- at a hit
export { argument, returnValue, stringAt } from './probing/arguments.js';
export { type StackFrame, stackLines } from './probing/call-stack.js';

// ---- places and events as text
export { type EventSpec, parseEventSpec } from './probing/event-spec.js';
export type { Fetched } from './probing/fetch-arg.js';
export { Histogram } from './probing/histogram.js';
export { ProbeEvent } from './probing/probe-event.js';
// ---- programs: spawn, probe by name, run
export {
  ProbeFailure,
  ProbeSession,
  type RunEnd,
  type SessionTrace,
  SpawnError,
  type SpawnOptions,
  type TraceOptions,
} from './probing/probe-session.js';
export { isModule, type ProbePlace, parseProbeSpec } from './probing/probe-spec.js';
export { type ProbeOptions, type Refusal, type SessionHandlers, SessionProbe } from './probing/session-probe.js';
export type { ProbeSite } from './probing/sites.js';
export { GPR, REGISTERS } from './register-set.js';
export type { Pid, Tid } from './types.js';
export { METHODS, type Method } from './uprobes/arch.js';
export { DEFAULT_OPTIONS, type EngineOptions } from './uprobes/core.js';
export { Counter } from './uprobes/counter.js';
export { type Breakpoint, UprobeEngine } from './uprobes/engine.js';
export type * from './uprobes/port.js';
export { isProbeError, type ProbeError, type ProbeErrorName } from './uprobes/probe-error.js';
export type { EngineReport, ProbepointReport, Statistics } from './uprobes/statistics.js';
export type * from './uprobes/uprobe.js';
