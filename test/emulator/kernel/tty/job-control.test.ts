/** Sessions and terminals: who reads, who is stopped, who hears of the end. */
import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { EAGAIN, EINTR, EIO, ENOTTY, ENXIO, EPERM } from '../../../../src/emulator/kernel/errno.js';
import { O } from '../../../../src/emulator/kernel/file/open-file.js';
import { fork, i32, type Log, NR, sleep, text } from '../file/play.js';
import { guestIn } from '../file/twin.js';
import { type Program, runAll, type Scripted, type Step, sys, work } from '../scripted.js';

const OPEN = 2;
const SHARED = 0x2_8000;
const OUT = 0x1_8000;
const [TIOCSPTLCK, TIOCGPGRP, TIOCSPGRP, TIOCGSID, TIOCNOTTY, TIOCSWINSZ, TIOCSCTTY] = [
  0x4004_5431, 0x540f, 0x5410, 0x5429, 0x5422, 0x5414, 0x540e,
];
const [TTIN, TTOU, HUP, INT, WINCH, CONT] = [21, 22, 1, 2, 28, 18];
const UNTRACED = 2;
const SECOND = 1_000_000_000;

/** The guest has the master of a terminal as 3; the session is what runs as a child of it. */
function withTerminal(
  master: (g: Scripted, log: Log) => Generator<Step, void, number>,
  session: (g: Scripted, log: Log) => Generator<Step, void, number>,
): unknown[] {
  const seen: unknown[] = [];
  const log: Log = (entry) => seen.push(entry);
  const guest: Scripted = guestIn(tmpdir(), function* () {
    yield sys(OPEN, guest.text(SHARED, '/dev/ptmx'), O.RDWR | O.NOCTTY);
    yield sys(NR.ioctl, 3, TIOCSPTLCK, guest.words(SHARED + 64, 0));
    guest.text(SHARED, '/dev/pts/0');
    yield fork(function* () {
      yield sys(NR.close, 3);
      yield sys(NR.setsid);
      log(['open', yield sys(OPEN, SHARED, O.RDWR)]);
      yield* session(guest, log);
      yield sys(NR.exit_group, 0);
    });
    yield* master(guest, log);
    yield sys(NR.exit_group, 0);
  });
  runAll(guest.machine);
  return seen;
}

/** A child in a group of its own. */
function background(child: () => Generator<Step, void, number>): Step {
  const program: Program = function* () {
    yield sys(NR.setpgid, 0, 0);
    yield* child();
    yield sys(NR.exit_group, 0);
  };
  return fork(program);
}

/** An action in memory that parent and child share: the child's own is a copy. */
function sharedAction(g: Scripted, handler: Program | number): number {
  const at = SHARED + 0x900;
  g.space.writeBytes(at, g.space.readBytes(g.action(handler), 32) as Uint8Array);
  return at;
}

function* quiet(): Generator<Step, void, number> {
  yield work(1);
}

test('the leader that opens a terminal gets it; reading in the background stops, until it is in the foreground', () => {
  const seen = withTerminal(
    function* (g) {
      yield sleep(g, 3 * SECOND);
      yield sys(NR.write, 3, g.text(SHARED + 0x100, 'typed\n'), 6);
      yield sleep(g, 3 * SECOND);
    },
    function* (g, log) {
      // Only shared memory is the same for all: the child's own is a copy.
      log(yield sys(NR.ioctl, 3, TIOCGSID, SHARED + 0x200));
      const reader = yield background(function* () {
        log(['read', yield sys(NR.read, 3, SHARED + 0x300, 100), text(g, SHARED + 0x300, 6)]);
      });
      log((yield sys(NR.wait4, reader, SHARED + 0x400, UNTRACED, 0)) === reader);
      log(i32(g, SHARED + 0x400) >> 8);
      g.space.writeU32(SHARED + 0x500, reader);
      log(yield sys(NR.ioctl, 3, TIOCSPGRP, SHARED + 0x500));
      yield sys(NR.kill, reader, CONT);
      log((yield sys(NR.wait4, reader, SHARED + 0x400, 0, 0)) === reader);
      log(i32(g, SHARED + 0x400));
    },
  );
  expect(seen).toEqual([['open', 3], 0, true, TTIN, 0, ['read', 6, 'typed\n'], true, 0]);
});

test('an interrupt character kills the foreground group and nobody else', () => {
  const seen = withTerminal(
    function* (g) {
      yield sleep(g, SECOND);
      yield sys(NR.write, 3, g.text(SHARED + 0x100, '\x03'), 1);
      yield sleep(g, 3 * SECOND);
    },
    function* (g, log) {
      yield sys(13, TTOU, sharedAction(g, 1), 0, 8);
      const job = yield background(function* () {
        yield sleep(g, 100 * SECOND);
      });
      g.space.writeU32(SHARED + 0x500, job);
      yield sys(NR.setpgid, job, job);
      log(yield sys(NR.ioctl, 3, TIOCSPGRP, SHARED + 0x500));
      log((yield sys(NR.wait4, job, SHARED + 0x400, 0, 0)) === job);
      log(i32(g, SHARED + 0x400));
    },
  );
  expect(seen).toEqual([['open', 3], 0, true, INT]);
});

test('with TOSTOP writing in the background stops too; who ignores SIGTTIN gets EIO', () => {
  const seen = withTerminal(
    function* (g) {
      yield sleep(g, 3 * SECOND);
    },
    function* (g, log) {
      const attributes = SHARED + 0x600;
      yield sys(NR.ioctl, 3, 0x5401, attributes);
      const local = g.space.readU32(attributes + 12) as number;
      g.space.writeU32(attributes + 12, local | 0o400);
      log(yield sys(NR.ioctl, 3, 0x5402, attributes));
      const writer = yield background(function* () {
        yield sys(NR.write, 3, SHARED, 1);
      });
      yield sys(NR.wait4, writer, SHARED + 0x400, UNTRACED, 0);
      log(i32(g, SHARED + 0x400) >> 8);
      const ignorer = yield background(function* () {
        yield sys(13, TTIN, sharedAction(g, 1), 0, 8);
        log(yield sys(NR.read, 3, SHARED + 0x300, 1));
        yield sys(NR.exit_group, 0);
      });
      yield sys(NR.wait4, ignorer, 0, 0, 0);
      yield sys(NR.kill, writer, 9);
    },
  );
  expect(seen).toEqual([['open', 3], 0, TTOU, -EIO]);
});

test('the end of the leader is SIGHUP for the foreground, and leaves the terminal to who has it open', () => {
  const seen = withTerminal(
    function* (g, log) {
      yield sleep(g, SECOND);
      log(yield sys(NR.read, 3, OUT, 100));
      log(yield sys(NR.read, 3, OUT, 100));
      yield sleep(g, SECOND);
    },
    function* (g, log) {
      yield fork(function* () {
        yield sys(13, HUP, sharedAction(g, quiet), 0, 8);
        log(['sleep', yield sleep(g, 50 * SECOND)]);
        log(yield sys(NR.write, 3, SHARED, 1));
        g.text(SHARED + 0x700, '/dev/tty');
        log(yield sys(OPEN, SHARED + 0x700, O.RDWR));
        yield sys(NR.exit_group, 0);
      });
      yield sys(NR.write, 3, SHARED, 3);
      yield sleep(g, SECOND / 2);
    },
  );
  expect(seen).toEqual([['open', 3], ['sleep', -EINTR], 1, -ENXIO, 4, -EIO]);
});

test('after the end of the master, the end of the leader is SIGHUP for the group that was in the foreground', () => {
  const seen = withTerminal(
    function* (g) {
      yield sleep(g, SECOND);
      yield sys(NR.close, 3);
      yield sleep(g, 5 * SECOND);
    },
    function* (g, log) {
      yield fork(function* () {
        yield sys(13, HUP, sharedAction(g, quiet), 0, 8);
        log(['sleep', yield sleep(g, 50 * SECOND)]);
        yield sys(NR.exit_group, 0);
      });
      yield sys(13, HUP, sharedAction(g, quiet), 0, 8);
      log(['hung up', yield sleep(g, 50 * SECOND)]);
      log(['on', yield sleep(g, SECOND)]);
    },
  );
  expect(seen).toEqual([
    ['open', 3],
    ['hung up', -EINTR],
    ['on', 0],
    ['sleep', -EINTR],
  ]);
});

test('the end of the master is SIGHUP for the leader, and the end of the file', () => {
  const seen = withTerminal(
    function* (g) {
      yield sleep(g, SECOND);
      yield sys(NR.close, 3);
      yield sleep(g, 5 * SECOND);
    },
    function* (g, log) {
      yield sys(13, HUP, sharedAction(g, 1), 0, 8);
      log(yield sys(NR.read, 3, OUT, 10));
      log(yield sys(NR.write, 3, OUT, 10));
      log(yield sys(NR.ioctl, 3, 0x5401, OUT));
      g.text(SHARED + 0x700, '/dev/tty');
      log(yield sys(OPEN, SHARED + 0x700, O.RDWR));
    },
  );
  expect(seen).toEqual([['open', 3], 0, -EIO, -EIO, -ENXIO]);
});

test('sizes, giving up, taking back', () => {
  const seen = withTerminal(
    function* (g) {
      yield sleep(g, SECOND);
      yield sys(NR.ioctl, 3, TIOCSWINSZ, g.words(SHARED + 0x800, 24 | (80 << 16)));
      yield sleep(g, 5 * SECOND);
    },
    function* (g, log) {
      g.text(SHARED + 0x700, '/dev/tty');
      log(yield sys(OPEN, SHARED + 0x700, O.RDWR | O.NONBLOCK));
      log(yield sys(NR.read, 4, OUT, 1));
      yield sys(13, WINCH, sharedAction(g, quiet), 0, 8);
      yield sys(13, HUP, sharedAction(g, 1), 0, 8);
      log(yield sleep(g, 50 * SECOND));
      log(yield sys(NR.ioctl, 4, TIOCNOTTY, 0));
      log(yield sys(NR.ioctl, 3, TIOCGPGRP, OUT));
      log(yield sys(OPEN, SHARED + 0x700, O.RDWR));
      log(yield sys(NR.ioctl, 3, TIOCSCTTY, 0));
      log(yield sys(NR.ioctl, 3, TIOCSCTTY, 0));
      log(yield sys(NR.ioctl, 3, TIOCGPGRP, SHARED + 0x500));
      const other = yield fork(function* () {
        yield sys(NR.setsid);
        log(yield sys(NR.ioctl, 3, TIOCSCTTY, 0));
        log(yield sys(NR.ioctl, 3, TIOCGPGRP, SHARED + 0x500));
        yield sys(NR.exit_group, 0);
      });
      yield sys(NR.wait4, other, 0, 0, 0);
    },
  );
  expect(seen).toEqual([['open', 3], 4, -EAGAIN, -EINTR, 0, -ENOTTY, -ENXIO, 0, 0, 0, -EPERM, -ENOTTY]);
});
