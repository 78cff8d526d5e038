/** Runs a program natively and under `sidestep run`, and reports both in the same terms. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Outcome {
  readonly stdout: string;
  /** Exit status as a shell reports it: 128 + signal when killed. */
  readonly status: number;
}

export interface EmulatedOutcome extends Outcome {
  readonly stderr: string;
}

export interface Program {
  readonly argv: readonly string[];
  readonly stdin?: string | Uint8Array;
}

/** Set by scripts/test-slow: the whole matrix, where the gate takes a sample. */
export const SLOW = process.env.SIDESTEP_SLOW_TESTS !== undefined;

export const TIERS = ['interp', 'compile', 'auto'] as const;
export type Tier = (typeof TIERS)[number];

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

/**
 * For developing a test, SIDESTEP_TEST_RUN names a command to take the place of `sidestep run`: with
 * `SIDESTEP_TEST_RUN=env` every program runs natively on both sides. A result counts only without it.
 */
const SUBSTITUTE = process.env.SIDESTEP_TEST_RUN;

/** Whether facts that only the emulator knows, such as `--stats`, are there. */
export const SUBSTITUTED = SUBSTITUTE !== undefined;

/** Starts of all tests share what makes them faster. */
const CACHE = join(tmpdir(), 'sidestep-test-cache');

const PATIENCE_MS = 120_000;

export function runNatively(program: Program): Outcome {
  const { stdout, status } = run(program.argv, program.stdin);
  return { stdout, status };
}

/** Runs `sidestep run OPTIONS -- PROGRAM`. */
export function runEmulated(program: Program, options: readonly string[]): EmulatedOutcome {
  const command = SUBSTITUTE === undefined ? [CLI, 'run', ...options, '--'] : SUBSTITUTE.split(' ');
  return run([...command, ...program.argv], program.stdin);
}

/** In an empty folder of its own, so that a program may leave files and both find the same. */
function run(argv: readonly string[], stdin: string | Uint8Array = ''): EmulatedOutcome {
  const [file, ...args] = argv;
  if (file === undefined) throw new Error('no program');
  const cwd = mkdtempSync(join(tmpdir(), 'sidestep-test-'));
  const env = { PATH: process.env.PATH, LC_ALL: 'C', HOME: '/nonexistent', TZ: 'UTC', XDG_CACHE_HOME: CACHE };
  const ran = spawnSync(file, args, { cwd, env, input: stdin, timeout: PATIENCE_MS, maxBuffer: 1 << 26 });
  rmSync(cwd, { recursive: true });
  if (ran.error !== undefined) throw ran.error;
  const status = ran.status ?? 128 + constants.signals[ran.signal as NodeJS.Signals];
  return { stdout: ran.stdout.toString('latin1'), stderr: ran.stderr.toString('utf8'), status };
}
