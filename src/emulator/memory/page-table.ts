/** Which frame each page of an address space lies in: leaves of 512 pages (2 MiB), kept where something is mapped. */

const LEAF_PAGES = 512;
/** Behind the frames of a leaf: how many of them there are. */
const COUNT = LEAF_PAGES;

export class PageTable {
  private readonly leaves = new Map<number, Uint32Array>();
  /** The leaf that was looked up last, which is mostly the next one too. */
  private lastNumber = -1;
  private lastLeaf: Uint32Array = NO_LEAF;
  /** Pages that lie in a frame. */
  present = 0;
  /** The most that ever did at once. */
  peak = 0;

  /** The frame of a page (address / 4096); 0: none. */
  get(page: number): number {
    return this.leaf(Math.floor(page / LEAF_PAGES))[page & (LEAF_PAGES - 1)];
  }

  /** Puts a page that has no frame into one. */
  put(page: number, frame: number): void {
    const number = Math.floor(page / LEAF_PAGES);
    let leaf = this.leaf(number);
    if (leaf === NO_LEAF) {
      leaf = new Uint32Array(LEAF_PAGES + 1);
      this.leaves.set(number, leaf);
      this.lastNumber = -1;
    }
    leaf[page & (LEAF_PAGES - 1)] = frame;
    leaf[COUNT]++;
    this.present++;
    if (this.present > this.peak) this.peak = this.present;
  }

  /** Another frame for a page that has one. */
  replace(page: number, frame: number): void {
    this.leaf(Math.floor(page / LEAF_PAGES))[page & (LEAF_PAGES - 1)] = frame;
  }

  /** The page has no frame any more. It had one. */
  remove(page: number): void {
    const number = Math.floor(page / LEAF_PAGES);
    const leaf = this.leaf(number);
    leaf[page & (LEAF_PAGES - 1)] = 0;
    this.present--;
    if (--leaf[COUNT] > 0) return;
    this.leaves.delete(number);
    this.lastNumber = -1;
  }

  /** The pages of [from, to) that have a frame, ascending. `visit` may remove the page it is called for, or replace its frame. */
  each(from: number, to: number, visit: (page: number, frame: number) => void): void {
    const first = Math.floor(from / LEAF_PAGES);
    const last = Math.ceil(to / LEAF_PAGES);
    for (const number of this.leafNumbers(first, last)) {
      const leaf = this.leaf(number);
      const base = number * LEAF_PAGES;
      const begin = Math.max(0, from - base);
      const end = Math.min(LEAF_PAGES, to - base);
      for (let i = begin; i < end; i++) if (leaf[i] !== 0) visit(base + i, leaf[i]);
    }
  }

  /** How many pages of [from, to) have a frame. */
  count(from: number, to: number): number {
    let count = 0;
    this.each(from, to, () => {
      count++;
    });
    return count;
  }

  private leafNumbers(first: number, last: number): number[] {
    if (last - first > this.leaves.size) {
      return [...this.leaves.keys()].filter((number) => number >= first && number < last).sort((a, b) => a - b);
    }
    const numbers: number[] = [];
    for (let number = first; number < last; number++) if (this.leaves.has(number)) numbers.push(number);
    return numbers;
  }

  private leaf(number: number): Uint32Array {
    if (number === this.lastNumber) return this.lastLeaf;
    this.lastNumber = number;
    this.lastLeaf = this.leaves.get(number) ?? NO_LEAF;
    return this.lastLeaf;
  }
}

const NO_LEAF = new Uint32Array(LEAF_PAGES + 1);
