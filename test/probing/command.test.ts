import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseCommandLine } from '../../src/cli/parse.js';
import { Module } from '../../src/elf/module.js';
import { DEFAULT_MACHINE, type ProbeOptions } from '../../src/options.js';
import { parseEventSpec } from '../../src/probing/event-spec.js';
import { Histogram } from '../../src/probing/histogram.js';
import { probeProgram } from '../../src/server/probe.js';
import { buildGuest } from '../guests/build.js';

const SHOP = buildGuest({ source: 'shop.c', flags: ['-O1'] });
const SHOP_SYMBOLS = new Module(SHOP, readFileSync(SHOP), () => undefined).symbols;

function options(events: readonly string[], more: Partial<ProbeOptions> = {}): ProbeOptions {
  return {
    machine: { ...DEFAULT_MACHINE, maxMemory: 1 << 28, network: false, fastSleep: true },
    program: SHOP,
    args: [],
    events,
    filter: undefined,
    follow: false,
    print: false,
    histograms: [],
    stack: false,
    json: false,
    output: undefined,
    perfetto: undefined,
    perfScript: undefined,
    progress: false,
    ...more,
  };
}

async function probed(asked: ProbeOptions): Promise<{ lines: string[]; status: number }> {
  const lines: string[] = [];
  return { status: await probeProgram(asked, (line) => lines.push(line)), lines };
}

test('a table of hits, and the program’s own exit status', async () => {
  const { lines, status } = await probed(
    options(['price', 'ret:price', 'usdt:shop:sold', 'libnone:nowhere', 'libc:maloc']),
  );
  expect(status).toBe((51 + 41 + 31 + 21 + 11 + 16) & 0x7f);
  expect(lines).toEqual([
    'hits  probe',
    '   5  price',
    '   5  ret:price',
    '   5  usdt:shop:sold',
    '   0  libnone:nowhere  (no file called libnone was mapped)',
    expect.stringMatching(/^ {3}0 {2}libc:maloc {2}\(no function of libc.* is called maloc; there is .*malloc/),
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
  const { lines } = await probed(options(['price item=$arg1:u64'], { json: true, histograms: ['item'] }));
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
  { event: 'price x=', says: /nothing to fetch.*write/ },
  { event: 'price $retval', says: /only return probes/ },
  { event: '::', says: /no place.*write/ },
  { event: '0x10', says: /EINVAL/ },
  { event: 'nowhere', says: /no function of shop is called nowhere; of a library: LIBRARY:nowhere/ },
  { event: 'prize', says: /there is price/ },
  { event: 'price+0x400', says: /price has only \d+ bytes/ },
  { event: 'price+1', says: /no instruction begins at price\+0x1; one begins at price\+0x0/ },
  { event: 'shop.c:3', says: /line 3 of shop.c has no code; the next lines that have: \d+/ },
  { event: 'other.c:3', says: /not made from a source other.c/ },
  { event: 'price x=$arg0', says: /count from 1/ },
  { event: 'price x=%eax', says: /no general register/ },
  { event: 'price x=%di:u65', says: /"u65" is no type/ },
  { event: 'price x=%di /y > 1/', says: /nothing is called y/ },
  { event: 'price { count() }', says: /--print, --hist/ },
  { event: 'ret:usdt:shop:sold', says: /does not return/ },
  { event: 'price;foo*', says: /lazy patterns/ },
])('the event "$event" is refused', async ({ event, says }) => {
  const { lines, status } = await probed(options([event]));
  expect(status).toBe(1);
  expect(lines.join()).toMatch(says);
});

test.each([
  {
    name: 'a filter that does not fit an event',
    more: { filter: 'size > 1' },
    says: /--filter concerns every event.*size/,
  },
  { name: 'a histogram of nothing', more: { histograms: ['size'] }, says: /--hist: .*nothing is called size/ },
  { name: 'a FORMAT without values', more: { print: 'hello' }, says: /put values in braces/ },
  { name: 'a file that cannot be written', more: { output: '/nowhere/at/all' }, says: /cannot be written/ },
])('$name is refused', async ({ more, says }) => {
  const { lines, status } = await probed(options(['price item=%di'], more));
  expect(status).toBe(1);
  expect(lines.join()).toMatch(says);
});

const FIVE_HITS = [
  'uprobe:price',
  'p:price',
  './shop:price',
  `${SHOP}:price`,
  `uprobe:${SHOP}:price`,
  'shop:price',
  'price@shop.c',
  'pric*',
  'mine=price',
  'my:own=price',
  'price:2',
  `shop:price:2`,
  'shop.c:28',
  'shop:shop.c:28',
  'price%return',
  'uretprobe:shop:price',
  'r:price',
  'usdt:sold',
  '*:usdt:shop:s*',
  `usdt:${SHOP}:shop:sold`,
  `usdt:${SHOP}:sold`,
  '%sdt_shop:sold',
  '%shop:sold',
  'sdt_shop:sold',
  `price if $arg1 > 0`,
];

test('a place in the words of perf, bpftrace and others: five hits each', async () => {
  const { lines } = await probed(options(FIVE_HITS));
  const rows = lines.filter((line) => !line.startsWith('  '.repeat(4))).slice(1);
  expect(rows).toEqual(FIVE_HITS.map((event) => `   5  ${event}`));
});

test('what perf probe -D prints is an event', async () => {
  const printed = spawnSync('perf', ['probe', '-x', SHOP, '-D', 'probe_shop:mine=price item=%di:u64'], {
    encoding: 'utf8',
  });
  // Without perf: what it prints.
  const symbol = SHOP_SYMBOLS.functions('price')[0];
  const event = printed.stdout?.trim() || `p:probe_shop/mine ${SHOP}:0x${symbol?.address.toString(16)} item=%di:u64`;
  const { lines } = await probed(options([event], { print: '{probe} {item}' }));
  expect(lines[0]).toBe('probe_shop/mine 5');
});

test('conditions of an event and of all', async () => {
  const { lines } = await probed(options(['price /$arg1 >= 2/', 'price item=%di'], { filter: '%di <= 4' }));
  expect(lines).toEqual(['hits  probe', '   3  price /$arg1 >= 2/', '   4  price item=%di']);
});

test('lines in a format of one’s own', async () => {
  const { lines } = await probed(options(['price item=%di:u8'], { print: '{comm}: {item}+1={item + 1} {$arg1} {{x}' }));
  expect(lines[0]).toBe('shop: 5+1=6 0x5 {x}');
});

test('a return knows its call: arguments and virtual time', async () => {
  const { lines } = await probed(
    options(['ret:price item=$arg1:u8 $retval:u64'], { print: '{item} {retval:u64} {duration}' }),
  );
  const rows = lines.slice(0, 5).map((line) => line.split(' ').map(Number));
  expect(rows.map(([item, result]) => [item, result])).toEqual([5, 4, 3, 2, 1].map((item) => [item, 10 * item + 1]));
  // One ns for each instruction of the same path.
  expect(new Set(rows.map(([, , duration]) => duration)).size).toBe(1);
  expect(rows[0]?.[2]).toBeGreaterThan(4);
});

test('stacks that lead to a hit, and how often', async () => {
  const { lines } = await probed(options(['price'], { json: true, stack: true }));
  const { probes } = JSON.parse(lines[0] ?? '') as {
    probes: { stacks: { count: number; stack: { symbol: string }[] }[] }[];
  };
  const found = probes[0]?.stacks.map(({ stack, count }) => [count, stack.map(({ symbol }) => symbol).slice(0, -3)]);
  expect(found).toHaveLength(5);
  expect(found).toContainEqual([1, ['price', 'total', 'main']]);
  expect(found).toContainEqual([1, ['price', 'total', 'total', 'main']]);
});

test('a function that is chosen when the program is loaded', async () => {
  const program = buildGuest({ source: 'shop.c', flags: ['-O1', '-fno-builtin'] });
  const { lines } = await probed(options(['libc:strlen text=+0($arg1):string'], { program, filter: 'text == "ware"' }));
  expect(lines[1]).toMatch(/^ {3}4 {2}libc:strlen/);
});

test('a trace in the Trace Event Format', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'trace-'));
  const perfetto = join(folder, 'trace.json');
  await probed(options(['price item=%di:u8', 'ret:total'], { perfetto, stack: true }));
  const { traceEvents } = JSON.parse(readFileSync(perfetto, 'utf8')) as { traceEvents: Record<string, unknown>[] };
  rmSync(folder, { recursive: true });
  expect(traceEvents[0]).toMatchObject({ ph: 'M', name: 'process_name', args: { name: 'shop' } });
  const instants = traceEvents.filter(({ ph }) => ph === 'i');
  expect(instants).toHaveLength(5);
  expect(instants[0]).toMatchObject({
    name: 'price',
    s: 't',
    args: { item: 5, stack: expect.stringContaining('main') },
  });
  // Calls of total are nested: so are their slices.
  const slices = traceEvents
    .filter(({ ph }) => ph === 'X')
    .map(({ ts, dur }) => [Number(ts), Number(ts) + Number(dur)] as const);
  expect(slices).toHaveLength(6);
  for (let i = 1; i < slices.length; i++) {
    expect(slices[i]?.[0]).toBeLessThan(slices[i - 1]?.[0] ?? 0);
    expect(slices[i]?.[1]).toBeGreaterThan(slices[i - 1]?.[1] ?? 0);
  }
});

test('a trace as perf script prints it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'trace-'));
  const perfScript = join(folder, 'trace.txt');
  await probed(options(['price item=%di:u8', 'ret:price'], { perfScript, stack: true }));
  const samples = readFileSync(perfScript, 'utf8').trimEnd().split('\n\n');
  rmSync(folder, { recursive: true });
  expect(samples).toHaveLength(10);
  const [first = '', ...frames] = (samples[0] ?? '').split('\n');
  expect(first).toMatch(/^shop (\d+)\/\1 \[000\] \d+\.\d{9}: probe_shop:price: \([0-9a-f]+\) item=5$/);
  expect(frames[0]).toMatch(/^\t +[0-9a-f]+ price\+0x0 \(.*shop\)$/);
  expect(samples[1]).toMatch(/probe_shop:price__return: \([0-9a-f]+ <- [0-9a-f]+\)/);
});

test('a program that is not there', async () => {
  expect((await probed(options(['main'], { program: '/nowhere/at/all' }))).status).toBe(1);
});

test('events in their words', () => {
  const spec = parseEventSpec(
    'ret:libc:read got=$retval:s64 %ax +8(%sp):x32 b=-0x10(+8(%di)):u8 c=$comm d=@total+8:b4@2/32 e=+0(%si):u8[4]',
  );
  if (typeof spec === 'string') throw new Error(spec);
  expect([spec.returns, spec.place]).toEqual([true, { kind: 'symbol', module: 'libc', symbol: 'read', offset: 0 }]);
  const integer = (sign: string, bits: number): object => ({ kind: 'integer', sign, bits });
  expect(spec.args.map(({ name, type }) => [name, type])).toEqual([
    ['got', integer('s', 64)],
    ['%ax', undefined],
    ['+8(%sp)', integer('x', 32)],
    ['b', integer('u', 8)],
    ['c', { kind: 'string' }],
    ['d', { kind: 'bits', width: 4, shift: 2, container: 32 }],
    ['e', { kind: 'array', of: integer('u', 8), count: 4 }],
  ]);
});

test('a histogram of powers of two, and of words', () => {
  const histogram = new Histogram();
  for (const value of [-5n, 0n, 1n, 2n, 3n, 16n, 4n, 7n, 1n << 63n]) histogram.add(value);
  expect(histogram.buckets).toEqual(
    [
      [-1n, 1],
      [0n, 1],
      [1n, 1],
      [2n, 2],
      [4n, 2],
      [16n, 1],
      [1n << 63n, 1],
    ].map(([from, count]) => ({ from, count })),
  );
  const lines = histogram.lines(4);
  expect(lines[3]).toMatch(/^\[2, 4\) +2 \|@@@@\|$/);
  expect(lines[5]).toMatch(/^\[8, 16\) +0 \| {4}\|$/);
  expect(lines.at(-1)).toMatch(/^\[8E, 16E\)/);
  const words = new Histogram();
  for (const word of ['a', 'b', 'b']) words.add(word);
  expect(words.lines(2).map((line) => line.split('|')[0]?.trim())).toEqual(['b        2', 'a        1']);
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
      histograms: [],
      machine: { seed: 5 },
    },
  });
  const more = [
    'probe',
    '-e',
    'main',
    '--print',
    '{tid}',
    '--hist',
    'a',
    '--hist',
    'b',
    '--filter',
    'c',
    '--stack',
    '-o',
    'out',
    '--',
    'ls',
  ];
  expect(parseCommandLine(more)).toMatchObject({
    options: { print: '{tid}', histograms: ['a', 'b'], filter: 'c', stack: true, output: 'out', program: 'ls' },
  });
  expect(parseCommandLine(['probe', '-e', 'main', '--print', '--', 'ls'])).toMatchObject({ options: { print: true } });
  expect(parseCommandLine(['probe', 'ls'])).toMatchObject({ kind: 'text', status: 1 });
  expect(parseCommandLine(['probe', '-e', 'main'])).toMatchObject({ kind: 'text', status: 1 });
});
