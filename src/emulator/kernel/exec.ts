/** execve(2), execveat(2): a new program in the old process (fs/exec.c, begin_new_exec). */
import type { Tid } from '../../types.js';
import { pathText } from '../host/path-text.js';
import type { Machine } from '../machine.js';
import type { UserMemory } from '../memory/user-memory.js';
import type { Process } from '../process.js';
import type { LoadedProgram } from '../program-loader.js';
import { SIGNAL } from '../signals.js';
import type { Thread } from '../thread.js';
import { E2BIG, EFAULT, EINVAL, ENAMETOOLONG, ENOENT } from './errno.js';
import { isDumpable } from './exec-credentials.js';
import { clearChildTid, endThread, finishVfork, leaveSpace } from './exit.js';
import { resetHandlers } from './fork.js';
import { RLIMIT } from './limits.js';
import { releaseRobustFutexes } from './robust-futex.js';
import type { SyscallContext, SyscallResult, SyscallRow } from './syscall-table.js';

const AT_FDCWD = -100;
const AT_EMPTY_PATH = 0x1000;
const AT_SYMLINK_NOFOLLOW = 0x100;
const PATH_MAX = 4096;
/** MAX_ARG_STRLEN: one string, with its NUL. */
const STRING_MAX = 131_072;
/** What all strings may take: a quarter of the stack limit, at most three quarters of 8 MiB, at least 128 KiB (bprm_stack_limits). */
const STRINGS_MAX = 6 << 20;
const STRINGS_MIN = 131_072;
const POINTER = 8;

/** A vector of strings that ends with a null pointer, or -errno. A null vector is an empty one. */
function readStrings(memory: UserMemory, at: number, room: number): Uint8Array[] | number {
  const strings: Uint8Array[] = [];
  if (at === 0) return strings;
  for (let left = room; ; ) {
    const pointer = memory.readU64(at + POINTER * strings.length);
    if (pointer === undefined) return -EFAULT;
    if (pointer === 0) return strings;
    const string = memory.readCString(pointer, STRING_MAX);
    if (string === undefined) return -EFAULT;
    if (string === 'too-long') return -E2BIG;
    left -= string.length + 1 + POINTER;
    if (left < 0) return -E2BIG;
    strings.push(string.slice());
  }
}

function stringRoom({ limits }: Process): number {
  const stack = limits[RLIMIT.STACK]?.soft ?? Number.POSITIVE_INFINITY;
  return Math.max(STRINGS_MIN, Math.min(STRINGS_MAX, Math.floor(stack / 4)));
}

function exec(
  context: SyscallContext,
  directory: number,
  at: number,
  argvAt: number,
  environAt: number,
  flags: number,
): SyscallResult {
  const { machine, process, thread, memory } = context;
  const path = memory.readCString(at, PATH_MAX);
  if (path === undefined) return -EFAULT;
  if (path === 'too-long') return -ENAMETOOLONG;
  if (path.length === 0 && !(flags & AT_EMPTY_PATH)) return -ENOENT;
  const room = stringRoom(process);
  const argv = readStrings(memory, argvAt, room);
  if (typeof argv === 'number') return argv;
  const environ = readStrings(
    memory,
    environAt,
    room - argv.reduce((sum, { length }) => sum + length + 1 + POINTER, 0),
  );
  if (typeof environ === 'number') return environ;
  // A program without even a name gets an empty one, as since Linux 5.18.
  const loaded = machine.loader.load({
    machine,
    process,
    path: pathText(path),
    directory,
    flags,
    argv: argv.length === 0 ? [new Uint8Array()] : argv,
    environ,
  });
  if ('errno' in loaded) return -loaded.errno;
  replace(machine, thread, loaded);
  return 'no-return';
}

/** The point of no return. */
function replace(machine: Machine, thread: Thread, program: LoadedProgram): void {
  const { process } = thread;
  const formerTid = becomeOnlyThread(machine, thread);
  releaseRobustFutexes(machine, thread);
  clearChildTid(machine, thread);
  leaveSpace(machine, process);
  process.space = program.space;
  finishVfork(machine, process);
  process.files = process.files.unshare();
  process.files.closeOnExec();
  process.handlers.users--;
  process.handlers = resetHandlers(process.handlers);
  process.timers.clear();
  machine.cpuTimersChanged(process);
  process.image = program.image;
  process.hasExecuted = true;
  if (!isDumpable(process.credentials, program.credentials)) thread.parentDeathSignal = 0;
  process.dumpable = isDumpable(process.credentials, program.credentials) ? 1 : 0;
  process.credentials = program.credentials;
  process.keepCapabilities = false;
  process.exitSignal = SIGNAL.CHLD;
  thread.name = program.comm;
  thread.altStack = { sp: 0, size: 0, flags: 0 };
  thread.restartBlock = undefined;
  thread.lastFault = { trapNumber: 0, errorCode: 0, address: 0 };
  machine.abi.start(thread.cpu, program.entry, program.stack);
  if (machine.hooks.exec(thread, formerTid) === 'stop') machine.postStop({ kind: 'exec', thread, formerTid });
}

/** All others end; the survivor is the leader from now on, whatever it was (de_thread). Answers its former tid. */
function becomeOnlyThread(machine: Machine, thread: Thread): number {
  const { process } = thread;
  for (const other of [...process.threads.values()]) if (other !== thread) endThread(machine, other);
  const { tid } = thread;
  if (thread.isLeader) return tid;
  process.threads.delete(tid);
  machine.threads.delete(tid);
  thread.tid = process.pid as number as Tid;
  process.threads.set(thread.tid, thread);
  machine.threads.set(thread.tid, thread);
  process.leaderExitCode = undefined;
  return tid;
}

function execve(context: SyscallContext): SyscallResult {
  const [path, argv, environ] = context.args as [number, number, number];
  return exec(context, AT_FDCWD, path, argv, environ, 0);
}

function execveat(context: SyscallContext): SyscallResult {
  const [directory, path, argv, environ, flags] = context.args as [number, number, number, number, number];
  if (flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)) return -EINVAL;
  return exec(context, directory | 0, path, argv, environ, flags);
}

export const execSyscalls: readonly SyscallRow[] = [
  { nr: 59, name: 'execve', run: execve },
  { nr: 322, name: 'execveat', run: execveat },
];
