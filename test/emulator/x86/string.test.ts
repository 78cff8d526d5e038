/** String instructions: iterations as the unit of everything, and bulk work that nobody can tell from single iterations. */
import { expect, test } from 'vitest';
import { ACCESS } from '../../../src/emulator/stop.js';
import { CODE, type CodeOutcome, type CodeRequest, DATA, runCode } from './run-code.js';

const DF = 0x402n;
const PAGE = 4096;
const [REP, REPNE] = [0xf3, 0xf2];

const pattern = Uint8Array.from({ length: 4 * PAGE }, (_, i) => (i * 7 + (i >> 8) * 13) & 0xff);

function codeOf(opcode: number, size: number): number[] {
  const prefixes = size === 2 ? [0x66] : size === 8 ? [0x48] : [];
  return [...prefixes, size === 1 ? opcode : opcode + 1];
}

/** The same run one instruction at a time, and in one piece, interpreted and compiled: only these use the bulk path. The last one's outcome. */
function allWays(request: CodeRequest): CodeOutcome {
  const memory = [{ address: DATA, bytes: pattern }, ...(request.memory ?? [])];
  const stepped = runCode({ ...request, memory, slice: 1 });
  const expected = { ...stepped, bytes: stepped.memory(DATA, pattern.length), all: stepped.registers() };
  const [, whole] = (['interp', 'compile'] as const).map((tier) => {
    const outcome = runCode({ ...request, memory, tier });
    expect(outcome.retired, tier).toBe(expected.retired);
    expect(outcome.registers(), tier).toEqual(expected.all);
    expect(Buffer.compare(outcome.memory(DATA, pattern.length), expected.bytes), tier).toBe(0);
    expect(outcome.exit, tier).toEqual(expected.exit);
    return outcome;
  });
  return whole as CodeOutcome;
}

const SIZES = [1, 2, 4, 8];

test.each(
  SIZES.flatMap((size) =>
    [
      { name: 'apart', from: 0x100, to: 0x2103 },
      { name: 'one element ahead', from: 0x100, to: 0x100 + size },
      { name: 'one byte ahead', from: 0x100, to: 0x101 },
      { name: 'behind', from: 0x200, to: 0x1f8 },
      { name: 'onto itself', from: 0x100, to: 0x100 },
      { name: 'far ahead', from: 0x100, to: 0x900 },
    ].flatMap((place) => [false, true].map((down) => ({ size, down, ...place }))),
  ),
)('rep movs of $size bytes, $name, down: $down', ({ size, down, from, to }) => {
  const count = 700;
  const start = down ? (count - 1) * size : 0;
  const registers = {
    rsi: BigInt(DATA + from + start),
    rdi: BigInt(DATA + to + start),
    rcx: BigInt(count),
    eflags: down ? DF : 2n,
  };
  const whole = allWays({ code: [REP, ...codeOf(0xa4, size)], registers });
  expect(whole.exit).toEqual({ kind: 'end' });
  expect(whole.retired).toBe(count);

  const expected = Uint8Array.from(pattern);
  for (let i = 0; i < count; i++) {
    const at = size * (down ? count - 1 - i : i);
    expected.copyWithin(to + at, from + at, from + at + size);
  }
  expect(Buffer.compare(whole.memory(DATA, pattern.length), expected)).toBe(0);
});

test.each(SIZES.flatMap((size) => [false, true].map((down) => ({ size, down }))))(
  'rep stos of $size bytes, down: $down',
  ({ size, down }) => {
    const count = 1100;
    const start = down ? (count - 1) * size : 0;
    const registers = {
      rax: 0x1122_3344_5566_7788n,
      rdi: BigInt(DATA + 3 + start),
      rcx: BigInt(count),
      eflags: down ? DF : 2n,
    };
    const whole = allWays({ code: [REP, ...codeOf(0xaa, size)], registers });
    expect(whole.retired).toBe(count);
    const element = [0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11].slice(0, size);
    const expected = Uint8Array.from(pattern);
    for (let i = 0; i < count; i++) expected.set(element, 3 + i * size);
    expect(Buffer.compare(whole.memory(DATA, pattern.length), expected)).toBe(0);
  },
);

test('rep movs that faults stops before the element, with the registers at it', () => {
  const end = BigInt(DATA + 4 * PAGE);
  const whole = allWays({
    code: [REP, ...codeOf(0xa4, 4)],
    registers: { rsi: BigInt(DATA), rdi: end - 4098n, rcx: 5000n },
  });
  expect(whole.exit).toMatchObject({ kind: 'fault', fault: { signal: 11, address: Number(end) } });
  expect(whole.retired).toBe(1024);
  expect(whole.register('rcx')).toBe(5000n - 1024n);
  expect(whole.register('rdi')).toBe(end - 2n);
  expect(whole.register('rip')).toBe(BigInt(CODE));
});

test('rep movs into a page that cannot be written', () => {
  const readOnly = DATA + 0x10_0000;
  const whole = allWays({
    code: [REP, ...codeOf(0xa4, 1)],
    memory: [
      { address: readOnly - PAGE, bytes: new Uint8Array(PAGE) },
      { address: readOnly, bytes: new Uint8Array(PAGE), access: ACCESS.READ },
    ],
    registers: { rsi: BigInt(DATA), rdi: BigInt(readOnly - 10), rcx: 50n },
  });
  expect(whole.exit).toMatchObject({ kind: 'fault', fault: { signal: 11, address: readOnly, errorCode: 7 } });
  expect(whole.retired).toBe(10);
});

test.each([
  { name: 'movs', code: [REP, 0xa4] },
  { name: 'stos', code: [REP, 0xaa] },
  { name: 'lods', code: [REP, 0xac] },
  { name: 'cmps', code: [REP, 0xa6] },
  { name: 'scas', code: [REPNE, 0xae] },
])('rep $name with a count of 0 is one instruction that touches nothing', ({ code }) => {
  const after = runCode({ code, registers: { rsi: 1n, rdi: 1n, rcx: 0n, eflags: 0x8d7n } });
  expect(after.exit).toEqual({ kind: 'end' });
  expect(after.retired).toBe(1);
  expect(after.register('eflags') & 0x8d5n).toBe(0x8d5n);
  expect(after.register('rdi')).toBe(1n);
});

test.each([1, 2, 7, 100, 4095, 4096, 4097])('a run of %i iterations stops rep movsb in the middle', (fuel) => {
  const after = runCode({
    code: [REP, 0xa4],
    memory: [{ address: DATA, bytes: pattern }],
    registers: { rsi: BigInt(DATA), rdi: BigInt(DATA + 2 * PAGE), rcx: 6000n },
    fuel,
  });
  expect(after.exit).toEqual({ kind: 'fuel' });
  expect(after.retired).toBe(fuel);
  expect(after.register('rcx')).toBe(BigInt(6000 - fuel));
  expect(after.register('rip')).toBe(BigInt(CODE));
});

test('repne scasb finds a byte, repe cmpsb a difference', () => {
  const memory = [{ address: DATA, bytes: [1, 1, 1, 2, 1, 1, 1, 3] }];
  const scan = runCode({
    code: [REPNE, 0xae],
    memory,
    registers: { rax: 2n, rdi: BigInt(DATA), rcx: 8n },
  });
  expect([scan.register('rcx'), scan.retired, scan.register('eflags') & 0x40n]).toEqual([4n, 4, 0x40n]);
  const compare = runCode({
    code: [REP, 0xa6],
    memory,
    registers: { rsi: BigInt(DATA), rdi: BigInt(DATA + 4), rcx: 4n },
  });
  // 2 - 3 at the last element: CF.
  expect([compare.register('rcx'), compare.retired, compare.register('eflags') & 0x41n]).toEqual([0n, 4, 1n]);
});

test('the 32-bit address size counts in ecx and moves esi and edi', () => {
  const after = runCode({
    code: [0x67, REP, 0xa4],
    memory: [{ address: 0x1_0000, bytes: [1, 2, 3, 4, 0, 0, 0, 0] }],
    registers: { rsi: 0x5_0001_0000n, rdi: 0x7_0001_0004n, rcx: 0x9_0000_0004n },
  });
  expect(after.exit).toEqual({ kind: 'end' });
  expect([...after.memory(0x1_0000, 8)]).toEqual([1, 2, 3, 4, 1, 2, 3, 4]);
  const registers = [after.register('rsi'), after.register('rdi'), after.register('rcx')];
  expect(registers).toEqual([0x1_0004n, 0x1_0008n, 0n]);
});

test('a segment base counts for the source, not for the destination', () => {
  const after = runCode({
    code: [0x64, 0xa4],
    memory: [{ address: DATA + 0x20, bytes: [9] }],
    registers: { rsi: 0x20n, fs_base: BigInt(DATA), rdi: BigInt(DATA) },
  });
  expect([...after.memory(DATA, 1)]).toEqual([9]);
});

test('rep movs over its own code: what it has overwritten is fetched anew', () => {
  const page = 0x7000_0000;
  // rep movsb; hlt, in a page that can be written: the copy of 2 bytes replaces itself by nops behind the iteration.
  const after = runCode({
    code: [0xff, 0xe0], // jmp *%rax
    memory: [
      { address: page, bytes: [REP, 0xa4, 0xf4, 0x90, 0x90], access: ACCESS.READ | ACCESS.WRITE | ACCESS.FETCH },
    ],
    registers: { rax: BigInt(page), rsi: BigInt(page + 3), rdi: BigInt(page), rcx: 2n },
  });
  // The first iteration makes it nop; movsb, which copies the second nop over itself and falls into the hlt.
  expect(after.register('rip')).toBe(BigInt(page + 2));
  expect([...after.memory(page, 2)]).toEqual([0x90, 0x90]);
});
