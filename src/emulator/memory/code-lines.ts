/** Which lines of 64 bytes in which frames hold bytes that were translated: one bit a line, 64 a frame. */

const LINE_SHIFT = 6;
const LINE_BYTES = 1 << LINE_SHIFT;

export class CodeLines {
  /** Bits of the lower and upper half of each frame, by frame number. */
  private readonly low: Uint32Array;
  private readonly high: Uint32Array;
  /** Stores into the frame, since code was last marked in it, that met none of its code; at most 255. */
  private readonly beside: Uint8Array;

  constructor(frames: number) {
    this.low = new Uint32Array(frames);
    this.high = new Uint32Array(frames);
    this.beside = new Uint8Array(frames);
  }

  has(frame: number): boolean {
    return (this.low[frame] | this.high[frame]) !== 0;
  }

  /** The bytes [from, to) of the frame, offsets in it, are code. */
  mark(frame: number, from: number, to: number): void {
    this.low[frame] |= lineMask(from, to, 0);
    this.high[frame] |= lineMask(from, to, 32);
    this.beside[frame] = 0;
  }

  /** Whether [from, to) meets a line with code. */
  meets(frame: number, from: number, to: number): boolean {
    return ((this.low[frame] & lineMask(from, to, 0)) | (this.high[frame] & lineMask(from, to, 32))) !== 0;
  }

  /** The whole lines [from, to) hold no code any more: whoever says so sees to it that none of it runs. */
  forget(frame: number, from: number, to: number): void {
    this.low[frame] &= ~lineMask(from, to, 0);
    this.high[frame] &= ~lineMask(from, to, 32);
  }

  forgetAll(frame: number): void {
    this.low[frame] = 0;
    this.high[frame] = 0;
  }

  /** `to` holds the same bytes as `from`, and the same code. */
  copy(from: number, to: number): void {
    this.low[to] = this.low[from];
    this.high[to] = this.high[from];
    this.beside[to] = 0;
  }

  /** Counts a store that met no code; how many that makes. */
  countBeside(frame: number): number {
    if (this.beside[frame] < 255) this.beside[frame]++;
    return this.beside[frame];
  }
}

/** [from, to) widened to the lines that it touches. */
export function wholeLines(from: number, to: number): [from: number, to: number] {
  return [from & -LINE_BYTES, (to + LINE_BYTES - 1) & -LINE_BYTES];
}

/** Bits of the lines that [from, to) touches, for the 32 lines from `first` on. */
function lineMask(from: number, to: number, first: number): number {
  const begin = Math.max(0, (from >>> LINE_SHIFT) - first);
  const end = Math.min(32, ((to - 1) >>> LINE_SHIFT) + 1 - first);
  if (begin >= end) return 0;
  return (0xffff_ffff << begin) & (0xffff_ffff >>> (32 - end));
}
