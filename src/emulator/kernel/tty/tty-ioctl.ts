/** ioctl(2) of terminals (drivers/tty/tty_ioctl.c, tty_jobctrl.c). */
import { SIGNAL } from '../../signals.js';
import { EFAULT, EINVAL, EIO, ENOTTY, EPERM, ESRCH } from '../errno.js';
import { CAP, capable } from '../identity-checks.js';
import { membersOf } from '../process-groups.js';
import type { SyscallContext } from '../syscall-table.js';
import { checkForeground, giveUpTerminal, hangUp, setControlling } from './job-control.js';
import { PACKET } from './packet-mode.js';
import { decodeTermios, encodeTermios, TERMIOS_BYTES, TERMIOS2_BYTES } from './termios.js';
import type { Tty } from './tty.js';

/** What one request works on. */
interface Request {
  readonly context: SyscallContext;
  readonly tty: Tty;
  readonly argument: number;
  /** The descriptor is open for reading. */
  readonly readable: boolean;
  /** Asked through the other side of a pseudo-terminal: it is nobody's controlling terminal. */
  readonly fromMaster: boolean;
}

type Handler = (request: Request) => number;

function put({ context: { memory }, argument }: Request, bytes: Uint8Array): number {
  return memory.writeBytes(argument, bytes) ? 0 : -EFAULT;
}

function putInt(request: Request, value: number): number {
  return put(request, new Uint8Array(Int32Array.of(value).buffer));
}

/** Those who are not in the foreground may not change the terminal. */
function mayChange({ context, tty }: Request): number {
  return checkForeground(context.machine, tty, context.thread, SIGNAL.TTOU);
}

function setAttributes(request: Request, size: number, flushes: boolean): number {
  const { context, tty, argument } = request;
  const refusal = mayChange(request);
  if (refusal !== 0) return refusal;
  const bytes = context.memory.readBytes(argument, size);
  if (bytes === undefined) return -EFAULT;
  if (flushes) {
    tty.flushInput();
    tty.tell(PACKET.FLUSHREAD);
  }
  tty.setTermios(decodeTermios(bytes, tty.termios));
  return 0;
}

/** TCIFLUSH 0, TCOFLUSH 1, TCIOFLUSH 2. What was written has reached the other side already. */
function flush(request: Request): number {
  const refusal = mayChange(request);
  if (refusal !== 0) return refusal;
  const { tty, argument } = request;
  if (argument < 0 || argument > 2) return -EINVAL;
  if (argument !== 1) tty.flushInput();
  tty.tell((argument !== 1 ? PACKET.FLUSHREAD : 0) | (argument !== 0 ? PACKET.FLUSHWRITE : 0));
  return 0;
}

/** TCOOFF 0, TCOON 1; TCIOFF and TCION send XOFF and XON to a device that does not listen. */
function flow(request: Request): number {
  const refusal = mayChange(request);
  if (refusal !== 0) return refusal;
  const { tty, argument } = request;
  if (argument < 0 || argument > 3) return -EINVAL;
  if (argument < 2) tty.pause(argument === 0);
  return 0;
}

/** The terminal is the caller's own, or is asked of its other side. */
function isOwn({ context: { process }, tty, fromMaster }: Request): boolean {
  return fromMaster || process.terminal === tty.id;
}

function setForeground(request: Request): number {
  const { context, tty, argument } = request;
  const { machine, memory, process } = context;
  const refusal = mayChange(request);
  if (refusal !== 0) return refusal === -EIO ? -ENOTTY : refusal;
  if (process.terminal !== tty.id || tty.session !== process.sid) return -ENOTTY;
  const group = memory.readU32(argument);
  if (group === undefined) return -EFAULT;
  if ((group | 0) < 0) return -EINVAL;
  const members = group === 0 ? [] : membersOf(machine, group);
  if (members.length === 0) return -ESRCH;
  if (members[0]?.sid !== process.sid) return -EPERM;
  tty.foreground = group;
  return 0;
}

function setSize({ context: { memory }, tty, argument }: Request): number {
  const bytes = memory.readBytes(argument, 8);
  if (bytes === undefined) return -EFAULT;
  const view = new DataView(bytes.buffer, bytes.byteOffset, 8);
  const word = (i: number): number => view.getUint16(2 * i, true);
  tty.setSize([word(0), word(1), word(2), word(3)]);
  return 0;
}

/** As if the byte had been typed. One's own terminal, or CAP_SYS_ADMIN. */
function typeByte({ context: { memory, process }, tty, argument }: Request): number {
  if (process.terminal !== tty.id && !capable(process, CAP.SYS_ADMIN)) return -EPERM;
  const byte = memory.readBytes(argument, 1);
  if (byte === undefined) return -EFAULT;
  tty.receive(byte);
  return 0;
}

function giveUp({ context: { machine, process }, tty }: Request): number {
  if (process.terminal !== tty.id) return -ENOTTY;
  giveUpTerminal(machine, tty, process);
  return 0;
}

function vhangup({ context: { machine, process }, tty }: Request): number {
  if (!capable(process, CAP.SYS_ADMIN)) return -EPERM;
  hangUp(machine, tty);
  return 0;
}

const drained: Handler = (request) => mayChange(request);

const HANDLERS: ReadonlyMap<number, Handler> = new Map<number, Handler>([
  [0x5401, (request) => put(request, encodeTermios(request.tty.termios, TERMIOS_BYTES))], // TCGETS
  [0x5402, (request) => setAttributes(request, TERMIOS_BYTES, false)], // TCSETS
  [0x5403, (request) => setAttributes(request, TERMIOS_BYTES, false)], // TCSETSW
  [0x5404, (request) => setAttributes(request, TERMIOS_BYTES, true)], // TCSETSF
  [0x802c_542a, (request) => put(request, encodeTermios(request.tty.termios, TERMIOS2_BYTES))], // TCGETS2
  [0x402c_542b, (request) => setAttributes(request, TERMIOS2_BYTES, false)], // TCSETS2
  [0x402c_542c, (request) => setAttributes(request, TERMIOS2_BYTES, false)], // TCSETSW2
  [0x402c_542d, (request) => setAttributes(request, TERMIOS2_BYTES, true)], // TCSETSF2
  [0x5409, drained], // TCSBRK
  [0x540a, flow], // TCXONC
  [0x540b, flush], // TCFLSH
  [0x540c, ({ tty }) => { tty.exclusiveUse = true; return 0; }], // TIOCEXCL
  [0x540d, ({ tty }) => { tty.exclusiveUse = false; return 0; }], // TIOCNXCL
  [0x540e, ({ context, tty, argument, readable }) => (readable ? setControlling(context.machine, tty, context.process, argument) : -EPERM)], // TIOCSCTTY
  [0x540f, (request) => (isOwn(request) ? putInt(request, request.tty.foreground) : -ENOTTY)], // TIOCGPGRP
  [0x5410, setForeground], // TIOCSPGRP
  [0x5411, (request) => putInt(request, 0)], // TIOCOUTQ
  [0x5412, typeByte], // TIOCSTI
  [0x5413, (request) => put(request, new Uint8Array(Uint16Array.from(request.tty.size).buffer))], // TIOCGWINSZ
  [0x5414, setSize], // TIOCSWINSZ
  [0x541b, (request) => putInt(request, request.tty.available)], // FIONREAD
  [0x5422, giveUp], // TIOCNOTTY
  [0x5423, ({ context: { memory }, argument }) => (memory.readU32(argument) === 0 ? 0 : -EINVAL)], // TIOCSETD: N_TTY
  [0x5424, (request) => putInt(request, 0)], // TIOCGETD
  [0x5425, drained], // TCSBRKP
  [0x5427, drained], // TIOCSBRK
  [0x5428, drained], // TIOCCBRK
  [0x5429, (request) => (isOwn(request) && request.tty.session !== 0 ? putInt(request, request.tty.session) : -ENOTTY)], // TIOCGSID
  [0x8004_5432, (request) => putInt(request, request.tty.id)], // TIOCGDEV
  [0x5437, vhangup], // TIOCVHANGUP
  [0x8004_5440, (request) => putInt(request, request.tty.exclusiveUse ? 1 : 0)], // TIOCGEXCL
]); // biome-ignore format: a table

/** undefined: no request of terminals. */
export function ttyIoctl(
  context: SyscallContext,
  tty: Tty,
  request: number,
  argument: number,
  readable: boolean,
  fromMaster = false,
): number | undefined {
  return HANDLERS.get(request >>> 0)?.({ context, tty, argument, readable, fromMaster });
}
