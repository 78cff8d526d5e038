/** Whole programs by hand, in every tier: what generated ones do not do. The byte lists are what GNU as makes of the comments. */
import { describe, expect, test } from 'vitest';
import { ACCESS } from '../../../src/emulator/stop.js';
import { CODE, type CodeRequest, DATA, runCode, STACK_POINTER } from '../x86/run-code.js';

function le32(value: number): number[] {
  return [0, 8, 16, 24].map((shift) => (value >> shift) & 0xff);
}

/** fib: cmp $2,%edi; jb 1f; push %rdi; dec %edi; call fib; pop %rdi; push %rax; sub $2,%edi; call fib; pop %rcx; add %ecx,%eax; ret; 1: mov %edi,%eax; ret */
const FIB = [
  ...[0x83, 0xff, 2, 0x72, 0x16, 0x57, 0xff, 0xcf, 0xe8, ...le32(-13), 0x5f, 0x50, 0x83, 0xef, 2],
  ...[0xe8, ...le32(-23), 0x59, 0x01, 0xc8, 0xc3, 0x89, 0xf8, 0xc3],
];

/** mov $n,%edi; call fib; jmp over it; fib */
function fib(n: number): number[] {
  return [0xbf, ...le32(n), 0xe8, 2, 0, 0, 0, 0xeb, FIB.length, ...FIB];
}

/** mov $n,%r12d; 1: lea f(%rip),%rax; call *%rax; dec %r12d; jnz 1b; jmp 2f; f: add $3,%rbx; ret; 2: */
const INDIRECT_CALLS = [
  ...[0x41, 0xbc, ...le32(500), 0x48, 0x8d, 0x05, ...le32(9), 0xff, 0xd0, 0x41, 0xff, 0xcc, 0x75, 0xf2],
  ...[0xeb, 5, 0x48, 0x83, 0xc3, 3, 0xc3],
];

/** mov $n,%r12d; xor %ebx,%ebx; 1: mov (%rsi,%rbx,8),%rax; xor $1,%ebx; jmp *%rax; a: inc %r8; jmp 2f; b: inc %r9; 2: dec %r12d; jnz 1b */
const INDIRECT_JUMPS = [
  ...[0x41, 0xbc, ...le32(300), 0x31, 0xdb, 0x48, 0x8b, 0x04, 0xde, 0x83, 0xf3, 1, 0xff, 0xe0],
  ...[0x49, 0xff, 0xc0, 0xeb, 3, 0x49, 0xff, 0xc1, 0x41, 0xff, 0xcc, 0x75, 0xea],
];

function le64(value: number): number[] {
  return [...le32((value % 0x1_0000_0000) | 0), ...le32(Math.floor(value / 0x1_0000_0000))];
}

const TIERS = ['interp', 'compile', 'auto'] as const;

describe.each(TIERS)('%s', (tier) => {
  const run = (request: CodeRequest) => runCode({ ...request, tier, slice: 1000 });

  test('recursion through calls inside a region', () => {
    const after = run({ code: fib(15) });
    expect(after.exit).toEqual({ kind: 'end' });
    expect([after.register('rax'), after.register('rsp')]).toEqual([610n, BigInt(STACK_POINTER)]);
    expect(after.retired).toBe(runCode({ code: fib(15) }).retired);
  });

  test('indirect calls', () => {
    const after = run({ code: INDIRECT_CALLS });
    expect(after.exit).toEqual({ kind: 'end' });
    expect([after.register('rbx'), after.retired]).toEqual([1500n, 1 + 6 * 500 + 1]);
  });

  test('indirect jumps that go to and fro', () => {
    const [a, b] = [CODE + 17, CODE + 22];
    const memory = [{ address: DATA, bytes: [...le64(a), ...le64(b)] }];
    const after = run({ code: INDIRECT_JUMPS, registers: { rsi: BigInt(DATA) }, memory });
    expect(after.exit).toEqual({ kind: 'end' });
    expect([after.register('r8'), after.register('r9')]).toEqual([150n, 150n]);
  });

  test('a loop that changes its own code', () => {
    // mov $100,%ecx; 1: inc %eax; xorb $3,-3(%rip) [the ModRM byte of inc: eax and ebx in turn]; dec %ecx; jnz 1b
    const code = [0xb9, ...le32(100), 0xff, 0xc0, 0x80, 0x35, ...le32(-8), 3, 0xff, 0xc9, 0x75, 0xf3];
    const memory = [{ address: CODE, bytes: [0xb9], access: ACCESS.WRITE }];
    const after = run({ code, memory });
    expect(after.exit).toEqual({ kind: 'end' });
    expect([after.register('rax'), after.register('rbx')]).toEqual([50n, 50n]);
  });

  test('a fault in the middle of a hot block leaves no trace of what follows', () => {
    // 1: inc %rax; add $8,%rdi; mov (%rdi),%rdx; inc %rbx; jmp 1b: runs off the end of the area
    const code = [0x48, 0xff, 0xc0, 0x48, 0x83, 0xc7, 8, 0x48, 0x8b, 0x17, 0x48, 0xff, 0xc3, 0xeb, 0xf1];
    const after = run({ code, registers: { rdi: BigInt(DATA) } });
    const steps = 0x4000 / 8;
    expect(after.exit).toMatchObject({ kind: 'fault', fault: { address: DATA + 0x4000, signal: 11 } });
    expect([after.register('rax'), after.register('rbx')]).toEqual([BigInt(steps), BigInt(steps - 1)]);
    expect([after.register('rip'), after.retired]).toEqual([BigInt(CODE + 7), 5 * (steps - 1) + 2]);
  });

  test('flags are exact where fuel runs out', () => {
    // mov $60,%ecx; 1: cmp $30,%ecx; jb 2f; inc %eax; 2: dec %ecx; jnz 1b
    const code = [0xb9, ...le32(60), 0x83, 0xf9, 30, 0x72, 2, 0xff, 0xc0, 0xff, 0xc9, 0x75, 0xf5];
    for (let fuel = 150; fuel < 170; fuel++) {
      expect(runCode({ code, tier, fuel }).registers()).toEqual(runCode({ code, fuel }).registers());
    }
  });

  test('a page that is watched is seen at every access', () => {
    // mov $70,%ecx; 1: incl (%rdi); dec %ecx; jnz 1b
    const code = [0xb9, ...le32(70), 0xff, 0x07, 0xff, 0xc9, 0x75, 0xfa];
    const after = runCode({ code, tier, registers: { rdi: BigInt(DATA) }, watch: [DATA] });
    expect(after.exit).toMatchObject({ kind: 'watch', hits: [{ access: 'read' }, { access: 'write' }] });
    expect([after.register('rip'), after.retired]).toEqual([BigInt(CODE + 7), 2]);
  });
});

test('tier compile interprets next to nothing', () => {
  const { retired, compiled } = runCode({ code: fib(15), tier: 'compile' });
  expect(compiled).toBeGreaterThan(0.99 * retired);
});

test('tier auto compiles what is hot', () => {
  const { retired, compiled } = runCode({ code: fib(15), tier: 'auto', slice: 1000 });
  expect(compiled).toBeGreaterThan(0.8 * retired);
});
