/**
 * Deciders: what consumers of a probed instruction say about a hit, as one WebAssembly function that translated code calls before the instruction. It
 * looks at registers and at memory that the TLB knows, and changes nothing but counts, so a hit that it cannot decide is asked for as if it had not been
 * called. Its programs are gdb's agent expressions; agent-expression/evaluate.ts is the reference.
 */
import type { AgentProgram, Instruction } from '../../agent-expression/program.js';
import { isStraight } from '../../agent-expression/straight.js';
import { REGISTERS } from '../../register-set.js';
import { STATE } from '../cpu-state.js';
import { tlbLookup } from '../interp/memory-functions.js';
import type { Value } from '../ir/op-builder.js';
import { type Subroutine, type SubroutineBuilder, subroutine, type Variable } from '../ir/subroutine.js';
import { HOOK_COUNTS_BASE } from '../memory/layout.js';
import type { Label } from '../wasm/function-writer.js';

/** What one consumer says about a hit. */
export type HookDecision =
  /** It has nothing to do when all of these are false. */
  | { readonly kind: 'unless'; readonly conditions: readonly AgentProgram[] }
  /** It counts the hit; with a program, only where that is true. */
  | { readonly kind: 'count'; readonly when: AgentProgram | undefined };

/** Counts that a hook with these decisions has: hits that passed, then one for each count with a condition. */
export function countsOf(decisions: readonly HookDecision[]): number {
  return 1 + decisions.filter((one) => one.kind === 'count' && one.when !== undefined).length;
}

function programsOf(decision: HookDecision): readonly AgentProgram[] {
  if (decision.kind === 'unless') return decision.conditions;
  return decision.when === undefined ? [] : [decision.when];
}

/** What tells deciders apart. */
export function decisionsKey(decisions: readonly HookDecision[]): string {
  const hex = ({ bytes }: AgentProgram): string => Buffer.from(bytes).toString('hex');
  return decisions.map((one) => `${one.kind} ${programsOf(one).map(hex).join()}`).join(';');
}

/** Slots of the registers that the decisions read, or undefined where code cannot decide: then every hit is asked for. */
export function slotsRead(decisions: readonly HookDecision[]): readonly number[] | undefined {
  const slots = new Set<number>();
  for (const program of decisions.flatMap(programsOf)) {
    if (!isStraight(program)) return undefined;
    for (const number of program.registers) {
      const slot = slotOf(number);
      if (slot === undefined) return undefined;
      slots.add(slot);
    }
  }
  return [...slots];
}

/** Of a register that is nothing but 64 bits in the CPU struct. */
function slotOf(number: number): number | undefined {
  const row = REGISTERS[number];
  return row?.bits === 64 ? row.slot : undefined;
}

/** (number) -> 0, or 1 when the hit has to be asked for. */
export function deciderSubroutine(decisions: readonly HookDecision[]): Subroutine {
  return subroutine('decider', 'i>i', (b, number) => {
    const ask = b.i32(1);
    b.returnIf(b.raw('load32', b.cpu, STATE.UNFINISHED), ask);
    const counted: Value[] = [];
    for (const decision of decisions) {
      for (const program of programsOf(decision)) {
        const holds = new ExpressionWriter(b, program).truth();
        if (decision.kind === 'unless') b.returnIf(holds, ask);
        else counted.push(holds);
      }
    }
    const at = b.shl(number as Value, b.i32(3));
    const add = (place: number, amount: Value): void => {
      const offset = HOOK_COUNTS_BASE + 8 * place;
      b.rawStore('store64', at, offset, b.add(b.raw('load64', at, offset), amount));
    };
    add(0, b.i64(1));
    for (const [i, holds] of counted.entries()) add(i + 1, b.extendU(holds));
    return b.i32(0);
  });
}

const SIZES: Readonly<Record<string, number>> = { ref8: 1, ref16: 2, ref32: 4, ref64: 8 };
const LOADS = { 1: 'load8', 2: 'load16', 4: 'load32', 8: 'load64' } as const;

/** One straight program as code: each place of its stack is a variable. What the evaluator calls an error leaves the subroutine with 1. */
class ExpressionWriter {
  private readonly stack: readonly Variable[];
  private readonly labels = new Map<number, Label>();
  private readonly result: Variable;
  private height = 0;
  private done!: Label;

  constructor(
    private readonly b: SubroutineBuilder,
    private readonly program: AgentProgram,
  ) {
    this.stack = Array.from({ length: program.maxHeight }, () => b.variable(b.i64(0)));
    this.result = b.variable(b.i64(0));
  }

  /** i32: whether the program's value is not zero. */
  truth(): Value {
    const { b, program } = this;
    const jumps = program.code.filter(({ op: { name } }) => name === 'goto' || name === 'if_goto');
    const targets = [...new Set(jumps.map(({ operand }) => Number(operand)))].sort((x, y) => y - x);
    b.block((done) => {
      this.done = done;
      this.nest(targets, 0);
    });
    return b.ne(b.read(this.result), b.i64(0));
  }

  /** Opens a block for each jump target, the farthest outermost: a jump leaves the block that ends at its target. */
  private nest(targets: readonly number[], depth: number): void {
    const target = targets[depth];
    if (target === undefined) return this.range(0, targets.at(-1) ?? this.program.code.length);
    this.b.block((label) => {
      this.labels.set(target, label);
      this.nest(targets, depth + 1);
    });
    this.range(target, targets[depth - 1] ?? this.program.code.length);
  }

  private range(from: number, to: number): void {
    for (const insn of this.program.code.slice(from, to)) {
      this.height = insn.height;
      this.insn(insn);
    }
  }

  private pop(): Value {
    return this.b.read(this.stack[--this.height] as Variable);
  }

  private push(value: Value): void {
    this.b.assign(this.stack[this.height++] as Variable, value);
  }

  private failIf(condition: Value): void {
    this.b.returnIf(condition, this.b.i32(1));
  }

  private binary(apply: (x: Value, y: Value) => Value): void {
    const y = this.pop();
    const x = this.pop();
    this.push(apply(x, y));
  }

  private insn({ op: { name }, operand }: Instruction): void {
    const { b } = this;
    const flag = (value: Value): Value => b.extendU(value);
    const size = SIZES[name];
    if (size !== undefined) return this.push(this.load(this.pop(), size));
    switch (name) {
      case 'end':
        b.assign(this.result, this.pop());
        return b.leave(this.done);
      case 'const8':
      case 'const16':
      case 'const32':
      case 'const64':
        return this.push(b.i64(operand));
      case 'reg':
        return this.push(b.raw('load64', b.cpu, slotOf(Number(operand)) as number));
      case 'goto':
        return b.leave(this.labels.get(Number(operand)) as Label);
      case 'if_goto':
        return b.leaveIf(this.labels.get(Number(operand)) as Label, b.ne(this.pop(), b.i64(0)));
      case 'add':
        return this.binary((x, y) => b.add(x, y));
      case 'sub':
        return this.binary((x, y) => b.sub(x, y));
      case 'mul':
        return this.binary((x, y) => b.mul(x, y));
      case 'bit_and':
        return this.binary((x, y) => b.and(x, y));
      case 'bit_or':
        return this.binary((x, y) => b.or(x, y));
      case 'bit_xor':
        return this.binary((x, y) => b.xor(x, y));
      case 'lsh':
        return this.binary((x, y) => b.shl(x, y));
      case 'rsh_signed':
        return this.binary((x, y) => b.shrS(x, y));
      case 'rsh_unsigned':
        return this.binary((x, y) => b.shrU(x, y));
      case 'equal':
        return this.binary((x, y) => flag(b.eq(x, y)));
      case 'less_signed':
        return this.binary((x, y) => flag(b.ltS(x, y)));
      case 'less_unsigned':
        return this.binary((x, y) => flag(b.ltU(x, y)));
      case 'log_not':
        return this.push(flag(b.eqz(this.pop())));
      case 'bit_not':
        return this.push(b.not(this.pop()));
      case 'div_signed':
      case 'div_unsigned':
      case 'rem_signed':
      case 'rem_unsigned':
        return this.binary((x, y) => this.divide(name, x, y));
      case 'ext':
      case 'zero_ext':
        return this.push(this.extend(name, Number(operand), this.pop()));
      case 'dup':
        return this.push(this.pick(0));
      case 'pick':
        return this.push(this.pick(Number(operand)));
      case 'pop':
        return void this.pop();
      case 'swap':
        return this.rearrange(2, ([x, y]) => [y, x]);
      case 'rot':
        return this.rearrange(3, ([x, y, z]) => [z, x, y]);
      default:
        throw new Error(`agent instruction ${name} is not for deciders`);
    }
  }

  private pick(depth: number): Value {
    return this.b.read(this.stack[this.height - 1 - depth] as Variable);
  }

  private rearrange(count: number, order: (items: Value[]) => (Value | undefined)[]): void {
    const items = Array.from({ length: count }, () => this.pop()).reverse();
    for (const item of order(items)) this.push(item as Value);
  }

  /** The one quotient that WebAssembly cannot represent is the dividend itself. */
  private divide(name: 'div_signed' | 'div_unsigned' | 'rem_signed' | 'rem_unsigned', x: Value, y: Value): Value {
    const { b } = this;
    this.failIf(b.eqz(y));
    if (name === 'div_unsigned') return b.op('i64.div_u', x, y);
    if (name === 'rem_unsigned') return b.op('i64.rem_u', x, y);
    if (name === 'rem_signed') return b.op('i64.rem_s', x, y);
    const isMinusOne = b.eq(y, b.i64(-1));
    return b.select(isMinusOne, b.neg(x), b.op('i64.div_s', x, b.select(isMinusOne, b.i64(1), y)));
  }

  private extend(name: 'ext' | 'zero_ext', bits: number, x: Value): Value {
    const { b } = this;
    const above = b.i64(64 - Math.min(64, bits));
    const raised = b.shl(x, above);
    return name === 'ext' ? b.shrS(raised, above) : b.shrU(raised, above);
  }

  /** Through the TLB: what it does not know is asked for, and found there the next time if it may be. */
  private load(address: Value, size: number): Value {
    const { b } = this;
    const last = b.add(address, b.i64(size - 1));
    const physical = tlbLookup(b, STATE.TLB_READ, address, last);
    b.if(b.eqz(physical), () => {
      b.rawStore('store64', b.cpu, STATE.DECIDER_MISS, address);
      b.return(b.i32(1));
    });
    return b.extendU(b.raw(LOADS[size as keyof typeof LOADS], physical));
  }
}
