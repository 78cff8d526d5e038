/** Socket options (setsockopt(2), getsockopt(2)): which there are, what they begin as, and their packing. */
import { NS_PER_SECOND } from '../../../types.js';
import { EINVAL, ENOPROTOOPT, EOPNOTSUPP } from '../errno.js';
import { AF, IPPROTO, SO, SOCK, SOL_SOCKET } from './constants.js';

const MICROSECOND = 1000;

interface OptionRow {
  readonly level: number;
  readonly name: number;
  /** Value before it is set. */
  readonly initial: number;
  /** `flag`: any number but 0 is 1. `buffer`: stored doubled, as the kernel's bookkeeping takes half. */
  readonly kind: 'int' | 'flag' | 'buffer';
  /** Families and types that have it; undefined: all. */
  readonly only?: 'tcp' | 'inet' | 'inet6' | 'unix';
}

/** net.core.wmem_default, rmem_default. */
const BUFFER = 212_992;
const BUFFER_MAX = 2 * 212_992;
const BUFFER_MIN = 4608;

/** Remembered; those that change something are looked at where they do. */
const ROWS: readonly OptionRow[] = [
  { level: SOL_SOCKET, name: SO.DEBUG, initial: 0, kind: 'flag' },
  { level: SOL_SOCKET, name: SO.REUSEADDR, initial: 0, kind: 'flag' },
  { level: SOL_SOCKET, name: SO.DONTROUTE, initial: 0, kind: 'flag' },
  { level: SOL_SOCKET, name: SO.BROADCAST, initial: 0, kind: 'flag' },
  { level: SOL_SOCKET, name: SO.SNDBUF, initial: BUFFER, kind: 'buffer' },
  { level: SOL_SOCKET, name: SO.RCVBUF, initial: BUFFER, kind: 'buffer' },
  { level: SOL_SOCKET, name: SO.SNDBUFFORCE, initial: BUFFER, kind: 'buffer' },
  { level: SOL_SOCKET, name: SO.RCVBUFFORCE, initial: BUFFER, kind: 'buffer' },
  { level: SOL_SOCKET, name: SO.KEEPALIVE, initial: 0, kind: 'flag' },
  { level: SOL_SOCKET, name: SO.OOBINLINE, initial: 0, kind: 'flag' },
  { level: SOL_SOCKET, name: SO.NO_CHECK, initial: 0, kind: 'flag' },
  { level: SOL_SOCKET, name: SO.PRIORITY, initial: 0, kind: 'int' },
  { level: SOL_SOCKET, name: SO.REUSEPORT, initial: 0, kind: 'flag' },
  { level: SOL_SOCKET, name: SO.PASSCRED, initial: 0, kind: 'flag', only: 'unix' },
  { level: SOL_SOCKET, name: SO.PASSSEC, initial: 0, kind: 'flag', only: 'unix' },
  { level: SOL_SOCKET, name: SO.RCVLOWAT, initial: 1, kind: 'int' },
  { level: SOL_SOCKET, name: SO.TIMESTAMP, initial: 0, kind: 'flag' },
  { level: SOL_SOCKET, name: SO.TIMESTAMPNS, initial: 0, kind: 'flag' },
  { level: SOL_SOCKET, name: SO.BUSY_POLL, initial: 0, kind: 'int' },
  { level: IPPROTO.IP, name: 1, initial: 0, kind: 'int', only: 'inet' }, // IP_TOS
  { level: IPPROTO.IP, name: 2, initial: 64, kind: 'int', only: 'inet' }, // IP_TTL
  { level: IPPROTO.IP, name: 8, initial: 0, kind: 'flag', only: 'inet' }, // IP_PKTINFO
  { level: IPPROTO.IP, name: 10, initial: 1, kind: 'int', only: 'inet' }, // IP_MTU_DISCOVER
  { level: IPPROTO.IP, name: 11, initial: 0, kind: 'flag', only: 'inet' }, // IP_RECVERR
  { level: IPPROTO.IP, name: 15, initial: 0, kind: 'flag', only: 'inet' }, // IP_FREEBIND
  { level: IPPROTO.IP, name: 24, initial: 0, kind: 'flag', only: 'inet' }, // IP_BIND_ADDRESS_NO_PORT
  { level: IPPROTO.TCP, name: 1, initial: 0, kind: 'flag', only: 'tcp' }, // TCP_NODELAY
  { level: IPPROTO.TCP, name: 2, initial: 536, kind: 'int', only: 'tcp' }, // TCP_MAXSEG
  { level: IPPROTO.TCP, name: 3, initial: 0, kind: 'flag', only: 'tcp' }, // TCP_CORK
  { level: IPPROTO.TCP, name: 4, initial: 7200, kind: 'int', only: 'tcp' }, // TCP_KEEPIDLE
  { level: IPPROTO.TCP, name: 5, initial: 75, kind: 'int', only: 'tcp' }, // TCP_KEEPINTVL
  { level: IPPROTO.TCP, name: 6, initial: 9, kind: 'int', only: 'tcp' }, // TCP_KEEPCNT
  { level: IPPROTO.TCP, name: 7, initial: 6, kind: 'int', only: 'tcp' }, // TCP_SYNCNT
  { level: IPPROTO.TCP, name: 8, initial: 60, kind: 'int', only: 'tcp' }, // TCP_LINGER2
  { level: IPPROTO.TCP, name: 9, initial: 0, kind: 'int', only: 'tcp' }, // TCP_DEFER_ACCEPT
  { level: IPPROTO.TCP, name: 12, initial: 1, kind: 'flag', only: 'tcp' }, // TCP_QUICKACK
  { level: IPPROTO.TCP, name: 18, initial: 0, kind: 'int', only: 'tcp' }, // TCP_USER_TIMEOUT
  { level: IPPROTO.TCP, name: 23, initial: 0, kind: 'int', only: 'tcp' }, // TCP_FASTOPEN
  { level: IPPROTO.IPV6, name: 16, initial: 64, kind: 'int', only: 'inet6' }, // IPV6_UNICAST_HOPS
  { level: IPPROTO.IPV6, name: 25, initial: 0, kind: 'flag', only: 'inet6' }, // IPV6_RECVERR
  { level: IPPROTO.IPV6, name: 26, initial: 0, kind: 'flag', only: 'inet6' }, // IPV6_V6ONLY
  { level: IPPROTO.IPV6, name: 49, initial: 0, kind: 'flag', only: 'inet6' }, // IPV6_RECVPKTINFO
  { level: IPPROTO.IPV6, name: 67, initial: 0, kind: 'int', only: 'inet6' }, // IPV6_TCLASS
];

export class SocketOptions {
  private readonly values = new Map<string, number>();
  /** SO_RCVTIMEO, SO_SNDTIMEO in ns; undefined: none. */
  receiveTimeout: number | undefined;
  sendTimeout: number | undefined;
  /** SO_LINGER: seconds; undefined: off. */
  linger: number | undefined;

  constructor(
    private readonly domain: number,
    private readonly type: number,
    private readonly protocol: number,
  ) {}

  private find(level: number, name: number): OptionRow | undefined {
    return ROWS.find((row) => row.level === level && row.name === name && this.has(row));
  }

  private has({ only }: OptionRow): boolean {
    const inet = this.domain === AF.INET || this.domain === AF.INET6;
    switch (only) {
      case 'tcp':
        return inet && this.type === SOCK.STREAM;
      case 'inet':
        return inet;
      case 'inet6':
        return this.domain === AF.INET6;
      case 'unix':
        return this.domain === AF.UNIX;
      default:
        return true;
    }
  }

  /** The value of a number option. */
  number(level: number, name: number): number {
    const row = this.find(level, name);
    return this.values.get(`${level}/${name}`) ?? row?.initial ?? 0;
  }

  /** 0, -EINVAL for too few bytes, -ENOPROTOOPT. */
  set(level: number, name: number, bytes: Uint8Array): number {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    if (level === SOL_SOCKET && (name === SO.RCVTIMEO || name === SO.SNDTIMEO)) return this.setTimeLimit(name, view);
    if (level === SOL_SOCKET && name === SO.LINGER) return this.setLinger(view);
    const row = this.find(level, name);
    if (row === undefined) return this.unknown(level);
    if (bytes.length < 4 && !(level === IPPROTO.IP && bytes.length >= 1)) return -EINVAL;
    const value = bytes.length < 4 ? (bytes[0] as number) : view.getInt32(0, true);
    this.values.set(`${level}/${canonical(name, level)}`, stored(row, value));
    return 0;
  }

  private setTimeLimit(name: number, view: DataView): number {
    if (view.byteLength < 16) return -EINVAL;
    const ns = Number(view.getBigInt64(0, true)) * NS_PER_SECOND + Number(view.getBigInt64(8, true)) * MICROSECOND;
    const timeout = ns <= 0 ? undefined : ns;
    if (name === SO.RCVTIMEO) this.receiveTimeout = timeout;
    else this.sendTimeout = timeout;
    return 0;
  }

  private setLinger(view: DataView): number {
    if (view.byteLength < 8) return -EINVAL;
    this.linger = view.getInt32(0, true) === 0 ? undefined : view.getInt32(4, true);
    return 0;
  }

  /** UNIX sockets have no options of a protocol at all. */
  private unknown(level: number): number {
    return this.domain === AF.UNIX && level !== SOL_SOCKET ? -EOPNOTSUPP : -ENOPROTOOPT;
  }

  /** The option's bytes, or -errno. */
  get(level: number, name: number): Uint8Array | number {
    if (level === SOL_SOCKET) {
      const special = this.special(name);
      if (special !== undefined) return special;
    }
    const row = this.find(level, name);
    return row === undefined ? this.unknown(level) : int(this.number(level, name));
  }

  private special(name: number): Uint8Array | undefined {
    switch (name) {
      case SO.TYPE:
        return int(this.type);
      case SO.DOMAIN:
        return int(this.domain);
      case SO.PROTOCOL:
        return int(this.protocol);
      case SO.SNDLOWAT:
        return int(1);
      case SO.INCOMING_CPU:
        return int(0);
      case SO.LINGER:
        return new Uint8Array(Int32Array.of(this.linger === undefined ? 0 : 1, this.linger ?? 0).buffer);
      case SO.RCVTIMEO:
        return timeval(this.receiveTimeout ?? 0);
      case SO.SNDTIMEO:
        return timeval(this.sendTimeout ?? 0);
      default:
        return undefined;
    }
  }
}

/** The FORCE forms set the same buffer. */
function canonical(name: number, level: number): number {
  if (level !== SOL_SOCKET) return name;
  return name === SO.SNDBUFFORCE ? SO.SNDBUF : name === SO.RCVBUFFORCE ? SO.RCVBUF : name;
}

function stored({ kind }: OptionRow, value: number): number {
  if (kind === 'flag') return value === 0 ? 0 : 1;
  if (kind === 'buffer') return Math.max(BUFFER_MIN, Math.min(2 * value, BUFFER_MAX));
  return value;
}

export function int(value: number): Uint8Array {
  return new Uint8Array(Int32Array.of(value).buffer);
}

function timeval(ns: number): Uint8Array {
  const seconds = Math.floor(ns / NS_PER_SECOND);
  return new Uint8Array(
    BigInt64Array.of(BigInt(seconds), BigInt(Math.floor((ns % NS_PER_SECOND) / MICROSECOND))).buffer,
  );
}
