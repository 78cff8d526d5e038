/**
 * A socket as a file: what all families have in common (net/socket.c, net/core/sock.c). The families are in unix-*.ts and inet-*.ts. Nothing here blocks:
 * WAIT says that the call would.
 */
import type { Machine } from '../../machine.js';
import type { Thread } from '../../thread.js';
import { EFAULT, EINVAL } from '../errno.js';
import { AnonymousInode } from '../file/anonymous.js';
import { type IoResult, O, OpenFile, POLL, type WAIT } from '../file/open-file.js';
import type { FileStat } from '../file/stat.js';
import type { SyscallContext } from '../syscall-table.js';
import type { WaitKey } from '../wait.js';
import { type Ancillary, type PeerCredentials, releaseFiles } from './ancillary.js';
import { interfaceIoctl } from './interfaces.js';
import { SocketOptions } from './options.js';

export const READABLE = POLL.IN | POLL.RDNORM;
export const WRITABLE = POLL.OUT | POLL.WRNORM | POLL.WRBAND;

const S_IFSOCK = 0o140000;
const FIONREAD = 0x541b;
const SIOCOUTQ = 0x5411;
const SIOCATMARK = 0x8905;

/** What a send asks for beside the bytes. */
export interface Sending {
  /** struct sockaddr; undefined: to the peer. */
  readonly to?: Uint8Array | undefined;
  readonly ancillary?: Ancillary | undefined;
  /** MSG_* bits. */
  readonly flags: number;
}

/** One receive's yield. */
export interface Incoming {
  /** Bytes put into the buffer. */
  readonly length: number;
  /** Bytes that the message had: more than `length` when it was cut. */
  readonly full: number;
  /** struct sockaddr of the sender; undefined where a family does not tell. */
  readonly from?: Uint8Array | undefined;
  readonly ancillary?: Ancillary | undefined;
  /** MSG_TRUNC. */
  readonly flags: number;
}

export abstract class Socket extends OpenFile {
  readonly options: SocketOptions;
  private readonly attributes: AnonymousInode;
  /** SO_ERROR: told once. Positive; 0: none. */
  error = 0;
  /** SHUT bits. */
  closedWays = 0;
  /** SO_PEERCRED of a connection or pair. */
  peerCredentials: PeerCredentials | undefined;

  constructor(
    machine: Machine,
    flags: number,
    readonly domain: number,
    readonly type: number,
    readonly protocol: number,
  ) {
    super(machine, O.RDWR | flags);
    this.options = new SocketOptions(domain, type, protocol);
    const { fsuid: uid = 0, fsgid: gid = 0 } = machine.scheduler.running?.process.credentials ?? {};
    this.attributes = new AnonymousInode(machine, this.key, S_IFSOCK | 0o777, { uid, gid });
  }

  name(): string {
    return `socket:[${this.key}]`;
  }

  stat(): FileStat {
    return this.inode.stat();
  }

  protected override get inode(): AnonymousInode {
    return this.attributes;
  }

  /** Names it: struct sockaddr of the family. WAIT: ask again when `sleepKeys` were woken. */
  abstract bind(context: SyscallContext, address: Uint8Array): IoResult;
  /** WAIT: it is under way; `connected` tells how it ended, when `connectKeys` were woken. */
  abstract connect(context: SyscallContext, address: Uint8Array): IoResult;
  abstract listen(context: SyscallContext, backlog: number): IoResult;
  /** A connection that came in: its reference is the caller's. */
  abstract accept(context: SyscallContext, flags: number): Socket | number | typeof WAIT;
  /** struct sockaddr of this end. */
  abstract localName(): Uint8Array;
  /** Of the other end, or -ENOTCONN. */
  abstract peerName(): Uint8Array | number;
  /** Bytes taken, fewer than given only by streams. Takes over the ancillary's references when it takes anything. */
  abstract send(from: Uint8Array, sending: Sending, context: SyscallContext): IoResult;
  abstract receive(into: Uint8Array, flags: number, context: SyscallContext): Incoming | number | typeof WAIT;
  /** 0 or -errno. `ways`: SHUT bits. */
  abstract shutdown(ways: number): number;
  /** Bytes that a read would give at once. */
  abstract get available(): number;
  abstract get isListening(): boolean;

  /** Messages keep their borders: MSG_TRUNC means something, MSG_WAITALL does not. */
  get keepsBorders(): boolean {
    return this.type !== 1;
  }

  /** An option was set that the host may have to know. */
  optionChanged(_level: number, _name: number): void {}

  /** What a connect that would block sleeps on. */
  connectKeys(): readonly WaitKey[] {
    return [this.key];
  }

  /** How a connect that slept goes on. */
  resumeConnect(context: SyscallContext, address: Uint8Array): IoResult {
    return this.connect(context, address);
  }

  /** What a send that would block sleeps on. */
  sendKeys(_to: Uint8Array | undefined): readonly WaitKey[] {
    return [this.key];
  }

  /** The error to be told, which is forgotten by it: -errno or 0. */
  takeError(): number {
    const { error } = this;
    this.error = 0;
    return error === 0 ? 0 : -error;
  }

  override read(into: Uint8Array, context: SyscallContext): IoResult {
    const got = this.receive(into, 0, context);
    if (typeof got !== 'object') return got;
    if (got.ancillary !== undefined) releaseFiles(got.ancillary);
    return got.length;
  }

  override write(from: Uint8Array, context: SyscallContext): IoResult {
    return this.send(from, { flags: 0 }, context);
  }

  override timeout(direction: 'read' | 'write'): number | undefined {
    return direction === 'read' ? this.options.receiveTimeout : this.options.sendTimeout;
  }

  override pollKeys(_asker: Thread): readonly WaitKey[] {
    return [this.key];
  }

  override ioctl(context: SyscallContext, request: number, argument: number): number {
    const answer = this.ioctlAnswer(request);
    if (answer === undefined) {
      return (
        interfaceIoctl(context, request, argument, this.domain) ?? (super.ioctl(context, request, argument) as number)
      );
    }
    if (answer < 0) return answer;
    return context.memory.writeU32(argument, answer) ? 0 : -EFAULT;
  }

  private ioctlAnswer(request: number): number | undefined {
    switch (request) {
      case FIONREAD:
        return this.isListening ? -EINVAL : this.available;
      case SIOCOUTQ:
      case SIOCATMARK:
        return 0;
      default:
        return undefined;
    }
  }
}
