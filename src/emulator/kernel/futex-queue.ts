/** Who sleeps on which futex word (kernel/futex/core.c). The words are in guest memory; here are only the sleepers, in order of arrival. */
import type { Machine } from '../machine.js';
import type { ProcessSpace } from '../process.js';
import type { Thread } from '../thread.js';
import { numberFor } from './pid-namespace.js';
import type { WaitKey } from './wait.js';

/** Identity of a futex: by address space and address, or by physical address where memory is shared. */
export type FutexName = string;

export const FUTEX_WAITERS = 0x8000_0000;
export const FUTEX_OWNER_DIED = 0x4000_0000;
export const FUTEX_TID_MASK = 0x3fff_ffff;
export const MATCH_ANY = 0xffff_ffff;
/** Number of futex(2): sleepers in it hold a FutexWait or FutexLock. */
export const NR_FUTEX = 202;

/** What a sleeper's record holds. Changed by whoever wakes it. */
export interface FutexWait {
  readonly kind: 'wait';
  name: FutexName;
  readonly value: number;
  readonly bitset: number;
  woken: boolean;
}

/** A sleeper that wants to own a PI futex: the owner hands it over. */
export interface FutexLock {
  readonly kind: 'lock';
  readonly name: FutexName;
  readonly at: number;
  /** Thread that owned it when the sleeper came, or got it since. */
  owner: number;
  granted: boolean;
}

/** FUTEX_PRIVATE_FLAG never matches a shared operation on the same word, as in Linux. */
export function futexName(space: ProcessSpace, at: number, isPrivate: boolean): FutexName {
  if (isPrivate) return `p${space.id}:${at}`;
  const physical = space.sharedAddress(at);
  return physical === undefined ? `s${space.id}:${at}` : `f${physical}`;
}

/** The key that sleepers on this futex wait for. */
export function futexKey(machine: Machine, name: FutexName): WaitKey {
  let key = machine.futexes.get(name);
  if (key === undefined) {
    key = machine.newWaitKey();
    machine.futexes.set(name, key);
  }
  return key;
}

/** Sleepers on a futex, first come first. */
export function sleepersOn(machine: Machine, name: FutexName): Thread[] {
  const key = machine.futexes.get(name);
  return key === undefined ? [] : [...machine.waitersOf(key)];
}

/** What a sleeper on a futex waits for. */
export function waitOf({ tid, blocked }: Thread): FutexWait | FutexLock {
  if (blocked?.nr !== NR_FUTEX) throw new Error(`thread ${tid} does not sleep on a futex`);
  return blocked.progress as FutexWait | FutexLock;
}

/** Forgets the futex when nobody sleeps on it any more. */
export function tidyFutex(machine: Machine, name: FutexName): void {
  const key = machine.futexes.get(name);
  if (key !== undefined && machine.waitersOf(key).length === 0) machine.futexes.delete(name);
}

/** Wakes up to `count` sleepers whose bitset meets `bitset`; how many it were. */
export function wakeSleepers(machine: Machine, name: FutexName, count: number, bitset = MATCH_ANY): number {
  let woken = 0;
  for (const thread of sleepersOn(machine, name)) {
    if (woken >= count) break;
    const wait = waitOf(thread);
    if (wait.kind !== 'wait' || (wait.bitset & bitset) === 0) continue;
    wait.woken = true;
    machine.wakeThread(thread);
    woken++;
  }
  tidyFutex(machine, name);
  return woken;
}

/** FUTEX_WAKE by the kernel itself: shared, as for clear_child_tid and robust lists. */
export function wakeFutex(machine: Machine, space: ProcessSpace, at: number, count: number): number {
  return machine.futexes.size === 0 ? 0 : wakeSleepers(machine, futexName(space, at, false), count);
}

/** Gives a PI futex to the first who waits for it; false when nobody does. */
export function handOver(machine: Machine, space: ProcessSpace, futex: FutexName, at: number, flags: number): boolean {
  let next: Thread | undefined;
  for (const thread of sleepersOn(machine, futex)) {
    const wait = waitOf(thread);
    if (wait.kind !== 'lock') continue;
    next ??= thread;
    wait.owner = next.tid;
    wait.granted = next === thread;
  }
  if (next === undefined) return false;
  space.writeU32(at, (numberFor(next.process, next.tid) | FUTEX_WAITERS | flags) >>> 0);
  machine.wakeThread(next);
  tidyFutex(machine, futex);
  return true;
}
