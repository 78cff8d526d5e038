/**
 * The pool of 4 KiB frames: who uses them is counted, what lies in them is the users' business. Frames are numbers (physical address / 4096). They are
 * taken from the bottom of the pool; the areas of address spaces (memory/layout.ts) from its top.
 */
import type { FrameSource } from '../machine.js';
import { FRAMES_BASE, SPACE_AREA_BYTES } from './layout.js';
import type { PhysicalMemory } from './physical.js';

export const FRAME_SHIFT = 12;
export const FRAME_BYTES = 4096;
const AREA_FRAMES = SPACE_AREA_BYTES / FRAME_BYTES;

/** Who has a frame: a program, or nobody that a program is told of (see `available`). */
type FrameUse = 'program' | 'aside';

export class FramePool implements FrameSource {
  /** By frame number; 0: free. */
  private readonly users: Uint32Array;
  /** Frames that were used and are free, last freed on top. */
  private readonly recycled: Uint32Array;
  private recycledCount = 0;
  /** 1: the frame is no program's but holds what a file can bring again, or what probes need. */
  private readonly aside: Uint8Array;
  private asideCount = 0;
  /** Frames from here on have never been used: they are zero, and cost the host nothing yet. */
  private fresh: number;
  /** First frame of the lowest area. */
  private areasBegin: number;
  private readonly freeAreas: number[] = [];
  /** Asked when no frame is left: gives back what can be had again (clean pages of files); true when it found something. */
  reclaim: () => boolean = () => false;

  constructor(private readonly physical: PhysicalMemory) {
    const end = physical.size / FRAME_BYTES;
    this.users = new Uint32Array(end);
    this.recycled = new Uint32Array(end);
    this.aside = new Uint8Array(end);
    this.fresh = FRAMES_BASE / FRAME_BYTES;
    this.areasBegin = end;
  }

  /** How many frames can still be had. */
  get free(): number {
    return this.recycledCount + this.areasBegin - this.fresh;
  }

  /**
   * How many a program is told that it can have: what is cached of files can be had again, and it shall not see what probes use. So this does not depend on
   * who else has looked at its files.
   */
  get available(): number {
    return this.free + this.asideCount;
  }

  /** How many there are in all, areas included. */
  get total(): number {
    return this.users.length - FRAMES_BASE / FRAME_BYTES;
  }

  /** A frame full of zeros with one user; undefined when there is none left. */
  alloc(use: FrameUse = 'program'): number | undefined {
    const recycled = this.recycledCount > 0;
    const frame = this.take(use);
    if (frame !== undefined && recycled) this.physical.u8.fill(0, frame * FRAME_BYTES, (frame + 1) * FRAME_BYTES);
    return frame;
  }

  /** A frame with one user that is about to be overwritten as a whole: whatever was in it is still there. */
  take(use: FrameUse = 'program'): number | undefined {
    if (this.free === 0 && !this.reclaim()) return undefined;
    const frame = this.recycledCount > 0 ? (this.recycled[--this.recycledCount] as number) : this.fresh++;
    this.users[frame] = 1;
    if (use === 'aside') {
      this.aside[frame] = 1;
      this.asideCount++;
    }
    return frame;
  }

  /** A frame with one user that holds the bytes of another. */
  copy(from: number, use: FrameUse = 'program'): number | undefined {
    const frame = this.take(use);
    if (frame === undefined) return undefined;
    this.physical.u8.copyWithin(frame * FRAME_BYTES, from * FRAME_BYTES, (from + 1) * FRAME_BYTES);
    return frame;
  }

  usersOf(frame: number): number {
    return this.users[frame] as number;
  }

  retain(frame: number): void {
    if (this.users[frame] === 0) throw new Error(`frame ${frame} is free`);
    this.users[frame] = (this.users[frame] as number) + 1;
  }

  /** One user less; true when it was the last and the frame is free. */
  release(frame: number): boolean {
    const left = (this.users[frame] as number) - 1;
    if (left < 0) throw new Error(`frame ${frame} is free`);
    this.users[frame] = left;
    if (left > 0) return false;
    this.asideCount -= this.aside[frame] as number;
    this.aside[frame] = 0;
    this.recycled[this.recycledCount++] = frame;
    return true;
  }

  /** Physical address of SPACE_AREA_BYTES full of zeros; undefined when there is no room. */
  allocArea(): number | undefined {
    const recycled = this.freeAreas.pop();
    if (recycled !== undefined) return recycled;
    if (this.areasBegin - AREA_FRAMES < this.fresh) return undefined;
    this.areasBegin -= AREA_FRAMES;
    return this.areasBegin * FRAME_BYTES;
  }

  /** `area`: full of zeros again. */
  releaseArea(area: number): void {
    this.freeAreas.push(area);
  }
}
