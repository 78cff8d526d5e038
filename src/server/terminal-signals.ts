/**
 * Signals to the server's own process. A terminal's (Ctrl-C, Ctrl-\, Ctrl-Z is the shell's) are meant for the program: they enter the machine at the end of a
 * slice. Those that ask to end end the server, which takes the program along.
 */
import { sendToGroup } from '../emulator/kernel/signal-send.js';
import type { Machine } from '../emulator/machine.js';
import { kernelInfo, SIGNAL } from '../emulator/signals.js';
import type { Drive } from './drive.js';

/** For the program's process group. */
const FORWARDED = { SIGINT: SIGNAL.INT, SIGQUIT: SIGNAL.QUIT, SIGWINCH: SIGNAL.WINCH } as const;
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
    const [first] = [...machine.processes.values()].filter((process) => process !== machine.root);
    if (first !== undefined) sendToGroup(machine, first.pgid, kernelInfo(signal));
    drive.wake();
  };
  const handlers = new Map<NodeJS.Signals, () => void>();
  const rows = Object.entries(finish === undefined ? { ...FORWARDED, ...OF_RUN } : FORWARDED);
  for (const [name, signal] of rows) handlers.set(name as NodeJS.Signals, forward(signal));
  if (finish !== undefined) for (const name of ['SIGTERM', 'SIGHUP'] as const) handlers.set(name, finish);
  for (const [name, handler] of handlers) process.on(name, handler);
  return () => {
    for (const [name, handler] of handlers) process.off(name, handler);
  };
}
