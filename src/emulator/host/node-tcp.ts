/** TCP by node:net. */
import { connect as dial, type Socket } from 'node:net';
import { addressOf, addressText } from './inet-text.js';
import { errorNumber } from './node-errors.js';
import { NetConnection, NetListener } from './node-net.js';
import type { InetAddress, Progress, SocketSetting } from './sockets.js';

/** The port that `listen` opened, and who knocked there. */
export class TcpListener extends NetListener {
  private state: Progress = { kind: 'pending' };

  constructor(address: InetAddress, ipv6Only: boolean, tell: () => void) {
    super(tell);
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

  protected override refuse(socket: Socket): void {
    socket.resetAndDestroy();
  }
}

export class TcpConnection extends NetConnection {
  private state: Progress = { kind: 'pending' };

  constructor(socket: Socket, tell: () => void) {
    super(socket, tell);
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
    this.start();
  }

  protected override finish(errno: number): void {
    if (this.state.kind === 'pending') this.state = { kind: 'failed', errno };
    super.finish(errno);
  }

  get progress(): Progress {
    return this.state;
  }

  override set(option: SocketSetting): void {
    if (option.kind === 'no-delay') this.socket.setNoDelay(option.on);
    if (option.kind === 'keep-alive') this.socket.setKeepAlive(option.on, option.idleSeconds * 1000);
  }

  /** The end is a reset also when bytes are left unread, as TCP has it. */
  override close(reset: boolean): void {
    if (!reset && this.readiness.available === 0) super.close(reset);
    else this.socket.resetAndDestroy();
  }
}
