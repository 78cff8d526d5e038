import { expect, test } from 'vitest';
import { fromGdbSignal, GDB_SIGNAL_UNKNOWN, toGdbSignal } from '../../src/rsp/gdb-signal.js';

/** Numbers that gdb itself shows in `info signals` or sends in QPassSignals. */
test.each([
  { name: 'none', linux: 0, gdb: 0 },
  { name: 'SIGINT', linux: 2, gdb: 2 },
  { name: 'SIGTRAP', linux: 5, gdb: 5 },
  { name: 'SIGBUS', linux: 7, gdb: 0x0a },
  { name: 'SIGUSR1', linux: 10, gdb: 0x1e },
  { name: 'SIGSEGV', linux: 11, gdb: 0x0b },
  { name: 'SIGUSR2', linux: 12, gdb: 0x1f },
  { name: 'SIGCHLD', linux: 17, gdb: 0x14 },
  { name: 'SIGSTOP', linux: 19, gdb: 0x11 },
  { name: 'SIGURG', linux: 23, gdb: 0x10 },
  { name: 'SIGIO', linux: 29, gdb: 0x17 },
  { name: 'SIGPWR', linux: 30, gdb: 0x20 },
  { name: 'SIGSYS', linux: 31, gdb: 0x0c },
  { name: 'SIG32', linux: 32, gdb: 77 },
  { name: 'SIG33', linux: 33, gdb: 45 },
  { name: 'SIG63', linux: 63, gdb: 75 },
  { name: 'SIG64', linux: 64, gdb: 78 },
])('$name is $gdb to gdb', ({ linux, gdb }) => {
  expect(toGdbSignal(linux)).toBe(gdb);
  expect(fromGdbSignal(gdb)).toBe(linux);
});

test('a signal that gdb cannot name', () => {
  expect(toGdbSignal(16)).toBe(GDB_SIGNAL_UNKNOWN);
  expect(fromGdbSignal(GDB_SIGNAL_UNKNOWN)).toBeUndefined();
});

test('every Linux signal but SIGSTKFLT has a number of its own', () => {
  const numbers = Array.from({ length: 64 }, (_, i) => toGdbSignal(i + 1)).filter((gdb) => gdb !== GDB_SIGNAL_UNKNOWN);
  expect(new Set(numbers).size).toBe(63);
});
