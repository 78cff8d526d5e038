/** Searching and summing up much memory, a piece at a time. Each lives for one packet. */
import type { Pid } from '../types.js';
import { EFAULT } from './error-code.js';
import type { Work } from './packet.js';
import type { Reply } from './reply.js';
import type { Target } from './target.js';

/** Bytes in one piece: well below 10 ms of reading and looking. */
const PIECE = 1 << 20;

interface SearchRange {
  readonly at: bigint;
  /** Bytes that the pattern may lie in, from `at` on. */
  readonly length: bigint;
  readonly pattern: Uint8Array;
}

/** `1,ADDR` for the first place in the range where the whole pattern lies, else `0`. */
export class MemorySearch implements Work {
  private at: bigint;
  private left: bigint;
  private readonly pattern: Uint8Array;

  constructor(
    private readonly target: Target,
    private readonly pid: Pid,
    { at, length, pattern }: SearchRange,
  ) {
    this.at = at;
    this.left = length;
    this.pattern = pattern;
  }

  proceed(reply: Reply): boolean {
    const overlap = this.pattern.length - 1;
    if (this.left <= BigInt(overlap)) return done(reply, '0');
    const piece = Buffer.alloc(smaller(this.left, PIECE + overlap));
    const got = this.target.readMemory(this.pid, this.at, piece);
    const found = piece.subarray(0, got).indexOf(this.pattern);
    if (found >= 0) return done(reply, `1,${(this.at + BigInt(found)).toString(16)}`);
    if (got < piece.length) {
      reply.error(EFAULT);
      return true;
    }
    const searched = BigInt(piece.length - overlap);
    this.at += searched;
    this.left -= searched;
    return false;
  }
}

/** `C` and gdb's CRC-32: polynomial 0x04c11db7, most significant bit first, start value all ones, no final inversion. */
export class MemoryChecksum implements Work {
  private sum = 0xffff_ffff;

  constructor(
    private readonly target: Target,
    private readonly pid: Pid,
    private at: bigint,
    private left: bigint,
  ) {}

  proceed(reply: Reply): boolean {
    const piece = new Uint8Array(smaller(this.left, PIECE));
    if (this.target.readMemory(this.pid, this.at, piece) < piece.length) {
      reply.error(EFAULT);
      return true;
    }
    for (const byte of piece) this.sum = ((this.sum << 8) ^ (CRC_TABLE[(this.sum >>> 24) ^ byte] ?? 0)) >>> 0;
    this.at += BigInt(piece.length);
    this.left -= BigInt(piece.length);
    return this.left === 0n && done(reply, `C${this.sum.toString(16)}`);
  }
}

function done(reply: Reply, text: string): true {
  reply.text(text);
  return true;
}

function smaller(left: bigint, most: number): number {
  return left < BigInt(most) ? Number(left) : most;
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let sum = byte << 24;
  for (let bit = 0; bit < 8; bit++) sum = sum & 0x8000_0000 ? (sum << 1) ^ 0x04c1_1db7 : sum << 1;
  return sum >>> 0;
});
