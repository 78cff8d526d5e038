/** /proc/PID/status, stat, limits (fs/proc/array.c, base.c). */
import type { Machine } from '../../machine.js';
import type { Process } from '../../process.js';
import { bit, SIG_DFL, SIG_IGN, SIGNAL_COUNT, type SigSet } from '../../signals.js';
import type { Thread } from '../../thread.js';
import { FileTable } from '../file/file-table.js';
import { RLIMIT } from '../limits.js';
import { numbersOf } from '../pid-namespace.js';
import { memoryUse, spaceOf } from './memory-map.js';
import { kilobytes, lines, set16, ticks } from './text.js';

/** A thread, or what is left of a process whose threads have all ended. */
export interface Task {
  readonly process: Process;
  readonly thread: Thread | undefined;
}

const STATES = {
  running: 'R (running)',
  sleeping: 'S (sleeping)',
  stopped: 'T (stopped)',
  tracing: 't (tracing stop)',
  zombie: 'Z (zombie)',
} as const;

function stateOf({ process, thread }: Task): string {
  // The virtual root has no thread: it waits for its children, as the server does.
  if (process.parent === undefined) return process.stopped === undefined ? STATES.sleeping : STATES.stopped;
  if (process.isZombie || thread === undefined || thread.state === 'dead') return STATES.zombie;
  if (thread.held) return STATES.tracing;
  if (process.stopped !== undefined) return STATES.stopped;
  return thread.state === 'blocked' ? STATES.sleeping : STATES.running;
}

function taskName({ process, thread }: Task): string {
  return thread?.name ?? process.comm;
}

/** Signals with this kind of disposition. */
function disposed({ handlers }: Process, matches: (handler: number) => boolean): SigSet {
  let set: SigSet = 0n;
  for (let signal = 1; signal <= SIGNAL_COUNT; signal++) {
    if (matches(handlers.actions[signal]?.handler ?? SIG_DFL)) set |= bit(signal);
  }
  return set;
}

const isIgnored = (handler: number): boolean => handler === SIG_IGN;
const isCaught = (handler: number): boolean => handler !== SIG_DFL && handler !== SIG_IGN;

/** struct fdtable grows by powers of two from 64. */
function descriptorSlots({ files }: Process): number {
  if (!(files instanceof FileTable)) return 0;
  const highest = files.numbers().at(-1) ?? 0;
  return Math.max(64, 2 ** Math.ceil(Math.log2(highest + 1)));
}

function memoryRows(process: Process): [string, string][] {
  const space = spaceOf(process);
  if (space === undefined) return [];
  const use = memoryUse(space);
  const rows: [string, number][] = [
    ['VmPeak', use.total],
    ['VmSize', use.total],
    ['VmLck', use.locked],
    ['VmPin', 0],
    ['VmHWM', process.peakResident],
    ['VmRSS', use.resident],
    ['RssAnon', use.anonymous],
    ['RssFile', use.file],
    ['RssShmem', 0],
    ['VmData', use.data],
    ['VmStk', use.stack],
    ['VmExe', use.code],
    ['VmLib', use.libraries],
    ['VmPTE', 0],
    ['VmSwap', 0],
    ['HugetlbPages', 0],
  ];
  return rows.map(([name, bytes]) => [name, kilobytes(bytes)]);
}

/** With an escape for what would break the line (proc_task_name). */
function escaped(name: string): string {
  return name.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

export function status(machine: Machine, task: Task): string {
  const { process, thread } = task;
  const { credentials } = process;
  const { ruid, euid, suid, fsuid, rgid, egid, sgid, fsgid, capabilities } = credentials;
  const tid = thread?.tid ?? process.pid;
  const queued = process.pending.queue.length + (thread?.pending.queue.length ?? 0);
  return lines([
    ['Name', escaped(taskName(task))],
    ['Umask', process.fs.umask.toString(8).padStart(4, '0')],
    ['State', stateOf(task)],
    ['Tgid', process.pid],
    ['Ngid', 0],
    ['Pid', tid],
    ['PPid', process.parent?.pid ?? 0],
    ['TracerPid', process.traced ? (machine.root?.pid ?? 0) : 0],
    ['Uid', [ruid, euid, suid, fsuid].join('\t')],
    ['Gid', [rgid, egid, sgid, fsgid].join('\t')],
    ['FDSize', descriptorSlots(process)],
    ['Groups', credentials.groups.map((group) => `${group} `).join('') || ' '],
    ['NStgid', numbersOf(process, process.pid).join('\t')],
    ['NSpid', numbersOf(process, tid).join('\t')],
    ['NSpgid', numbersOf(process, process.pgid).join('\t')],
    ['NSsid', numbersOf(process, process.sid).join('\t')],
    ...memoryRows(process),
    ['CoreDumping', 0],
    ['THP_enabled', 0],
    ['Threads', process.threads.size],
    ['SigQ', `${queued}/${shownLimit(process.limits[RLIMIT.SIGPENDING]?.soft)}`],
    ['SigPnd', set16(thread?.pending.set ?? 0n)],
    ['ShdPnd', set16(process.pending.set)],
    ['SigBlk', set16(thread?.signalMask ?? 0n)],
    ['SigIgn', set16(disposed(process, isIgnored))],
    ['SigCgt', set16(disposed(process, isCaught))],
    ['CapInh', set16(capabilities.inheritable)],
    ['CapPrm', set16(capabilities.permitted)],
    ['CapEff', set16(capabilities.effective)],
    ['CapBnd', set16(capabilities.bounding)],
    ['CapAmb', set16(capabilities.ambient)],
    ['NoNewPrivs', credentials.noNewPrivileges ? 1 : 0],
    ['Seccomp', 0],
    ['Seccomp_filters', 0],
    ['Speculation_Store_Bypass', 'not vulnerable'],
    ['SpeculationIndirectBranch', 'not affected'],
    ['Cpus_allowed', 1],
    ['Cpus_allowed_list', 0],
    ['Mems_allowed', '00000000,00000001'],
    ['Mems_allowed_list', 0],
    ['voluntary_ctxt_switches', process.usage.voluntarySwitches],
    ['nonvoluntary_ctxt_switches', process.usage.involuntarySwitches],
  ]);
}

const PF_FORKNOEXEC = 0x40;
const PF_RANDOMIZE = 0x40_0000;
const UNLIMITED = '18446744073709551615';
/** Signals that fit the old fields: the first 31. */
const OLD_SIGNALS = 0x7fff_ffffn;

function shownLimit(limit: number | undefined): string {
  return limit === undefined || !Number.isFinite(limit) ? UNLIMITED : String(limit);
}

/** The 52 fields of proc(5). */
export function stat(machine: Machine, task: Task): string {
  const { process, thread } = task;
  const space = spaceOf(process);
  const marks = space?.marks;
  const retired = thread === undefined || thread.isLeader ? process.retired : thread.retired;
  const policy = thread?.policy ?? { policy: 0, priority: 0 };
  const isRealtime = policy.policy === 1 || policy.policy === 2;
  const nice = thread?.nice ?? 0;
  const tty = process.terminal === undefined ? undefined : machine.terminals.find(process.terminal);
  const foreground = tty?.foreground ?? -1;
  const signals = (set: SigSet): string => (set & OLD_SIGNALS).toString();
  const fields: readonly (number | string)[] = [
    thread?.tid ?? process.pid,
    `(${taskName(task)})`,
    stateOf(task).charAt(0),
    process.parent?.pid ?? 0,
    process.pgid,
    process.sid,
    process.terminal ?? 0,
    foreground,
    (process.hasExecuted ? 0 : PF_FORKNOEXEC) | (machine.config.randomise ? PF_RANDOMIZE : 0),
    process.minorFaults,
    process.childrenUsage.minorFaults,
    0,
    0,
    ticks(retired),
    0,
    ticks(process.childrenUsage.retired),
    0,
    isRealtime ? -1 - policy.priority : 20 + nice,
    nice,
    process.threads.size,
    0,
    ticks(process.startTime),
    space?.mappedBytes ?? 0,
    Math.floor((space?.residentBytes ?? 0) / 4096),
    shownLimit(process.limits[RLIMIT.RSS]?.soft),
    ...(marks?.code ?? [0, 0]),
    marks?.startStack ?? 0,
    0,
    0,
    signals(thread?.pending.set ?? 0n),
    signals(thread?.signalMask ?? 0n),
    signals(disposed(process, isIgnored)),
    signals(disposed(process, isCaught)),
    thread?.state === 'blocked' ? 1 : 0,
    0,
    0,
    process.exitSignal,
    0,
    isRealtime ? policy.priority : 0,
    policy.policy,
    0,
    0,
    0,
    ...(marks?.data ?? [0, 0]),
    marks?.startBrk ?? 0,
    ...(marks?.arguments ?? [0, 0]),
    ...(marks?.environment ?? [0, 0]),
    0,
  ];
  return `${fields.join(' ')}\n`;
}

const LIMIT_NAMES: readonly (readonly [resource: number, name: string, unit: string])[] = [
  [RLIMIT.CPU, 'Max cpu time', 'seconds'],
  [RLIMIT.FSIZE, 'Max file size', 'bytes'],
  [RLIMIT.DATA, 'Max data size', 'bytes'],
  [RLIMIT.STACK, 'Max stack size', 'bytes'],
  [RLIMIT.CORE, 'Max core file size', 'bytes'],
  [RLIMIT.RSS, 'Max resident set', 'bytes'],
  [RLIMIT.NPROC, 'Max processes', 'processes'],
  [RLIMIT.NOFILE, 'Max open files', 'files'],
  [RLIMIT.MEMLOCK, 'Max locked memory', 'bytes'],
  [RLIMIT.AS, 'Max address space', 'bytes'],
  [RLIMIT.LOCKS, 'Max file locks', 'locks'],
  [RLIMIT.SIGPENDING, 'Max pending signals', 'signals'],
  [RLIMIT.MSGQUEUE, 'Max msgqueue size', 'bytes'],
  [RLIMIT.NICE, 'Max nice priority', ''],
  [RLIMIT.RTPRIO, 'Max realtime priority', ''],
  [RLIMIT.RTTIME, 'Max realtime timeout', 'us'],
];

export function limits({ limits: held }: Process): string {
  const row = (name: string, soft: string, hard: string, unit: string): string =>
    `${name.padEnd(25)} ${soft.padEnd(20)} ${hard.padEnd(20)} ${unit === '' ? '' : unit.padEnd(10)}\n`;
  const shown = (value: number | undefined): string => (Number.isFinite(value) ? String(value) : 'unlimited');
  const rows = LIMIT_NAMES.map(([resource, name, unit]) => {
    return row(name, shown(held[resource]?.soft), shown(held[resource]?.hard), unit);
  });
  return row('Limit', 'Soft Limit', 'Hard Limit', 'Units') + rows.join('');
}
