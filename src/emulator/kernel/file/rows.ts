/** All rows about files and sockets, for the machine's syscall table. */
import { socketSyscalls } from '../socket/rows.js';
import type { SyscallRow } from '../syscall-table.js';
import { descriptorSyscalls } from './descriptor-calls.js';
import { epollSyscalls } from './epoll.js';
import { eventfdSyscalls } from './eventfd.js';
import { pipeSyscalls } from './pipe.js';
import { pollSyscalls } from './poll.js';
import { selectSyscalls } from './select.js';
import { signalfdSyscalls } from './signalfd.js';
import { timerfdSyscalls } from './timerfd.js';
import { transferSyscalls } from './transfer.js';

export const fileSyscalls: readonly SyscallRow[] = [
  ...descriptorSyscalls,
  ...epollSyscalls,
  ...eventfdSyscalls,
  ...pipeSyscalls,
  ...pollSyscalls,
  ...selectSyscalls,
  ...signalfdSyscalls,
  ...socketSyscalls,
  ...timerfdSyscalls,
  ...transferSyscalls,
];
