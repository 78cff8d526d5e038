/** The mappings of an address space (struct vm_area_struct): ranges of whole pages with what /proc/PID/maps says of them, sorted, never overlapping. */
import type { FilePages } from './page-cache.js';

/** mmap(2) protections. */
export const PROT = { NONE: 0, READ: 1, WRITE: 2, EXEC: 4 } as const;

/** Facts about a mapping beside its protection, as bits. */
export const VMA = {
  /** MAP_SHARED: stores are seen by all who map the same object. */
  SHARED: 1,
  /** Grows towards lower addresses when touched there (MAP_GROWSDOWN, the stack). */
  GROWSDOWN: 2,
  /** MAP_NORESERVE. */
  NORESERVE: 4,
  /** madvise(2): not in a forked child; zeros in a forked child; not in a core file. */
  DONTFORK: 8,
  WIPEONFORK: 16,
  DONTDUMP: 32,
  /** mlock(2). */
  LOCKED: 64,
  /** Private memory that is or was writable counts as promised for ever (VM_ACCOUNT): it is not joined with what never was. */
  ACCOUNT: 128,
  /** MAP_STACK (VM_NOHUGEPAGE since Linux 6.7): told apart from its neighbours too. */
  STACK: 256,
} as const;

export interface Vma {
  start: number;
  /** First address behind it. */
  end: number;
  /** PROT bits. */
  prot: number;
  /** What mprotect may give: without PROT.WRITE for a shared mapping of a file that is open for reading only. */
  readonly maxProt: number;
  /** VMA bits. */
  flags: number;
  /** The file or shared object; undefined: private anonymous memory. A mapping is one user of it. */
  readonly pages: FilePages | undefined;
  /** Byte of the object that `start` shows. */
  offset: number;
  /** `[heap]`, `[stack]`; empty for everything else. */
  readonly name: string;
}

/** Whether stores go to a copy of the process's own. */
export function isPrivate({ flags }: Vma): boolean {
  return (flags & VMA.SHARED) === 0;
}

/** Linux keeps this much free below the stack (stack_guard_gap). */
export const STACK_GUARD = 256 * 4096;

/** The lowest address that others keep away from: a mapping that may grow has its gap in front. */
export function startWithGap({ start, flags }: Vma): number {
  return flags & VMA.GROWSDOWN ? Math.max(0, start - STACK_GUARD) : start;
}

export class VmaList {
  private readonly list: Vma[] = [];
  /** The mapping that was found last, which is mostly the next one too. */
  private last: Vma | undefined;

  get count(): number {
    return this.list.length;
  }

  all(): readonly Vma[] {
    return this.list;
  }

  /** The mapping that contains the address. */
  find(at: number): Vma | undefined {
    const { last } = this;
    if (last !== undefined && at >= last.start && at < last.end) return last;
    const vma = this.list[this.indexBehind(at)];
    if (vma === undefined || at < vma.start) return undefined;
    this.last = vma;
    return vma;
  }

  /** The first mapping that ends above the address (find_vma). */
  next(at: number): Vma | undefined {
    return this.list[this.indexBehind(at)];
  }

  /** The last mapping that starts below the address. */
  previous(at: number): Vma | undefined {
    let index = this.indexBehind(at);
    if (index === this.list.length || this.list[index].start >= at) index--;
    return this.list[index];
  }

  /** The mappings that meet [from, to), in order. */
  meeting(from: number, to: number): Vma[] {
    const met: Vma[] = [];
    for (let i = this.indexBehind(from); i < this.list.length && this.list[i].start < to; i++) met.push(this.list[i]);
    return met;
  }

  /** Whether every byte of [from, to) is mapped. */
  covers(from: number, to: number): boolean {
    return this.coveredTo(from, to) === to;
  }

  /** The first address of [from, to) that is not mapped; `to` when all is. */
  coveredTo(from: number, to: number): number {
    let at = from;
    for (let i = this.indexBehind(from); at < to; i++) {
      const vma = this.list[i];
      if (vma === undefined || vma.start > at) return at;
      at = vma.end;
    }
    return to;
  }

  /** Cuts mappings at both ends of [from, to): those that meet it lie in it. In order. */
  isolate(from: number, to: number): Vma[] {
    this.cut(from);
    this.cut(to);
    return this.meeting(from, to);
  }

  /** Takes out what lies in [from, to), cutting at its ends. The users of the objects pass to the caller. */
  remove(from: number, to: number): Vma[] {
    this.cut(from);
    this.cut(to);
    const index = this.indexBehind(from);
    let end = index;
    while (end < this.list.length && this.list[end].start < to) end++;
    this.last = undefined;
    return this.list.splice(index, end - index);
  }

  /** Adds a mapping where nothing is, and joins it with its neighbours if they are alike. It takes over the caller's user of the object. */
  insert(vma: Vma): void {
    this.list.splice(this.indexBehind(vma.start), 0, vma);
    this.join(vma.start, vma.end);
  }

  /** Joins neighbours that are alike in and around [from, to). */
  join(from: number, to: number): void {
    this.last = undefined;
    let i = Math.max(1, this.indexBehind(from));
    while (i < this.list.length && this.list[i].start <= to) {
      const before = this.list[i - 1];
      const vma = this.list[i];
      if (!continues(before, vma)) {
        i++;
        continue;
      }
      before.end = vma.end;
      this.list.splice(i, 1);
      vma.pages?.dropUser();
    }
  }

  private cut(at: number): void {
    const index = this.indexBehind(at);
    const vma = this.list[index];
    if (vma === undefined || vma.start >= at) return;
    const upper = { ...vma, start: at, offset: vma.offset + (at - vma.start) };
    vma.end = at;
    this.last = undefined;
    this.list.splice(index + 1, 0, upper);
    vma.pages?.addUser();
  }

  /** Index of the first mapping whose end is above the address. */
  private indexBehind(at: number): number {
    const { list } = this;
    let low = 0;
    let high = list.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (list[middle].end > at) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

function continues(before: Vma, vma: Vma): boolean {
  return (
    before.end === vma.start &&
    before.prot === vma.prot &&
    before.flags === vma.flags &&
    before.maxProt === vma.maxProt &&
    before.pages === vma.pages &&
    before.name === vma.name &&
    (vma.pages === undefined || before.offset + (before.end - before.start) === vma.offset)
  );
}
