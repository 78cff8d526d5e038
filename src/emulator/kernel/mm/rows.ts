/** All rows about memory, for the machine's syscall table. */
import type { SyscallRow } from '../syscall-table.js';
import { adviceSyscalls } from './advice.js';
import { brkSyscalls } from './brk.js';
import { lockSyscalls } from './lock.js';
import { mmapSyscalls } from './mmap.js';
import { protectSyscalls } from './protect.js';
import { remapSyscalls } from './remap.js';
import { shmSyscalls } from './shm.js';
import { syncSyscalls } from './sync.js';

export const mmSyscalls: readonly SyscallRow[] = [
  ...adviceSyscalls,
  ...brkSyscalls,
  ...lockSyscalls,
  ...mmapSyscalls,
  ...protectSyscalls,
  ...remapSyscalls,
  ...shmSyscalls,
  ...syncSyscalls,
];
