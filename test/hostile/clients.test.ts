/** Clients that break off, stutter and repeat themselves, against a real server: it lives, the program is unharmed, nothing is left behind. */
import { readdirSync, readFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { frame, RspClient } from '../gdb/rsp-client.js';
import { type RunningServer, sidestep, startServer } from '../gdb/server.js';
import { buildGuest } from '../guests/build.js';
import { anyPacket } from './packets.js';
import { FUZZ_SECONDS, fuzz, type Random } from './random.js';

const TIMEOUT = { timeout: 3_600_000 };
/** Memory that hundreds of clients may have cost: caches, compiled code. */
const GROWTH_BYTES = 200 << 20;

let server: RunningServer;
let text: string;

beforeAll(async () => {
  server = await startServer(
    sidestep(),
    [buildGuest({ source: 'spinner.c', flags: ['-O1', '-static', '-no-pie', '-fno-pie'] })],
    [],
  );
  const client = await RspClient.attach(server.port);
  text = await programText(client);
  client.close();
});

afterAll(() => server.kill());

async function programText(client: RspClient): Promise<string> {
  const stop = await client.request('?');
  expect(stop).toMatch(/^T/);
  return client.request('m401000,100');
}

/** A new client finds the program stopped or stops it, without anybody's breakpoints, and can step it. */
async function expectUnharmed(): Promise<void> {
  const client = await retry(() => RspClient.attach(server.port));
  expect(await programText(client)).toBe(text);
  expect(await client.resume('s:p-1.-1')).toMatch(/^T05/);
  client.destroy();
}

/** The server may not have seen yet that the last client is gone. */
async function retry<T>(make: () => Promise<T>): Promise<T> {
  for (let i = 0; ; i++) {
    try {
      return await make();
    } catch (error) {
      if (i === 100) throw error;
      await sleep(20);
    }
  }
}

function usage(): { descriptors: number; bytes: number } {
  const folder = `/proc/${server.process.pid}`;
  const [, pages = '0'] = readFileSync(`${folder}/statm`, 'utf8').split(' ');
  return { descriptors: readdirSync(`${folder}/fd`).length, bytes: Number(pages) * 4096 };
}

/** Connects, sends some of what a debugger sends, and is gone while the program steps or runs. */
async function dieMidStep(random: Random): Promise<void> {
  const socket = connect(server.port, '127.0.0.1').setNoDelay();
  socket.on('error', () => undefined);
  await new Promise((resolve) => socket.once('connect', resolve));
  const set = random.of([
    'Z0,401000,1',
    'Z0,401010,1;X3,220027',
    'Z2,402000,8',
    'QCatchSyscalls:1',
    'm401000,20',
    'QNonStop:1',
  ]);
  const move = random.of(['vCont;s:p-1.-1', 'vCont;c', 'vCont;r401000,402000:p-1.-1', 'vCont;c']);
  const packets = ['qSupported:multiprocess+;swbreak+', 'QStartNoAckMode', '?', set, move].map(frame).join('+');
  socket.write(`+${packets}`, 'latin1');
  await sleep(random.below(15));
  if (random.below(2) === 0) socket.resetAndDestroy();
  else socket.destroy();
}

test('clients that are killed in the middle of a step', TIMEOUT, async () => {
  await expectUnharmed();
  const before = usage();
  const rounds = FUZZ_SECONDS > 0 ? 1000 : 40;
  await fuzz('killed clients', rounds, dieMidStep);
  await expectUnharmed();
  await expect.poll(() => usage().descriptors, { timeout: 10_000 }).toBeLessThanOrEqual(before.descriptors + 1);
  expect(usage().bytes - before.bytes).toBeLessThan(GROWTH_BYTES);
});

type Damage = (bytes: Buffer, random: Random) => readonly Buffer[];

function halves(bytes: Buffer, random: Random): readonly [Buffer, Buffer] {
  const at = random.below(bytes.length + 1);
  return [bytes.subarray(0, at), bytes.subarray(at)];
}

/** What the proxy does with a piece of what the client sends. */
const DAMAGES: Readonly<Record<string, Damage>> = {
  splits: halves,
  'sends twice': (bytes) => [bytes, bytes],
  swaps: (bytes, random) => [...halves(bytes, random)].reverse(),
  drops: (bytes, random) => [halves(bytes, random)[1]],
  changes: (bytes, random) => {
    const copy = Buffer.from(bytes);
    copy[random.below(copy.length)] = random.below(256);
    return [copy];
  },
};

async function proxy(damage: Damage, random: Random): Promise<{ port: number; server: Server }> {
  const chaos = createServer((client) => {
    const target = connect(server.port, '127.0.0.1').setNoDelay();
    const both: readonly Socket[] = [client, target];
    for (const socket of both)
      socket
        .on('error', () => undefined)
        .on('close', () => {
          client.destroy();
          target.destroy();
        });
    target.on('data', (bytes) => client.write(bytes));
    let queue = Promise.resolve();
    client.on('data', (bytes: Buffer) => {
      for (const piece of damage(bytes, random)) {
        queue = queue.then(() => sleep(random.below(3))).then(() => void target.write(piece));
      }
    });
  });
  await new Promise<void>((resolve) => chaos.listen(0, '127.0.0.1', resolve));
  return { port: (chaos.address() as AddressInfo).port, server: chaos };
}

test('pieces that come late change nothing', TIMEOUT, async () => {
  await fuzz('late pieces', 2, async (random) => {
    const packets = [
      'qC',
      'm401000,40',
      'g',
      'qXfer:features:read:target.xml:0,fff',
      'p10',
      'vMustReplyEmpty',
      'qXfer:auxv:read::0,1000',
    ];
    const straight = await retry(() => RspClient.attach(server.port));
    const expected: string[] = [];
    for (const packet of packets) expected.push(await straight.request(packet));
    straight.destroy();
    const chaos = await proxy(halves, random);
    const crooked = await retry(() => RspClient.attach(chaos.port));
    const got: string[] = [];
    for (const packet of packets) got.push(await crooked.request(packet));
    crooked.destroy();
    chaos.server.close();
    expect(got).toEqual(expected);
  });
});

/** Packets that end or replace the program, which is what they are for. */
const FATAL = /^(k|vKill|D|R|vRun|X|M|G|P|QRestore|qRcmd|c|C|s|S|vCont|_|!)/;

test('a line that cuts, doubles, swaps and changes', TIMEOUT, async () => {
  await fuzz('damaged lines', 10, async (random) => {
    const chaos = await proxy(DAMAGES[random.of(Object.keys(DAMAGES))] ?? halves, random);
    const socket = connect(chaos.port, '127.0.0.1').on('error', () => undefined);
    for (let i = 0; i < 12; i++) {
      const body = anyPacket(random);
      if (!FATAL.test(body)) socket.write(frame(body), 'latin1');
      await sleep(2);
    }
    socket.destroy();
    chaos.server.close();
  });
  const client = await retry(() => RspClient.attach(server.port));
  expect(await client.request('?')).toMatch(/^T/);
  client.destroy();
});
