/** A probe of a session: put where its place is found, in every file that has it, now and later. */

import type { AgentProgram } from '../agent-expression/program.js';
import { Counter } from '../uprobes/counter.js';
import type { HostThread } from '../uprobes/port.js';
import type { ProbeError } from '../uprobes/probe-error.js';
import type { FileProbe, HandlerResult, Hit, Uprobe } from '../uprobes/uprobe.js';
import type { ProbePlace } from './probe-spec.js';
import type { ProbeSite } from './sites.js';

/**
 * As the engine's ProbeHandlers, but told which of the probe's places was hit. Without handlers hits are only counted, which translated code does by
 * itself: a hit costs nanoseconds.
 */
export interface SessionHandlers {
  /**
   * Before the instruction at the place. What it returns: 'continue'; 'remove', this process need not be probed any more; 'ignore', do not call
   * `retHandler` for this call; 'stop'. A promise of that puts the thread, and only it, to sleep.
   */
  handler?(hit: Hit, site: ProbeSite): HandlerResult | Promise<HandlerResult>;
  /** When the function at the place has returned. */
  retHandler?(hit: Hit, site: ProbeSite): void | Promise<void>;
  /** Only hits where this is true are counted and given to the handlers. Translated code decides it. */
  readonly when?: AgentProgram;
  /** Is this thread of interest? Must have no side effects. */
  wantsProbe?(thread: HostThread): boolean;
}

export interface ProbeOptions {
  /** Children that the program forks, too. They are the same program until they exec; then the probe looks at what they execute. */
  readonly follow?: boolean;
}

/** A place at which the engine refused a probe. */
export interface Refusal {
  readonly site: ProbeSite;
  readonly error: ProbeError;
}

export class SessionProbe {
  /** Where it is, or was. */
  readonly sites = new Set<ProbeSite>();
  private readonly counters = new Map<ProbeSite, Counter>();
  readonly refusals: Refusal[] = [];
  /** What files say that should have the place and do not: one sentence each, by path. */
  readonly missing = new Map<string, string>();
  /** Of the engine's. */
  readonly registered = new Set<Uprobe | FileProbe>();

  constructor(
    readonly place: ProbePlace,
    readonly handlers: SessionHandlers,
    private readonly drop: (probe: SessionProbe, sync: boolean) => Promise<void>,
  ) {}

  get hits(): number {
    let sum = 0;
    for (const { hits } of this.counters.values()) sum += hits;
    return sum;
  }

  /** Hits of each place that has any; returns are counted here, too, of probes that have only a `retHandler`. */
  get hitsAt(): ReadonlyMap<ProbeSite, number> {
    return new Map([...this.counters].map(([site, { hits }]) => [site, hits] as const).filter(([, hits]) => hits > 0));
  }

  /** Paths of the files in which its place was found. */
  get files(): ReadonlySet<string> {
    return new Set([...this.sites].map(({ file }) => file));
  }

  /** Why the engine has refused it somewhere, if it has. */
  get refusal(): ProbeError | undefined {
    return this.refusals[0]?.error;
  }

  counterOf(site: ProbeSite): Counter {
    const known = this.counters.get(site);
    if (known !== undefined) return known;
    const made = new Counter(this.handlers.when);
    this.counters.set(site, made);
    return made;
  }

  count(site: ProbeSite): void {
    this.counterOf(site).add(1);
  }

  /** No handler starts any more. */
  remove(): void {
    void this.drop(this, false);
  }

  /** The same; resolves when none runs. */
  removed(): Promise<void> {
    return this.drop(this, true);
  }
}
