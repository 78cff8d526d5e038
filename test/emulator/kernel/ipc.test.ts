import { describe, expect, test } from 'vitest';
import { type Program, runAll, type Scripted, scripted, sys, work } from './scripted.js';

const NR = {
  fork: 57,
  wait4: 61,
  kill: 62,
  semget: 64,
  semop: 65,
  semctl: 66,
  msgget: 68,
  msgsnd: 69,
  msgrcv: 70,
  msgctl: 71,
  semtimedop: 220,
  exitGroup: 231,
} as const;
const CREAT = 0o1000;
const EXCL = 0o2000;
const NOWAIT = 0o4000;
const UNDO = 0x1000;
const [SETVAL, GETVAL, GETPID, GETNCNT, GETZCNT, RMID, STAT] = [16, 12, 11, 14, 15, 0, 2];
const AT = 0x1_8000;

type Log = (entry: unknown) => void;

function play(make: (guest: Scripted, log: Log) => Program): unknown[] {
  const seen: unknown[] = [];
  const guest: Scripted = scripted(function* () {
    yield* make(guest, (entry) => seen.push(entry))();
  });
  runAll(guest.machine);
  return seen;
}

/** struct sembuf at an address: one word each, six bytes apart. */
function operations(
  guest: Scripted,
  at: number,
  ...list: readonly (readonly [index: number, amount: number, flags: number])[]
): number {
  list.forEach(([index, amount, flags], i) => {
    const bytes = new Uint8Array(6);
    const view = new DataView(bytes.buffer);
    view.setUint16(0, index, true);
    view.setInt16(2, amount, true);
    view.setUint16(4, flags, true);
    guest.space.writeBytes(at + 6 * i, bytes);
  });
  return at;
}

describe('keys and ids', () => {
  test('IPC_CREAT, IPC_EXCL, removal and reuse', () => {
    const seen = play((_guest, log) => {
      return function* () {
        log(yield sys(NR.semget, 77, 1, 0));
        const first = yield sys(NR.semget, 77, 2, CREAT | 0o600);
        log(first === (yield sys(NR.semget, 77, 0, 0)));
        log(yield sys(NR.semget, 77, 3, 0));
        log(yield sys(NR.semget, 77, 1, CREAT | EXCL));
        log(yield sys(NR.semctl, first, 0, RMID, 0));
        const second = yield sys(NR.semget, 77, 2, CREAT | 0o600);
        log(second !== first);
        log(yield sys(NR.semctl, first, 0, GETVAL, 0));
        yield sys(NR.exitGroup, 0);
      };
    });
    expect(seen).toEqual([-2, true, -22, -17, 0, true, -43]);
  });
});

describe('semaphores', () => {
  test('operations happen all together or not at all', () => {
    const seen = play((g, log) => {
      return function* () {
        const id = yield sys(NR.semget, 0, 2, CREAT | 0o600);
        yield sys(NR.semctl, id, 0, SETVAL, 3);
        log(yield sys(NR.semop, id, operations(g, AT, [0, -2, NOWAIT], [1, -1, NOWAIT]), 2));
        log(yield sys(NR.semctl, id, 0, GETVAL, 0));
        log(yield sys(NR.semop, id, operations(g, AT, [0, -2, NOWAIT], [1, 5, 0]), 2));
        log([yield sys(NR.semctl, id, 0, GETVAL, 0), yield sys(NR.semctl, id, 1, GETVAL, 0)]);
        log((yield sys(NR.semctl, id, 1, GETPID, 0)) === g.process.pid);
        log(yield sys(NR.semop, id, operations(g, AT, [7, 1, 0]), 1));
        log(yield sys(NR.semop, id, operations(g, AT, [0, 32_767, 0]), 1));
        yield sys(NR.exitGroup, 0);
      };
    });
    expect(seen).toEqual([-11, 3, 0, [1, 5], true, -27, -34]);
  });

  test('a sleeper is counted, woken by another process, and told when the set goes', () => {
    const seen = play((g, log) => {
      return function* () {
        operations(g, AT, [0, -1, 0]);
        const id = yield sys(NR.semget, 0, 1, CREAT | 0o600);
        yield {
          call: NR.fork,
          child: function* () {
            log(['first', yield sys(NR.semop, id, AT, 1)]);
            log(['second', yield sys(NR.semop, id, AT, 1)]);
            yield sys(NR.exitGroup, 0);
          },
        };
        yield work(1000);
        log([yield sys(NR.semctl, id, 0, GETNCNT, 0), yield sys(NR.semctl, id, 0, GETZCNT, 0)]);
        yield sys(NR.semop, id, operations(g, AT + 64, [0, 1, 0]), 1);
        yield work(1000);
        yield sys(NR.semctl, id, 0, RMID, 0);
        yield sys(NR.wait4, -1, 0, 0, 0);
        yield sys(NR.exitGroup, 0);
      };
    });
    expect(seen).toEqual([
      [1, 0],
      ['first', 0],
      ['second', -43],
    ]);
  });

  test('semtimedop gives up at its time', () => {
    const seen = play((g, log) => {
      g.words(AT + 64, 2, 0);
      return function* () {
        const id = yield sys(NR.semget, 0, 1, CREAT | 0o600);
        log(yield sys(NR.semtimedop, id, operations(g, AT, [0, -1, 0]), 1, AT + 64));
        log(Math.round(g.machine.clock.monotonic / 1e9));
        yield sys(NR.exitGroup, 0);
      };
    });
    expect(seen).toEqual([-11, 2]);
  });

  test('SEM_UNDO gives back what a dead process had taken', () => {
    const seen = play((g, log) => {
      return function* () {
        const id = yield sys(NR.semget, 0, 1, CREAT | 0o600);
        yield sys(NR.semctl, id, 0, SETVAL, 4);
        operations(g, AT, [0, -3, UNDO]);
        const child = yield {
          call: NR.fork,
          child: function* () {
            yield sys(NR.semop, id, AT, 1);
            yield sys(34);
          },
        };
        yield work(1000);
        log(yield sys(NR.semctl, id, 0, GETVAL, 0));
        yield sys(NR.kill, child, 9);
        yield sys(NR.wait4, child, 0, 0, 0);
        log(yield sys(NR.semctl, id, 0, GETVAL, 0));
        yield sys(NR.exitGroup, 0);
      };
    });
    expect(seen).toEqual([1, 4]);
  });
});

describe('message queues', () => {
  test.each([
    { name: 'the first', type: 0, flags: 0, order: [3, 1, 2, 1] },
    { name: 'one type', type: 1, flags: NOWAIT, order: [1, 1, -42] },
    { name: 'any but one type', type: 1, flags: 0o20_000 | NOWAIT, order: [3, 2, -42] },
    { name: 'the lowest up to a type', type: -2, flags: NOWAIT, order: [1, 1, 2, -42] },
  ])('receive $name', ({ type, flags, order }) => {
    const seen = play((g, log) => {
      return function* () {
        const id = yield sys(NR.msgget, 0, CREAT | 0o600);
        for (const kind of [3, 1, 2, 1]) yield sys(NR.msgsnd, id, g.words(AT, kind, 0x4142), 8, 0);
        for (const expected of order) {
          const got = yield sys(NR.msgrcv, id, AT + 64, 16, type, flags);
          log(expected < 0 ? got : got === 8 ? g.space.readU64(AT + 64) : got);
        }
        yield sys(NR.exitGroup, 0);
      };
    });
    expect(seen).toEqual(order);
  });

  test('too long a message is E2BIG and stays, or is cut with MSG_NOERROR', () => {
    const seen = play((g, log) => {
      return function* () {
        const id = yield sys(NR.msgget, 0, CREAT | 0o600);
        yield sys(NR.msgsnd, id, g.words(AT, 1, 0x1122_3344), 8, 0);
        log(yield sys(NR.msgrcv, id, AT + 64, 4, 0, 0));
        log(yield sys(NR.msgrcv, id, AT + 64, 4, 0, 0o10_000));
        log(g.space.readU32(AT + 72));
        log(yield sys(NR.msgsnd, id, g.words(AT, 0), 0, 0));
        yield sys(NR.exitGroup, 0);
      };
    });
    expect(seen).toEqual([-7, 4, 0x1122_3344, -22]);
  });

  test('a full queue makes the sender wait, an empty one the receiver', () => {
    const seen = play((g, log) => {
      return function* () {
        g.words(AT, 1);
        const id = yield sys(NR.msgget, 0, CREAT | 0o600);
        yield {
          call: NR.fork,
          child: function* () {
            for (let i = 0; i < 3; i++) log(['sent', yield sys(NR.msgsnd, id, AT, 8000, 0)]);
            yield sys(NR.exitGroup, 0);
          },
        };
        yield work(1000);
        log(yield sys(NR.msgctl, id, STAT, AT + 64));
        log(['in the queue', g.space.readU64(AT + 64 + 48 + 32)]);
        for (let i = 0; i < 3; i++) log(['received', yield sys(NR.msgrcv, id, AT, 8000, 0, 0)]);
        yield sys(NR.wait4, -1, 0, 0, 0);
        yield sys(NR.exitGroup, 0);
      };
    });
    expect(seen.filter((entry) => Array.isArray(entry) && entry[0] === 'sent')).toEqual([
      ['sent', 0],
      ['sent', 0],
      ['sent', 0],
    ]);
    expect(seen).toContainEqual(['in the queue', 2]);
    expect(seen.filter((entry) => Array.isArray(entry) && entry[0] === 'received')).toEqual(
      Array(3).fill(['received', 8000]),
    );
  });
});
