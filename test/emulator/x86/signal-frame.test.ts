import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CpuState } from '../../../src/emulator/cpu-state.js';
import type { HandlerCall } from '../../../src/emulator/guest-abi.js';
import { FRAMES_BASE } from '../../../src/emulator/memory/layout.js';
import { PhysicalMemory } from '../../../src/emulator/memory/physical.js';
import { killInfo } from '../../../src/emulator/signals.js';
import { linuxX86Abi } from '../../../src/emulator/x86/abi.js';
import { GPR, SLOT } from '../../../src/register-set.js';
import { ScriptedSpace } from '../kernel/scripted.js';

const physical = new PhysicalMemory(FRAMES_BASE + 0x1_0000);
const flags = {
  getFlags: (cpu: CpuState): number => cpu.int(SLOT.FLAGS_REST),
  setFlags: (cpu: CpuState, value: number): void => cpu.setInt(SLOT.FLAGS_REST, value),
};
const RED_ZONE = 128;
const RESTORER = 0x7000;
const HANDLER = 0x40_1000;

function call(overrides: Partial<HandlerCall> = {}): HandlerCall {
  return {
    info: killInfo(10, 77, 1000),
    action: { handler: HANDLER, flags: 0x0400_0004, restorer: RESTORER, mask: 0n },
    mask: 0x1234n,
    altStack: { sp: 0, size: 0, flags: 2 },
    fault: { trapNumber: 14, errorCode: 6, address: 0xdead_0000 },
    ...overrides,
  };
}

function fresh(avx: boolean) {
  const cpu = new CpuState(physical, FRAMES_BASE);
  const abi = linuxX86Abi(flags, avx);
  cpu.bytes(0, 4096).fill(0);
  abi.start(cpu, 0x40_0000, 0x2_e000);
  return { cpu, abi, space: new ScriptedSpace() };
}

describe.each([
  { name: 'FXSAVE', avx: false },
  { name: 'XSAVE', avx: true },
])('signal frame with $name', ({ avx }) => {
  test('has the layout of struct rt_sigframe, leaves the red zone alone and is aligned as after a call', () => {
    const { cpu, abi, space } = fresh(avx);
    for (let n = 0; n < 16; n++) if (n !== GPR.RSP) cpu.setNum(8 * n, 0x1000 + n);
    const stack = cpu.rsp;
    expect(abi.enterHandler(cpu, space, call())).toBe(true);
    const frame = cpu.rsp;
    const word = (at: number): number | undefined => space.readU64(frame + at);
    expect(frame % 16).toBe(8);
    expect(word(0)).toBe(RESTORER);
    expect(word(8)).toBe(avx ? 7 : 6);
    const context = [8, 9, 10, 11, 12, 13, 14, 15, 7, 6, 5, 3, 2, 0, 1].map((n) => 0x1000 + n);
    expect(context.map((_, i) => word(48 + 8 * i))).toEqual(context);
    expect([word(168), word(176), word(184)]).toEqual([stack, 0x40_0000, 0x202]);
    expect([space.readU32(frame + 192), space.readU32(frame + 196)]).toEqual([0x33, 0x2b_0000]);
    expect([word(200), word(208), word(216), word(224)]).toEqual([6, 14, 0x1234, 0xdead_0000]);
    expect(word(304)).toBe(0x1234);
    expect([312, 320, 328, 332].map((at) => space.readU32(frame + at))).toEqual([10, 0, 77, 1000]);
    const fpstate = word(232) as number;
    expect(fpstate % 64).toBe(0);
    expect(fpstate + (avx ? 836 : 512)).toBeLessThanOrEqual(stack - RED_ZONE);
    expect(fpstate).toBeGreaterThanOrEqual(frame + 440);
    expect(space.readU32(fpstate + 464)).toBe(avx ? 0x4650_5853 : 0);
  });

  test('the handler starts with its arguments, DF and TF clear, and fresh floating point', () => {
    const { cpu, abi, space } = fresh(avx);
    flags.setFlags(cpu, 0x202 | 0x400 | 0x100 | 1);
    cpu.setInt(SLOT.MXCSR, 0x9fc0);
    cpu.setInt(SLOT.FCW, 0x27f);
    abi.enterHandler(cpu, space, call());
    expect(cpu.rip).toBe(HANDLER);
    const registers = [GPR.RDI, GPR.RSI, GPR.RDX, GPR.RAX].map((n) => cpu.num(8 * n));
    expect(registers).toEqual([10, cpu.rsp + 312, cpu.rsp + 8, 0]);
    expect(flags.getFlags(cpu)).toBe(0x203);
    expect([cpu.int(SLOT.MXCSR), cpu.int(SLOT.FCW)]).toEqual([0x1f80, 0x37f]);
  });

  test('sigreturn puts everything back that the program can see', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: SLOT.END, maxLength: SLOT.END }),
        fc.integer({ min: 0, max: 7 }),
        (noise, top) => {
          const { cpu, abi, space } = fresh(avx);
          for (const [slot, length] of [
            [0, 128],
            [SLOT.VECTOR, 512],
            [SLOT.X87, 128],
          ] as const) {
            cpu.bytes(slot, length).set(noise.subarray(slot, slot + length));
          }
          for (let i = 0; i < 8; i++) cpu.bytes(SLOT.X87 + 16 * i + 10, 6).fill(0);
          if (!avx) for (let i = 0; i < 16; i++) cpu.bytes(SLOT.VECTOR + 32 * i + 16, 16).fill(0);
          cpu.rsp = 0x2_0000 + (noise[0] as number);
          cpu.setInt(SLOT.FTOP, top);
          cpu.setInt(SLOT.FTAG, noise[1] as number);
          cpu.setInt(SLOT.FSW, (noise[2] as number) | 0x4700);
          flags.setFlags(cpu, 0x202 | ((noise[3] as number) & 0xd5) | 0x400);
          const before = cpu.bytes(0, SLOT.ORIG_RAX).slice();
          expect(abi.enterHandler(cpu, space, call())).toBe(true);
          cpu.bytes(0, 120).fill(0x5a, 0, 32);
          cpu.rsp = cpu.rsp + 8;
          expect(abi.returnFromHandler(cpu, space)).toEqual({ mask: 0x1234n, altStack: { sp: 0, size: 0, flags: 2 } });
          expect(cpu.bytes(0, SLOT.ORIG_RAX).slice()).toEqual(before);
        },
      ),
      { numRuns: 50 },
    );
  });
});

describe('places of the frame', () => {
  const altStack = { sp: 0x1_4000, size: 0x1000, flags: 0 };
  const onStack = { handler: HANDLER, flags: 0x0c00_0004, restorer: RESTORER, mask: 0n };

  test.each([
    { name: 'the alternate stack when the action asks for it', action: onStack, from: 0x2_e000, inside: true },
    { name: 'the own stack when it does not', action: call().action, from: 0x2_e000, inside: false },
    { name: 'further down the alternate stack when already on it', action: onStack, from: 0x1_4f00, inside: true },
  ])('$name', ({ action, from, inside }) => {
    const { cpu, abi, space } = fresh(false);
    cpu.rsp = from;
    expect(abi.enterHandler(cpu, space, call({ action, altStack }))).toBe(true);
    expect(cpu.rsp > altStack.sp && cpu.rsp < altStack.sp + altStack.size).toBe(inside);
  });

  test.each([
    { name: 'would run off the alternate stack', from: 0x1_4300, change: { action: onStack, altStack } },
    { name: 'lies in memory that is not there', from: 0x800, change: {} },
    { name: 'has no restorer', from: 0x2_e000, change: { action: { ...onStack, flags: 4 } } },
  ])('a frame that $name is refused and nothing has changed', ({ from, change }) => {
    const { cpu, abi, space } = fresh(false);
    cpu.rsp = from;
    const before = cpu.bytes(0, SLOT.END).slice();
    expect(abi.enterHandler(cpu, space, call(change))).toBe(false);
    expect(cpu.bytes(0, SLOT.END).slice()).toEqual(before);
  });

  test('sigreturn of nonsense is refused', () => {
    const { cpu, abi, space } = fresh(false);
    abi.enterHandler(cpu, space, call());
    const fpstate = space.readU64(cpu.rsp + 232) as number;
    space.writeU32(fpstate + 24, 0xffff_ffff);
    cpu.rsp = cpu.rsp + 8;
    expect(abi.returnFromHandler(cpu, space)).toBeUndefined();
    cpu.rsp = 0x10;
    expect(abi.returnFromHandler(cpu, space)).toBeUndefined();
  });
});
