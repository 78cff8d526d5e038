/**
 * Where clients come from: TCP, a UNIX socket, or two streams. One client at a time; nothing here knows the protocol beyond its first byte.
 *
 * A connection counts as a client from its first byte on, and that byte must be one that the protocol begins with: a browser made to POST to a
 * loopback port, a TLS hello or an ssh client are closed before anything reads what they carry.
 */
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { Duplex, Readable, Writable } from 'node:stream';
import { type CommAddress, formatCommAddress } from './comm-address.js';

/** How long a packet may stay unfinished, and a connection silent before its first byte. */
const PATIENCE_MS = 30_000;
const KEEP_ALIVE_MS = 30_000;
/** Connections that have not said anything yet. */
const MAX_SILENT = 16;

/** The other end, as long as it is connected. */
export interface ConnectedClient {
  send(bytes: Uint8Array): void;
  /** Closes once everything sent has left. */
  close(): void;
}

/** What the host does with a client. */
export interface ConnectionHandler {
  data(bytes: Uint8Array): void;
  /** Number of the packet that has begun and is not complete; undefined: none is. */
  unfinishedPacket(): number | undefined;
  /** The connection is gone; nothing comes after this. */
  closed(): void;
}

export interface ListenerHost {
  connected(client: ConnectedClient): ConnectionHandler;
  /** A line for stderr; IDEs and gdb's testsuite look for some of them. */
  announce(line: string): void;
}

export interface ListenerOptions {
  /** Accept one client, and stop listening when it has spoken. */
  readonly once?: boolean;
  /** A new client takes the place of the present one, instead of being refused. */
  readonly takeover?: boolean;
  /** Does not say that it listens: the caller has something to do first. */
  readonly silent?: boolean;
  /** For tests. */
  readonly patienceMs?: number;
}

export interface Listener {
  /** TCP only. */
  readonly port: number | undefined;
  /** `Listening on port N`. */
  announce(): void;
  /** Stops listening and closes the client. */
  close(): Promise<void>;
}

/** The message is gdbserver's. */
export class ListenError extends Error {
  override readonly name = 'ListenError';
}

/** Listens, and announces it. Rejects with a ListenError. */
export async function listen(
  address: Exclude<CommAddress, { kind: 'stdio' }>,
  host: ListenerHost,
  options: ListenerOptions = {},
): Promise<Listener> {
  const server = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS });
  await bind(server, address);
  const door = new Door(server, address, host, options);
  if (options.silent !== true) door.announce();
  return door;
}

/** Serves the one client at the other end of two streams, as `gdbserver -` does. */
export function serveStreams(
  input: Readable,
  output: Writable,
  host: ListenerHost,
  options: ListenerOptions = {},
): void {
  host.announce('Remote debugging using stdio');
  new Connection(input, output, host, options.patienceMs ?? PATIENCE_MS, () => undefined);
}

function bind(server: Server, address: Exclude<CommAddress, { kind: 'stdio' }>): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(new ListenError(bindError(error, address))));
    server.once('listening', resolve);
    if (address.kind === 'tcp')
      server.listen({ host: address.host === '' ? undefined : address.host, port: address.port });
    else listenPrivately(server, address.path);
  });
}

/** The socket's file is created inside `listen`, for its owner alone. */
function listenPrivately(server: Server, path: string): void {
  const before = process.umask(0o177);
  try {
    server.listen(path);
  } finally {
    process.umask(before);
  }
}

const BIND_ERRORS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'Address already in use',
  EACCES: 'Permission denied',
  EADDRNOTAVAIL: 'Cannot assign requested address',
  ENOENT: 'No such file or directory',
};

function bindError({ code = '', message }: NodeJS.ErrnoException, address: CommAddress): string {
  if (address.kind === 'tcp' && (code === 'ENOTFOUND' || code === 'EAI_AGAIN')) {
    return `${address.host}:${address.port}: cannot resolve name: Name or service not known`;
  }
  return `Can't bind address: ${BIND_ERRORS[code] ?? message}.`;
}

/** A listening socket and its clients. Lives from `listen` to `close`. */
class Door implements Listener {
  readonly port: number | undefined;
  private readonly silent = new Set<Socket>();
  private connection: Connection | undefined;

  constructor(
    private readonly server: Server,
    private readonly address: CommAddress,
    private readonly host: ListenerHost,
    private readonly options: ListenerOptions,
  ) {
    this.port = address.kind === 'tcp' ? (server.address() as AddressInfo).port : undefined;
    server.on('connection', (socket) => this.accept(socket));
    server.on('error', (error) => host.announce(`Listening failed: ${error.message}`));
  }

  announce(): void {
    if (this.port === undefined) this.host.announce(`Listening on ${formatCommAddress(this.address)}`);
    else this.host.announce(`Listening on port ${this.port}`);
  }

  async close(): Promise<void> {
    for (const socket of this.silent) socket.destroy();
    this.connection?.close();
    if (this.server.listening) await new Promise((resolve) => this.server.close(resolve));
  }

  /** Waits for the first byte. */
  private accept(socket: Socket): void {
    if (this.silent.size >= MAX_SILENT) return void socket.destroy();
    this.silent.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => this.silent.delete(socket));
    socket.setTimeout(this.options.patienceMs ?? PATIENCE_MS, () => socket.destroy());
    socket.once('data', (first) => {
      socket.pause();
      // A client that reconnects at once may be seen here before the end of its old connection is.
      setImmediate(() => this.greet(socket, first));
    });
  }

  private greet(socket: Socket, first: Uint8Array): void {
    this.silent.delete(socket);
    socket.setTimeout(0);
    if (socket.destroyed) return;
    const stranger = strangeOpening(first);
    if (stranger !== undefined) return this.refuse(socket, `not a debugger (${stranger})`);
    if (this.connection !== undefined && this.options.takeover !== true)
      return this.refuse(socket, 'another client is connected');
    this.connection?.drop();
    this.host.announce(`Remote debugging ${origin(socket)}`);
    if (this.options.once === true) this.server.close();
    this.connection = new Connection(
      socket,
      socket,
      this.host,
      this.options.patienceMs ?? PATIENCE_MS,
      (connection) => {
        if (this.connection === connection) this.connection = undefined;
      },
    );
    this.connection.receive(first);
    socket.resume();
  }

  private refuse(socket: Socket, why: string): void {
    this.host.announce(`Refused a connection ${origin(socket)}: ${why}`);
    socket.destroy();
  }
}

function origin({ remoteAddress, remotePort }: Socket): string {
  return remoteAddress === undefined
    ? 'from a UNIX socket'
    : `from host ${plainAddress(remoteAddress)}, port ${remotePort}`;
}

/** A socket for both families shows IPv4 clients as `::ffff:1.2.3.4`. */
function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}

/** Every client begins with an acknowledgement, a packet or a break. Undefined for those; else what it looks like. */
function strangeOpening(first: Uint8Array): string | undefined {
  const text = Buffer.from(first.subarray(0, 16)).toString('latin1');
  if ('+-$\x03'.includes(text.charAt(0))) return undefined;
  if (/^[A-Z]{3,7} /.test(text)) return 'HTTP';
  if (text.startsWith('\x16\x03')) return 'TLS';
  return text.startsWith('SSH-') ? 'SSH' : 'unknown opening';
}

/** One client's bytes in both directions. Lives until the stream ends, the host closes it, or a packet stays unfinished. */
class Connection implements ConnectedClient {
  private readonly handler: ConnectionHandler;
  private timer: NodeJS.Timeout | undefined;
  private timedPacket: number | undefined;
  private over = false;

  constructor(
    private readonly input: Readable,
    private readonly output: Writable,
    private readonly host: ListenerHost,
    private readonly patienceMs: number,
    private readonly onEnd: (connection: Connection) => void,
  ) {
    this.handler = host.connected(this);
    input.on('data', (bytes: Uint8Array) => this.receive(bytes));
    for (const event of ['end', 'close', 'error'] as const) input.on(event, () => this.end());
    output.on('error', () => this.end());
    output.on('drain', () => input.resume());
  }

  /** A client that does not read its replies is not read either. */
  send(bytes: Uint8Array): void {
    if (!this.over && !this.output.write(bytes)) this.input.pause();
  }

  close(): void {
    if (this.over) return;
    this.output.end(() => this.drop());
    setTimeout(() => this.drop(), this.patienceMs).unref();
    this.end();
  }

  receive(bytes: Uint8Array): void {
    if (this.over) return;
    this.handler.data(bytes);
    this.watchPacket();
  }

  /** Without waiting for what was sent. */
  drop(): void {
    this.input.destroy();
    (this.output as Duplex).destroy();
    this.end();
  }

  private watchPacket(): void {
    const packet = this.over ? undefined : this.handler.unfinishedPacket();
    if (packet === this.timedPacket) return;
    clearTimeout(this.timer);
    this.timedPacket = packet;
    if (packet !== undefined) this.timer = setTimeout(() => this.giveUp(), this.patienceMs);
  }

  private giveUp(): void {
    this.host.announce('Closed the connection: a packet stayed unfinished');
    this.drop();
  }

  private end(): void {
    if (this.over) return;
    this.over = true;
    clearTimeout(this.timer);
    this.onEnd(this);
    this.handler.closed();
  }
}
