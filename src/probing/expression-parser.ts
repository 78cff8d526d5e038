/** Reads the expressions of expression.ts. */
import { Expression, LEVELS, type Tree, UNARY } from './expression.js';
import { parseSource, parseType } from './fetch-arg.js';

/** `isField`: which names stand for something. A string says what is wrong. */
export function parseExpression(text: string, isField: (name: string) => boolean): Expression | string {
  const parser = new Parser(text, isField);
  try {
    return new Expression(text, parser.whole());
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
  private at = 0;

  constructor(
    private readonly text: string,
    private readonly isField: (name: string) => boolean,
  ) {}

  whole(): Tree {
    const tree = this.or();
    this.space();
    if (this.at < this.text.length) throw this.complaint('what follows is not understood');
    return tree;
  }

  private or(): Tree {
    let left = this.and();
    while (this.take('||')) left = { kind: 'or', left, right: this.and() };
    return left;
  }

  private and(): Tree {
    let left = this.level(0);
    while (this.take('&&')) left = { kind: 'and', left, right: this.level(0) };
    return left;
  }

  private level(number: number): Tree {
    const row = LEVELS[number];
    if (row === undefined) return this.unary();
    let left = this.level(number + 1);
    for (;;) {
      const operator = row.find((one) => this.take(one));
      if (operator === undefined) return left;
      left = { kind: 'binary', operator, left, right: this.level(number + 1) };
    }
  }

  private unary(): Tree {
    this.space();
    if (DEREFERENCE.test(this.rest)) return this.operand();
    for (const operator of UNARY) if (this.take(operator)) return { kind: 'unary', operator, operand: this.unary() };
    return this.operand();
  }

  private operand(): Tree {
    this.space();
    if (this.rest.startsWith('(')) return this.group();
    const number = this.match(NUMBER);
    if (number !== undefined) return { kind: 'constant', value: BigInt(number) };
    const text = STRING.exec(this.rest);
    if (text !== null) {
      this.at += text[0].length;
      const value = (text[1] ?? '').replace(/\\(.)/g, (_, char: string) => ESCAPES[char] ?? char);
      return { kind: 'constant', value };
    }
    const dereference = DEREFERENCE.test(this.rest) ? this.balanced() : this.match(FETCH);
    if (dereference !== undefined) return this.fetch(dereference);
    const name = this.match(NAME);
    if (name === undefined)
      throw this.complaint(this.rest === '' ? 'something is missing at the end' : 'no value begins here');
    if (name === 'str' && this.rest.startsWith('(')) return this.fetch(`+0${this.balanced()}:string`);
    if (this.isField(name)) return { kind: 'field', name };
    if (/^arg[0-9]+$/.test(name) || name === 'retval') return this.fetch(`$${name}`);
    throw new Complaint(
      `"${this.text}": nothing is called ${name}; arguments are $arg1, $arg2 ..., or names given with NAME=...`,
    );
  }

  private group(): Tree {
    this.at++;
    const inner = this.or();
    if (!this.take(')')) throw this.complaint('a closing parenthesis is missing');
    return inner;
  }

  private fetch(text: string): Tree {
    const known = /^(.*?)(:[a-z]\w*)?$/.exec(text) ?? [];
    const source = parseSource(known[1] ?? text);
    if (typeof source === 'string') throw new Complaint(source);
    const suffix = known[2] ?? this.match(TYPE);
    const type = suffix === undefined ? undefined : parseType(suffix.slice(1));
    if (typeof type === 'string') throw new Complaint(type);
    return { kind: 'fetch', source, type };
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
    return true;
  }

  private complaint(what: string): Complaint {
    return new Complaint(`"${this.text}": ${what}${this.rest === '' ? '' : ` (at "${this.rest}")`}`);
  }
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', 0: '\0' };
