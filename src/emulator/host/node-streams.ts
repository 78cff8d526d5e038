/**
 * The three inherited descriptors. Nothing is read before the guest asks for it, so that what it leaves is there for the next program. Node can neither
 * read a pipe without blocking nor wait for one without reading; so the input is opened anew without blocking (Linux's /proc/self/fd) and looked at from
 * time to time while the guest waits.
 */
import * as fs from 'node:fs';
import { Socket } from 'node:net';
import { isatty, ReadStream, WriteStream } from 'node:tty';
import { EBADF, ENOTTY, EROFS } from '../kernel/errno.js';
import type { FileStat } from '../kernel/file/stat.js';
import type { EventQueue } from './event-queue.js';
import type { HostSource, HostStreams, StreamKind, WindowSize } from './host.js';
import { attempt, perform } from './node-errors.js';
import { fileStat } from './node-stat.js';

const EAGAIN_RESULT = -11;
const BIG = { bigint: true } as const;
const RETRY_MS = 1;
/** O_ACCMODE and O_APPEND. */
const SHARED_FLAGS = 0o2003;
const NEVER_OPEN = 0x7fff_ffff;

export class NodeStreams implements HostStreams {
  beforeWrite: (() => void) | undefined;
  private readonly inputs = new Map<number, InputStream>();
  private readonly kinds: readonly StreamKind[];
  private readonly pauseWord = new Int32Array(new SharedArrayBuffer(4));
  /** Made when first asked for and kept: closing one would close the descriptor. */
  private terminalInput: ReadStream | undefined;
  private terminalOutput: WriteStream | undefined;

  /** `descriptors`: the host's, by the guest's number. */
  constructor(
    private readonly events: EventQueue,
    private readonly readOnly: boolean,
    private readonly descriptors: readonly number[],
  ) {
    this.kinds = descriptors.map(kindOf);
  }

  kind(fd: number): StreamKind {
    return this.kinds[fd] ?? 'closed';
  }

  stat(fd: number): FileStat | number {
    return attempt(() => fileStat(fs.fstatSync(this.host(fd), BIG)));
  }

  read(fd: number, into: Uint8Array): number | 'pending' {
    const kind = this.kind(fd);
    if (kind === 'closed') return -EBADF;
    if (kind === 'file' || kind === 'null')
      return attempt(() => fs.readSync(this.host(fd), into, 0, into.length, null));
    return this.input(fd).read(into);
  }

  poll(fd: number): 'ready' | 'pending' {
    const kind = this.kind(fd);
    return kind === 'file' || kind === 'null' || kind === 'closed' ? 'ready' : this.input(fd).poll();
  }

  /** Another process may have made the descriptor non-blocking: then it is tried again until it takes everything. */
  write(fd: number, from: Uint8Array): number {
    this.beforeWrite?.();
    let done = 0;
    while (done < from.length) {
      const written = attempt(() => fs.writeSync(this.host(fd), from, done, from.length - done, null));
      if (written === EAGAIN_RESULT) Atomics.wait(this.pauseWord, 0, 0, RETRY_MS);
      else if (written < 0) return done > 0 ? done : written;
      else done += written;
    }
    return done;
  }

  name(fd: number): string {
    const name = attempt(() => fs.readlinkSync(`/proc/self/fd/${this.host(fd)}`));
    return typeof name === 'string' ? name : `/dev/fd/${fd}`;
  }

  flags(fd: number): number | undefined {
    const octal = this.fact(fd, /^flags:\t([0-7]+)$/m);
    return octal === undefined ? undefined : Number.parseInt(octal, 8) & SHARED_FLAGS;
  }

  position(fd: number): number | undefined {
    const digits = this.fact(fd, /^pos:\t(\d+)$/m);
    return digits === undefined ? undefined : Number(digits);
  }

  /** A line of what Linux tells about the descriptor. */
  private fact(fd: number, line: RegExp): string | undefined {
    const info = attempt(() => fs.readFileSync(`/proc/self/fdinfo/${this.host(fd)}`, 'latin1'));
    return typeof info === 'string' ? line.exec(info)?.[1] : undefined;
  }

  pread(fd: number, into: Uint8Array, at: number): number {
    return attempt(() => fs.readSync(this.host(fd), into, 0, into.length, at));
  }

  pwrite(fd: number, from: Uint8Array, at: number): number {
    this.beforeWrite?.();
    return attempt(() => fs.writeSync(this.host(fd), from, 0, from.length, at));
  }

  truncate(fd: number, size: number): number {
    return this.readOnly ? -EROFS : perform(() => fs.ftruncateSync(this.host(fd), size));
  }

  windowSize(fd: number): WindowSize | undefined {
    if (this.kind(fd) !== 'terminal') return undefined;
    this.terminalOutput ??= this.openOutput(fd);
    const [columns, rows] = this.terminalOutput.getWindowSize();
    return { rows, columns };
  }

  /** Only the process's own streams follow the size of the window. */
  private openOutput(fd: number): WriteStream {
    const descriptor = this.host(fd);
    const output = [process.stdout, process.stderr].find((own) => own.isTTY && own.fd === descriptor);
    output?.on('resize', () => this.events.post(`fd ${fd}`));
    return output ?? new WriteStream(descriptor);
  }

  setRaw(fd: number, raw: boolean): number {
    if (this.kind(fd) !== 'terminal') return -ENOTTY;
    this.terminalInput ??= new ReadStream(this.host(fd));
    this.terminalInput.setRawMode(raw);
    return 0;
  }

  /** NEVER_OPEN for a number that is none: the host answers EBADF. */
  private host(fd: number): number {
    return this.descriptors[fd] ?? NEVER_OPEN;
  }

  private input(fd: number): InputStream {
    let input = this.inputs.get(fd);
    if (input === undefined) {
      input = new InputStream(this.host(fd), `fd ${fd}`, this.events);
      this.inputs.set(fd, input);
    }
    return input;
  }
}

function kindOf(fd: number): StreamKind {
  const stat = attempt(() => fs.fstatSync(fd));
  if (typeof stat === 'number') return 'closed';
  if (isatty(fd)) return 'terminal';
  if (stat.isFIFO()) return 'pipe';
  if (stat.isSocket()) return 'socket';
  return stat.isFile() || stat.isDirectory() || stat.isBlockDevice() ? 'file' : 'null';
}

/** The descriptor of a socket, which from now on does not block: Node makes it so when it takes it over, and is never asked to read. */
function unblocked(fd: number): number | undefined {
  if (kindOf(fd) !== 'socket') return undefined;
  try {
    new Socket({ fd, readable: false, writable: true }).unref();
    return fd;
  } catch {
    return undefined;
  }
}

/** A pipe, socket or terminal that is read; lives as long as the server. */
class InputStream {
  /** What is read without blocking: the input opened anew, or a socket, which cannot be; undefined where there is neither (hosts without /proc). */
  private readonly descriptor: number | undefined;
  /** Taken ahead by a poll: a byte, the end, or -errno. */
  private held: { readonly byte: number } | { readonly result: number } | undefined;
  /** Somebody waits: a poller looks, or one byte is being read by Node's thread pool. */
  private watched = false;

  constructor(
    private readonly fd: number,
    private readonly source: HostSource,
    private readonly events: EventQueue,
  ) {
    const { O_RDONLY, O_NONBLOCK, O_NOCTTY } = fs.constants;
    const opened = attempt(() => fs.openSync(`/proc/self/fd/${fd}`, O_RDONLY | O_NONBLOCK | O_NOCTTY));
    this.descriptor = opened < 0 ? unblocked(fd) : opened;
  }

  read(into: Uint8Array): number | 'pending' {
    if (into.length === 0) return 0;
    const { held } = this;
    this.held = undefined;
    if (held === undefined) return this.take(into) ?? this.watch();
    if ('result' in held) return held.result;
    into[0] = held.byte;
    const more = this.take(into.subarray(1)) ?? 0;
    return 1 + Math.max(more, 0);
  }

  poll(): 'ready' | 'pending' {
    if (this.held === undefined) this.hold();
    return this.held === undefined ? this.watch() : 'ready';
  }

  /** Bytes, 0 at the end, -errno; undefined: nothing there, or there is no telling. */
  private take(into: Uint8Array): number | undefined {
    const { descriptor } = this;
    if (descriptor === undefined || into.length === 0) return undefined;
    const got = attempt(() => fs.readSync(descriptor, into, 0, into.length, null));
    return got === EAGAIN_RESULT ? undefined : got;
  }

  private hold(): void {
    const byte = new Uint8Array(1);
    this.keep(byte, this.take(byte));
  }

  private keep(byte: Uint8Array, got: number | undefined): void {
    if (got !== undefined) this.held = got > 0 ? { byte: byte[0] as number } : { result: got };
  }

  private watch(): 'pending' {
    if (this.watched) return 'pending';
    this.watched = true;
    if (this.descriptor === undefined) this.readInBackground();
    else this.events.addPoller(this.look);
    return 'pending';
  }

  private readonly look = (): boolean => {
    if (this.held === undefined) this.hold();
    if (this.held === undefined) return false;
    this.events.removePoller(this.look);
    this.tell();
    return true;
  };

  private readInBackground(): void {
    const byte = new Uint8Array(1);
    fs.read(this.fd, byte, 0, 1, null, (error, got) => {
      this.keep(byte, error === null ? got : (error.errno ?? 0));
      this.tell();
    });
  }

  private tell(): void {
    this.watched = false;
    this.events.post(this.source);
  }
}
