/** The probe engine bound to this emulator: machine hooks in, engine calls out, and the debugger's probes planted as its consumers. */
import { AddressSpace } from '../emulator/memory/address-space.js';
import type { FrameUser, MappingObserver } from '../emulator/memory/machine-memory.js';
import type { Process } from '../emulator/process.js';
import { type Rejected, rejected } from '../rsp/error-code.js';
import { hex, NS_PER_MS } from '../types.js';
import { METHODS } from '../uprobes/arch.js';
import type { EngineOptions } from '../uprobes/core.js';
import { type Breakpoint, UprobeEngine } from '../uprobes/engine.js';
import type { HostClock } from '../uprobes/port.js';
import { isProbeError, type ProbeError } from '../uprobes/probe-error.js';
import type { PlaceReport } from '../uprobes/statistics.js';
import type { PlantedProbe, ProbeHooks } from './probe-hooks.js';
import { hostVma, type PortParts, type ThreadView, UprobesPort } from './uprobes-port.js';

/** The engine, what it sees of the machine, and what the machine's hooks tell it. */
export interface BoundEngine {
  readonly engine: UprobeEngine;
  readonly port: UprobesPort;
  readonly hooks: ProbeHooks;
}

/** What a machine's options say about the engine. */
export function engineOptions({ inlineHooks }: { readonly inlineHooks: boolean }): Partial<EngineOptions> {
  return inlineHooks ? {} : { methods: new Set(METHODS.filter((method) => method !== 'hook')) };
}

export function probeEngine(parts: PortParts, options: Partial<EngineOptions>): ProbeHooks {
  return bindEngine(parts, options).hooks;
}

const CLOCK: HostClock = {
  now: () => performance.now() * NS_PER_MS,
  after: (ns, call) => void setTimeout(call, ns / NS_PER_MS).unref(),
};

/** The machine's hooks are the caller's to set; its mappings are watched from now on. */
export function bindEngine(parts: PortParts, options: Partial<EngineOptions> = {}): BoundEngine {
  const port = new UprobesPort(parts);
  const engine = new UprobeEngine({ processes: () => port.processes(), returnJumpWeight: 1, clock: CLOCK }, options);
  parts.machine.pageCache.memory.observer = observer(port, engine);
  return { engine, port, hooks: hooksOf(port, engine) };
}

function hooksOf(port: UprobesPort, engine: UprobeEngine): ProbeHooks {
  const planted = (probe: Breakpoint | ProbeError): PlantedProbe | Rejected => {
    if (isProbeError(probe)) return rejected(probe.errno, probe.reason);
    return { withdraw: () => engine.clearBreakpoint(probe) };
  };
  return {
    plantStop(process, address, probe) {
      return planted(engine.setBreakpoint({ process: port.process(process), address, ...probe }));
    },
    plantCollector(process, address, { unless, collect }) {
      return planted(
        engine.setCollector({
          process: port.process(process),
          address,
          ...(unless === undefined ? {} : { unless }),
          collect(thread) {
            collect((thread as ThreadView).own);
            return 'continue';
          },
        }),
      );
    },
    breakpoint: (thread) => engine.breakpoint(port.thread(thread)),
    hook(thread, { owner }) {
      port.lendMissed(thread);
      return engine.hook(port.thread(thread), owner);
    },
    settle: (thread, exit) => engine.settle(port.thread(thread), exit),
    resumed: (thread, how) => engine.resumed(port.thread(thread), how),
    forked(parent, child) {
      const shared = parent.process.space === child.process.space;
      if (shared) engine.cloned(port.thread(parent), port.thread(child));
      else engine.forked(port.thread(parent), port.thread(child));
    },
    cloned: (parent, child) => engine.cloned(port.thread(parent), port.thread(child)),
    execed: (thread) => engine.execed(port.thread(thread)),
    threadExited: (thread) => engine.threadExited(port.thread(thread)),
    processExited: (process) => engine.processExited(port.process(process)),
    spaceGone: (process) => {
      if (process.space instanceof AddressSpace) engine.spaceGone(port.space(process));
    },
    overlay: (process, address, bytes) => engine.overlay(port.space(process), address, bytes),
    report: () => reportLines(engine),
  };
}

/** What happens to mappings, told in the engine's terms. */
function observer(port: UprobesPort, engine: UprobeEngine): MappingObserver {
  const users = (space: AddressSpace): readonly Process[] => {
    return [...port.parts.machine.processes.values()].filter((process) => process.space === space);
  };
  const viewOf = (space: FrameUser) => (space instanceof AddressSpace ? port.spaceView(space) : undefined);
  return {
    mapped(space, from, to) {
      if (!(space instanceof AddressSpace)) return;
      for (const process of users(space)) {
        for (const vma of space.vmas.meeting(from, to)) engine.mapped(port.process(process), hostVma(vma));
      }
    },
    unmapped(space, from, to) {
      const view = viewOf(space);
      if (view !== undefined) engine.unmapped(view, from, to);
    },
    rewritten(space, from, to) {
      const view = viewOf(space);
      if (view !== undefined) engine.rewritten(view, from, to);
    },
  };
}

/** `monitor uprobes`: what the engine counted, then each probepoint, then the places of those that have gone. */
function reportLines(engine: UprobeEngine): readonly string[] {
  const { statistics, probepoints, gone, slotsUsed, slotsFree, waiting } = engine.report();
  const { executed } = statistics;
  return [
    `${statistics.hits} hits, ${statistics.conditionsFalse} with a false condition, ${statistics.stale} stale`,
    `originals executed: ${executed.hook} translated behind a hook, ${executed.emulate} emulated, ${executed.boost} boosted, ${executed.xol} stepped out of line, ${executed.inline} in line`,
    `slots: ${slotsUsed} used, ${slotsFree} free; ${waiting} threads waiting`,
    ...probepoints.map(({ state, consumers, refs, ...place }) => {
      return `${placeText(place)}; ${state}, ${consumers} consumers, ${refs} references`;
    }),
    ...gone.map((place) => `${placeText(place)}; withdrawn`),
  ];
}

function placeText({ pids, address, insn, method, hits, falseConditions, cost }: PlaceReport): string {
  const owner = pids.length === 0 ? 'nobody' : pids.join(',');
  // Hits that translated code lets pass are not timed: nobody comes by who could.
  const each = cost === undefined ? 'decided in translated code' : `${Math.round(cost)} ns each`;
  const counts = hits === 0 ? 'not hit' : `${hits} hits, ${falseConditions} false, ${each}`;
  return `${hex(address)} of ${owner}: ${insn} (${method ?? 'not executed yet'}): ${counts}`;
}
