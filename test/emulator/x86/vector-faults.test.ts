/** Faults of vector, MMX and x87 instructions: which there are, and that none leaves a trace. */
import { describe, expect, test } from 'vitest';
import { ACCESS } from '../../../src/emulator/stop.js';
import { x86 } from '../../../src/emulator/x86/arch.js';
import { SLOT } from '../../../src/register-set.js';
import { AREA_BYTES, CODE, DATA, runCode } from './run-code.js';

const PROTECTION = 13;
const PAGE = 14;
const X87 = 16;
const SIMD = 19;
/** The first byte that is not mapped. */
const END = DATA + AREA_BYTES;

const XMM1 = 0x1111_2222_3333_4444_5555_6666_7777_8888n;
const YMM1H = 0x9999_aaaa_bbbb_cccc_dddd_eeee_ffff_0000n;
const ONES = (1n << 128n) - 1n;
const DEFAULT_MXCSR = 0x1f80n;

interface Case {
  readonly text: string;
  readonly code: readonly number[];
  readonly rdi: number;
  readonly registers?: Record<string, bigint>;
}

function run({ code, rdi, registers }: Omit<Case, 'text'>) {
  return runCode({
    code,
    registers: { rdi: BigInt(rdi), xmm1: XMM1, ymm1h: YMM1H, xmm2: ONES, ymm2h: ONES, ...registers },
  });
}

describe('memory', () => {
  test.each<Case & { trap: number }>([
    { text: 'movaps (%rdi),%xmm1, misaligned', code: [0x0f, 0x28, 0x0f], rdi: DATA + 8, trap: PROTECTION },
    { text: 'movaps %xmm1,(%rdi), misaligned', code: [0x0f, 0x29, 0x0f], rdi: DATA + 8, trap: PROTECTION },
    { text: 'addps (%rdi),%xmm1, misaligned', code: [0x0f, 0x58, 0x0f], rdi: DATA + 4, trap: PROTECTION },
    { text: 'pshufb (%rdi),%xmm1, misaligned', code: [0x66, 0x0f, 0x38, 0x00, 0x0f], rdi: DATA + 1, trap: PROTECTION },
    { text: 'vmovaps (%rdi),%ymm1, aligned to 16', code: [0xc5, 0xfc, 0x28, 0x0f], rdi: DATA + 16, trap: PROTECTION },
    { text: 'fxsave (%rdi), misaligned', code: [0x0f, 0xae, 0x07], rdi: DATA + 8, trap: PROTECTION },
    { text: 'movups (%rdi),%xmm1, half of it unmapped', code: [0x0f, 0x10, 0x0f], rdi: END - 8, trap: PAGE },
    { text: 'movups %xmm1,(%rdi), half of it unmapped', code: [0x0f, 0x11, 0x0f], rdi: END - 8, trap: PAGE },
    {
      text: 'vmovups %ymm1,(%rdi), its upper half unmapped',
      code: [0xc5, 0xfc, 0x11, 0x0f],
      rdi: END - 16,
      trap: PAGE,
    },
    {
      text: 'vmovups (%rdi),%ymm1, its upper half unmapped',
      code: [0xc5, 0xfc, 0x10, 0x0f],
      rdi: END - 16,
      trap: PAGE,
    },
    { text: 'fxsave (%rdi), its end unmapped', code: [0x0f, 0xae, 0x07], rdi: END - 496, trap: PAGE },
    { text: 'fstpt (%rdi), its end unmapped', code: [0xdb, 0x3f], rdi: END - 8, trap: PAGE },
    {
      text: 'vcvtps2ph $0,%ymm1,(%rdi), its end unmapped',
      code: [0xc4, 0xe3, 0x7d, 0x1d, 0x0f, 0],
      rdi: END - 8,
      trap: PAGE,
    },
  ])('$text', (one) => {
    const outcome = run(one);
    expect(outcome.exit).toMatchObject({ kind: 'fault', fault: { signal: 11, trapNumber: one.trap } });
    expect([outcome.register('xmm1'), outcome.register('ymm1h')]).toEqual([XMM1, YMM1H]);
    expect(outcome.register('mxcsr')).toBe(DEFAULT_MXCSR);
    expect(outcome.cpu.int(SLOT.FSW)).toBe(0);
    expect(outcome.memory(END - 496, 496)).toEqual(new Uint8Array(496));
  });

  test.each<Case>([
    { text: 'vaddps (%rdi),%xmm1,%xmm1, misaligned', code: [0xc5, 0xf0, 0x58, 0x0f], rdi: DATA + 1 },
    { text: 'pcmpistri $0,(%rdi),%xmm1, misaligned', code: [0x66, 0x0f, 0x3a, 0x63, 0x0f, 0], rdi: DATA + 1 },
    { text: 'maskmovdqu %xmm0,%xmm1 without a mask', code: [0x66, 0x0f, 0xf7, 0xc8], rdi: END },
    { text: 'vmaskmovps (%rdi),%xmm0,%xmm3 without a mask', code: [0xc4, 0xe2, 0x79, 0x2c, 0x1f], rdi: END },
    {
      text: 'vpgatherdd %xmm0,(%rdi,%xmm2,1),%xmm3 without a mask',
      code: [0xc4, 0xe2, 0x79, 0x90, 0x1c, 0x17],
      rdi: END,
    },
  ])('$text does not fault', (one) => {
    expect(run(one).exit).toEqual({ kind: 'end' });
  });

  /** The two low lanes. */
  const LOW_LANES = 0x8000_0000_8000_0000n;
  const masked = { rdi: END - 8, registers: { xmm0: LOW_LANES } };

  test('lanes that VMASKMOV leaves out are not loaded', () => {
    const outcome = run({ code: [0xc4, 0xe2, 0x79, 0x2c, 0x0f], ...masked }); // vmaskmovps (%rdi),%xmm0,%xmm1
    expect(outcome.exit).toEqual({ kind: 'end' });
    expect([outcome.register('xmm1'), outcome.register('ymm1h')]).toEqual([0n, 0n]);
  });

  test('lanes that VMASKMOV leaves out are not stored', () => {
    const outcome = run({ code: [0xc4, 0xe2, 0x79, 0x2e, 0x0f], ...masked }); // vmaskmovps %xmm1,%xmm0,(%rdi)
    expect(outcome.exit).toEqual({ kind: 'end' });
    const stored = new DataView(outcome.memory(END - 8, 8).buffer);
    expect(stored.getBigUint64(0, true)).toBe(XMM1 & 0xffff_ffff_ffff_ffffn);
  });

  test('a gather that faults keeps its destination and its mask', () => {
    const registers = { xmm0: LOW_LANES, xmm2: 0x10n << 32n };
    const outcome = run({ code: [0xc4, 0xe2, 0x79, 0x90, 0x0c, 0x17], rdi: END - 8, registers }); // vpgatherdd %xmm0,(%rdi,%xmm2,1),%xmm1
    expect(outcome.exit).toMatchObject({ kind: 'fault', fault: { trapNumber: PAGE, address: END + 8 } });
    expect([outcome.register('xmm1'), outcome.register('xmm0')]).toEqual([XMM1, LOW_LANES]);
  });

  test('a store to a page that can only be read faults as a write', () => {
    const page = DATA + 0x10_0000;
    const outcome = runCode({
      code: [0x0f, 0x29, 0x0f], // movaps %xmm1,(%rdi)
      registers: { rdi: BigInt(page) },
      memory: [{ address: page, bytes: new Uint8Array(16), access: ACCESS.READ }],
    });
    expect(outcome.exit).toMatchObject({ kind: 'fault', fault: { trapNumber: PAGE, address: page } });
  });
});

const ONE = 0x3ff0_0000_0000_0000n;
const THIRD = 0x3fd5_5555_5555_5555n;
const SUBNORMAL = 1n;
const both = (low: bigint, high: bigint): bigint => (high << 64n) | low;

describe('floating point', () => {
  test.each([
    {
      text: 'divsd by zero',
      code: [0xf2, 0x0f, 0x5e, 0xca],
      mxcsr: 0x1d80n,
      xmm1: ONE,
      xmm2: 0n,
      flags: 0x4n,
    },
    {
      text: 'mulsd, inexact: PE is seen',
      code: [0xf2, 0x0f, 0x59, 0xca],
      mxcsr: 0x0f80n,
      xmm1: THIRD,
      xmm2: THIRD,
      flags: 0x20n,
    },
    {
      text: 'mulpd, a subnormal in one lane keeps PE of the other from being seen',
      code: [0x66, 0x0f, 0x59, 0xca],
      mxcsr: 0x1e80n,
      xmm1: both(THIRD, SUBNORMAL),
      xmm2: both(THIRD, ONE),
      flags: 0x2n,
    },
    {
      text: 'cvttsd2si of a NaN',
      code: [0xf2, 0x0f, 0x2c, 0xc2],
      mxcsr: 0x1f00n,
      xmm1: XMM1,
      xmm2: 0x7ff8_0000_0000_0000n,
      flags: 0x1n,
    },
  ])('unmasked: $text', ({ code, mxcsr, xmm1, xmm2, flags }) => {
    const outcome = run({ code, rdi: DATA, registers: { mxcsr, xmm1, xmm2, rax: 7n } });
    expect(outcome.exit).toMatchObject({ kind: 'fault', fault: { signal: 8, trapNumber: SIMD } });
    expect(outcome.register('xmm1')).toBe(xmm1);
    expect(outcome.register('rax')).toBe(7n);
    expect(outcome.register('mxcsr')).toBe(mxcsr | flags);
  });

  test('vmulpd: a subnormal in the upper half keeps PE of the lower one from being seen', () => {
    const registers = {
      mxcsr: 0x1e80n,
      xmm1: both(THIRD, THIRD),
      ymm1h: both(SUBNORMAL, ONE),
      xmm2: both(THIRD, THIRD),
      ymm2h: both(ONE, ONE),
    };
    const outcome = run({ code: [0xc5, 0xf5, 0x59, 0xca], rdi: DATA, registers }); // vmulpd %ymm2,%ymm1,%ymm1
    expect(outcome.exit).toMatchObject({ kind: 'fault', fault: { trapNumber: SIMD } });
    expect(outcome.register('mxcsr')).toBe(0x1e82n);
    expect([outcome.register('xmm1'), outcome.register('ymm1h')]).toEqual([registers.xmm1, registers.ymm1h]);
  });

  test.each([
    { text: 'fwait', code: [0x9b] },
    { text: 'fld1', code: [0xd9, 0xe8] },
    { text: 'paddb %mm1,%mm0', code: [0x0f, 0xfc, 0xc1] },
    { text: 'emms', code: [0x0f, 0x77] },
    { text: 'cvtpi2ps %mm0,%xmm0', code: [0x0f, 0x2a, 0xc0] },
  ])('$text raises the x87 exception that is pending', ({ code }) => {
    // fnstcw (%rdi); andb $~4,(%rdi); fldcw (%rdi); fldz; fld1; fdivp: division by zero, unmasked
    const divide = [0xd9, 0x3f, 0x80, 0x27, 0xfb, 0xd9, 0x2f, 0xd9, 0xee, 0xd9, 0xe8, 0xde, 0xf1];
    const outcome = run({ code: [...divide, ...code], rdi: DATA });
    expect(outcome.exit).toMatchObject({ kind: 'fault', fault: { signal: 8, trapNumber: X87 } });
    expect(outcome.cpu.rip).toBe(CODE + divide.length);
  });

  test.each([
    { text: 'ldmxcsr (%rdi)', code: [0x0f, 0xae, 0x17], at: 0 },
    { text: 'fxrstor (%rdi)', code: [0x0f, 0xae, 0x0f], at: 24 },
  ])('$text with reserved bits of MXCSR', ({ code, at }) => {
    const bytes = new Uint8Array(512);
    bytes[at + 2] = 1;
    const outcome = runCode({ code, registers: { rdi: BigInt(DATA), xmm1: XMM1 }, memory: [{ address: DATA, bytes }] });
    expect(outcome.exit).toMatchObject({ kind: 'fault', fault: { trapNumber: PROTECTION } });
    expect([outcome.register('mxcsr'), outcome.register('xmm1')]).toEqual([DEFAULT_MXCSR, XMM1]);
  });
});

describe('models', () => {
  const lastOp = (code: number[], model: 'base' | 'v3'): string => {
    const lifted = x86.lift(Uint8Array.from(code), CODE, { limit: 1, model });
    if (lifted.kind !== 'block') throw new Error('truncated');
    return lifted.block.insns[0]?.ops.at(-1)?.row.name ?? '';
  };

  test.each([
    { text: 'vaddps', code: [0xc5, 0xf0, 0x58, 0xca] },
    { text: 'vzeroupper', code: [0xc5, 0xf8, 0x77] },
    { text: 'vfmadd231sd', code: [0xc4, 0xe2, 0xf1, 0xb9, 0xca] },
    { text: 'xsave (%rdi)', code: [0x0f, 0xae, 0x27] },
  ])('$text is undefined but with v3', ({ code }) => {
    expect(lastOp(code, 'base')).toBe('exit');
    expect(lastOp(code, 'v3')).not.toBe('exit');
  });

  test('EVEX instructions are undefined', () => {
    expect(lastOp([0x62, 0xf1, 0x74, 0x48, 0x58, 0xca], 'v3')).toBe('exit'); // vaddps %zmm2,%zmm1,%zmm1
  });
});
