/** System V semaphores: semget(2), semop(2), semctl(2) (ipc/sem.c). */
import type { Machine } from '../machine.js';
import type { Process } from '../process.js';
import {
  E2BIG, EACCES, EAGAIN, EFAULT, EFBIG, EIDRM, EINTR, EINVAL, ERANGE,
} from './errno.js'; // biome-ignore format: one list
import { readTimespec, spanOf } from './guest-time.js';
import { block, type SyscallContext, type SyscallResult, type SyscallRow } from './syscall-table.js';
import {
  IPC_INFO, IPC_NOWAIT, IPC_RMID, IPC_SET, IPC_STAT, type IpcObject, IpcTable, mayAccess, mayControl, ownedBy, PERM_BYTES, putPerm, takePerm,
} from './sysv-ipc.js'; // biome-ignore format: one list
import type { Blocked, WaitKey } from './wait.js';

const SEM_UNDO = 0x1000;
const VALUE_MAX = 32_767;
/** Linux's defaults: SEMMSL, SEMMNS, SEMOPM, SEMMNI. */
const SET_MAX = 32_000;
const ALL_MAX = 1_024_000_000;
const OPERATIONS_MAX = 500;
const SETS_MAX = 32_000;

interface SemaphoreSet extends IpcObject {
  readonly values: Int32Array;
  /** Pid of the last operation on each. */
  readonly pids: Int32Array;
  /** Seconds of CLOCK_REALTIME; 0: never. */
  operated: number;
  changed: number;
  /** Woken when a value changes or the set goes. */
  readonly waitKey: WaitKey;
}

/** What exit gives back, by set id: one amount a semaphore. */
export type SemaphoreUndo = Map<number, Int32Array>;

export class Semaphores {
  readonly sets = new IpcTable<SemaphoreSet>();
  readonly undo = new Map<number, SemaphoreUndo>();
}

interface Operation {
  readonly index: number;
  readonly amount: number;
  readonly flags: number;
}

/** What a sleeper needs: the copy of its operations that it made at first. */
interface Wait {
  readonly id: number;
  readonly operations: readonly Operation[];
  /** The operation that could not be done. */
  readonly stuck: Operation;
}

function semget({ machine, process, args }: SyscallContext): number {
  const [key, countArgument, flags] = args.map((arg) => arg | 0) as [number, number, number];
  const count = countArgument;
  if (count < 0 || count > SET_MAX) return -EINVAL;
  const { sets } = machine.semaphores;
  const check = (found: SemaphoreSet): number => (count > found.values.length ? -EINVAL : 0);
  const id = sets.get(process, key, flags, check, (sequence) => {
    if (count === 0) return -EINVAL;
    const values = new Int32Array(count);
    const base = ownedBy(process, key, flags, sequence);
    const now = machine.clock.realtime.seconds;
    return { ...base, values, pids: new Int32Array(count), operated: 0, changed: now, waitKey: machine.newWaitKey() };
  });
  return id;
}

function readOperations({ memory }: SyscallContext, at: number, count: number): Operation[] | undefined {
  const bytes = memory.readBytes(at, 6 * count);
  if (bytes === undefined) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: count }, (_, i) => ({
    index: view.getUint16(6 * i, true),
    amount: view.getInt16(6 * i + 2, true),
    flags: view.getUint16(6 * i + 4, true),
  }));
}

function operate(context: SyscallContext, timeoutAt: number): SyscallResult {
  const { machine, process, memory, args } = context;
  const [id, at, count] = args as [number, number, number];
  if (count < 1) return -EINVAL;
  if (count > OPERATIONS_MAX) return -E2BIG;
  const timeout = timeoutAt === 0 ? undefined : readTimespec(memory, timeoutAt);
  if (typeof timeout === 'number') return timeout;
  const operations = readOperations(context, at, count);
  if (operations === undefined) return -EFAULT;
  const set = machine.semaphores.sets.find(id | 0);
  if (typeof set === 'number') return set;
  if (operations.some(({ index }) => index >= set.values.length)) return -EFBIG;
  const alters = operations.some(({ amount }) => amount !== 0);
  if (!mayAccess(process, set, alters ? 0o222 : 0o444)) return -EACCES;
  const deadline = timeout === undefined ? undefined : machine.clock.monotonic + spanOf(timeout);
  return attempt(context, set, id | 0, operations, deadline);
}

/** All operations or none; one that cannot be done now puts the thread to sleep. */
function attempt(
  context: SyscallContext,
  set: SemaphoreSet,
  id: number,
  operations: readonly Operation[],
  deadline: number | undefined,
): SyscallResult {
  const { machine, process } = context;
  const next = Int32Array.from(set.values);
  for (const operation of operations) {
    const value = next[operation.index] as number;
    const { amount } = operation;
    const stuck = amount === 0 ? value !== 0 : value + amount < 0;
    if (stuck) {
      if (operation.flags & IPC_NOWAIT) return -EAGAIN;
      const progress: Wait = { id, operations, stuck: operation };
      return block(context, { keys: [set.waitKey], deadline, progress });
    }
    if (value + amount > VALUE_MAX) return -ERANGE;
    next[operation.index] = value + amount;
  }
  set.values.set(next);
  set.operated = machine.clock.realtime.seconds;
  for (const { index, amount, flags } of operations) {
    set.pids[index] = process.pid;
    if (flags & SEM_UNDO && amount !== 0) remember(machine, process, id, set, index, -amount);
  }
  if (operations.some(({ amount }) => amount !== 0)) machine.wake(set.waitKey);
  return 0;
}

function remember(
  { semaphores }: Machine,
  { pid }: Process,
  id: number,
  set: SemaphoreSet,
  index: number,
  amount: number,
): void {
  let undo = semaphores.undo.get(pid);
  if (undo === undefined) {
    undo = new Map();
    semaphores.undo.set(pid, undo);
  }
  let amounts = undo.get(id);
  if (amounts === undefined) {
    amounts = new Int32Array(set.values.length);
    undo.set(id, amounts);
  }
  amounts[index] = (amounts[index] as number) + amount;
}

/** The process has ended: what it took with SEM_UNDO comes back (exit_sem). */
export function undoSemaphores(machine: Machine, process: Process): void {
  const undo = machine.semaphores.undo.get(process.pid);
  if (undo === undefined) return;
  machine.semaphores.undo.delete(process.pid);
  for (const [id, amounts] of undo) {
    const set = machine.semaphores.sets.find(id);
    if (typeof set === 'number') continue;
    amounts.forEach((amount, i) => {
      const value = (set.values[i] as number) + amount;
      set.values[i] = Math.max(0, Math.min(VALUE_MAX, value));
      if (amount !== 0) set.pids[i] = process.pid;
    });
    machine.wake(set.waitKey);
  }
}

function resume(context: SyscallContext, blocked: Blocked): SyscallResult {
  const { id, operations } = blocked.progress as Wait;
  const set = context.machine.semaphores.sets.find(id);
  if (typeof set === 'number') return -EIDRM;
  const result = attempt(context, set, id, operations, blocked.deadline);
  const isOver = (blocked.deadline ?? Number.POSITIVE_INFINITY) <= context.machine.clock.monotonic;
  return typeof result === 'object' && isOver ? -EAGAIN : result;
}

const CTL = {
  GETPID: 11,
  GETVAL: 12,
  GETALL: 13,
  GETNCNT: 14,
  GETZCNT: 15,
  SETVAL: 16,
  SETALL: 17,
  STAT: 18,
  INFO: 19,
  STAT_ANY: 20,
} as const;

function semctl(context: SyscallContext): number {
  const { machine, args } = context;
  const [id, index, command, argument] = args as [number, number, number, number];
  const { sets } = machine.semaphores;
  switch (command | 0) {
    case IPC_INFO:
    case CTL.INFO:
      return writeInfo(context, argument, (command | 0) === CTL.INFO);
    case CTL.STAT:
    case CTL.STAT_ANY: {
      const entry = sets.at(id | 0);
      if (entry === undefined) return -EINVAL;
      const result = status(context, entry.object, argument, (command | 0) === CTL.STAT_ANY);
      return result === 0 ? entry.id : result;
    }
    default: {
      const set = sets.find(id | 0);
      return typeof set === 'number' ? set : control(context, set, id | 0, index | 0, command | 0, argument);
    }
  }
}

function control(
  context: SyscallContext,
  set: SemaphoreSet,
  id: number,
  index: number,
  command: number,
  argument: number,
): number {
  const { machine, process, memory } = context;
  switch (command) {
    case IPC_STAT:
      return status(context, set, argument, false);
    case IPC_SET: {
      const bytes = memory.readBytes(argument, PERM_BYTES);
      if (bytes === undefined) return -EFAULT;
      const refused = mayControl(process, set);
      if (refused !== 0) return refused;
      takePerm(new DataView(bytes.buffer, bytes.byteOffset), set);
      set.changed = machine.clock.realtime.seconds;
      return 0;
    }
    case IPC_RMID: {
      const refused = mayControl(process, set);
      if (refused !== 0) return refused;
      machine.semaphores.sets.remove(id);
      machine.wake(set.waitKey);
      return 0;
    }
    case CTL.GETALL: {
      if (!mayAccess(process, set, 0o444)) return -EACCES;
      return memory.writeBytes(argument, new Uint8Array(Uint16Array.from(set.values).buffer)) ? 0 : -EFAULT;
    }
    case CTL.SETALL:
      return setAll(context, set, argument);
    default:
      return controlOne(context, set, index, command, argument);
  }
}

function setAll({ machine, process, memory }: SyscallContext, set: SemaphoreSet, at: number): number {
  if (!mayAccess(process, set, 0o222)) return -EACCES;
  const bytes = memory.readBytes(at, 2 * set.values.length);
  if (bytes === undefined) return -EFAULT;
  const values = new Uint16Array(bytes.slice().buffer);
  if (values.some((value) => value > VALUE_MAX)) return -ERANGE;
  set.values.set(values);
  forgetUndo(machine, set);
  set.pids.fill(process.pid);
  set.changed = machine.clock.realtime.seconds;
  machine.wake(set.waitKey);
  return 0;
}

function controlOne(
  { machine, process }: SyscallContext,
  set: SemaphoreSet,
  index: number,
  command: number,
  argument: number,
): number {
  const known: readonly number[] = [CTL.GETPID, CTL.GETVAL, CTL.GETNCNT, CTL.GETZCNT, CTL.SETVAL];
  if (!known.includes(command)) return -EINVAL;
  if (index < 0 || index >= set.values.length) return -EINVAL;
  if (!mayAccess(process, set, command === CTL.SETVAL ? 0o222 : 0o444)) return -EACCES;
  if (command === CTL.GETVAL) return set.values[index] as number;
  if (command === CTL.GETPID) return set.pids[index] as number;
  if (command !== CTL.SETVAL) return sleepersOn(machine, set, index, command === CTL.GETZCNT);
  const value = argument | 0;
  if (value < 0 || value > VALUE_MAX) return -ERANGE;
  set.values[index] = value;
  set.pids[index] = process.pid;
  forgetUndo(machine, set, index);
  set.changed = machine.clock.realtime.seconds;
  machine.wake(set.waitKey);
  return 0;
}

/** Setting a value makes all that was remembered about it void. */
function forgetUndo({ semaphores }: Machine, set: SemaphoreSet, index?: number): void {
  for (const undo of semaphores.undo.values()) {
    for (const [id, amounts] of undo) {
      if (semaphores.sets.find(id) !== set) continue;
      if (index === undefined) amounts.fill(0);
      else amounts[index] = 0;
    }
  }
}

/** How many wait for the value to become zero, or to grow. */
function sleepersOn(machine: Machine, set: SemaphoreSet, index: number, forZero: boolean): number {
  return machine.waitersOf(set.waitKey).filter(({ blocked }) => {
    if (blocked === undefined) return false;
    const { stuck } = blocked.progress as Wait;
    return stuck.index === index && (stuck.amount === 0) === forZero;
  }).length;
}

/** struct semid64_ds: 104 bytes. */
function status({ process, memory }: SyscallContext, set: SemaphoreSet, at: number, anybody: boolean): number {
  if (!anybody && !mayAccess(process, set, 0o444)) return -EACCES;
  const view = new DataView(new ArrayBuffer(104));
  putPerm(view, set);
  view.setBigInt64(PERM_BYTES, BigInt(set.operated), true);
  view.setBigInt64(PERM_BYTES + 16, BigInt(set.changed), true);
  view.setBigInt64(PERM_BYTES + 32, BigInt(set.values.length), true);
  return memory.writeBytes(at, new Uint8Array(view.buffer)) ? 0 : -EFAULT;
}

/** struct seminfo: map, mni, mns, mnu, msl, opm, ume, usz, vmx, aem. SEM_INFO tells what is in use in usz and aem. */
function writeInfo({ machine, memory }: SyscallContext, at: number, inUse: boolean): number {
  const { sets } = machine.semaphores;
  let total = 0;
  for (const { object } of sets.entries()) total += object.values.length;
  const usz = inUse ? sets.size : 20;
  const aem = inUse ? total : VALUE_MAX;
  const info = [ALL_MAX, SETS_MAX, ALL_MAX, ALL_MAX, SET_MAX, OPERATIONS_MAX, OPERATIONS_MAX, usz, VALUE_MAX, aem];
  return memory.writeBytes(at, new Uint8Array(Int32Array.from(info).buffer)) ? Math.max(0, sets.highest) : -EFAULT;
}

export const semaphoreSyscalls: readonly SyscallRow[] = [
  { nr: 64, name: 'semget', run: semget },
  { nr: 65, name: 'semop', run: (context) => operate(context, 0), resume, interrupt: () => -EINTR },
  { nr: 66, name: 'semctl', run: semctl },
  {
    nr: 220,
    name: 'semtimedop',
    run: (context) => operate(context, context.args[3] as number),
    resume,
    interrupt: () => -EINTR,
  },
];
