/** The socket families that there are, and which types each has. */
import { EACCES, EPERM, EPROTONOSUPPORT, ESOCKTNOSUPPORT } from '../errno.js';
import type { SyscallContext } from '../syscall-table.js';
import { AF, IPPROTO, SOCK } from './constants.js';
import type { InetDomain } from './inet-address.js';
import { InetDatagram } from './inet-datagram.js';
import { InetStream } from './inet-stream.js';
import { NetlinkSocket } from './netlink.js';
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

/** Without a network nobody may have such a socket; raw ones take privileges that the server does not have. */
function inet(domain: InetDomain): Family {
  return {
    create({ machine }, type, protocol, flags) {
      if (machine.host.sockets === undefined) return -EACCES;
      if (type === SOCK.STREAM) {
        return protocol === 0 || protocol === IPPROTO.TCP ? new InetStream(machine, flags, domain) : -EPROTONOSUPPORT;
      }
      if (type === SOCK.DGRAM) {
        return protocol === 0 || protocol === IPPROTO.UDP ? new InetDatagram(machine, flags, domain) : -EPROTONOSUPPORT;
      }
      return type === SOCK.RAW ? -EPERM : -ESOCKTNOSUPPORT;
    },
  };
}

const NETLINK_ROUTE = 0;

const netlink: Family = {
  create({ machine }, type, protocol, flags) {
    if (type !== SOCK.RAW && type !== SOCK.DGRAM) return -ESOCKTNOSUPPORT;
    return protocol === NETLINK_ROUTE ? new NetlinkSocket(machine, flags, type, protocol) : -EPROTONOSUPPORT;
  },
};

export const FAMILIES: ReadonlyMap<number, Family> = new Map([
  [AF.UNIX, unix],
  [AF.INET, inet(AF.INET)],
  [AF.INET6, inet(AF.INET6)],
  [AF.NETLINK, netlink],
]);
