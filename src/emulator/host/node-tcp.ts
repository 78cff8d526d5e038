/** Stream sockets by node:net: listeners and connections. */
import { createServer, connect as dial, type Server, type Socket } from 'node:net';
import type { EventQueue } from './event-queue.js';
import type { HostSource } from './host.js';
import { addressOf, addressText } from './inet-text.js';
import { errorNumber } from './node-errors.js';
import type { InetAddress, Progress, Readiness, SocketSetting } from './sockets.js';

/** Bytes that are taken from the network before the guest reads, and that it may write before the network takes them. */
const BUFFER = 212_992;

/** The port that `listen` opened, and who knocked there. */
export class TcpListener {
  private state: Progress = { kind: 'pending' };
  private readonly incoming: Socket[] = [];
  private readonly server: Server;

  constructor(address: InetAddress, ipv6Only: boolean, tell: () => void) {
    this.server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
      this.incoming.push(socket);
      tell();
    });
    this.server.on('error', (error) => {
      this.state = { kind: 'failed', errno: errorNumber(error) };
      tell();
    });
    this.server.listen({ host: addressText(address), port: address.port, ipv6Only, exclusive: true }, () => {
      const bound = this.server.address();
      const port = typeof bound === 'object' && bound !== null ? bound.port : address.port;
      this.state = { kind: 'done', local: { bytes: address.bytes, port } };
      tell();
    });
  }

  get progress(): Progress {
    return this.state;
  }

  get waiting(): number {
    return this.incoming.length;
  }

  accept(): Socket | undefined {
    return this.incoming.shift();
  }

  close(): void {
    this.server.close();
    for (const socket of this.incoming) socket.resetAndDestroy();
  }
}

/** One connection, from either side. */
export class TcpConnection {
  private state: Progress = { kind: 'pending' };
  private readonly chunks: Buffer[] = [];
  private queued = 0;
  private ended = false;
  private errno = 0;

  constructor(
    private readonly socket: Socket,
    private readonly tell: () => void,
  ) {
    socket.on('data', (chunk) => this.arrived(chunk));
    socket.on('end', () => this.finish(0));
    socket.on('error', (error) => this.finish(errorNumber(error)));
    socket.on('close', () => this.finish(0));
    socket.on('drain', tell);
    if (socket.connecting) socket.on('connect', () => this.connected());
    else this.connected();
  }

  static dial(remote: InetAddress, local: InetAddress | undefined, tell: () => void): TcpConnection {
    const from = local === undefined ? {} : { localAddress: addressText(local), localPort: local.port };
    const options = { host: addressText(remote), port: remote.port, allowHalfOpen: true, ...from };
    return new TcpConnection(dial(options), tell);
  }

  private connected(): void {
    const { localAddress = '', localPort = 0, remoteAddress = '', remotePort = 0 } = this.socket;
    const local = addressOf(localAddress, localPort);
    this.state = { kind: 'done', local, remote: addressOf(remoteAddress, remotePort) };
    this.socket.resume();
    this.tell();
  }

  private arrived(chunk: Buffer): void {
    this.chunks.push(chunk);
    this.queued += chunk.length;
    if (this.queued >= BUFFER) this.socket.pause();
    this.tell();
  }

  private finish(errno: number): void {
    if (this.ended && errno === 0) return;
    this.ended = true;
    if (this.state.kind === 'pending') this.state = { kind: 'failed', errno };
    else if (errno !== 0) this.errno = errno;
    this.tell();
  }

  get progress(): Progress {
    return this.state;
  }

  get readiness(): Readiness {
    const writable = this.state.kind === 'done' && this.socket.writableLength < BUFFER;
    return { available: this.queued, ended: this.ended, writable, errno: this.errno };
  }

  read(into: Uint8Array, peek: boolean): number | 'pending' {
    if (this.queued === 0) return this.ended ? -this.errno : 'pending';
    let done = 0;
    for (let i = 0; done < into.length && i < this.chunks.length; i++) {
      const part = (this.chunks[i] as Buffer).subarray(0, into.length - done);
      into.set(part, done);
      done += part.length;
    }
    if (!peek) this.consume(done);
    return done;
  }

  private consume(count: number): void {
    this.queued -= count;
    for (let left = count; left > 0; ) {
      const first = this.chunks[0] as Buffer;
      if (first.length > left) {
        this.chunks[0] = first.subarray(left);
        break;
      }
      left -= first.length;
      this.chunks.shift();
    }
    if (this.queued < BUFFER && this.socket.isPaused()) this.socket.resume();
  }

  write(from: Uint8Array): number | 'pending' {
    const room = BUFFER - this.socket.writableLength;
    if (room <= 0) return 'pending';
    const part = from.slice(0, room);
    this.socket.write(part);
    return part.length;
  }

  shutdown(): void {
    this.socket.end();
  }

  set(option: SocketSetting): void {
    if (option.kind === 'no-delay') this.socket.setNoDelay(option.on);
    if (option.kind === 'keep-alive') this.socket.setKeepAlive(option.on, option.idleSeconds * 1000);
  }

  /** What was written before still goes out, unless the end is to be a reset; so it is when bytes are left unread, as TCP has it. */
  close(reset: boolean): void {
    this.socket.removeAllListeners('data');
    if (reset || this.queued > 0) this.socket.resetAndDestroy();
    else {
      this.socket.resume();
      this.socket.end(() => this.socket.destroy());
    }
  }

  /** After `close`: everything has gone out, or nobody takes it any more. */
  get sent(): Promise<void> {
    if (this.socket.destroyed) return Promise.resolve();
    return new Promise((resolve) => {
      this.socket.once('close', () => resolve());
    });
  }
}

export function sourceOf(handle: number): HostSource {
  return `socket ${handle}`;
}

/** Tells the events' queue about a handle. */
export function teller(events: EventQueue, handle: number): () => void {
  return () => events.post(sourceOf(handle));
}
