/**
 * Generates the interpreter: one WebAssembly function that runs the code of encode.ts, made from the table of IR ops. Its cases read
 * operands from slots of the CPU struct, do the op's own WebAssembly, and store the result to a slot.
 *
 *     interpret(cpu: i32, pc: i32) -> i32 (EXIT.*)
 *
 * Blocks chain through the jump cache without leaving the function, until code is missing or a compiled region takes over (EXIT.NEXT).
 */
import { SLOT } from '../../register-set.js';
import { STATE } from '../cpu-state.js';
import { OPS, type OpRow } from '../ir/ops.js';
import type { Subroutine } from '../ir/subroutine.js';
import { JUMP_CACHE_BITS, JUMP_CACHE_ENTRIES, JUMP_CACHE_SHIFT, JUMP_ENTRY, JUMP_REGION } from '../memory/layout.js';
import { ACCESS, EXIT } from '../stop.js';
import { FunctionWriter, type Label, type WasmType } from '../wasm/function-writer.js';
import { CROSSING_BUFFER, type MemoryFunctions } from './memory-functions.js';
import { IMMEDIATE_OPCODE, OWN } from './opcodes.js';

const LOAD: Readonly<Record<WasmType, readonly number[]>> = {
  i32: [0x28],
  i64: [0x29],
  f32: [0x2a],
  f64: [0x2b],
  v128: [0xfd, 0x00],
};
const STORE: Readonly<Record<WasmType, readonly number[]>> = {
  i32: [0x36],
  i64: [0x37],
  f32: [0x38],
  f64: [0x39],
  v128: [0xfd, 0x0b],
};

/** Offsets in a record. */
const RESULT = 2;
const A = 4;
const B = 6;
const IMMEDIATE = 8;

/**
 * Looks a guest address up in the jump cache: whether it is there (i32) is left on the stack, the address of its entry in the local `entry`. A guest
 * address has two places, side by side.
 */
export function findJump(w: FunctionWriter, cpu: number, address: number, entry: number): void {
  w.get(cpu);
  w.memory(LOAD.i32, STATE.JUMP_CACHE);
  w.get(address);
  w.op(0xa7);
  w.get(address);
  w.i64(JUMP_CACHE_BITS + JUMP_CACHE_SHIFT);
  w.op(0x88, 0xa7, 0x73); // i64.shr_u, wrap, xor
  w.i32((JUMP_CACHE_ENTRIES - 1) << JUMP_CACHE_SHIFT);
  w.op(0x71);
  w.i32(4 - JUMP_CACHE_SHIFT);
  w.op(0x74, 0x6a);
  w.tee(entry);
  w.get(entry);
  w.i32(16);
  w.op(0x73);
  w.get(entry);
  w.memory(LOAD.i64, 0);
  w.get(address);
  w.op(0x51, 0x1b); // i64.eq, select
  w.tee(entry);
  w.memory(LOAD.i64, 0);
  w.get(address);
  w.op(0x51);
}

export interface InterpreterParts {
  /** Function indices in the module. */
  readonly memory: MemoryFunctions;
  /** Calls a subroutine whose arguments are on the stack. */
  callSubroutine(w: FunctionWriter, sub: Subroutine): void;
  /** Calls the decider whose slot is on the stack behind its arguments. */
  callDecider(w: FunctionWriter): void;
  /** Function index of (cpu, number) -> EXIT.*, or 0 when the hit passes: asks JavaScript. */
  readonly askHook: number;
}

class InterpreterWriter {
  readonly w = new FunctionWriter(['i32', 'i32'], ['i32']);
  private readonly cpu = 0;
  private readonly pc = 1;
  private readonly fuel = this.w.local('i32');
  private readonly physical = this.w.local('i32');
  private readonly condition = this.w.local('i32');
  /** Record of the instruction under way. */
  private readonly insnPc = this.w.local('i32');
  private readonly address = this.w.local('i64');
  private readonly results: Readonly<Record<WasmType, readonly number[]>> = {
    i32: [this.w.local('i32'), this.w.local('i32'), this.w.local('i32')],
    i64: [this.w.local('i64'), this.w.local('i64'), this.w.local('i64')],
    f32: [this.w.local('f32'), this.w.local('f32'), this.w.local('f32')],
    f64: [this.w.local('f64'), this.w.local('f64'), this.w.local('f64')],
    v128: [this.w.local('v128'), this.w.local('v128'), this.w.local('v128')],
  };
  private next!: Label;
  /** Goes on at the guest address in the local `address`. */
  private transfer!: Label;

  constructor(
    private readonly parts: InterpreterParts,
    private readonly subroutines: readonly Subroutine[],
  ) {}

  write(): FunctionWriter {
    const { w } = this;
    const cases = this.cases();
    w.get(this.cpu);
    w.memory(LOAD.i32, STATE.FUEL);
    w.set(this.fuel);
    this.next = w.loop();
    this.transfer = w.block();
    const labels = cases.map(() => w.block()).reverse();
    w.get(this.pc);
    w.memory([0x2f], 0);
    w.brTable(labels, labels[0] as Label);
    for (const write of cases) {
      w.end();
      write();
    }
    w.end();
    this.findCode();
    w.end();
    w.unreachable();
    return w;
  }

  /** The target of every transfer: ip moves there, and its interpreter code is run if the jump cache knows it. */
  private findCode(): void {
    const { w } = this;
    w.get(this.cpu);
    w.get(this.address);
    w.memory(STORE.i64, SLOT.RIP);
    findJump(w, this.cpu, this.address, this.physical);
    w.if();
    w.get(this.physical);
    w.memory(LOAD.i32, JUMP_REGION);
    w.if();
    this.leave(() => w.i32(EXIT.NEXT), false);
    w.end();
    w.get(this.physical);
    w.memory(LOAD.i32, JUMP_ENTRY);
    w.set(this.pc);
    w.br(this.next);
    w.end();
    this.leave(() => w.i32(EXIT.NO_CODE), false);
  }

  /** One piece of code for each opcode, in opcode order. Each ends in a branch or a return. */
  private cases(): (() => void)[] {
    const cases: (() => void)[] = [];
    for (const op of OPS) cases[op.number] = () => this.opCase(op);
    for (const [op, opcode] of IMMEDIATE_OPCODE) cases[opcode] = () => this.pureCase(op, true);
    cases[OWN.ENTER] = () => this.enter();
    cases[OWN.INSN] = () => this.insn();
    cases[OWN.END] = () => this.jump();
    cases[OWN.HOOK] = () => this.hook();
    for (const sub of this.subroutines) cases.push(() => this.subroutineCase(sub));
    return cases;
  }

  // ---- pieces ----

  /** Puts the address of the slot that a field of the record names on the stack. */
  private slot(field: number): void {
    const { w } = this;
    w.get(this.cpu);
    w.get(this.pc);
    w.memory([0x2f], field);
    w.op(0x6a);
  }

  private operand(field: number, type: WasmType): void {
    this.slot(field);
    this.w.memory(LOAD[type], 0);
  }

  private immediate(type: WasmType, offset = IMMEDIATE): void {
    this.w.get(this.pc);
    this.w.memory(LOAD[type], offset);
  }

  private advance(bytes = 16): void {
    const { w } = this;
    w.get(this.pc);
    w.i32(bytes);
    w.op(0x6a);
    w.set(this.pc);
    w.br(this.next);
  }

  private setState(offset: number, push: () => void): void {
    this.w.get(this.cpu);
    push();
    this.w.memory(STORE.i32, offset);
  }

  /** Ends the run. `refund`: the instruction has not retired. */
  private leave(pushKind: () => void, refund: boolean): void {
    const { w } = this;
    if (refund) this.setState(STATE.RESUME, () => w.get(this.insnPc));
    this.setState(STATE.FUEL, () => {
      w.get(this.fuel);
      if (refund) {
        w.i32(1);
        w.op(0x6a);
      }
    });
    pushKind();
    w.return();
  }

  // ---- cases ----

  private opCase(op: OpRow): void {
    switch (op.kind) {
      case 'const':
        return this.constCase(op);
      case 'pure':
        return this.pureCase(op, false);
      case 'get':
        this.slot(RESULT);
        this.slot(A);
        this.w.memory(op.code, 0);
        this.w.memory(STORE[op.result as WasmType], 0);
        return this.advance();
      case 'set':
        this.slot(RESULT);
        this.operand(A, op.params[0] as WasmType);
        this.w.memory(op.code, 0);
        return this.advance();
      case 'load':
        return this.loadCase(op);
      case 'store':
        return this.storeCase(op);
      case 'probe':
        return this.probeCase(op);
      default:
        return this.controlCase(op);
    }
  }

  private constCase(op: OpRow): void {
    const vector = op.result === 'v128';
    this.slot(RESULT);
    this.immediate(op.result as WasmType, vector ? 16 : IMMEDIATE);
    this.w.memory(STORE[op.result as WasmType], 0);
    this.advance(vector ? 32 : 16);
  }

  private pureCase(op: OpRow, immediateForm: boolean): void {
    if (op.name === 'i8x16.shuffle') return this.shuffleCase();
    const last = op.params.length - 1;
    this.slot(RESULT);
    op.params.forEach((type, i) => {
      if (immediateForm && i === last) this.immediate(type);
      else this.operand([A, B, IMMEDIATE][i] as number, type);
    });
    this.w.code.raw(op.code);
    this.w.memory(STORE[op.result as WasmType], 0);
    this.advance();
  }

  /** Indices come as data: swizzle gives 0 for an index of 16 and more, so two of them and an `or` make the shuffle. */
  private shuffleCase(): void {
    const { w } = this;
    const swizzle = [0xfd, 0x0e];
    this.slot(RESULT);
    this.operand(A, 'v128');
    this.immediate('v128', 16);
    w.op(...swizzle);
    this.operand(B, 'v128');
    this.immediate('v128', 16);
    w.v128(new Uint8Array(16).fill(16));
    w.op(0xfd, 0x71); // i8x16.sub
    w.op(...swizzle);
    w.op(0xfd, 0x50);
    w.memory(STORE.v128, 0);
    this.advance(32);
  }

  /** Puts the address of a memory op into its local. */
  private memoryAddress(): void {
    const { w } = this;
    this.operand(A, 'i64');
    w.get(this.pc);
    w.memory([0x34], IMMEDIATE); // i64.load32_s: the displacement
    w.op(0x7c);
    w.set(this.address);
  }

  /** EXIT.MISS: the memory functions have left the address; the access and the segment are added here. */
  private miss(access: number): void {
    const { w } = this;
    this.setState(STATE.EXIT_INFO, () => {
      w.i32(access);
      this.immediate('i32', IMMEDIATE + 4);
      w.i32(8);
      w.op(0x74, 0x72);
    });
    this.leave(() => w.i32(EXIT.MISS), true);
  }

  private locate(size: number, locate: number): void {
    const { w } = this;
    w.get(this.cpu);
    w.get(this.address);
    w.i32(size);
    w.call(locate);
    w.tee(this.physical);
    w.op(0x45);
  }

  private loadCase(op: OpRow): void {
    const { w } = this;
    this.memoryAddress();
    this.locate(op.size, op.forWrite ? this.parts.memory.locateUpdate : this.parts.memory.locateRead);
    w.if();
    w.get(this.cpu);
    w.get(this.address);
    w.i32(op.size);
    w.call(op.forWrite ? this.parts.memory.gatherWrite : this.parts.memory.gatherRead);
    w.tee(this.physical);
    w.op(0x45);
    w.if();
    this.miss(op.forWrite ? ACCESS.WRITE : ACCESS.READ);
    w.end();
    w.end();
    this.slot(RESULT);
    w.get(this.physical);
    w.memory(op.code, 0);
    w.memory(STORE[op.result as WasmType], 0);
    this.advance();
  }

  private storeCase(op: OpRow): void {
    const { w } = this;
    const type = op.params[1] as WasmType;
    this.memoryAddress();
    this.locate(op.size, this.parts.memory.locateWrite);
    w.if();
    // Crossing, or a miss: the value goes to the buffer first, then to both pages or to neither.
    w.get(this.cpu);
    this.operand(B, type);
    w.memory(op.code, CROSSING_BUFFER);
    w.get(this.cpu);
    w.get(this.address);
    w.i32(op.size);
    w.call(this.parts.memory.scatter);
    w.op(0x45);
    w.if();
    this.miss(ACCESS.WRITE);
    w.end();
    w.else();
    w.get(this.physical);
    this.operand(B, type);
    w.memory(op.code, 0);
    w.end();
    this.advance();
  }

  private probeCase(op: OpRow): void {
    const { w } = this;
    w.get(this.cpu);
    this.operand(A, 'i64');
    this.immediate('i32');
    w.call(op.forWrite ? this.parts.memory.probeWrite : this.parts.memory.probeRead);
    w.op(0x45);
    w.if();
    this.miss(op.forWrite ? ACCESS.WRITE : ACCESS.READ);
    w.end();
    this.advance();
  }

  private controlCase(op: OpRow): void {
    const { w } = this;
    switch (op.name) {
      case 'flags32':
      case 'flags64':
        return this.flagsCase(op);
      case 'fuel':
        this.slot(RESULT);
        w.get(this.fuel);
        w.memory(STORE.i32, 0);
        return this.advance();
      case 'burn':
        w.get(this.fuel);
        this.operand(A, 'i32');
        w.op(0x6b);
        w.set(this.fuel);
        return this.advance();
      case 'fault.if':
        this.operand(A, 'i32');
        w.if();
        this.setState(STATE.EXIT_INFO, () => this.immediate('i32'));
        this.leave(() => w.i32(EXIT.FAULT), true);
        w.end();
        return this.advance();
      case 'leave.if':
      case 'branch':
        this.operand(A, 'i32');
        w.if();
        this.jump();
        w.end();
        return this.advance();
      case 'jump':
      case 'call':
        return this.jump();
      case 'jump.to':
      case 'call.to':
        this.operand(A, 'i64');
        w.set(this.address);
        // For the code generator, which wants to know where it leads.
        w.get(this.pc);
        w.get(this.address);
        w.memory(STORE.i64, IMMEDIATE);
        return w.br(this.transfer);
      case 'ret':
        this.operand(A, 'i64');
        w.set(this.address);
        return w.br(this.transfer);
      case 'exit':
        this.setState(STATE.EXIT_INFO, () => {
          this.immediate('i32');
          w.i32(8);
          w.op(0x76);
        });
        return this.leave(() => {
          w.get(this.pc);
          w.memory([0x2d], IMMEDIATE);
        }, true);
      default:
        return w.unreachable(); // `sub` has opcodes of its own
    }
  }

  private flagsCase(op: OpRow): void {
    const { w } = this;
    const type = op.params[0] as WasmType;
    const locals = this.results[type];
    // All operands are read first: one may be a slot of the old record.
    [A, B, RESULT].forEach((field, i) => {
      this.operand(field, type);
      w.set(locals[i] as number);
    });
    this.setState(SLOT.CC_KIND, () => this.immediate('i32'));
    [SLOT.CC_A, SLOT.CC_B, SLOT.CC_R].forEach((slot, i) => {
      w.get(this.cpu);
      w.get(locals[i] as number);
      w.memory(STORE[type], slot);
    });
    this.advance();
  }

  private enter(): void {
    const { w } = this;
    w.get(this.pc);
    this.immediate('i32');
    w.i32(1);
    w.op(0x6b);
    w.tee(this.condition);
    w.memory(STORE.i32, IMMEDIATE);
    w.get(this.condition);
    w.op(0x45);
    w.if();
    this.setState(STATE.EXIT_INFO, () => w.get(this.pc));
    this.leave(() => w.i32(EXIT.HOT), false);
    w.end();
    this.advance();
  }

  private insn(): void {
    const { w } = this;
    w.get(this.cpu);
    this.immediate('i64');
    w.memory(STORE.i64, SLOT.RIP);
    w.get(this.pc);
    w.set(this.insnPc);
    w.get(this.fuel);
    w.op(0x45);
    w.if();
    this.leave(() => w.i32(EXIT.FUEL), false);
    w.end();
    w.get(this.fuel);
    w.i32(1);
    w.op(0x6b);
    w.set(this.fuel);
    this.advance();
  }

  /** The instruction's own record comes behind: an exit from there goes on without asking again. */
  private hook(): void {
    const { w } = this;
    const push = (): void => {
      w.get(this.cpu);
      w.get(this.pc);
      w.memory(LOAD.i32, A);
    };
    w.get(this.cpu);
    this.immediate('i64');
    w.memory(STORE.i64, SLOT.RIP);
    w.get(this.fuel);
    w.op(0x45);
    w.if();
    this.leave(() => w.i32(EXIT.FUEL), false);
    w.end();
    this.setState(STATE.FUEL, () => w.get(this.fuel));
    w.get(this.pc);
    w.memory([0x2f], RESULT);
    w.if();
    push();
    w.get(this.pc);
    w.memory([0x2f], RESULT);
    this.parts.callDecider(w);
    w.op(0x45);
    w.if();
    this.advance();
    w.end();
    w.end();
    push();
    w.call(this.parts.askHook);
    w.tee(this.condition);
    w.if();
    this.leave(() => w.get(this.condition), false);
    w.end();
    this.advance();
  }

  private jump(): void {
    const { w } = this;
    this.immediate('i64');
    w.set(this.address);
    w.br(this.transfer);
  }

  private subroutineCase(sub: Subroutine): void {
    const { w } = this;
    const operandField = [A, B, IMMEDIATE, IMMEDIATE + 2];
    const resultField = [RESULT, IMMEDIATE + 4, IMMEDIATE + 6];
    w.get(this.cpu);
    for (const [i, type] of sub.params.entries()) this.operand(operandField[i] as number, type);
    this.parts.callSubroutine(w, sub);
    const locals = sub.results.map((type, i) => this.results[type][i] as number);
    for (const local of locals.toReversed()) w.set(local);
    sub.results.forEach((type, i) => {
      this.slot(resultField[i] as number);
      w.get(locals[i] as number);
      w.memory(STORE[type], 0);
    });
    this.advance();
  }
}

/** Writes the interpreter's function. */
export function writeInterpreter(parts: InterpreterParts, subroutines: readonly Subroutine[]): FunctionWriter {
  return new InterpreterWriter(parts, subroutines).write();
}
