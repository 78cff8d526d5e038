/** Processor exceptions as Linux turns them into signals: arch/x86/kernel/traps.c, arch/x86/mm/fault.c, and arch/x86/kernel/fpu/core.c. */
import { SLOT } from '../../register-set.js';
import type { CpuState } from '../cpu-state.js';
import type { PageFaultReport } from '../guest-arch.js';
import { SI, SIGNAL } from '../signals.js';
import { ACCESS, FAULT, type FaultSignal } from '../stop.js';
import { FLAG } from './flags.js';

/** si_code values (asm-generic/siginfo.h). */
const ILL_ILLOPN = 2;
const FPE_INTDIV = 1;
const SEGV_MAPERR = 1;
const SEGV_ACCERR = 2;
const BUS_ADRALN = 1;
const BUS_ADRERR = 2;
const TRAP_BRKPT = 1;
const TRAP_TRACE = 2;

/** Bits of a page fault's error code (SDM vol. 3A, 4.7). */
const PF = { PRESENT: 1, WRITE: 2, USER: 4, FETCH: 16 } as const;

interface ExceptionRow {
  readonly signal: number;
  readonly code: number;
  /** si_addr is the instruction's address; otherwise 0. */
  readonly atInsn: boolean;
}

const EXCEPTIONS: Readonly<Record<number, ExceptionRow>> = {
  [FAULT.DIVIDE]: { signal: SIGNAL.FPE, code: FPE_INTDIV, atInsn: true },
  [FAULT.DEBUG]: { signal: SIGNAL.TRAP, code: TRAP_BRKPT, atInsn: true },
  [FAULT.BREAKPOINT]: { signal: SIGNAL.TRAP, code: SI.KERNEL, atInsn: false },
  [FAULT.OVERFLOW]: { signal: SIGNAL.SEGV, code: SI.KERNEL, atInsn: false },
  [FAULT.INVALID_OPCODE]: { signal: SIGNAL.ILL, code: ILL_ILLOPN, atInsn: true },
  [FAULT.STACK]: { signal: SIGNAL.BUS, code: SI.KERNEL, atInsn: false },
  [FAULT.PROTECTION]: { signal: SIGNAL.SEGV, code: SI.KERNEL, atInsn: false },
  [FAULT.ALIGNMENT]: { signal: SIGNAL.BUS, code: BUS_ADRALN, atInsn: false },
};

/** Exceptions of the floating point units by status bit, in the order in which fpu__exception_code looks at them. */
const FLOAT_CODES: readonly (readonly [bits: number, code: number])[] = [
  [0x01, 7], // invalid: FPE_FLTINV
  [0x04, 3], // zero divide: FPE_FLTDIV
  [0x08, 4], // overflow: FPE_FLTOVF
  [0x12, 5], // denormal, underflow: FPE_FLTUND
  [0x20, 6], // precision: FPE_FLTRES
];

function floatCode(cpu: CpuState, vector: number): number {
  const mxcsr = cpu.int(SLOT.MXCSR);
  const raised = vector === FAULT.SIMD ? mxcsr & ~(mxcsr >> 7) : cpu.int(SLOT.FSW) & ~cpu.int(SLOT.FCW);
  return FLOAT_CODES.find(([bits]) => (raised & bits) !== 0)?.[1] ?? 0;
}

/** A processor exception of the instruction at ip; `info` as in EXIT_INFO. */
export function exception(cpu: CpuState, info: number): FaultSignal {
  const vector = info & 0xff;
  const facts = { trapNumber: vector, errorCode: info >> 8 };
  if (vector === FAULT.SIMD || vector === FAULT.X87) {
    return { ...facts, signal: SIGNAL.FPE, code: floatCode(cpu, vector), address: cpu.rip };
  }
  const row = EXCEPTIONS[vector];
  if (row === undefined) throw new Error(`exception ${vector} has no signal`);
  return { ...facts, signal: row.signal, code: row.code, address: row.atInsn ? cpu.rip : 0 };
}

export function stepsItself(cpu: CpuState): boolean {
  return (cpu.int(SLOT.FLAGS_REST) & FLAG.TF) !== 0;
}

/** The trap after an instruction that began with TF set. */
export function stepTrap(cpu: CpuState): FaultSignal {
  return { signal: SIGNAL.TRAP, code: TRAP_TRACE, address: cpu.rip, trapNumber: FAULT.DEBUG, errorCode: 0 };
}

/** An access that no page serves. */
export function pageFault({ why, access, address, present }: PageFaultReport): FaultSignal {
  const direction = access === ACCESS.WRITE ? PF.WRITE : access === ACCESS.FETCH ? PF.FETCH : 0;
  const facts = { address, trapNumber: FAULT.PAGE, errorCode: PF.USER | direction | (present ? PF.PRESENT : 0) };
  switch (why) {
    case 'unmapped':
      return { ...facts, signal: SIGNAL.SEGV, code: SEGV_MAPERR };
    case 'denied':
      return { ...facts, signal: SIGNAL.SEGV, code: SEGV_ACCERR };
    case 'beyond-file':
      return { ...facts, signal: SIGNAL.BUS, code: BUS_ADRERR };
    case 'out-of-memory':
      // The kernel's out-of-memory killer.
      return { ...facts, signal: SIGNAL.KILL, code: SI.KERNEL };
  }
}
