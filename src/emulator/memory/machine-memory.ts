/** What the address spaces of one machine share: the frames, who maps them, and the code in them. */
import type { CodeListener } from '../executor.js';
import { CodeLines, wholeLines } from './code-lines.js';
import { FramePool } from './frames.js';
import type { PhysicalMemory } from './physical.js';
import { ReverseMap } from './reverse-map.js';

/** An address space as a frame sees it. Pages are numbers: address / 4096. */
export interface FrameUser {
  readonly id: number;
  /** Writes of the page miss the TLB from now on. */
  dropWrite(page: number): void;
  /** Bytes of the page that may have been translated are no longer what they were: whole lines. Offsets in the page. */
  codeStored(page: number, from: number, to: number): void;
  /** The object `pages` (a file's) has only `kept` pages from now on: mappings lose those beyond, private copies too. */
  truncated(pages: object, kept: number): void;
}

/** Told what happens to mappings: the probe engine places file probes by it, and forgets probes whose page is gone. Runs inside the system call. */
export interface MappingObserver {
  /** [from, to) shows something new. */
  mapped(space: FrameUser, from: number, to: number): void;
  /** Nothing of what was in [from, to) is there any more, breakpoints included. */
  unmapped(space: FrameUser, from: number, to: number): void;
  /** Bytes of a page with breakpoints have changed: a store, a debugger, a private copy that was dropped. The breakpoints are still there. */
  rewritten(space: FrameUser, from: number, to: number): void;
}

const NO_LISTENER: CodeListener = { codeChanged: () => undefined, spaceGone: () => undefined };
const NO_OBSERVER: MappingObserver = { mapped: () => undefined, unmapped: () => undefined, rewritten: () => undefined };
/** So many stores beside the code of a page, and the page is taken for data: its code is dropped until it is fetched again. */
const STORES_BESIDE_CODE = 32;

export class MachineMemory {
  readonly frames: FramePool;
  readonly reverse: ReverseMap;
  readonly code: CodeLines;
  readonly spaces = new Map<number, FrameUser>();
  listener: CodeListener = NO_LISTENER;
  observer: MappingObserver = NO_OBSERVER;
  private nextSpace = 1;

  constructor(readonly physical: PhysicalMemory) {
    const frames = physical.size / 4096;
    this.frames = new FramePool(physical);
    this.reverse = new ReverseMap(frames);
    this.code = new CodeLines(frames);
  }

  newSpaceId(): number {
    return this.nextSpace++;
  }

  /** One user of the frame less; the last one takes the knowledge of its code along. */
  release(frame: number): void {
    if (this.frames.release(frame)) this.code.forgetAll(frame);
  }

  /** The bytes [from, to) of the frame were translated: from now on every store to it is seen. */
  markCode(frame: number, from: number, to: number): void {
    const isNew = !this.code.has(frame);
    this.code.mark(frame, from, to);
    if (isNew) this.writeProtect(frame);
  }

  /** Writes to the frame miss every TLB from now on. */
  writeProtect(frame: number): void {
    for (const { space, page } of this.reverse.mappingsOf(frame)) this.spaces.get(space)?.dropWrite(page);
  }

  /**
   * Something was stored to [from, to) of the frame, by whatever way: code there is void in every space that maps it, with all that shares a line with it,
   * since nothing would be known of stores to the rest of the line.
   */
  stored(frame: number, from: number, to: number): void {
    const { code } = this;
    if (!code.has(frame)) return;
    if (code.meets(frame, from, to)) {
      const [first, end] = wholeLines(from, to);
      code.forget(frame, first, end);
      this.tell(frame, first, end);
    } else if (code.countBeside(frame) >= STORES_BESIDE_CODE) {
      code.forgetAll(frame);
      this.tell(frame, 0, 4096);
    }
  }

  private tell(frame: number, from: number, to: number): void {
    for (const { space, page } of this.reverse.mappingsOf(frame)) this.spaces.get(space)?.codeStored(page, from, to);
  }
}
