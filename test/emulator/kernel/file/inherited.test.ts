import { execFileSync, spawnSync } from 'node:child_process';
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { NodeHost } from '../../../../src/emulator/host/node-host.js';
import { EAGAIN, EBADF, EINTR, ENOTTY, EPIPE } from '../../../../src/emulator/kernel/errno.js';
import { inheritedFiles } from '../../../../src/emulator/kernel/file/inherited.js';
import type { ExitStatus } from '../../../../src/emulator/process.js';
import { type Program, runAll, type Scripted, scripted, sys, work } from '../scripted.js';

const NR = { read: 0, write: 1, close: 3, poll: 7, lseek: 8, ioctl: 16, alarm: 37, fcntl: 72, exit: 60, sigaction: 13 };
const AT = 0x1_1000;
const TCGETS = 0x5401;
const FIONREAD = 0x541b;

let directory: string;
let opened: number[];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sidestep-inherited-'));
  opened = [];
});
afterEach(() => {
  for (const fd of opened) closeSync(fd);
  rmSync(directory, { recursive: true });
});

function open(path: string, flags: number): number {
  const fd = openSync(path, flags);
  opened.push(fd);
  return fd;
}

function fifo(): { readonly input: number; readonly output: number } {
  const path = join(directory, 'fifo');
  execFileSync('mkfifo', [path]);
  return { input: open(path, constants.O_RDONLY | constants.O_NONBLOCK), output: open(path, constants.O_WRONLY) };
}

function guest(descriptors: readonly [number, number, number], program: Program): Scripted {
  const made = scripted(program, {}, {}, new NodeHost({ descriptors }));
  made.process.files = inheritedFiles(made.machine);
  return made;
}

/** Runs until everybody waits for the host. */
function runToIdle({ machine }: Scripted): void {
  for (;;) {
    const result = machine.run(1_000_000);
    if (result.kind === 'idle' && result.deadline === undefined) return;
    if (result.kind === 'idle') machine.clock.jumpTo(result.deadline as number);
    else if (result.kind !== 'limit') throw new Error(`not idle: ${result.kind}`);
  }
}

function textAt({ space }: Scripted, length: number): string {
  return Buffer.from(space.readBytes(AT, length) ?? []).toString();
}

test('a guest sleeps in read until the host has something', async () => {
  const { input, output } = fifo();
  const seen: number[] = [];
  const made = guest([input, output, output], function* () {
    seen.push(yield sys(NR.read, 0, AT, 10));
    yield sys(NR.exit, 0);
  });
  runToIdle(made);
  expect(made.machine.enterHostEvents()).toBe(false);
  setTimeout(() => writeSync(output, 'hello'), 10);
  await made.machine.host.wait(undefined);
  expect(seen).toEqual([]);
  expect(made.machine.enterHostEvents()).toBe(true);
  runAll(made.machine);
  expect(seen).toEqual([5]);
  expect(textAt(made, 5)).toBe('hello');
});

test('poll waits for the host and takes nothing away', async () => {
  const { input, output } = fifo();
  const seen: number[] = [];
  const made = guest([input, output, output], function* () {
    made.words(AT, 0x1_0000_0000);
    seen.push(yield sys(NR.poll, AT, 1, -1));
    seen.push(made.space.readU32(AT + 4) ?? 0);
    seen.push(yield sys(NR.ioctl, 0, FIONREAD, AT));
    seen.push(yield sys(NR.read, 0, AT, 2), yield sys(NR.read, 0, AT, 2));
    yield sys(NR.exit, 0);
  });
  runToIdle(made);
  writeSync(output, 'abc');
  await made.machine.host.wait(undefined);
  made.machine.enterHostEvents();
  runAll(made.machine);
  expect(seen).toEqual([1, 0x1_0001, 0, 2, 1]);
});

test('a handler interrupts the read, and nothing is lost', async () => {
  const { input, output } = fifo();
  const seen: number[] = [];
  const made = guest([input, output, output], function* () {
    yield sys(
      NR.sigaction,
      14,
      made.action(function* () {
        yield work(1);
      }),
      0,
      8,
    );
    yield sys(NR.alarm, 1);
    seen.push(yield sys(NR.read, 0, AT, 10));
    seen.push(yield sys(NR.read, 0, AT, 10));
    yield sys(NR.exit, 0);
  });
  runToIdle(made);
  expect(seen).toEqual([-EINTR]);
  writeSync(output, 'later');
  await made.machine.host.wait(undefined);
  made.machine.enterHostEvents();
  runAll(made.machine);
  expect(seen).toEqual([-EINTR, 5]);
});

test('without blocking there is EAGAIN, and a pipe is no terminal', () => {
  const { input, output } = fifo();
  const seen: number[] = [];
  const made = guest([input, output, output], function* () {
    yield sys(NR.fcntl, 0, 4, 0o4000);
    seen.push(yield sys(NR.read, 0, AT, 10), yield sys(NR.ioctl, 0, TCGETS, AT), yield sys(NR.write, 0, AT, 1));
    yield sys(NR.exit, 0);
  });
  runAll(made.machine);
  expect(seen).toEqual([-EAGAIN, -ENOTTY, -EBADF]);
});

test('writing goes to the host at once; a reader that is gone kills by SIGPIPE', () => {
  const { input, output } = fifo();
  let end: ExitStatus | undefined;
  const made = guest([input, output, output], function* () {
    expect(yield sys(NR.write, 1, made.text(AT, 'out'), 3)).toBe(3);
    const into = Buffer.alloc(3);
    readSync(input, into, 0, 3, null);
    expect(into.toString()).toBe('out');
    closeSync(input);
    opened.shift();
    expect(yield sys(NR.write, 1, AT, 3)).toBe(-EPIPE);
    yield sys(NR.exit, 0);
  });
  made.machine.hooks = {
    ...made.machine.hooks,
    processExit: (_process, status) => {
      end = status;
      return 'go';
    },
  };
  runAll(made.machine);
  expect(end).toEqual({ kind: 'killed', signal: 13, core: false });
});

test('a file shares its position with the server’s descriptor until the guest seeks', () => {
  const path = join(directory, 'file');
  writeFileSync(path, 'abcdefgh');
  const fd = open(path, constants.O_RDWR);
  const seen: number[] = [];
  const made = guest([fd, fd, fd], function* () {
    seen.push(yield sys(NR.read, 0, AT, 3), yield sys(NR.lseek, 0, 0, 1));
    yield sys(NR.exit, 0);
  });
  runAll(made.machine);
  const into = Buffer.alloc(2);
  readSync(fd, into, 0, 2, null);
  expect([...seen, into.toString()]).toEqual([3, 3, 'de']);
  const second = guest([fd, fd, fd], function* () {
    seen.push(yield sys(NR.lseek, 0, 1, 0), yield sys(NR.read, 0, AT, 2), yield sys(NR.write, 0, AT, 1));
    yield sys(NR.exit, 0);
  });
  runAll(second.machine);
  expect(textAt(second, 2)).toBe('bc');
  expect(readFileSync(path, 'latin1')).toBe('abcbefgh');
});

test('/dev/null is the guest’s own; a closed descriptor stays free', () => {
  const fd = open('/dev/null', constants.O_RDWR);
  const made = guest([fd, 0x7fff_fff0, fd], function* () {
    expect(yield sys(NR.read, 0, AT, 1)).toBe(0);
    expect(yield sys(NR.write, 1, AT, 1)).toBe(-EBADF);
    expect(yield sys(NR.write, 2, AT, 1)).toBe(1);
    yield sys(NR.exit, 0);
  });
  runAll(made.machine);
});

test('a socket that a parent gave as a standard stream looks like a pipe, which libuv can use', () => {
  const cli = fileURLToPath(new URL('../../../../dist/cli.js', import.meta.url));
  // Node gives its children sockets.
  const { stdout, status } = spawnSync(cli, ['run', '--', 'stat', '-L', '-c', '%F', '-', '/proc/self/fd/1']);
  expect([status, stdout.toString()]).toEqual([0, 'fifo\nfifo\n']);
});
