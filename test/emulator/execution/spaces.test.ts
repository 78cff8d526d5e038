/** Execution's caches: code shared by address spaces, withdrawn and found again; breakpoints of a probe engine; pages that share a TLB index. */
import { describe, expect, test } from 'vitest';
import { CpuState, STATE } from '../../../src/emulator/cpu-state.js';
import type { Tier } from '../../../src/emulator/execution/tiering.js';
import { Execution } from '../../../src/emulator/execution.js';
import type { Exit } from '../../../src/emulator/executor.js';
import { ACCESS } from '../../../src/emulator/stop.js';
import { x86 } from '../../../src/emulator/x86/arch.js';
import { initFpu } from '../../../src/emulator/x86/fpu-image.js';
import { GPR } from '../../../src/register-set.js';
import { FlatMemory, FlatSpace } from './flat-space.js';

const CODE = 0x40_1000;
/** 1: inc %rax; dec %ecx; jnz 1b; syscall */
const LOOP = [0x48, 0xff, 0xc0, 0xff, 0xc9, 0x75, 0xf9, 0x0f, 0x05];

class Bench {
  readonly memory = new FlatMemory();
  readonly execution: Execution;

  constructor(tier: Tier) {
    const environment = () => ({ tsc: 0n, model: 'base' as const });
    const physical = this.memory.physical;
    this.execution = new Execution({ physical, arch: x86, model: 'base', environment, tier, hotAfter: 5 });
  }

  space(code: readonly number[]): FlatSpace {
    const space = new FlatSpace(this.memory);
    space.listener = this.execution;
    space.map(CODE, code.length, ACCESS.READ | ACCESS.FETCH);
    space.write(CODE, code);
    return space;
  }

  cpu(rcx: number): CpuState {
    const cpu = new CpuState(this.memory.physical, this.memory.allocate(4096));
    initFpu(cpu);
    cpu.setNum(CpuState.gpr(GPR.RCX), rcx);
    cpu.rip = CODE;
    return cpu;
  }

  run(cpu: CpuState, space: FlatSpace, fuel = 10_000): Exit {
    return this.execution.run(cpu, space, fuel);
  }
}

function rax(cpu: CpuState): number {
  return cpu.num(CpuState.gpr(GPR.RAX));
}

describe.each(['interp', 'compile', 'auto'] as const)('%s', (tier) => {
  test('the same code in another space is not lifted again', () => {
    const bench = new Bench(tier);
    const spaces = [bench.space(LOOP), bench.space(LOOP)];
    const counts = spaces.map((space) => {
      const cpu = bench.cpu(50);
      expect(bench.run(cpu, space)).toEqual({ kind: 'syscall' });
      expect(rax(cpu)).toBe(50);
      return bench.execution.statistics.blocks;
    });
    expect(counts[1]).toBe(counts[0]);
  });

  test('other code at the same address in another space is its own', () => {
    const bench = new Bench(tier);
    const twice = [0x48, 0x83, 0xc0, 2, 0xff, 0xc9, 0x75, 0xf8, 0x0f, 0x05]; // add $2,%rax
    const [one, two] = [bench.space(LOOP), bench.space(twice)];
    for (const [space, expected] of [
      [one, 50],
      [two, 100],
      [one, 50],
    ] as const) {
      const cpu = bench.cpu(50);
      bench.run(cpu, space);
      expect(rax(cpu)).toBe(expected);
    }
  });

  test('a breakpoint is hit in hot code, and what was there runs again without lifting when it is gone', () => {
    const bench = new Bench(tier);
    const space = bench.space(LOOP);
    bench.run(bench.cpu(50), space);
    space.swbps.add(CODE + 3);
    space.write(CODE + 3, [0xcc]);
    const cpu = bench.cpu(50);
    expect(bench.run(cpu, space)).toEqual({ kind: 'breakpoint' });
    expect([cpu.rip, rax(cpu), cpu.int(STATE.FUEL)]).toEqual([CODE + 3, 1, 9999]);
    space.swbps.delete(CODE + 3);
    space.write(CODE + 3, LOOP.slice(3, 4));
    const { blocks, regions } = bench.execution.statistics;
    const again = bench.cpu(50);
    expect(bench.run(again, space)).toEqual({ kind: 'syscall' });
    expect(rax(again)).toBe(50);
    expect(bench.execution.statistics).toMatchObject({ blocks, regions });
  });

  test('a breakpoint is hit where nothing can be executed', () => {
    const bench = new Bench(tier);
    const space = bench.space(LOOP);
    space.map(0x50_0000, 1, ACCESS.READ);
    space.swbps.add(0x50_0000);
    const cpu = bench.cpu(0);
    cpu.rip = 0x50_0000;
    expect(bench.run(cpu, space)).toEqual({ kind: 'breakpoint' });
  });

  test('single steps count like a run', () => {
    const bench = new Bench(tier);
    const space = bench.space(LOOP);
    const cpu = bench.cpu(3);
    const seen: number[] = [];
    for (let exit = bench.run(cpu, space, 1); exit.kind === 'fuel'; exit = bench.run(cpu, space, 1)) {
      seen.push(cpu.rip - CODE);
    }
    expect(seen).toEqual([3, 5, 0, 3, 5, 0, 3, 5, 7]);
    expect(rax(cpu)).toBe(3);
  });

  test('an instruction whose two pages have one TLB index makes progress', () => {
    const bench = new Bench(tier);
    const space = bench.space([0xa7, 0x0f, 0x05]); // cmpsl; syscall
    const [one, two] = [0x1000_0000, 0x2000_0000];
    for (const address of [one, two]) space.map(address, 8, ACCESS.READ | ACCESS.WRITE);
    const cpu = bench.cpu(0);
    cpu.setNum(CpuState.gpr(GPR.RSI), one);
    cpu.setNum(CpuState.gpr(GPR.RDI), two);
    expect(bench.run(cpu, space)).toEqual({ kind: 'syscall' });
    expect(cpu.num(CpuState.gpr(GPR.RSI))).toBe(one + 4);
  });

  test('code of a space that is gone is forgotten with it', () => {
    const bench = new Bench(tier);
    const space = bench.space(LOOP);
    bench.run(bench.cpu(50), space);
    bench.execution.spaceGone(space);
    const other = bench.space([0x48, 0xff, 0xc8, ...LOOP.slice(3)]); // dec %rax
    const cpu = bench.cpu(50);
    cpu.setNum(CpuState.gpr(GPR.RAX), 60);
    bench.run(cpu, other);
    expect(rax(cpu)).toBe(10);
  });
});
