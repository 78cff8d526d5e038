/** Pseudo-terminals (drivers/tty/pty.c): the master's side as a file, and the terminal that programs have on the other. */
import type { Machine } from '../../machine.js';
import { SIGNAL_COUNT } from '../../signals.js';
import type { Thread } from '../../thread.js';
import { EFAULT, EINVAL, EIO, ENXIO } from '../errno.js';
import { newOwner } from '../file/anonymous.js';
import { deviceNumber } from '../file/device-number.js';
import { innerPath, type Opener } from '../file/file-system.js';
import { install } from '../file/file-table.js';
import { type IoResult, O, OpenFile, POLL, statusFlags, WAIT } from '../file/open-file.js';
import type { FileStat } from '../file/stat.js';
import type { SyscallContext, SyscallResult } from '../syscall-table.js';
import type { WaitKey } from '../wait.js';
import { hangUp } from './job-control.js';
import { withNews } from './packet-mode.js';
import { Tty } from './tty.js';
import { openTty } from './tty-file.js';
import { ttyIoctl } from './tty-ioctl.js';

/** Bytes on their way to the master. */
const BUFFER = 8192;
const SLAVE_MAJOR = 136;
const PTMX = '/dev/ptmx';
const READABLE = POLL.IN | POLL.RDNORM;
const WRITABLE = POLL.OUT | POLL.WRNORM;
const FIONREAD = 0x541b;

/** The terminal: /dev/pts/N. */
export class PtySlave extends Tty {
  /** What programs have written, until the master reads it. */
  readonly sent: number[] = [];
  /** TIOCSPTLCK: cannot be opened yet. */
  locked = true;
  /** Somebody had it open and nobody has: the master reads EIO. */
  isClosed = false;
  /** Permission bits of its name. */
  mode = 0o620;
  /** TIOCPKT: each read of the master begins with a byte that says whether what follows is output, or is that byte alone, with news. */
  private inPackets = false;
  private news = 0;

  constructor(
    machine: Machine,
    readonly number: number,
    public owner: { readonly uid: number; readonly gid: number },
    /** Where the master waits. */
    private readonly masterKey: WaitKey,
  ) {
    super(machine, deviceNumber(SLAVE_MAJOR, number), `/dev/pts/${number}`);
  }

  get packetMode(): boolean {
    return this.inPackets;
  }

  set packetMode(on: boolean) {
    if (on && !this.inPackets) this.news = 0;
    this.inPackets = on;
  }

  override tell(news: number): void {
    if (!this.inPackets || news === 0) return;
    this.news = withNews(this.news, news);
    this.machine.wake(this.masterKey, READABLE | POLL.PRI);
  }

  get hasNews(): boolean {
    return this.inPackets && this.news !== 0;
  }

  /** For the master: what it has to be told. */
  takeNews(): number {
    const { news } = this;
    this.news = 0;
    return news;
  }

  override setMode(mode: number): number {
    this.mode = mode;
    return 0;
  }

  override setOwner(uid: number, gid: number): number {
    this.owner = newOwner(this.owner, uid, gid);
    return 0;
  }

  protected get deviceRoom(): number {
    return BUFFER - this.sent.length;
  }

  protected transmit(bytes: readonly number[]): void {
    if (bytes.length === 0) return;
    this.sent.push(...bytes);
    this.machine.wake(this.masterKey, READABLE);
  }

  /** For the master: nothing of what was sent. */
  drop(): void {
    this.sent.length = 0;
    this.changed(WRITABLE);
  }

  /** For the master: bytes that were sent. */
  fetch(into: Uint8Array): number {
    const taken = this.sent.splice(0, into.length);
    into.set(taken);
    if (taken.length > 0) this.changed(WRITABLE);
    return taken.length;
  }

  get inputRoom(): number {
    return this.discipline.room;
  }

  protected override inputTaken(): void {
    this.machine.wake(this.masterKey, WRITABLE);
  }

  override released(): void {
    super.released();
    if (this.users > 0) return;
    this.isClosed = true;
    this.machine.wake(this.masterKey);
  }
}

/** What opening /dev/ptmx gives. Its end hangs the terminal up. */
export class PtyMaster extends OpenFile {
  override path = PTMX;
  readonly slave: PtySlave;

  constructor(machine: Machine, flags: number, number: number, owner: { readonly uid: number; readonly gid: number }) {
    super(machine, statusFlags(flags));
    this.slave = new PtySlave(machine, number, owner, this.key);
  }

  name(): string {
    return PTMX;
  }

  stat(): FileStat | number {
    const { root, mounts } = this.machine;
    const mount = mounts.find(PTMX);
    return root === undefined ? -ENXIO : mount.fs.lstat(innerPath(mount, PTMX), root);
  }

  override read(into: Uint8Array): IoResult {
    const { slave } = this;
    if (into.length === 0) return 0;
    if (slave.hasNews) {
      into[0] = slave.takeNews();
      return 1;
    }
    if (slave.sent.length === 0) return slave.isClosed ? -EIO : WAIT;
    if (!slave.packetMode) return slave.fetch(into);
    into[0] = 0;
    return 1 + slave.fetch(into.subarray(1));
  }

  override write(from: Uint8Array): IoResult {
    const { slave } = this;
    if (from.length === 0) return 0;
    if (slave.inputRoom <= 0) return WAIT;
    return slave.receive(from);
  }

  override poll(_asker: Thread): number {
    const { slave } = this;
    let bits = 0;
    if (slave.sent.length > 0) bits |= READABLE;
    if (slave.hasNews) bits |= READABLE | POLL.PRI;
    if (slave.isClosed) bits |= POLL.HUP;
    if (slave.inputRoom > 0) bits |= WRITABLE;
    return bits;
  }

  override pollKeys(_asker: Thread): readonly WaitKey[] {
    return [this.key];
  }

  override ioctl(context: SyscallContext, request: number, argument: number): SyscallResult {
    const own = MASTER_REQUESTS.get(request >>> 0);
    if (own !== undefined) return own(context, this, argument);
    return ttyIoctl(context, this.slave, request, argument, true, true) ?? super.ioctl(context, request, argument);
  }

  protected override closed(): void {
    hangUp(this.machine, this.slave);
    this.machine.terminals.remove(this.slave);
  }
}

function putInt({ memory }: SyscallContext, at: number, value: number): number {
  return memory.writeU32(at, value) ? 0 : -EFAULT;
}

function withInt({ memory }: SyscallContext, at: number, use: (value: number) => number): number {
  const value = memory.readU32(at);
  return value === undefined ? -EFAULT : use(value);
}

type MasterHandler = (context: SyscallContext, master: PtyMaster, argument: number) => number;

const MASTER_REQUESTS: ReadonlyMap<number, MasterHandler> = new Map<number, MasterHandler>([
  [0x8004_5430, (context, { slave }, at) => putInt(context, at, slave.number)], // TIOCGPTN
  [0x4004_5431, (context, { slave }, at) => withInt(context, at, (locked) => { slave.locked = locked !== 0; return 0; })], // TIOCSPTLCK
  [0x8004_5439, (context, { slave }, at) => putInt(context, at, slave.locked ? 1 : 0)], // TIOCGPTLCK
  [0x5420, (context, { slave }, at) => withInt(context, at, (on) => { slave.packetMode = on !== 0; return 0; })], // TIOCPKT
  [0x8004_5438, (context, { slave }, at) => putInt(context, at, slave.packetMode ? 1 : 0)], // TIOCGPKT
  [0x540b, flush], // TCFLSH
  [0x5441, openPeer], // TIOCGPTPEER
  [FIONREAD, (context, { slave }, at) => putInt(context, at, slave.sent.length)],
  [0x4004_5436, sendSignal], // TIOCSIG
]); // biome-ignore format: a table

/** The master's input is what the terminal sends. What the master has written has reached the terminal. */
function flush(_context: SyscallContext, { slave }: PtyMaster, queue: number): number {
  if (queue < 0 || queue > 2) return -EINVAL;
  if (queue !== 1) slave.drop();
  return 0;
}

/** The terminal of a master without its name. */
function openPeer(context: SyscallContext, { slave }: PtyMaster, flags: number): number {
  const file = openSlave(context, slave, flags);
  return typeof file === 'number' ? file : install(context.process, file, (flags & O.CLOEXEC) !== 0);
}

function sendSignal(_context: SyscallContext, { slave }: PtyMaster, signal: number): number {
  if (signal < 1 || signal > SIGNAL_COUNT) return -EINVAL;
  slave.signal(signal);
  return 0;
}

/** -EIO while it is locked. */
export function openSlave(opener: Opener, slave: PtySlave, flags: number): OpenFile | number {
  if (slave.locked) return -EIO;
  const file = openTty(opener, slave, flags);
  if (typeof file !== 'number') slave.isClosed = false;
  return file;
}
