/** Flags computed from a kind that the block knows, and from the record alone, are the same: whole blocks, interpreted and compiled, against single instructions. */
import { expect, test } from 'vitest';
import { CODE, runCode } from './run-code.js';

/** The generator "mulberry32". */
class Numbers {
  constructor(private seed: number) {}

  next(below: number): number {
    this.seed = (this.seed + 0x6d2b79f5) | 0;
    let t = Math.imul(this.seed ^ (this.seed >>> 15), this.seed | 1);
    t ^= (t + Math.imul(t ^ (t >>> 7), t | 61)) | 0;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  }

  of<T>(list: readonly T[]): T {
    return list[this.next(list.length)] as T;
  }

  wide(): bigint {
    const value = (BigInt(this.next(2 ** 32)) << 32n) | BigInt(this.next(2 ** 32));
    return this.of([value, value & 0xffn, BigInt.asUintN(64, BigInt.asIntN(8, value)), 1n << (value & 63n), value]);
  }
}

/** ModRM of two registers among rax, rcx, rdx: byte forms name them, too. */
function modRm(numbers: Numbers, extension?: number): number {
  return 0xc0 | ((extension ?? numbers.next(3)) << 3) | numbers.next(3);
}

/** An opcode whose byte form is one below, with a prefix for one of the four widths. */
function sized(numbers: Numbers, opcode: number, ...rest: number[]): number[] {
  const prefixes = [[], [], [0x66], [0x48]];
  const width = numbers.next(4);
  return [...(prefixes[width] as number[]), width === 0 ? opcode - 1 : opcode, ...rest];
}

const ADD_TO_CMP = [0x01, 0x09, 0x11, 0x19, 0x21, 0x29, 0x31, 0x39];
const SHIFTS = [0, 1, 2, 3, 4, 5, 7];

/** Instructions that make flags, one for each way. */
const MAKERS: readonly ((n: Numbers) => number[])[] = [
  (n) => sized(n, n.of(ADD_TO_CMP), modRm(n)),
  (n) => sized(n, n.of(ADD_TO_CMP), modRm(n)),
  (n) => sized(n, 0x85, modRm(n)), // test
  (n) => sized(n, 0xff, modRm(n, n.next(2))), // inc, dec
  (n) => sized(n, 0xf7, modRm(n, n.of([3, 4, 5]))), // neg, mul, imul
  (n) => sized(n, 0xd3, modRm(n, n.of(SHIFTS))), // by cl
  (n) => sized(n, 0xc1, modRm(n, n.of(SHIFTS)), n.next(70)),
  (n) => [0x0f, 0xaf, modRm(n)], // imul
  (n) => [0x48, 0x0f, n.of([0xa3, 0xab, 0xb3, 0xbb, 0xbc, 0xbd, 0xa5, 0xad]), modRm(n)], // bt.., bsf, bsr, shld, shrd
  (n) => [0xf3, 0x0f, n.of([0xb8, 0xbc, 0xbd]), modRm(n)], // popcnt, tzcnt, lzcnt
  (n) => [0x0f, 0xb1, modRm(n)], // cmpxchg
  (n) => [n.of([0xf5, 0xf8, 0xf9, 0x9e])], // cmc, clc, stc, sahf
];

/** Instructions that use them: SETcc, CMOVcc, LAHF. */
const USERS: readonly ((n: Numbers) => number[])[] = [
  (n) => [0x0f, 0x90 + n.next(16), modRm(n, 0)],
  (n) => [0x48, 0x0f, 0x40 + n.next(16), modRm(n)],
  () => [0x9f],
];

const NAMES = ['rax', 'rcx', 'rdx', 'eflags'];

test.each(Array.from({ length: 16 }, (_, seed) => seed))('random blocks, seed %i', (seed) => {
  const numbers = new Numbers(seed);
  for (let round = 0; round < 25; round++) {
    const code = Array.from({ length: 24 }, () => numbers.of(numbers.next(2) ? MAKERS : USERS)(numbers)).flat();
    const [rax, rcx, rdx] = [numbers.wide(), numbers.wide(), numbers.wide()];
    const request = { code, registers: { rax, rcx, rdx, eflags: BigInt(numbers.next(0x1000) & 0x8d5) | 2n } };
    const stepped = runCode({ ...request, slice: 1 });
    expect(stepped.exit).toEqual({ kind: 'end' });
    expect(stepped.register('rip')).toBe(BigInt(CODE + code.length));
    const context = code.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const expected = NAMES.map((name) => stepped.register(name));
    for (const tier of ['interp', 'compile'] as const) {
      const whole = runCode({ ...request, tier });
      expect(
        NAMES.map((name) => whole.register(name)),
        `${tier}: ${context}`,
      ).toEqual(expected);
    }
  }
});
