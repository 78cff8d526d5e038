/** Non-stop mode: threads stop and go each by itself, reports come as notifications. */
import { EINVAL } from '../error-code.js';
import { type PacketContext, type PacketRow, withAbility } from '../packet.js';
import type { PacketCursor } from '../packet-cursor.js';
import type { Reply } from '../reply.js';

/** `QNonStop:0|1` – gdb sends `:0` on connecting even where `:1` cannot be had. */
function setNonStop(args: PacketCursor, reply: Reply, { client, target }: PacketContext): void {
  args.colon();
  const on = args.number();
  args.end();
  if (on > 1) return reply.error(EINVAL);
  if (on === 1 && target.nonStop === undefined) return reply.error(EINVAL, 'non-stop mode is unsupported');
  const refusal = target.nonStop?.set(on === 1);
  if (refusal === undefined) client.nonStop = on === 1;
  reply.outcome(refusal);
}

/** `vStopped` – the report that is out has arrived; the next one, or `OK`. */
function acknowledge(args: PacketCursor, reply: Reply, context: PacketContext): void {
  args.end();
  context.acknowledgeStop(reply);
}

/** `vCtrlC` – what 0x03 is in all-stop mode. */
function interrupt(args: PacketCursor, reply: Reply, context: PacketContext): void {
  args.end();
  context.emit({ kind: 'interrupt' });
  reply.ok();
}

export const nonStopPackets: readonly PacketRow[] = [
  { prefix: 'QNonStop', handle: setNonStop },
  withAbility('nonStop', { prefix: 'vStopped', handle: acknowledge }),
  withAbility('nonStop', { prefix: 'vCtrlC', handle: interrupt }),
];
