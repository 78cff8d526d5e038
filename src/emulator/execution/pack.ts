/**
 * Pieces of bytes by number, in one file of the host's cache: what earlier runs kept, as they left it, and what this one adds.
 *
 *     u32 magic, u32 count n, f64 number[n] ascending, u32 end[n] (bytes from the start of the pieces), pieces, each at a multiple of 8 bytes
 */
import type { HostCache } from '../host/host.js';

type Piece = Uint8Array<ArrayBuffer>;

const MAGIC = 0x6b63_6170;
const HEADER_BYTES = 8;
/** Fewer new pieces than this part of the old ones are not worth writing the file again. */
const GROWTH = 1 / 32;
/** More would make a file that takes longer to read than it saves. */
const MOST_PIECES = 65_536;

function padded(bytes: number): number {
  return Math.ceil(bytes / 8) * 8;
}

/** The pieces of a file; undefined if it is not one. */
class Table {
  private readonly ends: Uint32Array;
  private readonly at: number;

  private constructor(
    private readonly bytes: Piece,
    readonly numbers: Float64Array,
  ) {
    const { buffer, byteOffset } = bytes;
    const ends = byteOffset + HEADER_BYTES + 8 * numbers.length;
    this.ends = new Uint32Array(buffer, ends, numbers.length);
    this.at = padded(HEADER_BYTES + 12 * numbers.length);
  }

  static of(file: Piece | undefined): Table | undefined {
    if (file === undefined || file.length < HEADER_BYTES) return undefined;
    const bytes = file.byteOffset % 8 === 0 ? file : file.slice();
    const [magic, count = 0] = new Uint32Array(bytes.buffer, bytes.byteOffset, 2);
    if (magic !== MAGIC || count === 0 || bytes.length < HEADER_BYTES + 12 * count) return undefined;
    const table = new Table(bytes, new Float64Array(bytes.buffer, bytes.byteOffset + HEADER_BYTES, count));
    return bytes.length === table.at + (table.ends.at(-1) as number) ? table : undefined;
  }

  /** Borrowed. */
  get(number: number): Piece | undefined {
    const { numbers } = this;
    let [low, high] = [0, numbers.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((numbers[middle] as number) < number) low = middle + 1;
      else high = middle;
    }
    return numbers[low] === number ? this.piece(low) : undefined;
  }

  piece(index: number): Piece {
    const start = index === 0 ? 0 : padded(this.ends[index - 1] as number);
    return this.bytes.subarray(this.at + start, this.at + (this.ends[index] as number));
  }
}

export class Pack {
  private readonly old: Table | undefined;
  private readonly fresh = new Map<number, Piece>();

  constructor(
    private readonly cache: HostCache,
    private readonly name: string,
  ) {
    this.old = Table.of(cache.read(name));
  }

  /** Begins at a multiple of 8 bytes. Borrowed. */
  get(number: number): Piece | undefined {
    return this.old?.get(number);
  }

  /** For the runs to come. Numbers that the pack has keep their piece. */
  add(number: number, piece: Piece): void {
    if (this.fresh.size + (this.old?.numbers.length ?? 0) >= MOST_PIECES || this.old?.get(number) !== undefined) return;
    if (!this.fresh.has(number)) this.fresh.set(number, piece);
  }

  /** Writes the file if there is enough that is new. */
  save(): void {
    const { old, fresh } = this;
    if (fresh.size <= (old?.numbers.length ?? 0) * GROWTH) return;
    const pieces = new Map(fresh);
    for (const [i, number] of (old?.numbers ?? []).entries()) pieces.set(number, (old as Table).piece(i));
    const numbers = Float64Array.from(pieces.keys()).sort();
    const ends = new Uint32Array(numbers.length);
    const parts: Uint8Array[] = [new Uint8Array(Uint32Array.of(MAGIC, numbers.length).buffer)];
    parts.push(new Uint8Array(numbers.buffer), new Uint8Array(ends.buffer));
    const head = HEADER_BYTES + 12 * numbers.length;
    parts.push(new Uint8Array(padded(head) - head));
    let end = 0;
    for (const [i, number] of numbers.entries()) {
      const piece = pieces.get(number) as Piece;
      if (end % 8 > 0) parts.push(new Uint8Array(padded(end) - end));
      parts.push(piece);
      end = padded(end) + piece.length;
      ends[i] = end;
    }
    this.cache.write(this.name, parts);
  }
}
