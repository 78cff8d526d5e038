/** What System V semaphores, message queues and shared memory have in common: keys, ids, permissions (ipc/util.c). Plain data. */
import type { Process } from '../process.js';
import { EACCES, EEXIST, EIDRM, EINVAL, ENOENT, ENOSPC, EPERM } from './errno.js';
import { CAP, capable } from './identity-checks.js';

export const IPC_PRIVATE = 0;
export const IPC_CREAT = 0o1000;
export const IPC_EXCL = 0o2000;
export const IPC_NOWAIT = 0o4000;
export const IPC_RMID = 0;
export const IPC_SET = 1;
export const IPC_STAT = 2;
export const IPC_INFO = 3;

/** Ids are index plus a multiple of this that counts how often the index was used. */
const INDEX_SPAN = 32_768;
const OBJECTS_MAX = 32_000;
/** sizeof(struct ipc64_perm). */
export const PERM_BYTES = 48;

export interface IpcObject {
  readonly key: number;
  uid: number;
  gid: number;
  readonly creatorUid: number;
  readonly creatorGid: number;
  mode: number;
  readonly sequence: number;
}

/** What a new object gets from its creator. */
export function ownedBy({ credentials }: Process, key: number, mode: number, sequence: number): IpcObject {
  const { euid, egid } = credentials;
  return { key, uid: euid, gid: egid, creatorUid: euid, creatorGid: egid, mode: mode & 0o777, sequence };
}

export class IpcTable<T extends IpcObject> {
  private readonly slots: (T | undefined)[] = [];
  private readonly uses: number[] = [];

  /** The id for a key: found, or made by `make`, or -errno (ipcget). */
  get(
    process: Process,
    key: number,
    flags: number,
    check: (found: T) => number,
    make: (sequence: number) => T | number,
  ): number {
    const index = key === IPC_PRIVATE ? -1 : this.slots.findIndex((slot) => slot?.key === key);
    const found = this.slots[index];
    if (found === undefined) {
      if (key !== IPC_PRIVATE && !(flags & IPC_CREAT)) return -ENOENT;
      return this.add(make);
    }
    if (flags & IPC_CREAT && flags & IPC_EXCL) return -EEXIST;
    const refused = check(found);
    if (refused !== 0) return refused;
    return mayAccess(process, found, flags & 0o777) ? this.idOf(index) : -EACCES;
  }

  private add(make: (sequence: number) => T | number): number {
    const free = this.slots.indexOf(undefined);
    const index = free < 0 ? this.slots.length : free;
    if (index >= OBJECTS_MAX) return -ENOSPC;
    const made = make(this.uses[index] ?? 0);
    if (typeof made === 'number') return made;
    this.slots[index] = made;
    this.uses[index] ??= 0;
    return this.idOf(index);
  }

  private idOf(index: number): number {
    return index + INDEX_SPAN * (this.uses[index] ?? 0);
  }

  /** The object of an id; -EIDRM for one that was there once, -EINVAL for nonsense. */
  find(id: number): T | number {
    const index = id % INDEX_SPAN;
    const slot = id < 0 ? undefined : this.slots[index];
    if (slot === undefined) return -EINVAL;
    return this.idOf(index) === id ? slot : -EIDRM;
  }

  /** The object at an index, with its id (the STAT commands). */
  at(index: number): { readonly id: number; readonly object: T } | undefined {
    const object = this.slots[index];
    return object && { id: this.idOf(index), object };
  }

  /** Highest index in use, -1 for none. */
  get highest(): number {
    return this.slots.findLastIndex((slot) => slot !== undefined);
  }

  get size(): number {
    return this.slots.filter((slot) => slot !== undefined).length;
  }

  remove(id: number): void {
    const index = id % INDEX_SPAN;
    this.slots[index] = undefined;
    this.uses[index] = (this.uses[index] ?? 0) + 1;
  }

  *entries(): Generator<{ readonly id: number; readonly object: T }> {
    for (let index = 0; index < this.slots.length; index++) {
      const entry = this.at(index);
      if (entry !== undefined) yield entry;
    }
  }
}

/** The permission bits asked for, as in the low nine bits of a mode (ipcperms). */
export function mayAccess(process: Process, object: IpcObject, mode: number): boolean {
  const { euid, egid, groups } = process.credentials;
  const wanted = (mode >> 6) | (mode >> 3) | mode;
  const isOwner = euid === object.uid || euid === object.creatorUid;
  const gids = [object.gid, object.creatorGid];
  const isGroup = gids.includes(egid) || gids.some((gid) => groups.includes(gid));
  const granted = isOwner ? object.mode >> 6 : isGroup ? object.mode >> 3 : object.mode;
  return (wanted & ~granted & 7) === 0 || capable(process, CAP.IPC_OWNER);
}

/** IPC_SET and IPC_RMID are for owner and creator. */
export function mayControl(process: Process, object: IpcObject): number {
  const { euid } = process.credentials;
  return euid === object.uid || euid === object.creatorUid || capable(process, CAP.SYS_ADMIN) ? 0 : -EPERM;
}

/** struct ipc64_perm at the start of the view. */
export function putPerm(view: DataView, object: IpcObject): void {
  const { key, uid, gid, creatorUid, creatorGid, mode, sequence } = object;
  [key, uid, gid, creatorUid, creatorGid, mode].forEach((value, i) => {
    view.setInt32(4 * i, value | 0, true);
  });
  view.setUint16(24, sequence, true);
}

/** IPC_SET: owner and mode from a struct ipc64_perm. */
export function takePerm(view: DataView, object: IpcObject): void {
  object.uid = view.getUint32(4, true);
  object.gid = view.getUint32(8, true);
  object.mode = (object.mode & ~0o777) | (view.getUint32(20, true) & 0o777);
}
