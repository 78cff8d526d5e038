/** The server over a scripted machine, with real sockets: what gdbserver says and does when clients come, go, and press Ctrl-C. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { SYSCALL_NS } from '../../src/emulator/clock.js';
import { EventQueue } from '../../src/emulator/host/event-queue.js';
import { NO_HOST } from '../../src/emulator/host/no-host.js';
import { type Listener, listen } from '../../src/rsp/listener.js';
import { DebugServer } from '../../src/server/debug-server.js';
import { Drive } from '../../src/server/drive.js';
import { type Program, sys, work } from '../emulator/kernel/scripted.js';
import { RspClient } from '../gdb/rsp-client.js';
import { type Debugger, debug } from '../inferior/debugger.js';

const NR = { getppid: 110, nanosleep: 35, kill: 62, exitGroup: 231 } as const;
const AT = 0x1_8000;

const endless: Program = function* () {
  for (;;) yield work(1_000_000_000);
};
const short: Program = function* () {
  yield work(10);
  yield sys(NR.exitGroup, 5);
};

interface Running {
  readonly debugged: Debugger;
  readonly lines: string[];
  readonly status: Promise<number>;
  connect(features?: string): Promise<RspClient>;
}

const clients: RspClient[] = [];
const listeners: Listener[] = [];
const servers: DebugServer[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  for (const server of servers.splice(0)) server.finish(0);
  for (const listener of listeners.splice(0)) await listener.close();
});

async function start(program: Program, { once = false, multi = false, fastSleep = false } = {}): Promise<Running> {
  const debugged = debug(program);
  const events = new EventQueue();
  const waiting = { wait: (atMost?: number) => events.wait(atMost), interruptWait: () => events.interrupt() };
  Object.assign(debugged.guest.machine, { host: { ...NO_HOST, ...waiting } });
  const lines: string[] = [];
  const guest = {
    machine: debugged.guest.machine,
    starter: { start: () => ({ errno: 2 }), fileIn: () => undefined, nameOf: () => '/' },
    hostIo: { open: () => ({ errno: 2 }), unlink: () => ({ errno: 2 }), readLink: () => ({ errno: 2 }) },
    environment: new Map(),
    close: () => undefined,
    statistics: () => [],
  };
  let listener: Listener | undefined;
  const server = new DebugServer(debugged.inferior, new Drive(guest, { fastSleep }), {
    ended: () => undefined,
    once,
    multi,
    session: {},
    announce: (line) => void lines.push(line),
    beforeReport: () => undefined,
    reopen: () => listener?.announce(),
  });
  listener = await listen({ kind: 'tcp', host: '127.0.0.1', port: 0 }, server, { once });
  listeners.push(listener);
  servers.push(server);
  server.begin({ kind: 'signal', thread: debugged.main, signal: 5 });
  const { port } = listener;
  return {
    debugged,
    lines,
    status: server.serve(),
    async connect(features = 'multiprocess+;swbreak+;vContSupported+') {
      const client = await RspClient.attach(port as number, features);
      clients.push(client);
      return client;
    },
  };
}

describe('a client', () => {
  test('finds the program at its first stop and sees its end; then the server ends', async () => {
    const { connect, lines, status, debugged } = await start(short);
    const client = await connect();
    expect(await client.request('?')).toMatch(/^T05.*thread:p/);
    expect(await client.resume('c')).toBe(`W5;process:${debugged.main.pid.toString(16)}`);
    client.destroy();
    expect(await status).toBe(0);
    expect(lines.slice(1)).toEqual([
      expect.stringMatching(/^Remote debugging from host 127\.0\.0\.1, port \d+$/),
      '\nChild exited with status 5',
    ]);
  });

  test('that vanishes leaves the program where it stands for the next', async () => {
    const { connect, lines } = await start(short);
    (await connect()).destroy();
    await expect.poll(() => lines.filter((line) => line.startsWith('Listening on port'))).toHaveLength(2);
    expect(lines).toContain('Remote side has terminated connection.  GDBserver will reopen the connection.');
    const second = await connect();
    expect(await second.request('?')).toMatch(/^T05/);
    expect(await second.resume('c')).toMatch(/^W05|^W5/);
  });

  test('that vanishes while the program runs leaves it running; the next one stops it', async () => {
    const { connect, debugged } = await start(endless);
    const first = await connect();
    first.send('vCont;c');
    await sleep(20);
    first.destroy();
    const before = debugged.guest.machine.clock.retired;
    await sleep(50);
    expect(debugged.guest.machine.clock.retired).toBeGreaterThan(before);
    const second = await connect();
    expect(await second.request('?')).toMatch(/^T02/);
  });

  test('that vanishes takes the program along with --once', async () => {
    const { connect, lines, status, debugged } = await start(endless, { once: true });
    (await connect()).destroy();
    expect(await status).toBe(0);
    expect(lines).toContain(`Killing process(es): ${debugged.main.pid}`);
  });

  test('may let the program go: the server ends with it', async () => {
    const { connect, lines, status, debugged } = await start(short);
    const client = await connect();
    expect(await client.request(`D;${debugged.main.pid.toString(16)}`)).toBe('OK');
    expect(await status).toBe(0);
    expect(debugged.lines).toContain(`Detaching from process ${debugged.main.pid}`);
    expect(lines.join()).not.toContain('Killing');
  });

  test.each([
    { name: 'k', packet: 'k', line: 'Killing all inferiors' },
    { name: 'monitor exit', packet: 'qRcmd,65786974', line: expect.stringMatching(/^Killing process\(es\): \d+$/) },
  ])('may end the server with $name', async ({ packet, line }) => {
    const { connect, lines, status } = await start(endless);
    (await connect()).send(packet);
    expect(await status).toBe(0);
    expect(lines).toContainEqual(line);
  });

  test('in extended mode leaves the server without a program', async () => {
    const { connect, lines } = await start(short);
    const client = await connect();
    expect(await client.request('!')).toBe('OK');
    expect(await client.resume('c')).toMatch(/^W/);
    expect(await client.request('?')).toBe('W00');
    client.destroy();
    await expect.poll(() => lines.at(-1)).toMatch(/^Listening on port/);
    expect(await (await connect()).request('?')).toBe('W00');
  });
});

describe('Ctrl-C', () => {
  test('stops a busy loop hardly later than a packet is answered', async () => {
    const { connect } = await start(endless);
    const client = await connect();
    const times = { stop: [] as number[], answer: [] as number[] };
    for (let i = 0; i < 20; i++) {
      client.send('vCont;c');
      await sleep(15);
      let begin = performance.now();
      client.interrupt();
      expect(await client.stop()).toMatch(/^T02/);
      times.stop.push(performance.now() - begin);
      begin = performance.now();
      await client.request('qC');
      times.answer.push(performance.now() - begin);
    }
    const median = (list: number[]): number => list.sort((a, b) => a - b)[10] as number;
    // Two pieces of guest code may be in the way. Other tests run beside this one, so the answer is the measure of this machine's load.
    expect(median(times.stop)).toBeLessThan(10 + 4 * median(times.answer));
  });

  test('stops a program that sleeps', async () => {
    const { connect, debugged } = await start(function* () {
      yield sys(NR.nanosleep, AT, 0);
      yield sys(NR.exitGroup, 0);
    });
    debugged.guest.words(AT, 1000, 0);
    const client = await connect();
    client.send('vCont;c');
    await sleep(20);
    client.interrupt();
    expect(await client.stop()).toMatch(/^T02/);
    expect(debugged.guest.machine.clock.monotonic).toBeGreaterThan(1e6);
    expect(debugged.guest.machine.clock.monotonic).toBeLessThan(1e12);
  });
});

describe('sleep', () => {
  const sleeper: Program = function* () {
    yield sys(NR.nanosleep, AT, 0);
    yield sys(NR.exitGroup, 0);
  };

  test('takes the host’s time, and the clock then shows exactly the deadline with its slack', async () => {
    const { connect, debugged } = await start(sleeper);
    debugged.guest.words(AT, 0, 30_000_000);
    const client = await connect();
    const begin = performance.now();
    expect(await client.resume('c')).toMatch(/^W0/);
    expect(performance.now() - begin).toBeGreaterThan(25);
    const deadline = 30_050_000;
    expect(debugged.guest.machine.clock.monotonic).toBeGreaterThanOrEqual(deadline);
    // Two system calls, and what else ran.
    expect(debugged.guest.machine.clock.monotonic).toBeLessThan(deadline + 2 * SYSCALL_NS + 100);
  });

  test('takes none with fast sleep', async () => {
    const { connect, debugged } = await start(sleeper, { fastSleep: true });
    debugged.guest.words(AT, 3600, 0);
    const client = await connect();
    const begin = performance.now();
    expect(await client.resume('c')).toMatch(/^W0/);
    expect(performance.now() - begin).toBeLessThan(2000);
    expect(debugged.guest.machine.clock.monotonic).toBeGreaterThanOrEqual(3600e9);
  });
});
