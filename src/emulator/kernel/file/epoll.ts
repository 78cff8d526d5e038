/** epoll_create(2), epoll_ctl(2), epoll_wait(2) and their newer forms (fs/eventpoll.c). */
import { EBADF, EEXIST, EFAULT, EINTR, EINVAL, ELOOP, ENOENT, EPERM } from '../errno.js';
import { block, type SyscallContext, type SyscallResult, type SyscallRow } from '../syscall-table.js';
import type { Blocked } from '../wait.js';
import { fileAt } from './descriptors.js';
import { EPOLL, EpollFile, EpollInterest } from './epoll-file.js';
import { install } from './file-table.js';
import { O, type OpenFile, POLL } from './open-file.js';
import { isOver, type Limit, millisecondLimit, takeMask, timespecLimit } from './poll-wait.js';

const CTL = { ADD: 1, DEL: 2, MOD: 3 } as const;
/** sizeof(struct epoll_event), packed on x86-64: events, data. */
const EVENT = 12;
const EVENTS_MAX = Math.floor(0x7fff_ffff / EVENT);
/** What may go with EPOLLEXCLUSIVE. */
const EXCLUSIVE_OK =
  POLL.IN | POLL.OUT | POLL.RDNORM | POLL.WRNORM | POLL.ERR | POLL.HUP | EPOLL.WAKEUP | EPOLL.ET | EPOLL.EXCLUSIVE;
/** EP_MAX_NESTS. */
const NESTS_MAX = 4;
const ALWAYS = POLL.ERR | POLL.HUP;

function create({ machine, process }: SyscallContext, flags: number): number {
  if (flags & ~O.CLOEXEC) return -EINVAL;
  return install(process, new EpollFile(machine), (flags & O.CLOEXEC) !== 0);
}

interface Wanted {
  readonly events: number;
  readonly data: bigint;
}

function readEvent({ memory }: SyscallContext, at: number): Wanted | undefined {
  const bytes = memory.readBytes(at, EVENT);
  if (bytes === undefined) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, EVENT);
  return { events: view.getInt32(0, true), data: view.getBigUint64(4, true) };
}

function control(context: SyscallContext): number {
  const operation = (context.args[1] as number) | 0;
  const event = operation === CTL.DEL ? { events: 0, data: 0n } : readEvent(context, context.args[3] as number);
  if (event === undefined) return -EFAULT;
  const epoll = fileAt(context, 0);
  const file = fileAt(context, 2);
  if (epoll === undefined || file === undefined) return -EBADF;
  if (file.pollKeys(context.thread).length === 0) return -EPERM;
  if (epoll === file || !(epoll instanceof EpollFile)) return -EINVAL;
  const exclusive = (event.events & EPOLL.EXCLUSIVE) !== 0;
  if (exclusive && (operation === CTL.MOD || file instanceof EpollFile || event.events & ~EXCLUSIVE_OK)) return -EINVAL;
  switch (operation) {
    case CTL.ADD:
      return add(context, epoll, file, event);
    case CTL.MOD:
      return modify(context, epoll, file, event);
    case CTL.DEL:
      return remove(context, epoll, file);
    default:
      return -EINVAL;
  }
}

function add({ machine, thread, args }: SyscallContext, epoll: EpollFile, file: OpenFile, event: Wanted): number {
  const fd = (args[2] as number) | 0;
  if (file instanceof EpollFile && (reaches(file, epoll) || depth(file) > NESTS_MAX)) return -ELOOP;
  if (epoll.find(fd, file) !== undefined) return -EEXIST;
  epoll.add(new EpollInterest(machine, epoll, fd, file, event.events | ALWAYS, event.data), thread);
  return 0;
}

function reaches(from: EpollFile, to: EpollFile): boolean {
  return from.interestsNow.some(({ file }) => file === to || (file instanceof EpollFile && reaches(file, to)));
}

/** Epoll instances one inside the other, this one counted. */
function depth(epoll: EpollFile): number {
  const inner = epoll.interestsNow.map(({ file }) => (file instanceof EpollFile ? depth(file) : 0));
  return 1 + Math.max(0, ...inner);
}

function modify({ thread, args }: SyscallContext, epoll: EpollFile, file: OpenFile, event: Wanted): number {
  const interest = epoll.find((args[2] as number) | 0, file);
  if (interest === undefined) return -ENOENT;
  if (interest.exclusive) return -EINVAL;
  interest.events = event.events | ALWAYS;
  interest.data = event.data;
  epoll.reconsider(interest, thread);
  return 0;
}

function remove({ args }: SyscallContext, epoll: EpollFile, file: OpenFile): number {
  const interest = epoll.find((args[2] as number) | 0, file);
  if (interest === undefined) return -ENOENT;
  epoll.remove(interest);
  return 0;
}

interface EpollWait {
  readonly epoll: EpollFile;
  readonly limit: Limit;
}

function wait(context: SyscallContext, limit: Limit): SyscallResult {
  const { args } = context;
  const most = (args[2] as number) | 0;
  if (most <= 0 || most > EVENTS_MAX) return -EINVAL;
  const epoll = fileAt(context);
  if (epoll === undefined) return -EBADF;
  if (!(epoll instanceof EpollFile)) return -EINVAL;
  const result = look(context, { epoll, limit });
  if (typeof result === 'object') epoll.retain();
  return result;
}

function look(context: SyscallContext, progress: EpollWait): SyscallResult {
  const { memory, thread, args } = context;
  const { epoll, limit } = progress;
  const [, at, most] = args as [number, number, number];
  let count = 0;
  let failed = false;
  epoll.collect(thread, most | 0, ({ data }, events) => {
    const written = memory.writeBytes(at + EVENT * count, record(events, data));
    if (written) count++;
    else failed = true;
    return written;
  });
  if (count > 0) return count;
  if (failed) return -EFAULT;
  return isOver(context, limit) ? 0 : block(context, { keys: [epoll.key], deadline: limit.deadline, progress });
}

function record(events: number, data: bigint): Uint8Array {
  const view = new DataView(new ArrayBuffer(EVENT));
  view.setUint32(0, events, true);
  view.setBigUint64(4, data, true);
  return new Uint8Array(view.buffer);
}

function epollWait(context: SyscallContext): SyscallResult {
  return wait(context, millisecondLimit(context, (context.args[3] as number) | 0));
}

function masked(context: SyscallContext, limit: Limit | number): SyscallResult {
  if (typeof limit === 'number') return limit;
  const taken = takeMask(context, context.args[4] as number, context.args[5] as number);
  return taken === 0 ? wait(context, limit) : taken;
}

/** The sleep holds a reference to the instance: another thread may close its descriptor. */
const sleeping = {
  resume(context: SyscallContext, { progress }: Blocked): SyscallResult {
    const result = look(context, progress as EpollWait);
    if (typeof result !== 'object') (progress as EpollWait).epoll.release();
    return result;
  },
  interrupt: (): number => -EINTR,
  abandon: (_context: SyscallContext, { progress }: Blocked): void => (progress as EpollWait).epoll.release(),
};

export const epollSyscalls: readonly SyscallRow[] = [
  {
    nr: 213,
    name: 'epoll_create',
    run: (context) => (((context.args[0] as number) | 0) > 0 ? create(context, 0) : -EINVAL),
  },
  { nr: 232, name: 'epoll_wait', run: epollWait, ...sleeping },
  { nr: 233, name: 'epoll_ctl', run: control },
  {
    nr: 281,
    name: 'epoll_pwait',
    run: (context) => masked(context, millisecondLimit(context, (context.args[3] as number) | 0)),
    ...sleeping,
  },
  { nr: 291, name: 'epoll_create1', run: (context) => create(context, (context.args[0] as number) | 0) },
  {
    nr: 441,
    name: 'epoll_pwait2',
    run: (context) => masked(context, timespecLimit(context, context.args[3] as number)),
    ...sleeping,
  },
];
