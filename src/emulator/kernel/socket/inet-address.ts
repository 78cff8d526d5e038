/** struct sockaddr_in, struct sockaddr_in6 (linux/in.h, in6.h). */
import type { InetAddress } from '../../host/sockets.js';
import { EAFNOSUPPORT, EINVAL } from '../errno.js';
import { AF } from './constants.js';

export type InetDomain = typeof AF.INET | typeof AF.INET6;

const SOCKADDR_IN = 16;
const SOCKADDR_IN6 = 28;
/** Without the scope id, as RFC 2133 had it. */
const SOCKADDR_IN6_MIN = 24;

export function familyOfAddress(address: Uint8Array): number {
  return (address[0] ?? 0) | ((address[1] ?? 0) << 8);
}

/** -EINVAL when it is too short, -EAFNOSUPPORT when it is of another family. */
export function parseInet(domain: InetDomain, address: Uint8Array): InetAddress | number {
  const family = familyOfAddress(address);
  const needed = domain === AF.INET ? SOCKADDR_IN : SOCKADDR_IN6_MIN;
  if (address.length < needed) return -EINVAL;
  if (family !== domain) return -EAFNOSUPPORT;
  const port = ((address[2] as number) << 8) | (address[3] as number);
  return { bytes: domain === AF.INET ? address.slice(4, 8) : address.slice(8, 24), port };
}

/** An IPv4 address in a sockaddr_in6 is mapped (::ffff:a.b.c.d). */
export function inetAddress(domain: InetDomain, { bytes, port }: InetAddress): Uint8Array {
  const address = new Uint8Array(domain === AF.INET ? SOCKADDR_IN : SOCKADDR_IN6);
  address[0] = domain;
  address[2] = port >> 8;
  address[3] = port & 0xff;
  if (domain === AF.INET) address.set(bytes.subarray(0, 4), 4);
  else if (bytes.length === 16) address.set(bytes, 8);
  else address.set([0xff, 0xff, ...bytes], 18);
  return address;
}

/** 0.0.0.0:0 or [::]:0. */
export function anywhere(domain: InetDomain): InetAddress {
  return { bytes: new Uint8Array(domain === AF.INET ? 4 : 16), port: 0 };
}

function isAnywhere({ bytes }: InetAddress): boolean {
  return bytes.every((byte) => byte === 0);
}

/** Connecting to the unspecified address reaches this host. */
export function loopbackFor(address: InetAddress): InetAddress {
  if (!isAnywhere(address)) return address;
  const bytes = address.bytes.slice();
  if (bytes.length === 4) bytes.set([127, 0, 0, 1]);
  else bytes[15] = 1;
  return { bytes, port: address.port };
}
