/**
 * Agent bytecode -> a plain program that is known to be sound: every opcode exists, jumps land on instructions, the stack
 * neither underflows nor exceeds its limit, and has one height at each instruction whatever the way there. So the evaluator
 * checks none of this, and a code generator can give each stack place a local.
 */
import { OPERAND_SIZE, type Opcode, opcodeFor } from './opcodes.js';
import { type PrintfFormat, parsePrintfFormat } from './printf.js';

/** Stack places of gdbserver's interpreter. */
export const MAX_STACK = 100;
/** Bytes of one expression. gdb's longest are a few hundred. */
export const MAX_BYTECODE = 4096;

export interface Instruction {
  readonly op: Opcode;
  /** Byte offset in the bytecode, for messages. */
  readonly at: number;
  /** Items on the stack before it runs. */
  readonly height: number;
  /** Constant, register, variable, width or count; of a jump the INDEX of the instruction to go to; else 0. */
  readonly operand: bigint;
  /** Only of `printf`. */
  readonly print?: PrintfFormat;
}

/** Execution starts at instruction 0 and leaves through `end`: no path runs off the last instruction. */
export interface AgentProgram {
  readonly bytes: Uint8Array;
  readonly code: readonly Instruction[];
  readonly maxHeight: number;
  /** Remote register numbers that it reads. */
  readonly registers: ReadonlySet<number>;
}

/** Why bytecode is not a program. */
interface InvalidExpression {
  readonly invalid: string;
}

/** An instruction before jumps are resolved to indexes. */
interface Decoded {
  readonly op: Opcode;
  readonly at: number;
  readonly size: number;
  readonly operand: bigint;
  readonly print?: PrintfFormat;
}

export function parseAgentExpression(bytes: Uint8Array): AgentProgram | InvalidExpression {
  if (bytes.length > MAX_BYTECODE) return { invalid: `${bytes.length} bytes of bytecode exceed ${MAX_BYTECODE}` };
  return new Parser(bytes).parse();
}

/** Walks the reachable code once, instruction by instruction. Lives for one call of parseAgentExpression. */
class Parser {
  private readonly decoded = new Map<number, Decoded>();
  private readonly heights = new Map<number, number>();
  private readonly pending: number[] = [];
  private maxHeight = 0;

  constructor(private readonly bytes: Uint8Array) {}

  parse(): AgentProgram | InvalidExpression {
    const problem = this.reach(0, 0) ?? this.walk() ?? this.overlap();
    return problem === undefined ? this.program() : { invalid: problem };
  }

  private walk(): string | undefined {
    for (let at = this.pending.pop(); at !== undefined; at = this.pending.pop()) {
      const problem = this.visit(at, this.heights.get(at) ?? 0);
      if (problem !== undefined) return problem;
    }
    return undefined;
  }

  private visit(at: number, height: number): string | undefined {
    const insn = this.decode(at);
    if (typeof insn === 'string') return insn;
    this.decoded.set(at, insn);
    const { pops, pushes } = stackEffect(insn);
    const needed = insn.op.name === 'pick' ? Number(insn.operand) + 1 : pops;
    if (height < needed) return `stack underflow at ${at}`;
    return this.follow(insn, height - pops + pushes);
  }

  private follow(insn: Decoded, height: number): string | undefined {
    this.maxHeight = Math.max(this.maxHeight, height);
    if (height > MAX_STACK) return `stack overflow at ${insn.at}`;
    const { name } = insn.op;
    if (name === 'end') return undefined;
    const jump = name === 'goto' || name === 'if_goto' ? this.reach(Number(insn.operand), height) : undefined;
    if (name === 'goto' || jump !== undefined) return jump;
    return this.reach(insn.at + insn.size, height);
  }

  private reach(at: number, height: number): string | undefined {
    if (at >= this.bytes.length) return `execution leaves the bytecode at ${at}`;
    const known = this.heights.get(at);
    if (known === undefined) {
      this.heights.set(at, height);
      this.pending.push(at);
    } else if (known !== height) {
      return `stack heights ${known} and ${height} meet at ${at}`;
    }
    return undefined;
  }

  private decode(at: number): Decoded | string {
    const code = this.bytes[at] ?? 0;
    const op = opcodeFor(code);
    if (op === undefined) return `unknown opcode 0x${code.toString(16)} at ${at}`;
    if (op.operand === 'printf') return this.decodePrintf(op, at);
    const size = 1 + OPERAND_SIZE[op.operand];
    const operand = this.number(at + 1, size - 1);
    if (operand === undefined) return `operand cut off at ${at}`;
    if ((op.name === 'ext' || op.name === 'zero_ext') && operand === 0n) return `${op.name} 0 at ${at}`;
    return { op, at, size, operand };
  }

  private decodePrintf(op: Opcode, at: number): Decoded | string {
    const count = this.number(at + 1, 1);
    const length = this.number(at + 2, 2);
    const end = at + 4 + Number(length ?? 0);
    if (count === undefined || length === undefined || end > this.bytes.length) return `printf cut off at ${at}`;
    const print = parsePrintfFormat(this.bytes.subarray(at + 4, end), Number(count));
    if ('invalid' in print) return `${print.invalid} at ${at}`;
    return { op, at, size: end - at, operand: count, print };
  }

  private number(at: number, size: number): bigint | undefined {
    if (at + size > this.bytes.length) return undefined;
    let value = 0n;
    for (let i = 0; i < size; i++) value = (value << 8n) | BigInt(this.bytes[at + i] ?? 0);
    return value;
  }

  /** A jump into the middle of an instruction would make two readings of the same bytes. */
  private overlap(): string | undefined {
    let end = 0;
    for (const insn of this.inOrder()) {
      if (insn.at < end) return `a jump leads into the instruction before ${insn.at}`;
      end = insn.at + insn.size;
    }
    return undefined;
  }

  private inOrder(): Decoded[] {
    return [...this.decoded.values()].sort((a, b) => a.at - b.at);
  }

  private program(): AgentProgram {
    const inOrder = this.inOrder();
    const indexOf = new Map(inOrder.map(({ at }, index) => [at, BigInt(index)]));
    const code = inOrder.map((insn): Instruction => {
      const { op, at, print } = insn;
      const jumps = op.name === 'goto' || op.name === 'if_goto';
      const operand = jumps ? (indexOf.get(Number(insn.operand)) ?? 0n) : insn.operand;
      const base = { op, at, height: this.heights.get(at) ?? 0, operand };
      return print === undefined ? base : { ...base, print };
    });
    const registers = new Set(inOrder.filter(({ op }) => op.name === 'reg').map(({ operand }) => Number(operand)));
    return { bytes: this.bytes.slice(), code, maxHeight: this.maxHeight, registers };
  }
}

/** `printf` pops function, channel and its arguments; of the others the row says it. */
function stackEffect({ op, operand }: Decoded): { pops: number; pushes: number } {
  if (op.name === 'printf') return { pops: op.pops + Number(operand), pushes: 0 };
  return op;
}
