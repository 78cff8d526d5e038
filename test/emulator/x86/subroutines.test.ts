import { expect, test } from 'vitest';
import { buildSubroutine, type Subroutine } from '../../../src/emulator/ir/subroutine.js';
import { TABLES_BASE, TABLES_SIZE } from '../../../src/emulator/memory/layout.js';
import { FunctionWriter } from '../../../src/emulator/wasm/function-writer.js';
import { SUBROUTINES } from '../../../src/emulator/x86/subroutines.js';
import { TABLES } from '../../../src/emulator/x86/tables.js';
import { subroutineModule } from './subroutine-module.js';

test('every subroutine that another one calls is listed', () => {
  const missing = new Set<string>();
  const indexOf = (sub: Subroutine): number => {
    if (!SUBROUTINES.includes(sub)) missing.add(sub.name);
    return 0;
  };
  for (const sub of SUBROUTINES) buildSubroutine(sub, new FunctionWriter(['i32', ...sub.params], sub.results), indexOf);
  expect([...missing]).toEqual([]);
});

test('names of subroutines are unique', () => {
  const names = SUBROUTINES.map(({ name }) => name);
  expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
});

test('all subroutines make one valid module', () => {
  expect(() => subroutineModule(SUBROUTINES)).not.toThrow();
});

test('constant tables lie in their area, one behind the other', () => {
  let end = TABLES_BASE;
  for (const { address, bytes } of TABLES) {
    expect(address).toBeGreaterThanOrEqual(end);
    end = address + bytes.length;
  }
  expect(end).toBeLessThanOrEqual(TABLES_BASE + TABLES_SIZE);
});
