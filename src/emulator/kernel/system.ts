/** The machine as a program sees it: uname, sysinfo, random numbers, and what this kernel does not offer. */

import { NS_PER_SECOND } from '../../types.js';
import type { Process } from '../process.js';
import { EBADF, EFAULT, EINVAL, ENOSPC, EPERM, ERRNO, type ErrnoName, ESRCH } from './errno.js';
import { filesOf } from './file/file-table.js';
import type { OpenFile } from './file/open-file.js';
import { CAP, capable, mayInspect } from './identity-checks.js';
import { nestedNamespace, processNumbered } from './pid-namespace.js';
import type { SyscallContext, SyscallResult, SyscallRow } from './syscall-table.js';

const UTS_BYTES = 65;
/** The kernel that this one behaves like. */
export const KERNEL_RELEASE = '6.1.0-sidestep';
export const KERNEL_VERSION = '#1 SMP sidestep';

function uname({ machine, memory, args }: SyscallContext): number {
  const fields = ['Linux', machine.hostname, KERNEL_RELEASE, KERNEL_VERSION, 'x86_64', machine.domainname];
  const bytes = new Uint8Array(6 * UTS_BYTES);
  fields.forEach((text, i) => {
    bytes.set(new TextEncoder().encode(text).subarray(0, UTS_BYTES - 1), i * UTS_BYTES);
  });
  return memory.writeBytes(args[0] as number, bytes) ? 0 : -EFAULT;
}

function setName(context: SyscallContext, key: 'hostname' | 'domainname'): number {
  const { machine, process, memory, args } = context;
  const [at, length] = args as [number, number];
  if (!capable(process, CAP.SYS_ADMIN)) return -EPERM;
  if (length < 0 || length >= UTS_BYTES) return -EINVAL;
  const bytes = memory.readBytes(at, length);
  if (bytes === undefined) return -EFAULT;
  machine[key] = new TextDecoder().decode(bytes);
  return 0;
}

/** struct sysinfo, 112 bytes, in units of one byte. */
function sysinfo({ machine, memory, args }: SyscallContext): number {
  const view = new DataView(new ArrayBuffer(112));
  const put = (at: number, value: number): void => view.setBigUint64(at, BigInt(Math.floor(value)), true);
  put(0, machine.clock.monotonic / NS_PER_SECOND);
  put(32, machine.config.maxMemory);
  put(40, machine.freeMemory());
  view.setUint16(80, machine.threads.size, true);
  view.setUint32(104, 1, true);
  return memory.writeBytes(args[0] as number, new Uint8Array(view.buffer)) ? 0 : -EFAULT;
}

const GRND_FLAGS = 7;
/** As in Linux, one call fills at most this much. */
const RANDOM_MAX = 0x1ff_ffff;

function getrandom({ machine, memory, args }: SyscallContext): number {
  const [at, length, flags] = args as [number, number, number];
  if (flags & ~GRND_FLAGS || (flags & 6) === 6) return -EINVAL;
  // A size_t: such an end lies beyond user memory.
  if (length < 0) return -EFAULT;
  const bytes = new Uint8Array(Math.min(length, RANDOM_MAX));
  machine.entropy.fill(bytes);
  const written = memory.write(at, bytes);
  return written === 0 && bytes.length > 0 ? -EFAULT : written;
}

const KCMP = { FILE: 0, VM: 1, FILES: 2, FS: 3, SIGHAND: 4, IO: 5, SYSVSEM: 6 } as const;

/** 0: the same; 1, 2: an order among different ones. */
function kcmp({ machine, process, args }: SyscallContext): number {
  const [pid1, pid2, type, fd1, fd2] = args.map((arg) => arg | 0) as [number, number, number, number, number];
  const a = processNumbered(machine, process, pid1);
  const b = processNumbered(machine, process, pid2);
  if (a === undefined || b === undefined) return -ESRCH;
  if (!mayInspect(process, a) || !mayInspect(process, b)) return -EPERM;
  if (type === KCMP.FILE) return compareFiles(filesOf(a).get(fd1), filesOf(b).get(fd2));
  const part = parts.get(type);
  if (part === undefined) return -EINVAL;
  return part(a) === part(b) ? 0 : a.pid < b.pid ? 1 : 2;
}

function compareFiles(a: OpenFile | undefined, b: OpenFile | undefined): number {
  if (a === undefined || b === undefined) return -EBADF;
  return a === b ? 0 : a.key < b.key ? 1 : 2;
}

const parts: ReadonlyMap<number, (process: Process) => unknown> = new Map([
  [KCMP.VM, ({ space }: Process): unknown => space],
  [KCMP.FILES, ({ files }: Process): unknown => files],
  [KCMP.FS, ({ fs }: Process): unknown => fs],
  [KCMP.SIGHAND, ({ handlers }: Process): unknown => handlers],
  [KCMP.IO, (process: Process): unknown => process],
  [KCMP.SYSVSEM, (process: Process): unknown => process],
]);

const CLONE_NEWPID = 0x2000_0000;

/** unshare(2): what a process has for itself anyway (CLONE_FS, CLONE_FILES), and the pid namespace of its children. There are no other namespaces. */
function unshare({ process, args }: SyscallContext): SyscallResult {
  const flags = (args[0] as number) >>> 0;
  const own = 0x200 | 0x400 | 0x4_0000;
  if (flags & ~(own | CLONE_NEWPID)) return -EPERM;
  if (flags & CLONE_NEWPID) {
    if (!capable(process, CAP.SYS_ADMIN)) return -EPERM;
    if (process.childrenPidNamespace !== process.pidNamespace) return -EINVAL;
    const nested = nestedNamespace(process.pidNamespace);
    if (nested === undefined) return -ENOSPC;
    process.childrenPidNamespace = nested;
  }
  if (flags & 0x200) process.fs = { ...process.fs };
  if (flags & 0x400) process.files = process.files.unshare();
  return 0;
}

/** Copies between the memories of two processes, vector by vector. */
function processVm(context: SyscallContext, write: boolean): number {
  const { machine, process, memory, args } = context;
  const [pid, local, localCount, remote, remoteCount, flags] = args as [number, number, number, number, number, number];
  if (flags !== 0 || localCount < 0 || localCount > 1024 || remoteCount < 0 || remoteCount > 1024) return -EINVAL;
  const mine = readVector(context, local, localCount);
  const theirs = readVector(context, remote, remoteCount);
  if (mine === undefined || theirs === undefined) return -EFAULT;
  const target = processNumbered(machine, process, pid | 0);
  if (target === undefined) return -ESRCH;
  if (!mayInspect(process, target)) return -EPERM;
  const [from, to] = write ? [memory, target.space] : [target.space, memory];
  let done = 0;
  for (const [source, destination, length] of pairs(write ? mine : theirs, write ? theirs : mine)) {
    const bytes = new Uint8Array(length);
    const got = from.read(source, bytes);
    const put = to.write(destination, bytes.subarray(0, got));
    done += put;
    if (put < length) break;
  }
  const total = mine.reduce((sum, { length }) => sum + length, 0);
  return done === 0 && total > 0 && theirs.length > 0 ? -EFAULT : done;
}

interface Piece {
  readonly at: number;
  readonly length: number;
}

function readVector({ memory }: SyscallContext, at: number, count: number): Piece[] | undefined {
  const bytes = memory.readBytes(at, 16 * count);
  if (bytes === undefined) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: count }, (_, i) => {
    return { at: Number(view.getBigUint64(16 * i, true)), length: Number(view.getBigUint64(16 * i + 8, true)) };
  });
}

/** Two vectors of the same bytes cut into common pieces of at most 1 MiB: source, destination, length. */
function* pairs(sources: readonly Piece[], destinations: readonly Piece[]): Generator<[number, number, number]> {
  const most = 1 << 20;
  let i = 0;
  let j = 0;
  let a = 0;
  let b = 0;
  while (i < sources.length && j < destinations.length) {
    const source = sources[i] as Piece;
    const destination = destinations[j] as Piece;
    const length = Math.min(source.length - a, destination.length - b, most);
    if (length > 0) yield [source.at + a, destination.at + b, length];
    a += length;
    b += length;
    if (a >= source.length) [i, a] = [i + 1, 0];
    if (b >= destination.length) [j, b] = [j + 1, 0];
  }
}

/** Syscalls that answer one errno, the one of a kernel that was built without them or of a user without the privilege. */
const REFUSED: readonly (readonly [nr: number, name: string, errno: ErrnoName])[] = [
  [101, 'ptrace', 'EPERM'],
  [103, 'syslog', 'EPERM'],
  [134, 'uselib', 'ENOSYS'],
  [153, 'vhangup', 'EPERM'],
  [154, 'modify_ldt', 'ENOSYS'],
  [155, 'pivot_root', 'EPERM'],
  [156, '_sysctl', 'ENOSYS'],
  [159, 'adjtimex', 'EPERM'],
  [163, 'acct', 'EPERM'],
  [165, 'mount', 'EPERM'],
  [166, 'umount2', 'EPERM'],
  [167, 'swapon', 'EPERM'],
  [168, 'swapoff', 'EPERM'],
  [169, 'reboot', 'EPERM'],
  [172, 'iopl', 'EPERM'],
  [173, 'ioperm', 'EPERM'],
  [175, 'init_module', 'EPERM'],
  [176, 'delete_module', 'EPERM'],
  [179, 'quotactl', 'EPERM'],
  [136, 'ustat', 'ENOSYS'],
  [139, 'sysfs', 'ENOSYS'],
  [174, 'create_module', 'ENOSYS'],
  [177, 'get_kernel_syms', 'ENOSYS'],
  [178, 'query_module', 'ENOSYS'],
  [180, 'nfsservctl', 'ENOSYS'],
  [181, 'getpmsg', 'ENOSYS'],
  [182, 'putpmsg', 'ENOSYS'],
  [183, 'afs_syscall', 'ENOSYS'],
  [184, 'tuxcall', 'ENOSYS'],
  [185, 'security', 'ENOSYS'],
  [205, 'set_thread_area', 'ENOSYS'],
  [206, 'io_setup', 'ENOSYS'],
  [207, 'io_destroy', 'ENOSYS'],
  [208, 'io_getevents', 'ENOSYS'],
  [209, 'io_submit', 'ENOSYS'],
  [210, 'io_cancel', 'ENOSYS'],
  [211, 'get_thread_area', 'ENOSYS'],
  [212, 'lookup_dcookie', 'EPERM'],
  [214, 'epoll_ctl_old', 'ENOSYS'],
  [215, 'epoll_wait_old', 'ENOSYS'],
  [216, 'remap_file_pages', 'ENOSYS'],
  [236, 'vserver', 'ENOSYS'],
  [237, 'mbind', 'ENOSYS'],
  [238, 'set_mempolicy', 'ENOSYS'],
  [239, 'get_mempolicy', 'ENOSYS'],
  [240, 'mq_open', 'ENOSYS'],
  [241, 'mq_unlink', 'ENOSYS'],
  [242, 'mq_timedsend', 'ENOSYS'],
  [243, 'mq_timedreceive', 'ENOSYS'],
  [244, 'mq_notify', 'ENOSYS'],
  [245, 'mq_getsetattr', 'ENOSYS'],
  [246, 'kexec_load', 'EPERM'],
  [248, 'add_key', 'ENOSYS'],
  [249, 'request_key', 'ENOSYS'],
  [250, 'keyctl', 'ENOSYS'],
  [256, 'migrate_pages', 'ENOSYS'],
  [279, 'move_pages', 'ENOSYS'],
  [298, 'perf_event_open', 'ENOENT'],
  [300, 'fanotify_init', 'EPERM'],
  [301, 'fanotify_mark', 'EPERM'],
  [304, 'open_by_handle_at', 'EPERM'],
  [305, 'clock_adjtime', 'EPERM'],
  [308, 'setns', 'EPERM'],
  [313, 'finit_module', 'EPERM'],
  [317, 'seccomp', 'EINVAL'],
  [320, 'kexec_file_load', 'EPERM'],
  [321, 'bpf', 'EPERM'],
  [323, 'userfaultfd', 'EPERM'],
  [333, 'io_pgetevents', 'ENOSYS'],
  [425, 'io_uring_setup', 'ENOSYS'],
  [426, 'io_uring_enter', 'ENOSYS'],
  [427, 'io_uring_register', 'ENOSYS'],
  [428, 'open_tree', 'EPERM'],
  [429, 'move_mount', 'EPERM'],
  [430, 'fsopen', 'EPERM'],
  [431, 'fsconfig', 'EPERM'],
  [432, 'fsmount', 'EPERM'],
  [433, 'fspick', 'EPERM'],
  [440, 'process_madvise', 'ENOSYS'],
  [442, 'mount_setattr', 'EPERM'],
  [443, 'quotactl_fd', 'EPERM'],
  [444, 'landlock_create_ruleset', 'EOPNOTSUPP'],
  [445, 'landlock_add_rule', 'EOPNOTSUPP'],
  [446, 'landlock_restrict_self', 'EOPNOTSUPP'],
  [447, 'memfd_secret', 'ENOSYS'],
  [448, 'process_mrelease', 'ENOSYS'],
  [449, 'futex_waitv', 'ENOSYS'],
  [450, 'set_mempolicy_home_node', 'ENOSYS'],
  [451, 'cachestat', 'ENOSYS'],
  [453, 'map_shadow_stack', 'ENOSYS'],
  [454, 'futex_wake', 'ENOSYS'],
  [455, 'futex_wait', 'ENOSYS'],
  [456, 'futex_requeue', 'ENOSYS'],
  [457, 'statmount', 'ENOSYS'],
  [458, 'listmount', 'ENOSYS'],
  [459, 'lsm_get_self_attr', 'ENOSYS'],
  [460, 'lsm_set_self_attr', 'ENOSYS'],
  [461, 'lsm_list_modules', 'ENOSYS'],
]; // biome-ignore format: a table

export const systemSyscalls: readonly SyscallRow[] = [
  { nr: 63, name: 'uname', run: uname },
  { nr: 99, name: 'sysinfo', run: sysinfo },
  { nr: 170, name: 'sethostname', run: (context) => setName(context, 'hostname') },
  { nr: 171, name: 'setdomainname', run: (context) => setName(context, 'domainname') },
  { nr: 272, name: 'unshare', run: unshare },
  { nr: 310, name: 'process_vm_readv', run: (context) => processVm(context, false) },
  { nr: 311, name: 'process_vm_writev', run: (context) => processVm(context, true) },
  { nr: 312, name: 'kcmp', run: kcmp },
  { nr: 318, name: 'getrandom', run: getrandom },
  ...REFUSED.map(([nr, name, errno]) => ({ nr, name, run: () => -ERRNO[errno] })),
];
