import fc from 'fast-check';
import { expect, test } from 'vitest';
import { NO_HOOKS } from '../../../src/emulator/hooks.js';
import { type Program, runAll, type Step, scripted, sys, work } from './scripted.js';

const NR = { getpid: 39, clone: 56, exit: 60, futex: 202, exitGroup: 231, yield: 24, nanosleep: 35 } as const;
const THREAD = 0x5_0f00;
const WORD = 0x1_8000;
const TIME = 0x1_8100;

/** What a thread of the random program does, as small numbers. */
const scripts = fc.array(fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 12 }), {
  minLength: 1,
  maxLength: 5,
});

function stepFor(kind: number): Step {
  switch (kind) {
    case 0:
      return sys(NR.getpid);
    case 1:
      return sys(NR.yield);
    case 2:
      return sys(NR.nanosleep, TIME, 0);
    case 3:
      return sys(NR.futex, WORD, 1, 1);
    case 4:
      return sys(NR.futex, WORD, 0, 0, TIME);
    default:
      return work(37);
  }
}

function body(kinds: readonly number[]): Program {
  return function* () {
    for (const kind of kinds) yield stepFor(kind);
    yield sys(NR.exit, 0);
  };
}

function guestOf(plan: readonly (readonly number[])[], sliceLength: number) {
  const guest = scripted(
    function* () {
      for (const kinds of plan) yield { call: NR.clone, args: [THREAD, 0x2_4000], child: body(kinds) };
      yield* body([5, 2, 5])();
    },
    { sliceLength },
  );
  guest.words(TIME, 0, 500);
  return guest;
}

/** The trace with neighbouring portions of one thread joined. */
function joined(trace: readonly string[]): string {
  const out: [string, number][] = [];
  for (const entry of trace) {
    const last = out.at(-1);
    if (last !== undefined && last[0] === entry[0]) last[1] += Number(entry.slice(1));
    else out.push([entry[0] as string, Number(entry.slice(1))]);
  }
  return out.map(([name, count]) => `${name}${count}`).join(' ');
}

test('the order of execution does not depend on how the caller divides its runs', () => {
  fc.assert(
    fc.property(
      scripts,
      fc.integer({ min: 1, max: 60 }),
      fc.integer({ min: 1, max: 25 }),
      (plan, sliceLength, portion) => {
        const whole = guestOf(plan, sliceLength);
        runAll(whole.machine);
        const divided = guestOf(plan, sliceLength);
        for (
          let result = divided.machine.run(portion);
          result.kind !== 'exited';
          result = divided.machine.run(portion)
        ) {
          if (result.kind === 'idle') divided.machine.clock.jumpTo(result.deadline as number);
        }
        expect(joined(divided.execution.trace)).toBe(joined(whole.execution.trace));
        expect(divided.machine.clock).toEqual(whole.machine.clock);
      },
    ),
    { numRuns: 60 },
  );
});

test('stepping every thread of an all-stop session through the program changes neither order nor counts', () => {
  fc.assert(
    fc.property(scripts, fc.integer({ min: 1, max: 60 }), (plan, sliceLength) => {
      const free = guestOf(plan, sliceLength);
      runAll(free.machine);
      const stepped = guestOf(plan, sliceLength);
      const { machine } = stepped;
      machine.hooks = { ...NO_HOOKS, stepped: () => 'stop' };
      const stepAll = (): void => {
        for (const thread of machine.threads.values()) {
          machine.scheduler.hold(thread);
          machine.scheduler.release(thread, { kind: 'step' });
        }
      };
      stepAll();
      for (let result = machine.run(1000); result.kind !== 'exited'; result = machine.run(1000)) {
        if (result.kind === 'idle') machine.clock.jumpTo(result.deadline as number);
        if (result.kind === 'stop') stepAll();
      }
      expect(joined(stepped.execution.trace)).toBe(joined(free.execution.trace));
      expect(machine.clock).toEqual(free.machine.clock);
    }),
    { numRuns: 40 },
  );
});
