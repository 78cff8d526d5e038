/**
 * Times of files to the nanosecond. Node sets them as doubles, up to 0.2 us off; what was meant is remembered here and shown as long as the file has the
 * times that the host made of it. So a copied time is equal to its original, as `cp -p`, `make` and backups want it.
 */
import type { FileStat } from '../kernel/file/stat.js';

interface Meant {
  /** What the host has made of them. */
  readonly host: { readonly accessed: bigint; readonly modified: bigint };
  readonly accessed: bigint;
  readonly modified: bigint;
}

/** Files that are remembered; the oldest goes first. */
const CAPACITY = 16_384;
/** A double of seconds is never further off. */
const TOLERANCE = 1000n;

export class ExactTimes {
  private readonly files = new Map<string, Meant>();

  /** The file was given these times (undefined: kept) and now has those in `after`. */
  remember(after: FileStat, accessed: bigint | undefined, modified: bigint | undefined): void {
    const key = keyOf(after);
    this.files.delete(key);
    const meant = { accessed: accessed ?? after.accessed, modified: modified ?? after.modified };
    const isExact = meant.accessed === after.accessed && meant.modified === after.modified;
    const isClose = near(meant.accessed, after.accessed) && near(meant.modified, after.modified);
    if (isExact || !isClose) return;
    this.files.set(key, { ...meant, host: { accessed: after.accessed, modified: after.modified } });
    const [oldest] = this.files.keys();
    if (this.files.size > CAPACITY && oldest !== undefined) this.files.delete(oldest);
  }

  /** The stat with the times that were meant. */
  applyTo(stat: FileStat): FileStat {
    const meant = this.files.size === 0 ? undefined : this.files.get(keyOf(stat));
    if (meant === undefined) return stat;
    const accessed = stat.accessed === meant.host.accessed ? meant.accessed : stat.accessed;
    const modified = stat.modified === meant.host.modified ? meant.modified : stat.modified;
    return { ...stat, accessed, modified };
  }
}

function keyOf({ device, inode }: FileStat): string {
  return `${device}:${inode}`;
}

function near(a: bigint, b: bigint): boolean {
  const distance = a > b ? a - b : b - a;
  return distance <= TOLERANCE;
}
