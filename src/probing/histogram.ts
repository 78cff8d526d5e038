/** Counts of values in buckets of powers of two, as bpftrace's hist() shows them. */

export class Histogram {
  /** By the lower end of the bucket. Below zero there is one bucket; zero and one have their own. */
  private readonly counts = new Map<bigint, number>();

  add(value: bigint): void {
    const from = value < 0n ? -1n : value < 2n ? value : 1n << BigInt(value.toString(2).length - 1);
    this.counts.set(from, (this.counts.get(from) ?? 0) + 1);
  }

  /** Lower end (-1: everything below zero) and count, ascending, without empty buckets. */
  get buckets(): readonly (readonly [from: bigint, count: number])[] {
    return [...this.counts].sort(([a], [b]) => (a < b ? -1 : 1));
  }

  /** One line for each bucket. */
  lines(width = 40): string[] {
    const { buckets } = this;
    const most = Math.max(...buckets.map(([, count]) => count));
    const labels = buckets.map(([from]) => label(from));
    const pad = Math.max(...labels.map((text) => text.length));
    return buckets.map(([, count], i) => {
      const bar = '@'.repeat(Math.max(1, Math.round((count / most) * width)));
      return `${(labels[i] ?? '').padEnd(pad)} ${String(count).padStart(8)} |${bar.padEnd(width)}|`;
    });
  }
}

function label(from: bigint): string {
  if (from < 0n) return '(..., 0)';
  return from < 2n ? `[${from}]` : `[${from}, ${from * 2n})`;
}
