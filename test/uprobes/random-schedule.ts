/**
 * One random history on the real emulator: probes of all kinds come and go, and their handlers sleep, while eight threads run, children are forked,
 * exec'ed and killed. A seed says everything: the same seed is the same history.
 */
import { statSync } from 'node:fs';
import { TIERS } from '../../src/options.js';
import { GPR } from '../../src/register-set.js';
import { METHODS, type Method } from '../../src/uprobes/arch.js';
import type { HostProcess, HostThread } from '../../src/uprobes/port.js';
import type { Statistics } from '../../src/uprobes/statistics.js';
import type { FileProbe, HandlerResult, Hit, Uprobe } from '../../src/uprobes/uprobe.js';
import { finish, type Program, start, symbolsOf } from './real-machine.js';

/** Instructions of a round, and how often each is executed in one. */
const PLACES = {
  place_nop: 1,
  place_push: 1,
  place_mov: 1,
  place_rip: 1,
  place_call: 1,
  place_indirect: 1,
  place_x87: 1,
  place_rep: 1,
  place_syscall: 1,
  place_count: 1,
  leaf: 2,
} as const;
type Place = keyof typeof PLACES;
/** There the number of the thread is still in rdi. */
const EARLY: ReadonlySet<Place> = new Set<Place>(['place_nop', 'place_push']);
/** Rounds after which a child that waits to be killed begins anew. */
const LAST_ROUND = 999n;

export interface History {
  readonly seed: number;
  readonly cycles: number;
  readonly statistics: Readonly<Statistics>;
  /** Frames that the run took for good: the page cache's, unless something leaks. */
  readonly framesKept: number;
}

/** Numbers below 2^32 (mulberry32). */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** What one thread has been seen to do at one probe. */
interface Seen {
  round: bigint;
  times: number;
}

/** A registered probe, and what it must see: every round of every thread, one after another. */
class Watch {
  readonly seen = new Map<HostThread, Seen>();
  /** The round in which each thread was when the probe came; undefined: of a child, where nobody counts along. */
  readonly before = new Map<HostThread, bigint | undefined>();

  constructor(
    readonly probe: Uprobe | FileProbe,
    readonly place: Place,
    readonly wants: (thread: HostThread) => boolean,
  ) {}
}

class Schedule {
  private readonly random: (below: number) => number;
  private readonly program: Program;
  private readonly symbols: ReadonlyMap<string, number>;
  private readonly watches: Watch[] = [];
  private readonly sleepers: (() => void)[] = [];
  private readonly unregistering: Promise<void>[] = [];
  private readonly framesBefore: number;
  cycles = 0;

  constructor(
    private readonly path: string,
    readonly seed: number,
  ) {
    this.random = randomNumbers(seed);
    this.symbols = symbolsOf(path);
    const methods = new Set<Method>(METHODS.filter(() => this.random(4) > 0));
    const slots = this.pick([1, 2, 5, Number.POSITIVE_INFINITY]);
    const machine = { tier: this.pick(TIERS), sliceLength: this.pick([3, 50, 700, 10_000]), cpu: 'v3' } as const;
    this.program = start([path, '8', '0', '0', String(seed)], { methods, slots }, machine, {
      slots: this.pick(['near', 'far'] as const),
      checked: true,
    });
    this.framesBefore = this.program.guest.memory.frames.free;
  }

  private pick<T>(from: readonly T[]): T {
    return from[this.random(from.length)] as T;
  }

  async run(cycles: number): Promise<History> {
    while (this.cycles < cycles) {
      await this.step();
      this.program.engine.checkInvariants();
      if (this.failure !== undefined) throw this.failure;
    }
    return this.end();
  }

  private async step(): Promise<void> {
    const dice = this.random(10);
    if (dice < 2 && this.watches.length < 12) this.register();
    else if (dice < 4 && this.watches.length > 0) this.unregister(this.random(this.watches.length));
    else if (dice < 6) await this.wake(1 + this.random(8));
    else await this.advance(1 + this.random(this.pick([20, 400, 3000])));
  }

  /** Runs the machine; where all of its threads sleep in handlers, one of them wakes up. */
  private async advance(instructions: number): Promise<void> {
    const { machine } = this.program.guest;
    const result = machine.run(instructions);
    if (result.kind === 'exited') throw this.wrong('the program has ended before it was told to');
    if (result.kind !== 'idle') return;
    if (this.sleepers.length > 0) await this.wake(1);
    else if (result.deadline !== undefined) machine.clock.jumpTo(result.deadline);
    else throw this.wrong('everybody waits for ever');
  }

  private async wake(count: number): Promise<void> {
    for (let i = 0; i < count && this.sleepers.length > 0; i++)
      this.sleepers.splice(this.random(this.sleepers.length), 1)[0]?.();
    await settled();
  }

  // ---- probes

  private register(): void {
    const { engine, caller, process } = this.program;
    const place = this.pick(Object.keys(PLACES) as Place[]);
    const vaddr = this.symbols.get(place) as number;
    const kind = this.pick(['process', 'process', 'children', 'some', 'file', 'return', 'once'] as const);
    const wants = kind === 'some' ? (thread: HostThread) => (thread.tid as number) % 2 === 0 : () => true;
    const see = (hit: Hit): HandlerResult | Promise<HandlerResult> => {
      this.see(watch, hit);
      if (kind === 'once') this.drop(watch);
      return this.slowly(() => 'continue');
    };
    const returns = kind === 'return';
    const handlers = {
      ...(returns ? { retHandler: (hit: Hit) => void this.see(watch, hit) } : { handler: see }),
      ...(kind === 'children' || kind === 'some' ? { wantsProbe: wants } : {}),
    };
    const { dev, ino } = statSync(this.path);
    const probe: Uprobe | FileProbe =
      kind === 'file'
        ? { file: { dev, ino }, offset: vaddr - (this.symbols.get('file offset') as number), ...handlers }
        : { pid: process.pid, vaddr: returns ? (this.symbols.get('leaf') as number) : vaddr, ...handlers };
    const watch = new Watch(probe, returns ? 'leaf' : place, wants);
    for (const view of this.program.port.processes()) {
      for (const thread of view.threads()) watch.before.set(thread, this.roundOf(thread));
    }
    const refusal = 'file' in probe ? engine.registerFile(caller, probe) : engine.register(caller, probe);
    if (refusal !== undefined) throw this.wrong(`${kind} probe of ${place}: ${refusal.reason}`);
    this.watches.push(watch);
  }

  /** At once, or after a sleep. */
  private slowly(answer: () => HandlerResult): HandlerResult | Promise<HandlerResult> {
    if (this.random(3) > 0) return answer();
    return new Promise((resolve) => this.sleepers.push(() => resolve(answer())));
  }

  private unregister(index: number): void {
    const watch = this.watches[index] as Watch;
    this.drop(watch);
    for (const view of this.program.port.processes())
      for (const thread of view.threads()) this.checkUpTo(watch, thread);
  }

  /** Also from inside its own handler, more than once when threads are in it. */
  private drop(watch: Watch): void {
    const { engine } = this.program;
    if (this.random(2) === 0) this.unregistering.push(engine.unregisterSync(watch.probe));
    else engine.unregister(watch.probe);
    const at = this.watches.indexOf(watch);
    if (at < 0) return;
    this.watches.splice(at, 1);
    this.cycles++;
  }

  // ---- no hit is lost

  private see(watch: Watch, { thread }: Hit): void {
    const round = this.counter(thread.process, this.numberAt(watch, thread));
    const perRound = PLACES[watch.place];
    const last = watch.seen.get(thread);
    if (last === undefined) this.checkFirst(watch, thread, round);
    else if (last.round === round) {
      if (last.times >= perRound) throw this.wrong(`thread ${thread.tid} hits ${watch.place} again in round ${round}`);
    } else if (last.round + 1n !== round && !(round === 0n && last.round === LAST_ROUND))
      throw this.wrong(`thread ${thread.tid} at ${watch.place}: round ${round} follows ${last.round}`);
    watch.seen.set(thread, { round, times: last?.round === round ? last.times + 1 : 1 });
  }

  private checkFirst({ before, place }: Watch, thread: HostThread, round: bigint): void {
    const then = before.get(thread);
    if (then === undefined && before.has(thread)) return;
    const allowed = then === undefined ? [0n] : [then, then + 1n];
    if (!allowed.includes(round))
      throw this.wrong(`thread ${thread.tid} is first seen at ${place} in round ${round}, not ${allowed.join(' or ')}`);
  }

  /** The probe goes: the latest finished round of the thread must have been seen. */
  private checkUpTo(watch: Watch, thread: HostThread): void {
    const then = watch.before.get(thread);
    const now = this.roundOf(thread);
    if (now === undefined || then === undefined || !watch.wants(thread)) return;
    if (now <= then + 1n) return;
    const last = watch.seen.get(thread)?.round ?? -1n;
    if (last < now - 1n)
      throw this.wrong(`thread ${thread.tid} was last seen at ${watch.place} in round ${last}, and is in ${now}`);
  }

  private numberAt({ place }: Watch, thread: HostThread): number {
    return Number(thread.readGpr(EARLY.has(place) ? GPR.RDI : GPR.R12));
  }

  /** The finished rounds of the thread that has this number. */
  private counter({ space }: HostProcess, number: number): bigint {
    const bytes = new Uint8Array(8);
    space.read((this.symbols.get('rounds') as number) + 8 * number, bytes);
    return Buffer.from(bytes).readBigUInt64LE();
  }

  /** Of a worker of the first process: they are made in the order of their numbers, and stay to the end. */
  private roundOf({ tid, process }: HostThread): bigint | undefined {
    if (process.pid !== this.program.process.pid || (tid as number) === process.pid) return undefined;
    const workers = [...process.threads()].map((thread) => thread.tid as number).filter((id) => id !== process.pid);
    return this.counter(process, workers.sort((a, b) => a - b).indexOf(tid));
  }

  // ---- the end

  private async end(): Promise<History> {
    const { engine, guest, port, process } = this.program;
    while (this.watches.length > 0) this.unregister(this.watches.length - 1);
    port.space(process).write(this.symbols.get('enough') as number, Uint8Array.of(1));
    while (this.sleepers.length > 0) await this.wake(100);
    finish(this.program);
    await Promise.all(this.unregistering);
    engine.checkInvariants();
    const { statistics, ...left } = engine.report();
    const expected = {
      probepoints: [],
      gone: [],
      slotsUsed: 0,
      slotsFree: 0,
      waiting: 0,
      pendingReturns: 0,
      tasks: 0,
      spaces: 0,
    };
    if (JSON.stringify(left) !== JSON.stringify(expected)) throw this.wrong(`left over: ${JSON.stringify(left)}`);
    if (statistics.handlerErrors > 0) throw this.failure ?? this.wrong('a handler has failed');
    const { status } = this.program;
    if (status?.kind !== 'exited' || status.code !== 0) throw this.wrong(`it ended with ${JSON.stringify(status)}`);
    return {
      seed: this.seed,
      cycles: this.cycles,
      statistics,
      framesKept: this.framesBefore - guest.memory.frames.free,
    };
  }

  private failure: Error | undefined;

  private wrong(what: string): Error {
    this.failure ??= new Error(`seed ${this.seed}, after ${this.cycles} cycles: ${what}`);
    return this.failure;
  }
}

/** Throws what was found, with the seed. */
export function randomSchedule(path: string, seed: number, cycles: number): Promise<History> {
  return new Schedule(path, seed).run(cycles);
}

function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
