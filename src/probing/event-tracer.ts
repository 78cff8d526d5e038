/** Makes handlers of an event: fetches what its SPEC names, remembers calls until they return, asks its condition. */

import type { VirtualClock } from '../emulator/clock.js';
import type { AddressSpace } from '../emulator/memory/address-space.js';
import { SpaceView, ThreadView } from '../inferior/uprobes-port.js';
import { GPR } from '../register-set.js';
import type { UprobeEngine } from '../uprobes/engine.js';
import type { HandlerResult, Hit } from '../uprobes/uprobe.js';
import { argument } from './arguments.js';
import { callStack, frameAt, type StackFrame } from './call-stack.js';
import { conditionProgram } from './condition-program.js';
import type { EventSpec } from './event-spec.js';
import { innermost, type Source } from './fetch-arg.js';
import type { ModuleMap } from './module-map.js';
import { type EventFacts, ProbeEvent } from './probe-event.js';
import type { SessionHandlers } from './session-probe.js';
import { nameOf, type ProbeSite } from './sites.js';

export interface TracerParts {
  readonly clock: VirtualClock;
  readonly engine: UprobeEngine;
  readonly modules: ModuleMap;
}

/** What is remembered of a call until it returns. */
interface Call {
  /** The call's return will show it. */
  readonly cookie: bigint;
  readonly time: number;
  readonly address: number;
  readonly arguments: readonly bigint[];
}

/** What is done at a hit. What it returns is the handler's result; nothing means 'continue'. Of returns it has no meaning. */
export type SeeEvent = (
  event: ProbeEvent,
) => HandlerResult | undefined | void | Promise<HandlerResult | undefined> | Promise<void>;

/** Calls that are remembered at once. Those that longjmp has abandoned are among them: the oldest are forgotten. */
const MAX_CALLS = 65_536;

export class EventTracer {
  /** A ring: each takes the place of the one MAX_CALLS before. */
  private readonly calls: Call[] = [];
  private lastCookie = 0n;

  constructor(private readonly parts: TracerParts) {}

  /** `alsoFetched`: by expressions that `see` evaluates. */
  handlers(spec: EventSpec, see: SeeEvent, alsoFetched: readonly Source[] = []): SessionHandlers {
    const tell = (hit: Hit, site: ProbeSite, call?: Call): ReturnType<SeeEvent> => {
      const event = new ProbeEvent(spec, this.facts(spec, hit, site, call));
      return event.counts ? see(event) : undefined;
    };
    if (!spec.returns) {
      const when = conditionProgram(spec);
      return {
        ...(when === undefined ? {} : { when }),
        handler: (hit, site) => {
          const result = tell(hit, site);
          if (!(result instanceof Promise)) return result ?? 'continue';
          return (result as Promise<HandlerResult | undefined>).then((end) => end ?? 'continue');
        },
      };
    }
    const wanted = argumentsWanted([...sourcesOf(spec), ...alsoFetched]);
    return {
      handler: (hit) => {
        hit.cookie = this.remember({
          time: this.parts.clock.monotonic,
          address: hit.address,
          arguments: wanted.map((index) => (index < 0 ? 0n : argument(hit, index))),
        });
        return 'continue';
      },
      retHandler: (hit, site) => {
        const result = tell(hit, site, this.recall(hit.cookie));
        return result instanceof Promise ? result.then(() => undefined) : undefined;
      },
    };
  }

  private remember(call: Omit<Call, 'cookie'>): bigint {
    const cookie = ++this.lastCookie;
    this.calls[Number(cookie) % MAX_CALLS] = { ...call, cookie };
    return cookie;
  }

  private recall(cookie: bigint): Call | undefined {
    const call = this.calls[Number(cookie) % MAX_CALLS];
    return call?.cookie === cookie ? call : undefined;
  }

  private facts(spec: EventSpec, hit: Hit, site: ProbeSite, call: Call | undefined): EventFacts {
    const { clock, modules } = this.parts;
    const time = clock.monotonic;
    const space = (): AddressSpace | undefined => spaceOf(hit);
    const big = (address: number | undefined): bigint | undefined =>
      address === undefined ? undefined : BigInt(address);
    const within = <T>(look: (own: AddressSpace) => T): T | undefined => {
      const own = space();
      return own === undefined ? undefined : look(own);
    };
    return {
      hit,
      site,
      time,
      calledAddress: call?.address,
      duration: call === undefined ? undefined : time - call.time,
      comm: hit.thread instanceof ThreadView ? hit.thread.own.name : '',
      operands: site.operands,
      entryArguments: spec.returns ? (call?.arguments ?? []) : undefined,
      symbolAddress: (name) => within((own) => big(modules.addressOfData(own, site.file, name))),
      offsetAddress: (offset) => within((own) => big(modules.addressOfByte(own, site.file, offset))),
      functionAt: (address) =>
        within((own) => {
          const loaded = modules.loadedAt(own, Number(address));
          return loaded && nameOf(loaded.module, Number(address) - loaded.bias);
        }),
      stack: (limit) => [...this.calledFunction(hit, call), ...this.stack(hit, limit)],
    };
  }

  /** Of a return: the function that has returned, on top of its caller. */
  private calledFunction(hit: Hit, call: Call | undefined): readonly StackFrame[] {
    const own = spaceOf(hit);
    if (call === undefined || own === undefined) return [];
    return [frameAt({ ip: call.address, isReturn: false }, this.parts.modules.loadedAt(own, call.address))];
  }

  private stack(hit: Hit, limit: number | undefined): readonly StackFrame[] {
    const { engine, modules } = this.parts;
    const own = spaceOf(hit);
    if (own === undefined) return [];
    const { space } = hit.thread.process;
    const start = {
      ip: hit.address,
      registers: Object.values(GPR).map((number) => hit.get(number)),
      read: (address: number, into: Uint8Array) => {
        if (space.read(address, into) < into.length) return false;
        engine.overlay(space, address, into);
        return true;
      },
      moduleAt: (address: number) => modules.loadedAt(own, address),
    };
    return callStack(start, limit);
  }
}

function spaceOf({ thread }: Hit): AddressSpace | undefined {
  const { space } = thread.process;
  return space instanceof SpaceView ? space.own : undefined;
}

/** Of a call's arguments those that the event shows at the return; -1 in the places of others. */
function argumentsWanted(sources: readonly Source[]): readonly number[] {
  const indices = new Set(
    sources.map(innermost).flatMap((source) => (source.kind === 'argument' ? [source.index] : [])),
  );
  const count = Math.max(-1, ...indices) + 1;
  return Array.from({ length: count }, (_, index) => (indices.has(index) ? index : -1));
}

function sourcesOf({ args, condition }: EventSpec): readonly Source[] {
  return [...args.map(({ source }) => source), ...(condition?.sources ?? [])];
}
