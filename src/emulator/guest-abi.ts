/** What the kernel asks of a guest architecture: its system call convention and its signal frames. x86/abi.ts is the one for x86-64. */
import type { CpuState } from './cpu-state.js';
import type { UserMemory } from './memory/user-memory.js';
import type { SigAction, SigInfo, SigSet } from './signals.js';
import type { AltStack, FaultRecord } from './thread.js';

/** Everything that goes into the frame of a signal handler. */
export interface HandlerCall {
  readonly info: SigInfo;
  readonly action: SigAction;
  /** The mask that sigreturn puts back. */
  readonly mask: SigSet;
  readonly altStack: AltStack;
  readonly fault: FaultRecord;
}

/** What a frame gives back to the thread beside its registers. */
export interface ReturnedFrame {
  readonly mask: SigSet;
  readonly altStack: AltStack;
}

/** What the auxiliary vector tells programs of the processor, and what loaders have to know of them. */
export interface GuestFacts {
  /** e_machine of its ELF files. */
  readonly elfMachine: number;
  /** AT_PLATFORM. */
  readonly platform: string;
  /** AT_HWCAP: CPUID.1:EDX on x86. */
  readonly hwcap: number;
  /** AT_HWCAP2: what the kernel lets programs use beyond that. */
  readonly hwcap2: number;
  /** What /proc/cpuinfo says. */
  readonly cpuInfo: string;
  /** AT_MINSIGSTKSZ: bytes that the frame of a signal handler may take. */
  readonly minimumSignalStack: number;
}

export interface GuestAbi {
  readonly facts: GuestFacts;
  /** The registers of a fresh image: everything zero but ip and stack pointer, floating point in its initial state. */
  start(cpu: CpuState, entry: number, stack: number): void;
  /** Does what the `syscall` instruction does and leaves number and arguments for `syscall`. */
  enterSyscall(cpu: CpuState): void;
  /** Number of the syscall that the thread is in and its arguments; -1: it is in none. */
  syscall(cpu: CpuState, args: number[]): number;
  syscallNumber(cpu: CpuState): number;
  /** The thread is in no syscall any more: its result is not subject to restart. */
  leaveSyscall(cpu: CpuState): void;
  /** What the syscall returned, signed. */
  result(cpu: CpuState): number;
  setResult(cpu: CpuState, value: number): void;
  /** Moves the thread back onto its `syscall` instruction with this number. */
  restart(cpu: CpuState, nr: number): void;
  /** The thread executed its own breakpoint instruction. */
  passBreakpoint(cpu: CpuState, byteAt: (address: number) => number | undefined): void;
  setStack(cpu: CpuState, stack: number): void;
  /** The register that thread-local storage is found with (fs), and the other base (gs). */
  setThreadPointer(cpu: CpuState, base: number): void;
  threadPointer(cpu: CpuState): bigint;
  setSecondPointer(cpu: CpuState, base: number): void;
  secondPointer(cpu: CpuState): bigint;
  /** Builds the frame and moves the thread to the handler; false when the stack cannot take it, then nothing has changed. */
  enterHandler(cpu: CpuState, memory: UserMemory, call: HandlerCall): boolean;
  /** rt_sigreturn: registers from the frame at the stack pointer; undefined when the frame is bad. */
  returnFromHandler(cpu: CpuState, memory: UserMemory): ReturnedFrame | undefined;
  /** True when the stack pointer is inside the alternate stack. */
  onAltStack(cpu: CpuState, stack: AltStack): boolean;
}
