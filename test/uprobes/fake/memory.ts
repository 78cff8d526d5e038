/** Memory of a fake address space: whole mappings with their bytes, and a set of breakpoints that only fetching sees. */

import { PAGE_SIZE } from '../../../src/types.js';
import type { HostSpace, HostThread, HostVma } from '../../../src/uprobes/port.js';

export type Mapping = { -readonly [Key in keyof HostVma]: HostVma[Key] } & { bytes: Uint8Array };

/** The holes of every process: beside the text, and far from everything. */
export const NEAR_HOLE = 0x3f_f000;
export const FAR_HOLE = 0x7ff0_0000_0000;

export class FakeSpace implements HostSpace {
  readonly mappings: Mapping[] = [];
  readonly swbps = new Set<number>();
  readonly xol = new Map<number, Uint8Array>();
  /** Which holes there are. */
  holes: number[] = [NEAR_HOLE, FAR_HOLE];
  frozenBy: HostThread | undefined;
  /** Every store of the program, in order: address and length. */
  readonly stores: string[] = [];
  xolWrites = 0;

  map(start: number, bytes: Uint8Array | number, facts: Partial<Mapping> = {}): Mapping {
    const size = typeof bytes === 'number' ? bytes : Math.ceil(bytes.length / PAGE_SIZE) * PAGE_SIZE;
    const content = new Uint8Array(size);
    if (typeof bytes !== 'number') content.set(bytes);
    const mapping: Mapping = {
      start,
      end: start + size,
      bytes: content,
      readable: true,
      writable: false,
      executable: true,
      mayExecute: true,
      shared: false,
      offset: 0,
      ...facts,
    };
    this.mappings.push(mapping);
    return mapping;
  }

  unmap(mapping: Mapping): void {
    this.mappings.splice(this.mappings.indexOf(mapping), 1);
    for (const at of this.swbps) if (at >= mapping.start && at < mapping.end) this.swbps.delete(at);
  }

  fork(): FakeSpace {
    const child = new FakeSpace();
    for (const { start, bytes, end: _, ...facts } of this.mappings) child.map(start, bytes, facts);
    child.holes = this.holes;
    return child;
  }

  private at(address: number): Mapping | undefined {
    return this.mappings.find(({ start, end }) => address >= start && address < end);
  }

  /** The byte that fetching sees, but for the breakpoint at `original`; undefined: cannot be executed. */
  fetch(address: number, original = -1): number | undefined {
    if (this.swbps.has(address) && address !== original) return 0xcc;
    const page = this.xol.get(address - (address % PAGE_SIZE));
    if (page !== undefined) return page[address % PAGE_SIZE];
    const mapping = this.at(address);
    return mapping?.executable ? mapping.bytes[address - mapping.start] : undefined;
  }

  read(address: number, into: Uint8Array): number {
    for (let i = 0; i < into.length; i++) {
      const page = this.xol.get(address + i - ((address + i) % PAGE_SIZE));
      const mapping = this.at(address + i);
      const byte = page?.[(address + i) % PAGE_SIZE] ?? mapping?.bytes[address + i - mapping.start];
      if (byte === undefined) return i;
      into[i] = byte;
    }
    return into.length;
  }

  write(address: number, bytes: Uint8Array): boolean {
    for (let i = 0; i < bytes.length; i++) if (this.at(address + i) === undefined) return false;
    bytes.forEach((byte, i) => {
      const mapping = this.at(address + i);
      if (mapping !== undefined) mapping.bytes[address + i - mapping.start] = byte;
    });
    return true;
  }

  store(address: number, bytes: Uint8Array): boolean {
    for (let i = 0; i < bytes.length; i++) if (!this.at(address + i)?.writable) return false;
    this.stores.push(`${address.toString(16)}:${bytes.length}`);
    return this.write(address, bytes);
  }

  insertSwbp(address: number): boolean {
    if (this.swbps.has(address)) throw new Error(`two breakpoints at ${address.toString(16)}`);
    if (this.at(address) === undefined) return false;
    this.swbps.add(address);
    return true;
  }

  removeSwbp(address: number): boolean {
    if (!this.swbps.delete(address)) throw new Error(`no breakpoint at ${address.toString(16)}`);
    return true;
  }

  isExecutable(address: number): boolean {
    return this.at(address)?.executable === true;
  }

  vma(address: number): HostVma | undefined {
    return this.at(address);
  }

  vmas(): Iterable<HostVma> {
    return this.mappings;
  }

  mapXol(where: { readonly near: number } | { readonly at: number }): number | undefined {
    const free = this.holes.filter((hole) => !this.xol.has(hole));
    const found =
      'at' in where
        ? free.find((hole) => hole === where.at)
        : free.sort((a, b) => Math.abs(a - where.near) - Math.abs(b - where.near))[0];
    if (found !== undefined) this.xol.set(found, new Uint8Array(PAGE_SIZE));
    return found;
  }

  writeXol(address: number, bytes: Uint8Array): void {
    const page = this.xol.get(address - (address % PAGE_SIZE));
    if (page === undefined) throw new Error(`no XOL page at ${address.toString(16)}`);
    page.set(bytes, address % PAGE_SIZE);
    this.xolWrites++;
  }

  inXolHole(address: number): boolean {
    return [NEAR_HOLE, FAR_HOLE].includes(address - (address % PAGE_SIZE));
  }

  freeze(thread: HostThread): void {
    this.frozenBy = thread;
  }

  thaw(): void {
    this.frozenBy = undefined;
  }

  /** A u64 of the program. */
  word(address: number): bigint {
    const bytes = new Uint8Array(8);
    if (this.read(address, bytes) < 8) throw new Error(`nothing at ${address.toString(16)}`);
    return new DataView(bytes.buffer).getBigUint64(0, true);
  }
}
