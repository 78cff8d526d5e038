/** The per-thread state machine under arbitrary sequences of events: invariants hold after each, nobody is lost, and the program computes the same. */
import fc from 'fast-check';
import { test } from 'vitest';
import { GPR } from '../../src/register-set.js';
import type { Method } from '../../src/uprobes/arch.js';
import { METHODS } from '../../src/uprobes/arch.js';
import { type Breakpoint, UprobeEngine } from '../../src/uprobes/engine.js';
import { isProbeError } from '../../src/uprobes/probe-error.js';
import type { Uprobe } from '../../src/uprobes/uprobe.js';
import { FakeHost, type FakeProcess, type FakeThread, settled, TEXT } from './fake/host.js';
import { sleeper } from './probe.js';

/*
 *  0 inc %rax; 3 push %rbx; 4 call f (0x14); 9 pop %rbx; a mov %rsp,%rbp; d inc %rbx; 10 jmp 0
 * 14 f: nop; 15 ret
 */
const PROGRAM = '48ffc0 53 e80b000000 5b 4889e5 48ffc3 ebee 9090 90 c3';
const PLACES = [0, 3, 4, 9, 0xa, 0xd, 0x10, 0x14, 0x15].map((offset) => TEXT + offset);
const FUNCTION = TEXT + 0x14;

type Kind = 'plain' | 'sleeping' | 'return' | 'stop' | 'bored' | 'suicidal';

type Event =
  | { readonly do: 'register'; readonly kind: Kind; readonly place: number }
  | {
      readonly do: 'unregister' | 'run' | 'finish' | 'wake' | 'kill' | 'clone' | 'fork' | 'exec' | 'continue';
      readonly which: number;
    }
  | { readonly do: 'rewrite'; readonly place: number };

const which = fc.nat(20);
const place = fc.nat(PLACES.length - 1);
const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('run' as const), which }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('register' as const),
      kind: fc.constantFrom<Kind>('plain', 'sleeping', 'return', 'stop', 'bored', 'suicidal'),
      place,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom('unregister' as const, 'finish' as const, 'wake' as const, 'continue' as const),
      which,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constantFrom('kill' as const, 'clone' as const, 'fork' as const, 'exec' as const),
      which,
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('rewrite' as const), place }) },
);

/** One history. */
class World {
  readonly host: FakeHost;
  readonly process: FakeProcess;
  readonly others: FakeProcess[] = [];
  readonly probes: (Uprobe | Breakpoint)[] = [];
  readonly sleepers = sleeper();

  constructor(methods: readonly Method[], slots: number, background: boolean, hooks: boolean) {
    this.host = new FakeHost({ methods: new Set(methods), slots });
    this.host.background = background;
    this.host.hooks = hooks;
    this.process = this.host.spawn(PROGRAM);
  }

  async apply(event: Event): Promise<void> {
    switch (event.do) {
      case 'register':
        return this.register(event.kind, PLACES[event.place] as number);
      case 'unregister':
        return this.unregister(event.which);
      case 'run':
        return void this.host.run(this.pick(event.which), 1 + (event.which % 4));
      case 'finish': {
        const stepping = this.threads.filter(({ stepsInBackground }) => stepsInBackground);
        const chosen = stepping[event.which % Math.max(1, stepping.length)];
        return chosen && void this.host.finishStep(chosen);
      }
      case 'wake':
        this.sleepers.wake(event.which % 5 === 0 ? 'stop' : 'continue');
        return settled();
      case 'continue':
        return this.host.engine.resumed(this.pick(event.which), event.which % 2 === 0 ? 'continue' : 'step');
      case 'kill':
        if (this.threads.length > 1) this.host.exitThread(this.pick(event.which));
        return;
      case 'clone': {
        const parent = this.pick(event.which);
        if (this.threads.length >= 5 || !this.isFree(parent)) return;
        const child = this.host.clone(parent);
        child.ip = TEXT;
        child.writeGpr(GPR.RBX, child.readGpr(GPR.RAX));
        return;
      }
      case 'fork': {
        const parent = this.pick(event.which);
        if (this.others.length < 2 && this.isFree(parent)) this.others.push(this.host.fork(parent));
        return;
      }
      case 'exec': {
        const thread = this.pick(event.which);
        if (event.which % 3 > 0 || !this.isFree(thread)) return;
        this.host.exec(thread, PROGRAM);
        thread.writeGpr(GPR.RBX, thread.readGpr(GPR.RAX));
        return;
      }
      case 'rewrite':
        // The same bytes: the probepoints there must not mind.
        return this.host.rewrite(this.process, PLACES[event.place] as number, '');
    }
  }

  private get threads(): FakeThread[] {
    return this.process.threads();
  }

  private pick(n: number): FakeThread {
    return this.threads[n % this.threads.length] as FakeThread;
  }

  /** Between two instructions: only there can it fork. */
  private isFree(thread: FakeThread): boolean {
    this.host.expose(thread);
    return thread.parked === 0;
  }

  private register(kind: Kind, vaddr: number): void {
    const { engine, root } = this.host;
    if (kind === 'stop') {
      const set = engine.setBreakpoint({ process: this.process, address: vaddr, conditions: [], commands: [] });
      if (!isProbeError(set)) this.probes.push(set);
      return;
    }
    const u: Uprobe = {
      pid: this.process.pid,
      vaddr: kind === 'return' ? FUNCTION : vaddr,
      ...(kind === 'return' ? { retHandler: () => undefined } : { handler: (hit) => this.handle(kind, u, hit) }),
    };
    if (engine.register(root, u) !== undefined) throw new Error('refused');
    this.probes.push(u);
  }

  private handle(
    kind: Kind,
    u: Uprobe,
    hit: Parameters<NonNullable<Uprobe['handler']>>[0],
  ): ReturnType<NonNullable<Uprobe['handler']>> {
    if (kind === 'sleeping') return this.sleepers.handler(hit);
    if (kind === 'suicidal') this.host.engine.unregister(u);
    return kind === 'bored' ? 'remove' : 'continue';
  }

  private unregister(n: number): void {
    const [victim] = this.probes.splice(n % Math.max(1, this.probes.length), 1);
    if (victim !== undefined) this.drop(victim);
  }

  private drop(victim: Uprobe | Breakpoint): void {
    if ('pid' in victim) this.host.engine.unregister(victim);
    else this.host.engine.clearBreakpoint(victim);
  }

  /** Everybody lets go; then nothing may be left, and every thread must have computed what it would have without probes. */
  async end(): Promise<void> {
    for (const probe of this.probes.splice(0)) this.drop(probe);
    for (let i = 0; i < 200; i++) this.sleepers.wake();
    await settled();
    for (let i = 0; i < 20; i++) {
      for (const thread of this.threads) {
        if (thread.stepsInBackground) this.host.finishStep(thread);
        this.host.run(thread, 3);
      }
    }
    for (const thread of [...this.threads, ...this.others.flatMap((other) => other.threads())]) {
      this.host.runTo(thread, TEXT);
      if (thread.readGpr(GPR.RAX) !== thread.readGpr(GPR.RBX)) throw new Error(`thread ${thread.tid} went astray`);
    }
    const { probepoints, slotsUsed, waiting, pendingReturns } = this.host.engine.report();
    const left = [probepoints.length, slotsUsed, waiting, pendingReturns, this.process.space.swbps.size];
    if (left.some((count) => count > 0)) throw new Error(`left over: ${left} ${JSON.stringify(probepoints)}`);
  }
}

test.each([
  { name: 'all methods', methods: METHODS, slots: 8, background: false },
  { name: 'XOL steps in the background, one slot', methods: ['xol'] as const, slots: 1, background: true },
  { name: 'XOL steps in the background, two slots', methods: ['boost', 'xol'] as const, slots: 2, background: true },
  { name: 'in place', methods: [] as const, slots: 8, background: false },
  { name: 'in place in the background', methods: [] as const, slots: 8, background: true },
  { name: 'behind inline hooks', methods: METHODS, slots: 8, background: false, hooks: true },
])('any sequence of events, $name', async ({ methods, slots, background, hooks }) => {
  await fc.assert(
    fc.asyncProperty(fc.array(event, { maxLength: 60 }), async (events) => {
      const world = new World(methods, slots, background, hooks === true);
      for (const one of events) {
        await world.apply(one);
        world.host.engine.checkInvariants();
      }
      await world.end();
    }),
    { numRuns: 150 },
  );
});

test('the engine refuses what no host may report', () => {
  const host = new FakeHost();
  const process = host.spawn(PROGRAM);
  const engine = new UprobeEngine(host);
  const { leader } = process;
  const calls = [() => engine.settle(leader, { kind: 'fuel' }), () => engine.stepEnded(leader, { kind: 'fuel' })];
  for (const call of calls) {
    let refused = false;
    try {
      call();
    } catch {
      refused = true;
    }
    if (!refused) throw new Error('an impossible event was accepted');
  }
});
