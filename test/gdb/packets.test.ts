/**
 * The same packets to gdbserver and to sidestep: replies must be equal once normalised. gdb itself never sends most of these: what is wrong, cut off or out
 * of place in them is what other clients do. A script is a file in packets/, a packet on each line; `{name}` stands for a symbol's address in hexadecimal,
 * `{name+8}` for one behind it, `{pid}` and `{tid}` for the program's ids.
 *
 * What is not here: packets that gdbserver does not survive (an `m` without a length, `vCont;c:p-1.-1`, `qXfer:auxv:read::` end it, and the program with
 * it), and where we mean to differ (EBADF for a descriptor that is not open; a step from a breakpoint that is still set makes progress; `s` of gdbserver 13
 * goes on to the next stop, its range is never set).
 */
import { readdirSync, readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { ElfFile } from '../../src/elf/elf-file.js';
import { elfSymbols } from '../../src/elf/symbols.js';
import { buildGuest, NOSTDLIB } from '../guests/build.js';
import { fuzz, type Random } from '../hostile/random.js';
import { RspClient } from './rsp-client.js';
import { GDBSERVER, type ServerCommand, sidestep, startServer } from './server.js';

const FOLDER = new URL('packets/', import.meta.url);
const FEATURES =
  'multiprocess+;swbreak+;hwbreak+;fork-events+;vContSupported+;QThreadEvents+;no-resumed+;xmlRegisters=i386';
/** Hexadecimal digits of `g` that both servers have: the features core and sse. What follows depends on the processor. */
const REGISTERS = 2 * 536;

/** Digits of `g` that are general registers. */
const GENERAL = 2 * 16 * 8;
/** Digits of `g` before eflags, and before r11, where a system call leaves them. */
const FLAGS_AT = [2 * 17 * 8, 2 * 11 * 8];
/** The low two bytes of eflags in memory order, without PF, AF, ZF, SF and TF. */
const COMPARED_FLAGS = 0x2bfe;

let program: string;
let symbols: ReadonlyMap<string, number>;

beforeAll(() => {
  program = buildGuest({ source: 'bare-subject.c', flags: NOSTDLIB });
  const elf = ElfFile.read(readFileSync(program));
  symbols = new Map(elf && elfSymbols(elf).map(({ name, address }) => [name, address]));
});

interface Exchange {
  readonly packet: string;
  readonly reply: string;
}

const resumes = (packet: string): boolean => /^(?:vCont;[cCsSr]|[cCsS](?![a-z0-9]*:)|vRun)/.test(packet);

/** One conversation: what `next` asks for, until it says undefined or the program is gone. */
async function converse(
  command: ServerCommand,
  next: (last: Exchange | undefined) => string | undefined,
): Promise<Exchange[]> {
  const server = await startServer(command, [program]);
  const said: Exchange[] = [];
  try {
    const client = await RspClient.attach(server.port, FEATURES);
    const [tid = '', pid = ''] = /thread:p([0-9a-f]+)\.[0-9a-f]+/.exec(await client.request('?')) ?? [];
    const ids = { tid: tid.slice('thread:'.length), pid };
    for (let packet = next(undefined); packet !== undefined; packet = next(said.at(-1))) {
      client.send(fill(packet, ids));
      const text = resumes(packet) || packet.startsWith('qRcmd');
      const answer = (await (text ? client.stop().catch(() => undefined) : client.receive())) ?? 'closed';
      said.push({ packet, reply: normalise(packet, answer, pid) });
      if (/^(?:[WX]|closed)/.test(answer)) break;
    }
    client.destroy();
  } finally {
    server.kill();
  }
  return said;
}

function fill(packet: string, ids: Readonly<Record<string, string>>): string {
  return packet.replace(/\{(\w+)(?:\+(\w+))?\}/g, (_, name: string, offset = '0') => {
    const address = symbols.get(name);
    if (address === undefined && ids[name] === undefined) throw new Error(`no symbol ${name}`);
    return address === undefined ? (ids[name] ?? '') : (address + Number.parseInt(offset, 16)).toString(16);
  });
}

/** Without what two right servers may tell differently. */
function normalise(packet: string, reply: string, pid: string): string {
  if (/^T[0-9a-f]{2}/.test(reply)) return stop(reply, pid);
  if (/^E/.test(reply)) return 'E';
  if (packet === 'g') return registers(reply, pid);
  if (packet.startsWith('qXfer:siginfo')) return signalInfo(reply, pid);
  return reply.replaceAll(new RegExp(`(?<![0-9a-f])${pid}(?![0-9a-f])`, 'g'), 'PID');
}

/**
 * How large a signal frame is depends on the processor, and so where the stack is in a handler; and what multiplication and shifts leave in the flags that
 * they leave undefined. What a step leaves of ptrace's trap flag can be seen natively.
 */
function registers(all: string, pid: string): string {
  const comparable = FLAGS_AT.reduce(
    (text, at) => {
      const flags = Number.parseInt(text.slice(at, at + 4), 16) & COMPARED_FLAGS;
      return text.slice(0, at) + flags.toString(16).padStart(4, '0') + text.slice(at + 4);
    },
    all.slice(0, REGISTERS),
  );
  const general = comparable.slice(0, GENERAL).match(/.{16}/g) ?? [];
  const shown = general.map((value) => (value === littleEndian(pid).padEnd(16, '0') ? 'PID'.padEnd(16, '.') : value));
  return (shown.join('') + comparable.slice(GENERAL)).replaceAll(/[0-9a-f]{6}ffff7f0000/g, 'STACK...........');
}

/** Behind the letter that says whether there is more: words of 32 bits. */
function signalInfo(reply: string, pid: string): string {
  const words =
    Buffer.from(reply.slice(1), 'latin1')
      .toString('hex')
      .match(/.{1,8}/g) ?? [];
  return reply.slice(0, 1) + words.map((word) => (word === littleEndian(pid) ? 'PID' : word)).join(' ');
}

/** 32 bits in hexadecimal. */
function littleEndian(hex: string): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(Number.parseInt(hex, 16));
  return bytes.toString('hex');
}

/** Which registers beside the pc a stop reply brings along is the server's choice, and the processor that the thread was on is chance. */
function stop(reply: string, pid: string): string {
  const [first = '', ...rest] = reply.slice(3).split(';');
  const fields = [first, ...rest].filter(
    (field) => field !== '' && !/^(?:core|threads|thread-pcs|(?!10:)[0-9a-f]+):/.test(field),
  );
  return [reply.slice(0, 3), ...fields.map((field) => field.replaceAll(`p${pid}.${pid}`, 'pPID.PID'))].join(' ');
}

function scriptOf(name: string): string[] {
  const lines = readFileSync(new URL(name, FOLDER), 'utf8').split('\n');
  return lines.filter((line) => line !== '' && !line.startsWith('#'));
}

/** A breakpoint in the range of a range step: gdbserver reports the arrival, as a step; we report the breakpoint, whose condition has been looked at. */
function told({ packet, reply }: Exchange): string {
  return `${packet} -> ${packet.startsWith('vCont;r') ? reply.replace(' swbreak:', '') : reply}`;
}

/** Says `packets` in turn. */
function along(packets: readonly string[]): () => string | undefined {
  let at = 0;
  return () => packets[at++];
}

describe('packet scripts', () => {
  test.each(readdirSync(FOLDER))('%s', async (name) => {
    const packets = scriptOf(name);
    const [theirs, ours] = await Promise.all([
      converse(GDBSERVER, along(packets)),
      converse(sidestep(), along(packets)),
    ]);
    expect(ours.map(told)).toEqual(theirs.map(told));
    expect(theirs.length).toBe(packets.length);
  });
});

/** A debugger's session, dice instead of a user: breakpoints come and go where the program has been, it is stepped, continued, signalled, looked at. */
class Walk {
  private readonly seen: string[];
  private readonly inserted = new Set<string>();
  private pc = '';
  private signal = '00';
  private left = 80;

  constructor(
    private readonly random: Random,
    places: Iterable<number>,
  ) {
    this.seen = [...places].map((address) => address.toString(16));
  }

  next(last: Exchange | undefined): string | undefined {
    if (last !== undefined) this.learn(last);
    if (this.left-- === 0) return undefined;
    // As clients do: nothing is stepped off a breakpoint that is still there.
    if (this.inserted.has(this.pc)) return this.remove(this.pc);
    switch (this.random.below(8)) {
      case 0:
      case 1:
        return this.insert(this.random.of(this.seen));
      case 2:
        return this.inserted.size === 0 ? 'g' : this.remove(this.random.of([...this.inserted]));
      case 3:
        return this.random.of(['g', 'm{composite},20', 'X{composite+3},2:ab', 'qXfer:siginfo:read::0,18']);
      case 4:
        return this.inserted.size === 0 ? 'vCont;s' : `vCont;C${this.signal}:{tid}`;
      case 5:
        return this.inserted.size === 0 ? 'vCont;s' : 'vCont;c';
      case 6:
        return this.rangeStep();
      default:
        return `vCont;S${this.random.of(['00', this.signal])}:{tid}`;
    }
  }

  /** Not where the program makes system calls: gdbserver ends a range step behind each, as if it did not know the SIGTRAP. */
  private rangeStep(): string {
    const from = Number.parseInt(this.pc, 16);
    const to = from + 1 + this.random.below(40);
    const [first = 0, last = 0] = [symbols.get('fibonacci'), symbols.get('count')];
    return from >= first && to <= last ? `vCont;r${from.toString(16)},${to.toString(16)}:{tid}` : 'vCont;s:{tid}';
  }

  private learn({ reply }: Exchange): void {
    const stopped = /^T(..).* 10:([0-9a-f]+)/.exec(reply);
    if (stopped === null) return;
    const [, signal = '00', pc = ''] = stopped;
    this.signal = signal === '05' ? '00' : signal;
    this.pc = Buffer.from(pc, 'hex').readBigUInt64LE().toString(16);
    if (!this.seen.includes(this.pc)) this.seen.push(this.pc);
  }

  private insert(address: string): string {
    this.inserted.add(address);
    return `Z0,${address},1`;
  }

  private remove(address: string): string {
    this.inserted.delete(address);
    return `z0,${address},1`;
  }
}

test('walks with dice', { timeout: 3_600_000 }, async () => {
  await fuzz('packet walks', 12, async (random) => {
    const functions = ['fibonacci', 'collatz', 'sieve', 'signals', 'count', 'program'].map(
      (name) => symbols.get(name) ?? 0,
    );
    const walk = new Walk(random, functions);
    const theirs = await converse(GDBSERVER, (last) => (last === undefined ? '?' : walk.next(last)));
    const ours = await converse(sidestep(), along(theirs.map(({ packet }) => packet)));
    expect(ours.map(told)).toEqual(theirs.map(told));
  });
});
