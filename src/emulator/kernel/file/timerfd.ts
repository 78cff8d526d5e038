/** timerfd_create(2) and its family: a timer as a file (fs/timerfd.c). */
import type { Bell } from '../../alarms.js';
import { type Timespec, timespec } from '../../clock.js';
import type { Machine } from '../../machine.js';
import type { Thread } from '../../thread.js';
import { EBADF, ECANCELED, EFAULT, EINVAL } from '../errno.js';
import { CLOCK, instantOf, isRealtime, readTimespec, spanOf, timespecBytes } from '../guest-time.js';
import type { SyscallContext, SyscallRow } from '../syscall-table.js';
import type { WaitKey } from '../wait.js';
import { AnonymousFile } from './anonymous.js';
import { filesOf, install } from './file-table.js';
import { type IoResult, O, POLL, WAIT } from './open-file.js';

const NEVER = Number.POSITIVE_INFINITY;
const TFD_TIMER_ABSTIME = 1;
const TFD_TIMER_CANCEL_ON_SET = 2;
const CLOCKS: ReadonlySet<number> = new Set([
  CLOCK.REALTIME, CLOCK.MONOTONIC, CLOCK.BOOTTIME, CLOCK.REALTIME_ALARM, CLOCK.BOOTTIME_ALARM,
]); // biome-ignore format: a list

class TimerFile extends AnonymousFile implements Bell {
  /** Virtual monotonic ns of the first expiry that was not read yet; Infinity: disarmed or read. */
  private expires = NEVER;
  /** ns; 0: once. */
  private interval = 0;
  /** TFD_TIMER_CANCEL_ON_SET: the wall clock's setting that the timer stands on. */
  private wall: Timespec | undefined;
  setting = 0;

  constructor(
    machine: Machine,
    flags: number,
    readonly clock: number,
  ) {
    super(machine, flags, '[timerfd]');
  }

  set(expires: number, interval: number, cancelOnSet: boolean): void {
    this.expires = expires;
    this.interval = interval;
    this.wall = cancelOnSet ? this.machine.clock.epoch : undefined;
    this.arm();
  }

  private arm(): void {
    this.setting++;
    if (this.expires !== NEVER) {
      this.machine.alarms.set(this.expires, { kind: 'bell', bell: this, setting: this.setting });
    }
  }

  ring(): void {
    this.setting++;
    this.changed(POLL.IN);
  }

  /** Expiries since the last read. */
  private get ticks(): number {
    const late = this.machine.clock.monotonic - this.expires;
    if (late < 0 || this.expires === NEVER) return 0;
    return this.interval === 0 ? 1 : 1 + Math.floor(late / this.interval);
  }

  private get isCanceled(): boolean {
    return this.wall !== undefined && this.wall !== this.machine.clock.epoch;
  }

  override read(into: Uint8Array): IoResult {
    if (into.length < 8) return -EINVAL;
    if (this.isCanceled) {
      this.wall = this.machine.clock.epoch;
      return -ECANCELED;
    }
    const { ticks } = this;
    if (ticks === 0) return WAIT;
    this.expires = this.interval === 0 ? NEVER : this.expires + ticks * this.interval;
    this.arm();
    new DataView(into.buffer, into.byteOffset).setBigUint64(0, BigInt(ticks), true);
    return 8;
  }

  override poll(_asker: Thread): number {
    return this.ticks > 0 || this.isCanceled ? POLL.IN : 0;
  }

  override pollKeys(_asker: Thread): readonly WaitKey[] {
    return [this.key];
  }

  /** 32 bytes: struct itimerspec, interval and time to the next expiry. */
  current(): Uint8Array {
    const next = this.interval === 0 && this.ticks > 0 ? NEVER : this.expires + this.ticks * this.interval;
    const bytes = new Uint8Array(32);
    bytes.set(timespecBytes(timespec(this.interval)), 0);
    bytes.set(timespecBytes(timespec(next === NEVER ? 0 : next - this.machine.clock.monotonic)), 16);
    return bytes;
  }

  protected override closed(): void {
    this.setting++;
  }
}

function timerfdCreate({ machine, process, args }: SyscallContext): number {
  const [clock, flags] = args.map((arg) => arg | 0) as [number, number];
  if (flags & ~(O.CLOEXEC | O.NONBLOCK) || !CLOCKS.has(clock)) return -EINVAL;
  return install(process, new TimerFile(machine, flags & O.NONBLOCK, clock), (flags & O.CLOEXEC) !== 0);
}

/** The timer that the first argument names; -EBADF, -EINVAL for another kind of file. */
function timerOf({ process, args }: SyscallContext): TimerFile | number {
  const file = filesOf(process).get((args[0] as number) | 0);
  if (file === undefined) return -EBADF;
  return file instanceof TimerFile ? file : -EINVAL;
}

function timerfdSettime(context: SyscallContext): number {
  const { machine, memory, args } = context;
  const [, flags, next, old] = args as [number, number, number, number];
  const bytes = memory.readBytes(next, 32);
  if (bytes === undefined) return -EFAULT;
  const interval = readTimespec(memory, next);
  const value = readTimespec(memory, next + 16);
  if (flags & ~(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET)) return -EINVAL;
  if (typeof interval === 'number' || typeof value === 'number') return -EINVAL;
  const timer = timerOf(context);
  if (typeof timer === 'number') return timer;
  const before = timer.current();
  const absolute = (flags & TFD_TIMER_ABSTIME) !== 0;
  const disarm = value.seconds === 0 && value.nanoseconds === 0;
  const at = absolute ? instantOf(machine, timer.clock, value) : machine.clock.monotonic + spanOf(value);
  const cancels = absolute && isRealtime(timer.clock) && (flags & TFD_TIMER_CANCEL_ON_SET) !== 0;
  timer.set(disarm ? NEVER : at, Math.min(spanOf(interval), Number.MAX_SAFE_INTEGER), cancels);
  return old === 0 || memory.writeBytes(old, before) ? 0 : -EFAULT;
}

function timerfdGettime(context: SyscallContext): number {
  const timer = timerOf(context);
  if (typeof timer === 'number') return timer;
  return context.memory.writeBytes(context.args[1] as number, timer.current()) ? 0 : -EFAULT;
}

export const timerfdSyscalls: readonly SyscallRow[] = [
  { nr: 283, name: 'timerfd_create', run: timerfdCreate },
  { nr: 286, name: 'timerfd_settime', run: timerfdSettime },
  { nr: 287, name: 'timerfd_gettime', run: timerfdGettime },
];
