/** Netlink sockets to the kernel's routing tables (net/netlink/af_netlink.c, NETLINK_ROUTE): what is asked is answered at once. Nobody else is there to be talked to. */
import type { Machine } from '../../machine.js';
import type { Thread } from '../../thread.js';
import { ECONNREFUSED, EINVAL, EOPNOTSUPP, EPERM } from '../errno.js';
import { type IoResult, WAIT } from '../file/open-file.js';
import type { SyscallContext } from '../syscall-table.js';
import { AF, MSG } from './constants.js';
import { familyOfAddress } from './inet-address.js';
import { interfacesOf } from './interfaces.js';
import { answer } from './netlink-messages.js';
import { type Incoming, READABLE, type Sending, Socket, WRITABLE } from './socket.js';

/** struct sockaddr_nl: family, padding, port, groups. */
const ADDRESS_BYTES = 12;
const KERNEL = nameOf(0, 0);

function nameOf(port: number, groups: number): Uint8Array {
  const bytes = new Uint8Array(ADDRESS_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, AF.NETLINK, true);
  view.setUint32(4, port, true);
  view.setUint32(8, groups, true);
  return bytes;
}

function parse(address: Uint8Array): { readonly port: number; readonly groups: number } | number {
  if (address.length < ADDRESS_BYTES || familyOfAddress(address) !== AF.NETLINK) return -EINVAL;
  const view = new DataView(address.buffer, address.byteOffset, ADDRESS_BYTES);
  return { port: view.getUint32(4, true), groups: view.getUint32(8, true) };
}

export class NetlinkSocket extends Socket {
  private readonly queue: Uint8Array[] = [];
  private port = 0;
  private groups = 0;

  constructor(machine: Machine, flags: number, type: number, protocol: number) {
    super(machine, flags, AF.NETLINK, type, protocol);
  }

  get isListening(): boolean {
    return false;
  }

  get available(): number {
    return this.queue[0]?.length ?? 0;
  }

  listen(): number {
    return -EOPNOTSUPP;
  }

  accept(): number {
    return -EOPNOTSUPP;
  }

  /** Groups may be joined; there is never any news. */
  bind({ process }: SyscallContext, address: Uint8Array): number {
    const wanted = parse(address);
    if (typeof wanted === 'number') return wanted;
    if (this.port !== 0 && wanted.port !== this.port) return -EINVAL;
    this.port = wanted.port === 0 ? process.pid : wanted.port;
    this.groups = wanted.groups;
    return 0;
  }

  private bindIfNeeded({ process }: SyscallContext): void {
    if (this.port === 0) this.port = process.pid;
  }

  connect(context: SyscallContext, address: Uint8Array): number {
    if (familyOfAddress(address) === AF.UNSPEC) return 0;
    const peer = parse(address);
    if (typeof peer === 'number') return peer;
    if (peer.port !== 0 || peer.groups !== 0) return -EPERM;
    this.bindIfNeeded(context);
    return 0;
  }

  localName(): Uint8Array {
    return nameOf(this.port, this.groups);
  }

  peerName(): Uint8Array {
    return KERNEL;
  }

  send(from: Uint8Array, { to, flags }: Sending, context: SyscallContext): IoResult {
    if (flags & MSG.OOB) return -EOPNOTSUPP;
    const peer = to === undefined ? undefined : parse(to);
    if (typeof peer === 'number') return peer;
    if (peer !== undefined && peer.port !== 0) return -ECONNREFUSED;
    this.bindIfNeeded(context);
    const answers = answer(from, this.port, interfacesOf(this.machine));
    this.queue.push(...answers);
    if (answers.length > 0) this.changed(READABLE);
    return from.length;
  }

  receive(into: Uint8Array, flags: number): Incoming | number | typeof WAIT {
    if (flags & MSG.OOB) return -EOPNOTSUPP;
    const first = this.queue[0];
    if (first === undefined) return WAIT;
    if (!(flags & MSG.PEEK)) this.queue.shift();
    const part = first.subarray(0, into.length);
    into.set(part);
    return {
      length: part.length,
      full: first.length,
      from: KERNEL,
      flags: part.length < first.length ? MSG.TRUNC : 0,
    };
  }

  shutdown(): number {
    return -EOPNOTSUPP;
  }

  override poll(_asker: Thread): number {
    return this.queue.length > 0 ? READABLE | WRITABLE : WRITABLE;
  }
}
