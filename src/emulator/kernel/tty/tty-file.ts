/** An open terminal (drivers/tty/tty_io.c, n_tty.c). */
import type { Machine } from '../../machine.js';
import { SIGNAL } from '../../signals.js';
import type { Thread } from '../../thread.js';
import { EBUSY, EIO, ENXIO } from '../errno.js';
import { innerPath, type Opener } from '../file/file-system.js';
import { type IoResult, O, OpenFile, POLL, statusFlags, WAIT } from '../file/open-file.js';
import type { FileStat } from '../file/stat.js';
import { CAP, capable } from '../identity-checks.js';
import type { SyscallContext, SyscallResult } from '../syscall-table.js';
import type { WaitKey } from '../wait.js';
import { checkForeground, openedBy } from './job-control.js';
import { isSet, LFLAG } from './termios.js';
import type { Tty } from './tty.js';
import { ttyIoctl } from './tty-ioctl.js';

export class TtyFile extends OpenFile {
  override path: string;
  private readonly generation: number;

  constructor(
    machine: Machine,
    flags: number,
    readonly tty: Tty,
  ) {
    super(machine, statusFlags(flags), tty.key);
    this.path = tty.path;
    this.generation = tty.generation;
    tty.users++;
  }

  name(): string {
    return this.path;
  }

  stat(): FileStat | number {
    const mount = this.machine.mounts.find(this.path);
    const { root } = this.machine;
    return root === undefined ? -ENXIO : mount.fs.lstat(innerPath(mount, this.path), root);
  }

  override setMode(mode: number): number {
    return this.tty.setMode(mode);
  }

  override setOwner(uid: number, gid: number): number {
    return this.tty.setOwner(uid, gid);
  }

  /** Opened before the last hangup. */
  get isHungUp(): boolean {
    return this.generation !== this.tty.generation;
  }

  override read(into: Uint8Array, { machine, thread }: SyscallContext): IoResult {
    const { tty } = this;
    if (this.isHungUp) return 0;
    const refusal = checkForeground(machine, tty, thread, SIGNAL.TTIN);
    if (refusal !== 0) return refusal;
    if (into.length === 0) return 0;
    if (tty.isReadable(into.length)) return tty.read(into);
    return this.isImpatient && tty.patience.time === 0 ? 0 : WAIT;
  }

  /** VMIN is 0 in non-canonical mode: a read does not wait for bytes, or only for VTIME. */
  private get isImpatient(): boolean {
    return !isSet(this.tty.termios, LFLAG.ICANON) && this.tty.patience.min === 0;
  }

  override timeout(direction: 'read' | 'write'): number | undefined {
    return direction === 'read' && this.isImpatient ? this.tty.patience.time : undefined;
  }

  /** VTIME is over: nothing was read. */
  override get readTimedOut(): number {
    return this.isImpatient ? 0 : super.readTimedOut;
  }

  override write(from: Uint8Array, { machine, thread }: SyscallContext): IoResult {
    const { tty } = this;
    if (this.isHungUp) return -EIO;
    if (isSet(tty.termios, LFLAG.TOSTOP)) {
      const refusal = checkForeground(machine, tty, thread, SIGNAL.TTOU);
      if (refusal !== 0) return refusal;
    }
    if (from.length === 0) return 0;
    const put = tty.write(from);
    return put === 0 ? WAIT : put;
  }

  override poll(_asker: Thread): number {
    if (this.isHungUp) return POLL.IN | POLL.OUT | POLL.ERR | POLL.HUP | POLL.RDNORM | POLL.WRNORM;
    return (this.tty.hasInput ? POLL.IN | POLL.RDNORM : 0) | (this.tty.canWrite ? POLL.OUT | POLL.WRNORM : 0);
  }

  override pollKeys(_asker: Thread): readonly WaitKey[] {
    return [this.key];
  }

  override ioctl(context: SyscallContext, request: number, argument: number): SyscallResult {
    if (this.isHungUp) return -EIO;
    return ttyIoctl(context, this.tty, request, argument, this.readable) ?? super.ioctl(context, request, argument);
  }

  override reopen(opener: Opener, flags: number): OpenFile | number {
    return openTty(opener, this.tty, flags);
  }

  protected override closed(): void {
    this.tty.released();
  }
}

/** Opens a terminal for a process, whose controlling one it may become. */
export function openTty({ machine, process }: Opener, tty: Tty, flags: number): TtyFile | number {
  if (tty.exclusiveUse && tty.users > 0 && !capable(process, CAP.SYS_ADMIN)) return -EBUSY;
  const file = new TtyFile(machine, flags, tty);
  if (!(flags & O.NOCTTY) && file.readable) openedBy(tty, process);
  return file;
}
