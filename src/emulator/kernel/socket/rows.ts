/** All rows about sockets, for the machine's syscall table. */
import type { SyscallRow } from '../syscall-table.js';
import { messageCalls } from './message-calls.js';
import { socketCalls } from './socket-calls.js';

export const socketSyscalls: readonly SyscallRow[] = [...socketCalls, ...messageCalls];
