/** What ends a range step (`vCont;r`) through a loop that runs in compiled code: the same as in the interpreter, on the same instruction. */
import { readFileSync } from 'node:fs';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ElfFile } from '../../src/elf/elf-file.js';
import { elfSymbols } from '../../src/elf/symbols.js';
import { TIERS } from '../../src/options.js';
import { registerNamed } from '../../src/register-set.js';
import { buildGuest } from '../guests/build.js';
import { RspClient } from './rsp-client.js';
import { type RunningServer, sidestep, startServer } from './server.js';

/** Of the turn in which the loop stores, counted down. */
const STORES_AT = 0x4_0000n;

let program: string;
let symbols: ReadonlyMap<string, bigint>;

beforeAll(() => {
  program = buildGuest({ source: 'ranges.c', flags: ['-O1', '-static', '-no-pie', '-fno-pie', '-pthread'] });
  const elf = ElfFile.read(readFileSync(program));
  symbols = new Map(elf && elfSymbols(elf).map(({ name, address }) => [name, BigInt(address)]));
});

describe.each(TIERS)('tier %s', (tier) => {
  let server: RunningServer;
  let client: RspClient;
  let main: string;

  /** The main thread stands at the loop, which was hot before; its companion runs. */
  beforeEach(async () => {
    server = await startServer(sidestep(`--tier=${tier}`), [program]);
    client = await RspClient.attach(server.port);
    await insert('Z0', 'start');
    main = threadOf(await client.resume('c'));
    await client.request(`z0,${at('start')},1`);
    expect(await register('rip')).toBe(symbols.get('start'));
  });

  afterEach(() => {
    client.destroy();
    server.kill();
  });

  const at = (symbol: string): string => (symbols.get(symbol) ?? 0n).toString(16);
  const threadOf = (stop: string): string => /thread:([^;]+);/.exec(stop)?.[1] ?? stop;
  /** To the loop's return, or what is behind it. */
  const step = (rest = '', end = 'loop_last'): Promise<string> =>
    client.resume(`r${at('start')},${at(end)}:${main}${rest}`);

  async function insert(kind: string, symbol: string, size = 1): Promise<void> {
    expect(await client.request(`${kind},${at(symbol)},${size}`)).toBe('OK');
  }

  async function register(name: string): Promise<bigint> {
    await client.request(`Hg${main}`);
    return littleEndian(await client.request(`p${registerNamed(name).number.toString(16)}`));
  }

  const turns = async (): Promise<bigint> => littleEndian(await client.request(`m${at('turns')},8`));

  async function expectEnd(rest = ''): Promise<void> {
    const stop = await step(rest);
    expect(stop).toMatch(/^T05/);
    expect(threadOf(stop)).toBe(main);
    expect(await register('rcx')).toBe(0n);
    const rip = await register('rip');
    expect(rip < (symbols.get('start') ?? 0n) || rip >= (symbols.get('loop_last') ?? 0n)).toBe(true);
  }

  test('nothing: it goes to where the loop returns to', () => expectEnd());

  test('a turn that leads out of the range', async () => {
    expect(await step('', 'loop_end')).toMatch(/^T05/);
    expect([await register('rip'), await register('rcx')]).toEqual([symbols.get('loop_store'), STORES_AT]);
    await expectEnd();
  });

  test('a watchpoint', async () => {
    await insert('Z2', 'seldom', 4);
    expect(await step()).toMatch(new RegExp(`^T05watch:0*${at('seldom')};`));
    expect([await register('rip'), await register('rcx')]).toEqual([(symbols.get('loop_store') ?? 0n) + 6n, STORES_AT]);
    await expectEnd();
  });

  test.each([
    { kind: 'Z0', reason: 'swbreak' },
    { kind: 'Z1', reason: 'hwbreak' },
  ])('an unconditional breakpoint, $kind', async ({ kind, reason }) => {
    await insert(kind, 'loop_store');
    expect(await step()).toMatch(new RegExp(`^T05${reason}:;`));
    expect([await register('rip'), await register('rcx')]).toEqual([symbols.get('loop_store'), STORES_AT]);
    await client.request(`z${kind.slice(1)},${at('loop_store')},1`);
    await expectEnd();
  });

  test('nothing, while another thread runs', async () => {
    const before = await turns();
    await expectEnd(';c');
    expect(await turns()).toBeGreaterThan(before + 1000n);
    expect(await client.resume('c')).toMatch(/^W7/);
  });

  test('a breakpoint of another thread', async () => {
    await insert('Z0', 'other');
    const stop = await step(';c');
    expect(stop).toMatch(/^T05swbreak:;/);
    expect(threadOf(stop)).not.toBe(main);
    expect(await register('rcx')).toBeGreaterThan(0n);
    await client.request(`z0,${at('other')},1`);
    await expectEnd();
  });
});

function littleEndian(hex: string): bigint {
  return Buffer.from(hex, 'hex').reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
}
