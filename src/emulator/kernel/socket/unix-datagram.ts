/** UNIX sockets without connections: SOCK_DGRAM (net/unix/af_unix.c). A full queue of the receiver makes the sender wait: nothing is lost. */
import type { Machine } from '../../machine.js';
import type { Thread } from '../../thread.js';
import { ECONNREFUSED, EDESTADDRREQ, EMSGSIZE, ENOTCONN, EOPNOTSUPP, EPERM, EPIPE, EPROTOTYPE } from '../errno.js';
import { type IoResult, POLL, WAIT } from '../file/open-file.js';
import type { SyscallContext } from '../syscall-table.js';
import type { WaitKey } from '../wait.js';
import { type Ancillary, credentialsOfSender, releaseFiles } from './ancillary.js';
import { AF, MSG, SHUT, SOCK } from './constants.js';
import { type Incoming, READABLE, type Sending, WRITABLE } from './socket.js';
import { UnixSocket } from './unix-socket.js';

const OVERHEAD = 32;
/** net.unix.max_dgram_qlen. */
const QUEUE_MAX = 10;

interface Packet {
  readonly bytes: Uint8Array;
  readonly ancillary: Ancillary;
  readonly from: Uint8Array;
}

export class UnixDatagram extends UnixSocket {
  private readonly queue: Packet[] = [];
  private isDead = false;
  /** The socket whose queue was full. */
  private awaited: UnixDatagram | undefined;

  constructor(machine: Machine, flags: number) {
    super(machine, flags, SOCK.DGRAM);
  }

  static pair({ machine, process }: SyscallContext, flags: number): [UnixDatagram, UnixDatagram] {
    const [a, b] = [new UnixDatagram(machine, flags), new UnixDatagram(machine, flags)];
    a.peer = b;
    b.peer = a;
    a.peerCredentials = credentialsOfSender(process);
    b.peerCredentials = a.peerCredentials;
    return [a, b];
  }

  get isListening(): boolean {
    return false;
  }

  get available(): number {
    return this.queue[0]?.bytes.length ?? 0;
  }

  listen(): number {
    return -EOPNOTSUPP;
  }

  accept(): number {
    return -EOPNOTSUPP;
  }

  /** AF_UNSPEC takes the peer away. */
  connect(context: SyscallContext, address: Uint8Array): number {
    if (((address[0] ?? 0) | ((address[1] ?? 0) << 8)) === AF.UNSPEC) {
      this.peer = undefined;
      return 0;
    }
    this.nameIfNeeded();
    const found = this.receiver(context, address);
    if (typeof found === 'number') return found;
    this.peer = found;
    this.changed(WRITABLE);
    return 0;
  }

  /** Who gets what is sent there; one that has a peer of its own takes from that alone. */
  private receiver(context: SyscallContext, to: Uint8Array): UnixDatagram | number {
    const found = this.other(context, to);
    if (typeof found === 'number') return found;
    if (!(found instanceof UnixDatagram)) return -EPROTOTYPE;
    return found.peer === undefined || found.peer === this ? found : -EPERM;
  }

  send(from: Uint8Array, { to, ancillary, flags }: Sending, context: SyscallContext): IoResult {
    if (flags & MSG.OOB) return -EOPNOTSUPP;
    if (this.error !== 0) return this.takeError();
    if (from.length > this.sendBuffer - OVERHEAD) return -EMSGSIZE;
    const found = to === undefined ? this.peer : this.receiver(context, to);
    if (typeof found === 'number') return found;
    if (found === undefined) return to === undefined ? -ENOTCONN : -EDESTADDRREQ;
    const receiver = found as UnixDatagram;
    if (this.closedWays & SHUT.WRITE) return -EPIPE;
    if (receiver.isDead) {
      if (this.peer === receiver) this.peer = undefined;
      return -ECONNREFUSED;
    }
    if (receiver.closedWays & SHUT.READ) return -EPIPE;
    if (receiver.queue.length > QUEUE_MAX) {
      this.awaited = receiver;
      return WAIT;
    }
    this.nameIfNeeded();
    receiver.queue.push({
      bytes: from.slice(),
      ancillary: ancillary ?? { credentials: credentialsOfSender(context.process), files: [] },
      from: this.tellName(),
    });
    receiver.changed(READABLE);
    return from.length;
  }

  override sendKeys(): readonly WaitKey[] {
    return this.awaited === undefined ? [this.key] : [this.key, this.awaited.key];
  }

  override sleepKeys(): readonly WaitKey[] {
    return this.sendKeys();
  }

  receive(into: Uint8Array, flags: number): Incoming | number | typeof WAIT {
    if (flags & MSG.OOB) return -EOPNOTSUPP;
    const packet = this.queue[0];
    if (packet === undefined) {
      if (this.error !== 0) return this.takeError();
      return this.closedWays & SHUT.READ ? { length: 0, full: 0, flags: 0 } : WAIT;
    }
    const part = packet.bytes.subarray(0, into.length);
    into.set(part);
    const peek = (flags & MSG.PEEK) !== 0;
    if (!peek) {
      this.queue.shift();
      this.changed(WRITABLE);
    }
    const { credentials, files } = packet.ancillary;
    return {
      length: part.length,
      full: packet.bytes.length,
      from: packet.from,
      ancillary: { credentials, files: peek ? files.map((file) => file.retain()) : files },
      flags: part.length < packet.bytes.length ? MSG.TRUNC : 0,
    };
  }

  shutdown(ways: number): number {
    this.closedWays |= ways;
    this.changed();
    return 0;
  }

  override poll(_asker: Thread): number {
    let bits = 0;
    if (this.error !== 0) bits |= POLL.ERR;
    if (this.closedWays & SHUT.READ) bits |= POLL.RDHUP | READABLE;
    if (this.closedWays === SHUT.BOTH) bits |= POLL.HUP;
    if (this.queue.length > 0) bits |= READABLE;
    const receiver = this.peer as UnixDatagram | undefined;
    if (receiver === undefined || receiver.queue.length <= QUEUE_MAX) bits |= WRITABLE;
    return bits;
  }

  override pollKeys(_asker: Thread): readonly WaitKey[] {
    return this.peer === undefined ? [this.key] : [this.key, this.peer.key];
  }

  protected override closed(): void {
    this.isDead = true;
    this.forgetName();
    for (const { ancillary } of this.queue.splice(0)) releaseFiles(ancillary);
    this.changed();
  }
}
