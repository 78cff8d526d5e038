/** Numbers of the socket calls (linux/socket.h, asm-generic/socket.h). */

export const AF = { UNSPEC: 0, UNIX: 1, INET: 2, INET6: 10, NETLINK: 16 } as const;
export const SOCK = {
  STREAM: 1,
  DGRAM: 2,
  RAW: 3,
  SEQPACKET: 5,
  NONBLOCK: 0o4000,
  CLOEXEC: 0o2000000,
  TYPE_MASK: 0xf,
} as const;
export const SHUT = { READ: 1, WRITE: 2, BOTH: 3 } as const;
export const MSG = {
  OOB: 1, PEEK: 2, CTRUNC: 8, TRUNC: 0x20, DONTWAIT: 0x40, EOR: 0x80, WAITALL: 0x100, ERRQUEUE: 0x2000, NOSIGNAL: 0x4000, WAITFORONE: 0x1_0000,
  CMSG_CLOEXEC: 0x4000_0000,
} as const; // biome-ignore format: a table
export const SOL_SOCKET = 1;
export const SO = {
  DEBUG: 1, REUSEADDR: 2, TYPE: 3, ERROR: 4, DONTROUTE: 5, BROADCAST: 6, SNDBUF: 7, RCVBUF: 8, KEEPALIVE: 9, OOBINLINE: 10, NO_CHECK: 11, PRIORITY: 12, LINGER: 13,
  REUSEPORT: 15, PASSCRED: 16, PEERCRED: 17, RCVLOWAT: 18, SNDLOWAT: 19, RCVTIMEO: 20, SNDTIMEO: 21, TIMESTAMP: 29, ACCEPTCONN: 30, SNDBUFFORCE: 32,
  RCVBUFFORCE: 33, PASSSEC: 34, TIMESTAMPNS: 35, PROTOCOL: 38, DOMAIN: 39, BUSY_POLL: 46, INCOMING_CPU: 49, COOKIE: 57, PEERGROUPS: 59,
} as const; // biome-ignore format: a table
export const IPPROTO = { IP: 0, TCP: 6, UDP: 17, IPV6: 41 } as const;
