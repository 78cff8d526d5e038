/** One session of a real gdb with a server: runs a script in batch mode and returns everything that was printed. */
import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { PLAIN_ENVIRONMENT, type RunningServer, type ServerCommand, startServer } from './server.js';

export interface Session {
  readonly server: ServerCommand;
  /** Path of the program and its arguments. */
  readonly program: readonly string[];
  /** gdb scripts to run one after the other once connected; `target remote` is the runner's. */
  readonly scripts: readonly string[];
  /** Commands for gdb before anything else. */
  readonly settings?: readonly string[];
  /** Kill gdb and server after this many milliseconds; the transcript then says so. */
  readonly patience?: number;
}

export interface Transcript {
  /** gdb's standard output and error, in the order it wrote them. */
  readonly gdb: string;
  /** What the program printed. */
  readonly program: string;
  /** The server's standard error and, on a last line, its exit status. */
  readonly server: string;
}

const SCRIPTS = fileURLToPath(new URL('scripts/', import.meta.url));
const PRELUDE = `${SCRIPTS}prelude.gdb`;

/** The program asks for a Ctrl-C by printing this; gdb gets it a little later, when the program spins or sleeps. */
const INTERRUPT_REQUEST = 'interrupt me';
const INTERRUPT_DELAY_MS = 300;

export function scriptPath(name: string): string {
  return `${SCRIPTS}${name}.gdb`;
}

export async function runSession({
  server,
  program,
  scripts,
  settings = [],
  patience = 45_000,
}: Session): Promise<Transcript> {
  const running = await startServer(server, program);
  const connect = ['-ex', `target remote 127.0.0.1:${running.port}`];
  const files = scripts.flatMap((script) => ['-x', scriptPath(script)]);
  const first = ['set debuginfod enabled off', ...settings].flatMap((command) => ['-iex', command]);
  const args = ['-batch', '-nx', ...first, '-x', PRELUDE, ...connect, ...files];
  // One pipe for both streams keeps the order in which gdb wrote them.
  const gdb = spawn('sh', ['-c', 'exec "$@" 2>&1', 'sh', 'gdb', ...args, program[0] ?? ''], { env: PLAIN_ENVIRONMENT });
  gdb.stdin.end();
  let printed = '';
  gdb.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  interruptOnRequest(running, () => gdb.kill('SIGINT'));

  const giveUp = setTimeout(() => {
    printed += `\n*** no end after ${patience} ms\n`;
    gdb.kill('SIGKILL');
    running.kill();
  }, patience);
  await new Promise((resolve) => gdb.on('close', resolve));
  const status = await running.closed;
  clearTimeout(giveUp);
  return { gdb: printed, program: running.stdout(), server: `${running.stderr()}exit status ${status}\n` };
}

function interruptOnRequest(running: RunningServer, interrupt: () => void): void {
  let answered = 0;
  running.onOutput(async () => {
    const asked = running.stdout().split(INTERRUPT_REQUEST).length - 1;
    if (asked <= answered) return;
    answered = asked;
    await sleep(INTERRUPT_DELAY_MS);
    interrupt();
  });
}
