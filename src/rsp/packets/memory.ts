/** Memory: `m`, `M`, `X`, and what spares the client reading all of it: `qSearch:memory` and `qCRC`. */
import { EFAULT, EINVAL, ESRCH } from '../error-code.js';
import { MemoryChecksum, MemorySearch } from '../memory-work.js';
import { MAX_BODY, type PacketContext, type PacketRow, refusesWrite } from '../packet.js';
import type { PacketCursor } from '../packet-cursor.js';
import type { Reply } from '../reply.js';

/**
 * `m ADDR,LENGTH` – read memory.
 *
 * A short read is legal: gdbserver answers with what it could read and fails only when the first byte is unreadable, and GDB relies on that
 * near page ends.
 */
function readMemory(args: PacketCursor, reply: Reply, context: PacketContext): void {
  const at = args.address();
  args.comma();
  const wanted = Math.min(args.length(), MAX_BODY >> 1); // two hex digits a byte
  args.end();
  const pid = context.currentThread()?.pid;
  if (pid === undefined) return reply.error(ESRCH);
  const into = context.scratch.subarray(0, wanted);
  const got = context.view.readMemory(pid, at, into);
  if (got === 0 && wanted > 0) return reply.error(EFAULT);
  reply.hex(into.subarray(0, got));
}

/** `M ADDR,LENGTH:HEX` – write memory. */
function writeMemory(args: PacketCursor, reply: Reply, context: PacketContext): void {
  const { at, length } = destination(args);
  const bytes = args.hexBytes();
  args.end();
  write(at, length, bytes, reply, context);
}

/** `X ADDR,LENGTH:BYTES` – the same in binary. Length 0 is gdb's question whether it exists. */
function writeBinary(args: PacketCursor, reply: Reply, context: PacketContext): void {
  const { at, length } = destination(args);
  write(at, length, args.rest(), reply, context);
}

function destination(args: PacketCursor): { at: bigint; length: number } {
  const at = args.address();
  args.comma();
  const length = args.length();
  args.colon();
  return { at, length };
}

function write(at: bigint, length: number, bytes: Uint8Array, reply: Reply, context: PacketContext): void {
  const pid = context.currentThread()?.pid;
  if (refusesWrite(context, reply)) return;
  if (pid === undefined) return reply.error(ESRCH);
  if (bytes.length !== length) return reply.error(EINVAL);
  if (length === 0 || context.target.writeMemory(pid, at, bytes)) reply.ok();
  else reply.error(EFAULT);
}

/** `qSearch:memory:ADDR;LENGTH;BYTES` – where does this pattern occur first? */
function searchMemory(args: PacketCursor, reply: Reply, context: PacketContext): void {
  args.colon();
  const at = args.address();
  args.semicolon();
  const length = args.bigint();
  args.semicolon();
  const pattern = args.rest().slice();
  const pid = context.currentThread()?.pid;
  if (pid === undefined) return reply.error(ESRCH);
  if (pattern.length === 0) return reply.error(EINVAL);
  context.startWork(new MemorySearch(context.target, pid, { at, length, pattern }), reply);
}

/** `qCRC:ADDR,LENGTH` – for `compare-sections`. */
function checksum(args: PacketCursor, reply: Reply, context: PacketContext): void {
  args.colon();
  const at = args.address();
  args.comma();
  const length = args.bigint();
  args.end();
  const pid = context.currentThread()?.pid;
  if (pid === undefined) return reply.error(ESRCH);
  context.startWork(new MemoryChecksum(context.target, pid, at, length), reply);
}

export const memoryPackets: readonly PacketRow[] = [
  { prefix: 'm', allowedWhile: 'asking', handle: readMemory },
  { prefix: 'M', handle: writeMemory },
  { prefix: 'X', handle: writeBinary },
  { prefix: 'qSearch:memory', handle: searchMemory },
  { prefix: 'qCRC', handle: checksum },
];
