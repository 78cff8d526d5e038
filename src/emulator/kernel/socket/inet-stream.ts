/** TCP sockets: the host's, through the gateway (net/ipv4/af_inet.c, tcp.c as programs see them). */
import type { InetAddress } from '../../host/sockets.js';
import type { Machine } from '../../machine.js';
import type { Thread } from '../../thread.js';
import { EALREADY, ECONNABORTED, EINVAL, EISCONN, ENOTCONN, EOPNOTSUPP, EPIPE } from '../errno.js';
import { type IoResult, POLL, WAIT } from '../file/open-file.js';
import type { SyscallContext } from '../syscall-table.js';
import { AF, IPPROTO, MSG, SHUT, SO, SOCK, SOL_SOCKET } from './constants.js';
import { HostConnection } from './host-connection.js';
import { closeHandle, follow, hostSockets } from './host-handles.js';
import { anywhere, familyOfAddress, type InetDomain, inetAddress, loopbackFor, parseInet } from './inet-address.js';
import { type Incoming, READABLE, type Sending, Socket, WRITABLE } from './socket.js';

const IPV6_V6ONLY = 26;
const TCP_NODELAY = 1;
const TCP_KEEPIDLE = 4;

/** `bound`: the host listens already, which is how a port is reserved; the program has not called listen. */
type State = 'idle' | 'binding' | 'bound' | 'listening' | 'connecting' | 'connected';

export class InetStream extends Socket {
  private state: State = 'idle';
  /** The host's, of what `state` says; undefined when idle. */
  private handle: number | undefined;
  private local: InetAddress;
  private remote: InetAddress | undefined;
  /** A connect that did not wait has come through: the next connect tells so, once. */
  private untoldConnection = false;
  /** In state `connected`. */
  private connection: HostConnection | undefined;

  constructor(
    machine: Machine,
    flags: number,
    readonly inet: InetDomain,
  ) {
    super(machine, flags, inet, SOCK.STREAM, IPPROTO.TCP);
    this.local = anywhere(inet);
  }

  private get host() {
    return hostSockets(this.machine);
  }

  private take(handle: number, state: State): void {
    this.drop(false);
    this.handle = handle;
    this.state = state;
    follow(this.machine, handle, this.key);
  }

  private drop(reset: boolean): void {
    const { handle } = this;
    if (handle === undefined) return;
    closeHandle(this.machine, handle, reset);
    this.handle = undefined;
    this.connection = undefined;
    this.state = 'idle';
  }

  /** The handle of a state that has one. */
  private get open(): number {
    if (this.handle === undefined) throw new Error(`a TCP socket without a handle in state ${this.state}`);
    return this.handle;
  }

  /** Looks how a bind or connect that is under way has gone: the state now. */
  private settle(): State {
    if (this.state !== 'binding' && this.state !== 'connecting') return this.state;
    const progress = this.host.progress(this.open);
    if (progress.kind === 'pending') return this.state;
    if (progress.kind === 'failed') {
      this.error = progress.errno;
      this.drop(false);
      return this.state;
    }
    this.local = progress.local;
    this.remote = progress.remote;
    if (this.state === 'binding') this.state = 'bound';
    else {
      this.state = 'connected';
      this.connection = new HostConnection(this.machine, this, this.open);
      this.untoldConnection = true;
      this.applyOptions();
    }
    return this.state;
  }

  get isListening(): boolean {
    return this.state === 'listening';
  }

  get available(): number {
    return this.connection?.available ?? 0;
  }

  bind(_context: SyscallContext, address: Uint8Array): IoResult {
    if (this.state === 'binding' || this.state === 'bound') return this.bindProgress();
    const wanted = parseInet(this.inet, address);
    if (typeof wanted === 'number') return wanted;
    if (this.state !== 'idle') return -EINVAL;
    return this.beginBind(wanted);
  }

  private beginBind(address: InetAddress): typeof WAIT {
    this.take(this.host.listen(address, this.options.number(IPPROTO.IPV6, IPV6_V6ONLY) !== 0), 'binding');
    return WAIT;
  }

  /** Of a bind that sleeps; one that finds the socket bound long since is an error. */
  private bindProgress(): IoResult {
    if (this.state === 'bound') return -EINVAL;
    const state = this.settle();
    if (state === 'binding') return WAIT;
    return state === 'bound' ? 0 : this.takeError();
  }

  listen(_context: SyscallContext, _backlog: number): IoResult {
    if (this.state === 'idle') return this.beginBind(anywhere(this.inet));
    if (this.state === 'binding') {
      const bound = this.bindProgress();
      if (bound !== 0) return bound;
    }
    if (this.state === 'connecting' || this.state === 'connected') return -EINVAL;
    this.state = 'listening';
    return 0;
  }

  connect(_context: SyscallContext, address: Uint8Array): IoResult {
    if (familyOfAddress(address) === AF.UNSPEC) {
      this.drop(true);
      return 0;
    }
    this.settle();
    const wanted = parseInet(this.inet, address);
    if (typeof wanted === 'number') return wanted;
    switch (this.state) {
      case 'connecting':
        return this.nonBlocking ? -EALREADY : WAIT;
      case 'connected':
        return this.tellConnection();
      case 'listening':
      case 'binding':
        return -EISCONN;
      default:
        return this.error !== 0 ? this.takeError() : this.dial(wanted);
    }
  }

  private tellConnection(): number {
    const untold = this.untoldConnection;
    this.untoldConnection = false;
    return untold ? 0 : -EISCONN;
  }

  private dial(remote: InetAddress): typeof WAIT {
    const from = this.state === 'bound' ? this.local : undefined;
    this.drop(false);
    this.take(this.host.connect(loopbackFor(remote), from), 'connecting');
    return WAIT;
  }

  override resumeConnect(): IoResult {
    this.settle();
    if (this.state === 'connecting') return WAIT;
    return this.state === 'connected' ? this.tellConnection() : this.error !== 0 ? this.takeError() : -ECONNABORTED;
  }

  accept(_context: SyscallContext, flags: number): InetStream | number | typeof WAIT {
    if (this.state !== 'listening') return -EINVAL;
    const handle = this.host.accept(this.open);
    if (handle === 'pending') return WAIT;
    const served = new InetStream(this.machine, flags, this.inet);
    served.take(handle, 'connecting');
    served.settle();
    served.untoldConnection = false;
    return served;
  }

  localName(): Uint8Array {
    this.settle();
    return inetAddress(this.inet, this.local);
  }

  peerName(): Uint8Array | number {
    this.settle();
    return this.state === 'connected' && this.remote !== undefined ? inetAddress(this.inet, this.remote) : -ENOTCONN;
  }

  override takeError(): number {
    this.settle();
    this.connection?.noteBreak();
    return super.takeError();
  }

  send(from: Uint8Array, { flags }: Sending): IoResult {
    if (flags & MSG.OOB) return -EOPNOTSUPP;
    const broken = this.takeError();
    if (broken !== 0) return broken;
    if (this.state === 'connecting') return WAIT;
    return this.connection?.send(from) ?? -EPIPE;
  }

  receive(into: Uint8Array, flags: number): Incoming | number | typeof WAIT {
    if (flags & MSG.OOB) return -EINVAL;
    const broken = this.takeError();
    if (broken !== 0) return broken;
    if (this.state === 'connecting') return WAIT;
    return this.connection?.receive(into, flags) ?? -ENOTCONN;
  }

  shutdown(ways: number): number {
    this.settle();
    if (this.state === 'listening' && ways & SHUT.READ) {
      this.drop(false);
      this.changed();
      return 0;
    }
    if (this.connection === undefined) return -ENOTCONN;
    this.connection.shutdown(ways);
    this.changed();
    return 0;
  }

  override poll(_asker: Thread): number {
    this.settle();
    if (this.state === 'listening') return this.host.waiting(this.open) > 0 ? READABLE : 0;
    if (this.state === 'connecting') return 0;
    if (this.connection !== undefined) return this.connection.poll();
    return POLL.HUP | WRITABLE | (this.error !== 0 ? POLL.ERR | READABLE | POLL.RDHUP : 0);
  }

  override optionChanged(level: number, name: number): void {
    const matters =
      (level === IPPROTO.TCP && (name === TCP_NODELAY || name === TCP_KEEPIDLE)) ||
      (level === SOL_SOCKET && name === SO.KEEPALIVE);
    if (matters && this.state === 'connected') this.applyOptions();
  }

  private applyOptions(): void {
    const noDelay = this.options.number(IPPROTO.TCP, TCP_NODELAY) !== 0;
    const keepAlive = this.options.number(SOL_SOCKET, SO.KEEPALIVE) !== 0;
    const idleSeconds = this.options.number(IPPROTO.TCP, TCP_KEEPIDLE);
    if (noDelay) this.host.setOption(this.open, { kind: 'no-delay', on: true });
    if (keepAlive) this.host.setOption(this.open, { kind: 'keep-alive', on: true, idleSeconds });
  }

  protected override closed(): void {
    this.drop(this.options.linger === 0);
  }
}
