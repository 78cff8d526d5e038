/** inotify against the real kernel's answers. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { IN } from '../../../../src/emulator/kernel/file/inotify-table.js';
import { O } from '../../../../src/emulator/kernel/file/open-file.js';
import { runAll, type Scripted, sys } from '../scripted.js';
import { fork, NR, OUT, pollfds, sleep, text } from './play.js';
import { buildRunner, type Call, expectTwins, guestIn, type Region } from './twin.js';

const A = 0x1_1000;
const B = 0x1_2000;
const SHARED = 0x2_8000;
const [ADD, REMOVE, INIT] = [254, 255, 294];
const F = {
  open: 2, close: 3, pread: 17, pwrite: 18, ftruncate: 77, rename: 82, mkdir: 83, rmdir: 84, link: 86, unlink: 87, symlink: 88, chmod: 90, fchmod: 91, utimes: 235, truncate: 76,
} as const; // biome-ignore format: a table

let scratch: string;
let runner: string;
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'sidestep-inotify-'));
  runner = buildRunner(scratch);
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

function prepare(directory: string): void {
  for (const name of ['dir', 'other']) mkdirSync(join(directory, name));
  writeFileSync(join(directory, 'file'), 'hello\n');
  writeFileSync(join(directory, 'dir/inner'), 'inner\n');
}

interface Case {
  readonly name: string;
  readonly calls: readonly Call[];
  readonly compare?: readonly Region[];
}

let at = B;
/** Reads all events into memory of their own. */
function read(): Call {
  at += 0x200;
  return [NR.read, 3, at, 0x200];
}

const cases: readonly Case[] = [
  {
    name: 'a directory',
    calls: [
      [INIT, O.NONBLOCK], [ADD, 3, 'dir', IN.ALL], read(), [F.open, 'dir/new', O.CREAT | O.RDWR, 0o600], read(), [NR.write, 4, 'abc', 3], [NR.write, 4, 'abc', 3], read(), [NR.read, 4, A, 3], [F.pread, 4, A, 3, 0], read(), [F.ftruncate, 4, 1], [F.fchmod, 4, 0o644], read(), [F.close, 4], read(),
      [F.open, 'dir/new', O.RDONLY], [F.close, 4], read(), [F.open, 'dir/new', O.WRONLY | O.TRUNC], [F.close, 4], read(), [F.mkdir, 'dir/sub', 0o700], [F.link, 'file', 'dir/hard'], [F.symlink, 'x', 'dir/soft'], read(), [F.chmod, 'dir/sub', 0o755], [F.chmod, 'dir/new', 0o600], [F.utimes, 'dir/new', 0], read(),
      [F.rmdir, 'dir/sub'], [F.unlink, 'dir/hard'], [F.unlink, 'dir/soft'], read(), [F.truncate, 'dir/new', 2], read(), [F.chmod, 'dir', 0o700], read(), [NR.ioctl, 3, 0x541b, A], [F.unlink, 'dir/new'], [NR.ioctl, 3, 0x541b, A + 4], [NR.read, 3, A + 16, 10], read(),
    ],
    compare: [{ at: A, length: 8 }],
  },
  {
    name: 'a file',
    calls: [
      [INIT, O.NONBLOCK], [ADD, 3, 'file', IN.ALL], [F.open, 'file', O.RDWR], [NR.write, 4, 'abc', 3], [F.close, 4], read(), [F.chmod, 'file', 0o600], [F.link, 'file', 'second'], read(), [F.unlink, 'second'], read(), [F.unlink, 'file'], read(), [REMOVE, 3, 1],
    ],
  },
  {
    name: 'masks and descriptors',
    calls: [
      [INIT, O.NONBLOCK | O.CLOEXEC], [NR.fcntl, 3, 1], [NR.fcntl, 3, 3], [ADD, 3, 'dir', IN.CREATE], [ADD, 3, 'file', IN.MODIFY], [ADD, 3, 'dir', IN.DELETE], [F.open, 'dir/x', O.CREAT | O.WRONLY, 0o600], [F.unlink, 'dir/x'], read(), [ADD, 3, 'dir', IN.CREATE | IN.MASK_ADD], [F.mkdir, 'dir/x', 0o700], [F.rmdir, 'dir/x'],
      read(), [REMOVE, 3, 1], read(), [REMOVE, 3, 1], [ADD, 3, 'dir', IN.CREATE | IN.ONESHOT], [F.mkdir, 'dir/y', 0o700], [F.mkdir, 'dir/z', 0o700], read(), [ADD, 3, 'file', IN.MODIFY | IN.MASK_CREATE], [ADD, 3, 'file', IN.ONLYDIR | IN.MODIFY], [ADD, 3, 'file', 0], [ADD, 3, 'none', IN.ALL], [ADD, 4, 'file', IN.ALL],
      [ADD, 0, 'file', IN.ALL], [ADD, 77, 'file', IN.ALL], [REMOVE, 0, 1], [REMOVE, 77, 1], [INIT, 1], [ADD, 3, 8, IN.ALL], [NR.write, 3, 'x', 1], [8, 3, 0, 0],
    ],
  },
  {
    name: 'the end of what is watched is told whatever is asked for',
    calls: [[INIT, O.NONBLOCK], [ADD, 3, 'other', IN.CREATE], [ADD, 3, 'file', IN.OPEN], [F.rmdir, 'other'], [F.unlink, 'file'], read()],
  },
  {
    name: 'a directory that goes',
    calls: [[INIT, O.NONBLOCK], [ADD, 3, 'other', IN.ALL], [ADD, 3, '.', IN.ALL], [F.rmdir, 'other'], read(), [REMOVE, 3, 1], [REMOVE, 3, 2], read()],
  },
]; // biome-ignore format: tables

/** One read each, so that a difference is found where it is. */
const READS = Array.from({ length: 64 }, (_, i) => ({ at: B + 0x200 * i, length: 0x200 }));

test.each(cases)('$name', ({ calls, compare }) => {
  expectTwins({ runner, prepare, calls, compare: [...(compare ?? []), ...READS] });
});

test('both halves of a rename have one cookie', () => {
  const results = expectTwins({
    runner,
    prepare,
    calls: [[INIT, O.NONBLOCK], [ADD, 3, '.', IN.ALL], [ADD, 3, 'dir', IN.ALL], [ADD, 3, 'file', IN.ALL], [F.rename, 'file', 'dir/inner'], [NR.read, 3, B, 0x200]],
    compare: [{ at: B, length: 8 }, { at: B + 12, length: 28 }, { at: B + 44, length: 36 }],
  }); // biome-ignore format: a table
  expect(results.at(-1)).toBe('80');
});

test('poll sleeps until something happens', () => {
  const scratchDirectory = mkdtempSync(join(scratch, 'sleep-'));
  const seen: unknown[] = [];
  const guest: Scripted = guestIn(scratchDirectory, function* () {
    yield sys(INIT, 0);
    yield sys(ADD, 3, guest.text(A, '.'), IN.CREATE);
    seen.push(yield sys(NR.poll, pollfds(guest, A, [3, 1]), 1, 10));
    const path = guest.text(SHARED, 'made');
    yield fork(function* () {
      yield sleep(guest, 1_000_000_000);
      yield sys(F.mkdir, path, 0o700);
      yield sys(NR.exit, 0);
    });
    seen.push(yield sys(NR.read, 3, OUT, 100));
    seen.push(Math.floor(guest.machine.clock.monotonic / 1e9), text(guest, OUT + 16, 4));
    yield sys(NR.exit_group, 0);
  });
  runAll(guest.machine);
  expect(seen).toEqual([0, 32, 1, 'made']);
});
