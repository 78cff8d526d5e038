/** inotify_init1(2), inotify_add_watch(2), inotify_rm_watch(2) (fs/notify/inotify/). */
import { pathBytes } from '../../host/path-text.js';
import type { Machine } from '../../machine.js';
import type { Thread } from '../../thread.js';
import { EACCES, EBADF, EEXIST, EFAULT, EINVAL, ENOENT, ENOTDIR } from '../errno.js';
import type { SyscallContext, SyscallResult, SyscallRow } from '../syscall-table.js';
import type { WaitKey } from '../wait.js';
import { AnonymousFile } from './anonymous.js';
import { fileAt } from './descriptors.js';
import { install } from './file-table.js';
import { IN, type InodeWatch, identityOf } from './inotify-table.js';
import { type IoResult, O, POLL, WAIT } from './open-file.js';
import { AT, locateAt } from './path-walk.js';
import { MAY, mayUse } from './permission.js';
import { isDirectory } from './stat.js';

/** fs.inotify.max_queued_events. */
const QUEUE_MAX = 16_384;
/** sizeof(struct inotify_event) without the name. */
const HEADER = 16;
const FIONREAD = 0x541b;

interface Event {
  readonly wd: number;
  readonly mask: number;
  readonly cookie: number;
  readonly name: Uint8Array;
}

/** One watch descriptor of one instance. */
class Watch implements InodeWatch {
  constructor(
    private readonly file: InotifyFile,
    readonly wd: number,
    readonly identity: string,
    public mask: number,
  ) {}

  told(mask: number, cookie: number, name: string): void {
    this.file.queue({ wd: this.wd, mask, cookie, name: pathBytes(name) });
    if (this.mask & IN.ONESHOT) this.ended();
  }

  ended(): void {
    this.file.drop(this);
  }
}

/** A name takes its NUL, and a multiple of the header's size. */
function sizeOf({ name }: Event): number {
  return HEADER + (name.length === 0 ? 0 : Math.ceil((name.length + 1) / HEADER) * HEADER);
}

class InotifyFile extends AnonymousFile {
  private events: Event[] = [];
  private readonly watches = new Map<number, Watch>();
  private nextWd = 1;

  constructor(machine: Machine, flags: number) {
    super(machine, flags, 'inotify');
    this.flags = flags;
  }

  /** Equal ones in a row are one; beyond the limit one event says that others are lost. */
  queue(event: Event): void {
    const last = this.events.at(-1);
    if (last !== undefined && isSame(last, event)) return;
    if (this.events.length === QUEUE_MAX) event = { wd: -1, mask: IN.Q_OVERFLOW, cookie: 0, name: new Uint8Array() };
    if (this.events.length > QUEUE_MAX) return;
    this.events.push(event);
    this.changed(POLL.IN | POLL.RDNORM);
  }

  /** The watch is over; its reader is told. */
  drop(watch: Watch): void {
    if (!this.watches.delete(watch.wd)) return;
    this.machine.inotify.remove(watch.identity, watch);
    this.queue({ wd: watch.wd, mask: IN.IGNORED, cookie: 0, name: new Uint8Array() });
  }

  /** The descriptor of the watch, a new one or one that there was; -EEXIST. */
  watch(identity: string, mask: number): number {
    const kept = mask & (IN.ALL | IN.EXCL_UNLINK | IN.ONESHOT);
    const old = [...this.watches.values()].find((watch) => watch.identity === identity);
    if (old !== undefined) {
      if (mask & IN.MASK_CREATE) return -EEXIST;
      old.mask = mask & IN.MASK_ADD ? old.mask | kept : kept;
      return old.wd;
    }
    const watch = new Watch(this, this.nextWd++, identity, kept);
    this.watches.set(watch.wd, watch);
    this.machine.inotify.add(identity, watch);
    return watch.wd;
  }

  unwatch(wd: number): number {
    const watch = this.watches.get(wd);
    if (watch === undefined) return -EINVAL;
    this.drop(watch);
    return 0;
  }

  override read(into: Uint8Array): IoResult {
    const first = this.events[0];
    if (first === undefined) return WAIT;
    if (sizeOf(first) > into.length) return -EINVAL;
    let done = 0;
    for (let next = this.events[0]; next !== undefined && done + sizeOf(next) <= into.length; next = this.events[0]) {
      encode(next, into.subarray(done, done + sizeOf(next)));
      done += sizeOf(next);
      this.events.shift();
    }
    return done;
  }

  override poll(_asker: Thread): number {
    return this.events.length > 0 ? POLL.IN | POLL.RDNORM : 0;
  }

  override pollKeys(_asker: Thread): readonly WaitKey[] {
    return [this.key];
  }

  override ioctl(context: SyscallContext, request: number, argument: number): SyscallResult {
    if (request !== FIONREAD) return super.ioctl(context, request, argument);
    const bytes = this.events.reduce((sum, event) => sum + sizeOf(event), 0);
    return context.memory.writeU32(argument, bytes) ? 0 : -EFAULT;
  }

  protected override closed(): void {
    for (const watch of this.watches.values()) this.machine.inotify.remove(watch.identity, watch);
    this.watches.clear();
  }
}

function isSame(a: Event, b: Event): boolean {
  const sameName = a.name.length === b.name.length && a.name.every((byte, i) => byte === b.name[i]);
  return a.wd === b.wd && a.mask === b.mask && a.cookie === b.cookie && sameName;
}

/** struct inotify_event: wd, mask, cookie, length of the name, name. */
function encode({ wd, mask, cookie, name }: Event, into: Uint8Array): void {
  const view = new DataView(into.buffer, into.byteOffset, into.length);
  view.setInt32(0, wd, true);
  view.setUint32(4, mask, true);
  view.setUint32(8, cookie, true);
  view.setUint32(12, into.length - HEADER, true);
  into.fill(0, HEADER);
  into.set(name, HEADER);
}

function init({ machine, process }: SyscallContext, flags: number): number {
  if (flags & ~(O.CLOEXEC | O.NONBLOCK)) return -EINVAL;
  return install(process, new InotifyFile(machine, flags & O.NONBLOCK), (flags & O.CLOEXEC) !== 0);
}

function addWatch(context: SyscallContext): number {
  const { machine, process, args } = context;
  const [, path, maskArgument] = args as [number, number, number];
  const mask = maskArgument | 0;
  if (!(mask & (IN.ALL | IN.ISDIR | IN.EXCL_UNLINK | IN.ONESHOT)) || !(mask & IN.ALL)) return -EINVAL;
  if (mask & IN.MASK_ADD && mask & IN.MASK_CREATE) return -EINVAL;
  const file = fileAt(context);
  if (file === undefined) return -EBADF;
  if (!(file instanceof InotifyFile)) return -EINVAL;
  const found = locateAt(context, AT.FDCWD, path, 0, { follow: !(mask & IN.DONT_FOLLOW) });
  if (typeof found === 'number') return found;
  if (found.stat === undefined) return -ENOENT;
  if (mask & IN.ONLYDIR && !isDirectory(found.stat)) return -ENOTDIR;
  if (!mayUse(machine, process, found.stat, MAY.READ)) return -EACCES;
  return file.watch(identityOf(found.stat), mask);
}

function removeWatch(context: SyscallContext): number {
  const file = fileAt(context);
  if (file === undefined) return -EBADF;
  return file instanceof InotifyFile ? file.unwatch((context.args[1] as number) | 0) : -EINVAL;
}

export const inotifySyscalls: readonly SyscallRow[] = [
  { nr: 253, name: 'inotify_init', run: (context) => init(context, 0) },
  { nr: 254, name: 'inotify_add_watch', run: addWatch },
  { nr: 255, name: 'inotify_rm_watch', run: removeWatch },
  { nr: 294, name: 'inotify_init1', run: (context) => init(context, (context.args[0] as number) | 0) },
];
