/** T63: a probe on every instruction that a program executes changes nothing but the counts. */
import { spawnSync } from 'node:child_process';
import { constants } from 'node:os';
import { describe, expect, test } from 'vitest';
import type { Thread } from '../../src/emulator/thread.js';
import { type MachineOptions, TIERS } from '../../src/options.js';
import type { Method } from '../../src/uprobes/arch.js';
import type { HostThread } from '../../src/uprobes/port.js';
import { isProbeError } from '../../src/uprobes/probe-error.js';
import { analyze, MAX_INSN_LENGTH } from '../../src/uprobes/x86/analyze.js';
import { buildGuest, NOSTDLIB } from '../guests/build.js';
import { finish, type Program, registers, start } from './real-machine.js';

/** All that can be observed of a run. */
interface Observed {
  /** Who executes what with which registers, before each instruction. A REP instruction's iterations after the first do not count. */
  readonly trace: readonly string[];
  readonly retired: number;
  readonly status: unknown;
  /** Digest of its memory at its end. */
  readonly memory: string | undefined;
}

const LONGEST = 400_000;
const CPU = { cpu: 'v3' } as const;

function line(thread: HostThread): string {
  return `${thread.tid} ${registers(thread)}`;
}

/** One instruction at a time, without probes; `executed`: the addresses of the first process's instructions. */
function unprobed(
  argv: readonly string[],
  options: Partial<MachineOptions> = {},
): Observed & { readonly executed: ReadonlySet<number> } {
  const program = start(argv, {}, { ...CPU, ...options });
  const { machine } = program.guest;
  const trace: string[] = [];
  const executed = new Set<number>();
  const { execution } = machine;
  const run = execution.run.bind(execution);
  /** Where each thread was latest. */
  const last = new Map<number, number>();
  execution.run = (cpu, space, fuel) => {
    expect(fuel).toBe(1);
    const thread = [...machine.threads.values()].find((one) => one.cpu === cpu) as Thread;
    const view = program.port.thread(thread);
    if (last.get(view.tid) !== view.ip || !isRepeating(view)) trace.push(line(view));
    last.set(view.tid, view.ip);
    executed.add(view.ip);
    if (trace.length > LONGEST) throw new Error(`${argv} is too long`);
    return run(cpu, space, fuel);
  };
  finish(program, 1);
  return { ...outcome(program, trace), executed };
}

function isRepeating({ ip, process }: HostThread): boolean {
  const bytes = new Uint8Array(MAX_INSN_LENGTH);
  const insn = analyze(bytes.subarray(0, process.space.read(ip, bytes)), ip, { strict: false });
  return !isProbeError(insn) && insn.repeats;
}

function outcome({ guest, status, memory }: Program, trace: readonly string[]): Observed {
  return { trace, retired: guest.machine.clock.retired, status, memory };
}

function probed(
  argv: readonly string[],
  addresses: Iterable<number>,
  methods: readonly Method[],
  machine: Partial<MachineOptions> = {},
  slots: 'near' | 'far' = 'near',
): Observed & { readonly counts: Record<Method, number> } {
  const program = start(
    argv,
    { methods: new Set(methods), maxProbepoints: LONGEST },
    { ...CPU, ...machine },
    { slots },
  );
  const trace: string[] = [];
  for (const vaddr of addresses) probeAt(program, vaddr, trace);
  finish(program);
  program.engine.checkInvariants();
  return { ...outcome(program, trace), counts: program.engine.statistics.executed };
}

/** In the process and its children. Where handlers may not be, tracepoints may. */
function probeAt({ engine, caller, port, process }: Program, vaddr: number, trace: string[]): void {
  const note = (thread: HostThread): 'continue' => {
    trace.push(line(thread));
    return 'continue';
  };
  const refused = engine.register(caller, {
    pid: process.pid,
    vaddr,
    handler: ({ thread }) => note(thread),
    wantsProbe: () => true,
  });
  if (refused === undefined) return;
  expect(['EEXIST', 'ENOTSUPP']).toContain(refused.name);
  const collector = engine.setCollector({ process: port.process(process), address: vaddr, collect: note });
  if (isProbeError(collector)) throw new Error(collector.reason);
}

const METHODS: Method[][] = [
  ['hook'],
  ['emulate'],
  ['boost'],
  ['xol'],
  ['inline'],
  ['emulate', 'boost', 'xol', 'inline'],
  ['hook', 'emulate', 'boost', 'xol', 'inline'],
];
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
  let plain: ReturnType<typeof unprobed> | undefined;

  /** Without the addresses. */
  function expected(): Observed & { readonly executed: ReadonlySet<number> } {
    plain ??= unprobed(argv);
    return plain;
  }

  function same(seen: Observed, { trace, retired, status, memory }: Observed = expected()): void {
    const at = trace.findIndex((entry, i) => entry !== seen.trace[i]);
    expect(at < 0 ? 'the same' : { at, entry: seen.trace[at], before: trace[at - 1] }).toEqual(
      at < 0 ? 'the same' : { at, entry: trace[at], before: trace[at - 1] },
    );
    expect([seen.trace.length, seen.retired, seen.status, seen.memory]).toEqual([
      trace.length,
      retired,
      status,
      memory,
    ]);
  }

  test.each(METHODS.map((methods) => ({ methods })))('by $methods', ({ methods }) => {
    const { counts, ...seen } = probed(argv, expected().executed, methods);
    same(seen);
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
      same(seen);
      expect(counts.xol).toBeGreaterThan(0);
    },
  );

  test.each(TIERS)('in tier %s', (tier) => {
    const { counts: _, ...seen } = probed(argv, expected().executed, METHODS.at(-1) ?? [], { tier });
    same(seen);
  });

  test.each(['auto', 'compile'] as const)('with a probe on one instruction in seven, in tier %s', (tier) => {
    const { executed, trace, ...all } = expected();
    const some = [...executed].filter((_, i) => i % 7 === 3);
    const chosen = new Set(some.map((address) => address.toString(16)));
    const { counts: _, ...seen } = probed(argv, some, METHODS.at(-1) ?? [], { tier });
    same(seen, { ...all, trace: trace.filter((entry) => chosen.has(/ ([0-9a-f]+):/.exec(entry)?.[1] ?? '')) });
  });

  test.each(slices)('in slices of %d instructions', (sliceLength) => {
    const { counts: _, ...seen } = probed(argv, expected().executed, METHODS.at(-1) ?? [], { sliceLength });
    same(seen, unprobed(argv, { sliceLength }));
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
