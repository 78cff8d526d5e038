/** `Q` packets that set something: signals, system calls, events, the environment of the next program. */
import type { Pid } from '../../types.js';
import { EINVAL, ESRCH } from '../error-code.js';
import { fromGdbSignal } from '../gdb-signal.js';
import { type PacketContext, type PacketRow, withAbility } from '../packet.js';
import type { PacketCursor } from '../packet-cursor.js';
import type { Reply } from '../reply.js';
import type { EventReports, Launcher, SignalPolicy, SyscallCatch } from '../target-abilities.js';

/** `SIGNAL;SIGNAL;...` in gdb's numbers, maybe with a last `;`. Those that Linux does not have are left out: gdb lists all it knows. */
function readSignals(args: PacketCursor): ReadonlySet<number> {
  const signals = new Set<number>();
  args.colon();
  while (!args.atEnd) {
    const signal = fromGdbSignal(args.number());
    if (signal !== undefined && signal !== 0) signals.add(signal);
    if (!args.optional(';')) args.end();
  }
  return signals;
}

function readSwitch(args: PacketCursor): boolean {
  args.colon();
  const value = args.number();
  if (value > 1) args.malformed('neither 0 nor 1');
  return value === 1;
}

/** `QPassSignals:LIST` – deliver these without a stop. */
function passSignals(args: PacketCursor, reply: Reply, _context: PacketContext, ability: SignalPolicy): void {
  ability.pass(readSignals(args));
  reply.ok();
}

/** `QProgramSignals:LIST` – the others do not reach the program when the client detaches or resumes without naming one. */
function programSignals(args: PacketCursor, reply: Reply, _context: PacketContext, ability: SignalPolicy): void {
  ability.program(readSignals(args));
  reply.ok();
}

/** `QCatchSyscalls:0` or `:1[;NUMBER]...` – no numbers mean all. */
function catchSyscalls(args: PacketCursor, reply: Reply, context: PacketContext, ability: SyscallCatch): void {
  const on = readSwitch(args);
  const numbers = new Set<number>();
  while (args.optional(';')) numbers.add(args.number());
  args.end();
  const pid: Pid | undefined = context.currentThread()?.pid;
  if (pid === undefined) return reply.error(ESRCH);
  if (!on && numbers.size > 0) return reply.error(EINVAL, 'numbers of calls that are not to be caught');
  ability.catch(pid, on && numbers.size === 0 ? 'all' : numbers);
  reply.ok();
}

/** `QThreadEvents:0|1` – report threads that begin and end. */
function threadEvents(args: PacketCursor, reply: Reply, { client }: PacketContext, ability: EventReports): void {
  const on = readSwitch(args);
  args.end();
  if (on && !ability.kinds.has('threads')) return reply.error(EINVAL, 'thread events are unsupported');
  const others = [...client.events].filter((kind) => kind !== 'threads');
  client.events = new Set(on ? [...others, 'threads'] : others);
  ability.report(client.events);
  reply.ok();
}

/** `QEnvironmentHexEncoded:NAME=VALUE` */
function setEnvironment(args: PacketCursor, reply: Reply, _context: PacketContext, launcher: Launcher): void {
  args.colon();
  const setting = args.hexText();
  args.end();
  const equals = setting.indexOf('=');
  if (equals < 1) return reply.error(EINVAL, 'no NAME=VALUE');
  launcher.setEnvironment(setting.slice(0, equals), setting.slice(equals + 1));
  reply.ok();
}

/** `QEnvironmentUnset:NAME` */
function unsetEnvironment(args: PacketCursor, reply: Reply, _context: PacketContext, launcher: Launcher): void {
  args.colon();
  const name = args.hexText();
  args.end();
  if (name === '') return reply.error(EINVAL, 'no name');
  launcher.unsetEnvironment(name);
  reply.ok();
}

/** `QEnvironmentReset` */
function resetEnvironment(args: PacketCursor, reply: Reply, _context: PacketContext, launcher: Launcher): void {
  args.end();
  launcher.resetEnvironment();
  reply.ok();
}

/** `QSetWorkingDir:[PATH]` – an empty path is the server's own directory. */
function setWorkingDirectory(args: PacketCursor, reply: Reply, _context: PacketContext, launcher: Launcher): void {
  const path = args.optional(':') ? args.hexText() : '';
  args.end();
  launcher.setWorkingDirectory(path === '' ? undefined : path);
  reply.ok();
}

/** `QStartupWithShell:0|1` */
function startWithShell(args: PacketCursor, reply: Reply, _context: PacketContext, launcher: Launcher): void {
  const on = readSwitch(args);
  args.end();
  launcher.setStartWithShell(on);
  reply.ok();
}

/** `QDisableRandomization:0|1` – 1, gdb's default, gives the addresses that people know. */
function disableRandomization(args: PacketCursor, reply: Reply, _context: PacketContext, launcher: Launcher): void {
  const disable = readSwitch(args);
  args.end();
  launcher.setRandomization(!disable);
  reply.ok();
}

type LauncherHandler = (args: PacketCursor, reply: Reply, context: PacketContext, launcher: Launcher) => void;

const LAUNCH_SETTINGS: readonly (readonly [name: string, handle: LauncherHandler])[] = [
  ['QEnvironmentHexEncoded', setEnvironment],
  ['QEnvironmentUnset', unsetEnvironment],
  ['QEnvironmentReset', resetEnvironment],
  ['QSetWorkingDir', setWorkingDirectory],
  ['QStartupWithShell', startWithShell],
  ['QDisableRandomization', disableRandomization],
];

export const settingsPackets: readonly PacketRow[] = [
  withAbility('signals', { prefix: 'QPassSignals', advertises: 'QPassSignals+', handle: passSignals }),
  withAbility('signals', { prefix: 'QProgramSignals', advertises: 'QProgramSignals+', handle: programSignals }),
  withAbility('syscalls', { prefix: 'QCatchSyscalls', advertises: 'QCatchSyscalls+', handle: catchSyscalls }),
  withAbility('events', { prefix: 'QThreadEvents', handle: threadEvents }),
  ...LAUNCH_SETTINGS.map(([prefix, handle]) => {
    return withAbility('launcher', { prefix, advertises: `${prefix}+`, handle });
  }),
];
