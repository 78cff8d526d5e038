/**
 * The stop replies of non-stop mode: the first goes out as a notification, and each `vStopped` acknowledges the one that is out and fetches
 * the next (gdb manual, "Notification Packets").
 */
import { type StopEvent, threadOf } from './stop-event.js';
import type { ThreadId } from './thread-id.js';

/** A report and its text. */
export interface QueuedStop {
  readonly event: StopEvent;
  readonly reply: string;
}

export class StopQueue {
  private queue: QueuedStop[] = [];

  /** The report that is out, or shall go out now. */
  get next(): string | undefined {
    return this.queue[0]?.reply;
  }

  /** Returns the report if it has to be notified; undefined when the client is still fetching others. */
  add(stop: QueuedStop): string | undefined {
    this.queue.push(stop);
    return this.queue.length === 1 ? stop.reply : undefined;
  }

  acknowledge(): void {
    this.queue.shift();
  }

  /** `?` begins anew with the present state of all threads. */
  restart(stops: readonly QueuedStop[]): void {
    this.queue = [...stops];
  }

  /** The client does not know yet that this thread has stopped, or that it exists. */
  holds(thread: ThreadId): boolean {
    return this.queue.some(({ event }) => {
      const child = 'child' in event ? event.child : undefined;
      return isSame(threadOf(event), thread) || isSame(child, thread);
    });
  }
}

function isSame(one: ThreadId | undefined, other: ThreadId): boolean {
  return one !== undefined && one.pid === other.pid && one.tid === other.tid;
}
