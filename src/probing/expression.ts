/**
 * Expressions over what a hit shows, for conditions, histograms and lines: C's operators on integers and strings.
 *
 *     size > 4096 && comm == "ls"        names of the event's own arguments, and those of BUILTINS
 *     $arg1 & 1, +8(%sp):u32             anything that can be fetched (fetch-arg.ts)
 *     path ~ "*.so"                      a string against a shell's pattern
 *
 * Integers are exact: nothing overflows. What cannot be read makes every comparison false.
 */
import { globPattern } from '../elf/symbols.js';
import type { Fetched, FetchType, Source } from './fetch-arg.js';

export type Value = bigint | string | undefined;

/** What an expression is evaluated on. */
export interface Scope {
  field(name: string): Fetched;
  fetch(source: Source, type: FetchType | undefined): Fetched;
}

/** By precedence, the weakest first; operators of a level bind to the left. `&&` and `||` stand apart: they need not look at the right. */
export const LEVELS = [
  ['|'],
  ['^'],
  ['&'],
  ['==', '!=', '~'],
  ['<=', '>=', '<', '>'],
  ['<<', '>>'],
  ['+', '-'],
  ['*', '/', '%'],
] as const;
export const UNARY = ['!', '~', '-', '+'] as const;

export type BinaryOperator = (typeof LEVELS)[number][number];
export type UnaryOperator = (typeof UNARY)[number];

/** An expression as it was read. */
export type Tree =
  | { readonly kind: 'constant'; readonly value: bigint | string }
  | { readonly kind: 'field'; readonly name: string }
  | { readonly kind: 'fetch'; readonly source: Source; readonly type: FetchType | undefined }
  | { readonly kind: 'unary'; readonly operator: UnaryOperator; readonly operand: Tree }
  | { readonly kind: 'binary'; readonly operator: BinaryOperator; readonly left: Tree; readonly right: Tree }
  | { readonly kind: 'and' | 'or'; readonly left: Tree; readonly right: Tree };

export class Expression {
  constructor(
    readonly text: string,
    readonly tree: Tree,
  ) {}

  evaluate(scope: Scope): Value {
    return evaluate(this.tree, scope);
  }

  /** It is nothing but this name, or this source: then it is shown as its type wants. */
  get bare(): Extract<Tree, { kind: 'field' | 'fetch' }> | undefined {
    return this.tree.kind === 'field' || this.tree.kind === 'fetch' ? this.tree : undefined;
  }

  /** What it fetches by itself. */
  get sources(): readonly Source[] {
    return [...leaves(this.tree)].flatMap((leaf) => (leaf.kind === 'fetch' ? [leaf.source] : []));
  }
}

/** Constants, fields and what is fetched, from left to right. */
export function* leaves(tree: Tree): Iterable<Extract<Tree, { kind: 'constant' | 'field' | 'fetch' }>> {
  switch (tree.kind) {
    case 'unary':
      return yield* leaves(tree.operand);
    case 'binary':
    case 'and':
    case 'or':
      yield* leaves(tree.left);
      return yield* leaves(tree.right);
    default:
      yield tree;
  }
}

/** 0, the empty string and what cannot be read are false. */
export function isTrue(value: Value): boolean {
  return value !== undefined && value !== 0n && value !== '';
}

function evaluate(tree: Tree, scope: Scope): Value {
  switch (tree.kind) {
    case 'constant':
      return tree.value;
    case 'field':
      return scalar(scope.field(tree.name));
    case 'fetch':
      return scalar(scope.fetch(tree.source, tree.type));
    case 'unary':
      return unary(tree.operator, evaluate(tree.operand, scope));
    case 'binary': {
      const [left, right] = [evaluate(tree.left, scope), evaluate(tree.right, scope)];
      return left === undefined || right === undefined ? undefined : BINARY[tree.operator](left, right);
    }
    case 'and':
      return truth(isTrue(evaluate(tree.left, scope)) && isTrue(evaluate(tree.right, scope)));
    case 'or':
      return truth(isTrue(evaluate(tree.left, scope)) || isTrue(evaluate(tree.right, scope)));
  }
}

function scalar(value: Fetched): Value {
  return typeof value === 'object' ? undefined : value;
}

function unary(operator: UnaryOperator, value: Value): Value {
  if (operator === '+' || value === undefined) return value;
  if (operator === '!') return truth(!isTrue(value));
  if (typeof value !== 'bigint') return undefined;
  return operator === '~' ? ~value : -value;
}

type Binary = (left: bigint | string, right: bigint | string) => Value;

const truth = (value: boolean): bigint => (value ? 1n : 0n);
const integers =
  (operate: (left: bigint, right: bigint) => bigint | undefined): Binary =>
  (left, right) =>
    typeof left === 'bigint' && typeof right === 'bigint' ? operate(left, right) : undefined;
const comparison =
  (holds: (left: bigint | string, right: bigint | string) => boolean): Binary =>
  (left, right) =>
    truth(typeof left === typeof right && holds(left, right));
const SHIFT_MAX = 4096n;
const shift = (left: bigint, by: bigint): bigint | undefined =>
  by > SHIFT_MAX || by < -SHIFT_MAX ? undefined : left << by;

const BINARY: Readonly<Record<BinaryOperator, Binary>> = {
  '|': integers((a, b) => a | b),
  '^': integers((a, b) => a ^ b),
  '&': integers((a, b) => a & b),
  '==': comparison((a, b) => a === b),
  '!=': comparison((a, b) => a !== b),
  '~': (a, b) => truth(typeof a === 'string' && typeof b === 'string' && globPattern(b).test(a)),
  '<=': comparison((a, b) => a <= b),
  '>=': comparison((a, b) => a >= b),
  '<': comparison((a, b) => a < b),
  '>': comparison((a, b) => a > b),
  '<<': integers(shift),
  '>>': integers((a, b) => shift(a, -b)),
  '+': integers((a, b) => a + b),
  '-': integers((a, b) => a - b),
  '*': integers((a, b) => a * b),
  '/': integers((a, b) => (b === 0n ? undefined : a / b)),
  '%': integers((a, b) => (b === 0n ? undefined : a % b)),
};
