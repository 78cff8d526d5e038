/** read(2), write(2) and their vectored and positioned forms (fs/read_write.c), for every kind of file. */
import { TRANSFER_BYTES } from '../../machine.js';
import { SIGNAL } from '../../signals.js';
import { EAGAIN, EBADF, EFAULT, EFBIG, EINTR, EINVAL, EOPNOTSUPP, EPIPE, ERESTARTSYS, ESPIPE } from '../errno.js';
import { RLIMIT } from '../limits.js';
import { sendToThread } from '../signal-send.js';
import { block, type SyscallContext, type SyscallResult, type SyscallRow } from '../syscall-table.js';
import { fileAt } from './descriptors.js';
import { type IoResult, O, type OpenFile, POLL, WAIT } from './open-file.js';
import { UserBuffer } from './user-buffer.js';

/** A file is asked for more only after it has filled a whole one. */
const CHUNK = TRANSFER_BYTES;

/** What a sleeping thread keeps: bytes moved before, and the file, which another thread may take out of the table meanwhile. */
interface Progress {
  readonly done: number;
  readonly file: OpenFile;
  /** Virtual CLOCK_MONOTONIC, ns: SO_RCVTIMEO or SO_SNDTIMEO ends the wait. */
  readonly until?: number;
}

/** The call would block: sleeps until the file changes; EAGAIN, or what was moved, when it may not or has done so long enough. */
function sleepOn(
  context: SyscallContext,
  { done, file, until }: Progress,
  { noWait }: Mode,
  direction: 'read' | 'write',
): SyscallResult {
  const now = context.machine.clock.monotonic;
  const span = file.timeout(direction);
  const deadline = until ?? (span === undefined ? undefined : now + span);
  if (file.nonBlocking || noWait) return done > 0 ? done : -EAGAIN;
  if (deadline !== undefined && deadline <= now) {
    return done > 0 ? done : direction === 'read' ? file.readTimedOut : -EAGAIN;
  }
  const progress: Progress = deadline === undefined ? { done, file } : { done, file, until: deadline };
  return block(context, { keys: file.sleepKeys(context.thread), deadline, progress });
}

/** Where in a file: undefined for the file's own position. */
type Position = number | undefined;

/** What one preadv2 or pwritev2 call asks for beside the data. */
interface Mode {
  /** RWF_NOWAIT. */
  readonly noWait: boolean;
  /** RWF_APPEND. */
  readonly append: boolean;
  /** RWF_SYNC, RWF_DSYNC. */
  readonly sync: boolean;
}

export const PLAIN: Mode = { noWait: false, append: false, sync: false };

/** Reads once, or until a regular file has given everything: a stream gives what it has. */
function readInto(
  context: SyscallContext,
  before: Progress,
  buffer: UserBuffer,
  at: Position,
  mode: Mode,
): SyscallResult {
  const { file } = before;
  let done = 0;
  for (;;) {
    const wanted = Math.min(buffer.length - done, CHUNK);
    const room = buffer.writable(done, wanted);
    // What cannot be stored stays in the stream.
    if (room === 0 && wanted > 0 && !file.isRegular && (file.poll(context.thread) & POLL.IN) !== 0)
      return done > 0 ? done : -EFAULT;
    const chunk = context.machine.transferBuffer.subarray(0, file.isRegular || room === 0 ? wanted : room);
    const got = at === undefined ? file.read(chunk, context) : file.pread(chunk, at + done);
    if (got === WAIT) return done > 0 ? done : sleepOn(context, { ...before, done }, mode, 'read');
    if (got < 0) return done > 0 ? done : got;
    const copied = got === 0 ? 0 : buffer.write(done, chunk.subarray(0, got));
    done += copied;
    if (copied < got && at === undefined && file.isRegular) file.offset -= got - copied;
    if (copied < got) return done > 0 ? done : -EFAULT;
    if (got < CHUNK || done === buffer.length) return done;
  }
}

/** Writes everything: a stream that takes only a part is asked again for the rest, and waited for when it blocks. */
function writeFrom(
  context: SyscallContext,
  before: Progress,
  buffer: UserBuffer,
  at: Position,
  mode: Mode,
): SyscallResult {
  const { file } = before;
  let { done } = before;
  for (;;) {
    const chunk = new Uint8Array(Math.min(buffer.length - done, CHUNK));
    const readable = buffer.read(done, chunk);
    if (readable === 0 && chunk.length > 0) return done > 0 ? done : -EFAULT;
    const got = writeChunk(context, file, chunk.subarray(0, readable), at === undefined ? at : at + done, mode);
    if (got === WAIT) return sleepOn(context, { ...before, done }, mode, 'write');
    if (got === -EPIPE) raise(context, SIGNAL.PIPE);
    if (got < 0) return done > 0 ? done : got;
    done += got;
    const isShort = readable < chunk.length || (file.isRegular && got < readable);
    if (got === 0 || isShort || done === buffer.length) return done;
  }
}

function writeChunk(
  context: SyscallContext,
  file: OpenFile,
  bytes: Uint8Array,
  position: Position,
  mode: Mode,
): IoResult {
  const at = mode.append && file.isRegular ? sizeOf(file) : position;
  const room = file.isRegular ? fileSizeRoom(context, file, at) : bytes.length;
  if (room === 0 && bytes.length > 0) return -EFBIG;
  const allowed = bytes.subarray(0, room);
  if (at === undefined) return file.write(allowed, context);
  const put = file.pwrite(allowed, at);
  if (position === undefined && put > 0) file.offset = at + put;
  return put;
}

function sizeOf(file: OpenFile): number {
  const stat = file.stat();
  return typeof stat === 'object' ? stat.size : 0;
}

/** RLIMIT_FSIZE (generic_write_check_limits): bytes that may still be written at the position; none: SIGXFSZ. */
function fileSizeRoom(context: SyscallContext, file: OpenFile, at: Position): number {
  const limit = context.process.limits[RLIMIT.FSIZE]?.soft ?? Number.POSITIVE_INFINITY;
  if (limit === Number.POSITIVE_INFINITY) return limit;
  const from = file.flags & O.APPEND ? sizeOf(file) : (at ?? file.offset);
  if (from >= limit) raise(context, SIGNAL.XFSZ);
  return Math.max(0, limit - from);
}

/** send_sig: as if the process had sent it to its thread. */
export function raise({ machine, process, thread }: SyscallContext, signal: number): void {
  const fields = { kind: 'kill', pid: process.pid, uid: process.credentials.ruid } as const;
  sendToThread(machine, thread, { signal, errno: 0, code: 0, fields });
}

/** How one of the rows describes its data and its place. */
interface Form {
  buffer(context: SyscallContext): UserBuffer | number;
  position(context: SyscallContext): Position;
  mode(context: SyscallContext): Mode | number;
}

const single = ({ memory, args }: SyscallContext): UserBuffer | number =>
  UserBuffer.single(memory, args[1] as number, args[2] as number);
export const vector = (context: SyscallContext): UserBuffer | number =>
  UserBuffer.vector(context, context.args[1] as number, context.args[2] as number);
export const here = (): Position => undefined;
const given = ({ args }: SyscallContext): Position => args[3] as number;
/** preadv2: -1 is the file's own position. */
const givenOrHere = ({ args }: SyscallContext): Position => (args[3] === -1 ? undefined : (args[3] as number));
const plain = (): Mode => PLAIN;

const RWF = { HIPRI: 1, DSYNC: 2, SYNC: 4, NOWAIT: 8, APPEND: 16 } as const;

function flagged(allowed: number): (context: SyscallContext) => Mode | number {
  return ({ args }) => {
    const flags = args[5] as number;
    if (flags & ~allowed) return -EOPNOTSUPP;
    return {
      noWait: (flags & RWF.NOWAIT) !== 0,
      append: (flags & RWF.APPEND) !== 0,
      sync: (flags & (RWF.SYNC | RWF.DSYNC)) !== 0,
    };
  };
}

type Move = (context: SyscallContext, before: Progress) => SyscallResult;

/** Reads and writes sleep in the same way: the record holds a reference to the file until the call is over. */
function transferRow(
  nr: number,
  name: string,
  { position }: Form,
  may: 'readable' | 'writable',
  move: Move,
): SyscallRow {
  return {
    nr,
    name,
    run(context) {
      const file = fileAt(context);
      if (file === undefined) return -EBADF;
      const at = position(context);
      if (at !== undefined && at < 0) return -EINVAL;
      if (at !== undefined && !file.isSeekable) return -ESPIPE;
      if (!file[may]) return -EBADF;
      const result = move(context, { file, done: 0 });
      if (typeof result === 'object') file.retain();
      else account(context, may, result);
      return result;
    },
    resume(context, blocked) {
      const progress = blocked.progress as Progress;
      const result = move(context, progress);
      if (typeof result === 'object') return result;
      progress.file.release();
      account(context, may, result);
      return result;
    },
    interrupt(_context, { progress }) {
      const { done, until } = progress as Progress;
      if (done > 0) return done;
      return until === undefined ? -ERESTARTSYS : -EINTR;
    },
    abandon: (_context, { progress }) => (progress as Progress).file.release(),
  };
}

/** /proc/PID/io. */
function account({ process: { io } }: SyscallContext, direction: 'readable' | 'writable', result: SyscallResult): void {
  const bytes = typeof result === 'number' && result > 0 ? result : 0;
  if (direction === 'readable') {
    io.read += bytes;
    io.reads++;
  } else {
    io.written += bytes;
    io.writes++;
  }
}

export function readRow(nr: number, name: string, form: Form): SyscallRow {
  return transferRow(nr, name, form, 'readable', (context, before) => {
    const wanted = form.buffer(context);
    if (typeof wanted === 'number') return wanted;
    const mode = form.mode(context);
    return typeof mode === 'number' ? mode : readInto(context, before, wanted, form.position(context), mode);
  });
}

export function writeRow(nr: number, name: string, form: Form): SyscallRow {
  return transferRow(nr, name, form, 'writable', (context, before) => {
    const given = form.buffer(context);
    if (typeof given === 'number') return given;
    const mode = form.mode(context);
    if (typeof mode === 'number') return mode;
    const result = writeFrom(context, before, given, form.position(context), mode);
    if (mode.sync && typeof result === 'number' && result > 0) before.file.sync();
    return result;
  });
}

const READ_FLAGS = flagged(RWF.HIPRI | RWF.DSYNC | RWF.SYNC | RWF.NOWAIT);
const WRITE_FLAGS = flagged(RWF.HIPRI | RWF.DSYNC | RWF.SYNC | RWF.NOWAIT | RWF.APPEND);

function lseek(context: SyscallContext): number {
  const [, offset, whence] = context.args as [number, number, number];
  const file = fileAt(context);
  if (file === undefined) return -EBADF;
  return whence >>> 0 > SEEK_MAX ? -EINVAL : file.seek(offset, whence);
}

const SEEK_MAX = 4;

export const transferSyscalls: readonly SyscallRow[] = [
  { nr: 8, name: 'lseek', run: lseek },
  readRow(0, 'read', { buffer: single, position: here, mode: plain }),
  writeRow(1, 'write', { buffer: single, position: here, mode: plain }),
  readRow(17, 'pread64', { buffer: single, position: given, mode: plain }),
  writeRow(18, 'pwrite64', { buffer: single, position: given, mode: plain }),
  readRow(19, 'readv', { buffer: vector, position: here, mode: plain }),
  writeRow(20, 'writev', { buffer: vector, position: here, mode: plain }),
  readRow(295, 'preadv', { buffer: vector, position: given, mode: plain }),
  writeRow(296, 'pwritev', { buffer: vector, position: given, mode: plain }),
  readRow(327, 'preadv2', { buffer: vector, position: givenOrHere, mode: READ_FLAGS }),
  writeRow(328, 'pwritev2', { buffer: vector, position: givenOrHere, mode: WRITE_FLAGS }),
];
