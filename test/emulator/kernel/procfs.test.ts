/** /proc and /sys: forms compared with the host's own, facts with the machine's. */
import { lstatSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { EACCES, EINVAL, ENOENT } from '../../../src/emulator/kernel/errno.js';
import { filesOf } from '../../../src/emulator/kernel/file/file-table.js';
import { openFile, openHow } from '../../../src/emulator/kernel/file/open.js';
import { O, type OpenFile } from '../../../src/emulator/kernel/file/open-file.js';
import { AT, locateText } from '../../../src/emulator/kernel/file/path-walk.js';
import { namelessPipe, PipeEnd } from '../../../src/emulator/kernel/file/pipe.js';
import { mapLine, smaps, smapsRollup } from '../../../src/emulator/kernel/procfs/memory-map.js';
import { credentialsOf } from '../../../src/emulator/kernel/root.js';
import { VMA, type Vma } from '../../../src/emulator/memory/vma.js';
import type { Process } from '../../../src/emulator/process.js';
import { fixture, RW } from '../memory/fixture.js';
import { type Scripted, scripted, sys, work } from './scripted.js';

const NR_CLONE = 56;

function guest(): Scripted {
  return scripted(function* () {
    yield sys(60, 0);
  });
}

function open(
  { machine, process }: Scripted,
  path: string,
  flags: number = O.RDONLY,
  by: Process = process,
): OpenFile | number {
  const how = openHow(flags, 0);
  return typeof how === 'number' ? how : openFile({ machine, process: by }, AT.FDCWD, path, how);
}

function read(from: Scripted, path: string, by?: Process): string | number {
  const file = open(from, path, O.RDONLY, by);
  if (typeof file === 'number') return file;
  const into = new Uint8Array(20_000);
  const got = file.pread(into, 0);
  return got < 0 ? got : Buffer.from(into.subarray(0, got)).toString('latin1');
}

function text(from: Scripted, path: string): string {
  const content = read(from, path);
  if (typeof content === 'number') throw new Error(`${path}: ${content}`);
  return content;
}

function link({ machine, process }: Scripted, path: string): string | number {
  const found = locateText({ machine, process }, AT.FDCWD, path, 0, { follow: false });
  return typeof found === 'number' ? found : found.mount.fs.readlink(found.inner, process);
}

function host(path: string): string {
  return readFileSync(path, 'latin1');
}

/** Names of `name:` lines. */
function names(content: string): string[] {
  return content.split('\n').flatMap((line) => /^([^:\t]+)[\t ]*:/.exec(line)?.[1] ?? []);
}

test.each(['/proc/self/status', '/proc/meminfo', '/proc/self/io', '/proc/self/fdinfo/0'])(
  '%s has the lines of Linux, in its order',
  (path) => {
    const from = guest();
    filesOf(from.process).add(open(from, '/dev/null') as OpenFile, false, { soft: 9, hard: 9 });
    const mine = names(text(from, path));
    const theirs = names(host(path)).filter((name) => mine.includes(name));
    expect(mine.length).toBeGreaterThan(3);
    expect(mine).toEqual(theirs);
  },
);

test('every line of maps is written as the kernel writes it', () => {
  for (const line of host('/proc/self/maps').split('\n').slice(0, -1)) {
    const parts =
      /^(\w+)-(\w+) (...)(.) (\w+) (\w+):(\w+) (\d+) +(.*)$/.exec(line) ??
      /^(\w+)-(\w+) (...)(.) (\w+) (\w+):(\w+) (\d+) ()$/.exec(line);
    if (parts === null) throw new Error(line);
    const [, start, end, bits, sharing, offset, major, minor, inode, name] = parts as unknown as string[];
    const device = (Number.parseInt(major ?? '', 16) << 8) | Number.parseInt(minor ?? '', 16);
    const file = { path: name, device, inode: Number(inode) };
    const vma = {
      start: Number.parseInt(start ?? '', 16),
      end: Number.parseInt(end ?? '', 16),
      offset: Number.parseInt(offset ?? '', 16),
      prot: [...(bits ?? '')].reduce((prot, bit, i) => (bit === '-' ? prot : prot | (1 << i)), 0),
      flags: sharing === 's' ? VMA.SHARED : 0,
      pages: inode === '0' ? undefined : { file },
      name: name ?? '',
    } as unknown as Vma;
    if (vma.start < 2 ** 47) expect(mapLine(vma)).toBe(`${line}\n`);
  }
});

test('stat has 52 fields, the name in parentheses', () => {
  const from = guest();
  const fields = (content: string): string[] => content.slice(content.lastIndexOf(')')).trim().split(' ');
  expect(fields(text(from, '/proc/self/stat'))).toHaveLength(fields(host('/proc/self/stat')).length);
  expect(text(from, '/proc/self/stat')).toMatch(
    new RegExp(`^${from.process.pid} \\(scripted\\) R ${from.machine.root?.pid} `),
  );
});

test('limits are aligned as in Linux', () => {
  const shape = (content: string): string[] =>
    content.split('\n').map((line) => line.replace(/(unlimited|\d+)( *)/g, (all) => '#'.padEnd(all.length, ' ')));
  expect(shape(text(guest(), '/proc/self/limits'))).toEqual(shape(host('/proc/self/limits')));
});

test('mounts and mountinfo have the fields of Linux', () => {
  const from = guest();
  const rows = (path: string): string[][] =>
    text(from, path)
      .trimEnd()
      .split('\n')
      .map((line) => line.split(' '));
  expect(new Set(rows('/proc/mounts').map((fields) => fields.length))).toEqual(new Set([6]));
  expect(new Set(rows('/proc/self/mountinfo').map((fields) => fields.length))).toEqual(new Set([10]));
  expect(rows('/proc/mounts').map((fields) => fields[1])).toContain('/proc');
});

test('the machine is the guest’s: one processor, its memory, its name, its time', () => {
  const from = guest();
  from.machine.clock.jumpTo(12_345_678_901);
  expect(text(from, '/proc/cpuinfo').match(/^processor/gm)).toHaveLength(1);
  expect(text(from, '/proc/meminfo')).toMatch(/^MemTotal: {8}1048576 kB\n/);
  expect(text(from, '/proc/sys/kernel/hostname')).toBe('guest\n');
  expect(text(from, '/proc/uptime')).toBe('12.34 12.34\n');
  expect(text(from, '/proc/stat')).toContain('btime 1000000000\n');
  expect(text(from, '/proc/version')).toMatch(/^Linux version 6\.1\.0-sidestep /);
  expect(text(from, '/sys/devices/system/cpu/online')).toBe('0\n');
  expect(text(from, '/proc/sys/vm/overcommit_memory')).toBe(host('/proc/sys/vm/overcommit_memory').replace(/\d/, '0'));
});

test('smaps_rollup sums smaps up', () => {
  const space = fixture().space();
  for (const at of [0x40_0000, 0x60_0000]) {
    space.mappings.map({ at, length: 0x3000, prot: RW });
    space.writeU32(at, 1);
  }
  space.writeU32(0x60_1000, 1);
  const total = (shown: string, name: string): number =>
    [...shown.matchAll(new RegExp(`^${name}: +(\\d+) kB$`, 'gm'))].reduce((sum, [, kB]) => sum + Number(kB), 0);
  for (const name of ['Rss', 'Private_Dirty', 'Anonymous']) {
    expect([total(smapsRollup(space), name), total(smaps(space), name)]).toEqual([12, 12]);
  }
  expect(smapsRollup(space)).toMatch(/^00400000-00603000 ---p 00000000 00:00 0 +\[rollup\]\nRss: /);
});

test('vmstat is made of numbers', () => {
  expect(text(guest(), '/proc/vmstat')).toMatch(/^(\w+ \d+\n)+$/);
});

test('random numbers of /proc come from the seed', () => {
  const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\n$/;
  const from = guest();
  const first = text(from, '/proc/sys/kernel/random/uuid');
  expect(first).toMatch(uuid);
  expect(text(from, '/proc/sys/kernel/random/uuid')).not.toBe(first);
  expect(text(guest(), '/proc/sys/kernel/random/uuid')).toBe(first);
  const boot = text(from, '/proc/sys/kernel/random/boot_id');
  expect(boot).toMatch(uuid);
  expect(text(from, '/proc/sys/kernel/random/boot_id')).toBe(boot);
});

test.each(['/proc/version', '/proc/self', '/dev/pts', '/sys/kernel'])(
  'stdio takes buffers of the same size for %s',
  (path) => {
    const from = guest();
    const found = locateText(from, AT.FDCWD, path, 0, { follow: false });
    const stat = typeof found === 'number' ? found : found.mount.fs.lstat(found.inner, from.process);
    expect(stat).toMatchObject({ blockSize: lstatSync(path).blksize });
  },
);

test('self, thread-self, and links of descriptors', () => {
  const from = guest();
  const { pid } = from.process;
  const pipe = namelessPipe(from);
  const reader = new PipeEnd(from.machine, pipe, O.RDONLY);
  filesOf(from.process).add(open(from, '/dev/null', O.RDWR) as OpenFile, false, { soft: 9, hard: 9 });
  filesOf(from.process).add(reader, true, { soft: 9, hard: 9 });
  expect(link(from, '/proc/self')).toBe(String(pid));
  expect(link(from, '/proc/thread-self')).toBe(`${pid}/task/${pid}`);
  expect(link(from, '/proc/self/fd/0')).toBe('/dev/null');
  expect(link(from, '/dev/fd/1')).toBe(`pipe:[${pipe.key}]`);
  expect(link(from, '/proc/self/fd/2')).toBe(-ENOENT);
  expect(link(from, '/proc/self/cwd')).toBe('/');
  expect(text(from, '/proc/self/fdinfo/1')).toMatch(/^pos:\t0\nflags:\t02000000\nmnt_id:\t\d+\nino:\t\d+\n$/);
  expect(text(from, `/proc/${pid}/task/${pid}/comm`)).toBe('scripted\n');
  expect(link(from, '/proc/4711/cwd')).toBe(-ENOENT);
});

test('a thread’s number, which no directory lists, shows that thread', () => {
  const from = scripted(function* () {
    yield { call: NR_CLONE, args: [0x5_0f00, 0x2_8000], child: other };
    yield work(1000);
  });
  function* other() {
    yield work(1000);
  }
  const { machine, process } = from;
  machine.run(20);
  const [, thread] = process.threads.values();
  if (thread === undefined) throw new Error('no thread');
  expect(thread).not.toBe(process.leader);
  thread.name = 'other';
  machine.scheduler.hold(thread);
  const status = text(from, `/proc/${thread.tid}/status`);
  expect(status).toMatch(new RegExp(`Name:\\tother\n[^]*State:\\tt \\(tracing stop\\)\nTgid:\\t${process.pid}\n`));
  expect(text(from, `/proc/${process.pid}/status`)).toMatch('State:\tR (running)\n');
});

test('what can be written: the name, the score, the host’s name for root', () => {
  const from = guest();
  const write = (path: string, content: string): number => {
    const file = open(from, path, O.WRONLY);
    return typeof file === 'number' ? file : file.pwrite(Buffer.from(content), 0);
  };
  expect(write('/proc/self/comm', 'renamed-to-something\n')).toBe(21);
  expect(text(from, '/proc/self/comm')).toBe('renamed-to-some\n');
  expect(text(from, '/proc/self/coredump_filter')).toBe('00000033\n');
  for (const [written, read] of [
    ['0x7e', '0000007e'],
    ['010\n', '00000008'],
    ['0xfff', '000001ff'],
  ] as const) {
    expect(write('/proc/self/coredump_filter', written)).toBe(written.length);
    expect(text(from, '/proc/self/coredump_filter')).toBe(`${read}\n`);
  }
  expect(write('/proc/self/coredump_filter', 'all')).toBe(-EINVAL);
  expect(write('/proc/self/oom_score_adj', '500\n')).toBe(4);
  expect(text(from, '/proc/self/oom_score_adj')).toBe('500\n');
  expect(write('/proc/self/oom_score_adj', '1001')).toBe(-EINVAL);
  expect(write('/proc/self/oom_score_adj', '-1')).toBe(-EACCES);
  expect(write('/proc/sys/kernel/hostname', 'other')).toBe(-EACCES);
  expect(write('/proc/self/status', 'x')).toBe(-EACCES);
  from.process.credentials = credentialsOf(0, 0, [0]);
  expect(write('/proc/sys/kernel/hostname', 'other\n')).toBe(6);
  expect(from.machine.hostname).toBe('other');
});

test('only who may inspect a process sees its secrets', () => {
  const from = guest();
  const stranger = from.start(function* () {
    yield sys(60, 0);
  });
  stranger.credentials = credentialsOf(1234, 1234, [1234]);
  const at = `/proc/${from.process.pid}`;
  expect(typeof read(from, `${at}/status`, stranger)).toBe('string');
  expect(read(from, `${at}/environ`, stranger)).toBe(-EACCES);
  expect(read(from, `${at}/maps`, stranger)).toBe(-EACCES);
  expect(open(from, `${at}/mem`, O.RDONLY, stranger)).toBe(-EACCES);
  expect(open(from, `${at}/cwd/`, O.RDONLY, stranger)).toBe(-EACCES);
});

test('a text stays the same until it is read from the beginning again', () => {
  const from = guest();
  const file = open(from, '/proc/uptime') as OpenFile;
  const into = new Uint8Array(4);
  file.pread(into, 0);
  from.machine.clock.jumpTo(99_000_000_000);
  file.pread(into, 2);
  expect(Buffer.from(into).toString()).toBe('00 0');
  file.pread(into, 0);
  expect(Buffer.from(into).toString()).toBe('99.0');
});
