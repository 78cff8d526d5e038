/**
 * What lies in a pipe, as Linux keeps it (fs/pipe.c): a ring of slots of a page each. A small write goes into the rest of the last slot if it fits
 * there whole, else into a slot of its own; so a write of at most PIPE_BUF bytes is never torn, and how much a pipe takes depends on the portions.
 */

/** Also PIPE_BUF. */
const PAGE = 4096;

interface Slot {
  readonly bytes: Uint8Array;
  start: number;
  end: number;
  /** O_DIRECT: one write, one read. */
  readonly packet: boolean;
}

export class PipeBuffer {
  private readonly slots: Slot[] = [];

  /** `capacity`: slots. */
  constructor(public capacity = 16) {}

  get isEmpty(): boolean {
    return this.slots.length === 0;
  }

  get isFull(): boolean {
    return this.slots.length >= this.capacity;
  }

  get used(): number {
    return this.slots.length;
  }

  /** Bytes in it. */
  get length(): number {
    return this.slots.reduce((sum, { start, end }) => sum + end - start, 0);
  }

  /** Bytes taken, 0 when it is full. */
  write(from: Uint8Array, packet: boolean): number {
    let done = packet ? 0 : this.merge(from);
    while (done < from.length && !this.isFull) {
      const bytes = new Uint8Array(PAGE);
      const part = from.subarray(done, done + PAGE);
      bytes.set(part);
      this.slots.push({ bytes, start: 0, end: part.length, packet });
      done += part.length;
    }
    return done;
  }

  /** The part of a write that is no whole page goes behind the last one, if it finds room there. */
  private merge(from: Uint8Array): number {
    const last = this.slots.at(-1);
    const part = from.length % PAGE;
    if (last === undefined || last.packet || part === 0 || last.end + part > PAGE) return 0;
    last.bytes.set(from.subarray(0, part), last.end);
    last.end += part;
    return part;
  }

  /** Bytes given, 0 when it is empty. What a packet has more than `into` takes is lost. */
  read(into: Uint8Array): number {
    let done = 0;
    while (done < into.length) {
      const slot = this.slots[0];
      if (slot === undefined) break;
      const part = slot.bytes.subarray(slot.start, Math.min(slot.end, slot.start + into.length - done));
      into.set(part, done);
      done += part.length;
      slot.start += part.length;
      if (slot.packet || slot.start === slot.end) this.slots.shift();
      if (slot.packet) break;
    }
    return done;
  }

  /** As `read`, and leaves everything where it is (tee). */
  peek(into: Uint8Array): number {
    let done = 0;
    for (const { bytes, start, end } of this.slots) {
      const part = bytes.subarray(start, Math.min(end, start + into.length - done));
      into.set(part, done);
      done += part.length;
      if (done === into.length) break;
    }
    return done;
  }
}
