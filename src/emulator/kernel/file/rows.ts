/** All rows about files, for the machine's syscall table. */
import type { SyscallRow } from '../syscall-table.js';
import { descriptorSyscalls } from './descriptor-calls.js';
import { transferSyscalls } from './transfer.js';

export const fileSyscalls: readonly SyscallRow[] = [...descriptorSyscalls, ...transferSyscalls];
