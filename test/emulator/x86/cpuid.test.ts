import { expect, test } from 'vitest';
import { cpuid } from '../../../src/emulator/x86/cpuid.js';
import { runCode } from './run-code.js';

const EXTENDED = 0x8000_0000;

function text(...words: number[]): string {
  return words.flatMap((word) => [0, 8, 16, 24].map((shift) => String.fromCharCode((word >>> shift) & 0xff))).join('');
}

test('the vendor is AMD, in both ranges of leaves', () => {
  for (const leaf of [0, EXTENDED]) {
    const [, ebx, ecx, edx] = cpuid(leaf, 0, 'base');
    expect(text(ebx, edx, ecx)).toBe('AuthenticAMD');
  }
});

test('the brand fills three leaves', () => {
  const words = [2, 3, 4].flatMap((leaf) => [...cpuid(EXTENDED + leaf, 0, 'base')]);
  expect(text(...words)).toMatch(/^AMD EPYC .*sidestep\0+$/);
});

/** What glibc asks for x86-64-v2 (sysdeps/x86/get-isa-level.h), and what must be absent without XSAVE. */
test.each([
  { name: 'sse3', leaf: 1, register: 2, bit: 0, base: true },
  { name: 'ssse3', leaf: 1, register: 2, bit: 9, base: true },
  { name: 'fma', leaf: 1, register: 2, bit: 12, base: false },
  { name: 'cmpxchg16b', leaf: 1, register: 2, bit: 13, base: true },
  { name: 'sse4.1', leaf: 1, register: 2, bit: 19, base: true },
  { name: 'sse4.2', leaf: 1, register: 2, bit: 20, base: true },
  { name: 'movbe', leaf: 1, register: 2, bit: 22, base: true },
  { name: 'popcnt', leaf: 1, register: 2, bit: 23, base: true },
  { name: 'aes', leaf: 1, register: 2, bit: 25, base: true },
  { name: 'xsave', leaf: 1, register: 2, bit: 26, base: false },
  { name: 'osxsave', leaf: 1, register: 2, bit: 27, base: false },
  { name: 'avx', leaf: 1, register: 2, bit: 28, base: false },
  { name: 'f16c', leaf: 1, register: 2, bit: 29, base: false },
  { name: 'fpu', leaf: 1, register: 3, bit: 0, base: true },
  { name: 'cx8', leaf: 1, register: 3, bit: 8, base: true },
  { name: 'cmov', leaf: 1, register: 3, bit: 15, base: true },
  { name: 'mmx', leaf: 1, register: 3, bit: 23, base: true },
  { name: 'fxsr', leaf: 1, register: 3, bit: 24, base: true },
  { name: 'sse', leaf: 1, register: 3, bit: 25, base: true },
  { name: 'sse2', leaf: 1, register: 3, bit: 26, base: true },
  { name: 'bmi1', leaf: 7, register: 1, bit: 3, base: true },
  { name: 'avx2', leaf: 7, register: 1, bit: 5, base: false },
  { name: 'bmi2', leaf: 7, register: 1, bit: 8, base: true },
  { name: 'adx', leaf: 7, register: 1, bit: 19, base: true },
  { name: 'sha', leaf: 7, register: 1, bit: 29, base: true },
  { name: 'lahf', leaf: EXTENDED + 1, register: 2, bit: 0, base: true },
  { name: 'lzcnt', leaf: EXTENDED + 1, register: 2, bit: 5, base: true },
  { name: 'lm', leaf: EXTENDED + 1, register: 3, bit: 29, base: true },
])('$name: base has it: $base; v3 has it', ({ leaf, register, bit, base }) => {
  const has = (model: 'base' | 'v3'): boolean => (((cpuid(leaf, 0, model)[register] as number) >>> bit) & 1) === 1;
  expect(has('base')).toBe(base);
  expect(has('v3')).toBe(true);
});

test.each([
  ['RTM, ERMS and RDSEED', 7, 1, (1 << 11) | (1 << 9) | (1 << 18)],
  ['PKU', 7, 2, 1 << 3],
  ['FSRM', 7, 3, 1 << 4],
  ['RDRAND and MONITOR', 1, 2, (1 << 30) | (1 << 3)],
] as const)('%s are absent', (_, leaf, register, bits) => {
  expect((cpuid(leaf, 0, 'v3')[register] as number) & bits).toBe(0);
});

test('caches agree in both descriptions', () => {
  const size = (subleaf: number): number => {
    const [, ebx, sets] = cpuid(EXTENDED + 0x1d, subleaf, 'base');
    return ((ebx >>> 22) + 1) * ((ebx & 0xfff) + 1) * (sets + 1);
  };
  const [, , data, code] = cpuid(EXTENDED + 5, 0, 'base');
  const [, , second, third] = cpuid(EXTENDED + 6, 0, 'base');
  const sizes = [(data >>> 24) << 10, (code >>> 24) << 10, (second >>> 16) << 10, (third >>> 18) << 19];
  expect([0, 1, 2, 3].map(size)).toEqual(sizes);
});

test('CPUID zero-extends its registers and goes on behind itself', () => {
  const registers = { rax: 0xffff_ffff_0000_0001n, rbx: -1n, rcx: -1n, rdx: -1n };
  const after = runCode({ code: [0x0f, 0xa2], registers });
  expect(after.exit).toEqual({ kind: 'end' });
  expect(after.retired).toBe(1);
  expect(after.register('rax')).toBe(0x00a1_0f11n);
  expect(after.register('rbx')).toBe(0x1_0800n);
});

test('RDTSC splits the counter', () => {
  const after = runCode({ code: [0x0f, 0x31, 0x0f, 0x01, 0xf9], registers: { rcx: -1n } });
  expect(after.exit).toEqual({ kind: 'end' });
  expect(after.register('rdx')).toBe(0n);
  expect(after.register('rax')).toBeGreaterThan(0n);
  expect(after.register('rcx')).toBe(0n);
});
