/** Every syscall that the emulator has: the rows of each subject's file, one after another. */
import { execSyscalls } from './exec.js';
import { fileSyscalls } from './file/rows.js';
import { forkSyscalls } from './fork.js';
import { futexSyscalls } from './futex.js';
import { identitySyscalls } from './identity.js';
import { itimerSyscalls } from './itimer.js';
import { messageQueueSyscalls } from './message-queue.js';
import { mmSyscalls } from './mm/rows.js';
import { posixTimerSyscalls } from './posix-timer.js';
import { prctlSyscalls } from './prctl.js';
import { semaphoreSyscalls } from './semaphore.js';
import { signalSyscalls } from './signal.js';
import type { SyscallRow } from './syscall-table.js';
import { systemSyscalls } from './system.js';
import { taskSyscalls } from './task.js';
import { timeSyscalls } from './time.js';
import { waitSyscalls } from './wait4.js';

export const SYSCALLS: readonly SyscallRow[] = [
  ...execSyscalls,
  ...fileSyscalls,
  ...forkSyscalls,
  ...futexSyscalls,
  ...identitySyscalls,
  ...itimerSyscalls,
  ...messageQueueSyscalls,
  ...mmSyscalls,
  ...posixTimerSyscalls,
  ...prctlSyscalls,
  ...semaphoreSyscalls,
  ...signalSyscalls,
  ...systemSyscalls,
  ...taskSyscalls,
  ...timeSyscalls,
  ...waitSyscalls,
];
