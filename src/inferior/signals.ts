/** Signals between program and client: which are passed without a stop, which reach the program, and their siginfo. */
import type { Machine } from '../emulator/machine.js';
import { decodeSigInfo, encodeSigInfo, SIGINFO_BYTES } from '../emulator/siginfo.js';
import { kernelInfo, killInfo, SIGNAL, type SigInfo } from '../emulator/signals.js';
import type { Thread } from '../emulator/thread.js';
import { EINVAL, type Rejected, rejected } from '../rsp/error-code.js';
import type { StopEvent } from '../rsp/stop-event.js';
import type { SignalPolicy } from '../rsp/target-abilities.js';
import type { ThreadRecord } from './debugged.js';

/** si_code of SIGTRAP (asm-generic/siginfo.h). */
const TRAP = { BRKPT: 1, TRACE: 2, HWBKPT: 4 } as const;

/** PTRACE_EVENT_*, which the kernel puts above SIGTRAP into si_code of an event's stop. */
const EVENT_CODES: Partial<Record<StopEvent['kind'], number>> = {
  fork: 1,
  vfork: 2,
  'thread-created': 3,
  exec: 4,
  'vfork-done': 5,
  'thread-exited': 6,
};

export class SignalRules implements SignalPolicy {
  private passed: ReadonlySet<number> = new Set();
  /** undefined: no client has said. */
  private wanted: ReadonlySet<number> | undefined;

  pass(signals: ReadonlySet<number>): void {
    this.passed = signals;
  }

  program(signals: ReadonlySet<number>): void {
    this.wanted = signals;
  }

  /** A thread that steps shows every signal, and SIGTRAP is always shown: it may mean a breakpoint (gdbserver's linux-low.cc does the same). */
  passes(thread: Thread, { signal }: SigInfo): boolean {
    return signal !== SIGNAL.TRAP && thread.action.kind === 'continue' && this.passed.has(signal);
  }

  /** The signal that a thread keeps when the debugger leaves it in this stop; 0: none (get_detach_signal in gdbserver's linux-low.cc). */
  ofDetach(stop: StopEvent | undefined): number {
    if (stop?.kind !== 'signal') return 0;
    const { signal } = stop;
    const ours = signal === SIGNAL.TRAP || signal === SIGNAL.INT;
    return (this.wanted === undefined ? !ours : this.wanted.has(signal)) ? signal : 0;
  }
}

/** What is known of a thread's latest stop. */
type Stopped = Pick<ThreadRecord, 'stop' | 'steppedBy'>;

/** siginfo of the stop: of the signal that made it, else what the kernel would have sent with SIGTRAP. */
export function readSigInfo(machine: Machine, thread: Thread, stopped: Stopped): Uint8Array {
  return encodeSigInfo(thread.intercepted ?? sigInfoOf(machine, thread, stopped));
}

/** A signal that is delivered later has the siginfo that was written. */
export function writeSigInfo(
  machine: Machine,
  thread: Thread,
  stopped: Stopped,
  { offset, bytes }: { readonly offset: number; readonly bytes: Uint8Array },
): Rejected | undefined {
  if (offset + bytes.length > SIGINFO_BYTES) return rejected(EINVAL);
  const whole = readSigInfo(machine, thread, stopped);
  whole.set(bytes, offset);
  thread.intercepted = decodeSigInfo(whole);
  return undefined;
}

/** Ctrl-C, as if the server had killed the program with SIGINT. */
export function interruption({ root }: Machine): SigInfo {
  return root === undefined ? kernelInfo(SIGNAL.INT) : killInfo(SIGNAL.INT, root.pid, root.credentials.ruid);
}

function sigInfoOf(machine: Machine, thread: Thread, { stop, steppedBy }: Stopped): SigInfo {
  const own = killInfo(SIGNAL.TRAP, thread.process.pid, thread.process.credentials.ruid);
  if (stop === undefined) return own;
  const event = EVENT_CODES[stop.kind];
  if (event !== undefined) return { ...own, code: SIGNAL.TRAP | (event << 8) };
  const at = { kind: 'fault', address: thread.cpu.rip } as const;
  switch (stop.kind) {
    case 'breakpoint':
      return stop.hardware ? { signal: SIGNAL.TRAP, errno: 0, code: TRAP.HWBKPT, fields: at } : kernelInfo(SIGNAL.TRAP);
    case 'watchpoint':
      return { signal: SIGNAL.TRAP, errno: 0, code: TRAP.HWBKPT, fields: at };
    case 'stepped':
      // The step into a handler is told with ptrace_notify (signal_setup_done), the one over a syscall by user_single_step_report.
      if (steppedBy === 'handler') return { ...own, code: SIGNAL.TRAP };
      return { signal: SIGNAL.TRAP, errno: 0, code: steppedBy === 'syscall' ? TRAP.BRKPT : TRAP.TRACE, fields: at };
    case 'syscall-entry':
    case 'syscall-return':
      return { ...own, code: SIGNAL.TRAP | 0x80 };
    case 'interrupted':
      return interruption(machine);
    default:
      return own;
  }
}
