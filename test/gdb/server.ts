/**
 * Starts a server with gdbserver's command line and collects what it prints. Which command that is, is a parameter:
 * the same tests run against the host's gdbserver, which says what is right, and against ours.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface ServerCommand {
  readonly name: string;
  /** Program and first arguments; options, `COMM`, `PROG` and its arguments follow. */
  readonly command: readonly string[];
}

export const GDBSERVER: ServerCommand = { name: 'gdbserver', command: ['gdbserver'] };

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

/**
 * This project's server. For developing a test, SIDESTEP_TEST_SERVER names another command to take its place, such as
 * `SIDESTEP_TEST_SERVER=gdbserver npx vitest run test/gdb`; a result counts only without it.
 */
export function sidestep(...options: string[]): ServerCommand {
  const substitute = process.env.SIDESTEP_TEST_SERVER;
  if (substitute !== undefined) return { name: `${substitute} for sidestep`, command: substitute.split(' ') };
  return { name: ['sidestep', ...options].join(' '), command: [CLI, ...options] };
}

/** Whether tests of what only sidestep does can run. */
export const SUBSTITUTED = process.env.SIDESTEP_TEST_SERVER !== undefined;

/** The same environment for every program, because its size moves the guest's stack. */
export const PLAIN_ENVIRONMENT: NodeJS.ProcessEnv = {
  PATH: process.env.PATH,
  HOME: '/nonexistent',
  LC_ALL: 'C',
  // All starts share what makes them faster.
  XDG_CACHE_HOME: join(tmpdir(), 'sidestep-test-cache'),
};

/** A started server; lives until its program has ended, or until `kill`. */
export interface RunningServer {
  readonly port: number;
  readonly process: ChildProcessWithoutNullStreams;
  /** Everything on standard output so far: the program's, as the server prints nothing there. */
  stdout(): string;
  stderr(): string;
  /** Calls back for each chunk that the program prints from now on. */
  onOutput(listener: (text: string) => void): void;
  /** Exit status once server and program have closed their output: a number, or the name of the signal. */
  readonly closed: Promise<number | string>;
  kill(): void;
}

/** Starts `COMMAND --once OPTIONS 127.0.0.1:0 PROGRAM ARGS`; resolves when it listens, rejects when it ends before. */
export async function startServer(
  { name, command }: ServerCommand,
  program: readonly string[],
  options: readonly string[] = ['--once'],
): Promise<RunningServer> {
  const [file, ...first] = command;
  if (file === undefined) throw new Error(`${name}: no command`);
  const child = spawn(file, [...first, ...options, '127.0.0.1:0', ...program], { env: PLAIN_ENVIRONMENT });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8');
  const closed = new Promise<number | string>((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.on('close', (code, signal) => resolve(code ?? signal ?? 'unknown'));
  });
  const port = await new Promise<number>((resolve, reject) => {
    child.stderr.on('data', (text: string) => {
      stderr += text;
      const line = /^Listening on port (\d+)$/m.exec(stderr);
      if (line !== null) resolve(Number(line[1]));
    });
    closed.then((status) => reject(new Error(`${name} ended with ${status} before it listened: ${stderr}`)));
  });
  return {
    port,
    process: child,
    stdout: () => stdout,
    stderr: () => stderr,
    onOutput: (listener) => child.stdout.on('data', listener),
    closed,
    kill: () => child.kill('SIGKILL'),
  };
}
