import { expect, test } from 'vitest';
import { GPR } from '../../src/register-set.js';
import type { HostThread } from '../../src/uprobes/port.js';
import { isProbeError } from '../../src/uprobes/probe-error.js';
import { FakeHost, settled, TEXT } from './fake/host.js';
import { probe, sleeper } from './probe.js';

const LOOP = '48ffc0 ebfb'; // inc %rax; jmp to it

test('T38 a fork child has no probes of its parent', () => {
  const host = new FakeHost();
  const process = host.spawn(LOOP);
  const u = probe(process, TEXT);
  host.engine.register(host.root, u);
  const child = host.fork(process.leader);
  expect(child.space.swbps.size).toBe(0);
  host.run(child.leader, 4);
  expect(u.hits).toHaveLength(0);
  host.run(process.leader, 4);
  expect(u.hits.length).toBeGreaterThan(0);
});

test('T38 but for those whose filter wants it; unregister withdraws both', () => {
  const host = new FakeHost();
  const process = host.spawn(LOOP);
  const u = probe(process, TEXT, 'continue', { wantsProbe: () => true });
  host.engine.register(host.root, u);
  const child = host.fork(process.leader);
  host.run(child.leader);
  expect(u.hits.map(({ thread }) => thread)).toEqual([child.leader]);
  host.engine.unregister(u);
  expect([process.space.swbps.size, child.space.swbps.size]).toEqual([0, 0]);
});

test('T39 exec in a vfork child leaves the parent its probes', () => {
  const host = new FakeHost();
  const process = host.spawn(LOOP);
  const u = probe(process, TEXT);
  host.engine.register(host.root, u);
  const child = host.vfork(process.leader);
  host.run(child.leader); // a probe of the parent is none of the child
  expect([u.hits.length, host.engine.statistics.skipped]).toEqual([0, 1]);
  host.exec(child.leader, LOOP);
  expect(child.space.swbps.size).toBe(0);
  host.run(process.leader);
  expect(u.hits).toHaveLength(1);
});

test('T40 a new thread hits at once, unless the filter does not want it', () => {
  const host = new FakeHost();
  const process = host.spawn(LOOP);
  const wanted = new Set<HostThread>([process.leader]);
  const u = probe(process, TEXT, 'continue', { wantsProbe: (thread) => wanted.has(thread) });
  host.engine.register(host.root, u);
  const other = host.clone(process.leader);
  host.runTo(other, TEXT + 3);
  expect([other.readGpr(GPR.RAX), u.hits.length, host.engine.statistics.skipped]).toEqual([1n, 0, 1]);
  wanted.add(other);
  host.engine.applyFilter(u);
  host.runTo(other, TEXT);
  host.run(other);
  expect(u.hits).toHaveLength(1);
});

test('a probe that no thread wants is registered without a breakpoint, until one appears', () => {
  const host = new FakeHost();
  const process = host.spawn(LOOP);
  const u = probe(process, TEXT, 'continue', { wantsProbe: (thread) => thread !== process.leader });
  expect(host.engine.register(host.root, u)).toBeUndefined();
  expect(process.space.swbps.size).toBe(0);
  host.clone(process.leader);
  expect(process.space.swbps).toContain(TEXT);
});

test('T41 exec while another thread sleeps in a handler', async () => {
  const host = new FakeHost();
  const process = host.spawn(LOOP);
  const { handler, wake } = sleeper();
  const gone: string[] = [];
  host.engine.register(host.root, { pid: process.pid, vaddr: TEXT, handler, onGone: (why) => gone.push(why) });
  const other = host.clone(process.leader);
  expect(host.run(other)).toBe('parked');
  host.exec(process.leader, LOOP);
  wake();
  await settled();
  expect(gone).toEqual(['exec']);
  expect([process.space.swbps.size, host.engine.report().probepoints.length]).toEqual([0, 0]);
  host.engine.checkInvariants();
});

test('exit takes the probes away and tells their clients; unregistering afterwards does nothing', () => {
  const host = new FakeHost();
  const process = host.spawn(LOOP);
  const gone: string[] = [];
  const u = probe(process, TEXT, 'continue', { onGone: (why) => gone.push(why) });
  host.engine.register(host.root, u);
  host.exit(process);
  expect(gone).toEqual(['exit']);
  host.engine.unregister(u);
  expect(host.engine.report().probepoints).toEqual([]);
});

test('munmap takes probes away without touching memory; threads inside go on with their copy', async () => {
  const host = new FakeHost();
  const process = host.spawn(LOOP);
  const mapping = process.space.mappings[0];
  if (mapping === undefined) throw new Error('no text');
  const { handler, wake } = sleeper();
  const gone: string[] = [];
  host.engine.register(host.root, { pid: process.pid, vaddr: TEXT, handler, onGone: (why) => gone.push(why) });
  host.run(process.leader);
  host.unmap(process, mapping);
  wake();
  await settled();
  expect(gone).toEqual(['unmap']);
  expect(host.run(process.leader)).toBe('fault');
  host.engine.checkInvariants();
});

test('T45 when all handlers lose interest, the breakpoint is withdrawn from this process only', () => {
  const host = new FakeHost();
  const file = { dev: 1, ino: 7 };
  const a = host.spawn(LOOP);
  const b = host.spawn(LOOP);
  for (const { space } of [a, b]) Object.assign(space.mappings[0] ?? {}, { file });
  let bored: unknown = a;
  const hits: HostThread[] = [];
  const u = {
    file,
    offset: 0,
    handler: ({ thread }: { thread: HostThread }) => {
      hits.push(thread);
      return thread.process === bored ? ('remove' as const) : ('continue' as const);
    },
  };
  expect(host.engine.registerFile(host.root, u)).toBeUndefined();
  host.run(a.leader, 6);
  host.run(b.leader, 6);
  expect(a.space.swbps.size).toBe(0);
  expect(b.space.swbps).toContain(TEXT);
  expect(hits.filter((thread) => thread === a.leader)).toHaveLength(1);
  bored = undefined;
  expect(host.fork(a.leader).space.swbps).toContain(TEXT);
});

test("the debugger's breakpoints are not inherited", () => {
  const host = new FakeHost();
  const process = host.spawn(LOOP);
  const set = host.engine.setBreakpoint({ process, address: TEXT, conditions: [], commands: [] });
  expect(isProbeError(set)).toBe(false);
  expect(host.fork(process.leader).space.swbps.size).toBe(0);
});
