/** How values are distributed: integers in buckets of powers of two, as bpftrace's hist() shows them; strings each by itself. */

export interface Bucket {
  /** Integers: the lower end of the bucket; -1: everything below zero. Strings: the value. */
  readonly from: bigint | string;
  readonly count: number;
}

export class Histogram {
  /** By the lower end of the bucket. Below zero there is one bucket; zero and one have their own. */
  private readonly counts = new Map<bigint | string, number>();
  private sum = 0n;
  private least: bigint | undefined;
  private most: bigint | undefined;
  private integers = 0;

  add(value: bigint | string): void {
    const from = typeof value === 'string' ? value : bucketOf(value);
    this.counts.set(from, (this.counts.get(from) ?? 0) + 1);
    if (typeof value === 'string') return;
    this.integers++;
    this.sum += value;
    if (this.least === undefined || value < this.least) this.least = value;
    if (this.most === undefined || value > this.most) this.most = value;
  }

  /** Integers ascending, then strings, the most frequent first; without empty buckets. */
  get buckets(): readonly Bucket[] {
    return [...this.counts]
      .map(([from, count]) => ({ from, count }))
      .sort((a, b) => {
        if (typeof a.from === 'bigint' && typeof b.from === 'bigint') return a.from < b.from ? -1 : 1;
        if (typeof a.from !== typeof b.from) return typeof a.from === 'bigint' ? -1 : 1;
        return b.count - a.count || (a.from < b.from ? -1 : 1);
      });
  }

  /** Of the integers; undefined: there were none. */
  get summary():
    | { readonly count: number; readonly sum: bigint; readonly least: bigint; readonly most: bigint }
    | undefined {
    const { least, most, integers: count, sum } = this;
    return least === undefined || most === undefined ? undefined : { count, sum, least, most };
  }

  /** One line for each bucket, empty ones between others included. */
  lines(width = 40): string[] {
    const buckets = withGaps(this.buckets);
    const most = Math.max(...buckets.map(({ count }) => count));
    const labels = buckets.map(({ from }) => label(from));
    const pad = Math.max(...labels.map((text) => text.length));
    return buckets.map(({ count }, i) => {
      const bar = '@'.repeat(count === 0 ? 0 : Math.max(1, Math.round((count / most) * width)));
      return `${(labels[i] ?? '').padEnd(pad)} ${String(count).padStart(8)} |${bar.padEnd(width)}|`;
    });
  }
}

function bucketOf(value: bigint): bigint {
  if (value < 0n) return -1n;
  return value < 2n ? value : 1n << BigInt(value.toString(2).length - 1);
}

/** So that the form of the distribution shows. */
function withGaps(buckets: readonly Bucket[]): readonly Bucket[] {
  const shown: Bucket[] = [];
  for (const bucket of buckets) {
    const before = shown.at(-1)?.from;
    if (typeof before === 'bigint' && typeof bucket.from === 'bigint') {
      for (let from = next(before); from < bucket.from; from = next(from)) shown.push({ from, count: 0 });
    }
    shown.push(bucket);
  }
  return shown;
}

function next(from: bigint): bigint {
  return from < 1n ? from + 1n : 2n * from;
}

function label(from: bigint | string): string {
  if (typeof from === 'string') return from;
  if (from < 0n) return '(..., 0)';
  return from < 2n ? `[${from}]` : `[${short(from)}, ${short(from * 2n)})`;
}

/** As bpftrace writes them: 64K, 1M. */
function short(value: bigint): string {
  const units = ['', 'K', 'M', 'G', 'T', 'P', 'E'];
  let unit = 0;
  let rest = value;
  while (rest >= 1024n && rest % 1024n === 0n && unit + 1 < units.length) {
    rest /= 1024n;
    unit++;
  }
  return `${rest}${units[unit]}`;
}
