/**
 * The terminal that the server was started on, as the guest's console: the host has the line discipline, here is what programs ask of it. One for the
 * machine, shared by all who have it open.
 */
import type { Pid } from '../../../types.js';
import type { Machine } from '../../machine.js';
import { EFAULT, EINVAL, ENOTTY, EPERM, ESRCH } from '../errno.js';
import type { SyscallContext } from '../syscall-table.js';

/** struct termios of the kernel: four words of flags, the line discipline, 19 characters. */
const TERMIOS_BYTES = 36;
const ICANON = 2;
const LOCAL_FLAGS = 12;

/** stty sane, 38400 baud, 8 bits. */
function saneTermios(): Uint8Array {
  const bytes = new Uint8Array(TERMIOS_BYTES);
  const view = new DataView(bytes.buffer);
  [0x500, 0x5, 0xbf, 0x8a3b].forEach((flags, i) => {
    view.setUint32(4 * i, flags, true);
  });
  bytes.set([3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22], 17);
  return bytes;
}

const REQUEST = {
  TCGETS: 0x5401, TCSETS: 0x5402, TCSETSW: 0x5403, TCSETSF: 0x5404, TCSBRK: 0x5409, TCXONC: 0x540a, TCFLSH: 0x540b, TIOCSCTTY: 0x540e, TIOCGPGRP: 0x540f, TIOCSPGRP: 0x5410,
  TIOCGWINSZ: 0x5413, TIOCSWINSZ: 0x5414, TIOCGSID: 0x5429,
} as const; // biome-ignore format: a table

export class Console {
  private termios = saneTermios();
  /** Process group in the foreground; 0: the first program's, as long as nobody has set another. */
  foreground = 0;

  constructor(
    private readonly machine: Machine,
    /** The inherited descriptor that stands for it. */
    private readonly fd: number,
  ) {}

  /** 0 or -errno. */
  ioctl(context: SyscallContext, request: number, at: number): number {
    const { memory } = context;
    switch (request) {
      case REQUEST.TCGETS:
        return memory.writeBytes(at, this.termios) ? 0 : -EFAULT;
      case REQUEST.TCSETS:
      case REQUEST.TCSETSW:
      case REQUEST.TCSETSF:
        return this.setTermios(context, at);
      case REQUEST.TCSBRK:
      case REQUEST.TCXONC:
      case REQUEST.TCFLSH:
        return 0;
      case REQUEST.TIOCGPGRP:
        return memory.writeU32(at, this.foregroundOf(context)) ? 0 : -EFAULT;
      case REQUEST.TIOCSPGRP:
        return this.setForeground(context, at);
      case REQUEST.TIOCGSID:
        return memory.writeU32(at, context.process.sid) ? 0 : -EFAULT;
      case REQUEST.TIOCGWINSZ:
        return this.windowSize(context, at);
      case REQUEST.TIOCSWINSZ:
      case REQUEST.TIOCSCTTY:
        return -EPERM;
      default:
        return -ENOTTY;
    }
  }

  private foregroundOf({ process }: SyscallContext): number {
    return this.foreground === 0 ? process.pgid : this.foreground;
  }

  private setForeground({ machine, memory, process }: SyscallContext, at: number): number {
    const group = memory.readU32(at);
    if (group === undefined) return -EFAULT;
    if ((group | 0) < 0) return -EINVAL;
    const members = [...machine.processes.values()].filter(({ pgid }) => pgid === (group as Pid));
    if (members.length === 0) return -ESRCH;
    if (members.some(({ sid }) => sid !== process.sid)) return -EPERM;
    this.foreground = group;
    return 0;
  }

  /** The host's terminal knows two ways only: by lines with echo, or each character at once without. */
  private setTermios({ memory }: SyscallContext, at: number): number {
    const bytes = memory.readBytes(at, TERMIOS_BYTES);
    if (bytes === undefined) return -EFAULT;
    const wasByLines = this.isByLines;
    this.termios = bytes.slice();
    if (wasByLines === this.isByLines) return 0;
    return this.machine.host.streams.setRaw(this.fd, !this.isByLines);
  }

  private get isByLines(): boolean {
    return ((this.termios[LOCAL_FLAGS] as number) & ICANON) !== 0;
  }

  /** struct winsize: rows, columns, and two of pixels that nobody knows. */
  private windowSize({ memory }: SyscallContext, at: number): number {
    const size = this.machine.host.streams.windowSize(this.fd);
    if (size === undefined) return -ENOTTY;
    const words = Uint16Array.of(size.rows, size.columns, 0, 0);
    return memory.writeBytes(at, new Uint8Array(words.buffer)) ? 0 : -EFAULT;
  }
}
