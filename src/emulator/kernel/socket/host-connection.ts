/** A connection that the host carries, as a stream socket of any family uses it. */
import type { HostSockets } from '../../host/sockets.js';
import type { Machine } from '../../machine.js';
import { EPIPE } from '../errno.js';
import { type IoResult, POLL, WAIT } from '../file/open-file.js';
import { AF, MSG, SHUT } from './constants.js';
import { hostSockets } from './host-handles.js';
import { type Incoming, READABLE, type Socket, WRITABLE } from './socket.js';

const NOTHING: Incoming = { length: 0, full: 0, flags: 0 };

export class HostConnection {
  /** The other side broke the connection, and the program knows. */
  private breakTold = false;

  /** `handle`: the caller's, who closes it. */
  constructor(
    private readonly machine: Machine,
    private readonly socket: Socket,
    private readonly handle: number,
  ) {}

  private get host(): HostSockets {
    return hostSockets(this.machine);
  }

  get available(): number {
    return this.host.readiness(this.handle).available;
  }

  /** The host's connection broke: told once as an error, then as the end. To a UNIX socket a peer that is gone is the end and no error. */
  noteBreak(): void {
    if (this.breakTold) return;
    const { errno, available } = this.host.readiness(this.handle);
    if (errno === 0 || available > 0) return;
    if (!this.isQuiet(errno)) this.socket.error = errno;
    this.breakTold = true;
  }

  private isQuiet(errno: number): boolean {
    return errno === EPIPE && this.socket.domain === AF.UNIX;
  }

  /** The caller has told errors before: so also of `receive`. */
  send(from: Uint8Array): IoResult {
    if (this.socket.closedWays & SHUT.WRITE || this.breakTold) return -EPIPE;
    if (from.length === 0) return 0;
    const taken = this.host.write(this.handle, from);
    return taken === 'pending' ? WAIT : taken;
  }

  receive(into: Uint8Array, flags: number): Incoming | number | typeof WAIT {
    if (into.length === 0 || this.breakTold) return NOTHING;
    const got = this.host.read(this.handle, into, (flags & MSG.PEEK) !== 0);
    if (got === 'pending') return this.socket.closedWays & SHUT.READ ? NOTHING : WAIT;
    return got < 0 ? got : { length: got, full: got, flags: 0 };
  }

  shutdown(ways: number): void {
    const { socket } = this;
    if (ways & SHUT.WRITE && !(socket.closedWays & SHUT.WRITE)) this.host.shutdown(this.handle);
    socket.closedWays |= ways;
  }

  poll(): number {
    const { error, closedWays } = this.socket;
    const { available, ended, writable, errno } = this.host.readiness(this.handle);
    const broken = errno !== 0;
    const noInput = ended || (closedWays & SHUT.READ) !== 0;
    const noOutput = broken || (closedWays & SHUT.WRITE) !== 0;
    let bits = 0;
    if (available > 0) bits |= READABLE;
    if (noInput) bits |= READABLE | POLL.RDHUP;
    if (writable || noOutput) bits |= WRITABLE;
    if (noInput && noOutput) bits |= POLL.HUP;
    if (error !== 0 || (broken && !this.breakTold && !this.isQuiet(errno))) bits |= POLL.ERR;
    return bits;
  }
}
