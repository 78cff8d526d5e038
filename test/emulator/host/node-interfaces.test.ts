import { networkInterfaces } from 'node:os';
import { expect, test } from 'vitest';
import { hostInterfaces } from '../../../src/emulator/host/node-interfaces.js';

test('the interfaces of the host in the order of the host, with the bytes of their addresses', () => {
  const told = hostInterfaces();
  expect(told.map(({ name }) => name)).toEqual(Object.keys(networkInterfaces()));
  const loopback = told.find(({ isLoopback }) => isLoopback);
  expect(loopback?.hardwareAddress).toEqual([0, 0, 0, 0, 0, 0]);
  expect(loopback?.addresses).toContainEqual({ bytes: Uint8Array.of(127, 0, 0, 1), prefix: 8 });
});
