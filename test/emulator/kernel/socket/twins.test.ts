/** Pipes, polling, events and UNIX sockets against the real kernel's answers. */
import { lstatSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, test } from 'vitest';
import { EPOLL } from '../../../../src/emulator/kernel/file/epoll-file.js';
import { O, POLL } from '../../../../src/emulator/kernel/file/open-file.js';
import { MSG } from '../../../../src/emulator/kernel/socket/constants.js';
import { NR } from '../file/play.js';
import { buildRunner, type Call, expectTwins, type Region } from '../file/twin.js';

const A = 0x1_1000;
const B = 0x1_3000;
const C = 0x1_4000;
const ADDRESS = 0x1_5000;
const DATA = 0x1_6000;
const BIG = 0x1_0000;
const { IN, OUT, PRI } = POLL;
const [UNIX, STREAM, DGRAM, SEQPACKET] = [1, 1, 2, 5];
const [ADD, DEL, MOD] = [1, 2, 3];
const { NONBLOCK, CLOEXEC } = O;
const X = { open: 2, fstat: 5, mknod: 133, unlink: 87, stat: 4, getdents64: 217, epoll_create: 213, tee: 276 } as const;

let scratch: string;
let runner: string;
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'sidestep-ipc-'));
  runner = buildRunner(scratch);
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

type Memory = { readonly at: number; readonly bytes: Uint8Array };

function words(at: number, ...values: (number | bigint)[]): Memory {
  return {
    at,
    bytes: new Uint8Array(BigInt64Array.from(values.map((value) => BigInt.asIntN(64, BigInt(value)))).buffer),
  };
}
function ints(at: number, ...values: number[]): Memory {
  return { at, bytes: new Uint8Array(Int32Array.from(values).buffer) };
}
/** struct pollfd. */
function pollfd(at: number, ...list: readonly (readonly [number, number])[]): Memory {
  return ints(at, ...list.flat());
}
/** struct epoll_event at 16 bytes' distance. */
function events(at: number, ...list: readonly number[]): Memory {
  return ints(at, ...list.flatMap((event, i) => [event | 0, 100 + i, 0, 0]));
}
/** sockaddr_un. */
function unix(at: number, name: string): Memory {
  return { at, bytes: Uint8Array.from([UNIX, 0, ...new TextEncoder().encode(name), 0]) };
}
/** struct msghdr over an iovec of one piece. */
function message(at: number, data: number, length: number, control: number, controlLength: number): Memory {
  return words(at, 0, 0, at + 64, 1, control, controlLength, 0, 0, data, length);
}

interface Case {
  readonly name: string;
  readonly memory?: readonly Memory[];
  readonly calls: readonly Call[];
  readonly compare?: readonly Region[];
}

const cases: readonly Case[] = [
  {
    name: 'pipes',
    calls: [
      [NR.pipe2, A, NONBLOCK], [NR.read, 3, B, 10], [NR.write, 4, 'hello', 5], [NR.ioctl, 3, 0x541b, A + 8], [NR.ioctl, 4, 0x541b, A + 12], [NR.read, 3, B, 3], [NR.read, 3, B + 8, 0], [NR.read, 4, B, 1], [NR.write, 3, B, 1], [NR.fcntl, 3, 1032], [NR.fcntl, 3, 1031, 5000],
      [NR.fcntl, 4, 1032], [NR.fcntl, 3, 1031, 0], [NR.fcntl, 0, 1032], [NR.write, 4, BIG, 0x1_0000], [NR.write, 4, BIG, 1], [NR.fcntl, 3, 1031, 4096], [NR.read, 3, DATA, 4096], [NR.write, 4, BIG, 4096], [NR.fcntl, 3, 3], [NR.fcntl, 4, 3],
      [8, 3, 0, 0], [17, 3, B, 1, 0], [NR.ioctl, 3, 0x5401, A + 64], [74, 3], [77, 3, 0], [NR.close, 4], [NR.read, 3, DATA, 0x8000], [NR.read, 3, DATA, 0x8000], [NR.pipe2, A, 1], [NR.pipe2, 8, 0], [NR.pipe2, A, CLOEXEC | O.DIRECT], [NR.fcntl, 5, 1], [NR.fcntl, 5, 3],
      [NR.fcntl, 4, 3], [NR.write, 5, 'abc', 3], [NR.write, 5, 'de', 2], [NR.read, 4, B, 2], [NR.read, 4, B, 10], [NR.close, 4], [NR.write, 5, 'a', 1], [NR.write, 5, 'a', 0], [NR.poll, A, 0, 0],
    ],
    compare: [{ at: A, length: 16 }, { at: B, length: 8 }],
  },
  {
    name: 'vmsplice',
    memory: [words(A, DATA, 5, DATA + 8, 3), words(A + 64, DATA + 32, 4)],
    calls: [[NR.pipe2, C, NONBLOCK], [278, 4, A, 2, 0], [278, 3, A + 64, 1, 2], [278, 3, A + 64, 1, 2], [278, 3, A + 64, 1, 2], [278, 3, A + 64, 1, 16], [278, 0, A, 1, 0], [278, 77, A, 1, 0], [278, 4, 8, 1, 0], [278, 4, A, 0, 0]],
    compare: [{ at: DATA, length: 64 }],
  },
  {
    name: 'how full a pipe gets depends on the portions',
    calls: [
      [NR.pipe2, A, NONBLOCK], ...Array.from({ length: 20 }, (): Call => [NR.write, 4, BIG, 3000]), [NR.ioctl, 3, 0x541b, A + 8], [NR.write, 4, BIG, 1000], [NR.write, 4, BIG, 97], [NR.read, 3, DATA, 3000], [NR.write, 4, BIG, 5000], [NR.write, 4, BIG, 4096], [NR.write, 4, BIG, 1],
      [NR.read, 3, DATA, 0x8000], [NR.read, 3, DATA, 0x8000],
    ],
    compare: [{ at: A, length: 12 }],
  },
  {
    name: 'poll and select',
    memory: [pollfd(A, [3, IN], [4, OUT | IN], [-1, IN], [99, IN], [0, IN | OUT | PRI]), words(B, 0b11000, 0b11000, 0b11000), words(B + 32, 0, 0), words(B + 64, 1 << 30), pollfd(A + 64, [3, 0]), pollfd(A + 72, [4, 0])],
    calls: [
      [NR.pipe, C], [NR.poll, A, 5, 0], [NR.select, 5, B, B + 8, B + 16, B + 32], [NR.select, 65, B + 64, 0, 0, B + 32], [NR.select, -1, 0, 0, 0, 0], [NR.select, 64, 8, 0, 0, 0], [NR.select, 0, 0, 0, 0, 8], [NR.poll, 8, 1, 0], [NR.poll, A, 2 ** 31, 0], [NR.ppoll, A, 0, B + 32, 0, 8],
      [NR.ppoll, A, 0, B + 32, B, 7], [NR.ppoll, A, 0, B + 32, 8, 8], [NR.ppoll, A, 0, 8, 0, 8], [NR.close, 4], [NR.poll, A + 64, 1, 0], [NR.pipe, C], [NR.close, 4], [NR.poll, A + 72, 1, 0], [NR.close, 3], [NR.poll, A + 72, 1, 0],
    ],
    compare: [{ at: A, length: 80 }, { at: B, length: 48 }],
  },
  {
    name: 'eventfd',
    memory: [words(A, 5, -1, -2, 1)],
    calls: [
      [NR.eventfd2, 7, NONBLOCK], [NR.read, 3, B, 8], [NR.read, 3, B, 8], [NR.write, 3, A, 8], [NR.write, 3, A + 8, 8], [NR.write, 3, A + 16, 8], [NR.write, 3, A, 7], [NR.read, 3, B + 8, 7], [NR.read, 3, B + 8, 100], [NR.write, 3, A + 16, 8], [NR.write, 3, A + 24, 8], [NR.eventfd2, 2, NONBLOCK | 1],
      [NR.read, 4, B + 16, 8], [NR.read, 4, B + 24, 8], [NR.read, 4, B + 32, 8], [NR.eventfd2, 0, 8], [NR.eventfd2, -1, CLOEXEC], [NR.fcntl, 5, 1], [NR.fcntl, 5, 3], [NR.read, 5, B + 40, 8], [8, 3, 0, 0], [NR.ioctl, 3, 0x541b, A], [17, 3, B, 8, 0],
    ],
    compare: [{ at: B, length: 48 }],
  },
  {
    name: 'timerfd and signalfd',
    memory: [words(A, 0, 0, 100, 0), words(A + 32, 0, 1_000_000_000, 1, 0), words(A + 64, 0x200)],
    calls: [
      [NR.timerfd_create, 1, NONBLOCK], [NR.read, 3, B, 8], [NR.read, 3, B, 4], [NR.timerfd_settime, 3, 0, A, B], [NR.timerfd_settime, 3, 0, A + 32, 0], [NR.timerfd_settime, 3, 4, A, 0], [NR.timerfd_settime, 3, 0, 8, 0], [NR.timerfd_gettime, 3, 8], [NR.timerfd_create, 5, 0],
      [NR.timerfd_create, 1, 5], [NR.write, 3, A, 8], [NR.timerfd_settime, 0, 0, A, 0], [NR.timerfd_gettime, 77, B], [NR.signalfd4, -1, A + 64, 8, NONBLOCK], [NR.read, 4, B + 64, 128], [NR.read, 4, B + 64, 127], [NR.rt_sigprocmask, 0, A + 64, 0, 8], [NR.signalfd4, 4, A, 8, 0],
      [NR.signalfd4, 4, A + 64, 8, 0], [NR.signalfd4, 3, A, 8, 0], [NR.signalfd4, -1, A, 8, 1], [NR.signalfd4, 77, A, 8, 0], [NR.signalfd4, -1, A, 4, 0], [NR.fcntl, 4, 3], [NR.write, 4, A, 8],
    ],
    compare: [{ at: B, length: 32 }],
  },
  {
    name: 'epoll',
    memory: [events(A, IN, OUT, IN | EPOLL.ET, OUT | EPOLL.ET, IN | EPOLL.ONESHOT, IN | EPOLL.EXCLUSIVE, IN | OUT | EPOLL.ET, PRI | EPOLL.EXCLUSIVE)],
    calls: [
      [NR.epoll_create1, CLOEXEC], [NR.pipe, C], [NR.epoll_ctl, 3, ADD, 4, A], [NR.epoll_ctl, 3, ADD, 5, A + 16], [NR.epoll_wait, 3, B, 10, 0], [NR.write, 5, 'x', 1], [NR.epoll_wait, 3, B + 32, 10, 0], [NR.epoll_wait, 3, B + 64, 1, 0], [NR.epoll_wait, 3, B + 96, 1, 0],
      [NR.epoll_ctl, 3, MOD, 4, A + 32], [NR.epoll_ctl, 3, MOD, 5, A + 48], [NR.epoll_wait, 3, B + 128, 10, 0], [NR.epoll_wait, 3, B + 160, 10, 0], [NR.write, 5, 'x', 1], [NR.epoll_wait, 3, B + 192, 10, 0], [NR.read, 4, DATA, 100], [NR.epoll_wait, 3, B + 224, 10, 0],
      [NR.epoll_ctl, 3, MOD, 4, A + 64], [NR.write, 5, 'x', 1], [NR.epoll_wait, 3, B + 256, 10, 0], [NR.write, 5, 'x', 1], [NR.epoll_wait, 3, B + 288, 10, 0], [NR.epoll_ctl, 3, DEL, 4, 0], [NR.epoll_ctl, 3, DEL, 4, 0], [NR.epoll_ctl, 3, ADD, 4, A + 80], [NR.epoll_ctl, 3, MOD, 4, A],
      [NR.epoll_wait, 3, B + 320, 10, 0], [NR.epoll_ctl, 3, ADD, 5, A], [NR.epoll_ctl, 3, 9, 4, A], [NR.epoll_ctl, 3, ADD, 0, A], [NR.epoll_ctl, 3, ADD, 3, A], [NR.epoll_ctl, 4, ADD, 5, A], [NR.epoll_ctl, 3, ADD, 77, A], [NR.epoll_ctl, 77, ADD, 4, A], [NR.epoll_ctl, 3, ADD, 4, 8],
      [NR.epoll_wait, 3, B, 0, 0], [NR.epoll_wait, 3, B, -1, 0], [NR.epoll_wait, 4, B, 1, 0], [NR.epoll_wait, 77, B, 1, 0], [NR.epoll_pwait, 3, B, 1, 0, A, 7], [NR.epoll_create1, 1], [X.epoll_create, 0], [X.epoll_create, 1], [NR.epoll_ctl, 6, ADD, 3, A], [NR.epoll_ctl, 3, ADD, 6, A],
      [NR.epoll_wait, 6, B + 352, 1, 0], [NR.epoll_ctl, 6, MOD, 3, A + 80], [NR.close, 4], [NR.epoll_wait, 3, B + 384, 10, 0], [NR.dup, 5], [NR.close, 5], [NR.epoll_ctl, 3, MOD, 5, A], [NR.epoll_wait, 3, B + 416, 10, 0], [NR.read, 3, B, 1], [NR.epoll_ctl, 6, ADD, 4, A + 112], [NR.fcntl, 3, 1],
    ],
    compare: [{ at: B, length: 448 }],
  },
  {
    name: 'edge-triggered sockets',
    memory: [events(A, IN | OUT | EPOLL.ET | POLL.RDHUP)],
    calls: [
      [NR.socketpair, UNIX, STREAM | NONBLOCK, 0, C], [NR.epoll_create1, 0], [NR.epoll_ctl, 5, ADD, 3, A], [NR.epoll_wait, 5, B, 10, 0], [NR.epoll_wait, 5, B + 16, 10, 0], [NR.write, 4, 'abc', 3], [NR.epoll_wait, 5, B + 32, 10, 0], [NR.write, 4, 'abc', 3], [NR.epoll_wait, 5, B + 48, 10, 0],
      [NR.epoll_wait, 5, B + 64, 10, 0], [NR.read, 3, DATA, 100], [NR.epoll_wait, 5, B + 80, 10, 0], [NR.shutdown, 4, 1], [NR.epoll_wait, 5, B + 96, 10, 0], [NR.close, 4], [NR.epoll_wait, 5, B + 112, 10, 0], [NR.epoll_wait, 5, B + 128, 10, 0],
    ],
    compare: [{ at: B, length: 144 }],
  },
  {
    name: 'UNIX streams',
    memory: [unix(ADDRESS, 'sock'), ints(A, 110), ints(A + 4, 4), unix(ADDRESS + 128, 'none'), unix(ADDRESS + 256, 'file'), ints(A + 8, 12), pollfd(A + 64, [3, IN | OUT | POLL.RDHUP], [4, IN | OUT | POLL.RDHUP], [5, IN | OUT | POLL.RDHUP])],
    calls: [
      [NR.socket, UNIX, STREAM | NONBLOCK, 0], [NR.socket, UNIX, STREAM | NONBLOCK, 0], [NR.poll, A + 64, 3, 0], [NR.getsockname, 3, B, A], [NR.listen, 3, 1], [NR.bind, 3, ADDRESS, 7], [NR.bind, 3, ADDRESS, 7], [NR.bind, 4, ADDRESS, 7], [NR.connect, 4, ADDRESS, 7], [NR.listen, 3, 1], [NR.poll, A + 64, 3, 0],
      [NR.connect, 4, ADDRESS + 128, 7], [NR.connect, 4, ADDRESS + 256, 7], [NR.connect, 4, ADDRESS, 2], [NR.connect, 4, ADDRESS, 1], [NR.connect, 4, ADDRESS, 200], [NR.connect, 4, ADDRESS, 7], [NR.connect, 4, ADDRESS, 7], [NR.poll, A + 64, 3, 0], [NR.accept4, 3, B + 128, A, NONBLOCK], [NR.accept4, 3, 0, 0, 0], [NR.accept4, 3, 0, 0, 1],
      [NR.getpeername, 4, B + 256, A], [NR.getpeername, 3, B, A], [NR.poll, A + 64, 3, 0], [NR.recvfrom, 4, DATA, 10, 0, 0, 0], [NR.write, 4, 'hello', 5], [NR.write, 4, 'world', 5], [NR.recvfrom, 5, DATA, 3, MSG.PEEK, 0, 0], [NR.recvfrom, 5, DATA, 7, 0, 0, 0], [NR.recvfrom, 5, DATA + 16, 100, MSG.TRUNC, 0, 0], [NR.poll, A + 64, 3, 0],
      [NR.sendto, 5, 'x', 1, 0, ADDRESS, 7], [NR.read, 3, DATA, 1], [NR.write, 3, DATA, 1], [NR.shutdown, 4, 1], [NR.poll, A + 64, 3, 0], [NR.read, 5, DATA, 1], [NR.write, 4, 'x', 1], [NR.write, 5, 'abc', 3], [NR.shutdown, 5, 3],
      [NR.getsockopt, 3, 1, 30, B, A + 4], [NR.getsockopt, 4, 1, 3, B + 4, A + 4], [NR.getsockopt, 4, 1, 4, B + 8, A + 4], [NR.getsockopt, 4, 1, 99, B, A + 4], [NR.getsockopt, 4, 1, 7, B + 12, A + 4], [NR.getsockopt, 4, 1, 39, B + 16, A + 4], [NR.getsockopt, 4, 1, 3, 8, A + 4], [NR.getsockopt, 0, 1, 3, B, A + 4], [NR.getsockopt, 77, 1, 3, B, A + 4],
      [NR.setsockopt, 4, 1, 7, A + 4, 3], [NR.setsockopt, 4, 1, 3, A + 4, 4], [NR.setsockopt, 4, 6, 1, A + 4, 4], [NR.close, 5], [NR.poll, A + 64, 3, 0], [NR.read, 4, DATA, 10], [NR.read, 4, DATA, 10], [NR.write, 4, 'x', 1], [NR.close, 3], [NR.connect, 4, ADDRESS, 7], [NR.socket, UNIX, STREAM, 0], [NR.connect, 3, ADDRESS, 7],
      [NR.socket, UNIX, DGRAM, 0], [NR.bind, 5, ADDRESS, 7], [X.open, 'sock', 0], [X.open, 'sock', O.PATH], [X.unlink, 'sock'], [NR.bind, 5, ADDRESS, 7], [NR.connect, 3, ADDRESS, 7], [X.fstat, 5, C], [NR.ioctl, 4, 0x5401, C], [8, 4, 0, 0],
    ],
    compare: [{ at: A, length: 96 }, { at: B, length: 300 }, { at: DATA, length: 32 }, { at: C + 24, length: 4 }],
  },
  {
    name: 'a listener that goes away',
    memory: [unix(ADDRESS, '\0twins'), pollfd(A, [4, IN | OUT])],
    calls: [
      [NR.socket, UNIX, STREAM, 0], [NR.bind, 3, ADDRESS, 8], [NR.listen, 3, 0], [NR.socket, UNIX, STREAM | NONBLOCK, 0], [NR.connect, 4, ADDRESS, 8], [NR.socket, UNIX, STREAM | NONBLOCK, 0], [NR.connect, 5, ADDRESS, 8], [NR.write, 4, 'x', 1], [NR.close, 3], [NR.poll, A, 1, 0], [NR.read, 4, DATA, 1],
      [NR.read, 4, DATA, 1], [NR.write, 4, 'x', 1], [NR.connect, 5, ADDRESS, 8],
    ],
    compare: [{ at: A, length: 8 }],
  },
  {
    name: 'UNIX datagrams',
    memory: [unix(ADDRESS, '\0dgram-twins'), ints(A, 110, 110, 110), pollfd(A + 64, [3, IN | OUT], [4, IN | OUT])],
    calls: [
      [NR.socket, UNIX, DGRAM | NONBLOCK, 0], [NR.socket, UNIX, DGRAM | NONBLOCK, 0], [NR.write, 4, 'x', 1], [NR.sendto, 4, 'x', 1, 0, ADDRESS, 14], [NR.bind, 3, ADDRESS, 14], [NR.sendto, 4, 'hello', 5, 0, ADDRESS, 14], [NR.recvfrom, 3, DATA, 3, MSG.TRUNC, B, A], [NR.recvfrom, 3, DATA, 3, 0, 0, 0],
      [NR.connect, 4, ADDRESS, 14], [NR.getpeername, 4, B + 64, A + 4], [NR.write, 4, 'abc', 0], [NR.recvfrom, 3, DATA, 3, 0, 0, 0], [NR.sendto, 3, 'x', 1, 0, ADDRESS, 14], [NR.recvfrom, 3, DATA, 8, 0, B + 128, A + 8], ...Array.from({ length: 12 }, (): Call => [NR.write, 4, 'fill', 4]), [NR.poll, A + 64, 2, 0],
      [NR.recvfrom, 3, DATA, 8, 0, 0, 0], [NR.poll, A + 64, 2, 0], [NR.shutdown, 3, 0], [NR.write, 4, 'x', 1], [NR.sendto, 4, BIG, 0x1_0000, 0, 0, 0], [NR.close, 3], [NR.write, 4, 'x', 1], [NR.write, 4, 'x', 1], [NR.listen, 4, 1], [NR.accept, 4, 0, 0], [NR.shutdown, 4, 5], [NR.socketpair, UNIX, DGRAM | NONBLOCK, 0, C],
      [NR.write, 3, 'ab', 2], [NR.close, 3], [NR.read, 5, DATA, 8], [NR.read, 5, DATA, 8], [NR.write, 5, 'ab', 2], [NR.write, 5, 'ab', 2], [NR.socket, 99, 1, 0], [NR.socket, UNIX, 9, 0], [NR.socket, UNIX, STREAM, 6], [NR.socket, UNIX, 3, 0],
    ],
    compare: [{ at: A, length: 80 }, { at: B, length: 144 }],
  },
  {
    name: 'packets',
    memory: [message(A, DATA, 3, 0, 0), message(A + 128, DATA + 16, 16, 0, 0)],
    calls: [
      [NR.socketpair, UNIX, SEQPACKET | NONBLOCK, 0, C], [NR.write, 3, 'hello', 5], [NR.write, 3, 'abc', 3], [NR.write, 3, 'abc', 0], [NR.write, 3, 'z', 1], [NR.recvmsg, 4, A, 0], [NR.recvmsg, 4, A + 128, 0], [NR.recvmsg, 4, A + 128, 0], [NR.recvfrom, 4, DATA + 32, 10, MSG.TRUNC, 0, 0], [NR.read, 4, DATA, 1],
      [NR.sendto, 3, BIG, 0x1_f000, 0, 0, 0], [NR.recvfrom, 4, DATA, 1, MSG.TRUNC, 0, 0], [NR.close, 3], [NR.read, 4, DATA, 1], [NR.write, 4, 'x', 1], [NR.socket, UNIX, SEQPACKET, 0], [NR.read, 3, DATA, 1], [NR.write, 3, DATA, 1],
    ],
    compare: [{ at: A, length: 56 }, { at: A + 128, length: 56 }, { at: DATA, length: 64 }],
  },
  {
    name: 'descriptors and credentials in messages',
    memory: [
      message(A, DATA, 1, C, 24), words(C, 20, 0x1_0000_0001, 0), ints(C + 16, 0), message(A + 128, DATA + 8, 8, C + 64, 64), message(A + 256, DATA + 8, 8, C + 128, 20), message(A + 384, DATA, 1, C + 256, 24), words(C + 256, 20, 0x1_0000_0001, 0), ints(C + 272, 77),
      message(A + 512, DATA, 1, C + 320, 24), words(C + 320, 30, 0x1_0000_0001), ints(A + 640, 1), message(A + 768, DATA + 8, 8, C + 512, 64), words(C + 448, 20, 0x9_0000_0001), message(A + 896, DATA, 1, C + 448, 24), message(A + 1024, DATA + 8, 8, 0, 0), message(A + 1152, DATA + 8, 8, C + 600, 10),
    ],
    calls: [
      [NR.socketpair, UNIX, STREAM | NONBLOCK, 0, B], [NR.sendmsg, 3, A, 0], [NR.sendmsg, 3, A, 0], [NR.recvmsg, 4, A + 128, 0], [NR.fcntl, 5, 1], [NR.recvmsg, 4, A + 256, MSG.CMSG_CLOEXEC], [NR.fcntl, 6, 1], [NR.sendmsg, 3, A + 384, 0], [NR.sendmsg, 3, A + 512, 0], [NR.sendmsg, 3, A + 896, 0],
      [NR.sendmsg, 3, 8, 0], [NR.recvmsg, 4, A + 1024, 0], [NR.sendmsg, 3, A, 0], [NR.recvmsg, 4, A + 1024, 0], [NR.sendmsg, 3, A, 0], [NR.recvmsg, 4, A + 1152, 0], [NR.sendmsg, 3, A, 0], [NR.write, 3, 'abc', 3], [NR.recvmsg, 4, A + 128, MSG.PEEK], [NR.recvmsg, 4, A + 128, 0], [NR.read, 4, DATA, 10], [NR.dup, 0],
    ],
    compare: [{ at: A, length: 56 }, { at: A + 128 + 32, length: 24 }, { at: A + 256 + 32, length: 24 }, { at: A + 1024 + 32, length: 24 }, { at: A + 1152 + 32, length: 24 }, { at: C + 64, length: 64 }, { at: C + 128, length: 24 }],
  },
  {
    name: 'FIFOs',
    memory: [pollfd(A, [3, IN], [4, OUT]), unix(ADDRESS, 'fifo')],
    calls: [
      [X.mknod, 'fifo', 0o010644], [X.mknod, 'fifo', 0o010644], [X.mknod, 'none/fifo', 0o010644], [X.stat, 'fifo', B], [X.open, 'fifo', O.WRONLY | NONBLOCK], [X.open, 'fifo', NONBLOCK], [NR.poll, A, 1, 0], [NR.read, 3, DATA, 1], [X.open, 'fifo', O.WRONLY | NONBLOCK],
      [NR.write, 4, 'abc', 3], [NR.read, 3, DATA, 10], [NR.poll, A, 2, 0], [NR.close, 4], [NR.poll, A, 1, 0], [NR.read, 3, DATA, 1], [X.open, 'fifo', O.RDWR], [NR.poll, A, 2, 0], [NR.read, 3, DATA, 1], [X.fstat, 3, B + 256], [NR.connect, 3, ADDRESS, 7], [8, 3, 0, 0], [X.mknod, 'file2', 0o100600],
    ],
    compare: [{ at: A, length: 16 }, { at: B + 24, length: 4 }, { at: B + 256 + 24, length: 4 }],
  },
]; // biome-ignore format: tables

/** What the directory holds: names and types. */
function tree(directory: string): string[] {
  return readdirSync(directory).map((name) => `${name} ${lstatSync(join(directory, name)).mode & 0o777}`);
}

test.each(cases)('$name', ({ calls, memory, compare }) => {
  const prepare = (directory: string): void => writeFileSync(join(directory, 'file'), 'hello\n');
  expectTwins({ runner, prepare, calls: [[95, 0o022], ...calls], memory: memory ?? [], compare: compare ?? [] }, tree);
});
