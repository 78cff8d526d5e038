/** An address space that is a table of frames, for tests of execution: no VMAs, no copy-on-write, what is mapped stays. */
import type {
  CodeListener,
  CodeOrigin,
  ExecutionSpace,
  LoggedAccess,
  PageFault,
  WatchHit,
} from '../../../src/emulator/executor.js';
import {
  FRAMES_BASE,
  SPACE_AREA_BYTES,
  SPACE_TLB_READ,
  SPACE_TLB_WRITE,
  TLB_BYTES,
  TLB_EMPTY_0,
  TLB_ENTRIES,
} from '../../../src/emulator/memory/layout.js';
import { PhysicalMemory } from '../../../src/emulator/memory/physical.js';
import { ACCESS } from '../../../src/emulator/stop.js';

const PAGE = 4096;

export interface FlatPage {
  readonly frame: number;
  /** ACCESS.* bits that are allowed. */
  access: number;
  /** Accesses that are seen by `settle` every time. */
  watched: boolean;
}

/** Hands out frames of one physical memory; `reset` takes all back. */
export class FlatMemory {
  readonly physical: PhysicalMemory;
  private next = FRAMES_BASE;

  constructor(readonly bytes = 0x400_0000) {
    this.physical = new PhysicalMemory(FRAMES_BASE + bytes);
  }

  /** Zeroed memory of whole pages: its physical address. */
  allocate(bytes: number): number {
    const at = this.next;
    this.next += Math.ceil(bytes / PAGE) * PAGE;
    if (this.next > this.physical.size) throw new Error('the test needs more memory');
    this.physical.u8.fill(0, at, this.next);
    return at;
  }

  reset(): void {
    this.next = FRAMES_BASE;
  }
}

export class FlatSpace implements ExecutionSpace {
  static nextId = 1;
  readonly id = FlatSpace.nextId++;
  readonly area: number;
  readonly pages = new Map<number, FlatPage>();
  /** Addresses of int3 bytes of a probe engine; the test writes the bytes itself where they can be fetched. */
  readonly swbps = new Set<number>();
  /** Every access that `settle` was told, in order. */
  readonly settled: LoggedAccess[] = [];
  listener: CodeListener | undefined;
  /** Of all its code. */
  origin: CodeOrigin | undefined;
  private readonly codePages = new Set<number>();
  private once: { address: number; access: number }[] = [];

  constructor(readonly memory: FlatMemory) {
    this.area = memory.allocate(SPACE_AREA_BYTES);
    for (const table of [SPACE_TLB_READ, SPACE_TLB_WRITE]) {
      for (const index of [0, TLB_ENTRIES - 1]) memory.physical.u64[(this.area + table) / 8 + index] = TLB_EMPTY_0;
    }
  }

  map(address: number, bytes: number, access: number): void {
    for (let page = Math.floor(address / PAGE); page * PAGE < address + bytes; page++) {
      const known = this.pages.get(page);
      if (known !== undefined) known.access |= access;
      else this.pages.set(page, { frame: this.memory.allocate(PAGE), access, watched: false });
    }
  }

  watch(address: number): void {
    this.page(address).watched = true;
    this.setEntry(address, ACCESS.READ, 0n);
    this.setEntry(address, ACCESS.WRITE, 0n);
  }

  page(address: number): FlatPage {
    const page = this.pages.get(Math.floor(address / PAGE));
    if (page === undefined) throw new Error(`nothing is mapped at ${address.toString(16)}`);
    return page;
  }

  private physicalAt(address: number): number {
    return this.page(address).frame + (address % PAGE);
  }

  write(address: number, bytes: ArrayLike<number>): void {
    for (let i = 0; i < bytes.length; i++) this.memory.physical.u8[this.physicalAt(address + i)] = bytes[i] as number;
    this.listener?.codeChanged(this, address, address + bytes.length);
  }

  read(address: number, length: number): Uint8Array {
    return Uint8Array.from({ length }, (_, i) => this.memory.physical.u8[this.physicalAt(address + i)] as number);
  }

  codeOrigin(): CodeOrigin | undefined {
    return this.origin;
  }

  fill(address: number, access: number): 'filled' | 'once' | PageFault {
    const number = Math.floor(address / PAGE);
    const page = this.pages.get(number);
    if (page === undefined) return 'unmapped';
    if ((page.access & access) === 0) return 'denied';
    const entry = (BigInt(number) << 20n) | BigInt.asUintN(20, BigInt(page.frame / PAGE - number));
    this.setEntry(address, access, entry);
    const rare = page.watched || (access === ACCESS.WRITE && this.codePages.has(number));
    if (rare) this.once.push({ address, access });
    return rare ? 'once' : 'filled';
  }

  private setEntry(address: number, access: number, entry: bigint): void {
    const table = access === ACCESS.WRITE ? TLB_BYTES : 0;
    const index = Math.floor(address / PAGE) % TLB_ENTRIES;
    const empty = index === 0 || index === TLB_ENTRIES - 1 ? TLB_EMPTY_0 : 0n;
    this.memory.physical.u64[(this.area + table) / 8 + index] = entry === 0n ? empty : entry;
  }

  settle(accesses: readonly LoggedAccess[]): readonly WatchHit[] {
    for (const { address, access } of this.once) this.setEntry(address, access, 0n);
    this.once = [];
    this.settled.push(...accesses);
    for (const { address, size, access } of accesses) {
      if (access === ACCESS.WRITE) this.listener?.codeChanged(this, address, address + size);
    }
    return accesses
      .filter(({ address }) => this.page(address).watched)
      .map(({ address, size, access }) => {
        return { address, length: size, access: access === ACCESS.WRITE ? 'write' : 'read' };
      });
  }

  fetch(address: number): number | PageFault {
    const page = this.pages.get(Math.floor(address / PAGE));
    if (page === undefined) return 'unmapped';
    return page.access & ACCESS.FETCH ? page.frame : 'denied';
  }

  hookAt(): undefined {}

  hasSwbp(address: number): boolean {
    return this.swbps.has(address);
  }

  markCode(from: number, _to: number): void {
    this.codePages.add(Math.floor(from / PAGE));
    this.setEntry(from, ACCESS.WRITE, 0n);
  }
}
