/** Locks between processes (fcntl(2), flock(2)). What one process alone sees is in calls.test.ts. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { NodeHost } from '../../../../src/emulator/host/node-host.js';
import { EAGAIN, EDEADLK, EINTR } from '../../../../src/emulator/kernel/errno.js';
import { filesOf } from '../../../../src/emulator/kernel/file/file-table.js';
import { openFile, openHow } from '../../../../src/emulator/kernel/file/open.js';
import { O, type OpenFile } from '../../../../src/emulator/kernel/file/open-file.js';
import { credentialsOf } from '../../../../src/emulator/kernel/root.js';
import type { Process } from '../../../../src/emulator/process.js';
import { type Program, runAll, type Scripted, type Step, scripted, sys, work } from '../scripted.js';

const NR = {
  close: 3,
  pipe: 22,
  eventfd: 290,
  fork: 57,
  exit: 60,
  wait4: 61,
  fcntl: 72,
  flock: 73,
  alarm: 37,
  sigaction: 13,
  dup: 32,
};
const F = { GETLK: 5, SETLK: 6, SETLKW: 7, OFD_SETLK: 37, OFD_SETLKW: 38 };
const LOCK = { SH: 1, EX: 2, NB: 4, UN: 8 };
/** struct flock for [start, start + length): read, write, unlock. */
const AT = 0x1_1000;

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sidestep-locks-'));
  writeFileSync(join(directory, 'file'), 'x'.repeat(100));
});
afterEach(() => rmSync(directory, { recursive: true }));

/** Two processes with the file at descriptors 0 and 1, opened twice each. */
function pair(first: Program, second: Program): Scripted {
  const guest = scripted(first, {}, {}, new NodeHost());
  const other = guest.start(second);
  for (const process of [guest.process, other]) equip(guest, process);
  return guest;
}

function equip({ machine }: Scripted, process: Process): void {
  const { uid, gid, groups } = machine.host.inputs;
  process.credentials = credentialsOf(uid, gid, groups);
  for (let fd = 0; fd < 2; fd++) {
    const how = openHow(O.RDWR, 0);
    if (typeof how === 'number') throw new Error('bad flags');
    const file = openFile({ machine, process }, -100, join(directory, 'file'), how) as OpenFile;
    filesOf(process).add(file, false, { soft: 9, hard: 9 });
  }
  placeLocks(process);
}

function placeLocks({ space }: Process): void {
  const locks = [0, 1, 2].flatMap((type) => [type, 10, 10, 0]);
  space.writeBytes(AT, new Uint8Array(BigInt64Array.from(locks.map(BigInt)).buffer));
  space.writeBytes(AT + 0x100, new Uint8Array(BigInt64Array.from([1n, 50n, 10n, 0n]).buffer));
}

const READ = AT;
const WRITE = AT + 32;
const UNLOCK = AT + 64;
/** A write lock on other bytes. */
const ELSEWHERE = AT + 0x100;

function fcntl(command: number, lock: number, fd = 0): Step {
  return sys(NR.fcntl, fd, command, lock);
}

const exit = sys(NR.exit, 0);

test('a lock keeps others out, who may wait for it', () => {
  const seen: unknown[] = [];
  const guest = pair(
    function* () {
      seen.push(['first', yield fcntl(F.SETLK, WRITE)]);
      yield work(1000);
      seen.push(['unlock', yield fcntl(F.SETLK, UNLOCK)]);
      yield exit;
    },
    function* () {
      seen.push(['refused', yield fcntl(F.SETLK, READ)]);
      seen.push(['elsewhere', yield fcntl(F.SETLK, ELSEWHERE)]);
      yield fcntl(F.GETLK, READ);
      seen.push(['second', yield fcntl(F.SETLKW, WRITE)]);
      yield exit;
    },
  );
  const second = [...guest.machine.processes.values()].at(-1) as Process;
  runAll(guest.machine);
  expect(seen).toEqual([
    ['first', 0],
    ['refused', -EAGAIN],
    ['elsewhere', 0],
    ['unlock', 0],
    ['second', 0],
  ]);
  const told = second.space.readBytes(READ, 32) as Uint8Array;
  const view = new DataView(told.buffer, told.byteOffset);
  expect([
    view.getInt16(0, true),
    view.getBigInt64(8, true),
    view.getBigInt64(16, true),
    view.getInt32(24, true),
  ]).toEqual([1, 10n, 10n, guest.process.pid]);
});

test('readers share, and the end of the last lets a writer in', () => {
  const seen: string[] = [];
  const guest = pair(
    function* () {
      expect(yield fcntl(F.SETLK, READ)).toBe(0);
      yield work(500);
      seen.push('reader ends');
      yield exit;
    },
    function* () {
      expect(yield fcntl(F.SETLK, READ)).toBe(0);
      expect(yield fcntl(F.SETLK, WRITE)).toBe(-EAGAIN);
      expect(yield fcntl(F.SETLKW, WRITE)).toBe(0);
      seen.push('writer');
      yield exit;
    },
  );
  runAll(guest.machine);
  expect(seen).toEqual(['reader ends', 'writer']);
  expect(guest.machine.locks.isEmpty).toBe(true);
});

test('any close of the file gives its locks up, even of another descriptor', () => {
  const seen: number[] = [];
  const guest = pair(
    function* () {
      yield fcntl(F.SETLK, WRITE, 0);
      yield work(300);
      yield sys(NR.close, 1);
      yield work(1000);
      yield exit;
    },
    function* () {
      yield work(150);
      seen.push(yield fcntl(F.SETLK, WRITE));
      yield work(300);
      seen.push(yield fcntl(F.SETLK, WRITE));
      yield exit;
    },
  );
  runAll(guest.machine);
  expect(seen).toEqual([-EAGAIN, 0]);
});

test('two that wait for each other: the second is told', () => {
  const seen: number[] = [];
  const guest = pair(
    function* () {
      yield fcntl(F.SETLK, WRITE);
      yield work(300);
      seen.push(yield fcntl(F.SETLKW, ELSEWHERE));
      yield exit;
    },
    function* () {
      yield fcntl(F.SETLK, ELSEWHERE);
      yield work(600);
      seen.push(yield fcntl(F.SETLKW, WRITE));
      yield exit;
    },
  );
  runAll(guest.machine);
  expect(seen).toEqual([-EDEADLK, 0]);
});

test('a child does not inherit locks, and its exit does not release its parent’s', () => {
  const seen: number[] = [];
  const child: Program = function* () {
    expect(yield fcntl(F.SETLK, WRITE)).toBe(-EAGAIN);
    yield exit;
  };
  const guest = pair(
    function* () {
      yield fcntl(F.SETLK, WRITE);
      yield { call: NR.fork, child };
      yield sys(NR.wait4, -1, 0, 0, 0);
      yield work(500);
      yield exit;
    },
    function* () {
      yield work(400);
      seen.push(yield fcntl(F.SETLK, WRITE));
      yield exit;
    },
  );
  runAll(guest.machine);
  expect(seen).toEqual([-EAGAIN]);
});

test('locks of open files stand against each other within a process too', () => {
  const seen: number[] = [];
  const guest = pair(
    function* () {
      seen.push(yield fcntl(F.OFD_SETLK, WRITE, 0));
      seen.push(yield fcntl(F.OFD_SETLK, WRITE, 1));
      seen.push(yield fcntl(F.SETLK, WRITE, 0));
      yield sys(NR.dup, 0);
      yield sys(NR.close, 0);
      seen.push(yield fcntl(F.OFD_SETLK, WRITE, 1));
      yield sys(NR.close, 2);
      seen.push(yield fcntl(F.OFD_SETLK, WRITE, 1));
      yield exit;
    },
    function* () {
      yield exit;
    },
  );
  runAll(guest.machine);
  expect(seen).toEqual([0, -EAGAIN, -EAGAIN, -EAGAIN, 0]);
});

test('flock: waits, converts, ends with the open file', () => {
  const seen: unknown[] = [];
  const guest = pair(
    function* () {
      yield sys(NR.flock, 0, LOCK.EX);
      yield work(300);
      seen.push('gives up');
      yield sys(NR.flock, 0, LOCK.SH);
      yield work(300);
      seen.push('closes');
      yield sys(NR.close, 0);
      yield work(1000);
      yield exit;
    },
    function* () {
      yield work(10);
      expect(yield sys(NR.flock, 0, LOCK.SH | LOCK.NB)).toBe(-EAGAIN);
      yield sys(NR.flock, 0, LOCK.SH);
      seen.push('shared');
      yield sys(NR.flock, 0, LOCK.EX);
      seen.push('exclusive');
      yield exit;
    },
  );
  runAll(guest.machine);
  expect(seen).toEqual(['gives up', 'shared', 'closes', 'exclusive']);
});

test('a handler ends the wait for a lock', () => {
  const seen: number[] = [];
  const guest = pair(
    function* () {
      yield fcntl(F.SETLK, WRITE);
      yield sys(230, 1, 0, AT + 0x180, 0);
      yield exit;
    },
    function* () {
      const handler = guest.action(function* () {
        yield work(1);
      });
      second.space.writeBytes(handler, guest.space.readBytes(handler, 32) as Uint8Array);
      yield sys(NR.sigaction, 14, handler, 0, 8);
      yield sys(NR.alarm, 1);
      seen.push(yield fcntl(F.SETLKW, WRITE));
      yield exit;
    },
  );
  const second = [...guest.machine.processes.values()].at(-1) as Process;
  guest.process.space.writeBytes(AT + 0x180, new Uint8Array(BigInt64Array.of(5n, 0n).buffer));
  runAll(guest.machine);
  expect(seen).toEqual([-EINTR]);
});

test('what has no name is locked like a file: the writing end of a pipe, as make takes its output, and an eventfd', () => {
  const seen: unknown[] = [];
  const child: Program = function* () {
    for (const fd of [1, 2]) seen.push([yield fcntl(F.SETLK, WRITE, fd), yield sys(NR.flock, fd, LOCK.EX)]);
    yield exit;
  };
  const guest = scripted(function* () {
    yield sys(NR.pipe, AT + 0x200);
    yield sys(NR.eventfd, 0, 0);
    for (const fd of [1, 2]) seen.push(yield fcntl(F.SETLK, WRITE, fd));
    yield { call: NR.fork, child };
    yield sys(NR.wait4, -1, 0, 0, 0);
    yield exit;
  });
  placeLocks(guest.process);
  runAll(guest.machine);
  // The open file description, and with it the lock of the whole, is the child's too.
  expect(seen).toEqual([0, 0, [-EAGAIN, 0], [-EAGAIN, 0]]);
});
