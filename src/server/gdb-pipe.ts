/**
 * The server at the other end of the pipe of a gdb that `sidestep gdb` has started (server/gdb.ts). What it shall do comes through a descriptor that it
 * inherits; the environment does, too, because gdb and the shell between them have changed theirs.
 */
import { readSync, writeSync } from 'node:fs';
import { configureLog } from '../log.js';
import type { StopEvent } from '../rsp/stop-event.js';
import { type PipeReport, type PipeRequest, PROGRAM_FDS, REQUEST_FD } from './pipe-request.js';
import { serve } from './serve.js';

/** Serves gdb, which is at stdin and stdout, until it goes. Rejects with an Error for a person when nobody asks for anything. */
export async function serveGdb(tell: (line: string) => void): Promise<number> {
  const { options, environment, log } = readRequest();
  configureLog(log);
  for (const name of Object.keys(process.env)) delete process.env[name];
  Object.assign(process.env, environment);
  return serve(
    {
      machine: options.machine,
      address: { kind: 'stdio' },
      remoteAllowed: false,
      once: true,
      multi: false,
      takeover: false,
      program: options.program,
      args: options.args,
      wrapper: [],
      startWithShell: true,
      disabledPackets: new Set(),
      debug: { general: false, remote: false, eventLoop: false, timestamps: false },
      attachPid: undefined,
      stats: options.stats,
    },
    tell,
    // The user has a gdb before him, and did not ask for a server's lines.
    { descriptors: PROGRAM_FDS, announce: () => undefined, besideClient: true, ended: report },
  );
}

function readRequest(): PipeRequest {
  const chunk = Buffer.alloc(1 << 16);
  let text = Buffer.alloc(0);
  while (!text.includes('\n')) {
    const got = readRequestPiece(chunk);
    if (got === 0) throw new Error('this is the end of a pipe: start `sidestep gdb -- PROG ARGS`');
    text = Buffer.concat([text, chunk.subarray(0, got)]);
  }
  return JSON.parse(text.toString()) as PipeRequest;
}

function readRequestPiece(into: Uint8Array): number {
  try {
    return readSync(REQUEST_FD, into);
  } catch {
    return 0;
  }
}

function report(event: Extract<StopEvent, { kind: 'exited' | 'killed' }>): void {
  const status = event.kind === 'exited' ? event.code & 0xff : 128 + event.signal;
  const line: PipeReport = { status };
  try {
    writeSync(REQUEST_FD, `${JSON.stringify(line)}\n`);
  } catch {
    // Whoever started gdb is gone.
  }
}
