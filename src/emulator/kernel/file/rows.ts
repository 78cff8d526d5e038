/** All rows about files and sockets, for the machine's syscall table. */
import { socketSyscalls } from '../socket/rows.js';
import type { SyscallRow } from '../syscall-table.js';
import { adviceSyscalls } from './advice.js';
import { attributeSyscalls } from './attribute-calls.js';
import { copySyscalls } from './copy.js';
import { descriptorSyscalls } from './descriptor-calls.js';
import { directorySyscalls } from './directory-calls.js';
import { epollSyscalls } from './epoll.js';
import { eventfdSyscalls } from './eventfd.js';
import { fcntlSyscalls } from './fcntl.js';
import { inotifySyscalls } from './inotify.js';
import { lockSyscalls } from './lock-calls.js';
import { memoryFileSyscalls } from './memory-file.js';
import { nameSyscalls } from './name-calls.js';
import { openSyscalls } from './open.js';
import { pidfdSyscalls } from './pidfd.js';
import { pipeSyscalls } from './pipe.js';
import { pollSyscalls } from './poll.js';
import { selectSyscalls } from './select.js';
import { signalfdSyscalls } from './signalfd.js';
import { statSyscalls } from './stat-calls.js';
import { timerfdSyscalls } from './timerfd.js';
import { transferSyscalls } from './transfer.js';
import { vmspliceSyscalls } from './vmsplice.js';
import { xattrSyscalls } from './xattr.js';

export const fileSyscalls: readonly SyscallRow[] = [
  ...descriptorSyscalls,
  ...epollSyscalls,
  ...eventfdSyscalls,
  ...inotifySyscalls,
  ...pidfdSyscalls,
  ...pipeSyscalls,
  ...pollSyscalls,
  ...selectSyscalls,
  ...signalfdSyscalls,
  ...socketSyscalls,
  ...timerfdSyscalls,
  ...attributeSyscalls,
  ...directorySyscalls,
  ...fcntlSyscalls,
  ...lockSyscalls,
  ...nameSyscalls,
  ...openSyscalls,
  ...statSyscalls,
  ...xattrSyscalls,
  ...adviceSyscalls,
  ...copySyscalls,
  ...memoryFileSyscalls,
  ...transferSyscalls,
  ...vmspliceSyscalls,
];
