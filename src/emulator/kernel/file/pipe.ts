/** Pipes and FIFOs (fs/pipe.c): pipe(2), pipe2(2), and the ends that open(2) makes of a FIFO. */
import type { Machine } from '../../machine.js';
import type { Thread } from '../../thread.js';
import { EBUSY, EFAULT, EINVAL, ENXIO, EPERM, EPIPE } from '../errno.js';
import { CAP, capable } from '../identity-checks.js';
import type { SyscallContext, SyscallRow } from '../syscall-table.js';
import type { WaitKey } from '../wait.js';
import { AnonymousInode } from './anonymous.js';
import type { Opener } from './file-system.js';
import { filesOf, install } from './file-table.js';
import { type Changeable, F_GETPIPE_SZ, F_SETPIPE_SZ, type IoResult, O, OpenFile, POLL, WAIT } from './open-file.js';
import { PipeBuffer } from './pipe-buffer.js';
import type { FileStat } from './stat.js';

const PAGE = 4096;
/** /proc/sys/fs/pipe-max-size. */
const PIPE_MAX = 1 << 20;
const FIONREAD = 0x541b;
const READABLE = POLL.IN | POLL.RDNORM;
const WRITABLE = POLL.OUT | POLL.WRNORM;
const S_IFIFO = 0o010000;

/** What both ends of a pipe share: lives as long as one of them, or as the FIFO's inode in use. */
export class Pipe {
  readonly key: WaitKey;
  readonly buffer = new PipeBuffer();
  readers = 0;
  writers = 0;
  /** How often each side was opened: open(2) of a FIFO waits for the other side's count to change. */
  readerOpens = 0;
  writerOpens = 0;
  readonly node: PipeNode;

  constructor(
    machine: Machine,
    /** What /proc shows for an end. */
    readonly name: string | undefined,
    makeNode: (key: WaitKey) => PipeNode,
  ) {
    this.key = machine.newWaitKey();
    this.node = makeNode(this.key);
  }
}

/** What fstat(2) tells of a pipe: an AnonymousInode, or whatever is at a FIFO's name. */
interface PipeNode {
  stat(): FileStat | number;
}

export class PipeEnd extends OpenFile {
  /** The other side's number of opens when this end was opened; undefined: need not wait for it. */
  private partner: number | undefined;
  /** Writers that had come and gone before this reader: without a new one it sees no hangup. */
  private writersBefore: number;

  constructor(
    machine: Machine,
    readonly pipe: Pipe,
    flags: number,
  ) {
    super(machine, flags, pipe.key);
    if (this.readable) {
      pipe.readers++;
      pipe.readerOpens++;
    }
    if (this.writable) {
      pipe.writers++;
      pipe.writerOpens++;
    }
    this.writersBefore = pipe.writers === 0 ? pipe.writerOpens : -1;
    this.changed();
  }

  /** The open of one side of a FIFO waits for the other side (wait_for_partner). */
  awaitPartner(): void {
    const { pipe } = this;
    if (this.readable && this.writable) return;
    if (this.readable && pipe.writers === 0) this.partner = pipe.writerOpens;
    if (this.writable && pipe.readers === 0) this.partner = pipe.readerOpens;
  }

  override get opening(): boolean {
    const { pipe, partner } = this;
    return partner !== undefined && partner === (this.readable ? pipe.writerOpens : pipe.readerOpens);
  }

  name(): string {
    return this.pipe.name ?? `pipe:[${this.pipe.key}]`;
  }

  stat(): FileStat | number {
    return this.pipe.node.stat();
  }

  protected override get inode(): Changeable | undefined {
    const { node } = this.pipe;
    return node instanceof AnonymousInode ? node : undefined;
  }

  override read(into: Uint8Array): IoResult {
    const { pipe } = this;
    if (into.length === 0) return 0;
    const wasFull = pipe.buffer.isFull;
    const got = pipe.buffer.read(into);
    if (got === 0) return pipe.writers === 0 ? 0 : WAIT;
    if (wasFull && !pipe.buffer.isFull) this.changed(WRITABLE);
    return got;
  }

  override write(from: Uint8Array): IoResult {
    const { pipe } = this;
    if (from.length === 0) return 0;
    if (pipe.readers === 0) return -EPIPE;
    const put = pipe.buffer.write(from, (this.flags & O.DIRECT) !== 0);
    if (put === 0) return WAIT;
    this.changed(READABLE);
    return put;
  }

  override poll(_asker: Thread): number {
    const { pipe } = this;
    let bits = 0;
    if (this.readable) {
      if (!pipe.buffer.isEmpty) bits |= READABLE;
      if (pipe.writers === 0 && pipe.writerOpens !== this.writersBefore) bits |= POLL.HUP;
    }
    if (this.writable) {
      if (!pipe.buffer.isFull) bits |= WRITABLE;
      if (pipe.readers === 0) bits |= POLL.ERR;
    }
    return bits;
  }

  override pollKeys(_asker: Thread): readonly WaitKey[] {
    return [this.key];
  }

  override ioctl(context: SyscallContext, request: number, argument: number): number {
    if (request !== FIONREAD) return super.ioctl(context, request, argument) as number;
    return context.memory.writeU32(argument, this.pipe.buffer.length) ? 0 : -EFAULT;
  }

  override fcntl(context: SyscallContext, command: number, argument: number): number {
    const { buffer } = this.pipe;
    if (command === F_GETPIPE_SZ) return buffer.capacity * PAGE;
    if (command !== F_SETPIPE_SZ) return super.fcntl(context, command, argument);
    return this.resize(context, argument);
  }

  /** Rounds up to a power of two of pages. */
  private resize({ process }: SyscallContext, size: number): number {
    const { buffer } = this.pipe;
    if (size < 0 || size > 0x8000_0000) return -EINVAL;
    const slots = 2 ** Math.ceil(Math.log2(Math.max(1, Math.ceil(size / PAGE))));
    if (slots > buffer.capacity && slots * PAGE > PIPE_MAX && !capable(process, CAP.SYS_RESOURCE)) return -EPERM;
    if (slots < buffer.used) return -EBUSY;
    buffer.capacity = slots;
    this.changed(WRITABLE);
    return slots * PAGE;
  }

  /** /proc/PID/fd/N of a pipe is as good as a FIFO's name, but nobody is waited for: the other end has been there (fifo_open, is_pipe). */
  override reopen(opener: Opener, flags: number): OpenFile | number {
    if (this.pipe.name !== undefined) return openFifo(opener, this.pipe, flags);
    const end = new PipeEnd(opener.machine, this.pipe, flags);
    end.writersBefore = -1;
    return end;
  }

  protected override closed(): void {
    if (this.readable) this.pipe.readers--;
    if (this.writable) this.pipe.writers--;
    this.changed();
  }
}

/**
 * An end of the FIFO that `pipe` stands for, as open(2) makes it (fifo_open): -ENXIO for a writer that will not wait for a reader. While the file's
 * `opening` holds, the open has to sleep.
 */
export function openFifo(context: Opener, pipe: Pipe, flags: number): PipeEnd | number {
  const mode = flags & O.ACCMODE;
  const waits = (flags & O.NONBLOCK) === 0;
  if (mode === O.WRONLY && !waits && pipe.readers === 0) return -ENXIO;
  const end = new PipeEnd(context.machine, pipe, flags);
  if (waits) end.awaitPartner();
  return end;
}

/** Two descriptors for a pair of files, or nothing: the errno, and the files are closed. */
export function installPair(
  context: SyscallContext,
  files: readonly [OpenFile, OpenFile],
  at: number,
  closeOnExec: boolean,
): number {
  const { process, memory } = context;
  const [first, second] = files;
  const a = install(process, first, closeOnExec);
  if (a < 0) {
    second.release();
    return a;
  }
  const b = install(process, second, closeOnExec);
  const written = b >= 0 && memory.writeBytes(at, new Uint8Array(Int32Array.of(a, b).buffer));
  if (written) return 0;
  const table = filesOf(process);
  table.close(a);
  if (b < 0) return b;
  table.close(b);
  return -EFAULT;
}

/** What pipe(2) makes, without its ends: its attributes belong to who calls. */
export function namelessPipe({ machine, process }: Opener): Pipe {
  const { fsuid: uid, fsgid: gid } = process.credentials;
  return new Pipe(machine, undefined, (key) => new AnonymousInode(machine, key, S_IFIFO | 0o600, { uid, gid }));
}

function makePipe(context: SyscallContext, flags: number): number {
  const { machine, args } = context;
  if (flags & ~(O.CLOEXEC | O.NONBLOCK | O.DIRECT)) return -EINVAL;
  const pipe = namelessPipe(context);
  const reader = new PipeEnd(machine, pipe, O.RDONLY | (flags & O.NONBLOCK));
  const writer = new PipeEnd(machine, pipe, O.WRONLY | (flags & (O.NONBLOCK | O.DIRECT)));
  return installPair(context, [reader, writer], args[0] as number, (flags & O.CLOEXEC) !== 0);
}

export const pipeSyscalls: readonly SyscallRow[] = [
  { nr: 22, name: 'pipe', run: (context) => makePipe(context, 0) },
  { nr: 293, name: 'pipe2', run: (context) => makePipe(context, (context.args[1] as number) | 0) },
];
