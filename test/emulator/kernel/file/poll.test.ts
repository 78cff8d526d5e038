import { expect, test } from 'vitest';
import { EBADF, EFAULT, EINTR, EINVAL } from '../../../../src/emulator/kernel/errno.js';
import { POLL } from '../../../../src/emulator/kernel/file/open-file.js';
import { type Scripted, sys, work } from '../scripted.js';
import { AT, fork, NR, OUT, play, pollfds, results, revents, sleep } from './play.js';

const SECOND = 1_000_000_000;
const SA_RESTART = 0x1000_0000;
const { IN, OUT: WRITE, HUP, ERR, NVAL, RDNORM, WRNORM } = POLL;
const FDS = 0x1_2000;
const ALRM = 14;
const nothing = function* () {
  yield work(1);
};

/** Sets of 64 descriptors. */
function sets(g: Scripted, ...words: number[]): void {
  g.words(FDS, ...words);
}

const onePollfd = (g: Scripted): number => pollfds(g, FDS, [0, IN]);

test('poll tells what is ready, what is wrong, and nothing of negative descriptors', () => {
  const seen = play(function* (g, log) {
    yield sys(NR.pipe, AT);
    log(yield sys(NR.poll, pollfds(g, FDS, [0, IN], [1, IN | WRITE | WRNORM], [-1, IN], [9, IN]), 4, -1));
    log(revents(g, FDS, 4));
    yield sys(NR.write, 1, AT, 1);
    log(yield sys(NR.poll, pollfds(g, FDS, [0, IN | RDNORM], [1, 0]), 2, -1));
    log(revents(g, FDS, 2));
    yield sys(NR.close, 1);
    log(yield sys(NR.poll, pollfds(g, FDS, [0, 0]), 1, -1));
    log(revents(g, FDS, 1));
    yield sys(NR.pipe, AT);
    yield sys(NR.close, 1);
    log(yield sys(NR.poll, pollfds(g, FDS, [2, 0]), 1, -1));
    log(revents(g, FDS, 1));
  });
  expect(seen).toEqual([2, [0, WRITE | WRNORM, 0, NVAL], 1, [IN | RDNORM, 0], 1, [HUP], 1, [ERR]]);
});

test('poll sleeps until a file changes or its time is over', () => {
  const seen = play(function* (g, log) {
    yield sys(NR.pipe, AT);
    const start = g.machine.clock.monotonic;
    log(yield sys(NR.poll, pollfds(g, FDS, [0, IN]), 1, 250));
    log(Math.floor((g.machine.clock.monotonic - start) / 1e6));
    log(yield sys(NR.poll, 0, 0, 0));
    yield fork(function* () {
      yield sleep(g, SECOND);
      yield sys(NR.write, 1, AT, 1);
      yield sys(NR.exit, 0);
    });
    log(yield sys(NR.poll, pollfds(g, FDS, [0, IN]), 1, -1));
    log(Math.floor((g.machine.clock.monotonic - start) / 1e6));
  });
  expect(seen).toEqual([0, 250, 0, 1, 1250]);
});

test.each([
  { name: 'poll', prepare: onePollfd, call: () => sys(NR.poll, FDS, 1, 5000) },
  {
    name: 'select',
    prepare: (g: Scripted) => sets(g, 1),
    call: (g: Scripted) => sys(NR.select, 1, FDS, 0, 0, g.words(OUT, 5, 0)),
  },
  { name: 'ppoll', prepare: onePollfd, call: (g: Scripted) => sys(NR.ppoll, FDS, 1, g.words(OUT, 5, 0), 0, 8) },
])('$name is not restarted after a handler, whatever SA_RESTART says', ({ prepare, call }) => {
  const seen = play(function* (g, log) {
    yield sys(NR.rt_sigaction, ALRM, g.action(nothing, SA_RESTART), 0, 8);
    yield sys(NR.pipe, AT);
    prepare(g);
    yield sys(NR.alarm, 2);
    log(yield call(g));
  });
  expect(seen).toEqual([-EINTR]);
});

test('select, pselect and ppoll write back what is left of their time, poll-like calls do not wait for a zero limit', () => {
  const seen = play(function* (g, log) {
    yield sys(NR.pipe, AT);
    yield fork(function* () {
      yield sleep(g, SECOND);
      yield sys(NR.write, 1, AT, 3);
      yield sys(NR.exit, 0);
    });
    sets(g, 1, 0, 0);
    log(yield sys(NR.select, 1, FDS, 0, 0, g.words(OUT, 3, 2_500_000)));
    log([g.space.readU64(OUT), Math.round((g.space.readU64(OUT + 8) as number) / 1e5)]);
    log(yield sys(NR.pselect6, 1, FDS, 0, 0, g.words(OUT, 3, 0), 0));
    log([g.space.readU64(OUT), Math.round((g.space.readU64(OUT + 8) as number) / 1e8)]);
    yield sys(NR.read, 0, AT, 10);
    log(yield sys(NR.ppoll, pollfds(g, FDS, [0, IN]), 1, g.words(OUT, 0, 7), 0, 8));
    log(g.space.readU64(OUT + 8));
    log(yield sys(NR.ppoll, FDS, 1, g.words(OUT, 0, 0), 0, 8));
  });
  expect(seen).toEqual([1, [4, 5], 1, [3, 0], 0, 0, 0]);
});

test('select answers with sets', () => {
  const seen = play(function* (g, log) {
    yield sys(NR.pipe, AT);
    sets(g, 0b11, 0b11, 0b11);
    log(yield sys(NR.select, 2, FDS, FDS + 8, FDS + 16, 0));
    log([g.space.readU64(FDS), g.space.readU64(FDS + 8), g.space.readU64(FDS + 16)]);
    yield sys(NR.close, 1);
    sets(g, 1, 1, 1);
    log(yield sys(NR.select, 1, FDS, FDS + 8, FDS + 16, 0));
    log([g.space.readU64(FDS), g.space.readU64(FDS + 8), g.space.readU64(FDS + 16)]);
  });
  expect(seen).toEqual([1, [0, 2, 0], 1, [1, 0, 0]]);
});

test('a signal that the temporary mask lets in is taken inside the call; the old mask comes back', () => {
  const seen = play(function* (g, log) {
    const handler = function* () {
      log('handler');
      yield work(1);
    };
    yield sys(NR.rt_sigaction, 10, g.action(handler), 0, 8);
    yield sys(NR.rt_sigprocmask, 0, g.words(AT, 1 << 9), 0, 8);
    yield sys(NR.kill, g.process.pid, 10);
    log(yield sys(NR.ppoll, 0, 0, 0, g.words(AT, 0), 8));
    yield sys(NR.kill, g.process.pid, 10);
    log(yield sys(NR.pselect6, 0, 0, 0, 0, 0, g.words(AT + 8, AT, 8)));
    yield sys(NR.rt_sigprocmask, 0, 0, OUT, 8);
    log(g.space.readU64(OUT));
  });
  expect(seen).toEqual(['handler', -EINTR, 'handler', -EINTR, 1 << 9]);
});

test('refused', () => {
  expect(
    results((g) => [
      sys(NR.poll, AT, 2000, 0),
      sys(NR.poll, 8, 1, 0),
      sys(NR.select, -1, 0, 0, 0, 0),
      sys(NR.select, 8, 8, 0, 0, 0),
      sys(NR.select, 8, g.words(FDS, 1), 0, 0, 0),
      sys(NR.select, 0, 0, 0, 0, g.words(AT, -1, 0)),
      sys(NR.select, 0, 0, 0, 0, 8),
      sys(NR.ppoll, 0, 0, g.words(AT + 16, 0, SECOND), 0, 8),
      sys(NR.ppoll, 0, 0, 0, AT, 4),
      sys(NR.pselect6, 0, 0, 0, 0, 0, 8),
    ]),
  ).toEqual([-EINVAL, -EFAULT, -EINVAL, -EFAULT, -EBADF, -EINVAL, -EFAULT, -EINVAL, -EINVAL, -EFAULT]);
});
