/**
 * What to note at a hit, in the words of perf probe and tracefs (Documentation/trace/uprobetracer.rst):
 *
 *     size=%di:u64   a register        n=$arg1        an integer argument of the function
 *     path=+0($arg2):string            memory at an address plus an offset; `string`: the bytes before the NUL there
 *     ret=$retval:s64                  of return probes
 */
import { GPR } from '../register-set.js';
import type { Hit } from '../uprobes/uprobe.js';
import { argument, returnValue, stringAt } from './probe-session.js';

type Source =
  | { readonly kind: 'register'; readonly number: number }
  | { readonly kind: 'argument'; readonly index: number }
  | { readonly kind: 'result' }
  | { readonly kind: 'memory'; readonly offset: bigint; readonly at: Source };

export interface FetchArg {
  readonly name: string;
  readonly source: Source;
  readonly type: FetchType;
}

const INTEGERS = ['u8', 'u16', 'u32', 'u64', 's8', 's16', 's32', 's64', 'x8', 'x16', 'x32', 'x64'] as const;
export type FetchType = (typeof INTEGERS)[number] | 'string';

/** undefined: unreadable. */
export type Fetched = bigint | string | undefined;

/** undefined: not understood. */
export function parseFetchArg(text: string): FetchArg | undefined {
  const [, given, body = '', suffix] = /^(?:([A-Za-z_]\w*)=)?(.+?)(?::([a-z]\w*))?$/.exec(text) ?? [];
  const source = parseSource(body);
  const type = suffix ?? 'x64';
  if (source === undefined || !isType(type)) return undefined;
  if (type === 'string' && source.kind !== 'memory') return undefined;
  return { name: given ?? body, source, type };
}

function isType(text: string): text is FetchType {
  return text === 'string' || (INTEGERS as readonly string[]).includes(text);
}

function parseSource(text: string): Source | undefined {
  if (text === '$retval') return { kind: 'result' };
  const index = /^\$arg([1-9][0-9]?)$/.exec(text)?.[1];
  if (index !== undefined) return { kind: 'argument', index: Number(index) - 1 };
  const register = /^%(\w+)$/.exec(text)?.[1];
  if (register !== undefined) return registerNamed(register);
  const [, sign, offset = '0', inner] = /^([+-])(0x[0-9a-fA-F]+|[0-9]+)\((.*)\)$/.exec(text) ?? [];
  const at = inner === undefined ? undefined : parseSource(inner);
  return at && { kind: 'memory', offset: sign === '-' ? -BigInt(offset) : BigInt(offset), at };
}

/** With and without the `r` of the 64-bit names. */
function registerNamed(name: string): Source | undefined {
  const upper = name.toUpperCase();
  for (const [known, number] of Object.entries(GPR)) {
    if (known === upper || known === `R${upper}`) return { kind: 'register', number };
  }
  return undefined;
}

export function fetchArg({ source, type }: FetchArg, hit: Hit): Fetched {
  if (type !== 'string') {
    const value = sourceValue(source, hit);
    return value === undefined ? undefined : narrowed(value, type);
  }
  const address = source.kind === 'memory' ? addressOf(source, hit) : undefined;
  return address === undefined ? undefined : stringAt(hit, address);
}

function sourceValue(source: Source, hit: Hit): bigint | undefined {
  switch (source.kind) {
    case 'register':
      return hit.get(source.number);
    case 'argument':
      return argument(hit, source.index);
    case 'result':
      return returnValue(hit);
    case 'memory': {
      const address = addressOf(source, hit);
      return address === undefined ? undefined : word(hit, address);
    }
  }
}

function addressOf({ offset, at }: Extract<Source, { kind: 'memory' }>, hit: Hit): bigint | undefined {
  const base = sourceValue(at, hit);
  return base === undefined ? undefined : BigInt.asUintN(64, base + offset);
}

/** Eight bytes, or as many as are mapped. */
function word(hit: Hit, address: bigint): bigint | undefined {
  for (const size of [8, 4, 2, 1]) {
    const bytes = hit.read(address, size);
    if (bytes !== undefined) return bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
  }
  return undefined;
}

function narrowed(value: bigint, type: Exclude<FetchType, 'string'>): bigint {
  const bits = Number(type.slice(1));
  return type.startsWith('s') ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value);
}

/** As the types want it: `x` in hexadecimal, strings in quotes. */
export function formatFetched({ type }: FetchArg, value: Fetched): string {
  if (value === undefined) return '(fault)';
  if (typeof value === 'string') return JSON.stringify(value);
  return type.startsWith('x') ? `0x${value.toString(16)}` : value.toString();
}
