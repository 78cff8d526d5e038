/** `sidestep gdb`: the user's gdb on a server of its own. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildGuest, NOSTDLIB } from '../guests/build.js';
import { PLAIN_ENVIRONMENT, sidestep } from './server.js';

const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url));
const [COMMAND = '', ...FIRST] = sidestep().command;
const BATCH = ['--batch', '-nx', '-iex', 'set debuginfod enabled off'];

let folder: string;
let listener: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sidestep-gdb-'));
  listener = buildGuest({ source: 'listener.c', flags: ['-O0'] });
});

afterAll(() => rmSync(folder, { recursive: true }));

interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function gdb(args: readonly string[], input = ''): Outcome {
  const options = { input, encoding: 'utf8', env: PLAIN_ENVIRONMENT } as const;
  const { status, stdout, stderr } = spawnSync(COMMAND, [...FIRST, 'gdb', ...args], options);
  return { status, stdout, stderr };
}

test('the recipe of docs/gdb-command.md, twice the same', () => {
  const text = readFileSync(join(REPOSITORY, 'docs/gdb-command.md'), 'utf8');
  const script = join(folder, 'bank.gdb');
  writeFileSync(script, /```gdb\n([\s\S]*?)```/.exec(text)?.[1] ?? 'the recipe is gone');
  const bank = join(folder, 'bank');
  execFileSync('gcc', ['-g', '-O0', '-pthread', '-o', bank, join(REPOSITORY, 'examples/bank.c')]);
  const [one, other] = [1, 2].map(() => gdb([...BATCH, '-x', script, '--', bank]));
  expect(one).toEqual(other);
  expect(one).toMatchObject({ status: 0 });
  expect(one?.stdout).toMatch(/hit Breakpoint 1, transfer \(.*amount=997\)/);
  expect(one?.stdout).toMatch(/^\$1 = \{/m);
  expect(one?.stdout).toMatch(/^\$2 = 999$/m);
  expect(one?.stdout).toContain('10000 transfers, largest 999, sum of all accounts 0\n');
});

test('the program has the standard streams and arguments of the command', () => {
  const { stdout } = gdb([...BATCH, '-ex', 'continue', '--', listener, 'say', "it's  b"], 'joe\n');
  expect(stdout).toContain("hello joe: say|it's  b|\n");
});

test('its environment is that of the command', () => {
  const { stdout } = gdb([...BATCH, '-ex', 'continue', '--', 'env']);
  const variables = stdout.split('\n').filter((line) => /^[A-Z_]+=/.test(line));
  // What spawnSync gives, and PWD, which the shell sets that starts a program for gdb: nothing that gdb itself has set.
  const given = Object.entries(PLAIN_ENVIRONMENT).map(([name, value]) => `${name}=${value}`);
  expect(variables.sort()).toEqual([...given, `PWD=${process.cwd()}`].sort());
});

test('`run` starts the program again, in the emulator', () => {
  const again = ['-ex', 'break main', '-ex', 'continue', '-ex', 'run', '-ex', 'info inferiors', '-ex', 'continue'];
  const { stdout } = gdb([...BATCH, ...again, '--', listener, 'x'], 'joe\n');
  expect(stdout.match(/Breakpoint 1, main/g)).toHaveLength(2);
  expect(stdout).toMatch(/process 3\d{6} .*extended-remote/);
  expect(stdout).toContain('hello joe: x|');
});

test.each([
  { name: 'gdb’s', options: [], commands: ['continue', 'quit 5'], status: 5 },
  { name: 'the program’s', options: ['--program-status'], commands: ['continue'], status: 2 },
  { name: 'of a program that gdb ends', options: ['--program-status'], commands: ['quit'], status: 137 },
])('exit status: $name', ({ options, commands, status }) => {
  const script = commands.flatMap((command) => ['-ex', command]);
  expect(gdb([...options, ...BATCH, ...script, '--', listener, 'exit']).status).toBe(status);
});

test('no library is read through the server', () => {
  const script = ['-iex', 'set debug remote 1', '-ex', 'break main', '-ex', 'continue', '-ex', 'continue'];
  const { stderr } = gdb([...BATCH, ...script, '--', listener], 'x\n');
  const opened = [...stderr.matchAll(/vFile:open:([0-9a-f]+),/g)].map((match) => {
    return Buffer.from(match[1] ?? '', 'hex').toString();
  });
  expect(opened.length).toBeGreaterThan(0);
  expect(opened.filter((path) => path !== listener && !path.startsWith('/proc/'))).toEqual([]);
});

test.each([
  { name: 'no program of that name', args: ['--', 'nowhere'], status: 127, says: 'sidestep: nowhere: no such program' },
  { name: 'a file that is none', args: ['--', '/etc/passwd'], status: 127, says: '/etc/passwd: no such program' },
  { name: 'no such gdb', args: ['--gdb', 'no-gdb', '--', 'true'], status: 127, says: 'cannot start no-gdb: not found' },
  { name: 'no program at all', args: ['--batch'], status: 1, says: 'no program is named' },
  { name: 'the pipe’s end without a pipe', args: ['--pipe-end'], status: 1, says: 'the end of a pipe' },
])('$name', ({ args, status, says }) => {
  const outcome = gdb(args);
  expect(outcome.stderr).toContain(says);
  expect(outcome.status).toBe(status);
});

/** gdb at a terminal, beside a program that spins. */
interface Terminal {
  /** What it has shown so far. */
  screen(): string;
  /** Types, and waits until what is shown since matches. */
  say(text: string, until: RegExp): Promise<void>;
  type(text: string): void;
  readonly ended: Promise<number | null>;
}

const HAS_TERMINAL = spawnSync('script', ['--version']).status === 0;
if (!HAS_TERMINAL) console.warn('script(1) of bsdutils is not installed: gdb is not tested at a terminal.');

function atTerminal(...commands: string[]): Terminal {
  const options = ['set style enabled off', 'set pagination off', ...commands].flatMap((command) => ['-iex', command]);
  const words = [COMMAND, ...FIRST, 'gdb', '-q', '-nx', ...options, '--', listener, 'spin'];
  // It gives its child a terminal and passes what we write on as what is typed.
  const terminal = spawn('script', ['-qec', `exec ${words.map((word) => `'${word}'`).join(' ')}`, '/dev/null'], {
    env: { ...PLAIN_ENVIRONMENT, TERM: 'dumb' },
  });
  let screen = '';
  terminal.stdout.setEncoding('utf8').on('data', (text: string) => {
    screen += text;
  });
  return {
    screen: () => screen,
    say: async (text, until) => {
      const before = screen.length;
      terminal.stdin.write(text);
      await expect.poll(() => screen.slice(before), { timeout: 40_000, interval: 20 }).toMatch(until);
    },
    type: (text) => terminal.stdin.write(text),
    ended: new Promise((resolve) => terminal.on('close', resolve)),
  };
}

test.runIf(HAS_TERMINAL)('at a terminal Ctrl-C stops the program and gdb asks what next', async () => {
  const { say, type, ended } = atTerminal();
  await say('', /\(gdb\) $/);
  await say('continue\n', /name\? /);
  await say('joe\n', /spinning/);
  await say('\x03', /received signal SIGINT[\s\S]*\(gdb\) $/);
  await say('print turns > 0\n', /= 1[\s\S]*\(gdb\) $/);
  await say('continue\n', /Continuing/);
  await say('\x03', /received signal SIGINT[\s\S]*\(gdb\) $/);
  type('kill\ny\nquit 3\n');
  expect(await ended).toBe(3);
});

test.runIf(HAS_TERMINAL)(
  'Ctrl-C stops a program whose breakpoints print, behind all that they have printed',
  async () => {
    const { screen, say, type, ended } = atTerminal('set dprintf-style agent');
    const line = readFileSync(join(REPOSITORY, 'test/guests/listener.c'), 'utf8')
      .split('\n')
      .findIndex((text) => text.includes('turns++'));
    await say('', /\(gdb\) $/);
    await say(`dprintf ${line + 1},"turn %lu.\\n",turns\n`, /Dprintf 1[\s\S]*\(gdb\) $/);
    await say('continue\n', /name\? /);
    await say('joe\n', /turn 50000\./);
    await say('\x03', /received signal SIGINT[\s\S]*\(gdb\) $/);
    await say('continue\n', /turn \d+\./);
    await say('\x03', /received signal SIGINT[\s\S]*\(gdb\) $/);
    await say('print turns\n', /= \d+[\s\S]*\(gdb\) $/);
    type('kill\ny\nquit 3\n');
    expect(await ended).toBe(3);
    // A terminal drops what it has not shown when Ctrl-C is typed: lines may be missing there, and none comes twice.
    const printed = [...screen().matchAll(/^turn (\d+)\.\r$/gm)].map(([, number]) => Number(number));
    expect(new Set(printed).size).toBe(printed.length);
    const turns = Number(/\$1 = (\d+)/.exec(screen())?.[1]);
    expect(turns - (printed.at(-1) ?? 0)).toBeOneOf([0, 1]);
  },
);

test.each(['off', 'on'])('what an agent’s dprintf prints is there once, non-stop %s', (nonStop) => {
  const commands = ['set dprintf-style agent', 'dprintf main,"%d words\\n",argc', 'continue'];
  const script = commands.flatMap((command) => ['-ex', command]);
  const { stdout, stderr } = gdb([...BATCH, '-iex', `set non-stop ${nonStop}`, ...script, '--', listener], 'joe\n');
  expect(stdout).toContain('hello joe');
  expect(`${stdout}${stderr}`.match(/^1 words$/gm)).toHaveLength(1);
});

test('much that an agent’s dprintf prints is there whole and in order', () => {
  const calls: string[] = [];
  const fibonacci = (n: number): void => {
    calls.push(`fibonacci ${n}`);
    if (n < 2) return;
    fibonacci(n - 1);
    fibonacci(n - 2);
  };
  fibonacci(14);
  const commands = ['set dprintf-style agent', 'dprintf *fibonacci,"fibonacci %ld\\n",$rdi', 'continue'];
  const loops = buildGuest({ source: 'bare-loops.c', flags: NOSTDLIB });
  const { stderr } = gdb([...BATCH, ...commands.flatMap((command) => ['-ex', command]), '--', loops]);
  expect(stderr.match(/^fibonacci \d+$/gm)).toEqual(calls);
});

test('monitor uprobes tells of breakpoints that gdb has taken out at the stop', () => {
  const { stderr } = gdb([...BATCH, '-ex', 'break *main', '-ex', 'continue', '-ex', 'monitor uprobes', '--', listener]);
  expect(stderr).toMatch(/^\d+ hits, 0 with a false condition, 0 stale$/m);
  expect(stderr).toMatch(
    /^0x[0-9a-f]+ of \d+: push %rbp \(not executed yet\): 1 hits, 0 false, \d+ ns each; withdrawn$/m,
  );
});

test('a hardware breakpoint may be where nothing is mapped, a software breakpoint may not', () => {
  const { stdout, stderr } = gdb([...BATCH, '-ex', 'hbreak *0x10', '-ex', 'continue', '--', listener], 'joe\n');
  expect(stdout).toContain('exited');
  expect(stderr).not.toContain('Cannot insert');
  expect(gdb([...BATCH, '-ex', 'break *0x10', '-ex', 'continue', '--', listener]).stderr).toContain('Cannot insert');
});
