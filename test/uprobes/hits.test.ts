import { describe, expect, test, vi } from 'vitest';
import { type AgentProgram, parseAgentExpression } from '../../src/agent-expression/program.js';
import { log } from '../../src/log.js';
import { GPR } from '../../src/register-set.js';
import type { Breakpoint } from '../../src/uprobes/engine.js';
import { isProbeError } from '../../src/uprobes/probe-error.js';
import type { Hit } from '../../src/uprobes/uprobe.js';
import { DATA, FakeHost, type FakeProcess, hexBytes, STACK, settled, TEXT } from './fake/host.js';
import { probe, sleeper } from './probe.js';

const LOOP = '48ffc0 ebfb'; // inc %rax; jmp to it

function program(hex: string): AgentProgram {
  const parsed = parseAgentExpression(hexBytes(hex));
  if ('invalid' in parsed) throw new Error(parsed.invalid);
  return parsed;
}

const NEVER = program('2200 27'); // const8 0; end
const RAX_IS_5 = program('260000 2205 13 27'); // reg 0; const8 5; equal; end
const UNREADABLE = program('2210 1a 27'); // const8 0x10; ref64; end

function stop(host: FakeHost, process: FakeProcess, address: number, ...conditions: AgentProgram[]): Breakpoint {
  const set = host.engine.setBreakpoint({ process, address, conditions, commands: [] });
  if (isProbeError(set)) throw new Error(set.reason);
  return set;
}

describe('handlers', () => {
  test('T34 a handler that moves ip replaces the instruction, if it is the only consumer', () => {
    const host = new FakeHost();
    const process = host.spawn('48ffc0 48ffc3 90');
    const u = probe(process, TEXT, (hit) => {
      expect(hit.setIp(BigInt(TEXT + 6))).toBe(true);
      expect(hit.setIp(0xffff_8000_0000_0000n)).toBe(false);
      return 'continue';
    });
    host.engine.register(host.root, u);
    host.run(process.leader);
    expect([process.leader.ip, process.leader.readGpr(GPR.RAX)]).toEqual([TEXT + 6, 0n]);

    process.leader.ip = TEXT;
    host.engine.register(host.root, probe(process, TEXT));
    host.runTo(process.leader, TEXT + 3);
    expect(process.leader.readGpr(GPR.RAX)).toBe(1n);
  });

  test('are called where `when` is true, and not where it cannot be evaluated', () => {
    const host = new FakeHost();
    const process = host.spawn(LOOP);
    const [some, none] = [
      probe(process, TEXT, 'continue', { when: RAX_IS_5 }),
      probe(process, TEXT, 'continue', { when: UNREADABLE }),
    ];
    for (const u of [some, none]) host.engine.register(host.root, u);
    host.run(process.leader, 40);
    expect(process.leader.readGpr(GPR.RAX)).toBeGreaterThan(6n);
    expect([some.hits.length, none.hits.length]).toEqual([1, 0]);
    expect(host.engine.statistics.conditionErrors).toBeGreaterThan(6);
  });

  test('registers that a handler sets are what the instruction finds', () => {
    const host = new FakeHost();
    const process = host.spawn('48ffc0');
    host.engine.register(
      host.root,
      probe(process, TEXT, (hit) => {
        hit.set(GPR.RAX, 41n);
        return 'continue';
      }),
    );
    host.runTo(process.leader, TEXT + 3);
    expect(process.leader.readGpr(GPR.RAX)).toBe(42n);
  });

  test('T37 while a handler sleeps other threads go on and hit themselves', async () => {
    const host = new FakeHost();
    const process = host.spawn(LOOP);
    const { handler, wake } = sleeper();
    host.engine.register(host.root, { pid: process.pid, vaddr: TEXT, handler });
    const other = host.clone(process.leader);
    const inner = probe(process, TEXT + 3);
    host.engine.register(host.root, inner);
    other.ip = TEXT + 3;
    expect(host.run(process.leader)).toBe('parked');
    host.run(other);
    expect(inner.hits).toHaveLength(1);
    wake();
    await settled();
    expect(host.runTo(process.leader, TEXT + 3)).toBe('fuel');
  });

  test('handlers that sleep run one after another, and the hit counts once', async () => {
    const host = new FakeHost();
    const process = host.spawn(LOOP);
    const [a, b] = [sleeper(), sleeper()];
    host.engine.register(host.root, { pid: process.pid, vaddr: TEXT, handler: a.handler });
    host.engine.register(host.root, { pid: process.pid, vaddr: TEXT, handler: b.handler });
    host.run(process.leader);
    expect([a.calls.length, b.calls.length]).toEqual([1, 0]);
    a.wake();
    await settled();
    expect([process.leader.parked, b.calls.length]).toEqual([1, 1]);
    b.wake();
    await settled();
    host.runTo(process.leader, TEXT + 3);
    expect(host.engine.statistics).toMatchObject({ hits: 1, sleeps: 2 });
  });

  test('a handler that throws, or rejects, is counted, and the thread goes on', async () => {
    const host = new FakeHost();
    const process = host.spawn(LOOP);
    const failures = [
      () => {
        throw new Error('mine');
      },
      () => Promise.reject(new Error('later')),
    ];
    for (const handler of failures) host.engine.register(host.root, { pid: process.pid, vaddr: TEXT, handler });
    host.run(process.leader);
    await settled();
    host.runTo(process.leader, TEXT + 3);
    expect(host.engine.statistics.handlerErrors).toBe(2);
  });

  test('unregisterSync waits for the handler that sleeps, unregister does not', async () => {
    const host = new FakeHost();
    const process = host.spawn(LOOP);
    const { handler, wake } = sleeper();
    const u = { pid: process.pid as number, vaddr: TEXT, handler };
    host.engine.register(host.root, u);
    host.run(process.leader);
    let gone = false;
    const done = host.engine.unregisterSync(u).then(() => {
      gone = true;
    });
    await settled();
    expect(gone).toBe(false);
    wake();
    await done;
    expect(gone).toBe(true);
  });

  test('who registers during a hit is not called for it', async () => {
    const host = new FakeHost();
    const process = host.spawn(LOOP);
    const { handler, wake } = sleeper();
    host.engine.register(host.root, { pid: process.pid, vaddr: TEXT, handler });
    host.run(process.leader);
    const late = probe(process, TEXT);
    host.engine.register(host.root, late);
    wake();
    await settled();
    host.runTo(process.leader, TEXT + 3);
    expect(late.hits).toHaveLength(0);
  });

  test('T31 a rewritten instruction is probed as what it is now', () => {
    const host = new FakeHost();
    const process = host.spawn('48ffc0 90');
    const u = probe(process, TEXT);
    host.engine.register(host.root, u);
    host.rewrite(process, TEXT, '48ffc3'); // inc %rbx
    host.runTo(process.leader, TEXT + 3);
    expect([process.leader.readGpr(GPR.RAX), process.leader.readGpr(GPR.RBX), u.hits.length]).toEqual([0n, 1n, 1]);
    host.engine.unregister(u);
    expect(Buffer.from(process.space.mappings[0]?.bytes.subarray(0, 3) ?? []).toString('hex')).toBe('48ffc3');
  });

  test('T31 with the other option it is given up, and its client is told', () => {
    const host = new FakeHost({ onRewrite: 'disable' });
    const process = host.spawn('48ffc0 90');
    const gone: string[] = [];
    host.engine.register(host.root, probe(process, TEXT, 'continue', { onGone: (why) => gone.push(why) }));
    host.rewrite(process, TEXT, '48ffc3');
    expect(gone).toEqual(['unmap']);
    expect(process.space.swbps.size).toBe(0);
  });

  test('T58 a page that loses its private copy keeps its probes', () => {
    const host = new FakeHost();
    const process = host.spawn(LOOP);
    const u = probe(process, TEXT);
    host.engine.register(host.root, u);
    host.rewrite(process, TEXT, LOOP);
    host.run(process.leader);
    expect(u.hits).toHaveLength(1);
  });

  test('T59 a hit whose breakpoint has gone meanwhile starts again', () => {
    const host = new FakeHost();
    const process = host.spawn(LOOP);
    const u = probe(process, TEXT);
    host.engine.register(host.root, u);
    host.engine.unregister(u);
    expect(host.engine.breakpoint(process.leader)).toBe('resume');
    expect([process.leader.ip, host.engine.statistics.stale]).toEqual([TEXT, 1]);
  });
});

describe('what hits cost', () => {
  test('the mean of one hit in 64', () => {
    const host = new FakeHost();
    const process = host.spawn(LOOP);
    const takes = new Map([
      [1, 300],
      [65, 100],
    ]);
    const u = probe(process, TEXT, () => {
      host.clock.pass(takes.get(u.hits.length) ?? 1);
      return 'continue';
    });
    host.engine.register(host.root, u);
    const cost = (): number | undefined => host.engine.report().probepoints[0]?.cost;
    expect(cost()).toBeUndefined();
    while (u.hits.length < 64) host.run(process.leader);
    expect(cost()).toBe(300);
    while (u.hits.length < 100) host.run(process.leader);
    expect(cost()).toBe(200);
  });

  test('a handler that sleeps costs what it takes to begin, and is told of once after ten seconds', async () => {
    const host = new FakeHost();
    const warn = vi.spyOn(log, 'warn').mockImplementation(() => {});
    try {
      const process = host.spawn(LOOP);
      const { handler, wake } = sleeper();
      host.engine.register(host.root, probe(process, TEXT, handler));
      host.run(process.leader);
      host.clock.pass(9e9);
      expect(warn).not.toHaveBeenCalled();
      host.clock.pass(2e9);
      host.clock.pass(20e9);
      expect(warn).toHaveBeenCalledTimes(1);
      expect(warn.mock.calls[0]?.[0]).toMatchObject({ tid: process.leader.tid, address: '0x401000', seconds: 11 });
      wake();
      await settled();
      expect(host.engine.report()).toMatchObject({ statistics: { slept: 31e9 }, probepoints: [{ cost: 0 }] });
    } finally {
      warn.mockRestore();
    }
  });

  test('a thread that comes back from a handler that slept is no hit of its own', async () => {
    const host = new FakeHost();
    const process = host.spawn(LOOP);
    const { handler, wake } = sleeper();
    host.engine.register(
      host.root,
      probe(process, TEXT, (hit) => {
        host.clock.pass(100);
        return handler(hit);
      }),
    );
    host.run(process.leader);
    wake();
    await settled();
    host.run(process.leader);
    expect(host.engine.report().probepoints[0]?.cost).toBe(100);
  });

  test('nobody is warned of a handler whose thread has gone', async () => {
    const host = new FakeHost();
    const warn = vi.spyOn(log, 'warn').mockImplementation(() => {});
    try {
      const process = host.spawn(LOOP);
      const { handler, wake } = sleeper();
      host.engine.register(host.root, probe(process, TEXT, handler));
      host.run(process.leader);
      host.clock.pass(4e9);
      host.exitThread(process.leader);
      host.clock.pass(20e9);
      expect(warn).not.toHaveBeenCalled();
      expect(host.engine.statistics.slept).toBe(4e9);
      wake();
      await settled();
      expect(host.engine.statistics.slept).toBe(4e9);
    } finally {
      warn.mockRestore();
    }
  });
});

test('what happened at a place is told when its probe has gone, and goes on when it comes back', () => {
  const host = new FakeHost();
  const process = host.spawn(LOOP);
  const u = probe(process, TEXT);
  host.engine.register(host.root, u);
  host.runTo(process.leader, TEXT + 3);
  host.engine.unregister(u);
  expect(host.engine.report()).toMatchObject({ probepoints: [], gone: [{ address: TEXT, hits: 1, insn: 'inc %rax' }] });
  host.engine.register(host.root, u);
  host.run(process.leader, 3);
  expect(host.engine.report()).toMatchObject({ probepoints: [{ address: TEXT, hits: 2 }], gone: [] });
});

describe('signals and death', () => {
  test('T24 a step in the background ends before anything else happens to the thread', () => {
    const host = new FakeHost({ methods: new Set(['xol']) });
    const process = host.spawn(LOOP);
    const u = probe(process, TEXT);
    host.engine.register(host.root, u);
    host.background = true;
    expect(host.run(process.leader)).toBe('parked');
    expect(process.leader.parked).toBe(1); // signals and stops wait
    expect(host.finishStep(process.leader)).toBe('fuel');
    expect([process.leader.ip, u.hits.length]).toEqual([TEXT + 3, 1]);
  });

  test('T24 a signal handler between a sleeping handler and the instruction may hit probes itself', async () => {
    const host = new FakeHost();
    const process = host.spawn(LOOP);
    const { leader } = process;
    const { handler, wake, calls } = sleeper();
    host.engine.register(host.root, { pid: process.pid, vaddr: TEXT, handler });
    host.run(leader);
    wake();
    await settled();
    const saved = [...leader.gprs];
    leader.writeGpr(GPR.RSP, BigInt(leader.sp - 0x100)); // the frame of a signal handler
    expect(host.run(leader)).toBe('parked'); // which hits the same probe
    wake();
    await settled();
    host.runTo(leader, TEXT + 3);
    leader.gprs.set(saved);
    leader.ip = TEXT; // sigreturn
    host.runTo(leader, TEXT + 3);
    expect(calls).toHaveLength(2);
  });

  test.each(['parked', 'slotWait', 'sstep', 'inline'])(
    'T25 a thread killed while %s leaves nothing behind',
    async (state) => {
      const host = new FakeHost({
        methods: new Set([state === 'inline' ? 'inline' : 'xol']),
        slots: 1,
      });
      const process = host.spawn(LOOP);
      const { handler, wake } = sleeper();
      const victim = host.clone(process.leader);
      host.background = true;
      const u = {
        pid: process.pid as number,
        vaddr: TEXT,
        handler: state === 'parked' ? handler : () => 'continue' as const,
      };
      host.engine.register(host.root, u);
      if (state === 'slotWait') host.run(process.leader);
      expect(host.run(victim)).toBe('parked');
      host.exitThread(victim);
      expect(victim.ip).toBe(TEXT); // what its core shows
      wake();
      await settled();
      host.engine.checkInvariants();
      if (state === 'slotWait') host.finishStep(process.leader);
      expect(host.engine.report()).toMatchObject({ slotsUsed: 0, waiting: 0 });
      expect(process.space.frozenBy).toBeUndefined();
      expect(process.space.swbps).toContain(TEXT);
    },
  );

  test('T26 with one slot three threads step in the order in which they came, and a killed waiter blocks nobody', () => {
    const host = new FakeHost({ methods: new Set(['xol']), slots: 1 });
    const process = host.spawn(LOOP);
    const u = probe(process, TEXT);
    host.engine.register(host.root, u);
    host.background = true;
    const threads = [process.leader, ...[1, 2, 3].map(() => host.clone(process.leader))];
    for (const thread of threads) expect(host.run(thread)).toBe('parked');
    expect(host.engine.report()).toMatchObject({ waiting: 3, slotsUsed: 1, slotsFree: 0 });
    const [first, second, third, fourth] = threads as [typeof process.leader, ...typeof threads];
    host.exitThread(third as typeof first);
    host.finishStep(first);
    expect([second?.parked, fourth?.parked]).toEqual([0, 1]);
    expect(host.run(second as typeof first)).toBe('parked'); // in the slot that was handed to it
    host.finishStep(second as typeof first);
    host.run(fourth as typeof first);
    host.finishStep(fourth as typeof first);
    expect(threads.map(({ ip }) => ip)).toEqual([TEXT + 3, TEXT + 3, TEXT, TEXT + 3]);
    expect(u.hits).toHaveLength(4);
    expect(host.engine.statistics.slotWaits).toBe(3);
  });

  test('T57 a stop request during a step finds a program address', () => {
    const host = new FakeHost({ methods: new Set(['xol']) });
    const process = host.spawn(LOOP);
    host.engine.register(host.root, probe(process, TEXT));
    host.background = true;
    host.run(process.leader);
    host.finishStep(process.leader);
    expect(process.space.inXolHole(process.leader.ip)).toBe(false);
  });
});

describe("the debugger's breakpoints", () => {
  test('T54 a false condition costs nothing but its evaluation', () => {
    const host = new FakeHost();
    host.check = false;
    const process = host.spawn(LOOP);
    stop(host, process, TEXT, NEVER);
    expect(host.run(process.leader, 30_000)).toBe('fuel');
    expect(host.engine.statistics.conditionsFalse).toBeGreaterThan(5000);
  });

  test('one that waits is in force whenever something is mapped there', () => {
    const host = new FakeHost();
    const process = host.spawn(LOOP);
    const later = TEXT + 0x10_0000;
    const request = { process, address: later, conditions: [], commands: [] };
    expect(host.engine.setBreakpoint(request)).toMatchObject({ name: 'EIO' });
    const set = host.engine.setBreakpoint({ ...request, waits: true });
    if (isProbeError(set)) throw new Error(set.reason);
    for (let i = 0; i < 2; i++) {
      const mapping = host.map(process, later, hexBytes('90 90'));
      process.leader.ip = later;
      expect(host.run(process.leader)).toBe('stop');
      process.leader.ip = TEXT;
      host.unmap(process, mapping);
    }
    host.engine.clearBreakpoint(set);
    host.map(process, later, hexBytes('90 90'));
    process.leader.ip = later;
    expect(host.run(process.leader)).toBe('fuel');
  });

  test('one that waits is forgotten when its program is', () => {
    const host = new FakeHost();
    const process = host.spawn(LOOP);
    const request = { process, address: TEXT + 0x10_0000, conditions: [], commands: [], waits: true };
    host.engine.setBreakpoint(request);
    host.exec(process.leader, LOOP);
    host.map(process, request.address, hexBytes('90'));
    expect(host.engine.report().probepoints).toEqual([]);
  });

  test('a condition stops when it holds, and the thread stands at the breakpoint with nothing done', () => {
    const host = new FakeHost();
    const process = host.spawn(LOOP);
    stop(host, process, TEXT, RAX_IS_5);
    expect(host.run(process.leader, 100)).toBe('stop');
    expect([process.leader.ip, process.leader.readGpr(GPR.RAX)]).toEqual([TEXT, 5n]);
  });

  test('a condition that cannot be evaluated stops', () => {
    const host = new FakeHost();
    const process = host.spawn(LOOP);
    stop(host, process, TEXT, UNREADABLE);
    expect(host.run(process.leader)).toBe('stop');
    expect(host.engine.statistics.conditionErrors).toBe(1);
  });

  test('commands run instead of a stop', () => {
    const host = new FakeHost();
    const process = host.spawn(LOOP);
    const text = Buffer.from('rax %d\0');
    const command = program(`260000 2200 2200 34 01 0007 ${text.toString('hex')} 27`);
    host.engine.setBreakpoint({ process, address: TEXT, conditions: [], commands: [command] });
    expect(host.run(process.leader, 8)).toBe('fuel');
    expect(process.leader.printed.slice(0, 2)).toEqual(['rax 0', 'rax 1']);
  });

  test('a tracepoint collects before handlers run, and the debugger stops last', () => {
    const host = new FakeHost();
    const process = host.spawn(LOOP);
    const order: string[] = [];
    stop(host, process, TEXT);
    host.engine.register(
      host.root,
      probe(process, TEXT, () => {
        order.push('handler');
        return 'continue';
      }),
    );
    host.engine.setCollector({
      process,
      address: TEXT,
      collect: () => {
        order.push('collect');
        return 'continue';
      },
    });
    expect(host.run(process.leader)).toBe('stop');
    expect(order).toEqual(['collect', 'handler']);
  });

  test('T54a continuing from a breakpoint that is in place stops there again; a step makes progress', () => {
    const host = new FakeHost();
    const process = host.spawn(LOOP);
    const { leader } = process;
    stop(host, process, TEXT);
    expect(host.run(leader)).toBe('stop');
    const before = [...leader.gprs];
    for (let i = 0; i < 6; i++) {
      host.engine.resumed(leader, 'continue');
      expect(host.run(leader)).toBe('stop');
    }
    expect([leader.ip, [...leader.gprs], host.engine.statistics.hits]).toEqual([TEXT, before, 7]);
    host.engine.resumed(leader, 'step');
    leader.stepping = true;
    expect(host.run(leader)).toBe('fuel');
    expect([leader.ip, leader.readGpr(GPR.RAX)]).toEqual([TEXT + 3, 1n]);
  });

  test('T55 withdraw, step, insert, continue: one hit, one execution', () => {
    const host = new FakeHost();
    const process = host.spawn(LOOP);
    const { leader } = process;
    const u = probe(process, TEXT);
    host.engine.register(host.root, u);
    const set = stop(host, process, TEXT);
    expect(host.run(leader)).toBe('stop');
    host.engine.clearBreakpoint(set);
    host.engine.resumed(leader, 'step');
    leader.stepping = true;
    host.run(leader);
    leader.stepping = false;
    stop(host, process, TEXT);
    host.engine.resumed(leader, 'continue');
    expect([leader.readGpr(GPR.RAX), u.hits.length, host.engine.statistics.hits]).toEqual([1n, 1, 1]);
    expect(host.run(leader, 5)).toBe('stop');
    expect(u.hits).toHaveLength(2);
  });

  test('a step onto a breakpoint does not run it', () => {
    const host = new FakeHost();
    const process = host.spawn('90 90');
    const u = probe(process, TEXT + 1);
    host.engine.register(host.root, u);
    host.run(process.leader);
    expect(u.hits).toHaveLength(0);
  });

  test('a stop of a handler comes when it has resolved, once', async () => {
    const host = new FakeHost();
    const process = host.spawn(LOOP);
    const { handler, wake } = sleeper();
    host.engine.register(host.root, { pid: process.pid, vaddr: TEXT, handler });
    host.run(process.leader);
    wake('stop');
    await settled();
    expect(host.run(process.leader)).toBe('stop');
    host.engine.resumed(process.leader, 'continue');
    expect(host.runTo(process.leader, TEXT + 3)).toBe('fuel');
  });

  test("a breakpoint on the program's own int3 stops, and stands for it", () => {
    const host = new FakeHost();
    const process = host.spawn('cc 90');
    stop(host, process, TEXT);
    expect(host.run(process.leader)).toBe('stop');
    host.engine.resumed(process.leader, 'step');
    expect(host.run(process.leader)).toBe('passed');
    expect(process.leader.ip).toBe(TEXT);
  });

  test("one that does not stop takes the place of the program's own int3", () => {
    const host = new FakeHost();
    const process = host.spawn('cc 90');
    const set = stop(host, process, TEXT, NEVER);
    expect(host.run(process.leader)).toBe('passed');
    host.engine.clearBreakpoint(set);
    expect(host.run(process.leader)).toBe('program');
  });

  test('resumed at what cannot be executed, the thread gets the fault of the place', () => {
    const host = new FakeHost();
    const process = host.spawn('90');
    const set = stop(host, process, STACK);
    process.leader.ip = STACK;
    expect(host.run(process.leader)).toBe('stop');
    host.engine.resumed(process.leader, 'step');
    expect(host.run(process.leader)).toBe('fault');
    expect(host.end).toMatchObject({ fault: { signal: 11, address: STACK } });
    host.engine.clearBreakpoint(set);
    host.engine.clearBreakpoint(set);
    expect(process.space.swbps.size).toBe(0);
  });

  test('T56 the debugger reads original bytes, and what it writes is probed', () => {
    const host = new FakeHost();
    const process = host.spawn('48ffc0 90');
    stop(host, process, TEXT, NEVER);
    const bytes = new Uint8Array(3);
    process.space.read(TEXT, bytes);
    expect(Buffer.from(bytes).toString('hex')).toBe('48ffc0');
    host.rewrite(process, TEXT, '48ffc3');
    host.runTo(process.leader, TEXT + 3);
    expect([process.leader.readGpr(GPR.RBX), host.engine.statistics.hits]).toEqual([1n, 1]);
  });
});

test('T60 a thousand registrations with four threads in the loop leak nothing', async () => {
  const host = new FakeHost();
  host.check = false;
  const process = host.spawn('48ffc0 48ffc3 ebf8');
  const threads = [process.leader, ...[1, 2, 3].map(() => host.clone(process.leader))];
  const { handler, wake } = sleeper();
  for (let i = 0; i < 1000; i++) {
    const vaddr = TEXT + (i % 2) * 3;
    const u = i % 5 === 0 ? { pid: process.pid as number, vaddr, handler } : probe(process, vaddr);
    host.engine.register(host.root, u);
    for (const thread of threads) host.run(thread, 1 + (i % 7));
    host.engine.unregister(u);
    if (i % 3 === 0) {
      for (let n = 0; n < threads.length; n++) wake();
      await settled();
    }
    host.engine.checkInvariants();
  }
  for (let n = 0; n < 4000; n++) wake();
  await settled();
  for (const thread of threads) host.run(thread, 10);
  for (const thread of threads) {
    const difference = thread.readGpr(GPR.RAX) - thread.readGpr(GPR.RBX);
    expect(difference === 0n || difference === 1n).toBe(true);
  }
  expect(process.space.swbps.size).toBe(0);
  expect(host.engine.report()).toMatchObject({ probepoints: [], slotsUsed: 0, waiting: 0 });
  const seen: Hit[] = [];
  host.engine.register(
    host.root,
    probe(process, TEXT, (hit) => {
      seen.push(hit);
      return 'continue';
    }),
  );
  host.run(process.leader, 10);
  expect(seen.length).toBeGreaterThan(0);
  expect(seen[0]?.read(BigInt(DATA), 4)).toHaveLength(4);
});
