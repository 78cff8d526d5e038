/** Processes: how we came to them, killing one, starting and joining others. */
import type { Pid } from '../../types.js';
import { ESRCH, isRejected } from '../error-code.js';
import { type PacketContext, type PacketRow, withAbility } from '../packet.js';
import type { PacketCursor } from '../packet-cursor.js';
import type { Reply } from '../reply.js';
import type { Launcher } from '../target-abilities.js';

/** `qAttached[:PID]` – 1: a client that quits shall detach; 0: we started it, it shall kill. */
function attached(args: PacketCursor, reply: Reply, context: PacketContext): void {
  const pid = args.optional(':') ? args.number() : context.currentThread()?.pid;
  args.end();
  const process = context.target.processes().find((candidate) => candidate.pid === pid);
  if (process === undefined) reply.error(ESRCH);
  else reply.text(process.attached ? '1' : '0');
}

/** `vKill;PID` – kills one process; the server stays. */
function kill(args: PacketCursor, reply: Reply, context: PacketContext): void {
  args.semicolon();
  const pid = args.number();
  args.end();
  const { multiprocess } = context.client;
  // Without process ids in the protocol the client may have made one up; there is one to kill (gdbserver's handle_v_kill).
  const process = context.target.processes().find((candidate) => candidate.pid === pid || !multiprocess);
  if (process === undefined) return reply.error(ESRCH);
  context.target.kill(process.pid);
  if (context.target.processes().length === 0) context.forgetStops();
  reply.ok();
}

/** `vRun;PROGRAM[;ARG]...`, all in hex – an empty program is the one of the last time. */
function run(args: PacketCursor, reply: Reply, context: PacketContext, launcher: Launcher): void {
  const words: string[] = [];
  while (args.optional(';')) words.push(args.hexText());
  args.end();
  const [program = '', ...rest] = words;
  const stop = launcher.run(program === '' ? undefined : program, rest);
  if (isRejected(stop)) reply.error(stop.errno, stop.reason);
  else context.answerStop(stop, reply);
}

/** `vAttach;PID` – in non-stop mode its threads report by themselves. */
function attach(args: PacketCursor, reply: Reply, context: PacketContext, launcher: Launcher): void {
  args.semicolon();
  const pid = args.number() as Pid;
  args.end();
  const stop = launcher.attach(pid);
  if (isRejected(stop)) reply.error(stop.errno, stop.reason);
  else if (context.client.nonStop) reply.ok();
  else context.answerStop(stop, reply);
}

/** `R XX` – start the program again; no reply, the client asks `?` next. Only in extended mode. */
function restart(args: PacketCursor, reply: Reply, context: PacketContext, launcher: Launcher): void {
  args.number();
  args.end();
  reply.later();
  if (!context.client.extended) return;
  const stop = launcher.restart();
  if (isRejected(stop)) context.forgetStops();
  else context.client.lastStop = stop;
}

export const processPackets: readonly PacketRow[] = [
  { prefix: 'qAttached', handle: attached },
  { prefix: 'vKill', handle: kill },
  withAbility('launcher', { prefix: 'vRun', handle: run }),
  withAbility('launcher', { prefix: 'vAttach', handle: attach }),
  withAbility('launcher', { prefix: 'R', handle: restart }),
];
