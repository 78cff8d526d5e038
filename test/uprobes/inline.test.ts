/** Inline hooks change nothing but the time: counters, conditions, commands and handlers see the same hits without them. */
import { expect, test } from 'vitest';
import { assemble, op, print } from '../../src/agent-expression/assemble.js';
import type { AgentProgram } from '../../src/agent-expression/program.js';
import type { Thread } from '../../src/emulator/thread.js';
import { type MachineOptions, TIERS } from '../../src/options.js';
import { registerNamed } from '../../src/register-set.js';
import { METHODS, type Method } from '../../src/uprobes/arch.js';
import type { EngineOptions } from '../../src/uprobes/core.js';
import { Counter } from '../../src/uprobes/counter.js';
import { isProbeError } from '../../src/uprobes/probe-error.js';
import type { Hit } from '../../src/uprobes/uprobe.js';
import { buildGuest, NOSTDLIB } from '../guests/build.js';
import { finish, registers, start } from './real-machine.js';

const SLOWLY: readonly Method[] = METHODS.filter((method) => method !== 'hook');

const reg = (name: string): readonly number[] => op('reg', registerNamed(name).number);

/** Bit `n` of rax. */
const bit = (n: number): AgentProgram => assemble(reg('rax'), op('const8', 1 << n), op('bit_and'));
/** The word on top of the stack is odd. */
const oddTop = assemble(reg('rsp'), op('ref64'), op('const8', 1), op('bit_and'));
/** Fails where rcx is zero. */
const quotient = assemble(op('const8', 7), reg('rcx'), op('div_unsigned'));
const impossible = assemble(op('const8', 8), op('ref8'));
const flags = assemble(reg('eflags'), op('const8', 1), op('bit_and'));
const dot = assemble(print('.'));

/** Addresses that the program executes. */
function executed(argv: readonly string[]): readonly number[] {
  const seen = new Set<number>();
  const { guest, ...rest } = start(argv);
  const run = guest.machine.execution.run.bind(guest.machine.execution);
  guest.machine.execution.run = (cpu, space, fuel) => {
    seen.add(cpu.rip);
    return run(cpu, space, fuel);
  };
  finish({ guest, ...rest }, 1);
  return [...seen];
}

/** All that can be told of a run with many kinds of consumers, several of them at one place. */
function observed(
  argv: readonly string[],
  places: readonly number[],
  methods: readonly Method[],
  machine: Partial<MachineOptions>,
) {
  const options: Partial<EngineOptions> = { methods: new Set(methods), maxProbepoints: 100_000 };
  const running = start(argv, options, machine);
  const { engine, caller, process, port, guest } = running;
  const counters: Counter[] = [];
  const handled: string[] = [];
  const count = (vaddr: number, when?: AgentProgram): void => {
    const counter = new Counter(when);
    const error = engine.register(caller, { pid: process.pid, vaddr, counter, wantsProbe: () => true });
    if (error === undefined) counters.push(counter);
  };
  const stop = (address: number, conditions: readonly AgentProgram[], commands: readonly AgentProgram[]): void => {
    const made = engine.setBreakpoint({ process: port.process(process), address, conditions, commands });
    if (isProbeError(made)) throw new Error(made.reason);
  };
  for (const [i, vaddr] of places.entries()) {
    if (i % 2 === 0) count(vaddr);
    if (i % 3 === 0) count(vaddr, [bit(0), oddTop, quotient, impossible, flags][i % 5]);
    if (i % 4 === 1) stop(vaddr, [bit(1), bit(2)], [dot]);
    if (i % 5 === 2) stop(vaddr, [oddTop], [dot]);
    if (i % 41 === 3) stop(vaddr, [bit(3)], []);
    if (i % 11 === 6) {
      const when = [bit(1), oddTop, quotient, impossible][i % 4] as AgentProgram;
      const handler = ({ thread }: Hit): 'continue' => {
        handled.push(`when ${i % 4} ${thread.tid} ${guest.machine.clock.retired} ${registers(thread)}`);
        return 'continue';
      };
      engine.register(caller, { pid: process.pid, vaddr, when, handler, wantsProbe: () => true });
    }
    if (i % 7 === 4) {
      engine.register(caller, {
        pid: process.pid,
        vaddr,
        wantsProbe: (thread) => (thread.tid as number) % 2 === 1,
        handler({ thread }) {
          handled.push(`${thread.tid} ${guest.machine.clock.retired} ${registers(thread)}`);
          return i % 49 === 4 && handled.length > 20 ? 'remove' : 'continue';
        },
      });
    }
  }
  let stops = 0;
  finish(running, 100_000, (thread: Thread) => {
    stops++;
    // A step, so that it comes past the breakpoint, which is still there.
    engine.resumed(port.thread(thread), 'step');
    guest.machine.scheduler.release(thread);
  });
  engine.checkInvariants();
  const { statistics } = engine.report();
  const { executed: by, aborts: _, ...counts } = statistics;
  return {
    ...{ counts, stops, handled, printed: running.printed, counters: counters.map(({ hits }) => hits) },
    hooked: by.hook,
    ...{ retired: guest.machine.clock.retired, status: running.status, memory: running.memory },
  };
}

const SUBJECTS = [
  { source: 'bare-loops.c', flags: NOSTDLIB, args: [] },
  { source: 'bare-signals.c', flags: NOSTDLIB, args: [] },
  { source: 'crew.c', flags: ['-O1', '-static', '-no-pie', '-fno-pie', '-pthread'], args: [] },
  { source: 'shop.c', flags: ['-O1', '-static', '-no-pie', '-fno-pie'], args: ['fork'] },
];

test.each(SUBJECTS)('$source with inline hooks is as without', ({ source, flags: how, args }) => {
  const argv = [buildGuest({ source, flags: how }), ...args];
  const places = executed(argv);
  for (const tier of source.startsWith('bare') ? TIERS : (['auto'] as const)) {
    const { hooked: none, ...slowly } = observed(argv, places, SLOWLY, { tier });
    const { hooked, ...inline } = observed(argv, places, METHODS, { tier });
    expect(inline).toEqual(slowly);
    expect(none).toBe(0);
    expect(hooked).toBeGreaterThan(0);
  }
});

test('what has passed stays counted when the breakpoint goes', () => {
  const argv = [buildGuest({ source: 'bare-loops.c', flags: NOSTDLIB })];
  const { engine, process, port, guest } = start(argv);
  const never = assemble(op('const8', 0));
  const request = { process: port.process(process), commands: [] };
  const made = executed(argv).map((address) => engine.setBreakpoint({ ...request, address, conditions: [never] }));
  guest.machine.run(5000);
  for (const breakpoint of made) if (!isProbeError(breakpoint)) engine.clearBreakpoint(breakpoint);
  const { hits, conditionsFalse, executed: by } = engine.report().statistics;
  expect(hits).toBeGreaterThan(0);
  expect(conditionsFalse).toBe(hits);
  expect(by.hook).toBe(hits);
});
