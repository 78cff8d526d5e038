/** Streams by node:net: what listeners and connections of all families share. */
import { createServer, type Socket } from 'node:net';
import { errorNumber } from './node-errors.js';
import type { Readiness, SocketSetting } from './sockets.js';

/** Bytes that are taken from outside before the guest reads, and that it may write before they are taken from it. */
const BUFFER = 212_992;

/** Where clients knock. */
export class NetListener {
  private readonly incoming: Socket[] = [];
  protected readonly server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    this.incoming.push(socket);
    this.tell();
  });

  constructor(protected readonly tell: () => void) {}

  get waiting(): number {
    return this.incoming.length;
  }

  accept(): Socket | undefined {
    return this.incoming.shift();
  }

  close(): void {
    this.server.close();
    for (const socket of this.incoming) this.refuse(socket);
  }

  /** A client that nobody will accept any more. */
  protected refuse(socket: Socket): void {
    socket.destroy();
  }
}

/** One connection, from either side. */
export class NetConnection {
  private readonly chunks: Buffer[] = [];
  private queued = 0;
  private ended = false;
  private errno = 0;

  constructor(
    protected readonly socket: Socket,
    protected readonly tell: () => void,
  ) {
    socket.on('data', (chunk) => this.arrived(chunk));
    socket.on('end', () => this.finish(0));
    socket.on('error', (error) => this.finish(errorNumber(error)));
    socket.on('close', () => this.finish(0));
    socket.on('drain', tell);
  }

  /** It stands: bytes may come. */
  protected start(): void {
    this.socket.resume();
    this.tell();
  }

  private arrived(chunk: Buffer): void {
    this.chunks.push(chunk);
    this.queued += chunk.length;
    if (this.queued >= BUFFER) this.socket.pause();
    this.tell();
  }

  protected finish(errno: number): void {
    if (this.ended && errno === 0) return;
    this.ended = true;
    if (errno !== 0) this.errno = errno;
    this.tell();
  }

  get readiness(): Readiness {
    const writable = this.socket.writableLength < BUFFER;
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

  set(_option: SocketSetting): void {}

  /** What was written before still goes out. */
  close(_reset: boolean): void {
    this.socket.removeAllListeners('data');
    this.socket.resume();
    this.socket.end(() => this.socket.destroy());
  }

  /** After `close`: everything has gone out, or nobody takes it any more. */
  get sent(): Promise<void> {
    if (this.socket.destroyed) return Promise.resolve();
    return new Promise((resolve) => {
      this.socket.once('close', () => resolve());
    });
  }
}
