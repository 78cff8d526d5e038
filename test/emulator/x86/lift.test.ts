/** Lifting of whatever bytes there are, and forms of instructions that hardly any compiler makes. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { x86 } from '../../../src/emulator/x86/arch.js';
import { SLOT } from '../../../src/register-set.js';
import { CODE, DATA, runCode, STACK_POINTER } from './run-code.js';

const PREFIXES = [
  ...[[], [0x66], [0xf2], [0xf3], [0x48], [0x67], [0x64], [0xf0], [0x0f], [0x66, 0x0f], [0xf2, 0x0f], [0xf3, 0x0f]],
  ...[[0x0f, 0x38], [0x66, 0x0f, 0x38], [0x66, 0x0f, 0x3a], [0xc5], [0xc4, 0xe1], [0xc4, 0xe2], [0xc4, 0xe3], [0x62]],
];

test('any bytes lift, for every model', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...PREFIXES),
      fc.uint8Array({ minLength: 15, maxLength: 15 }),
      fc.constantFrom('base', 'v3'),
      (prefix, rest, model) => {
        const bytes = Uint8Array.from([...prefix, ...rest]);
        const lifted = x86.lift(bytes, CODE, { limit: 1, model });
        expect(lifted.kind).toBe('block');
      },
    ),
    { numRuns: 20_000 },
  );
});

describe('rare forms', () => {
  const GS = SLOT.SEG + 4 * 5;

  test.each([
    { text: 'push %gs', code: [0x0f, 0xa8], size: 8 },
    { text: 'pushw %gs', code: [0x66, 0x0f, 0xa8], size: 2 },
  ])('$text pushes the selector', ({ code, size }) => {
    const outcome = runCode({ code, prepare: (cpu) => cpu.setInt(GS, 0x2b) });
    expect(outcome.exit).toEqual({ kind: 'end' });
    expect(outcome.register('rsp')).toBe(BigInt(STACK_POINTER - size));
    expect([...outcome.memory(STACK_POINTER - size, size)]).toEqual([0x2b, ...Array(size - 1).fill(0)]);
  });

  test('jmpw *(%rdi) goes to 16 bits of address', () => {
    const memory = [{ address: DATA, bytes: [0x34, 0x12, 0x78, 0x56] }];
    const outcome = runCode({ code: [0x66, 0xff, 0x27], registers: { rdi: BigInt(DATA) }, memory });
    expect(outcome.cpu.rip).toBe(0x1234);
  });
});
