/** The descriptors 0, 1 and 2 that the first process has from the server. */
import type { Machine } from '../../machine.js';
import type { BackingFile } from '../../memory/backing-file.js';
import type { Thread } from '../../thread.js';
import { EFAULT, EINVAL, ENOTTY } from '../errno.js';
import type { SyscallContext } from '../syscall-table.js';
import { hostTerminal } from '../tty/host-terminal.js';
import { TtyFile } from '../tty/tty-file.js';
import type { WaitKey } from '../wait.js';
import { NullDevice } from './devices.js';
import { FileTable } from './file-table.js';
import { FIONREAD, seekTo } from './host-file.js';
import { type IoResult, O, OpenFile, POLL, WAIT } from './open-file.js';
import { type FileStat, S } from './stat.js';

const DEFAULT_FLAGS = [O.RDONLY, O.WRONLY, O.WRONLY] as const;
const COUNT = 3;
const UNLIMITED = { soft: COUNT, hard: COUNT } as const;

/** The first process's table. A descriptor that the server has closed stays free. */
export function inheritedFiles(machine: Machine): FileTable {
  const table = new FileTable();
  const closed: number[] = [];
  for (let fd = 0; fd < COUNT; fd++) {
    const file = inheritedFile(machine, fd);
    if (file === undefined) closed.push(fd);
    table.add(file ?? new NullDevice(machine, O.RDWR, '/dev/null'), false, UNLIMITED);
  }
  for (const fd of closed) table.close(fd);
  return table;
}

function inheritedFile(machine: Machine, fd: number): OpenFile | undefined {
  const { streams } = machine.host;
  const kind = streams.kind(fd);
  if (kind === 'closed') return undefined;
  const flags = streams.flags(fd) ?? (DEFAULT_FLAGS[fd] as number);
  const terminal = kind === 'terminal' ? hostTerminal(machine) : undefined;
  if (terminal !== undefined) return new TtyFile(machine, flags, terminal);
  if (kind === 'null') return new NullDevice(machine, flags, '/dev/null');
  return kind === 'file' ? new InheritedFile(machine, fd, flags) : new InheritedStream(machine, fd, flags);
}

/**
 * A pipe or socket. The guest sees a pipe in both cases: socket calls on it would be refused, and programs that find a socket which they cannot ask for its
 * family take it for unusable (libuv, and so Node, drops what it prints there).
 */
class InheritedStream extends OpenFile {
  constructor(
    machine: Machine,
    private readonly fd: number,
    flags: number,
  ) {
    super(machine, flags, keyOf(machine, fd));
  }

  name(): string {
    return this.machine.host.streams.name(this.fd).replace(/^socket:/, 'pipe:');
  }

  stat(): FileStat | number {
    const stat = this.machine.host.streams.stat(this.fd);
    if (typeof stat === 'number' || (stat.mode & S.IFMT) !== S.IFSOCK) return stat;
    return { ...stat, mode: (stat.mode & ~S.IFMT) | S.IFIFO };
  }

  override read(into: Uint8Array): IoResult {
    const got = this.machine.host.streams.read(this.fd, into);
    return got === 'pending' ? WAIT : got;
  }

  override write(from: Uint8Array): IoResult {
    return this.machine.host.streams.write(this.fd, from);
  }

  override poll(_asker: Thread): number {
    const ready = this.readable && this.machine.host.streams.poll(this.fd) === 'ready';
    return (ready ? POLL.IN | POLL.RDNORM : 0) | (this.writable ? POLL.OUT | POLL.WRNORM : 0);
  }

  override pollKeys(_asker: Thread): readonly WaitKey[] {
    return [this.key];
  }

  override ioctl(context: SyscallContext, request: number, argument: number): number {
    if (request === FIONREAD) return this.available(context, argument);
    return -ENOTTY;
  }

  /** Node cannot count what waits: one byte stands for any number. */
  private available({ memory }: SyscallContext, at: number): number {
    const count = this.machine.host.streams.poll(this.fd) === 'ready' ? 1 : 0;
    return memory.writeU32(at, count) ? 0 : -EFAULT;
  }
}

/** Everybody who has the descriptor waits for the same event. */
function keyOf(machine: Machine, fd: number): WaitKey {
  const source = `fd ${fd}` as const;
  const known = machine.hostKeys.get(source);
  if (known !== undefined) return known;
  const key = machine.newWaitKey();
  machine.hostKeys.set(source, key);
  return key;
}

/**
 * A file that the server's descriptor stands in. Reading and writing move the host's position, which other programs share; only after the guest has
 * moved to another place, which Node cannot do for it, the positions part.
 */
class InheritedFile extends OpenFile {
  private parted = false;

  constructor(
    machine: Machine,
    private readonly fd: number,
    flags: number,
  ) {
    super(machine, flags | O.LARGEFILE);
    this.offset = machine.host.streams.position(fd) ?? 0;
  }

  name(): string {
    return this.machine.host.streams.name(this.fd);
  }

  stat(): FileStat | number {
    return this.machine.host.streams.stat(this.fd);
  }

  override get isSeekable(): boolean {
    return true;
  }

  override get isRegular(): boolean {
    const stat = this.stat();
    return typeof stat === 'object' && (stat.mode & S.IFMT) === S.IFREG;
  }

  override read(into: Uint8Array): IoResult {
    const { streams } = this.machine.host;
    const got = this.parted ? streams.pread(this.fd, into, this.offset) : streams.read(this.fd, into);
    return this.moved(got);
  }

  override write(from: Uint8Array): IoResult {
    const { streams } = this.machine.host;
    if (!(this.flags & O.APPEND)) {
      return this.moved(this.parted ? streams.pwrite(this.fd, from, this.offset) : streams.write(this.fd, from));
    }
    const put = streams.write(this.fd, from);
    if (put > 0) this.offset = this.size();
    return put;
  }

  private moved(count: number | 'pending'): IoResult {
    if (count === 'pending') return WAIT;
    if (count > 0) this.offset += count;
    return count;
  }

  override pread(into: Uint8Array, at: number): number {
    return this.machine.host.streams.pread(this.fd, into, at);
  }

  override pwrite(from: Uint8Array, at: number): number {
    return this.machine.host.streams.pwrite(this.fd, from, at);
  }

  override seek(offset: number, whence: number): number {
    const to = seekTo(this.offset, this.size(), offset, whence);
    if (to < 0) return to;
    if (to !== this.offset) this.parted = true;
    this.offset = to;
    return to;
  }

  override truncate(size: number): number {
    return this.writable ? this.machine.host.streams.truncate(this.fd, size) : -EINVAL;
  }

  override sync(): number {
    return 0;
  }

  override backing(): BackingFile | undefined {
    const stat = this.stat();
    return typeof stat === 'object' && this.isRegular ? new InheritedBacking(this.machine, this.fd, stat) : undefined;
  }

  private size(): number {
    const stat = this.stat();
    return typeof stat === 'object' ? stat.size : 0;
  }
}

/** What is mapped of an inherited file. The descriptor is the server's: it is never closed. */
class InheritedBacking implements BackingFile {
  readonly key: string;
  readonly device: number;
  readonly inode: number;
  readonly path: string;

  constructor(
    private readonly machine: Machine,
    private readonly fd: number,
    { device, inode }: FileStat,
  ) {
    this.key = `host ${device}:${inode}`;
    this.device = device;
    this.inode = inode;
    this.path = machine.host.streams.name(fd);
  }

  size(): number {
    const stat = this.machine.host.streams.stat(this.fd);
    return typeof stat === 'object' ? stat.size : 0;
  }

  pread(into: Uint8Array, at: number): number {
    return this.machine.host.streams.pread(this.fd, into, at);
  }

  pwrite(from: Uint8Array, at: number): number {
    return this.machine.host.streams.pwrite(this.fd, from, at);
  }

  retain(): void {}

  release(): void {}
}
