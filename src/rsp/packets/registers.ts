/** Registers: all (`g`, `G`) or one (`p`, `P`). Layout and numbers are those of the target description, as far as the client knows it. */
import type { RegisterRow } from '../../register-set.js';
import { clientRegisters } from '../client-registers.js';
import { EINVAL, ESRCH } from '../error-code.js';
import { type PacketContext, type PacketRow, refusesWrite } from '../packet.js';
import type { PacketCursor } from '../packet-cursor.js';
import type { Reply } from '../reply.js';
import type { Target } from '../target.js';
import { readThreadSelector, selects, type ThreadId } from '../thread-id.js';

/** The widest register has 16 bytes. */
const MAX_BYTES = 16;

/** `;thread:ID;` behind the arguments names whom a packet is about (lldb, `QThreadSuffixSupported`); without it the chosen thread. */
export function readThreadSuffix(args: PacketCursor, context: PacketContext): ThreadId | undefined {
  if (!args.optional(';')) return context.currentThread();
  if (!args.keyword('thread:')) args.malformed('no thread:');
  const selector = readThreadSelector(args);
  args.optional(';');
  return context.target.threads().find((thread) => selects(selector, thread));
}

function appendRegister(reply: Reply, view: PacketContext['view'], thread: ThreadId, row: RegisterRow): void {
  const value = new Uint8Array(row.bits / 8);
  if (view.readRegister(thread, row, value)) reply.hex(value);
  else reply.text('xx'.repeat(value.length));
}

/** `g` – every register; `xx` for each byte that is not available. */
function readAll(args: PacketCursor, reply: Reply, context: PacketContext): void {
  const thread = readThreadSuffix(args, context);
  args.end();
  if (thread === undefined) return reply.error(ESRCH);
  const { view } = context;
  for (const row of clientRegisters(context.client, context.target, thread.pid))
    appendRegister(reply, view, thread, row);
}

/**
 * `G VALUES` – writes those that differ: a client that changes one register sends them all, and some of them, such as the segment
 * registers, may take no value but their own.
 */
function writeAll(args: PacketCursor, reply: Reply, context: PacketContext): void {
  const values = args.hexBytes();
  const thread = readThreadSuffix(args, context);
  args.end();
  if (refusesWrite(context, reply)) return;
  if (thread === undefined) return reply.error(ESRCH);
  writeRegisters(thread, values, reply, context);
}

/** What `g` said, back. */
export function writeRegisters(thread: ThreadId, values: Uint8Array, reply: Reply, context: PacketContext): void {
  const rows = clientRegisters(context.client, context.target, thread.pid);
  if (values.length !== rows.reduce((sum, { bits }) => sum + bits / 8, 0)) return reply.error(EINVAL);
  let at = 0;
  for (const row of rows) {
    const value = values.subarray(at, at + row.bits / 8);
    at += value.length;
    if (!holds(context.target, thread, row, value) && !context.target.writeRegister(thread, row, value)) {
      return reply.error(EINVAL);
    }
  }
  reply.ok();
}

function holds(target: Target, thread: ThreadId, row: RegisterRow, value: Uint8Array): boolean {
  const present = new Uint8Array(MAX_BYTES).subarray(0, value.length);
  return target.readRegister(thread, row, present) && Buffer.compare(present, value) === 0;
}

/** `p NUMBER` – one register. */
function readOne(args: PacketCursor, reply: Reply, context: PacketContext): void {
  const number = args.number();
  const thread = readThreadSuffix(args, context);
  args.end();
  if (thread === undefined) return reply.error(ESRCH);
  const row = clientRegisters(context.client, context.target, thread.pid)[number];
  if (row === undefined) return reply.error(EINVAL);
  appendRegister(reply, context.view, thread, row);
}

/** `P NUMBER=VALUE` – gdbserver lacks it, so that each changed register costs a whole `G` there. */
function writeOne(args: PacketCursor, reply: Reply, context: PacketContext): void {
  const number = args.number();
  args.expect('=');
  const value = args.hexBytes();
  const thread = readThreadSuffix(args, context);
  args.end();
  if (refusesWrite(context, reply)) return;
  if (thread === undefined) return reply.error(ESRCH);
  const row = clientRegisters(context.client, context.target, thread.pid)[number];
  if (row === undefined || value.length !== row.bits / 8) return reply.error(EINVAL);
  if (context.target.writeRegister(thread, row, value)) reply.ok();
  else reply.error(EINVAL);
}

export const registerPackets: readonly PacketRow[] = [
  { prefix: 'g', handle: readAll },
  { prefix: 'G', handle: writeAll },
  { prefix: 'p', handle: readOne },
  { prefix: 'P', handle: writeOne },
];
