/** Code that one run of the server leaves to the next: used where the same bytes are, and nothing but the lifting is saved. */
import { expect, test } from 'vitest';
import { CpuState, STATE } from '../../../src/emulator/cpu-state.js';
import { Execution } from '../../../src/emulator/execution.js';
import { ACCESS } from '../../../src/emulator/stop.js';
import { x86 } from '../../../src/emulator/x86/arch.js';
import { initFpu } from '../../../src/emulator/x86/fpu-image.js';
import { GPR, SLOT } from '../../../src/register-set.js';
import { FlatMemory, FlatSpace } from './flat-space.js';
import { MemoryCache } from './memory-cache.js';

const CODE = 0x40_1000;
/** 1: addsd %xmm1, %xmm0; bsf %ecx, %eax; dec %ecx; jnz 1b; syscall: with subroutines, in the block and in the region. */
const LOOP = [0xf2, 0x0f, 0x58, 0xc1, 0x0f, 0xbc, 0xc1, 0xff, 0xc9, 0x75, 0xf5, 0x0f, 0x05];
/** The same with subsd. */
const OTHER = LOOP.with(2, 0x5c);
const FUEL = 10_000;

/** A server's life: what is in xmm0 at the end, the instructions that retired, compiled ones among them, and the blocks that were lifted. */
function life(
  cache: MemoryCache,
  code: readonly number[],
  contents = 'a',
): Record<'sum' | 'retired' | 'compiled' | 'lifted', number> {
  const memory = new FlatMemory();
  const { physical } = memory;
  let lifted = 0;
  const arch: typeof x86 = {
    ...x86,
    lift: (...how) => {
      lifted++;
      return x86.lift(...how);
    },
  };
  const environment = () => ({ tsc: 0n, model: 'base' as const });
  const execution = new Execution({ physical, arch, model: 'base', environment, hotAfter: 5, cache });
  const space = new FlatSpace(memory);
  space.listener = execution;
  space.origin = { contents, base: 0x40_0000 };
  space.map(CODE, code.length, ACCESS.READ | ACCESS.FETCH);
  space.write(CODE, code);
  const cpu = new CpuState(physical, memory.allocate(4096));
  initFpu(cpu);
  cpu.setNum(CpuState.gpr(GPR.RCX), 400);
  physical.view.setFloat64(cpu.base + SLOT.VECTOR + 32, 1.1, true);
  cpu.rip = CODE;
  let retired = 0;
  for (let kind = 'fuel'; kind === 'fuel'; ) {
    kind = execution.run(cpu, space, 100).kind;
    retired += 100 - cpu.int(STATE.FUEL);
    expect(retired).toBeLessThan(FUEL);
  }
  cache.end();
  const { compiled } = execution.statistics;
  return { sum: physical.view.getFloat64(cpu.base + SLOT.VECTOR, true), retired, compiled, lifted };
}

test('the next run lifts nothing and ends alike', () => {
  const cache = new MemoryCache();
  const first = life(cache, LOOP);
  expect(first).toMatchObject({ retired: 1600 });
  expect(first.sum).toBeCloseTo(440);
  expect(first.lifted).toBeGreaterThan(0);
  expect(first.compiled).toBeGreaterThan(0);
  expect(life(cache, LOOP)).toEqual({ ...first, lifted: 0 });
});

test('other bytes at the same place of the same file are lifted', () => {
  const cache = new MemoryCache();
  life(cache, LOOP);
  const other = life(cache, OTHER);
  expect(other.sum).toBeCloseTo(-440);
  expect(other.lifted).toBeGreaterThan(0);
  expect(life(cache, LOOP)).toMatchObject({ lifted: 0 });
});

test('a file with other contents has code of its own', () => {
  const cache = new MemoryCache();
  life(cache, LOOP);
  expect(life(cache, LOOP, 'b').lifted).toBeGreaterThan(0);
  expect(life(cache, LOOP, 'b').lifted).toBe(0);
});
