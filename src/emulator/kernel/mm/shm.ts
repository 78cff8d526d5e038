/** System V shared memory: shmget(2), shmat(2), shmdt(2), shmctl(2) (ipc/shm.c). */
import { AddressSpace } from '../../memory/address-space.js';
import type { FilePages } from '../../memory/page-cache.js';
import { PROT, VMA, type Vma } from '../../memory/vma.js';
import { EACCES, EFAULT, EINVAL, ENOMEM } from '../errno.js';
import type { SyscallContext, SyscallRow } from '../syscall-table.js';
import {
  IPC_INFO, IPC_RMID, IPC_SET, IPC_STAT, type IpcObject, mayAccess, mayControl, ownedBy, PERM_BYTES, putPerm, takePerm,
} from '../sysv-ipc.js'; // biome-ignore format: one list
import { findPlace } from './mmap.js';
import { isAligned, isUserRange, mayExpand, PAGE, pageAlign, spaceOf } from './space.js';

const SHM = { RDONLY: 0o10000, RND: 0o20000, REMAP: 0o40000, EXEC: 0o100000 } as const;
const COMMAND = { LOCK: 11, UNLOCK: 12, STAT: 13, INFO: 14, STAT_ANY: 15 } as const;
/** Bits of shm_perm.mode. */
const SHM_DEST = 0o1000;
const SEGMENTS_MAX = 4096;
/** ULONG_MAX - (1 << 24): no limit. */
const BYTES_MAX = 0xffff_ffff_feff_ffffn;
const SHMID_DS = 112;

export interface Segment extends Omit<IpcObject, 'key'> {
  /** 0 once it is removed: the key is free again. */
  key: number;
  readonly size: number;
  /** The segment is one user, every attachment another. */
  readonly pages: FilePages;
  readonly creator: number;
  lastUser: number;
  attached: number;
  detached: number;
  changed: number;
  /** IPC_RMID came: it goes with its last attachment. */
  removed: boolean;
}

type Table = SyscallContext['machine']['sharedMemory'];

function shmget({ machine, process, args }: SyscallContext): number {
  const [key, , flags] = args.map((arg) => arg | 0) as [number, number, number];
  const size = args[1] as number;
  return machine.sharedMemory.get(
    process,
    key,
    flags,
    (found) => (found.size < size ? -EINVAL : 0),
    (sequence) => {
      if (size < 1) return -EINVAL;
      if (size > machine.config.maxMemory) return -ENOMEM;
      const owned = ownedBy(process, key, flags, sequence);
      return {
        ...owned,
        size,
        pages: machine.pageCache.shared(pageAlign(size)),
        creator: process.pid,
        lastUser: 0,
        attached: 0,
        detached: 0,
        changed: machine.clock.realtime.seconds,
        removed: false,
      };
    },
  );
}

function* spaces({ processes }: SyscallContext['machine']): Generator<AddressSpace> {
  const seen = new Set<AddressSpace>();
  for (const { space, status } of processes.values()) {
    if (status !== undefined || !(space instanceof AddressSpace) || seen.has(space)) continue;
    seen.add(space);
    yield space;
  }
}

/** shm_nattch: mappings of the segment in all processes. */
export function attachments(machine: SyscallContext['machine'], { pages }: Segment): number {
  let count = 0;
  for (const { vmas } of spaces(machine)) count += vmas.all().filter((vma) => vma.pages === pages).length;
  return count;
}

/** Removed segments without attachments are gone. */
function sweep(machine: SyscallContext['machine']): Table {
  const { sharedMemory } = machine;
  for (const { id, object } of [...sharedMemory.entries()]) {
    if (object.removed && attachments(machine, object) === 0) destroy(sharedMemory, id, object);
  }
  return sharedMemory;
}

function destroy(table: Table, id: number, { pages }: Segment): void {
  table.remove(id);
  pages.dropUser();
}

function shmat(context: SyscallContext): number {
  const { machine, process, args } = context;
  const [id, hint, flags] = args as [number, number, number];
  if ((id | 0) < 0) return -EINVAL;
  const segment = sweep(machine).find(id | 0);
  if (typeof segment === 'number') return segment;
  const readOnly = (flags & SHM.RDONLY) !== 0;
  const executable = (flags & SHM.EXEC) !== 0;
  const length = pageAlign(segment.size);
  const space = spaceOf(context);
  const at = placeOf(space, hint, length, flags);
  if (at < 0) return at;
  if (!mayAccess(process, segment, (readOnly ? 0o444 : 0o666) | (executable ? 0o111 : 0))) return -EACCES;
  const prot = PROT.READ | (readOnly ? 0 : PROT.WRITE) | (executable ? PROT.EXEC : 0);
  if (!mayExpand(context, length, prot, VMA.SHARED) || space.hasXol(at, at + length)) return -ENOMEM;
  segment.pages.addUser();
  space.mappings.map({
    at,
    length,
    prot,
    maxProt: readOnly ? PROT.READ | PROT.EXEC : PROT.READ | PROT.WRITE | PROT.EXEC,
    flags: VMA.SHARED,
    pages: segment.pages,
    name: `/SYSV${(segment.key >>> 0).toString(16).padStart(8, '0')} (deleted)`,
  });
  segment.attached = machine.clock.realtime.seconds;
  segment.lastUser = process.pid;
  return at;
}

/** SHM_RND rounds down to a page; without SHM_REMAP nothing may be there. */
function placeOf(space: AddressSpace, hint: number, length: number, flags: number): number {
  if (hint === 0) return flags & SHM.REMAP ? -EINVAL : (findPlace(space, 0, length) ?? -ENOMEM);
  if (!isAligned(hint) && !(flags & SHM.RND)) return -EINVAL;
  const at = Math.floor(hint / PAGE) * PAGE;
  if (at === 0 && flags & SHM.REMAP) return -EINVAL;
  if (!isUserRange(at, length)) return -EINVAL;
  return !(flags & SHM.REMAP) && space.vmas.meeting(at, at + length).length > 0 ? -EINVAL : at;
}

/** What is left of the attachment that began at the address. */
function shmdt(context: SyscallContext): number {
  const { machine, process, args } = context;
  const at = args[0] as number;
  if (!isAligned(at)) return -EINVAL;
  const space = spaceOf(context);
  const isPart = ({ start, offset }: Vma): boolean => start - offset === at;
  const segments = [...machine.sharedMemory.entries()].map(({ object }) => object);
  const segment = segments.find(({ pages }) => space.vmas.all().some((vma) => vma.pages === pages && isPart(vma)));
  if (segment === undefined) return -EINVAL;
  for (const vma of [...space.vmas.all()]) {
    if (vma.pages === segment.pages && isPart(vma)) space.mappings.unmap(vma.start, vma.end);
  }
  segment.detached = machine.clock.realtime.seconds;
  segment.lastUser = process.pid;
  sweep(machine);
  return 0;
}

function shmctl(context: SyscallContext): number {
  const { machine, process, memory, args } = context;
  const [id, command, at] = [(args[0] as number) | 0, (args[1] as number) | 0, args[2] as number];
  if (command < 0 || id < 0) return -EINVAL;
  const table = sweep(machine);
  if (command === IPC_INFO) return tellLimits(context, at);
  if (command === COMMAND.INFO) return tellUse(context, at);
  if (command === COMMAND.STAT || command === COMMAND.STAT_ANY) {
    const entry = table.at(id);
    if (entry === undefined) return -EINVAL;
    const result = status(context, entry.object, at, command === COMMAND.STAT_ANY);
    return result === 0 ? entry.id : result;
  }
  const segment = table.find(id);
  if (typeof segment === 'number') return segment;
  switch (command) {
    case IPC_STAT:
      return status(context, segment, at, false);
    case IPC_SET: {
      const bytes = memory.readBytes(at, SHMID_DS);
      if (bytes === undefined) return -EFAULT;
      const refused = mayControl(process, segment);
      if (refused !== 0) return refused;
      takePerm(new DataView(bytes.buffer, bytes.byteOffset), segment);
      segment.changed = machine.clock.realtime.seconds;
      return 0;
    }
    case IPC_RMID: {
      const refused = mayControl(process, segment);
      if (refused !== 0) return refused;
      segment.removed = true;
      segment.key = 0;
      sweep(machine);
      return 0;
    }
    case COMMAND.LOCK:
    case COMMAND.UNLOCK:
      return mayControl(process, segment);
    default:
      return -EINVAL;
  }
}

/** struct shmid64_ds. */
function status({ machine, process, memory }: SyscallContext, segment: Segment, at: number, anybody: boolean): number {
  if (!anybody && !mayAccess(process, segment, 0o444)) return -EACCES;
  const view = new DataView(new ArrayBuffer(SHMID_DS));
  putPerm(view, segment.removed ? { ...segment, mode: segment.mode | SHM_DEST } : segment);
  [segment.size, segment.attached, segment.detached, segment.changed].forEach((value, i) => {
    view.setBigUint64(PERM_BYTES + 8 * i, BigInt(value), true);
  });
  view.setInt32(PERM_BYTES + 32, segment.creator, true);
  view.setInt32(PERM_BYTES + 36, segment.lastUser, true);
  view.setBigUint64(PERM_BYTES + 40, BigInt(attachments(machine, segment)), true);
  return memory.writeBytes(at, new Uint8Array(view.buffer)) ? 0 : -EFAULT;
}

/** struct shminfo64: the limits; answers the highest index in use. */
function tellLimits({ machine, memory }: SyscallContext, at: number): number {
  const view = new DataView(new ArrayBuffer(72));
  [BYTES_MAX, 1n, BigInt(SEGMENTS_MAX), BigInt(SEGMENTS_MAX), BYTES_MAX].forEach((value, i) => {
    view.setBigUint64(8 * i, value, true);
  });
  return memory.writeBytes(at, new Uint8Array(view.buffer)) ? Math.max(0, machine.sharedMemory.highest) : -EFAULT;
}

/** struct shm_info: segments, pages of them all, pages in memory. */
function tellUse({ machine, memory }: SyscallContext, at: number): number {
  const { sharedMemory } = machine;
  const pages = [...sharedMemory.entries()].reduce((sum, { object }) => sum + pageAlign(object.size) / PAGE, 0);
  const view = new DataView(new ArrayBuffer(48));
  view.setInt32(0, sharedMemory.size, true);
  view.setBigUint64(8, BigInt(pages), true);
  view.setBigUint64(16, BigInt(pages), true);
  return memory.writeBytes(at, new Uint8Array(view.buffer)) ? Math.max(0, sharedMemory.highest) : -EFAULT;
}

export const shmSyscalls: readonly SyscallRow[] = [
  { nr: 29, name: 'shmget', run: shmget },
  { nr: 30, name: 'shmat', run: shmat },
  { nr: 31, name: 'shmctl', run: shmctl },
  { nr: 67, name: 'shmdt', run: shmdt },
];
