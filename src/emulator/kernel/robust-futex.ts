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
  const offset = space.readU64(head + 8);
  const pending = space.readU64(head + 16);
  let entry = space.readU64(head);
  if (offset === undefined || pending === undefined || entry === undefined) return;
  const signedOffset = offset >= 2 ** 63 ? offset - 2 ** 64 : offset;
  for (let i = 0; i < LIMIT && entry !== undefined && clean(entry) !== head; i++) {
    const next: number | undefined = space.readU64(clean(entry));
    if (clean(entry) !== clean(pending) && !died(machine, thread, clean(entry) + signedOffset, isPi(entry), false))
      return;
    entry = next;
  }
  if (clean(pending) !== 0) died(machine, thread, clean(pending) + signedOffset, isPi(pending), true);
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
