/** rtnetlink and the ioctls about interfaces. */
import { expect, test } from 'vitest';
import { EINVAL, ENODEV, ENOTTY, EPERM, EPROTONOSUPPORT } from '../../../../src/emulator/kernel/errno.js';
import { interfacesOf, type NetInterface } from '../../../../src/emulator/kernel/socket/interfaces.js';
import { answer } from '../../../../src/emulator/kernel/socket/netlink-messages.js';
import type { Machine } from '../../../../src/emulator/machine.js';
import { type Program, runAll, type Scripted, scripted, sys } from '../scripted.js';

const NR = { ioctl: 16, socket: 41, sendto: 44, recvfrom: 45, bind: 49, getsockname: 51 };
const [NETLINK, RAW, UNIX, INET, DGRAM] = [16, 3, 1, 2, 2];
const TYPE = { ERROR: 2, DONE: 3, NEWLINK: 16, GETLINK: 18, NEWADDR: 20, GETADDR: 22, GETROUTE: 26 };
const [REQUEST, MULTI, ACK, DUMP] = [1, 2, 4, 0x300];
const AT = 0x1_1000;

/** lo, and a card with an address of each family. */
const TWO: readonly NetInterface[] = interfacesOf({
  host: {
    sockets: {
      interfaces: () => [
        {
          name: 'lo',
          isLoopback: true,
          hardwareAddress: [0, 0, 0, 0, 0, 0],
          addresses: [{ bytes: Uint8Array.of(127, 0, 0, 1), prefix: 8 }],
        },
        {
          name: 'eth0',
          isLoopback: false,
          hardwareAddress: [2, 0, 0, 0, 0, 7],
          addresses: [
            { bytes: Uint8Array.of(10, 1, 2, 3), prefix: 20 },
            { bytes: Uint8Array.of(0xfe, 0x80, ...new Uint8Array(13), 9), prefix: 64 },
          ],
        },
      ],
    },
  },
} as unknown as Machine);

function request(type: number, flags: number, body: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(16 + body.length);
  new Uint32Array(bytes.buffer, 0, 4).set([bytes.length, type | ((REQUEST | flags) << 16), 77, 0]);
  bytes.set(body, 16);
  return bytes;
}

/** Messages of a datagram: type, flags, and the body. */
function messages(datagram: Uint8Array | undefined): { type: number; flags: number; body: number[] }[] {
  const found = [];
  for (let at = 0; datagram !== undefined && at < datagram.length; ) {
    const view = new DataView(datagram.buffer, datagram.byteOffset + at);
    expect([view.getUint32(8, true), view.getUint32(12, true)]).toEqual([77, 5]);
    const length = view.getUint32(0, true);
    found.push({
      type: view.getUint16(4, true),
      flags: view.getUint16(6, true),
      body: [...datagram.slice(at + 16, at + length)],
    });
    at += length;
  }
  return found;
}

/** The attributes behind `front` bytes. */
function attributes(body: readonly number[], front: number): Map<number, number[]> {
  const found = new Map<number, number[]>();
  for (let at = front; at < body.length; ) {
    const length = (body[at] as number) | ((body[at + 1] as number) << 8);
    found.set(body[at + 2] as number, body.slice(at + 4, at + length));
    at += (length + 3) & ~3;
  }
  return found;
}

const name = (bytes: readonly number[] | undefined): string => String.fromCharCode(...(bytes ?? []));

test('all links: their kind, their state, their names; then the end', () => {
  const [links, end, ...rest] = answer(request(TYPE.GETLINK, DUMP, [0]), 5, TWO);
  expect(rest).toEqual([]);
  const [lo, card] = messages(links);
  expect([lo?.type, lo?.flags, lo?.body.slice(0, 12)]).toEqual([
    TYPE.NEWLINK,
    MULTI,
    [0, 0, 4, 3, 1, 0, 0, 0, 0x49, 0, 1, 0],
  ]);
  expect(card?.body.slice(0, 12)).toEqual([0, 0, 1, 0, 2, 0, 0, 0, 0x43, 0x10, 1, 0]);
  expect([lo, card].map((each) => name(attributes(each?.body ?? [], 16).get(3)))).toEqual(['lo\0', 'eth0\0']);
  expect(attributes(card?.body ?? [], 16).get(1)).toEqual([2, 0, 0, 0, 0, 7]);
  expect(messages(end)).toEqual([{ type: TYPE.DONE, flags: MULTI, body: [0, 0, 0, 0] }]);
});

test('addresses of a family: local, broadcast, label, scope', () => {
  const [four] = answer(request(TYPE.GETADDR, DUMP, [INET]), 5, TWO);
  const [own, card, ...rest] = messages(four);
  expect(rest).toEqual([]);
  expect([own?.body.slice(0, 8), card?.body.slice(0, 8)]).toEqual([
    [INET, 8, 0x80, 254, 1, 0, 0, 0],
    [INET, 20, 0x80, 0, 2, 0, 0, 0],
  ]);
  const told = attributes(card?.body ?? [], 8);
  expect([told.get(1), told.get(2), told.get(4), name(told.get(3))]).toEqual([
    [10, 1, 2, 3],
    [10, 1, 2, 3],
    [10, 1, 15, 255],
    'eth0\0',
  ]);
  const [six] = answer(request(TYPE.GETADDR, DUMP, [10]), 5, TWO);
  expect(messages(six).map(({ type, body }) => [type, ...body.slice(0, 4)])).toEqual([
    [TYPE.NEWADDR, 10, 64, 0x80, 253],
  ]);
});

test('one link by its index or name; what is not there, what cannot be changed, what there is none of', () => {
  const link = (index: number, ...attribute: number[]): number[] => [
    ...[0, 0, 0, 0, index],
    ...new Uint8Array(11),
    ...attribute,
  ];
  const ask = (type: number, flags: number, body: readonly number[]): unknown[] =>
    answer(request(type, flags, body), 5, TWO)
      .flatMap(messages)
      .map(({ type: told, body: [first] }) => [told, first]);
  const errno = (code: number): number => -code & 0xff;
  expect(ask(TYPE.GETLINK, 0, link(2))).toEqual([[TYPE.NEWLINK, 0]]);
  expect(ask(TYPE.GETLINK, ACK, link(0, 7, 0, 3, 0, 108, 111, 0, 0))).toEqual([
    [TYPE.NEWLINK, 0],
    [TYPE.ERROR, 0],
  ]);
  expect(ask(TYPE.GETLINK, 0, link(9))).toEqual([[TYPE.ERROR, errno(ENODEV)]]);
  expect(ask(TYPE.GETLINK, 0, [0])).toEqual([[TYPE.ERROR, errno(EINVAL)]]);
  expect(ask(TYPE.NEWLINK, ACK, link(1))).toEqual([[TYPE.ERROR, errno(EPERM)]]);
  expect(ask(TYPE.GETROUTE, DUMP, [INET])).toEqual([[TYPE.DONE, 0]]);
});

function play(program: (g: Scripted, log: (value: unknown) => void) => Program): unknown[] {
  const seen: unknown[] = [];
  let guest: Scripted | undefined;
  guest = scripted(function* () {
    yield* program(guest as Scripted, (value) => seen.push(value))();
  });
  runAll(guest.machine);
  return seen;
}

test('a socket has the number of its process, and what was asked is there to be received', () => {
  const seen = play((g, log) => {
    return function* () {
      g.space.writeBytes(AT, Uint8Array.of(NETLINK, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
      g.space.writeBytes(AT + 32, request(TYPE.GETADDR, DUMP, [0]));
      g.space.writeU32(AT + 64, 12);
      log(yield sys(NR.socket, NETLINK, RAW, 0));
      log(yield sys(NR.socket, NETLINK, RAW, 9));
      log(yield sys(NR.bind, 0, AT, 12));
      log(yield sys(NR.getsockname, 0, AT + 96, AT + 64));
      log(g.space.readU32(AT + 100) === g.process.pid);
      log(yield sys(NR.sendto, 0, AT + 32, 17, 0, AT, 12));
      log((yield sys(NR.recvfrom, 0, AT + 256, 500, 0, 0, 0)) > 16);
      log(yield sys(NR.recvfrom, 0, AT + 256, 500, 0, 0, 0));
      yield sys(60, 0);
    };
  });
  expect(seen).toEqual([0, -EPROTONOSUPPORT, 0, 0, true, 17, true, 20]);
});

test('ioctls about interfaces; addresses are asked of internet sockets', () => {
  const ask = (g: Scripted, named: string): void => {
    g.space.writeBytes(
      AT,
      Uint8Array.from([...named.padEnd(40, '\0')], (letter) => letter.charCodeAt(0)),
    );
  };
  const seen = play((g, log) => {
    return function* () {
      yield sys(NR.socket, UNIX, DGRAM, 0);
      ask(g, 'lo');
      log([yield sys(NR.ioctl, 0, 0x8933, AT), g.space.readU32(AT + 16)]);
      log([yield sys(NR.ioctl, 0, 0x8913, AT), g.space.readU32(AT + 16)]);
      log([yield sys(NR.ioctl, 0, 0x8921, AT), g.space.readU32(AT + 16)]);
      log([yield sys(NR.ioctl, 0, 0x8914, AT), yield sys(NR.ioctl, 0, 0x8915, AT)]);
      ask(g, 'eth7');
      log(yield sys(NR.ioctl, 0, 0x8933, AT));
      g.words(AT + 64, 100, AT + 128);
      log([yield sys(NR.ioctl, 0, 0x8912, AT + 64), g.space.readU32(AT + 64), g.space.readU32(AT + 128 + 20)]);
      yield sys(60, 0);
    };
  });
  expect(seen).toEqual([[0, 1], [0, 0x49], [0, 65_536], [-EPERM, -ENOTTY], -ENODEV, [0, 40, 0x100_007f]]);
});
