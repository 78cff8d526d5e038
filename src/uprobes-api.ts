/**
 * The package's `sidestep/uprobes`: probing programs from TypeScript, and the engine itself with the port to its host, for other emulators.
 * docs/uprobes.md is the guide.
 */
export { type ElfFunction, elfFunctions } from './probing/elf-symbols.js';
export {
  argument,
  type ProbeOptions,
  ProbeSession,
  returnValue,
  SessionProbe,
  SpawnError,
  type SpawnOptions,
  stringAt,
} from './probing/probe-session.js';
export { isModule, type ProbePlace, parseProbeSpec } from './probing/probe-spec.js';
export { GPR, REGISTERS } from './register-set.js';
export { METHODS, type Method } from './uprobes/arch.js';
export { DEFAULT_OPTIONS, type EngineOptions } from './uprobes/core.js';
export { type Breakpoint, UprobeEngine } from './uprobes/engine.js';
export type * from './uprobes/port.js';
export { isProbeError, type ProbeError, type ProbeErrorName } from './uprobes/probe-error.js';
export type { EngineReport, ProbepointReport, Statistics } from './uprobes/statistics.js';
export type * from './uprobes/uprobe.js';
export { type UsdtProbe, usdtProbes } from './uprobes/usdt.js';
