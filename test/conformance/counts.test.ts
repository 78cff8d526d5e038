/**
 * Exact counts. The oracle is the processor: `singlestep.c` runs a program under PTRACE_SINGLESTEP and counts the
 * instructions that completed, by these rules, which are also the emulator's:
 *
 * - an iteration of a repeated string instruction counts as one, and a repeated instruction whose count is zero as one;
 * - an instruction that faults does not count, its retry does; a page fault inside a repeated instruction keeps what
 *   was done, so only the iteration that faulted is repeated;
 * - entering a signal handler counts nothing: no instruction ran. The `syscall` of rt_sigreturn does count;
 * - a system call counts once each time its instruction runs, so one that the kernel begins again counts twice;
 * - the call that ends the process counts; a fault or signal that ends it does not;
 * - the program's own `int3` counts.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { afterEach, describe, expect, test } from 'vitest';
import { RspClient } from '../gdb/rsp-client.js';
import { type RunningServer, sidestep, startServer } from '../gdb/server.js';
import { buildGuest, NOSTDLIB } from '../guests/build.js';
import { runEmulated, SLOW, TIERS } from './run.js';

const PROGRAMS = ['exit', 'loops', 'strings', 'faults', 'signals', 'syscalls', 'killed', 'suicide'];
/** All of them take a minute and a half. */
const SLICES = SLOW ? [1, 2, 3, 17, 100, 1000] : [1, 17, 1000];

function build(name: string): string {
  return buildGuest({ source: `bare-${name}.c`, flags: NOSTDLIB });
}

function retired(stderr: string): number {
  const line = /^(\d+) instructions retired$/m.exec(stderr);
  if (line === null) throw new Error(`no count in ${JSON.stringify(stderr)}`);
  return Number(line[1]);
}

interface Counted {
  readonly count: number;
  readonly status: number | null;
  readonly stdout: string;
}

const oracles = new Map<string, Counted>();

function oracle(name: string): Counted {
  const known = oracles.get(name);
  if (known !== undefined) return known;
  const singlestep = buildGuest({ source: '../conformance/singlestep.c', flags: ['-O2'] });
  const { stdout, stderr, status } = spawnSync(singlestep, [build(name)], { encoding: 'utf8' });
  const counted = { count: retired(stderr), status, stdout };
  oracles.set(name, counted);
  return counted;
}

test.each(PROGRAMS)('%s: single-stepping counts the same twice', (name) => {
  const first = oracle(name);
  oracles.delete(name);
  expect(oracle(name)).toEqual(first);
});

describe.each(TIERS)('with --tier=%s', (tier) => {
  test.each(PROGRAMS)('%s: counts what the processor counts', (name) => {
    const { stdout, stderr, status } = runEmulated({ argv: [build(name)] }, [`--tier=${tier}`, '--stats']);
    expect({ count: retired(stderr), status, stdout }).toEqual(oracle(name));
  });

  test.each(PROGRAMS)('%s: the length of a slice changes nothing', (name) => {
    for (const slice of SLICES) {
      const options = [`--tier=${tier}`, '--stats', `--slice=${slice}`];
      const { stdout, stderr, status } = runEmulated({ argv: [build(name)] }, options);
      expect({ count: retired(stderr), status, stdout }, `slice ${slice}`).toEqual(oracle(name));
    }
  });
});

/** Addresses of all instructions of a program, as objdump lists them, but for its own int3, which a breakpoint on it would pass without a signal. */
function instructions(program: string): string[] {
  const listing = execFileSync('objdump', ['-d', '-j', '.text', '--no-show-raw-insn', program], { encoding: 'utf8' });
  return [...listing.matchAll(/^ +([0-9a-f]+):\t(?!int3)/gm)].map(([, address]) => address as string);
}

/** rip is register 0x10, sent with the stop reply in the byte order of the processor. */
function instructionPointer(stop: string): string {
  const bytes = /;?10:([0-9a-f]{16});/.exec(stop)?.[1]?.match(/../g);
  if (bytes == null) throw new Error(`no rip in ${stop}`);
  return bytes.reverse().join('').replace(/^0+/, '');
}

/** An agent expression for "0": const8 0, end. */
const NEVER = ';X3,220027';

describe.each(TIERS)('debugged with --tier=%s', (tier) => {
  let server: RunningServer | undefined;
  let client: RspClient | undefined;

  afterEach(() => {
    client?.destroy();
    server?.kill();
  });

  async function start(name: string): Promise<{ running: RunningServer; rsp: RspClient }> {
    server = await startServer(sidestep(`--tier=${tier}`, '--stats'), [build(name)]);
    client = await RspClient.attach(server.port);
    expect(await client.request('?')).toMatch(/^T05/);
    return { running: server, rsp: client };
  }

  /** A server may report the program's own int3 before it is passed, as gdbserver does: then gdb moves on over it. */
  async function passOwnInt3(rsp: RspClient, stop: string): Promise<void> {
    const address = instructionPointer(stop);
    if (!stop.includes('swbreak') || (await rsp.request(`m${address},1`)) !== 'cc') return;
    const after = (BigInt(`0x${address}`) + 1n).toString(16).padStart(16, '0');
    expect(await rsp.request(`P10=${after.match(/../g)?.reverse().join('')}`)).toBe('OK');
  }

  /**
   * Passes each signal on, as gdb does by default: SIGTRAP too, when it is the program's own. `passBreakpoint` deals
   * with a stop at one of ours: resumes the program and returns its next stop; or undefined when it is not ours.
   */
  async function toTheEnd(
    rsp: RspClient,
    passBreakpoint: (stop: string) => Promise<string | undefined> = async () => undefined,
  ): Promise<string> {
    let stop = await rsp.resume('c');
    while (stop.startsWith('T')) {
      const passed = stop.startsWith('T05') ? await passBreakpoint(stop) : undefined;
      if (passed === undefined) await passOwnInt3(rsp, stop);
      stop = passed ?? (await rsp.resume(`C${stop.slice(1, 3)}`));
    }
    return stop;
  }

  async function countAtEnd(running: RunningServer): Promise<number> {
    client?.close();
    await running.closed;
    return retired(running.stderr());
  }

  test.each(PROGRAMS)('%s: a breakpoint that is never true on every instruction changes nothing', async (name) => {
    const { running, rsp } = await start(name);
    for (const address of instructions(build(name))) {
      expect(await rsp.request(`Z0,${address},1${NEVER}`)).toBe('OK');
    }
    let traps = 0;
    await toTheEnd(rsp, async () => {
      traps += 1;
      return undefined;
    });
    expect(traps).toBe(name === 'signals' ? 2 : 0); // its own: an int3, and the signal of that number
    expect(await countAtEnd(running)).toBe(oracle(name).count);
  });

  test.each(PROGRAMS)('%s: stopping at a breakpoint and stepping over it changes nothing', async (name) => {
    const { running, rsp } = await start(name);
    // A few of all, because each stop costs round trips.
    const some = instructions(build(name)).filter((_, index) => index % 29 === 3);
    for (const address of some) expect(await rsp.request(`Z0,${address},1`)).toBe('OK');
    const inserted = new Set(some);
    const hits = new Map<string, number>();
    await toTheEnd(rsp, async (stop) => {
      const address = instructionPointer(stop);
      // A SIGTRAP of the program's own may stop at an address where one of ours waits, which has not been hit.
      if (!stop.includes('swbreak') || !inserted.has(address)) return undefined;
      hits.set(address, (hits.get(address) ?? 0) + 1);
      expect(await rsp.request(`z0,${address},1`)).toBe('OK');
      const next = await rsp.resume('s');
      if ((hits.get(address) ?? 0) >= 20 || !next.startsWith('T')) inserted.delete(address);
      else expect(await rsp.request(`Z0,${address},1`)).toBe('OK');
      return next.startsWith('T05') ? rsp.resume('c') : next;
    });
    expect(await countAtEnd(running)).toBe(oracle(name).count);
  });
});
