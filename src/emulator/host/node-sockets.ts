/** Sockets of the host, by handle. */
import type { EventQueue } from './event-queue.js';
import { Handles } from './handles.js';
import type { NodeFiles } from './node-files.js';
import { hostInterfaces } from './node-interfaces.js';
import { NetConnection, NetListener } from './node-net.js';
import { TcpConnection, TcpListener } from './node-tcp.js';
import { UdpSocket } from './node-udp.js';
import { UnixConnection, UnixListener } from './node-unix.js';
import {
  type Datagram,
  type HostInterface,
  type HostSockets,
  type InetAddress,
  type Progress,
  type Readiness,
  type SocketSetting,
  socketSource,
} from './sockets.js';

/** How long the end of the server waits for a client that does not read. */
const PATIENCE_MS = 5000;

type Open = NetListener | NetConnection | UdpSocket;

export class NodeSockets implements HostSockets {
  private readonly handles = new Handles<Open | 'coming'>();
  /** Connections that the guest has closed and that may still have something to send. */
  private readonly leaving = new Set<NetConnection>();

  /** Sockets at paths take the places of files. */
  constructor(
    private readonly events: EventQueue,
    private readonly files: NodeFiles,
  ) {}

  interfaces(): readonly HostInterface[] {
    return hostInterfaces();
  }

  /** Things tell of themselves by their handle, which they therefore need first. */
  private make(create: (tell: () => void) => Open): number {
    const handle = this.handles.add('coming');
    this.handles.replace(
      handle,
      create(() => this.events.post(socketSource(handle))),
    );
    return handle;
  }

  private open<T extends Open>(handle: number, kind: new (...args: never[]) => T): T {
    const found = this.handles.get(handle);
    if (!(found instanceof kind)) throw new Error(`socket ${handle} is no ${kind.name}`);
    return found;
  }

  listen(address: InetAddress, ipv6Only: boolean): number {
    return this.make((tell) => new TcpListener(address, ipv6Only, tell));
  }

  listenAt(path: string): number {
    const handle = this.make((tell) => new UnixListener(tell));
    const listener = this.open(handle, UnixListener);
    const status = this.files.replaceSocket(path, (host, standIn) => listener.replace(host, standIn));
    if (status === 0) return handle;
    this.close(handle, false);
    return status;
  }

  connect(remote: InetAddress, local: InetAddress | undefined): number {
    return this.make((tell) => TcpConnection.dial(remote, local, tell));
  }

  progress(handle: number): Progress {
    const found = this.handles.get(handle);
    if (found === 'coming' || !('progress' in found)) throw new Error(`socket ${handle} has nothing under way`);
    return found.progress;
  }

  accept(handle: number): number | 'pending' {
    const listener = this.open(handle, NetListener);
    const socket = listener.accept();
    if (socket === undefined) return 'pending';
    const Connection = listener instanceof UnixListener ? UnixConnection : TcpConnection;
    return this.make((tell) => new Connection(socket, tell));
  }

  waiting(handle: number): number {
    return this.open(handle, NetListener).waiting;
  }

  readiness(handle: number): Readiness {
    return this.open(handle, NetConnection).readiness;
  }

  read(handle: number, into: Uint8Array, peek: boolean): number | 'pending' {
    return this.open(handle, NetConnection).read(into, peek);
  }

  write(handle: number, from: Uint8Array): number | 'pending' {
    return this.open(handle, NetConnection).write(from);
  }

  shutdown(handle: number): void {
    this.open(handle, NetConnection).shutdown();
  }

  setOption(handle: number, option: SocketSetting): void {
    const found = this.handles.get(handle);
    if (found instanceof NetConnection || found instanceof UdpSocket) found.set(option);
  }

  datagrams(family: 4 | 6, settings: { readonly ipv6Only: boolean; readonly reuse: boolean }): number {
    return this.make((tell) => new UdpSocket(family, settings, tell));
  }

  bindDatagrams(handle: number, address: InetAddress): void {
    this.open(handle, UdpSocket).bind(address);
  }

  connectDatagrams(handle: number, remote: InetAddress | undefined): void {
    this.open(handle, UdpSocket).connect(remote);
  }

  sendDatagram(handle: number, bytes: Uint8Array, to: InetAddress | undefined): number {
    return this.open(handle, UdpSocket).send(bytes, to);
  }

  receiveDatagram(handle: number, peek: boolean): Datagram | 'pending' {
    return this.open(handle, UdpSocket).receive(peek);
  }

  datagramWaiting(handle: number): number | undefined {
    return this.open(handle, UdpSocket).waiting;
  }

  datagramError(handle: number): number {
    return this.open(handle, UdpSocket).takeError();
  }

  close(handle: number, reset: boolean): void {
    const found = this.handles.remove(handle);
    if (found === 'coming') return;
    found.close(reset);
    if (found instanceof NetConnection) this.leave(found);
  }

  private leave(connection: NetConnection): void {
    this.leaving.add(connection);
    void connection.sent.then(() => this.leaving.delete(connection));
  }

  async flush(): Promise<void> {
    const sent = Promise.all([...this.leaving].map((connection) => connection.sent));
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, PATIENCE_MS);
    });
    await Promise.race([sent, late]);
    clearTimeout(timer);
  }
}
