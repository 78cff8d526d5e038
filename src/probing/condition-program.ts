/**
 * Conditions as agent expressions, which translated code decides by itself: a hit for which one is false costs nanoseconds instead of a call into JavaScript.
 *
 * Expressions are exact and agent expressions wrap at 64 bits, so a condition is translated only where the ranges of its values show that nothing is lost;
 * any other is evaluated hit by hit. What cannot be read makes a condition false, and an agent expression that fails counts as false, so memory may
 * be read wherever a failure makes the whole condition false: not below `||` and `!`.
 */
import { constant, op, tryAssemble } from '../agent-expression/assemble.js';
import type { AgentProgram } from '../agent-expression/program.js';
import { GPR, REGISTERS, SLOT } from '../register-set.js';
import { argumentPlace } from './arguments.js';
import type { EventSpec } from './event-spec.js';
import type { BinaryOperator, Tree } from './expression.js';
import { type FetchType, innermost, type Source, typeOf } from './fetch-arg.js';

/** undefined: the event has no condition, or it must be evaluated hit by hit. */
export function conditionProgram(event: EventSpec): AgentProgram | undefined {
  if (event.condition === undefined || event.returns) return undefined;
  const code = new Translator(event).integer(event.condition.tree, true);
  return code && tryAssemble(code.bytes);
}

/** Code that pushes an integer: its low 64 bits. */
interface Code {
  readonly bytes: readonly number[];
  /** The integer is in this range. */
  readonly min: bigint;
  readonly max: bigint;
  /** It reads memory, which may fail. */
  readonly fails: boolean;
}

const WORD = 64;
const BOOLEAN = { min: 0n, max: 1n };

function exactly(value: bigint): Code {
  return { bytes: constant(value), min: value, max: value, fails: false };
}

const isSigned = ({ min, max }: Pick<Code, 'min' | 'max'>): boolean => min >= -(1n << 63n) && max < 1n << 63n;
const isUnsigned = ({ min, max }: Pick<Code, 'min' | 'max'>): boolean => min >= 0n && max < 1n << 64n;
const fits = (range: Pick<Code, 'min' | 'max'>): boolean => isSigned(range) || isUnsigned(range);

class Translator {
  constructor(private readonly event: EventSpec) {}

  /**
   * undefined: it is no integer that 64 bits hold, or asks for what no agent expression knows. `conjunct`: the condition is false where this is; what
   * fails below `&&` is false and no more, so elsewhere a failure must not end it all.
   */
  integer(tree: Tree, conjunct = false): Code | undefined {
    switch (tree.kind) {
      case 'constant':
        return typeof tree.value === 'bigint' && fits({ min: tree.value, max: tree.value })
          ? exactly(tree.value)
          : undefined;
      case 'field': {
        const arg = this.event.args.find(({ name }) => name === tree.name);
        return arg && this.fetched(arg.source, arg.type);
      }
      case 'fetch':
        return this.fetched(tree.source, tree.type);
      case 'unary': {
        const operand = this.integer(tree.operand);
        if (operand === undefined || tree.operator === '+') return operand;
        if (tree.operator === '!') return operand.fails ? undefined : made(operand, BOOLEAN, op('log_not'));
        if (tree.operator === '-') return checked('-', exactly(0n), operand, op('sub'));
        return isSigned(operand) ? made(operand, { min: ~operand.max, max: ~operand.min }, op('bit_not')) : undefined;
      }
      case 'and':
      case 'or': {
        const inner = conjunct && tree.kind === 'and';
        const [left, right] = [this.integer(tree.left, inner), this.integer(tree.right, inner)];
        if (left === undefined || right === undefined) return undefined;
        const fails = left.fails || right.fails;
        if (fails && !inner) return undefined;
        const bytes = [...truth(left), ...truth(right), ...op(tree.kind === 'and' ? 'bit_and' : 'bit_or')];
        return { bytes, ...BOOLEAN, fails };
      }
      case 'binary': {
        const [left, right] = [this.integer(tree.left), this.integer(tree.right)];
        return left && right && binary(tree.operator, left, right);
      }
    }
  }

  private fetched(source: Source, type: FetchType | undefined): Code | undefined {
    // Where a USDT probe has its arguments is said by each of its places.
    if (this.event.place.kind === 'usdt' && innermost(source).kind === 'argument') return undefined;
    const wanted = typeOf({ source, type }, { operands: undefined });
    if (wanted.kind !== 'integer') return undefined;
    const { bits, sign } = wanted;
    const value = value64(source, bits);
    if (value === undefined) return undefined;
    if (sign === 's') {
      const half = 1n << BigInt(bits - 1);
      return made(value, { min: -half, max: half - 1n }, bits < WORD ? op('ext', bits) : []);
    }
    return made(value, { min: 0n, max: (1n << BigInt(bits)) - 1n }, bits < WORD ? op('zero_ext', bits) : []);
  }
}

const made = (of: Code, range: Pick<Code, 'min' | 'max'>, bytes: readonly number[]): Code => ({
  bytes: [...of.bytes, ...bytes],
  min: range.min,
  max: range.max,
  fails: of.fails,
});

const isBoolean = ({ min, max }: Code): boolean => min >= 0n && max <= 1n;
const truth = (code: Code): readonly number[] =>
  isBoolean(code) ? code.bytes : [...code.bytes, ...op('log_not'), ...op('log_not')];

// ---- what is fetched

/** Any 64 bits; of memory only the lowest `bits` count. */
function value64(source: Source, bits: number): Code | undefined {
  switch (source.kind) {
    case 'register':
      return register(source.number);
    case 'argument': {
      const place = argumentPlace(source.index);
      return 'register' in place ? register(place.register) : memory(register(GPR.RSP), place.stack, bits);
    }
    case 'constant':
      return exactly(source.value);
    case 'stack':
      return memory(register(GPR.RSP), 8n * BigInt(source.word), bits);
    case 'memory': {
      const base = value64(source.at, WORD);
      return base && memory(base, source.offset, bits);
    }
    default:
      return undefined;
  }
}

function register(hardware: number): Code {
  const row = REGISTERS.find(({ slot }) => slot === SLOT.GPR + 8 * hardware);
  if (row === undefined) throw new Error(`no general register ${hardware}`);
  return { bytes: op('reg', row.number), min: 0n, max: (1n << 64n) - 1n, fails: false };
}

const LOADS: ReadonlyMap<number, 'ref8' | 'ref16' | 'ref32' | 'ref64'> = new Map([
  [8, 'ref8'],
  [16, 'ref16'],
  [32, 'ref32'],
  [64, 'ref64'],
] as const);

function memory(base: Code, offset: bigint, bits: number): Code | undefined {
  const load = LOADS.get(bits);
  if (load === undefined) return undefined;
  const address = offset === 0n ? base.bytes : [...base.bytes, ...constant(offset), ...op('add')];
  return { bytes: [...address, ...op(load)], min: 0n, max: (1n << BigInt(bits)) - 1n, fails: true };
}

// ---- operators

function binary(operator: BinaryOperator, left: Code, right: Code): Code | undefined {
  switch (operator) {
    case '+':
    case '-':
    case '*':
      return checked(operator, left, right, op(ARITHMETIC[operator]));
    case '&':
    case '|':
    case '^':
      return bitwise(left, right, op(BITWISE[operator]));
    case '<<':
    case '>>':
      return shifted(operator, left, right);
    case '/':
    case '%':
      return divided(operator, left, right);
    case '==':
      return compared(left, right, () => [...left.bytes, ...right.bytes, ...op('equal')]);
    case '!=':
      return compared(left, right, () => [...left.bytes, ...right.bytes, ...op('equal'), ...op('log_not')]);
    case '<':
      return compared(left, right, (less) => [...left.bytes, ...right.bytes, ...less]);
    case '>':
      return compared(left, right, (less) => [...right.bytes, ...left.bytes, ...less]);
    case '<=':
      return compared(left, right, (less) => [...right.bytes, ...left.bytes, ...less, ...op('log_not')]);
    case '>=':
      return compared(left, right, (less) => [...left.bytes, ...right.bytes, ...less, ...op('log_not')]);
    case '~':
      return undefined;
  }
}

const ARITHMETIC = { '+': 'add', '-': 'sub', '*': 'mul' } as const;
const BITWISE = { '&': 'bit_and', '|': 'bit_or', '^': 'bit_xor' } as const;

/** A result that fits is exact, whatever wrapped on the way: sums and products modulo 2^64 do not care for signs. */
function checked(operator: '+' | '-' | '*', left: Code, right: Code, bytes: readonly number[]): Code | undefined {
  const apply = (a: bigint, b: bigint): bigint => (operator === '+' ? a + b : operator === '-' ? a - b : a * b);
  const corners = [left.min, left.max].flatMap((a) => [right.min, right.max].map((b) => apply(a, b)));
  const [min = 0n, , , max = 0n] = corners.sort((a, b) => (a < b ? -1 : Number(a > b)));
  return fits({ min, max }) ? joined(left, right, { min, max }, bytes) : undefined;
}

function joined(left: Code, right: Code, { min, max }: Pick<Code, 'min' | 'max'>, bytes: readonly number[]): Code {
  return { bytes: [...left.bytes, ...right.bytes, ...bytes], min, max, fails: left.fails || right.fails };
}

function bitwise(left: Code, right: Code, bytes: readonly number[]): Code | undefined {
  if (isUnsigned(left) && isUnsigned(right)) {
    const bits = (left.max | right.max).toString(2).length;
    return joined(left, right, { min: 0n, max: (1n << BigInt(bits)) - 1n }, bytes);
  }
  if (!isSigned(left) || !isSigned(right)) return undefined;
  return joined(left, right, { min: -(1n << 63n), max: (1n << 63n) - 1n }, bytes);
}

function shifted(operator: '<<' | '>>', left: Code, right: Code): Code | undefined {
  if (right.min !== right.max || right.min < 0n || right.min >= BigInt(WORD)) return undefined;
  const by = right.min;
  if (operator === '<<') {
    const range = { min: left.min << by, max: left.max << by };
    return fits(range) ? joined(left, right, range, op('lsh')) : undefined;
  }
  const bytes = op(isSigned(left) ? 'rsh_signed' : 'rsh_unsigned');
  return joined(left, right, { min: left.min >> by, max: left.max >> by }, bytes);
}

/** By a constant: what divides by 0 is not known here. */
function divided(operator: '/' | '%', left: Code, right: Code): Code | undefined {
  if (right.min !== right.max || right.min <= 0n) return undefined;
  const signed = isSigned(left) && isSigned(right);
  if (!signed && !(isUnsigned(left) && isUnsigned(right))) return undefined;
  const by = right.min;
  if (operator === '/')
    return joined(left, right, { min: left.min / by, max: left.max / by }, op(signed ? 'div_signed' : 'div_unsigned'));
  const range = { min: left.min < 0n ? 1n - by : 0n, max: by - 1n };
  return joined(left, right, range, op(signed ? 'rem_signed' : 'rem_unsigned'));
}

function compared(left: Code, right: Code, bytes: (less: readonly number[]) => readonly number[]): Code | undefined {
  const signed = isSigned(left) && isSigned(right);
  if (!signed && !(isUnsigned(left) && isUnsigned(right))) return undefined;
  return { bytes: bytes(op(signed ? 'less_signed' : 'less_unsigned')), ...BOOLEAN, fails: left.fails || right.fails };
}
