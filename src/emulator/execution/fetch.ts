/** What is fetched at an address: bytes for decoding, across a page border too. */
import type { ExecutionSpace, PageFault } from '../executor.js';
import type { PhysicalMemory } from '../memory/physical.js';
import type { CodeRange } from './region-store.js';

const PAGE = 4096;
/** No instruction of a supported architecture is longer. */
const LONGEST_INSN = 16;

/** A page that cannot be executed, and the first address in it that was wanted. */
export interface FetchFault {
  readonly why: PageFault;
  readonly address: number;
}

export class Fetcher {
  private readonly joined = new Uint8Array(2 * LONGEST_INSN);

  constructor(private readonly physical: PhysicalMemory) {}

  /** The bytes from `ip` to the end of its page, borrowed. */
  page(space: ExecutionSpace, ip: number): Uint8Array | FetchFault {
    const frame = space.fetch(ip);
    if (typeof frame !== 'number') return { why: frame, address: ip };
    const start = frame - (frame % PAGE);
    return this.physical.u8.subarray(start + (ip % PAGE), start + PAGE);
  }

  /** The bytes of an instruction that goes on in the next page, borrowed until the next call. `head`: those in the first page. */
  acrossBorder(space: ExecutionSpace, ip: number, head: Uint8Array): Uint8Array | FetchFault {
    const tail = this.page(space, ip + head.length);
    if ('why' in tail) return tail;
    this.joined.set(head);
    this.joined.set(tail.subarray(0, LONGEST_INSN), head.length);
    return this.joined.subarray(0, head.length + LONGEST_INSN);
  }

  /** Whether what is fetched from the range's `ip` on is exactly its bytes, with its hooks. `head`: what `page` gave. */
  holds(space: ExecutionSpace, head: Uint8Array, { ip, bytes, hooks }: CodeRange): boolean {
    for (const placed of hooks) if (space.hookAt(placed.ip) !== placed.hook) return false;
    if (bytes.length <= head.length) return startsWith(head, bytes);
    if (!startsWith(bytes, head)) return false;
    const tail = this.page(space, ip + head.length);
    return !('why' in tail) && startsWith(tail, bytes.subarray(head.length));
  }

  /** Tells the space that the bytes from `ip` to `end` have been translated; it wants to hear of each page by itself. */
  markCode(space: ExecutionSpace, ip: number, end: number): void {
    const border = ip - (ip % PAGE) + PAGE;
    space.markCode(ip, Math.min(end, border));
    if (end > border) space.markCode(border, end);
  }
}

export function sameBytes(x: Uint8Array, y: Uint8Array): boolean {
  return x.length === y.length && startsWith(x, y);
}

function startsWith(bytes: Uint8Array, start: Uint8Array): boolean {
  for (let i = 0; i < start.length; i++) if (bytes[i] !== start[i]) return false;
  return true;
}
