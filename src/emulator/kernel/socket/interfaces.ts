/** The network interfaces of a machine: what rtnetlink (netlink.ts) and the ioctls of netdevice(7) tell of them. */
import { word } from '../../bytes.js';
import type { HostInterface } from '../../host/sockets.js';
import type { Machine } from '../../machine.js';
import { EADDRNOTAVAIL, EFAULT, ENODEV, ENOTTY, EPERM } from '../errno.js';
import type { SyscallContext } from '../syscall-table.js';
import { AF } from './constants.js';

export interface InterfaceAddress {
  readonly family: number;
  readonly bytes: readonly number[];
  /** Bits that name the network. */
  readonly prefix: number;
}

export interface NetInterface {
  readonly index: number;
  readonly name: string;
  readonly isLoopback: boolean;
  /** IFF_*. */
  readonly flags: number;
  /** ARPHRD_*. */
  readonly hardware: number;
  readonly hardwareAddress: readonly number[];
  readonly mtu: number;
  readonly addresses: readonly InterfaceAddress[];
}

export const QUEUE_LENGTH = 1000;
const IFF = { UP: 1, BROADCAST: 2, LOOPBACK: 8, RUNNING: 0x40, MULTICAST: 0x1000, LOWER_UP: 0x1_0000 } as const;
const ON = IFF.UP | IFF.RUNNING | IFF.LOWER_UP;
const ARPHRD = { ETHER: 1, LOOPBACK: 772 } as const;

/** Without a network. */
const LOOPBACK: HostInterface = {
  name: 'lo',
  isLoopback: true,
  hardwareAddress: [0, 0, 0, 0, 0, 0],
  addresses: [{ bytes: Uint8Array.of(127, 0, 0, 1), prefix: 8 }],
};

/** The host's, whose sockets the machine has, numbered from 1; the loopback alone when it has none. */
export function interfacesOf({ host }: Machine): readonly NetInterface[] {
  const found = host.sockets?.interfaces() ?? [LOOPBACK];
  return found.map(({ name, isLoopback, hardwareAddress, addresses }, i) => ({
    index: i + 1,
    name,
    isLoopback,
    flags: ON | (isLoopback ? IFF.LOOPBACK : IFF.BROADCAST | IFF.MULTICAST),
    hardware: isLoopback ? ARPHRD.LOOPBACK : ARPHRD.ETHER,
    hardwareAddress,
    mtu: isLoopback ? 65_536 : 1500,
    addresses: addresses.map(({ bytes, prefix }) => ({
      family: bytes.length === 4 ? AF.INET : AF.INET6,
      bytes: [...bytes],
      prefix,
    })),
  }));
}

/** The bytes of an IPv4 network's mask. */
function maskOf(prefix: number): number[] {
  return [0, 8, 16, 24].map((bit) => (0xff00 >> Math.min(8, Math.max(0, prefix - bit))) & 0xff);
}

/** The broadcast address of an IPv4 address's network. */
export function broadcastOf({ bytes, prefix }: InterfaceAddress): number[] {
  const mask = maskOf(prefix);
  return bytes.map((byte, i) => byte | (~(mask[i] as number) & 0xff));
}

const NAME_BYTES = 16;
/** struct ifreq. */
const REQUEST_BYTES = 40;
const SIOCGIFNAME = 0x8910;
const SIOCGIFCONF = 0x8912;

/** struct sockaddr_in without a port. */
function inet(bytes: readonly number[]): number[] {
  return [AF.INET, 0, 0, 0, ...bytes];
}

function half(value: number): Uint8Array {
  return word(value).slice(0, 2);
}

/** What each request puts behind the name. */
const ANSWERS: ReadonlyMap<number, (of: NetInterface) => ArrayLike<number>> = new Map([
  [0x8913, ({ flags }: NetInterface) => half(flags & 0xffff)], // SIOCGIFFLAGS
  [0x891d, () => word(0)], // SIOCGIFMETRIC
  [0x8921, ({ mtu }) => word(mtu)], // SIOCGIFMTU
  [0x8927, ({ hardware, hardwareAddress }) => Uint8Array.of(...half(hardware), ...hardwareAddress)], // SIOCGIFHWADDR
  [0x8933, ({ index }) => word(index)], // SIOCGIFINDEX
  [0x8942, () => word(QUEUE_LENGTH)], // SIOCGIFTXQLEN
]);
/** The same of its IPv4 address: sockets of that family alone. */
const ADDRESS_ANSWERS: ReadonlyMap<number, (of: InterfaceAddress, isLoopback: boolean) => readonly number[]> = new Map([
  [0x8915, ({ bytes }: InterfaceAddress) => inet(bytes)], // SIOCGIFADDR
  [0x8917, ({ bytes }) => inet(bytes)], // SIOCGIFDSTADDR
  [0x8919, (of, isLoopback) => inet(isLoopback ? [0, 0, 0, 0] : broadcastOf(of))], // SIOCGIFBRDADDR
  [0x891b, ({ prefix }) => inet(maskOf(prefix))], // SIOCGIFNETMASK
] as [number, (of: InterfaceAddress, isLoopback: boolean) => readonly number[]][]);
/** SIOCSIFFLAGS, SIOCSIFADDR, SIOCSIFNETMASK, SIOCSIFMTU and their kin. */
const CHANGES: ReadonlySet<number> = new Set([
  0x8914, 0x8916, 0x8918, 0x891a, 0x891c, 0x891e, 0x8922, 0x8923, 0x8924, 0x8943,
]);

/** `domain`: of the socket that is asked. undefined: no request about interfaces. */
export function interfaceIoctl(
  context: SyscallContext,
  request: number,
  at: number,
  domain: number,
): number | undefined {
  const { machine, memory } = context;
  if (request === SIOCGIFCONF) return listInterfaces(context, at);
  const answers = ANSWERS.has(request) || ADDRESS_ANSWERS.has(request);
  if (!answers && request !== SIOCGIFNAME && !CHANGES.has(request)) return undefined;
  if (ADDRESS_ANSWERS.has(request) && domain !== AF.INET) return -ENOTTY;
  const bytes = memory.readBytes(at, REQUEST_BYTES);
  if (bytes === undefined) return -EFAULT;
  const all = interfacesOf(machine);
  if (request === SIOCGIFNAME) {
    const index = new DataView(bytes.buffer, bytes.byteOffset).getInt32(NAME_BYTES, true);
    const found = all.find((each) => each.index === index);
    return found === undefined ? -ENODEV : put(context, at, nameBytes(found));
  }
  const [name] = String.fromCharCode(...bytes.subarray(0, NAME_BYTES)).split('\0');
  const found = all.find((each) => each.name === name);
  if (found === undefined) return -ENODEV;
  if (!answers) return -EPERM;
  const answer = ANSWERS.get(request)?.(found) ?? addressAnswer(found, request);
  return typeof answer === 'number' ? answer : put(context, at + NAME_BYTES, Uint8Array.from(answer));
}

function addressAnswer(of: NetInterface, request: number): readonly number[] | number {
  const address = of.addresses.find(({ family }) => family === AF.INET);
  if (address === undefined) return -EADDRNOTAVAIL;
  return ADDRESS_ANSWERS.get(request)?.(address, of.isLoopback) ?? -ENOTTY;
}

function nameBytes({ name }: NetInterface): Uint8Array {
  const bytes = new Uint8Array(NAME_BYTES);
  bytes.set([...name].slice(0, NAME_BYTES - 1).map((letter) => letter.charCodeAt(0)));
  return bytes;
}

function put({ memory }: SyscallContext, at: number, bytes: Uint8Array): number {
  return memory.writeBytes(at, bytes) ? 0 : -EFAULT;
}

/** struct ifconf: a length, and where the list of the IPv4 addresses goes, as many as fit; nowhere asks for the length. */
function listInterfaces({ machine, memory }: SyscallContext, at: number): number {
  const room = memory.readU32(at);
  const list = memory.readU64(at + 8);
  if (room === undefined || list === undefined) return -EFAULT;
  const entries = interfacesOf(machine).flatMap((each) =>
    each.addresses.filter(({ family }) => family === AF.INET).map((address) => listEntry(each, address)),
  );
  const told = list === 0 ? entries : entries.slice(0, Math.max(0, Math.floor((room | 0) / REQUEST_BYTES)));
  if (list !== 0 && !told.every((entry, i) => memory.writeBytes(list + REQUEST_BYTES * i, entry))) return -EFAULT;
  return memory.writeU32(at, REQUEST_BYTES * told.length) ? 0 : -EFAULT;
}

function listEntry(of: NetInterface, { bytes }: InterfaceAddress): Uint8Array {
  const entry = new Uint8Array(REQUEST_BYTES);
  entry.set(nameBytes(of));
  entry.set(inet(bytes), NAME_BYTES);
  return entry;
}
