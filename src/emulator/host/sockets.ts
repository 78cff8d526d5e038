/**
 * Sockets of the internet families as the gateway offers them, and streams of the UNIX family. Every request answers at once; what takes time answers 'pending', and an event of
 * `socket HANDLE` tells when to ask again. Handles are the gateway's own numbers. A failure is -errno.
 */
import type { HostSource } from './host.js';

/** 4 bytes of address for IPv4, 16 for IPv6; `port` in host order. */
export interface InetAddress {
  readonly bytes: Uint8Array;
  readonly port: number;
}

/** How a bind or connect that was begun has gone. */
export type Progress =
  | { readonly kind: 'pending' }
  | { readonly kind: 'failed'; readonly errno: number }
  | { readonly kind: 'done'; readonly local: InetAddress; readonly remote?: InetAddress | undefined };

/** What a connection can do now. */
export interface Readiness {
  /** Bytes to read. */
  readonly available: number;
  /** The other side sends no more. */
  readonly ended: boolean;
  readonly writable: boolean;
  /** Positive; 0: none. Told again and again. */
  readonly errno: number;
}

/** One datagram. */
export interface Datagram {
  readonly bytes: Uint8Array;
  readonly from: InetAddress;
}

/** What tells that something has happened to a handle. */
export function socketSource(handle: number): HostSource {
  return `socket ${handle}`;
}

/** A network interface of the host with its addresses. */
export interface HostInterface {
  readonly name: string;
  readonly isLoopback: boolean;
  readonly hardwareAddress: readonly number[];
  /** 4 or 16 bytes each, and how many of their bits name the network. */
  readonly addresses: readonly { readonly bytes: Uint8Array; readonly prefix: number }[];
}

export interface HostSockets {
  /** What the addresses that sockets can have belong to. */
  interfaces(): readonly HostInterface[];
  /** Begins to listen at an address: port 0 chooses one. */
  listen(address: InetAddress, ipv6Only: boolean): number;
  /** Listens at once where a node for a socket is (HostFiles.mknod), which becomes one of the host and another inode: a handle or -errno. */
  listenAt(path: string): number;
  /** Begins a connection; `local`: from where. */
  connect(remote: InetAddress, local: InetAddress | undefined): number;
  /** Of a listen, a connect, a bind or connect of datagrams. */
  progress(handle: number): Progress;
  /** A connection that came in: its handle. */
  accept(handle: number): number | 'pending';
  /** How many wait to be accepted. */
  waiting(handle: number): number;
  readiness(handle: number): Readiness;
  /** Bytes, 0 at the end. `peek`: they stay. */
  read(handle: number, into: Uint8Array, peek: boolean): number | 'pending';
  /** Bytes taken. */
  write(handle: number, from: Uint8Array): number | 'pending';
  /** Sends no more. */
  shutdown(handle: number): void;
  setOption(handle: number, option: SocketSetting): void;
  /** A socket for datagrams, not bound yet. */
  datagrams(family: 4 | 6, settings: { readonly ipv6Only: boolean; readonly reuse: boolean }): number;
  bindDatagrams(handle: number, address: InetAddress): void;
  /** undefined: no peer any more. */
  connectDatagrams(handle: number, remote: InetAddress | undefined): void;
  /** To the peer when no address is given. Bytes sent or -errno. */
  sendDatagram(handle: number, bytes: Uint8Array, to: InetAddress | undefined): number;
  /** The oldest that came; `peek`: it stays. */
  receiveDatagram(handle: number, peek: boolean): Datagram | 'pending';
  /** Bytes of the oldest; undefined: none. */
  datagramWaiting(handle: number): number | undefined;
  /** Positive, forgotten by the question; 0: none. */
  datagramError(handle: number): number;
  /** `reset`: unsent bytes are dropped and the other side is told so (SO_LINGER with 0). */
  close(handle: number, reset: boolean): void;
}

export type SocketSetting =
  | { readonly kind: 'no-delay'; readonly on: boolean }
  | { readonly kind: 'keep-alive'; readonly on: boolean; readonly idleSeconds: number }
  | { readonly kind: 'broadcast'; readonly on: boolean };
