/** The guest memory that one read or write covers: one piece, or those of an iovec (lib/iov_iter.c). */
import type { UserMemory } from '../../memory/user-memory.js';
import { EFAULT, EINVAL } from '../errno.js';
import type { SyscallContext } from '../syscall-table.js';

/** MAX_RW_COUNT: one call moves at most this much. */
export const MAX_TRANSFER = 0x7fff_f000;
const IOV_MAX = 1024;
const IOVEC_BYTES = 16;

interface Piece {
  readonly at: number;
  readonly length: number;
}

export class UserBuffer {
  readonly length: number;

  private constructor(
    private readonly memory: UserMemory,
    private readonly pieces: readonly Piece[],
  ) {
    this.length = pieces.reduce((sum, { length }) => sum + length, 0);
  }

  /** A buffer of `length` bytes, cut at MAX_TRANSFER; a length beyond all memory is -EFAULT. */
  static single(memory: UserMemory, at: number, length: number): UserBuffer | number {
    if (length < 0) return -EFAULT;
    return new UserBuffer(memory, [{ at, length: Math.min(length, MAX_TRANSFER) }]);
  }

  /** What an iovec of `count` entries describes, cut at MAX_TRANSFER; or -EINVAL, -EFAULT. */
  static vector({ memory }: SyscallContext, at: number, count: number): UserBuffer | number {
    if (count < 0 || count > IOV_MAX) return -EINVAL;
    const bytes = memory.readBytes(at, IOVEC_BYTES * count);
    if (bytes === undefined) return -EFAULT;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const pieces: Piece[] = [];
    let room = MAX_TRANSFER;
    for (let i = 0; i < count; i++) {
      const length = Number(view.getBigInt64(IOVEC_BYTES * i + 8, true));
      if (length < 0) return -EINVAL;
      const kept = Math.min(length, room);
      if (kept > 0) pieces.push({ at: Number(view.getBigUint64(IOVEC_BYTES * i, true)), length: kept });
      room -= kept;
    }
    return new UserBuffer(memory, pieces);
  }

  /** Copies from the guest, beginning `skip` bytes into the buffer: the bytes copied before the first unreadable one. */
  read(skip: number, into: Uint8Array): number {
    return this.walk(skip, into, (at, part) => this.memory.read(at, part));
  }

  /** Copies to the guest, beginning `skip` bytes into the buffer: the bytes copied before the first unwritable one. */
  write(skip: number, from: Uint8Array): number {
    return this.walk(skip, from, (at, part) => this.memory.write(at, part));
  }

  /** Bytes of the next `length`, `skip` bytes into the buffer, that the guest may write, up to the first that it may not. */
  writable(skip: number, length: number): number {
    let room = 0;
    for (const { at, length: size } of this.pieces) {
      if (room === length) break;
      const part = Math.min(size - skip, length - room);
      if (part > 0) {
        const allowed = this.memory.writable(at + skip, part);
        room += allowed;
        if (allowed < part) break;
      }
      skip = Math.max(0, skip - size);
    }
    return room;
  }

  private walk(skip: number, bytes: Uint8Array, copy: (at: number, part: Uint8Array) => number): number {
    let done = 0;
    for (const { at, length } of this.pieces) {
      if (done === bytes.length) break;
      if (skip >= length) {
        skip -= length;
        continue;
      }
      const part = bytes.subarray(done, done + length - skip);
      const copied = copy(at + skip, part);
      done += copied;
      skip = 0;
      if (copied < part.length) break;
    }
    return done;
  }
}
