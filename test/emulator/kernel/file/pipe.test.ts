import { expect, test } from 'vitest';
import { EAGAIN, EBUSY, EFAULT, EINVAL, EMFILE, EPERM, EPIPE } from '../../../../src/emulator/kernel/errno.js';
import { filesOf } from '../../../../src/emulator/kernel/file/file-table.js';
import { F_GETPIPE_SZ, F_SETPIPE_SZ, O, POLL } from '../../../../src/emulator/kernel/file/open-file.js';
import { openFifo, Pipe, PipeEnd } from '../../../../src/emulator/kernel/file/pipe.js';
import { PipeBuffer } from '../../../../src/emulator/kernel/file/pipe-buffer.js';
import { type Scripted, sys } from '../scripted.js';
import { AT, bytes, fork, i32, NONBLOCK, NR, OUT, play, sleep, text } from './play.js';

const DATA = 0x1_9000;
const SIG_IGN = 1;

function end({ process }: Scripted, fd: number): PipeEnd {
  const file = filesOf(process).get(fd);
  if (!(file instanceof PipeEnd)) throw new Error(`no pipe at ${fd}`);
  return file;
}

test('bytes come out as they went in; the end of the writers is the end of the file', () => {
  const seen = play(function* (g, log) {
    yield sys(NR.pipe, AT);
    log([i32(g, AT), i32(g, AT + 4)]);
    g.text(DATA, 'hello');
    log(yield sys(NR.write, 1, DATA, 5));
    log(yield sys(NR.read, 0, OUT, 3));
    log(yield sys(NR.read, 0, OUT + 3, 100));
    log(text(g, OUT, 5));
    yield sys(NR.close, 1);
    log(yield sys(NR.read, 0, OUT, 100));
  });
  expect(seen).toEqual([[0, 1], 5, 3, 2, 'hello', 0]);
});

test('a reader sleeps until a writer in another process writes', () => {
  const seen = play(function* (g, log) {
    yield sys(NR.pipe, AT);
    yield fork(function* () {
      yield sleep(g, 1000);
      yield sys(NR.write, 1, DATA, 4);
      yield sys(NR.exit, 0);
    });
    yield sys(NR.close, 1);
    log(yield sys(NR.read, 0, OUT, 100));
    log(g.machine.clock.monotonic > 1000);
    log(yield sys(NR.read, 0, OUT, 100));
  });
  expect(seen).toEqual([4, true, 0]);
});

test('a big write sleeps until the reader has taken it all', () => {
  const seen = play(function* (g, log) {
    yield sys(NR.pipe, AT);
    yield fork(function* () {
      yield sys(NR.close, 1);
      for (;;) {
        const got = yield sys(NR.read, 0, 0x2_0000, 0x1000);
        if (got === 0) break;
      }
      yield sys(NR.exit, 0);
    });
    yield sys(NR.close, 0);
    log(yield sys(NR.write, 1, 0x1_0000, 0x1_8000));
    yield sys(NR.close, 1);
    log((yield sys(NR.wait4, -1, AT, 0, 0)) > 0);
    log(i32(g, AT));
  });
  expect(seen).toEqual([0x1_8000, true, 0]);
});

test('nobody reads: SIGPIPE, and EPIPE for who survives it', () => {
  const seen = play(function* (g, log) {
    yield sys(NR.pipe, AT);
    yield sys(NR.close, 0);
    const pid = yield fork(function* () {
      yield sys(NR.write, 1, DATA, 1);
      yield sys(NR.exit, 0);
    });
    yield sys(NR.wait4, pid, AT, 0, 0);
    log(i32(g, AT));
    yield sys(NR.rt_sigaction, 13, g.action(SIG_IGN), 0, 8);
    log(yield sys(NR.write, 1, DATA, 1));
    log(yield sys(NR.write, 1, DATA, 0));
  });
  expect(seen).toEqual([13, -EPIPE, 0]);
});

test('without blocking: EAGAIN, and a write of PIPE_BUF is whole or not at all', () => {
  const seen = play(function* (_g, log) {
    yield sys(NR.pipe2, AT, NONBLOCK);
    log(yield sys(NR.read, 0, OUT, 1));
    log(yield sys(NR.write, 1, 0x1_0000, 0x1_8000));
    log(yield sys(NR.write, 1, 0x1_0000, 1));
    yield sys(NR.read, 0, 0x2_0000, 100);
    log(yield sys(NR.write, 1, 0x1_0000, 4096));
    yield sys(NR.read, 0, 0x2_0000, 4000);
    log(yield sys(NR.write, 1, 0x1_0000, 4096));
  });
  expect(seen).toEqual([-EAGAIN, 65_536, -EAGAIN, -EAGAIN, 4096]);
});

test('small writes share a page, packets do not', () => {
  const buffer = new PipeBuffer(2);
  expect(buffer.write(new Uint8Array(3000), false)).toBe(3000);
  expect(buffer.write(new Uint8Array(3000), false)).toBe(3000);
  expect(buffer.isFull).toBe(true);
  expect(buffer.write(new Uint8Array(3000), false)).toBe(0);
  expect(buffer.write(new Uint8Array(1000), false)).toBe(1000);
  expect(buffer.length).toBe(7000);

  const packets = new PipeBuffer(4);
  for (const value of [1, 2]) packets.write(Uint8Array.of(value, value), true);
  const into = new Uint8Array(1);
  expect([packets.read(into), into[0], packets.read(into), into[0], packets.read(into)]).toEqual([1, 1, 1, 2, 0]);
});

test('F_SETPIPE_SZ rounds up, and refuses what is too small or too big', () => {
  play(function* (g) {
    yield sys(NR.pipe, AT);
    yield sys(NR.write, 1, 0x1_0000, 9000);
    const context = g.machine.context(g.thread);
    const resize = (size: number): number => end(g, 1).fcntl(context, F_SETPIPE_SZ, size);
    expect(end(g, 0).fcntl(context, F_GETPIPE_SZ, 0)).toBe(65_536);
    expect(resize(100_000)).toBe(131_072);
    expect(resize(4096)).toBe(-EBUSY);
    expect(resize(2 << 20)).toBe(-EPERM);
    expect(resize(-1)).toBe(-EINVAL);
    expect(end(g, 0).fcntl(context, F_GETPIPE_SZ, 0)).toBe(131_072);
  });
});

test('a pipe that cannot be told of leaves no descriptor', () => {
  const seen = play(function* (g, log) {
    log(yield sys(NR.pipe, 8));
    log(yield sys(NR.pipe2, AT, 1));
    g.words(AT, 1, 1);
    yield sys(NR.prlimit64, 0, 7, AT, 0);
    log(yield sys(NR.pipe, AT));
    log(filesOf(g.process).numbers());
  });
  expect(seen).toEqual([-EFAULT, -EINVAL, -EMFILE, []]);
});

test('what poll says of the ends', () => {
  play(function* (g) {
    yield sys(NR.pipe, AT);
    const [reader, writer] = [end(g, 0), end(g, 1)];
    const IN = POLL.IN | POLL.RDNORM;
    const OUT_BITS = POLL.OUT | POLL.WRNORM;
    const look = (): number[] => [reader.poll(g.thread), writer.poll(g.thread)];
    expect(look()).toEqual([0, OUT_BITS]);
    yield sys(NR.write, 1, 0x1_0000, 65_536);
    expect(look()).toEqual([IN, 0]);
    yield sys(NR.dup, 1);
    yield sys(NR.close, 1);
    expect(reader.poll(g.thread)).toBe(IN);
    yield sys(NR.close, 2);
    expect(reader.poll(g.thread)).toBe(IN | POLL.HUP);
  });
});

test('a FIFO: each side waits for the other, unless it will not', () => {
  play(function* (g) {
    yield sys(NR.getpid);
    const context = g.machine.context(g.thread);
    const pipe = new Pipe(g.machine, '/fifo', () => ({ stat: () => -2 }));
    expect(openFifo(context, pipe, O.WRONLY | O.NONBLOCK)).toBe(-6);
    const reader = openFifo(context, pipe, O.RDONLY) as PipeEnd;
    expect(reader.opening).toBe(true);
    const patient = openFifo(context, pipe, O.RDONLY | O.NONBLOCK) as PipeEnd;
    expect(patient.opening).toBe(false);
    expect([patient.read(new Uint8Array(1)), patient.poll(g.thread)]).toEqual([0, 0]);
    const writer = openFifo(context, pipe, O.WRONLY) as PipeEnd;
    expect([reader.opening, writer.opening]).toEqual([false, false]);
    writer.release();
    expect(reader.opening).toBe(false);
    expect([reader.poll(g.thread), patient.poll(g.thread)]).toEqual([POLL.HUP, POLL.HUP]);
    const both = openFifo(context, pipe, O.RDWR) as PipeEnd;
    expect([both.opening, reader.poll(g.thread)]).toEqual([false, 0]);
  });
});

test('what cannot be stored stays in the pipe', () => {
  const nearEnd = 0x2_fffd;
  const said = play(function* (guest, log) {
    yield sys(NR.pipe, OUT);
    const [from, to] = [i32(guest, OUT), i32(guest, OUT + 4)];
    yield sys(NR.write, to, bytes(guest, AT, 1, 2, 3, 4, 5, 6), 6);
    log(yield sys(NR.read, from, 8, 6));
    log(yield sys(NR.read, from, nearEnd, 6));
    log(yield sys(NR.read, from, AT, 6));
    log([...(guest.space.readBytes(AT, 3) ?? [])]);
    yield sys(NR.close, to);
    log(yield sys(NR.read, from, 8, 6));
  });
  expect(said).toEqual([-14, 3, 3, [4, 5, 6], 0]);
});
