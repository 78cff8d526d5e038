/** What `sidestep probe` has counted, as a table or as one object. */
import { frameName, type StackFrame } from '../probing/call-stack.js';
import type { EventSpec } from '../probing/event-spec.js';
import type { Expression } from '../probing/expression.js';
import type { Histogram } from '../probing/histogram.js';
import type { RunEnd, SessionTrace } from '../probing/probe-session.js';
import type { SessionProbe } from '../probing/session-probe.js';
import { jsonValue } from '../probing/trace-events.js';

/** Hits by the stacks that led to them. */
export class StackCounts {
  private readonly counts = new Map<string, { readonly stack: readonly StackFrame[]; count: number }>();

  add(stack: readonly StackFrame[]): void {
    const key = stack.map(({ address }) => address).join();
    const known = this.counts.get(key);
    if (known === undefined) this.counts.set(key, { stack, count: 1 });
    else known.count++;
  }

  /** The most frequent first. */
  get sorted(): readonly { readonly stack: readonly StackFrame[]; readonly count: number }[] {
    return [...this.counts.values()].sort((a, b) => b.count - a.count);
  }
}

export interface WatchedEvent {
  readonly trace: SessionTrace;
  readonly histograms: readonly { readonly expression: Expression; readonly histogram: Histogram }[];
  readonly stacks: StackCounts | undefined;
}

export interface ProbeSummary {
  readonly program: string;
  readonly pid: number;
  readonly end: RunEnd;
  /** Virtual ns. */
  readonly time: number;
  readonly instructions: number;
  readonly events: readonly WatchedEvent[];
}

/** Stacks that the table shows of each event; the object has all. */
const STACKS_SHOWN = 10;

export function summaryObject({ program, pid, end, time, instructions, events }: ProbeSummary): object {
  return { program, pid, status: end, time, instructions, probes: events.map(eventObject) };
}

function eventObject({ trace, histograms, stacks }: WatchedEvent): object {
  const { spec, hits, probe } = trace;
  return {
    spec: spec.text,
    name: spec.name,
    hits,
    files: [...probe.files],
    sites: [...probe.sites].map((site) => ({
      file: site.file,
      offset: site.offset,
      name: site.name,
      hits: probe.hitsAt.get(site) ?? 0,
    })),
    ...(probe.refusal === undefined ? {} : { refused: probe.refusal }),
    ...(histograms.length === 0
      ? {}
      : { histogram: histogramObject(histograms[0]?.histogram), histograms: histogramObjects(histograms) }),
    ...(stacks === undefined ? {} : { stacks: stacks.sorted }),
  };
}

function histogramObjects(histograms: WatchedEvent['histograms']): object[] {
  return histograms.map(({ expression, histogram }) => {
    const { summary } = histogram;
    const facts =
      summary && Object.fromEntries(Object.entries(summary).map(([name, value]) => [name, jsonValue(value)]));
    return { of: expression.text, ...facts, buckets: histogramObject(histogram) };
  });
}

function histogramObject(histogram: Histogram | undefined): object[] {
  return (
    histogram?.buckets.map(({ from, count }) => ({ from: typeof from === 'bigint' ? Number(from) : from, count })) ?? []
  );
}

export function* summaryLines({ events }: ProbeSummary): Iterable<string> {
  const width = Math.max(...events.map(({ trace }) => String(trace.hits).length), 'hits'.length);
  yield `${'hits'.padStart(width)}  probe`;
  for (const event of events) {
    const { spec, hits, probe } = event.trace;
    yield `${String(hits).padStart(width)}  ${spec.text}${remark(probe)}`;
    yield* siteLines(probe, width);
    yield* histogramLines(event, spec);
    yield* stackCountLines(event, width);
  }
}

/** Each place by itself, when there are several. */
function* siteLines({ sites, hitsAt }: SessionProbe, width: number): Iterable<string> {
  if (sites.size < 2) return;
  const files = new Set([...sites].map(({ file }) => file));
  for (const site of [...sites].sort((a, b) => (hitsAt.get(b) ?? 0) - (hitsAt.get(a) ?? 0))) {
    yield `${' '.repeat(width)}    ${String(hitsAt.get(site) ?? 0).padStart(width)}  ${site.name}${files.size > 1 ? ` (${site.file})` : ''}`;
  }
}

function* histogramLines({ histograms, trace }: WatchedEvent, { text }: EventSpec): Iterable<string> {
  for (const { expression, histogram } of histograms) {
    if (trace.hits === 0) continue;
    const { summary } = histogram;
    const average =
      summary &&
      ` (${summary.count} values, average ${summary.sum / BigInt(summary.count)}, ${summary.least} to ${summary.most})`;
    yield '';
    yield `${expression.text} of ${text}${average ?? ''}`;
    yield* histogram.lines();
  }
}

function* stackCountLines({ stacks, trace }: WatchedEvent, width: number): Iterable<string> {
  const sorted = stacks?.sorted ?? [];
  for (const { stack, count } of sorted.slice(0, STACKS_SHOWN)) {
    yield '';
    yield `${String(count).padStart(width)}  ${trace.spec.name}`;
    for (const frame of stack) yield `${' '.repeat(width)}    ${frameName(frame)} (${frame.file ?? '[unknown]'})`;
  }
  if (sorted.length > STACKS_SHOWN) yield `... and ${sorted.length - STACKS_SHOWN} stacks more (--json shows all)`;
}

/** Why there may be no hits. */
function remark({ place, sites, refusals, missing }: SessionProbe): string {
  const [refusal] = refusals;
  if (refusal !== undefined) return `  (${refusal.error.name}: ${refusal.error.reason})`;
  if (sites.size > 0) return '';
  const [why] = missing.values();
  const absent =
    place.kind !== 'address' && place.module !== undefined ? `no file called ${place.module} was mapped` : undefined;
  return `  (${why ?? absent ?? 'not found in anything that was mapped'})`;
}
