/**
 * One event of `sidestep probe -e`: `[ret:][NAME=]PLACE [ARG]... [/CONDITION/]`.
 *
 *     libc:malloc size=$arg1:u64                     ret:libc:malloc at=$retval
 *     libc:write fd=%di:s32 buf=+0(%si):string       libc:malloc%return
 *     libc:malloc size=$arg1:u64 /size > 4096/       libc:malloc if $arg1 > 4096
 *
 * Also what `perf probe -D` prints (`p:probe_libc/malloc /lib/libc.so.6:0x98930 size=%di:u64`), and bpftrace's uprobe: and uretprobe:.
 */
import type { Expression } from './expression.js';
import { parseExpression } from './expression-parser.js';
import { type FetchArg, innermost, parseFetchArg, type Source } from './fetch-arg.js';
import { type ProbePlace, parseProbeSpec } from './probe-spec.js';

export interface EventSpec {
  /** As it was written. */
  readonly text: string;
  /** What it is called in lines and traces: the given name, or the place as written. */
  readonly name: string;
  /** Of the returns of the function at the place. */
  readonly returns: boolean;
  readonly place: ProbePlace;
  readonly args: readonly FetchArg[];
  /** Only hits for which this is true count. */
  readonly condition: Expression | undefined;
}

/** Names that every expression knows beside the event's arguments. `duration`: of returns alone. */
export const BUILTINS = ['comm', 'pid', 'tid', 'address', 'time', 'probe', 'duration'] as const;
export type Builtin = (typeof BUILTINS)[number];

/** A string says what is wrong. */
export function parseEventSpec(text: string): EventSpec | string {
  const { body, condition } = splitCondition(text.trim());
  if (/(^|\s)\{/.test(body)) return `${text}: actions in braces are bpftrace's; use --print, --hist or --stack`;
  const words = body.split(/\s+/);
  const where = parseWhere(words);
  if (typeof where === 'string') return where;
  if (where.returns && where.place.kind === 'usdt') return `${text}: a USDT probe is no function: it does not return`;
  const args: FetchArg[] = [];
  for (const word of where.rest) {
    const arg = parseFetchArg(word);
    const wrong = typeof arg === 'string' ? arg : misplaced(arg.source, where.returns);
    if (wrong !== undefined || typeof arg === 'string') return `${text}: ${wrong}`;
    args.push(arg);
  }
  const spec = { text, name: where.name, returns: where.returns, place: where.place, args, condition: undefined };
  if (condition === undefined) return spec;
  const parsed = parseFor(spec, condition);
  return typeof parsed === 'string' ? `${text}: ${parsed}` : { ...spec, condition: parsed };
}

/** An expression on hits of this event. A string says what is wrong. */
export function parseFor(spec: Pick<EventSpec, 'args' | 'returns'>, text: string): Expression | string {
  const parsed = parseExpression(text, (name) => isField(spec, name));
  if (typeof parsed === 'string') return parsed;
  for (const source of parsed.sources) {
    const wrong = misplaced(source, spec.returns);
    if (wrong !== undefined) return `"${text}": ${wrong}`;
  }
  return parsed;
}

function isField({ args, returns }: Pick<EventSpec, 'args' | 'returns'>, name: string): boolean {
  if (args.some((arg) => arg.name === name)) return true;
  return (BUILTINS as readonly string[]).includes(name) && (name !== 'duration' || returns);
}

/** What only some events have. */
function misplaced(source: Source, returns: boolean): string | undefined {
  const inner = innermost(source);
  if (inner.kind === 'result' && !returns) return 'only return probes (ret:...) have a result ($retval)';
  return undefined;
}

function splitCondition(text: string): { body: string; condition: string | undefined } {
  const [, body, condition] =
    /^(.*?)\s+(?:\/(.+)\/|if\s+(.+))$/s.exec(text)?.filter((part) => part !== undefined) ?? [];
  return body === undefined ? { body: text, condition: undefined } : { body, condition };
}

interface Where {
  readonly name: string;
  readonly returns: boolean;
  readonly place: ProbePlace;
  readonly rest: readonly string[];
}

const TRACEFS = /^([pr])[0-9]*(?::(\S+))?$/;
const PREFIX = /^(ret|uretprobe|ur|r|uprobe|u|p):(?=.)/;
const NAMED = /^([A-Za-z_]\w*(?::[A-Za-z_]\w*)?)=(?=.)/;

function parseWhere([first = '', ...rest]: readonly string[]): Where | string {
  const tracefs = TRACEFS.exec(first);
  const [second, ...behind] = rest;
  if (tracefs !== null && second !== undefined && /:0x[0-9a-fA-F]+/.test(second)) {
    return place({
      prefix: tracefs[1],
      name: tracefs[2],
      text: second.replace(/\(0x[0-9a-fA-F]+\)/, ''),
      rest: behind,
    });
  }
  const prefix = PREFIX.exec(first)?.[1];
  const unprefixed = prefix === undefined ? first : first.slice(prefix.length + 1);
  const name = NAMED.exec(unprefixed)?.[1];
  return place({ prefix, name, text: name === undefined ? unprefixed : unprefixed.slice(name.length + 1), rest });
}

function place({
  prefix = '',
  name,
  text,
  rest,
}: {
  prefix: string | undefined;
  name: string | undefined;
  text: string;
  rest: readonly string[];
}): Where | string {
  const isReturn = /%return$/.test(text);
  const plain = isReturn ? text.slice(0, -'%return'.length) : text;
  const found = parseProbeSpec(plain);
  if (typeof found === 'string') return found;
  const returns = isReturn || ['ret', 'uretprobe', 'ur', 'r'].includes(prefix);
  const shown = name ?? (returns ? `ret:${plain}` : plain);
  // bpftrace counts in addresses, tracefs in offsets.
  const isLinked = found.kind === 'offset' && /^u/.test(prefix) && !plain.includes('@');
  return {
    name: shown,
    returns,
    place: isLinked ? { kind: 'linked', module: found.module, address: found.offset } : found,
    rest,
  };
}
