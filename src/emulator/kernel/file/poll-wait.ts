/** What poll(2), select(2) and their kin share (fs/select.c): looking at many files, time limits that are told back, temporary signal masks. */
import { NS_PER_SECOND } from '../../../types.js';
import { EFAULT, EINVAL, ERESTARTNOHAND } from '../errno.js';
import { readTimespec, spanOf, timevalBytes, writeSpan } from '../guest-time.js';
import { readSigSet } from '../signal.js';
import { setTemporaryMask } from '../signal-send.js';
import type { SyscallContext } from '../syscall-table.js';
import type { Blocked, WaitKey } from '../wait.js';
import { filesOf } from './file-table.js';
import { O, POLL } from './open-file.js';

/** One descriptor and the events that are asked for. */
export interface Interest {
  readonly fd: number;
  readonly events: number;
}

/** POLL bits of the descriptor among the events asked for, errors and hangups always; NVAL for none. Negative descriptors are skipped. */
export function pollOne({ process, thread }: SyscallContext, { fd, events }: Interest): number {
  if (fd < 0) return 0;
  const file = filesOf(process).get(fd);
  if (file === undefined || file.flags & O.PATH) return POLL.NVAL;
  return file.poll(thread) & (events | POLL.ERR | POLL.HUP);
}

/** Everything whose wake may change what these descriptors say. */
export function keysOf({ process, thread }: SyscallContext, interests: readonly Interest[]): WaitKey[] {
  const keys = new Set<WaitKey>();
  for (const { fd } of interests) {
    for (const key of filesOf(process).get(fd)?.pollKeys(thread) ?? []) keys.add(key);
  }
  return [...keys];
}

/** Where a time limit came from and how what is left of it is told back. */
export interface Limit {
  /** Virtual CLOCK_MONOTONIC, ns; undefined: none. */
  readonly deadline: number | undefined;
  /** struct timespec or timeval that receives what is left; 0: nowhere. */
  readonly at: number;
  readonly unit: 'timespec' | 'timeval';
}

const STICKY_TIMEOUTS = 0x400_0000;

/** A time limit of `ns`, at an address or nowhere. A limit of 0 is never written back. */
function limitOf({ machine, process }: SyscallContext, ns: number, at: number, unit: Limit['unit']): Limit {
  const tells = ns > 0 && !(process.personality & STICKY_TIMEOUTS);
  return { deadline: machine.clock.monotonic + ns, at: tells ? at : 0, unit };
}

/** The limit in milliseconds that poll(2) and epoll_wait(2) take: negative is none. */
export function millisecondLimit(context: SyscallContext, ms: number): Limit {
  return ms < 0 ? NO_LIMIT : limitOf(context, ms * 1_000_000, 0, 'timespec');
}

const NO_LIMIT: Limit = { deadline: undefined, at: 0, unit: 'timespec' };

/** The limit in a struct timespec; none at address 0; -EFAULT, -EINVAL. */
export function timespecLimit(context: SyscallContext, at: number): Limit | number {
  if (at === 0) return NO_LIMIT;
  const span = readTimespec(context.memory, at);
  return typeof span === 'number' ? span : limitOf(context, spanOf(span), at, 'timespec');
}

/** The limit in a struct timeval, whose microseconds may be more than a second. */
export function timevalLimit(context: SyscallContext, at: number): Limit | number {
  if (at === 0) return NO_LIMIT;
  const bytes = context.memory.readBytes(at, 16);
  if (bytes === undefined) return -EFAULT;
  const view = new DataView(bytes.buffer, bytes.byteOffset, 16);
  const seconds = Number(view.getBigInt64(0, true));
  const microseconds = Number(view.getBigInt64(8, true));
  if (seconds < 0 || microseconds < 0) return -EINVAL;
  const span = { seconds: seconds + Math.floor(microseconds / 1_000_000), nanoseconds: 0 };
  return limitOf(context, spanOf(span) + (microseconds % 1_000_000) * 1000, at, 'timeval');
}

/** Writes what is left (poll_select_finish). */
export function tellRest({ machine, memory }: SyscallContext, { deadline, at, unit }: Limit): void {
  if (at === 0 || deadline === undefined) return;
  const left = Math.max(0, deadline - machine.clock.monotonic);
  if (unit === 'timespec') writeSpan(memory, at, left);
  else memory.writeBytes(at, timevalBytes(Number.isFinite(left) ? left : Number.MAX_SAFE_INTEGER * NS_PER_SECOND));
}

export function isOver({ machine }: SyscallContext, { deadline }: Limit): boolean {
  return deadline !== undefined && deadline <= machine.clock.monotonic;
}

const SIGSET_BYTES = 8;

/** Takes over the signal mask at an address for the length of the syscall; address 0: nothing. 0, -EINVAL, -EFAULT. */
export function takeMask({ machine, thread, memory }: SyscallContext, at: number, size: number): number {
  if (at === 0) return 0;
  if (size !== SIGSET_BYTES) return -EINVAL;
  const set = readSigSet(memory, at);
  if (set === undefined) return -EFAULT;
  setTemporaryMask(machine, thread, set);
  return 0;
}

/** Rows whose time limit is told back: interrupted by a handler they answer EINTR, without one they are called again with what is left. */
export const toldBack = {
  interrupt: (): number => -ERESTARTNOHAND,
  abandon: (context: SyscallContext, { progress }: Blocked): void =>
    tellRest(context, (progress as { readonly limit: Limit }).limit),
};
