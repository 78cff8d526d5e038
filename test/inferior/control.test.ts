import { describe, expect, test } from 'vitest';
import { parseAgentExpression } from '../../src/agent-expression/program.js';
import type { StopEvent } from '../../src/rsp/stop-event.js';
import type { ThreadId } from '../../src/rsp/thread-id.js';
import type { Pid, Tid } from '../../src/types.js';
import { type Program, ScriptedSpace, sys, work } from '../emulator/kernel/scripted.js';
import { breakpoint, debug } from './debugger.js';

const NR = {
  sigaction: 13, getpid: 39, nanosleep: 35, clone: 56, fork: 57, vfork: 58, execve: 59, exit: 60, wait4: 61, kill: 62, gettid: 186, exitGroup: 231, tgkill: 234,
} as const; // biome-ignore format: a table
const SIG = { INT: 2, TRAP: 5, USR1: 10, SEGV: 11, CHLD: 17 } as const;
const SI_TKILL = -6;
const AT = 0x1_8000;
const CODE = 0x40_0000;
const THREAD_FLAGS = 0x5_0f00;

function program(hex: string) {
  const parsed = parseAgentExpression(Buffer.from(hex, 'hex'));
  if ('invalid' in parsed) throw new Error(parsed.invalid);
  return parsed;
}

/** `int3` at CODE + 10, in a loop of so many turns, then the end. */
function loop(turns: number): Program {
  return function* () {
    yield work(10);
    for (let i = 0; i < turns; i++) {
      yield { int3: true };
      yield work(1);
    }
    yield sys(NR.exitGroup, 3);
  };
}

describe('one thread', () => {
  test('steps instruction by instruction, and ends with a report that nobody has to fetch', () => {
    const { step, continue: go, pc, inferior, main } = debug(loop(0));
    expect(step()).toEqual({ kind: 'stepped', thread: main });
    expect(pc()).toBe(CODE + 1);
    expect(step()).toEqual({ kind: 'stepped', thread: main });
    expect(go()).toEqual({ kind: 'exited', pid: main.pid, code: 3 });
    expect([inferior.processes(), inferior.threads()]).toEqual([[], []]);
  });

  test('a breakpoint stops on its address, again at once when it is continued, and lets a step pass', () => {
    const { inferior, main, continue: go, step, pc } = debug(loop(1));
    inferior.breakpoints.insert(breakpoint(main.pid, CODE + 10));
    for (let i = 0; i < 3; i++) {
      expect(go()).toEqual({ kind: 'breakpoint', thread: main, hardware: false });
      expect(pc()).toBe(CODE + 10);
    }
    expect(step()).toEqual({ kind: 'stepped', thread: main });
    expect(pc()).toBe(CODE + 11);
    expect(go()).toMatchObject({ kind: 'exited' });
  });

  test('a removed breakpoint is gone, a hardware one is called so', () => {
    const { inferior, main, continue: go } = debug(loop(1));
    const one = breakpoint(main.pid, CODE + 10);
    inferior.breakpoints.insert(one);
    inferior.breakpoints.insert({ ...one, kind: 'hardware' });
    inferior.breakpoints.remove(one);
    expect(go()).toMatchObject({ kind: 'breakpoint', hardware: true });
    inferior.breakpoints.remove({ ...one, kind: 'hardware' });
    expect(go()).toMatchObject({ kind: 'exited' });
  });

  test('removing one whose memory is gone is told, once', () => {
    const { inferior, main } = debug(loop(1));
    const [mapped, unmapped] = [breakpoint(main.pid, ScriptedSpace.BASE), breakpoint(main.pid, CODE + 10)];
    inferior.breakpoints.insert(mapped);
    inferior.breakpoints.insert(unmapped);
    expect(inferior.breakpoints.remove(mapped)).toBeUndefined();
    expect(inferior.breakpoints.remove(unmapped)).toMatchObject({ errno: 14 });
    expect(inferior.breakpoints.remove(unmapped)).toBeUndefined();
  });

  test('a condition that is false lets it go on, one that cannot be evaluated stops it', () => {
    const { inferior, main, continue: go } = debug(loop(2));
    const at = breakpoint(main.pid, CODE + 10);
    inferior.breakpoints.insert({ ...at, conditions: [program('220027')] });
    inferior.breakpoints.insert({ ...at, address: at.address + 2n, conditions: [program('22001727')] });
    expect(go()).toMatchObject({ kind: 'breakpoint' });
    expect(inferior.breakpoints.insert({ ...at, address: 1n << 63n })).toMatchObject({ errno: 14 });
  });

  test('a range step reports what happens inside, and the end', () => {
    const { inferior, main, go, pc } = debug(loop(1));
    const range = { kind: 'range', thread: main, start: BigInt(CODE), end: BigInt(CODE + 12) } as const;
    inferior.breakpoints.insert(breakpoint(main.pid, CODE + 10));
    expect(go(range)).toMatchObject({ kind: 'breakpoint' });
    expect(go(range)).toMatchObject({ kind: 'stepped' });
    expect(pc()).toBe(CODE + 12);
  });
});

describe('signals', () => {
  function signalled(signal: number): Program {
    return function* () {
      const pid = yield sys(NR.getpid);
      yield sys(NR.kill, pid, signal);
      yield work(5);
      yield sys(NR.exitGroup, 0);
    };
  }

  test('stop the program, and reach it only if the client says so', () => {
    const { continue: go, main } = debug(signalled(SIG.USR1));
    expect(go()).toEqual({ kind: 'signal', thread: main, signal: SIG.USR1 });
    expect(go()).toMatchObject({ kind: 'exited', code: 0 });
    const other = debug(signalled(SIG.USR1));
    other.continue();
    expect(other.continue(SIG.USR1)).toEqual({ kind: 'killed', pid: other.main.pid, signal: SIG.USR1 });
  });

  test('that are passed do not stop it, unless it steps', () => {
    const { continue: go, inferior } = debug(signalled(SIG.CHLD));
    inferior.signals.pass(new Set([SIG.CHLD]));
    expect(go()).toMatchObject({ kind: 'exited' });
    const other = debug(signalled(SIG.CHLD));
    other.inferior.signals.pass(new Set([SIG.CHLD]));
    other.step();
    other.step();
    expect(other.step()).toMatchObject({ kind: 'signal', signal: SIG.CHLD });
  });

  test('siginfo is that of the signal, and may be changed', () => {
    const { continue: go, inferior, main } = debug(signalled(SIG.USR1));
    go();
    const info = Buffer.from(inferior.sigInfo.read(main) as Uint8Array);
    expect([info.readInt32LE(0), info.readInt32LE(8), info.readInt32LE(16)]).toEqual([SIG.USR1, 0, main.pid]);
    inferior.sigInfo.write(main, 16, Buffer.from([7, 0, 0, 0]));
    expect(Buffer.from(inferior.sigInfo.read(main) as Uint8Array).readInt32LE(16)).toBe(7);
    expect(inferior.sigInfo.write(main, 126, Buffer.alloc(3))).toMatchObject({ errno: 22 });
  });

  test.each([
    { name: 'a breakpoint', code: 0x80, stop: (d: ReturnType<typeof debug>) => d.continue() },
    { name: 'a step', code: 2, stop: (d: ReturnType<typeof debug>) => d.step() },
  ])('siginfo after $name says what the kernel would', ({ code, stop }) => {
    const debugged = debug(loop(1));
    debugged.inferior.breakpoints.insert(breakpoint(debugged.main.pid, CODE + 10));
    stop(debugged);
    const info = Buffer.from(debugged.inferior.sigInfo.read(debugged.main) as Uint8Array);
    expect([info.readInt32LE(0), info.readInt32LE(8)]).toEqual([SIG.TRAP, code]);
  });

  test('a process that is let go keeps its signal if the client lets it have such', () => {
    const detached = (wanted: readonly number[]) => {
      const { continue: go, inferior, main, guest, lines } = debug(signalled(SIG.USR1));
      go();
      inferior.signals.program(new Set(wanted));
      inferior.detach(main.pid);
      expect(lines).toContain(`Detaching from process ${main.pid}`);
      expect(inferior.run(1000).kind).toBe('exited');
      return guest.process.status;
    };
    expect(detached([SIG.USR1])).toMatchObject({ kind: 'killed', signal: SIG.USR1 });
    expect(detached([])).toMatchObject({ kind: 'exited', code: 0 });
  });
});

test('a step into a handler takes no signal: there is none that it could replace', () => {
  const debugged = debug(function* () {
    yield sys(NR.sigaction, SIG.USR1, act, 0, 8);
    const pid = yield sys(NR.getpid);
    yield sys(NR.kill, pid, SIG.USR1);
    yield sys(NR.exitGroup, 0);
  });
  let entered = 0;
  const act = debugged.guest.action(function* () {
    entered++;
    yield work(3);
  });
  const { continue: go, go: resume, main } = debugged;
  go();
  expect(resume({ kind: 'step', thread: main, signal: SIG.USR1 })).toMatchObject({ kind: 'stepped' });
  expect(go(SIG.USR1)).toMatchObject({ kind: 'exited', code: 0 });
  expect(entered).toBe(1);
});

describe('Ctrl-C', () => {
  test('stops a thread that never ends, as if SIGINT had come', () => {
    const { inferior, main, go } = debug(function* () {
      yield work(1_000_000_000);
    });
    inferior.resume([{ kind: 'continue', thread: main, signal: 0 }]);
    inferior.run(1000);
    inferior.interrupt();
    inferior.run(1000);
    expect(inferior.nextReport()).toEqual({ kind: 'interrupted', thread: main });
    const info = Buffer.from(inferior.sigInfo.read(main) as Uint8Array);
    expect([info.readInt32LE(0), info.readInt32LE(8)]).toEqual([SIG.INT, 0]);
    expect(go({ kind: 'continue', thread: main, signal: SIG.INT })).toMatchObject({ kind: 'killed', signal: SIG.INT });
  });

  test('stops one that sleeps, and its time stands still', () => {
    const { inferior, main, guest } = debug(function* () {
      yield sys(NR.nanosleep, AT, 0);
      yield sys(NR.exitGroup, 0);
    });
    guest.words(AT, 5, 0);
    inferior.resume([{ kind: 'continue', thread: main, signal: 0 }]);
    expect(inferior.run(1000).kind).toBe('idle');
    inferior.interrupt();
    expect(inferior.run(1000).kind).toBe('report');
    expect(inferior.nextReport()).toMatchObject({ kind: 'interrupted' });
    expect(inferior.run(1000)).toEqual({ kind: 'held' });
  });

  test('is nothing when nobody runs, or when there is a stop to tell already', () => {
    const { inferior, main, continue: go } = debug(loop(1));
    inferior.breakpoints.insert(breakpoint(main.pid, CODE + 10));
    inferior.interrupt();
    inferior.resume([{ kind: 'step', thread: main, signal: 0 }]);
    inferior.run(1000);
    inferior.interrupt();
    expect(inferior.nextReport()).toMatchObject({ kind: 'stepped' });
    expect(go()).toMatchObject({ kind: 'breakpoint' });
  });

  test('does not change whose turn it is', () => {
    const ran = (breaks: number): string => {
      const { guest, inferior, main, step } = debug(two(60, 60), { sliceLength: 25 });
      step();
      for (let i = 0; i < breaks; i++) {
        const all = inferior.threads().map(({ pid, tid }) => ({ pid, tid }));
        inferior.resume(all.map((thread) => ({ kind: 'continue', thread, signal: 0 })));
        inferior.run(7);
        inferior.interrupt();
        expect(inferior.nextReport()).toEqual({ kind: 'interrupted', thread: main });
      }
      inferior.detach(main.pid);
      while (inferior.run(1000).kind !== 'exited');
      // Work of one thread in a row may be in pieces.
      return guest.execution.trace.join(' ').replace(/([A-Z])(\d+)(?: \1(\d+))+/g, (pieces, name: string) => {
        const sum = [...pieces.matchAll(/\d+/g)].reduce((total, [count]) => total + Number(count), 0);
        return `${name}${sum}`;
      });
    };
    expect(ran(5)).toBe(ran(0));
  });
});

/** Main clones a thread, both work for long. */
function two(own: number, other: number): Program {
  return function* () {
    yield {
      call: NR.clone,
      args: [THREAD_FLAGS, 0x2_8000],
      child: function* () {
        yield work(other);
        yield sys(NR.exit, 9);
      },
    };
    yield work(own);
    yield sys(NR.exitGroup, 0);
  };
}

describe('a process that clone made with another exit signal than SIGCHLD is a thread of its parent', () => {
  /** The parent waits for it; its own code begins at the next page. */
  const withMember = (flags: number): Program =>
    function* () {
      const pid = yield {
        call: NR.clone,
        args: [flags, 0x2_8000],
        child: function* () {
          yield work(3);
          yield { int3: true };
          yield sys(NR.kill, yield sys(NR.getpid), SIG.USR1);
          yield sys(NR.exitGroup, 5);
        },
      };
      yield sys(NR.wait4, pid, 0, __WALL, 0);
      yield sys(NR.exitGroup, 0);
    };
  const __WALL = 0x4000_0000;
  const CLONE_VM = 0x100;

  test.each([CLONE_VM, 0])('flags %i: it stops at breakpoints and for signals under the parent’s pid', (flags) => {
    const { inferior, main, continue: go, guest } = debug(withMember(flags));
    inferior.events.report(new Set(['fork']));
    inferior.breakpoints.insert(breakpoint(main.pid, CODE + 0x1_0003));
    const member = { pid: main.pid, tid: (main.tid + 1) as Tid };
    expect(go()).toEqual({ kind: 'breakpoint', thread: member, hardware: false });
    expect(inferior.threads().map(({ tid, name }) => [tid, name])).toEqual([
      [main.tid, 'scripted'],
      [member.tid, undefined],
    ]);
    expect(inferior.processes()).toEqual([{ pid: main.pid, attached: false }]);
    inferior.breakpoints.remove(breakpoint(main.pid, CODE + 0x1_0003));
    expect(go()).toEqual({ kind: 'signal', thread: member, signal: SIG.USR1 });
    expect(go()).toEqual({ kind: 'exited', pid: main.pid, code: 0 });
    expect(guest.machine.processes.has(member.tid as number as Pid)).toBe(false);
  });

  test('its birth and end are told like a thread’s, and it ends with its owner', () => {
    const { inferior, main, continue: go } = debug(withMember(0));
    inferior.events.report(new Set(['threads']));
    const member = { pid: main.pid, tid: (main.tid + 1) as Tid };
    expect(go()).toEqual({ kind: 'thread-created', thread: member });
    expect(go()).toMatchObject({ kind: 'signal', thread: member, signal: SIG.USR1 });
    expect(go()).toEqual({ kind: 'thread-exited', thread: member, code: 5 });
    const other = debug(withMember(0));
    other.inferior.events.report(new Set(['threads']));
    other.continue();
    other.inferior.kill(other.main.pid);
    expect(other.inferior.run(1000).kind).toBe('exited');
  });
});

describe('several threads', () => {
  test('stop together, and one can be moved alone', () => {
    const { inferior, step, go, pc, main } = debug(two(100_000, 100_000), { sliceLength: 10 });
    step();
    const [, other] = inferior.threads();
    if (other === undefined) throw new Error('no second thread');
    const before = pc(other);
    expect(step()).toMatchObject({ kind: 'stepped', thread: main });
    expect(pc(other)).toBe(before);
    expect(go({ kind: 'step', thread: other, signal: 0 })).toMatchObject({ thread: { tid: other.tid } });
    go({ kind: 'step', thread: main, signal: 0 }, { kind: 'continue', thread: other, signal: 0 });
    expect(pc(other)).toBeGreaterThan(before + 1);
  });

  test('of two that stopped, the second keeps its siginfo until it is told, and the first its new signal', () => {
    const signalled: Program = function* () {
      yield sys(NR.tgkill, yield sys(NR.getpid), yield sys(NR.gettid), SIG.TRAP);
      yield work(10);
    };
    const {
      inferior,
      main,
      continue: go,
      go: resume,
      pc,
    } = debug(function* () {
      yield { call: NR.clone, args: [THREAD_FLAGS, 0x2_8000], child: signalled };
      yield* signalled();
      yield sys(NR.exitGroup, 0);
    });
    const stopped = (): unknown => {
      inferior.freezeReports(true);
      inferior.resume(inferior.threads().map((thread) => ({ kind: 'continue', thread, signal: 0 })));
      for (let i = 0; i < 5; i++) inferior.run(1000);
      inferior.freezeReports(false);
      return inferior.nextReport();
    };
    expect(stopped()).toEqual({ kind: 'signal', thread: main, signal: SIG.TRAP });
    const other = inferior.threads()[1] as ThreadId;
    const at = pc();
    // The scheduler is locked: nothing is told of the other.
    expect(resume({ kind: 'step', thread: main, signal: 0 })).toEqual({ kind: 'stepped', thread: main });
    expect(pc()).toBe(at + 1);
    expect(go(SIG.USR1)).toMatchObject({ kind: 'signal', thread: { tid: other.tid }, signal: SIG.TRAP });
    expect(pc()).toBe(at + 1);
    expect(Buffer.from(inferior.sigInfo.read(other) as Uint8Array).readInt32LE(8)).toBe(SI_TKILL);
    expect(go()).toEqual({ kind: 'killed', pid: main.pid, signal: SIG.USR1 });
  });

  test('that begin and end are reported to a client that wants it', () => {
    const { inferior, continue: go, main } = debug(two(100_000, 5));
    inferior.events.report(new Set(['threads']));
    const created = go() as Extract<StopEvent, { kind: 'thread-created' }>;
    expect(created).toMatchObject({ kind: 'thread-created' });
    expect(created.thread.tid).not.toBe(main.tid);
    expect(go()).toEqual({ kind: 'thread-exited', thread: created.thread, code: 9 });
    expect(go()).toMatchObject({ kind: 'exited' });
  });

  test('the end of the only one that runs is told: nothing else would come', () => {
    const { inferior, step, go } = debug(two(100_000, 5));
    inferior.events.report(new Set(['no-resumed']));
    step();
    const [, other] = inferior.threads();
    if (other === undefined) throw new Error('no second thread');
    expect(go({ kind: 'continue', thread: other, signal: 0 })).toEqual({ kind: 'no-resumed' });
    expect(inferior.threads()).toHaveLength(1);
  });
});

describe('non-stop', () => {
  test('each thread stops alone, and stopping is a report', () => {
    const { inferior, step, main, go, pc } = debug(two(100_000, 100_000), { sliceLength: 10 });
    step();
    inferior.nonStop.set(true);
    const [, other] = inferior.threads();
    if (other === undefined) throw new Error('no second thread');
    inferior.resume([{ kind: 'continue', thread: other, signal: 0 }]);
    inferior.run(50);
    expect(go({ kind: 'step', thread: main, signal: 0 })).toEqual({ kind: 'stepped', thread: main });
    const before = pc(other);
    inferior.run(50);
    expect(pc(other)).toBeGreaterThan(before);
    const id = { pid: other.pid, tid: other.tid };
    expect(go({ kind: 'stop', thread: id })).toEqual({ kind: 'paused', thread: id });
    expect(inferior.nonStop.stops()).toEqual([
      { kind: 'stepped', thread: main },
      { kind: 'paused', thread: id },
    ]);
    expect(inferior.run(50)).toEqual({ kind: 'held' });
  });
});

type Fork = Extract<StopEvent, { kind: 'fork' | 'vfork' }>;

describe('processes', () => {
  const child: Program = function* () {
    yield work(5);
    yield sys(NR.exitGroup, 4);
  };
  const forking: Program = function* () {
    yield { call: NR.fork, child };
    yield sys(NR.wait4, -1, 0, 0, 0);
    yield sys(NR.exitGroup, 0);
  };

  test('a forked child is reported, stands still, and has its parent’s breakpoints', () => {
    const { inferior, continue: go, main, probes, go: resume } = debug(forking);
    inferior.signals.pass(new Set([SIG.CHLD]));
    inferior.events.report(new Set(['fork']));
    inferior.breakpoints.insert(breakpoint(main.pid, CODE + 100));
    const fork = go() as Fork;
    expect(fork).toMatchObject({ kind: 'fork', thread: main });
    expect(inferior.processes()).toHaveLength(2);
    expect(probes.stops.map(({ key }) => key)).toContain(`${fork.child.pid} ${CODE + 100}`);
    expect(resume({ kind: 'continue', thread: fork.child, signal: 0 })).toEqual({
      kind: 'exited',
      pid: fork.child.pid,
      code: 4,
    });
    expect(go()).toMatchObject({ kind: 'exited', pid: main.pid });
  });

  test('a child that is let go runs beside its parent, which stands', () => {
    const { inferior, continue: go, guest, main } = debug(forking);
    inferior.events.report(new Set(['fork']));
    const fork = go() as Fork;
    inferior.detach(fork.child.pid);
    expect(inferior.run(100).kind).toBe('idle');
    expect(guest.machine.processes.get(fork.child.pid)?.status).toMatchObject({ code: 4 });
    expect(inferior.processes()).toEqual([{ pid: main.pid, attached: false }]);
    inferior.signals.pass(new Set([SIG.CHLD]));
    expect(go()).toMatchObject({ kind: 'exited', pid: main.pid });
  });

  test('without the client’s wish a child runs unseen', () => {
    const { continue: go, inferior, main } = debug(forking);
    inferior.signals.pass(new Set([SIG.CHLD]));
    expect(go()).toMatchObject({ kind: 'exited', pid: main.pid, code: 0 });
  });

  test('the return of a caught fork is told after the fork itself', () => {
    const { inferior, main, continue: go } = debug(forking);
    inferior.events.report(new Set(['fork']));
    inferior.syscalls.catch(main.pid, new Set([NR.fork]));
    expect(go()).toMatchObject({ kind: 'syscall-entry', number: NR.fork });
    const fork = go() as Fork;
    expect(fork.kind).toBe('fork');
    inferior.detach(fork.child.pid);
    inferior.syscalls.catch(main.pid, new Set());
    inferior.syscalls.catch(main.pid, new Set([NR.fork]));
    expect(go()).toEqual({ kind: 'syscall-return', thread: main, number: NR.fork });
  });

  test('exec drops the breakpoints and is told with the path', () => {
    const next: Program = function* () {
      yield work(20);
      yield sys(NR.exitGroup, 6);
    };
    const {
      inferior,
      continue: go,
      main,
      guest,
      probes,
    } = debug(
      function* () {
        yield sys(NR.execve, AT, 0, 0);
      },
      {},
      { '/bin/next': next },
    );
    guest.text(AT, '/bin/next');
    inferior.events.report(new Set(['exec']));
    inferior.breakpoints.insert(breakpoint(main.pid, CODE + 1));
    expect(go()).toEqual({ kind: 'exec', thread: main, path: '/bin/next' });
    expect(probes.stops).toEqual([]);
    expect(go()).toMatchObject({ kind: 'exited', code: 6 });
  });

  test('one that is killed is gone at once, and nothing is told of it', () => {
    const { inferior, main, guest } = debug(loop(1));
    inferior.kill(main.pid);
    expect(inferior.processes()).toEqual([]);
    expect(guest.process.status).toMatchObject({ kind: 'killed', signal: 9 });
    expect(inferior.nextReport()).toBeUndefined();
    expect(inferior.run(100)).toEqual({ kind: 'exited' });
  });

  test('only living processes of the machine can be attached to', () => {
    const { inferior, main, guest } = debug(loop(1));
    const root = guest.machine.root?.pid ?? main.pid;
    expect(inferior.launcher.attach(main.pid)).toMatchObject({ errno: 16 });
    expect(inferior.launcher.attach(root)).toMatchObject({ errno: 1 });
    expect(inferior.launcher.attach(77 as typeof main.pid)).toMatchObject({ errno: 3 });
  });

  test('caught system calls stop before and behind them', () => {
    const {
      inferior,
      main,
      continue: go,
    } = debug(function* () {
      yield sys(NR.getpid);
      yield sys(NR.exitGroup, 0);
    });
    inferior.syscalls.catch(main.pid, new Set([NR.getpid]));
    expect(go()).toEqual({ kind: 'syscall-entry', thread: main, number: NR.getpid });
    expect(go()).toEqual({ kind: 'syscall-return', thread: main, number: NR.getpid });
    inferior.syscalls.catch(main.pid, new Set());
    expect(go()).toMatchObject({ kind: 'exited' });
  });
});

test('a thread that does not live is nobody', () => {
  const { inferior, main, go } = debug(loop(1));
  const nobody = { pid: main.pid, tid: 4242 as Tid };
  expect(inferior.thread(nobody)).toBeUndefined();
  expect(inferior.sigInfo.read(nobody)).toMatchObject({ errno: 3 });
  go({ kind: 'continue', thread: nobody, signal: 0 });
  expect(inferior.thread(main)).toBeDefined();
});
