/** `vFile`: the files as the program sees them, synthetic ones included, through the kernel side's own path walk. */

import { type OpenHow, openFile, openHow } from '../emulator/kernel/file/open.js';
import { O, type OpenFile } from '../emulator/kernel/file/open-file.js';
import { AT, locateText } from '../emulator/kernel/file/path-walk.js';
import type { FileStat as KernelStat } from '../emulator/kernel/file/stat.js';
import type { Machine } from '../emulator/machine.js';
import type { Process } from '../emulator/process.js';
import { EBADF, EINVAL, EPERM, ESRCH, isRejected, type Rejected, rejected } from '../rsp/error-code.js';
import type { FileStat, HostFile, HostIo, OpenMode } from '../rsp/target-abilities.js';
import type { Pid } from '../types.js';
import { NS_PER_SECOND } from '../types.js';

const SECOND = BigInt(NS_PER_SECOND);

/** `directory`: where relative paths begin that no process has sent. */
export function guestFiles(machine: Machine, directory: string): HostIo {
  return {
    open(pid, path, mode) {
      const process = viewer(machine, pid);
      if (isRejected(process)) return process;
      const how = openHow(flagsOf(mode), mode.permissions);
      return typeof how === 'number' ? rejected(-how) : open(machine, process, absolute(directory, path), how);
    },
    unlink(pid, path) {
      const process = viewer(machine, pid);
      return isRejected(process) ? process : unlink(machine, process, absolute(directory, path));
    },
    readLink(pid, path) {
      const process = viewer(machine, pid);
      return isRejected(process) ? process : readLink(machine, process, absolute(directory, path));
    },
  };
}

/** Whose view: a process's, or that of the virtual root. */
function viewer(machine: Machine, pid: Pid | undefined): Process | Rejected {
  const process = pid === undefined ? machine.root : machine.processes.get(pid);
  return process ?? rejected(ESRCH);
}

function absolute(directory: string, path: string): string {
  return path.startsWith('/') ? path : `${directory}/${path}`;
}

const ACCESS = { read: O.RDONLY, write: O.WRONLY, both: O.RDWR } as const;

function flagsOf({ access, append, create, truncate, exclusive }: OpenMode): number {
  return (
    ACCESS[access] |
    (append ? O.APPEND : 0) |
    (create ? O.CREAT : 0) |
    (truncate ? O.TRUNC : 0) |
    (exclusive ? O.EXCL : 0) |
    O.NONBLOCK |
    O.CLOEXEC
  );
}

function open(machine: Machine, process: Process, path: string, how: OpenHow): HostFile | Rejected {
  const file = openFile({ machine, process }, AT.FDCWD, path, how);
  return typeof file === 'number' ? rejected(-file) : new GuestFile(file);
}

/** One open file of a client. */
class GuestFile implements HostFile {
  constructor(private readonly file: OpenFile) {}

  read(offset: number, into: Uint8Array): number | Rejected {
    if (!this.file.readable) return rejected(EBADF);
    return resultOf(this.file.pread(into, offset));
  }

  write(offset: number, bytes: Uint8Array): number | Rejected {
    if (!this.file.writable) return rejected(EBADF);
    return resultOf(this.file.pwrite(bytes, offset));
  }

  stat(): FileStat | Rejected {
    const stat = this.file.stat();
    return typeof stat === 'number' ? rejected(-stat) : rspStat(stat);
  }

  close(): void {
    this.file.release();
  }
}

function resultOf(count: number): number | Rejected {
  return count < 0 ? rejected(-count) : count;
}

function rspStat(stat: KernelStat): FileStat {
  return {
    dev: stat.device,
    ino: stat.inode,
    mode: stat.mode,
    nlink: stat.links,
    uid: stat.uid,
    gid: stat.gid,
    rdev: stat.rdevice,
    size: stat.size,
    blksize: stat.blockSize,
    blocks: stat.blocks,
    atime: Number(stat.accessed / SECOND),
    mtime: Number(stat.modified / SECOND),
    ctime: Number(stat.changed / SECOND),
  };
}

function unlink(machine: Machine, process: Process, path: string): Rejected | undefined {
  const found = locateText({ machine, process }, AT.FDCWD, path, 0, { follow: 'never' });
  if (typeof found === 'number') return rejected(-found);
  const result = found.mount.fs.changes?.unlink(found.inner) ?? -EPERM;
  return result < 0 ? rejected(-result) : undefined;
}

function readLink(machine: Machine, process: Process, path: string): string | Rejected {
  const found = locateText({ machine, process }, AT.FDCWD, path, 0, { follow: false });
  if (typeof found === 'number') return rejected(-found);
  const target = found.stat === undefined ? -EINVAL : found.mount.fs.readlink(found.inner, process);
  return typeof target === 'number' ? rejected(-target) : target;
}
