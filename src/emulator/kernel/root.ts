/**
 * The virtual process at the root: parent of what the server starts, heir of orphans, what getppid() of the first process names. It has no thread and
 * no memory, is never scheduled, and a signal to it is a signal to the server.
 */
import type { Pid } from '../../types.js';
import type { Machine } from '../machine.js';
import type { UserMemory } from '../memory/user-memory.js';
import { type Credentials, Process, type ProcessFiles, type ProcessSpace } from '../process.js';
import { DEFAULT_ACTION, SIGNAL_COUNT } from '../signals.js';
import { CAP } from './identity-checks.js';

/** Credentials of an ordinary user, or all capabilities for uid 0. */
export function credentialsOf(uid: number, gid: number, groups: readonly number[]): Credentials {
  const all = (1n << BigInt(CAP.LAST + 1)) - 1n;
  const own = uid === 0 ? all : 0n;
  const capabilities = { effective: own, permitted: own, inheritable: 0n, bounding: all, ambient: 0n };
  const users = { ruid: uid, euid: uid, suid: uid, fsuid: uid };
  const groupIds = { rgid: gid, egid: gid, sgid: gid, fsgid: gid };
  return { ...users, ...groupIds, groups, capabilities, securebits: 0, noNewPrivileges: false };
}

const NO_MEMORY: UserMemory = {
  read: () => 0,
  write: () => 0,
  writable: () => 0,
  readBytes: () => undefined,
  writeBytes: () => false,
  readU32: () => undefined,
  writeU32: () => false,
  readU64: () => undefined,
  writeU64: () => false,
  readCString: () => undefined,
};

const NO_SPACE: ProcessSpace = {
  ...NO_MEMORY,
  id: 0,
  area: 0,
  fill: () => 'unmapped',
  settle: () => [],
  fetch: () => 'unmapped',
  hasSwbp: () => false,
  hookAt: () => undefined,
  markCode: () => undefined,
  fork: () => undefined,
  destroy: () => undefined,
  sharedAddress: () => undefined,
  codeOrigin: () => undefined,
};

const NO_FILES: ProcessFiles = {
  fork: () => NO_FILES,
  share: () => NO_FILES,
  unshare: () => NO_FILES,
  closeOnExec: () => undefined,
  release: () => undefined,
};

/** Makes the root: the first pid of the machine, a session of its own. */
export function createRoot(machine: Machine, credentials: Credentials = credentialsOf(1000, 1000, [1000])): Process {
  const pid: Pid = machine.newPid();
  const root = new Process({
    pid,
    parent: undefined,
    pgid: pid,
    sid: pid,
    space: NO_SPACE,
    files: NO_FILES,
    fs: { cwd: '/', root: '/', umask: 0o22 },
    handlers: { actions: Array.from({ length: SIGNAL_COUNT + 1 }, () => DEFAULT_ACTION), users: 1 },
    credentials,
    limits: [...machine.config.limits],
    image: { exe: '', argv: [], environ: [], auxv: [] },
    comm: 'sidestep',
    startTime: 0,
    childKey: machine.newWaitKey(),
    signalKey: machine.newWaitKey(),
  });
  machine.processes.set(pid, root);
  machine.root = root;
  return root;
}
