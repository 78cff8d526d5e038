/**
 * Advisory locks (fs/locks.c): fcntl(2)'s, which a table of descriptors owns and any close of the file by it releases, its open file description
 * variant, and flock(2)'s. They hold among the guests of one machine, not against programs of the host.
 */
import type { Machine } from '../../machine.js';
import type { WaitKey } from '../wait.js';
import type { FileTable } from './file-table.js';
import type { OpenFile } from './open-file.js';

export const LOCK = { READ: 0, WRITE: 1, UNLOCK: 2 } as const;

/** Who holds a lock: the descriptors of a process, or an open file description. */
export type LockOwner = FileTable | OpenFile;

export interface ByteLock {
  readonly owner: LockOwner;
  readonly type: number;
  readonly start: number;
  /** First byte behind it; Infinity: to the end of the file, wherever it comes to be. */
  readonly end: number;
  /** As F_GETLK tells: -1 for an open file description. */
  readonly pid: number;
}

interface WholeLock {
  readonly file: OpenFile;
  readonly type: number;
}

interface FileLocks {
  /** Woken when something is released. */
  readonly key: WaitKey;
  bytes: ByteLock[];
  whole: WholeLock[];
}

/** All locks of a machine, by file. */
export class Locks {
  private readonly files = new Map<string, FileLocks>();
  /** Whose lock an owner's thread sleeps for: to see a circle before it closes. */
  private readonly waits = new Map<LockOwner, LockOwner>();

  constructor(private readonly machine: Machine) {}

  /** Nobody holds anything: closing a file need not look. */
  get isEmpty(): boolean {
    return this.files.size === 0;
  }

  /** What a sleeper for a lock on the file waits for. */
  keyOf(file: string): WaitKey {
    return this.entry(file).key;
  }

  /** The first lock that stands against this one. */
  conflict(file: string, wanted: ByteLock): ByteLock | undefined {
    return this.files.get(file)?.bytes.find((held) => conflicts(held, wanted));
  }

  /** Sets or, with LOCK.UNLOCK, releases; the caller has seen that nothing conflicts. */
  set(file: string, lock: ByteLock): void {
    const entry = this.entry(file);
    const others = entry.bytes.flatMap((held) => (held.owner === lock.owner ? without(held, lock) : [held]));
    const wasLocked = entry.bytes.length > 0;
    entry.bytes = lock.type === LOCK.UNLOCK ? others : withMerged(others, lock);
    entry.bytes.sort((a, b) => a.start - b.start);
    if (wasLocked) this.released(file, entry);
  }

  /** Would a sleep of `sleeper` for a lock of `holder` close a circle? */
  wouldDeadlock(sleeper: LockOwner, holder: LockOwner): boolean {
    for (let at: LockOwner | undefined = holder; at !== undefined; at = this.waits.get(at)) {
      if (at === sleeper) return true;
    }
    return false;
  }

  waitsFor(sleeper: LockOwner, holder: LockOwner): void {
    this.waits.set(sleeper, holder);
  }

  waitsNoMore(sleeper: LockOwner): void {
    this.waits.delete(sleeper);
  }

  /** flock(2): false when another open file's lock stands against it. An old lock of the file is given up in any case. */
  setWhole(file: string, owner: OpenFile, type: number): boolean {
    const entry = this.entry(file);
    const others = entry.whole.filter((held) => held.file !== owner);
    const gaveUp = others.length < entry.whole.length;
    const isFree = type === LOCK.UNLOCK || !others.some((held) => held.type === LOCK.WRITE || type === LOCK.WRITE);
    entry.whole = isFree && type !== LOCK.UNLOCK ? [...others, { file: owner, type }] : others;
    if (gaveUp) this.released(file, entry);
    return isFree;
  }

  /** An owner is gone, or has closed the file. */
  releaseAll(owner: LockOwner, file?: string): void {
    for (const [key, entry] of this.files) {
      if (file !== undefined && file !== key) continue;
      const held = entry.bytes.length + entry.whole.length;
      entry.bytes = entry.bytes.filter((lock) => lock.owner !== owner);
      entry.whole = entry.whole.filter((lock) => lock.file !== owner);
      if (entry.bytes.length + entry.whole.length < held) this.released(key, entry);
    }
  }

  private released(file: string, entry: FileLocks): void {
    this.machine.wake(entry.key);
    const isUnused = entry.bytes.length + entry.whole.length === 0 && !this.machine.isAwaited(entry.key);
    if (isUnused) this.files.delete(file);
  }

  private entry(file: string): FileLocks {
    let entry = this.files.get(file);
    if (entry === undefined) {
      entry = { key: this.machine.newWaitKey(), bytes: [], whole: [] };
      this.files.set(file, entry);
    }
    return entry;
  }
}

function conflicts(held: ByteLock, wanted: ByteLock): boolean {
  if (held.owner === wanted.owner || held.start >= wanted.end || wanted.start >= held.end) return false;
  return held.type === LOCK.WRITE || wanted.type === LOCK.WRITE;
}

/** What is left of a lock when a range is taken out of it. */
function without(held: ByteLock, { start, end }: ByteLock): ByteLock[] {
  if (held.start >= end || start >= held.end) return [held];
  const left = held.start < start ? [{ ...held, end: start }] : [];
  const right = held.end > end ? [{ ...held, start: end }] : [];
  return [...left, ...right];
}

/** Adds a lock; those of the same owner and type that touch it become one with it. */
function withMerged(others: readonly ByteLock[], lock: ByteLock): ByteLock[] {
  const touches = (held: ByteLock): boolean =>
    held.owner === lock.owner && held.type === lock.type && held.end >= lock.start && held.start <= lock.end;
  const joined = others.filter(touches);
  const start = Math.min(lock.start, ...joined.map((held) => held.start));
  const end = Math.max(lock.end, ...joined.map((held) => held.end));
  return [...others.filter((held) => !touches(held)), { ...lock, start, end }];
}
