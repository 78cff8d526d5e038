/** How the rows of socket calls find their socket, read and write addresses, and sleep. */
import { EAGAIN, EBADF, EFAULT, EINTR, EINVAL, ENOTSOCK, ERESTARTSYS } from '../errno.js';
import { fileAt } from '../file/descriptors.js';
import { block, type SyscallContext, type SyscallResult, type SyscallRow } from '../syscall-table.js';
import type { Blocked, WaitKey } from '../wait.js';
import { type Ancillary, releaseFiles } from './ancillary.js';
import { Socket } from './socket.js';

/** sizeof(struct sockaddr_storage). */
const ADDRESS_MAX = 128;

export function socketAt(context: SyscallContext): Socket | number {
  const file = fileAt(context);
  if (file === undefined) return -EBADF;
  return file instanceof Socket ? file : -ENOTSOCK;
}

export function readAddress({ memory }: SyscallContext, at: number, length: number): Uint8Array | number {
  if ((length | 0) < 0 || (length | 0) > ADDRESS_MAX) return -EINVAL;
  return memory.readBytes(at, length | 0) ?? -EFAULT;
}

/** Writes as much of the address as there is room for, and how long it is (move_addr_to_user). 0, -EFAULT, -EINVAL. */
export function writeAddress({ memory }: SyscallContext, address: Uint8Array, at: number, lengthAt: number): number {
  const room = memory.readU32(lengthAt);
  if (room === undefined) return -EFAULT;
  if ((room | 0) < 0) return -EINVAL;
  const written = memory.writeBytes(at, address.subarray(0, room)) && memory.writeU32(lengthAt, address.length);
  return written ? 0 : -EFAULT;
}

/** What a call on a socket keeps while it sleeps. The record holds a reference to the socket. */
export interface SocketWait {
  readonly socket: Socket;
  /** Bytes or messages that were moved before. */
  readonly done: number;
  /** Virtual CLOCK_MONOTONIC, ns: the end by SO_RCVTIMEO or SO_SNDTIMEO. */
  readonly until?: number;
  /** Of a message that is still to be sent. */
  readonly ancillary?: Ancillary;
}

export interface SocketForm {
  readonly direction: 'read' | 'write';
  /** One try: the result, or what to sleep with. */
  step(context: SyscallContext, wait: SocketWait): number | SocketWait;
  keys(context: SyscallContext, socket: Socket): readonly WaitKey[];
  /** MSG_DONTWAIT and the like. */
  dontWait(context: SyscallContext): boolean;
  /** Sleeps whatever the socket says, because it takes no time in Linux: bind, listen, connect of datagrams. */
  always?(socket: Socket): boolean;
  /** What a socket that must not sleep answers: -EAGAIN. */
  wouldBlock?(socket: Socket): number;
}

/** A row whose call may sleep. Interrupted by a handler it is restarted, unless a time limit was set (sock_intr_errno). */
export function socketRow(nr: number, name: string, form: SocketForm): SyscallRow {
  return {
    nr,
    name,
    run(context) {
      const socket = socketAt(context);
      if (typeof socket === 'number') return socket;
      const result = proceed(context, form, { socket, done: 0 });
      if (typeof result === 'object') socket.retain();
      return result;
    },
    resume(context, { progress }) {
      const result = proceed(context, form, progress as SocketWait);
      if (typeof result !== 'object') (progress as SocketWait).socket.release();
      return result;
    },
    interrupt(_context, { progress }) {
      const { done, until } = progress as SocketWait;
      if (done > 0) return done;
      return until === undefined ? -ERESTARTSYS : -EINTR;
    },
    abandon(_context, { progress }: Blocked) {
      const { socket, ancillary } = progress as SocketWait;
      if (ancillary !== undefined) releaseFiles(ancillary);
      socket.release();
    },
  };
}

function proceed(context: SyscallContext, form: SocketForm, wait: SocketWait): SyscallResult {
  const outcome = form.step(context, wait);
  if (typeof outcome === 'number') return outcome;
  const { socket, done, ancillary } = outcome;
  const now = context.machine.clock.monotonic;
  const span = socket.timeout(form.direction);
  const until = wait.until ?? (span === undefined ? undefined : now + span);
  const always = form.always?.(socket) === true;
  const mustNot = !always && (socket.nonBlocking || form.dontWait(context));
  if (mustNot || (!always && until !== undefined && until <= now)) {
    if (ancillary !== undefined) releaseFiles(ancillary);
    return done > 0 ? done : (form.wouldBlock?.(socket) ?? -EAGAIN);
  }
  const progress = until === undefined ? outcome : { ...outcome, until };
  return block(context, { keys: form.keys(context, socket), deadline: until, progress });
}
