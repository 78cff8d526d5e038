import { expect, test } from 'vitest';
import { EBADF, ECHILD, EFAULT, EINVAL, EMFILE, EPERM, ESRCH } from '../../../../src/emulator/kernel/errno.js';
import { filesOf } from '../../../../src/emulator/kernel/file/file-table.js';
import { POLL } from '../../../../src/emulator/kernel/file/open-file.js';
import { type Scripted, sys } from '../scripted.js';
import { AT, fork, i32, NR, OUT, play, pollfds, sleep } from './play.js';

const PIDFD_GETFD = 438;
const KCMP = 312;
const WAITID = 247;
const P_PIDFD = 3;
const EXITED = 4;
const CLONE_PIDFD = 0x1000;
const SECOND = 1_000_000_000;

test('the descriptor of a process is readable when it has ended, and waitid takes it', () => {
  const seen = play(function* (g, log) {
    const child = yield fork(function* () {
      yield sleep(g, SECOND);
      yield sys(NR.exit, 5);
    });
    log(yield sys(NR.pidfd_open, child, 0));
    log(filesOf(g.process).descriptor(0)?.closeOnExec);
    log(yield sys(NR.poll, pollfds(g, AT, [0, POLL.IN]), 1, 10));
    log(yield sys(NR.poll, pollfds(g, AT, [0, POLL.IN]), 1, -1));
    log(Math.floor(g.machine.clock.monotonic / SECOND));
    log(yield sys(WAITID, P_PIDFD, 0, OUT, EXITED, 0));
    log([i32(g, OUT + 16) === child, i32(g, OUT + 24)]);
    log(yield sys(WAITID, P_PIDFD, 0, OUT, EXITED, 0));
    log(yield sys(NR.pidfd_send_signal, 0, 0, 0, 0));
    log(yield sys(WAITID, P_PIDFD, 7, OUT, EXITED, 0));
  });
  expect(seen).toEqual([0, true, 0, 1, 1, 0, [true, 5], -ECHILD, -ESRCH, -EBADF]);
});

test('signals and descriptors through it', () => {
  const seen = play(function* (g, log) {
    const child = yield fork(function* () {
      yield sys(NR.eventfd2, 9, 0);
      yield sleep(g, 9 * SECOND);
    });
    yield sys(NR.pidfd_open, child, 0);
    yield sleep(g, 1000);
    log(yield sys(PIDFD_GETFD, 0, 0, 0));
    log(yield sys(KCMP, g.process.pid, child, 0, 1, 0));
    log(yield sys(KCMP, g.process.pid, g.process.pid, 0, 0, 1));
    log(yield sys(NR.read, 1, OUT, 8));
    log(g.space.readU64(OUT));
    log(yield sys(PIDFD_GETFD, 0, 7, 0));
    log(yield sys(PIDFD_GETFD, 1, 0, 0));
    log(yield sys(NR.pidfd_send_signal, 0, 15, 0, 0));
    yield sys(NR.wait4, child, OUT, 0, 0);
    log(i32(g, OUT));
  });
  expect(seen).toEqual([1, 0, 1, 8, 9, -EBADF, -EBADF, 0, 15]);
});

/** struct clone_args for a process whose pidfd is told at `pidfd`. */
function cloneArgs(g: Scripted, pidfd: number): number {
  return g.words(AT, CLONE_PIDFD, pidfd, 0, 0, 17, 0, 0, 0);
}

test('clone3 gives it with the process, or makes no process at all', () => {
  const seen = play(function* (g, log) {
    const program = function* () {
      yield sys(NR.exit, 3);
    };
    const child = yield { call: NR.clone3, args: [cloneArgs(g, OUT), 64], child: program };
    log(child > 0);
    log(i32(g, OUT));
    log(yield sys(NR.poll, pollfds(g, AT + 0x100, [0, POLL.IN]), 1, -1));
    log((yield sys(NR.wait4, child, 0, 0, 0)) === child);
    log(yield sys(NR.clone3, cloneArgs(g, 8), 64));
    log(filesOf(g.process).numbers());
    yield sys(NR.prlimit64, 0, 7, g.words(AT + 0x200, 1, 1), 0);
    log(yield sys(NR.clone3, cloneArgs(g, OUT), 64));
    log(yield sys(NR.wait4, -1, 0, 0, 0));
  });
  expect(seen).toEqual([true, 0, 1, true, -EFAULT, [0], -EMFILE, -ECHILD]);
});

test('refused', () => {
  const seen = play(function* (g, log) {
    log(yield sys(NR.pidfd_open, 0, 0));
    log(yield sys(NR.pidfd_open, 999_999, 0));
    log(yield sys(NR.pidfd_open, g.process.pid, 1));
    log(yield sys(NR.pidfd_open, g.process.pid, 0));
    log(yield sys(NR.pidfd_send_signal, 0, 99, 0, 0));
    log(yield sys(NR.pidfd_send_signal, 0, 1, 0, 1));
    log(yield sys(NR.pidfd_send_signal, 9, 1, 0, 0));
    log(yield sys(NR.pidfd_send_signal, 0, 1, 8, 0));
    g.space.writeU32(AT, 2);
    log(yield sys(NR.pidfd_send_signal, 0, 1, AT, 0));
    yield sys(NR.pidfd_open, g.process.parent?.pid ?? 0, 0);
    g.space.writeU32(AT, 1);
    log(yield sys(NR.pidfd_send_signal, 1, 1, AT, 0));
    log(yield sys(NR.read, 0, OUT, 8));
  });
  expect(seen).toEqual([-EINVAL, -ESRCH, -EINVAL, 0, -EINVAL, -EINVAL, -EBADF, -EFAULT, -EINVAL, -EPERM, -EINVAL]);
});
