import { expect, test } from 'vitest';
import {
  EAGAIN,
  EBADF,
  EFAULT,
  EFBIG,
  EINVAL,
  EMFILE,
  EOPNOTSUPP,
  EPIPE,
  ESPIPE,
} from '../../../../src/emulator/kernel/errno.js';
import { filesOf } from '../../../../src/emulator/kernel/file/file-table.js';
import { type IoResult, O, OpenFile, WAIT } from '../../../../src/emulator/kernel/file/open-file.js';
import { RLIMIT } from '../../../../src/emulator/kernel/limits.js';
import { type Program, runAll, type Scripted, scripted, sys } from '../scripted.js';

const NR = { read: 0, write: 1, close: 3, pread64: 17, readv: 19, writev: 20, dup: 32, dup2: 33, dup3: 292 };
const NR_EXIT = 60;
const NR_SETRLIMIT = 160;
const NR_CLOSE_RANGE = 436;
const NR_PREADV2 = 327;
const DATA = 0x1_1000;
const VECTOR = 0x1_8000;

/** A stream with a bounded store. */
class Stream extends OpenFile {
  readonly stored: number[] = [];
  room = 4;
  isBroken = false;
  isClosed = false;
  name(): string {
    return 'stream';
  }
  stat(): number {
    return -EINVAL;
  }
  override read(into: Uint8Array): IoResult {
    if (this.stored.length === 0) return WAIT;
    const taken = this.stored.splice(0, into.length);
    into.set(taken);
    this.changed();
    return taken.length;
  }
  override write(from: Uint8Array): IoResult {
    if (this.isBroken) return -EPIPE;
    const taken = from.subarray(0, this.room - this.stored.length);
    if (taken.length === 0 && from.length > 0) return WAIT;
    this.stored.push(...taken);
    this.changed();
    return taken.length;
  }
  protected override closed(): void {
    this.isClosed = true;
  }
}

/** A regular file. */
class Regular extends Stream {
  override get isRegular(): boolean {
    return true;
  }
  override get isSeekable(): boolean {
    return true;
  }
}

function withFile(program: Program, make: (machine: Scripted['machine']) => OpenFile): Scripted {
  const guest = scripted(program);
  filesOf(guest.process).add(make(guest.machine), false, { soft: 1024, hard: 1024 });
  return guest;
}

/** Runs calls on a descriptor 0 in turn; their results. */
function results(steps: readonly ReturnType<typeof sys>[], file?: (guest: Scripted['machine']) => OpenFile): number[] {
  const seen: number[] = [];
  const guest = withFile(
    function* () {
      for (const step of steps) seen.push(yield step);
      yield sys(NR_EXIT, 0);
    },
    file ?? ((machine) => new Stream(machine, O.RDWR)),
  );
  guest.space.writeBytes(DATA, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8));
  guest.words(VECTOR, DATA, 2, DATA + 4, 1);
  guest.words(VECTOR + 0x100, 2, 100);
  runAll(guest.machine);
  return seen;
}

const nonBlocking = (machine: Scripted['machine']): OpenFile => new Stream(machine, O.RDWR | O.NONBLOCK);

test('a write goes on until everything is taken, a read takes what is there', () => {
  const seen: [string, number][] = [];
  const writer: Program = function* () {
    seen.push(['write', yield sys(NR.write, 0, DATA, 8)]);
    yield sys(NR_EXIT, 0);
  };
  const guest = scripted(writer);
  const stream = new Stream(guest.machine, O.RDWR);
  const reader = guest.start(function* () {
    seen.push(['read', yield sys(NR.read, 0, DATA, 100)]);
    seen.push(['read', yield sys(NR.read, 0, DATA, 100)]);
    yield sys(NR_EXIT, 0);
  });
  for (const process of [guest.process, reader]) filesOf(process).add(stream.retain(), false, { soft: 9, hard: 9 });
  runAll(guest.machine);
  expect(seen).toEqual([
    ['read', 4],
    ['write', 8],
    ['read', 4],
  ]);
});

test('without blocking: part of a write, then EAGAIN', () => {
  expect(
    results(
      [sys(NR.read, 0, DATA, 1), sys(NR.write, 0, DATA, 8), sys(NR.write, 0, DATA, 8), sys(NR.read, 0, DATA, 8)],
      nonBlocking,
    ),
  ).toEqual([-EAGAIN, 4, -EAGAIN, 4]);
});

test('a vector is scattered and gathered', () => {
  const guest = withFile(function* () {
    yield sys(NR.writev, 0, VECTOR, 2);
    yield sys(NR.readv, 0, VECTOR, 2);
    yield sys(NR_EXIT, 0);
  }, nonBlocking);
  guest.space.writeBytes(DATA, Uint8Array.of(1, 2, 3, 4, 5, 6));
  guest.words(VECTOR, DATA, 2, DATA + 4, 1);
  const stream = filesOf(guest.process).get(0) as Stream;
  runAll(guest.machine);
  expect(stream.stored).toEqual([]);
  expect([...(guest.space.readBytes(DATA, 6) ?? [])]).toEqual([1, 2, 3, 4, 5, 6]);
});

test.each([
  { name: 'no descriptor', step: sys(NR.read, 7, DATA, 1), result: -EBADF },
  { name: 'bad memory', step: sys(NR.write, 0, 8, 1), result: -EFAULT },
  { name: 'a length beyond memory', step: sys(NR.read, 0, DATA, -1), result: -EFAULT },
  { name: 'position in a stream', step: sys(NR.pread64, 0, DATA, 1, 0), result: -ESPIPE },
  { name: 'negative position', step: sys(NR.pread64, 0, DATA, 1, -2), result: -EINVAL },
  { name: 'too many pieces', step: sys(NR.readv, 0, VECTOR, 1025), result: -EINVAL },
  { name: 'vector in bad memory', step: sys(NR.readv, 0, 8, 1), result: -EFAULT },
  { name: 'unknown flag', step: sys(NR_PREADV2, 0, VECTOR, 1, -1, 0, 0x100), result: -EOPNOTSUPP },
  { name: 'dup3 to itself', step: sys(NR.dup3, 0, 0, 0), result: -EINVAL },
  { name: 'dup2 to itself', step: sys(NR.dup2, 0, 0), result: 0 },
  { name: 'dup2 beyond the limit', step: sys(NR.dup2, 0, 1024), result: -EBADF },
  { name: 'close_range backwards', step: sys(NR_CLOSE_RANGE, 2, 1, 0), result: -EINVAL },
])('refused: $name', ({ step, result }) => {
  expect(results([step])).toEqual([result]);
});

test('the access mode counts', () => {
  const readOnly = (machine: Scripted['machine']): OpenFile => new Stream(machine, O.RDONLY);
  expect(results([sys(NR.write, 0, DATA, 1)], readOnly)).toEqual([-EBADF]);
});

test('a broken pipe kills by SIGPIPE', () => {
  const guest = withFile(
    function* () {
      yield sys(NR.write, 0, DATA, 1);
      yield sys(NR_EXIT, 0);
    },
    (machine) => Object.assign(new Stream(machine, O.RDWR), { isBroken: true }),
  );
  let status: unknown;
  guest.machine.hooks = {
    ...guest.machine.hooks,
    processExit: (_process, end) => {
      status = end;
      return 'go';
    },
  };
  runAll(guest.machine);
  expect(status).toEqual({ kind: 'killed', signal: 13, core: false });
});

test('RLIMIT_FSIZE cuts a write, then refuses with SIGXFSZ', () => {
  const seen: number[] = [];
  const guest = withFile(
    function* () {
      yield sys(13, 25, guest.action(1), 0, 8);
      yield sys(NR_SETRLIMIT, RLIMIT.FSIZE, VECTOR + 0x100);
      seen.push(yield sys(NR.write, 0, DATA, 8));
      (filesOf(guest.process).get(0) as Regular).offset = 2;
      seen.push(yield sys(NR.write, 0, DATA, 8));
      yield sys(NR_EXIT, 0);
    },
    (machine) => Object.assign(new Regular(machine, O.RDWR), { room: 100 }),
  );
  guest.words(VECTOR + 0x100, 2, 100);
  runAll(guest.machine);
  expect(seen).toEqual([2, -EFBIG]);
});

test('a duplicate keeps the file open, the limit counts', () => {
  const guest = withFile(
    function* () {
      seen.push(yield sys(NR.dup, 0));
      seen.push(yield sys(NR.dup2, 0, 5));
      seen.push(yield sys(NR.close, 0));
      seen.push(yield sys(NR_CLOSE_RANGE, 1, 4, 0));
      seen.push(yield sys(NR.close, 1));
      expect(stream.isClosed).toBe(false);
      seen.push(yield sys(NR.close, 5));
      yield sys(NR_EXIT, 0);
    },
    (machine) => new Stream(machine, O.RDWR),
  );
  const seen: number[] = [];
  const stream = filesOf(guest.process).get(0) as Stream;
  guest.process.limits[RLIMIT.NOFILE] = { soft: 6, hard: 6 };
  runAll(guest.machine);
  expect(seen).toEqual([1, 5, 0, 0, -EBADF, 0]);
  expect(stream.isClosed).toBe(true);
});

test('no number is left: EMFILE', () => {
  const guest = withFile(
    function* () {
      expect(yield sys(NR.dup, 0)).toBe(-EMFILE);
      yield sys(NR_EXIT, 0);
    },
    (machine) => new Stream(machine, O.RDWR),
  );
  guest.process.limits[RLIMIT.NOFILE] = { soft: 1, hard: 1 };
  runAll(guest.machine);
});

test('a reader stays on the file that another thread closes', () => {
  const seen: number[] = [];
  const guest = scripted(function* () {
    seen.push(yield sys(NR.read, 0, DATA, 4));
    yield sys(NR_EXIT, 0);
  });
  const stream = new Stream(guest.machine, O.RDWR);
  filesOf(guest.process).add(stream, false, { soft: 9, hard: 9 });
  guest.machine.run(1000);
  filesOf(guest.process).close(0);
  expect(stream.isClosed).toBe(false);
  stream.write(Uint8Array.of(1, 2));
  runAll(guest.machine);
  expect(seen).toEqual([2]);
  expect(stream.isClosed).toBe(true);
});
