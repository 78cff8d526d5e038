/** How lldb is told of stopped threads: keys of its own in stop replies, and JSON (lldb's page on its extensions of the protocol). */
import { type RegisterRow, registerNamed } from '../register-set.js';
import { unreachable } from '../types.js';
import { SIGINT, SIGTRAP, toGdbSignal } from './gdb-signal.js';
import type { StopEvent } from './stop-event.js';
import type { Target } from './target.js';
import { formatThreadId, type ThreadId } from './thread-id.js';

const RIP = registerNamed('rip');
const RBP = registerNamed('rbp');
/** A frame's saved rbp and return address: what unwinding reads first. */
const FRAME_BYTES = 16;

/** What lldb shows, and what its stepping goes by; undefined: nothing that stopped the thread itself. */
interface Cause {
  readonly reason: string;
  /** Linux's number. */
  readonly signal: number;
  readonly description?: string;
}

function causeOf(event: StopEvent): Cause | undefined {
  switch (event.kind) {
    case 'signal':
      return { reason: 'signal', signal: event.signal };
    case 'interrupted':
      return { reason: 'signal', signal: SIGINT };
    case 'breakpoint':
      return { reason: 'breakpoint', signal: SIGTRAP };
    case 'watchpoint':
      return { reason: 'watchpoint', signal: SIGTRAP, description: `${event.address} 0 ${event.address}` };
    case 'stepped':
      return { reason: 'trace', signal: SIGTRAP };
    case 'fork':
    case 'vfork':
      return { reason: event.kind, signal: SIGTRAP };
    case 'vfork-done':
      return { reason: 'vforkdone', signal: SIGTRAP };
    case 'exec':
      return { reason: 'exec', signal: SIGTRAP };
    case 'syscall-entry':
    case 'syscall-return':
    case 'thread-created':
      return { reason: 'trap', signal: SIGTRAP };
    case 'paused':
    case 'thread-exited':
    case 'exited':
    case 'killed':
    case 'no-resumed':
      return undefined;
    default:
      return unreachable(event);
  }
}

function causeFor(thread: ThreadId, last: StopEvent | undefined): Cause | undefined {
  return last !== undefined && 'thread' in last && last.thread.tid === thread.tid ? causeOf(last) : undefined;
}

/** The keys behind those that gdb knows. A fork's and an exec's own key tell lldb the reason. */
export function lldbKeys(event: StopEvent, thread: ThreadId, target: Target, multiprocess: boolean): string {
  const cause = causeOf(event);
  const info = target.thread(thread);
  const threads = target.threads().filter(({ pid }) => pid === thread.pid);
  return [
    info?.name === undefined ? '' : `hexname:${hexText(info.name)};`,
    `threads:${threads.map((one) => formatThreadId(one, multiprocess)).join(',')};`,
    `thread-pcs:${threads.map((one) => programCounter(target, one)).join(',')};`,
    // One thread alone is described by the other keys.
    threads.length > 1
      ? `jstopinfo:${hexText(JSON.stringify(threads.map((one) => brief(one, causeFor(one, event)))))};`
      : '',
    ...frameMemory(thread, target).map(({ address, bytes }) => `memory:0x${address.toString(16)}=${bytes};`),
    cause === undefined || cause.reason === 'watchpoint' ? '' : `reason:${cause.reason};`,
  ].join('');
}

function brief({ tid }: ThreadId, cause: Cause | undefined): Readonly<Record<string, unknown>> {
  return {
    tid,
    ...(cause === undefined
      ? {}
      : {
          reason: cause.reason,
          signal: toGdbSignal(cause.signal),
          ...(cause.description === undefined ? {} : { description: cause.description }),
        }),
  };
}

/** `jThreadsInfo`: everything that a stop reply says, of each thread of the process. */
export function threadsAsJson(
  target: Target,
  current: ThreadId,
  last: StopEvent | undefined,
  expedited: readonly RegisterRow[],
): string {
  const threads = target.threads().filter(({ pid }) => pid === current.pid);
  return JSON.stringify(
    threads.map((thread) => ({
      ...brief(thread, causeFor(thread, last)),
      name: thread.name,
      registers: Object.fromEntries(
        expedited.flatMap((row) => {
          const value = registerValue(target, thread, row);
          return value === undefined ? [] : [[`${row.number}`, value.toString('hex')]];
        }),
      ),
      memory: frameMemory(thread, target).map(({ address, bytes }) => ({ address: Number(address), bytes })),
    })),
  );
}

function frameMemory(thread: ThreadId, target: Target): readonly { address: bigint; bytes: string }[] {
  const address = registerValue(target, thread, RBP)?.readBigUInt64LE();
  const bytes = Buffer.alloc(FRAME_BYTES);
  if (address === undefined || target.readMemory(thread.pid, address, bytes) < FRAME_BYTES) return [];
  return [{ address, bytes: bytes.toString('hex') }];
}

function registerValue(target: Target, thread: ThreadId, row: RegisterRow): Buffer | undefined {
  const value = Buffer.alloc(row.bits / 8);
  return target.readRegister(thread, row, value) ? value : undefined;
}

function programCounter(target: Target, thread: ThreadId): string {
  const value = registerValue(target, thread, RIP)?.readBigUInt64LE() ?? 0n;
  return value.toString(16).padStart(16, '0');
}

function hexText(text: string): string {
  return Buffer.from(text).toString('hex');
}
