import { expect, test } from 'vitest';
import { EBADF, EEXIST, EFAULT, EINTR, EINVAL, ELOOP, ENOENT } from '../../../../src/emulator/kernel/errno.js';
import { EPOLL } from '../../../../src/emulator/kernel/file/epoll-file.js';
import { POLL } from '../../../../src/emulator/kernel/file/open-file.js';
import { type Scripted, type Step, sys, work } from '../scripted.js';
import { AT, fork, NR, OUT, play, results, type Script, sleep } from './play.js';

const { IN, OUT: WRITE, HUP } = POLL;
const ADD = 1;
const DEL = 2;
const MOD = 3;
const EVENT = 0x1_2000;
const SECOND = 1_000_000_000;

/** epoll_ctl with the descriptor as data. */
function ctl(g: Scripted, epoll: number, operation: number, fd: number, events: number, data = fd): Step {
  g.space.writeU32(EVENT, events >>> 0);
  g.space.writeU64(EVENT + 4, data);
  return sys(NR.epoll_ctl, epoll, operation, fd, EVENT);
}

/** [data, events] of what epoll_wait wrote. */
function events(g: Scripted, count: number): (readonly [number, number])[] {
  return Array.from({ length: Math.max(0, count) }, (_, i) => {
    const at = OUT + 12 * i;
    return [g.space.readU64(at + 4) as number, g.space.readU32(at) as number] as const;
  });
}

/** epoll_wait that does not wait. */
function* now(g: Scripted, epoll: number): Generator<Step, (readonly [number, number])[], number> {
  return events(g, yield sys(NR.epoll_wait, epoll, OUT, 10, 0));
}

/** Descriptor 0: epoll; 1, 2: a pipe. */
function withPipe(script: Script): unknown[] {
  return play(function* (g, log) {
    yield sys(NR.epoll_create1, 0);
    yield sys(NR.pipe, AT);
    yield* script(g, log);
  });
}

test('level-triggered: told as long as it holds', () => {
  const seen = withPipe(function* (g, log) {
    yield ctl(g, 0, ADD, 1, IN);
    yield ctl(g, 0, ADD, 2, WRITE, 77);
    log(yield* now(g, 0));
    yield sys(NR.write, 2, AT, 1);
    log(yield* now(g, 0));
    log(yield* now(g, 0));
    yield sys(NR.read, 1, AT, 1);
    log(yield* now(g, 0));
  });
  expect(seen).toEqual([
    [[77, WRITE]],
    [
      [77, WRITE],
      [1, IN],
    ],
    [
      [77, WRITE],
      [1, IN],
    ],
    [[77, WRITE]],
  ]);
});

test('edge-triggered: told once for each wake, and only for a wake that is about it', () => {
  const seen = withPipe(function* (g, log) {
    yield ctl(g, 0, ADD, 1, IN | EPOLL.ET);
    yield ctl(g, 0, ADD, 2, WRITE | EPOLL.ET);
    log(yield* now(g, 0));
    yield sys(NR.write, 2, AT, 2);
    log(yield* now(g, 0));
    log(yield* now(g, 0));
    yield sys(NR.write, 2, AT, 1);
    log(yield* now(g, 0));
    yield ctl(g, 0, MOD, 1, IN | EPOLL.ET, 5);
    log(yield* now(g, 0));
  });
  expect(seen).toEqual([[[2, WRITE]], [[1, IN]], [], [[1, IN]], [[5, IN]]]);
});

test('one shot: told once until it is armed again', () => {
  const seen = withPipe(function* (g, log) {
    yield ctl(g, 0, ADD, 1, IN | EPOLL.ONESHOT);
    yield sys(NR.write, 2, AT, 1);
    log(yield* now(g, 0));
    yield sys(NR.write, 2, AT, 1);
    log(yield* now(g, 0));
    yield ctl(g, 0, MOD, 1, IN | EPOLL.ONESHOT);
    log(yield* now(g, 0));
  });
  expect(seen).toEqual([[[1, IN]], [], [[1, IN]]]);
});

test('ready files take turns when there is room for one only', () => {
  const seen = play(function* (g, log) {
    yield sys(NR.epoll_create1, 0);
    for (let fd = 1; fd <= 3; fd++) {
      yield sys(NR.eventfd2, 1, 0);
      yield ctl(g, 0, ADD, fd, IN);
    }
    for (let i = 0; i < 4; i++) log(events(g, yield sys(NR.epoll_wait, 0, OUT, 1, 0)));
  });
  expect(seen).toEqual([[[1, IN]], [[2, IN]], [[3, IN]], [[1, IN]]]);
});

test('an interest ends with the file, not with the descriptor', () => {
  const seen = withPipe(function* (g, log) {
    yield ctl(g, 0, ADD, 1, IN);
    yield sys(NR.write, 2, AT, 1);
    yield sys(NR.dup, 1);
    yield sys(NR.close, 1);
    log(yield* now(g, 0));
    log(yield ctl(g, 0, DEL, 1, 0));
    yield sys(NR.close, 3);
    log(yield* now(g, 0));
  });
  expect(seen).toEqual([[[1, IN]], -EBADF, []]);
});

test('sleeps until woken, until its time is over, until a signal comes', () => {
  const seen = withPipe(function* (g, log) {
    const nothing = function* () {
      yield work(1);
    };
    yield ctl(g, 0, ADD, 1, IN);
    const start = g.machine.clock.monotonic;
    const ms = () => Math.floor((g.machine.clock.monotonic - start) / 1e6);
    log(yield sys(NR.epoll_wait, 0, OUT, 5, 100));
    log(ms());
    log(yield sys(NR.epoll_pwait2, 0, OUT, 5, g.words(AT + 64, 1, 0), 0, 8));
    log(ms());
    yield sys(NR.rt_sigaction, 14, g.action(nothing, 0x1000_0000), 0, 8);
    yield sys(NR.alarm, 1);
    log(yield sys(NR.epoll_pwait, 0, OUT, 5, -1, 0, 8));
    yield fork(function* () {
      yield sleep(g, SECOND);
      yield sys(NR.close, 2);
      yield sys(NR.exit, 0);
    });
    yield sys(NR.close, 2);
    log(events(g, yield sys(NR.epoll_wait, 0, OUT, 5, -1)));
    log(ms());
  });
  expect(seen).toEqual([0, 100, 0, 1100, -EINTR, [[1, HUP]], 3100]);
});

test('an instance inside an instance', () => {
  const seen = play(function* (g, log) {
    for (let i = 0; i < 2; i++) yield sys(NR.epoll_create1, 0);
    yield sys(NR.eventfd2, 0, 0);
    yield ctl(g, 1, ADD, 2, IN);
    yield ctl(g, 0, ADD, 1, IN);
    log(yield* now(g, 0));
    yield fork(function* () {
      yield sleep(g, SECOND);
      g.words(0x2_8000, 1);
      yield sys(NR.write, 2, 0x2_8000, 8);
      yield sys(NR.exit, 0);
    });
    log(events(g, yield sys(NR.epoll_wait, 0, OUT, 5, -1)));
    log(yield ctl(g, 1, ADD, 0, IN));
    yield sys(NR.read, 2, OUT, 8);
    log(yield* now(g, 0));
  });
  expect(seen).toEqual([[], [[1, IN]], -ELOOP, []]);
});

test('of exclusive sleepers one is woken, of shared ones all', () => {
  for (const [flag, woken] of [
    [EPOLL.EXCLUSIVE, 1],
    [0, 2],
  ] as const) {
    const seen = play(function* (g, log) {
      yield sys(NR.pipe, AT);
      for (let i = 0; i < 2; i++) {
        yield fork(function* () {
          const epoll = yield sys(NR.epoll_create1, 0);
          // The child's own memory is a copy: the event lies where all see it.
          g.space.writeU32(0x2_8000, (IN | flag) >>> 0);
          yield sys(NR.epoll_ctl, epoll, ADD, 0, 0x2_8000);
          log(yield sys(NR.epoll_wait, epoll, 0x2_9000, 5, 3000));
          yield sys(NR.exit, 0);
        });
      }
      yield sleep(g, SECOND);
      yield sys(NR.write, 1, AT, 1);
      yield sleep(g, 5 * SECOND);
    });
    expect(seen.filter((count) => count === 1).length).toBe(woken);
    expect(seen.length).toBe(2);
  }
});

test('a timerfd and a signalfd wake', () => {
  const seen = play(function* (g, log) {
    yield sys(NR.epoll_create1, 0);
    yield sys(NR.timerfd_create, 1, 0);
    yield sys(NR.rt_sigprocmask, 0, g.words(AT, 1 << 13), 0, 8);
    yield sys(NR.signalfd4, -1, AT, 8, 0);
    for (const fd of [1, 2]) yield ctl(g, 0, ADD, fd, IN | EPOLL.ET);
    yield sys(NR.timerfd_settime, 1, 0, g.words(AT, 0, 0, 3, 0), 0);
    yield sys(NR.alarm, 1);
    log(events(g, yield sys(NR.epoll_wait, 0, OUT, 5, -1)));
    log(events(g, yield sys(NR.epoll_wait, 0, OUT, 5, -1)));
    log(Math.floor(g.machine.clock.monotonic / SECOND));
  });
  expect(seen).toEqual([[[2, IN]], [[1, IN]], 3]);
});

test('refused', () => {
  expect(
    results((g) => [
      sys(NR.epoll_create1, 1),
      sys(213, 0),
      sys(NR.epoll_create1, 0),
      sys(NR.pipe, AT),
      sys(NR.epoll_ctl, 0, ADD, 1, 8),
      ctl(g, 0, ADD, 9, IN),
      ctl(g, 0, ADD, 0, IN),
      ctl(g, 1, ADD, 2, IN),
      ctl(g, 0, 4, 1, IN),
      ctl(g, 0, MOD, 1, IN),
      ctl(g, 0, DEL, 1, IN),
      ctl(g, 0, ADD, 1, IN),
      ctl(g, 0, ADD, 1, IN),
      sys(NR.epoll_wait, 0, OUT, 0, 0),
      sys(NR.epoll_wait, 1, OUT, 1, 0),
      sys(NR.epoll_wait, 9, OUT, 1, 0),
      sys(NR.epoll_pwait, 0, OUT, 1, 0, AT, 4),
      sys(NR.close, 2),
      sys(NR.epoll_wait, 0, 8, 1, 0),
    ]),
  ).toEqual([
    -EINVAL, -EINVAL, 0, 0, -EFAULT, -EBADF, -EINVAL, -EINVAL, -EINVAL, -ENOENT, -ENOENT, 0, -EEXIST, -EINVAL, -EINVAL, -EBADF, -EINVAL, 0, -EFAULT,
  ]); // biome-ignore format: a row of errnos
});
