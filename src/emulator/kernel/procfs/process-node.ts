/** The directory of a process, or of one of its threads, in /proc (fs/proc/base.c, fd.c). */

import type { Tid } from '../../../types.js';
import { pathText } from '../../host/path-text.js';
import type { Machine } from '../../machine.js';
import type { Process } from '../../process.js';
import { EACCES, EINVAL, ENOENT } from '../errno.js';
import { shownPath } from '../file/directory-calls.js';
import { FileTable } from '../file/file-table.js';
import { O, type OpenFile } from '../file/open-file.js';
import { S } from '../file/stat.js';
import type { DirectoryNode, LinkNode, SyntheticNode, TextNode } from '../file/synthetic-fs.js';
import { mayInspect } from '../identity-checks.js';
import { maps, smaps, smapsRollup, spaceOf, statm } from './memory-map.js';
import { mountinfo, mounts } from './mount-list.js';
import { ProcessMemory } from './process-memory.js';
import { limits, stat, status, type Task } from './process-status.js';
import { secret, text } from './text.js';

const COMM_BYTES = 15;
/** MMF_DUMP_FILTER_MASK: nine kinds. */
const COREDUMP_FILTER_MASK = 0x1ff;
const UNSET_ID = '4294967295';
const LINK_BYTES = 64;

interface Looked extends Task {
  readonly machine: Machine;
  readonly viewer: Process;
}

type Entry = (looked: Looked) => SyntheticNode;

/** Memory of the process between two addresses; what it was started with when it has none. */
function memoryBetween(
  { process }: Looked,
  mark: 'arguments' | 'environment',
  otherwise: readonly Uint8Array[],
): Uint8Array {
  const space = spaceOf(process);
  if (space === undefined) return process.isZombie ? new Uint8Array() : joined(otherwise);
  const [from, to] = space.marks[mark];
  const bytes = new Uint8Array(Math.max(0, to - from));
  return bytes.subarray(0, space.peek(from, bytes));
}

/** Strings with a NUL behind each. */
function joined(strings: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(strings.reduce((sum, { length }) => sum + length + 1, 0));
  let at = 0;
  for (const string of strings) {
    bytes.set(string, at);
    at += string.length + 1;
  }
  return bytes;
}

function auxv({ image }: Process): Uint8Array {
  return new Uint8Array(BigUint64Array.from(image.auxv.flatMap(([type, value]) => [BigInt(type), value])).buffer);
}

/** The name of the thread; the process itself may change it. */
function comm({ process, thread, viewer }: Looked): TextNode {
  return {
    kind: 'text',
    mode: 0o644,
    read: () => `${thread?.name ?? process.comm}\n`,
    write(bytes) {
      if (viewer !== process || thread === undefined) return -EINVAL;
      const newline = bytes.indexOf(10);
      const name = newline < 0 ? bytes : bytes.subarray(0, newline);
      thread.name = String.fromCharCode(...name.subarray(0, COMM_BYTES));
      return bytes.length;
    },
  };
}

function oomScoreAdj({ process }: Looked): TextNode {
  return {
    kind: 'text',
    mode: 0o644,
    read: () => `${process.oomScoreAdjustment}\n`,
    write(bytes) {
      const value = Number(pathText(bytes).trim());
      if (!Number.isInteger(value) || Math.abs(value) > 1000) return -EINVAL;
      if (value < process.oomScoreAdjustment && process.credentials.euid !== 0) return -EACCES;
      process.oomScoreAdjustment = value;
      return bytes.length;
    },
  };
}

/** Which mappings a core file has (mmap kinds, core(5)): debuggers that write one ask for it. */
function coredumpFilter({ process }: Looked): TextNode {
  return {
    kind: 'text',
    mode: 0o644,
    read: () => (process.isZombie ? '' : `${process.coredumpFilter.toString(16).padStart(8, '0')}\n`),
    write(bytes) {
      const word = pathText(bytes).trim();
      // kstrtouint knows octal by a leading 0.
      const value = /^0[0-7]+$/.test(word)
        ? Number.parseInt(word, 8)
        : /^(0x[\da-f]+|\d+)$/i.test(word)
          ? Number(word)
          : -1;
      if (value < 0 || value > 0xffff_ffff) return -EINVAL;
      process.coredumpFilter = value & COREDUMP_FILTER_MASK;
      return bytes.length;
    },
  };
}

/** A link that leads to a place; those who may not inspect the process cannot follow or read it. */
function placeLink({ viewer, process }: Looked, place: string): LinkNode {
  if (!mayInspect(viewer, process)) return { kind: 'link', target: -EACCES, jump: -EACCES };
  if (place === '' || process.isZombie) return { kind: 'link', target: -ENOENT, jump: -ENOENT };
  return { kind: 'link', target: shownPath(place, viewer.fs.root), jump: place };
}

function tableOf({ process }: Looked): FileTable | undefined {
  return process.files instanceof FileTable && !process.isZombie ? process.files : undefined;
}

/** fd and fdinfo: an entry for each descriptor. */
function descriptors(
  looked: Looked,
  mode: number,
  entry: (file: OpenFile, fd: number) => SyntheticNode,
): DirectoryNode {
  const may = mayInspect(looked.viewer, looked.process);
  return {
    kind: 'directory',
    mode,
    owner: ownerOf(looked.process),
    names: () => (may ? (tableOf(looked)?.numbers() ?? []).map(String) : []),
    child(name) {
      const file = may && /^(0|[1-9]\d*)$/.test(name) ? tableOf(looked)?.get(Number(name)) : undefined;
      return file === undefined ? undefined : entry(file, Number(name));
    },
  };
}

function descriptorLink({ viewer, process }: Looked, file: OpenFile): LinkNode {
  const name = file.name();
  const target = file.path === undefined ? name : shownPath(name, viewer.fs.root);
  const mode = (file.readable ? 0o500 : 0) | (file.writable ? 0o300 : 0);
  return {
    kind: 'link',
    mode,
    owner: ownerOf(process),
    size: LINK_BYTES,
    target,
    jump: file.isNameless || file.path === undefined ? file : file.path,
  };
}

function descriptorInfo({ machine, process }: Looked, file: OpenFile, fd: number): TextNode {
  return text(() => {
    const closeOnExec = tableOf({ machine, process, thread: undefined, viewer: process })?.descriptor(fd)?.closeOnExec;
    const flags = file.flags | (closeOnExec === true ? O.CLOEXEC : 0);
    const mount = file.path === undefined ? 0 : machine.mounts.find(file.path).id;
    const stat = file.stat();
    const inode = typeof stat === 'object' ? stat.inode : 0;
    return `pos:\t${file.offset}\nflags:\t0${flags.toString(8)}\nmnt_id:\t${mount}\nino:\t${inode}\n${file.details()}`;
  });
}

function ioCounts({ process: { io } }: Looked): string {
  const rows = [
    ['rchar', io.read],
    ['wchar', io.written],
    ['syscr', io.reads],
    ['syscw', io.writes],
    ['read_bytes', 0],
    ['write_bytes', 0],
    ['cancelled_write_bytes', 0],
  ];
  return rows.map(([name, count]) => `${name}: ${count}\n`).join('');
}

/** Entries that a process's directory and those of its threads have. */
const COMMON: Readonly<Record<string, Entry>> = {
  auxv: (looked) => secret(looked.viewer, looked.process, () => auxv(looked.process)),
  cgroup: () => text(() => '0::/\n'),
  cmdline: (looked) => text(() => memoryBetween(looked, 'arguments', looked.process.image.argv)),
  comm,
  cwd: (looked) => placeLink(looked, looked.process.fs.cwd),
  environ: (looked) =>
    secret(looked.viewer, looked.process, () => memoryBetween(looked, 'environment', looked.process.image.environ)),
  exe: (looked) => placeLink(looked, looked.process.image.exe),
  fd: (looked) => descriptors(looked, 0o500, (file) => descriptorLink(looked, file)),
  fdinfo: (looked) => descriptors(looked, 0o555, (file, fd) => descriptorInfo(looked, file, fd)),
  io: (looked) => secret(looked.viewer, looked.process, () => ioCounts(looked)),
  limits: ({ process }) => text(() => limits(process)),
  loginuid: () => text(() => UNSET_ID),
  maps: (looked) => secret(looked.viewer, looked.process, () => ofSpace(looked, maps), 0o444),
  mem: ({ process, viewer }) => ({
    kind: 'special',
    type: S.IFREG,
    mode: 0o600,
    owner: ownerOf(process),
    open: (opener, flags, path) =>
      mayInspect(viewer, process) ? new ProcessMemory(opener.machine, flags, path, process, opener.process) : -EACCES,
  }),
  mountinfo: ({ machine, process }) => text(() => mountinfo(machine, process)),
  mounts: ({ machine, process }) => text(() => mounts(machine, process)),
  oom_score: () => text(() => '0\n'),
  oom_score_adj: oomScoreAdj,
  personality: (looked) =>
    secret(looked.viewer, looked.process, () => `${looked.process.personality.toString(16).padStart(8, '0')}\n`),
  root: (looked) => placeLink(looked, looked.process.fs.root),
  sessionid: () => text(() => UNSET_ID),
  smaps: (looked) => secret(looked.viewer, looked.process, () => ofSpace(looked, smaps), 0o444),
  smaps_rollup: (looked) => secret(looked.viewer, looked.process, () => ofSpace(looked, smapsRollup), 0o444),
  stat: (looked) => text(() => stat(looked.machine, looked)),
  statm: (looked) => text(() => ofSpace(looked, statm) || '0 0 0 0 0 0 0\n'),
  status: (looked) => text(() => status(looked.machine, looked)),
  wchan: () => text(() => '0'),
};

function ofSpace({ process }: Looked, tell: (space: NonNullable<ReturnType<typeof spaceOf>>) => string): string {
  const space = spaceOf(process);
  return space === undefined ? '' : tell(space);
}

/** Files of a process that does not dump core, after setuid, belong to root (task_dump_owner). */
function ownerOf({ credentials: { euid, egid }, dumpable }: Process): { readonly uid: number; readonly gid: number } {
  return dumpable === 1 ? { uid: euid, gid: egid } : { uid: 0, gid: 0 };
}

function directory(looked: Looked, entries: Readonly<Record<string, Entry>>): DirectoryNode {
  const owner = ownerOf(looked.process);
  return {
    kind: 'directory',
    owner,
    names: () => Object.keys(entries),
    child(name) {
      const entry = Object.hasOwn(entries, name) ? entries[name] : undefined;
      return entry === undefined ? undefined : { owner, ...entry(looked) };
    },
  };
}

/** /proc/PID. */
export function processNode(machine: Machine, { process, thread }: Task, viewer: Process): DirectoryNode {
  const looked = { machine, process, thread, viewer };
  const task: Entry = () => ({
    kind: 'directory',
    names: () => [...process.threads.keys()].map(String),
    child(name) {
      const thread = /^[1-9]\d*$/.test(name) ? process.threads.get(Number(name) as Tid) : undefined;
      return thread === undefined ? undefined : directory({ ...looked, thread }, COMMON);
    },
  });
  return directory(looked, { ...COMMON, coredump_filter: coredumpFilter, task });
}

/** A name in /proc/self and /proc/thread-self. */
export function selfLink(target: string): LinkNode {
  return { kind: 'link', target };
}
