/** Where mappings go (arch_get_unmapped_area_topdown, get_unmapped_area of Linux on x86-64), and what is kept free for the probe engine. */
import { TASK_SIZE } from '../../types.js';
import { startWithGap, type VmaList } from './vma.js';

const PAGE = 4096;
/** mmap_min_addr. */
export const LOWEST = 0x1_0000;
const GIB = 0x4000_0000;
/** Distance of the holes, so that the code around each is in reach of a 32-bit displacement. */
const HOLE_STEP = 2 * GIB - 0x1000_0000;
const HOLE_STEPS = 8;

/** The span that mappings without an address are placed in: from the top of it downwards. */
export const TOP_DOWN_LOW = LOWEST;
/** Where Linux looks, upwards, when nothing is free below mmap_base (TASK_UNMAPPED_BASE). */
export const BOTTOM_UP_LOW = Math.ceil(TASK_SIZE / 3 / PAGE) * PAGE;
/** MAP_32BIT. */
export const LOW_2G = { low: 0x4000_0000, high: 0x8000_0000 } as const;

/**
 * The pages that no mapping is placed in and that the list of mappings does not show, so that XOL areas can come and go without a trace: one below
 * the main image, one above mmap_base, and more at fixed steps below it, each in reach of the code around. Ascending.
 */
export function holesFor(image: number, mmapBase: number): number[] {
  const holes = [image - PAGE, mmapBase];
  for (let step = 1; step <= HOLE_STEPS; step++) holes.push(mmapBase - step * HOLE_STEP);
  return holes.filter((at) => at >= LOWEST && at < TASK_SIZE).sort((a, b) => a - b);
}

export class Placement {
  constructor(
    private readonly vmas: VmaList,
    /** Where the area of mappings begins, downwards. */
    readonly mmapBase: number,
    /** Pages that are kept free, ascending. A mapping at a fixed address takes them away. */
    readonly holes: number[],
  ) {}

  /** Whether nothing is in [from, from + length), gaps below stacks and holes included. */
  isFree(from: number, length: number): boolean {
    return this.obstacle(from, from + length) === undefined;
  }

  /** The highest place for `length` bytes in [low, high), a multiple of `align`. */
  highest(length: number, low: number, high: number, align = PAGE): number | undefined {
    for (let end = high; ; ) {
      const start = Math.floor((end - length) / align) * align;
      if (start < low) return undefined;
      const obstacle = this.obstacle(start, start + length);
      if (obstacle === undefined) return start;
      end = obstacle.start;
    }
  }

  /** The lowest place for `length` bytes in [low, high). */
  lowest(length: number, low: number, high: number): number | undefined {
    for (let start = low; start + length <= high; ) {
      const obstacle = this.obstacle(start, start + length);
      if (obstacle === undefined) return start;
      start = obstacle.end;
    }
    return undefined;
  }

  /** Something is mapped at [from, to) by the will of the program: holes there are lost. */
  fill(from: number, to: number): void {
    for (let i = this.holes.length - 1; i >= 0; i--) {
      if (this.holes[i] >= from && this.holes[i] < to) this.holes.splice(i, 1);
    }
  }

  /** The first thing in the way in [from, to). */
  private obstacle(from: number, to: number): { start: number; end: number } | undefined {
    const vma = this.vmas.next(from);
    const hole = this.holes.find((at) => at + PAGE > from && at < to);
    const start = vma === undefined ? Number.POSITIVE_INFINITY : startWithGap(vma);
    if (hole !== undefined && hole < start) return { start: hole, end: hole + PAGE };
    return vma !== undefined && start < to ? { start, end: vma.end } : undefined;
  }
}
