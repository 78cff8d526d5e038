/** What rtnetlink(7) answers: lists of the machine's interfaces and addresses. There are no routes, neighbours or rules to be told, and nothing can be changed. */
import { joined, word } from '../../bytes.js';
import { EINVAL, ENODEV, EOPNOTSUPP, EPERM } from '../errno.js';
import { AF } from './constants.js';
import { broadcastOf, type InterfaceAddress, type NetInterface, QUEUE_LENGTH } from './interfaces.js';

const HEADER_BYTES = 16;
const TYPE = { ERROR: 2, DONE: 3, NEWLINK: 16, GETLINK: 18, NEWADDR: 20, GETADDR: 22 } as const;
const FLAG = { REQUEST: 1, MULTI: 2, ACK: 4, DUMP: 0x300 } as const;
/** Types below are netlink's own; from here on each kind has four: new, delete, get, set. */
const FIRST_TYPE = 16;
const GET = 2;
const AF_PACKET = 17;
const PERMANENT = 0x80;
const SCOPE = { UNIVERSE: 0, LINK: 253, HOST: 254 } as const;
const IFLA = { ADDRESS: 1, BROADCAST: 2, IFNAME: 3, MTU: 4, QDISC: 6, STATS: 7, TXQLEN: 13, OPERSTATE: 16, LINKMODE: 17, GROUP: 27, PROMISCUITY: 30, CARRIER: 33 } as const; // biome-ignore format: a table
const IFA = { ADDRESS: 1, LOCAL: 2, LABEL: 3, BROADCAST: 4, CACHEINFO: 6, FLAGS: 8 } as const;
const STATS_BYTES = 96;
const OPER_UP = 6;

/** struct nlmsghdr and what follows it. */
interface Message {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly bytes: Uint8Array;
}

/** The datagrams that answer a datagram. `port`: the asker's. */
export function answer(datagram: Uint8Array, port: number, interfaces: readonly NetInterface[]): Uint8Array[] {
  const answers: Uint8Array[] = [];
  for (const message of messagesIn(datagram)) {
    if (message.flags & FLAG.REQUEST) answers.push(...answerOne(message, port, interfaces));
  }
  return answers;
}

function messagesIn(datagram: Uint8Array): Message[] {
  const messages: Message[] = [];
  for (let at = 0; at + HEADER_BYTES <= datagram.length; ) {
    const view = new DataView(datagram.buffer, datagram.byteOffset + at);
    const length = view.getUint32(0, true);
    if (length < HEADER_BYTES || at + length > datagram.length) break;
    const bytes = datagram.slice(at, at + length);
    messages.push({
      type: view.getUint16(4, true),
      flags: view.getUint16(6, true),
      sequence: view.getUint32(8, true),
      bytes,
    });
    at += (length + 3) & ~3;
  }
  return messages;
}

function answerOne(message: Message, port: number, interfaces: readonly NetInterface[]): Uint8Array[] {
  const { type, flags } = message;
  if (type < FIRST_TYPE) return flags & FLAG.ACK ? [failure(message, port, 0)] : [];
  if (type % 4 !== GET) return [failure(message, port, -EPERM)];
  if ((flags & FLAG.DUMP) !== 0) return dump(message, port, interfaces);
  if (type !== TYPE.GETLINK) return [failure(message, port, -EOPNOTSUPP)];
  const found = asked(message, interfaces);
  if (typeof found === 'number') return [failure(message, port, found)];
  const told = [messageOf(TYPE.NEWLINK, 0, message.sequence, port, linkBody(found))];
  return flags & FLAG.ACK ? [...told, failure(message, port, 0)] : told;
}

/** All of a kind in one datagram, and their end in another. */
function dump({ type, sequence, bytes }: Message, port: number, interfaces: readonly NetInterface[]): Uint8Array[] {
  const family = bytes[HEADER_BYTES] ?? AF.UNSPEC;
  const bodies: Uint8Array[] = [];
  if (type === TYPE.GETLINK && (family === AF.UNSPEC || family === AF_PACKET)) bodies.push(...interfaces.map(linkBody));
  if (type === TYPE.GETADDR) {
    for (const each of interfaces) {
      const wanted = each.addresses.filter((address) => family === AF.UNSPEC || family === address.family);
      bodies.push(...wanted.map((address) => addressBody(each, address)));
    }
  }
  const told = bodies.map((body) => messageOf(type - GET, FLAG.MULTI, sequence, port, body));
  const end = messageOf(TYPE.DONE, FLAG.MULTI, sequence, port, new Uint8Array(4));
  return told.length > 0 ? [joined(told), end] : [end];
}

/** By its index in struct ifinfomsg, or by a name behind that. */
function asked({ bytes }: Message, interfaces: readonly NetInterface[]): NetInterface | number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < HEADER_BYTES + 16) return -EINVAL;
  const index = view.getInt32(HEADER_BYTES + 4, true);
  if (index > 0) return interfaces.find((each) => each.index === index) ?? -ENODEV;
  for (let at = HEADER_BYTES + 16; at + 4 <= bytes.length; ) {
    const length = view.getUint16(at, true);
    if (length < 4) break;
    if (view.getUint16(at + 2, true) === IFLA.IFNAME) {
      const [name] = String.fromCharCode(...bytes.subarray(at + 4, at + length)).split('\0');
      return interfaces.find((each) => each.name === name) ?? -ENODEV;
    }
    at += (length + 3) & ~3;
  }
  return -EINVAL;
}

/** NLMSG_ERROR: 0 acknowledges. */
function failure({ sequence, bytes }: Message, port: number, errno: number): Uint8Array {
  const told = errno === 0 ? bytes.subarray(0, HEADER_BYTES) : bytes;
  return messageOf(TYPE.ERROR, 0, sequence, port, joined([word(errno), told]));
}

/** struct ifinfomsg and its attributes. */
function linkBody({ index, name, flags, hardware, hardwareAddress, mtu, isLoopback }: NetInterface): Uint8Array {
  const front = new Uint8Array(16);
  const view = new DataView(front.buffer);
  view.setUint16(2, hardware, true);
  view.setInt32(4, index, true);
  view.setUint32(8, flags, true);
  return joined([
    front,
    attribute(IFLA.IFNAME, text(name)),
    attribute(IFLA.TXQLEN, word(QUEUE_LENGTH)),
    attribute(IFLA.OPERSTATE, Uint8Array.of(isLoopback ? 0 : OPER_UP)),
    attribute(IFLA.LINKMODE, Uint8Array.of(0)),
    attribute(IFLA.MTU, word(mtu)),
    attribute(IFLA.GROUP, word(0)),
    attribute(IFLA.PROMISCUITY, word(0)),
    attribute(IFLA.CARRIER, Uint8Array.of(1)),
    attribute(IFLA.QDISC, text('noqueue')),
    attribute(IFLA.ADDRESS, Uint8Array.from(hardwareAddress)),
    attribute(IFLA.BROADCAST, new Uint8Array(6).fill(isLoopback ? 0 : 0xff)),
    attribute(IFLA.STATS, new Uint8Array(STATS_BYTES)),
  ]);
}

/** struct ifaddrmsg and its attributes. */
function addressBody({ index, name, isLoopback }: NetInterface, of: InterfaceAddress): Uint8Array {
  const { family, bytes, prefix } = of;
  const isLocal = family === AF.INET6 && bytes[0] === 0xfe && bytes[1] === 0x80;
  const scope = isLoopback ? SCOPE.HOST : isLocal ? SCOPE.LINK : SCOPE.UNIVERSE;
  const front = joined([Uint8Array.of(family, prefix, PERMANENT, scope), word(index)]);
  const address = Uint8Array.from(bytes);
  const named = [attribute(IFA.LOCAL, address), attribute(IFA.LABEL, text(name))];
  if (family === AF.INET && !isLoopback) named.push(attribute(IFA.BROADCAST, Uint8Array.from(broadcastOf(of))));
  return joined([
    front,
    attribute(IFA.ADDRESS, address),
    ...(family === AF.INET ? named : []),
    attribute(IFA.FLAGS, word(PERMANENT)),
    attribute(IFA.CACHEINFO, joined([word(-1), word(-1), word(0), word(0)])),
  ]);
}

function attribute(type: number, value: Uint8Array): Uint8Array {
  const bytes = new Uint8Array((4 + value.length + 3) & ~3);
  new DataView(bytes.buffer).setUint16(0, 4 + value.length, true);
  new DataView(bytes.buffer).setUint16(2, type, true);
  bytes.set(value, 4);
  return bytes;
}

function messageOf(type: number, flags: number, sequence: number, port: number, body: Uint8Array): Uint8Array {
  const header = new Uint8Array(HEADER_BYTES);
  const view = new DataView(header.buffer);
  view.setUint32(0, HEADER_BYTES + body.length, true);
  view.setUint16(4, type, true);
  view.setUint16(6, flags, true);
  view.setUint32(8, sequence, true);
  view.setUint32(12, port, true);
  return joined([header, body]);
}

function text(value: string): Uint8Array {
  return Uint8Array.from([...value, '\0'], (letter) => letter.charCodeAt(0));
}
