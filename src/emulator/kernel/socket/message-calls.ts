/** Sending and receiving: sendto(2), recvfrom(2), sendmsg(2), recvmsg(2) and the forms for several messages (net/socket.c). */
import { SIGNAL } from '../../signals.js';
import { EFAULT, EINVAL, EMSGSIZE, EPIPE } from '../errno.js';
import { WAIT } from '../file/open-file.js';
import { raise } from '../file/transfer.js';
import { UserBuffer } from '../file/user-buffer.js';
import type { SyscallContext, SyscallRow } from '../syscall-table.js';
import { type Ancillary, packControl, parseControl, releaseFiles } from './ancillary.js';
import { AF, MSG, SO, SOL_SOCKET } from './constants.js';
import type { Incoming, Socket } from './socket.js';
import { readAddress, type SocketForm, type SocketWait, socketRow, writeAddress } from './socket-row.js';

/** One piece of a stream that goes through an intermediate buffer, and more than any message has. */
const CHUNK = 1 << 20;
/** sizeof(struct msghdr), sizeof(struct mmsghdr). */
const MSGHDR = 56;
const MMSGHDR = 64;
const CONTROL_MAX = 1 << 16;
const IOV_MAX = 1024;

/** Where a message's parts lie in the guest: struct msghdr. */
interface Header {
  readonly at: number;
  readonly name: number;
  readonly nameLength: number;
  readonly buffer: UserBuffer;
  readonly control: number;
  readonly controlLength: number;
}

function readHeader(context: SyscallContext, at: number): Header | number {
  const bytes = context.memory.readBytes(at, MSGHDR);
  if (bytes === undefined) return -EFAULT;
  const view = new DataView(bytes.buffer, bytes.byteOffset, MSGHDR);
  const word = (offset: number): number => Number(view.getBigUint64(offset, true));
  const nameLength = view.getInt32(8, true);
  if (nameLength < 0) return -EINVAL;
  if (word(24) > IOV_MAX) return -EMSGSIZE;
  const buffer = UserBuffer.vector(context, word(16), word(24));
  if (typeof buffer === 'number') return buffer;
  return { at, name: word(0), nameLength, buffer, control: word(32), controlLength: word(40) };
}

/** The message's receiver; undefined: the peer. */
function receiverOf(context: SyscallContext, at: number, length: number): Uint8Array | number | undefined {
  return at === 0 ? undefined : readAddress(context, at, length);
}

/** Sends everything that is left, or as much as goes without sleeping. */
function sendRest(
  context: SyscallContext,
  wait: SocketWait,
  buffer: UserBuffer,
  to: Uint8Array | undefined,
  flags: number,
): number | SocketWait {
  const { socket } = wait;
  let { done, ancillary } = wait;
  for (;;) {
    const chunk = new Uint8Array(Math.min(buffer.length - done, CHUNK));
    const result =
      buffer.read(done, chunk) < chunk.length ? -EFAULT : socket.send(chunk, { to, ancillary, flags }, context);
    if (result === WAIT) return ancillary === undefined ? { socket, done } : { socket, done, ancillary };
    if (result < 0) {
      if (ancillary !== undefined) releaseFiles(ancillary);
      if (result === -EPIPE && done === 0 && !(flags & MSG.NOSIGNAL)) raise(context, SIGNAL.PIPE);
      return done > 0 ? done : result;
    }
    ancillary = undefined;
    done += result;
    if (done >= buffer.length || socket.keepsBorders || result === 0) return done;
  }
}

const dontWaitBy =
  (index: number) =>
  ({ args }: SyscallContext): boolean =>
    ((args[index] as number) & MSG.DONTWAIT) !== 0;

/** What a send sleeps on depends on where it goes. */
const sendKeys = (_context: SyscallContext, socket: Socket): readonly number[] => socket.sendKeys(undefined);

const sendto: SocketForm = {
  direction: 'write',
  step(context, wait) {
    const [, at, length, flags, name, nameLength] = context.args as [number, number, number, number, number, number];
    const buffer = UserBuffer.single(context.memory, at, length);
    if (typeof buffer === 'number') return buffer;
    const to = receiverOf(context, name, nameLength);
    return typeof to === 'number' ? to : sendRest(context, wait, buffer, to, flags | 0);
  },
  keys: sendKeys,
  dontWait: dontWaitBy(3),
};

function sendMessage(context: SyscallContext, wait: SocketWait, at: number, flags: number): number | SocketWait {
  const header = readHeader(context, at);
  if (typeof header === 'number') return header;
  const to = receiverOf(context, header.name, header.nameLength);
  if (typeof to === 'number') return to;
  const ancillary = wait.ancillary ?? (wait.done === 0 ? readControl(context, wait.socket, header) : undefined);
  if (typeof ancillary === 'number') return ancillary;
  const next = ancillary === undefined ? wait : { ...wait, ancillary };
  return sendRest(context, next, header.buffer, header.nameLength === 0 ? undefined : to, flags);
}

function readControl(context: SyscallContext, socket: Socket, header: Header): Ancillary | number | undefined {
  const { control, controlLength } = header;
  if (control === 0 || controlLength === 0 || socket.domain !== AF.UNIX) return undefined;
  if (controlLength > CONTROL_MAX) return -EINVAL;
  const bytes = context.memory.readBytes(control, controlLength);
  return bytes === undefined ? -EFAULT : parseControl(context, bytes);
}

/** Receives once, or until the buffer is full (MSG_WAITALL on a stream). */
function receiveInto(
  context: SyscallContext,
  wait: SocketWait,
  buffer: UserBuffer,
  flags: number,
  tell: (incoming: Incoming) => number,
): number | SocketWait {
  const { socket } = wait;
  const all = (flags & MSG.WAITALL) !== 0 && !socket.keepsBorders && !(flags & MSG.PEEK);
  let { done } = wait;
  for (;;) {
    const chunk = new Uint8Array(Math.min(buffer.length - done, CHUNK));
    const got = socket.receive(chunk, flags, context);
    if (got === WAIT) return done > 0 && !all ? done : { socket, done };
    if (typeof got === 'number') return done > 0 ? done : got;
    const told = buffer.write(done, chunk.subarray(0, got.length)) < got.length ? -EFAULT : tell(got);
    if (told < 0) return told;
    done += got.length;
    if (socket.keepsBorders && flags & MSG.TRUNC) return got.full;
    if (!all || got.length === 0 || done === buffer.length) return done;
  }
}

const receiveKeys = (_context: SyscallContext, { key }: Socket): readonly number[] => [key];

const recvfrom: SocketForm = {
  direction: 'read',
  step(context, wait) {
    const [, at, length, flags, name, nameLength] = context.args as [number, number, number, number, number, number];
    const buffer = UserBuffer.single(context.memory, at, length);
    if (typeof buffer === 'number') return buffer;
    return receiveInto(context, wait, buffer, flags | 0, ({ from, ancillary }) => {
      if (ancillary !== undefined) releaseFiles(ancillary);
      return name === 0 ? 0 : writeAddress(context, from ?? new Uint8Array(), name, nameLength);
    });
  },
  keys: receiveKeys,
  dontWait: dontWaitBy(3),
};

function receiveMessage(context: SyscallContext, wait: SocketWait, at: number, flags: number): number | SocketWait {
  const header = readHeader(context, at);
  if (typeof header === 'number') return header;
  return receiveInto(context, wait, header.buffer, flags, (incoming) =>
    tellHeader(context, wait.socket, header, incoming, flags),
  );
}

/** Fills in the rest of struct msghdr: name, control data, flags. */
function tellHeader(
  context: SyscallContext,
  socket: Socket,
  header: Header,
  incoming: Incoming,
  flags: number,
): number {
  const { memory } = context;
  const { at } = header;
  let outFlags = incoming.flags | (flags & MSG.CMSG_CLOEXEC);
  if (header.name !== 0) {
    const told = writeAddress(context, incoming.from ?? new Uint8Array(), header.name, at + 8);
    if (told < 0) return told;
  }
  let used = 0;
  if (incoming.ancillary !== undefined) {
    const room = header.control === 0 ? 0 : Math.min(header.controlLength, CONTROL_MAX);
    const wants = {
      credentials: socket.options.number(SOL_SOCKET, SO.PASSCRED) !== 0,
      closeOnExec: (flags & MSG.CMSG_CLOEXEC) !== 0,
    };
    const packed = packControl(context, incoming.ancillary, room, wants);
    if (packed.truncated) outFlags |= MSG.CTRUNC;
    if (!memory.writeBytes(header.control, packed.bytes) && packed.bytes.length > 0) return -EFAULT;
    used = packed.bytes.length;
  }
  return memory.writeU64(at + 40, used) && memory.writeU32(at + 48, outFlags) ? 0 : -EFAULT;
}

/** Several messages: struct mmsghdr is a struct msghdr and the length. */
function severalForm(
  direction: 'read' | 'write',
  one: (context: SyscallContext, wait: SocketWait, at: number, flags: number) => number | SocketWait,
): SocketForm {
  return {
    direction,
    step(context, wait) {
      const [, vector, countArgument, flags] = context.args as [number, number, number, number];
      const { socket } = wait;
      const count = Math.min(countArgument >>> 0, IOV_MAX);
      let { done } = wait;
      for (; done < count; done++) {
        const at = vector + MMSGHDR * done;
        const result = one(context, { socket, done: 0 }, at, flags | 0);
        if (typeof result === 'object') {
          if (result.ancillary !== undefined) releaseFiles(result.ancillary);
          return done > 0 && (direction === 'write' || flags & MSG.WAITFORONE) ? done : { socket, done };
        }
        if (result < 0) return done > 0 ? done : result;
        if (!context.memory.writeU32(at + MSGHDR, result)) return done > 0 ? done : -EFAULT;
      }
      return done;
    },
    keys: direction === 'read' ? receiveKeys : sendKeys,
    dontWait: dontWaitBy(3),
  };
}

export const messageCalls: readonly SyscallRow[] = [
  socketRow(44, 'sendto', sendto),
  socketRow(45, 'recvfrom', recvfrom),
  socketRow(46, 'sendmsg', {
    direction: 'write',
    step: (context, wait) => sendMessage(context, wait, context.args[1] as number, (context.args[2] as number) | 0),
    keys: sendKeys,
    dontWait: dontWaitBy(2),
  }),
  socketRow(47, 'recvmsg', {
    direction: 'read',
    step: (context, wait) => receiveMessage(context, wait, context.args[1] as number, (context.args[2] as number) | 0),
    keys: receiveKeys,
    dontWait: dontWaitBy(2),
  }),
  socketRow(299, 'recvmmsg', severalForm('read', receiveMessage)),
  socketRow(307, 'sendmmsg', severalForm('write', sendMessage)),
];
