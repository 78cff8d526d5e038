import { describe, expect, test } from 'vitest';
import { type Program, runAll, type Scripted, scripted, sys, work } from './scripted.js';

const NR = { clone: 56, fork: 57, exit: 60, wait4: 61, futex: 202, exitGroup: 231, setRobustList: 273 } as const;
const OP = {
  WAIT: 0,
  WAKE: 1,
  REQUEUE: 3,
  CMP_REQUEUE: 4,
  WAKE_OP: 5,
  LOCK_PI: 6,
  UNLOCK_PI: 7,
  TRYLOCK_PI: 8,
  WAIT_BITSET: 9,
  WAKE_BITSET: 10,
} as const;
const PRIVATE = 128;
const REALTIME = 256;
const [A, B] = [0x1_8000, 0x1_8040];
const TIME = 0x1_8100;
const SHARED = 0x2_8800;
const THREAD = 0x5_0f00;

type Log = (entry: unknown) => void;

function play(make: (guest: Scripted, log: Log) => Program): { seen: unknown[]; guest: Scripted } {
  const seen: unknown[] = [];
  const guest: Scripted = scripted(function* () {
    yield* make(guest, (entry) => seen.push(entry))();
  });
  runAll(guest.machine);
  return { seen, guest };
}

function thread(child: Program) {
  return { call: NR.clone, args: [THREAD, 0x2_4000], child };
}

/** A thread that sleeps on a futex and tells who it is when it was woken. */
function sleeper(log: Log, name: string, at: number, ...more: number[]): Program {
  return function* () {
    const result = yield sys(NR.futex, at, ...(more.length > 0 ? more : [OP.WAIT, 0, 0, 0, 0]));
    log(`${name} ${result}`);
    yield sys(NR.exit, 0);
  };
}

describe('futex', () => {
  test('wakes as many as asked, in order of arrival', () => {
    const { seen } = play((_guest, log) => {
      return function* () {
        for (const name of ['x', 'y', 'z']) yield thread(sleeper(log, name, A));
        yield work(1000);
        log(yield sys(NR.futex, A, OP.WAKE, 2));
        yield work(1000);
        log(yield sys(NR.futex, A, OP.WAKE, 9));
        yield work(1000);
        log(yield sys(NR.futex, A, OP.WAKE, 9));
        yield sys(NR.exitGroup, 0);
      };
    });
    expect(seen).toEqual([2, 'x 0', 'y 0', 1, 'z 0', 0]);
  });

  test('WAIT answers at once when the word has another value, or is not there', () => {
    const { seen } = play((_guest, log) => {
      return function* () {
        log(yield sys(NR.futex, A, OP.WAIT, 5, 0));
        log(yield sys(NR.futex, 0x10, OP.WAIT, 5, 0));
        log(yield sys(NR.futex, A + 1, OP.WAIT, 0, 0));
        log(yield sys(NR.futex, A, OP.WAIT_BITSET, 0, 0, 0, 0));
        log(yield sys(NR.futex, A, OP.WAIT | REALTIME, 0, 0));
        log(yield sys(NR.futex, A, 11, 0, 0));
        yield sys(NR.exitGroup, 0);
      };
    });
    expect(seen).toEqual([-11, -14, -22, -22, -38, -38]);
  });

  test.each([
    { name: 'relative', op: OP.WAIT, seconds: 3, until: 3 },
    { name: 'absolute monotonic', op: OP.WAIT_BITSET, seconds: 4, until: 4 },
    { name: 'absolute on the wall clock', op: OP.WAIT_BITSET | REALTIME, seconds: 1_000_000_005, until: 5 },
  ])('a $name timeout', ({ op, seconds, until }) => {
    const { seen } = play((guest, log) => {
      guest.words(TIME, seconds, 0);
      return function* () {
        log(yield sys(NR.futex, A, op, 0, TIME, 0, 0xffff_ffff));
        log(Math.round(guest.machine.clock.monotonic / 1e9));
        yield sys(NR.exitGroup, 0);
      };
    });
    expect(seen).toEqual([-110, until]);
  });

  test('bitsets choose who is woken', () => {
    const { seen } = play((_guest, log) => {
      return function* () {
        yield thread(sleeper(log, 'one', A, OP.WAIT_BITSET, 0, 0, 0, 1));
        yield thread(sleeper(log, 'two', A, OP.WAIT_BITSET, 0, 0, 0, 2));
        yield work(1000);
        log(yield sys(NR.futex, A, OP.WAKE_BITSET, 9, 0, 0, 2));
        yield work(1000);
        yield sys(NR.exitGroup, 0);
      };
    });
    expect(seen).toEqual([1, 'two 0']);
  });

  test('requeue wakes some, moves others, and only with the expected value', () => {
    const { seen } = play((_guest, log) => {
      return function* () {
        for (const name of ['x', 'y', 'z']) yield thread(sleeper(log, name, A));
        yield work(1000);
        log(yield sys(NR.futex, A, OP.CMP_REQUEUE, 1, 9, B, 7));
        log(yield sys(NR.futex, A, OP.CMP_REQUEUE, 1, 1, B, 0));
        yield work(1000);
        log(yield sys(NR.futex, B, OP.WAKE, 9));
        yield work(1000);
        log(yield sys(NR.futex, A, OP.WAKE, 9));
        yield work(1000);
        yield sys(NR.exitGroup, 0);
      };
    });
    expect(seen).toEqual([-11, 2, 'x 0', 1, 'y 0', 1, 'z 0']);
  });

  test.each([
    { name: 'add and compare less', encoded: (1 << 28) | (2 << 24) | (3 << 12) | 10, value: 3, woken: 2 },
    { name: 'set and a comparison that fails', encoded: (0 << 28) | (0 << 24) | (9 << 12) | 1, value: 9, woken: 1 },
    { name: 'or a shifted bit', encoded: ((8 | 2) << 28) | (1 << 24) | (4 << 12) | 5, value: 16, woken: 2 },
  ])('WAKE_OP: $name', ({ encoded, value, woken }) => {
    const { seen } = play((guest, log) => {
      return function* () {
        yield thread(sleeper(() => undefined, 'x', A));
        yield thread(sleeper(() => undefined, 'y', B));
        yield work(1000);
        log(yield sys(NR.futex, A, OP.WAKE_OP, 1, 1, B, encoded >>> 0));
        log(guest.space.readU32(B));
        yield sys(NR.exitGroup, 0);
      };
    });
    expect(seen).toEqual([woken, value]);
  });

  test.each([
    { name: 'shared memory, shared futex', at: SHARED, flag: 0, woken: 1 },
    { name: 'shared memory, private futex', at: SHARED, flag: PRIVATE, woken: 0 },
    { name: 'private memory', at: A, flag: 0, woken: 0 },
  ])('between processes: $name', ({ at, flag, woken }) => {
    const { seen } = play((_guest, log) => {
      return function* () {
        const child = yield { call: NR.fork, child: sleeper(() => undefined, 'child', at, OP.WAIT | flag, 0, 0, 0, 0) };
        yield work(1000);
        log(yield sys(NR.futex, at, OP.WAKE | flag, 1));
        yield sys(62, child, 9);
        yield sys(NR.exitGroup, 0);
      };
    });
    expect(seen).toEqual([woken]);
  });
});

describe('PI futexes', () => {
  test('are handed over in order, by their owner only', () => {
    const { seen, guest } = play((g, log) => {
      function locker(name: string): Program {
        return function* () {
          log(`${name} ${yield sys(NR.futex, A, OP.LOCK_PI, 0, 0)}`);
          const word = g.space.readU32(A) ?? 0;
          log(`${name} owns ${(word & 0x3fff_ffff) - 1000}${word >>> 31 ? ' with waiters' : ''}`);
          log(`${name} ${yield sys(NR.futex, A, OP.UNLOCK_PI)}`);
          yield sys(NR.exit, 0);
        };
      }
      return function* () {
        log(yield sys(NR.futex, A, OP.LOCK_PI, 0, 0));
        log(yield sys(NR.futex, A, OP.LOCK_PI, 0, 0));
        yield thread(locker('x'));
        yield thread(locker('y'));
        yield work(1000);
        yield thread(function* () {
          log(yield sys(NR.futex, A, OP.TRYLOCK_PI));
          log(yield sys(NR.futex, A, OP.UNLOCK_PI));
          yield sys(NR.exit, 0);
        });
        yield work(1000);
        log(yield sys(NR.futex, A, OP.UNLOCK_PI));
        yield work(1000);
        yield sys(NR.exitGroup, 0);
      };
    });
    expect(seen).toEqual([
      0,
      -35,
      -11,
      -1,
      0,
      'x 0',
      'x owns 2 with waiters',
      'x 0',
      'y 0',
      'y owns 3 with waiters',
      'y 0',
    ]);
    expect(guest.space.readU32(A)).toBe(0);
  });

  test('a timeout is on the wall clock', () => {
    const { seen } = play((guest, log) => {
      guest.words(TIME, 1_000_000_002, 0);
      return function* () {
        yield sys(NR.futex, A, OP.LOCK_PI, 0, 0);
        yield thread(function* () {
          log(yield sys(NR.futex, A, OP.LOCK_PI, 0, TIME));
          log(Math.round(guest.machine.clock.monotonic / 1e9));
          yield sys(NR.exitGroup, 0);
        });
        yield sys(34);
      };
    });
    expect(seen).toEqual([-110, 2]);
  });

  test('a dead owner hands over, marked', () => {
    const { seen } = play((guest, log) => {
      return function* () {
        yield thread(function* () {
          yield sys(NR.futex, A, OP.LOCK_PI, 0, 0);
          yield work(2000);
          yield sys(NR.exit, 0);
        });
        yield work(500);
        log(yield sys(NR.futex, A, OP.LOCK_PI, 0, 0));
        log((guest.space.readU32(A) ?? 0).toString(16));
        yield sys(NR.exitGroup, 0);
      };
    });
    expect(seen).toEqual([0, (0xc000_0000 + 1001).toString(16)]);
  });
});

describe('robust list', () => {
  test.each([32, -32])(
    'a dying thread marks what it holds and wakes one waiter; what others hold stays: words at %i of the entries',
    (offset) => {
      const { seen, guest } = play((g, log) => {
        const head = 0x1_8200;
        const [first, second] = [0x1_8300, 0x1_8400];
        g.words(head, first, offset, 0);
        g.words(first, second);
        g.words(second, head);
        return function* () {
          yield thread(function* () {
            const tid = yield sys(186);
            g.space.writeU32(first + offset, (tid | 0x8000_0000) >>> 0);
            g.space.writeU32(second + offset, 4242);
            log(yield sys(NR.setRobustList, head, 24));
            yield work(2000);
            yield sys(NR.exit, 0);
          });
          yield work(500);
          const word = g.space.readU32(first + offset) ?? 0;
          log(yield sys(NR.futex, first + offset, OP.WAIT, word, 0));
          log((g.space.readU32(first + offset) ?? 0).toString(16));
          log(g.space.readU32(second + offset));
          yield sys(NR.exitGroup, 0);
        };
      });
      expect(seen).toEqual([0, 0, 'c0000000', 4242]);
      expect(guest.process.status).toEqual({ kind: 'exited', code: 0 });
    },
  );

  test('a circular list does not hang the kernel', () => {
    const { guest } = play((g) => {
      const head = 0x1_8200;
      g.words(head, 0x1_8300, 32, 0);
      g.words(0x1_8300, 0x1_8300);
      return function* () {
        yield sys(NR.setRobustList, head, 24);
        yield sys(NR.exitGroup, 1);
      };
    });
    expect(guest.process.status).toEqual({ kind: 'exited', code: 1 });
  });

  test('CLONE_CHILD_CLEARTID clears the word and wakes the joiner', () => {
    const { seen } = play((guest, log) => {
      return function* () {
        const tid = yield {
          call: NR.clone,
          args: [THREAD | 0x20_0000 | 0x10_0000, 0x2_4000, B, A],
          child: function* () {
            yield work(500);
            yield sys(NR.exit, 0);
          },
        };
        log(guest.space.readU32(B) === tid);
        guest.space.writeU32(A, tid);
        log(yield sys(NR.futex, A, OP.WAIT, tid, 0));
        log(guest.space.readU32(A));
        yield sys(NR.exitGroup, 0);
      };
    });
    expect(seen).toEqual([true, 0, 0]);
  });
});
