/** `sidestep probe`: runs a program and tells how often, and with what, it passes the places that were asked for. */
import type { ExitStatus } from '../emulator/process.js';
import type { ProbeOptions } from '../options.js';
import { type EventSpec, parseEventSpec } from '../probing/event-spec.js';
import { fetchArg, formatFetched } from '../probing/fetch-arg.js';
import { Histogram } from '../probing/histogram.js';
import { ProbeSession, type SessionProbe, SpawnError } from '../probing/probe-session.js';
import type { Hit } from '../uprobes/uprobe.js';

interface Event {
  readonly spec: EventSpec;
  readonly probe: SessionProbe;
  hits: number;
  readonly histogram: Histogram | undefined;
}

/**
 * The program's exit status, 128 + the signal that killed it; 1 when it cannot be started or an event is not understood. `tell` gets lines for stderr:
 * the program keeps its stdout.
 */
export async function probeProgram(options: ProbeOptions, tell: (line: string) => void): Promise<number> {
  const specs = options.events.map(parseEventSpec);
  const wrong = specs.find((spec) => typeof spec === 'string');
  if (wrong !== undefined) {
    tell(`sidestep: probe: ${wrong}`);
    return 1;
  }
  const session = spawn(options, tell);
  if (session === undefined) return 1;
  const events: Event[] = [];
  for (const spec of specs as EventSpec[]) {
    try {
      events.push(place(session, spec, options, tell));
    } catch (error) {
      tell(`sidestep: probe: ${spec.text}: ${error instanceof Error ? error.message : String(error)}`);
      return 1;
    }
  }
  const status = await session.run();
  if (options.json) tell(JSON.stringify({ probes: events.map(summary), status }));
  else for (const line of report(events)) tell(line);
  return shellStatus(status);
}

function shellStatus(status: ExitStatus): number {
  return status.kind === 'exited' ? status.code & 0xff : 128 + status.signal;
}

function spawn({ machine, program, args }: ProbeOptions, tell: (line: string) => void): ProbeSession | undefined {
  try {
    return ProbeSession.spawn({ argv: [program, ...args], search: true, machine });
  } catch (error) {
    if (!(error instanceof SpawnError)) throw error;
    tell(`sidestep: ${program}: ${error.message}`);
    return undefined;
  }
}

function place(session: ProbeSession, spec: EventSpec, options: ProbeOptions, tell: (line: string) => void): Event {
  const { histogramOf, print, follow } = options;
  const counted = histogramOf === undefined ? undefined : spec.args.find(({ name }) => name === histogramOf);
  const histogram = counted === undefined ? undefined : new Histogram();
  const seen = (hit: Hit): void => {
    event.hits++;
    const value = counted && fetchArg(counted, hit);
    if (typeof value === 'bigint') histogram?.add(value);
    if (print) tell(line(spec, hit));
  };
  const handlers = spec.returns
    ? { retHandler: seen }
    : {
        handler(hit: Hit) {
          seen(hit);
          return 'continue' as const;
        },
      };
  const event: Event = { spec, hits: 0, histogram, probe: session.probe(spec.place, handlers, { follow }) };
  return event;
}

/** `3000001 libc:malloc size=32` */
function line({ text, returns, args }: EventSpec, hit: Hit): string {
  const [where = ''] = text.trim().split(/\s+/);
  const fetched = args.map((arg) => `${arg.name}=${formatFetched(arg, fetchArg(arg, hit))}`);
  return [hit.thread.tid, where, ...(returns ? [`<- 0x${hit.address.toString(16)}`] : []), ...fetched].join(' ');
}

function summary({ spec, hits, histogram, probe }: Event): object {
  return {
    spec: spec.text,
    hits,
    files: [...probe.files],
    ...(probe.refusal === undefined ? {} : { refused: probe.refusal }),
    ...(histogram === undefined
      ? {}
      : { histogram: histogram.buckets.map(([from, count]) => ({ from: Number(from), count })) }),
  };
}

function* report(events: readonly Event[]): Iterable<string> {
  const width = Math.max(...events.map(({ hits }) => String(hits).length), 'hits'.length);
  yield `${'hits'.padStart(width)}  probe`;
  for (const { spec, hits, probe, histogram } of events) {
    yield `${String(hits).padStart(width)}  ${spec.text}${remark(probe)}`;
    if (histogram !== undefined) yield* histogram.lines();
  }
}

/** Why there may be no hits. */
function remark({ files, refusal, place }: SessionProbe): string {
  if (refusal !== undefined) return `  (${refusal.name}: ${refusal.reason})`;
  return files.size === 0 && place.kind !== 'address' ? '  (not found in anything that was mapped)' : '';
}
