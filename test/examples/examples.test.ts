/** The programs of examples/ do what they say: each is run as it is, on a program whose calls are known. */
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { buildGuest } from '../guests/build.js';

const SHOP = buildGuest({ source: 'shop.c', flags: ['-O1'] });
const realArguments = process.argv;

afterEach(() => {
  process.argv = realArguments;
  vi.restoreAllMocks();
});

/** What the example prints. */
async function printed(load: () => Promise<unknown>, ...args: string[]): Promise<unknown[]> {
  const lines: unknown[] = [];
  vi.spyOn(console, 'log').mockImplementation((line: unknown) => void lines.push(line));
  process.argv = [...realArguments.slice(0, 2), ...args];
  await load();
  return lines;
}

test('places', async () => {
  const lines = await printed(() => import('../../examples/places.js'), SHOP);
  const five = ['price', 'shop.c:28', 'shop@0x...', 'usdt:shop:sold', '0x...'].map((place) => `5 ${place}`);
  expect([...lines].sort()).toEqual(['4 libc:malloc+0', ...five].sort());
});

test('asynchronous handlers with registers and memory', async () => {
  const lines = await printed(() => import('../../examples/async-handlers.js'), SHOP);
  expect(lines.slice(0, 5)).toEqual([5, 4, 3, 2, 1].map((item) => `item ${item}: 1 becomes 2`));
  expect(lines.slice(5, -1)).toEqual(Array(4).fill('freed: WARE'));
  // Five items cost one more each.
  expect(lines.at(-1)).toEqual({ kind: 'exited', code: (51 + 41 + 31 + 21 + 11 + 5 + 16) & 0x7f });
});

test('returns', async () => {
  const lines = await printed(() => import('../../examples/returns.js'), SHOP);
  expect(lines.slice(0, 4)).toEqual([5, 4, 2, 1].map((item) => `price(${item}) = ${10 * item + 1}`));
  expect(lines.slice(4)).toEqual([
    ...[0, 11, 32, 63, 104, 155].map((sum, depth) => `total(${depth}) = ${sum}`),
    '6 returns of total',
  ]);
});

test('filters', async () => {
  const lines = await printed(() => import('../../examples/filters.js'), SHOP);
  expect(lines).toEqual(['dear: 5', 'dear: 4', 'dear 2, own 5, all 6, in children 1']);
});

test('unregistering', async () => {
  const lines = await printed(() => import('../../examples/unregister.js'), SHOP);
  expect(lines).toEqual(['nobody is inside any more', 'once 1, twice 2', '0 probepoints are left']);
});

test('statistics', async () => {
  const lines = await printed(() => import('../../examples/statistics.js'), SHOP);
  expect(lines).toContainEqual(expect.stringMatching(/: 5 hits, 1 consumers, /));
  expect(lines).toContain('12 hits, 7 returns; 5 of price in 1 file');
});

test('errors', async () => {
  const lines = await printed(() => import('../../examples/errors.js'), SHOP);
  expect(lines).toEqual([
    'spawn: errno 2',
    expect.stringMatching(/^"::" is no place/),
    expect.stringMatching(/"%eax" is no general register/),
    'tryProbe: EINVAL (22): nothing is mapped at 0x10',
    'probe: EINVAL: there is price',
    'libc: no function of libc is called maloc',
  ]);
});

test('another host', async () => {
  const lines = await printed(() => import('../../examples/other-host.js'));
  expect(lines).toEqual([
    '0x500000 is not executable',
    'sum(100) = 5050',
    '100 rounds, 101 hits: 0 emulated, 101 boosted, 0 stepped',
    '303 instructions, the probed ones once',
  ]);
});

test('a histogram of malloc in a system program', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'empty-'));
  const lines = (await printed(() => import('../../examples/histogram.js'), '/bin/ls', folder)) as string[];
  rmdirSync(folder);
  // What the processor says of the same program stands in test/probing/session.test.ts.
  const calls = lines.map((line) => Number(/\) +(\d+) \|/.exec(line)?.[1] ?? 0));
  expect(calls.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(10);
  expect(lines.at(-1)).toMatch(/^\[\d+K, \d+K\) +1 \|@+ +\|$/);
});
