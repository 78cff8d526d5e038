/** Files that live in memory alone: memfd_create(2) (mm/memfd.c, mm/shmem.c). */
import { pathText } from '../../host/path-text.js';
import type { Machine } from '../../machine.js';
import type { BackingFile } from '../../memory/backing-file.js';
import { EBUSY, EFAULT, EINVAL, ENOSPC, EOPNOTSUPP, EPERM } from '../errno.js';
import type { SyscallContext, SyscallRow } from '../syscall-table.js';
import { anonymousStat } from './anonymous.js';
import type { NewTime, Opener } from './file-system.js';
import { install } from './file-table.js';
import { seekTo } from './host-file.js';
import { presentOf, setMemoryTimes } from './memory-times.js';
import { O, OpenFile, statusFlags } from './open-file.js';
import { type FileStat, S } from './stat.js';

const PAGE = 4096;
/** F_SEAL_*. */
const SEAL = { SEAL: 1, SHRINK: 2, GROW: 4, WRITE: 8, FUTURE_WRITE: 16, EXEC: 32 } as const;
const ALL_SEALS = 63;
const F_ADD_SEALS = 1033;
const F_GET_SEALS = 1034;
const FALLOC = { KEEP_SIZE: 1, PUNCH_HOLE: 2, ZERO_RANGE: 16 } as const;

/** What a file in memory begins as. */
export interface MemoryInodeParts {
  /** As /proc shows it. */
  readonly path: string;
  readonly device: number;
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly links: number;
  /** No seal can be added. */
  readonly sealed: boolean;
}

/** The bytes of a file in memory and what is known of them: lives as long as something has it open, mapped or named. */
export class MemoryInode implements BackingFile {
  readonly key: string;
  path: string;
  readonly device: number;
  readonly inode: number;
  seals: number;
  mode: number;
  uid: number;
  gid: number;
  links: number;
  accessed: bigint;
  modified: bigint;
  private length = 0;
  private readonly pages = new Map<number, Uint8Array>();

  constructor(
    private readonly machine: Machine,
    parts: MemoryInodeParts,
  ) {
    this.inode = machine.newWaitKey();
    this.key = `memory ${this.inode}`;
    this.path = parts.path;
    this.device = parts.device;
    this.seals = parts.sealed ? SEAL.SEAL : 0;
    this.mode = S.IFREG | parts.mode;
    this.uid = parts.uid;
    this.gid = parts.gid;
    this.links = parts.links;
    this.accessed = presentOf(machine);
    this.modified = this.accessed;
  }

  stat(): FileStat {
    const { inode, device, mode, length, links, accessed, modified } = this;
    const blocks = this.pages.size * (PAGE / 512);
    const base = anonymousStat(this.machine, inode, mode, this);
    return { ...base, device, links, size: length, blocks, accessed, modified, changed: modified };
  }

  size(): number {
    return this.length;
  }

  pread(into: Uint8Array, at: number): number {
    const total = Math.max(0, Math.min(into.length, this.length - at));
    this.each(at, total, (index, offset, done, length) => {
      const page = this.pages.get(index);
      if (page === undefined) into.fill(0, done, done + length);
      else into.set(page.subarray(offset, offset + length), done);
    });
    return total;
  }

  pwrite(from: Uint8Array, at: number): number {
    if (this.seals & (SEAL.WRITE | SEAL.FUTURE_WRITE)) return -EPERM;
    const room = this.seals & SEAL.GROW ? Math.max(0, this.length - at) : from.length;
    if (room === 0 && from.length > 0) return -EPERM;
    const total = Math.min(from.length, room);
    if (at + total > this.machine.config.maxMemory) return -ENOSPC;
    this.each(at, total, (index, offset, done, length) => {
      this.page(index).set(from.subarray(done, done + length), offset);
    });
    this.length = Math.max(this.length, at + total);
    this.modified = presentOf(this.machine);
    return total;
  }

  truncate(size: number): number {
    if (size < this.length && this.seals & SEAL.SHRINK) return -EPERM;
    if (size > this.length && this.seals & SEAL.GROW) return -EPERM;
    if (size < this.length) this.clear(size, this.length);
    this.length = size;
    this.modified = presentOf(this.machine);
    return 0;
  }

  /** Zeros. Whole pages go. */
  clear(from: number, to: number): void {
    this.each(from, to - from, (index, offset, _done, length) => {
      if (length === PAGE) this.pages.delete(index);
      else this.pages.get(index)?.fill(0, offset, offset + length);
    });
  }

  retain(): void {}

  release(): void {}

  private page(index: number): Uint8Array {
    let page = this.pages.get(index);
    if (page === undefined) {
      page = new Uint8Array(PAGE);
      this.pages.set(index, page);
    }
    return page;
  }

  /** Cuts a range at the ends of pages. */
  private each(
    at: number,
    total: number,
    act: (index: number, offset: number, done: number, length: number) => void,
  ): void {
    for (let done = 0; done < total; ) {
      const index = Math.floor((at + done) / PAGE);
      const offset = at + done - index * PAGE;
      const length = Math.min(PAGE - offset, total - done);
      act(index, offset, done, length);
      done += length;
    }
  }
}

export class MemoryFile extends OpenFile {
  constructor(
    machine: Machine,
    flags: number,
    private readonly file: MemoryInode,
    /** Where it was opened; undefined for a file without a name. */
    path?: string,
  ) {
    super(machine, flags | O.LARGEFILE);
    this.path = path;
  }

  name(): string {
    return this.file.path;
  }

  override get isNameless(): boolean {
    return this.file.links === 0;
  }

  stat(): FileStat {
    return this.file.stat();
  }

  override get isSeekable(): boolean {
    return true;
  }

  override get isRegular(): boolean {
    return true;
  }

  override read(into: Uint8Array): number {
    const got = this.pread(into, this.offset);
    this.offset += got;
    return got;
  }

  override write(from: Uint8Array): number {
    if (this.flags & O.APPEND) this.offset = this.file.size();
    const put = this.pwrite(from, this.offset);
    if (put > 0) this.offset += put;
    return put;
  }

  override pread(into: Uint8Array, at: number): number {
    return this.machine.pageCache.read(this.file, into, at);
  }

  override pwrite(from: Uint8Array, at: number): number {
    return this.machine.pageCache.write(this.file, from, at);
  }

  override seek(offset: number, whence: number): number {
    const to = seekTo(this.offset, this.file.size(), offset, whence);
    if (to >= 0) this.offset = to;
    return to;
  }

  override truncate(size: number): number {
    const result = this.file.truncate(size);
    if (result === 0) this.machine.pageCache.truncated(this.file.key, size);
    return result;
  }

  override allocate(mode: number, offset: number, length: number): number {
    const end = offset + length;
    if (mode & ~(FALLOC.KEEP_SIZE | FALLOC.PUNCH_HOLE)) return -EOPNOTSUPP;
    if (mode & FALLOC.PUNCH_HOLE) return mode & FALLOC.KEEP_SIZE ? this.punch(offset, end) : -EOPNOTSUPP;
    if (mode & FALLOC.KEEP_SIZE || end <= this.file.size()) return 0;
    return end > this.machine.config.maxMemory ? -ENOSPC : this.truncate(end);
  }

  private punch(from: number, to: number): number {
    if (this.file.seals & (SEAL.WRITE | SEAL.FUTURE_WRITE)) return -EPERM;
    const end = Math.min(to, this.file.size());
    const zeros = new Uint8Array(Math.max(0, end - from));
    if (zeros.length > 0) this.machine.pageCache.write(this.file, zeros, from);
    this.file.clear(from, end);
    return 0;
  }

  override sync(): number {
    return 0;
  }

  override setMode(mode: number): number {
    this.file.mode = S.IFREG | mode;
    return 0;
  }

  override setOwner(uid: number, gid: number): number {
    if (uid !== -1) this.file.uid = uid;
    if (gid !== -1) this.file.gid = gid;
    return 0;
  }

  override setTimes(accessed: NewTime, modified: NewTime): number {
    setMemoryTimes(this.machine, this.file, accessed, modified);
    return 0;
  }

  override fcntl(context: SyscallContext, command: number, argument: number): number {
    if (command === F_GET_SEALS) return this.file.seals;
    return command === F_ADD_SEALS ? this.seal(argument) : super.fcntl(context, command, argument);
  }

  /** A mapping that may be written stands against F_SEAL_WRITE. */
  private seal(seals: number): number {
    if (!this.writable) return -EPERM;
    if (seals & ~ALL_SEALS) return -EINVAL;
    if (this.file.seals & SEAL.SEAL) return -EPERM;
    if (seals & SEAL.WRITE && this.machine.pageCache.isWritten(this.file.key)) return -EBUSY;
    this.file.seals |= seals;
    return 0;
  }

  override backing(): BackingFile {
    return this.file;
  }

  override reopen({ machine }: Opener, flags: number): OpenFile {
    const again = new MemoryFile(machine, statusFlags(flags), this.file);
    if (flags & O.TRUNC) again.truncate(0);
    return again;
  }
}

const MFD = { CLOEXEC: 1, ALLOW_SEALING: 2, HUGETLB: 4, NOEXEC_SEAL: 8, EXEC: 16 } as const;
/** The kernel's own mount of tmpfs. */
const MEMFD_DEVICE = 1;
/** MFD_NAME_MAX_LEN: NAME_MAX without `memfd:`. */
const NAME_MAX = 249;

function memfdCreate(context: SyscallContext): number {
  const { machine, process, memory, args } = context;
  const [at, flags] = args as [number, number];
  if (flags & ~(MFD.CLOEXEC | MFD.ALLOW_SEALING | MFD.NOEXEC_SEAL | MFD.EXEC)) return -EINVAL;
  if (flags & MFD.EXEC && flags & MFD.NOEXEC_SEAL) return -EINVAL;
  const name = memory.readCString(at, NAME_MAX + 1);
  if (name === undefined) return -EFAULT;
  if (name === 'too-long') return -EINVAL;
  const { fsuid: uid, fsgid: gid } = process.credentials;
  const noExec = (flags & MFD.NOEXEC_SEAL) !== 0;
  const sealed = !(flags & MFD.ALLOW_SEALING) && !noExec;
  const inode = new MemoryInode(machine, {
    path: `/memfd:${pathText(name)} (deleted)`,
    device: MEMFD_DEVICE,
    mode: noExec ? 0o666 : 0o777,
    uid,
    gid,
    links: 0,
    sealed,
  });
  if (noExec) inode.seals |= SEAL.EXEC;
  return install(process, new MemoryFile(machine, O.RDWR, inode), (flags & MFD.CLOEXEC) !== 0);
}

export const memoryFileSyscalls: readonly SyscallRow[] = [{ nr: 319, name: 'memfd_create', run: memfdCreate }];
