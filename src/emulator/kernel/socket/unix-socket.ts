/** What UNIX sockets of all types share: names, credentials, how one finds another (net/unix/af_unix.c). */
import type { Machine } from '../../machine.js';
import { EADDRINUSE, ECONNREFUSED, EINVAL, ENOTCONN } from '../errno.js';
import type { SyscallContext } from '../syscall-table.js';
import { AF, SO, SOL_SOCKET } from './constants.js';
import { Socket } from './socket.js';
import { abstractKey, parseUnixAddress, type UnixName, unixAddress } from './unix-name.js';
import { bindPath, bindPathAgain, findPath } from './unix-path.js';

export abstract class UnixSocket extends Socket {
  protected local: UnixName | undefined;
  protected peer: UnixSocket | undefined;

  constructor(machine: Machine, flags: number, type: number) {
    super(machine, flags, AF.UNIX, type, 0);
  }

  /** A name for a socket that has none: also what connect and send do for one that wants to tell its credentials. */
  bind(context: SyscallContext, address: Uint8Array): number {
    const wanted = parseUnixAddress(address);
    if (typeof wanted === 'number') return wanted;
    if (wanted.kind === 'none') return this.local === undefined ? this.take(this.machine.unixNames.automatic()) : 0;
    if (this.local !== undefined) return wanted.kind === 'path' ? bindPathAgain(context, wanted.path) : -EINVAL;
    if (wanted.kind === 'abstract') return this.take(wanted.bytes);
    const name = bindPath(context, wanted.path);
    if (typeof name === 'number') return name;
    this.called(name);
    return 0;
  }

  /** Has a name from now on, which is free, in the place of any that it had. */
  protected called(name: UnixName): void {
    this.forgetName();
    this.local = name;
    this.machine.unixNames.add(name.key, this);
  }

  private take(bytes: Uint8Array): number {
    const key = abstractKey(bytes);
    const { unixNames } = this.machine;
    if (unixNames.find(key) !== undefined) return -EADDRINUSE;
    this.called({ bytes, key });
    return 0;
  }

  /** SO_PASSCRED sockets have names, so that the other side can answer. */
  protected nameIfNeeded(): void {
    if (this.local === undefined && this.passesCredentials) this.take(this.machine.unixNames.automatic());
  }

  get passesCredentials(): boolean {
    return this.options.number(SOL_SOCKET, SO.PASSCRED) !== 0;
  }

  /** The socket that an address names; -ECONNREFUSED when nobody is bound to it, or what the path walk says. */
  protected other(context: SyscallContext, address: Uint8Array): UnixSocket | number {
    const wanted = parseUnixAddress(address);
    if (typeof wanted === 'number') return wanted;
    if (wanted.kind === 'none') return -EINVAL;
    const key = wanted.kind === 'abstract' ? abstractKey(wanted.bytes) : findPath(context, wanted.path);
    if (typeof key === 'number') return key;
    return this.machine.unixNames.find(key) ?? -ECONNREFUSED;
  }

  localName(): Uint8Array {
    return unixAddress(this.local);
  }

  /** As a receiver is told who sent: nothing at all when the sender has no name. */
  protected tellName(): Uint8Array {
    return this.local === undefined ? new Uint8Array() : this.localName();
  }

  peerName(): Uint8Array | number {
    return this.peer === undefined ? -ENOTCONN : this.peer.localName();
  }

  /** Bytes that messages on their way may take. */
  protected get sendBuffer(): number {
    return this.options.number(SOL_SOCKET, SO.SNDBUF);
  }

  protected forgetName(): void {
    if (this.local !== undefined) this.machine.unixNames.remove(this.local.key, this);
  }
}
