import { expect, test } from 'vitest';
import { GPR } from '../../src/register-set.js';
import type { HandlerResult, Hit } from '../../src/uprobes/uprobe.js';
import { DATA, FakeHost, type FakeProcess, STACK, settled, TEXT } from './fake/host.js';
import { NEAR_HOLE } from './fake/memory.js';
import { probe, returnProbe } from './probe.js';

/*
 * main:  0 call f; 5 nop (the end)
 * f:     6 dec %rcx; 9 jz +5 (to 0x10); b call f; 10 ret
 */
const RECURSION = 'e801000000 90 48ffc9 7405 e8f6ffffff c3';
const F = TEXT + 6;
const END = TEXT + 5;

function recursion(host: FakeHost, depth: number): FakeProcess {
  const process = host.spawn(RECURSION);
  process.leader.writeGpr(GPR.RCX, BigInt(depth));
  return process;
}

test('a return handler runs after the function, before its caller goes on', () => {
  const host = new FakeHost();
  const process = recursion(host, 1);
  const seen: [number, bigint][] = [];
  const u = returnProbe(process, F, {
    retHandler: ({ thread, address, get }) => {
      void get;
      seen.push([address, BigInt(thread.sp)]);
    },
  });
  const sp = BigInt(process.leader.sp);
  expect(host.engine.register(host.root, u)).toBeUndefined();
  expect(host.runTo(process.leader, END)).toBe('fuel');
  expect(seen).toEqual([[END, sp]]);
});

test('T46 of 70 nested calls 64 returns are reported, and all 70 reach their callers', () => {
  const host = new FakeHost();
  const process = recursion(host, 70);
  const { sp } = process.leader;
  const u = returnProbe(process, F);
  host.engine.register(host.root, u);
  expect(host.runTo(process.leader, END)).toBe('fuel');
  expect([u.returns.length, process.leader.sp]).toEqual([64, sp]);
  expect(host.engine.statistics).toMatchObject({ returns: 64, returnsMissed: 6 });
  expect(host.engine.report().pendingReturns).toBe(0);
});

test('T47 frames that longjmp has left are dropped without their handlers', () => {
  const host = new FakeHost();
  const process = recursion(host, 3);
  const { leader } = process;
  const u = returnProbe(process, F);
  host.engine.register(host.root, u);
  host.runTo(leader, F + 3);
  const outermost = [...leader.gprs];
  while (leader.readGpr(GPR.RCX) > 0n) host.run(leader);
  leader.gprs.set(outermost); // longjmp to the first call, behind its countdown
  leader.ip = TEXT + 0x10; // which returns
  host.runTo(leader, END);
  expect(u.returns.map(({ address }) => address)).toEqual([END]);
  expect(host.engine.statistics.returnsAbandoned).toBe(2);
  expect(host.engine.report().pendingReturns).toBe(0);
});

test('T47 or by the next call of a probed function, if nobody returned before', () => {
  const host = new FakeHost();
  const process = recursion(host, 3);
  const { leader } = process;
  const u = returnProbe(process, F);
  host.engine.register(host.root, u);
  const before = [...leader.gprs];
  while (leader.readGpr(GPR.RCX) > 0n) host.run(leader);
  leader.gprs.set(before);
  leader.writeGpr(GPR.RCX, 1n);
  leader.ip = TEXT;
  host.runTo(leader, END);
  expect(u.returns).toHaveLength(1);
});

test('T48 a tail call between two probed functions: both handlers run once, the inner first', () => {
  const host = new FakeHost();
  // main: call f; nop. f: jmp g. g: ret
  const process = host.spawn('e801000000 90 eb00 c3');
  const order: string[] = [];
  for (const [name, at] of [
    ['f', TEXT + 6],
    ['g', TEXT + 8],
  ] as const)
    host.engine.register(host.root, returnProbe(process, at, { retHandler: () => void order.push(name) }));
  host.runTo(process.leader, END);
  expect(order).toEqual(['g', 'f']);
});

test('T49 a child forked inside a probed function returns to the same places', () => {
  for (const holes of [undefined, []]) {
    const host = new FakeHost();
    const process = recursion(host, 2);
    const u = returnProbe(process, F);
    host.engine.register(host.root, u);
    while (process.leader.readGpr(GPR.RCX) > 0n) host.run(process.leader);
    const fork = process.space.fork.bind(process.space);
    process.space.fork = () => Object.assign(fork(), holes === undefined ? {} : { holes });
    const child = host.fork(process.leader);
    host.runTo(child.leader, END);
    expect(u.returns).toHaveLength(0);
    host.runTo(process.leader, END);
    expect(u.returns).toHaveLength(2);
  }
});

test('T50 a jump to the trampoline by hand is SIGILL', () => {
  const host = new FakeHost();
  const process = recursion(host, 1);
  host.engine.register(host.root, returnProbe(process, F));
  host.runTo(process.leader, END);
  process.leader.ip = NEAR_HOLE;
  expect(host.run(process.leader)).toBe('fault');
  expect(host.end).toMatchObject({ fault: { signal: 4, address: NEAR_HOLE } });
});

test('T51 unregistered while a call is outstanding: the function returns, the handler is not called', () => {
  const host = new FakeHost();
  const process = recursion(host, 1);
  const u = returnProbe(process, F);
  host.engine.register(host.root, u);
  host.runTo(process.leader, F + 3);
  host.engine.unregister(u);
  expect(host.runTo(process.leader, END)).toBe('fuel');
  expect(u.returns).toHaveLength(0);
  expect(host.engine.report().probepoints).toEqual([]);
});

test('the entry handler leaves a cookie for the return of the same call, or declines it', () => {
  const host = new FakeHost();
  const process = recursion(host, 4);
  const cookies: bigint[] = [];
  let calls = 0n;
  const session = {
    pid: process.pid as number,
    vaddr: F,
    handler(hit: Hit): HandlerResult {
      hit.cookie = ++calls;
      return calls === 2n ? 'ignore' : 'continue';
    },
    retHandler(hit: Hit): void {
      cookies.push(hit.cookie);
    },
  };
  host.engine.register(host.root, session);
  host.runTo(process.leader, END);
  expect(cookies).toEqual([4n, 3n, 1n]);
});

test('a return handler may sleep: the thread stands at the return address meanwhile', async () => {
  const host = new FakeHost();
  const process = recursion(host, 1);
  let wake: () => void = () => {};
  host.engine.register(
    host.root,
    returnProbe(process, F, {
      retHandler: () =>
        new Promise<void>((resolve) => {
          wake = resolve;
        }),
    }),
  );
  expect(host.runTo(process.leader, END)).toBe('parked');
  expect(process.leader.ip).toBe(END);
  wake();
  await settled();
  expect(process.leader.parked).toBe(0);
  host.engine.checkInvariants();
});

test('the debugger sees the real return address, the program the trampoline', () => {
  const host = new FakeHost();
  const process = recursion(host, 1);
  host.engine.register(host.root, returnProbe(process, F));
  host.runTo(process.leader, F + 3);
  const { sp } = process.leader;
  expect(process.space.word(sp)).toBe(BigInt(NEAR_HOLE));
  const bytes = new Uint8Array(12);
  process.space.read(sp - 4, bytes);
  host.engine.overlay(process.space, sp - 4, bytes);
  expect(new DataView(bytes.buffer).getBigUint64(4, true)).toBe(BigInt(END));
});

test('without a page for the trampoline, or a readable stack, the call is only missed', () => {
  for (const change of ['no hole', 'no stack']) {
    const host = new FakeHost();
    const process = recursion(host, 1);
    if (change === 'no hole') process.space.holes = [];
    const u = returnProbe(process, F);
    host.engine.register(host.root, u);
    if (change === 'no stack') {
      process.leader.ip = F;
      process.leader.writeGpr(GPR.RSP, BigInt(STACK - 0x100));
      expect(host.run(process.leader, 9)).toBe('fault');
    } else {
      expect(host.runTo(process.leader, END)).toBe('fuel');
    }
    expect([u.returns.length, host.engine.statistics.returnsMissed]).toEqual([0, 1]);
  }
});

test('entry and return probes of one function share its probepoint', () => {
  const host = new FakeHost();
  const process = recursion(host, 2);
  const [a, b, c] = [probe(process, F), returnProbe(process, F), returnProbe(process, F)];
  for (const u of [a, b, c]) host.engine.register(host.root, u);
  host.runTo(process.leader, END);
  expect([a.hits.length, b.returns.length, c.returns.length]).toEqual([2, 2, 2]);
  expect(process.space.word(DATA)).toBe(0n);
});
