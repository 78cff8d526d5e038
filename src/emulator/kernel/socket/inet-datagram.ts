/** UDP sockets: the host's, through the gateway (net/ipv4/udp.c as programs see it). */
import type { HostSockets, InetAddress } from '../../host/sockets.js';
import type { Machine } from '../../machine.js';
import type { Thread } from '../../thread.js';
import { EACCES, EDESTADDRREQ, EINVAL, EISCONN, EMSGSIZE, ENOTCONN, EOPNOTSUPP, EPIPE } from '../errno.js';
import { type IoResult, POLL, WAIT } from '../file/open-file.js';
import type { SyscallContext } from '../syscall-table.js';
import { AF, IPPROTO, MSG, SHUT, SO, SOCK, SOL_SOCKET } from './constants.js';
import { closeHandle, follow, hostSockets } from './host-handles.js';
import { anywhere, familyOfAddress, type InetDomain, inetAddress, loopbackFor, parseInet } from './inet-address.js';
import { type Incoming, READABLE, type Sending, Socket, WRITABLE } from './socket.js';

const IPV6_V6ONLY = 26;
/** 65535 bytes less the headers. */
const LONGEST = 65_507;
/** Where a socket is connected at the host that its program connected to port 0, as getaddrinfo(3) does to learn its own address: discard. */
const ANY_PORT = 9;

export class InetDatagram extends Socket {
  /** The host's; made when it is first needed, because options count before. */
  private handle: number | undefined;
  /** A bind or connect is under way at the host. */
  private begun = false;
  private isBound = false;
  /** Its address is one that the program asked for. */
  private keepsAddress = false;
  /** With port 0 it has no peer that has a name, and what is sent is lost. */
  private remote: InetAddress | undefined;
  private hasPort = true;

  constructor(
    machine: Machine,
    flags: number,
    readonly inet: InetDomain,
  ) {
    super(machine, flags, inet, SOCK.DGRAM, IPPROTO.UDP);
  }

  private get host(): HostSockets {
    return hostSockets(this.machine);
  }

  private open(): number {
    if (this.handle !== undefined) return this.handle;
    const handle = this.host.datagrams(this.inet === AF.INET ? 4 : 6, {
      ipv6Only: this.options.number(IPPROTO.IPV6, IPV6_V6ONLY) !== 0,
      reuse: this.options.number(SOL_SOCKET, SO.REUSEADDR) !== 0,
    });
    this.handle = handle;
    follow(this.machine, handle, this.key);
    return handle;
  }

  get isListening(): boolean {
    return false;
  }

  get available(): number {
    return this.handle === undefined ? 0 : (this.host.datagramWaiting(this.handle) ?? 0);
  }

  listen(): number {
    return -EOPNOTSUPP;
  }

  accept(): number {
    return -EOPNOTSUPP;
  }

  bind(_context: SyscallContext, address: Uint8Array): IoResult {
    if (this.begun) return this.ending();
    const wanted = parseInet(this.inet, address);
    if (typeof wanted === 'number') return wanted;
    if (this.isBound) return -EINVAL;
    this.keepsAddress = true;
    this.host.bindDatagrams(this.open(), wanted);
    return this.begin();
  }

  private begin(): typeof WAIT {
    this.begun = true;
    return WAIT;
  }

  /** How what was begun has ended. */
  private ending(): IoResult {
    const progress = this.host.progress(this.open());
    if (progress.kind === 'pending') return WAIT;
    this.begun = false;
    if (progress.kind === 'failed') {
      this.drop();
      return -progress.errno;
    }
    this.isBound = true;
    this.remote = progress.remote && { ...progress.remote, port: this.hasPort ? progress.remote.port : 0 };
    if (this.options.number(SOL_SOCKET, SO.BROADCAST) !== 0) this.optionChanged(SOL_SOCKET, SO.BROADCAST);
    return 0;
  }

  connect(_context: SyscallContext, address: Uint8Array): IoResult {
    if (familyOfAddress(address) === AF.UNSPEC) {
      this.disconnect();
      return 0;
    }
    const wanted = parseInet(this.inet, address);
    if (typeof wanted === 'number') return wanted;
    this.hasPort = wanted.port !== 0;
    const port = this.hasPort ? wanted.port : ANY_PORT;
    this.host.connectDatagrams(this.open(), { ...loopbackFor(wanted), port });
    return this.begin();
  }

  private disconnect(): void {
    if (this.remote === undefined) return;
    this.remote = undefined;
    if (this.keepsAddress || this.available > 0) this.host.connectDatagrams(this.open(), undefined);
    else this.drop();
  }

  override resumeConnect(): IoResult {
    return this.ending();
  }

  localName(): Uint8Array {
    const progress = this.handle === undefined ? undefined : this.host.progress(this.handle);
    return inetAddress(this.inet, progress?.kind === 'done' ? progress.local : anywhere(this.inet));
  }

  peerName(): Uint8Array | number {
    return this.remote === undefined || this.remote.port === 0 ? -ENOTCONN : inetAddress(this.inet, this.remote);
  }

  override takeError(): number {
    if (this.error === 0 && this.handle !== undefined) this.error = this.host.datagramError(this.handle);
    return super.takeError();
  }

  send(from: Uint8Array, { to, flags }: Sending): IoResult {
    if (flags & MSG.OOB) return -EOPNOTSUPP;
    if (from.length > LONGEST) return -EMSGSIZE;
    const wanted = to === undefined ? undefined : parseInet(this.inet, to);
    if (typeof wanted === 'number') return wanted;
    if (wanted === undefined && this.remote === undefined) return -EDESTADDRREQ;
    if (wanted?.port === 0) return -EINVAL;
    if (this.closedWays & SHUT.WRITE) return -EPIPE;
    const broken = this.takeError();
    if (broken !== 0) return broken;
    return this.transmit(from, wanted);
  }

  private transmit(from: Uint8Array, to: InetAddress | undefined): number {
    const isBroadcast = to?.bytes.length === 4 && to.bytes.every((byte) => byte === 255);
    if (isBroadcast && this.options.number(SOL_SOCKET, SO.BROADCAST) === 0) return -EACCES;
    const { remote } = this;
    if (to === undefined && remote?.port === 0) return from.length;
    if (to === undefined || remote === undefined) {
      return this.host.sendDatagram(this.open(), from, to === undefined ? undefined : loopbackFor(to));
    }
    // Node sends from a connected socket to its peer alone.
    const same = to.port === remote.port && to.bytes.every((byte, i) => byte === remote.bytes[i]);
    return same ? this.host.sendDatagram(this.open(), from, undefined) : -EISCONN;
  }

  receive(into: Uint8Array, flags: number): Incoming | number | typeof WAIT {
    if (flags & MSG.OOB) return -EOPNOTSUPP;
    const broken = this.takeError();
    if (broken !== 0) return broken;
    const datagram =
      this.handle === undefined ? 'pending' : this.host.receiveDatagram(this.handle, (flags & MSG.PEEK) !== 0);
    if (datagram === 'pending') return this.closedWays & SHUT.READ ? { length: 0, full: 0, flags: 0 } : WAIT;
    const part = datagram.bytes.subarray(0, into.length);
    into.set(part);
    return {
      length: part.length,
      full: datagram.bytes.length,
      from: inetAddress(this.inet, datagram.from),
      flags: part.length < datagram.bytes.length ? MSG.TRUNC : 0,
    };
  }

  shutdown(ways: number): number {
    if (this.remote === undefined) return -ENOTCONN;
    this.closedWays |= ways;
    this.changed();
    return 0;
  }

  override poll(_asker: Thread): number {
    if (this.error === 0 && this.handle !== undefined) this.error = this.host.datagramError(this.handle);
    let bits = WRITABLE;
    if (this.handle !== undefined && this.host.datagramWaiting(this.handle) !== undefined) bits |= READABLE;
    if (this.error !== 0) bits |= POLL.ERR;
    if (this.closedWays & SHUT.READ) bits |= READABLE | POLL.RDHUP;
    if (this.closedWays === SHUT.BOTH) bits |= POLL.HUP;
    return bits;
  }

  override optionChanged(level: number, name: number): void {
    if (level !== SOL_SOCKET || name !== SO.BROADCAST || this.handle === undefined) return;
    this.host.setOption(this.handle, { kind: 'broadcast', on: this.options.number(level, name) !== 0 });
  }

  private drop(): void {
    if (this.handle === undefined) return;
    closeHandle(this.machine, this.handle, false);
    this.handle = undefined;
    this.isBound = false;
  }

  protected override closed(): void {
    this.drop();
  }
}
