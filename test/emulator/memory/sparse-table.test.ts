import { expect, test } from 'vitest';
import { FRAMES_BASE } from '../../../src/emulator/memory/layout.js';
import { PhysicalMemory } from '../../../src/emulator/memory/physical.js';
import { SparseTable } from '../../../src/emulator/memory/sparse-table.js';

/** Empty is zero everywhere. */
class Plain extends SparseTable {
  override touch(at: number): void {
    super.touch(at);
  }

  protected override setEmptyEntries(): void {}
}

test('emptying clears what was touched and nothing else', () => {
  const physical = new PhysicalMemory(FRAMES_BASE + 0x1_0000);
  const [base, bytes] = [FRAMES_BASE + 0x1000, 0x4000];
  const table = new Plain(physical, base, bytes);
  const around = [base - 1, base + bytes];
  const inside = [base, base + 0xfff, base + 0x2000, base + bytes - 1];
  for (const at of around) physical.u8[at] = 1;
  for (let round = 0; round < 2; round++) {
    for (const at of inside) {
      table.touch(at);
      physical.u8[at] = 1;
    }
    table.clear();
    expect(physical.u8.subarray(base, base + bytes).indexOf(1)).toBe(-1);
    expect(around.map((at) => physical.u8[at])).toEqual([1, 1]);
  }
});
