/** Letting the program go: `vCont`, and `c` `C` `s` `S` for clients without it. Both end in one list of actions for threads. */
import { registerNamed } from '../../register-set.js';
import { EINVAL, ESRCH } from '../error-code.js';
import { fromGdbSignal } from '../gdb-signal.js';
import type { PacketContext, PacketRow } from '../packet.js';
import type { PacketCursor } from '../packet-cursor.js';
import type { Reply } from '../reply.js';
import type { ResumeAction } from '../stop-event.js';
import { ALL_THREADS, readThreadSelector, selects, type ThreadId, type ThreadSelector } from '../thread-id.js';

/** What to do, before it is known with which threads. */
type Motion =
  | { readonly kind: 'continue' | 'step'; readonly signal: number }
  | { readonly kind: 'range'; readonly start: bigint; readonly end: bigint }
  | { readonly kind: 'stop' };

interface Rule {
  readonly motion: Motion;
  readonly threads: ThreadSelector;
}

/** `vCont?` – the actions we know. */
function resumeAbilities(args: PacketCursor, reply: Reply, { target }: PacketContext): void {
  args.end();
  reply.text(target.nonStop === undefined ? 'vCont;c;C;s;S;r' : 'vCont;c;C;t;s;S;r');
}

/**
 * `vCont;ACTION[:THREAD];...` – for each thread the leftmost action that names it counts. A thread that none names stays stopped: that is how
 * gdb locks the scheduler.
 */
function resume(args: PacketCursor, reply: Reply, context: PacketContext): void {
  const rules: Rule[] = [];
  while (args.optional(';')) {
    const motion = readMotion(args);
    rules.push({ motion, threads: args.optional(':') ? readThreadSelector(args) : ALL_THREADS });
  }
  args.end();
  if (rules.length === 0) args.malformed('no action');
  apply(rules, reply, context);
}

function readMotion(args: PacketCursor): Motion {
  if (args.optional('c')) return { kind: 'continue', signal: 0 };
  if (args.optional('s')) return { kind: 'step', signal: 0 };
  if (args.optional('C')) return { kind: 'continue', signal: readSignal(args) };
  if (args.optional('S')) return { kind: 'step', signal: readSignal(args) };
  if (args.optional('t')) return { kind: 'stop' };
  args.expect('r');
  const start = args.address();
  args.comma();
  return { kind: 'range', start, end: args.address() };
}

function readSignal(args: PacketCursor): number {
  return fromGdbSignal(args.number()) ?? args.malformed('a signal that Linux does not have');
}

/**
 * Nothing to resume would leave an all-stop client waiting for ever. In non-stop mode it is no mistake: the threads may have ended, and the client has not
 * heard of it yet.
 */
function apply(rules: readonly Rule[], reply: Reply, context: PacketContext): void {
  const { client, target } = context;
  if (!client.nonStop && rules.some(({ motion }) => motion.kind === 'stop')) return reply.error(EINVAL);
  const actions = target.threads().flatMap((thread): ResumeAction[] => {
    // A client that resumes everybody does not mean those of whose stop or birth it has not heard yet (gdbserver's linux_set_resume_request).
    if (context.hasUnseenStop(thread)) return [];
    const rule = rules.find(({ threads }) => selects(threads, thread));
    return rule === undefined ? [] : [{ thread: { pid: thread.pid, tid: thread.tid }, ...rule.motion }];
  });
  if (actions.length > 0 || client.nonStop) context.resume(actions, reply);
  else if (target.threads().length > 0 && client.offers('no-resumed+'))
    context.answerStop({ kind: 'no-resumed' }, reply);
  else reply.error(ESRCH);
}

/** `c [ADDR]` and `s [ADDR]`, at another address if one is given. */
function legacy(kind: 'continue' | 'step', withSignal: boolean): PacketRow['handle'] {
  return (args, reply, context) => {
    const signal = withSignal ? readSignal(args) : 0;
    const hasAddress = withSignal ? args.optional(';') : !args.atEnd;
    const address = hasAddress ? args.address() : undefined;
    args.end();
    const thread = movedThread(context);
    if (thread === undefined) return reply.error(ESRCH);
    if (address !== undefined && !writePc(context, thread, address)) return reply.error(EINVAL);
    apply(legacyRules({ kind, signal }, thread, context), reply, context);
  };
}

/** The one that `Hc` named, or the current one. */
function movedThread(context: PacketContext): ThreadId | undefined {
  const { continued } = context.client;
  const current = context.currentThread();
  if (current !== undefined && selects(continued, current)) return current;
  return context.target.threads().find((thread) => selects(continued, thread));
}

function writePc({ target }: PacketContext, thread: ThreadId, address: bigint): boolean {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(address);
  return target.writeRegister(thread, registerNamed('rip'), bytes);
}

/** After `Hc` with a thread only that one moves; else the others continue beside it, as in gdbserver. */
function legacyRules(motion: Motion, thread: ThreadId, { client }: PacketContext): readonly Rule[] {
  const first = { motion, threads: thread };
  const onlyOne = typeof client.continued.tid === 'number';
  return onlyOne ? [first] : [first, { motion: { kind: 'continue', signal: 0 }, threads: ALL_THREADS }];
}

export const resumePackets: readonly PacketRow[] = [
  { prefix: 'vCont?', handle: resumeAbilities, disabledBy: 'vCont' },
  { prefix: 'vCont', advertises: 'vContSupported+', handle: resume, disabledBy: 'vCont' },
  { prefix: 'c', handle: legacy('continue', false) },
  { prefix: 's', handle: legacy('step', false) },
  { prefix: 'C', handle: legacy('continue', true) },
  { prefix: 'S', handle: legacy('step', true) },
];
