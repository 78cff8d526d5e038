import { execFileSync } from 'node:child_process';
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
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Host } from '../../../src/emulator/host/host.js';
import { NodeHost } from '../../../src/emulator/host/node-host.js';
import { EBADF, EPIPE } from '../../../src/emulator/kernel/errno.js';

let directory: string;
let opened: number[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sidestep-streams-'));
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

/** A pipe: its reading end is the guest's descriptor 0; the writing end for the test. */
function piped(): { host: Host; input: number; output: number } {
  const path = join(directory, 'fifo');
  execFileSync('mkfifo', [path]);
  const input = open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const output = open(path, constants.O_WRONLY);
  return { host: new NodeHost({ descriptors: [input, output, output] }), input, output };
}

function text(bytes: Uint8Array, length: number | 'pending'): string {
  return Buffer.from(bytes.subarray(0, length as number)).toString();
}

test('a read that cannot be answered is pending, and an event tells when it can', async () => {
  const { host, output } = piped();
  const into = new Uint8Array(10);
  expect(host.streams.read(0, into)).toBe('pending');
  expect(host.drain()).toEqual([]);
  setTimeout(() => writeSync(output, 'abc'), 20);
  await host.wait(5e9);
  expect(host.drain()).toEqual([{ source: 'fd 0' }]);
  expect(text(into, host.streams.read(0, into))).toBe('abc');
  expect(host.streams.read(0, into)).toBe('pending');
});

test('no more is taken than was asked for', async () => {
  const { host, input, output } = piped();
  const into = new Uint8Array(2);
  expect(host.streams.read(0, into)).toBe('pending');
  writeSync(output, 'abcdef');
  await host.wait(undefined);
  expect(text(into, host.streams.read(0, into))).toBe('ab');
  expect(host.streams.poll(0)).toBe('ready');
  expect(text(into, host.streams.read(0, into))).toBe('cd');
  const rest = Buffer.alloc(10);
  expect(readSync(input, rest, 0, 10, null)).toBe(2);
  expect(rest.toString('latin1', 0, 2)).toBe('ef');
});

test('the end of a pipe wakes a reader', async () => {
  const { host, output } = piped();
  expect(host.streams.poll(0)).toBe('pending');
  closeSync(output);
  opened.pop();
  await host.wait(5e9);
  expect(host.drain()).toEqual([{ source: 'fd 0' }]);
  expect(host.streams.poll(0)).toBe('ready');
  expect(host.streams.read(0, new Uint8Array(4))).toBe(0);
});

test('a wait ends when its time is over, or when it is told to', async () => {
  const { host } = piped();
  host.streams.poll(0);
  const start = performance.now();
  await host.wait(30e6);
  expect(performance.now() - start).toBeGreaterThanOrEqual(29);
  setTimeout(() => host.interruptWait(), 10);
  await host.wait(undefined);
  expect(host.drain()).toEqual([]);
});

test('a file is read and written where its descriptor stands', () => {
  const path = join(directory, 'file');
  writeFileSync(path, 'abcdef');
  const fd = open(path, constants.O_RDWR);
  readSync(fd, Buffer.alloc(2), 0, 2, null);
  const { streams } = new NodeHost({ descriptors: [fd, fd, fd] });
  const into = new Uint8Array(2);
  expect(streams.kind(0)).toBe('file');
  expect(streams.position(0)).toBe(2);
  expect(text(into, streams.read(0, into))).toBe('cd');
  expect(streams.write(1, Buffer.from('XY'))).toBe(2);
  expect(streams.pread(0, into, 0)).toBe(2);
  expect(text(into, 2)).toBe('ab');
  expect(streams.truncate(0, 5)).toBe(0);
  expect(readFileSync(path, 'latin1')).toBe('abcdX');
  expect(streams.stat(0)).toMatchObject({ size: 5 });
});

test('a full pipe is written completely', async () => {
  const { host, input } = piped();
  const bytes = new Uint8Array(200_000).fill(7);
  const child = new Promise<number>((resolve) => {
    let total = 0;
    const drain = (): void => {
      const into = Buffer.alloc(65_536);
      try {
        total += readSync(input, into, 0, into.length, null);
      } catch {
        // Nothing there yet.
      }
      if (total < 60_000) setTimeout(drain, 1);
      else resolve(total);
    };
    drain();
  });
  expect(host.streams.write(1, bytes.subarray(0, 60_000))).toBe(60_000);
  expect(await child).toBe(60_000);
});

test('errors are numbers', () => {
  const { host, input } = piped();
  expect(host.streams.kind(0)).toBe('pipe');
  expect(host.streams.kind(7)).toBe('closed');
  expect(host.streams.read(7, new Uint8Array(1))).toBe(-EBADF);
  expect(host.streams.windowSize(0)).toBeUndefined();
  closeSync(input);
  opened.splice(opened.indexOf(input), 1);
  expect(host.streams.write(1, new Uint8Array(1))).toBe(-EPIPE);
});
