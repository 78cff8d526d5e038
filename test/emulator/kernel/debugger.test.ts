import { describe, expect, test } from 'vitest';
import { SYSCALL_NS } from '../../../src/emulator/clock.js';
import { type MachineHooks, NO_HOOKS, type RunResult, type StopEvent } from '../../../src/emulator/hooks.js';
import type { Machine } from '../../../src/emulator/machine.js';
import { type Program, runAll, type Scripted, scripted, sys, work } from './scripted.js';

const NR = {
  sigaction: 13,
  pause: 34,
  nanosleep: 35,
  getpid: 39,
  clone: 56,
  fork: 57,
  vfork: 58,
  exit: 60,
  wait4: 61,
  kill: 62,
  futex: 202,
  exitGroup: 231,
} as const;
const SIG = { TRAP: 5, USR1: 10, USR2: 12, CHLD: 17 } as const;
const AT = 0x1_8000;

/** A traced process whose hooks stop for everything that may stop. */
function traced(program: Program, hooks: Partial<MachineHooks> = {}, config = {}): Scripted {
  const guest = scripted(program, config);
  guest.process.traced = true;
  guest.machine.hooks = { ...NO_HOOKS, stepped: () => 'stop', signal: () => 'stop', ...hooks };
  return guest;
}

function stopOf(machine: Machine): StopEvent {
  const result: RunResult = machine.run(1_000_000);
  if (result.kind !== 'stop') throw new Error(`ran to ${result.kind}`);
  return result.event;
}

describe('steps', () => {
  test('one instruction each, a syscall counts as one', () => {
    const guest = traced(function* () {
      yield work(2);
      yield sys(NR.getpid);
      yield work(1);
      yield sys(NR.exitGroup, 0);
    });
    const { machine, thread } = guest;
    const places: number[] = [];
    for (let i = 0; i < 4; i++) {
      machine.scheduler.hold(thread);
      machine.scheduler.release(thread, { kind: 'step' });
      expect(stopOf(machine).kind).toBe('stepped');
      places.push(thread.cpu.rip - 0x40_0000);
    }
    expect(places).toEqual([1, 2, 4, 5]);
    expect(machine.clock.retired).toBe(4);
    expect(thread.held).toBe(true);
  });

  test('a range step stops at the first instruction outside', () => {
    const { machine, thread } = traced(function* () {
      yield work(50);
      yield sys(NR.exitGroup, 0);
    });
    machine.scheduler.release(thread, { kind: 'range', start: 0x40_0000, end: 0x40_0014 });
    expect(stopOf(machine)).toMatchObject({ kind: 'stepped' });
    expect(thread.cpu.rip).toBe(0x40_0014);
  });

  test('a step over a syscall that sleeps is complete when it answers', () => {
    const { machine, thread, words } = traced(function* () {
      yield sys(NR.nanosleep, AT, 0);
      yield sys(NR.exitGroup, 0);
    });
    words(AT, 1, 0);
    machine.scheduler.release(thread, { kind: 'step' });
    expect(machine.run(100)).toMatchObject({ kind: 'idle' });
    machine.clock.jumpTo(2e9);
    expect(stopOf(machine)).toMatchObject({ kind: 'stepped' });
    expect(thread.cpu.rip).toBe(0x40_0002);
  });

  test('a delivered signal steps to the first instruction of its handler', () => {
    const guest = traced(function* () {
      yield sys(NR.sigaction, SIG.USR1, act, 0, 8);
      yield work(10);
      yield sys(NR.exitGroup, 0);
    });
    const act = guest.action(function* () {
      yield work(1);
    });
    const { machine, thread } = guest;
    machine.scheduler.release(thread, { kind: 'step' });
    stopOf(machine);
    machine.scheduler.release(thread, { kind: 'step' }, SIG.USR1);
    expect(stopOf(machine)).toMatchObject({ kind: 'stepped' });
    expect(thread.cpu.rip).toBe(0x50_0000);
    expect(machine.clock.retired).toBe(1);
  });
});

describe('signals pass the debugger', () => {
  test.each([
    { name: 'suppressed', deliver: 0, ran: [] },
    { name: 'delivered with its own siginfo', deliver: SIG.USR1, ran: [[SIG.USR1, 1001]] },
    { name: 'replaced by another, which comes from the server', deliver: SIG.USR2, ran: [[SIG.USR2, 1000]] },
  ])('$name', ({ deliver, ran }) => {
    const seen: unknown[] = [];
    const guest = traced(function* () {
      yield sys(NR.sigaction, SIG.USR1, act, 0, 8);
      yield sys(NR.sigaction, SIG.USR2, act, 0, 8);
      yield sys(NR.kill, guest.process.pid, SIG.USR1);
      yield sys(NR.exitGroup, 0);
    });
    const act = guest.action(function* () {
      const { cpu } = guest.thread;
      seen.push([cpu.num(8 * 7), guest.space.readU32(cpu.num(8 * 6) + 16)]);
      yield work(1);
    }, 4);
    const { machine, thread } = guest;
    expect(stopOf(machine)).toMatchObject({ kind: 'signal', info: { signal: SIG.USR1 } });
    expect(seen).toEqual([]);
    machine.scheduler.release(thread, { kind: 'continue' }, deliver);
    expect(machine.run(1000).kind).toBe('exited');
    expect(seen).toEqual(ran);
  });

  test('one that was given and did not arrive before the thread was held again still arrives', () => {
    const { machine, thread, process } = traced(function* () {
      yield sys(NR.kill, process.pid, SIG.USR1);
      yield sys(NR.exitGroup, 0);
    });
    stopOf(machine);
    machine.scheduler.release(thread, { kind: 'continue' }, SIG.USR1);
    machine.scheduler.hold(thread);
    machine.scheduler.release(thread, { kind: 'continue' });
    expect(machine.run(1000).kind).toBe('exited');
    expect(process.status).toEqual({ kind: 'killed', signal: SIG.USR1, core: false });
  });

  test('also those that the program ignores', () => {
    const { machine, process } = traced(function* () {
      yield sys(NR.kill, process.pid, SIG.CHLD);
      yield sys(NR.exitGroup, 0);
    });
    expect(stopOf(machine)).toMatchObject({ kind: 'signal', info: { signal: SIG.CHLD } });
  });

  test('the program its own breakpoint raises SIGTRAP behind it', () => {
    const { machine, thread } = traced(function* () {
      yield { int3: true };
      yield sys(NR.exitGroup, 0);
    });
    expect(stopOf(machine)).toMatchObject({ kind: 'signal', info: { signal: SIG.TRAP, code: 0x80 } });
    expect(thread.cpu.rip).toBe(0x40_0001);
  });
});

test('a step over the program’s own breakpoint ends with its signal, and only once', () => {
  const { machine, thread } = traced(function* () {
    yield { int3: true };
    yield work(5);
    yield sys(NR.exitGroup, 0);
  });
  machine.scheduler.hold(thread);
  machine.scheduler.release(thread, { kind: 'step' });
  expect(stopOf(machine)).toMatchObject({ kind: 'signal', info: { signal: SIG.TRAP } });
  machine.scheduler.release(thread, { kind: 'continue' });
  expect(machine.run(1000).kind).toBe('exited');
});

describe('breakpoints of the engine', () => {
  test('consume nothing: the thread stands on the address, and goes on in the same slice', () => {
    let hits = 0;
    const guest = traced(
      function* () {
        yield { call: NR.clone, args: [0x5_0f00, 0x2_8000], child: other };
        yield work(10);
        yield { int3: true };
        yield work(10);
        yield sys(NR.exitGroup, 0);
      },
      { breakpoint: () => (hits++ === 0 ? 'stop' : 'program'), signal: () => 'suppress' },
      { sliceLength: 15 },
    );
    function* other() {
      yield work(100);
    }
    const { machine, thread, execution } = guest;
    expect(stopOf(machine)).toMatchObject({ kind: 'breakpoint' });
    expect(machine.clock.retired).toBe(11);
    machine.scheduler.release(thread);
    runAll(machine);
    // A: clone and 10, the int3 as the twelfth, 3 more; then B has its turn.
    expect(execution.trace.join(' ')).toBe('A10 A3 B15 A7');
  });

  test('a parked thread lets others run and keeps the rest of its slice', () => {
    let hits = 0;
    const guest = traced(
      function* () {
        yield { call: NR.clone, args: [0x5_0f00, 0x2_8000], child: other };
        yield { int3: true };
        yield work(10);
        yield sys(NR.exitGroup, 0);
      },
      {
        breakpoint: (thread) => {
          if (hits++ > 0) return 'program';
          thread.parked++;
          return 'park';
        },
        signal: () => 'suppress',
      },
      { sliceLength: 6 },
    );
    function* other() {
      yield work(100);
    }
    const { machine, thread, execution } = guest;
    expect(machine.run(13).kind).toBe('limit');
    thread.parked--;
    runAll(machine);
    expect(execution.trace.join(' ')).toBe('B6 B6 A4 B6 A6 B6');
  });

  test('an instruction that the engine executed elsewhere ends as if in place', () => {
    let hits = 0;
    const answers: number[] = [];
    const guest = traced(
      function* () {
        answers.push(yield sys(NR.getpid));
        yield { int3: true };
        yield sys(NR.exitGroup, 0);
      },
      { breakpoint: () => (hits++ === 0 ? { kind: 'fuel' } : 'program'), signal: () => 'suppress' },
    );
    runAll(guest.machine);
    expect(hits).toBe(2);
    expect(guest.machine.clock.retired).toBe(3);
    expect(answers).toEqual([1001]);
  });
});

describe('a debugger and a thread inside a syscall', () => {
  function sleeper() {
    const results: number[] = [];
    const guest = traced(function* () {
      results.push(yield sys(NR.nanosleep, AT, 0));
      yield sys(NR.exitGroup, 0);
    });
    guest.words(AT, 5, 0);
    guest.machine.run(1000);
    guest.machine.requestStop();
    expect(guest.machine.run(1000)).toEqual({ kind: 'stop', event: { kind: 'interrupt' } });
    guest.machine.scheduler.hold(guest.thread);
    return { ...guest, results };
  }

  test('it looks as under ptrace: ip behind, orig_rax the number, rax a restart code', () => {
    const { machine, thread } = sleeper();
    expect(thread.cpu.rip).toBe(0x40_0002);
    expect(machine.abi.syscallNumber(thread.cpu)).toBe(NR.nanosleep);
    expect(machine.abi.result(thread.cpu)).toBe(-516);
  });

  test('it sleeps on when nothing was changed', () => {
    const { machine, thread, results } = sleeper();
    machine.scheduler.release(thread);
    runAll(machine);
    expect(results).toEqual([0]);
    // The slack of timers comes on top.
    expect(machine.clock.monotonic).toBe(5_000_050_001 + 1 + 2 * SYSCALL_NS);
    expect(machine.clock.retired).toBe(2);
  });

  test('a signal that the debugger delivers to a handler interrupts it', () => {
    const guest = traced(function* () {
      yield sys(NR.sigaction, SIG.USR1, act, 0, 8);
      results.push(yield sys(NR.nanosleep, AT, 0));
      yield sys(NR.exitGroup, 0);
    });
    const results: number[] = [];
    const act = guest.action(function* () {
      yield work(1);
    });
    guest.words(AT, 5, 0);
    const { machine, thread } = guest;
    machine.run(1000);
    machine.scheduler.hold(thread);
    machine.scheduler.release(thread, { kind: 'continue' }, SIG.USR1);
    runAll(machine);
    expect(results).toEqual([-4]);
    expect(machine.clock.monotonic).toBeLessThan(1e6);
  });

  test('a function call from the debugger leaves it and the old registers bring it back', () => {
    const { machine, thread, results, execution } = sleeper();
    const old = thread.cpu.bytes(0, 904).slice();
    machine.abi.leaveSyscall(thread.cpu);
    const called = execution.handler(function* () {
      yield work(3);
      yield { int3: true };
    });
    thread.cpu.rip = called;
    machine.scheduler.release(thread);
    expect(stopOf(machine)).toMatchObject({ kind: 'signal', info: { signal: SIG.TRAP } });
    expect(machine.clock.monotonic).toBeLessThan(1e6);
    execution.forget(thread.cpu);
    thread.cpu.bytes(0, 904).set(old);
    machine.scheduler.release(thread);
    runAll(machine);
    expect(results).toEqual([0]);
    expect(machine.clock.monotonic).toBeGreaterThan(5e9);
    expect(machine.clock.monotonic).toBeLessThan(5e9 + 100_000);
  });
});

describe('stop requests', () => {
  test('are honoured at the end of the running slice', () => {
    const { machine } = traced(
      function* () {
        yield work(1000);
        yield sys(NR.exitGroup, 0);
      },
      {},
      { sliceLength: 100 },
    );
    expect(machine.run(30).kind).toBe('limit');
    machine.requestStop();
    expect(machine.run(1000)).toEqual({ kind: 'stop', event: { kind: 'interrupt' } });
    expect(machine.clock.retired).toBe(100);
  });
});

describe('events of life', () => {
  test('fork stops parent and child before either runs on', () => {
    const guest = traced(
      function* () {
        yield { call: NR.fork, child };
        yield sys(NR.wait4, -1, 0, 0, 0);
        yield sys(NR.exitGroup, 0);
      },
      { fork: () => 'stop', signal: () => 'suppress', processExit: () => 'stop' },
    );
    function* child() {
      yield sys(NR.exitGroup, 4);
    }
    const { machine } = guest;
    const event = stopOf(machine);
    if (event.kind !== 'fork') throw new Error(event.kind);
    expect([event.thread.held, event.child.held, event.child.process.parent]).toEqual([true, true, guest.process]);
    machine.scheduler.release(event.child);
    expect(stopOf(machine)).toMatchObject({ kind: 'process-exit', status: { kind: 'exited', code: 4 } });
    machine.scheduler.release(event.thread);
    expect(stopOf(machine)).toMatchObject({ kind: 'process-exit', status: { kind: 'exited', code: 0 } });
    expect(machine.run(1).kind).toBe('exited');
  });

  test('a caught syscall stops before it runs and after it, and may be changed in between', () => {
    const results: number[] = [];
    const guest = traced(
      function* () {
        results.push(yield sys(NR.getpid));
        yield sys(NR.exitGroup, 0);
      },
      {
        catchesSyscall: (_process, nr) => nr !== NR.exitGroup,
        syscallEntry: () => 'stop',
        syscallReturn: () => 'stop',
      },
    );
    const { machine, thread } = guest;
    expect(stopOf(machine)).toMatchObject({ kind: 'syscall-entry', nr: NR.getpid });
    expect(machine.abi.result(thread.cpu)).toBe(-38);
    machine.scheduler.release(thread);
    expect(stopOf(machine)).toMatchObject({ kind: 'syscall-return', nr: NR.getpid });
    machine.scheduler.release(thread);
    expect(machine.run(100).kind).toBe('exited');
    expect(results).toEqual([1001]);
  });

  test('the parent of a vfork waits for its child and says when it goes on', () => {
    const order: string[] = [];
    const guest = traced(
      function* () {
        yield { call: NR.vfork, child };
        order.push('parent');
        yield sys(NR.exitGroup, 0);
      },
      {
        fork: (_parent, _child, how) => {
          order.push(how);
          return 'go';
        },
        vforkDone: () => {
          order.push('done');
          return 'go';
        },
        signal: () => 'deliver',
      },
    );
    function* child() {
      yield work(500);
      order.push('child');
      yield sys(NR.exitGroup, 0);
    }
    runAll(guest.machine);
    expect(order).toEqual(['vfork', 'child', 'done', 'parent']);
  });

  test('a signal to getppid of the first process is told to the server', () => {
    const told: number[] = [];
    const guest = traced(
      function* () {
        const parent = yield sys(110);
        yield sys(NR.kill, parent, 15);
        yield sys(NR.exitGroup, 0);
      },
      { rootSignal: ({ signal }) => void told.push(signal) },
    );
    runAll(guest.machine);
    expect(told).toEqual([15]);
  });
});
