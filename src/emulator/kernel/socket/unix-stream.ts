/** UNIX sockets with connections: SOCK_STREAM, a stream of bytes, and SOCK_SEQPACKET, whose messages keep their borders (net/unix/af_unix.c). */
import type { Machine } from '../../machine.js';
import type { Thread } from '../../thread.js';
import {
  ECONNREFUSED, ECONNRESET, EINVAL, EISCONN, EMSGSIZE, ENOTCONN, EOPNOTSUPP, EPIPE, EPROTOTYPE,
} from '../errno.js'; // biome-ignore format: one list
import { type IoResult, POLL, WAIT } from '../file/open-file.js';
import type { SyscallContext } from '../syscall-table.js';
import { ANY_EVENT, type WaitKey } from '../wait.js';
import { type Ancillary, credentialsOfSender, releaseFiles } from './ancillary.js';
import { MSG, SHUT, SOCK } from './constants.js';
import { type Incoming, READABLE, type Sending, WRITABLE } from './socket.js';
import { HostDoor } from './unix-host.js';
import { keyOnHost } from './unix-path.js';
import { UnixSocket } from './unix-socket.js';

/** Bytes of one message between an skb's header and the send buffer's limit. */
const OVERHEAD = 32;
/** Longest piece that a stream takes at once. */
const PIECE = 32_768;
/** somaxconn. */
const BACKLOG_MAX = 4096;

interface Piece {
  bytes: Uint8Array;
  ancillary: Ancillary;
  readonly sender: UnixStream;
}

type State = 'idle' | 'listening' | 'connected' | 'disconnected';

export class UnixStream extends UnixSocket {
  private state: State = 'idle';
  private readonly queue: Piece[] = [];
  private queued = 0;
  /** Of a listening socket: connections that nobody has accepted. */
  private readonly incoming: UnixStream[] = [];
  private backlog = 0;
  /** Of a listening socket at a path of the host: where its programs connect. */
  private door: HostDoor | undefined;
  /** The listener whose backlog was full. */
  private awaited: UnixStream | undefined;

  constructor(machine: Machine, flags: number, type: number) {
    super(machine, flags, type);
  }

  /** socketpair(2). */
  static pair({ machine, process }: SyscallContext, flags: number, type: number): [UnixStream, UnixStream] {
    const [a, b] = [new UnixStream(machine, flags, type), new UnixStream(machine, flags, type)];
    const credentials = credentialsOfSender(process);
    a.join(b);
    b.join(a);
    a.peerCredentials = credentials;
    b.peerCredentials = credentials;
    return [a, b];
  }

  private join(other: UnixStream): void {
    this.peer = other;
    this.state = 'connected';
  }

  private get partner(): UnixStream | undefined {
    return this.peer as UnixStream | undefined;
  }

  get isListening(): boolean {
    return this.state === 'listening';
  }

  get available(): number {
    return this.queued;
  }

  listen({ process }: SyscallContext, backlog: number): number {
    if (this.state === 'connected' || this.state === 'disconnected' || this.local === undefined) return -EINVAL;
    this.state = 'listening';
    this.backlog = Math.min(backlog >>> 0, BACKLOG_MAX);
    this.peerCredentials = credentialsOfSender(process);
    this.door ??= this.openDoor();
    this.changed(WRITABLE);
    return 0;
  }

  /** Another node comes to the path; one that has been renamed or removed since the bind stays as it is. */
  private openDoor(): HostDoor | undefined {
    const { local, machine } = this;
    if (local?.hostPath === undefined || this.type !== SOCK.STREAM) return undefined;
    if (keyOnHost(machine, local.hostPath) !== local.key) return undefined;
    const door = HostDoor.open(machine, local.hostPath, this.key);
    if (door !== undefined) this.called({ ...local, key: keyOnHost(machine, local.hostPath) ?? local.key });
    return door;
  }

  private closeDoor(): void {
    this.door?.close();
    this.door = undefined;
  }

  connect(context: SyscallContext, address: Uint8Array): IoResult {
    this.awaited = undefined;
    const listener = this.other(context, address);
    if (typeof listener === 'number') return listener;
    if (!(listener instanceof UnixStream) || listener.type !== this.type) return -EPROTOTYPE;
    if (listener.state !== 'listening' || listener.closedWays & SHUT.READ) return -ECONNREFUSED;
    if (listener.incoming.length > listener.backlog) {
      this.awaited = listener;
      return WAIT;
    }
    if (this.state === 'connected' || this.state === 'disconnected') return -EISCONN;
    if (this.state === 'listening') return -EINVAL;
    this.nameIfNeeded();
    const served = new UnixStream(this.machine, 0, this.type);
    served.local = listener.local;
    served.join(this);
    this.join(served);
    served.peerCredentials = credentialsOfSender(context.process);
    this.peerCredentials = listener.peerCredentials;
    listener.incoming.push(served);
    listener.changed(READABLE);
    this.changed(ANY_EVENT);
    return 0;
  }

  override connectKeys(): readonly WaitKey[] {
    return this.awaited === undefined ? [this.key] : [this.awaited.key];
  }

  accept(_context: SyscallContext, flags: number): UnixSocket | number | typeof WAIT {
    if (this.state !== 'listening' || this.local === undefined) return -EINVAL;
    const served = this.incoming.shift() ?? this.door?.accept(this.local);
    if (served === undefined) return this.closedWays & SHUT.READ ? -EINVAL : WAIT;
    served.flags |= flags;
    this.changed(WRITABLE);
    return served;
  }

  send(from: Uint8Array, { to, ancillary, flags }: Sending, { process }: SyscallContext): IoResult {
    if (flags & MSG.OOB) return -EOPNOTSUPP;
    if (to !== undefined && this.type === SOCK.STREAM) return this.state === 'connected' ? -EISCONN : -EOPNOTSUPP;
    if (this.error !== 0) return this.takeError();
    const other = this.partner;
    if (this.closedWays & SHUT.WRITE || this.state === 'disconnected') return -EPIPE;
    if (other === undefined) return -ENOTCONN;
    if (other.closedWays & SHUT.READ) return -EPIPE;
    const isStream = this.type === SOCK.STREAM;
    if (isStream && from.length === 0) return 0;
    if (!isStream && from.length > this.sendBuffer - OVERHEAD) return -EMSGSIZE;
    const room = this.sendBuffer - other.queued;
    if (room <= 0 || (!isStream && other.queued > 0 && from.length + OVERHEAD > room)) return WAIT;
    const taken = isStream ? Math.min(from.length, room) : from.length;
    const length = isStream ? PIECE : Math.max(1, taken);
    let first: Ancillary | undefined = ancillary;
    for (let at = 0; at < taken || at === 0; at += length) {
      const bytes = from.slice(at, Math.min(at + length, taken));
      other.enqueue(bytes, first ?? { credentials: credentialsOfSender(process), files: [] }, this);
      first = undefined;
    }
    return taken;
  }

  private enqueue(bytes: Uint8Array, ancillary: Ancillary, sender: UnixStream): void {
    this.queue.push({ bytes, ancillary, sender });
    this.queued += this.weight(bytes);
    this.changed(READABLE);
  }

  /** An empty packet takes room too. */
  private weight({ length }: Uint8Array): number {
    return this.type === SOCK.STREAM ? length : length + OVERHEAD;
  }

  receive(into: Uint8Array, flags: number): Incoming | number | typeof WAIT {
    if (flags & MSG.OOB) return -EOPNOTSUPP;
    if (this.state === 'idle' || this.state === 'listening') return this.type === SOCK.STREAM ? -EINVAL : -ENOTCONN;
    const first = this.queue[0];
    if (first === undefined) {
      if (this.error !== 0) return this.takeError();
      const empty = this.type === SOCK.STREAM && into.length === 0;
      return this.closedWays & SHUT.READ || empty ? NOTHING : WAIT;
    }
    return this.type === SOCK.STREAM ? this.receiveBytes(first, into, flags) : this.receivePacket(first, into, flags);
  }

  /** Bytes of several pieces, up to the first that brings files, or comes from somebody else when that matters. */
  private receiveBytes(first: Piece, into: Uint8Array, flags: number): Incoming {
    const peek = (flags & MSG.PEEK) !== 0;
    const { sender } = first;
    const { credentials } = first.ancillary;
    const files = peek ? first.ancillary.files.map((file) => file.retain()) : first.ancillary.files;
    if (!peek) first.ancillary = { credentials, files: [] };
    let done = 0;
    for (let i = 0; done < into.length; ) {
      const piece = this.queue[i];
      if (piece === undefined) break;
      if (done > 0 && !this.continues(piece, credentials)) break;
      const part = piece.bytes.subarray(0, into.length - done);
      into.set(part, done);
      done += part.length;
      if (peek) i++;
      else this.consume(piece, part.length);
      if (files.length > 0) break;
    }
    if (!peek) sender.changed(WRITABLE);
    return { length: done, full: done, from: sender.tellName(), ancillary: { credentials, files }, flags: 0 };
  }

  private continues({ ancillary: { files, credentials } }: Piece, before: Ancillary['credentials']): boolean {
    if (files.length > 0) return false;
    const same = credentials.pid === before.pid && credentials.uid === before.uid && credentials.gid === before.gid;
    return same || !this.passesCredentials;
  }

  /** The first `count` bytes of the first piece are gone. */
  private consume(piece: Piece, count: number): void {
    piece.bytes = piece.bytes.subarray(count);
    this.queued -= count;
    if (piece.bytes.length === 0) this.queue.shift();
  }

  private receivePacket({ bytes, ancillary, sender }: Piece, into: Uint8Array, flags: number): Incoming {
    const part = bytes.subarray(0, into.length);
    into.set(part);
    const peek = (flags & MSG.PEEK) !== 0;
    if (!peek) {
      this.queue.shift();
      this.queued -= this.weight(bytes);
      sender.changed(WRITABLE);
    }
    const files = peek ? ancillary.files.map((file) => file.retain()) : ancillary.files;
    return {
      length: part.length,
      full: bytes.length,
      from: sender.tellName(),
      ancillary: { credentials: ancillary.credentials, files },
      flags: part.length < bytes.length ? MSG.TRUNC : 0,
    };
  }

  shutdown(ways: number): number {
    this.closedWays |= ways;
    if (ways & SHUT.READ) this.closeDoor();
    const other = this.partner;
    if (other !== undefined && this.state === 'connected') {
      if (ways & SHUT.READ) other.closedWays |= SHUT.WRITE;
      if (ways & SHUT.WRITE) other.closedWays |= SHUT.READ;
      other.changed();
    }
    this.changed();
    return 0;
  }

  override poll(_asker: Thread): number {
    let bits = 0;
    if (this.error !== 0) bits |= POLL.ERR;
    if (this.closedWays === SHUT.BOTH) bits |= POLL.HUP;
    if (this.closedWays & SHUT.READ) bits |= POLL.RDHUP | READABLE;
    if (this.state === 'listening') return this.waiting > 0 ? bits | READABLE : bits;
    if (this.queue.length > 0) bits |= READABLE;
    if (this.state === 'idle') bits |= POLL.HUP;
    if (4 * (this.partner?.queued ?? 0) <= this.sendBuffer) bits |= WRITABLE;
    return bits;
  }

  /** Connections that wait to be accepted. */
  private get waiting(): number {
    return this.incoming.length + (this.door?.waiting ?? 0);
  }

  protected override closed(): void {
    this.forgetName();
    this.closeDoor();
    for (const served of this.incoming.splice(0)) served.refuse();
    const other = this.partner;
    if (other !== undefined) other.peerClosed(this.queue.length > 0);
    for (const { ancillary } of this.queue.splice(0)) releaseFiles(ancillary);
    this.changed();
  }

  /** The listener is gone before this connection was accepted. */
  private refuse(): void {
    if (this.partner !== undefined) this.partner.error = ECONNRESET;
    this.release();
  }

  /** `unread`: it went with bytes of ours that it had not read. */
  private peerClosed(unread: boolean): void {
    this.closedWays = SHUT.BOTH;
    this.state = 'disconnected';
    if (unread) this.error = ECONNRESET;
    this.changed();
  }
}

const NOTHING: Incoming = { length: 0, full: 0, flags: 0 };
