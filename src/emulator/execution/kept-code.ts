/**
 * What earlier runs made of the code in files (programs, libraries), for the next run: interpreter code of blocks and
 * the functions of regions, found by file and load address, used
 * only where the bytes are those that it was made of. Lifting the 2,000 blocks of ld.so and libc's start is what most starts would spend their time with.
 */
import type { CodeOrigin, ExecutionSpace } from '../executor.js';
import type { HostCache } from '../host/host.js';
import type { IrBlock } from '../ir/ir.js';
import type { Subroutine } from '../ir/subroutine.js';
import type { RegionCode } from '../jit/codegen.js';
import { Pack } from './pack.js';
import type { CodeRange } from './region-store.js';

/** A block as it was encoded, position and all. */
export interface KeptBlock {
  /** What it was made of. */
  readonly bytes: Uint8Array;
  /** Its records. */
  readonly code: Uint8Array;
  readonly subroutines: readonly Subroutine[];
}

/**
 * A block in a pack: u16 bytes, u16 subroutines, u32 size of the records, u16 place[subroutines], the bytes; padded to 8, the records.
 */
const HEADER_BYTES = 8;
const REGION_HEADER_BYTES = 16;

/** Of one file at one address. */
interface Packs {
  readonly blocks: Pack;
  readonly regions: Pack;
}

/** A region as it was written, before it is part of a module. */
export interface WrittenRegion {
  /** Addresses where it can be entered, by number. */
  readonly entrances: readonly number[];
  /** What it was made of. */
  readonly ranges: readonly CodeRange[];
  readonly code: RegionCode;
}

export class KeptCode {
  /** By what the file contains and where it is loaded. */
  private readonly packs = new Map<string, Map<number, Packs>>();
  private readonly places: ReadonlyMap<Subroutine, number>;

  /** `variant`: what else than bytes and address the code depends on. */
  constructor(
    private readonly cache: HostCache,
    private readonly variant: string,
    private readonly subroutines: readonly Subroutine[],
  ) {
    this.places = new Map(subroutines.map((sub, i) => [sub, i]));
    cache.atEnd(() => {
      for (const byBase of this.packs.values()) {
        for (const { blocks, regions } of byBase.values()) {
          blocks.save();
          regions.save();
        }
      }
    });
  }

  /** The block that an earlier run made at `ip`. Its bytes may no longer be there. */
  find(space: ExecutionSpace, ip: number): KeptBlock | undefined {
    const piece = this.packsAt(space, ip)?.blocks.get(ip);
    if (piece === undefined) return undefined;
    const { buffer, byteOffset } = piece;
    const [byteCount = 0, subCount = 0] = new Uint16Array(buffer, byteOffset, 2);
    const [size = 0] = new Uint32Array(buffer, byteOffset + 4, 1);
    const places = new Uint16Array(buffer, byteOffset + HEADER_BYTES, subCount);
    const from = HEADER_BYTES + 2 * subCount;
    const bytes = piece.subarray(from, from + byteCount);
    const code = piece.subarray(piece.length - size);
    return { bytes, code, subroutines: Array.from(places, (place) => this.subroutines[place] as Subroutine) };
  }

  /** Keeps a block without hooks that was just encoded. `code`: its records, which nothing has run yet; copied. */
  keep(space: ExecutionSpace, { ip, insns, bytes, hooks }: IrBlock, code: Uint8Array): void {
    if (hooks.length > 0) return;
    const pack = this.packsAt(space, ip)?.blocks;
    if (pack === undefined) return;
    const called = new Set<number>();
    for (const { ops } of insns) {
      for (const { sub } of ops) if (sub !== undefined) called.add(this.places.get(sub) as number);
    }
    const from = HEADER_BYTES + 2 * called.size;
    const start = Math.ceil((from + bytes.length) / 8) * 8;
    const piece = new Uint8Array(start + code.length);
    new Uint16Array(piece.buffer, 0, 2).set([bytes.length, called.size]);
    new Uint32Array(piece.buffer, 4, 1)[0] = code.length;
    new Uint16Array(piece.buffer, HEADER_BYTES, called.size).set([...called]);
    piece.set(bytes, from);
    piece.set(code, start);
    pack.add(ip, piece);
  }

  /** The region that an earlier run wrote for the entry `ip`. Its code may no longer be there. */
  findRegion(space: ExecutionSpace, ip: number): WrittenRegion | undefined {
    const piece = this.packsAt(space, ip)?.regions.get(ip);
    if (piece === undefined) return undefined;
    const { buffer, byteOffset } = piece;
    const [entranceCount = 0, rangeCount = 0, callCount = 0] = new Uint32Array(buffer, byteOffset, 3);
    let at = REGION_HEADER_BYTES;
    const next = (bytes: number): number => {
      at += bytes;
      return byteOffset + at - bytes;
    };
    const entrances = [...new Float64Array(buffer, next(8 * entranceCount), entranceCount)];
    const ips = new Float64Array(buffer, next(8 * rangeCount), rangeCount);
    const lengths = new Uint32Array(buffer, next(4 * rangeCount), rangeCount);
    const calls = new Uint32Array(buffer, next(8 * callCount), 2 * callCount);
    const ranges = Array.from(ips, (start, i) => {
      const bytes = piece.subarray(at, at + (lengths[i] as number));
      at += bytes.length;
      return { ip: start, end: start + bytes.length, bytes, hooks: [] };
    });
    const called = Array.from({ length: callCount }, (_, i) => ({
      at: calls[2 * i] as number,
      callee: this.subroutines[calls[2 * i + 1] as number] as Subroutine,
    }));
    return { entrances, ranges, code: { body: piece.subarray(at), calls: called } };
  }

  /**
   * Keeps a region without hooks, by its start: u32 entrances, u32 ranges, u32 calls, padded to 8; f64 entrance[], f64 ip[], u32 length[], (u32 position, u32 place)[],
   * the bytes of the ranges, the function body.
   */
  keepRegion(space: ExecutionSpace, { entrances, ranges, code: { body, calls } }: WrittenRegion): void {
    const start = entrances[0] as number;
    const packs = this.packsAt(space, start);
    if (packs === undefined) return;
    const head = REGION_HEADER_BYTES + 8 * entrances.length + 12 * ranges.length + 8 * calls.length;
    const piece = new Uint8Array(ranges.reduce((sum, { bytes }) => sum + bytes.length, head + body.length));
    const { buffer } = piece;
    new Uint32Array(buffer, 0, 3).set([entrances.length, ranges.length, calls.length]);
    const addresses = [...entrances, ...ranges.map(({ ip }) => ip)];
    new Float64Array(buffer, REGION_HEADER_BYTES, addresses.length).set(addresses);
    const links = calls.flatMap(({ at, callee }) => [at, this.places.get(callee as Subroutine) as number]);
    const words = [...ranges.map(({ bytes }) => bytes.length), ...links];
    new Uint32Array(buffer, REGION_HEADER_BYTES + 8 * addresses.length, words.length).set(words);
    let at = head;
    for (const bytes of [...ranges.map((range) => range.bytes), body]) {
      piece.set(bytes, at);
      at += bytes.length;
    }
    packs.regions.add(start, piece);
  }

  private packsAt(space: ExecutionSpace, ip: number): Packs | undefined {
    const origin = space.codeOrigin(ip);
    return origin === undefined ? undefined : this.packsOf(origin);
  }

  private packsOf({ contents, base }: CodeOrigin): Packs {
    let byBase = this.packs.get(contents);
    if (byBase === undefined) {
      byBase = new Map();
      this.packs.set(contents, byBase);
    }
    let packs = byBase.get(base);
    if (packs === undefined) {
      const name = `${this.variant}-${base.toString(16)}-${contents}`;
      packs = { blocks: new Pack(this.cache, `blocks-${name}`), regions: new Pack(this.cache, `regions-${name}`) };
      byBase.set(base, packs);
    }
    return packs;
  }
}
