/** T63: a probe on every instruction of a program changes nothing but the counts. */
import { describe, expect, test } from 'vitest';
import type { Method } from '../../src/uprobes/arch.js';
import { isProbeError } from '../../src/uprobes/probe-error.js';
import { analyze, MAX_INSN_LENGTH } from '../../src/uprobes/x86/analyze.js';
import { NOSTDLIB } from '../guests/build.js';
import { boundaries, build, finish, registers, start } from './real-machine.js';

interface Observed {
  /** Registers before each instruction; a REP instruction's iterations after the first do not count. */
  readonly trace: string[];
  readonly retired: number;
  readonly status: unknown;
  readonly memory: string | undefined;
}

const LONGEST = 200_000;

/** One instruction at a time, without probes. */
function unprobed(path: string): Observed {
  const program = start(path);
  const { machine } = program.guest;
  const [leader] = program.process.threads.values();
  if (leader === undefined) throw new Error('no thread');
  const view = program.port.thread(leader);
  const trace: string[] = [];
  let last = '';
  const { execution } = machine;
  const run = execution.run.bind(execution);
  execution.run = (cpu, space, fuel) => {
    expect(fuel).toBe(1);
    const now = registers(view);
    const ip = now.slice(0, now.indexOf(':'));
    if (ip !== last || !isRepeating(view.ip)) trace.push(now);
    last = ip;
    if (trace.length > LONGEST) throw new Error(`${path} is too long`);
    return run(cpu, space, fuel);
  };
  finish(program, 1);
  return { trace, retired: machine.clock.retired, status: program.status, memory: program.memory };

  function isRepeating(ip: number): boolean {
    const bytes = new Uint8Array(MAX_INSN_LENGTH);
    const insn = analyze(bytes.subarray(0, view.process.space.read(ip, bytes)), ip, { strict: false });
    return !isProbeError(insn) && insn.repeats;
  }
}

function probed(
  path: string,
  methods: readonly Method[],
  sliceLength = 100_000,
): Observed & { readonly executed: Record<Method, number> } {
  const program = start(path, { methods: new Set(methods) }, { sliceLength });
  const trace: string[] = [];
  for (const vaddr of boundaries(path)) {
    const refused = program.engine.register(program.caller, {
      pid: program.process.pid,
      vaddr,
      handler: ({ thread }) => {
        trace.push(registers(thread));
        return 'continue';
      },
    });
    if (refused === undefined) continue;
    // Where handlers may not be, tracepoints may.
    expect(['EEXIST', 'ENOTSUPP']).toContain(refused.name);
    const collected = program.engine.setCollector({
      process: program.port.process(program.process),
      address: vaddr,
      collect(thread) {
        trace.push(registers(thread));
        return 'continue';
      },
    });
    if (isProbeError(collected)) throw new Error(collected.reason);
  }
  finish(program);
  program.engine.checkInvariants();
  const { executed } = program.engine.statistics;
  const { status, memory, guest } = program;
  return { trace, retired: guest.machine.clock.retired, status, memory, executed };
}

/** The thread is in the slot while `step` runs: what stands there? */
test('a step out of line executes a copy in a page that the program neither sees nor shares with its memory map', () => {
  const path = build('bare-loops.c', NOSTDLIB);
  const program = start(path, { methods: new Set(['xol']) });
  const view = program.port.thread([...program.process.threads.values()][0] ?? fail());
  const { space } = view.process;
  const seen: [inHole: boolean, mapped: boolean, copied: boolean][] = [];
  const step = view.step.bind(view);
  view.step = () => {
    const { ip } = view;
    const [copy, original] = [new Uint8Array(1), new Uint8Array(1)];
    space.read(ip, copy);
    space.read(probedAt, original);
    seen.push([space.inXolHole(ip), space.vma(ip) !== undefined, Buffer.compare(copy, original) === 0]);
    return step();
  };
  let probedAt = 0;
  for (const vaddr of boundaries(path)) {
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
});

function fail(): never {
  throw new Error('no thread');
}

const PROGRAMS = ['bare-loops.c', 'bare-strings.c', 'bare-signals.c'];
const METHODS: Method[][] = [['emulate'], ['boost'], ['xol'], ['inline'], ['emulate', 'boost', 'xol', 'inline']];

describe.each(PROGRAMS)('T63 %s', (source) => {
  const path = build(source, NOSTDLIB);
  const plain = unprobed(path);

  test.each(METHODS.map((methods) => ({ methods })))(
    'with a probe on every instruction, by $methods',
    ({ methods }) => {
      const { executed, ...seen } = probed(path, methods);
      expect(seen.trace.length).toBe(plain.trace.length);
      expect(seen).toEqual(plain);
      if (methods.length === 1) expect(executed[methods[0] ?? 'inline']).toBeGreaterThan(0);
    },
  );

  test.each([1, 2, 7])('and in slices of %d instructions', (slice) => {
    const { executed: _, ...seen } = probed(path, METHODS.at(-1) ?? [], slice);
    expect(seen).toEqual(plain);
  });
});
