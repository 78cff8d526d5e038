/** T63: a probe on every instruction that a program executes changes nothing but the counts. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { Thread } from '../../src/emulator/thread.js';
import { TIERS } from '../../src/options.js';
import type { Method } from '../../src/uprobes/arch.js';
import { SLOW } from '../conformance/run.js';
import { buildGuest, NOSTDLIB } from '../guests/build.js';
import { expectSame, METHODS, probed, type Unprobed, unprobed } from './observed.js';
import { finish, start } from './real-machine.js';

const STATIC = ['-O1', '-static', '-no-pie', '-fno-pie'];

interface Subject {
  readonly source: string;
  readonly flags: readonly string[];
  readonly args: readonly string[];
  readonly slices: readonly number[];
}

const SUBJECTS: Subject[] = [
  { source: 'bare-loops.c', flags: NOSTDLIB, args: [], slices: [2] },
  { source: 'bare-strings.c', flags: NOSTDLIB, args: [], slices: [7] },
  { source: 'bare-signals.c', flags: NOSTDLIB, args: [], slices: [1, 3] },
  { source: 'bare-faults.c', flags: NOSTDLIB, args: [], slices: [5] },
  { source: 'bare-syscalls.c', flags: NOSTDLIB, args: [], slices: [5] },
  // T33
  { source: 'selfstep.c', flags: NOSTDLIB, args: [], slices: [1] },
  { source: 'zoo.c', flags: [...NOSTDLIB, '-mavx2', '-mbmi', '-mbmi2'], args: [], slices: [1] },
  { source: 'crew.c', flags: [...STATIC, '-pthread'], args: [], slices: [50] },
  { source: 'shop.c', flags: STATIC, args: ['fork'], slices: [100] },
];

describe.each(SUBJECTS)('T63 $source', ({ source, flags, args, slices }) => {
  const argv = [buildGuest({ source, flags }), ...args];
  let plain: Unprobed | undefined;

  function expected(): Unprobed {
    plain ??= unprobed(argv);
    return plain;
  }

  test.each(METHODS.map((methods) => ({ methods })))('by $methods', ({ methods }) => {
    const { counts, ...seen } = probed(argv, expected().executed, methods);
    expectSame(seen, expected());
    const [only] = methods;
    if (methods.length === 1 && only !== undefined) expect(counts[only]).toBeGreaterThan(0);
  });

  test('ends as it does on the processor', () => {
    const { status, signal } = spawnSync(argv[0] ?? '', args, { env: {} });
    const killed = { kind: 'killed', signal: constants.signals[signal ?? 'SIGHUP'] };
    expect(expected().status).toMatchObject(signal === null ? { kind: 'exited', code: status } : killed);
  });

  test.each([{ methods: ['xol'] }, { methods: ['boost', 'xol'] }] as { methods: Method[] }[])(
    'with slots far from what they address, by $methods',
    ({ methods }) => {
      const { counts, ...seen } = probed(argv, expected().executed, methods, {}, 'far');
      expectSame(seen, expected());
      expect(counts.xol).toBeGreaterThan(0);
    },
  );

  test.each(TIERS)('in tier %s', (tier) => {
    const { counts: _, ...seen } = probed(argv, expected().executed, METHODS.at(-1) ?? [], { tier });
    expectSame(seen, expected());
  });

  test.each(['auto', 'compile'] as const)('with a probe on one instruction in seven, in tier %s', (tier) => {
    const { executed, trace, inFiles: _, ...all } = expected();
    const some = [...executed].filter((_, i) => i % 7 === 3);
    const chosen = new Set(some.map((address) => address.toString(16)));
    const { counts: __, ...seen } = probed(argv, some, METHODS.at(-1) ?? [], { tier });
    expectSame(seen, { ...all, trace: trace.filter((entry) => chosen.has(/ ([0-9a-f]+):/.exec(entry)?.[1] ?? '')) });
  });

  test.each(slices)('in slices of %d instructions', (sliceLength) => {
    const { counts: _, ...seen } = probed(argv, expected().executed, METHODS.at(-1) ?? [], { sliceLength });
    expectSame(seen, unprobed(argv, { sliceLength }));
  });
});

/** What nobody else looks into, so that no time in it changes between two runs; the first look changes it. */
function folderOfFiles(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sidestep-ls-'));
  for (let i = 0; i < 40; i++) writeFileSync(join(folder, `file-${i}`), 'text'.repeat(i));
  readdirSync(folder);
  afterAll(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** Debian's own: with a loader, libraries that are mapped while they run, and children. All of them by all methods take more than half an hour. */
const PROGRAMS: readonly (readonly string[])[] = [
  ['/bin/true'],
  ...(SLOW
    ? [
        ['/usr/bin/expr', '7', '*', '6'],
        ['/usr/bin/factor', '1234567890123456789'],
        ['/usr/bin/md5sum', '/etc/passwd'],
        ['/bin/gzip', '-c', '/etc/passwd'],
        ['/bin/ls', '-l', folderOfFiles()],
        ['/bin/sed', '-n', 's/o/0/gp', '/etc/passwd'],
        ['/usr/bin/sort', '/etc/passwd'],
        ['/bin/dash', '-c', 'echo $((6 * 7)) | cat; true & wait'],
      ]
    : []),
];

describe.each(PROGRAMS.map((argv) => ({ argv })))('T63 $argv', { timeout: 600_000 }, ({ argv }) => {
  let plain: Unprobed | undefined;

  function expected(): Unprobed {
    plain ??= unprobed(argv);
    return plain;
  }

  const some = SLOW ? METHODS : METHODS.filter((methods) => `${methods}` === 'xol');

  test.each(some.map((methods) => ({ methods })))('by $methods', ({ methods }) => {
    const { counts, ...seen } = probed(argv, expected().inFiles.values(), methods);
    expectSame(seen, expected());
    const [only] = methods;
    if (methods.length === 1 && only !== undefined) expect(counts[only]).toBeGreaterThan(0);
  });

  test.each(SLOW ? TIERS : (['auto'] as const))('in tier %s', (tier) => {
    const { counts: _, ...seen } = probed(argv, expected().inFiles.values(), METHODS.at(-1) ?? [], { tier });
    expectSame(seen, expected());
  });
});

test('T28 a program that unmaps everything around it, XOL slots included, goes on hitting', () => {
  const argv = [buildGuest({ source: 'unmaps.c', flags: NOSTDLIB })];
  const plain = unprobed(argv);
  const seen = probed(argv, plain.executed, ['xol']);
  expect(plain.status).toEqual({ kind: 'exited', code: 2 });
  expect([seen.trace, seen.status]).toEqual([plain.trace, plain.status]);
  expect(seen.counts.xol).toBeGreaterThan(10);
});

/** The thread is in the slot while `step` runs: what stands there? */
test('a step out of line executes a copy in a page that is no part of the program', () => {
  const argv = [buildGuest({ source: 'bare-loops.c', flags: NOSTDLIB })];
  const { executed } = unprobed(argv);
  const program = start(argv, { methods: new Set(['xol']) });
  const [leader] = program.process.threads.values();
  const view = program.port.thread(leader as Thread);
  const { space } = view.process;
  const seen: [inHole: boolean, mapped: boolean, copied: boolean][] = [];
  let probedAt = 0;
  const step = view.step.bind(view);
  view.step = () => {
    const [copy, original] = [new Uint8Array(1), new Uint8Array(1)];
    space.read(view.ip, copy);
    space.read(probedAt, original);
    seen.push([space.inXolHole(view.ip), space.vma(view.ip) !== undefined, copy[0] === original[0]]);
    return step();
  };
  for (const vaddr of executed) {
    program.engine.register(program.caller, {
      pid: program.process.pid,
      vaddr,
      handler: ({ address }) => {
        probedAt = address;
        return 'continue';
      },
    });
  }
  finish(program);
  const outOfLine = seen.filter(([inHole]) => inHole);
  expect(outOfLine).toHaveLength(program.engine.statistics.executed.xol);
  expect(outOfLine.length).toBeGreaterThan(100);
  expect(outOfLine.every(([, mapped, copied]) => !mapped && copied)).toBe(true);
  expect(program.engine.report()).toMatchObject({ probepoints: [], slotsUsed: 0, waiting: 0, pendingReturns: 0 });
});

test.each(['near', 'far'] as const)(
  'T62 vector instructions see the right elements from a slot that is %s',
  (slots) => {
    const argv = [buildGuest({ source: 'elements.c', flags: [...NOSTDLIB, '-mavx2'] })];
    expect(spawnSync(argv[0] as string, { env: {} }).status).toBe(0);
    for (const tier of TIERS) {
      const { executed } = unprobed(argv, { tier });
      const { status, counts } = probed(argv, executed, ['xol'], { tier }, slots);
      expect(status).toMatchObject({ kind: 'exited', code: 0 });
      expect(counts.xol).toBeGreaterThan(8);
    }
  },
);
