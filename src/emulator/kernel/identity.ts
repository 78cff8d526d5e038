/** Who a process is: pids, groups, sessions, users, capabilities (kernel/sys.c, kernel/capability.c, kernel/groups.c). */
import type { Pid } from '../../types.js';
import type { Credentials, Process } from '../process.js';
import { EACCES, EFAULT, EINVAL, EPERM, ESRCH } from './errno.js';
import { CAP, capable } from './identity-checks.js';
import { idFrom, numberFor, ownerNumbered, processNumbered } from './pid-namespace.js';
import { membersOf } from './process-groups.js';
import type { SyscallContext, SyscallResult, SyscallRow } from './syscall-table.js';

/** -1 as a uid or gid: leave it. */
const KEEP = 0xffff_ffff;
const GROUPS_MAX = 65_536;

function find({ machine, process }: SyscallContext, pid: number): Process | undefined {
  if (pid === 0) return process;
  return ownerNumbered(machine, process, pid);
}

function getpgid(context: SyscallContext): number {
  const found = find(context, (context.args[0] as number) | 0);
  return found === undefined ? -ESRCH : numberFor(context.process, found.pgid);
}

function getsid(context: SyscallContext): number {
  const found = find(context, (context.args[0] as number) | 0);
  return found === undefined ? -ESRCH : numberFor(context.process, found.sid);
}

function setpgid(context: SyscallContext): number {
  const { machine, process } = context;
  const [pid, pgidArgument] = context.args.map((arg) => arg | 0) as [number, number];
  if (pgidArgument < 0) return -EINVAL;
  const target = pid === 0 ? process : processNumbered(machine, process, pid);
  if (target === undefined || (target !== process && target.parent !== process)) return -ESRCH;
  if (target !== process) {
    if (target.sid !== process.sid) return -EPERM;
    if (target.hasExecuted) return -EACCES;
  }
  if (isSessionLeader(target)) return -EPERM;
  const pgid = (pgidArgument === 0 ? target.pid : idFrom(process, pgidArgument)) as Pid;
  const joins = membersOf(machine, pgid).some((member) => member.sid === process.sid);
  if (pgid !== target.pid && !joins) return -EPERM;
  target.pgid = pgid;
  return 0;
}

function isSessionLeader({ pid, sid }: Process): boolean {
  return pid === sid;
}

function setsid({ machine, process }: SyscallContext): number {
  if (isSessionLeader(process) || membersOf(machine, process.pid).length > 0) return -EPERM;
  process.sid = process.pid;
  process.pgid = process.pid;
  process.terminal = undefined;
  return numberFor(process, process.pid);
}

/** Real, effective, saved: the three ids that the calls below change, as users or as groups. */
interface Ids {
  readonly real: number;
  readonly effective: number;
  readonly saved: number;
}

const USER = {
  get: ({ ruid, euid, suid }: Credentials): Ids => ({ real: ruid, effective: euid, saved: suid }),
  set(credentials: Credentials, { real, effective, saved }: Ids): void {
    const before = USER.get(credentials);
    Object.assign(credentials, { ruid: real, euid: effective, suid: saved, fsuid: effective });
    adjustCapabilities(credentials, before);
  },
  capability: CAP.SETUID,
};
const GROUP = {
  get: ({ rgid, egid, sgid }: Credentials): Ids => ({ real: rgid, effective: egid, saved: sgid }),
  set(credentials: Credentials, { real, effective, saved }: Ids): void {
    Object.assign(credentials, { rgid: real, egid: effective, sgid: saved, fsgid: effective });
  },
  capability: CAP.SETGID,
};
type Kind = typeof USER | typeof GROUP;

/** Root's capabilities go with its last uid 0, the effective ones with the effective uid 0 (capabilities(7), cap_emulate_setxuid). */
function adjustCapabilities(credentials: Credentials, before: Ids): void {
  const { capabilities, ruid, euid, suid } = credentials;
  const wasRoot = before.real === 0 || before.effective === 0 || before.saved === 0;
  const isRoot = ruid === 0 || euid === 0 || suid === 0;
  if (wasRoot && !isRoot) {
    if (!(credentials.securebits & KEEP_CAPS)) capabilities.permitted = 0n;
    capabilities.effective = 0n;
    capabilities.ambient = 0n;
  } else if (before.effective === 0 && euid !== 0) capabilities.effective = 0n;
  else if (before.effective !== 0 && euid === 0) capabilities.effective = capabilities.permitted;
}

/** SECBIT_KEEP_CAPS. */
export const KEEP_CAPS = 1 << 4;

function setId({ process, args }: SyscallContext, kind: Kind): number {
  const id = (args[0] as number) >>> 0;
  if (id === KEEP) return -EINVAL;
  const ids = kind.get(process.credentials);
  if (capable(process, kind.capability)) kind.set(process.credentials, { real: id, effective: id, saved: id });
  else if (id === ids.real || id === ids.saved) kind.set(process.credentials, { ...ids, effective: id });
  else return -EPERM;
  return 0;
}

function setRealEffective({ process, args }: SyscallContext, kind: Kind): number {
  const [real, effective] = args.map((arg) => arg >>> 0) as [number, number];
  const ids = kind.get(process.credentials);
  if (!capable(process, kind.capability)) {
    if (real !== KEEP && real !== ids.real && real !== ids.effective) return -EPERM;
    if (effective !== KEEP && effective !== ids.real && effective !== ids.effective && effective !== ids.saved)
      return -EPERM;
  }
  const next = { real: real === KEEP ? ids.real : real, effective: effective === KEEP ? ids.effective : effective };
  const saves = real !== KEEP || (effective !== KEEP && effective !== ids.real);
  kind.set(process.credentials, { ...next, saved: saves ? next.effective : ids.saved });
  return 0;
}

function setAll({ process, args }: SyscallContext, kind: Kind): number {
  const ids = kind.get(process.credentials);
  const old = [ids.real, ids.effective, ids.saved];
  const wanted = args.slice(0, 3).map((arg, i) => (arg >>> 0 === KEEP ? (old[i] as number) : arg >>> 0));
  if (!capable(process, kind.capability) && wanted.some((id) => !old.includes(id))) return -EPERM;
  const [real, effective, saved] = wanted as [number, number, number];
  kind.set(process.credentials, { real, effective, saved });
  return 0;
}

function getAll({ process, memory, args }: SyscallContext, kind: Kind): number {
  const { real, effective, saved } = kind.get(process.credentials);
  const written = [real, effective, saved].every((id, i) => memory.writeU32(args[i] as number, id));
  return written ? 0 : -EFAULT;
}

/** Answers the old one, whether it changed or not. */
function setFs({ process, args }: SyscallContext, key: 'fsuid' | 'fsgid', kind: Kind): number {
  const { credentials } = process;
  const before = credentials[key];
  const id = (args[0] as number) >>> 0;
  const { real, effective, saved } = kind.get(credentials);
  const allowed = [real, effective, saved, before].includes(id) || capable(process, kind.capability);
  if (allowed && id !== KEEP) credentials[key] = id;
  return before;
}

function getgroups({ process, memory, args }: SyscallContext): number {
  const [size, at] = args as [number, number];
  const { groups } = process.credentials;
  if ((size | 0) < 0) return -EINVAL;
  if (size === 0) return groups.length;
  if (size < groups.length) return -EINVAL;
  return memory.writeBytes(at, new Uint8Array(Uint32Array.from(groups).buffer)) ? groups.length : -EFAULT;
}

function setgroups({ process, memory, args }: SyscallContext): number {
  const [size, at] = args as [number, number];
  if (!capable(process, CAP.SETGID)) return -EPERM;
  if (size < 0 || size > GROUPS_MAX) return -EINVAL;
  const bytes = memory.readBytes(at, 4 * size);
  if (bytes === undefined) return -EFAULT;
  process.credentials.groups = [...new Uint32Array(bytes.slice().buffer)];
  return 0;
}

/** _LINUX_CAPABILITY_VERSION_1, 2 (deprecated), 3, and how many 32-bit words each set has. */
const CAPABILITY_WORDS = new Map([[0x1998_0330, 1], [0x2007_1026, 2], [0x2008_0522, 2]]); // biome-ignore format: pairs
const CAPABILITY_VERSION = 0x2008_0522;

/** The header's version and target; a number is what the call answers at once. */
function capabilityTarget(context: SyscallContext): { target: Process; words: number } | number {
  const { memory, args } = context;
  const [header, data] = args as [number, number];
  const version = memory.readU32(header);
  const pid = memory.readU32(header + 4);
  if (version === undefined || pid === undefined) return -EFAULT;
  const words = CAPABILITY_WORDS.get(version);
  if (words === undefined) {
    if (!memory.writeU32(header, CAPABILITY_VERSION)) return -EFAULT;
    return data === 0 ? 0 : -EINVAL;
  }
  if ((pid | 0) < 0) return -EINVAL;
  const target = find(context, pid | 0);
  return target === undefined ? -ESRCH : { target, words };
}

function capget(context: SyscallContext): number {
  const found = capabilityTarget(context);
  if (typeof found === 'number') return found;
  const data = context.args[1] as number;
  if (data === 0) return 0;
  const { effective, permitted, inheritable } = found.target.credentials.capabilities;
  const words = new Uint32Array(3 * found.words);
  for (let i = 0; i < found.words; i++) {
    [effective, permitted, inheritable].forEach((set, j) => {
      words[3 * i + j] = Number(BigInt.asUintN(32, set >> BigInt(32 * i)));
    });
  }
  return context.memory.writeBytes(data, new Uint8Array(words.buffer)) ? 0 : -EFAULT;
}

function capset(context: SyscallContext): number {
  const found = capabilityTarget(context);
  if (typeof found === 'number') return found;
  const { process, memory, args } = context;
  if (found.target !== process) return -EPERM;
  const bytes = memory.readBytes(args[1] as number, 12 * found.words);
  if (bytes === undefined) return -EFAULT;
  const words = new Uint32Array(bytes.slice().buffer);
  const set = (j: number): bigint => BigInt(words[j] as number) | (BigInt(words[3 + j] ?? 0) << 32n);
  const [effective, permitted, inheritable] = [set(0), set(1), set(2)];
  const { capabilities } = process.credentials;
  if (permitted & ~capabilities.permitted || effective & ~permitted) return -EPERM;
  if (inheritable & ~(capabilities.inheritable | capabilities.permitted) && !capable(process, CAP.SETPCAP))
    return -EPERM;
  Object.assign(capabilities, {
    effective,
    permitted,
    inheritable,
    ambient: capabilities.ambient & permitted & inheritable,
  });
  return 0;
}

/** Whoever gets other rights is not to be looked into by those who had the old ones (commit_creds). */
function changing(run: (context: SyscallContext) => SyscallResult): (context: SyscallContext) => SyscallResult {
  return (context) => {
    const { process, thread } = context;
    const { euid, egid, fsuid, fsgid } = process.credentials;
    const result = run(context);
    const now = process.credentials;
    if (now.euid !== euid || now.egid !== egid || now.fsuid !== fsuid || now.fsgid !== fsgid) {
      process.dumpable = 0;
      thread.parentDeathSignal = 0;
    }
    return result;
  };
}

export const identitySyscalls: readonly SyscallRow[] = [
  { nr: 39, name: 'getpid', run: ({ process }) => numberFor(process, process.pid) },
  { nr: 102, name: 'getuid', run: ({ process }) => process.credentials.ruid },
  { nr: 104, name: 'getgid', run: ({ process }) => process.credentials.rgid },
  { nr: 105, name: 'setuid', run: changing((context) => setId(context, USER)) },
  { nr: 106, name: 'setgid', run: changing((context) => setId(context, GROUP)) },
  { nr: 107, name: 'geteuid', run: ({ process }) => process.credentials.euid },
  { nr: 108, name: 'getegid', run: ({ process }) => process.credentials.egid },
  { nr: 109, name: 'setpgid', run: setpgid },
  { nr: 110, name: 'getppid', run: ({ process }) => numberFor(process, process.parent?.pid ?? 0) },
  { nr: 111, name: 'getpgrp', run: ({ process }) => numberFor(process, process.pgid) },
  { nr: 112, name: 'setsid', run: setsid },
  { nr: 113, name: 'setreuid', run: changing((context) => setRealEffective(context, USER)) },
  { nr: 114, name: 'setregid', run: changing((context) => setRealEffective(context, GROUP)) },
  { nr: 115, name: 'getgroups', run: getgroups },
  { nr: 116, name: 'setgroups', run: setgroups },
  { nr: 117, name: 'setresuid', run: changing((context) => setAll(context, USER)) },
  { nr: 118, name: 'getresuid', run: (context) => getAll(context, USER) },
  { nr: 119, name: 'setresgid', run: changing((context) => setAll(context, GROUP)) },
  { nr: 120, name: 'getresgid', run: (context) => getAll(context, GROUP) },
  { nr: 121, name: 'getpgid', run: getpgid },
  { nr: 122, name: 'setfsuid', run: changing((context) => setFs(context, 'fsuid', USER)) },
  { nr: 123, name: 'setfsgid', run: changing((context) => setFs(context, 'fsgid', GROUP)) },
  { nr: 124, name: 'getsid', run: getsid },
  { nr: 125, name: 'capget', run: capget },
  { nr: 126, name: 'capset', run: capset },
  { nr: 186, name: 'gettid', run: ({ process, thread }) => numberFor(process, thread.tid) },
];
