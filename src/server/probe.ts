/** `sidestep probe`: runs a program and tells how often, and with what, it passes the places that were asked for. */
import { isatty } from 'node:tty';
import type { ProbeOptions } from '../options.js';
import { stackLines } from '../probing/call-stack.js';
import { type EventSpec, parseEventSpec, parseFor } from '../probing/event-spec.js';
import { Expression } from '../probing/expression.js';
import { Histogram } from '../probing/histogram.js';
import { defaultLine, type LineFormat, parseFormat } from '../probing/line-format.js';
import { perfScriptText } from '../probing/perf-script.js';
import type { ProbeEvent } from '../probing/probe-event.js';
import { ProbeFailure, ProbeSession, type RunEnd, SpawnError } from '../probing/probe-session.js';
import { TraceEventWriter } from '../probing/trace-events.js';
import { StackCounts, summaryLines, summaryObject, type WatchedEvent } from './probe-report.js';
import { StatusLine } from './status-line.js';
import { TextFile } from './text-file.js';
import { writeAll } from './write-all.js';

const STDERR = 2;
/** As a shell reports a command that a signal has ended. */
const INTERRUPTED = 130;

/** What is to be done at each hit of one event. */
interface EventPlan {
  readonly spec: EventSpec;
  readonly filter: Expression | undefined;
  readonly format: LineFormat | undefined;
  readonly histograms: readonly Expression[];
}

/** Where hits go, beside the counts. */
interface Outputs {
  /** Lines for a person, and the table. */
  tell(line: string): void;
  /** Of the traces. */
  event(event: ProbeEvent): void;
  close(): void;
}

class Mistake extends Error {}

/**
 * The program's exit status, 128 + the signal that killed it; 1 when it cannot be started or an event is not understood. `tell` gets lines for stderr:
 * the program keeps its stdout.
 */
export async function probeProgram(options: ProbeOptions, tell: (line: string) => void): Promise<number> {
  try {
    return await probeWith(options, plan(options), tell);
  } catch (error) {
    if (!(error instanceof Mistake)) throw error;
    tell(`sidestep: probe: ${error.message}`);
    return 1;
  }
}

async function probeWith(
  options: ProbeOptions,
  plans: readonly EventPlan[],
  tell: (line: string) => void,
): Promise<number> {
  const session = spawn(options);
  const outputs = openOutputs(options, tell);
  try {
    const events = plans.map((one) => watch(session, one, options, outputs));
    const end = await run(session, events, options, outputs);
    const { retired: instructions, time } = session.progress;
    const summary = { program: session.program, pid: session.pid, end, time, instructions, events };
    if (options.json) outputs.tell(JSON.stringify(summaryObject(summary)));
    else for (const line of summaryLines(summary)) outputs.tell(line);
    return shellStatus(end);
  } finally {
    outputs.close();
  }
}

function shellStatus(end: RunEnd): number {
  if (end.kind === 'stopped') return INTERRUPTED;
  return end.kind === 'exited' ? end.code & 0xff : 128 + end.signal;
}

function spawn({ machine, program, args }: ProbeOptions): ProbeSession {
  try {
    return ProbeSession.spawn({ argv: [program, ...args], search: true, machine });
  } catch (error) {
    if (error instanceof SpawnError) throw new Mistake(error.message);
    throw error;
  }
}

// ---- what was asked for

function plan({ events, filter, histograms, print }: ProbeOptions): readonly EventPlan[] {
  const specs = events.map((text) => sound(parseEventSpec(text)));
  const plans = specs.map((spec) => ({
    spec,
    filter: filter === undefined ? undefined : filterOf(spec, filter),
    format: typeof print === 'string' ? sound(parseFormat(spec, print)) : undefined,
    histograms: histograms.map((text) => parseFor(spec, text)).filter((parsed) => typeof parsed !== 'string'),
  }));
  // A histogram is made of the events that have its values: at least one must.
  for (const text of histograms) {
    if (!plans.some((one) => one.histograms.some((expression) => expression.text === text))) {
      throw new Mistake(
        `--hist: ${specs.map((spec) => parseFor(spec, text)).find((parsed) => typeof parsed === 'string')}`,
      );
    }
  }
  return plans;
}

function filterOf(spec: EventSpec, filter: string): Expression {
  const parsed = parseFor(spec, filter);
  if (typeof parsed !== 'string') return parsed;
  throw new Mistake(
    `--filter concerns every event, and ${spec.text} does not fit: ${parsed}. A condition of one event: ${spec.text} /CONDITION/`,
  );
}

function sound<T extends object>(parsed: T | string): T {
  if (typeof parsed === 'string') throw new Mistake(parsed);
  return parsed;
}

// ---- where it goes

function openOutputs({ output, perfetto, perfScript, stack }: ProbeOptions, tell: (line: string) => void): Outputs {
  const files: TextFile[] = [];
  const open = (path: string): TextFile => {
    try {
      const file = new TextFile(path);
      files.push(file);
      return file;
    } catch (error) {
      throw new Mistake(`${path} cannot be written: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  const text = output === undefined ? undefined : open(output);
  const script = perfScript === undefined ? undefined : open(perfScript);
  const trace = perfetto === undefined ? undefined : open(perfetto);
  const writer = trace && new TraceEventWriter((piece) => trace.write(piece), stack);
  return {
    tell: text === undefined ? tell : (line) => text.write(`${line}\n`),
    event(event) {
      script?.write(perfScriptText(event, stack));
      writer?.event(event);
    },
    close() {
      writer?.close();
      for (const file of files) file.close();
    },
  };
}

// ---- hits

function watch(
  session: ProbeSession,
  { spec, filter, format, histograms }: EventPlan,
  options: ProbeOptions,
  outputs: Outputs,
): WatchedEvent {
  const { print, stack, follow, perfetto, perfScript } = options;
  const counted = histograms.map((expression) => ({ expression, histogram: new Histogram() }));
  const stacks = stack && print === false ? new StackCounts() : undefined;
  const isTraced = perfetto !== undefined || perfScript !== undefined;
  const full: EventSpec = filter === undefined ? spec : { ...spec, condition: both(spec.condition, filter) };
  const see = (event: ProbeEvent): void => {
    for (const { expression, histogram } of counted) {
      const value = event.evaluate(expression);
      if (value !== undefined) histogram.add(value);
    }
    stacks?.add(event.stack());
    if (print !== false) {
      outputs.tell(format === undefined ? defaultLine(event) : format.show(event));
      if (stack) for (const line of stackLines(event.stack())) outputs.tell(line);
    }
    if (isTraced) outputs.event(event);
  };
  try {
    const onlyCounts = counted.length === 0 && print === false && !stack && !isTraced;
    if (onlyCounts) return { trace: session.count(full, { follow }), histograms: counted, stacks };
    const expressions = [...histograms, ...(format?.expressions ?? [])];
    return { trace: session.trace(full, see, { follow, expressions }), histograms: counted, stacks };
  } catch (error) {
    if (error instanceof ProbeFailure) throw new Mistake(`${spec.text}: ${error.error.reason} (${error.error.name})`);
    throw error;
  }
}

function both(first: Expression | undefined, second: Expression): Expression {
  if (first === undefined) return second;
  return new Expression(`(${first.text}) && (${second.text})`, { kind: 'and', left: first.tree, right: second.tree });
}

// ---- the run

async function run(
  session: ProbeSession,
  events: readonly WatchedEvent[],
  options: ProbeOptions,
  outputs: Outputs,
): Promise<RunEnd> {
  const terminal = { isTerminal: options.progress && isatty(STDERR), write: (text: string) => writeAll(STDERR, text) };
  const status = new StatusLine(terminal, (seconds) => {
    const hits = events.map(({ trace }) => `${trace.hits} ${trace.spec.name}`).join(', ');
    return `${seconds} s, ${millions(session.progress.retired)} instructions: ${hits}`;
  });
  const { tell } = outputs;
  outputs.tell = (line) => {
    status.clear();
    tell(line);
  };
  status.start();
  const stopForwarding = session.forwardSignals();
  try {
    return await session.run();
  } finally {
    stopForwarding();
    status.stop();
  }
}

function millions(count: number): string {
  return `${(count / 1e6).toFixed(1)} M`;
}
