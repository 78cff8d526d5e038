/** Datagram sockets by node:dgram. */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { addressOf, addressText } from './inet-text.js';
import { attempt, errorNumber } from './node-errors.js';
import type { Datagram, InetAddress, Progress, SocketSetting } from './sockets.js';

/** SO_RCVBUF: what comes when so many bytes wait is lost. */
const BUFFER = 212_992;

export class UdpSocket {
  private state: Progress = { kind: 'pending' };
  private readonly queue: Datagram[] = [];
  private queued = 0;
  private errno = 0;
  private isBound = false;
  private isConnected = false;
  private readonly socket: Socket;
  private readonly anywhere: InetAddress;

  constructor(
    family: 4 | 6,
    { ipv6Only, reuse }: { readonly ipv6Only: boolean; readonly reuse: boolean },
    private readonly tell: () => void,
  ) {
    this.anywhere = { bytes: new Uint8Array(family === 4 ? 4 : 16), port: 0 };
    this.socket = createSocket({ type: family === 4 ? 'udp4' : 'udp6', ipv6Only, reuseAddr: reuse });
    this.socket.on('message', (bytes, from) => this.arrived(bytes, from));
    this.socket.on('error', (error) => this.failed(errorNumber(error)));
  }

  private arrived(bytes: Buffer, { address, port }: RemoteInfo): void {
    if (this.queued >= BUFFER) return;
    this.queue.push({ bytes: Uint8Array.from(bytes), from: addressOf(address, port) });
    this.queued += bytes.length;
    this.tell();
  }

  private failed(errno: number): void {
    if (this.state.kind === 'pending') this.state = { kind: 'failed', errno };
    else this.errno = errno;
    this.tell();
  }

  bind(address: InetAddress): void {
    this.isBound = true;
    this.begin((done) =>
      this.socket.bind({ address: addressText(address), port: address.port, exclusive: true }, done),
    );
  }

  /** Node connects once: a new peer takes the place of the old one. */
  connect(remote: InetAddress | undefined): void {
    if (this.isConnected) this.socket.disconnect();
    this.isConnected = false;
    if (remote === undefined) return;
    this.isBound = true;
    this.begin((done) => this.socket.connect(remote.port, addressText(remote), done), remote);
  }

  private begin(act: (done: (error?: Error) => void) => void, remote?: InetAddress): void {
    this.state = { kind: 'pending' };
    act((error) => {
      if (error instanceof Error) return this.failed(errorNumber(error));
      this.isConnected = remote !== undefined;
      this.state = { kind: 'done', local: this.local, remote };
      this.tell();
    });
  }

  private get local(): InetAddress {
    const bound = attempt(() => this.socket.address());
    return typeof bound === 'number' ? this.anywhere : addressOf(bound.address, bound.port);
  }

  get progress(): Progress {
    if (this.state.kind !== 'pending' || this.isBound) return this.state;
    return { kind: 'done', local: this.local };
  }

  /** An unbound socket gets a port by its first datagram. */
  send(bytes: Uint8Array, to: InetAddress | undefined): number {
    const told = (error: Error | null): void => {
      if (error !== null) this.failed(errorNumber(error));
    };
    const copy = bytes.slice();
    const sent = attempt(() => {
      if (to === undefined) this.socket.send(copy, told);
      else this.socket.send(copy, to.port, addressText(to), told);
      return bytes.length;
    });
    return sent;
  }

  receive(peek: boolean): Datagram | 'pending' {
    const first = peek ? this.queue[0] : this.queue.shift();
    if (first === undefined) return 'pending';
    if (!peek) this.queued -= first.bytes.length;
    return first;
  }

  get waiting(): number | undefined {
    return this.queue[0]?.bytes.length;
  }

  takeError(): number {
    const { errno } = this;
    this.errno = 0;
    return errno;
  }

  set(option: SocketSetting): void {
    if (option.kind === 'broadcast') attempt(() => this.socket.setBroadcast(option.on));
  }

  close(): void {
    this.socket.close();
  }
}
