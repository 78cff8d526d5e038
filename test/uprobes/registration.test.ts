import { expect, test, vi } from 'vitest';
import { GPR } from '../../src/register-set.js';
import { isProbeError } from '../../src/uprobes/probe-error.js';
import { DATA, FakeHost, hexBytes, STACK, settled, TEXT } from './fake/host.js';
import { NEAR_HOLE } from './fake/memory.js';
import { errno, probe, sleeper } from './probe.js';

const LOOP = '48ffc0 ebfb'; // inc %rax; jmp to it

test('T01 no handler is EINVAL, and nothing is written', () => {
  const host = new FakeHost();
  const process = host.spawn(LOOP);
  expect(errno(host.engine.register(host.root, { pid: process.pid, vaddr: TEXT }))).toBe('EINVAL');
  expect(process.space.swbps.size).toBe(0);
});

test('T02 the same object twice is EBUSY, and it fires once for each hit', () => {
  const host = new FakeHost();
  const process = host.spawn(LOOP);
  const u = probe(process, TEXT);
  expect(host.engine.register(host.root, u)).toBeUndefined();
  expect(errno(host.engine.register(host.root, u))).toBe('EBUSY');
  host.run(process.leader, 6);
  expect(u.hits).toHaveLength(2);
});

test('T03 two uprobes at one address run in the order of registration, and one trap is counted', () => {
  const host = new FakeHost();
  const process = host.spawn(LOOP);
  const order: string[] = [];
  for (const name of ['first', 'second'])
    host.engine.register(
      host.root,
      probe(process, TEXT, () => {
        order.push(name);
        return 'continue';
      }),
    );
  host.runTo(process.leader, TEXT + 3);
  expect(order).toEqual(['first', 'second']);
  expect(host.engine.statistics.hits).toBe(1);
});

test('T04 the breakpoint stays until the last consumer has gone', () => {
  const host = new FakeHost();
  const process = host.spawn(LOOP);
  const [a, b] = [probe(process, TEXT), probe(process, TEXT)];
  host.engine.register(host.root, a);
  host.engine.register(host.root, b);
  host.engine.unregister(a);
  expect(process.space.swbps).toContain(TEXT);
  host.runTo(process.leader, TEXT + 3);
  expect([a.hits.length, b.hits.length]).toEqual([0, 1]);
  host.engine.unregister(b);
  expect(process.space.swbps.size).toBe(0);
  expect(host.engine.report().probepoints).toEqual([]);
});

test('T05 a uprobe may be forgotten while its handler sleeps; the thread then executes the original', async () => {
  const host = new FakeHost();
  const process = host.spawn(LOOP);
  const { handler, wake, calls } = sleeper();
  const u = { pid: process.pid as number, vaddr: TEXT, handler };
  host.engine.register(host.root, u);
  expect(host.run(process.leader)).toBe('parked');
  const done = host.engine.unregisterSync(u);
  const touched = vi.fn();
  for (const key of Object.keys(u)) Object.defineProperty(u, key, { get: touched, configurable: true });
  wake();
  await done;
  host.runTo(process.leader, TEXT + 3);
  expect(calls).toHaveLength(1);
  expect(touched).not.toHaveBeenCalled();
  expect(process.leader.readGpr(GPR.RAX)).toBe(1n);
  host.engine.checkInvariants();
});

test('T06 a probepoint lives until the last of three threads inside has left', async () => {
  const host = new FakeHost();
  const process = host.spawn(LOOP);
  const { handler, wake } = sleeper();
  const u = { pid: process.pid as number, vaddr: TEXT, handler };
  host.engine.register(host.root, u);
  const threads = [process.leader, host.clone(process.leader), host.clone(process.leader)];
  for (const thread of threads) expect(host.run(thread)).toBe('parked');
  host.engine.unregister(u);
  for (const left of [3, 2, 1]) {
    expect(host.engine.report().probepoints.map(({ state, refs }) => [state, refs])).toEqual([['disabled', left]]);
    wake();
    await settled();
    host.engine.checkInvariants();
  }
  expect(host.engine.report().probepoints).toEqual([]);
});

test('T07 registrations of one address space share what is known of it', () => {
  const host = new FakeHost();
  const process = host.spawn(LOOP);
  const inner = probe(process, TEXT + 3);
  const outer = probe(process, TEXT, () => {
    host.engine.register(host.root, inner);
    return 'continue';
  });
  expect(host.engine.register(host.root, outer)).toBeUndefined();
  host.run(process.leader, 8);
  expect(inner.hits.length).toBeGreaterThan(0);
  expect(host.engine.report().probepoints).toHaveLength(2);
});

test('T08 a pid is understood in the namespace of the caller', () => {
  const host = new FakeHost();
  const outside5 = host.spawn(LOOP);
  const inside5 = host.spawn(LOOP);
  const inside = host.caller(0, new Map([[5, inside5]]));
  const u = { ...probe(inside5, TEXT), pid: 5 };
  expect(host.engine.register(inside, u)).toBeUndefined();
  host.run(inside5.leader, 4);
  host.run(outside5.leader, 4);
  expect(u.hits.every(({ thread }) => thread === inside5.leader)).toBe(true);
  expect(u.hits.length).toBeGreaterThan(0);
});

test('T09 a pid that the caller cannot see is ESRCH, also where it is not permitted', () => {
  const host = new FakeHost();
  const process = host.spawn(LOOP);
  expect(errno(host.engine.register(host.caller(7, new Map()), probe(process, TEXT)))).toBe('ESRCH');
  host.exit(process);
  expect(errno(host.engine.register(host.root, probe(process, TEXT)))).toBe('ESRCH');
});

test("T10 another user's process is EPERM, unless the caller may trace everything", () => {
  const host = new FakeHost();
  const process = host.spawn(LOOP);
  expect(errno(host.engine.register(host.caller(7), probe(process, TEXT)))).toBe('EPERM');
  expect(host.engine.register(host.caller(1000), probe(process, TEXT))).toBeUndefined();
  expect(host.engine.register(host.root, probe(process, TEXT))).toBeUndefined();
});

test('T12 handlers need mapped, executable memory outside the XOL area: EINVAL with distinct reasons', () => {
  const host = new FakeHost();
  const process = host.spawn(LOOP);
  const places = [0x10, DATA, NEAR_HOLE, 0xffff_8000_0000_0000n];
  const errors = places.map((vaddr) => host.engine.register(host.root, { ...probe(process, 0), vaddr }));
  expect(errors.map(errno)).toEqual(places.map(() => 'EINVAL'));
  expect(new Set(errors.map((error) => error?.reason)).size).toBe(places.length);
});

test("T13 a handler on the program's own int3 is EEXIST, and running it is the program's affair", () => {
  const host = new FakeHost();
  const process = host.spawn('cc 90');
  expect(errno(host.engine.register(host.root, probe(process, TEXT)))).toBe('EEXIST');
  expect(host.run(process.leader)).toBe('program');
  expect(host.engine.statistics.hits).toBe(0);
});

test("T13b gdb's breakpoint may sit on a stack byte that is not executable and holds 0xcc", () => {
  const host = new FakeHost();
  const process = host.spawn('90');
  process.space.write(STACK, hexBytes('cc'));
  const set = host.engine.setBreakpoint({ process, address: STACK, conditions: [], commands: [] });
  expect(isProbeError(set)).toBe(false);
  process.leader.ip = STACK;
  expect(host.run(process.leader)).toBe('stop');
  expect(process.leader.ip).toBe(STACK);
});

test.each([
  { name: 'hlt', code: 'f4', error: 'ENOTSUPP' },
  { name: 'in', code: 'ec', error: 'ENOTSUPP' },
  { name: 'cli', code: 'fa', error: 'ENOTSUPP' },
  { name: 'iretq', code: '48cf', error: 'ENOTSUPP' },
  { name: 'int 0x80', code: 'cd80', error: 'ENOTSUPP' },
  { name: 'int1', code: 'f1', error: 'ENOTSUPP' },
  { name: 'mov to ss', code: '8ed0', error: 'ENOTSUPP' },
  { name: 'call with a 66 prefix', code: '66e80000', error: 'ENOTSUPP' },
  { name: 'push es', code: '06', error: 'ENOTSUPP' },
  { name: 'far call', code: '9a000000000000', error: 'ENOTSUPP' },
  { name: 'bad EVEX', code: '62000000000000', error: 'ENOEXEC' },
  { name: '16 bytes', code: '66666666666666666666666666666690', error: 'ENOEXEC' },
  { name: 'ud2', code: '0f0b', error: undefined },
  { name: 'notrack jmp', code: '3effe0', error: undefined },
  { name: 'segment override', code: '2e488b00', error: undefined },
])('T14 a handler on $name: $error', ({ code, error }) => {
  const host = new FakeHost();
  const process = host.spawn(code);
  expect(errno(host.engine.register(host.root, probe(process, TEXT)))).toBe(error);
});

test('T15 lock xadd is probed, unless the engine is to be as strict as Linux', () => {
  const strict = new FakeHost({ strict: true });
  const lock = 'f0480fc107';
  const refused = strict.spawn(lock);
  expect(errno(strict.engine.register(strict.root, probe(refused, TEXT)))).toBe('ENOTSUPP');

  const host = new FakeHost({ methods: new Set(['xol']) });
  const process = host.spawn(lock);
  host.engine.register(host.root, probe(process, TEXT));
  process.leader.writeGpr(GPR.RDI, BigInt(DATA));
  process.leader.writeGpr(GPR.RAX, 3n);
  host.run(process.leader);
  expect(process.space.word(DATA)).toBe(3n);
  expect(host.engine.statistics.executed.xol).toBe(1);
});

test('T29 an instruction that spans two pages needs both', () => {
  const host = new FakeHost();
  const process = host.spawn('90');
  const first = new Uint8Array(0x1000);
  first.set(hexBytes('b8010000'), 0xffc); // mov $1,%eax without its last byte
  process.space.map(0x50_0000, first);
  const u = probe(process, 0x50_0ffc);
  expect(errno(host.engine.register(host.root, u))).toBe('ENOEXEC');
  host.map(process, 0x50_1000, hexBytes('00'));
  expect(host.engine.register(host.root, u)).toBeUndefined();
});

test('T30 the last byte of a mapping can be probed', () => {
  const host = new FakeHost();
  const process = host.spawn('90');
  const page = new Uint8Array(0x1000);
  page[0xfff] = 0xc3;
  process.space.map(0x50_0000, page);
  expect(host.engine.register(host.root, probe(process, 0x50_0fff))).toBeUndefined();
});

test('T35 a probe that a handler registers on the next instruction is there when that is fetched', () => {
  const host = new FakeHost();
  const process = host.spawn(LOOP);
  const outcomes: unknown[] = [];
  const next = probe(process, TEXT + 3, 'continue', {
    registrationCallback: (registered, outcome) => outcomes.push([registered, outcome]),
  });
  const errors: unknown[] = [];
  const u = probe(process, TEXT, () => {
    errors.push(errno(host.engine.register(host.root, next)));
    host.engine.unregister(u);
    return 'continue';
  });
  host.engine.register(host.root, u);
  expect(host.runTo(process.leader, TEXT + 3)).toBe('fuel');
  expect(errors).toEqual(['EINPROGRESS']);
  expect(outcomes).toEqual([[true, undefined]]);
  host.run(process.leader);
  expect(next.hits).toHaveLength(1);
});

test('T36 a handler that unregisters itself never fires again, and its instruction completes', () => {
  const host = new FakeHost();
  const process = host.spawn(LOOP);
  const u = probe(process, TEXT, () => {
    host.engine.unregister(u);
    return 'continue';
  });
  host.engine.register(host.root, u);
  host.run(process.leader, 9);
  expect(u.hits).toHaveLength(1);
  expect(process.leader.readGpr(GPR.RAX)).toBeGreaterThan(2n);
  expect(process.space.swbps.size).toBe(0);
});

test('registering many is all or nothing', () => {
  const host = new FakeHost();
  const process = host.spawn('90 f4');
  const good = probe(process, TEXT);
  expect(errno(host.engine.registerAll(host.root, [good, probe(process, TEXT + 1)]))).toBe('ENOTSUPP');
  expect(process.space.swbps.size).toBe(0);
  expect(host.engine.registerAll(host.root, [good])).toBeUndefined();
});

test('limits are ENOSPC', () => {
  const host = new FakeHost({ maxConsumers: 2, maxProbepoints: 1 });
  const process = host.spawn('90 90');
  expect([1, 2, 3].map(() => errno(host.engine.register(host.root, probe(process, TEXT))))).toEqual([
    undefined,
    undefined,
    'ENOSPC',
  ]);
  expect(errno(host.engine.register(host.root, probe(process, TEXT + 1)))).toBe('ENOSPC');
});
