/**
 * Signals as data: numbers, sets, siginfo, dispositions, pending queues. Linux x86-64's numbering (asm/signal.h, asm-generic/siginfo.h).
 * Generation is in kernel/signal-send.ts, delivery in kernel/signal-delivery.ts.
 */

export const SIGNAL = {
  HUP: 1, INT: 2, QUIT: 3, ILL: 4, TRAP: 5, ABRT: 6, BUS: 7, FPE: 8, KILL: 9, USR1: 10, SEGV: 11, USR2: 12, PIPE: 13, ALRM: 14, TERM: 15, STKFLT: 16,
  CHLD: 17, CONT: 18, STOP: 19, TSTP: 20, TTIN: 21, TTOU: 22, URG: 23, XCPU: 24, XFSZ: 25, VTALRM: 26, PROF: 27, WINCH: 28, IO: 29, PWR: 30, SYS: 31,
} as const; // biome-ignore format: a table

/** First and last real-time signal, as the kernel counts them. */
export const SIGRTMIN = 32;
export const SIGNAL_COUNT = 64;

/** A set of signals: bit n - 1 stands for signal n, as in the kernel's sigset_t. */
export type SigSet = bigint;

export function bit(signal: number): SigSet {
  return 1n << BigInt(signal - 1);
}

export function setOf(...signals: readonly number[]): SigSet {
  return signals.reduce((set, signal) => set | bit(signal), 0n);
}

/** Cannot be caught, blocked or ignored. */
export const UNBLOCKABLE = setOf(SIGNAL.KILL, SIGNAL.STOP);

/** si_code values that do not depend on the signal. */
export const SI = {
  USER: 0,
  KERNEL: 0x80,
  QUEUE: -1,
  TIMER: -2,
  MESGQ: -3,
  ASYNCIO: -4,
  SIGIO: -5,
  TKILL: -6,
} as const;
/** si_code of SIGCHLD. */
export const CLD = { EXITED: 1, KILLED: 2, DUMPED: 3, TRAPPED: 4, STOPPED: 5, CONTINUED: 6 } as const;

/** The part of siginfo_t that depends on where the signal came from. Plain data. */
export type SigFields =
  | { readonly kind: 'kill'; readonly pid: number; readonly uid: number }
  | { readonly kind: 'queue'; readonly pid: number; readonly uid: number; readonly value: bigint }
  | { readonly kind: 'timer'; readonly id: number; readonly overrun: number; readonly value: bigint }
  | {
      readonly kind: 'child';
      readonly pid: number;
      readonly uid: number;
      readonly status: number;
      /** Clock ticks. */
      readonly utime: number;
      readonly stime: number;
    }
  | { readonly kind: 'fault'; readonly address: number | bigint }
  | { readonly kind: 'poll'; readonly band: number; readonly fd: number }
  /** As a program or a debugger gave it: the bytes behind si_code (112 of them, from offset 16). */
  | { readonly kind: 'raw'; readonly bytes: Uint8Array };

export interface SigInfo {
  readonly signal: number;
  readonly errno: number;
  readonly code: number;
  readonly fields: SigFields;
}

/** A signal that one process sends to another with kill(2). */
export function killInfo(signal: number, pid: number, uid: number): SigInfo {
  return { signal, errno: 0, code: SI.USER, fields: { kind: 'kill', pid, uid } };
}

/** A signal that the kernel raises by itself (SEND_SIG_PRIV): pid and uid are 0. */
export function kernelInfo(signal: number): SigInfo {
  return { signal, errno: 0, code: SI.KERNEL, fields: { kind: 'kill', pid: 0, uid: 0 } };
}

/** A signal that comes with facts about a fault. */
export function faultInfo(signal: number, code: number, address: number | bigint): SigInfo {
  return { signal, errno: 0, code, fields: { kind: 'fault', address } };
}

export const SIG_DFL = 0;
export const SIG_IGN = 1;

export const SA = {
  NOCLDSTOP: 1,
  NOCLDWAIT: 2,
  SIGINFO: 4,
  RESTORER: 0x0400_0000,
  ONSTACK: 0x0800_0000,
  RESTART: 0x1000_0000,
  NODEFER: 0x4000_0000,
  RESETHAND: 0x8000_0000,
} as const;

/** One disposition: struct kernel_sigaction. */
export interface SigAction {
  /** Address, SIG_DFL or SIG_IGN. */
  readonly handler: number;
  /** Unsigned. */
  readonly flags: number;
  readonly restorer: number;
  readonly mask: SigSet;
}

export const DEFAULT_ACTION: SigAction = { handler: SIG_DFL, flags: 0, restorer: 0, mask: 0n };

/** The dispositions of a process, or of several that share them (CLONE_SIGHAND). */
export interface SignalHandlers {
  /** Index: signal number; 0 is unused. */
  readonly actions: SigAction[];
  /** Processes that use it. */
  users: number;
}

/** Signals that were generated and not yet delivered, in order of generation. */
export interface PendingSignals {
  set: SigSet;
  queue: SigInfo[];
}

export function noPending(): PendingSignals {
  return { set: 0n, queue: [] };
}

/** What a signal does when its disposition is SIG_DFL (signal(7)). */
export type DefaultAction = 'terminate' | 'core' | 'ignore' | 'stop' | 'continue';

const CORE = setOf(
  SIGNAL.QUIT, SIGNAL.ILL, SIGNAL.TRAP, SIGNAL.ABRT, SIGNAL.FPE, SIGNAL.SEGV, SIGNAL.BUS, SIGNAL.SYS, SIGNAL.XCPU, SIGNAL.XFSZ,
); // biome-ignore format: a table
const IGNORED = setOf(SIGNAL.CHLD, SIGNAL.URG, SIGNAL.WINCH);
export const STOP_SIGNALS = setOf(SIGNAL.STOP, SIGNAL.TSTP, SIGNAL.TTIN, SIGNAL.TTOU);

export function defaultAction(signal: number): DefaultAction {
  const one = bit(signal);
  if (signal === SIGNAL.CONT) return 'continue';
  if (one & STOP_SIGNALS) return 'stop';
  if (one & IGNORED) return 'ignore';
  return one & CORE ? 'core' : 'terminate';
}
