/**
 * The reference evaluator of agent expressions: slow and plain. Compiled forms must agree with it in every value and error.
 * All arithmetic is modulo 2^64; stack items are unsigned bigints.
 */
import type { OpName } from './opcodes.js';
import { formatPrintf } from './printf.js';
import type { AgentProgram, Instruction } from './program.js';

/** Instructions one evaluation may take: backward jumps exist. */
const MAX_STEPS = 10_000;

/** What a program can see and do: one thread, stopped or inside a hit. Addresses and values are unsigned 64-bit. */
export interface AgentMachine {
  /** Fills `into`; false when one byte is unreadable. */
  readMemory(address: bigint, into: Uint8Array): boolean;
  /** Value by remote register number, zero-extended; undefined where there is none or it is wider than 64 bits. */
  readRegister(number: number): bigint | undefined;
  /** Trace state variables; undefined or false when `number` is none. */
  readVariable(number: number): bigint | undefined;
  writeVariable(number: number, value: bigint): boolean;
  /** Output of `printf`: bytes, as latin-1. */
  print(text: string): void;
  /** Present while a tracepoint collects; without it the trace opcodes are errors. */
  readonly collector?: AgentCollector;
}

/** Where the trace opcodes put what they record. False: unreadable, or no room. */
interface AgentCollector {
  memory(address: bigint, length: number): boolean;
  variable(number: number): boolean;
}

export type Evaluation =
  /** `value`: the top of the stack, undefined when it is empty (commands leave nothing). */
  { readonly kind: 'done'; readonly value: bigint | undefined } | { readonly kind: 'error'; readonly reason: string };

interface Run {
  readonly machine: AgentMachine;
  readonly stack: bigint[];
  /** Index of the next instruction. */
  next: number;
}

/** Says why it failed; undefined: it did not. */
type Step = (run: Run, insn: Instruction) => string | undefined;

export function evaluate(program: AgentProgram, machine: AgentMachine): Evaluation {
  const run: Run = { machine, stack: [], next: 0 };
  for (let steps = 0; steps < MAX_STEPS; steps++) {
    const insn = program.code[run.next++];
    if (insn === undefined) throw new Error(`agent program without end: ${Buffer.from(program.bytes).toString('hex')}`);
    if (insn.op.name === 'end') return { kind: 'done', value: run.stack.at(-1) };
    const reason = STEPS[insn.op.name](run, insn);
    if (reason !== undefined) return { kind: 'error', reason: `${reason} at ${insn.at}` };
  }
  return { kind: 'error', reason: `more than ${MAX_STEPS} steps` };
}

/** What a breakpoint's condition list decides. */
interface ConditionResult {
  readonly stop: boolean;
  /** The stop is because a condition could not be evaluated. */
  readonly error?: string;
}

/**
 * OR over the list, as gdbserver: the first true condition stops, and so does the first that fails, because skipping silently would
 * hide the breakpoint. No conditions: stop.
 */
export function evaluateConditions(conditions: readonly AgentProgram[], machine: AgentMachine): ConditionResult {
  if (conditions.length === 0) return { stop: true };
  for (const condition of conditions) {
    const result = evaluate(condition, machine);
    if (result.kind === 'error') return { stop: true, error: result.reason };
    if (result.value === undefined) return { stop: true, error: 'condition without a value' };
    if (result.value !== 0n) return { stop: true };
  }
  return { stop: false };
}

const unsigned = (value: bigint): bigint => BigInt.asUintN(64, value);
const signed = (value: bigint): bigint => BigInt.asIntN(64, value);
const truth = (condition: boolean): bigint => (condition ? 1n : 0n);

/** parseAgentExpression has proved that the item exists. */
function pop({ stack }: Run): bigint {
  const item = stack.pop();
  if (item === undefined) throw new Error('agent stack underflow');
  return item;
}

function unary(apply: (x: bigint) => bigint): Step {
  return (run) => {
    run.stack.push(unsigned(apply(pop(run))));
    return undefined;
  };
}

function binary(apply: (x: bigint, y: bigint) => bigint): Step {
  return (run) => {
    const y = pop(run);
    run.stack.push(unsigned(apply(pop(run), y)));
    return undefined;
  };
}

function division(apply: (x: bigint, y: bigint) => bigint): Step {
  const divide = binary(apply);
  return (run, insn) => (run.stack.at(-1) === 0n ? 'division by zero' : divide(run, insn));
}

function extension(apply: (bits: number, x: bigint) => bigint): Step {
  return (run, { operand }) => {
    run.stack.push(unsigned(apply(Math.min(64, Number(operand)), pop(run))));
    return undefined;
  };
}

function constant(run: Run, { operand }: Instruction): undefined {
  run.stack.push(operand);
}

function reference(size: number): Step {
  return (run) => {
    const address = pop(run);
    const bytes = new Uint8Array(size);
    if (!run.machine.readMemory(address, bytes)) return `memory at 0x${address.toString(16)} is unreadable`;
    run.stack.push(bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n));
    return undefined;
  };
}

function register(run: Run, { operand }: Instruction): string | undefined {
  const value = run.machine.readRegister(Number(operand));
  if (value === undefined) return `register ${operand} is unavailable`;
  run.stack.push(unsigned(value));
  return undefined;
}

function getVariable(run: Run, { operand }: Instruction): string | undefined {
  const value = run.machine.readVariable(Number(operand));
  if (value === undefined) return `no trace state variable ${operand}`;
  run.stack.push(unsigned(value));
  return undefined;
}

function setVariable(run: Run, { operand }: Instruction): string | undefined {
  const value = run.stack.at(-1) ?? 0n;
  return run.machine.writeVariable(Number(operand), value) ? undefined : `no trace state variable ${operand}`;
}

function collect({ machine }: Run, address: bigint, length: bigint): string | undefined {
  if (machine.collector === undefined) return 'trace outside a tracepoint';
  if (length > 0xffffn) return `${length} bytes are too many to trace`;
  if (machine.collector.memory(address, Number(length))) return undefined;
  return `memory at 0x${address.toString(16)} cannot be traced`;
}

function trace(run: Run): string | undefined {
  const length = pop(run);
  return collect(run, pop(run), length);
}

/** `trace_quick`, `trace16`: the address stays on the stack. */
function traceTop(run: Run, { operand }: Instruction): string | undefined {
  return collect(run, run.stack.at(-1) ?? 0n, operand);
}

function traceVariable({ machine }: Run, { operand }: Instruction): string | undefined {
  if (machine.collector === undefined) return 'trace outside a tracepoint';
  return machine.collector.variable(Number(operand)) ? undefined : `variable ${operand} cannot be traced`;
}

/** `tracenz`: a string with its NUL, or the first `limit` bytes. */
function traceString(run: Run): string | undefined {
  const limit = pop(run);
  const address = pop(run);
  if (limit > 0xffffn) return `${limit} bytes are too many to trace`;
  const string = readString(run.machine, address, Number(limit));
  if (string === undefined) return `memory at 0x${address.toString(16)} is unreadable`;
  return collect(run, address, BigInt(Math.min(Number(limit), string.length + 1)));
}

/** The bytes before the NUL at `address`, at most `limit` of them; undefined when memory ends before the NUL. */
function readString(machine: AgentMachine, address: bigint, limit: number): Uint8Array | undefined {
  const bytes: number[] = [];
  const one = new Uint8Array(1);
  while (bytes.length < limit) {
    if (!machine.readMemory(unsigned(address + BigInt(bytes.length)), one)) return undefined;
    if (one[0] === 0) break;
    bytes.push(one[0] ?? 0);
  }
  return Uint8Array.from(bytes);
}

function ifGoto(run: Run, { operand }: Instruction): undefined {
  if (pop(run) !== 0n) run.next = Number(operand);
}

function jump(run: Run, { operand }: Instruction): undefined {
  run.next = Number(operand);
}

function swap(run: Run): undefined {
  const y = pop(run);
  const x = pop(run);
  run.stack.push(y, x);
}

/** a b c -> c a b, as gdbserver does. */
function rotate(run: Run): undefined {
  const c = pop(run);
  const b = pop(run);
  const a = pop(run);
  run.stack.push(c, a, b);
}

function pick(run: Run, { operand }: Instruction): undefined {
  run.stack.push(run.stack.at(-1 - Number(operand)) ?? 0n);
}

/**
 * On top lie the function and the channel, which only an agent inside the program could use, then the arguments, the first uppermost.
 */
function printf(run: Run, { operand, print }: Instruction): string | undefined {
  if (print === undefined) throw new Error('printf without a format');
  pop(run);
  pop(run);
  const args = Array.from({ length: Number(operand) }, () => pop(run));
  const text = formatPrintf(print, args, (address, limit) => readString(run.machine, address, limit));
  if (typeof text !== 'string') return text.error;
  run.machine.print(text);
  return undefined;
}

/** Shift counts are taken modulo 64, as the host's shift instruction does in gdbserver and as WebAssembly defines. */
const STEPS: Record<Exclude<OpName, 'end'>, Step> = {
  add: binary((x, y) => x + y),
  sub: binary((x, y) => x - y),
  mul: binary((x, y) => x * y),
  div_signed: division((x, y) => signed(x) / signed(y)),
  div_unsigned: division((x, y) => x / y),
  rem_signed: division((x, y) => signed(x) % signed(y)),
  rem_unsigned: division((x, y) => x % y),
  lsh: binary((x, y) => x << (y & 63n)),
  rsh_signed: binary((x, y) => signed(x) >> (y & 63n)),
  rsh_unsigned: binary((x, y) => x >> (y & 63n)),
  trace,
  trace_quick: traceTop,
  log_not: unary((x) => truth(x === 0n)),
  bit_and: binary((x, y) => x & y),
  bit_or: binary((x, y) => x | y),
  bit_xor: binary((x, y) => x ^ y),
  bit_not: unary((x) => ~x),
  equal: binary((x, y) => truth(x === y)),
  less_signed: binary((x, y) => truth(signed(x) < signed(y))),
  less_unsigned: binary((x, y) => truth(x < y)),
  ext: extension((bits, x) => BigInt.asIntN(bits, x)),
  ref8: reference(1),
  ref16: reference(2),
  ref32: reference(4),
  ref64: reference(8),
  if_goto: ifGoto,
  goto: jump,
  const8: constant,
  const16: constant,
  const32: constant,
  const64: constant,
  reg: register,
  dup: (run) => void run.stack.push(run.stack.at(-1) ?? 0n),
  pop: (run) => void pop(run),
  zero_ext: extension((bits, x) => BigInt.asUintN(bits, x)),
  swap,
  getv: getVariable,
  setv: setVariable,
  tracev: traceVariable,
  tracenz: traceString,
  trace16: traceTop,
  pick,
  rot: rotate,
  printf,
};
