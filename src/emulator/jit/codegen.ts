/**
 * A region as one WebAssembly function: (cpu: i32, entrance: i32) -> i32 (EXIT.*). Guest registers live in locals from the entry to the one epilogue, which
 * every exit branches to; transfers within the region are structured control flow.
 */
import { SLOT } from '../../register-set.js';
import { STATE } from '../cpu-state.js';
import type { Decider } from '../executor.js';
import type { Subroutine } from '../ir/subroutine.js';
import { EXIT } from '../stop.js';
import { FunctionWriter, type Label } from '../wasm/function-writer.js';
import { BlockWriter, type RegionContext } from './block-writer.js';
import { local, push } from './expression.js';
import { type Fare, faresOf } from './fuel.js';
import { flagsLiveAt } from './liveness.js';
import type { RegionPlan } from './regions.js';
import { RegisterFile } from './register-file.js';
import { type Prepare, preparedOf } from './shortcut.js';
import { type Node, type Structure, structure } from './structure.js';
import { Temporaries } from './temporaries.js';

/** What a region calls: a subroutine, what decides about a hook, or the runtime's `askHook`. */
export type Callee = Subroutine | Decider | 'askHook';

/** Where in a function body the index of what is called goes. */
export interface RegionCall {
  readonly at: number;
  readonly callee: Callee;
}

/** A region's function, for any module: (cpu: i32, entrance: i32) -> i32 (EXIT.*). */
export interface RegionCode {
  /** Of the code-section entry. */
  readonly body: Uint8Array;
  readonly calls: readonly RegionCall[];
}

class RegionWriter implements RegionContext {
  readonly w = new FunctionWriter(['i32', 'i32'], ['i32']);
  readonly cpu = 0;
  /** The number of the entrance under way, 0 from there on. */
  private readonly entrance = 1;
  readonly fuel = this.w.local('i32');
  readonly tlb = this.w.local('i32');
  readonly address = this.w.local('i64');
  readonly entry = this.w.local('i64');
  readonly ip = this.w.local('i64');
  readonly kind = this.w.local('i32');
  private readonly startFuel = this.w.local('i32');
  readonly registers: RegisterFile;
  readonly temporaries = new Temporaries(this.w);
  /** Slots that shortcuts depend on, and where what is prepared of them is kept. */
  private readonly states = new Map<Prepare, { readonly slot: number; readonly local: number }>();
  private readonly shape: Structure;
  private readonly live: ReadonlySet<number>;
  private readonly fares: ReadonlyMap<number, Fare>;
  private readonly loops = new Map<number, Label>();
  private readonly merges = new Map<number, Label>();
  private exit!: Label;

  private readonly calls: RegionCall[] = [];

  constructor(private readonly plan: RegionPlan) {
    this.registers = new RegisterFile(this.w, plan);
    for (const sub of calledBy(plan)) {
      if (sub.shortcut === undefined || this.states.has(sub.shortcut.prepare)) continue;
      this.states.set(sub.shortcut.prepare, { slot: sub.shortcut.slot, local: this.w.local('i32') });
    }
    this.shape = structure(plan);
    this.live = flagsLiveAt(plan);
    this.fares = faresOf(plan, this.shape);
  }

  write(): RegionCode {
    const { w } = this;
    this.prologue();
    this.exit = w.block();
    this.start();
    this.tree(this.shape.root);
    w.unreachable();
    w.end();
    this.epilogue();
    const { bytes, codeAt } = w.body();
    return { body: bytes.slice(), calls: this.calls.map(({ at, callee }) => ({ at: codeAt + at, callee })) };
  }

  private start(): void {
    const { w, plan } = this;
    if (plan.entrances.length === 1) return this.pay(plan.entry);
    w.get(this.entrance);
    w.op(0x45);
    w.if();
    this.pay(plan.entry);
    w.end();
  }

  private pay(ip: number): void {
    new BlockWriter(this.blockAt(ip), this).pay(this.fare(ip), ip);
  }

  private callLater(callee: Callee): void {
    this.calls.push({ at: this.w.callLater(), callee });
  }

  private prologue(): void {
    const { w } = this;
    w.get(this.cpu);
    w.memory([0x28], STATE.FUEL);
    w.tee(this.fuel);
    w.set(this.startFuel);
    w.get(this.cpu);
    w.memory([0x28], STATE.TLB_READ);
    w.set(this.tlb);
    this.registers.loadAll(this.cpu);
    this.refresh();
  }

  call(sub: Subroutine): void {
    this.callLater(sub);
  }

  prepared(prepare: Prepare): number {
    const state = this.states.get(prepare);
    if (state === undefined) throw new Error('a shortcut that the region does not know');
    return state.local;
  }

  refresh(written?: number): void {
    for (const [prepare, { slot, local: index }] of this.states) {
      if (written !== undefined && written !== slot) continue;
      this.w.get(this.cpu);
      this.w.memory([0x28], slot);
      this.w.set(index);
      push(this.w, preparedOf(prepare, local('i32', index)));
      this.w.set(index);
    }
  }

  private epilogue(): void {
    const { w } = this;
    this.registers.storeWritten(this.cpu);
    w.get(this.cpu);
    w.get(this.ip);
    w.memory([0x37], SLOT.RIP);
    w.get(this.cpu);
    w.get(this.fuel);
    w.memory([0x36], STATE.FUEL);
    w.get(this.cpu);
    w.get(this.cpu);
    w.memory([0x29], STATE.RETIRED_COMPILED);
    w.get(this.startFuel);
    w.get(this.fuel);
    w.op(0x6b, 0xad, 0x7c); // i32.sub, extend_u, i64.add
    w.memory([0x37], STATE.RETIRED_COMPILED);
    w.get(this.kind);
  }

  private blockAt(ip: number) {
    const block = this.plan.blocks.get(ip);
    if (block === undefined) throw new Error(`the region has no block at ${ip.toString(16)}`);
    return block;
  }

  private fare(ip: number): Fare {
    const fare = this.fares.get(ip);
    if (fare === undefined) throw new Error(`the region has no block at ${ip.toString(16)}`);
    return fare;
  }

  /** A node and everything that it dominates. */
  private tree(node: Node): void {
    const merges = node.children.filter(({ isMerge }) => isMerge);
    if (node.isLoop) this.loops.set(node.ip, this.w.loop());
    this.within(node, merges);
    if (node.isLoop) this.w.end();
  }

  /** The node's code inside one block for each merge point, the first in reverse postorder innermost. */
  private within(node: Node, merges: readonly Node[]): void {
    const last = merges.at(-1);
    if (last === undefined) {
      this.sendOn(node);
      return new BlockWriter(this.blockAt(node.ip), this).write();
    }
    this.merges.set(last.ip, this.w.block());
    this.within(node, merges.slice(0, -1));
    this.w.end();
    this.tree(last);
  }

  /** Where those who have entered elsewhere go from here. */
  private sendOn({ ip }: Node): void {
    const { w, plan } = this;
    const forks = plan.forks.get(ip);
    if (forks === undefined) return;
    w.get(this.entrance);
    w.if();
    for (const { to, numbers } of forks) {
      const here = plan.entrances.indexOf(to);
      for (const [i, number] of numbers.entries()) {
        this.isEntrance(number);
        if (i > 0) w.op(0x72);
      }
      w.if();
      if (numbers.includes(here)) {
        this.isEntrance(here);
        w.if();
        w.i32(0);
        w.set(this.entrance);
        this.pay(to);
        w.end();
      }
      this.go(ip, to);
      w.end();
    }
    w.unreachable();
    w.end();
  }

  private isEntrance(number: number): void {
    this.w.get(this.entrance);
    this.w.i32(number);
    this.w.op(0x46);
  }

  leave(kind: number): void {
    this.w.i32(kind);
    this.leaveWith();
  }

  leaveWith(): void {
    this.w.set(this.kind);
    this.w.br(this.exit);
  }

  callDecider(decider: Decider, number: number): void {
    const { w } = this;
    w.get(this.cpu);
    w.i32(number);
    this.callLater(decider);
  }

  askHook(number: number, leaving: () => void): void {
    const { w } = this;
    this.registers.storeWritten(this.cpu);
    w.get(this.cpu);
    w.i32(number);
    this.callLater('askHook');
    w.tee(this.kind);
    w.if();
    leaving();
    w.br(this.exit);
    w.end();
  }

  transfer(from: BlockWriter, target: number): void {
    const { ip } = from.block.ir;
    if (this.shape.edge(ip, target) === 'leave') return from.leaveAt(EXIT.NEXT, target, 0);
    from.pay(this.fare(target), target);
    if (this.live.has(target)) from.storeFlags();
    this.go(ip, target);
  }

  private go(from: number, target: number): void {
    const how = this.shape.edge(from, target);
    if (how === 'inline') return this.tree(this.shape.node(target) as Node);
    const label = (how === 'back' ? this.loops : this.merges).get(target);
    if (label === undefined) throw new Error(`nothing encloses the way to ${target.toString(16)}`);
    this.w.br(label);
  }
}

/** Writes a region's function. */
export function writeRegion(plan: RegionPlan): RegionCode {
  return new RegionWriter(plan).write();
}

function calledBy({ blocks }: RegionPlan): Set<Subroutine> {
  const called = new Set<Subroutine>();
  for (const { ir } of blocks.values()) {
    for (const { ops } of ir.insns) for (const { sub } of ops) if (sub !== undefined) called.add(sub);
  }
  return called;
}
