import { expect, test } from 'vitest';
import { FileTimes } from '../../../src/emulator/host/file-times.js';
import type { FileStat } from '../../../src/emulator/kernel/file/stat.js';

const START = 1_700_000_000_000_000_000n;
const SECOND = 1_000_000_000n;

/** A host whose clock is set by hand, and a guest whose clock is a tenth as fast. */
class Clocks {
  host = START;
  readonly times = new FileTimes(() => this.host);

  constructor() {
    this.times.follow(() => this.guest);
  }

  get guest(): bigint {
    return START + (this.host - START) / 10n;
  }

  shown(modified: bigint, accessed = 0n): FileStat {
    return this.times.show(stat(modified, accessed));
  }
}

function stat(modified: bigint, accessed = 0n, inode = 1): FileStat {
  const [changed, born] = [modified, 0n];
  return { device: 1, inode, accessed, modified, changed, born } as FileStat;
}

test('times before the start are the host’s', () => {
  const clocks = new Clocks();
  clocks.host += SECOND;
  expect(clocks.shown(START - 1n, 5n)).toEqual(stat(START - 1n, 5n));
});

test('times since then are the guest’s, in their order and never later than now', () => {
  const clocks = new Clocks();
  const written: bigint[] = [];
  const told: bigint[] = [];
  for (let i = 0; i < 200; i++) {
    clocks.host += 3n * SECOND;
    if (i % 3 === 0) clocks.times.note();
    clocks.host += 7_777_777n;
    written.push(clocks.host);
    clocks.host += 1000n;
    const { modified, changed } = clocks.shown(clocks.host - 1000n);
    expect(changed).toBe(modified);
    expect(modified <= clocks.guest).toBe(true);
    expect(clocks.guest - modified < 1_000_000n).toBe(true);
    told.push(modified);
  }
  expect(told).toEqual([...told].sort((a, b) => (a < b ? -1 : 1)));
  expect(new Set(told).size).toBe(200);
  // They stay what they are.
  expect(written.map((time) => clocks.shown(time).modified)).toEqual(told);
});

test('a file that the kernel’s coarse clock dates a little ahead is not in the future', () => {
  const clocks = new Clocks();
  clocks.host += SECOND;
  expect(clocks.shown(clocks.host + 500_000n).modified).toBe(clocks.guest);
});

test('a time in the host’s future is one that somebody has set', () => {
  const clocks = new Clocks();
  clocks.host += SECOND;
  const future = clocks.host + 100n * SECOND;
  expect(clocks.shown(future).modified).toBe(future);
  expect(clocks.shown(clocks.host).modified).toBe(clocks.guest);
});

test('a time that the guest sets is shown as it was meant, also one of its own run', () => {
  const clocks = new Clocks();
  clocks.host += 100n * SECOND;
  const meant = clocks.guest - 12_345n;
  const before = stat(clocks.host, START + 50n * SECOND);
  const kept = clocks.times.show(before).accessed;
  // What Node makes of it.
  const after = stat(meant + 100n, before.accessed - 70n);
  clocks.times.remember(after, before, undefined, meant);
  expect(clocks.times.show(after)).toMatchObject({ accessed: kept, modified: meant });
  // Somebody writes to it.
  clocks.host += SECOND;
  expect(clocks.times.show(stat(clocks.host, after.accessed))).toMatchObject({
    accessed: kept,
    modified: clocks.guest,
  });
  // Another file has the same times.
  expect(clocks.times.show(stat(after.modified, 0n, 2)).modified < meant).toBe(true);
});
