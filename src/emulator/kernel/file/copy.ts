/** Moving bytes between files without the program's memory: sendfile(2), copy_file_range(2), splice(2), tee(2) (fs/read_write.c, fs/splice.c). */
import type { UserMemory } from '../../memory/user-memory.js';
import { SIGNAL } from '../../signals.js';
import { EAGAIN, EBADF, EFAULT, EFBIG, EINVAL, EISDIR, EPIPE, ERESTARTSYS, ESPIPE } from '../errno.js';
import { RLIMIT } from '../limits.js';
import { block, type SyscallContext, type SyscallResult, type SyscallRow } from '../syscall-table.js';
import type { Blocked } from '../wait.js';
import { fileAt } from './descriptors.js';
import { O, type OpenFile, POLL, WAIT } from './open-file.js';
import { PipeEnd } from './pipe.js';
import { type FileStat, isDirectory } from './stat.js';
import { raise } from './transfer.js';
import { MAX_TRANSFER } from './user-buffer.js';

const CHUNK = 1 << 16;
/** What a pipe that can be written to takes for certain. */
const PIPE_ROOM = 4096;

/** One side of a copy. `at`: a position of the caller's, kept in memory at `pointer`; undefined: the file's own. */
interface Side {
  readonly file: OpenFile;
  readonly pointer: number;
  readonly at: number | undefined;
}

/** A copy that goes on: what is still to do, and bytes that were read and not yet written. */
interface Copy {
  readonly from: Side;
  readonly to: Side;
  readonly left: number;
  readonly done: number;
  readonly held: Uint8Array | undefined;
  /** May it sleep? */
  readonly waits: boolean;
}

/** A side from a descriptor and the address of a loff_t, or 0; -errno. */
function sideOf(context: SyscallContext, index: number, pointer: number, may: 'readable' | 'writable'): Side | number {
  const file = fileAt(context, index);
  if (file === undefined || !file[may]) return -EBADF;
  if (pointer === 0) return { file, pointer, at: undefined };
  const at = readOffset(context.memory, pointer);
  if (at === undefined) return -EFAULT;
  return at < 0 ? -EINVAL : { file, pointer, at };
}

function readOffset(memory: UserMemory, at: number): number | undefined {
  const bytes = memory.readBytes(at, 8);
  return bytes && Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigInt64(0, true));
}

/** Goes on until everything is copied, the source gives no more, or one side would block. */
function go(context: SyscallContext, copy: Copy): SyscallResult {
  let { from, to, left, done, held } = copy;
  for (;;) {
    const bytes = held ?? read(context, from, to, left);
    if (bytes === WAIT) return sleepOrEnd(context, { ...copy, from, to, left, done, held: undefined }, from.file);
    if (typeof bytes === 'number') return end(context, { ...copy, from, to, done }, bytes);
    if (held === undefined) from = moved(from, bytes.length);
    const put = write(context, to, bytes);
    if (put === WAIT) return sleepOrEnd(context, { ...copy, from, to, left, done, held: bytes }, to.file);
    if (put < 0) return end(context, { ...copy, from, to, done }, put);
    to = moved(to, put);
    done += put;
    left -= put;
    held = put < bytes.length ? bytes.subarray(put) : undefined;
    if (left === 0 && held === undefined) return end(context, { ...copy, from, to, done }, 0);
    // A stream gives what it has and is not waited for again.
    if (held === undefined && !from.file.isSeekable) return end(context, { ...copy, from, to, done }, 0);
  }
}

function read(context: SyscallContext, from: Side, to: Side, left: number): Uint8Array | number | typeof WAIT {
  if (left === 0) return 0;
  const isRoomKnown = to.file.isSeekable;
  if (!isRoomKnown && !(to.file.poll(context.thread) & (POLL.OUT | POLL.ERR | POLL.HUP))) return WAIT;
  const chunk = new Uint8Array(Math.min(left, isRoomKnown || from.file.isSeekable ? CHUNK : PIPE_ROOM));
  const got = from.at === undefined ? from.file.read(chunk, context) : from.file.pread(chunk, from.at);
  if (got === WAIT || got < 0) return got;
  return got === 0 ? 0 : chunk.subarray(0, got);
}

function write(context: SyscallContext, { file, at }: Side, bytes: Uint8Array): number | typeof WAIT {
  const limit = context.process.limits[RLIMIT.FSIZE]?.soft ?? Number.POSITIVE_INFINITY;
  const room = file.isRegular ? limit - (at ?? file.offset) : Number.POSITIVE_INFINITY;
  if (room <= 0) {
    raise(context, SIGNAL.XFSZ);
    return -EFBIG;
  }
  const allowed = bytes.subarray(0, room);
  return at === undefined ? file.write(allowed, context) : file.pwrite(allowed, at);
}

function moved(side: Side, count: number): Side {
  return side.at === undefined ? side : { ...side, at: side.at + count };
}

/** One side would block: sleeps until it changes, or says what was done. */
function sleepOrEnd(context: SyscallContext, copy: Copy, blocking: OpenFile): SyscallResult {
  const isSource = blocking === copy.from.file;
  // What was read already has to be written; otherwise what was moved is enough.
  const enough = copy.done > 0 && copy.held === undefined && isSource;
  if (enough || !copy.waits || blocking.nonBlocking) return end(context, copy, -EAGAIN);
  const keys = new Set([...copy.from.file.sleepKeys(context.thread), ...copy.to.file.sleepKeys(context.thread)]);
  return block(context, { keys: [...keys], progress: copy });
}

/** Tells the positions; the bytes that were moved count for more than an error behind them. */
function end(context: SyscallContext, copy: Copy, result: number): number {
  for (const { at, pointer } of [copy.from, copy.to]) {
    if (at !== undefined && copy.done > 0 && !context.memory.writeU64(pointer, at)) return -EFAULT;
  }
  if (result === -EPIPE) raise(context, SIGNAL.PIPE);
  return copy.done > 0 ? copy.done : result;
}

function start(context: SyscallContext, from: Side, to: Side, length: number, waits = true): SyscallResult {
  const left = Math.min(length, MAX_TRANSFER);
  const result = go(context, { from, to, left, done: 0, held: undefined, waits });
  if (typeof result === 'object') {
    from.file.retain();
    to.file.retain();
  }
  return result;
}

function finish({ from, to }: Copy): void {
  from.file.release();
  to.file.release();
}

/** How a copy sleeps: its files are kept. */
const sleeping = {
  resume(context: SyscallContext, { progress }: Blocked): SyscallResult {
    const copy = progress as Copy;
    const result = go(context, copy);
    if (typeof result !== 'object') finish(copy);
    return result;
  },
  interrupt(_context: SyscallContext, { progress }: Blocked): number {
    const { done } = progress as Copy;
    return done > 0 ? done : -ERESTARTSYS;
  },
  abandon: (_context: SyscallContext, { progress }: Blocked): void => finish(progress as Copy),
};

function sendfile(context: SyscallContext): SyscallResult {
  const [, , pointer, count] = context.args as [number, number, number, number];
  const from = sideOf(context, 1, pointer, 'readable');
  if (typeof from === 'number') return from;
  const to = sideOf(context, 0, 0, 'writable');
  if (typeof to === 'number') return to;
  if (count < 0 || to.file.flags & O.APPEND) return -EINVAL;
  if (from.at !== undefined && !from.file.isSeekable) return -ESPIPE;
  const stat = from.file.stat();
  if (typeof stat === 'object' && isDirectory(stat)) return -EINVAL;
  return from.file.isSeekable ? start(context, from, to, count) : -EINVAL;
}

function copyFileRange(context: SyscallContext): SyscallResult {
  const [, fromPointer, , toPointer, length, flags] = context.args as [number, number, number, number, number, number];
  const from = sideOf(context, 0, fromPointer, 'readable');
  if (typeof from === 'number') return from;
  const to = sideOf(context, 2, toPointer, 'writable');
  if (typeof to === 'number') return to;
  if (flags !== 0) return -EINVAL;
  const stats = [from.file.stat(), to.file.stat()] as [FileStat | number, FileStat | number];
  const refusal = mayCopyRange(from, to, length, stats);
  return refusal === 0 ? start(context, from, to, length) : refusal;
}

/** generic_copy_file_checks. */
function mayCopyRange(
  from: Side,
  to: Side,
  length: number,
  [source, target]: [FileStat | number, FileStat | number],
): number {
  if (typeof source === 'number') return source;
  if (typeof target === 'number') return target;
  if (isDirectory(source) || isDirectory(target)) return -EISDIR;
  if (!from.file.isRegular || !to.file.isRegular) return -EINVAL;
  if (to.file.flags & O.APPEND) return -EBADF;
  const a = from.at ?? from.file.offset;
  const b = to.at ?? to.file.offset;
  const isSame = source.inode === target.inode && source.device === target.device;
  const span = Math.min(length, Math.max(0, source.size - a));
  return isSame && a < b + span && b < a + span ? -EINVAL : 0;
}

const SPLICE = { MOVE: 1, NONBLOCK: 2, MORE: 4, GIFT: 8 } as const;
const SPLICE_ALL = 15;

function splice(context: SyscallContext): SyscallResult {
  const [, fromPointer, , toPointer, length, flags] = context.args as [number, number, number, number, number, number];
  if (length === 0) return 0;
  if (flags & ~SPLICE_ALL) return -EINVAL;
  const from = sideOf(context, 0, fromPointer, 'readable');
  if (typeof from === 'number') return from;
  const to = sideOf(context, 2, toPointer, 'writable');
  if (typeof to === 'number') return to;
  const refusal = maySplice(from, to);
  if (refusal !== 0) return refusal;
  return start(context, from, to, length < 0 ? MAX_TRANSFER : length, !(flags & SPLICE.NONBLOCK));
}

/** At least one end is a pipe; positions are for files that have them (do_splice). */
function maySplice(from: Side, to: Side): number {
  const pipes = [from, to].filter(({ file }) => file instanceof PipeEnd);
  if (pipes.length === 0) return -EINVAL;
  if (pipes.some(({ pointer }) => pointer !== 0)) return -ESPIPE;
  if ([from, to].some(({ file, pointer }) => pointer !== 0 && !file.isSeekable)) return -EINVAL;
  if (samePipe(from.file, to.file) || to.file.flags & O.APPEND) return -EINVAL;
  return 0;
}

function samePipe(a: OpenFile, b: OpenFile): boolean {
  return a instanceof PipeEnd && b instanceof PipeEnd && a.pipe === b.pipe;
}

/** Copies from one pipe to another and takes nothing out of the first. */
function tee(context: SyscallContext): SyscallResult {
  const [, , length, flags] = context.args as [number, number, number, number];
  if (flags & ~SPLICE_ALL) return -EINVAL;
  if (length === 0) return 0;
  const from = fileAt(context, 0);
  const to = fileAt(context, 1);
  if (from === undefined || to === undefined || !from.readable || !to.writable) return -EBADF;
  if (!(from instanceof PipeEnd) || !(to instanceof PipeEnd) || samePipe(from, to)) return -EINVAL;
  return teePipes(context, { from, to, length, waits: !(flags & SPLICE.NONBLOCK) });
}

interface Tee {
  readonly from: PipeEnd;
  readonly to: PipeEnd;
  readonly length: number;
  readonly waits: boolean;
}

function teePipes(context: SyscallContext, tee: Tee): SyscallResult {
  const { from, to, length, waits } = tee;
  if (to.pipe.readers === 0) {
    raise(context, SIGNAL.PIPE);
    return -EPIPE;
  }
  const bytes = new Uint8Array(Math.min(length < 0 ? CHUNK : length, CHUNK));
  const got = from.pipe.buffer.peek(bytes);
  if (got === 0 && from.pipe.writers === 0) return 0;
  const put = got === 0 ? WAIT : to.write(bytes.subarray(0, got));
  if (put !== WAIT) return put;
  return waits ? block(context, { keys: [from.key, to.key], progress: tee }) : -EAGAIN;
}

export const copySyscalls: readonly SyscallRow[] = [
  { nr: 40, name: 'sendfile', run: sendfile, ...sleeping },
  { nr: 275, name: 'splice', run: splice, ...sleeping },
  {
    nr: 276,
    name: 'tee',
    run: tee,
    resume: (context, { progress }) => teePipes(context, progress as Tee),
  },
  { nr: 326, name: 'copy_file_range', run: copyFileRange, ...sleeping },
];
