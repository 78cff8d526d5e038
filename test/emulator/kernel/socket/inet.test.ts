import { connect, createServer, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { NO_HOST } from '../../../../src/emulator/host/no-host.js';
import { NodeHost } from '../../../../src/emulator/host/node-host.js';
import {
  EACCES, EADDRINUSE, EAGAIN, EALREADY, ECONNREFUSED, EDESTADDRREQ, EINPROGRESS, EINVAL, EISCONN, ENOTCONN, EPERM, EPIPE,
} from '../../../../src/emulator/kernel/errno.js'; // biome-ignore format: one list
import { POLL } from '../../../../src/emulator/kernel/file/open-file.js';
import { MSG, SO } from '../../../../src/emulator/kernel/socket/constants.js';
import { AT, bytes, fork, i32, NONBLOCK, NR, OUT, pollfds, revents, type Script, text } from '../file/play.js';
import { type Scripted, type Step, scripted, sys } from '../scripted.js';

const INET = 2;
const INET6 = 10;
const STREAM = 1;
const DGRAM = 2;
const ADDRESS = 0x1_3000;
const IN_DATA = 0x1_6000;

/** Plays a script whose machine has the host's network: idles with the event loop. */
async function online(script: Script, host = new NodeHost()): Promise<unknown[]> {
  const seen: unknown[] = [];
  const guest: Scripted = scripted(
    function* () {
      yield* script(guest, (entry) => seen.push(entry));
      yield sys(NR.exit_group, 0);
    },
    {},
    {},
    host,
  );
  const { machine } = guest;
  for (;;) {
    const result = machine.run(100_000);
    if (result.kind === 'exited') return seen;
    if (result.kind === 'idle') {
      await machine.host.wait(result.deadline === undefined ? 2e9 : result.deadline - machine.clock.monotonic);
      const came = machine.enterHostEvents();
      if (came) continue;
      if (result.deadline === undefined) throw new Error('nothing comes from the host');
      machine.clock.jumpTo(result.deadline);
    } else {
      await new Promise(setImmediate);
      machine.enterHostEvents();
    }
  }
}

/** sockaddr_in of the loopback; its address and length. */
function loopback(g: Scripted, port: number, at = ADDRESS): [number, number] {
  return [bytes(g, at, INET, 0, port >> 8, port & 0xff, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0), 16];
}

/** The port in a sockaddr that a call wrote. */
function portAt(g: Scripted, at: number): number {
  const [high = 0, low = 0] = g.space.readBytes(at + 2, 2) ?? [];
  return (high << 8) | low;
}

/** getsockname: the port. */
function* ownPort(g: Scripted, fd: number): Generator<Step, number, number> {
  g.space.writeU32(OUT, 28);
  yield sys(NR.getsockname, fd, OUT + 8, OUT);
  return portAt(g, OUT + 8);
}

const servers: { close(): void }[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** A server of the host; its port. */
function serve(handle: (socket: Socket) => void): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer({ allowHalfOpen: true }, handle);
    servers.push(server);
    server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
  });
}

test('a client talks to a server of the host, and sees its end', async () => {
  const port = await serve((socket) => socket.on('data', (data) => socket.end(`you said ${data}`)));
  const seen = await online(function* (g, log) {
    yield sys(NR.socket, INET, STREAM, 0);
    log(yield sys(NR.connect, 0, ...loopback(g, port)));
    g.space.writeU32(OUT, 16);
    log(yield sys(NR.getpeername, 0, OUT + 8, OUT));
    log([portAt(g, OUT + 8) === port, (yield* ownPort(g, 0)) > 0]);
    g.text(IN_DATA, 'hello');
    log(yield sys(NR.write, 0, IN_DATA, 5));
    log(yield sys(NR.recvfrom, 0, OUT, 14, MSG.WAITALL, 0, 0));
    log(text(g, OUT, 14));
    log(yield sys(NR.read, 0, OUT, 100));
    log(yield sys(NR.connect, 0, ...loopback(g, port)));
  });
  expect(seen).toEqual([0, 0, [true, true], 5, 14, 'you said hello', 0, -EISCONN]);
});

test('a server of the guest serves a client of the host', async () => {
  let answer = '';
  const seen = await online(function* (g, log) {
    yield sys(NR.socket, INET, STREAM, 0);
    log(yield sys(NR.bind, 0, ...loopback(g, 0)));
    const port = yield* ownPort(g, 0);
    log(yield sys(NR.listen, 0, 5));
    const client = connect(port, '127.0.0.1', () => client.write('question'));
    client.on('data', (data) => {
      answer += data;
    });
    g.space.writeU32(OUT, 16);
    log(yield sys(NR.accept4, 0, OUT + 8, OUT, 0));
    log([i32(g, OUT), text(g, OUT + 12, 4)]);
    log(yield sys(NR.read, 1, IN_DATA, 100));
    log(yield sys(NR.write, 1, IN_DATA, 8));
    client.on('data', () => client.end());
    log(yield sys(NR.read, 1, IN_DATA, 100));
    log(yield sys(NR.shutdown, 1, 1));
    log(yield sys(NR.sendto, 1, IN_DATA, 1, MSG.NOSIGNAL, 0, 0));
  });
  expect(seen).toEqual([0, 0, 1, [16, '\x7f\0\0\x01'], 8, 8, 0, 0, -EPIPE]);
  expect(answer).toBe('question');
});

test('two guests meet through the host', async () => {
  const seen = await online(function* (g, log) {
    yield sys(NR.socket, INET6, STREAM, 0);
    bytes(g, ADDRESS, INET6, 0, ...Array(26).fill(0));
    log(yield sys(NR.bind, 0, ADDRESS, 28));
    const port = yield* ownPort(g, 0);
    yield sys(NR.listen, 0, 5);
    const [at, length] = loopback(g, port, 0x2_8000);
    yield fork(function* () {
      const fd = yield sys(NR.socket, INET, STREAM, 0);
      yield sys(NR.connect, fd, at, length);
      yield sys(NR.write, fd, at, 7);
      yield sys(NR.exit, 0);
    });
    log(yield sys(NR.accept, 0, 0, 0));
    g.space.writeU32(OUT, 28);
    yield sys(NR.getpeername, 1, OUT + 8, OUT);
    log([i32(g, OUT), [...(g.space.readBytes(OUT + 16, 16) ?? [])].slice(10)]);
    log(yield sys(NR.recvfrom, 1, IN_DATA, 100, MSG.PEEK, 0, 0));
    log(yield sys(NR.read, 1, IN_DATA, 100));
    log(yield sys(NR.read, 1, IN_DATA, 100));
  });
  expect(seen).toEqual([0, 1, [28, [255, 255, 127, 0, 0, 1]], 7, 7, 0]);
});

test('connecting without waiting: poll tells, SO_ERROR tells why', async () => {
  const port = await serve(() => undefined);
  const seen = await online(function* (g, log) {
    yield sys(NR.socket, INET, STREAM | NONBLOCK, 0);
    log(yield sys(NR.connect, 0, ...loopback(g, port)));
    log(yield sys(NR.connect, 0, ...loopback(g, port)));
    log(yield sys(NR.poll, pollfds(g, AT, [0, POLL.OUT]), 1, -1));
    log(revents(g, AT, 1));
    log(yield sys(NR.connect, 0, ...loopback(g, port)));
    log(yield sys(NR.recvfrom, 0, OUT, 1, 0, 0, 0));

    yield sys(NR.socket, INET, STREAM | NONBLOCK, 0);
    log(yield sys(NR.connect, 1, ...loopback(g, 1)));
    yield sys(NR.poll, pollfds(g, AT, [1, POLL.OUT]), 1, -1);
    log(revents(g, AT, 1));
    g.space.writeU32(OUT, 4);
    log(yield sys(NR.getsockopt, 1, 1, SO.ERROR, OUT + 8, OUT));
    log(i32(g, OUT + 8));
    yield sys(NR.socket, INET, STREAM, 0);
    log(yield sys(NR.connect, 2, ...loopback(g, 1)));
  });
  expect(seen).toEqual([
    -EINPROGRESS, -EALREADY, 1, [POLL.OUT], 0, -EAGAIN, -EINPROGRESS, [POLL.OUT | POLL.ERR | POLL.HUP], 0, ECONNREFUSED, -ECONNREFUSED,
  ]); // biome-ignore format: a row of errnos
});

test('an address in use, and other refusals', async () => {
  const port = await serve(() => undefined);
  const seen = await online(function* (g, log) {
    yield sys(NR.socket, INET, STREAM, 0);
    log(yield sys(NR.bind, 0, ...loopback(g, port)));
    log(yield sys(NR.bind, 0, ADDRESS, 4));
    log(yield sys(NR.accept, 0, 0, 0));
    log(yield sys(NR.recvfrom, 0, OUT, 1, 0, 0, 0));
    log(yield sys(NR.sendto, 0, OUT, 1, MSG.NOSIGNAL, 0, 0));
    log(yield sys(NR.shutdown, 0, 1));
    log(yield sys(NR.socket, INET, 3, 0));
    yield sys(NR.socket, INET, DGRAM, 0);
    log(yield sys(NR.sendto, 1, OUT, 1, 0, 0, 0));
  });
  expect(seen).toEqual([
    -EADDRINUSE, -EINVAL, -EINVAL, -ENOTCONN, -EPIPE, -ENOTCONN, -EPERM, -EDESTADDRREQ,
  ]); // biome-ignore format: a row of errnos
});

test('a big answer is written as the client takes it, and the wait ends when there is room', async () => {
  const total = 60 * 0x1_0000;
  let got = 0;
  const ended = new Promise<number>((resolve) => {
    void serve((socket) => {
      socket.on('data', (data) => {
        got += data.length;
      });
      socket.on('end', () => {
        socket.end();
        resolve(got);
      });
    }).then(async (port) => {
      await online(function* (g) {
        yield sys(NR.socket, INET, STREAM, 0);
        yield sys(NR.connect, 0, ...loopback(g, port));
        for (let i = 0; i < 60; i++) yield sys(NR.write, 0, 0x1_0000, 0x1_0000);
        yield sys(NR.close, 0);
      });
    });
  });
  expect(await ended).toBe(total);
});

test('what a program wrote before its end still goes out', async () => {
  const total = 0x1_8000;
  const host = new NodeHost();
  let got = 0;
  let tellEnd: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => {
    tellEnd = resolve;
  });
  const port = await serve((socket) => {
    socket.pause();
    setTimeout(() => socket.resume(), 100);
    socket.on('data', (data) => {
      got += data.length;
    });
    socket.on('end', () => {
      socket.end();
      tellEnd();
    });
  });
  await online(function* (g) {
    yield sys(NR.socket, INET, STREAM, 0);
    yield sys(NR.connect, 0, ...loopback(g, port));
    for (let i = 0; i < 100; i++) yield sys(NR.write, 0, 0x1_0000, total);
  }, host);
  await host.flush();
  await ended;
  expect(got).toBe(100 * total);
});

test('datagrams go both ways, between guests and to themselves', async () => {
  const seen = await online(function* (g, log) {
    yield sys(NR.socket, INET, DGRAM, 0);
    log(yield sys(NR.bind, 0, ...loopback(g, 0)));
    const port = yield* ownPort(g, 0);
    yield sys(NR.socket, INET, DGRAM, 0);
    g.text(IN_DATA, 'ping!');
    log(yield sys(NR.sendto, 1, IN_DATA, 5, 0, ...loopback(g, port)));
    g.space.writeU32(OUT, 16);
    log(yield sys(NR.recvfrom, 0, OUT + 100, 3, MSG.TRUNC, OUT + 8, OUT));
    log([i32(g, OUT), text(g, OUT + 100, 3)]);
    log(yield sys(NR.connect, 0, OUT + 8, 16));
    log(yield sys(NR.write, 0, IN_DATA, 4));
    log(yield sys(NR.poll, pollfds(g, AT, [1, POLL.IN]), 1, 1000));
    log(yield sys(NR.read, 1, OUT, 100));
    log(yield sys(NR.recvfrom, 1, OUT, 100, MSG.DONTWAIT, 0, 0));
    yield sys(NR.socket, INET, DGRAM, 0);
    log(yield sys(NR.connect, 2, ...loopback(g, port)));
    log((yield* ownPort(g, 2)) > 0);
    bytes(g, ADDRESS, 0, 0);
    log(yield sys(NR.connect, 2, ADDRESS, 16));
    log(yield sys(NR.write, 2, IN_DATA, 1));
  });
  expect(seen).toEqual([0, 5, 5, [16, 'pin'], 0, 4, 1, 4, -EAGAIN, 0, true, 0, -EDESTADDRREQ]);
});

test('port 0 connects datagrams to nobody, and tells the own address, which goes with the connection', async () => {
  const seen = await online(function* (g, log) {
    yield sys(NR.socket, INET, DGRAM, 0);
    log(yield sys(NR.connect, 0, ...loopback(g, 0)));
    log((yield* ownPort(g, 0)) > 0);
    log(g.space.readU32(OUT + 12) === g.space.readU32(ADDRESS + 4));
    log(yield sys(NR.getpeername, 0, OUT + 8, OUT));
    log(yield sys(NR.write, 0, IN_DATA, 1));
    bytes(g, ADDRESS, 0, 0);
    log(yield sys(NR.connect, 0, ADDRESS, 16));
    log(yield* ownPort(g, 0));
    log(g.space.readU32(OUT + 12));
  });
  expect(seen).toEqual([0, true, true, -ENOTCONN, 1, 0, 0, 0]);
});

test('without a network there is no such socket', async () => {
  const seen = await online(
    function* (_g, log) {
      log(yield sys(NR.socket, INET, STREAM, 0));
      log(yield sys(NR.socket, INET6, DGRAM, 0));
    },
    new NodeHost({ noNetwork: true }),
  );
  expect(seen).toEqual([-EACCES, -EACCES]);
  expect(NO_HOST.sockets).toBeUndefined();
});
