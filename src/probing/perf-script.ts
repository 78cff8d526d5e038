/**
 * Hits as `perf script --ns` prints those of uprobes, so that what reads its output reads ours: stackcollapse-perf.pl, speedscope, the Firefox Profiler,
 * Perfetto.
 */
import { NS_PER_SECOND } from '../types.js';
import { stackLines } from './call-stack.js';
import { perfName } from './event-name.js';
import type { ProbeEvent } from './probe-event.js';

export function perfScriptText(event: ProbeEvent, withStack: boolean): string {
  const { spec, site, comm, pid, tid, time, hit } = event;
  const seconds = Math.floor(time / NS_PER_SECOND);
  const stamp = `${seconds}.${String(time % NS_PER_SECOND).padStart(9, '0')}`;
  const at = spec.returns ? `${hex(hit.address)} <- ${hex(event.calledAddress)}` : hex(hit.address);
  const line = [`${comm} ${pid}/${tid} [000] ${stamp}: ${perfName(spec, site)}: (${at})`, ...event.texts].join(' ');
  return withStack ? `${[line, ...stackLines(event.stack())].join('\n')}\n\n` : `${line}\n`;
}

function hex(address: number): string {
  return address.toString(16);
}
