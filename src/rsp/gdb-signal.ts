/**
 * Signal numbers in the protocol are gdb's own enumeration (include/gdb/signals.def), whatever the target calls them. One row for
 * each signal that x86-64 Linux has and gdb can name; Linux's 16 (SIGSTKFLT) has no number there.
 */

/** gdb's number for a signal that it cannot name. */
export const GDB_SIGNAL_UNKNOWN = 143;
export const SIGINT = 2;
export const SIGTRAP = 5;

/** [Linux, gdb] */
const ORDINARY: readonly (readonly [number, number])[] = [
  [1, 1], [2, 2], [3, 3], [4, 4], [5, 5], [6, 6], [7, 10], [8, 8], [9, 9], [10, 30], [11, 11], [12, 31], [13, 13], [14, 14], [15, 15],
  [17, 20], [18, 19], [19, 17], [20, 18], [21, 21], [22, 22], [23, 16], [24, 24], [25, 25], [26, 26], [27, 27], [28, 28], [29, 23],
  [30, 32], [31, 12],
]; // biome-ignore format: a table

/** Real-time signals: gdb numbers 33 to 63 in a row and put 32 and 64 elsewhere later. */
const REAL_TIME: readonly (readonly [number, number])[] = [
  [32, 77],
  ...Array.from({ length: 31 }, (_, i) => [33 + i, 45 + i] as const),
  [64, 78],
];

const ROWS = [...ORDINARY, ...REAL_TIME];
const gdbByLinux = new Map(ROWS);
const linuxByGdb = new Map(ROWS.map(([linux, gdb]) => [gdb, linux]));

/** gdb's number; 0 (no signal) stays 0. */
export function toGdbSignal(linux: number): number {
  return linux === 0 ? 0 : (gdbByLinux.get(linux) ?? GDB_SIGNAL_UNKNOWN);
}

/** Linux's number; undefined when Linux has no such signal. 0 stays 0. */
export function fromGdbSignal(gdb: number): number | undefined {
  return gdb === 0 ? 0 : linuxByGdb.get(gdb);
}

/** Names by Linux's number, in its order. */
const NAMES = [
  'HUP', 'INT', 'QUIT', 'ILL', 'TRAP', 'ABRT', 'BUS', 'FPE', 'KILL', 'USR1', 'SEGV', 'USR2', 'PIPE', 'ALRM', 'TERM', 'STKFLT', 'CHLD', 'CONT', 'STOP',
  'TSTP', 'TTIN', 'TTOU', 'URG', 'XCPU', 'XFSZ', 'VTALRM', 'PROF', 'WINCH', 'IO', 'PWR', 'SYS',
] as const; // biome-ignore format: a table

/** gdb's name of a signal by Linux's number: `SIGSEGV`, `SIG34`. */
export function signalName(linux: number): string {
  return `SIG${NAMES[linux - 1] ?? linux}`;
}
