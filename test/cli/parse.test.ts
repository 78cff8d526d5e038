import { describe, expect, test } from 'vitest';
import { parseCommandLine } from '../../src/cli/parse.js';
import { DEFAULT_MACHINE, type GdbOptions, type RunOptions, type ServeOptions } from '../../src/options.js';

function serve(...argv: string[]): ServeOptions {
  const request = parseCommandLine(argv);
  if (request.kind !== 'serve') throw new Error(`not served: ${JSON.stringify(request)}`);
  return request.options;
}

function run(...argv: string[]): RunOptions {
  const request = parseCommandLine(['run', ...argv]);
  if (request.kind !== 'run') throw new Error(`not run: ${JSON.stringify(request)}`);
  return request.options;
}

function refused(...argv: string[]): string {
  const request = parseCommandLine(argv);
  if (request.kind !== 'text' || request.status !== 1) throw new Error(`accepted: ${JSON.stringify(request)}`);
  return request.text;
}

function printed(...argv: string[]): string {
  const request = parseCommandLine(argv);
  if (request.kind !== 'text' || request.status !== 0) throw new Error(`not printed: ${JSON.stringify(request)}`);
  return request.text;
}

describe('the command line of gdbserver', () => {
  test('options, COMM, program, and what is the program’s own', () => {
    const options = serve('--once', 'localhost:2345', 'prog', '--once', '-x', '--', '--stats');
    expect(options).toMatchObject({ once: true, multi: false, stats: false, program: 'prog' });
    expect(options.args).toEqual(['--once', '-x', '--', '--stats']);
    expect(options.address).toEqual({ kind: 'tcp', host: 'localhost', port: 2345 });
    expect(options.machine).toEqual(DEFAULT_MACHINE);
  });

  test('options behind COMM add to those in front of it', () => {
    const options = serve('--tier=interp', ':1', '--once', '--seed', '7', 'prog', 'x');
    expect(options).toMatchObject({ once: true, program: 'prog', args: ['x'], machine: { tier: 'interp', seed: 7 } });
  });

  test.each([
    { comm: '-', address: { kind: 'stdio' } },
    { comm: 'stdio', address: { kind: 'stdio' } },
    { comm: ':0', address: { kind: 'tcp', host: '', port: 0 } },
    { comm: '[::1]:2000', address: { kind: 'tcp', host: '::1', port: 2000 } },
    { comm: 'unix:/tmp/x', address: { kind: 'unix', path: '/tmp/x' } },
  ])('COMM may be $comm', ({ comm, address }) => {
    expect(serve(comm, 'prog').address).toEqual(address);
  });

  test('--multi needs no program', () => {
    expect(serve('--multi', ':1')).toMatchObject({ multi: true, program: undefined });
  });

  test('--wrapper takes words up to --', () => {
    const options = serve('--wrapper', 'env', 'A=1', '--', ':1', 'prog', '--', 'x');
    expect(options).toMatchObject({ wrapper: ['env', 'A=1'], program: 'prog', args: ['--', 'x'] });
    expect(refused('--wrapper', 'env', ':1', 'prog')).toContain('--wrapper needs words and then --');
  });

  test('--disable-packet hides packets, lists them, and knows no others', () => {
    expect([...serve('--disable-packet=T,qfThreadInfo', ':1', 'p').disabledPackets]).toEqual(['T', 'qfThreadInfo']);
    expect(printed('--disable-packet')).toMatch(/^Disableable packets:\n/);
    expect(refused('--disable-packet=nonsense', ':1', 'p')).toContain('Don\'t know how to disable "nonsense".');
  });

  test.each([
    { argv: [], disabled: false },
    { argv: ['--disable-randomization'], disabled: false },
    { argv: ['--no-disable-randomization'], disabled: true },
  ])('randomisation with $argv', ({ argv, disabled }) => {
    expect(serve(...argv, ':1', 'p').machine.randomise).toBe(disabled);
  });

  test('starting by a shell is the default', () => {
    expect(serve(':1', 'p').startWithShell).toBe(true);
    expect(serve('--no-startup-with-shell', ':1', 'p').startWithShell).toBe(false);
  });

  test('listening beyond this machine must be said twice', () => {
    expect(serve('--allow-remote', ':1', 'p').remoteAllowed).toBe(false);
    expect(serve('--i-know-it-is-unauthenticated', ':1', 'p').remoteAllowed).toBe(false);
    expect(serve('--allow-remote', '--i-know-it-is-unauthenticated', ':1', 'p').remoteAllowed).toBe(true);
  });

  test('the debugging options', () => {
    const { debug } = serve('--debug', '--remote-debug', '--debug-format=timestamp', ':1', 'p');
    expect(debug).toEqual({ general: true, remote: true, eventLoop: false, timestamps: true });
  });

  test('--attach names a process, which the server will refuse', () => {
    expect(serve('--once', ':1', '--attach', '77')).toMatchObject({ attachPid: 77, program: undefined });
  });
});

describe('the run command', () => {
  test('options end at the program or at --', () => {
    expect(run('--stats', 'ls', '-l')).toMatchObject({ stats: true, program: 'ls', args: ['-l'] });
    expect(run('--stats', '--', '--odd', '--stats')).toMatchObject({ program: '--odd', args: ['--stats'] });
  });

  test('settings of the machine', () => {
    const { machine } = run(
      '--seed=0',
      '--epoch=1000.5',
      '--slice=7',
      '--max-memory=1G',
      '--fast-sleep',
      '--no-network',
      '--no-inline',
      'x',
    );
    expect(machine).toMatchObject({
      seed: 0,
      epoch: 1000.5,
      sliceLength: 7,
      maxMemory: 2 ** 30,
      fastSleep: true,
      network: false,
      inlineHooks: false,
    });
  });
});

describe('what is refused in one clear line', () => {
  test.each([
    { argv: ['--no-such-option', ':1', 'p'], says: "unknown option '--no-such-option'" },
    { argv: ['run'], says: 'no program is named' },
    { argv: ['run', '--tier=fast', 'p'], says: 'Allowed choices are auto, interp, compile' },
    { argv: ['run', '--seed=x', 'p'], says: 'whole number' },
    { argv: ['run', '--slice=0', 'p'], says: 'whole number' },
    { argv: ['run', '--max-memory=1', 'p'], says: 'between 64M and 3584M' },
    { argv: ['run', '--epoch=tomorrow', 'p'], says: 'seconds since 1970' },
    { argv: ['nonsense', 'p'], says: 'Could not open remote device' },
    { argv: [':1'], says: 'Usage:' },
    { argv: [], says: 'Usage:' },
  ])('$argv', ({ argv, says }) => {
    expect(refused(...argv)).toContain(says);
  });
});

test('help and version', () => {
  expect(printed('--help')).toMatch(/--once[\s\S]*COMM is where gdb connects/);
  expect(printed('run', '--help')).toContain('--tier <TIER>');
  expect(printed('--version')).toMatch(/^sidestep \d+\.\d+\.\d+ /);
});

describe('gdb', () => {
  function gdb(...argv: string[]): GdbOptions {
    const request = parseCommandLine(['gdb', ...argv]);
    if (request.kind !== 'gdb') throw new Error(`not gdb: ${JSON.stringify(request)}`);
    return request.options;
  }

  test('our options, gdb’s words, the program, its own words', () => {
    const options = gdb(
      '--seed',
      '7',
      '--program-status',
      '--batch',
      '-x',
      's.gdb',
      '--seed',
      '9',
      '--',
      'prog',
      '--',
      '--seed',
    );
    expect(options).toMatchObject({ gdb: 'gdb', programStatus: true, program: 'prog', args: ['--', '--seed'] });
    expect(options.machine.seed).toBe(7);
    expect(options.gdbArgs).toEqual(['--batch', '-x', 's.gdb', '--seed', '9']);
  });

  test('without --', () => {
    expect(refused('gdb', '--batch', 'prog')).toContain('no program is named');
    expect(printed('gdb', '--help')).toContain('--program-status');
  });
});
