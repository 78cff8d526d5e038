/**
 * Hits in the JSON of the Trace Event Format, which ui.perfetto.dev, chrome://tracing and speedscope open: an instant for each hit, a slice from call to
 * return for each return. Time is the program's: a virtual nanosecond for each instruction.
 */
import { frameName } from './call-stack.js';
import type { ProbeEvent } from './probe-event.js';

/** One line of the file each; what `header` and `footer` put around them makes it whole. */
export class TraceEventWriter {
  private readonly named = new Map<number, string>();
  private first = true;

  constructor(
    private readonly write: (text: string) => void,
    private readonly withStacks: boolean,
  ) {
    write('{"displayTimeUnit":"ns","traceEvents":[\n');
  }

  event(event: ProbeEvent): void {
    this.name(event);
    const { spec, pid, tid, time, duration, site } = event;
    const facts = { name: spec.name, cat: 'uprobe', pid, tid, args: this.argsOf(event) };
    const ts = micros(time - (duration ?? 0));
    if (spec.returns && duration !== undefined)
      this.put({ ...facts, name: site.name, ph: 'X', ts, dur: micros(duration) });
    else this.put({ ...facts, ph: 'i', s: 't', ts });
  }

  close(): void {
    this.write('\n]}\n');
  }

  /** Threads are called what they called themselves last. */
  private name({ pid, tid, comm }: ProbeEvent): void {
    if (this.named.get(tid) === comm) return;
    this.named.set(tid, comm);
    if (tid === pid) this.put({ name: 'process_name', ph: 'M', pid, tid, args: { name: comm } });
    this.put({ name: 'thread_name', ph: 'M', pid, tid, args: { name: comm } });
  }

  private argsOf(event: ProbeEvent): Record<string, unknown> {
    const args = Object.entries(event.args).map(([name, value]) => [name, jsonValue(value)]);
    const stack = this.withStacks ? [['stack', event.stack().map(frameName).join('\n')]] : [];
    return Object.fromEntries([...args, ...stack]);
  }

  private put(record: object): void {
    this.write(`${this.first ? '' : ',\n'}${JSON.stringify(record)}`);
    this.first = false;
  }
}

/** The format's unit, with ns behind the point. */
function micros(ns: number): number {
  return ns / 1000;
}

/** Numbers as far as JSON has them exactly, larger ones as text; null: unreadable. */
export function jsonValue(value: unknown): unknown {
  if (value === undefined) return null;
  if (Array.isArray(value)) return value.map(jsonValue);
  if (typeof value !== 'bigint') return value;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : `0x${BigInt.asUintN(64, value).toString(16)}`;
}
