/** Opening and closing a session: `qSupported`, `QStartNoAckMode`, `!`, `?`, `D`, `k`. */
import { ESRCH } from '../error-code.js';
import { SIGTRAP } from '../gdb-signal.js';
import type { PacketContext, PacketRow } from '../packet.js';
import type { PacketCursor } from '../packet-cursor.js';
import type { Reply } from '../reply.js';
import { type StopEvent, threadOf } from '../stop-event.js';
import { EVENT_KINDS } from '../target-abilities.js';

/** `qSupported[:feature;...]` – what either side can do. A second one starts anew, as after a client's own reconnect. */
function supported(args: PacketCursor, reply: Reply, context: PacketContext): void {
  const { client, target } = context;
  client.features = new Set(args.optional(':') ? args.restText().split(';') : []);
  client.multiprocess = client.offers('multiprocess+');
  client.readsDescriptions = [...client.features].some((feature) => /^xmlRegisters=(.*,)?i386(,|$)/.test(feature));
  client.events = new Set(EVENT_KINDS.filter((kind) => client.offers(`${kind}-events+`) || client.offers(`${kind}+`)));
  target.events?.report(client.events);
  reply.text(context.supported());
}

/** `QStartNoAckMode` – the client still acknowledges this `OK`, and nothing after it. */
function startNoAckMode(args: PacketCursor, reply: Reply, { client }: PacketContext): void {
  args.end();
  client.noAck = true;
  reply.ok();
}

/** `!` – extended mode: the server outlives its programs, and `vRun`, `vAttach` and `R` start others. */
function extendedMode(args: PacketCursor, reply: Reply, { client }: PacketContext): void {
  args.end();
  client.extended = true;
  reply.ok();
}

/** `?` – why is the program stopped? One that runs is stopped first. */
function haltReason(args: PacketCursor, reply: Reply, context: PacketContext): void {
  args.end();
  const { client, target } = context;
  if (client.nonStop && target.nonStop !== undefined) return context.answerStops(target.nonStop.stops(), reply);
  if (context.stopRunning(reply)) return;
  const stop = presentStop(context);
  if (stop === undefined) reply.text('W00');
  else context.answerStop(stop, reply);
}

/** The last stop if its thread still lives, else that some thread is stopped; undefined without a process. */
function presentStop({ client, target }: PacketContext): StopEvent | undefined {
  const thread = client.lastStop && threadOf(client.lastStop);
  if (thread !== undefined && target.thread(thread) !== undefined) return client.lastStop;
  const first = target.threads()[0];
  return first && { kind: 'signal', thread: first, signal: SIGTRAP };
}

/** `D[;pid]` – let a process go on without us. Its life with us ends before the reply, its running begins after it. */
function detach(args: PacketCursor, reply: Reply, context: PacketContext): void {
  const { client, target } = context;
  const pid = args.optional(';') ? args.number() : context.currentThread()?.pid;
  args.end();
  const process = target.processes().find((candidate) => candidate.pid === pid);
  if (process === undefined) return reply.error(ESRCH);
  target.detach(process.pid);
  reply.ok();
  if (target.processes().length > 0) return;
  context.forgetStops();
  if (!client.extended) context.emit({ kind: 'exit', reason: 'detached' });
}

/** `k` – kill everything, without a reply but to lldb, which waits for one; the end of a server that is not in extended mode. */
function killAll(args: PacketCursor, reply: Reply, context: PacketContext): void {
  args.end();
  for (const { pid } of context.target.processes()) context.target.kill(pid);
  context.forgetStops();
  if (context.client.isLldb) reply.text('X09');
  else reply.later();
  if (!context.client.extended) context.emit({ kind: 'exit', reason: 'killed' });
}

export const sessionPackets: readonly PacketRow[] = [
  { prefix: 'qSupported', handle: supported },
  { prefix: 'QStartNoAckMode', advertises: 'QStartNoAckMode+', handle: startNoAckMode },
  { prefix: '!', handle: extendedMode },
  { prefix: '?', handle: haltReason },
  { prefix: 'D', handle: detach },
  { prefix: 'k', allowedWhile: 'always', handle: killAll },
];
