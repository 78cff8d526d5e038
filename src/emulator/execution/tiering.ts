/**
 * Which code is compiled, and when: blocks that have run often, a batch at a time. What is compiled depends on nothing that the guest can see, and
 * changes nothing of it.
 */
import type { ExecutionSpace } from '../executor.js';
import type { IrBlock } from '../ir/ir.js';
import { writeRegion } from '../jit/codegen.js';
import { canCompile, compileRegions } from '../jit/compiler.js';
import { withEntrances } from '../jit/entrances.js';
import { type BlockSource, discover, type RegionLimits } from '../jit/regions.js';
import type { PhysicalMemory } from '../memory/physical.js';
import type { KeptCode, WrittenRegion } from './kept-code.js';
import { type CodeRange, type Region, RegionStore } from './region-store.js';
import type { Runtime } from './runtime.js';
import type { SpaceCode } from './space-code.js';

/** auto: cold code is interpreted, hot code compiled. interp, compile: only the one, as far as possible. */
export type Tier = 'auto' | 'interp' | 'compile';

/** Executions of a block until it is compiled. A region costs about a millisecond while V8 has not optimised the code generator. */
const HOT_AFTER = 1000;
/** Hot blocks that are compiled at once; the rest of them at the start of the next run. */
const BATCH = 32;

/** Where everything is compiled that runs once, most of a large region would never run. */
const LIMITS: Record<'auto' | 'compile', RegionLimits> = {
  auto: { blocks: 48, insns: 768 },
  compile: { blocks: 12, insns: 300 },
};

/** Blocks of a region that is made part of others which lead there, too. What is larger would be compiled again for each of them. */
const SHARED_BLOCKS = 16;

/** How much oftener a block must run again when it is part of another block's region. */
const COOL_FACTOR = 4;

/** What tiering needs of execution. */
export interface CodeSource {
  readonly runtime: Runtime;
  readonly physical: PhysicalMemory;
  /** Of earlier runs. */
  readonly kept: KeptCode | undefined;
  /** The block at an address of a space if it has run there; with `lift`, any that can be fetched. */
  irAt(code: SpaceCode, ip: number, lift: boolean): IrBlock | undefined;
  /** Where the indirect jump or call at the end of the block at `ip` went last, if it has run in the interpreter. */
  lastTarget(code: SpaceCode, ip: number): number | undefined;
  /** Whether these bytes are what is fetched there. */
  isThere(space: ExecutionSpace, range: CodeRange): boolean;
  /** The block counts from the start, to so many executions. */
  cool(code: SpaceCode, ip: number, executions: number): void;
  /** Asks the space to tell when they change. */
  mark(space: ExecutionSpace, range: CodeRange): void;
}

export class Tiering {
  readonly store: RegionStore;
  modules = 0;
  private waiting: { code: SpaceCode; ip: number }[] = [];
  /** Entries that cannot be compiled. */
  private readonly refused = new Set<number>();

  constructor(
    readonly tier: Tier,
    private readonly source: CodeSource,
    private readonly threshold = HOT_AFTER,
  ) {
    this.store = new RegionStore(source.runtime.regions);
  }

  /** For blocks that are encoded from now on. */
  get hotAfter(): number {
    return this.tier === 'auto' ? this.threshold : 0;
  }

  /** The compiled code at an address of the space, if there is or, in tier `compile`, can be any. */
  regionAt(code: SpaceCode, ip: number): Region | undefined {
    if (this.tier === 'interp') return undefined;
    const known = code.findRegion(ip) ?? this.adopt(code, ip);
    if (known !== undefined || this.tier === 'auto' || this.refused.has(ip)) return known;
    this.compile([{ code, ip }]);
    const made = code.findRegion(ip);
    if (made === undefined) this.refused.add(ip);
    return made;
  }

  /** A region that was made in another space, or before its code was withdrawn for a while. */
  private adopt(code: SpaceCode, ip: number): Region | undefined {
    const found = this.store.find(ip, (range) => this.source.isThere(code.space, range));
    if (found === undefined) return undefined;
    for (const range of found.ranges) this.source.mark(code.space, range);
    code.addRegion(found);
    return found;
  }

  /** The block at `ip` has run often. */
  hot(code: SpaceCode, ip: number): void {
    this.waiting.push({ code, ip });
    if (this.waiting.length >= BATCH) this.compileWaiting();
  }

  compileWaiting(): void {
    if (this.waiting.length === 0) return;
    const { waiting } = this;
    this.waiting = [];
    this.compile(waiting.filter(({ code, ip }) => code.findRegion(ip) === undefined));
  }

  private compile(wanted: readonly { code: SpaceCode; ip: number }[]): void {
    const batch: { code: SpaceCode; region: WrittenRegion }[] = [];
    for (const { code, ip } of wanted) {
      const inBatch = batch.some(({ code: other, region }) => other === code && region.ranges.some((r) => r.ip === ip));
      const region = this.postponed(code, ip, inBatch) ? undefined : (this.restore(code, ip) ?? this.write(code, ip));
      if (region !== undefined) batch.push({ code, region });
    }
    if (batch.length === 0) return;
    const { runtime, physical } = this.source;
    const functions = compileRegions(
      batch.map(({ region }) => region.code),
      physical,
      runtime,
    );
    this.modules++;
    for (const [i, { code, region }] of batch.entries()) {
      const { entrances, ranges } = region;
      code.addRegion(this.store.add(entrances, ranges, functions[i] as WebAssembly.ExportValue));
    }
  }

  private write(code: SpaceCode, ip: number): WrittenRegion | undefined {
    const limits = this.tier === 'compile' ? LIMITS.compile : LIMITS.auto;
    const found = discover(ip, this.blocksOf(code), limits);
    if (found === undefined) return undefined;
    const plan = withEntrances(found, (entrance) => code.findRegion(entrance) === undefined);
    const ranges = [...plan.blocks.values()].map(({ ir: { ip: start, end, bytes, hooks } }) => ({
      ip: start,
      end,
      bytes,
      hooks,
    }));
    const written = { entrances: plan.entrances, ranges, code: writeRegion(plan) };
    if (ranges.every(({ hooks }) => hooks.length === 0)) this.source.kept?.keepRegion(code.space, written);
    return written;
  }

  /** The region as an earlier run of the server wrote it. */
  private restore({ space }: SpaceCode, ip: number): WrittenRegion | undefined {
    const found = this.source.kept?.findRegion(space, ip);
    if (found === undefined || !found.ranges.every((range) => this.source.isThere(space, range))) return undefined;
    for (const range of found.ranges) this.source.mark(space, range);
    return found;
  }

  /** Most ways to a block that is part of a region lead through that region: only if they do not, the block will be hot again and gets its own. */
  private postponed(code: SpaceCode, ip: number, inBatch: boolean): boolean {
    if (this.tier === 'compile' || code.cooled.has(ip) || !(inBatch || code.isInRegion(ip))) return false;
    code.cooled.add(ip);
    this.source.cool(code, ip, COOL_FACTOR * this.threshold);
    return true;
  }

  private blocksOf(code: SpaceCode): BlockSource {
    return {
      blockAt: (ip) => {
        const region = code.findRegion(ip);
        if (region !== undefined && region.ranges.length > SHARED_BLOCKS) return undefined;
        const ir = this.source.irAt(code, ip, this.tier === 'compile');
        return ir !== undefined && canCompile(ir) ? ir : undefined;
      },
      lastTarget: (ip) => this.source.lastTarget(code, ip),
    };
  }
}
