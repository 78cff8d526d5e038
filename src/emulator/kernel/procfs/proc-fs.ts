/** /proc of the guest: its processes and its machine (fs/proc/). */
import type { Pid, Tid } from '../../../types.js';
import type { Machine } from '../../machine.js';
import type { Process } from '../../process.js';
import { ENOENT } from '../errno.js';
import { type DirectoryNode, SyntheticFileSystem, type SyntheticNode } from '../file/synthetic-fs.js';
import { cpuinfo, filesystems, kernelStat, loadavg, meminfo, uptime, version, vmstat } from './machine-facts.js';
import { processNode, selfLink } from './process-node.js';
import type { Task } from './process-status.js';
import { sysctl } from './sysctl.js';
import { text } from './text.js';

const PROC_MAGIC = 0x9fa0;
const PROC_DEVICE = 21;

type Entry = (machine: Machine, viewer: Process) => SyntheticNode;

const ENTRIES: Readonly<Record<string, Entry>> = {
  cmdline: () => text(() => '\n'),
  cpuinfo: (machine) => text(() => cpuinfo(machine)),
  filesystems: (machine) => text(() => filesystems(machine)),
  loadavg: (machine) => text(() => loadavg(machine)),
  meminfo: (machine) => text(() => meminfo(machine)),
  mounts: () => selfLink('self/mounts'),
  self: (_machine, viewer) => selfLink(String(viewer.pid)),
  stat: (machine) => text(() => kernelStat(machine)),
  swaps: () => text(() => 'Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n'),
  sys: sysctl,
  'thread-self': (machine, viewer) => selfLink(`${viewer.pid}/task/${machine.currentTid(viewer)}`),
  uptime: (machine) => text(() => uptime(machine)),
  vmstat: (machine) => text(() => vmstat(machine)),
  version: () => text(version),
};

/** The processes that a guest sees: all but the virtual root's own parent, which there is none of. */
function root(machine: Machine, viewer: Process): DirectoryNode {
  return {
    kind: 'directory',
    names: () => [...Object.keys(ENTRIES), ...pids(machine)],
    child(name) {
      const entry = Object.hasOwn(ENTRIES, name) ? ENTRIES[name] : undefined;
      if (entry !== undefined) return entry(machine, viewer);
      const task = /^[1-9]\d*$/.test(name) ? taskOf(machine, Number(name)) : undefined;
      return task === undefined ? undefined : processNode(machine, task, viewer);
    },
  };
}

function pids({ processes }: Machine): string[] {
  return [...processes.keys()].sort((a, b) => a - b).map(String);
}

/** A thread's number works too, and shows that thread, though no directory lists it (proc_pid_lookup). */
function taskOf(machine: Machine, id: number): Task | undefined {
  const process = machine.processes.get(id as Pid);
  if (process !== undefined) return { process, thread: process.leader };
  const thread = machine.threads.get(id as Tid);
  return thread && { process: thread.process, thread };
}

export function procFileSystem(machine: Machine): SyntheticFileSystem {
  const identity = { type: 'proc', magic: PROC_MAGIC, device: PROC_DEVICE, ioSize: 1024, creationError: -ENOENT };
  return new SyntheticFileSystem(machine, identity, (viewer) => root(machine, viewer));
}
