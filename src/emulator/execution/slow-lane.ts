/**
 * One instruction in the logging interpreter: for pages that have no lasting TLB entry (watched, holding code, shared with a snapshot), and for
 * instructions whose pages have the same TLB index. Entries are kept beside the TLB while the instruction runs.
 */
import { type CpuState, STATE } from '../cpu-state.js';
import type { ExecutionSpace, Exit, LoggedAccess, WatchHit } from '../executor.js';
import { LOG_ENTRY_BYTES, SPARE_ENTRIES, SPARE_ENTRIES_BASE } from '../interp/memory-functions.js';
import { ACCESS_LOG_BASE, SPACE_TLB_READ, SPACE_TLB_WRITE, TLB_ENTRIES } from '../memory/layout.js';
import type { PhysicalMemory } from '../memory/physical.js';
import { ACCESS, EXIT } from '../stop.js';
import type { Runtime } from './runtime.js';

export interface SlowResult {
  /** EXIT.* of the interpreter, when the instruction has not retired and did not fault on an access. */
  readonly kind: number;
  readonly retired: boolean;
  /** A fault of one of its accesses. */
  readonly fault: Exit | undefined;
  readonly hits: readonly WatchHit[];
}

export class SlowLane {
  constructor(
    private readonly physical: PhysicalMemory,
    private readonly runtime: Runtime,
  ) {}

  /** Runs the instruction whose code is at `pc`. `fill` serves a miss, which the CPU struct describes. */
  run(cpu: CpuState, space: ExecutionSpace, pc: number, fill: () => 'filled' | 'once' | Exit): SlowResult {
    const fuel = cpu.int(STATE.FUEL);
    this.physical.i32[SPARE_ENTRIES_BASE >> 2] = 0;
    let fault: Exit | undefined;
    let kind: number;
    do {
      cpu.setInt(STATE.FUEL, 1);
      cpu.setInt(STATE.ACCESS_COUNT, 0);
      kind = this.runtime.log(cpu.base, pc);
      if (kind === EXIT.MISS) fault = this.fill(cpu, space, fill);
    } while (kind === EXIT.MISS && fault === undefined);
    const left = cpu.int(STATE.FUEL);
    cpu.setInt(STATE.FUEL, fuel - 1 + left);
    this.physical.i32[SPARE_ENTRIES_BASE >> 2] = 0;
    return { kind, retired: left === 0, fault, hits: space.settle(this.accesses(cpu)) };
  }

  private fill(cpu: CpuState, space: ExecutionSpace, fill: () => 'filled' | 'once' | Exit): Exit | undefined {
    const filled = fill();
    if (filled !== 'filled' && filled !== 'once') return filled;
    this.keepEntry(space, cpu.num(STATE.EXIT_ADDRESS), cpu.int(STATE.EXIT_INFO) & 0xff);
    return undefined;
  }

  /** Copies the TLB entry that was just made, so that another one for the same index does not undo it. */
  private keepEntry(space: ExecutionSpace, address: number, access: number): void {
    const { i32, u64 } = this.physical;
    const table = space.area + (access === ACCESS.WRITE ? SPACE_TLB_WRITE : SPACE_TLB_READ);
    const count = i32[SPARE_ENTRIES_BASE >> 2] as number;
    if (count === SPARE_ENTRIES) throw new Error('an instruction touches too many pages');
    const at = SPARE_ENTRIES_BASE + 16 * (count + 1);
    const index = Math.floor(address / 4096) % TLB_ENTRIES;
    u64[at >> 3] = u64[table / 8 + index] as bigint;
    i32[(at + 8) >> 2] = access;
    i32[SPARE_ENTRIES_BASE >> 2] = count + 1;
  }

  private accesses(cpu: CpuState): LoggedAccess[] {
    const { view } = this.physical;
    return Array.from({ length: cpu.int(STATE.ACCESS_COUNT) }, (_, i) => {
      const at = ACCESS_LOG_BASE + i * LOG_ENTRY_BYTES;
      return {
        address: Number(view.getBigUint64(at, true)),
        size: view.getUint32(at + 8, true),
        access: view.getUint32(at + 12, true),
      };
    });
  }
}
