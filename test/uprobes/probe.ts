/** Probes that remember what they saw. */
import type { HostThread } from '../../src/uprobes/port.js';
import type { ProbeError } from '../../src/uprobes/probe-error.js';
import type { HandlerResult, Hit, Uprobe } from '../../src/uprobes/uprobe.js';
import type { FakeProcess } from './fake/host.js';

export interface Recorded extends Uprobe {
  readonly hits: Hit[];
  readonly returns: Hit[];
}

/** A probe whose handler returns `result`, or does what it says. */
export function probe(
  process: FakeProcess,
  vaddr: number,
  result: HandlerResult | ((hit: Hit) => HandlerResult | Promise<HandlerResult>) = 'continue',
  more: Partial<Uprobe> = {},
): Recorded {
  const hits: Hit[] = [];
  return {
    pid: process.pid as number,
    vaddr,
    hits,
    returns: [],
    handler(hit) {
      hits.push(hit);
      return typeof result === 'string' ? result : result(hit);
    },
    ...more,
  };
}

/** A return probe. */
export function returnProbe(process: FakeProcess, vaddr: number, more: Partial<Uprobe> = {}): Recorded {
  const returns: Hit[] = [];
  const { hits } = probe(process, vaddr);
  return {
    pid: process.pid as number,
    vaddr,
    hits,
    returns,
    retHandler(hit) {
      returns.push(hit);
    },
    ...more,
  };
}

/** A handler that sleeps until `wake` is called. */
export function sleeper(): {
  handler(hit: Hit): Promise<HandlerResult>;
  wake(result?: HandlerResult): void;
  calls: Hit[];
} {
  const calls: Hit[] = [];
  const waiting: ((result: HandlerResult) => void)[] = [];
  return {
    calls,
    handler(hit) {
      calls.push(hit);
      return new Promise((resolve) => waiting.push(resolve));
    },
    wake(result = 'continue') {
      waiting.shift()?.(result);
    },
  };
}

export function errno(error: ProbeError | object | undefined): string | undefined {
  return error !== undefined && 'name' in error ? (error.name as string) : undefined;
}

export function tid(thread: HostThread): number {
  return thread.tid as number;
}
