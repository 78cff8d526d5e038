import { expect, test } from 'vitest';
import { parseCommandLine } from '../../src/cli/parse.js';
import { DEFAULT_MACHINE, type ProbeOptions } from '../../src/options.js';
import { parseEventSpec } from '../../src/probing/event-spec.js';
import { Histogram } from '../../src/probing/histogram.js';
import { probeProgram } from '../../src/server/probe.js';
import { buildGuest } from '../guests/build.js';

const SHOP = buildGuest({ source: 'shop.c', flags: ['-O1'] });

function options(events: readonly string[], more: Partial<ProbeOptions> = {}): ProbeOptions {
  return {
    machine: { ...DEFAULT_MACHINE, maxMemory: 1 << 28, network: false, fastSleep: true },
    program: SHOP,
    args: [],
    events,
    follow: false,
    print: false,
    histogramOf: undefined,
    json: false,
    ...more,
  };
}

async function probed(asked: ProbeOptions): Promise<{ lines: string[]; status: number }> {
  const lines: string[] = [];
  return { status: await probeProgram(asked, (line) => lines.push(line)), lines };
}

test('a table of hits, and the program’s own exit status', async () => {
  const { lines, status } = await probed(options(['price', 'ret:price', 'usdt:shop:sold', 'nowhere']));
  expect(status).toBe((51 + 41 + 31 + 21 + 11 + 16) & 0x7f);
  expect(lines).toEqual([
    'hits  probe',
    '   5  price',
    '   5  ret:price',
    '   5  usdt:shop:sold',
    '   0  nowhere  (not found in anything that was mapped)',
  ]);
});

test('a line for each hit, with arguments, results and strings', async () => {
  const events = ['price item=$arg1:u8 count=%si:s32', 'ret:price $retval:u64', 'libc:free text=+0($arg1):string'];
  const { lines } = await probed(options(events, { print: true }));
  const about = (place: string): string[] => {
    return lines
      .filter((line) => /^\d/.test(line) && line.split(' ')[1] === place)
      .map((line) => line.replace(/^\d+ /, ''));
  };
  expect(about('price')[0]).toBe('price item=5 count=1');
  expect(about('price')).toHaveLength(5);
  expect(about('ret:price')[4]).toMatch(/^ret:price <- 0x[0-9a-f]+ \$retval=11$/);
  expect(about('libc:free').filter((line) => line.endsWith('text="ware"'))).toHaveLength(4);
});

test('one JSON object with histograms', async () => {
  const { lines } = await probed(options(['price item=$arg1:u64'], { json: true, histogramOf: 'item' }));
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({
    status: { kind: 'exited' },
    probes: [
      {
        spec: 'price item=$arg1:u64',
        hits: 5,
        files: [SHOP],
        histogram: [
          { from: 1, count: 1 },
          { from: 2, count: 2 },
          { from: 4, count: 2 },
        ],
      },
    ],
  });
});

test('children when asked for', async () => {
  const asked = { args: ['fork'] };
  expect((await probed(options(['price'], asked))).lines.at(-1)).toBe('   5  price');
  expect((await probed(options(['price'], { ...asked, follow: true }))).lines.at(-1)).toBe('   6  price');
});

test.each([
  { event: 'price x=', says: /nothing to fetch/ },
  { event: 'price $retval', says: /only return probes/ },
  { event: '::', says: /no place/ },
  { event: '0x10', says: /EINVAL/ },
])('the event "$event" is refused', async ({ event, says }) => {
  const { lines, status } = await probed(options([event]));
  expect(status).toBe(1);
  expect(lines.join()).toMatch(says);
});

test('a program that is not there', async () => {
  expect((await probed(options(['main'], { program: '/nowhere/at/all' }))).status).toBe(1);
});

test('events in their words', () => {
  const spec = parseEventSpec('ret:libc:read got=$retval:s64 %ax +8(%sp):x32 b=-0x10(+8(%di)):u8');
  if (typeof spec === 'string') throw new Error(spec);
  expect([spec.returns, spec.place]).toEqual([true, { kind: 'symbol', module: 'libc', symbol: 'read', offset: 0 }]);
  expect(spec.args.map(({ name, type }) => [name, type])).toEqual([
    ['got', 's64'],
    ['%ax', 'x64'],
    ['+8(%sp)', 'x32'],
    ['b', 'u8'],
  ]);
});

test('a histogram of powers of two', () => {
  const histogram = new Histogram();
  for (const value of [-5n, 0n, 1n, 2n, 3n, 4n, 7n, 1n << 63n]) histogram.add(value);
  expect(histogram.buckets).toEqual([
    [-1n, 1],
    [0n, 1],
    [1n, 1],
    [2n, 2],
    [4n, 2],
    [1n << 63n, 1],
  ]);
  expect(histogram.lines(4)[3]).toMatch(/^\[2, 4\) +2 \|@@@@\|$/);
});

test('the command line', () => {
  const request = parseCommandLine([
    'probe',
    '-e',
    'libc:malloc size=$arg1',
    '-e',
    'main',
    '--json',
    '--seed=5',
    'ls',
    '-l',
    '--json',
  ]);
  expect(request).toMatchObject({
    kind: 'probe',
    options: {
      program: 'ls',
      args: ['-l', '--json'],
      events: ['libc:malloc size=$arg1', 'main'],
      json: true,
      print: false,
      machine: { seed: 5 },
    },
  });
  expect(parseCommandLine(['probe', 'ls'])).toMatchObject({ kind: 'text', status: 1 });
  expect(parseCommandLine(['probe', '-e', 'main'])).toMatchObject({ kind: 'text', status: 1 });
});
