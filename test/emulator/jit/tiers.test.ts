/** Interpreter and compiled code agree in every register, in memory and in what has retired, wherever slices end. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AREA_BYTES, type CodeRequest, DATA, runCode, STACK } from '../x86/run-code.js';
import { programs, registerValues } from './programs.js';

/** Comparing strings is a hundred times faster than comparing arrays element by element. */
function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function everything(request: CodeRequest): object {
  const after = runCode(request);
  return {
    exit: after.exit,
    retired: after.retired,
    registers: after.registers(),
    data: hex(after.memory(DATA, AREA_BYTES)),
    stack: hex(after.memory(STACK, AREA_BYTES)),
  };
}

test('random programs end alike in all tiers and for all slices', () => {
  fc.assert(
    fc.property(programs, registerValues, fc.integer({ min: 1, max: 60 }), (code, values, slice) => {
      const registers = { ...values, rdi: BigInt(DATA + 0x1ff0), rbp: BigInt(DATA + AREA_BYTES - 140) };
      const request = { code, registers, fuel: 20_000 };
      const expected = everything({ ...request, tier: 'interp' });
      expect(everything({ ...request, tier: 'compile' })).toEqual(expected);
      expect(everything({ ...request, tier: 'auto', slice: 2000 })).toEqual(expected);
      expect(everything({ ...request, tier: 'compile', slice })).toEqual(expected);
    }),
    { numRuns: 80 },
  );
});

test('code that is entered in its middle, where a slice ended, makes no assumption about the flags that it finds', () => {
  // The same `dec` and `jne` follow an `add` (whose carry `dec` keeps) and a jump that depends on the carry before.
  const code = [
    ...[0x41, 0xbf, 0x96, 0, 0, 0], // mov $150, %r15d
    ...[0x72, 0x04], // 1: jb 2f
    ...[0x40, 0x01, 0x47, 0x00], // add %eax, (%rdi)
    ...[0x40, 0x89, 0xc0], // 2: mov %eax, %eax
    ...[0x49, 0xff, 0xcf], // dec %r15
    ...[0x0f, 0x85, 0xee, 0xff, 0xff, 0xff], // jne 1b
  ];
  const request = { code, registers: { rax: 0x7fff_ffffn, rdi: BigInt(DATA) } };
  const expected = everything(request);
  for (const tier of ['compile', 'auto', 'interp'] as const) {
    for (let slice = 1; slice < 40; slice++) expect(everything({ ...request, tier, slice })).toEqual(expected);
  }
});
