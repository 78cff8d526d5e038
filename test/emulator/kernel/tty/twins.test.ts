/** Pseudo-terminals against the real kernel's answers. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, test } from 'vitest';
import { O, POLL } from '../../../../src/emulator/kernel/file/open-file.js';
import { NR } from '../file/play.js';
import { buildRunner, type Call, expectTwins, type Region } from '../file/twin.js';

const A = 0x1_1000;
const ATTRIBUTES = 0x1_2000;
const OUT = 0x1_3000;
const { RDWR, NOCTTY, NONBLOCK } = O;
const open = 2;
const fstat = 5;
const [fchmod, fchown] = [91, 93];
const [TCGETS, TCSETS, TCSETSF, TCFLSH] = [0x5401, 0x5402, 0x5404, 0x540b];
const [TIOCGPTN, TIOCSPTLCK, TIOCGPTLCK, TIOCGPTPEER] = [0x8004_5430, 0x4004_5431, 0x8004_5439, 0x5441];
const [TIOCGWINSZ, TIOCSWINSZ, FIONREAD, TIOCGPGRP, TIOCSPGRP, TIOCGSID, TIOCSCTTY] = [
  0x5413, 0x5414, 0x541b, 0x540f, 0x5410, 0x5429, 0x540e,
];
const ICANON = 2;
const ECHO = 8;
const STANDARD_LOCAL = 0x8a3b;
const [MIN, TIME, STOP] = [6, 5, 9];
const [TCXONC, TIOCPKT, TIOCGPKT] = [0x540a, 0x5420, 0x8004_5438];

let scratch: string;
let runner: string;
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'sidestep-tty-'));
  runner = buildRunner(scratch);
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

interface Memory {
  readonly at: number;
  readonly bytes: Uint8Array;
}

function ints(at: number, ...values: number[]): Memory {
  return { at, bytes: new Uint8Array(Int32Array.from(values).buffer) };
}

interface Attributes {
  readonly iflag?: number;
  readonly oflag?: number;
  readonly lflag?: number;
  readonly cc?: Readonly<Record<number, number>>;
}

/** struct termios, changed from the standard one. */
function termios(at: number, { iflag = 0x500, oflag = 5, lflag = STANDARD_LOCAL, cc = {} }: Attributes): Memory {
  const bytes = new Uint8Array(36);
  new Uint32Array(bytes.buffer, 0, 4).set([iflag, oflag, 0xbf, lflag]);
  bytes.set([3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22], 17);
  for (const [place, value] of Object.entries(cc)) bytes[17 + Number(place)] = value;
  return { at, bytes };
}

/** Master 3, slave 4, both without blocking; A is an int 0 for the lock. */
const PAIR: readonly Call[] = [
  [open, '/dev/ptmx', RDWR | NOCTTY | NONBLOCK], [NR.ioctl, 3, TIOCSPTLCK, A], [NR.ioctl, 3, TIOCGPTPEER, RDWR | NOCTTY | NONBLOCK],
]; // biome-ignore format: a row

let outAt = OUT;
/** Types at the master; then what it and the slave read, each in memory of its own. */
function typed(...keys: readonly string[]): Call[] {
  return keys.flatMap((text): Call[] => [
    [NR.write, 3, text, Buffer.byteLength(text)],
    [NR.read, 3, next(), 200],
    [NR.read, 4, next(), 200],
  ]);
}
function next(): number {
  outAt += 0x100;
  if (outAt >= 0x1_f000) outAt = OUT + 0x100;
  return outAt;
}

interface Case {
  readonly name: string;
  readonly memory?: readonly Memory[];
  readonly calls: () => readonly Call[];
  readonly compare?: readonly Region[];
}

const ALL: readonly Region[] = [{ at: OUT, length: 0xc000 }];

const cases: readonly Case[] = [
  {
    name: 'what they are',
    memory: [ints(A + 16, 40 | (100 << 16), 7 | (8 << 16)), ints(A + 64, 1), ints(A + 96, 3, POLL.IN | POLL.OUT, 4, POLL.IN | POLL.OUT)],
    calls: () => [
      [open, '/dev/ptmx', RDWR | NOCTTY | NONBLOCK], [NR.ioctl, 3, TIOCGPTLCK, A + 32], [NR.ioctl, 3, TIOCGPTPEER, RDWR | NOCTTY], [NR.ioctl, 3, TIOCSPTLCK, A], [NR.ioctl, 3, TIOCGPTLCK, A + 36], [NR.read, 3, OUT, 1], [NR.ioctl, 3, TIOCGPTPEER, RDWR | NOCTTY | NONBLOCK], [NR.ioctl, 4, TIOCGPTN, A + 40],
      [NR.ioctl, 3, TCGETS, OUT], [NR.ioctl, 4, TCGETS, OUT + 64], [NR.ioctl, 4, TIOCGWINSZ, OUT + 128], [NR.ioctl, 3, TIOCSWINSZ, A + 16], [NR.ioctl, 4, TIOCGWINSZ, OUT + 136], [NR.ioctl, 4, TIOCGPGRP, A + 44], [NR.ioctl, 4, TIOCGSID, A + 48], [NR.ioctl, 4, TIOCSPGRP, A + 52], [NR.ioctl, 3, TIOCGPGRP, A + 56],
      [NR.ioctl, 4, TIOCSCTTY, 0], [NR.ioctl, 4, 0x5424, A + 60], [NR.ioctl, 4, 0x9999, A], [NR.ioctl, 4, TCGETS, 8], [NR.ioctl, 4, TCSETS, 8], [NR.ioctl, 4, TCFLSH, 3], [NR.ioctl, 4, TCFLSH, 2], [8, 4, 0, 0], [NR.poll, A + 96, 2, 0], [NR.write, 4, 'x', 1], [NR.poll, A + 96, 2, 0], [open, '/dev/tty', RDWR], [NR.write, 4, 'x', 0],
      [NR.ioctl, 4, 0x540c, 0], [NR.ioctl, 4, 0x540d, 0], [NR.read, 3, OUT + 0x300, 10], [NR.close, 4], [NR.poll, A + 96, 1, 0], [NR.read, 3, OUT + 0x400, 10], [NR.ioctl, 3, TIOCGPTPEER, RDWR | NOCTTY | NONBLOCK], [NR.read, 3, OUT, 10], [NR.close, 3], [NR.poll, A + 104, 1, 0], [NR.read, 4, OUT, 1], [NR.write, 4, OUT, 1],
      [NR.ioctl, 4, TCGETS, OUT],
    ],
    compare: [{ at: A, length: 112 }, ...ALL],
  },
  {
    name: 'lines are edited',
    calls: () => [
      ...PAIR,
      ...typed('hello\n', 'abc\x7f\x7fd\r', 'one two  \x17three\n', 'gone\x15kept\n', 'a\tb\x7f\x7f\x7fc\n', '\x01\x02\x7f\x1b\n', 'q\x16\x03\x16\x7fz\n', 'again\x12\n', 'partial', '\x04', '\x04', 'x\x04\x04', 'two\nlines\n', '\n', '\x11\x13', 'stopped\n', '\x11', 'ä\x7f\n'),
      [NR.read, 4, next(), 3], [NR.read, 4, next(), 200], [NR.write, 3, 'long line\n', 10], [NR.ioctl, 4, FIONREAD, A], [NR.read, 4, next(), 4], [NR.ioctl, 4, FIONREAD, A + 4], [NR.read, 4, next(), 200], [NR.write, 3, 'ab', 2], [NR.ioctl, 4, FIONREAD, A + 8],
    ],
    compare: [{ at: A, length: 16 }, ...ALL],
  },
  {
    name: 'signal characters drop what was typed',
    calls: () => [...PAIR, ...typed('abc\x03', 'def\n', 'x\x1cy\n', 'z\x1a\n'), [NR.write, 4, 'out', 3], ...typed('w\x03')],
    compare: ALL,
  },
  {
    name: 'without echo, without editing, without signals',
    memory: [
      termios(ATTRIBUTES, { lflag: STANDARD_LOCAL & ~ECHO }), termios(ATTRIBUTES + 64, { lflag: STANDARD_LOCAL & ~(ICANON | ECHO) }), termios(ATTRIBUTES + 128, { lflag: 0, iflag: 0, oflag: 0 }), termios(ATTRIBUTES + 192, { lflag: 0, cc: { [MIN]: 3 } }),
      termios(ATTRIBUTES + 256, { lflag: 0, cc: { [MIN]: 0, [TIME]: 0 } }), termios(ATTRIBUTES + 320, { lflag: (STANDARD_LOCAL & ~ECHO) | 0o100 }), termios(ATTRIBUTES + 384, {}), ints(A + 16, 4, POLL.IN),
    ],
    calls: () => [
      ...PAIR, [NR.ioctl, 4, TCSETS, ATTRIBUTES], ...typed('hid\x7fden\n'), [NR.ioctl, 4, TCSETS, ATTRIBUTES + 64], ...typed('raw\r\x7f', 'x', '\x03'), [NR.ioctl, 4, TCSETS, ATTRIBUTES + 128], ...typed('raw\r\n\x03\x11', 'x'), [NR.write, 4, 'a\nb\r\n', 5], [NR.read, 3, next(), 100],
      [NR.ioctl, 4, TCSETS, ATTRIBUTES + 192], [NR.write, 3, 'ab', 2], [NR.poll, A + 16, 1, 0], [NR.write, 3, 'c', 1], [NR.poll, A + 16, 1, 0], [NR.read, 4, next(), 2], [NR.ioctl, 4, TCSETS, ATTRIBUTES + 256], [NR.read, 4, next(), 10], [NR.read, 4, next(), 10], [NR.ioctl, 4, TCSETS, ATTRIBUTES + 320], ...typed('nl\n'),
      [NR.write, 3, 'lost', 4], [NR.ioctl, 4, TCSETSF, ATTRIBUTES + 384], ...typed('kept\n'), [NR.write, 3, 'pending\n', 8], [NR.ioctl, 4, TCSETS, ATTRIBUTES + 128], [NR.read, 4, next(), 3], [NR.ioctl, 4, TCSETS, ATTRIBUTES + 384], [NR.read, 4, next(), 100],
    ],
    compare: [{ at: A, length: 32 }, ...ALL],
  },
  {
    name: 'output is processed',
    memory: [termios(ATTRIBUTES, { oflag: 5 | 0o14000 }), termios(ATTRIBUTES + 64, { oflag: 1 | 8 }), termios(ATTRIBUTES + 128, { oflag: 1 | 16 | 4 }), termios(ATTRIBUTES + 192, { oflag: 1 | 32 }), termios(ATTRIBUTES + 256, { oflag: 0 })],
    calls: () => {
      const written = ['a\nb\rc\td\b\te\n', '\rx\r\n\r'].flatMap((text): Call[] => [[NR.write, 4, text, text.length], [NR.read, 3, next(), 200]]);
      return [...PAIR, ...written, ...[0, 64, 128, 192, 256].flatMap((at): Call[] => [[NR.ioctl, 4, TCSETS, ATTRIBUTES + at], ...written])];
    },
    compare: ALL,
  },
  {
    name: 'translations of input',
    memory: [termios(ATTRIBUTES, { iflag: 0o100 }), termios(ATTRIBUTES + 64, { iflag: 0o200 }), termios(ATTRIBUTES + 128, { iflag: 0o40 | 0x500 }), termios(ATTRIBUTES + 192, { lflag: STANDARD_LOCAL & ~0o20 }), termios(ATTRIBUTES + 256, { lflag: STANDARD_LOCAL & ~0o4000 }), termios(ATTRIBUTES + 320, { lflag: STANDARD_LOCAL & ~0o1000 }), termios(ATTRIBUTES + 384, { iflag: 0x4500, cc: { 11: 35 } })],
    calls: () => [...PAIR, ...[0, 64, 128, 192, 256, 320, 384].flatMap((at): Call[] => [[NR.ioctl, 4, TCSETS, ATTRIBUTES + at], ...typed('a\rb\x7f\x15c\n', '\x04', 'ö\x7f#\x01\n')])],
    compare: ALL,
  },
  {
    name: 'packet mode tells the master what was flushed, stopped and set, once',
    memory: [ints(A + 16, 1, 0), termios(ATTRIBUTES, { iflag: 0x100 }), termios(ATTRIBUTES + 64, {}), termios(ATTRIBUTES + 128, { cc: { [STOP]: 1 } }), ints(A + 32, 3, POLL.IN | POLL.PRI)],
    calls: () => {
      const told: Call[] = [[NR.poll, A + 32, 1, 60], [NR.read, 3, next(), 200]];
      const flushes = [0, 1, 2].flatMap((queue): Call[] => [[NR.ioctl, 4, TCFLSH, queue], ...told]);
      const flows = [0, 1, 0, 0].flatMap((action): Call[] => [[NR.ioctl, 4, TCXONC, action], ...told]);
      const sets = [0, 64, 128, 0, 64].flatMap((at): Call[] => [[NR.ioctl, 4, TCSETS, ATTRIBUTES + at], ...told]);
      return [
        ...PAIR, [NR.ioctl, 4, TCFLSH, 0], ...told, [NR.ioctl, 3, TIOCPKT, A + 16], [NR.ioctl, 3, TIOCGPKT, A + 24], ...flushes, ...flows, [NR.ioctl, 4, TCXONC, 1], ...sets, [NR.ioctl, 4, TCSETSF, ATTRIBUTES], ...told, ...typed('a\x03'), [NR.ioctl, 4, TCSETS, ATTRIBUTES + 64], ...told, ...typed('b\x13'), ...typed('\x11'),
        [NR.write, 4, 'out', 3], [NR.read, 3, next(), 3], [NR.read, 3, next(), 200], [NR.write, 4, 'kept', 4], [NR.ioctl, 4, TCFLSH, 1], ...told, ...told, [NR.write, 4, 'lost', 4], [NR.ioctl, 3, TCFLSH, 0], ...told, [NR.write, 3, 'gone\n', 5], [NR.ioctl, 3, TCFLSH, 1], [NR.read, 4, next(), 10], [NR.ioctl, 4, TCFLSH, 2], [NR.ioctl, 3, TIOCPKT, A + 20], [NR.ioctl, 3, TIOCPKT, A + 16], ...told,
      ];
    },
    compare: [{ at: A, length: 64 }, ...ALL],
  },
  {
    name: 'owner and mode',
    calls: () => [...PAIR, [fchmod, 4, 0o640], [fstat, 4, next()], [fchown, 4, -1, 0], [fchown, 4, 1, 2], [fchmod, 4, 0o7600]],
  },
  {
    name: 'full buffers',
    calls: () => [...PAIR, [NR.ioctl, 4, TCSETS, ATTRIBUTES], [NR.read, 4, next(), 10], [NR.write, 3, 'x', 1], [NR.read, 4, next(), 10], [fstat, 3, next()]],
    memory: [termios(ATTRIBUTES, { lflag: 0 })],
    compare: [],
  },
]; // biome-ignore format: tables

/** The real kernel carries bytes from one side to the other in its own time: after each write both sides are given some. */
const BOTH = 0x1_0f00;
const PATIENCE_MS = 60;
function paced(calls: readonly Call[]): Call[] {
  const waits = [BOTH, BOTH + 8].map((at): Call => [NR.poll, at, 1, PATIENCE_MS]);
  return calls.flatMap((call) => (call[0] === NR.write ? [call, ...waits] : [call]));
}

test.each(cases)('$name', ({ calls, memory, compare }) => {
  outAt = OUT;
  expectTwins({
    runner,
    calls: paced(calls()),
    memory: [...(memory ?? []), ints(BOTH, 3, POLL.IN, 4, POLL.IN)],
    compare: compare ?? [],
  });
});
