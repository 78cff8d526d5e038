/**
 * A table in the physical memory of which most places are never used: it knows which of its pieces were written, so that emptying it costs what was used.
 * Programs that run for a moment, and there are many of them in a shell script, touch a few pages of tables that big programs fill.
 */
import type { PhysicalMemory } from './physical.js';

const PIECE_SHIFT = 12;
const PIECE_BYTES = 1 << PIECE_SHIFT;

export abstract class SparseTable {
  /** 1: the piece has been written since it was empty. */
  private readonly written: Uint8Array;

  /** `base`, `bytes`: where it is, both multiples of 4 KiB; full of zeros. */
  constructor(
    protected readonly physical: PhysicalMemory,
    protected readonly base: number,
    bytes: number,
  ) {
    this.written = new Uint8Array(bytes >>> PIECE_SHIFT);
  }

  /** Hot. The place at physical address `at` is about to be written. */
  protected touch(at: number): void {
    this.written[(at - this.base) >>> PIECE_SHIFT] = 1;
  }

  /** Writes the places where zero is not the empty value. */
  protected abstract setEmptyEntries(): void;

  clear(): void {
    this.giveBack();
    this.setEmptyEntries();
  }

  /** Full of zeros again, of no use any longer. */
  giveBack(): void {
    const { written, base } = this;
    for (let piece = written.indexOf(1); piece >= 0; piece = written.indexOf(1, piece + 1)) {
      written[piece] = 0;
      const at = base + piece * PIECE_BYTES;
      this.physical.u8.fill(0, at, at + PIECE_BYTES);
    }
  }
}
