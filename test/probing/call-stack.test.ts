import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { ProbeSession } from '../../src/probing/probe-session.js';
import { buildGuest } from '../guests/build.js';

/** gdb's stack at the first hit of the function after `skip` others, on the processor. */
function gdbStack(program: string, args: readonly string[], place: string, skip: number): string[] {
  const commands = [
    'set debuginfod enabled off',
    'set startup-with-shell off',
    'set confirm off',
    'set breakpoint pending on',
  ];
  const script = [...commands, `break *${place}`, `ignore 1 ${skip}`, 'run', 'bt -frame-info short-location', 'kill'];
  const text = execFileSync(
    'gdb',
    ['-nx', '-q', '-batch', ...script.flatMap((command) => ['-ex', command]), '--args', program, ...args],
    { encoding: 'utf8', env: { LC_ALL: 'C' }, stdio: ['ignore', 'pipe', 'ignore'] },
  );
  return [...text.matchAll(/^#\d+ +(?:<signal handler called>|(?:0x[0-9a-f]+ in )?(\S+) \()/gm)].map(
    ([, name]) => name ?? '<signal>',
  );
}

async function ourStack(program: string, args: readonly string[], place: string, skip: number): Promise<string[]> {
  const session = ProbeSession.spawn({
    argv: [program, ...args],
    environment: ['LC_ALL=C'],
    machine: { maxMemory: 1 << 28, network: false, fastSleep: true },
  });
  let hits = 0;
  let found: string[] = [];
  session.trace(place, (event) => {
    if (hits++ === skip) found = event.stack().map(({ symbol }) => symbol ?? '??');
  });
  await session.run();
  return found;
}

/** Functions that gdb shows because they are inlined have no frame; gdb stops at main unless told otherwise. */
function upToMain(stack: readonly string[]): readonly string[] {
  return stack.slice(0, stack.indexOf('main') + 1);
}

test.each([
  { name: 'optimised, without frame pointers', flags: ['-O2', '-fomit-frame-pointer'] },
  { name: 'static', flags: ['-O1', '-static'] },
  {
    name: 'without unwind tables, with frame pointers',
    flags: ['-O0', '-static', '-fno-asynchronous-unwind-tables', '-fno-pie', '-no-pie'],
  },
])('the stack is gdb’s: $name', async ({ flags }) => {
  const program = buildGuest({ source: 'shop.c', flags });
  const stack = await ourStack(program, [], 'price', 3);
  expect(upToMain(stack)).toEqual(upToMain(gdbStack(program, [], 'price', 3)));
  expect(stack).toContain('main');
});

test('the stack of a library function under other return probes shows the real callers', async () => {
  const program = buildGuest({ source: 'shop.c', flags: ['-O1'] });
  const session = ProbeSession.spawn({
    argv: [program],
    machine: { maxMemory: 1 << 28, network: false, fastSleep: true },
  });
  session.trace('ret:total', () => undefined);
  session.trace('ret:price', () => undefined);
  const depths = new Set<string>();
  session.trace(
    'usdt:shop:sold',
    (event) =>
      void depths.add(
        event
          .stack()
          .map(({ symbol }) => symbol)
          .join(' ')
          .replace(/ main.*/, ''),
      ),
  );
  await session.run();
  expect([...depths]).toEqual([1, 2, 3, 4, 5].map((depth) => `price${' total'.repeat(depth)}`));
});

test('a stack through a signal frame', async () => {
  const program = buildGuest({ source: 'interrupted.c', flags: ['-O1'] });
  const stack = await ourStack(program, [], 'inside', 0);
  expect(stack.filter((name) => ['inside', 'handler', 'raiser', 'main'].includes(name))).toEqual([
    'inside',
    'handler',
    'raiser',
    'main',
  ]);
});
