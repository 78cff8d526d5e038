/** A FakeTarget with a trace recorder: sites are a set of names, time is a counter. */
import { rejected } from '../../src/rsp/error-code.js';
import { type TracepointSite, TraceRecorder } from '../../src/rsp/tracing/trace-recorder.js';
import { FakeTarget } from './fake-target.js';

export class TracingTarget extends FakeTarget {
  readonly planted = new Set<string>();
  clock = 1000;
  refuse: bigint | undefined;
  readonly tracing = new TraceRecorder({
    target: this,
    sites: {
      insert: (site) => {
        if (site.address === this.refuse) return rejected(22, 'inside an instruction');
        this.planted.add(name(site));
        return undefined;
      },
      remove: (site) => void this.planted.delete(name(site)),
    },
    now: () => this.clock++,
    print: (text) => void this.calls.push(`print ${text}`),
  });
}

function name({ pid, number, address }: TracepointSite): string {
  return `${pid.toString(16)}:${number}:${address.toString(16)}`;
}
