/** System V message queues: msgget(2), msgsnd(2), msgrcv(2), msgctl(2) (ipc/msg.c). */
import type { Machine } from '../machine.js';
import { E2BIG, EACCES, EAGAIN, EFAULT, EIDRM, EINVAL, ENOMSG, ENOSYS, EPERM, ERESTARTNOHAND } from './errno.js';
import { CAP, capable } from './identity-checks.js';
import { block, type SyscallContext, type SyscallResult, type SyscallRow } from './syscall-table.js';
import {
  IPC_INFO, IPC_NOWAIT, IPC_RMID, IPC_SET, IPC_STAT, type IpcObject, mayAccess, mayControl, ownedBy, PERM_BYTES, putPerm, takePerm,
} from './sysv-ipc.js'; // biome-ignore format: one list
import type { Blocked, WaitKey } from './wait.js';

const MSG_NOERROR = 0o10_000;
const MSG_EXCEPT = 0o20_000;
const MSG_COPY = 0o40_000;
/** Linux's defaults: MSGMAX, MSGMNB, MSGMNI. */
const MESSAGE_MAX = 8192;
const QUEUE_BYTES = 16_384;
const QUEUES_MAX = 32_000;

interface Message {
  readonly type: bigint;
  readonly text: Uint8Array;
}

export interface MessageQueue extends IpcObject {
  messages: Message[];
  bytes: number;
  limit: number;
  sent: number;
  received: number;
  changed: number;
  lastSender: number;
  lastReceiver: number;
  /** Woken when a message comes, goes, or the queue does. */
  readonly waitKey: WaitKey;
}

function msgget({ machine, process, args }: SyscallContext): number {
  const [key, flags] = args.map((arg) => arg | 0) as [number, number];
  return machine.messageQueues.get(
    process,
    key,
    flags,
    () => 0,
    (sequence) => ({
      ...ownedBy(process, key, flags, sequence),
      messages: [],
      bytes: 0,
      limit: QUEUE_BYTES,
      sent: 0,
      received: 0,
      changed: machine.clock.realtime.seconds,
      lastSender: 0,
      lastReceiver: 0,
      waitKey: machine.newWaitKey(),
    }),
  );
}

interface SendWait {
  readonly message: Message;
}

function msgsnd(context: SyscallContext): SyscallResult {
  const { memory, args } = context;
  const [, at, size] = args as [number, number, number];
  if (size < 0 || size > MESSAGE_MAX) return -EINVAL;
  const bytes = memory.readBytes(at, 8 + size);
  if (bytes === undefined) return -EFAULT;
  const type = new DataView(bytes.buffer, bytes.byteOffset).getBigInt64(0, true);
  if (type < 1n) return -EINVAL;
  return send(context, { type, text: bytes.slice(8) }, -EINVAL);
}

function send(context: SyscallContext, message: Message, gone: number): SyscallResult {
  const { machine, process, args } = context;
  const queue = machine.messageQueues.find((args[0] as number) | 0);
  if (typeof queue === 'number') return gone === -EINVAL ? queue : gone;
  if (!mayAccess(process, queue, 0o222)) return -EACCES;
  const full = queue.bytes + message.text.length > queue.limit || queue.messages.length + 1 > queue.limit;
  if (full) {
    if ((args[3] as number) & IPC_NOWAIT) return -EAGAIN;
    const progress: SendWait = { message };
    return block(context, { keys: [queue.waitKey], progress });
  }
  queue.messages.push(message);
  queue.bytes += message.text.length;
  queue.sent = machine.clock.realtime.seconds;
  queue.lastSender = process.pid;
  machine.wake(queue.waitKey);
  return 0;
}

function msgrcv(context: SyscallContext): SyscallResult {
  const [, , size, , flags] = context.args as [number, number, number, number, number];
  if (size < 0) return -EINVAL;
  // Peeking needs CONFIG_CHECKPOINT_RESTORE.
  if (flags & MSG_COPY) return -ENOSYS;
  return receive(context, -EINVAL);
}

function receive(context: SyscallContext, gone: number): SyscallResult {
  const { machine, process, memory, args } = context;
  const [id, at, size, type, flags] = args as [number, number, number, number, number];
  const queue = machine.messageQueues.find(id | 0);
  if (typeof queue === 'number') return gone === -EINVAL ? queue : gone;
  if (!mayAccess(process, queue, 0o444)) return -EACCES;
  const index = choose(queue.messages, type, flags);
  const message = queue.messages[index];
  if (message === undefined) {
    return flags & IPC_NOWAIT ? -ENOMSG : block(context, { keys: [queue.waitKey] });
  }
  if (message.text.length > size && !(flags & MSG_NOERROR)) return -E2BIG;
  const text = message.text.subarray(0, size);
  queue.messages.splice(index, 1);
  queue.bytes -= message.text.length;
  queue.received = machine.clock.realtime.seconds;
  queue.lastReceiver = process.pid;
  machine.wake(queue.waitKey);
  return memory.writeU64(at, message.type) && memory.writeBytes(at + 8, text) ? text.length : -EFAULT;
}

/** Type 0: the first; positive: the first of the type (or of any other); negative: the lowest type up to its magnitude. */
function choose(messages: readonly Message[], type: number, flags: number): number {
  if (type === 0) return messages.length > 0 ? 0 : -1;
  if (type > 0) {
    const except = (flags & MSG_EXCEPT) !== 0;
    return messages.findIndex((message) => (message.type === BigInt(type)) !== except);
  }
  let best = -1;
  for (const [i, message] of messages.entries()) {
    if (message.type <= BigInt(-type) && (best < 0 || message.type < (messages[best] as Message).type)) best = i;
  }
  return best;
}

const MSG_STAT = 11;
const MSG_INFO = 12;
const MSG_STAT_ANY = 13;

function msgctl(context: SyscallContext): number {
  const { machine, process, memory, args } = context;
  const [id, command, at] = args as [number, number, number];
  if ((command | 0) === IPC_INFO || (command | 0) === MSG_INFO)
    return writeInfo(context, at, (command | 0) === MSG_INFO);
  if ((command | 0) === MSG_STAT || (command | 0) === MSG_STAT_ANY) {
    const entry = machine.messageQueues.at(id | 0);
    if (entry === undefined) return -EINVAL;
    const result = status(context, entry.object, at, (command | 0) === MSG_STAT_ANY);
    return result === 0 ? entry.id : result;
  }
  const queue = machine.messageQueues.find(id | 0);
  if (typeof queue === 'number') return queue;
  if ((command | 0) === IPC_STAT) return status(context, queue, at, false);
  if ((command | 0) !== IPC_SET && (command | 0) !== IPC_RMID) return -EINVAL;
  const bytes = (command | 0) === IPC_SET ? memory.readBytes(at, 120) : new Uint8Array();
  if (bytes === undefined) return -EFAULT;
  const refused = mayControl(process, queue);
  if (refused !== 0) return refused;
  if ((command | 0) === IPC_RMID) {
    machine.messageQueues.remove(id | 0);
    machine.wake(queue.waitKey);
    return 0;
  }
  return set(machine, queue, new DataView(bytes.buffer, bytes.byteOffset), capable(process, CAP.SYS_RESOURCE));
}

function set(machine: Machine, queue: MessageQueue, view: DataView, privileged: boolean): number {
  const limit = Number(view.getBigUint64(PERM_BYTES + 40, true));
  if (limit > QUEUE_BYTES && !privileged) return -EPERM;
  takePerm(view, queue);
  queue.limit = limit;
  queue.changed = machine.clock.realtime.seconds;
  machine.wake(queue.waitKey);
  return 0;
}

/** struct msqid64_ds: 120 bytes. */
function status({ process, memory }: SyscallContext, queue: MessageQueue, at: number, anybody: boolean): number {
  if (!anybody && !mayAccess(process, queue, 0o444)) return -EACCES;
  const view = new DataView(new ArrayBuffer(120));
  putPerm(view, queue);
  const { sent, received, changed, bytes, messages, limit } = queue;
  [sent, received, changed, bytes, messages.length, limit].forEach((value, i) => {
    view.setBigInt64(PERM_BYTES + 8 * i, BigInt(value), true);
  });
  view.setInt32(PERM_BYTES + 48, queue.lastSender, true);
  view.setInt32(PERM_BYTES + 52, queue.lastReceiver, true);
  return memory.writeBytes(at, new Uint8Array(view.buffer)) ? 0 : -EFAULT;
}

/** struct msginfo: pool, map, max, mnb, mni, ssz, tql (ints), seg (short). MSG_INFO tells what is in use in pool, map and tql. */
function writeInfo({ machine, memory }: SyscallContext, at: number, inUse: boolean): number {
  const queues = machine.messageQueues;
  let count = 0;
  let bytes = 0;
  for (const { object } of queues.entries()) {
    count += object.messages.length;
    bytes += object.bytes;
  }
  const view = new DataView(new ArrayBuffer(32));
  const pool = inUse ? queues.size : Math.floor((QUEUES_MAX * QUEUE_BYTES) / 1024);
  const numbers = [
    pool,
    inUse ? count : QUEUE_BYTES,
    MESSAGE_MAX,
    QUEUE_BYTES,
    QUEUES_MAX,
    16,
    inUse ? bytes : QUEUE_BYTES,
  ];
  numbers.forEach((value, i) => {
    view.setInt32(4 * i, value, true);
  });
  view.setUint16(28, 0xffff, true);
  return memory.writeBytes(at, new Uint8Array(view.buffer)) ? Math.max(0, queues.highest) : -EFAULT;
}

const untilHandler = (): number => -ERESTARTNOHAND;

export const messageQueueSyscalls: readonly SyscallRow[] = [
  { nr: 68, name: 'msgget', run: msgget },
  {
    nr: 69,
    name: 'msgsnd',
    run: msgsnd,
    resume: (context: SyscallContext, { progress }: Blocked) => send(context, (progress as SendWait).message, -EIDRM),
    interrupt: untilHandler,
  },
  { nr: 70, name: 'msgrcv', run: msgrcv, resume: (context) => receive(context, -EIDRM), interrupt: untilHandler },
  { nr: 71, name: 'msgctl', run: msgctl },
];
