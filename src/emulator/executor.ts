/**
 * What the scheduler needs of execution (execution.ts implements it): run guest code of one thread until it has to come back.
 */
import type { CpuState } from './cpu-state.js';
import type { CodeHooks } from './execution/code-hooks.js';
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

/** Why a page cannot be accessed: no VMA there, its protection, a file page beyond the end of the file, no frame left. */
export type PageFault = 'unmapped' | 'denied' | 'beyond-file' | 'out-of-memory';

/** Where code comes from: a file, by a name for what is in it now, and the address that its first byte has or would have. */
export interface CodeOrigin {
  readonly contents: string;
  readonly base: number;
}

/**
 * The inline hook of the probe engine at one instruction: translated code asks whenever it is about to execute it, in place of the int3. Compared by
 * identity: code that was translated with a hook is found again with the same one.
 */
export interface CodeHook {
  /** The instruction, as the program has it. */
  readonly bytes: Uint8Array;
  /** Its place among the machine's hooks, and of its first count (HOOK_COUNTS in memory/layout.ts). */
  readonly number: number;
  /** Whose hook it is: what the probe engine has given with it. */
  readonly owner: object | undefined;
  /** What translated code can decide without asking; undefined: nothing. */
  readonly decider: Decider | undefined;
}

/** A WebAssembly function (cpu: i32, number: i32) -> i32: 0 when the hit passes, which it has then counted; otherwise the hit has to be asked for. */
export interface Decider {
  readonly code: WebAssembly.ExportValue;
  /** In the interpreter's table of deciders, from 1 on. */
  readonly slot: number;
  /** Slots of the CPU struct (64 bits each) that it reads. */
  readonly reads: readonly number[];
}

/**
 * The address space as execution knows it (memory/address-space.ts implements it): its TLB area and what fills it.
 *
 * Rare things are seen because they have no lasting TLB entry: a page that is watched, that holds translated code (writes), or that is shared with a
 * snapshot is filled for `once`: execution then interprets one instruction with the access log on and calls `settle`.
 */
export interface ExecutionSpace {
  readonly id: number;
  /** Physical address of the area that memory/layout.ts describes. */
  readonly area: number;
  /** Makes the access to the page of `address` hit in the TLB from now on (`filled`), for one instruction (`once`), or says why it cannot. */
  fill(address: number, access: number): 'filled' | 'once' | PageFault;
  /**
   * One instruction has run, or faulted, after `once`: drops the entries made for it, lets stores to code pages take effect (see CodeListener) and
   * answers what the watchpoints saw of its accesses.
   */
  settle(accesses: readonly LoggedAccess[]): readonly WatchHit[];
  /** Physical address of the page's bytes as decoding sees them (the fetch frame of a probed page), or why they cannot be executed. */
  fetch(address: number): number | PageFault;
  /** An int3 of the probe engine is at this address. It is hit whether or not the page is executable. */
  hasSwbp(address: number): boolean;
  /** The hook that stands for the int3 there. Only where `hasSwbp`. */
  hookAt(address: number): CodeHook | undefined;
  /** These bytes have been translated: whoever changes them, by whatever mapping, has to tell the CodeListener. Both ends lie in one page. */
  markCode(from: number, to: number): void;
  /** Of the mapping at an address; undefined where none shows a file whose contents have a name. */
  codeOrigin(address: number): CodeOrigin | undefined;
}

/** One access of an instruction, as the access log holds it. `access`: ACCESS.READ or ACCESS.WRITE. */
export interface LoggedAccess {
  readonly address: number;
  readonly size: number;
  readonly access: number;
}

/** Implemented by execution, called by the memory layer. */
export interface CodeListener {
  /** What is fetched from [from, to) of this space is no longer what it was: stores, munmap, mprotect, mremap, probes set or withdrawn. */
  codeChanged(space: ExecutionSpace, from: number, to: number): void;
  /** The space is gone; its area may be reused. */
  spaceGone(space: ExecutionSpace): void;
}

/** Addresses from `start` to before `end`. */
export interface IpRange {
  readonly start: number;
  readonly end: number;
}

export interface Executor<Space extends ExecutionSpace = ExecutionSpace> {
  /** Where hooks for it are made; absent: it has none. */
  readonly hooks?: CodeHooks;
  /**
   * Runs at most `fuel` (1 or more) instructions. What is left is in STATE.FUEL of the CPU struct: zero after `fuel`, at least one after an exit whose
   * instruction has not retired. `within`, where ip lies: comes back with `fuel` behind the first instruction that leads out of it, too.
   */
  run(cpu: CpuState, space: Space, fuel: number, within?: IpRange): Exit;
  /** RFLAGS, materialised. */
  getFlags(cpu: CpuState): number;
  setFlags(cpu: CpuState, flags: number): void;
}
