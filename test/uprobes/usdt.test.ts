import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { usdtProbes } from '../../src/elf/usdt.js';

/** What DTRACE_PROBE2(shop, sold, count, price) of sys/sdt.h becomes, written out: the header need not be installed. */
const SOURCE = `
  .globl _start
  .text
_start:
  nop
990: nop
  mov $60, %eax
  xor %edi, %edi
  syscall
  .pushsection .note.stapsdt, "?", "note"
  .balign 4
  .4byte 992f-991f, 994f-993f, 3
991: .asciz "stapsdt"
992: .balign 4
993: .8byte 990b
  .8byte _.stapsdt.base
  .8byte gate
  .asciz "shop"
  .asciz "sold"
  .asciz "-4@%edi 8@16(%rsp)"
994: .balign 4
  .popsection
  .section .stapsdt.base, "aG", "progbits", .stapsdt.base, comdat
  .weak _.stapsdt.base
_.stapsdt.base: .space 1
  .section .probes, "aw"
gate: .2byte 0
`;

let folder: string;
let file: Uint8Array;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'usdt-'));
  const source = join(folder, 'shop.S');
  writeFileSync(source, SOURCE);
  execFileSync('gcc', ['-nostdlib', '-static', '-no-pie', '-o', join(folder, 'shop'), source]);
  file = readFileSync(join(folder, 'shop'));
});

afterAll(() => rmSync(folder, { recursive: true }));

test('a probe with its place, semaphore and arguments', () => {
  const [probe, ...others] = usdtProbes(file);
  expect(others).toEqual([]);
  expect(probe).toMatchObject({ provider: 'shop', name: 'sold', args: '-4@%edi 8@16(%rsp)' });
  const symbols = execFileSync('nm', [join(folder, 'shop')], { encoding: 'utf8' });
  const addressOf = (name: string): number => {
    return Number.parseInt(new RegExp(`^([0-9a-f]+) . ${name}$`, 'm').exec(symbols)?.[1] ?? '', 16);
  };
  expect(probe?.address).toBe(addressOf('_start') + 1);
  expect(probe?.semaphore?.address).toBe(addressOf('gate'));
  expect(file[probe?.offset ?? 0]).toBe(0x90);
  expect([...file.subarray(probe?.semaphore?.offset, (probe?.semaphore?.offset ?? 0) + 2)]).toEqual([0, 0]);
});

test.each([
  { name: 'not ELF', bytes: () => Buffer.alloc(200) },
  { name: 'empty', bytes: () => Buffer.alloc(0) },
  { name: 'cut off in the headers', bytes: () => file.subarray(0, 70) },
  { name: 'cut off before the sections', bytes: () => file.subarray(0, file.length - 700) },
])('$name: no probes', ({ bytes }) => {
  expect(usdtProbes(bytes())).toEqual([]);
});
