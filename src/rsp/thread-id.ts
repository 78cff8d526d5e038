/**
 * Thread ids as the protocol writes them (gdb manual, "Packets", thread-id syntax): `p<pid>.<tid>` with the multiprocess feature, `<tid>`
 * without; -1 means all, 0 any.
 */
import type { Pid, Tid } from '../types.js';
import type { PacketCursor } from './packet-cursor.js';

/** One thread of the target. A tid is unique in the machine. */
export interface ThreadId {
  readonly pid: Pid;
  readonly tid: Tid;
}

/** What a packet names: a thread, or a set of them. */
export interface ThreadSelector {
  readonly pid: number | 'all' | 'any';
  readonly tid: number | 'all' | 'any';
}

export const ALL_THREADS: ThreadSelector = { pid: 'all', tid: 'all' };

/** Reads a thread-id. `p<pid>` alone stands for all threads of that process. */
export function readThreadSelector(args: PacketCursor): ThreadSelector {
  if (!args.optional('p')) {
    const tid = readId(args);
    return { pid: tid === 'all' ? 'all' : 'any', tid };
  }
  const pid = readId(args);
  return { pid, tid: args.optional('.') ? readId(args) : 'all' };
}

function readId(args: PacketCursor): number | 'all' | 'any' {
  if (args.optional('-')) {
    if (args.number() !== 1) args.malformed('a negative id is not -1');
    return 'all';
  }
  const id = args.number();
  return id === 0 ? 'any' : id;
}

/** Is this thread among those that the selector names? */
export function selects({ pid, tid }: ThreadSelector, thread: ThreadId): boolean {
  const ofProcess = pid === 'all' || pid === 'any' || pid === thread.pid;
  return ofProcess && (tid === 'all' || tid === 'any' || tid === thread.tid);
}

export function formatThreadId(thread: ThreadId, multiprocess: boolean): string {
  const tid = thread.tid.toString(16);
  return multiprocess ? `p${thread.pid.toString(16)}.${tid}` : tid;
}
