/**
 * Writes the instructions of one block as WebAssembly. Values stay expressions until they are needed, so that most never see a local; the lazy flags
 * stay expressions too, and reach their locals only on the way out of the block or in the cold code of an exit.
 */
import { SLOT } from '../../register-set.js';
import { STATE } from '../cpu-state.js';
import type { CodeHook, Decider } from '../executor.js';
import type { IrInsn, IrOp } from '../ir/ir.js';
import type { Value } from '../ir/op-builder.js';
import type { Subroutine } from '../ir/subroutine.js';
import { SPACE_TLB_WRITE, TLB_ENTRIES } from '../memory/layout.js';
import { EXIT } from '../stop.js';
import type { FunctionWriter, Label, WasmType } from '../wasm/function-writer.js';
import {
  op as apply,
  constant,
  dependsOn,
  type Expression,
  local,
  localsOf,
  narrow,
  push,
  replaceLocal,
  wide,
} from './expression.js';
import { type Fare, segmentEnd } from './fuel.js';
import type { RegionBlock } from './regions.js';
import { type CachedRegister, pushMerged, type RegisterFile, readPart } from './register-file.js';
import { type ExpandedOp, type Prepare, type ShortcutValues, withShortcuts } from './shortcut.js';
import type { Temporaries } from './temporaries.js';

/** What the writer of a region offers to the writers of its blocks. */
export interface RegionContext {
  readonly w: FunctionWriter;
  readonly registers: RegisterFile;
  readonly temporaries: Temporaries;
  readonly cpu: number;
  /** i32: fuel left after what the block under way has paid for. */
  readonly fuel: number;
  /** i32: physical address of the read TLB. */
  readonly tlb: number;
  /** i64 scratch: the address and the TLB entry of an access. */
  readonly address: number;
  readonly entry: number;
  /** Calls a subroutine whose arguments are on the stack. */
  call(sub: Subroutine): void;
  /** i32: what the region has prepared for shortcuts. */
  prepared(prepare: Prepare): number;
  /** Prepares again: this slot, or any that shortcuts depend on, may have been written. */
  refresh(written?: number): void;
  /** Leaves the region: EXIT.*, with the address that is in the local `ip`. */
  readonly ip: number;
  leave(kind: number): void;
  /** i32 scratch: why it leaves. */
  readonly kind: number;
  /** The same with EXIT.* on the stack. */
  leaveWith(): void;
  /** Calls the decider of hook `number`; what it says (i32) stays on the stack. */
  callDecider(decider: Decider, number: number): void;
  /** Asks about a hit of hook `number`, with all registers in the CPU struct, and leaves the region with the answer unless it passes. */
  askHook(number: number, leaving: () => void): void;
  /** Goes to a block, in the region or not. */
  transfer(block: BlockWriter, target: number): void;
}

/** Where instructions of a block lead that are to be undone, and the place behind what they share. */
interface Undone {
  readonly leave: Label;
  readonly behind: Label;
}

/** In the scratch local `kind` on the way: EXIT.*, from these bits on the fuel to give back and the instruction's offset in the block. */
const UNDONE = { UNPAID: 4, IP: 12 } as const;

interface PendingFlags {
  readonly kind: number;
  operands: Expression[];
}

interface Computed {
  expression: Expression;
  /** Reads by later ops of the instruction. */
  uses: number;
  /** For the bits of a number: the number itself. */
  float?: Expression;
}

type LocalExpression = Extract<Expression, { kind: 'local' }>;

export class BlockWriter {
  private values = new Map<number, Computed>();
  private pending: PendingFlags | undefined;
  private held = new Set<number>();
  private insn!: IrInsn;
  /** Instructions from this one to the end of what was paid for. */
  private unpaid = 0;
  private undone: Undone | undefined;
  private readonly w: FunctionWriter;

  constructor(
    readonly block: RegionBlock,
    private readonly region: RegionContext,
  ) {
    this.w = region.w;
  }

  write(): void {
    const { insns } = this.block.ir;
    let end = segmentEnd(insns, 0);
    if (insns.some(canBeUndone)) this.undone = { behind: this.w.block(), leave: this.w.block() };
    for (const [i, insn] of insns.entries()) {
      this.insn = insn;
      if (i === end) {
        end = segmentEnd(insns, i);
        this.pay({ price: end - i, reserve: 0, checked: true }, insn.ip);
      }
      this.unpaid = end - i;
      if (insn.hook !== undefined) this.hook(insn.hook, insn.ip);
      this.writeInsn(insn);
    }
    this.leaveUndone();
    if (!endsBlock(insns)) this.region.transfer(this, this.block.ir.end);
    for (const index of this.held) this.region.temporaries.give(index);
  }

  /** Takes the fuel for going to `target`, or leaves there. */
  pay({ price, reserve, checked }: Fare, target: number): void {
    const { w, region } = this;
    w.get(region.fuel);
    w.i32(price);
    w.op(0x6b);
    if (!checked) return w.set(region.fuel);
    w.tee(region.fuel);
    w.i32(reserve);
    w.op(0x48);
    w.if();
    this.leaveAt(EXIT.INTERPRET, target, price);
    w.end();
  }

  /** Leaves with ip at `target` and `refund` instructions given back. */
  leaveAt(kind: number, target: number, refund: number): void {
    this.w.i64(target);
    this.w.set(this.region.ip);
    this.leaveThere(kind, refund);
  }

  private leaveThere(kind: number, refund: number): void {
    const { w, region } = this;
    if (refund > 0) {
      w.get(region.fuel);
      w.i32(refund);
      w.op(0x6a);
      w.set(region.fuel);
    }
    this.storeFlags();
    region.leave(kind);
  }

  /** Puts the flags that the block knows into their locals. The block goes on knowing them. */
  storeFlags(): void {
    if (this.pending === undefined) return;
    const { w } = this;
    for (const operand of this.pending.operands) push(w, wide(operand));
    for (const slot of [SLOT.CC_R, SLOT.CC_B, SLOT.CC_A]) w.set(this.register(slot).local);
    w.i32(this.pending.kind);
    w.set(this.register(SLOT.CC_KIND).local);
  }

  private register(slot: number): CachedRegister {
    const found = this.region.registers.at(slot);
    if (found === undefined) throw new Error(`slot ${slot} is in no local`);
    return found;
  }

  // ---- hooks ----

  /** In the place of an int3: goes on with the instruction when the hit passes. */
  private hook({ decider, number }: CodeHook, ip: number): void {
    const { w, region } = this;
    if (decider !== undefined) {
      for (const slot of decider.reads) {
        if (slot === SLOT.RIP) this.storeIp(ip);
        else region.registers.storeSlot(slot, region.cpu);
      }
      region.callDecider(decider, number);
      w.if();
    }
    this.ask(number, ip);
    if (decider !== undefined) w.end();
  }

  /** Whoever is asked sees the thread as between two instructions, and changes nothing of it when the hit passes. */
  private ask(number: number, ip: number): void {
    const { w, region, unpaid } = this;
    const left = (): void => {
      w.get(region.fuel);
      w.i32(unpaid);
      w.op(0x6a);
    };
    this.storeFlags();
    this.storeIp(ip);
    w.get(region.cpu);
    left();
    w.memory([0x36], STATE.FUEL);
    region.askHook(number, () => {
      left();
      w.set(region.fuel);
      w.i64(ip);
      w.set(region.ip);
    });
  }

  private storeIp(ip: number): void {
    const { w, region } = this;
    w.get(region.cpu);
    w.i64(ip);
    w.memory([0x37], SLOT.RIP);
  }

  // ---- instructions ----

  private writeInsn(insn: IrInsn): void {
    this.values = new Map();
    const ops = withShortcuts(insn.ops);
    const uses = countUses(ops);
    for (const one of ops) this.writeOp(one, uses);
    this.releaseTemporaries();
  }

  private releaseTemporaries(): void {
    const kept = new Set<number>();
    for (const operand of this.pending?.operands ?? []) localsOf(operand, kept);
    for (const index of this.held) {
      if (kept.has(index)) continue;
      this.held.delete(index);
      this.region.temporaries.give(index);
    }
  }

  private writeOp(one: ExpandedOp, uses: ReadonlyMap<number, number>): void {
    const { row } = one;
    if (one.prepared !== undefined) {
      return this.define(one.result, local('i32', this.region.prepared(one.prepared)), uses);
    }
    if (one.sub !== undefined && one.shortcut !== undefined) return this.tryShortcut(one, one.sub, one.shortcut, uses);
    if (one.sub !== undefined) return this.callSubroutine(one, one.sub, uses);
    switch (row.kind) {
      case 'const':
        return this.define(one.result, constantOf(one), uses);
      case 'pure': {
        const immediate = one.immediate instanceof Uint8Array ? [...one.immediate] : [];
        const args = one.args.map((arg) => this.use(arg));
        return this.define(one.result, apply(row.result as WasmType, [...row.code, ...immediate], ...args), uses);
      }
      case 'get':
        return this.get(one, uses);
      case 'set':
        return this.set(Number(one.immediate), row.size, one);
      case 'load':
        return this.load(one, uses);
      case 'store':
        return this.store(one);
      case 'probe':
        return this.probe(one);
      default:
        return this.control(one, uses);
    }
  }

  private use(value: Value): Expression {
    const known = this.values.get(value.id);
    if (known === undefined) throw new Error(`value ${value.id} is used outside its instruction`);
    known.uses--;
    return known.expression;
  }

  private define(result: Value | undefined, expression: Expression, uses: ReadonlyMap<number, number>): void {
    if (result === undefined) return;
    const count = uses.get(result.id) ?? 0;
    const shared = expression.kind === 'op' && count > 1;
    this.values.set(result.id, { expression: shared ? this.hold(expression) : expression, uses: count });
  }

  /** Computes an expression into a temporary now. */
  private hold(expression: Expression): Expression {
    push(this.w, expression);
    return this.popTemporary(expression.type);
  }

  private popTemporary(type: WasmType): Expression {
    const index = this.region.temporaries.take(type);
    this.held.add(index);
    this.w.set(index);
    return local(type, index);
  }

  /** A register is about to change: whoever still needs the old value gets a copy. */
  private preserve({ local: index, type }: CachedRegister): void {
    const waiting = [...this.values.values()].filter(
      ({ uses, expression }) => uses > 0 && dependsOn(expression, index),
    );
    const flags = this.pending?.operands.some((operand) => dependsOn(operand, index)) ?? false;
    if (waiting.length === 0 && !flags) return;
    const copy = this.hold(local(type, index));
    if (copy.kind !== 'local') throw new Error('a copy is a local');
    for (const value of waiting) value.expression = replaceLocal(value.expression, index, copy.local);
    if (this.pending === undefined) return;
    this.pending.operands = this.pending.operands.map((operand) => replaceLocal(operand, index, copy.local));
  }

  // ---- slots ----

  private get(one: IrOp, uses: ReadonlyMap<number, number>): void {
    const slot = Number(one.immediate);
    const { size, code } = one.row;
    const known = this.pendingPart(slot, size);
    if (known !== undefined) return this.define(one.result, known, uses);
    const register = this.region.registers.at(slot);
    if (register !== undefined) return this.define(one.result, readPart(register, slot, size), uses);
    this.w.get(this.region.cpu);
    this.w.memory(code, slot);
    this.define(one.result, this.popTemporary(one.row.result as WasmType), uses);
  }

  /** A slot of the lazy flags while the block knows what is in it. */
  private pendingPart(slot: number, size: number): Expression | undefined {
    if (this.pending === undefined) return undefined;
    if (slot === SLOT.CC_KIND) return constant('i32', this.pending.kind);
    const operand = this.pending.operands[[SLOT.CC_A, SLOT.CC_B, SLOT.CC_R].indexOf(slot as 160 | 168 | 176)];
    if (operand === undefined) return undefined;
    return size === 8 ? wide(operand) : narrow(operand);
  }

  private set(slot: number, size: number, one: IrOp): void {
    const { w, region } = this;
    const argument = one.args[0] as Value;
    const float = this.values.get(argument.id)?.float;
    const value = this.use(argument);
    const register = region.registers.at(slot);
    if (register === undefined) {
      w.get(region.cpu);
      push(w, value);
      w.memory(one.row.code, slot);
      return region.refresh(slot);
    }
    if (slot >= SLOT.CC_KIND && slot < SLOT.FLAGS_REST) {
      this.storeFlags();
      this.pending = undefined;
    }
    pushMerged(w, register, slot, size, register.type === 'v128' && float !== undefined ? float : value);
    this.preserve(register);
    w.set(register.local);
  }

  // ---- memory ----

  /** Leaves to the interpreter, this instruction undone, when the i32 on the stack is not zero. */
  private interpretIf(): void {
    const { w, region, insn, undone } = this;
    if (undone === undefined) throw new Error(`the block at ${this.block.ir.ip.toString(16)} ends before it may leave`);
    const kind = insn.hook === undefined ? EXIT.INTERPRET : EXIT.PASSED;
    w.if();
    this.storeFlags();
    w.i32(kind | (this.unpaid << UNDONE.UNPAID) | ((insn.ip - this.block.ir.ip) << UNDONE.IP));
    w.set(region.kind);
    w.br(undone.leave);
    w.end();
  }

  /**
   * Behind all instructions that may have to be undone, what they share on their way out: V8 pays for each way into the region's epilogue, by
   * all registers that may differ there.
   */
  private leaveUndone(): void {
    const { w, region, undone } = this;
    if (undone === undefined) return;
    this.undone = undefined;
    w.br(undone.behind);
    w.end();
    w.i64(this.block.ir.ip);
    w.get(region.kind);
    w.i32(UNDONE.IP);
    w.op(0x76, 0xad, 0x7c); // i32.shr_u, i64.extend_i32_u, i64.add
    w.set(region.ip);
    w.get(region.fuel);
    w.get(region.kind);
    w.i32(UNDONE.UNPAID);
    w.op(0x76);
    w.i32((1 << (UNDONE.IP - UNDONE.UNPAID)) - 1);
    w.op(0x71, 0x6a);
    w.set(region.fuel);
    w.get(region.kind);
    w.i32((1 << UNDONE.UNPAID) - 1);
    w.op(0x71);
    region.leaveWith();
    w.end();
  }

  /** Looks an access up in the TLB and leaves if it is not there; the physical address stays on the stack. */
  private locate(at: Expression, displacement: bigint, size: number, forWrite: boolean): void {
    const { w, region } = this;
    push(w, at);
    if (displacement !== 0n) {
      w.i64(displacement);
      w.op(0x7c);
    }
    w.set(region.address);
    w.get(region.tlb);
    w.get(region.address);
    w.i64(9);
    w.op(0x88, 0xa7);
    w.i32((TLB_ENTRIES - 1) << 3);
    w.op(0x71, 0x6a);
    w.memory([0x29], forWrite ? SPACE_TLB_WRITE : 0);
    w.set(region.entry);
    w.get(region.address);
    if (size > 1) {
      w.i64(size - 1);
      w.op(0x7c);
    }
    w.i64(12);
    w.op(0x88);
    w.get(region.entry);
    w.i64(20);
    w.op(0x88, 0x52);
    this.interpretIf();
    w.get(region.address);
    w.op(0xa7);
    w.get(region.entry);
    w.op(0xa7);
    w.i32(12);
    w.op(0x74, 0x6a);
  }

  private load(one: IrOp, uses: ReadonlyMap<number, number>): void {
    const { row } = one;
    this.locate(this.use(one.args[0] as Value), displacementOf(one), row.size, row.forWrite);
    this.w.memory(row.code, 0);
    this.define(one.result, this.popTemporary(row.result as WasmType), uses);
  }

  private store(one: IrOp): void {
    const { row } = one;
    const at = this.use(one.args[0] as Value);
    const value = this.use(one.args[1] as Value);
    this.locate(at, displacementOf(one), row.size, true);
    push(this.w, value);
    this.w.memory(row.code, 0);
  }

  /** An area across a page border is left to the interpreter, so that the stores behind the probe hit. */
  private probe(one: IrOp): void {
    const size = Number(BigInt.asUintN(32, one.immediate as bigint));
    this.locate(this.use(one.args[0] as Value), 0n, size, one.row.forWrite);
    this.w.op(0x1a);
  }

  // ---- control ----

  /** Calls a subroutine only where its shortcut does not hold. */
  private tryShortcut(one: IrOp, sub: Subroutine, shortcut: ShortcutValues, uses: ReadonlyMap<number, number>): void {
    const { w, region } = this;
    const [type, ...others] = sub.results as [WasmType, ...WasmType[]];
    const float = shortcut.float === undefined ? undefined : this.copy(this.use(shortcut.float));
    const value = this.copy(this.use(shortcut.result));
    const rest = others.map((other) => this.copy(constant(other === 'i64' ? 'i64' : 'i32', 0)));
    push(w, this.use(shortcut.holds));
    w.op(0x45);
    w.if();
    w.get(region.cpu);
    for (const arg of one.args) push(w, this.use(arg));
    region.call(sub);
    for (const { local: index } of rest.toReversed()) w.set(index);
    w.set(value.local);
    if (float !== undefined) {
      push(w, value);
      w.op(float.type === 'f32' ? 0xbe : 0xbf);
      w.set(float.local);
    }
    region.refresh();
    if (shortcut.faults) {
      push(w, rest[0] as LocalExpression);
      this.interpretIf();
    }
    w.end();
    for (const [i, result] of (one.results ?? []).entries()) {
      this.define(result, i === 0 ? local(type, value.local) : (rest[i - 1] as LocalExpression), uses);
    }
    const known = one.result === undefined ? undefined : this.values.get(one.result.id);
    if (known !== undefined && float !== undefined) known.float = float;
  }

  /** A temporary of its own for a value. */
  private copy(expression: Expression): LocalExpression {
    const held = this.hold(expression);
    if (held.kind !== 'local') throw new Error('a copy is a local');
    return held;
  }

  private callSubroutine(one: IrOp, sub: Subroutine, uses: ReadonlyMap<number, number>): void {
    const { w, region } = this;
    w.get(region.cpu);
    for (const arg of one.args) push(w, this.use(arg));
    region.call(sub);
    const results = one.results ?? [];
    const popped = sub.results.toReversed().map((type) => this.popTemporary(type));
    region.refresh();
    for (const [i, result] of results.entries()) {
      this.define(result, popped[results.length - 1 - i] as Expression, uses);
    }
  }

  private control(one: IrOp, uses: ReadonlyMap<number, number>): void {
    const { w, region } = this;
    if (ENDS.has(one.row.name)) this.leaveUndone();
    const args = one.args.map((arg) => this.use(arg));
    const [first = NOTHING] = args;
    const immediate = Number(one.immediate);
    switch (one.row.name) {
      case 'flags32':
      case 'flags64':
        this.pending = { kind: immediate, operands: args };
        return;
      case 'fuel':
        w.get(region.fuel);
        return this.define(one.result, this.popTemporary('i32'), uses);
      case 'burn':
        w.get(region.fuel);
        push(w, first);
        w.op(0x6b);
        return w.set(region.fuel);
      case 'fault.if':
        push(w, first);
        return this.interpretIf();
      case 'leave.if':
        return this.leaveIf(first, immediate);
      case 'branch':
        return this.branch(first, immediate);
      case 'jump':
      case 'call':
        return region.transfer(this, immediate);
      case 'jump.to':
      case 'call.to':
      case 'ret':
        return this.indirect(first);
      case 'exit':
        w.get(region.cpu);
        w.i32(immediate >>> 8);
        w.memory([0x36], STATE.EXIT_INFO);
        return this.leaveAt(immediate & 0xff, this.insn.ip, this.unpaid);
      default:
        throw new Error(`no code for ${one.row.name}`);
    }
  }

  /** The instruction is complete: the rest of what was paid for is given back. */
  private leaveIf(condition: Expression, target: number): void {
    const { w, region } = this;
    push(w, condition);
    w.if();
    if (this.unpaid > 1) {
      w.get(region.fuel);
      w.i32(this.unpaid - 1);
      w.op(0x6a);
      w.set(region.fuel);
    }
    region.transfer(this, target);
    w.end();
  }

  private branch(condition: Expression, target: number): void {
    const { w, region } = this;
    const next = this.block.ir.end;
    if (target === next) return region.transfer(this, next);
    push(w, condition);
    w.if();
    region.transfer(this, target);
    w.end();
    region.transfer(this, next);
  }

  /** What leads to a place that the region expects stays in it. */
  private indirect(target: Expression): void {
    const { w, region } = this;
    push(w, target);
    w.set(region.ip);
    for (const point of this.block.indirect) {
      w.get(region.ip);
      w.i64(point);
      w.op(0x51);
      w.if();
      region.transfer(this, point);
      w.end();
    }
    this.leaveThere(EXIT.NEXT, 0);
  }
}

const NOTHING: Expression = constant('i32', 0);

function constantOf(one: IrOp): Expression {
  return { kind: 'const', type: one.row.result as WasmType, value: one.immediate };
}

/** The displacement in a memory op's immediate: 32 bits, signed. */
function displacementOf(one: IrOp): bigint {
  return BigInt.asIntN(32, one.immediate as bigint);
}

function countUses(ops: readonly IrOp[]): Map<number, number> {
  const uses = new Map<number, number>();
  for (const one of ops) for (const { id } of one.args) uses.set(id, (uses.get(id) ?? 0) + 1);
  return uses;
}

const ENDS: ReadonlySet<string> = new Set(['jump', 'call', 'jump.to', 'call.to', 'ret', 'branch', 'exit']);

/** What may find only half way that it has to be interpreted. */
function canBeUndone({ ops }: IrInsn): boolean {
  return ops.some(({ row: { kind, name }, sub }) => {
    return (
      kind === 'load' || kind === 'store' || kind === 'probe' || name === 'fault.if' || sub?.shortcut !== undefined
    );
  });
}

function endsBlock(insns: readonly IrInsn[]): boolean {
  return ENDS.has(insns.at(-1)?.ops.at(-1)?.row.name ?? '');
}
