/** What happens when the memory for interpreter code or the table of regions is full: the oldest code goes, and every address space forgets it. */
import { expect, test } from 'vitest';
import { CodeStore } from '../../../src/emulator/execution/code-store.js';
import { RegionStore } from '../../../src/emulator/execution/region-store.js';
import { REGION_TABLE_SIZE } from '../../../src/emulator/execution/runtime.js';
import { SpaceCode } from '../../../src/emulator/execution/space-code.js';
import { SubroutineLibrary } from '../../../src/emulator/execution/subroutine-library.js';
import { InterpreterEncoder } from '../../../src/emulator/interp/encode.js';
import type { IrBlock } from '../../../src/emulator/ir/ir.js';
import { IR_CODE_BASE, IR_CODE_SIZE } from '../../../src/emulator/memory/layout.js';
import { x86 } from '../../../src/emulator/x86/arch.js';
import { eflagsOf } from '../../../src/emulator/x86/flags.js';
import { FlatMemory, FlatSpace } from './flat-space.js';

/** 64 times add %rbx,(%rdi). */
function longBlock(): IrBlock {
  const bytes = Uint8Array.from({ length: 64 * 3 }, (_, i) => [0x48, 0x01, 0x1f][i % 3] as number);
  const lifted = x86.lift(bytes, 0x40_0000, { limit: 64 });
  if (lifted.kind !== 'block') throw new Error('the bytes are whole instructions');
  return lifted.block;
}

test('interpreter code stays within its area, and what is evicted is unknown to its spaces', () => {
  const memory = new FlatMemory();
  const store = new CodeStore(new InterpreterEncoder(memory.physical, x86.subroutines, () => {}));
  const code = new SpaceCode(new FlatSpace(memory), memory.physical);
  const block = longBlock();
  const first = store.add(block, false, 0);
  code.add(first);
  const size = first.codeEnd - first.code;
  // Twice the area, so that every segment is entered again.
  for (let i = 1; i * size < 2 * IR_CODE_SIZE; i++) {
    const { codeEnd } = store.add({ ...block, ip: block.ip + 4096 * i, end: block.end + 4096 * i }, false, 0);
    expect(codeEnd <= IR_CODE_BASE + IR_CODE_SIZE).toBe(true);
  }
  expect(code.find(block.ip, false)).toBeUndefined();
  expect(store.find({ ip: block.ip, single: false }, () => true)).toBeUndefined();
});

test('a full table of regions gives up the oldest one', () => {
  const memory = new FlatMemory();
  const table = new WebAssembly.Table({ element: 'anyfunc', initial: REGION_TABLE_SIZE });
  const someFunction = new SubroutineLibrary([eflagsOf], memory.physical).need(eflagsOf);
  const store = new RegionStore(table);
  const code = new SpaceCode(new FlatSpace(memory), memory.physical);
  const add = (entry: number) =>
    store.add([entry], [{ ip: entry, end: entry + 1, bytes: new Uint8Array(1), hooks: [] }], someFunction);
  const oldest = add(0x1000);
  code.addRegion(oldest);
  for (let i = 1; i < REGION_TABLE_SIZE - 1; i++) add(0x1000 + 16 * i);
  expect(code.findRegion(0x1000)).toBe(oldest);
  const newest = add(0x1000 + 16 * REGION_TABLE_SIZE);
  expect(newest.index).toBe(oldest.index);
  expect(code.findRegion(0x1000)).toBeUndefined();
  expect(store.find(0x1000, () => true)).toBeUndefined();
  expect(store.count).toBe(REGION_TABLE_SIZE - 1);
});
