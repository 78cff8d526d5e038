/** UNIX streams between guests and programs of the host: the door at a path of the host, and the connections that come in by it. */
import type { HostSockets } from '../../host/sockets.js';
import type { Machine } from '../../machine.js';
import type { Thread } from '../../thread.js';
import { EINVAL, EISCONN, EOPNOTSUPP } from '../errno.js';
import type { IoResult, WAIT } from '../file/open-file.js';
import type { SyscallContext } from '../syscall-table.js';
import type { WaitKey } from '../wait.js';
import type { PeerCredentials } from './ancillary.js';
import { MSG, SOCK } from './constants.js';
import { HostConnection } from './host-connection.js';
import { closeHandle, follow, hostSockets } from './host-handles.js';
import type { Incoming, Sending } from './socket.js';
import { type UnixName, unixAddress } from './unix-name.js';
import { UnixSocket } from './unix-socket.js';

/** Node does not tell who connects: as Linux shows a process and ids that have no number in the reader's namespaces. */
const OUTSIDER: PeerCredentials = { pid: 0, uid: 65_534, gid: 65_534 };

/** Where programs of the host knock. */
export class HostDoor {
  private constructor(
    private readonly machine: Machine,
    private readonly handle: number,
  ) {}

  /** At the node of a listener, which waits for `key`. undefined: there is no network, or the host cannot listen there. */
  static open(machine: Machine, hostPath: string, key: WaitKey): HostDoor | undefined {
    const handle = machine.host.sockets?.listenAt(hostPath) ?? -1;
    if (handle < 0) return undefined;
    follow(machine, handle, key);
    return new HostDoor(machine, handle);
  }

  private get host(): HostSockets {
    return hostSockets(this.machine);
  }

  get waiting(): number {
    return this.host.waiting(this.handle);
  }

  /** The next who knocked, for a listener of that name. */
  accept(name: UnixName): UnixHostStream | undefined {
    const handle = this.host.accept(this.handle);
    return handle === 'pending' ? undefined : new UnixHostStream(this.machine, name, handle);
  }

  close(): void {
    closeHandle(this.machine, this.handle, false);
  }
}

/** A connection that a program of the host has made. */
export class UnixHostStream extends UnixSocket {
  private readonly connection: HostConnection;

  constructor(
    machine: Machine,
    name: UnixName,
    private readonly handle: number,
  ) {
    super(machine, 0, SOCK.STREAM);
    this.local = name;
    this.peerCredentials = OUTSIDER;
    this.connection = new HostConnection(machine, this, handle);
    follow(machine, handle, this.key);
  }

  get isListening(): boolean {
    return false;
  }

  get available(): number {
    return this.connection.available;
  }

  listen(): number {
    return -EINVAL;
  }

  accept(): number {
    return -EINVAL;
  }

  connect(context: SyscallContext, address: Uint8Array): number {
    const other = this.other(context, address);
    return typeof other === 'number' ? other : -EISCONN;
  }

  override peerName(): Uint8Array {
    return unixAddress(undefined);
  }

  override takeError(): number {
    this.connection.noteBreak();
    return super.takeError();
  }

  /** Descriptors of guests mean nothing outside. */
  send(from: Uint8Array, { to, ancillary, flags }: Sending): IoResult {
    if (flags & MSG.OOB || (ancillary?.files.length ?? 0) > 0) return -EOPNOTSUPP;
    if (to !== undefined) return -EISCONN;
    const broken = this.takeError();
    return broken !== 0 ? broken : this.connection.send(from);
  }

  receive(into: Uint8Array, flags: number): Incoming | number | typeof WAIT {
    if (flags & MSG.OOB) return -EOPNOTSUPP;
    const broken = this.takeError();
    if (broken !== 0) return broken;
    const got = this.connection.receive(into, flags);
    if (typeof got !== 'object') return got;
    return { ...got, from: new Uint8Array(), ancillary: { credentials: OUTSIDER, files: [] } };
  }

  shutdown(ways: number): number {
    this.connection.shutdown(ways);
    this.changed();
    return 0;
  }

  override poll(_asker: Thread): number {
    return this.connection.poll();
  }

  protected override closed(): void {
    closeHandle(this.machine, this.handle, false);
  }
}
