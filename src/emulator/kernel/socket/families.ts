/** The socket families that there are, and which types each has. */
import { EPROTONOSUPPORT, ESOCKTNOSUPPORT } from '../errno.js';
import type { SyscallContext } from '../syscall-table.js';
import { AF, SOCK } from './constants.js';
import type { Socket } from './socket.js';
import { UnixDatagram } from './unix-datagram.js';
import { UnixStream } from './unix-stream.js';

export interface Family {
  /** A new socket, or why there is none of this type. `flags`: O_NONBLOCK or 0. */
  create(context: SyscallContext, type: number, protocol: number, flags: number): Socket | number;
  pair?(context: SyscallContext, type: number, protocol: number, flags: number): [Socket, Socket] | number;
}

/** SOCK_RAW is another word for SOCK_DGRAM. */
const unix: Family = {
  create({ machine }, type, protocol, flags) {
    if (protocol !== 0 && protocol !== AF.UNIX) return -EPROTONOSUPPORT;
    if (type === SOCK.DGRAM || type === SOCK.RAW) return new UnixDatagram(machine, flags);
    return type === SOCK.STREAM || type === SOCK.SEQPACKET ? new UnixStream(machine, flags, type) : -ESOCKTNOSUPPORT;
  },
  pair(context, type, protocol, flags) {
    if (protocol !== 0 && protocol !== AF.UNIX) return -EPROTONOSUPPORT;
    if (type === SOCK.DGRAM || type === SOCK.RAW) return UnixDatagram.pair(context, flags);
    return type === SOCK.STREAM || type === SOCK.SEQPACKET ? UnixStream.pair(context, flags, type) : -ESOCKTNOSUPPORT;
  },
};

export const FAMILIES: ReadonlyMap<number, Family> = new Map([[AF.UNIX, unix]]);
