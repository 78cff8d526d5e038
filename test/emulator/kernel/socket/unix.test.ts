import { describe, expect, test } from 'vitest';
import {
  EADDRINUSE, EAFNOSUPPORT, EAGAIN, EBADF, ECONNREFUSED, ECONNRESET, EINTR, EINVAL, EMSGSIZE, ENOPROTOOPT, ENOTCONN, ENOTSOCK, EOPNOTSUPP,
  EPERM, EPIPE, EPROTONOSUPPORT, EPROTOTYPE,
} from '../../../../src/emulator/kernel/errno.js'; // biome-ignore format: one list
import { filesOf } from '../../../../src/emulator/kernel/file/file-table.js';
import { POLL } from '../../../../src/emulator/kernel/file/open-file.js';
import { MSG, SO } from '../../../../src/emulator/kernel/socket/constants.js';
import { AT, bytes, fork, i32, NONBLOCK, NR, OUT, play, pollfds, results, revents, sleep, text } from '../file/play.js';
import { type Scripted, type Step, sys, work } from '../scripted.js';

const UNIX = 1;
const STREAM = 1;
const DGRAM = 2;
const SEQPACKET = 5;
const ADDRESS = 0x1_3000;
const MESSAGE = 0x1_4000;
const CONTROL = 0x1_5000;
const IN_DATA = 0x1_6000;
const SECOND = 1_000_000_000;

/** An abstract address; its length. */
function abstract(g: Scripted, name: string, at = ADDRESS): [at: number, length: number] {
  bytes(g, at, UNIX, 0, 0, ...new TextEncoder().encode(name));
  return [at, 3 + name.length];
}

function pair(type: number): Step {
  return sys(NR.socketpair, UNIX, type, 0, AT);
}

/** A struct msghdr over one buffer of IN_DATA; its address. */
function message(g: Scripted, length: number, control: number, name = 0): number {
  g.words(MESSAGE + 0x100, IN_DATA, length);
  return g.words(MESSAGE, name, name === 0 ? 0 : 110, MESSAGE + 0x100, 1, control === 0 ? 0 : CONTROL, control, 0);
}

/** One cmsghdr with ints; the length of the control buffer. */
function control(g: Scripted, type: number, ...values: number[]): number {
  g.words(CONTROL, 16 + 4 * values.length);
  g.space.writeU32(CONTROL + 8, 1);
  g.space.writeU32(CONTROL + 12, type);
  values.forEach((value, i) => {
    g.space.writeU32(CONTROL + 16 + 4 * i, value >>> 0);
  });
  return 16 + 4 * values.length;
}

/** A listener at descriptor 0, a connection at 1 (client) and 2 (server). */
function* connected(g: Scripted, type = STREAM): Generator<Step, void, number> {
  yield sys(NR.socket, UNIX, type, 0);
  yield sys(NR.bind, 0, ...abstract(g, 'srv'));
  yield sys(NR.listen, 0, 5);
  yield sys(NR.socket, UNIX, type, 0);
  yield sys(NR.connect, 1, ...abstract(g, 'srv'));
  yield sys(NR.accept, 0, 0, 0);
}

describe('streams', () => {
  test('a pair carries bytes both ways, and the end of one is the end of the file for the other', () => {
    const seen = play(function* (g, log) {
      yield pair(STREAM);
      g.text(IN_DATA, 'hello world');
      log(yield sys(NR.write, 0, IN_DATA, 5));
      log(yield sys(NR.sendto, 0, IN_DATA + 5, 6, 0, 0, 0));
      log(yield sys(NR.read, 1, OUT, 100));
      log(text(g, OUT, 11));
      log(yield sys(NR.write, 1, IN_DATA, 2));
      log(yield sys(NR.shutdown, 1, 1));
      log(yield sys(NR.recvfrom, 0, OUT, 100, 0, 0, 0));
      log(yield sys(NR.recvfrom, 0, OUT, 100, 0, 0, 0));
      log(yield sys(NR.write, 0, IN_DATA, 1));
      log(yield sys(NR.sendto, 1, IN_DATA, 1, MSG.NOSIGNAL, 0, 0));
    });
    expect(seen).toEqual([5, 6, 11, 'hello world', 2, 0, 2, 0, 1, -EPIPE]);
  });

  test('connect, accept, names, credentials', () => {
    const seen = play(function* (g, log) {
      yield* connected(g);
      log(filesOf(g.process).numbers());
      g.space.writeU32(OUT, 110);
      log(yield sys(NR.getpeername, 1, OUT + 8, OUT));
      log([i32(g, OUT), text(g, OUT + 11, 3)]);
      g.space.writeU32(OUT, 110);
      log(yield sys(NR.getsockname, 1, OUT + 8, OUT));
      log(i32(g, OUT));
      g.space.writeU32(OUT, 12);
      log(yield sys(NR.getsockopt, 2, 1, SO.PEERCRED, OUT + 8, OUT));
      log([i32(g, OUT + 8) === g.process.pid, i32(g, OUT + 12), i32(g, OUT + 16)]);
      g.space.writeU32(OUT, 4);
      yield sys(NR.getsockopt, 0, 1, SO.ACCEPTCONN, OUT + 8, OUT);
      log(i32(g, OUT + 8));
    });
    expect(seen).toEqual([[0, 1, 2], 0, [6, 'srv'], 0, 2, 0, [true, 1000, 1000], 1]);
  });

  test('a server sleeps in accept until a client comes; a client sleeps while the backlog is full', () => {
    const seen = play(function* (g, log) {
      yield sys(NR.socket, UNIX, STREAM, 0);
      yield sys(NR.bind, 0, ...abstract(g, 'srv'));
      yield sys(NR.listen, 0, 0);
      const [at, length] = abstract(g, 'srv', 0x2_8000);
      yield fork(function* () {
        yield sleep(g, SECOND);
        for (let i = 0; i < 3; i++) {
          const fd = yield sys(NR.socket, UNIX, STREAM, 0);
          log(['connect', yield sys(NR.connect, fd, at, length), Math.floor(g.machine.clock.monotonic / SECOND)]);
        }
        yield sleep(g, 5 * SECOND);
        yield sys(NR.exit, 0);
      });
      log(['accept', yield sys(NR.accept4, 0, 0, 0, NONBLOCK)]);
      log(yield sys(NR.read, 1, OUT, 1));
      yield sleep(g, 0.1 * SECOND);
      const fd = yield sys(NR.socket, UNIX, STREAM | NONBLOCK, 0);
      log(yield sys(NR.connect, fd, ...abstract(g, 'srv')));
      yield sleep(g, 0.1 * SECOND);
      log(yield sys(NR.connect, fd, ...abstract(g, 'srv')));
      yield sleep(g, 2.5 * SECOND);
      log(['accept', yield sys(NR.accept, 0, 0, 0)]);
    });
    expect(seen.filter(Array.isArray)).toEqual([
      ['connect', 0, 1],
      ['accept', 1],
      ['connect', 0, 1],
      ['accept', 3],
      ['connect', 0, 3],
    ]);
    expect(seen.filter((entry) => !Array.isArray(entry))).toEqual([-EAGAIN, -EAGAIN, -EAGAIN]);
  });

  test('a full stream makes its writer sleep; MSG_WAITALL waits for everything', () => {
    const seen = play(function* (g, log) {
      yield pair(STREAM);
      const total = 30 * 0x8000;
      yield fork(function* () {
        for (let i = 0; i < 30; i++) yield sys(NR.write, 0, 0x1_0000, 0x8000);
        yield sys(NR.exit, 0);
      });
      yield sys(NR.close, 0);
      let got = 0;
      while (got < total) {
        const part = yield sys(NR.recvfrom, 1, 0x1_8000, 0x1_0000, MSG.WAITALL, 0, 0);
        if (part <= 0) break;
        got += part;
        if (got < total - 0x1_0000) log(part === 0x1_0000);
      }
      log(got === total);
      void g;
    });
    expect(seen.every((entry) => entry === true)).toBe(true);
    expect(seen.length).toBeGreaterThan(5);
  });

  test('peeking leaves the bytes, MSG_DONTWAIT does not sleep', () => {
    const seen = play(function* (g, log) {
      yield pair(STREAM);
      log(yield sys(NR.recvfrom, 0, OUT, 10, MSG.DONTWAIT, 0, 0));
      g.text(IN_DATA, 'abc');
      yield sys(NR.write, 1, IN_DATA, 3);
      log(yield sys(NR.recvfrom, 0, OUT, 2, MSG.PEEK, 0, 0));
      log(yield sys(NR.recvfrom, 0, OUT, 10, 0, 0, 0));
      log(text(g, OUT, 3));
    });
    expect(seen).toEqual([-EAGAIN, 2, 3, 'abc']);
  });

  test('who closes with unread bytes resets the connection', () => {
    const seen = play(function* (g, log) {
      yield pair(STREAM);
      yield sys(NR.write, 0, AT, 4);
      yield sys(NR.close, 1);
      log(yield sys(NR.poll, pollfds(g, OUT, [0, POLL.IN]), 1, 0));
      log(revents(g, OUT, 1));
      log(yield sys(NR.read, 0, OUT, 1));
      log(yield sys(NR.read, 0, OUT, 1));
      yield sys(NR.rt_sigaction, 13, g.action(1), 0, 8);
      log(yield sys(NR.write, 0, AT, 1));
    });
    expect(seen).toEqual([1, [POLL.IN | POLL.ERR | POLL.HUP], -ECONNRESET, 0, -EPIPE]);
  });

  test('SO_RCVTIMEO ends the sleep of recv and read; a handler then interrupts for good', () => {
    const seen = play(function* (g, log) {
      yield pair(STREAM);
      log(yield sys(NR.setsockopt, 0, 1, SO.RCVTIMEO, g.words(AT + 32, 2, 0), 16));
      const start = g.machine.clock.monotonic;
      log(yield sys(NR.recvfrom, 0, OUT, 1, 0, 0, 0));
      log(yield sys(NR.read, 0, OUT, 1));
      log(Math.floor((g.machine.clock.monotonic - start) / SECOND));
      const nothing = function* () {
        yield work(1);
      };
      yield sys(NR.rt_sigaction, 14, g.action(nothing, 0x1000_0000), 0, 8);
      yield sys(NR.alarm, 1);
      log(yield sys(NR.recvfrom, 0, OUT, 1, 0, 0, 0));
    });
    expect(seen).toEqual([0, -EAGAIN, -EAGAIN, 4, -EINTR]);
  });
});

describe('messages', () => {
  test('packets keep their borders', () => {
    const seen = play(function* (g, log) {
      yield pair(SEQPACKET);
      g.text(IN_DATA, 'one-three');
      yield sys(NR.write, 0, IN_DATA, 3);
      yield sys(NR.write, 0, IN_DATA, 9);
      yield sys(NR.write, 0, IN_DATA, 1);
      log(yield sys(NR.read, 1, OUT, 100));
      log(yield sys(NR.recvmsg, 1, message(g, 4, 0), 0));
      log(i32(g, MESSAGE + 48));
      log(yield sys(NR.recvfrom, 1, OUT, 100, MSG.TRUNC, 0, 0));
      yield sys(NR.close, 0);
      log(yield sys(NR.read, 1, OUT, 100));
    });
    expect(seen).toEqual([3, 4, MSG.TRUNC, 1, 0]);
  });

  test('datagrams tell their sender, and how long they were', () => {
    const seen = play(function* (g, log) {
      yield sys(NR.socket, UNIX, DGRAM, 0);
      yield sys(NR.bind, 0, ...abstract(g, 'a'));
      yield sys(NR.socket, UNIX, DGRAM, 0);
      yield sys(NR.bind, 1, ADDRESS, 2);
      log(yield sys(NR.sendto, 1, IN_DATA, 7, 0, ...abstract(g, 'a')));
      g.space.writeU32(OUT, 110);
      log(yield sys(NR.recvfrom, 0, OUT + 200, 3, MSG.TRUNC, OUT + 8, OUT));
      log([i32(g, OUT), text(g, OUT + 10, 6)]);
      log(yield sys(NR.connect, 1, ...abstract(g, 'a')));
      log(yield sys(NR.write, 1, IN_DATA, 2));
      log(yield sys(NR.write, 0, IN_DATA, 2));
      yield sys(NR.close, 0);
      log(yield sys(NR.write, 1, IN_DATA, 2));
      log(yield sys(NR.write, 1, IN_DATA, 2));
    });
    expect(seen).toEqual([7, 7, [8, '\x0000000'], 0, 2, -ENOTCONN, -ECONNREFUSED, -ENOTCONN]);
  });

  test('a full queue makes the sender sleep until the receiver has taken one', () => {
    const seen = play(function* (g, log) {
      yield sys(NR.socketpair, UNIX, DGRAM, 0, AT);
      for (let i = 0; i < 11; i++) yield sys(NR.write, 0, IN_DATA, 1);
      log(yield sys(NR.sendto, 0, IN_DATA, 1, MSG.DONTWAIT, 0, 0));
      log(yield sys(NR.poll, pollfds(g, OUT, [0, POLL.OUT]), 1, 0));
      yield fork(function* () {
        yield sleep(g, SECOND);
        yield sys(NR.read, 1, OUT, 1);
        yield sys(NR.exit, 0);
      });
      log(yield sys(NR.write, 0, IN_DATA, 1));
      log(Math.floor(g.machine.clock.monotonic / SECOND));
    });
    expect(seen).toEqual([-EAGAIN, 0, 1, 1]);
  });

  test('several at once', () => {
    const seen = play(function* (g, log) {
      yield pair(DGRAM);
      const vector = 0x1_7000;
      for (let i = 0; i < 3; i++) {
        g.words(vector + 64 * i, 0, 0, MESSAGE + 0x200 + 16 * i, 1, 0, 0, 0, 0);
        g.words(MESSAGE + 0x200 + 16 * i, IN_DATA, 10 + i);
      }
      log(yield sys(307, 0, vector, 3, 0));
      log([0, 1, 2].map((i) => i32(g, vector + 64 * i + 56)));
      for (let i = 0; i < 3; i++) g.space.writeU32(vector + 64 * i + 56, 0);
      log(yield sys(299, 1, vector, 3, MSG.DONTWAIT, 0));
      log(yield sys(299, 1, vector, 3, MSG.DONTWAIT, 0));
    });
    expect(seen).toEqual([3, [10, 11, 12], 3, -EAGAIN]);
  });
});

describe('beside the bytes', () => {
  test('descriptors travel', () => {
    const seen = play(function* (g, log) {
      yield pair(STREAM);
      yield sys(NR.eventfd2, 5, 0);
      log(yield sys(NR.sendmsg, 0, message(g, 1, control(g, 1, 2, 2)), 0));
      yield sys(NR.write, 0, IN_DATA, 3);
      yield sys(NR.close, 2);
      log(yield sys(NR.recvmsg, 1, message(g, 100, 64), MSG.CMSG_CLOEXEC));
      log([g.space.readU64(MESSAGE + 40), i32(g, CONTROL), i32(g, CONTROL + 16), i32(g, CONTROL + 20)]);
      log(filesOf(g.process).descriptor(2)?.closeOnExec);
      log(yield sys(NR.read, 3, OUT, 8));
      log(g.space.readU64(OUT));
      log(yield sys(NR.read, 1, OUT, 100));
    });
    expect(seen).toEqual([1, 1, [24, 24, 2, 3], true, 8, 5, 3]);
  });

  test('without room they are lost, and the program is told; read(2) closes them', () => {
    const seen = play(function* (g, log) {
      yield pair(STREAM);
      yield sys(NR.eventfd2, 0, 0);
      const file = filesOf(g.process).get(2);
      let closed = false;
      file?.addInterest({
        fileClosed: () => {
          closed = true;
        },
      });
      for (let i = 0; i < 2; i++) yield sys(NR.sendmsg, 0, message(g, 1, control(g, 1, 2, 2)), 0);
      log(yield sys(NR.recvmsg, 1, message(g, 100, 20), 0));
      log([g.space.readU64(MESSAGE + 40), i32(g, MESSAGE + 48), filesOf(g.process).numbers()]);
      yield sys(NR.close, 2);
      yield sys(NR.close, 3);
      log(closed);
      log(yield sys(NR.read, 1, OUT, 10));
      log(closed);
    });
    expect(seen).toEqual([1, [20, MSG.CTRUNC, [0, 1, 2, 3]], false, 1, true]);
  });

  test('credentials are told to who wants them, and cannot be forged', () => {
    const seen = play(function* (g, log) {
      yield pair(DGRAM);
      g.space.writeU32(AT + 64, 1);
      yield sys(NR.setsockopt, 1, 1, SO.PASSCRED, AT + 64, 4);
      yield sys(NR.write, 0, IN_DATA, 1);
      log(yield sys(NR.recvmsg, 1, message(g, 100, 64), 0));
      log([i32(g, CONTROL), i32(g, CONTROL + 12), i32(g, CONTROL + 16) === g.process.pid, i32(g, CONTROL + 20)]);
      log(yield sys(NR.sendmsg, 0, message(g, 1, control(g, 2, 1, 1000, 1000)), 0));
      log(yield sys(NR.sendmsg, 0, message(g, 1, control(g, 2, g.process.pid, 0, 1000)), 0));
      log(yield sys(NR.sendmsg, 0, message(g, 1, control(g, 1, 77)), 0));
    });
    expect(seen).toEqual([1, [28, 2, true, 1000], -EPERM, -EPERM, -EBADF]);
  });
});

test('options have their Linux defaults and doublings', () => {
  const seen = play(function* (g, log) {
    yield sys(NR.socket, UNIX, STREAM, 0);
    const get = function* (name: number): Generator<Step, void, number> {
      g.space.writeU32(OUT, 4);
      log((yield sys(NR.getsockopt, 0, 1, name, OUT + 8, OUT)) || i32(g, OUT + 8));
    };
    g.space.writeU32(AT, 10_000);
    yield* get(SO.SNDBUF);
    yield sys(NR.setsockopt, 0, 1, SO.SNDBUF, AT, 4);
    yield* get(SO.SNDBUF);
    yield* get(SO.TYPE);
    yield* get(SO.DOMAIN);
    yield* get(SO.ERROR);
    yield* get(12_345);
    log(yield sys(NR.setsockopt, 0, 6, 1, AT, 4));
    log(yield sys(NR.setsockopt, 0, 1, SO.REUSEADDR, AT, 1));
  });
  expect(seen).toEqual([212_992, 20_000, 1, 1, 0, -ENOPROTOOPT, -EOPNOTSUPP, -EINVAL]);
});

test('refused', () => {
  expect(
    results((g) => [
      sys(NR.socket, 99, STREAM, 0),
      sys(NR.socket, UNIX, STREAM, 6),
      sys(NR.socket, UNIX, STREAM | 0x1_0000, 0),
      sys(NR.socket, UNIX, STREAM, 0),
      sys(NR.listen, 0, 1),
      sys(NR.connect, 0, ...abstract(g, 'nobody')),
      sys(NR.accept, 0, 0, 0),
      sys(NR.read, 0, OUT, 1),
      sys(NR.sendto, 0, OUT, 1, 0, 0, 0),
      sys(NR.getpeername, 0, OUT, OUT),
      sys(NR.bind, 0, ...abstract(g, 'x')),
      sys(NR.bind, 0, ...abstract(g, 'x')),
      sys(NR.socket, UNIX, DGRAM, 0),
      sys(NR.bind, 1, ...abstract(g, 'x')),
      sys(NR.connect, 1, ...abstract(g, 'x')),
      sys(NR.listen, 1, 1),
      sys(NR.eventfd2, 0, 0),
      sys(NR.listen, 2, 1),
      sys(NR.listen, 9, 1),
      sys(NR.shutdown, 0, 3),
      sys(NR.bind, 0, ADDRESS, 1),
      pair(STREAM),
      sys(NR.connect, 3, ...abstract(g, 'x')),
      pair(SEQPACKET),
      sys(NR.sendto, 5, 0x1_0000, 0x1_8000, 0, 0, 0),
      sys(NR.setsockopt, 5, 1, SO.SNDBUF, bytes(g, AT + 100, 0, 0, 0, 0), 4),
      sys(NR.sendto, 5, 0x1_0000, 0x1_8000, 0, 0, 0),
    ]),
  ).toEqual([
    -EAFNOSUPPORT, -EPROTONOSUPPORT, -EINVAL, 0, -EINVAL, -ECONNREFUSED, -EINVAL, -EINVAL, -ENOTCONN, -ENOTCONN, 0, -EINVAL, 1, -EADDRINUSE, -EPROTOTYPE,
    -EOPNOTSUPP, 2, -ENOTSOCK, -EBADF, -EINVAL, -EINVAL, 0, -ECONNREFUSED, 0, 0x1_8000, 0, -EMSGSIZE,
  ]); // biome-ignore format: a row of errnos
});
