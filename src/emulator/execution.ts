/**
 * Runs guest code: finds or lifts the code at ip, lets WebAssembly run it, and serves what it comes back for. The state of a run is in the CPU struct;
 * execution itself holds caches only, so forgetting any of them changes nothing that the guest can see.
 */
import { log } from '../log.js';
import { SLOT } from '../register-set.js';
import { type CpuState, STATE } from './cpu-state.js';
import type { Block } from './execution/block.js';
import { CodeHooks } from './execution/code-hooks.js';
import { CodeStore } from './execution/code-store.js';
import { Fetcher, type FetchFault, sameBytes } from './execution/fetch.js';
import { KeptCode } from './execution/kept-code.js';
import type { CodeRange } from './execution/region-store.js';
import { createRuntime, type Runtime } from './execution/runtime.js';
import { SlowLane } from './execution/slow-lane.js';
import { SpaceCode } from './execution/space-code.js';
import { type CodeSource, type Tier, Tiering } from './execution/tiering.js';
import type { CodeHook, CodeListener, ExecutionSpace, Executor, Exit, IpRange, PageFault } from './executor.js';
import type { GuestArch, HelperEnvironment, Lifted, Model } from './guest-arch.js';
import type { HostCache } from './host/host.js';
import { InterpreterEncoder } from './interp/encode.js';
import { RECORD_BYTES } from './interp/opcodes.js';
import type { IrBlock } from './ir/ir.js';
import { SPACE_JUMP_CACHE, SPACE_TLB_READ, SPACE_TLB_WRITE } from './memory/layout.js';
import type { PhysicalMemory } from './memory/physical.js';
import { ACCESS, EXIT, FAULT, type FaultSignal, TRAPS } from './stop.js';

export interface ExecutionConfig {
  readonly physical: PhysicalMemory;
  readonly arch: GuestArch;
  /** The processor model whose instructions exist. Left out: `base`. */
  readonly model?: Model;
  /** What a helper instruction (CPUID, RDTSC) sees when the thread of this CPU struct executes it. */
  readonly environment: (cpu: CpuState) => HelperEnvironment;
  /**
   * Asked about a hit of a hook, the CPU struct as between two instructions: 0 when it passes and nothing of the thread was changed, EXIT.ALONE when it
   * passes otherwise, EXIT.BREAKPOINT to come back with that. Left out: there are no hooks.
   */
  readonly askHook?: (cpu: CpuState, hook: CodeHook) => number;
  /** `auto` if not given. */
  readonly tier?: Tier;
  /** Executions of a block until tier `auto` compiles it; tiering's choice if not given. */
  readonly hotAfter?: number;
  /** For code that a later run can use again. */
  readonly cache?: HostCache | undefined;
}

/** For `--stats`. */
export interface ExecutionStatistics {
  /** Instructions retired in compiled code; all others in the interpreter. */
  readonly compiled: number;
  readonly blocks: number;
  readonly regions: number;
  readonly modules: number;
}

/** Most instructions in a block. */
const BLOCK_LIMIT = 64;
/** Instructions after which a run is no short one: what is hot gets compiled, and the interpreter optimised code. The first of both take V8 0.1 s. */
const LONG_RUN = 1_000_000;
/** So many misses of one instruction in a row: its pages push each other out of the TLB. */
const MISS_LIMIT = 8;
/** First address behind user space (Linux: TASK_SIZE_MAX). */
const USER_END = 0x7fff_ffff_f000;

const FUEL_EXIT: Exit = { kind: 'fuel' };
const SYSCALL_EXIT: Exit = { kind: 'syscall' };
const BREAKPOINT_EXIT: Exit = { kind: 'breakpoint' };

/** How a run goes on: at interpreter code, at what is known at ip (0), or not at all. */
type Next = number | Exit;

export class Execution implements Executor<ExecutionSpace>, CodeListener {
  readonly hooks: CodeHooks;
  private readonly physical: PhysicalMemory;
  private readonly arch: GuestArch;
  private readonly runtime: Runtime;
  private readonly store: CodeStore;
  private readonly fetcher: Fetcher;
  private readonly slowLane: SlowLane;
  private readonly tiering: Tiering;
  private readonly spaces = new Map<ExecutionSpace, SpaceCode>();
  private readonly warned = new Set<string>();
  /** The last miss, and how often it came in a row. */
  private missIp = -1;
  private missFuel = -1;
  private missCount = 0;
  private compiled = 0;
  private untilLong: number;
  /** Where fuel ran out last. */
  private endedAt = -1;
  private readonly model: Model;
  /** What a run is about while it is under way. */
  private cpu: CpuState | undefined;
  private code: SpaceCode | undefined;
  /** Where a range step goes on. While it is under way the jump cache holds nothing but blocks that lie within. */
  private within: IpRange | undefined;
  /** Of the hit that was asked for last. */
  private asked: CodeHook | undefined;
  private readonly kept: KeptCode | undefined;

  constructor(private readonly config: ExecutionConfig) {
    this.physical = config.physical;
    this.arch = config.arch;
    this.model = config.model ?? 'base';
    this.hooks = new CodeHooks(config.physical);
    const askHook = (_cpu: number, number: number): number => this.ask(this.hooks.at(number));
    this.runtime = createRuntime(config.arch, config.physical, { deciders: this.hooks.table, askHook }, config.cache);
    this.store = new CodeStore(
      new InterpreterEncoder(config.physical, config.arch.subroutines, this.runtime.subroutine),
    );
    this.fetcher = new Fetcher(config.physical);
    this.slowLane = new SlowLane(config.physical, this.runtime);
    const { cache, tier = 'auto' } = config;
    // Blocks of the other tiers do not count their executions: no runs but tests have them.
    this.kept = cache && tier === 'auto' ? new KeptCode(cache, this.model, config.arch.subroutines) : undefined;
    const source: CodeSource = {
      kept: this.kept,
      runtime: this.runtime,
      physical: config.physical,
      irAt: (code, ip, lift) => this.irAt(code, ip, lift),
      lastTarget: (code, ip) => this.lastTarget(code, ip),
      isThere: (space, range) => this.isThere(space, range),
      cool: (code, ip, executions) => this.cool(code, ip, executions),
      mark: (space, { ip, end }) => this.fetcher.markCode(space, ip, end),
    };
    this.tiering = new Tiering(tier, source, config.hotAfter);
    this.untilLong = tier === 'compile' || config.hotAfter !== undefined ? 0 : LONG_RUN;
  }

  get statistics(): ExecutionStatistics {
    return {
      compiled: this.compiled,
      blocks: this.store.made,
      regions: this.tiering.store.made,
      modules: this.tiering.modules,
    };
  }

  run(cpu: CpuState, space: ExecutionSpace, fuel: number, within?: IpRange): Exit {
    const code = this.codeOf(space);
    cpu.setInt(STATE.TLB_READ, space.area + SPACE_TLB_READ);
    cpu.setInt(STATE.TLB_WRITE, space.area + SPACE_TLB_WRITE);
    cpu.setInt(STATE.JUMP_CACHE, space.area + SPACE_JUMP_CACHE);
    cpu.setInt(STATE.FUEL, fuel);
    this.missCount = 0;
    this.cpu = cpu;
    this.code = code;
    if (fuel > 1 && this.untilLong <= 0) this.tiering.compileWaiting();
    if (this.arch.stepsItself(cpu)) return this.stepItself(cpu, code);
    const next = within === undefined ? this.loop(cpu, code, fuel) : this.loopWithin(cpu, code, fuel, within);
    if (next === FUEL_EXIT) this.endedAt = cpu.rip;
    if (this.untilLong > 0) {
      this.untilLong -= fuel - cpu.int(STATE.FUEL);
      if (this.untilLong <= 0) this.runtime.optimise();
    }
    this.compiled += cpu.num(STATE.RETIRED_COMPILED);
    cpu.setNum(STATE.RETIRED_COMPILED, 0);
    return next;
  }

  private loop(cpu: CpuState, code: SpaceCode, fuel: number): Exit {
    let next = fuel === 1 ? this.single(cpu, code) : this.begin(cpu, code);
    while (typeof next === 'number') {
      next = cpu.int(STATE.FUEL) === 0 ? FUEL_EXIT : this.serve(cpu, code, this.runtime.run(cpu.base, next));
    }
    return next;
  }

  private loopWithin(cpu: CpuState, code: SpaceCode, fuel: number, within: IpRange): Exit {
    this.enter(code, within);
    try {
      return this.loop(cpu, code, fuel);
    } finally {
      this.enter(code, undefined);
    }
  }

  /** Guest code of the present run asks about a hit. Code that is void by now may go on no further than its instruction. */
  private ask(hook: CodeHook): number {
    const { cpu, code } = this;
    if (cpu === undefined || code === undefined || this.config.askHook === undefined)
      throw new Error('a hook without a run');
    this.asked = hook;
    const { version } = code;
    const kind = this.config.askHook(cpu, hook);
    return kind === 0 && code.version !== version ? EXIT.ALONE : kind;
  }

  /** One instruction, and the trap behind it. */
  private stepItself(cpu: CpuState, code: SpaceCode): Exit {
    const exit = this.one(cpu, code, this.single(cpu, code));
    return exit.kind === 'fuel' ? this.fault(this.arch.stepTrap(cpu)) : exit;
  }

  /** Runs one instruction of what the fuel allows. `first`: its code. */
  private one(cpu: CpuState, code: SpaceCode, first: Next): Exit {
    const fuel = cpu.int(STATE.FUEL);
    cpu.setInt(STATE.FUEL, 1);
    let next = first;
    while (typeof next === 'number') {
      next = cpu.int(STATE.FUEL) === 0 ? FUEL_EXIT : this.serve(cpu, code, this.runtime.run(cpu.base, next));
    }
    cpu.setInt(STATE.FUEL, fuel - 1 + cpu.int(STATE.FUEL));
    return next;
  }

  getFlags(cpu: CpuState): number {
    return this.arch.getFlags(cpu, this.runtime.call);
  }

  setFlags(cpu: CpuState, flags: number): void {
    this.arch.setFlags(cpu, flags);
  }

  codeChanged(space: ExecutionSpace, from: number, to: number): void {
    this.spaces.get(space)?.removeRange(from, to);
  }

  spaceGone(space: ExecutionSpace): void {
    this.spaces.get(space)?.giveBack();
    this.spaces.delete(space);
  }

  private codeOf(space: ExecutionSpace): SpaceCode {
    const known = this.spaces.get(space);
    if (known !== undefined) return known;
    const made = new SpaceCode(space, this.physical);
    this.spaces.set(space, made);
    return made;
  }

  /** What WebAssembly came back for. */
  private serve(cpu: CpuState, code: SpaceCode, kind: number): Next {
    switch (kind) {
      case EXIT.NEXT:
        return 0;
      case EXIT.FUEL:
        return FUEL_EXIT;
      case EXIT.NO_CODE:
        return cpu.int(STATE.FUEL) === 0 ? FUEL_EXIT : this.provide(cpu, code);
      case EXIT.MISS:
        return this.miss(cpu, code);
      case EXIT.INTERPRET:
        return cpu.int(STATE.FUEL) === 0 ? FUEL_EXIT : this.interpret(cpu, code);
      case EXIT.HOT:
        this.tiering.hot(code, cpu.rip);
        // Regions that have been made now may lead out of the range.
        if (this.within !== undefined) code.forgetJumps();
        return cpu.int(STATE.EXIT_INFO) + RECORD_BYTES;
      case EXIT.PASSED:
        return this.original(cpu, code, code.space.hookAt(cpu.rip));
      case EXIT.ALONE:
        return this.one(cpu, code, this.original(cpu, code, this.asked));
      case EXIT.SYSCALL:
        return SYSCALL_EXIT;
      case EXIT.BREAKPOINT:
        return BREAKPOINT_EXIT;
      case EXIT.FAULT:
        return this.exception(cpu, code, cpu.int(STATE.EXIT_INFO));
      case EXIT.HELPER:
        return this.helper(cpu, code);
      default:
        throw new Error(`execution came back with exit ${kind}`);
    }
  }

  // ---- code ----

  /** A slice may begin within a block: no region shall be made for its rest. */
  private begin(cpu: CpuState, code: SpaceCode): Next {
    if (this.within !== undefined) return 0;
    const ip = cpu.rip;
    if (code.findRegion(ip) !== undefined) return 0;
    return this.tiering.tier === 'compile' && ip !== this.endedAt ? 0 : this.interpret(cpu, code);
  }

  /** There is no code at ip in the jump cache. */
  private provide(cpu: CpuState, code: SpaceCode): Next {
    if (this.within !== undefined) return this.provideWithin(cpu, code, this.within);
    const region = isUser(cpu, SLOT.RIP) ? this.tiering.regionAt(code, cpu.rip) : undefined;
    if (region !== undefined) {
      code.enterRegion(cpu.rip, region);
      return 0;
    }
    const block = this.blockAt(cpu, code, false);
    if ('kind' in block) return block;
    code.setJump(block.ip, 0, block.code);
    return block.code;
  }

  private enter(code: SpaceCode, within: IpRange | undefined): void {
    this.within = within;
    code.forgetJumps();
  }

  /** Regions that lead outside are left alone. What is probed, or ends outside, is executed one by one. */
  private provideWithin(cpu: CpuState, code: SpaceCode, { start, end }: IpRange): Next {
    const ip = cpu.rip;
    if (ip < start || ip >= end) return FUEL_EXIT;
    const region = code.findRegion(ip);
    if (region?.ranges.every((one) => one.ip >= start && one.end <= end && one.hooks.length === 0)) {
      code.enterRegion(ip, region);
      return 0;
    }
    const block = this.blockAt(cpu, code, false);
    if ('kind' in block) return block;
    if (block.end > end || block.hooks.length > 0) {
      const exit = this.one(cpu, code, this.single(cpu, code));
      return exit === FUEL_EXIT ? 0 : exit;
    }
    code.setJump(block.ip, 0, block.code);
    return block.code;
  }

  /** Compiled code cannot go on at ip: the interpreter does, to the end of the block at least. */
  private interpret(cpu: CpuState, code: SpaceCode): Next {
    const ip = cpu.rip;
    if (code.find(ip, false) === undefined) {
      // Not a block of its own for the rest: in long straight code all that follow would be cut differently, too.
      for (const block of code.around(ip)) {
        const at = this.store.codeAt(block, ip, cpu.int(SLOT.CC_KIND));
        if (at !== undefined) return at;
      }
    }
    const block = this.blockAt(cpu, code, false);
    return 'kind' in block ? block : block.start;
  }

  /** The code of the one instruction at ip. */
  private single(cpu: CpuState, code: SpaceCode): Next {
    const block = this.blockAt(cpu, code, true);
    return 'kind' in block ? block : block.code;
  }

  private blockAt(cpu: CpuState, code: SpaceCode, single: boolean): Block | Exit {
    const ip = cpu.rip;
    const known = code.find(ip, single);
    if (known !== undefined) return known;
    if (!isUser(cpu, SLOT.RIP)) return this.fetchFault(cpu, code, { why: 'unmapped', address: ip });
    // Decided before the fetch: a breakpoint may sit where nothing can be executed.
    const breaks = code.space.hasSwbp(ip);
    if (breaks && (single || code.space.hookAt(ip) === undefined)) return BREAKPOINT_EXIT;
    const found = this.findOrLift(code, ip, single);
    if ('why' in found) return breaks ? BREAKPOINT_EXIT : this.fetchFault(cpu, code, found);
    code.add(found);
    return found;
  }

  /** The code of the instruction at ip, whatever hook stands in front of it: it has passed. */
  private original(cpu: CpuState, code: SpaceCode, hook: CodeHook | undefined): Next {
    const block = this.originalBlock(cpu, code, hook);
    return 'kind' in block ? block : block.code;
  }

  private originalBlock(cpu: CpuState, code: SpaceCode, hook = code.space.hookAt(cpu.rip)): Block | Exit {
    if (hook === undefined) return this.blockAt(cpu, code, true);
    const ip = cpu.rip;
    const known = code.findOriginal(ip);
    if (known !== undefined) return known;
    const found =
      this.store.find({ ip, single: true }, ({ bytes }) => sameBytes(bytes, hook.bytes)) ??
      this.addLifted(code.space, this.arch.lift(hook.bytes, ip, { limit: 1, model: this.model }), true);
    if (found === undefined) throw new Error(`no instruction behind the hook at ${ip.toString(16)}`);
    this.fetcher.markCode(code.space, ip, found.end);
    code.addOriginal(found);
    return found;
  }

  private irAt(code: SpaceCode, ip: number, lift: boolean): IrBlock | undefined {
    const known = code.find(ip, false);
    if (known !== undefined) return this.irOf(known);
    if (!lift || ip < 0 || ip >= USER_END) return undefined;
    if (code.space.hasSwbp(ip) && code.space.hookAt(ip) === undefined) return undefined;
    const found = this.findOrLift(code, ip, false);
    if ('why' in found) return undefined;
    code.add(found);
    return this.irOf(found);
  }

  private irOf({ ip, bytes, hooks }: Block): IrBlock {
    const hookAt = (address: number): CodeHook | undefined => hooks.find((one) => one.ip === address)?.hook;
    const lifted = this.arch.lift(bytes, ip, { limit: BLOCK_LIMIT, model: this.model, hookAt });
    if (lifted.kind !== 'block') throw new Error(`the block at ${ip.toString(16)} cannot be lifted again`);
    return lifted.block;
  }

  private lastTarget(code: SpaceCode, ip: number): number | undefined {
    const block = code.find(ip, false);
    return block === undefined ? undefined : this.store.lastTarget(block);
  }

  private cool(code: SpaceCode, ip: number, executions: number): void {
    const block = code.find(ip, false);
    if (block !== undefined && block.start !== block.code) this.store.setCounter(block, executions);
  }

  private isThere(space: ExecutionSpace, range: CodeRange): boolean {
    const head = this.fetcher.page(space, range.ip);
    return !('why' in head) && this.fetcher.holds(space, head, range);
  }

  private findOrLift({ space }: SpaceCode, ip: number, single: boolean): Block | FetchFault {
    const head = this.fetcher.page(space, ip);
    if ('why' in head) return head;
    const known = this.store.find({ ip, single }, (block) => this.fetcher.holds(space, head, block));
    const block = known ?? (single ? undefined : this.restore(space, ip, head)) ?? this.lift(space, ip, head, single);
    if (!('why' in block)) this.fetcher.markCode(space, block.ip, block.end);
    return block;
  }

  /** The block as an earlier run of the server made it. */
  private restore(space: ExecutionSpace, ip: number, head: Uint8Array): Block | undefined {
    const block = this.kept?.find(space, ip);
    if (
      block === undefined ||
      !this.fetcher.holds(space, head, { ip, end: ip + block.bytes.length, bytes: block.bytes, hooks: [] })
    )
      return undefined;
    return this.store.restore(ip, block, this.tiering.hotAfter);
  }

  private lift(space: ExecutionSpace, ip: number, head: Uint8Array, single: boolean): Block | FetchFault {
    const { model } = this;
    const options = { model, hookAt: (address: number) => space.hookAt(address) };
    const lifted = this.arch.lift(head, ip, { ...options, limit: single ? 1 : BLOCK_LIMIT });
    const inPage = this.addLifted(space, lifted, single);
    if (inPage !== undefined) return inPage;
    const joined = this.fetcher.acrossBorder(space, ip, head);
    if ('why' in joined) return joined;
    const across = this.addLifted(space, this.arch.lift(joined, ip, { ...options, limit: 1 }), single);
    if (across === undefined) throw new Error(`no instruction ends within ${head.length} bytes at ${ip.toString(16)}`);
    return across;
  }

  /** undefined: the bytes ended within the first instruction. */
  private addLifted(space: ExecutionSpace, lifted: Lifted, single: boolean): Block | undefined {
    if (lifted.kind === 'truncated') return undefined;
    const block = this.store.add(lifted.block, single, single ? 0 : this.tiering.hotAfter);
    if (!single) this.kept?.keep(space, lifted.block, this.physical.u8.subarray(block.code, block.codeEnd));
    return block;
  }

  // ---- faults ----

  private fault(fault: FaultSignal): Exit {
    return { kind: 'fault', fault };
  }

  private fetchFault(cpu: CpuState, code: SpaceCode, { why, address }: FetchFault): Exit {
    if (!isCanonical(cpu, SLOT.RIP)) return this.fault(this.arch.exception(cpu, FAULT.PROTECTION));
    if (!isUser(cpu, SLOT.RIP)) return this.kernelFault(cpu.big(SLOT.RIP), ACCESS.FETCH);
    return this.pageFault(code, why, address, ACCESS.FETCH);
  }

  private pageFault({ space }: SpaceCode, why: PageFault, address: number, access: number): Exit {
    if (address >= USER_END) return this.kernelFault(address, access);
    const present = why === 'denied' && access !== ACCESS.READ && space.fill(address, ACCESS.READ) === 'filled';
    return this.fault(this.arch.pageFault({ why, access, address, present }));
  }

  /** The kernel hides what is mapped in its half: always a protection fault, always without a mapping (arch/x86/mm/fault.c). */
  private kernelFault(address: number | bigint, access: number): Exit {
    return this.fault(this.arch.pageFault({ why: 'unmapped', access, address, present: true }));
  }

  private exception(cpu: CpuState, code: SpaceCode, vector: number): Exit {
    if (vector === FAULT.BEGIN_STEPPING) {
      const exit = this.one(cpu, code, this.original(cpu, code, code.space.hookAt(cpu.rip)));
      return exit.kind === 'fuel' ? this.stepItself(cpu, code) : exit;
    }
    if (vector === FAULT.INVALID_OPCODE) this.explain(cpu, code);
    if (TRAPS.has(vector)) this.retire(cpu, code);
    return this.fault(this.arch.exception(cpu, vector));
  }

  /** One warning for each instruction that real processors know and this one does not. */
  private explain(cpu: CpuState, code: SpaceCode): void {
    const block = this.originalBlock(cpu, code);
    if ('kind' in block) return;
    const { text, unsupported } = this.arch.explainUndefined(block.bytes, block.ip);
    if (!unsupported || this.warned.has(text)) return;
    this.warned.add(text);
    log.warn({ ip: block.ip.toString(16), instruction: text }, 'unknown instruction: the program gets SIGILL');
  }

  /** Moves ip behind the instruction, which has been done elsewhere. */
  private retire(cpu: CpuState, code: SpaceCode): void {
    const block = this.originalBlock(cpu, code);
    if ('kind' in block) throw new Error(`no code at ${cpu.rip.toString(16)}, which has just run`);
    cpu.rip = block.end;
    cpu.setInt(STATE.FUEL, cpu.int(STATE.FUEL) - 1);
  }

  private helper(cpu: CpuState, code: SpaceCode): Next {
    const helper = this.arch.helpers[cpu.int(STATE.EXIT_INFO)];
    if (helper === undefined) throw new Error(`there is no helper ${cpu.int(STATE.EXIT_INFO)}`);
    helper.run(cpu, this.config.environment(cpu));
    this.retire(cpu, code);
    return 0;
  }

  // ---- data accesses ----

  /** An access missed the TLB: fills it, or says why the instruction cannot go on. */
  private miss(cpu: CpuState, code: SpaceCode): Next {
    const resume = cpu.int(STATE.RESUME);
    if (this.missesAgain(cpu)) return this.slowly(cpu, code);
    const filled = this.fillMiss(cpu, code);
    if (filled === 'filled') return resume;
    return filled === 'once' ? this.slowly(cpu, code) : filled;
  }

  private missesAgain(cpu: CpuState): boolean {
    const ip = cpu.rip;
    const fuel = cpu.int(STATE.FUEL);
    const again = ip === this.missIp && fuel === this.missFuel;
    this.missCount = again ? this.missCount + 1 : 0;
    this.missIp = ip;
    this.missFuel = fuel;
    return this.missCount > MISS_LIMIT;
  }

  private fillMiss(cpu: CpuState, code: SpaceCode): 'filled' | 'once' | Exit {
    const info = cpu.int(STATE.EXIT_INFO);
    const access = info & 0xff;
    if (!isCanonical(cpu, STATE.EXIT_ADDRESS)) {
      return this.fault(this.arch.exception(cpu, info & STACK_ACCESS ? FAULT.STACK : FAULT.PROTECTION));
    }
    if (!isUser(cpu, STATE.EXIT_ADDRESS)) return this.kernelFault(cpu.big(STATE.EXIT_ADDRESS), access);
    const address = cpu.num(STATE.EXIT_ADDRESS);
    const filled = code.space.fill(address, access);
    if (filled === 'filled' || filled === 'once') return filled;
    return this.pageFault(code, filled, address, access);
  }

  /** Runs one instruction in the logging interpreter, for accesses that must be seen or that the TLB cannot hold together. */
  private slowly(cpu: CpuState, code: SpaceCode): Next {
    const block = this.originalBlock(cpu, code);
    if ('kind' in block) return block;
    const { kind, hits, fault, retired } = this.slowLane.run(cpu, code.space, block.code, () =>
      this.fillMiss(cpu, code),
    );
    if (fault !== undefined) return fault;
    if (hits.length > 0) return { kind: 'watch', hits };
    return retired ? 0 : this.serve(cpu, code, kind);
  }
}

/** In EXIT_INFO of a miss. */
const STACK_ACCESS = 0x100;

/** Bits 47 to 63 are all alike. */
function isCanonical(cpu: CpuState, slot: number): boolean {
  const high = cpu.int(slot + 4) >> 15;
  return high === 0 || high === -1;
}

function isUser(cpu: CpuState, slot: number): boolean {
  return cpu.num(slot) < USER_END;
}
