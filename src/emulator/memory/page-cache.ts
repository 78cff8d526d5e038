/**
 * Pages of files in memory: one set of frames for each file that is mapped somewhere, shared by all its mappings, private ones until they are written
 * to. read(2) and write(2) of such a file go through the cache too, so that they agree with the mappings. A file that nobody maps is not cached.
 */
import { EBADF } from '../kernel/errno.js';
import type { BackingFile } from './backing-file.js';
import type { MachineMemory } from './machine-memory.js';

const PAGE = 4096;
/** Pages that one read of the host brings in. */
const READ_AHEAD = 8;
/** The page lies beyond the end of the file, or the file cannot be read there: SIGBUS. */
export const BEYOND_FILE = -3;
export const OUT_OF_FRAMES = -4;

/** What a mapping shows: the pages of a file, or of memory that processes share (MAP_SHARED | MAP_ANONYMOUS, System V). */
export class FilePages {
  /** By page of the file. The cache is one user of each frame. */
  private readonly frames = new Map<number, number>();
  /** Pages that may differ from the file. */
  private readonly dirty = new Set<number>();
  private users = 0;
  private contentsName: { readonly name: string | undefined } | undefined;
  /** An open file that may be written: shared mappings bring one. */
  private writer: BackingFile | undefined;
  /** Where the file ended when it was last seen: what mappings store behind it in the last page never becomes part of the file. */
  private fileEnd: number;

  /** `file`: with a user that passes to the pages; undefined: shared memory of `bytes`, rounded up to pages. */
  constructor(
    private readonly cache: PageCache,
    readonly file: BackingFile | undefined,
    private readonly bytes = 0,
  ) {
    this.fileEnd = this.size();
  }

  /** A name for what is in the file (BackingFile), as it was when somebody asked first: those who use it compare the bytes. */
  get contents(): string | undefined {
    this.contentsName ??= { name: this.file?.contents };
    return this.contentsName.name;
  }

  size(): number {
    return this.file === undefined ? this.bytes : this.file.size();
  }

  /** A mapping more. */
  addUser(): void {
    this.users++;
  }

  /** A mapping less. The last one writes back what is dirty and gives the frames and files back. */
  dropUser(): void {
    if (--this.users > 0) return;
    this.sync(0, Number.POSITIVE_INFINITY);
    for (const frame of this.frames.values()) this.cache.memory.release(frame);
    this.frames.clear();
    this.cache.forget(this);
    this.file?.release();
    this.writer?.release();
  }

  /** A file that stores may be written back through: for shared mappings that may be written. Takes over the caller's user. */
  offerWriter(file: BackingFile): void {
    if (this.writer === undefined) this.writer = file;
    else file.release();
  }

  get hasWriter(): boolean {
    return this.writer !== undefined;
  }

  /** The frame of a page, read from the file now if it is not there; BEYOND_FILE or OUT_OF_FRAMES. It stays the cache's: a mapping adds its user. */
  frame(index: number): number {
    return this.frames.get(index) ?? this.bringIn(index);
  }

  /** The frame of a page if it is there; 0. */
  cached(index: number): number {
    return this.frames.get(index) ?? 0;
  }

  /** A shared mapping is about to store to the page. */
  markDirty(index: number): void {
    if (this.file !== undefined) this.dirty.add(index);
  }

  /** Writes dirty pages of [from, to) back (page numbers): 0 or -errno of the first that failed. */
  sync(from: number, to: number): number {
    let failed = 0;
    for (const index of [...this.dirty]) {
      if (index < from || index >= to) continue;
      const wrote = this.writeBack(index);
      if (wrote < 0 && failed === 0) failed = wrote;
    }
    return failed;
  }

  /** Bytes that were read from the file at `at`: puts in what mappings have stored since. */
  overlay(bytes: Uint8Array, at: number): void {
    const { u8 } = this.cache.memory.physical;
    for (const index of this.dirty) {
      const frame = this.frames.get(index);
      const begin = Math.max(at, index * PAGE);
      const end = Math.min(at + bytes.length, (index + 1) * PAGE);
      if (frame === undefined || begin >= end) continue;
      const from = frame * PAGE + (begin - index * PAGE);
      bytes.set(u8.subarray(from, from + (end - begin)), begin - at);
    }
  }

  /** Bytes that were written to the file at `at` show in the mappings. */
  update(bytes: Uint8Array, at: number): void {
    const { memory } = this.cache;
    if (at + bytes.length > this.fileEnd) this.grow(at + bytes.length);
    for (let index = Math.floor(at / PAGE); index * PAGE < at + bytes.length; index++) {
      const frame = this.frames.get(index);
      if (frame === undefined) continue;
      const begin = Math.max(at, index * PAGE);
      const end = Math.min(at + bytes.length, (index + 1) * PAGE);
      const offset = begin - index * PAGE;
      memory.physical.u8.set(bytes.subarray(begin - at, end - at), frame * PAGE + offset);
      memory.stored(frame, offset, offset + (end - begin));
    }
  }

  /** The file was made to end at `size`: pages beyond go, from the mappings too, and the rest of the last one is zero. */
  truncate(size: number): void {
    const { memory } = this.cache;
    const kept = Math.ceil(size / PAGE);
    for (const space of memory.spaces.values()) space.truncated(this, kept);
    for (const [index, frame] of [...this.frames]) {
      if (index < kept) continue;
      this.frames.delete(index);
      this.dirty.delete(index);
      memory.release(frame);
    }
    this.fileEnd = Math.min(size, this.fileEnd);
    this.grow(size);
  }

  /** The file ends at `size` now, no lower than before: what lies behind its old end is zero. */
  private grow(size: number): void {
    const { memory } = this.cache;
    const before = this.fileEnd;
    this.fileEnd = size;
    const last = this.frames.get(Math.floor(before / PAGE));
    const tail = before % PAGE;
    if (last === undefined || tail === 0) return;
    memory.physical.u8.fill(0, last * PAGE + tail, (last + 1) * PAGE);
    memory.stored(last, tail, PAGE);
  }

  /** The pages [from, to) become zero, in the file too: 0 or -errno. The file keeps its size. */
  clear(from: number, to: number): number {
    const { memory } = this.cache;
    for (const [index, frame] of this.frames) {
      if (index < from || index >= to) continue;
      memory.physical.u8.fill(0, frame * PAGE, (frame + 1) * PAGE);
      memory.stored(frame, 0, PAGE);
    }
    if (this.file === undefined) return 0;
    if (this.writer === undefined) return -EBADF;
    const length = Math.min(to * PAGE, this.size()) - from * PAGE;
    return length <= 0 ? 0 : Math.min(0, this.writer.pwrite(new Uint8Array(length), from * PAGE));
  }

  /** Gives back frames that only the cache uses and that the file can bring again; whether there were any. */
  reclaim(): boolean {
    if (this.file === undefined) return false;
    const before = this.frames.size;
    for (const [index, frame] of [...this.frames]) {
      if (this.dirty.has(index) || this.cache.memory.frames.usersOf(frame) > 1) continue;
      this.frames.delete(index);
      this.cache.memory.release(frame);
    }
    return this.frames.size < before;
  }

  private bringIn(index: number): number {
    const { file } = this;
    if (index < 0 || index * PAGE >= this.size()) return BEYOND_FILE;
    return file === undefined ? this.add(index) : this.readAhead(file, index);
  }

  /** Reads the page and those behind it that are not there yet. */
  private readAhead(file: BackingFile, index: number): number {
    let count = 1;
    while (count < READ_AHEAD && !this.frames.has(index + count)) count++;
    const got = file.pread(this.cache.ahead.subarray(0, count * PAGE), index * PAGE);
    if (got <= 0) return BEYOND_FILE;
    const first = this.add(index);
    if (first > 0) this.fillFrame(first, 0, got);
    for (let i = 1; i * PAGE < got && first > 0; i++) {
      const frame = this.add(index + i);
      if (frame < 0) break;
      this.fillFrame(frame, i * PAGE, got);
    }
    return first;
  }

  private fillFrame(frame: number, from: number, got: number): void {
    const bytes = this.cache.ahead.subarray(from, Math.min(got, from + PAGE));
    this.cache.memory.physical.u8.set(bytes, frame * PAGE);
  }

  private add(index: number): number {
    const frame = this.cache.memory.frames.alloc(this.file === undefined ? 'program' : 'aside');
    if (frame === undefined) return OUT_OF_FRAMES;
    this.frames.set(index, frame);
    return frame;
  }

  private writeBack(index: number): number {
    this.dirty.delete(index);
    const frame = this.frames.get(index);
    const { writer } = this;
    if (frame === undefined || writer === undefined) return 0;
    // The next store has to be seen again.
    this.cache.memory.writeProtect(frame);
    const length = Math.min(PAGE, writer.size() - index * PAGE);
    if (length <= 0) return 0;
    const bytes = this.cache.memory.physical.u8.subarray(frame * PAGE, frame * PAGE + length);
    return Math.min(0, writer.pwrite(bytes, index * PAGE));
  }
}

/** The files that are mapped, by key. One for the machine. */
export class PageCache {
  private readonly files = new Map<string, FilePages>();
  /** Where what is read of a file waits for its frames. */
  readonly ahead = new Uint8Array(READ_AHEAD * PAGE);

  constructor(readonly memory: MachineMemory) {
    memory.frames.reclaim = () => this.reclaim();
  }

  /** The pages of a file, for a mapping that is one user of them. The caller's user of `file` passes to the cache. */
  open(file: BackingFile): FilePages {
    const known = this.files.get(file.key);
    if (known !== undefined) file.release();
    const pages = known ?? new FilePages(this, file);
    if (known === undefined) this.files.set(file.key, pages);
    pages.addUser();
    return pages;
  }

  /** Fresh memory to share, for a mapping that is one user of it. */
  shared(bytes: number): FilePages {
    const pages = new FilePages(this, undefined, bytes);
    pages.addUser();
    return pages;
  }

  /** pread(2) of a regular file, agreeing with its mappings: bytes read or -errno. */
  read(file: BackingFile, into: Uint8Array, at: number): number {
    const got = file.pread(into, at);
    if (got > 0 && this.files.size > 0) this.files.get(file.key)?.overlay(into.subarray(0, got), at);
    return got;
  }

  /** pwrite(2) of a regular file, agreeing with its mappings: bytes written or -errno. */
  write(file: BackingFile, from: Uint8Array, at: number): number {
    const put = file.pwrite(from, at);
    if (put > 0 && this.files.size > 0) this.files.get(file.key)?.update(from.subarray(0, put), at);
    return put;
  }

  /** To be called after the file with this key got another size by truncation (ftruncate, O_TRUNC). Its pages beyond raise SIGBUS from now on. */
  truncated(key: string, size: number): void {
    this.files.get(key)?.truncate(size);
  }

  /** fsync(2): what mappings have stored goes to the file: 0 or -errno. */
  sync(key: string): number {
    return this.files.get(key)?.sync(0, Number.POSITIVE_INFINITY) ?? 0;
  }

  /** Does a shared mapping that may be written to exist (mapping_writably_mapped)? */
  isWritten(key: string): boolean {
    return this.files.get(key)?.hasWriter ?? false;
  }

  /** The last mapping of the file is gone. */
  forget(pages: FilePages): void {
    const key = pages.file?.key;
    if (key !== undefined && this.files.get(key) === pages) this.files.delete(key);
  }

  private reclaim(): boolean {
    let found = false;
    for (const pages of this.files.values()) found = pages.reclaim() || found;
    return found;
  }
}
