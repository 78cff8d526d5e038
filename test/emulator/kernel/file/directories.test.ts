/** getdents64(2): names in every size of portion, against what the host lists. */
import { execFileSync } from 'node:child_process';
import { lstatSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { EINVAL } from '../../../../src/emulator/kernel/errno.js';
import { O } from '../../../../src/emulator/kernel/file/open-file.js';
import { runAll, type Scripted, sys } from '../scripted.js';
import { guestIn } from './twin.js';

const NR = { open: 2, lseek: 8, exit: 60, getdents: 78, unlink: 87, getdents64: 217 };
const PATH = 0x1_1000;
const BUFFER = 0x1_2000;

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sidestep-directory-'));
  mkdirSync(join(directory, 'sub'));
  symlinkSync('sub', join(directory, 'link'));
  for (let i = 0; i < 40; i++) writeFileSync(join(directory, `file-${'x'.repeat(i)}`), '');
});
afterEach(() => rmSync(directory, { recursive: true }));

interface Record {
  readonly name: string;
  readonly inode: number;
  readonly type: number;
  readonly next: number;
}

/** Records in the first `length` bytes of the buffer; `old`: of getdents, whose type stands at the end. */
function records({ space }: Scripted, length: number, old = false): Record[] {
  const bytes = Buffer.from(space.readBytes(BUFFER, length) ?? []);
  const found: Record[] = [];
  for (let at = 0; at < length; ) {
    const size = bytes.readUInt16LE(at + 16);
    const name = at + (old ? 18 : 19);
    found.push({
      inode: Number(bytes.readBigUInt64LE(at)),
      next: Number(bytes.readBigUInt64LE(at + 8)),
      type: bytes[old ? at + size - 1 : at + 18] as number,
      name: bytes.toString('utf8', name, bytes.indexOf(0, name)),
    });
    expect(size % 8).toBe(0);
    at += size;
  }
  return found;
}

function list(portion: number, nr = NR.getdents64): Record[] {
  const found: Record[] = [];
  const guest = guestIn(directory, function* () {
    guest.text(PATH, '.');
    const fd = yield sys(NR.open, PATH, O.DIRECTORY);
    for (;;) {
      const got = yield sys(nr, fd, BUFFER, portion);
      if (got <= 0) break;
      found.push(...records(guest, got, nr === NR.getdents));
    }
    yield sys(NR.exit, 0);
  });
  runAll(guest.machine);
  return found;
}

/** As the file system has it. */
function order(): string[] {
  return execFileSync('ls', ['-U', '-A', directory], { encoding: 'utf8' }).trim().split('\n');
}

test.each([{ portion: 64 }, { portion: 100 }, { portion: 1000 }, { portion: 32_768 }])(
  'portions of $portion bytes give every name once',
  ({ portion }) => {
    const found = list(portion);
    const names = ['.', '..', ...order()];
    expect(found.map(({ name }) => name)).toEqual(names);
    expect(found.map(({ inode }) => inode)).toEqual(names.map((name) => lstatSync(join(directory, name)).ino));
    expect(new Set(found.filter(({ name }) => name.startsWith('file')).map(({ type }) => type))).toEqual(new Set([8]));
    expect(found.find(({ name }) => name === 'sub')?.type).toBe(4);
    expect(found.find(({ name }) => name === 'link')?.type).toBe(10);
  },
);

test('the old form says the same', () => {
  expect(list(500, NR.getdents)).toEqual(list(500));
});

test('a buffer for not even one name is EINVAL; positions can be gone back to; a rewind sees changes', () => {
  const seen: unknown[] = [];
  const guest = guestIn(directory, function* () {
    guest.text(PATH, '.');
    const fd = yield sys(NR.open, PATH, O.DIRECTORY);
    seen.push(yield sys(NR.getdents64, fd, BUFFER, 20));
    const first = records(guest, yield sys(NR.getdents64, fd, BUFFER, 200));
    const third = first[2] as Record;
    yield sys(NR.lseek, fd, (first[1] as Record).next, 0);
    const again = records(guest, yield sys(NR.getdents64, fd, BUFFER, 200))[0] as Record;
    seen.push(again.name === third.name);
    guest.text(PATH, third.name);
    seen.push(yield sys(NR.unlink, PATH));
    yield sys(NR.lseek, fd, 0, 0);
    const rewound = records(guest, yield sys(NR.getdents64, fd, BUFFER, 4000));
    seen.push(rewound.some(({ name }) => name === third.name));
    yield sys(NR.exit, 0);
  });
  runAll(guest.machine);
  expect(seen).toEqual([-EINVAL, true, 0, false]);
});
