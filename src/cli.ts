/** The command `sidestep`: reads the command line and starts what it asks for. Installed as part of what start.ts runs. */
import { type LogOptions, parseCommandLine } from './cli/parse.js';
import { configureLog } from './log.js';
import { writeAll } from './server/write-all.js';

const STDOUT = 1;
const STDERR = 2;

function tell(line: string): void {
  writeAll(STDERR, `${line}\n`);
}

function settings({ level, file }: LogOptions): Parameters<typeof configureLog>[0] {
  return file === undefined ? { level } : { level, file };
}

function useLog(options: LogOptions): void {
  configureLog(settings(options));
}

/** Loads only what is needed: start-up time is paid at every start. */
async function main(): Promise<number> {
  const request = parseCommandLine(process.argv.slice(2));
  switch (request.kind) {
    case 'text':
      writeAll(request.status === 0 ? STDOUT : STDERR, request.text);
      return request.status;
    case 'run': {
      useLog(request.log);
      const { runProgram } = await import('./server/run.js');
      return runProgram(request.options, tell);
    }
    case 'probe': {
      useLog(request.log);
      const { probeProgram } = await import('./server/probe.js');
      return probeProgram(request.options, tell);
    }
    case 'gdb': {
      useLog(request.log);
      const { runGdb } = await import('./server/gdb.js');
      return runGdb(request.options, settings(request.log), tell);
    }
    case 'gdb-pipe': {
      const { serveGdb } = await import('./server/gdb-pipe.js');
      return serveGdb(tell);
    }
    case 'serve': {
      useLog(request.log);
      const { serve } = await import('./server/serve.js');
      return serve(request.options, tell);
    }
  }
}

main().then(
  (status) => process.exit(status),
  (error: unknown) => {
    tell(
      `sidestep: ${error instanceof Error ? (process.env.SIDESTEP_TRACE ? error.stack : error.message) : String(error)}`,
    );
    process.exit(1);
  },
);
