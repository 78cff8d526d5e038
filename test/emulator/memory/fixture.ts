/** A machine's memory without a machine: address spaces, files of bytes, and a look into the TLB as generated code takes it. */
import type { CodeListener, ExecutionSpace } from '../../../src/emulator/executor.js';
import { AddressSpace } from '../../../src/emulator/memory/address-space.js';
import type { BackingFile } from '../../../src/emulator/memory/backing-file.js';
import {
  FRAMES_BASE,
  SPACE_AREA_BYTES,
  SPACE_TLB_READ,
  SPACE_TLB_WRITE,
  TLB_ENTRIES,
} from '../../../src/emulator/memory/layout.js';
import { MachineMemory } from '../../../src/emulator/memory/machine-memory.js';
import { PageCache } from '../../../src/emulator/memory/page-cache.js';
import { PhysicalMemory } from '../../../src/emulator/memory/physical.js';
import { holesFor } from '../../../src/emulator/memory/placement.js';
import { PROT, VMA } from '../../../src/emulator/memory/vma.js';

export const PAGE = 4096;
/** Frames that the area of one address space takes from the pool. */
export const AREA_FRAMES = SPACE_AREA_BYTES / PAGE;
export const MMAP_BASE = 0x7fff_f7ff_f000;
export const IMAGE = 0x5555_5555_4000;
export const RW = PROT.READ | PROT.WRITE;
export const RX = PROT.READ | PROT.EXEC;
export const SHARED = VMA.SHARED;

/** A file that lies in an array. */
export class ByteFile implements BackingFile {
  readonly device = 1;
  readonly inode = 2;
  users = 1;
  reads = 0;

  constructor(
    public bytes: Uint8Array,
    readonly key = '1:2',
    readonly path = '/file',
  ) {}

  size(): number {
    return this.bytes.length;
  }
  pread(into: Uint8Array, at: number): number {
    this.reads++;
    const part = this.bytes.subarray(at, at + into.length);
    into.set(part);
    return part.length;
  }
  pwrite(from: Uint8Array, at: number): number {
    if (at + from.length > this.bytes.length) {
      const longer = new Uint8Array(at + from.length);
      longer.set(this.bytes);
      this.bytes = longer;
    }
    this.bytes.set(from, at);
    return from.length;
  }
  retain(): void {
    this.users++;
  }
  release(): void {
    this.users--;
  }
}

/** What the code listener was told: `space:from-to`, hexadecimal. */
export class Listener implements CodeListener {
  readonly told: string[] = [];
  codeChanged(space: ExecutionSpace, from: number, to: number): void {
    this.told.push(`${space.id}:${from.toString(16)}-${to.toString(16)}`);
  }
  spaceGone(space: ExecutionSpace): void {
    this.told.push(`${space.id}:gone`);
  }
  take(): string[] {
    return this.told.splice(0);
  }
}

export interface Fixture {
  readonly memory: MachineMemory;
  readonly cache: PageCache;
  readonly listener: Listener;
  space(): AddressSpace;
}

/** `frames`: size of the pool, in MiB. */
export function fixture(megabytes = 16): Fixture {
  const memory = new MachineMemory(new PhysicalMemory(FRAMES_BASE + megabytes * 0x10_0000));
  const cache = new PageCache(memory);
  const listener = new Listener();
  memory.listener = listener;
  return {
    memory,
    cache,
    listener,
    space() {
      const layout = { mmapBase: MMAP_BASE, holes: holesFor(IMAGE, MMAP_BASE), stackLimit: 8 << 20 };
      const space = AddressSpace.create(memory, cache, layout);
      if (space === undefined) throw new Error('no room for an address space');
      return space;
    },
  };
}

/** The physical address that generated code finds for an access, or undefined for a miss (memory/layout.ts). */
export function tlbLookup(space: AddressSpace, at: number, size: number, write: boolean): number | undefined {
  const table = space.area + (write ? SPACE_TLB_WRITE : SPACE_TLB_READ);
  const page = BigInt(at) >> 12n;
  const { u64 } = space.memory.physical;
  const entry = u64[table / 8 + Number(page % BigInt(TLB_ENTRIES))] as bigint;
  if ((BigInt(at) + BigInt(size) - 1n) >> 12n !== entry >> 20n) return undefined;
  return Number(BigInt.asUintN(32, BigInt(at) + (entry << 12n)));
}
