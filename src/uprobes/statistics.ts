/** What the engine counts. Plain numbers; the tests hold them against what happened. */
import type { Method } from './arch.js';
import type { Probepoint } from './probepoint.js';
import type { Tally } from './tally.js';

export interface Statistics {
  /** Hits of probepoints. An iteration of a REP instruction after the first is none. */
  hits: number;
  /** Breakpoints that had gone when the thread's hit was looked up. */
  stale: number;
  /** Hits that reached no consumer. */
  skipped: number;
  /** Instructions executed, by method. */
  readonly executed: Record<Method, number>;
  /** Copies that faulted. */
  aborts: number;
  conditionsFalse: number;
  conditionErrors: number;
  handlerErrors: number;
  /** Times that a thread slept in a handler. */
  sleeps: number;
  /** How long in all, in ns of the host's clock. */
  slept: number;
  slotWaits: number;
  /** Registrations that were put off because a handler asked for them. */
  deferred: number;
  /** Returns of probed functions seen, and calls whose return is not followed because there are too many. */
  returns: number;
  returnsMissed: number;
  returnsAbandoned: number;
}

export function noStatistics(): Statistics {
  return {
    hits: 0,
    stale: 0,
    skipped: 0,
    executed: { hook: 0, emulate: 0, boost: 0, xol: 0, inline: 0 },
    aborts: 0,
    conditionsFalse: 0,
    conditionErrors: 0,
    handlerErrors: 0,
    sleeps: 0,
    slept: 0,
    slotWaits: 0,
    deferred: 0,
    returns: 0,
    returnsMissed: 0,
    returnsAbandoned: 0,
  };
}

/** A place where a probepoint is or was: what has happened there since its address space began. */
export interface PlaceReport {
  readonly pids: readonly number[];
  readonly address: number;
  readonly insn: string;
  readonly method: string | undefined;
  readonly hits: number;
  readonly skipped: number;
  readonly falseConditions: number;
  /**
   * What a hit takes in the engine and its handlers, ns of the host's clock: the mean of one hit in 64. Without what a handler sleeps, and not of hits
   * that translated code lets pass. undefined: none was timed.
   */
  readonly cost: number | undefined;
}

/** One probepoint. */
export interface ProbepointReport extends PlaceReport {
  readonly state: string;
  readonly consumers: number;
  readonly refs: number;
}

export interface EngineReport {
  readonly statistics: Statistics;
  readonly probepoints: readonly ProbepointReport[];
  /** Places whose probepoints have gone, as those of a debugger do at every stop. */
  readonly gone: readonly PlaceReport[];
  readonly slotsUsed: number;
  readonly slotsFree: number;
  /** Threads that sleep in a handler or wait for a slot. */
  readonly waiting: number;
  readonly pendingReturns: number;
  /** Threads and address spaces of which the engine knows something. */
  readonly tasks: number;
  readonly spaces: number;
}

export function placeReport(address: number, tally: Tally, pids: readonly number[]): PlaceReport {
  const { text, method, hits, skipped, falseConditions, cost } = tally;
  return { pids, address, insn: text, method, hits, skipped, falseConditions, cost };
}

export function probepointReport(probepoint: Probepoint, pids: readonly number[]): ProbepointReport {
  const { vaddr, tally, state, consumers, refs } = probepoint;
  return { ...placeReport(vaddr, tally, pids), state, consumers: consumers.length, refs };
}
