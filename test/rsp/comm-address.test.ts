import { expect, test } from 'vitest';
import { formatCommAddress, parseCommAddress } from '../../src/rsp/comm-address.js';

test.each([
  { text: '-', address: { kind: 'stdio' } },
  { text: 'stdio', address: { kind: 'stdio' } },
  { text: ':1234', address: { kind: 'tcp', host: '', port: 1234 } },
  { text: 'localhost:0', address: { kind: 'tcp', host: 'localhost', port: 0 } },
  { text: '127.0.0.1:65535', address: { kind: 'tcp', host: '127.0.0.1', port: 65535 } },
  { text: '::1:7738', address: { kind: 'tcp', host: '::1', port: 7738 } },
  { text: '[::1]:7737', address: { kind: 'tcp', host: '::1', port: 7737 } },
  { text: 'unix:/tmp/s', address: { kind: 'unix', path: '/tmp/s' } },
])('COMM $text', ({ text, address }) => {
  expect(parseCommAddress(text)).toEqual(address);
});

/** gdbserver 13.1's own lines. */
test.each([
  { text: 'localhost:abc', error: 'localhost:abc: cannot resolve name: Servname not supported for ai_socktype' },
  { text: ':99999', error: ':99999: cannot resolve name: Servname not supported for ai_socktype' },
  { text: 'localhost:-1', error: 'localhost:-1: cannot resolve name: Servname not supported for ai_socktype' },
  { text: '7739', error: 'Could not open remote device: Invalid argument.' },
  { text: '', error: 'Could not open remote device: Invalid argument.' },
  { text: '/dev/ttyS0', error: 'Could not open remote device: Invalid argument.' },
])('COMM $text is refused', ({ text, error }) => {
  expect(parseCommAddress(text)).toEqual({ error });
});

test.each(['stdio', 'localhost:1', '[::1]:2', 'unix:/a'])('%s is written as it was read', (text) => {
  const address = parseCommAddress(text);
  expect('error' in address || formatCommAddress(address)).toBe(text);
});
