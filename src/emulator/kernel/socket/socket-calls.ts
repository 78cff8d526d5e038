/** socket(2) and what makes, names and ends connections (net/socket.c). */
import type { Limit } from '../../process.js';
import { EAFNOSUPPORT, EAGAIN, EFAULT, EINPROGRESS, EINVAL, EMFILE, EOPNOTSUPP } from '../errno.js';
import { filesOf, install } from '../file/file-table.js';
import { O, WAIT } from '../file/open-file.js';
import { installPair } from '../file/pipe.js';
import { RLIMIT } from '../limits.js';
import type { SyscallContext, SyscallRow } from '../syscall-table.js';
import { ucred } from './ancillary.js';
import { AF, SHUT, SO, SOCK, SOL_SOCKET } from './constants.js';
import { FAMILIES, type Family } from './families.js';
import { int } from './options.js';
import type { Socket } from './socket.js';
import { readAddress, type SocketWait, socketAt, socketRow, writeAddress } from './socket-row.js';

interface Wanted {
  readonly family: Family;
  readonly type: number;
  readonly protocol: number;
  readonly nonBlocking: number;
  readonly closeOnExec: boolean;
}

function wanted({ args }: SyscallContext): Wanted | number {
  const [domain, typeAndFlags, protocol] = args.map((arg) => arg | 0) as [number, number, number];
  const flags = typeAndFlags & ~SOCK.TYPE_MASK;
  if (flags & ~(SOCK.NONBLOCK | SOCK.CLOEXEC)) return -EINVAL;
  const family = FAMILIES.get(domain);
  if (family === undefined) return -EAFNOSUPPORT;
  const type = typeAndFlags & SOCK.TYPE_MASK;
  return { family, type, protocol, nonBlocking: flags & O.NONBLOCK, closeOnExec: (flags & SOCK.CLOEXEC) !== 0 };
}

function socket(context: SyscallContext): number {
  const want = wanted(context);
  if (typeof want === 'number') return want;
  const made = want.family.create(context, want.type, want.protocol, want.nonBlocking);
  return typeof made === 'number' ? made : install(context.process, made, want.closeOnExec);
}

function socketpair(context: SyscallContext): number {
  const want = wanted(context);
  if (typeof want === 'number') return want;
  const pair = want.family.pair?.(context, want.type, want.protocol, want.nonBlocking) ?? -EOPNOTSUPP;
  return typeof pair === 'number' ? pair : installPair(context, pair, context.args[3] as number, want.closeOnExec);
}

const never = (): boolean => false;
const ownKey = (_context: SyscallContext, { key }: Socket): readonly number[] => [key];

/** One try of a call that needs the address in the second and third argument. */
function withAddress(
  context: SyscallContext,
  wait: SocketWait,
  call: (address: Uint8Array) => number | typeof WAIT,
): number | SocketWait {
  const address = readAddress(context, context.args[1] as number, context.args[2] as number);
  if (typeof address === 'number') return address;
  const result = call(address);
  return result === WAIT ? { ...wait, done: 0 } : result;
}

const bindRow = socketRow(49, 'bind', {
  direction: 'write',
  step: (context, wait) => withAddress(context, wait, (address) => wait.socket.bind(context, address)),
  keys: ownKey,
  dontWait: never,
  always: () => true,
});

interface ConnectWait extends SocketWait {
  readonly begun?: true;
}

const connectRow = socketRow(42, 'connect', {
  direction: 'write',
  step(context, wait: ConnectWait) {
    const { socket } = wait;
    const outcome = withAddress(context, wait, (address) =>
      wait.begun ? socket.resumeConnect(context, address) : socket.connect(context, address),
    );
    return typeof outcome === 'number' ? outcome : ({ ...outcome, begun: true } satisfies ConnectWait);
  },
  keys: (_context, socket) => socket.connectKeys(),
  dontWait: never,
  wouldBlock: ({ domain }) => (domain === AF.UNIX ? -EAGAIN : -EINPROGRESS),
  always: ({ domain, type }) => domain !== AF.UNIX && type === SOCK.DGRAM,
});

const listenRow = socketRow(50, 'listen', {
  direction: 'read',
  step(context, wait) {
    const result = wait.socket.listen(context, (context.args[1] as number) | 0);
    return result === WAIT ? wait : result;
  },
  keys: ownKey,
  dontWait: never,
  always: () => true,
});

function acceptOne(context: SyscallContext, wait: SocketWait, flags: number): number | SocketWait {
  const { process, args } = context;
  if (flags & ~(SOCK.NONBLOCK | SOCK.CLOEXEC)) return -EINVAL;
  const limit = process.limits[RLIMIT.NOFILE] as Limit;
  if (filesOf(process).numbers().length >= limit.soft) return -EMFILE;
  const served = wait.socket.accept(context, flags & O.NONBLOCK);
  if (served === WAIT) return wait;
  if (typeof served === 'number') return served;
  const [, at, lengthAt] = args as [number, number, number];
  if (at !== 0) {
    const peer = served.peerName();
    const told = writeAddress(context, typeof peer === 'number' ? new Uint8Array() : peer, at, lengthAt);
    if (told < 0) {
      served.release();
      return told;
    }
  }
  return install(process, served, (flags & SOCK.CLOEXEC) !== 0);
}

function acceptRow(nr: number, name: string, flags: (context: SyscallContext) => number): SyscallRow {
  return socketRow(nr, name, {
    direction: 'read',
    step: (context, wait) => acceptOne(context, wait, flags(context)),
    keys: ownKey,
    dontWait: never,
  });
}

function shutdown(context: SyscallContext): number {
  const found = socketAt(context);
  if (typeof found === 'number') return found;
  const how = (context.args[1] as number) | 0;
  if (how < 0 || how >= SHUT.BOTH) return -EINVAL;
  return found.shutdown(how + 1);
}

function tellName(context: SyscallContext, name: (socket: Socket) => Uint8Array | number): number {
  const found = socketAt(context);
  if (typeof found === 'number') return found;
  const address = name(found);
  if (typeof address === 'number') return address;
  return writeAddress(context, address, context.args[1] as number, context.args[2] as number);
}

/** More than any option here takes. */
const OPTION_MAX = 256;

function setsockopt(context: SyscallContext): number {
  const found = socketAt(context);
  if (typeof found === 'number') return found;
  const [, level, name, at, length] = context.args.map((arg) => arg | 0) as [number, number, number, number, number];
  if (length < 0) return -EINVAL;
  const bytes = context.memory.readBytes(context.args[3] as number, Math.min(length, OPTION_MAX));
  if (bytes === undefined) return at === 0 && length === 0 ? -EINVAL : -EFAULT;
  const result = found.options.set(level, name, bytes);
  if (result === 0) found.optionChanged(level, name);
  return result;
}

function getsockopt(context: SyscallContext): number {
  const { memory, args } = context;
  const found = socketAt(context);
  if (typeof found === 'number') return found;
  const [, level, name, at, lengthAt] = args as [number, number, number, number, number];
  const room = memory.readU32(lengthAt);
  if (room === undefined) return -EFAULT;
  if ((room | 0) < 0) return -EINVAL;
  const bytes = stateOption(found, level | 0, name | 0) ?? found.options.get(level | 0, name | 0);
  if (typeof bytes === 'number') return bytes;
  const part = bytes.subarray(0, room);
  return memory.writeBytes(at, part) && memory.writeU32(lengthAt, part.length) ? 0 : -EFAULT;
}

/** Nobody: SO_PEERCRED of a socket that has no peer. */
const NOBODY = { pid: 0, uid: 0xffff_ffff, gid: 0xffff_ffff };

/** What is the socket's state and cannot be set. */
function stateOption(socket: Socket, level: number, name: number): Uint8Array | undefined {
  if (level !== SOL_SOCKET) return undefined;
  if (name === SO.ERROR) return int(-socket.takeError());
  if (name === SO.ACCEPTCONN) return int(socket.isListening ? 1 : 0);
  if (name === SO.PEERCRED) return ucred(socket.peerCredentials ?? NOBODY);
  return undefined;
}

export const socketCalls: readonly SyscallRow[] = [
  { nr: 41, name: 'socket', run: socket },
  connectRow,
  acceptRow(43, 'accept', () => 0),
  { nr: 48, name: 'shutdown', run: shutdown },
  bindRow,
  listenRow,
  { nr: 51, name: 'getsockname', run: (context) => tellName(context, (found) => found.localName()) },
  { nr: 52, name: 'getpeername', run: (context) => tellName(context, (found) => found.peerName()) },
  { nr: 53, name: 'socketpair', run: socketpair },
  { nr: 54, name: 'setsockopt', run: setsockopt },
  { nr: 55, name: 'getsockopt', run: getsockopt },
  acceptRow(288, 'accept4', ({ args }) => (args[3] as number) | 0),
];
