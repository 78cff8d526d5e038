/** Input that is broken or hostile gets a clear answer, and neither the server nor the program suffers. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { buildGuest } from '../guests/build.js';
import { frame, RspClient } from './rsp-client.js';
import { PLAIN_ENVIRONMENT, type RunningServer, sidestep, startServer } from './server.js';

describe('a file that is no program', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sidestep-test-'));
  });

  afterEach(() => rmSync(folder, { recursive: true }));

  function elf(change: (bytes: Buffer) => Buffer): Buffer {
    return change(Buffer.from(readFileSync('/bin/true')));
  }

  function file(contents: Buffer | string, mode: number): string {
    const path = join(folder, 'program');
    writeFileSync(path, contents, { mode });
    return path;
  }

  const FILES: readonly { name: string; contents: () => Buffer | string; mode?: number; says: RegExp }[] = [
    {
      name: 'an ELF cut in its header',
      contents: () => elf((all) => all.subarray(0, 40)),
      says: /truncated|too short/i,
    },
    {
      name: 'an ELF cut in its program headers',
      contents: () => elf((all) => all.subarray(0, 200)),
      says: /truncated/i,
    },
    { name: 'an ELF cut in a segment', contents: () => elf((all) => all.subarray(0, 9000)), says: /truncated/i },
    {
      name: 'a 32-bit ELF',
      contents: () =>
        elf((all) => {
          all[4] = 1; // EI_CLASS: ELFCLASS32
          all.writeUInt16LE(3, 18); // e_machine: EM_386
          return all;
        }),
      says: /32-bit/,
    },
    {
      name: 'an ELF for another machine',
      contents: () =>
        elf((all) => {
          all.writeUInt16LE(183, 18); // e_machine: EM_AARCH64
          return all;
        }),
      says: /64-bit ARM/,
    },
    { name: 'a script without #!', contents: () => 'echo hello\n', says: /#!|format/i },
    { name: 'an empty file', contents: () => '', says: /empty|format/i },
    { name: 'a file that may not be executed', contents: () => elf((all) => all), mode: 0o644, says: /permission/i },
  ];

  test.each(FILES)('$name: `run` says so in one line and exits with 1', ({ contents, mode = 0o755, says }) => {
    const path = file(contents(), mode);
    const [command = '', ...first] = sidestep().command;
    const { status, stdout, stderr } = spawnSync(command, [...first, 'run', '--', path], { encoding: 'utf8' });
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(stderr).toContain(path);
    expect(stderr).toMatch(says);
  });

  // A script without #! is one that the shell runs itself, and under it gdbserver starts.
  test.each(FILES.filter(({ name }) => !name.includes('script') && !name.includes('empty')))(
    '$name: after COMM the server ends as gdbserver does',
    ({ contents, mode = 0o755 }) => {
      const path = file(contents(), mode);
      const [command = '', ...first] = sidestep().command;
      const args = [...first, '--once', '127.0.0.1:0', path];
      const { status, stderr } = spawnSync(command, args, { encoding: 'utf8', env: PLAIN_ENVIRONMENT });
      expect(status).toBe(1);
      expect(stderr).toMatch(/^During startup program exited with code 12[67]\.\nExiting\n$/m);
    },
  );

  test.each([
    { name: 'an unknown option', args: ['--no-such-option', '127.0.0.1:0', '/bin/true'] },
    { name: 'a port that is none', args: ['127.0.0.1:notaport', '/bin/true'] },
    { name: 'a host that is none', args: ['garbage:1234', '/bin/true'] },
    { name: 'run of a missing file', args: ['run', '--', '/no/such/program'] },
    { name: 'run with an unknown option', args: ['run', '--no-such-option', '--', '/bin/true'] },
    { name: 'run with an unknown tier', args: ['run', '--tier=fast', '--', '/bin/true'] },
  ])('$name: says so and exits with 1', ({ args }) => {
    const [command = '', ...first] = sidestep().command;
    const { status, stderr } = spawnSync(command, [...first, ...args], { encoding: 'utf8', timeout: 10_000 });
    expect(status).toBe(1);
    expect(stderr).toMatch(/no-such-option|notaport|garbage|\/no\/such\/program|fast/);
    expect(stderr).not.toMatch(/^\s+at /m); // a stack trace is not a message
  });
});

describe('a client that misbehaves', () => {
  let server: RunningServer;
  let clients: RspClient[];

  beforeEach(async () => {
    const program = buildGuest({ source: 'dies.c', flags: ['-O1'] });
    clients = [];
    server = await startServer(sidestep(), [program, 'return'], []);
  });

  afterEach(() => {
    for (const client of clients) client.destroy();
    server.kill();
  });

  async function attach(): Promise<RspClient> {
    const client = await RspClient.attach(server.port);
    clients.push(client);
    return client;
  }

  /** The program still stands where it stood, and then runs to its own end. */
  async function expectUnharmed(client: RspClient): Promise<void> {
    expect(await client.request('?')).toMatch(/^T05/);
    expect(await client.resume('c')).toMatch(/^W5;process:/);
    expect(server.stdout()).toBe('about to return\nat exit\n');
  }

  test.each([
    { name: 'a breakpoint on an unmapped address', packet: 'Z0,10,1', reply: /^E/ },
    { name: 'a breakpoint beyond all addresses', packet: 'Z0,ffffffffffffffff0,1', reply: /^E/ },
    { name: 'a breakpoint whose condition is cut', packet: 'Z0,10,1;X10,22', reply: /^E/ },
    { name: 'removing a breakpoint that is not there', packet: 'z0,10,1', reply: /^(E|OK)/ },
    { name: 'a breakpoint of no kind', packet: 'Z9,10,1', reply: /^(E|$)/ },
    { name: 'reading unmapped memory', packet: 'm0,8', reply: /^E/ },
    { name: 'reading at the end of all addresses', packet: 'mfffffffffffffff8,20', reply: /^E/ },
    { name: 'reading more than fits', packet: 'm0,ffffffffffffffff', reply: /^E/ },
    { name: 'reading at no address', packet: 'm', reply: /^E/ },
    { name: 'reading at what is no number', packet: 'mxyz,1', reply: /^E/ },
    { name: 'writing unmapped memory', packet: 'M0,1:ff', reply: /^E/ },
    { name: 'writing less than announced', packet: 'M0,10:ff', reply: /^E/ },
    { name: 'writing what is not hexadecimal', packet: 'M0,1:zz', reply: /^E/ },
    { name: 'binary data shorter than announced', packet: 'X0,4:a', reply: /^E/ },
    { name: 'a register that is none', packet: 'pffff', reply: /^E/ },
    { name: 'too few registers', packet: 'G00', reply: /^E/ },
    { name: 'a thread that is none', packet: 'Hgp1.ffffff', reply: /^E/ },
    { name: 'a thread id that is none', packet: 'Hgxyz', reply: /^E/ },
    { name: 'an action that is none', packet: 'vCont;q', reply: /^(E|$)/ },
    { name: 'resuming a thread that is none', packet: 'vCont;c:p1.ffffff', reply: /^E/ },
    { name: 'an object that is none', packet: 'qXfer:nothing:read::0,100', reply: /^(E|$)/ },
    { name: 'a part that is none', packet: 'qXfer:features:read:target.xml:zz,100', reply: /^E/ },
    { name: 'a part past the end', packet: 'qXfer:features:read:target.xml:fffffff,100', reply: /^(l$|E)/ },
    { name: 'opening a name that is not hexadecimal', packet: 'vFile:open:zz,0,0', reply: /^(F-1|E)/ },
    { name: 'reading a file that is not open', packet: 'vFile:pread:99,10,0', reply: /^F-1,9$/ },
    { name: 'a search without end', packet: 'qSearch:memory:0;ffffffffffffffff;00', reply: /^(0|E)/ },
    { name: 'a checksum of unmapped memory', packet: 'qCRC:0,10', reply: /^E/ },
    { name: 'a packet that nobody knows', packet: 'vMustReplyEmpty', reply: /^$/ },
    { name: 'another one', packet: '\x01\x02\xff', reply: /^$/ },
    { name: 'an empty packet', packet: '', reply: /^$/ },
    { name: 'a monitor command that is none', packet: 'qRcmd,6e6f6e65', reply: /^(E|O)/ },
    { name: 'a monitor command that is not hexadecimal', packet: 'qRcmd,zz', reply: /^E/ },
  ])('$name is answered', async ({ packet, reply }) => {
    const client = await attach();
    expect(await client.request(packet)).toMatch(reply);
    // Console output of a monitor command comes before its end.
    if (packet.startsWith('qRcmd,6e')) expect(await client.receive()).toMatch(/^E/);
    await expectUnharmed(client);
  });

  test('a wrong checksum is refused, and the packet sent again is served', async () => {
    const client = await RspClient.connect(server.port);
    clients.push(client);
    client.sendRaw('$?#00');
    await expect.poll(() => client.acknowledgements).toBe('-');
    expect(await client.request('?')).toMatch(/^T05/);
    client.destroy();
    await expectUnharmed(await attach());
  });

  test.each([
    { name: 'bytes between packets', bytes: 'noise' },
    { name: 'an end without a beginning', bytes: '#00' },
    { name: 'a beginning inside a packet', bytes: '$m0,' },
    { name: 'a stray acknowledgement', bytes: '+-+' },
    { name: 'an escape at the end', bytes: '$X0,1:}#00' },
    { name: 'an interrupt while nothing runs', bytes: '\x03' },
  ])('$name is got over', async ({ bytes }) => {
    const client = await attach();
    client.sendRaw(bytes);
    client.send('vMustReplyEmpty');
    client.send('qC');
    const replies: string[] = [];
    while (!replies.some((reply) => reply.startsWith('QC'))) replies.push((await client.receive()) ?? 'QC never');
    expect(replies.at(-1)).toMatch(/^QC[p0-9a-f]/);
    await expectUnharmed(client);
  });

  test('a packet larger than any buffer ends no more than the connection', async () => {
    const client = await attach();
    client.sendRaw(`$m${'0'.repeat(4 << 20)}`);
    await sleep(200);
    client.destroy();
    await expectUnharmed(await attach());
  });

  test.each([
    { name: 'in the middle of a packet', bytes: '$m401000,1' },
    { name: 'between a packet and its checksum', bytes: '$m401000,10#' },
    { name: 'before the reply', bytes: frame('g') },
    { name: 'after an escape', bytes: '$X401000,1:}' },
    { name: 'without a word', bytes: '' },
  ])('a client that vanishes $name leaves the program for the next', async ({ bytes }) => {
    const client = await attach();
    client.sendRaw(bytes);
    await sleep(50);
    client.destroy();
    await expectUnharmed(await attach());
  });

  test.each([
    { name: 'an HTTP request', opening: 'POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99\r\n\r\n' },
    { name: 'a TLS hello', opening: '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03' },
    { name: 'an SSH banner', opening: 'SSH-2.0-OpenSSH_9.2\r\n' },
  ])('$name is no debugger: what it carries is not obeyed', async ({ opening }) => {
    const carried = ['QStartNoAckMode', 'Hgp0.0', 'vKill;1', 'c', 'D'].map(frame).join('+');
    const answer = await new Promise<string>((resolve) => {
      let received = '';
      const socket = connect(server.port, '127.0.0.1', () => socket.write(`${opening}${carried}`, 'latin1'));
      socket.setEncoding('latin1').on('data', (text: string) => {
        received += text;
      });
      socket.on('error', () => {}).on('close', () => resolve(received));
    });
    expect(answer).not.toContain('$');
    await expectUnharmed(await attach());
  });

  test('a second client is refused while the first is there', async () => {
    const first = await attach();
    const second = await RspClient.connect(server.port);
    clients.push(second);
    second.send('?');
    expect(await second.receive().catch(() => undefined)).toBeUndefined();
    await expectUnharmed(first);
  });
});
