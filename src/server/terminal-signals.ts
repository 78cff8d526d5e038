/**
 * Signals to the server's own process. A terminal's are meant for whoever has the terminal's foreground in the machine: they enter at the end of a slice.
 * Those that ask to end end the server, which takes the program along.
 */
import { membersOf } from '../emulator/kernel/process-groups.js';
import { sendToGroup } from '../emulator/kernel/signal-send.js';
import type { Machine } from '../emulator/machine.js';
import { kernelInfo, SIGNAL } from '../emulator/signals.js';
import type { Drive } from './drive.js';

/** For the foreground group. A new size of the window is the terminal's own affair (kernel/tty/host-tty.ts). */
const FORWARDED = { SIGINT: SIGNAL.INT, SIGQUIT: SIGNAL.QUIT } as const;
/** Of `run` also these: there the command stands for the program. */
const OF_RUN = {
  SIGTERM: SIGNAL.TERM,
  SIGHUP: SIGNAL.HUP,
  SIGUSR1: SIGNAL.USR1,
  SIGUSR2: SIGNAL.USR2,
  SIGCONT: SIGNAL.CONT,
} as const;

/** Until the function that comes back is called. `finish`: ends the server; undefined for `run`. */
export function forwardSignals(machine: Machine, drive: Drive, finish: (() => void) | undefined): () => void {
  const forward = (signal: number) => (): void => {
    const group = foregroundGroup(machine);
    if (group !== undefined) sendToGroup(machine, group, kernelInfo(signal));
    drive.wake();
  };
  // Ctrl-Z stops a job of a shell inside; where there is none, it stops the server and the program with it.
  const suspend = (): void => {
    if (foregroundGroup(machine) === firstGroup(machine)) process.kill(process.pid, 'SIGSTOP');
    else forward(SIGNAL.TSTP)();
  };
  const handlers = new Map<NodeJS.Signals, () => void>([['SIGTSTP', suspend]]);
  const rows = Object.entries(finish === undefined ? { ...FORWARDED, ...OF_RUN } : FORWARDED);
  for (const [name, signal] of rows) handlers.set(name as NodeJS.Signals, forward(signal));
  if (finish !== undefined) for (const name of ['SIGTERM', 'SIGHUP'] as const) handlers.set(name, finish);
  for (const [name, handler] of handlers) process.on(name, handler);
  return () => {
    for (const [name, handler] of handlers) process.off(name, handler);
  };
}

function firstGroup(machine: Machine): number | undefined {
  return [...machine.processes.values()].find((process) => process !== machine.root)?.pgid;
}

/** Of the inherited terminal, or of the first program when there is none. */
function foregroundGroup(machine: Machine): number | undefined {
  const group = machine.terminals.host?.foreground ?? 0;
  return membersOf(machine, group).length > 0 ? group : firstGroup(machine);
}
