import { mkdtempSync, statSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, describe, expect, test } from 'vitest';
import {
  type ConnectedClient,
  type ConnectionHandler,
  type Listener,
  type ListenerOptions,
  listen,
  serveStreams,
} from '../../src/rsp/listener.js';
import { Session } from '../../src/rsp/session.js';
import { frame } from './conversation.js';
import { FakeTarget } from './fake-target.js';

/** Serves a fake target to whoever comes, and keeps what happened. */
class TestHost {
  readonly lines: string[] = [];
  readonly events: string[] = [];

  connected(client: ConnectedClient): ConnectionHandler {
    const session = new Session(new FakeTarget());
    this.events.push('connected');
    return {
      data: (bytes) => {
        for (const action of session.feed(bytes)) {
          if (action.kind === 'send') client.send(action.bytes);
          if (action.kind === 'close' || action.kind === 'exit') client.close();
        }
      },
      unfinishedPacket: () => session.unfinishedPacket,
      closed: () => {
        session.disconnected();
        this.events.push('closed');
      },
    };
  }

  announce(line: string): void {
    this.lines.push(line);
  }
}

const LOOPBACK = { kind: 'tcp', host: '127.0.0.1', port: 0 } as const;
const open: { close(): unknown }[] = [];

afterEach(async () => {
  for (const thing of open.splice(0)) await thing.close();
});

async function start(options: ListenerOptions = {}): Promise<{ host: TestHost; listener: Listener }> {
  const host = new TestHost();
  const listener = await listen(LOOPBACK, host, options);
  open.push(listener);
  return { host, listener };
}

/** A raw client; `received` waits until that much has come, `gone` until the other side has closed. */
class RawClient {
  text = '';
  readonly gone: Promise<void>;
  private readonly waiting: (() => void)[] = [];

  constructor(readonly socket: Socket) {
    socket.on('data', (bytes) => {
      this.text += bytes.toString('latin1');
      for (const wake of this.waiting.splice(0)) wake();
    });
    socket.on('error', () => undefined);
    this.gone = new Promise((resolve) => socket.once('close', () => resolve()));
    open.push({ close: () => socket.destroy() });
  }

  static async to(place: { port: number } | { path: string }, opening = ''): Promise<RawClient> {
    const socket = 'port' in place ? connect(place.port, '127.0.0.1') : connect(place.path);
    const client = new RawClient(socket);
    await new Promise((resolve) => socket.once('connect', resolve));
    if (opening !== '') socket.write(opening, 'latin1');
    return client;
  }

  async received(text: string): Promise<void> {
    while (!this.text.includes(text)) await new Promise<void>((resolve) => this.waiting.push(resolve));
  }
}

const port = (listener: Listener): { port: number } => ({ port: listener.port ?? 0 });

test('port 0 becomes a real one that is announced', async () => {
  const { host, listener } = await start();
  expect(listener.port).toBeGreaterThan(0);
  expect(host.lines).toEqual([`Listening on port ${listener.port}`]);
});

test('a client is announced and answered', async () => {
  const { host, listener } = await start();
  const client = await RawClient.to(port(listener), `+${frame('qC')}`);
  await client.received('$QC1234#5e');
  expect(host.lines[1]).toBe(`Remote debugging from host 127.0.0.1, port ${client.socket.localPort}`);
});

test('one byte at a time', async () => {
  const { listener } = await start();
  const client = await RawClient.to(port(listener));
  for (const byte of frame('qC')) {
    client.socket.write(byte);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await client.received('$QC1234#5e');
});

describe('who does not speak the protocol is closed', () => {
  const attack = `POST / HTTP/1.1\r\nHost: x\r\n\r\n${frame('QStartNoAckMode')}+${frame('k')}`;
  test.each([
    { name: 'HTTP', opening: attack },
    { name: 'HTTP', opening: 'GET / HTTP/1.1\r\n\r\n' },
    { name: 'TLS', opening: '\x16\x03\x01\x02\x00\x01' },
    { name: 'SSH', opening: 'SSH-2.0-OpenSSH_9.6\r\n' },
    { name: 'unknown opening', opening: '\r\n$k#6b' },
  ])('$name: $opening', async ({ name, opening }) => {
    const { host, listener } = await start();
    const client = await RawClient.to(port(listener), opening);
    await client.gone;
    expect(client.text).toBe('');
    expect(host.events).toEqual([]);
    expect(host.lines[1]).toMatch(
      new RegExp(`^Refused a connection from host 127.0.0.1, port \\d+: not a debugger \\(${name}\\)$`),
    );
  });

  test('and one that says nothing, without being in the way of others', async () => {
    const { host, listener } = await start({ patienceMs: 400 });
    const silent = await RawClient.to(port(listener));
    const client = await RawClient.to(port(listener), frame('qC'));
    await client.received('$QC1234#5e');
    await silent.gone;
    expect(host.events).toEqual(['connected']);
  });
});

describe('one client at a time', () => {
  test('a second one is refused and the first stays', async () => {
    const { host, listener } = await start();
    const first = await RawClient.to(port(listener), frame('qC'));
    await first.received('$QC');
    const second = await RawClient.to(port(listener), '+');
    await second.gone;
    expect(host.lines.at(-1)).toContain('another client is connected');
    first.socket.write(frame('?'));
    await first.received('$T05');
    expect(host.events).toEqual(['connected']);
  });

  test('a second one takes over where that is allowed', async () => {
    const { host, listener } = await start({ takeover: true });
    const first = await RawClient.to(port(listener), frame('qC'));
    await first.received('$QC');
    const second = await RawClient.to(port(listener), frame('qC'));
    await first.gone;
    await second.received('$QC');
    expect(host.events).toEqual(['connected', 'closed', 'connected']);
  });

  test('after it has gone another one may come, however it went', async () => {
    const { host, listener } = await start();
    for (const leave of ['end', 'destroy', 'resetAndDestroy'] as const) {
      const client = await RawClient.to(port(listener), frame('qC'));
      await client.received('$QC');
      client.socket[leave]();
      await client.gone;
    }
    const last = await RawClient.to(port(listener), frame('qC'));
    await last.received('$QC');
    expect(host.events).toEqual(['connected', 'closed', 'connected', 'closed', 'connected', 'closed', 'connected']);
  });

  test('with `once` nobody else may come', async () => {
    const { listener } = await start({ once: true });
    const client = await RawClient.to(port(listener), frame('qC'));
    await client.received('$QC');
    const late = connect(listener.port ?? 0, '127.0.0.1');
    await new Promise((resolve) => late.once('error', resolve));
    client.socket.write(frame('?'));
    await client.received('$T05');
  });
});

test('a client that vanishes inside a packet is gone', async () => {
  const { host, listener } = await start();
  const client = await RawClient.to(port(listener), `${frame('qC')}$m4000`);
  await client.received('$QC');
  client.socket.resetAndDestroy();
  const next = await RawClient.to(port(listener), frame('qC'));
  await next.received('$QC');
  expect(host.events).toEqual(['connected', 'closed', 'connected']);
});

test('a packet that stays unfinished closes the connection', async () => {
  const { host, listener } = await start({ patienceMs: 400 });
  const client = await RawClient.to(port(listener), '$m4000');
  await client.gone;
  expect(host.events).toEqual(['connected', 'closed']);
  expect(host.lines.at(-1)).toBe('Closed the connection: a packet stayed unfinished');
});

test('what was sent arrives before the host closes', async () => {
  const { host, listener } = await start();
  const client = await RawClient.to(port(listener), `${frame('D;1234')}`);
  await client.gone;
  expect(client.text).toBe('+$OK#9a');
  expect(host.events).toEqual(['connected', 'closed']);
});

test('closing the listener closes its client', async () => {
  const { listener } = await start();
  const client = await RawClient.to(port(listener), frame('qC'));
  await client.received('$QC');
  await listener.close();
  await client.gone;
});

describe('errors of listening are gdbserver’s', () => {
  test('a taken port', async () => {
    const { listener } = await start();
    const again = listen({ ...LOOPBACK, ...port(listener) }, new TestHost());
    await expect(again).rejects.toThrow("Can't bind address: Address already in use.");
  });

  test('a host that has no address', async () => {
    const bad = listen({ kind: 'tcp', host: 'garbage:1234', port: 7736 }, new TestHost());
    await expect(bad).rejects.toThrow('garbage:1234:7736: cannot resolve name: Name or service not known');
  });
});

test('a UNIX socket is its owner’s alone', async () => {
  const path = join(mkdtempSync(join(tmpdir(), 'sidestep-')), 'socket');
  const host = new TestHost();
  const listener = await listen({ kind: 'unix', path }, host);
  open.push(listener);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const client = await RawClient.to({ path }, frame('qC'));
  await client.received('$QC1234#5e');
  expect(host.lines).toEqual([`Listening on unix:${path}`, 'Remote debugging from a UNIX socket']);
  await listener.close();
  expect(() => statSync(path)).toThrow('ENOENT');
});

test('a UNIX socket that another server holds is left alone', async () => {
  const path = join(mkdtempSync(join(tmpdir(), 'sidestep-')), 'socket');
  open.push(await listen({ kind: 'unix', path }, new TestHost()));
  await expect(listen({ kind: 'unix', path }, new TestHost())).rejects.toThrow('Address already in use');
  expect(statSync(path).isSocket()).toBe(true);
});

test('two streams are a connection too', async () => {
  const input = new PassThrough();
  const output = new PassThrough();
  const host = new TestHost();
  serveStreams(input, output, host);
  input.write(frame('qC'));
  const [reply] = (await once(output, 'data')) as [Buffer];
  expect(reply.toString()).toBe('+$QC1234#5e');
  expect(host.lines).toEqual(['Remote debugging using stdio']);
  input.end();
  await once(input, 'end');
  expect(host.events).toEqual(['connected', 'closed']);
});

function once(stream: PassThrough, event: string): Promise<unknown[]> {
  return new Promise((resolve) => stream.once(event, (...args) => resolve(args)));
}
