/** What perf would call an event: GROUP:EVENT. */
import type { EventSpec } from './event-spec.js';
import type { ProbeSite } from './sites.js';

/** `probe_libc:malloc`, `probe_ls:main__return`, `sdt_shop:sold`; the given name if there is one. */
export function perfName({ name, returns, place }: EventSpec, site: ProbeSite): string {
  const given = /^(?:([A-Za-z_]\w*)[:/])?([A-Za-z_]\w*)$/.exec(name);
  const isGiven = given !== null && place.kind !== 'symbol';
  if (isGiven && given[1] !== undefined) return `${given[1]}:${given[2]}`;
  if (place.kind === 'usdt') return `sdt_${site.name}`;
  const file = site.file.slice(site.file.lastIndexOf('/') + 1).replace(/(-[0-9.]+)?\.so([0-9.]*)$/, '');
  const event = isGiven ? (given?.[2] ?? '') : identifier(site.name);
  return `probe_${identifier(file === '' ? 'address' : file)}:${event}${returns ? '__return' : ''}`;
}

function identifier(text: string): string {
  return text.replace(/\+/g, '_').replace(/\W/g, '_');
}
