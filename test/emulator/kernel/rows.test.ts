import { expect, test } from 'vitest';
import { SYSCALLS } from '../../../src/emulator/kernel/rows.js';
import { SYSCALL_NAMES } from '../../../src/emulator/kernel/syscall-names.js';
import { SyscallTable } from '../../../src/emulator/kernel/syscall-table.js';

test('every syscall of Linux has a row, under its own name, and no two rows share a number', () => {
  const table = new SyscallTable(SYSCALLS);
  const wrong = SYSCALL_NAMES.map((name, nr) => [nr, name, table.find(nr)?.name] as const).filter(
    ([, name, row]) => name !== row,
  );
  expect(wrong).toEqual([]);
});

test('a row that can be interrupted or abandoned can be resumed', () => {
  const stuck = SYSCALLS.filter((row) => row.resume === undefined && (row.interrupt ?? row.abandon) !== undefined);
  expect(stuck.map(({ name }) => name)).toEqual([]);
});
