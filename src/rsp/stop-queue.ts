/**
 * The stop replies of non-stop mode: the first goes out as a notification, and each `vStopped` acknowledges the one that is out and fetches
 * the next (gdb manual, "Notification Packets").
 */
export class StopQueue {
  private queue: string[] = [];

  /** The report that is out, or shall go out now. */
  get next(): string | undefined {
    return this.queue[0];
  }

  /** Returns the report if it has to be notified; undefined when the client is still fetching others. */
  add(reply: string): string | undefined {
    this.queue.push(reply);
    return this.queue.length === 1 ? reply : undefined;
  }

  acknowledge(): void {
    this.queue.shift();
  }

  /** `?` begins anew with the present state of all threads. */
  restart(replies: readonly string[]): void {
    this.queue = [...replies];
  }
}
