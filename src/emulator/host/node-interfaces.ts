/** The host's network interfaces that have addresses, as Node tells them. */
import { networkInterfaces } from 'node:os';
import { addressOf } from './inet-text.js';
import type { HostInterface } from './sockets.js';

export function hostInterfaces(): readonly HostInterface[] {
  return Object.entries(networkInterfaces()).map(([name, addresses = []]) => ({
    name,
    isLoopback: addresses.some(({ internal }) => internal),
    hardwareAddress: (addresses[0]?.mac ?? '').split(':').map((byte) => Number.parseInt(byte, 16) || 0),
    addresses: addresses.map(({ address, cidr }) => ({
      bytes: addressOf(address, 0).bytes,
      prefix: Number(cidr?.split('/')[1] ?? 0),
    })),
  }));
}
