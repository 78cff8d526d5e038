import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Module } from '../../src/elf/module.js';
import { argument, returnValue } from '../../src/probing/arguments.js';
import { Histogram } from '../../src/probing/histogram.js';
import { ProbeFailure, ProbeSession, SpawnError } from '../../src/probing/probe-session.js';
import { isModule, parseProbeSpec } from '../../src/probing/probe-spec.js';
import { buildGuest } from '../guests/build.js';

const DYNAMIC = buildGuest({ source: 'shop.c', flags: ['-O1'] });
const STATIC = buildGuest({ source: 'shop.c', flags: ['-O1', '-static'] });

function moduleOf(path: string): Module {
  return new Module(path, readFileSync(path), () => undefined);
}

function spawn(path: string, ...args: string[]): ProbeSession {
  return ProbeSession.spawn({
    argv: [path, ...args],
    environment: [],
    machine: { maxMemory: 1 << 28, network: false, fastSleep: true },
  });
}

function native(path: string, ...args: string[]): unknown {
  return { kind: 'exited', code: spawnSync(path, args, { env: {} }).status };
}

test.each([
  { text: 'main', place: { kind: 'symbol', module: undefined, symbol: 'main', offset: 0 } },
  { text: 'main+0x10', place: { kind: 'symbol', module: undefined, symbol: 'main', offset: 16 } },
  { text: 'libc:malloc', place: { kind: 'symbol', module: 'libc', symbol: 'malloc', offset: 0 } },
  { text: './a.out:f+3', place: { kind: 'symbol', module: './a.out', symbol: 'f', offset: 3 } },
  { text: 'usdt:shop:sold', place: { kind: 'usdt', module: undefined, provider: 'shop', name: 'sold' } },
  { text: 'libc:usdt:libc:setjmp', place: { kind: 'usdt', module: 'libc', provider: 'libc', name: 'setjmp' } },
  { text: '/bin/x@0x40', place: { kind: 'offset', module: '/bin/x', offset: 64 } },
  { text: '0x401000', place: { kind: 'address', address: 0x401000 } },
  { text: './a.out:0x40', place: { kind: 'offset', module: './a.out', offset: 64 } },
  { text: 'f@src/f.c+3', place: { kind: 'symbol', module: undefined, symbol: 'f', source: 'src/f.c', offset: 3 } },
  {
    text: 'libc:memcpy@GLIBC_2.2.5',
    place: { kind: 'symbol', module: 'libc', symbol: 'memcpy@GLIBC_2.2.5', offset: 0 },
  },
  { text: 'f\\@VERS', place: { kind: 'symbol', module: undefined, symbol: 'f@VERS', offset: 0 } },
  { text: 'shop.c:42', place: { kind: 'line', module: undefined, file: 'shop.c', line: 42 } },
  { text: 'libc:src/x.c:42', place: { kind: 'line', module: 'libc', file: 'src/x.c', line: 42 } },
  { text: 'f:2', place: { kind: 'functionLine', module: undefined, symbol: 'f', line: 2 } },
  { text: 'f@x.c:2', place: { kind: 'functionLine', module: undefined, symbol: 'f', source: 'x.c', line: 2 } },
  { text: '%sdt_libc:setjmp', place: { kind: 'usdt', provider: 'libc', name: 'setjmp' } },
  { text: 'usdt:./a:setjmp', place: { kind: 'usdt', module: './a', name: 'setjmp' } },
  { text: '', place: undefined },
  { text: 'libc:', place: undefined },
  { text: 'main+', place: undefined },
  { text: 'a:b:c', place: undefined },
])('the place "$text"', ({ text, place }) => {
  const parsed = parseProbeSpec(text);
  expect(typeof parsed === 'string' ? undefined : parsed).toEqual(place);
});

test.each([
  { path: '/lib/libc.so.6', name: 'libc', is: true },
  { path: '/lib/libc-2.36.so', name: 'libc', is: true },
  { path: '/lib/libc.so.6', name: 'libc.so.6', is: true },
  { path: '/lib/libcrypt.so.1', name: 'libc', is: false },
  { path: '/usr/bin/ls', name: '/usr/bin/ls', is: true },
  { path: '/usr/bin/ls', name: 'bin/ls', is: true },
  { path: '/usr/bin/ls', name: '/bin/ls', is: false },
  { path: '/home/me/prog', name: './prog', is: true },
])('$path goes by $name: $is', ({ path, name, is }) => {
  expect(isModule(path, name)).toBe(is);
});

describe.each([
  { name: 'static', path: STATIC },
  { name: 'dynamic', path: DYNAMIC },
])('a $name program', ({ path }) => {
  test('arguments and return values of its functions', async () => {
    const session = spawn(path);
    const calls: [bigint, bigint][] = [];
    const returns: bigint[] = [];
    const probe = session.probe('price', {
      handler(hit) {
        calls.push([argument(hit, 0), argument(hit, 1)]);
        return 'continue';
      },
      retHandler: (hit) => void returns.push(returnValue(hit)),
    });
    expect(await session.run()).toEqual(native(path));
    expect(calls).toEqual([5n, 4n, 3n, 2n, 1n].map((item) => [item, 1n]));
    expect(returns).toEqual([51n, 41n, 31n, 21n, 11n]);
    expect([...probe.files]).toEqual([path]);
  });

  test('a handler that sleeps holds the program up, and nothing else', async () => {
    const session = spawn(path);
    const order: string[] = [];
    session.probe('price', {
      async handler() {
        order.push('begin');
        await new Promise((resolve) => setTimeout(resolve, 5));
        order.push('end');
        return 'continue' as const;
      },
    });
    expect(await session.run()).toEqual(native(path));
    expect(order.join(' ')).toBe(Array.from({ length: 5 }, () => 'begin end').join(' '));
  });

  test('children are left alone unless they are to be followed', async () => {
    for (const follow of [false, true]) {
      const session = spawn(path, 'fork');
      const pids = new Set<number>();
      let hits = 0;
      session.probe(
        'price',
        {
          handler({ thread }) {
            hits++;
            pids.add(thread.process.pid);
            return 'continue';
          },
        },
        { follow },
      );
      expect(await session.run()).toEqual(native(path, 'fork'));
      expect([hits, pids.size]).toEqual(follow ? [6, 2] : [5, 1]);
    }
  });
});

test('a function of a library that the dynamic linker has not loaded yet', async () => {
  const session = spawn(DYNAMIC);
  const sizes: bigint[] = [];
  const probe = session.probe('libc:malloc', {
    handler(hit) {
      sizes.push(argument(hit, 0));
      return 'continue';
    },
  });
  expect(probe.files.size).toBe(0);
  expect(await session.run()).toEqual(native(DYNAMIC));
  expect(sizes.filter((size) => size >= 100n && size < 104n)).toEqual([100n, 101n, 102n, 103n]);
  expect([...probe.files][0]).toMatch(/libc[.-]/);
});

test.each([DYNAMIC, STATIC])(
  'a USDT probe of %s, whose semaphore tells the program that somebody looks',
  async (path) => {
    const session = spawn(path);
    let sold = 0;
    const announced: number[] = [];
    const { address } = moduleOf(path).symbols.functions('price')[0] ?? { address: 0 };
    session.probe('usdt:shop:sold', {
      handler() {
        sold++;
        return 'continue';
      },
    });
    session.probe('main', {
      retHandler(hit) {
        // `announced` counts the calls that found the semaphore set.
        const symbols = execFileSync('nm', [path], { encoding: 'utf8' });
        const linked = (name: string): number =>
          Number.parseInt(new RegExp(`([0-9a-f]+) . ${name}$`, 'm').exec(symbols)?.[1] ?? '', 16);
        const base = hit.thread.process.space;
        const text = [...base.vmas()].find(({ executable, file }) => executable && file !== undefined);
        const offset = moduleOf(path).elf?.offsetOf(address) ?? 0;
        const moved = (text?.start ?? 0) + offset - (text?.offset ?? 0) - address;
        announced.push(...(hit.read(BigInt(linked('announced') + moved), 8) ?? []));
      },
    });
    expect(await session.run()).toEqual(native(path));
    expect([sold, announced[0]]).toEqual([5, 5]);
  },
);

test('the histogram of malloc in a system program, and its calls of free, are those that gdb sees on the processor', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'empty-'));
  const environment = { LC_ALL: 'C' };
  const commands = [
    'set debuginfod enabled off',
    'set startup-with-shell off',
    'set pagination off',
    'catch load libc.so',
    'run',
    'dprintf *malloc,"malloc %lu\\n",$rdi',
    'dprintf *free,"free\\n"',
    'delete 1',
    'continue',
  ];
  const args = ['-nx', '-q', '-batch', ...commands.flatMap((command) => ['-ex', command]), '--args', '/bin/ls', folder];
  const text = execFileSync('gdb', args, { encoding: 'utf8', env: environment, stdio: ['ignore', 'pipe', 'ignore'] });
  const native = new Histogram();
  for (const [, size] of text.matchAll(/^malloc (\d+)$/gm)) native.add(BigInt(size ?? 0));

  const session = ProbeSession.spawn({
    argv: ['/bin/ls', folder],
    environment: Object.entries(environment).map(([name, value]) => `${name}=${value}`),
    machine: { maxMemory: 1 << 28, network: false, fastSleep: true },
  });
  const sizes = new Histogram();
  session.trace('libc:malloc size=$arg1:u64', ({ args: { size } }) => sizes.add(size as bigint));
  const free = session.trace('libc:free', () => undefined);
  await session.run();
  rmdirSync(folder);
  expect(sizes.summary?.count).toBeGreaterThan(10);
  expect([sizes.summary, sizes.buckets]).toEqual([native.summary, native.buckets]);
  expect(free.hits).toBe([...text.matchAll(/^free$/gm)].length);
});

test('a probe that is removed on the way, and what is no place', async () => {
  const session = spawn(STATIC);
  let hits = 0;
  const probe = session.probe('price', {
    handler() {
      if (++hits === 2) probe.remove();
      return 'continue';
    },
  });
  expect(() => session.probe('::', { handler: () => 'continue' })).toThrow(ProbeFailure);
  const refused = session.tryProbe('0x10', { handler: () => 'continue' });
  expect(refused).toMatchObject({ name: 'EINVAL', errno: 22 });
  expect(() => session.probe('0x10', { handler: () => 'continue' })).toThrow(/EINVAL/);
  await session.run();
  expect(hits).toBe(2);
  expect(session.report().statistics.hits).toBe(2);
});

test('a program that is not there', () => {
  expect(() => spawn('/nowhere/at/all')).toThrow(SpawnError);
});

test('a handler that says stop ends the run, which can go on', async () => {
  const session = spawn(STATIC);
  let hits = 0;
  session.probe('price', {
    handler() {
      return ++hits === 2 ? 'stop' : 'continue';
    },
  });
  expect(await session.run()).toEqual({ kind: 'stopped' });
  expect(hits).toBe(2);
  expect(await session.run()).toEqual(native(STATIC));
  expect(hits).toBe(5);
});

test('a run that is stopped while the program sleeps', async () => {
  const session = ProbeSession.spawn({ argv: ['/bin/sleep', '1000'], machine: { maxMemory: 1 << 28, network: false } });
  const asleep = session.trace('libc:clock_nanosleep', () => void setImmediate(() => session.stop()));
  expect(await session.run()).toEqual({ kind: 'stopped' });
  expect(asleep.hits).toBe(1);
});
