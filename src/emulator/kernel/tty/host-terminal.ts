/** The inherited terminal, when the server has one, and how the first process gets it. */
import type { Machine } from '../../machine.js';
import type { Process } from '../../process.js';
import { HostTty } from './host-tty.js';

/** undefined: none of the inherited descriptors is a terminal. */
export function hostTerminal(machine: Machine): HostTty | undefined {
  const { terminals, host } = machine;
  const isTerminal = (fd: number): boolean => host.streams.kind(fd) === 'terminal';
  const input = [0, 1, 2].find(isTerminal);
  const output = [1, 2, 0].find(isTerminal);
  if (terminals.host === undefined && input !== undefined && output !== undefined) {
    terminals.host = new HostTty(machine, input, output);
  }
  return terminals.host;
}

/** The session of the server has the terminal; what it starts stands in the foreground, as gdbserver's program does. */
export function giveHostTerminal(machine: Machine, process: Process): void {
  const tty = hostTerminal(machine);
  if (tty === undefined) return;
  process.terminal = tty.id;
  tty.session = process.sid;
  tty.foreground = process.pgid;
}
