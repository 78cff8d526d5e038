/** The frames that have been recorded, up to a number of bytes. */
import { encodeFrame, FRAME_HEAD, type TraceFrame } from './trace-frame.js';

/** In the place of a frame that has made room. */
const GONE: TraceFrame = { tracepoint: 0, address: 0n, blocks: new Uint8Array(0) };

/** gdbserver's. */
export const DEFAULT_SIZE = 5 << 20;
export const MAX_SIZE = 256 << 20;

export class TraceBuffer {
  private frames: TraceFrame[] = [];
  /** So many of them have made room: they go when they are the greater part, as to move all others up takes its time. */
  private gone = 0;
  private used = 0;
  private createdCount = 0;
  private capacity = DEFAULT_SIZE;
  /** Old frames make room for new ones. */
  circular = false;

  get size(): number {
    return this.capacity;
  }

  get free(): number {
    return this.capacity - this.used;
  }

  get count(): number {
    return this.frames.length - this.gone;
  }

  /** Those that are gone again included. */
  get created(): number {
    return this.createdCount;
  }

  /** Only while it is empty or nothing records; what does not fit any more is dropped, oldest first. */
  resize(size: number): void {
    this.capacity = size;
    this.makeRoom(0);
  }

  clear(): void {
    this.frames = [];
    this.gone = 0;
    this.used = 0;
    this.createdCount = 0;
  }

  /** False: there is no room. */
  add(frame: TraceFrame): boolean {
    const size = FRAME_HEAD + frame.blocks.length;
    this.createdCount++;
    if (this.circular && size <= this.capacity) this.makeRoom(size);
    if (size > this.free) return false;
    this.frames.push(frame);
    this.used += size;
    return true;
  }

  get(index: number): TraceFrame | undefined {
    return this.frames[this.gone + index];
  }

  /** Index of the first frame from `start` on that is looked for. */
  find(start: number, wanted: (frame: TraceFrame) => boolean): number | undefined {
    const index = this.kept().findIndex((frame, i) => i >= start && wanted(frame));
    return index < 0 ? undefined : index;
  }

  /** Frames one after another, as in a trace file: up to `length` bytes from `offset` on. */
  raw(offset: number, length: number): Uint8Array {
    const pieces: Uint8Array[] = [];
    let at = 0;
    for (const frame of this.kept()) {
      const end = at + FRAME_HEAD + frame.blocks.length;
      if (end > offset && at < offset + length) {
        pieces.push(encodeFrame(frame).subarray(Math.max(0, offset - at), offset + length - at));
      }
      at = end;
    }
    return Buffer.concat(pieces);
  }

  private makeRoom(size: number): void {
    while (this.free < size) {
      const oldest = this.frames[this.gone];
      if (oldest === undefined) return;
      this.frames[this.gone++] = GONE;
      this.used -= FRAME_HEAD + oldest.blocks.length;
    }
    if (this.gone > this.frames.length / 2) this.kept();
  }

  /** The frames, with those that have made room left out. */
  private kept(): readonly TraceFrame[] {
    if (this.gone > 0) this.frames = this.frames.slice(this.gone);
    this.gone = 0;
    return this.frames;
  }
}
