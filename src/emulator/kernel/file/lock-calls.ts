/** The lock commands of fcntl(2), and flock(2) (fs/locks.c). */
import { EAGAIN, EBADF, EDEADLK, EFAULT, EINVAL, EOVERFLOW, ERESTARTSYS } from '../errno.js';
import { block, type SyscallContext, type SyscallResult, type SyscallRow } from '../syscall-table.js';
import type { Blocked } from '../wait.js';
import { fileAt } from './descriptors.js';
import { filesOf } from './file-table.js';
import { type ByteLock, LOCK, type LockOwner } from './locks.js';
import type { OpenFile } from './open-file.js';

export interface LockCommand {
  /** F_SETLKW: sleeps until the range is free. */
  readonly waits: boolean;
  /** The lock is the open file description's. */
  readonly ofFile: boolean;
}

/** What a sleeper for a range keeps. */
interface Waiting {
  readonly file: OpenFile;
  readonly lock: ByteLock;
}

/** struct flock: type, whence, start, length, pid. */
const FLOCK_BYTES = 32;
const LENGTH_MAX = 2 ** 63;

/** The range that a struct flock at the address describes, for this owner; -errno. */
function readLock(context: SyscallContext, file: OpenFile, at: number, ofFile: boolean): ByteLock | number {
  const bytes = context.memory.readBytes(at, FLOCK_BYTES);
  if (bytes === undefined) return -EFAULT;
  const view = new DataView(bytes.buffer, bytes.byteOffset, FLOCK_BYTES);
  if (ofFile && view.getInt32(24, true) !== 0) return -EINVAL;
  const base = baseOf(file, view.getInt16(2, true));
  if (base === undefined) return -EINVAL;
  const length = Number(view.getBigInt64(16, true));
  const from = base + Number(view.getBigInt64(8, true));
  const start = length < 0 ? from + length : from;
  if (start < 0) return -EINVAL;
  if (from + length > LENGTH_MAX) return -EOVERFLOW;
  const end = length === 0 ? Number.POSITIVE_INFINITY : length < 0 ? from : from + length;
  const type = view.getInt16(0, true);
  if (type < LOCK.READ || type > LOCK.UNLOCK) return -EINVAL;
  const { process } = context;
  const owner: LockOwner = ofFile ? file : filesOf(process);
  return { owner, type, start, end, pid: ofFile ? -1 : process.pid };
}

function baseOf(file: OpenFile, whence: number): number | undefined {
  if (whence === 0) return 0;
  if (whence === 1) return file.offset;
  const stat = whence === 2 ? file.stat() : undefined;
  return typeof stat === 'object' ? stat.size : undefined;
}

/** F_SETLK, F_SETLKW and their kin. */
export function lockBytes(context: SyscallContext, file: OpenFile, at: number, command: LockCommand): SyscallResult {
  const lock = readLock(context, file, at, command.ofFile);
  if (typeof lock === 'number') return lock;
  if (lock.type === LOCK.READ && !file.readable) return -EBADF;
  if (lock.type === LOCK.WRITE && !file.writable) return -EBADF;
  const result = take(context, { file, lock }, command.waits);
  if (typeof result === 'object') file.retain();
  return result;
}

function take(context: SyscallContext, waiting: Waiting, waits: boolean): SyscallResult {
  const { locks } = context.machine;
  const { file, lock } = waiting;
  const key = file.lockKey();
  if (key === undefined) return -EINVAL;
  const holder = lock.type === LOCK.UNLOCK ? undefined : locks.conflict(key, lock);
  if (holder === undefined) {
    locks.set(key, lock);
    return 0;
  }
  if (!waits) return -EAGAIN;
  const isProcess = lock.owner !== file;
  if (isProcess && locks.wouldDeadlock(lock.owner, holder.owner)) return -EDEADLK;
  if (isProcess) locks.waitsFor(lock.owner, holder.owner);
  return block(context, { keys: [locks.keyOf(key)], progress: waiting });
}

export function resumeLock(context: SyscallContext, { progress }: Blocked): SyscallResult {
  const waiting = progress as Waiting;
  context.machine.locks.waitsNoMore(waiting.lock.owner);
  const result = take(context, waiting, true);
  if (typeof result === 'number') waiting.file.release();
  return result;
}

export function interruptLock(): number {
  return -ERESTARTSYS;
}

export function abandonLock({ machine }: SyscallContext, { progress }: Blocked): void {
  const { file, lock } = progress as Waiting;
  machine.locks.waitsNoMore(lock.owner);
  file.release();
}

/** F_GETLK, F_OFD_GETLK: who stands against the lock, or F_UNLCK. */
export function testLock(context: SyscallContext, file: OpenFile, at: number, ofFile: boolean): number {
  const wanted = readLock(context, file, at, ofFile);
  if (typeof wanted === 'number') return wanted;
  if (wanted.type === LOCK.UNLOCK) return -EINVAL;
  const key = file.lockKey();
  const holder = key === undefined ? undefined : context.machine.locks.conflict(key, wanted);
  if (holder === undefined) {
    return context.memory.writeBytes(at, Uint8Array.of(LOCK.UNLOCK, 0)) ? 0 : -EFAULT;
  }
  const view = new DataView(new ArrayBuffer(FLOCK_BYTES));
  view.setInt16(0, holder.type, true);
  view.setBigInt64(8, BigInt(holder.start), true);
  view.setBigInt64(16, Number.isFinite(holder.end) ? BigInt(holder.end - holder.start) : 0n, true);
  view.setInt32(24, holder.pid, true);
  return context.memory.writeBytes(at, new Uint8Array(view.buffer)) ? 0 : -EFAULT;
}

const FLOCK = { SH: 1, EX: 2, NB: 4, UN: 8 } as const;
const WHOLE_TYPES: ReadonlyMap<number, number> = new Map([
  [FLOCK.SH, LOCK.READ],
  [FLOCK.EX, LOCK.WRITE],
  [FLOCK.UN, LOCK.UNLOCK],
]);

function flock(context: SyscallContext): SyscallResult {
  const file = fileAt(context);
  const operation = context.args[1] as number;
  const type = WHOLE_TYPES.get(operation & ~FLOCK.NB);
  if (type === undefined) return -EINVAL;
  if (file === undefined) return -EBADF;
  const result = takeWhole(context, file, type, (operation & FLOCK.NB) === 0);
  if (typeof result === 'object') file.retain();
  return result;
}

interface WaitingWhole {
  readonly file: OpenFile;
  readonly type: number;
}

function takeWhole(context: SyscallContext, file: OpenFile, type: number, waits: boolean): SyscallResult {
  const { locks } = context.machine;
  const key = file.lockKey();
  if (key === undefined) return -EBADF;
  if (locks.setWhole(key, file, type)) return 0;
  return waits
    ? block(context, { keys: [locks.keyOf(key)], progress: { file, type } satisfies WaitingWhole })
    : -EAGAIN;
}

function resumeFlock(context: SyscallContext, { progress }: Blocked): SyscallResult {
  const { file, type } = progress as WaitingWhole;
  const result = takeWhole(context, file, type, true);
  if (typeof result === 'number') file.release();
  return result;
}

export const lockSyscalls: readonly SyscallRow[] = [
  {
    nr: 73,
    name: 'flock',
    run: flock,
    resume: resumeFlock,
    abandon: (_context, { progress }) => (progress as WaitingWhole).file.release(),
  },
];
