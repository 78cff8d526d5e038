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
import { type Fetched, type FetchType, parseSource, parseType, type Source } from './fetch-arg.js';

export type Value = bigint | string | undefined;

/** What an expression is evaluated on. */
export interface Scope {
  field(name: string): Fetched;
  fetch(source: Source, type: FetchType | undefined): Fetched;
}

export interface Expression {
  readonly text: string;
  evaluate(scope: Scope): Value;
  /** It is nothing but this name, or this source: then it is shown as its type wants. */
  readonly bare:
    | { readonly name: string }
    | { readonly source: Source; readonly type: FetchType | undefined }
    | undefined;
  /** What it fetches by itself. */
  readonly sources: readonly Source[];
}

type Node = (scope: Scope) => Value;
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

/** By precedence, the weakest first; operators of a level bind to the left. `&&` and `||` stand apart: they need not look at the right. */
const LEVELS: readonly (readonly (readonly [string, Binary])[])[] = [
  [['|', integers((a, b) => a | b)]],
  [['^', integers((a, b) => a ^ b)]],
  [['&', integers((a, b) => a & b)]],
  [
    ['==', comparison((a, b) => a === b)],
    ['!=', comparison((a, b) => a !== b)],
    ['~', (a, b) => truth(typeof a === 'string' && typeof b === 'string' && globPattern(b).test(a))],
  ],
  [
    ['<=', comparison((a, b) => a <= b)],
    ['>=', comparison((a, b) => a >= b)],
    ['<', comparison((a, b) => a < b)],
    ['>', comparison((a, b) => a > b)],
  ],
  [
    ['<<', integers(shift)],
    ['>>', integers((a, b) => shift(a, -b))],
  ],
  [
    ['+', integers((a, b) => a + b)],
    ['-', integers((a, b) => a - b)],
  ],
  [
    ['*', integers((a, b) => a * b)],
    ['/', integers((a, b) => (b === 0n ? undefined : a / b))],
    ['%', integers((a, b) => (b === 0n ? undefined : a % b))],
  ],
];

/** `isField`: which names stand for something. A string says what is wrong. */
export function parseExpression(text: string, isField: (name: string) => boolean): Expression | string {
  const parser = new Parser(text, isField);
  try {
    const evaluate = parser.whole();
    return { text, evaluate, bare: parser.bare, sources: parser.sources };
  } catch (error) {
    if (error instanceof Complaint) return error.message;
    throw error;
  }
}

class Complaint extends Error {}

const NUMBER = /^(?:0x[0-9a-fA-F]+|[0-9]+)/;
const STRING = /^"((?:[^"\\]|\\.)*)"/;
const NAME = /^[A-Za-z_]\w*/;
const FETCH = /^(?:[%$]\w+|@[\w.$]+(?:[+-](?:0x[0-9a-fA-F]+|[0-9]+))?|@\+(?:0x[0-9a-fA-F]+|[0-9]+))/;
const DEREFERENCE = /^[+-]u?(?:0x[0-9a-fA-F]+|[0-9]+)\(/;
const TYPE = /^:([a-z]\w*(?:@\d+\/\d+)?)/;

/** Where a longer operator begins with a shorter one, the longer is meant. */
const LONGER = /^(?:\|\||&&|<<|>>|<=|>=|==|!=)/;

class Parser {
  bare: Expression['bare'];
  readonly sources: Source[] = [];
  private at = 0;
  private operands = 0;
  private operators = 0;

  constructor(
    private readonly text: string,
    private readonly isField: (name: string) => boolean,
  ) {}

  whole(): Node {
    const node = this.or();
    this.space();
    if (this.at < this.text.length) throw this.complaint('what follows is not understood');
    if (this.operators > 0 || this.operands !== 1) this.bare = undefined;
    return node;
  }

  private or(): Node {
    let left = this.and();
    while (this.take('||')) {
      const [first, second] = [left, this.and()];
      left = (scope) => truth(isTrue(first(scope)) || isTrue(second(scope)));
    }
    return left;
  }

  private and(): Node {
    let left = this.level(0);
    while (this.take('&&')) {
      const [first, second] = [left, this.level(0)];
      left = (scope) => truth(isTrue(first(scope)) && isTrue(second(scope)));
    }
    return left;
  }

  private level(number: number): Node {
    const row = LEVELS[number];
    if (row === undefined) return this.unary();
    let left = this.level(number + 1);
    for (;;) {
      const found = row.find(([operator]) => this.take(operator));
      if (found === undefined) return left;
      const [first, second, [, operate]] = [left, this.level(number + 1), found];
      left = (scope) => {
        const [a, b] = [first(scope), second(scope)];
        return a === undefined || b === undefined ? undefined : operate(a, b);
      };
    }
  }

  private unary(): Node {
    this.space();
    if (DEREFERENCE.test(this.rest)) return this.operand();
    for (const [operator, operate] of UNARY) {
      if (!this.take(operator)) continue;
      const inner = this.unary();
      return (scope) => operate(inner(scope));
    }
    return this.operand();
  }

  private operand(): Node {
    this.space();
    this.operands++;
    if (this.rest.startsWith('(')) return this.group();
    const number = this.match(NUMBER);
    if (number !== undefined) {
      const value = BigInt(number);
      return () => value;
    }
    const text = STRING.exec(this.rest);
    if (text !== null) {
      this.at += text[0].length;
      const value = (text[1] ?? '').replace(/\\(.)/g, (_, char: string) => ESCAPES[char] ?? char);
      return () => value;
    }
    const dereference = DEREFERENCE.test(this.rest) ? this.balanced() : this.match(FETCH);
    if (dereference !== undefined) return this.fetch(dereference);
    const name = this.match(NAME);
    if (name === undefined)
      throw this.complaint(this.rest === '' ? 'something is missing at the end' : 'no value begins here');
    if (name === 'str' && this.rest.startsWith('(')) return this.fetch(`+0${this.balanced()}:string`);
    if (this.isField(name)) return this.field(name);
    if (/^arg[0-9]+$/.test(name) || name === 'retval') return this.fetch(`$${name}`);
    throw new Complaint(
      `"${this.text}": nothing is called ${name}; arguments are $arg1, $arg2 ..., or names given with NAME=...`,
    );
  }

  private group(): Node {
    this.at++;
    this.operands--;
    const inner = this.or();
    if (!this.take(')')) throw this.complaint('a closing parenthesis is missing');
    return inner;
  }

  private field(name: string): Node {
    this.bare = { name };
    return (scope) => scalar(scope.field(name));
  }

  private fetch(text: string): Node {
    const known = /^(.*?)(:[a-z]\w*)?$/.exec(text) ?? [];
    const source = parseSource(known[1] ?? text);
    if (typeof source === 'string') throw new Complaint(source);
    const suffix = known[2] ?? this.match(TYPE);
    const type = suffix === undefined ? undefined : parseType(suffix.slice(1));
    if (typeof type === 'string') throw new Complaint(type);
    this.sources.push(source);
    this.bare = { source, type };
    return (scope) => scalar(scope.fetch(source, type));
  }

  /** From here to the parenthesis that closes the next one. */
  private balanced(): string {
    const from = this.at;
    let depth = 0;
    for (let i = from; i < this.text.length; i++) {
      if (this.text[i] === '(') depth++;
      if (this.text[i] === ')' && --depth === 0) {
        this.at = i + 1;
        return this.text.slice(from, this.at);
      }
    }
    throw this.complaint('a closing parenthesis is missing');
  }

  private get rest(): string {
    return this.text.slice(this.at);
  }

  private space(): void {
    while (/\s/.test(this.text[this.at] ?? '')) this.at++;
  }

  private match(pattern: RegExp): string | undefined {
    const [found] = pattern.exec(this.rest) ?? [];
    if (found !== undefined) this.at += found.length;
    return found;
  }

  private take(operator: string): boolean {
    this.space();
    const longer = LONGER.exec(this.rest)?.[0];
    if (longer !== undefined ? longer !== operator : !this.rest.startsWith(operator)) return false;
    this.at += operator.length;
    if (operator !== ')') this.operators++;
    return true;
  }

  private complaint(what: string): Complaint {
    return new Complaint(`"${this.text}": ${what}${this.rest === '' ? '' : ` (at "${this.rest}")`}`);
  }
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', 0: '\0' };

const UNARY: readonly (readonly [string, (value: Value) => Value])[] = [
  ['!', (value) => (value === undefined ? undefined : truth(!isTrue(value)))],
  ['~', (value) => (typeof value === 'bigint' ? ~value : undefined)],
  ['-', (value) => (typeof value === 'bigint' ? -value : undefined)],
  ['+', (value) => value],
];

function scalar(value: Fetched): Value {
  return typeof value === 'object' ? undefined : value;
}

/** 0, the empty string and what cannot be read are false. */
export function isTrue(value: Value): boolean {
  return value !== undefined && value !== 0n && value !== '';
}
