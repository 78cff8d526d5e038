/** Rows of `info os` about what processes share: System V objects and internet sockets, with gdbserver's columns (nat/linux-osdata.c in gdb). */
import { addressText } from '../emulator/host/inet-text.js';
import { FileTable } from '../emulator/kernel/file/file-table.js';
import { attachments } from '../emulator/kernel/mm/shm.js';
import { AF, SOCK } from '../emulator/kernel/socket/constants.js';
import { parseInet } from '../emulator/kernel/socket/inet-address.js';
import { Socket } from '../emulator/kernel/socket/socket.js';
import type { IpcObject } from '../emulator/kernel/sysv-ipc.js';
import type { Machine } from '../emulator/machine.js';
import type { OsTable } from '../rsp/target-abilities.js';
import type { Pid } from '../types.js';

/** Numbers are what the guest has: it has no user names beyond its own /etc/passwd. */
export function accountName(id: number): string {
  return id === 0 ? 'root' : `${id}`;
}

/** As ctime(3) in UTC, nothing for a moment that never was. */
function moment(seconds: number): string {
  if (seconds === 0) return '';
  // Thu, 01 Jan 1970 00:00:00 GMT
  const [weekday = '', day, month, year, time] = new Date(seconds * 1000).toUTCString().split(' ');
  return `${weekday.slice(0, 3)} ${month} ${String(Number(day)).padStart(2)} ${time} ${year}`;
}

function commandOf({ processes }: Machine, pid: number): string {
  return processes.get(pid as Pid)?.comm ?? '';
}

interface Column<Item> {
  readonly name: string;
  readonly text: (item: Item, machine: Machine) => string;
}

function table<Item>(machine: Machine, columns: readonly Column<Item>[], items: Iterable<Item>): OsTable {
  const rows = [...items].map((item) => columns.map(({ text }) => text(item, machine)));
  return { columns: columns.map(({ name }) => name), rows };
}

interface Identified<Kind extends IpcObject> {
  readonly id: number;
  readonly object: Kind;
}

function identity<Kind extends IpcObject>(idName: string): readonly Column<Identified<Kind>>[] {
  return [
    { name: 'key', text: ({ object }) => `${object.key | 0}` },
    { name: idName, text: ({ id }) => `${id}` },
    { name: 'permissions', text: ({ object }) => object.mode.toString(8) },
  ];
}

const OWNERS: readonly Column<Identified<IpcObject>>[] = [
  { name: 'user', text: ({ object }) => accountName(object.uid) },
  { name: 'group', text: ({ object }) => accountName(object.gid) },
  { name: 'creator user', text: ({ object }) => accountName(object.creatorUid) },
  { name: 'creator group', text: ({ object }) => accountName(object.creatorGid) },
];

export function sharedMemoryTable(machine: Machine): OsTable {
  type Segment = NonNullable<ReturnType<Machine['sharedMemory']['at']>>;
  const columns: readonly Column<Segment>[] = [
    ...identity('shmid'),
    { name: 'size', text: ({ object }) => `${object.size}` },
    { name: 'creator command', text: ({ object }) => commandOf(machine, object.creator) },
    { name: 'last op. command', text: ({ object }) => commandOf(machine, object.lastUser) },
    { name: 'num attached', text: ({ object }) => `${attachments(machine, object)}` },
    ...OWNERS,
    { name: 'last shmat() time', text: ({ object }) => moment(object.attached) },
    { name: 'last shmdt() time', text: ({ object }) => moment(object.detached) },
    { name: 'last shmctl() time', text: ({ object }) => moment(object.changed) },
  ];
  return table(machine, columns, machine.sharedMemory.entries());
}

export function semaphoreTable(machine: Machine): OsTable {
  type Set = NonNullable<ReturnType<Machine['semaphores']['sets']['at']>>;
  const columns: readonly Column<Set>[] = [
    ...identity('semid'),
    { name: 'num semaphores', text: ({ object }) => `${object.values.length}` },
    ...OWNERS,
    { name: 'last semop() time', text: ({ object }) => moment(object.operated) },
    { name: 'last semctl() time', text: ({ object }) => moment(object.changed) },
  ];
  return table(machine, columns, machine.semaphores.sets.entries());
}

export function messageQueueTable(machine: Machine): OsTable {
  type Queue = NonNullable<ReturnType<Machine['messageQueues']['at']>>;
  const columns: readonly Column<Queue>[] = [
    ...identity('msqid'),
    { name: 'num used bytes', text: ({ object }) => `${object.bytes}` },
    { name: 'num messages', text: ({ object }) => `${object.messages.length}` },
    { name: 'last msgsnd() command', text: ({ object }) => commandOf(machine, object.lastSender) },
    { name: 'last msgrcv() command', text: ({ object }) => commandOf(machine, object.lastReceiver) },
    ...OWNERS,
    { name: 'last msgsnd() time', text: ({ object }) => moment(object.sent) },
    { name: 'last msgrcv() time', text: ({ object }) => moment(object.received) },
    { name: 'last msgctl() time', text: ({ object }) => moment(object.changed) },
  ];
  return table(machine, columns, machine.messageQueues.entries());
}

interface SocketEntry {
  readonly local: readonly [host: string, port: number];
  readonly remote: readonly [host: string, port: number];
  readonly state: string;
  readonly user: string;
  readonly family: 'INET' | 'INET6';
  readonly protocol: 'STREAM' | 'DGRAM';
}

const SOCKET_COLUMNS: readonly Column<SocketEntry>[] = [
  { name: 'local address', text: ({ local }) => local[0] },
  { name: 'local port', text: ({ local }) => `${local[1]}` },
  { name: 'remote address', text: ({ remote }) => remote[0] },
  { name: 'remote port', text: ({ remote }) => `${remote[1]}` },
  { name: 'state', text: ({ state }) => state },
  { name: 'user', text: ({ user }) => user },
  { name: 'family', text: ({ family }) => family },
  { name: 'protocol', text: ({ protocol }) => protocol },
];

/** With `::` for the longest run of zeros. */
function shortened(ipv6: string): string {
  return new URL(`http://[${ipv6}]`).hostname.slice(1, -1);
}

/** Streams that listen or are connected, datagram sockets that have a port: what /proc/net shows. */
function entryOf(socket: Socket, user: string): SocketEntry | undefined {
  const { domain, type } = socket;
  if (domain !== AF.INET && domain !== AF.INET6) return undefined;
  const end = (name: Uint8Array | number): readonly [string, number] => {
    const address = typeof name === 'number' ? undefined : parseInet(domain, name);
    if (address === undefined || typeof address === 'number') return [domain === AF.INET ? '0.0.0.0' : '::', 0];
    const text = addressText(address);
    return [domain === AF.INET ? text : shortened(text), address.port];
  };
  const peer = socket.peerName();
  const local = end(socket.localName());
  const stream = type === SOCK.STREAM;
  const connected = typeof peer !== 'number';
  if (stream ? !connected && !socket.isListening : local[1] === 0) return undefined;
  const unconnected = stream ? 'LISTEN' : 'CLOSE';
  return {
    local,
    remote: end(peer),
    state: connected ? 'ESTABLISHED' : unconnected,
    user,
    family: domain === AF.INET ? 'INET' : 'INET6',
    protocol: stream ? 'STREAM' : 'DGRAM',
  };
}

export function socketTable(machine: Machine): OsTable {
  const entries = new Map<Socket, SocketEntry>();
  for (const { files, credentials } of machine.processes.values()) {
    if (!(files instanceof FileTable)) continue;
    for (const fd of files.numbers()) {
      const file = files.get(fd);
      const entry = file instanceof Socket && !entries.has(file) && entryOf(file, accountName(credentials.euid));
      if (entry) entries.set(file as Socket, entry);
    }
  }
  return table(machine, SOCKET_COLUMNS, entries.values());
}
