/** One event of `sidestep probe -e`: `[ret:]PLACE [ARG]...`, for example `libc:malloc size=$arg1:u64` or `ret:libc:malloc at=$retval`. */
import { type FetchArg, parseFetchArg } from './fetch-arg.js';
import { type ProbePlace, parseProbeSpec } from './probe-spec.js';

export interface EventSpec {
  /** As it was written. */
  readonly text: string;
  /** Of the returns of the function at the place. */
  readonly returns: boolean;
  readonly place: ProbePlace;
  readonly args: readonly FetchArg[];
}

/** A string says what is wrong. */
export function parseEventSpec(text: string): EventSpec | string {
  const [first = '', ...words] = text.trim().split(/\s+/);
  const returns = first.startsWith('ret:');
  const place = parseProbeSpec(returns ? first.slice('ret:'.length) : first);
  if (place === undefined) return `"${first}" is no place for a probe`;
  const args: FetchArg[] = [];
  for (const word of words) {
    const arg = parseFetchArg(word);
    if (arg === undefined) return `"${word}" is nothing to fetch`;
    if (arg.source.kind === 'result' && !returns) return `${word}: only return probes (ret:...) have a result`;
    args.push(arg);
  }
  return { text, returns, place, args };
}
