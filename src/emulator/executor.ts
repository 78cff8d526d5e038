/**
 * What the scheduler needs of execution (execution.ts implements it): run guest code of one thread until it has to come back.
 */
import type { CpuState } from './cpu-state.js';
import type { FaultSignal } from './stop.js';

/** An access that a watchpoint saw. The instruction has retired. */
export interface WatchHit {
  /** First address accessed, inside the watched range. */
  readonly address: number;
  readonly length: number;
  readonly access: 'read' | 'write';
}

/** Why `run` came back. The CPU struct is precise: its ip is at the instruction named. */
export type Exit =
  | { readonly kind: 'fuel' }
  /** ip is at the `syscall` instruction, which has not retired. */
  | { readonly kind: 'syscall' }
  /** ip is at the int3, the program's own or one of the fetch frame; nothing retired. */
  | { readonly kind: 'breakpoint' }
  /** ip is at the instruction that faulted; nothing of it was done. */
  | { readonly kind: 'fault'; readonly fault: FaultSignal }
  /** ip is behind the instruction, which has retired. */
  | { readonly kind: 'watch'; readonly hits: readonly WatchHit[] };

/** The address space as execution knows it: only its identity and its TLB area matter. */
export interface ExecutionSpace {
  readonly id: number;
  readonly area: number;
}

export interface Executor<Space extends ExecutionSpace = ExecutionSpace> {
  /**
   * Runs at most `fuel` (1 or more) instructions. What is left is in STATE.FUEL of the CPU struct: zero after `fuel`, at least one after an exit whose
   * instruction has not retired.
   */
  run(cpu: CpuState, space: Space, fuel: number): Exit;
  /** RFLAGS, materialised. */
  getFlags(cpu: CpuState): number;
  setFlags(cpu: CpuState, flags: number): void;
}
