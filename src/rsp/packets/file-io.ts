/** `F`: the client's answer to a File-I/O request (gdb manual, "The F Reply Packet"). We ask for nothing but that text be written to its console. */
import { EINTR, EIO } from '../error-code.js';
import type { PacketContext, PacketRow } from '../packet.js';
import type { PacketCursor } from '../packet-cursor.js';
import type { Reply } from '../reply.js';

/** `F RESULT[,ERRNO[,C]][;ATTACHMENT]`; `C` or EINTR, which gdb sends without it: its user wants to interrupt the program. */
function answer(args: PacketCursor, reply: Reply, context: PacketContext): void {
  if (!context.asksClient) return reply.empty();
  const failed = args.optional('-');
  args.number();
  let errno = 0;
  let interrupts = false;
  if (args.optional(',')) {
    args.optional('-');
    errno = args.number();
    interrupts = args.optional(',') && args.optional('C');
  }
  reply.later();
  context.clientAnswered(failed ? errno || EIO : 0, interrupts || errno === EINTR);
}

export const fileIoPackets: readonly PacketRow[] = [{ prefix: 'F', allowedWhile: 'asking', handle: answer }];
