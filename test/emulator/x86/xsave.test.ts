/** XSAVE and its kin: what they save, what they leave alone, what they refuse (SDM vol. 1, 13.7 to 13.10). */
import { describe, expect, test } from 'vitest';
import { SLOT } from '../../../src/register-set.js';
import { DATA, runCode } from './run-code.js';

/** mov $components,%eax; xor %edx,%edx; the instruction with (%rdi). */
function masked(components: number, ...instruction: number[]): number[] {
  return [0xb8, components, 0, 0, 0, 0x31, 0xd2, ...instruction];
}

const XSAVE64 = [0x48, 0x0f, 0xae, 0x27];
const XSAVEC64 = [0x48, 0x0f, 0xc7, 0x27];
const XRSTOR64 = [0x48, 0x0f, 0xae, 0x2f];
/** vpcmpeqd %ymm1,%ymm1,%ymm1 and fninit; fld1: not what was saved. */
const CLOBBER = [0xc5, 0xf5, 0x76, 0xc9, 0xdb, 0xe3, 0xd9, 0xe8];

const XMM1 = 0x0123_4567_89ab_cdef_0011_2233_4455_6677n;
const YMM1H = 0x8899_aabb_ccdd_eeff_7766_5544_3322_1100n;
const AREA = 832;
const FULL = 0xa5;

function run(
  code: number[],
  registers: Record<string, bigint> = {},
  area: Uint8Array = new Uint8Array(AREA).fill(FULL),
) {
  return runCode({
    code,
    registers: { rdi: BigInt(DATA), xmm1: XMM1, ymm1h: YMM1H, mxcsr: 0x7f80n, ...registers },
    memory: [{ address: DATA, bytes: area }],
    prepare: (cpu) => {
      cpu.setInt(SLOT.FCW, 0x27f);
      cpu.setInt(SLOT.FTOP, 5);
      cpu.setInt(SLOT.FTAG, 0xe0);
    },
  });
}

/** An area whose header is empty. */
function emptyHeader(): Uint8Array {
  const area = new Uint8Array(AREA).fill(FULL);
  area.fill(0, 512, 576);
  return area;
}

function u64(bytes: Uint8Array, at: number): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(at, true);
}

describe('xsave', () => {
  test('XSAVE and XRSTOR bring back every component', () => {
    const after = run([...masked(7, ...XSAVE64), ...CLOBBER, ...XRSTOR64], {}, emptyHeader());
    expect(after.exit).toEqual({ kind: 'end' });
    expect(after.register('xmm1')).toBe(XMM1);
    expect(after.register('ymm1h')).toBe(YMM1H);
    expect(after.register('mxcsr')).toBe(0x7f80n);
    expect(after.cpu.int(SLOT.FCW)).toBe(0x27f);
    expect([after.cpu.int(SLOT.FTOP), after.cpu.int(SLOT.FTAG)]).toEqual([5, 0xe0]);
  });

  test('what the mask leaves out is neither written nor loaded', () => {
    const after = run([...masked(2, ...XSAVE64), ...CLOBBER, ...XRSTOR64], {}, emptyHeader());
    const area = after.memory(DATA, AREA);
    expect(area[0]).toBe(FULL);
    expect(area[576 + 16]).toBe(FULL);
    expect(u64(area, 512)).toBe(2n);
    expect(after.register('xmm1')).toBe(XMM1);
    expect(after.register('ymm1h')).toBe((1n << 128n) - 1n);
    expect(after.cpu.int(SLOT.FTOP)).toBe(7);
  });

  test('XSAVEC names the compacted format and leaves out what is in its initial state', () => {
    const after = run(masked(7, ...XSAVEC64), { ymm1h: 0n });
    const area = after.memory(DATA, AREA);
    expect([u64(area, 512), u64(area, 520)]).toEqual([3n, (1n << 63n) | 7n]);
    expect(area.subarray(576)).toEqual(new Uint8Array(AREA - 576).fill(FULL));
  });

  test('XRSTOR puts components that the area has not into their initial state', () => {
    const area = emptyHeader();
    new DataView(area.buffer).setUint32(24, 0x1fa0, true);
    const after = run(masked(7, ...XRSTOR64), {}, area);
    expect([after.register('xmm1'), after.register('ymm1h')]).toEqual([0n, 0n]);
    // The standard format has MXCSR in any case.
    expect(after.register('mxcsr')).toBe(0x1fa0n);
    expect(after.cpu.int(SLOT.FCW)).toBe(0x37f);
  });

  test.each([
    { name: 'a misaligned area', at: 8, change: () => {} },
    { name: 'a component that there is not', at: 0, change: (area: DataView) => area.setUint8(513, 1) },
    { name: 'reserved bytes of the header', at: 0, change: (area: DataView) => area.setUint8(530, 1) },
    { name: 'reserved bits of MXCSR', at: 0, change: (area: DataView) => area.setUint32(24, 0x10000, true) },
  ])('XRSTOR refuses $name, and nothing has changed', ({ at, change }) => {
    const area = emptyHeader();
    new DataView(area.buffer).setUint32(24, 0x1f80, true);
    change(new DataView(area.buffer));
    const after = run(masked(7, ...XRSTOR64), { rdi: BigInt(DATA + at) }, area);
    expect(after.exit).toMatchObject({ kind: 'fault', fault: { trapNumber: 13 } });
    expect([after.register('xmm1'), after.register('ymm1h')]).toEqual([XMM1, YMM1H]);
  });
});
