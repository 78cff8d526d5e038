/** How many instructions to run before the event loop gets its turn: about as many as take PIECE_MS, whatever the tier and the host. */

/** A client's break and a new packet wait for one piece and the rest of a slice: far below 10 ms. */
const PIECE_MS = 3;
/** Code that runs for the first time is a thousand times slower than hot code. */
const FEWEST = 1000;
const MOST = 50_000_000;

/** Right whatever comes. */
const FIRST = 10_000;

export class Pace {
  /** Instructions for the next piece. */
  limit = FIRST;

  /** What runs next may be of another kind: stepping through a range is a thousand times slower than hot code. */
  restart(): void {
    this.limit = FIRST;
  }

  /** A piece of `count` instructions took so many ms. */
  took(count: number, ms: number): void {
    if (count < FEWEST / 2) return;
    const wanted = (count / Math.max(ms, 0.01)) * PIECE_MS;
    // Smoothed: one garbage collection says nothing about the next piece.
    this.limit = Math.round(Math.min(MOST, Math.max(FEWEST, (this.limit + wanted) / 2)));
  }
}
