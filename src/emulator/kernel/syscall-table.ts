/**
 * How a syscall is described: one row a syscall, in the file of its subject; the table is composed of all files' rows.
 */
import type { Machine } from '../machine.js';
import type { UserMemory } from '../memory/user-memory.js';
import type { Process } from '../process.js';
import type { Thread } from '../thread.js';
import type { Blocked, WaitKey } from './wait.js';

/** What a row works on. One object serves every call of a machine: do not keep it, nor `args`, beyond the call. */
export interface SyscallContext {
  readonly machine: Machine;
  readonly process: Process;
  readonly thread: Thread;
  readonly memory: UserMemory;
  readonly nr: number;
  /** The six arguments, each the register's signed 64 bits as a number (exact below 2^53); `args[0] | 0` is a C int. */
  readonly args: readonly number[];
}

/** The result or -errno; or a record that puts the thread to sleep; or `no-return`: the registers are already what the program shall see. */
export type SyscallResult = number | Blocked | 'no-return';

export interface SyscallRow {
  readonly nr: number;
  readonly name: string;
  run(context: SyscallContext): SyscallResult;
  /** Goes on when one of the record's keys was woken or its deadline has come (`context.machine.clock` tells). A new record sleeps on. */
  resume?(context: SyscallContext, blocked: Blocked): SyscallResult;
  /**
   * What the syscall answers if a signal handler or a debugger takes the thread out of its sleep now: bytes already moved, or -errno, or a restart
   * code, negative. Absent: -ERESTARTSYS. Changes nothing: a debugger that stops the thread shows it, and the thread may then sleep on.
   */
  interrupt?(context: SyscallContext, blocked: Blocked): number;
  /** The sleep ends without `resume`: a handler runs, or the thread dies. Writes the remaining time, gives back what was reserved. */
  abandon?(context: SyscallContext, blocked: Blocked): void;
  /** Signals other than a fatal one do not end the sleep (vfork). */
  readonly uninterruptible?: true;
}

/** A record for a row to return: sleeps until one of `keys` is woken or `deadline` (virtual CLOCK_MONOTONIC, ns) has come. */
export function block(
  { nr, args }: SyscallContext,
  wait: { keys?: readonly WaitKey[]; deadline?: number | undefined; progress?: unknown },
): Blocked {
  const { keys = [], deadline, progress } = wait;
  const when = deadline === undefined ? {} : { deadline };
  return { kind: 'blocked', nr, args: [...args], keys, ...when, progress };
}

/** Syscalls by number. */
export class SyscallTable {
  private readonly rows: (SyscallRow | undefined)[] = [];

  constructor(...tables: readonly (readonly SyscallRow[])[]) {
    for (const row of tables.flat()) this.add(row);
  }

  private add(row: SyscallRow): void {
    const other = this.rows[row.nr];
    if (other !== undefined) throw new Error(`syscall ${row.nr} has two rows: ${other.name} and ${row.name}`);
    this.rows[row.nr] = row;
  }

  find(nr: number): SyscallRow | undefined {
    return this.rows[nr];
  }
}
