/** StopEvent -> the text of a stop reply (gdb manual, "Stop Reply Packets"). */
import { unreachable } from '../types.js';
import type { Client } from './client.js';
import { clientRegisters } from './client-registers.js';
import { SIGINT, SIGTRAP, toGdbSignal } from './gdb-signal.js';
import { lldbKeys } from './lldb-stop.js';
import type { SessionSettings } from './session-types.js';
import type { StopEvent } from './stop-event.js';
import type { Target } from './target.js';
import { formatThreadId, type ThreadId } from './thread-id.js';

/** Bytes of a register. */
const WIDEST = 16;

export interface StopReplyContext {
  readonly target: Target;
  readonly client: Client;
  readonly settings: SessionSettings;
}

/** Only characters that need no escaping. */
export function stopReply(event: StopEvent, context: StopReplyContext): string {
  const end = (code: number, pid: number): string => endText(code, pid, context.client);
  switch (event.kind) {
    case 'exited':
      return `W${end(event.code, event.pid)}`;
    case 'killed':
      return `X${end(toGdbSignal(event.signal), event.pid)}`;
    case 'thread-exited':
      return `w${event.code.toString(16)};${formatThreadId(event.thread, context.client.multiprocess)}`;
    case 'no-resumed':
      return 'N';
    default:
      return threadStop(event, event.thread, context);
  }
}

/** As gdbserver writes them: two digits, but only where no process follows. lldb always wants two. */
function endText(code: number, pid: number, { multiprocess, isLldb }: Client): string {
  if (!multiprocess) return byte(code);
  return `${isLldb ? byte(code) : code.toString(16)};process:${pid.toString(16)}`;
}

function threadStop(event: StopEvent, thread: ThreadId, context: StopReplyContext): string {
  const { target, settings } = context;
  const signal = byte(toGdbSignal(signalOf(event)));
  if (settings.disabled?.has('T')) return `S${signal}`;
  const info = target.thread(thread);
  const parts = [reason(event, context), expedited(thread, context)];
  if (!settings.disabled?.has('Tthread')) parts.push(`thread:${formatThreadId(thread, context.client.multiprocess)};`);
  if (info !== undefined) parts.push(`core:${info.core.toString(16)};`);
  if (context.client.listsThreads) parts.push(lldbKeys(event, thread, target, context.client.multiprocess));
  return `T${signal}${parts.join('')}`;
}

function signalOf(event: StopEvent): number {
  switch (event.kind) {
    case 'signal':
      return event.signal;
    case 'interrupted':
      return SIGINT;
    case 'paused':
      return 0;
    default:
      return SIGTRAP;
  }
}

/** What a client must offer to get this reason: gdb gives up the session when `swbreak` comes unexpectedly. */
function neededOffer(event: StopEvent): string | undefined {
  switch (event.kind) {
    case 'breakpoint':
      return event.hardware ? 'hwbreak+' : 'swbreak+';
    case 'fork':
      return 'fork-events+';
    case 'vfork':
    case 'vfork-done':
      return 'vfork-events+';
    case 'exec':
      return 'exec-events+';
    default:
      return undefined;
  }
}

/** The stop's reason as `name:value;`. */
function reason(event: StopEvent, { client }: StopReplyContext): string {
  const offer = neededOffer(event);
  if (offer !== undefined && !client.offers(offer)) return '';
  switch (event.kind) {
    case 'breakpoint':
      return event.hardware ? 'hwbreak:;' : 'swbreak:;';
    case 'watchpoint':
      return `${WATCH_NAMES[event.access]}:${event.address.toString(16)};`;
    case 'fork':
    case 'vfork':
      return `${event.kind}:${formatThreadId(event.child, client.multiprocess)};`;
    case 'vfork-done':
      return 'vforkdone:;';
    case 'exec':
      return `exec:${Buffer.from(event.path).toString('hex')};`;
    case 'syscall-entry':
      return `syscall_entry:${event.number.toString(16)};`;
    case 'syscall-return':
      return `syscall_return:${event.number.toString(16)};`;
    case 'thread-created':
      return 'create:;';
    case 'signal':
    case 'stepped':
    case 'interrupted':
    case 'paused':
    case 'thread-exited':
    case 'exited':
    case 'killed':
    case 'no-resumed':
      return '';
    default:
      return unreachable(event);
  }
}

const WATCH_NAMES = { write: 'watch', read: 'rwatch', access: 'awatch' } as const;

/**
 * `number:value;` for each register that has a value. All of them: gdb needs no `g` to show where the program is, and knows after a call which of them to
 * restore; those that it does not know cost a `P` each, 52 of a call's round trips.
 */
function expedited(thread: ThreadId, { target, client }: StopReplyContext): string {
  if (target.thread(thread) === undefined) return '';
  const value = Buffer.alloc(WIDEST);
  const texts = clientRegisters(client, target, thread.pid).map((row) => {
    const bytes = value.subarray(0, row.bits / 8);
    return target.readRegister(thread, row, bytes) ? `${byte(row.number)}:${bytes.toString('hex')};` : '';
  });
  return texts.join('');
}

/** Two hex digits at least. */
function byte(value: number): string {
  return value.toString(16).padStart(2, '0');
}
