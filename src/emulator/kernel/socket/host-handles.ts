/** The host's sockets, for a machine that has a network, and who is woken when something happens to one. */
import { type HostSockets, socketSource } from '../../host/sockets.js';
import type { Machine } from '../../machine.js';
import type { WaitKey } from '../wait.js';

export function hostSockets({ host: { sockets } }: Machine): HostSockets {
  if (sockets === undefined) throw new Error('a socket of the host without a network');
  return sockets;
}

/** What happens to the handle wakes those who wait for the key. */
export function follow(machine: Machine, handle: number, key: WaitKey): void {
  machine.hostKeys.set(socketSource(handle), key);
}

/** `reset`: unsent bytes are dropped. */
export function closeHandle(machine: Machine, handle: number, reset: boolean): void {
  machine.hostKeys.delete(socketSource(handle));
  hostSockets(machine).close(handle, reset);
}
