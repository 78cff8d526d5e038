/**
 * What to note at a hit, in the words of perf probe and tracefs (Documentation/trace/uprobetracer.rst):
 *
 *     size=%di:u64          a register        n=$arg1        an argument of the function, from 1; of a USDT probe: its own
 *     path=+0($arg2):string memory at an address plus an offset; `string`: the bytes before the NUL there
 *     ret=$retval:s64       of return probes
 *     $stack, $stack3       the stack pointer, the fourth word from there        $comm    the thread's name
 *     @0x404010, @total:s32 memory at an address, or at a variable of the probed file; @+0x3010: at an offset of the file
 *
 * Types: u8 to u64, s8 to s64, x8 to x64, u, s, x; char, string, symbol, bit fields b4@2/32, arrays u8[4].
 */
import type { UsdtOperand } from '../elf/usdt-operand.js';
import { GPR } from '../register-set.js';
import { hex } from '../types.js';
import type { Hit } from '../uprobes/uprobe.js';
import { argumentPlace, returnValue, stringAt } from './arguments.js';

export type Source =
  | { readonly kind: 'register'; readonly number: number; readonly name: string }
  | { readonly kind: 'argument'; readonly index: number }
  | { readonly kind: 'result' }
  | { readonly kind: 'comm' }
  | { readonly kind: 'constant'; readonly value: bigint }
  | { readonly kind: 'stack'; readonly word: number }
  | { readonly kind: 'symbol'; readonly name: string; readonly offset: bigint }
  | { readonly kind: 'fileOffset'; readonly offset: number }
  | { readonly kind: 'memory'; readonly offset: bigint; readonly at: Source };

type IntegerSign = 'u' | 's' | 'x' | 'c';

export type FetchType =
  | { readonly kind: 'integer'; readonly sign: IntegerSign; readonly bits: number }
  | { readonly kind: 'string' }
  | { readonly kind: 'symbol' }
  | { readonly kind: 'bits'; readonly width: number; readonly shift: number; readonly container: number }
  | { readonly kind: 'array'; readonly of: Extract<FetchType, { kind: 'integer' }>; readonly count: number };

export interface FetchArg {
  readonly name: string;
  readonly source: Source;
  /** undefined: as the argument of a USDT probe says, otherwise x64. */
  readonly type: FetchType | undefined;
}

/** undefined: unreadable. */
export type Fetched = bigint | string | readonly bigint[] | undefined;

/** What values are taken from. */
export interface FetchContext {
  readonly hit: Hit;
  readonly comm: string;
  /** At a USDT probe. */
  readonly operands: readonly (UsdtOperand | undefined)[] | undefined;
  /** Of a return: the arguments as they were at the call. */
  readonly entryArguments: readonly bigint[] | undefined;
  /** Where a variable of the probed file, or a byte of it, is mapped. */
  symbolAddress(name: string): bigint | undefined;
  offsetAddress(offset: number): bigint | undefined;
  /** `malloc+0x10`; undefined: no function is there. */
  functionAt(address: bigint): string | undefined;
}

// ---- reading

const HELP = 'write [NAME=]%REGISTER, $argN, $retval, $stackN, $comm, @VARIABLE or +OFFSET(...), then [:TYPE]';

/** A string says what is wrong. */
export function parseFetchArg(text: string): FetchArg | string {
  const [, given, rest = ''] = /^(?:([A-Za-z_]\w*)=)?(.*)$/s.exec(text) ?? [];
  const [, body = '', suffix] = /^(.+?)(?::([a-z]\w*(?:@\d+\/\d+)?(?:\[\d+\])?))?$/.exec(rest) ?? [];
  const source = parseSource(body);
  if (typeof source === 'string') return source;
  const type = suffix === undefined ? undefined : parseType(suffix);
  if (typeof type === 'string') return type;
  if (type?.kind === 'array' && source.kind !== 'memory' && source.kind !== 'symbol')
    return `${text}: an array needs an address: +0(...)`;
  return { name: given ?? body, source, type: type ?? defaultType(source) };
}

function defaultType(source: Source): FetchType | undefined {
  return source.kind === 'comm' ? { kind: 'string' } : undefined;
}

/** A string says what is wrong. */
export function parseType(text: string): FetchType | string {
  if (text === 'string' || text === 'ustring') return { kind: 'string' };
  if (text === 'symbol') return { kind: 'symbol' };
  if (text === 'char') return { kind: 'integer', sign: 'c', bits: 8 };
  const [, sign, size = '64', count] = /^([usx])(8|16|32|64)?(?:\[(\d+)\])?$/.exec(text) ?? [];
  if (sign !== undefined) {
    const of = { kind: 'integer', sign: sign as IntegerSign, bits: Number(size) } as const;
    return count === undefined ? of : { kind: 'array', of, count: Math.min(Number(count), 64) };
  }
  const [, width, shift, container] = /^b(\d+)@(\d+)\/(8|16|32|64)$/.exec(text) ?? [];
  if (width !== undefined)
    return { kind: 'bits', width: Number(width), shift: Number(shift), container: Number(container) };
  return `"${text}" is no type: u8 to u64, s8 to s64, x8 to x64, char, string, symbol, bWIDTH@SHIFT/SIZE, u8[COUNT]`;
}

const NUMBER = '0x[0-9a-fA-F]+|[0-9]+';

/** A string says what is wrong. */
export function parseSource(text: string): Source | string {
  if (text === '$retval' || text === 'retval') return { kind: 'result' };
  if (text === '$comm') return { kind: 'comm' };
  const index = /^\$?arg([0-9]{1,2})$/.exec(text)?.[1];
  if (index === '0') return `"${text}": arguments count from 1 here: the first is $arg1`;
  if (index !== undefined) return { kind: 'argument', index: Number(index) - 1 };
  const word = /^\$stack([0-9]{0,4})$/.exec(text)?.[1];
  if (word !== undefined) return word === '' ? registerNamed('sp') : { kind: 'stack', word: Number(word) };
  const register = /^%(\w+)$/.exec(text)?.[1];
  if (register !== undefined) return registerNamed(register);
  const constant = new RegExp(`^\\\\(-?)(${NUMBER})$`).exec(text);
  if (constant !== null) return { kind: 'constant', value: signed(constant[1], constant[2]) };
  const pointer = /^(?:str|kstr)\((.+)\)$/.exec(text)?.[1];
  if (pointer !== undefined) return memory(parseSource(pointer), 0n);
  const deref = new RegExp(`^([+-])u?(${NUMBER})\\((.*)\\)$`).exec(text);
  if (deref !== null) return memory(parseSource(deref[3] ?? ''), signed(deref[1], deref[2]));
  return text.startsWith('@') ? parseVariable(text.slice(1)) : `"${text}" is nothing to fetch: ${HELP}`;
}

function memory(at: Source | string, offset: bigint): Source | string {
  return typeof at === 'string' ? at : { kind: 'memory', offset, at };
}

function parseVariable(text: string): Source | string {
  if (new RegExp(`^(${NUMBER})$`).test(text))
    return { kind: 'memory', offset: 0n, at: { kind: 'constant', value: BigInt(text) } };
  const place = new RegExp(`^\\+(${NUMBER})$`).exec(text)?.[1];
  if (place !== undefined) return { kind: 'memory', offset: 0n, at: { kind: 'fileOffset', offset: Number(place) } };
  const [, name, sign, offset = '0'] = new RegExp(`^([A-Za-z_.$][\\w.$]*)(?:([+-])(${NUMBER}))?$`).exec(text) ?? [];
  if (name === undefined) return `"@${text}" names no variable: @NAME, @NAME+OFFSET, @0xADDRESS or @+FILE-OFFSET`;
  return { kind: 'memory', offset: 0n, at: { kind: 'symbol', name, offset: signed(sign, offset) } };
}

function signed(sign: string | undefined, digits: string | undefined): bigint {
  return sign === '-' ? -BigInt(digits ?? 0) : BigInt(digits ?? 0);
}

/** With and without the `r` of the 64-bit names. */
function registerNamed(name: string): Source | string {
  const upper = name.toUpperCase();
  for (const [known, number] of Object.entries(GPR)) {
    if (known === upper || known === `R${upper}`) return { kind: 'register', number, name: known.toLowerCase() };
  }
  if (upper === 'IP' || upper === 'RIP') return `"%${name}": the address of a hit is called \`address\` in expressions`;
  return `"%${name}" is no general register: %ax, %bx, %cx, %dx, %si, %di, %bp, %sp, %r8 to %r15`;
}

/** Where the value comes from: what only some probes have. */
export function innermost(source: Source): Exclude<Source, { kind: 'memory' }> {
  return source.kind === 'memory' ? innermost(source.at) : source;
}

// ---- fetching

export function typeOf(
  { source, type }: Pick<FetchArg, 'source' | 'type'>,
  { operands }: Pick<FetchContext, 'operands'>,
): FetchType {
  if (type !== undefined) return type;
  const operand = source.kind === 'argument' ? operands?.[source.index] : undefined;
  return operand === undefined
    ? { kind: 'integer', sign: 'x', bits: 64 }
    : { kind: 'integer', sign: operand.signed ? 's' : 'u', bits: 8 * operand.size };
}

export function fetchArg(arg: Pick<FetchArg, 'source' | 'type'>, context: FetchContext): Fetched {
  const type = typeOf(arg, context);
  const { source } = arg;
  if (type.kind === 'string') return fetchString(source, context);
  if (type.kind === 'array') return fetchArray(source, type, context);
  const value = sourceValue(source, context, sizeOf(type));
  if (typeof value !== 'bigint') return value;
  switch (type.kind) {
    case 'symbol':
      return context.functionAt(value) ?? hex(value);
    case 'bits':
      return (BigInt.asUintN(type.container, value) >> BigInt(type.shift)) & ((1n << BigInt(type.width)) - 1n);
    case 'integer':
      return narrowed(value, type);
  }
}

/** In memory, bytes. */
function sizeOf(type: Exclude<FetchType, { kind: 'string' | 'array' }>): number {
  return type.kind === 'symbol' ? POINTER : (type.kind === 'bits' ? type.container : type.bits) / 8;
}

const POINTER = 8;

/** A memory operand names the string's place; anything else holds its address. */
function fetchString(source: Source, context: FetchContext): string | undefined {
  if (source.kind === 'comm') return context.comm;
  const address = source.kind === 'memory' ? addressOf(source, context) : sourceValue(source, context);
  return typeof address === 'bigint' ? stringAt(context.hit, address) : undefined;
}

function fetchArray(
  source: Source,
  { of, count }: Extract<FetchType, { kind: 'array' }>,
  context: FetchContext,
): readonly bigint[] | undefined {
  const address = source.kind === 'memory' ? addressOf(source, context) : undefined;
  const size = of.bits / 8;
  const bytes = address === undefined ? undefined : context.hit.read(address, size * count);
  if (bytes === undefined) return undefined;
  return Array.from({ length: count }, (_, i) => narrowed(littleEndian(bytes.subarray(i * size, (i + 1) * size)), of));
}

/** `size`: bytes of it that count, when it lies in memory. */
function sourceValue(source: Source, context: FetchContext, size = POINTER): bigint | string | undefined {
  const { hit } = context;
  switch (source.kind) {
    case 'register':
      return hit.get(source.number);
    case 'argument':
      return argumentOf(source.index, context, size);
    case 'result':
      return returnValue(hit);
    case 'comm':
      return context.comm;
    case 'constant':
      return source.value;
    case 'stack':
      return word(hit, hit.get(GPR.RSP) + 8n * BigInt(source.word), size);
    case 'symbol': {
      const address = context.symbolAddress(source.name);
      return address === undefined ? undefined : address + source.offset;
    }
    case 'fileOffset':
      return context.offsetAddress(source.offset);
    case 'memory': {
      const address = addressOf(source, context);
      return address === undefined ? undefined : word(hit, address, size);
    }
  }
}

function argumentOf(index: number, context: FetchContext, size: number): bigint | undefined {
  const { operands, entryArguments, hit } = context;
  if (entryArguments !== undefined) return entryArguments[index];
  if (operands === undefined) {
    const place = argumentPlace(index);
    return 'register' in place ? hit.get(place.register) : word(hit, hit.get(GPR.RSP) + place.stack, size);
  }
  const operand = operands[index];
  return operand && operandValue(operand, context);
}

function operandValue({ place, size, signed: isSigned }: UsdtOperand, context: FetchContext): bigint | undefined {
  const { hit } = context;
  const narrow = (value: bigint): bigint =>
    isSigned ? BigInt.asIntN(8 * size, value) : BigInt.asUintN(8 * size, value);
  switch (place.kind) {
    case 'constant':
      return narrow(place.value);
    case 'register':
      return narrow(hit.get(place.register) >> (place.high ? 8n : 0n));
    case 'memory': {
      const start = place.symbol === undefined ? 0n : context.symbolAddress(place.symbol);
      if (start === undefined) return undefined;
      const base = place.base === undefined ? 0n : hit.get(place.base);
      const index = place.index === undefined ? 0n : hit.get(place.index);
      const bytes = hit.read(BigInt.asUintN(64, start + base + index * place.scale + place.displacement), size);
      return bytes && narrow(littleEndian(bytes));
    }
  }
}

function addressOf({ offset, at }: Extract<Source, { kind: 'memory' }>, context: FetchContext): bigint | undefined {
  const base = sourceValue(at, context);
  return typeof base === 'bigint' ? BigInt.asUintN(64, base + offset) : undefined;
}

function word(hit: Hit, address: bigint, size: number): bigint | undefined {
  const bytes = hit.read(BigInt.asUintN(64, address), size);
  return bytes && littleEndian(bytes);
}

function littleEndian(bytes: Uint8Array): bigint {
  return bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

function narrowed(value: bigint, { sign, bits }: Extract<FetchType, { kind: 'integer' }>): bigint {
  return sign === 's' ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value);
}

/** As the types want it: `x` in hexadecimal, strings in quotes. */
export function formatFetched(type: FetchType, value: Fetched): string {
  if (value === undefined) return '(fault)';
  if (typeof value === 'string') return type.kind === 'symbol' ? value : JSON.stringify(value);
  if (typeof value !== 'bigint')
    return `{${value.map((one) => formatFetched(type.kind === 'array' ? type.of : type, one)).join(',')}}`;
  if (type.kind !== 'integer') return hex(value);
  if (type.sign === 'c') return `'${String.fromCharCode(Number(value))}'`;
  return type.sign === 'x' ? hex(value) : value.toString();
}
