/** Internet addresses between bytes and the text that Node wants. */
import type { InetAddress } from './sockets.js';

export function addressText({ bytes }: InetAddress): string {
  if (bytes.length === 4) return bytes.join('.');
  const groups = Array.from({ length: 8 }, (_, i) => ((bytes[2 * i] as number) << 8) | (bytes[2 * i + 1] as number));
  return groups.map((group) => group.toString(16)).join(':');
}

/** `text`: as Node tells it; a zone behind `%` is dropped. */
export function addressOf(text: string, port: number): InetAddress {
  const plain = text.split('%')[0] ?? '';
  return { bytes: plain.includes(':') ? ipv6(plain) : ipv4(plain), port };
}

function ipv4(text: string): Uint8Array {
  return Uint8Array.from(text.split('.').map(Number));
}

function ipv6(text: string): Uint8Array {
  const [head = '', tail] = text.split('::');
  const front = groupsOf(head);
  const back = tail === undefined ? [] : groupsOf(tail);
  const gap = Array<number>(Math.max(0, 16 - front.length - back.length)).fill(0);
  return Uint8Array.from([...front, ...gap, ...back]);
}

/** Bytes of the groups between colons; the last may be an IPv4 address. */
function groupsOf(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (group.includes('.')) return [...ipv4(group)];
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}
