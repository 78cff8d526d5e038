/** Names of UNIX sockets: struct sockaddr_un (linux/un.h), abstract names, and the table of what is bound (net/unix/af_unix.c). */
import { EINVAL } from '../errno.js';
import { AF } from './constants.js';
import type { UnixSocket } from './unix-socket.js';

/** Bytes of sun_path; an abstract name begins with a NUL and may hold more of them. */
export interface UnixName {
  readonly bytes: Uint8Array;
  /** Key in the table: abstract names by their bytes, others by the inode of the node that stands in the file system. */
  readonly key: string;
  /** Where the node is, when it is on the host. */
  readonly hostPath?: string | undefined;
}

const FAMILY = 2;
const PATH_MAX = 108;

/** What an address names: a path, an abstract name, or nothing (only the family: a name is to be chosen). */
type UnixAddress =
  | { readonly kind: 'path'; readonly path: Uint8Array }
  | { readonly kind: 'abstract'; readonly bytes: Uint8Array }
  | { readonly kind: 'none' };

export function parseUnixAddress(address: Uint8Array): UnixAddress | number {
  const family = (address[0] ?? 0) | ((address[1] ?? 0) << 8);
  if (address.length < FAMILY || address.length > FAMILY + PATH_MAX || family !== AF.UNIX) return -EINVAL;
  const bytes = address.slice(FAMILY);
  if (bytes.length === 0) return { kind: 'none' };
  if (bytes[0] === 0) return { kind: 'abstract', bytes };
  const end = bytes.indexOf(0);
  return { kind: 'path', path: end < 0 ? bytes : bytes.subarray(0, end) };
}

export function abstractKey(bytes: Uint8Array): string {
  return `@${String.fromCharCode(...bytes)}`;
}

/** struct sockaddr_un; a path is told with its NUL. */
export function unixAddress(name: UnixName | undefined): Uint8Array {
  const bytes = name?.bytes ?? new Uint8Array();
  const isPath = bytes.length > 0 && bytes[0] !== 0;
  const address = new Uint8Array(FAMILY + bytes.length + (isPath ? 1 : 0));
  address[0] = AF.UNIX;
  address.set(bytes, FAMILY);
  return address;
}

/** The bound sockets of a machine. */
export class UnixNames {
  private readonly bound = new Map<string, UnixSocket>();
  private nextAuto = 0;

  find(key: string): UnixSocket | undefined {
    return this.bound.get(key);
  }

  /** The caller has seen that the name is free. */
  add(key: string, socket: UnixSocket): void {
    this.bound.set(key, socket);
  }

  remove(key: string, socket: UnixSocket): void {
    if (this.bound.get(key) === socket) this.bound.delete(key);
  }

  /** A free abstract name of five hexadecimal digits (unix_autobind). */
  automatic(): Uint8Array {
    for (;;) {
      const digits = (this.nextAuto++ & 0xf_ffff).toString(16).padStart(5, '0');
      const bytes = new TextEncoder().encode(`\0${digits}`);
      if (this.bound.get(abstractKey(bytes)) === undefined) return bytes;
    }
  }
}
