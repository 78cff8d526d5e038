import { describe, expect, test } from 'vitest';
import { SYSCALL_NS } from '../../../src/emulator/clock.js';
import { type Program, runAll, scripted, sys, work } from './scripted.js';

const EXIT = 60;
const EXIT_GROUP = 231;
const CLONE = 56;
const YIELD = 24;
/** Sleeps with a time limit end so many ns later (prctl(2), PR_SET_TIMERSLACK). */
const SLACK = 50_000;
const THREAD_FLAGS = 0x5_0f00;

function thread(child: Program): { call: number; args: number[]; child: Program } {
  return { call: CLONE, args: [THREAD_FLAGS, 0x2_8000], child };
}

/** A process with a second thread; both work `each` instructions, in `portions`. */
function twoThreads(each: number, sliceLength: number) {
  return scripted(
    function* () {
      yield thread(function* () {
        yield work(each);
        yield sys(EXIT, 0);
      });
      yield work(each);
      yield sys(EXIT, 0);
    },
    { sliceLength },
  );
}

describe('scheduler', () => {
  test('threads take turns in slices of retired instructions', () => {
    const { machine, execution } = twoThreads(250, 100);
    runAll(machine);
    expect(execution.trace).toEqual(['A99', 'B100', 'A100', 'B100', 'A51', 'B50']);
  });

  test.each([1, 2, 7, 100, 1000])('the retired count does not depend on the slice length %i', (sliceLength) => {
    const { machine } = twoThreads(123, sliceLength);
    runAll(machine);
    // clone, two times 123, two exits.
    expect(machine.clock.retired).toBe(1 + 2 * 123 + 2);
  });

  test.each([1, 3, 50, 1_000_000])('running in portions of %i keeps the order', (portion) => {
    const { machine, execution } = twoThreads(250, 100);
    while (machine.run(portion).kind !== 'exited');
    const merged: string[] = [];
    for (const entry of execution.trace) {
      if (merged.at(-1) !== entry[0]) merged.push(entry[0] as string);
    }
    expect(merged.join('')).toBe('ABABAB');
  });

  test('sched_yield gives up the rest of the slice', () => {
    const guest = scripted(function* () {
      yield thread(function* () {
        yield work(10);
        yield sys(EXIT, 0);
      });
      yield work(5);
      yield sys(YIELD);
      yield work(5);
      yield sys(EXIT_GROUP, 0);
    });
    runAll(guest.machine);
    expect(guest.execution.trace).toEqual(['A5', 'B10', 'A5']);
  });

  test('a sleeper makes the machine idle until its deadline and wakes exactly then, the slack of timers later', () => {
    const times: number[] = [];
    const guest = scripted(function* () {
      yield sys(35, 0x1_0000, 0);
      times.push(guest.machine.clock.monotonic);
      yield sys(EXIT_GROUP, 0);
    });
    guest.words(0x1_0000, 2, 5);
    const result = guest.machine.run(1000);
    const deadline = 2_000_000_006 + SYSCALL_NS + SLACK;
    expect(result).toEqual({ kind: 'idle', deadline });
    guest.machine.clock.jumpTo(deadline);
    expect(guest.machine.run(1000)).toEqual({ kind: 'exited' });
    expect(times).toEqual([deadline]);
  });

  test('a deadline ends a slice of another thread at the exact instruction', () => {
    const seen: number[] = [];
    const guest = scripted(
      function* () {
        yield thread(function* () {
          yield work(100_000);
          yield sys(EXIT, 0);
        });
        yield sys(35, 0x1_0000, 0);
        seen.push(guest.machine.clock.monotonic);
        yield sys(EXIT, 0);
      },
      { sliceLength: 1000 },
    );
    guest.words(0x1_0000, 0, 1500);
    runAll(guest.machine);
    // Woken in the middle of a slice, it gets its turn when that one is over.
    expect(seen).toEqual([2 + 2 * SYSCALL_NS + SLACK + 2000]);
  });

  test('time passes for a sleeper while another thread calls the kernel in a loop', () => {
    let calls = 0;
    const guest = scripted(function* () {
      yield thread(function* () {
        for (; ; calls++) yield sys(YIELD);
      });
      yield sys(35, 0x1_0000, 0);
      yield sys(EXIT_GROUP, 0);
    });
    guest.words(0x1_0000, 0, 1_000_000);
    runAll(guest.machine);
    expect(calls).toBe(Math.ceil((1_000_000 + SLACK) / (SYSCALL_NS + 1)));
  });

  test.each([
    { policy: 'a process without slack', calls: [sys(157, 29, 1)], late: 1 },
    { policy: 'a real-time policy', calls: [sys(144, 0, 1, 0x1_0100)], late: 0 },
  ])('$policy wakes $late ns late', ({ calls, late }) => {
    const guest = scripted(function* () {
      for (const call of calls) yield call;
      asleep = guest.machine.clock.monotonic;
      yield sys(35, 0x1_0000, 0);
      woken = guest.machine.clock.monotonic;
      yield sys(EXIT_GROUP, 0);
    });
    let asleep = 0;
    let woken = 0;
    guest.process.credentials.capabilities.effective = (1n << 41n) - 1n;
    guest.words(0x1_0000, 0, 1_000_000);
    guest.words(0x1_0100, 1);
    runAll(guest.machine);
    expect(woken - asleep).toBe(1 + SYSCALL_NS + 1_000_000 + late);
  });

  test('exit_group ends all threads; the status of the leader counts when everybody leaves alone', () => {
    const leaves = scripted(function* () {
      yield thread(function* () {
        yield work(300);
        yield sys(EXIT, 5);
      });
      yield sys(EXIT, 3);
    });
    runAll(leaves.machine);
    expect(leaves.process.status).toEqual({ kind: 'exited', code: 3 });

    const group = scripted(function* () {
      yield thread(function* () {
        yield work(1_000_000);
      });
      yield sys(EXIT_GROUP, 9);
    });
    runAll(group.machine);
    expect(group.process.status).toEqual({ kind: 'exited', code: 9 });
    expect(group.machine.threads.size).toBe(0);
    expect(group.space.destroyed).toBe(true);
  });

  test('an unknown syscall answers ENOSYS', () => {
    let answer = 0;
    const guest = scripted(function* () {
      answer = yield sys(9999);
      yield sys(EXIT_GROUP, 0);
    });
    runAll(guest.machine);
    expect(answer).toBe(-38);
  });
});
