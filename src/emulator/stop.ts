/**
 * Why execution of guest code came back to JavaScript: the value in STATE.EXIT_KIND. At every exit the CPU struct is precise: ip at the
 * instruction that could not complete (for `FUEL`, the next one to run) and nothing of it done.
 */
export const EXIT = {
  /** The block ended; go on at ip (internal to the dispatcher). */
  NEXT: 0,
  /** The fuel is used up. */
  FUEL: 1,
  /** No code is known at ip. */
  NO_CODE: 2,
  /** A data access missed the TLB: EXIT_ADDRESS, EXIT_INFO = ACCESS.*, and bit 8 set when a non-canonical address is a stack fault. */
  MISS: 3,
  /** The interpreter's block turned hot: EXIT_INFO = its code address. */
  HOT: 4,
  /** `syscall`. */
  SYSCALL: 5,
  /** `int3`, or our int3 in the fetch frame. */
  BREAKPOINT: 6,
  /** A processor exception: EXIT_INFO = its vector (FAULT.*) and error code (`faultInfo`). */
  FAULT: 7,
  /** An instruction that JavaScript executes (CPUID and the like): EXIT_INFO = index of the helper. */
  HELPER: 8,
  /** Compiled code cannot do this instruction here: interpret it. */
  INTERPRET: 9,
  /** The same for an instruction whose hook has passed: without asking it again. */
  PASSED: 10,
  /** Its hook has passed, and what is known of code or registers may no longer hold: this instruction alone, then the run is over. */
  ALONE: 11,
} as const;

/** Kinds of access, as bits. */
export const ACCESS = { READ: 1, WRITE: 2, FETCH: 4 } as const;

/** Processor exception vectors (SDM vol. 3A, table 6-1) that user code can raise. */
export const FAULT = {
  DIVIDE: 0,
  DEBUG: 1,
  BREAKPOINT: 3,
  OVERFLOW: 4,
  INVALID_OPCODE: 6,
  STACK: 12,
  PROTECTION: 13,
  PAGE: 14,
  X87: 16,
  ALIGNMENT: 17,
  SIMD: 19,
  /** Not the processor's: the instruction makes the program step itself (TF). It shall be the last of its run, then it does not raise this. */
  BEGIN_STEPPING: 0x80,
} as const;

/** Exceptions that are reported behind their instruction, which has retired (SDM vol. 3A, table 6-1: traps). */
export const TRAPS: ReadonlySet<number> = new Set([FAULT.DEBUG, FAULT.BREAKPOINT, FAULT.OVERFLOW]);

/** EXIT_INFO of a processor exception: its vector, and its error code from bit 8 up. */
export function faultInfo(vector: number, errorCode: number): number {
  return vector | (errorCode << 8);
}

/** A fault as the kernel turns it into a signal: numbers are Linux's (asm-generic/siginfo.h). */
export interface FaultSignal {
  readonly signal: number;
  readonly code: number;
  /** si_addr. */
  readonly address: number | bigint;
  /** What the kernel stores for the signal frame: trap number, error code, cr2. */
  readonly trapNumber: number;
  readonly errorCode: number;
}
