/**
 * Where an argument of a USDT probe is: `SIZE@OPERAND` in AT&T syntax, as gcc wrote it into the note. SIZE is in bytes, negative for signed values;
 * an `f` behind it marks a floating-point value.
 */
import { GPR } from '../register-set.js';

export interface UsdtOperand {
  /** Bytes: 1, 2, 4 or 8. */
  readonly size: number;
  readonly signed: boolean;
  readonly place: OperandPlace;
}

/** Registers by hardware number. Of `high` registers (`%ah`) the second byte counts. */
export type OperandPlace =
  | { readonly kind: 'constant'; readonly value: bigint }
  | { readonly kind: 'register'; readonly register: number; readonly high: boolean }
  | {
      readonly kind: 'memory';
      readonly displacement: bigint;
      /** Displacement by a symbol of the same file: `total(%rip)`, `table+8(%rip)`. */
      readonly symbol: string | undefined;
      readonly base: number | undefined;
      readonly index: number | undefined;
      readonly scale: bigint;
    };

/** Of each argument, in order; undefined in the place of one that is not understood (an SSE register). */
export function usdtOperands(args: string): readonly (UsdtOperand | undefined)[] {
  return splitArguments(args).map(parseArgument);
}

/** Spaces separate arguments, but may also stand inside the parentheses of an operand. */
function splitArguments(text: string): string[] {
  return text.match(/(?:\([^)]*\)|[^\s(])+/g) ?? [];
}

function parseArgument(text: string): UsdtOperand | undefined {
  const [, size = '8', float, operand = text] = /^(-?[1248])(f?)@(.+)$/.exec(text) ?? [];
  const place = float === 'f' ? undefined : parseOperand(operand);
  return place && { size: Math.abs(Number(size)), signed: size.startsWith('-'), place };
}

const REGISTER_NAMES = registerNames();

function parseOperand(text: string): OperandPlace | undefined {
  const constant = /^\$(-?(?:0x[0-9a-fA-F]+|\d+))$/.exec(text)?.[1];
  if (constant !== undefined) return { kind: 'constant', value: integer(constant) };
  const register = /^%(\w+)$/.exec(text)?.[1];
  if (register !== undefined) return REGISTER_NAMES.get(register);
  return parseMemory(text);
}

/** `DISPLACEMENT(BASE,INDEX,SCALE)`; the displacement is a sum of numbers and at most one symbol. */
function parseMemory(text: string): OperandPlace | undefined {
  const [, sum = '', inner] = /^([^()]*)(?:\(([^()]*)\))?$/.exec(text) ?? [];
  if (sum === '' && inner === undefined) return undefined;
  const [base = '', index = '', scale = ''] = (inner ?? '').split(',').map((part) => part.trim());
  const numbers = { base: numberOf(base), index: numberOf(index) };
  if (numbers.base === null || numbers.index === null) return undefined;
  let displacement = 0n;
  let symbol: string | undefined;
  for (const term of sum.match(/[+-]?[^+-]+/g) ?? []) {
    const [, sign, body = ''] = /^([+-]?)(.+)$/.exec(term) ?? [];
    if (/^\d/.test(body)) displacement += sign === '-' ? -integer(body) : integer(body);
    else if (symbol === undefined && sign !== '-') symbol = body;
    else return undefined;
  }
  // A symbol names an address; %rip then only says how the instruction reaches it.
  return {
    kind: 'memory',
    displacement,
    symbol,
    base: numbers.base,
    index: numbers.index,
    scale: BigInt(scale || '1'),
  };
}

/** null: no general register. %rip counts as none. */
function numberOf(text: string): number | undefined | null {
  if (text === '' || text === '%rip') return undefined;
  const place = REGISTER_NAMES.get(text.replace(/^%/, ''));
  return place?.kind === 'register' && !place.high ? place.register : null;
}

function integer(text: string): bigint {
  return text.startsWith('-') ? -BigInt(text.slice(1)) : BigInt(text);
}

/** Every name of the general registers, of all widths. */
function registerNames(): ReadonlyMap<string, OperandPlace> {
  const names = new Map<string, OperandPlace>();
  const add = (name: string, register: number, high = false): void => {
    names.set(name, { kind: 'register', register, high });
  };
  for (const [upper, register] of Object.entries(GPR)) {
    const name = upper.toLowerCase();
    add(name, register);
    if (/^r\d/.test(name)) for (const width of ['d', 'w', 'b']) add(`${name}${width}`, register);
    else addOldNames(add, name.slice(1), register);
  }
  return names;
}

function addOldNames(
  add: (name: string, register: number, high?: boolean) => void,
  short: string,
  register: number,
): void {
  add(`e${short}`, register);
  add(short, register);
  const letter = short.endsWith('x') ? short[0] : undefined;
  add(letter === undefined ? `${short}l` : `${letter}l`, register);
  if (letter !== undefined) add(`${letter}h`, register, true);
}
