/**
 * Times of the host's files as the guest sees them.
 *
 * The guest's clock and the host's agree when the machine starts, and part then: a program that computes for a second of its own takes ten of the host's.
 * What is written meanwhile would lie in the guest's future, and make, ninja and meson refuse to work with that. So a time since the start is shown as
 * what the guest's clock told then: between two moments at which both clocks were read it is interpolated, so that order is kept, and is never later than now.
 *
 * A time that the guest sets is shown to it as it was meant, to the nanosecond, as long as the file has what the host made of it: Node sets doubles, up to
 * 0.2 us off. So a copied time is equal to its original, as `cp -p`, `make` and backups want it.
 */
import type { FileStat } from '../kernel/file/stat.js';
import type { TimeChange } from './host.js';

/** A time that was set. */
interface Exact {
  readonly host: bigint;
  readonly meant: bigint;
}

interface ExactTimes {
  readonly accessed: Exact | undefined;
  readonly modified: Exact | undefined;
}

/** Both clocks at one moment, ns since 1970. */
interface Moment {
  readonly host: bigint;
  readonly guest: bigint;
}

/** Files that are remembered; the oldest goes first. */
const CAPACITY = 16_384;
/** A double of seconds is never further off. */
const TOLERANCE = 1000n;
/** Moments are this far apart, where nobody asks between them. */
const SELDOM = 1_000_000n;
/** What the host's kernel and Node tell of the same moment is no further apart. */
const SKEW = 1_000_000n;
const MOST_MOMENTS = 1 << 17;

export class FileTimes {
  private readonly files = new Map<string, ExactTimes>();
  private guestClock: (() => bigint) | undefined;
  private moments: Moment[] = [];

  /** `hostClock`: ns since 1970. */
  constructor(private readonly hostClock: () => bigint) {}

  /** From now on the guest's clock runs. */
  follow(guestClock: () => bigint): void {
    this.guestClock = guestClock;
    this.moments = [{ host: this.hostClock(), guest: guestClock() }];
  }

  /** Something is about to change on the host. */
  note(): void {
    const last = this.moments.at(-1);
    if (last === undefined) return;
    const host = this.hostClock();
    if (host - last.host >= SELDOM) this.look(host);
  }

  /** The guest has changed times of a file, which had those of `before` and now has those of `after`. */
  remember(after: FileStat, before: FileStat, accessed: TimeChange, modified: TimeChange): void {
    const key = keyOf(after);
    const shown = this.show(before);
    this.files.delete(key);
    const exact = {
      accessed: this.exact(accessed, after.accessed, before.accessed, shown.accessed),
      modified: this.exact(modified, after.modified, before.modified, shown.modified),
    };
    if (exact.accessed === undefined && exact.modified === undefined) return;
    this.files.set(key, exact);
    const [oldest] = this.files.keys();
    if (this.files.size > CAPACITY && oldest !== undefined) this.files.delete(oldest);
  }

  show(stat: FileStat): FileStat {
    const exact = this.files.size === 0 ? undefined : this.files.get(keyOf(stat));
    const { accessed, modified, changed, born } = stat;
    return {
      ...stat,
      accessed: exact?.accessed?.host === accessed ? exact.accessed.meant : this.toGuest(accessed),
      modified: exact?.modified?.host === modified ? exact.modified.meant : this.toGuest(modified),
      changed: this.toGuest(changed),
      born: this.toGuest(born),
    };
  }

  /** A time that was not to change was written anew, rounded. */
  private exact(change: TimeChange, after: bigint, before: bigint, shown: bigint): Exact | undefined {
    if (change === 'now' || !near(change ?? before, after)) return undefined;
    const meant = change ?? shown;
    return meant === this.toGuest(after) ? undefined : { host: after, meant };
  }

  private toGuest(time: bigint): bigint {
    const [first] = this.moments;
    if (first === undefined || time <= first.host) return time;
    if (time > (this.moments.at(-1) as Moment).host) {
      const host = this.hostClock();
      // A time in the host's future was set by somebody.
      if (time - host > SKEW) return time;
      this.look(later(time, host));
    }
    const [before, after] = this.around(time);
    return before.guest + ((after.guest - before.guest) * (time - before.host)) / (after.host - before.host);
  }

  /** The moments between which the time lies: behind the first and not behind the last. */
  private around(time: bigint): readonly [Moment, Moment] {
    let [low, high] = [0, this.moments.length - 1];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((this.moments[middle] as Moment).host < time) low = middle;
      else high = middle;
    }
    return [this.moments[low] as Moment, this.moments[high] as Moment];
  }

  private look(host: bigint): void {
    const guest = this.guestClock?.() ?? host;
    // Two that are neighbours say as much as the one between them, nearly.
    if (this.moments.length === MOST_MOMENTS) this.moments = this.moments.filter((_, i) => i % 2 === 0);
    this.moments.push({ host, guest });
  }
}

function keyOf({ device, inode }: FileStat): string {
  return `${device}:${inode}`;
}

function near(a: bigint, b: bigint): boolean {
  const distance = a > b ? a - b : b - a;
  return distance <= TOLERANCE;
}

function later(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
