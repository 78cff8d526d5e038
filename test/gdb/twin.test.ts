/**
 * The same gdb script against gdbserver and against sidestep: what gdb, program and server print must be equal once
 * normalised. Two runs of gdbserver have to agree first, or the script proves nothing.
 */
import { spawnSync } from 'node:child_process';
import { beforeAll, describe, expect, test } from 'vitest';
import { SLOW } from '../conformance/run.js';
import { buildGuest, type GuestBuild } from '../guests/build.js';
import { normalise } from './normalise.js';
import { GDBSERVER, type ServerCommand, sidestep } from './server.js';
import { runSession, type Session, type Transcript } from './session.js';

interface Twin extends Pick<Session, 'settings'> {
  readonly name: string;
  readonly scripts: readonly string[];
  /** The four threads of debuggee.c when absent. */
  readonly guest?: GuestBuild;
  /** Arguments of the program; `short` leaves out the phases that only a Ctrl-C ends. */
  readonly args?: readonly string[];
  readonly servers?: readonly ServerCommand[];
  /** The machine cannot say what is right. */
  readonly skip?: boolean;
}

const DEBUGGEE: GuestBuild = {
  source: 'debuggee.c',
  flags: ['-O0', '-pie', '-fPIE', '-pthread'],
  library: { source: 'library.c', flags: ['-O0'] },
};

/** Without them gdbserver's own watchpoints never hit, and there is nothing to be equal to. */
const HAS_DEBUG_REGISTERS = spawnSync(buildGuest({ source: 'debug-registers.c' })).status === 0;
if (!HAS_DEBUG_REGISTERS) {
  console.warn(
    'The debug registers of this machine do not work: what gdbserver does with hardware watchpoints is not compared.',
  );
}

/** With a processor that the host's gdbserver does not know it cannot write them, so that calls with numbers go wrong. */
const WRITES_VECTORS = gdbserverWritesVectors();
if (!WRITES_VECTORS) {
  console.warn('gdbserver cannot write the vector registers of this machine: what it does with them is not compared.');
}

function gdbserverWritesVectors(): boolean {
  const commands = ['target remote | gdbserver --once - /bin/true', 'set var $xmm0.uint128 = 77', 'stepi'];
  const args = [...commands, 'print $xmm0.uint128'].flatMap((command) => ['-ex', command]);
  return spawnSync('gdb', ['-batch', '-nx', ...args], { encoding: 'utf8' }).stdout.includes('$1 = 77');
}

const SUBJECTS = [
  'library',
  'steps',
  'threads',
  'info',
  'watch',
  'condition',
  'data',
  'signals',
  'interrupt',
  'end',
].filter((subject) => {
  if (subject === 'watch') return HAS_DEBUG_REGISTERS;
  if (subject === 'data') return WRITES_VECTORS;
  // A native gdbserver takes a minute for it; the gate is content with a session of its own.
  return subject !== 'condition' || SLOW;
});

const TWINS: readonly Twin[] = [
  { name: 'functions of shared libraries', scripts: ['library'] },
  { name: 'next, step, finish, until, advance, stepi', scripts: ['steps'] },
  { name: 'threads and their own variables', scripts: ['threads'] },
  { name: 'facts about the process', scripts: ['info'] },
  { name: 'watchpoints in hardware and software', scripts: ['watch'], skip: !HAS_DEBUG_REGISTERS },
  { name: 'conditions, true once and false 100,000 times', scripts: ['condition'] },
  { name: 'calls, values, registers and memory', scripts: ['data'], skip: !WRITES_VECTORS },
  { name: 'signals on their way to the program', scripts: ['signals'] },
  { name: 'Ctrl-C in a busy loop, in sleep, and in one of two threads', scripts: ['interrupt'], args: [] },
  { name: 'the program’s own end', scripts: ['end'] },
  { name: 'a program that crashes', scripts: ['crash'], guest: { source: 'dies.c', flags: ['-O0'] }, args: ['segv'] },
  { name: 'a program that aborts', scripts: ['crash'], guest: { source: 'dies.c', flags: ['-O0'] }, args: ['abort'] },
  {
    name: 'breakpoints of the program’s own',
    scripts: ['traps'],
    guest: { source: 'traps.c', flags: ['-O0'] },
    args: [],
  },
  {
    name: 'steps through loops',
    scripts: ['loops'],
    guest: { source: 'loops.c', flags: ['-O0'] },
    args: [],
  },
  {
    name: 'a static program at fixed addresses',
    scripts: ['static'],
    guest: { source: 'dies.c', flags: ['-O0', '-static', '-no-pie', '-fno-pie'] },
    args: ['term'],
  },
  {
    name: 'optimised code',
    scripts: ['static'],
    guest: { source: 'dies.c', flags: ['-O2'] },
    args: ['exit'],
  },
  {
    name: 'System V objects and sockets',
    scripts: ['objects'],
    guest: { source: 'objects.c', flags: ['-O0'] },
    args: [],
  },
  {
    name: 'a gdb that reads no target description',
    scripts: ['steps', 'end'],
    settings: ['set remote target-features-packet off'],
  },
  { name: 'kill', scripts: ['kill'] },
  { name: 'detach', scripts: ['detach'] },
  {
    name: 'everything in one session',
    scripts: SUBJECTS,
    args: [],
    servers: [sidestep(), sidestep('--tier=interp'), sidestep('--tier=compile')],
  },
];

/** One session may take this long, the 100,000 round trips inside a native gdbserver included. */
const PATIENCE_MS = 300_000;

describe.each(TWINS)(
  '$name',
  ({ scripts, settings = [], guest = DEBUGGEE, args = ['short'], servers = [sidestep()], skip = false }) => {
    let program: string;
    let expected: Transcript;

    async function run(server: ServerCommand): Promise<Transcript> {
      return normalise(
        await runSession({ server, program: [program, ...args], scripts, settings, patience: PATIENCE_MS }),
      );
    }

    beforeAll(async () => {
      if (skip) return;
      program = buildGuest(guest);
      expected = await run(GDBSERVER);
    }, PATIENCE_MS);

    test.skipIf(skip)('two runs of gdbserver agree', { timeout: PATIENCE_MS }, async () => {
      expect(expected.gdb).not.toMatch(/Error in sourced command file|^\*\*\* /m);
      expect(await run(GDBSERVER)).toEqual(expected);
    });

    test.skipIf(skip).each(servers)('$name agrees with gdbserver', { timeout: PATIENCE_MS }, async (server) => {
      const actual = await run(server);
      expect.soft(actual.gdb).toBe(expected.gdb);
      expect.soft(actual.program).toBe(expected.program);
      expect.soft(actual.server).toBe(expected.server);
    });
  },
);
