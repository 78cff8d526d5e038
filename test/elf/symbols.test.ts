import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { crc32 } from '../../src/elf/debug-file.js';
import { ElfFile } from '../../src/elf/elf-file.js';
import { Module } from '../../src/elf/module.js';
import { globPattern, SymbolTable } from '../../src/elf/symbols.js';
import { buildGuest } from '../guests/build.js';

const SHOP = buildGuest({ source: 'shop.c', flags: ['-O1'] });

function read(path: string): Uint8Array | undefined {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}

function libc(): string {
  const path = /libc\.so\.6 => (\S+)/.exec(execFileSync('ldd', [SHOP], { encoding: 'utf8' }))?.[1];
  if (path === undefined) throw new Error('a program without a C library');
  return execFileSync('realpath', [path], { encoding: 'utf8' }).trim();
}

test('functions of a file are those that nm lists', () => {
  const { symbols } = new Module(SHOP, readFileSync(SHOP), () => undefined);
  const listed = execFileSync('nm', ['--defined-only', SHOP], { encoding: 'utf8' }).matchAll(
    /^([0-9a-f]+) [Tt] (\S+)$/gm,
  );
  let found = 0;
  for (const [, address, name = ''] of listed) {
    const [symbol] = symbols.functions(name);
    if (symbol === undefined) continue;
    expect([name, symbol.address]).toEqual([name, Number.parseInt(address ?? '', 16)]);
    found++;
  }
  expect(found).toBeGreaterThan(3);
  expect(symbols.functions('pri?e').map(({ name }) => name)).toEqual(['price']);
  expect(symbols.similar('prize')).toEqual(['price']);
  expect(symbols.data('announced')?.size).toBe(8);
  expect(ElfFile.read(Buffer.from('no ELF'))).toBeUndefined();
});

test('versions of a library’s functions, as readelf tells them', () => {
  const path = libc();
  const { symbols } = new Module(path, readFileSync(path), () => undefined);
  const text = execFileSync('readelf', ['-W', '--dyn-syms', path], { encoding: 'utf8' });
  const rows = [...text.matchAll(/: ([0-9a-f]+) .* (?:FUNC|IFUNC) .* (\w+)(@@?)(GLIBC_[\w.]+)$/gm)].slice(0, 800);
  const superseded = rows.filter(([, , , at]) => at === '@').slice(0, 20);
  expect(superseded.length).toBeGreaterThan(5);
  for (const [, address, name, , version] of superseded) {
    const [old] = symbols.functions(`${name}@${version}`);
    expect([name, old?.address]).toEqual([name, Number.parseInt(address ?? '', 16)]);
  }
  for (const [, address, name = ''] of rows.filter(([, , , at]) => at === '@@')) {
    expect(symbols.functions(name).map((symbol) => symbol.address)).toContain(Number.parseInt(address ?? '', 16));
  }
});

test('an address belongs to the function around it; the plainest of several names counts', () => {
  const base = { version: undefined, superseded: false, kind: 'function', size: 16 } as const;
  const table = new SymbolTable([
    { ...base, name: '__libc_thing', address: 0x100 },
    { ...base, name: 'thing', address: 0x100 },
    { ...base, name: '_IO_thing', address: 0x100 },
    { ...base, name: 'open_ended', address: 0x200, size: 0 },
  ]);
  const names = [0xff, 0x100, 0x10f, 0x110, 0x200, 0x5000].map((address) => table.at(address)?.name);
  expect(names).toEqual([undefined, 'thing', 'thing', undefined, 'open_ended', 'open_ended']);
});

test('separate debug information, by build id and by link, but not that of another build', () => {
  const folder = mkdtempSync(join(tmpdir(), 'debug-'));
  const program = join(folder, 'shop');
  cpSync(SHOP, program);
  execFileSync('objcopy', ['--only-keep-debug', program, join(folder, 'shop.debug')]);
  execFileSync('objcopy', ['--strip-all', '--add-gnu-debuglink=shop.debug', program], { cwd: folder });
  const lines = (readFile: (path: string) => Uint8Array | undefined): number | undefined =>
    new Module(program, readFileSync(program), readFile).lines?.find('shop.c', 28).addresses.length;
  expect(lines(() => undefined)).toBeUndefined();
  expect(lines(read)).toBe(1);
  const linked = new Module(program, readFileSync(program), read);
  expect(linked.symbols.functions('price')).toHaveLength(1);

  const debug = readFileSync(join(folder, 'shop.debug'));
  const buildId = ElfFile.read(debug)?.buildId ?? '';
  expect(buildId).toMatch(/^[0-9a-f]{40}$/);
  const byId = `/usr/lib/debug/.build-id/${buildId.slice(0, 2)}/${buildId.slice(2)}.debug`;
  expect(lines((path) => (path === byId ? debug : undefined))).toBe(1);
  mkdirSync(join(folder, '.debug'));
  const spoiled = Buffer.from(debug);
  spoiled[spoiled.length - 1] = (spoiled.at(-1) ?? 0) ^ 1;
  expect(lines((path) => (path.endsWith('/shop.debug') ? spoiled : undefined))).toBeUndefined();
  rmSync(folder, { recursive: true });
});

test('the checksum is that of IEEE 802.3', () => {
  expect(crc32(Buffer.from('123456789'))).toBe(0xcbf4_3926);
});

test.each([
  { glob: 'mem*', yes: ['mem', 'memcpy'], no: ['amem'] },
  { glob: 'a?c', yes: ['abc'], no: ['ac', 'abbc'] },
  { glob: '[a-c]x', yes: ['bx'], no: ['dx'] },
  { glob: '[!a]x', yes: ['bx'], no: ['ax'] },
  { glob: 'a.b+(c)', yes: ['a.b+(c)'], no: ['axb+(c)'] },
  { glob: 'a[', yes: ['a['], no: ['a'] },
])('the pattern $glob', ({ glob, yes, no }) => {
  const pattern = globPattern(glob);
  expect([...yes, ...no].filter((text) => pattern.test(text))).toEqual(yes);
});
