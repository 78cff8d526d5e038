/** lldb 14 through its `gdb-remote`: what it shows is what it shows with its own lldb-server. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { buildGuest } from '../guests/build.js';
import { RspClient } from './rsp-client.js';
import { PLAIN_ENVIRONMENT, type RunningServer, sidestep, startServer } from './server.js';

const LLDB = 'lldb-14';
const LLDB_SERVER = 'lldb-server-14';
const INSTALLED = spawnSync(LLDB, ['--version']).status === 0;
if (!INSTALLED) console.warn(`test/gdb/lldb.test.ts: ${LLDB} is not installed (apt-get install lldb-14): skipped`);

let ladder: string;
let listener: string;

beforeAll(() => {
  ladder = buildGuest({ source: 'ladder.c', flags: ['-O0', '-fno-stack-protector'] });
  listener = buildGuest({ source: 'listener.c', flags: ['-O0'] });
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** It does not say when it listens, and takes one connection: so that one must not be wasted on looking. */
async function lldbServer(program: string): Promise<{ port: number; kill(): void }> {
  const port = await freePort();
  const server = spawn(LLDB_SERVER, ['gdbserver', `127.0.0.1:${port}`, '--', program], {
    stdio: 'ignore',
    env: PLAIN_ENVIRONMENT,
  });
  const hexPort = port.toString(16).toUpperCase().padStart(4, '0');
  for (let i = 0; i < 200; i++) {
    const { stdout } = spawnSync('grep', ['-c', `0100007F:${hexPort} 00000000:0000 0A`, '/proc/net/tcp'], {
      encoding: 'utf8',
    });
    if (stdout.trim() === '1') break;
    await sleep(50);
  }
  return { port, kill: () => server.kill('SIGKILL') };
}

function lldb(port: number, program: string, commands: readonly string[]): string {
  const all = [`target create ${program}`, `gdb-remote 127.0.0.1:${port}`, ...commands, 'quit'];
  const words = all.flatMap((command) => ['-o', command]);
  const { stdout, stderr } = spawnSync(LLDB, ['-b', '--no-lldbinit', ...words], {
    encoding: 'utf8',
    env: PLAIN_ENVIRONMENT,
    timeout: 45_000,
  });
  return stdout + stderr.replace(/^Traceback[\s\S]*?ModuleNotFoundError.*\n/, '');
}

/** What differs between two machines, though nothing is wrong: ids, the stack, the first signal. */
function plain(transcript: string): string[] {
  return (
    transcript
      .replace(/^\(lldb\) gdb-remote.*$/m, '')
      .replace(/Process \d+/g, 'Process PID')
      .replace(/tid = \d+/g, 'tid = TID')
      .replace(/stop reason = signal SIG(STOP|TRAP)/g, 'stop reason = signal AT THE START')
      .replace(/0x0*7ff[ef][0-9a-f]{8}\b/g, 'STACK')
      .split('\n')
      // lldb-server passes the program's output on; gdbserver and we print it ourselves.
      .filter((line) => !/^(top \d+|twelve|\(lldb\) quit)?\r?$/.test(line))
  );
}

const SESSIONS: readonly { name: string; commands: readonly string[]; shows: RegExp }[] = [
  {
    name: 'breakpoint, backtrace, variables, step, finish',
    commands: [
      'breakpoint set -n climb -c "steps == 1"', 'continue', 'thread backtrace', 'frame variable', 'thread step-over', 'thread step-inst',
      'frame variable', 'thread list', 'breakpoint delete -f', 'thread step-out', 'register read rip', 'disassemble -n main -c 3', 'continue',
    ], // biome-ignore format: a list
    shows: /stop reason = step out[\s\S]*exited with status = 9/,
  },
  {
    name: 'memory, registers, calls',
    commands: [
      'breakpoint set -n climb', 'continue', 'memory read -c 8 -fx &rung', 'register write rbx 0x1234', 'register read rbx', 'expression rung = 7',
      'expression steps * 100', 'expression (int)climb(0)', 'expression char *s = "twelve"; (int)puts(s)', 'register read rbx', 'memory region &rung',
      'memory region 0', 'breakpoint delete -f', 'continue',
    ], // biome-ignore format: a list
    shows: /\$3 = 7[\s\S]*\$4 = 7[\s\S]*exited with status = 16/,
  },
  {
    name: 'watchpoint',
    commands: [
      'breakpoint set -n main', 'continue', 'watchpoint set variable rung', 'continue', 'thread backtrace -c 1', 'continue', 'watchpoint delete -f',
      'continue',
    ], // biome-ignore format: a list
    shows: /new value: 3[\s\S]*new value: 5[\s\S]*exited with status = 9/,
  },
  { name: 'kill', commands: ['breakpoint set -n main', 'continue', 'process kill'], shows: /exited with status = 9/ },
];

describe.skipIf(!INSTALLED)('lldb', { timeout: 180_000 }, () => {
  test.each(SESSIONS)('$name: as with lldb-server', async ({ commands, shows }) => {
    const theirs = await lldbServer(ladder);
    const expected = plain(lldb(theirs.port, ladder, commands));
    theirs.kill();
    const ours = await startServer(sidestep(), [ladder]);
    const got = lldb(ours.port, ladder, commands);
    ours.kill();
    expect(got).toMatch(shows);
    // In some virtual machines hardware watchpoints are never hit.
    if (shows.test(expected.join('\n'))) expect(plain(got)).toEqual(expected);
  });

  test('interrupt and detach', async () => {
    const server = await startServer(sidestep(), [listener, 'spin']);
    const client = spawn(LLDB, ['--no-lldbinit', '-o', `target create ${listener}`], { env: PLAIN_ENVIRONMENT });
    const closed = once(client, 'close');
    let printed = '';
    client.stdout.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
    });
    const until = (pattern: RegExp): Promise<void> => {
      return expect.poll(() => printed, { timeout: 30_000, interval: 20 }).toMatch(pattern);
    };
    client.stdin.write(`gdb-remote 127.0.0.1:${server.port}\n`);
    await until(/stop reason/);
    client.stdin.write('continue\n');
    server.process.stdin.write('joe\n');
    await expect.poll(() => server.stdout(), { timeout: 20_000 }).toContain('spinning');
    client.stdin.write('process interrupt\n');
    await until(/stop reason = signal SIGINT[\s\S]*listener.c/);
    client.stdin.write('expression turns > 0\ndetach\nquit\n');
    await until(/\(bool\) \$0 = true/);
    await closed;
    expect(server.stderr()).toContain('Detaching from process');
    server.kill();
  });
});

describe('lldb’s packets', () => {
  async function asLldb(): Promise<{ server: RunningServer; client: RspClient }> {
    const server = await startServer(sidestep(), [ladder]);
    const client = await RspClient.attach(server.port, 'xmlRegisters=i386,arm,mips,arc;multiprocess+');
    for (const packet of ['QThreadSuffixSupported', 'QListThreadsInStopReply', 'QEnableErrorStrings']) {
      expect(await client.request(packet)).toBe('OK');
    }
    return { server, client };
  }

  test('regions cover the address space without a gap', async () => {
    const { server, client } = await asLldb();
    let [at, regions, mapped] = [0n, 0, 0];
    for (; at < 1n << 64n; regions++) {
      const reply = await client.request(`qMemoryRegionInfo:${at.toString(16)}`);
      const [, start = '', size = '', rest = ''] = /^start:([0-9a-f]+);size:([0-9a-f]+);(.*)$/.exec(reply) ?? [];
      expect(BigInt(`0x${start}`)).toBe(at);
      if (rest.startsWith('permissions:')) mapped++;
      at += BigInt(`0x${size}`);
    }
    expect(at).toBe(1n << 64n);
    expect(mapped).toBeGreaterThan(10);
    expect(regions).toBeGreaterThan(mapped);
    server.kill();
  });

  test('registers are saved and restored, memory is lent and given back', async () => {
    const { server, client } = await asLldb();
    const before = await client.request('g');
    const number = await client.request('QSaveRegisterState');
    expect(await client.request('P1=8877665544332211')).toBe('OK');
    expect(await client.request('g')).not.toBe(before);
    expect(await client.request(`QRestoreRegisterState:${number}`)).toBe('OK');
    expect(await client.request('g')).toBe(before);
    expect(await client.request(`QRestoreRegisterState:${number}`)).toMatch(/^E16;[0-9a-f]+$/);

    const at = await client.request('_M1001,rx');
    expect(await client.request(`qMemoryRegionInfo:${at}`)).toBe(`start:${at};size:2000;permissions:rx;flags:;`);
    expect(await client.request(`X${at},3:}\x03\x04\x05`.replace('}\x03', '\x23'))).toBe('OK');
    expect(await client.request(`x${at},3`)).toBe('\x23\x04\x05');
    expect(await client.request('x0,0')).toBe('OK');
    expect(await client.request(`_m${at}`)).toBe('OK');
    expect(await client.request(`_m${at}`)).toMatch(/^E16/);
    expect(await client.request(`x${at},3`)).toMatch(/^E/);
    server.kill();
  });

  test('one trip tells of every thread', async () => {
    const { server, client } = await asLldb();
    const stop = await client.request('?');
    expect(stop).toMatch(/^T05.*threads:p[0-9a-f]+\.[0-9a-f]+;thread-pcs:[0-9a-f]{16};/);
    const [info] = JSON.parse(await client.request('jThreadsInfo')) as [
      { tid: number; reason: string; registers: Record<string, string> },
    ];
    expect(info).toMatchObject({ reason: 'signal', signal: 5, name: 'ladder' });
    const pc = /;10:([0-9a-f]{16});/.exec(stop)?.[1];
    expect(info.registers['16']).toBe(pc);
    expect(await client.request(`p10;thread:${info.tid.toString(16)};`)).toBe(pc);
    expect(await client.request(`qThreadStopInfo${info.tid.toString(16)}`)).toBe(stop);
    server.kill();
  });
});
