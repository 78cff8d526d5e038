/** What the engine asks of an architecture's instruction set. x86/arch.ts is the one for x86-64. */
import type { HostSpace, HostThread, StepEnd, StepFault } from './port.js';
import type { ProbeError } from './probe-error.js';

/** How the original instruction of a probepoint is executed, in the order of preference. `hook`: in its place, by the host's translated code. */
export const METHODS = ['hook', 'emulate', 'boost', 'xol', 'inline'] as const;
export type Method = (typeof METHODS)[number];

/** One instruction, as far as probing it goes. What is in it is the architecture's business, but for these facts. */
export interface AnalyzedInsn {
  readonly length: number;
  /** For people. */
  readonly text: string;
  /** The methods by which it can be executed; `inline` always works. */
  readonly methods: ReadonlySet<Method>;
  /** A REP string instruction: it stays at its address until the last iteration. */
  readonly repeats: boolean;
}

export interface AnalysisOptions {
  /** Refuse what Linux refuses although it would work: LOCK and segment prefixes. */
  readonly strict: boolean;
}

/** What to put back after a step out of line. */
export interface DisplacedStep {
  readonly address: number;
  readonly slot: number;
  /** The scratch register and what the program has in it. */
  readonly scratch: { readonly register: number; readonly value: bigint } | undefined;
}

export interface Arch<Insn extends AnalyzedInsn = AnalyzedInsn> {
  /** The byte of a breakpoint instruction. */
  readonly breakpoint: number;
  /** Do these bytes begin with a breakpoint instruction, whatever stands in front of its byte? */
  isBreakpoint(bytes: Uint8Array): boolean;
  readonly maxInsnLength: number;
  /** Bytes of an XOL slot: the longest copy and its return jump. */
  readonly slotSize: number;
  /** ENOEXEC: no instruction, or cut off; ENOTSUPP: of a class that cannot be probed. */
  analyze(bytes: Uint8Array, address: number, options: AnalysisOptions): Insn | ProbeError;
  /** Does what the instruction at `address` does. `impossible`: not in this state; nothing was changed. Not accounted. */
  emulate(insn: Insn, address: number, thread: HostThread, space: HostSpace): 'done' | 'impossible' | StepEnd;
  /** Can a copy in this slot reach what the original reaches? */
  canDisplace(insn: Insn, slot: number): boolean;
  /** Can the copy in this slot end in a return jump, and reach what it addresses relative to ip without a scratch register? */
  canBoost(insn: Insn, address: number, slot: number): boolean;
  /** Does its boosted copy end in a jump of ours? (It has none after an instruction that always jumps itself.) */
  hasReturnJump(insn: Insn): boolean;
  /** The bytes for the slot. */
  slotCode(insn: Insn, address: number, slot: number, boosted: boolean): Uint8Array;
  /** Moves the thread into the slot. */
  enterSlot(insn: Insn, address: number, slot: number, thread: HostThread): DisplacedStep;
  /** The copy has run: makes the thread look as if the original had. False: its memory could not be mended. */
  leaveSlot(insn: Insn, step: DisplacedStep, thread: HostThread, space: HostSpace): boolean;
  /** The copy has died trying: the thread is back at the original, as before. */
  abortStep(insn: Insn, step: DisplacedStep, thread: HostThread): void;
  /** The fault as the original would have raised it. */
  translateFault(insn: Insn, step: DisplacedStep, fault: StepFault): StepFault;
  /** What a REP instruction counts with, as a value to compare. */
  repeatState(thread: HostThread): string;
  /** The fault for executing what is no instruction of the program. */
  illegal(address: number): StepFault;
  /** Reads and writes the return address at the stack pointer on the first instruction of a function. */
  readReturnAddress(thread: HostThread, space: HostSpace): number | undefined;
  writeReturnAddress(thread: HostThread, space: HostSpace, address: number): boolean;
}
