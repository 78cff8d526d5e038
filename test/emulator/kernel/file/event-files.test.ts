import { expect, test } from 'vitest';
import { EAGAIN, EBADF, ECANCELED, EFAULT, EINVAL } from '../../../../src/emulator/kernel/errno.js';
import { type Scripted, sys } from '../scripted.js';
import { AT, bytes, fork, i32, NONBLOCK, NR, OUT, play, results, sleep } from './play.js';

const SEMAPHORE = 1;
const ABSTIME = 1;
const CANCEL_ON_SET = 2;
const SECOND = 1_000_000_000;

/** struct itimerspec in ns. */
function timerspec(g: Scripted, at: number, value: number, interval = 0): number {
  const parts = (ns: number): number[] => [Math.floor(ns / SECOND), ns % SECOND];
  return g.words(at, ...parts(interval), ...parts(value));
}

test.each([
  { name: 'counts', flags: NONBLOCK, reads: [8, -EAGAIN], values: [7, 7] },
  { name: 'gives one at a time', flags: NONBLOCK | SEMAPHORE, reads: [8, 8], values: [1, 1] },
])('an eventfd $name', ({ flags, reads, values }) => {
  const seen = play(function* (g, log) {
    yield sys(NR.eventfd2, 3, flags);
    bytes(g, AT, 4, 0, 0, 0, 0, 0, 0, 0);
    log(yield sys(NR.write, 0, AT, 8));
    for (let i = 0; i < 2; i++) {
      log(yield sys(NR.read, 0, OUT, 8));
      log(g.space.readU64(OUT));
    }
  });
  expect(seen).toEqual([8, reads[0], values[0], reads[1], values[1]]);
});

test('an eventfd that is full makes its writer sleep', () => {
  const seen = play(function* (g, log) {
    yield sys(NR.eventfd2, 0, 0);
    g.words(AT, 0xffff_ffff_ffff_fffen, 1n, 0xffff_ffff_ffff_ffffn);
    log(yield sys(NR.write, 0, AT, 8));
    log(yield sys(NR.write, 0, AT + 16, 8));
    log(yield sys(NR.write, 0, AT, 4));
    log(yield sys(NR.read, 0, OUT, 4));
    yield fork(function* () {
      yield sleep(g, 500);
      yield sys(NR.read, 0, OUT, 8);
      yield sys(NR.exit, 0);
    });
    log(yield sys(NR.write, 0, AT + 8, 8));
    yield sys(NR.read, 0, OUT, 8);
    log(g.space.readU64(OUT));
  });
  expect(seen).toEqual([8, -EINVAL, -EINVAL, -EINVAL, 8, 1]);
});

test('a timerfd counts its expiries, and wakes its reader at the exact instant', () => {
  const seen = play(function* (g, log) {
    yield sys(NR.timerfd_create, 1, 0);
    const start = g.machine.clock.monotonic;
    log(yield sys(NR.timerfd_settime, 0, 0, timerspec(g, AT, 2 * SECOND, SECOND), 0));
    log(yield sys(NR.read, 0, OUT, 8));
    log([g.space.readU64(OUT), g.machine.clock.monotonic - start - 2 * SECOND < 10_000]);
    yield sleep(g, 3.5 * SECOND);
    yield sys(NR.timerfd_gettime, 0, OUT);
    log([g.space.readU64(OUT), (g.space.readU64(OUT + 24) as number) < SECOND / 2]);
    yield sys(NR.read, 0, OUT, 8);
    log(g.space.readU64(OUT));
    yield sys(NR.timerfd_settime, 0, 0, timerspec(g, AT, 0), OUT);
    log((g.space.readU64(OUT + 24) as number) > 0);
    yield sys(NR.timerfd_gettime, 0, OUT);
    log([g.space.readU64(OUT), g.space.readU64(OUT + 24)]);
  });
  expect(seen).toEqual([0, 8, [1, true], [1, true], 3, true, [0, 0]]);
});

test('an absolute timer on the wall clock is canceled when the clock is set', () => {
  const seen = play(function* (g, log) {
    g.process.credentials.capabilities.effective = (1n << 41n) - 1n;
    yield sys(NR.timerfd_create, 0, NONBLOCK);
    log(yield sys(NR.read, 0, OUT, 8));
    timerspec(g, AT, 0);
    g.words(AT + 16, 2_000_000_000, 0);
    yield sys(NR.timerfd_settime, 0, ABSTIME | CANCEL_ON_SET, AT, 0);
    yield sys(227, 0, g.words(OUT, 1_500_000_000, 0));
    log(yield sys(NR.read, 0, OUT, 8));
    log(yield sys(NR.read, 0, OUT, 8));
  });
  expect(seen).toEqual([-EAGAIN, -ECANCELED, -EAGAIN]);
});

test('refused', () => {
  expect(
    results((g) => [
      sys(NR.eventfd2, 0, 2),
      sys(NR.timerfd_create, 2, 0),
      sys(NR.timerfd_create, 1, 1),
      sys(NR.timerfd_settime, 9, 0, timerspec(g, AT, 1), 0),
      sys(NR.eventfd2, 0, 0),
      sys(NR.timerfd_settime, 0, 0, timerspec(g, AT, 1), 0),
      sys(NR.timerfd_settime, 0, 0, 8, 0),
      sys(NR.timerfd_settime, 0, 4, AT, 0),
      sys(NR.signalfd4, -1, AT, 4, 0),
      sys(NR.signalfd4, -1, 8, 8, 0),
      sys(NR.signalfd4, 0, AT, 8, 0),
      sys(NR.signalfd4, 9, AT, 8, 0),
    ]),
  ).toEqual([-EINVAL, -EINVAL, -EINVAL, -EBADF, 0, -EINVAL, -EFAULT, -EINVAL, -EINVAL, -EFAULT, -EINVAL, -EBADF]);
});

test('a signalfd reads the pending signals of its reader', () => {
  const USR1 = 10;
  const seen = play(function* (g, log) {
    g.words(AT, 1 << (USR1 - 1), 1 << (12 - 1));
    yield sys(NR.rt_sigprocmask, 0, g.words(AT + 32, (1 << 9) | (1 << 11)), 0, 8);
    log(yield sys(NR.signalfd4, -1, AT, 8, 0));
    const parent = g.process.pid;
    yield fork(function* () {
      yield sleep(g, 1000);
      yield sys(NR.kill, parent, USR1);
      yield sys(NR.exit, 0);
    });
    log(yield sys(NR.read, 0, OUT, 127));
    log(yield sys(NR.read, 0, OUT, 1000));
    log([i32(g, OUT), i32(g, OUT + 8), i32(g, OUT + 12) > parent, i32(g, OUT + 16)]);
    log(yield sys(NR.signalfd4, 0, AT + 8, 8, 0));
    yield sys(NR.kill, parent, 12);
    log(yield sys(NR.read, 0, OUT, 1000));
    log(i32(g, OUT));
  });
  expect(seen).toEqual([0, -EINVAL, 128, [10, 0, true, 1000], 0, 128, 12]);
});
