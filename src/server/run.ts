/** `sidestep run`: a program without a debugger. */
import { NO_HOOKS } from '../emulator/hooks.js';
import type { ExitStatus, Process } from '../emulator/process.js';
import type { LoadFailure } from '../emulator/program-loader.js';
import type { RunOptions } from '../options.js';
import { Drive } from './drive.js';
import { errnoText } from './errno-text.js';
import { createGuestMachine, type GuestMachine } from './guest-machine.js';
import { forwardSignals } from './terminal-signals.js';

/** As a shell reports it. */
function shellStatus(status: ExitStatus): number {
  return status.kind === 'exited' ? status.code & 0xff : 128 + status.signal;
}

/** Where the program is: with a slash as it is, otherwise in PATH; the name itself when it is nowhere. */
export function findProgram({ starter, environment }: GuestMachine, name: string): string {
  if (name.includes('/')) return name;
  const folders = (environment.get('PATH') ?? '/usr/local/bin:/usr/bin:/bin').split(':');
  for (const folder of folders) {
    const found = starter.fileIn(folder === '' ? undefined : folder, name);
    if (found !== undefined) return found;
  }
  return name;
}

function startProgram(guest: GuestMachine, { program, args, machine }: RunOptions): Process | LoadFailure {
  return guest.starter.start({
    path: findProgram(guest, program),
    argv: [program, ...args],
    environment: [...guest.environment].map(([name, value]) => `${name}=${value}`),
    directory: undefined,
    randomise: machine.randomise,
  });
}

/**
 * Runs the program, and the children that outlive it, to their end: its exit status, 128 + the signal that killed it, 1 when it cannot be started. `tell`
 * gets lines for stderr.
 */
export async function runProgram(options: RunOptions, tell: (line: string) => void): Promise<number> {
  const guest = createGuestMachine(options.machine);
  const { machine } = guest;
  const started = startProgram(guest, options);
  if ('errno' in started) {
    tell(`sidestep: ${started.message ?? `${options.program}: ${errnoText(started.errno)}`}`);
    return 1;
  }
  let status: ExitStatus | undefined;
  machine.hooks = {
    ...NO_HOOKS,
    processExit: (process, how) => {
      if (process === started) status = how;
      return 'go';
    },
  };
  const drive = new Drive(guest, { fastSleep: options.machine.fastSleep });
  const stopForwarding = forwardSignals(machine, drive, undefined);
  for (;;) {
    const result = drive.piece((limit) => machine.run(limit));
    if (result.kind === 'exited') break;
    if (result.kind === 'idle') await drive.pause(result);
    else await drive.pause({ kind: 'limit' });
  }
  stopForwarding();
  await machine.host.flush();
  if (options.stats) for (const line of guest.statistics()) tell(line);
  if (status === undefined) throw new Error('the machine has ended before its first process');
  return shellStatus(status);
}
