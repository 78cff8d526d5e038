/** A UNIX socket that a guest listens at, as programs of the host find it: what they say arrives, and nothing is there that Linux would not leave. */
import { type ChildProcess, spawn } from 'node:child_process';
import { copyFileSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { buildGuest } from '../guests/build.js';

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const program = buildGuest({ source: 'door.c', flags: ['-static', '-O1'] });

let folder: string;
const running: ChildProcess[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sidestep-door-'));
});
afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

/** Starts the guest; `until` gives what it has printed once that includes the text. */
function start(cwd: string, ...command: string[]): { until(text: string): Promise<string> } {
  const child = spawn(process.execPath, [CLI, 'run', ...command], { cwd, stdio: ['ignore', 'pipe', 'inherit'] });
  running.push(child);
  let printed = '';
  let look = (): void => undefined;
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
    look();
  });
  return {
    until: (text) =>
      new Promise((resolve, reject) => {
        look = () => {
          if (printed.includes(text)) resolve(printed);
        };
        child.on('exit', () => reject(new Error(`ended without saying ${text}: ${printed}`)));
        look();
      }),
  };
}

/** Says something at a path and hears the answer to its end; the errno's name when nobody is there. */
function ask(path: string, what: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    const client = connect({ path, allowHalfOpen: true }, () => client.end(what));
    client.setEncoding('utf8').on('data', (text: string) => {
      answer += text;
    });
    client.on('end', () => resolve(answer));
    client.on('error', (error) => resolve((error as NodeJS.ErrnoException).code ?? ''));
  });
}

/** Says something and is gone before anybody answers. */
function leave(path: string, what: string): Promise<void> {
  return new Promise((resolve) => {
    const client = connect(path, () => client.end(what, () => client.destroy()));
    client.on('close', () => resolve());
  });
}

const OUTSIDER = 'peer of 2 bytes, mine as bound, pid 0 uid 65534 gid 65534';
const INSIDE = ['bound: 140750', 'listening: 140750', 'inside: my child', 'waiting'];

test('programs of the host connect, say much or little, and leave; then the name is removed', async () => {
  const guest = start(folder, '--', program, 'door');
  const path = join(folder, 'door');
  await guest.until('waiting');
  expect(lstatSync(path).mode.toString(8)).toBe('140750');
  expect(readdirSync(folder)).toEqual(['door']);
  expect(await ask(path, 'question')).toBe('question');
  const much = 'all work and no play '.repeat(50_000);
  expect((await ask(path, much)) === much).toBe(true);
  await leave(path, 'gone');
  expect(await ask(path, 'unlink')).toBe('unlink');
  const printed = await guest.until('end\n');
  expect(printed.split('\n')).toEqual([
    ...INSIDE,
    ...[OUTSIDER, 'heard 8 bytes', 'waiting'],
    ...[OUTSIDER, `heard ${much.length} bytes`, 'waiting'],
    ...[OUTSIDER, 'heard 4 bytes', 'gone: Broken pipe, then 0', 'waiting'],
    ...[OUTSIDER, 'heard 6 bytes', 'unlinked: No such file or directory', 'end', ''],
  ]);
  expect(readdirSync(folder)).toEqual([]);
});

test('a listener that is closed leaves its node, at which nobody answers', async () => {
  const guest = start(folder, '--', program, 'door');
  const path = join(folder, 'door');
  await guest.until('waiting');
  expect(await ask(path, 'close')).toBe('close');
  expect(await guest.until('end\n')).toContain('closed: Connection refused\n');
  expect(lstatSync(path).isSocket()).toBe(true);
  expect(await ask(path, 'anybody')).toBe('ECONNREFUSED');
});

test('a path that has room only as the guest says it', async () => {
  const deep = join(folder, 'd'.repeat(120));
  mkdirSync(deep);
  symlinkSync(deep, join(folder, 'short'));
  const guest = start(deep, '--', program, 'door');
  await guest.until('waiting');
  expect(await ask(join(folder, 'short', 'door'), 'question')).toBe('question');
  expect(readdirSync(deep)).toEqual(['door']);
});

test('below the root of the guest', async () => {
  copyFileSync(program, join(folder, 'program'));
  mkdirSync(join(folder, 'run'));
  const guest = start('/', '--root', folder, '--', '/program', '/run/door');
  await guest.until('waiting');
  expect(existsSync('/run/door')).toBe(false);
  expect(await ask(join(folder, 'run', 'door'), 'question')).toBe('question');
});

test('without a network guests find each other, and the host finds an empty file', async () => {
  const guest = start(folder, '--no-network', '--', program, 'door');
  expect((await guest.until('waiting')).split('\n')).toEqual([...INSIDE, '']);
  const node = lstatSync(join(folder, 'door'));
  expect([node.isFile(), node.size]).toEqual([true, 0]);
  expect(await ask(join(folder, 'door'), 'anybody')).toBe('ECONNREFUSED');
});
