/** Writes the instructions of one block as WebAssembly. */
import { SLOT } from '../../register-set.js';
import { STATE } from '../cpu-state.js';
import type { CodeHook, Decider } from '../executor.js';
import type { IrInsn, IrOp } from '../ir/ir.js';
import type { Value } from '../ir/op-builder.js';
import type { Subroutine } from '../ir/subroutine.js';
import { EXIT } from '../stop.js';
import type { FunctionWriter, WasmType } from '../wasm/function-writer.js';
import { BlockValues, type LocalExpression } from './block-values.js';
import { op as apply, constant, type Expression, local, push } from './expression.js';
import { type Fare, segmentEnd } from './fuel.js';
import { type Access, locate, type TlbLocals } from './locate.js';
import type { RegionBlock } from './regions.js';
import { pushMerged, type RegisterFile, readPart } from './register-file.js';
import { type ExpandedOp, type Prepare, type ShortcutValues, withShortcuts } from './shortcut.js';
import type { Temporaries } from './temporaries.js';
import { canBeUndone, type ExitLocals, Undone } from './undone.js';

/** What the writer of a region offers to the writers of its blocks. */
export interface RegionContext extends TlbLocals, ExitLocals {
  readonly w: FunctionWriter;
  readonly registers: RegisterFile;
  readonly temporaries: Temporaries;
  readonly cpu: number;
  /** Calls a subroutine whose arguments are on the stack. */
  call(sub: Subroutine): void;
  /** i32: what the region has prepared for shortcuts. */
  prepared(prepare: Prepare): number;
  /** Prepares again: this slot, or any that shortcuts depend on, may have been written. */
  refresh(written?: number): void;
  /** Leaves the region: EXIT.*, with the address that is in the local `ip`. */
  leave(kind: number): void;
  /** Calls the decider of hook `number`; what it says (i32) stays on the stack. */
  callDecider(decider: Decider, number: number): void;
  /** Asks about a hit of hook `number`, with all registers in the CPU struct, and leaves the region with the answer unless it passes. */
  askHook(number: number, leaving: () => void): void;
  /** Goes to a block, in the region or not. */
  transfer(block: BlockWriter, target: number): void;
}

export class BlockWriter {
  private readonly values: BlockValues;
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
    this.values = new BlockValues(region.w, region.registers, region.temporaries);
  }

  write(): void {
    const { insns } = this.block.ir;
    let end = segmentEnd(insns, 0);
    if (insns.some(canBeUndone)) this.undone = new Undone(this.block.ir.ip, this.region);
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
    this.closeUndone();
    if (!endsBlock(insns)) this.region.transfer(this, this.block.ir.end);
    this.values.endBlock();
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

  storeFlags(): void {
    this.values.storeFlags();
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
    const ops = withShortcuts(insn.ops);
    this.values.beginInsn(ops);
    for (const one of ops) this.writeOp(one);
    this.values.endInsn();
  }

  private writeOp(one: ExpandedOp): void {
    const { row } = one;
    if (one.prepared !== undefined) {
      return this.values.define(one.result, local('i32', this.region.prepared(one.prepared)));
    }
    if (one.sub !== undefined && one.shortcut !== undefined) return this.tryShortcut(one, one.sub, one.shortcut);
    if (one.sub !== undefined) return this.callSubroutine(one, one.sub);
    switch (row.kind) {
      case 'const':
        return this.values.define(one.result, constantOf(one));
      case 'pure': {
        const immediate = one.immediate instanceof Uint8Array ? [...one.immediate] : [];
        const args = one.args.map((arg) => this.values.use(arg));
        return this.values.define(one.result, apply(row.result as WasmType, [...row.code, ...immediate], ...args));
      }
      case 'get':
        return this.get(one);
      case 'set':
        return this.set(Number(one.immediate), row.size, one);
      case 'load':
        return this.load(one);
      case 'store':
        return this.store(one);
      case 'probe':
        return this.probe(one);
      default:
        return this.control(one);
    }
  }

  // ---- slots ----

  private get(one: IrOp): void {
    const slot = Number(one.immediate);
    const { size, code } = one.row;
    const known = this.values.flagsPart(slot, size);
    if (known !== undefined) return this.values.define(one.result, known);
    const register = this.region.registers.at(slot);
    if (register !== undefined) return this.values.define(one.result, readPart(register, slot, size));
    this.w.get(this.region.cpu);
    this.w.memory(code, slot);
    this.values.define(one.result, this.values.popTemporary(one.row.result as WasmType));
  }

  private set(slot: number, size: number, one: IrOp): void {
    const { w, region } = this;
    const argument = one.args[0] as Value;
    const float = this.values.floatOf(argument);
    const value = this.values.use(argument);
    const register = region.registers.at(slot);
    if (register === undefined) {
      w.get(region.cpu);
      push(w, value);
      w.memory(one.row.code, slot);
      return region.refresh(slot);
    }
    if (slot >= SLOT.CC_KIND && slot < SLOT.FLAGS_REST) {
      this.values.forgetFlags();
    }
    pushMerged(w, register, slot, size, register.type === 'v128' && float !== undefined ? float : value);
    this.values.preserve(register);
    w.set(register.local);
  }

  // ---- memory ----

  /** Leaves to the interpreter, this instruction undone, when the i32 on the stack is not zero. */
  private interpretIf(): void {
    if (this.undone === undefined)
      throw new Error(`the block at ${this.block.ir.ip.toString(16)} ends before it leaves`);
    this.w.if();
    this.storeFlags();
    this.undone.leave(this.insn, this.unpaid);
    this.w.end();
  }

  private closeUndone(): void {
    this.undone?.close();
    this.undone = undefined;
  }

  private locate(access: Access): void {
    locate(this.region, access, () => this.interpretIf());
  }

  private load(one: IrOp): void {
    const { row } = one;
    const at = this.values.use(one.args[0] as Value);
    this.locate({ at, displacement: displacementOf(one), size: row.size, forWrite: row.forWrite });
    this.w.memory(row.code, 0);
    this.values.define(one.result, this.values.popTemporary(row.result as WasmType));
  }

  private store(one: IrOp): void {
    const { row } = one;
    const at = this.values.use(one.args[0] as Value);
    const value = this.values.use(one.args[1] as Value);
    this.locate({ at, displacement: displacementOf(one), size: row.size, forWrite: true });
    push(this.w, value);
    this.w.memory(row.code, 0);
  }

  /** An area across a page border is left to the interpreter, so that the stores behind the probe hit. */
  private probe(one: IrOp): void {
    const size = Number(BigInt.asUintN(32, one.immediate as bigint));
    this.locate({ at: this.values.use(one.args[0] as Value), displacement: 0n, size, forWrite: one.row.forWrite });
    this.w.op(0x1a);
  }

  // ---- control ----

  /** Calls a subroutine only where its shortcut does not hold. */
  private tryShortcut(one: IrOp, sub: Subroutine, shortcut: ShortcutValues): void {
    const { w, region } = this;
    const [type, ...others] = sub.results as [WasmType, ...WasmType[]];
    const float = shortcut.float === undefined ? undefined : this.values.hold(this.values.use(shortcut.float));
    const value = this.values.hold(this.values.use(shortcut.result));
    const rest = others.map((other) => this.values.hold(constant(other === 'i64' ? 'i64' : 'i32', 0)));
    push(w, this.values.use(shortcut.holds));
    w.op(0x45);
    w.if();
    w.get(region.cpu);
    for (const arg of one.args) push(w, this.values.use(arg));
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
      if (i === 0) this.values.define(result, local(type, value.local), float);
      else this.values.define(result, rest[i - 1] as LocalExpression);
    }
  }

  private callSubroutine(one: IrOp, sub: Subroutine): void {
    const { w, region } = this;
    w.get(region.cpu);
    for (const arg of one.args) push(w, this.values.use(arg));
    region.call(sub);
    const results = one.results ?? [];
    const popped = sub.results.toReversed().map((type) => this.values.popTemporary(type));
    region.refresh();
    for (const [i, result] of results.entries()) {
      this.values.define(result, popped[results.length - 1 - i] as Expression);
    }
  }

  private control(one: IrOp): void {
    const { w, region } = this;
    if (ENDS.has(one.row.name)) this.closeUndone();
    const args = one.args.map((arg) => this.values.use(arg));
    const [first = NOTHING] = args;
    const immediate = Number(one.immediate);
    switch (one.row.name) {
      case 'flags32':
      case 'flags64':
        return this.values.setFlags(immediate, args);
      case 'fuel':
        w.get(region.fuel);
        return this.values.define(one.result, this.values.popTemporary('i32'));
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

const ENDS: ReadonlySet<string> = new Set(['jump', 'call', 'jump.to', 'call.to', 'ret', 'branch', 'exit']);

function endsBlock(insns: readonly IrInsn[]): boolean {
  return ENDS.has(insns.at(-1)?.ops.at(-1)?.row.name ?? '');
}
