import { expect, test } from 'vitest';
import type { FileProbe, Hit } from '../../src/uprobes/uprobe.js';
import { FakeHost, type FakeProcess, hexBytes, TEXT } from './fake/host.js';
import type { Mapping } from './fake/memory.js';
import { errno } from './probe.js';

const FILE = { dev: 8, ino: 42 };
const LIBRARY = 0x7000_0000_0000;
const CODE = '90 48ffc0 c3';

interface Recorded extends FileProbe {
  readonly hits: Hit[];
}

function fileProbe(offset: number, more: Partial<FileProbe> = {}): Recorded {
  const hits: Hit[] = [];
  return {
    file: FILE,
    offset,
    hits,
    handler(hit) {
      hits.push(hit);
      return 'continue';
    },
    ...more,
  };
}

function load(host: FakeHost, process: FakeProcess, start: number, facts: Partial<Mapping> = {}): Mapping {
  return host.map(process, start, hexBytes(CODE), { file: FILE, offset: 0x1000, ...facts });
}

test('T42 a library that is loaded later, unloaded, and loaded elsewhere is probed each time', () => {
  const host = new FakeHost();
  const process = host.spawn('90');
  const u = fileProbe(0x1001);
  expect(host.engine.registerFile(host.root, u)).toBeUndefined();
  for (const start of [LIBRARY, LIBRARY + 0x10_0000]) {
    const mapping = load(host, process, start);
    process.leader.ip = start;
    host.run(process.leader, 2);
    host.unmap(process, mapping);
  }
  expect(u.hits.map(({ address }) => address)).toEqual([LIBRARY + 1, LIBRARY + 0x10_0001]);
  host.engine.unregister(u);
  expect(host.engine.report().probepoints).toEqual([]);
});

test.each([
  { name: 'r-x', facts: {}, inserted: true },
  { name: 'r--', facts: { executable: false }, inserted: true },
  { name: 'rwx', facts: { writable: true }, inserted: false },
  { name: 'shared', facts: { shared: true }, inserted: false },
  { name: 'noexec', facts: { executable: false, mayExecute: false }, inserted: false },
  { name: 'another file', facts: { file: { dev: 8, ino: 43 } }, inserted: false },
  { name: 'another part', facts: { offset: 0x5000 }, inserted: false },
])('T43 a mapping $name: inserted $inserted', ({ facts, inserted }) => {
  const host = new FakeHost();
  const process = host.spawn('90');
  host.engine.registerFile(host.root, fileProbe(0x1001));
  load(host, process, LIBRARY);
  load(host, process, LIBRARY + 0x10_0000, facts);
  expect(process.space.swbps.has(LIBRARY + 1)).toBe(true);
  expect(process.space.swbps.has(LIBRARY + 0x10_0001)).toBe(inserted);
});

test('T43 processes that map the file already are probed at registration', () => {
  const host = new FakeHost();
  const processes = [host.spawn('90'), host.spawn('90')];
  for (const process of processes) load(host, process, LIBRARY);
  const u = fileProbe(0x1001);
  host.engine.registerFile(host.root, u);
  for (const process of processes) {
    process.leader.ip = LIBRARY;
    host.run(process.leader, 2);
  }
  expect(u.hits.map(({ thread }) => thread)).toEqual(processes.map(({ leader }) => leader));
});

const SEMAPHORE = LIBRARY + 0x20_0010;

function counter(process: FakeProcess): number {
  const bytes = new Uint8Array(2);
  process.space.read(SEMAPHORE, bytes);
  return new DataView(bytes.buffer).getUint16(0, true);
}

test('T44 a semaphore counts the probe in place, also when its page is mapped later', () => {
  const host = new FakeHost();
  const process = host.spawn('90');
  const u = fileProbe(0x1001, { refCounterOffset: 0x3010 });
  host.engine.registerFile(host.root, u);
  load(host, process, LIBRARY);
  const data = { file: FILE, offset: 0x3000, writable: true, executable: false };
  host.map(process, LIBRARY + 0x20_0000, 0x1000, data);
  expect(counter(process)).toBe(1);
  host.engine.unregister(u);
  expect(counter(process)).toBe(0);
});

test('T44 a probe of a process has one by address: aligned, and the same for all at one place', () => {
  const host = new FakeHost();
  const process = host.spawn('90');
  host.map(process, LIBRARY + 0x20_0000, 0x1000, { writable: true });
  const u = { pid: process.pid as number, vaddr: TEXT, handler: () => 'continue' as const };
  const register = (refCounter?: number): string | undefined => {
    return errno(host.engine.register(host.root, refCounter === undefined ? { ...u } : { ...u, refCounter }));
  };
  expect(register(SEMAPHORE + 1)).toBe('EINVAL');
  expect(register(SEMAPHORE)).toBeUndefined();
  expect(register(SEMAPHORE)).toBeUndefined();
  expect(counter(process)).toBe(1);
  expect(register(SEMAPHORE + 2)).toBe('EINVAL');
  expect(register()).toBe('EINVAL');
});

test('T10 probing files needs privilege, or the wish to probe only what one may', () => {
  const host = new FakeHost();
  const [mine, other] = [host.spawn('90'), host.spawn('90')];
  other.uid = 5;
  const caller = host.caller(1000);
  expect(errno(host.engine.registerFile(caller, fileProbe(0x1001)))).toBe('EACCES');
  expect(host.engine.registerFile(caller, fileProbe(0x1001, { ownProcessesOnly: true }))).toBeUndefined();
  for (const process of [mine, other]) load(host, process, LIBRARY);
  expect([mine.space.swbps.size, other.space.swbps.size]).toEqual([1, 0]);
});

test("T11 after a set-uid exec the owner's file probe is not in force in the process any more", () => {
  const host = new FakeHost();
  const process = host.spawn('90');
  const u = fileProbe(0x1001, { ownProcessesOnly: true });
  host.engine.registerFile(host.caller(1000), u);
  load(host, process, LIBRARY);
  expect(process.space.swbps.size).toBe(1);
  host.exec(process.leader, '90');
  process.uid = 0;
  load(host, process, LIBRARY);
  expect(process.space.swbps.size).toBe(0);
});

test('T11 nor is one that was placed while the image was mapped, before the ids changed', () => {
  const host = new FakeHost();
  const process = host.spawn('90');
  const [mine, everybodys] = [fileProbe(0x1001, { ownProcessesOnly: true }), fileProbe(0x1001)];
  host.engine.registerFile(host.caller(1000), mine);
  host.engine.registerFile(host.root, everybodys);
  load(host, process, LIBRARY);
  process.uid = 0;
  host.engine.execed(process.leader);
  process.leader.ip = LIBRARY + 1;
  host.run(process.leader);
  expect([mine.hits.length, everybodys.hits.length]).toEqual([0, 1]);
  host.engine.checkInvariants();
});

test('offsets, double registration and refused instructions are errors', () => {
  const host = new FakeHost();
  const process = host.spawn('90');
  const u = fileProbe(0x1001);
  expect(errno(host.engine.registerFile(host.root, fileProbe(10, { fileSize: 9 })))).toBe('EINVAL');
  expect(errno(host.engine.registerFile(host.root, fileProbe(1, { refCounterOffset: 3 })))).toBe('EINVAL');
  expect(errno(host.engine.registerFile(host.root, { file: FILE, offset: 1 }))).toBe('EINVAL');
  expect(host.engine.registerFile(host.root, u)).toBeUndefined();
  expect(errno(host.engine.registerFile(host.root, u))).toBe('EBUSY');
  host.map(process, LIBRARY, hexBytes('f4'), { file: FILE, offset: 0 });
  expect(errno(host.engine.registerFile(host.root, fileProbe(0)))).toBe('ENOTSUPP');
  expect(process.space.swbps.size).toBe(0);
});
