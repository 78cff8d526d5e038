/**
 * The breakpoints (swbp, int3) that the probe engine has in an address space. They are in no byte that the program or a debugger can read: a page with
 * breakpoints has a second frame, its bytes with the int3s in them, which only decoding reads. It is derived when it is fetched and void when the bytes
 * change: a page with a fetch frame has all its lines marked as code.
 */
import type { MachineMemory } from './machine-memory.js';

const INT3 = 0xcc;
const PAGE = 4096;

export class FetchFrames {
  /** Offsets of the breakpoints, by page. */
  private readonly offsets = new Map<number, Set<number>>();
  private readonly frames = new Map<number, number>();

  constructor(private readonly memory: MachineMemory) {}

  get any(): boolean {
    return this.offsets.size > 0;
  }

  has(at: number): boolean {
    return this.offsets.get(Math.floor(at / PAGE))?.has(at % PAGE) ?? false;
  }

  /** Whether the page has breakpoints. */
  covers(page: number): boolean {
    return this.offsets.size > 0 && this.offsets.has(page);
  }

  /** Whether a page that [from, to) touches has breakpoints. */
  meets(from: number, to: number): boolean {
    for (const page of this.offsets.keys()) if (page * PAGE < to && (page + 1) * PAGE > from) return true;
    return false;
  }

  /** False when there is one already. */
  insert(at: number): boolean {
    const page = Math.floor(at / PAGE);
    const offsets = this.offsets.get(page) ?? new Set();
    if (offsets.has(at % PAGE)) return false;
    offsets.add(at % PAGE);
    this.offsets.set(page, offsets);
    this.drop(page);
    return true;
  }

  /** False when there was none. */
  remove(at: number): boolean {
    const page = Math.floor(at / PAGE);
    const offsets = this.offsets.get(page);
    if (offsets === undefined || !offsets.delete(at % PAGE)) return false;
    if (offsets.size === 0) this.offsets.delete(page);
    this.drop(page);
    return true;
  }

  /** The breakpoints in the pages [from, to) are gone with their mapping. */
  forget(from: number, to: number): void {
    for (const page of [...this.offsets.keys()]) {
      if (page < from || page >= to) continue;
      this.offsets.delete(page);
      this.drop(page);
    }
  }

  /** The frame that decoding reads for a page whose bytes lie in `data`; undefined when there is no memory for it. */
  frameFor(page: number, data: number): number | undefined {
    const offsets = this.offsets.get(page);
    if (offsets === undefined) return data;
    return this.frames.get(page) ?? this.derive(page, data, offsets);
  }

  /** The bytes of the page have changed, or its breakpoints. */
  drop(page: number): void {
    const frame = this.frames.get(page);
    if (frame === undefined) return;
    this.frames.delete(page);
    this.memory.release(frame);
  }

  dropAll(): void {
    for (const page of [...this.frames.keys()]) this.drop(page);
    this.offsets.clear();
  }

  private derive(page: number, data: number, offsets: ReadonlySet<number>): number | undefined {
    const frame = this.memory.frames.copy(data, 'aside');
    if (frame === undefined) return undefined;
    for (const offset of offsets) this.memory.physical.u8[frame * PAGE + offset] = INT3;
    this.frames.set(page, frame);
    this.memory.markCode(data, 0, PAGE);
    return frame;
  }
}
