/** wait4(2) and waitid(2) (kernel/exit.c, do_wait). */
import { type Process, waitStatus } from '../process.js';
import { encodeSigInfo } from '../siginfo.js';
import { CLD, SIGNAL, type SigInfo } from '../signals.js';
import { ECHILD, EFAULT, EINVAL, ESRCH } from './errno.js';
import { addUsage, reap } from './exit.js';
import { processAt } from './file/pidfd.js';
import { idFrom, numberFor } from './pid-namespace.js';
import { childInfo, endInfo, infoFor } from './signal-send.js';
import { block, type SyscallContext, type SyscallResult, type SyscallRow } from './syscall-table.js';
import { rusageBytes } from './time.js';
import type { Blocked } from './wait.js';

const W = {
  NOHANG: 1,
  STOPPED: 2,
  EXITED: 4,
  CONTINUED: 8,
  NOWAIT: 0x100_0000,
  NOTHREAD: 0x2000_0000,
  ALL: 0x4000_0000,
  CLONE: 0x8000_0000,
} as const;
const P_ALL = 0;
const P_PID = 1;
const P_PGID = 2;
const P_PIDFD = 3;

/** Which children, and which of their changes. */
interface Query {
  readonly pid?: number;
  readonly pgid?: number;
  readonly options: number;
}

/** A change of a child, ready to be told. */
interface Change {
  readonly child: Process;
  /** As wait4 stores it. */
  readonly status: number;
  readonly info: SigInfo;
}

function isAsked({ thread }: SyscallContext, child: Process, { pid, pgid, options }: Query): boolean {
  if (pid !== undefined && child.pid !== pid) return false;
  if (pgid !== undefined && child.pgid !== pgid) return false;
  if (options & W.NOTHREAD && child.parentTid !== thread.tid) return false;
  const isClone = child.exitSignal !== SIGNAL.CHLD;
  return (options & W.ALL) !== 0 || isClone === ((options & W.CLONE) !== 0);
}

/** What the child has to tell to this query; telling a stop or continuation uses it up. */
function changeOf(child: Process, { options }: Query): Change | undefined {
  const keep = (options & W.NOWAIT) !== 0;
  const { status, stopped, unreported } = child;
  if (status !== undefined) {
    if (!(options & W.EXITED)) return undefined;
    return { child, status: waitStatus(status), info: { ...endInfo(child), signal: SIGNAL.CHLD } };
  }
  if (stopped !== undefined && unreported === 'stopped' && options & W.STOPPED) {
    if (!keep) child.unreported = undefined;
    return { child, status: (stopped << 8) | 0x7f, info: childInfo(child, SIGNAL.CHLD, CLD.STOPPED, stopped) };
  }
  if (unreported === 'continued' && options & W.CONTINUED) {
    if (!keep) child.unreported = undefined;
    return { child, status: 0xffff, info: childInfo(child, SIGNAL.CHLD, CLD.CONTINUED, SIGNAL.CONT) };
  }
  return undefined;
}

/** A change, or why there is none: nobody to wait for, or nothing yet. */
function look(context: SyscallContext, query: Query): Change | 'nobody' | 'nothing' {
  let found = false;
  for (const child of context.process.children) {
    if (!isAsked(context, child, query)) continue;
    found = true;
    const change = changeOf(child, query);
    if (change !== undefined) return change;
  }
  return found ? 'nothing' : 'nobody';
}

/** A zombie that was told of goes, unless the caller leaves it. */
function bury({ process, machine }: SyscallContext, { child }: Change, { options }: Query): void {
  if (child.status === undefined || options & W.NOWAIT) return;
  addUsage(process.childrenUsage, child);
  reap(machine, child);
}

function writeUsage({ memory }: SyscallContext, at: number, { child }: Change): boolean {
  const retired = child.retired + child.childrenUsage.retired;
  return at === 0 || memory.writeBytes(at, rusageBytes(retired, child.usage, child.peakResident));
}

function wait(
  context: SyscallContext,
  query: Query,
  tell: (change: Change) => number,
  none: () => number,
): SyscallResult {
  const change = look(context, query);
  if (change === 'nobody') return -ECHILD;
  if (change === 'nothing') {
    if (query.options & W.NOHANG) return none();
    return block(context, { keys: [context.process.childKey] });
  }
  const result = tell(change);
  bury(context, change, query);
  return result;
}

function wait4Query({ process }: SyscallContext, pid: number, options: number): Query {
  const which = options | W.EXITED;
  if (pid > 0) return { pid: idFrom(process, pid), options: which };
  if (pid === -1) return { options: which };
  return { pgid: pid === 0 ? process.pgid : idFrom(process, -pid), options: which };
}

function wait4(context: SyscallContext): SyscallResult {
  const [pidArgument, statusAt, optionsArgument, usageAt] = context.args as [number, number, number, number];
  const pid = pidArgument | 0;
  const options = optionsArgument >>> 0;
  const known = W.NOHANG | W.STOPPED | W.CONTINUED | W.NOTHREAD | W.ALL | W.CLONE;
  if (options & ~known) return -EINVAL;
  if (pid === -0x8000_0000) return -ESRCH;
  const tell = (change: Change): number => {
    const written = statusAt === 0 || context.memory.writeU32(statusAt, change.status);
    return written && writeUsage(context, usageAt, change) ? numberFor(context.process, change.child.pid) : -EFAULT;
  };
  return wait(context, wait4Query(context, pid, options), tell, () => 0);
}

/** undefined: EINVAL. */
function waitidQuery(context: SyscallContext, kind: number, id: number, options: number): Query | number | undefined {
  const { process } = context;
  if (kind === P_ALL) return { options };
  if (kind === P_PID) return id > 0 ? { pid: idFrom(process, id), options } : undefined;
  if (kind === P_PIDFD) {
    const target = id < 0 ? undefined : processAt(context, id);
    return typeof target === 'object' ? { pid: target.pid, options } : target;
  }
  if (kind === P_PGID) return id >= 0 ? { pgid: id === 0 ? process.pgid : idFrom(process, id), options } : undefined;
  return undefined;
}

function waitid(context: SyscallContext): SyscallResult {
  const [kind, id, infoAt, optionsArgument, usageAt] = context.args as [number, number, number, number, number];
  const options = optionsArgument >>> 0;
  const kinds = W.STOPPED | W.EXITED | W.CONTINUED;
  if (options & ~(kinds | W.NOHANG | W.NOWAIT | W.NOTHREAD | W.ALL | W.CLONE) || !(options & kinds)) return -EINVAL;
  const query = waitidQuery(context, kind | 0, id | 0, options);
  if (typeof query !== 'object') return query ?? -EINVAL;
  const tell = (change: Change): number => {
    const written = infoAt === 0 || writeInfo(context, infoAt, infoFor(context.process, change.info));
    return written && writeUsage(context, usageAt, change) ? 0 : -EFAULT;
  };
  return wait(context, query, tell, () => (infoAt === 0 || writeInfo(context, infoAt, undefined) ? 0 : -EFAULT));
}

/** waitid fills only the fields up to si_status, and zeroes signo and pid when nobody has changed. */
function writeInfo({ memory }: SyscallContext, at: number, info: SigInfo | undefined): boolean {
  return memory.writeBytes(at, info === undefined ? new Uint8Array(28) : encodeSigInfo(info).subarray(0, 28));
}

const again = (run: (context: SyscallContext) => SyscallResult) => (context: SyscallContext, _blocked: Blocked) =>
  run(context);

export const waitSyscalls: readonly SyscallRow[] = [
  { nr: 61, name: 'wait4', run: wait4, resume: again(wait4) },
  { nr: 247, name: 'waitid', run: waitid, resume: again(waitid) },
];
