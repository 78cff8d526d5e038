/** `info os`: tables about the emulated machine, with gdbserver's columns (nat/linux-osdata.c in gdb). */
import { FileTable } from '../emulator/kernel/file/file-table.js';
import type { Machine } from '../emulator/machine.js';
import type { Process } from '../emulator/process.js';
import type { OsData, OsTable } from '../rsp/target-abilities.js';
import { accountName, messageQueueTable, semaphoreTable, sharedMemoryTable, socketTable } from './os-objects.js';

interface TableRow {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  read(machine: Machine): OsTable;
}

/** All but the virtual root, in the order of their pids. */
function living({ processes, root }: Machine): Process[] {
  return [...processes.values()].filter((process) => process !== root).sort((a, b) => a.pid - b.pid);
}

function commandLine({ image, comm }: Process): string {
  const words = image.argv.map((word) => Buffer.from(word).toString());
  return words.length === 0 ? `[${comm}]` : words.join(' ');
}

function files(process: Process): readonly (readonly [number, string])[] {
  const table = process.files;
  if (!(table instanceof FileTable)) return [];
  return table.numbers().map((fd) => [fd, table.get(fd)?.name() ?? ''] as const);
}

const TABLES: readonly TableRow[] = [
  {
    name: 'cpus',
    title: 'CPUs',
    description: 'Listing of all cpus/cores on the system',
    read: () => ({ columns: ['processor'], rows: [['0']] }),
  },
  {
    name: 'files',
    title: 'File descriptors',
    description: 'Listing of all file descriptors',
    read: (machine) => ({
      columns: ['pid', 'command', 'file descriptor', 'name'],
      rows: living(machine).flatMap((process) => {
        return files(process).map(([fd, name]) => [`${process.pid}`, process.comm, `${fd}`, name]);
      }),
    }),
  },
  {
    name: 'modules',
    title: 'Kernel modules',
    description: 'Listing of all loaded kernel modules',
    read: () => ({ columns: ['name', 'size', 'num uses', 'dependencies', 'status', 'address'], rows: [] }),
  },
  {
    name: 'msg',
    title: 'Message queues',
    description: 'Listing of all message queues',
    read: messageQueueTable,
  },
  {
    name: 'processes',
    title: 'Processes',
    description: 'Listing of all processes',
    read: (machine) => ({
      columns: ['pid', 'user', 'command', 'cores'],
      rows: living(machine).map((process) => [
        `${process.pid}`,
        accountName(process.credentials.euid),
        commandLine(process),
        '0',
      ]),
    }),
  },
  {
    name: 'procgroups',
    title: 'Process groups',
    description: 'Listing of all process groups',
    read: (machine) => ({
      columns: ['pgid', 'leader command', 'pid', 'command line'],
      rows: living(machine)
        .sort((a, b) => a.pgid - b.pgid || a.pid - b.pid)
        .map((process) => {
          const leader = machine.processes.get(process.pgid);
          return [`${process.pgid}`, leader?.comm ?? '', `${process.pid}`, commandLine(process)];
        }),
    }),
  },
  {
    name: 'semaphores',
    title: 'Semaphores',
    description: 'Listing of all semaphores',
    read: semaphoreTable,
  },
  {
    name: 'shm',
    title: 'Shared-memory regions',
    description: 'Listing of all shared-memory regions',
    read: sharedMemoryTable,
  },
  {
    name: 'sockets',
    title: 'Internet-domain sockets',
    description: 'Listing of all internet-domain sockets',
    read: socketTable,
  },
  {
    name: 'threads',
    title: 'Threads',
    description: 'Listing of all threads',
    read: (machine) => ({
      columns: ['pid', 'command', 'tid', 'core'],
      rows: living(machine).flatMap((process) => {
        return [...process.threads.keys()].map((tid) => [`${process.pid}`, process.comm, `${tid}`, '0']);
      }),
    }),
  },
];

export function osData(machine: Machine): OsData {
  return {
    tables: TABLES.map(({ name, title, description }) => ({ name, title, description })),
    read: (name) => TABLES.find((table) => table.name === name)?.read(machine),
  };
}
