/** The FORMAT of `--print`: text with expressions in braces, `{comm} took {size} bytes of {path}`. `{{` is a brace; \n and \t are known. */
import { type EventSpec, parseFor } from './event-spec.js';
import type { Expression } from './expression.js';
import type { ProbeEvent } from './probe-event.js';

export interface LineFormat {
  readonly expressions: readonly Expression[];
  show(event: ProbeEvent): string;
}

/** A string says what is wrong. */
export function parseFormat(spec: EventSpec, format: string): LineFormat | string {
  const pieces: (string | Expression)[] = [];
  const text = format.replace(/\\n/g, '\n').replace(/\\t/g, '\t');
  for (let at = 0; at < text.length; ) {
    const open = text.indexOf('{', at);
    if (open < 0) {
      pieces.push(text.slice(at));
      break;
    }
    pieces.push(text.slice(at, open));
    if (text[open + 1] === '{') {
      pieces.push('{');
      at = open + 2;
      continue;
    }
    const close = text.indexOf('}', open);
    if (close < 0) return `"${format}": a brace is not closed; {{ stands for a brace`;
    const expression = parseFor(spec, text.slice(open + 1, close));
    if (typeof expression === 'string') return expression;
    pieces.push(expression);
    at = close + 1;
  }
  const expressions = pieces.filter((piece) => typeof piece !== 'string');
  if (expressions.length === 0)
    return `"${format}" shows nothing of a hit: put values in braces, such as {size}; and -- before the program`;
  return {
    expressions,
    show: (event) => pieces.map((piece) => (typeof piece === 'string' ? piece : event.show(piece))).join(''),
  };
}

/** The format when none is given: thread, event, where a return goes, arguments. */
export function defaultLine(event: ProbeEvent): string {
  const { spec, tid, hit } = event;
  const returned = spec.returns ? [`<- 0x${hit.address.toString(16)}`] : [];
  return [tid, spec.name, ...returned, ...event.texts].join(' ');
}
