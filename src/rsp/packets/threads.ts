/** Threads: choosing one, listing them, telling about them. */
import { EINVAL, ESRCH, isRejected, rejected } from '../error-code.js';
import { MAX_BODY, type PacketContext, type PacketRow, withAbility } from '../packet.js';
import type { PacketCursor } from '../packet-cursor.js';
import type { Reply } from '../reply.js';
import type { ThreadLocalStorage } from '../target-abilities.js';
import { formatThreadId, readThreadSelector, selects, type ThreadSelector } from '../thread-id.js';

/** `Hg THREAD` chooses whom the following packets are about, `Hc THREAD` whom `c` and `s` move. */
function chooseThread(args: PacketCursor, reply: Reply, context: PacketContext): void {
  const forResume = args.optional('c');
  if (!forResume) args.expect('g');
  const selector = readThreadSelector(args);
  args.end();
  if (forResume) chooseContinued(selector, reply, context);
  else chooseGeneral(selector, reply, context);
}

/** "Any" keeps the thread that is chosen if the selector allows it. */
function chooseGeneral(selector: ThreadSelector, reply: Reply, context: PacketContext): void {
  const { client, target } = context;
  const current = context.currentThread();
  const keeps = current !== undefined && selects(selector, current);
  const chosen = keeps ? current : target.threads().find((thread) => selects(selector, thread));
  if (chosen === undefined) return reply.error(ESRCH);
  client.general = chosen;
  reply.ok();
}

function chooseContinued(selector: ThreadSelector, reply: Reply, { client, target }: PacketContext): void {
  if (!target.threads().some((thread) => selects(selector, thread))) return reply.error(ESRCH);
  client.continued = selector;
  reply.ok();
}

/** `T THREAD` – does it live? */
function threadAlive(args: PacketCursor, reply: Reply, { target }: PacketContext): void {
  const selector = readThreadSelector(args);
  args.end();
  if (target.threads().some((thread) => selects(selector, thread))) reply.ok();
  else reply.error(ESRCH);
}

/** `qC` – the current thread. */
function currentThread(args: PacketCursor, reply: Reply, context: PacketContext): void {
  args.end();
  const thread = context.currentThread();
  if (thread === undefined) reply.error(ESRCH);
  else reply.text(`QC${formatThreadId(thread, context.client.multiprocess)}`);
}

/** `qfThreadInfo` – the thread list, from the start. */
function firstThreads(args: PacketCursor, reply: Reply, context: PacketContext): void {
  args.end();
  context.client.threadList = context.target.threads();
  listThreads(reply, context);
}

/** `qsThreadInfo` – the rest of the list, `l` at its end. */
function moreThreads(args: PacketCursor, reply: Reply, context: PacketContext): void {
  args.end();
  listThreads(reply, context);
}

/** `p` and 8 digits for the process, `.` and 8 for the thread, a comma. */
const LONGEST_ID = 19;

function listThreads(reply: Reply, { client }: PacketContext): void {
  const count = Math.floor(MAX_BODY / LONGEST_ID);
  const part = client.threadList.slice(0, count);
  client.threadList = client.threadList.slice(count);
  if (part.length === 0) reply.text('l');
  else reply.text(`m${part.map((thread) => formatThreadId(thread, client.multiprocess)).join(',')}`);
}

/** `qThreadExtraInfo,THREAD` – the name, for clients that do not read the thread list as a document. */
function extraInfo(args: PacketCursor, reply: Reply, { target }: PacketContext): void {
  args.comma();
  const selector = readThreadSelector(args);
  args.end();
  const thread = target.threads().find((candidate) => selects(selector, candidate));
  if (thread === undefined) return reply.error(EINVAL);
  reply.hex(Buffer.from(thread.name ?? ''));
}

/** `qGetTLSAddr:THREAD,OFFSET,LINK_MAP` – where a thread-local variable lies. */
function threadLocalAddress(
  args: PacketCursor,
  reply: Reply,
  { target }: PacketContext,
  ability: ThreadLocalStorage,
): void {
  args.colon();
  const selector = readThreadSelector(args);
  args.comma();
  const offset = args.bigint();
  args.comma();
  const linkMap = args.address();
  args.end();
  const thread = target.threads().find((candidate) => selects(selector, candidate));
  const found = thread === undefined ? rejected(ESRCH) : ability.address(thread, offset, linkMap);
  if (isRejected(found)) reply.error(found.errno, found.reason);
  else reply.text(found.address.toString(16));
}

export const threadPackets: readonly PacketRow[] = [
  { prefix: 'H', allowedWhile: 'asking', handle: chooseThread },
  { prefix: 'T', handle: threadAlive },
  { prefix: 'qC', handle: currentThread, disabledBy: 'qC' },
  { prefix: 'qfThreadInfo', handle: firstThreads, disabledBy: 'qfThreadInfo' },
  { prefix: 'qsThreadInfo', handle: moreThreads, disabledBy: 'qfThreadInfo' },
  { prefix: 'qThreadExtraInfo', handle: extraInfo },
  withAbility('threadLocal', { prefix: 'qGetTLSAddr', handle: threadLocalAddress }),
];
