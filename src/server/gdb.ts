/**
 * `sidestep gdb`: starts the user's gdb, which starts a server of ours and talks to it over a pipe (`target extended-remote | COMMAND`).
 *
 * The program gets this command's own standard input, output and error: gdb hands on every descriptor that was open when it began. One more of those is
 * a socket pair between here and the server: the request goes down, the program's status comes up (server/gdb-pipe.ts).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { constants as system } from 'node:os';
import { join, resolve } from 'node:path';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { PIPE_END } from '../cli/parse.js';
import type { GdbOptions } from '../options.js';
import { type PipeReport, type PipeRequest, PROGRAM_FDS, REQUEST_FD } from './pipe-request.js';

/** As a shell reports that a command was not found. */
const NOT_FOUND = 127;
/** What a program has come to that did not end while gdb was there. */
const KILLED = 128 + system.signals.SIGKILL;

/** gdb prints this command, so it holds no path; any shell can be the user's. */
const SERVER_COMMAND = `exec "$SIDESTEP_NODE" "$SIDESTEP_CLI" gdb ${PIPE_END}`;

/** Lives as long as gdb: gdb's exit status, or the program's when that was asked for. `tell` gets lines for stderr. */
export async function runGdb(
  options: GdbOptions,
  logging: PipeRequest['log'],
  tell: (line: string) => void,
): Promise<number> {
  const found = locate(options);
  if (found === undefined) {
    tell(`sidestep: ${options.program}: no such program`);
    return NOT_FOUND;
  }
  const stdio: (number | 'inherit' | 'pipe')[] = ['inherit', 'inherit', 'inherit'];
  PROGRAM_FDS.forEach((fd, standard) => {
    stdio[fd] = standard;
  });
  stdio[REQUEST_FD] = 'pipe';
  const gdb = spawn(options.gdb, gdbArguments(options, found.local), {
    stdio,
    env: { ...process.env, SIDESTEP_NODE: process.execPath, SIDESTEP_CLI: cliPath() },
  });
  leaveSignalsTo(gdb);
  const status = converse((gdb.stdio as readonly unknown[])[REQUEST_FD] as Duplex, {
    options: { ...options, program: found.inGuest },
    environment: definedOf(process.env),
    log: logging,
  });
  const ended = await endOf(gdb);
  if (typeof ended === 'string') {
    tell(`sidestep: cannot start ${options.gdb}: ${ended}`);
    return NOT_FOUND;
  }
  return options.programStatus ? ((await status) ?? KILLED) : ended;
}

function cliPath(): string {
  return process.argv[1] ?? fileURLToPath(import.meta.url);
}

/** The program's absolute path as the guest sees it, and as gdb, which is outside, does; undefined: there is none. */
function locate({ program, machine: { root } }: GdbOptions): { inGuest: string; local: string } | undefined {
  const folders = program.includes('/') ? [''] : (process.env.PATH ?? '/usr/local/bin:/usr/bin:/bin').split(':');
  const base = root === undefined ? process.cwd() : '/';
  for (const folder of folders) {
    const inGuest = resolve(base, folder, program);
    const local = root === undefined ? inGuest : join(resolve(root), inGuest);
    if (isProgram(local)) return { inGuest, local };
  }
  return undefined;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/**
 * gdb and the server see the same files, so nothing is fetched over the pipe. Connecting comes before the user's own commands and after his init
 * files; a `run` must never start a process of the host.
 */
function gdbArguments({ gdbArgs, args, machine }: GdbOptions, program: string): string[] {
  const sysroot = machine.root === undefined ? '/' : resolve(machine.root);
  // A second or two is little for a busy machine to start a server in.
  const before = [`set sysroot ${sysroot}`, 'set auto-connect-native-target off', 'set remotetimeout 30'];
  return [
    ...before.flatMap((command) => ['-iex', command]),
    ...['-ex', `target extended-remote | ${SERVER_COMMAND}`],
    ...gdbArgs,
    ...['--args', program, ...args],
  ];
}

/** A terminal sends its signals to gdb as well, and gdb knows what to do with them. */
function leaveSignalsTo(gdb: ChildProcess): void {
  for (const name of ['SIGINT', 'SIGQUIT'] as const) process.on(name, () => undefined);
  for (const name of ['SIGTERM', 'SIGHUP'] as const) process.on(name, () => gdb.kill(name));
}

/** The status that the server reports last; undefined: none. */
function converse(server: Duplex, request: PipeRequest): Promise<number | undefined> {
  let received = '';
  server.setEncoding('utf8').on('data', (text: string) => {
    received += text;
  });
  server.on('error', () => undefined);
  server.write(`${JSON.stringify(request)}\n`);
  return new Promise((done) => {
    server.on('close', () => {
      const last = received.trimEnd().split('\n').at(-1) ?? '';
      done(last === '' ? undefined : (JSON.parse(last) as PipeReport).status);
    });
  });
}

/** gdb's exit status, 128 + signal; or why it did not start. */
function endOf(gdb: ChildProcess): Promise<number | string> {
  return new Promise((done) => {
    gdb.on('error', (error: NodeJS.ErrnoException) => done(error.code === 'ENOENT' ? 'not found' : error.message));
    gdb.on('exit', (code, signal) => done(code ?? 128 + (signal === null ? 0 : system.signals[signal])));
  });
}

function definedOf(environment: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}
