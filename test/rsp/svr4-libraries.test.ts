import { beforeEach, describe, expect, test } from 'vitest';
import { Conversation, GDB_13 } from './conversation.js';
import { FakeTarget, MEMORY_START } from './fake-target.js';

const BASE = MEMORY_START;
const at = (offset: number): bigint => BASE + BigInt(offset);

const PHDR = 0x40;
const DYNAMIC = 0x200;
const R_DEBUG = 0x300;
const SECOND_R_DEBUG = 0x340;
const MAPS = { main: 0x400, libc: 0x440, loader: 0x480, other: 0x4c0 } as const;
const NAMES = { main: 0x600, libc: 0x610, loader: 0x630, other: 0x660 } as const;

let conversation: Conversation;
let target: FakeTarget;

function u64(offset: number, value: bigint | number): void {
  target.memory.writeBigUInt64LE(BigInt(value), offset);
}

/** A program that was loaded 0x400000 higher than linked, with libc and the loader in its list. */
beforeEach(() => {
  target = new FakeTarget();
  conversation = Conversation.open(GDB_13, target);
  const auxv: readonly (readonly [number, bigint])[] = [[6, 4096n], [3, at(PHDR)], [4, 56n], [5, 2n], [0, 0n]]; // biome-ignore format: a table
  target.auxvBytes = Buffer.concat(
    auxv.map(([type, value]) => {
      const entry = Buffer.alloc(16);
      entry.writeBigUInt64LE(BigInt(type), 0);
      entry.writeBigUInt64LE(value, 8);
      return entry;
    }),
  );
  target.memory.writeUInt32LE(6, PHDR); // PT_PHDR
  u64(PHDR + 16, PHDR);
  target.memory.writeUInt32LE(2, PHDR + 56); // PT_DYNAMIC
  u64(PHDR + 56 + 16, DYNAMIC);
  u64(DYNAMIC, 1);
  u64(DYNAMIC + 16, 21); // DT_DEBUG
  u64(DYNAMIC + 24, at(R_DEBUG));
  target.memory.writeInt32LE(1, R_DEBUG);
  u64(R_DEBUG + 8, at(MAPS.main));
  linkMap('main', { next: 'libc' });
  linkMap('libc', { prev: 'main', next: 'loader', base: 0x7000, ld: 0x7100 });
  linkMap('loader', { prev: 'libc', base: 0x9000, ld: 0x9100 });
  target.memory.write('/lib/libc.so.6\0', NAMES.libc);
  target.memory.write('/lib/a<b.so\0', NAMES.loader);
  target.memory.write('/lib/other.so\0', NAMES.other);
});

type Name = keyof typeof MAPS;

function linkMap(
  name: Name,
  { prev, next, base = 0, ld = 0 }: { prev?: Name; next?: Name; base?: number; ld?: number },
): void {
  const map = MAPS[name];
  u64(map, base);
  u64(map + 8, at(NAMES[name]));
  u64(map + 16, ld);
  u64(map + 24, next === undefined ? 0 : at(MAPS[next]));
  u64(map + 32, prev === undefined ? 0 : at(MAPS[prev]));
}

const list = (annex = ''): string | undefined => conversation.ask(`qXfer:libraries-svr4:read:${annex}:0,1000`);

const LIBC = '<library name="/lib/libc.so.6" lm="0x400440" l_addr="0x7000" l_ld="0x7100" lmid="0x400300"/>';
const LOADER = '<library name="/lib/a&lt;b.so" lm="0x400480" l_addr="0x9000" l_ld="0x9100" lmid="0x400300"/>';

test('the list names the main program apart', () => {
  expect(list()).toBe(`l<library-list-svr4 version="1.0" main-lm="0x400400">${LIBC}${LOADER}</library-list-svr4>`);
});

test('a client may ask for the rest of a list', () => {
  expect(list(`start=${at(MAPS.loader).toString(16)};prev=${at(MAPS.libc).toString(16)}`)).toBe(
    `l<library-list-svr4 version="1.0">${LOADER}</library-list-svr4>`,
  );
});

test('a namespace of dlmopen follows, with its own lmid and its first object', () => {
  target.memory.writeInt32LE(2, R_DEBUG);
  u64(R_DEBUG + 40, at(SECOND_R_DEBUG));
  target.memory.writeInt32LE(2, SECOND_R_DEBUG);
  u64(SECOND_R_DEBUG + 8, at(MAPS.other));
  linkMap('other', { base: 0xa000, ld: 0xa100 });
  const other = '<library name="/lib/other.so" lm="0x4004c0" l_addr="0xa000" l_ld="0xa100" lmid="0x400340"/>';
  expect(list()).toBe(
    `l<library-list-svr4 version="1.0" main-lm="0x400400">${LIBC}${LOADER}${other}</library-list-svr4>`,
  );
});

test('before the dynamic linker has run the list is empty', () => {
  u64(DYNAMIC + 24, 0);
  expect(list()).toBe('l<library-list-svr4 version="1.0"></library-list-svr4>');
});

test('a list whose links do not match ends there', () => {
  u64(MAPS.loader + 32, 0x1234);
  expect(list()).toBe(`l<library-list-svr4 version="1.0" main-lm="0x400400">${LIBC}</library-list-svr4>`);
});

test('a list that bites its tail ends', () => {
  u64(MAPS.loader + 24, at(MAPS.libc));
  expect(list()).toContain(LOADER);
});

describe('an error when', () => {
  test('the program is static', () => {
    u64(DYNAMIC + 16, 0);
    expect(list()).toBe('E02');
  });

  test('it does not say how far it was moved', () => {
    target.memory.writeUInt32LE(1, PHDR);
    expect(list()).toBe('E02');
  });

  test('there is no auxv', () => {
    target.auxvBytes = new Uint8Array();
    expect(list()).toBe('E02');
  });

  test.each(['start', 'start=', 'start=xyz', 'foo=1'])('the annex is %s', (annex) => {
    expect(list(annex)).toBe('E16');
  });
});
