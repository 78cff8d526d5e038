/** What happens to the futexes that a dying thread holds: the robust list (exit_robust_list) and PI futexes with waiters (exit_pi_state_list). */
import type { Machine } from '../machine.js';
import type { ProcessSpace } from '../process.js';
import type { Thread } from '../thread.js';
import {
  FUTEX_OWNER_DIED,
  FUTEX_TID_MASK,
  FUTEX_WAITERS,
  type FutexLock,
  type FutexWait,
  handOver,
  NR_FUTEX,
  wakeFutex,
} from './futex-queue.js';
import { numberFor } from './pid-namespace.js';

/** Size of struct robust_list_head. */
export const ROBUST_HEAD_BYTES = 24;
/** ROBUST_LIST_LIMIT: a circular list ends here. */
const LIMIT = 2048;

export function releaseRobustFutexes(machine: Machine, thread: Thread): void {
  if (thread.robustList !== 0) walk(machine, thread);
  thread.robustList = 0;
  if (machine.futexes.size > 0) handOverOwned(machine, thread);
}

/** struct robust_list_head: list.next, futex_offset, list_op_pending. Bit 0 of a pointer marks a PI futex. */
function walk(machine: Machine, thread: Thread): void {
  const { space } = thread.process;
  const head = thread.robustList;
  const bytes = space.readBytes(head, ROBUST_HEAD_BYTES);
  if (bytes === undefined) return;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const field = (at: number): number => Number(view.getBigUint64(at, true));
  // The C library's is negative: its lock words lie in front of the list entries.
  const offset = Number(view.getBigInt64(8, true));
  const pending = field(16);
  let entry: number | undefined = field(0);
  for (let i = 0; i < LIMIT && entry !== undefined && clean(entry) !== head; i++) {
    const next: number | undefined = space.readU64(clean(entry));
    if (clean(entry) !== clean(pending) && !died(machine, thread, clean(entry) + offset, isPi(entry), false)) return;
    entry = next;
  }
  if (clean(pending) !== 0) died(machine, thread, clean(pending) + offset, isPi(pending), true);
}

function clean(entry: number): number {
  return entry - (entry % 2);
}

function isPi(entry: number): boolean {
  return entry % 2 === 1;
}

/** One futex of the list (handle_futex_death): marked if the thread owns it, and the next waiter is woken. False ends the walk. */
function died(machine: Machine, { tid, process }: Thread, at: number, pi: boolean, pending: boolean): boolean {
  const { space } = process;
  if (at % 4 !== 0) return false;
  const word = space.readU32(at);
  if (word === undefined) return false;
  // Died between unlocking in user space and waking the next one.
  if (pending && !pi && word === 0) {
    wake(machine, space, at);
    return true;
  }
  if ((word & FUTEX_TID_MASK) !== numberFor(process, tid)) return true;
  if (!space.writeU32(at, ((word & FUTEX_WAITERS) | FUTEX_OWNER_DIED) >>> 0)) return false;
  if (!pi && word & FUTEX_WAITERS) wake(machine, space, at);
  return true;
}

function wake(machine: Machine, space: ProcessSpace, at: number): void {
  wakeFutex(machine, space, at, 1);
}

/** PI futexes that others wait for go to the first of them, marked. */
function handOverOwned(machine: Machine, thread: Thread): void {
  const { tid } = thread;
  for (const other of machine.threads.values()) {
    if (other === thread || other.state !== 'blocked' || other.blocked?.nr !== NR_FUTEX) continue;
    const wait = other.blocked.progress as FutexLock | FutexWait;
    if (wait.kind === 'lock' && wait.owner === tid)
      handOver(machine, other.process.space, wait.name, wait.at, FUTEX_OWNER_DIED);
  }
}
