/** Execution in both tiers: transfers, fuel, faults, breakpoints, accesses. Addresses in comments are objdump's. */
import { describe, expect, test } from 'vitest';
import { ACCESS } from '../../../src/emulator/stop.js';
import { CODE, type CodeOutcome, type CodeRequest, DATA, runCode as runIn, STACK_POINTER } from '../x86/run-code.js';

/** mov $n,%ecx; 1: add %rcx,%rax; dec %ecx; jnz 1b */
const SUM_LOOP = (n: number): number[] => [0xb9, n, 0, 0, 0, 0x48, 0x01, 0xc8, 0xff, 0xc9, 0x75, 0xf9];

test('a loop that is run within a range is compiled, and ends where single steps leave it', () => {
  // mov $2000,%ecx; 1: add %rcx,%rax; dec %ecx; jnz 1b; add $2,%rbx; xor %ebx,%eax
  const code = [0xb9, 0xd0, 7, 0, 0, 0x48, 0x01, 0xc8, 0xff, 0xc9, 0x75, 0xf9, 0x48, 0x83, 0xc3, 2, 0x31, 0xd8];
  let compiled = 0;
  for (const length of [10, 12, 16, 18]) {
    const request = { code, tier: 'auto', within: { start: CODE, end: CODE + length } } as const;
    const stepped = runIn({ ...request, slice: 1 });
    for (const slice of [1_000_000, 300, 7]) {
      const atOnce = runIn({ ...request, slice });
      expect(atOnce.registers()).toEqual(stepped.registers());
      expect([atOnce.exit, atOnce.retired]).toEqual([stepped.exit, stepped.retired]);
      compiled += atOnce.compiled;
    }
  }
  expect(compiled).toBeGreaterThan(2000);
});

describe.each(['interp', 'compile'] as const)('%s', (tier) => {
  const runCode = (request: CodeRequest): CodeOutcome => runIn({ ...request, tier });

  test('a loop runs to its end and counts what retires', () => {
    const after = runCode({ code: SUM_LOOP(100) });
    expect(after.exit).toEqual({ kind: 'end' });
    expect(after.register('rax')).toBe(5050n);
    expect(after.retired).toBe(1 + 3 * 100);
  });

  test.each([1, 2, 3, 7, 50])('a slice of %i instructions ends on the exact instruction', (slice) => {
    const whole = runCode({ code: SUM_LOOP(9) });
    const sliced = runCode({ code: SUM_LOOP(9), slice });
    expect(sliced.registers()).toEqual(whole.registers());
    expect(sliced.retired).toBe(whole.retired);
  });

  test('a run within a range ends where single steps leave it', () => {
    // mov $9,%ecx; 1: add %rcx,%rax; call 3f; 2: dec %ecx; jnz 1b; jmp 4f; 3: add $2,%rbx; ret; 4:
    const code = [
      0xb9, 9, 0, 0, 0, 0x48, 0x01, 0xc8, 0xe8, 6, 0, 0, 0, 0xff, 0xc9, 0x75, 0xf4, 0xeb, 5, 0x48, 0x83, 0xc3, 2, 0xc3,
    ];
    for (let length = 1; length <= code.length; length++) {
      const request = { code, within: { start: CODE, end: CODE + length } };
      const stepped = runCode({ ...request, slice: 1 });
      for (const slice of [1_000_000, 7]) {
        const atOnce = runCode({ ...request, slice });
        expect(atOnce.registers()).toEqual(stepped.registers());
        expect([atOnce.exit, atOnce.retired]).toEqual([stepped.exit, stepped.retired]);
      }
    }
  });

  test('fuel runs out between two instructions', () => {
    const after = runCode({ code: SUM_LOOP(9), fuel: 5 });
    expect(after.exit).toEqual({ kind: 'fuel' });
    expect(after.register('rip')).toBe(BigInt(CODE + 8)); // dec
    expect(after.register('rax')).toBe(9n + 8n);
  });

  test('calls and returns use the stack', () => {
    // call 1f; mov %eax,%ebx; jmp 2f; 1: mov $7,%eax; ret; 2:
    const code = [0xe8, 4, 0, 0, 0, 0x89, 0xc3, 0xeb, 6, 0xb8, 7, 0, 0, 0, 0xc3];
    const after = runCode({ code });
    expect(after.exit).toEqual({ kind: 'end' });
    expect(after.register('rbx')).toBe(7n);
    expect(after.register('rsp')).toBe(BigInt(STACK_POINTER));
  });

  test.each([
    { name: 'reads', code: [0x48, 0x8b, 0x07], error: 4 },
    { name: 'writes', code: [0x48, 0x89, 0x07], error: 6 },
  ])('an unmapped page that the program $name is SEGV_MAPERR', ({ code, error }) => {
    const after = runCode({ code: [0x90, ...code], registers: { rdi: 0x1000n } });
    const fault = { signal: 11, code: 1, address: 0x1000, trapNumber: 14, errorCode: error };
    expect(after.exit).toEqual({ kind: 'fault', fault });
    expect(after.register('rip')).toBe(BigInt(CODE + 1));
    expect(after.retired).toBe(1);
  });

  test('a forbidden page is SEGV_ACCERR, and present', () => {
    const memory = [{ address: 0x9000, bytes: [1], access: ACCESS.READ }];
    const after = runCode({ code: [0x48, 0x89, 0x07], registers: { rdi: 0x9000n }, memory });
    const fault = { signal: 11, code: 2, address: 0x9000, trapNumber: 14, errorCode: 7 };
    expect(after.exit).toEqual({ kind: 'fault', fault });
  });

  test.each([
    { name: 'data', registers: { rdi: 0x1234_5678_1234_5678n }, code: [0x8b, 0x07], signal: 11, trapNumber: 13 },
    { name: 'stack', registers: { rsp: 0x1234_5678_1234_5678n }, code: [0x50], signal: 7, trapNumber: 12 },
  ])(
    'a non-canonical $name address is a general fault without an address',
    ({ registers, code, signal, trapNumber }) => {
      const fault = { signal, code: 0x80, address: 0, trapNumber, errorCode: 0 };
      expect(runCode({ code, registers }).exit).toEqual({ kind: 'fault', fault });
    },
  );

  test('the kernel half is a protection fault at the full address', () => {
    const after = runCode({ code: [0x8b, 0x07], registers: { rdi: 0xffff_8880_0000_0000n } });
    const fault = { signal: 11, code: 1, address: 0xffff_8880_0000_0000n, trapNumber: 14, errorCode: 5 };
    expect(after.exit).toEqual({ kind: 'fault', fault });
  });

  test('an access across a page border needs both pages, and faults at the second', () => {
    const memory = [{ address: 0x9ff8, bytes: [1, 2, 3, 4, 5, 6, 7, 8] }];
    const code = [0x48, 0x8b, 0x07]; // mov (%rdi),%rax
    const after = runCode({ code, registers: { rdi: 0x9ffcn }, memory });
    expect(after.exit).toMatchObject({ fault: { address: 0xa000 } });
    const both = [...memory, { address: 0xa000, bytes: [9, 10, 11, 12] }];
    expect(runCode({ code, registers: { rdi: 0x9ffcn }, memory: both }).register('rax')).toBe(0x0c0b0a0908070605n);
  });

  test('a store across a page border writes both pages or none', () => {
    const code = [0x48, 0x89, 0x07]; // mov %rax,(%rdi)
    const registers = { rdi: 0x9ffcn, rax: 0x8877665544332211n };
    const memory = [{ address: 0x9ffc, bytes: [0, 0, 0, 0] }];
    expect(runCode({ code, registers, memory }).memory(0x9ffc, 4)).toEqual(Uint8Array.of(0, 0, 0, 0));
    const both = [...memory, { address: 0xa000, bytes: [0, 0, 0, 0] }];
    const after = runCode({ code, registers, memory: both });
    expect(after.memory(0x9ffc, 8)).toEqual(Uint8Array.of(0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88));
  });

  test('an instruction across a page border is fetched from both pages', () => {
    const start = CODE + 4096 - 2;
    const jump = [0xe9, ...le32(start - (CODE + 5))];
    const code = [...jump, ...new Array<number>(4096 - 2 - jump.length).fill(0x90), 0xb8, 0x78, 0x56, 0x34, 0x12];
    const after = runCode({ code });
    expect(after.exit).toEqual({ kind: 'end' });
    expect(after.register('rax')).toBe(0x12345678n);
  });

  test('running off the code is a fetch fault', () => {
    const code = [0xe9, ...le32(0x8000)];
    const address = CODE + 5 + 0x8000;
    const fault = { signal: 11, code: 1, address, trapNumber: 14, errorCode: 0x14 };
    expect(runCode({ code }).exit).toEqual({ kind: 'fault', fault });
  });

  test('data cannot be executed', () => {
    const after = runCode({ code: [0xff, 0xe0], registers: { rax: BigInt(DATA) } });
    const fault = { signal: 11, code: 2, address: DATA, trapNumber: 14, errorCode: 0x15 };
    expect(after.exit).toEqual({ kind: 'fault', fault });
  });

  test.each([
    { name: 'int3', code: [0xcc], exit: { kind: 'breakpoint' } },
    { name: 'syscall', code: [0x0f, 0x05], exit: { kind: 'syscall' } },
  ])('$name comes back with ip at it', ({ code, exit }) => {
    const after = runCode({ code: [0x90, ...code] });
    expect(after.exit).toEqual(exit);
    expect(after.retired).toBe(1);
    expect(after.register('rip')).toBe(BigInt(CODE + 1));
  });

  test('a program that sets TF gets a trap behind the next instruction', () => {
    // pushf; orl $0x100,(%rsp); popf; inc %eax; inc %eax
    const after = runCode({ code: [0x9c, 0x81, 0x0c, 0x24, 0, 1, 0, 0, 0x9d, 0xff, 0xc0, 0xff, 0xc0] });
    const address = CODE + 11;
    expect(after.exit).toEqual({ kind: 'fault', fault: { signal: 5, code: 2, address, trapNumber: 1, errorCode: 0 } });
    expect([after.register('rip'), after.register('rax'), after.retired]).toEqual([BigInt(address), 1n, 4]);
  });

  test('ud2 is SIGILL at its address', () => {
    const fault = { signal: 4, code: 2, address: CODE, trapNumber: 6, errorCode: 0 };
    expect(runCode({ code: [0x0f, 0x0b] }).exit).toEqual({ kind: 'fault', fault });
  });

  test('a program that writes the instruction after the store runs the new one', () => {
    // movb $0x43,0x1(%rip); xchg..: the byte at offset 9 turns `inc %eax` (ff c0) into `inc %ebx` (ff c3)
    const code = [0xc6, 0x05, 0x01, 0x00, 0x00, 0x00, 0xc3, 0xff, 0xc0];
    const memory = [{ address: CODE, bytes: [], access: ACCESS.WRITE }];
    const space = { code, memory: memory.map((row) => ({ ...row, bytes: code.slice(0, 1) })) };
    const after = runCode(space);
    expect(after.exit).toEqual({ kind: 'end' });
    expect([after.register('rax'), after.register('rbx')]).toEqual([0n, 1n]);
  });
});

function le32(value: number): number[] {
  return [0, 8, 16, 24].map((shift) => (value >> shift) & 0xff);
}
