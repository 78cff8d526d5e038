/** UserMemory over pages: copies that stop at the first page that cannot be accessed. */
import { joined } from '../bytes.js';
import type { PhysicalMemory } from './physical.js';
import type { UserMemory } from './user-memory.js';

const PAGE = 4096;
/** Copies up to this length go byte by byte: cheaper than making a view. */
const SHORT = 16;

export abstract class UserAccess implements UserMemory {
  private readonly word = new DataView(new ArrayBuffer(8));
  private readonly wordBytes = new Uint8Array(this.word.buffer);

  constructor(protected readonly physical: PhysicalMemory) {}

  /** The frame of the page (address / 4096) for an access, faulted in; 0 or less: it cannot be accessed. */
  protected abstract frameFor(page: number, writing: boolean): number;
  abstract writable(at: number, length: number): number;
  /** Bytes have been copied to or from here. */
  protected abstract accessed(at: number, length: number, writing: boolean): void;

  read(at: number, into: Uint8Array): number {
    let done = 0;
    while (done < into.length) {
      const from = this.locate(at + done, false);
      if (from === 0) break;
      const length = Math.min(PAGE - (from % PAGE), into.length - done);
      this.copyOut(from, into, done, length);
      done += length;
    }
    if (done > 0) this.accessed(at, done, false);
    return done;
  }

  write(at: number, from: Uint8Array): number {
    let done = 0;
    while (done < from.length) {
      const to = this.locate(at + done, true);
      if (to === 0) break;
      const length = Math.min(PAGE - (to % PAGE), from.length - done);
      this.copyIn(to, from, done, length);
      done += length;
    }
    if (done > 0) this.accessed(at, done, true);
    return done;
  }

  readBytes(at: number, length: number): Uint8Array | undefined {
    if (!this.reachable(at, length, false)) return undefined;
    const bytes = new Uint8Array(length);
    this.read(at, bytes);
    return bytes;
  }

  writeBytes(at: number, from: Uint8Array): boolean {
    if (!this.reachable(at, from.length, true)) return false;
    this.write(at, from);
    return true;
  }

  readU32(at: number): number | undefined {
    return this.read(at, this.wordBytes.subarray(0, 4)) === 4 ? this.word.getUint32(0, true) : undefined;
  }

  writeU32(at: number, value: number): boolean {
    this.word.setUint32(0, value, true);
    return this.writeBytes(at, this.wordBytes.subarray(0, 4));
  }

  readU64(at: number): number | undefined {
    if (this.read(at, this.wordBytes) !== 8) return undefined;
    return this.word.getUint32(4, true) * 0x1_0000_0000 + this.word.getUint32(0, true);
  }

  writeU64(at: number, value: number | bigint): boolean {
    this.word.setBigUint64(0, BigInt.asUintN(64, BigInt(value)), true);
    return this.writeBytes(at, this.wordBytes);
  }

  readCString(at: number, limit: number): Uint8Array | undefined | 'too-long' {
    const parts: Uint8Array[] = [];
    let done = 0;
    while (done < limit) {
      const from = this.locate(at + done, false);
      if (from === 0) return undefined;
      const length = Math.min(PAGE - (from % PAGE), limit - done);
      const part = this.physical.u8.subarray(from, from + length);
      const end = part.indexOf(0);
      parts.push(end < 0 ? part : part.subarray(0, end));
      done += end < 0 ? length : end + 1;
      if (end < 0) continue;
      this.accessed(at, done, false);
      return joined(parts);
    }
    return 'too-long';
  }

  /** Whether every byte of the range can be accessed; all its pages have a frame then. A range that is too long to be memory cannot. */
  private reachable(at: number, length: number, writing: boolean): boolean {
    if (length === 0) return true;
    for (let page = Math.floor(at / PAGE); page * PAGE < at + length; page++) {
      if (this.frameFor(page, writing) <= 0) return false;
    }
    return true;
  }

  /** Physical address of a byte; 0: it cannot be accessed. */
  private locate(at: number, writing: boolean): number {
    const page = Math.floor(at / PAGE);
    const frame = this.frameFor(page, writing);
    return frame <= 0 ? 0 : frame * PAGE + (at - page * PAGE);
  }

  private copyOut(from: number, into: Uint8Array, at: number, length: number): void {
    const { u8 } = this.physical;
    if (length > SHORT) into.set(u8.subarray(from, from + length), at);
    else for (let i = 0; i < length; i++) into[at + i] = u8[from + i];
  }

  private copyIn(to: number, from: Uint8Array, at: number, length: number): void {
    const { u8 } = this.physical;
    if (length > SHORT) u8.set(from.subarray(at, at + length), to);
    else for (let i = 0; i < length; i++) u8[to + i] = from[at + i];
  }
}
