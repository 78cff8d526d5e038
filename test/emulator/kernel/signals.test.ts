import { describe, expect, test } from 'vitest';
import { SYSCALL_NS } from '../../../src/emulator/clock.js';
import type { Program } from './scripted.js';
import { runAll, scripted, sys, work } from './scripted.js';

const NR = {
  sigaction: 13, sigprocmask: 14, pause: 34, nanosleep: 35, alarm: 37, setitimer: 38, getpid: 39, clone: 56, fork: 57, exit: 60, wait4: 61, kill: 62,
  sigpending: 127, sigtimedwait: 128, sigqueueinfo: 129, sigsuspend: 130, sigaltstack: 131, futex: 202, exitGroup: 231, tgkill: 234, waitid: 247, sleep: 230,
} as const; // biome-ignore format: a table
const SIG = { HUP: 1, USR1: 10, SEGV: 11, USR2: 12, ALRM: 14, CHLD: 17, CONT: 18, STOP: 19, TSTP: 20, RT: 40 } as const;
const SA = {
  SIGINFO: 4,
  ONSTACK: 0x0800_0000,
  RESTART: 0x1000_0000,
  NODEFER: 0x4000_0000,
  RESETHAND: 0x8000_0000,
} as const;
const EINTR = -4;
const AT = 0x1_8000;

function bit(signal: number): bigint {
  return 1n << BigInt(signal - 1);
}

/** Runs the program to its end and gives what it collected. */
function collect(make: (guest: ReturnType<typeof scripted>, log: (entry: unknown) => void) => Program) {
  const seen: unknown[] = [];
  const guest: ReturnType<typeof scripted> = scripted(function* () {
    yield* make(guest, (entry) => seen.push(entry))();
  });
  runAll(guest.machine);
  return { seen, guest };
}

describe('handlers', () => {
  test('run at once, see their siginfo, and the program goes on where it was', () => {
    const { seen, guest } = collect((g, log) => {
      const act = g.action(function* () {
        const { cpu } = g.thread;
        const info = cpu.num(8 * 6);
        log(['signal', cpu.num(8 * 7), 'pid', g.space.readU32(info + 16), 'code', g.space.readU32(info + 8)]);
        yield work(3);
      }, SA.SIGINFO);
      return function* () {
        yield sys(NR.sigaction, SIG.USR1, act, 0, 8);
        yield work(5);
        log(yield sys(NR.kill, g.process.pid, SIG.USR1));
        yield work(5);
        yield sys(NR.exitGroup, 7);
      };
    });
    expect(seen).toEqual([['signal', SIG.USR1, 'pid', 1001, 'code', 0], 0]);
    expect(guest.process.status).toEqual({ kind: 'exited', code: 7 });
    // sigaction, 5, kill, 3, sigreturn, 5, exit
    expect(guest.machine.clock.retired).toBe(17);
  });

  test.each([
    { name: 'blocks its own signal and the mask of the action', flags: 0, during: bit(SIG.USR1) | bit(SIG.USR2) },
    { name: 'with SA_NODEFER only the mask of the action', flags: SA.NODEFER, during: bit(SIG.USR2) },
  ])('a handler $name', ({ flags, during }) => {
    const { seen, guest } = collect((g, log) => {
      const act = g.action(
        function* () {
          log(g.thread.signalMask);
          yield work(1);
        },
        flags,
        bit(SIG.USR2),
      );
      return function* () {
        yield sys(NR.sigaction, SIG.USR1, act, 0, 8);
        yield sys(NR.kill, g.process.pid, SIG.USR1);
        log(g.thread.signalMask);
        yield sys(NR.exitGroup, 0);
      };
    });
    expect(seen).toEqual([during, 0n]);
    expect(guest.process.status).toEqual({ kind: 'exited', code: 0 });
  });

  test('with SA_RESETHAND the second signal has its default effect', () => {
    const { guest } = collect((g) => {
      const act = g.action(function* () {
        yield work(1);
      }, SA.RESETHAND);
      return function* () {
        yield sys(NR.sigaction, SIG.USR1, act, 0, 8);
        yield sys(NR.kill, g.process.pid, SIG.USR1);
        yield sys(NR.kill, g.process.pid, SIG.USR1);
        yield sys(NR.exitGroup, 0);
      };
    });
    expect(guest.process.status).toEqual({ kind: 'killed', signal: SIG.USR1, core: false });
  });

  test('SA_ONSTACK puts the frame on the alternate stack, below its top, once', () => {
    const { seen } = collect((g, log) => {
      const base = 0x1_c000;
      const inner = g.action(function* () {
        log(g.thread.cpu.rsp > base && g.thread.cpu.rsp < base + 0x3000);
        yield work(1);
      }, SA.ONSTACK);
      const outer = g.action(function* () {
        const outerFrame = g.thread.cpu.rsp;
        log(outerFrame > base && outerFrame < base + 0x3000);
        log([yield sys(NR.sigaltstack, 0, AT), g.space.readU32(AT + 8)]);
        yield sys(NR.kill, g.process.pid, SIG.USR2);
      }, SA.ONSTACK);
      g.words(AT, base, 0, 0x3000);
      return function* () {
        yield sys(NR.sigaltstack, AT, 0);
        yield sys(NR.sigaction, SIG.USR1, outer, 0, 8);
        yield sys(NR.sigaction, SIG.USR2, inner, 0, 8);
        yield sys(NR.kill, g.process.pid, SIG.USR1);
        log([yield sys(NR.sigaltstack, 0, AT), g.space.readU32(AT + 8)]);
        yield sys(NR.exitGroup, 0);
      };
    });
    // The second entry: inside the handler sigaltstack says SS_ONSTACK.
    expect(seen).toEqual([true, [0, 1], true, [0, 0]]);
  });

  test('a handler without room for its frame ends the program with SIGSEGV', () => {
    const { guest } = collect((g) => {
      const act = g.action(function* () {
        yield work(1);
      });
      return function* () {
        yield sys(NR.sigaction, SIG.USR1, act, 0, 8);
        g.thread.cpu.rsp = 0x1000;
        yield sys(NR.kill, g.process.pid, SIG.USR1);
      };
    });
    expect(guest.process.status).toEqual({ kind: 'killed', signal: SIG.SEGV, core: false });
  });

  test('a fault shows its address, trap number and error code, and the instruction runs again', () => {
    let broken = true;
    const { seen, guest } = collect((g, log) => {
      const act = g.action(function* () {
        const { cpu } = g.thread;
        const context = cpu.num(8 * 2) + 40;
        log(['address', g.space.readU64(cpu.num(8 * 6) + 16)]);
        log([
          'trap',
          g.space.readU64(context + 160),
          'error',
          g.space.readU64(context + 152),
          'cr2',
          g.space.readU64(context + 176),
        ]);
        log(['RF', (g.space.readU64(context + 136) ?? 0) & 0x1_0000]);
        broken = false;
        yield work(1);
      }, SA.SIGINFO);
      return function* () {
        yield sys(NR.sigaction, SIG.SEGV, act, 0, 8);
        yield {
          fault: () =>
            broken ? { signal: SIG.SEGV, code: 1, address: 0x1234, trapNumber: 14, errorCode: 6 } : undefined,
        };
        yield sys(NR.exitGroup, 0);
      };
    });
    expect(seen).toEqual([
      ['address', 0x1234],
      ['trap', 14, 'error', 6, 'cr2', 0x1234],
      ['RF', 0x1_0000],
    ]);
    expect(guest.process.status).toEqual({ kind: 'exited', code: 0 });
  });

  test('a fault whose signal is blocked kills', () => {
    const { guest } = collect((g) => {
      const act = g.action(function* () {
        yield work(1);
      });
      g.words(AT, bit(SIG.SEGV));
      return function* () {
        yield sys(NR.sigaction, SIG.SEGV, act, 0, 8);
        yield sys(NR.sigprocmask, 0, AT, 0, 8);
        yield { fault: () => ({ signal: SIG.SEGV, code: 1, address: 0, trapNumber: 14, errorCode: 4 }) };
      };
    });
    expect(guest.process.status).toEqual({ kind: 'killed', signal: SIG.SEGV, core: false });
  });
});

describe('pending signals', () => {
  test('a standard signal is pending once, real-time signals queue with their values, the lowest number first', () => {
    const { seen } = collect((g, log) => {
      const note = function* () {
        const { cpu } = g.thread;
        const info = cpu.num(8 * 6);
        log([cpu.num(8 * 7), g.space.readU64(info + 24)]);
        yield work(1);
      };
      const all = bit(SIG.USR1) | bit(SIG.USR2) | bit(SIG.RT);
      const act = g.action(note, SA.SIGINFO, all);
      const info = (value: number): void => {
        g.words(AT + 64, 0, 0xffff_ffff, 0, value);
      };
      g.words(AT, all);
      return function* () {
        for (const signal of [SIG.USR1, SIG.USR2, SIG.RT]) yield sys(NR.sigaction, signal, act, 0, 8);
        yield sys(NR.sigprocmask, 0, AT, 0, 8);
        for (const value of [70, 71]) {
          info(value);
          yield sys(NR.sigqueueinfo, g.process.pid, SIG.RT, AT + 64);
        }
        yield sys(NR.kill, g.process.pid, SIG.USR2);
        yield sys(NR.kill, g.process.pid, SIG.USR1);
        yield sys(NR.kill, g.process.pid, SIG.USR1);
        yield sys(NR.sigpending, AT + 8, 8);
        log(['pending', BigInt(g.space.readU64(AT + 8) ?? 0) === all]);
        yield sys(NR.sigprocmask, 1, AT, 0, 8);
        yield sys(NR.exitGroup, 0);
      };
    });
    expect(seen).toEqual([
      ['pending', true],
      [SIG.USR1, 0],
      [SIG.USR2, 0],
      [SIG.RT, 70],
      [SIG.RT, 71],
    ]);
  });

  test('setting a signal to be ignored discards it', () => {
    const { guest } = collect((g) => {
      const ignore = g.action(1);
      const byDefault = g.action(0);
      g.words(AT, bit(SIG.USR1));
      return function* () {
        yield sys(NR.sigprocmask, 0, AT, 0, 8);
        yield sys(NR.kill, g.process.pid, SIG.USR1);
        yield sys(NR.sigaction, SIG.USR1, ignore, 0, 8);
        yield sys(NR.sigaction, SIG.USR1, byDefault, 0, 8);
        yield sys(NR.sigprocmask, 1, AT, 0, 8);
        yield sys(NR.exitGroup, 3);
      };
    });
    expect(guest.process.status).toEqual({ kind: 'exited', code: 3 });
  });

  test('sigtimedwait takes a blocked signal, waits for one, and gives up', () => {
    const { seen } = collect((g, log) => {
      g.words(AT, bit(SIG.USR1), 0, 1000);
      return function* () {
        yield sys(NR.sigprocmask, 0, AT, 0, 8);
        log(yield sys(NR.sigtimedwait, AT, 0, AT + 8, 8));
        yield sys(NR.kill, g.process.pid, SIG.USR1);
        log(yield sys(NR.sigtimedwait, AT, AT + 64, 0, 8));
        log(g.space.readU32(AT + 64));
        yield { call: NR.fork, child: waker };
        log(yield sys(NR.sigtimedwait, AT, 0, 0, 8));
        yield sys(NR.exitGroup, 0);
      };
      function* waker() {
        yield work(500);
        yield sys(NR.kill, g.process.pid, SIG.USR1);
        yield sys(NR.exitGroup, 0);
      }
    });
    expect(seen).toEqual([-11, SIG.USR1, SIG.USR1, SIG.USR1]);
  });
});

describe('a signal to a thread that sleeps in a syscall', () => {
  const cases: readonly [name: string, call: readonly number[], flags: number, result: number][] = [
    ['pause', [NR.pause], SA.RESTART, EINTR],
    ['nanosleep is never restarted after a handler', [NR.nanosleep, AT, AT + 16], SA.RESTART, EINTR],
    ['wait4 without SA_RESTART', [NR.wait4, -1, 0, 0, 0], 0, EINTR],
    ['futex with SA_RESTART starts again and its word has changed', [NR.futex, AT + 64, 0, 0, 0], SA.RESTART, -11],
    ['futex without SA_RESTART', [NR.futex, AT + 64, 0, 0, 0], 0, EINTR],
    ['a futex with a timeout is not restarted', [NR.futex, AT + 64, 0, 0, AT], SA.RESTART, EINTR],
  ];
  test.each(cases)('%s', (_name, call, flags, result) => {
    const { seen } = collect((g, log) => {
      const act = g.action(function* () {
        g.words(AT + 64, 1);
        yield work(1);
      }, flags);
      g.words(AT, 100, 0);
      return function* () {
        yield sys(NR.sigaction, SIG.USR1, act, 0, 8);
        yield { call: NR.fork, child };
        const [nr, ...args] = call as [number, ...number[]];
        log(yield sys(nr, ...args));
        yield sys(NR.exitGroup, 0);
      };
      function* child() {
        yield work(1000);
        yield sys(NR.kill, g.process.pid, SIG.USR1);
        yield work(1000);
        yield sys(NR.exitGroup, 0);
      }
    });
    expect(seen).toEqual([result]);
  });

  test('nanosleep tells what is left', () => {
    const { seen } = collect((g, log) => {
      const act = g.action(function* () {
        yield work(1);
      });
      g.words(AT, 100, 0);
      return function* () {
        yield sys(NR.sigaction, SIG.USR1, act, 0, 8);
        yield { call: NR.fork, child };
        const before = g.machine.clock.monotonic;
        yield sys(NR.nanosleep, AT, AT + 16);
        const left = (g.space.readU64(AT + 16) ?? 0) * 1e9 + (g.space.readU64(AT + 24) ?? 0);
        // The handler, its sigreturn and the syscall itself retired meanwhile.
        log(100e9 - left - (g.machine.clock.monotonic - before) + 2 * SYSCALL_NS);
        yield sys(NR.exitGroup, 0);
      };
      function* child() {
        yield work(1000);
        yield sys(NR.kill, g.process.pid, SIG.USR1);
        yield sys(NR.exitGroup, 0);
      }
    });
    expect(Math.abs(seen[0] as number)).toBeLessThan(5);
  });

  test('an ignored signal does not disturb it', () => {
    const { seen } = collect((g, log) => {
      g.words(AT, 1, 0);
      return function* () {
        yield { call: NR.fork, child };
        log(yield sys(NR.nanosleep, AT, 0));
        log(g.machine.clock.monotonic >= 1e9);
        yield sys(NR.exitGroup, 0);
      };
      function* child() {
        yield work(50);
        yield sys(NR.kill, g.process.pid, SIG.CHLD);
        yield sys(NR.exitGroup, 0);
      }
    });
    expect(seen).toEqual([0, true]);
  });

  test('sigsuspend sleeps under its mask and puts the old one back', () => {
    const { seen } = collect((g, log) => {
      const act = g.action(function* () {
        log(['in', g.thread.signalMask]);
        yield work(1);
      });
      g.words(AT, bit(SIG.USR1), bit(SIG.HUP));
      return function* () {
        yield sys(NR.sigaction, SIG.USR1, act, 0, 8);
        yield sys(NR.sigprocmask, 0, AT, 0, 8);
        yield sys(NR.kill, g.process.pid, SIG.USR1);
        log(yield sys(NR.sigsuspend, AT + 8, 8));
        log(['after', g.thread.signalMask]);
        yield sys(NR.exitGroup, 0);
      };
    });
    expect(seen).toEqual([['in', bit(SIG.HUP) | bit(SIG.USR1)], EINTR, ['after', bit(SIG.USR1)]]);
  });
});

describe('job control', () => {
  test('a stopped child is reported, stands still, and goes on', () => {
    const { seen } = collect((g, log) => {
      let child = 0;
      return function* () {
        child = yield { call: NR.fork, child: worker };
        yield work(50);
        yield sys(NR.kill, child, SIG.STOP);
        log(yield sys(NR.wait4, -1, AT, 2, 0));
        log(g.space.readU32(AT));
        log(yield sys(NR.wait4, -1, AT, 2 | 1, 0));
        yield sys(NR.kill, child, SIG.CONT);
        yield sys(NR.wait4, -1, AT, 8, 0);
        log(g.space.readU32(AT));
        yield sys(NR.wait4, -1, AT, 0, 0);
        log(g.space.readU32(AT));
        yield sys(NR.exitGroup, 0);
      };
      function* worker() {
        yield work(5000);
        yield sys(NR.exitGroup, 6);
      }
    });
    expect(seen).toEqual([1002, (SIG.STOP << 8) | 0x7f, 0, 0xffff, 6 << 8]);
  });

  test('SIGKILL ends a stopped process, SIGTERM waits for SIGCONT', () => {
    const { seen } = collect((g, log) => {
      return function* () {
        const child = yield { call: NR.fork, child: worker };
        yield sys(NR.kill, child, SIG.STOP);
        yield work(200);
        yield sys(NR.kill, child, 15);
        yield work(500);
        log(yield sys(NR.wait4, child, AT, 1, 0));
        yield sys(NR.kill, child, SIG.CONT);
        yield sys(NR.wait4, child, AT, 0, 0);
        log(g.space.readU32(AT));
        const second = yield { call: NR.fork, child: worker };
        yield sys(NR.kill, second, SIG.STOP);
        yield sys(NR.kill, second, 9);
        yield sys(NR.wait4, second, AT, 0, 0);
        log(g.space.readU32(AT));
        yield sys(NR.exitGroup, 0);
      };
      function* worker() {
        yield work(1_000_000);
        yield sys(NR.exitGroup, 0);
      }
    });
    expect(seen).toEqual([0, 15, 9]);
  });
});

describe('timers', () => {
  test('alarm interrupts pause at its second; setitimer goes on until it is taken back', () => {
    const { seen } = collect((g, log) => {
      let rings = 0;
      const act = g.action(function* () {
        rings++;
        yield work(1);
      });
      g.words(AT, 0, 250_000, 0, 500_000);
      return function* () {
        yield sys(NR.sigaction, SIG.ALRM, act, 0, 8);
        yield sys(NR.alarm, 1);
        yield sys(NR.pause);
        log(Math.floor(g.machine.clock.monotonic / 1e9));
        const start = g.machine.clock.monotonic;
        yield sys(NR.setitimer, 0, AT, 0);
        while (rings < 4) yield sys(NR.pause);
        log(Math.round((g.machine.clock.monotonic - start) / 1e6));
        log(yield sys(NR.alarm, 0));
        yield sys(NR.exitGroup, 0);
      };
    });
    // 0.5 s, then two times 0.25 s; a quarter of a second is left, which alarm rounds up to 1.
    expect(seen).toEqual([1, 1000, 1]);
  });

  test('a timer on CPU time rings when the process has used it, exactly', () => {
    const { guest } = collect((g) => {
      g.words(AT, 0, 0, 0, 20);
      return function* () {
        yield sys(NR.setitimer, 1, AT, 0);
        yield work(1_000_000);
      };
    });
    expect(guest.process.status).toEqual({ kind: 'killed', signal: 26, core: false });
    expect(guest.process.retired).toBe(20_001);
  });

  test('a POSIX timer whose signal is blocked tells its overruns', () => {
    const { seen } = collect((g, log) => {
      const value = 0x1234_5678_9abcn;
      g.words(AT, value, BigInt(SIG.RT));
      g.words(AT + 128, 0, 1_000_000, 0, 1_000_000);
      g.words(AT + 256, bit(SIG.RT));
      return function* () {
        yield sys(NR.sigprocmask, 0, AT + 256, 0, 8);
        log(yield sys(222, 1, AT, AT + 512));
        log(yield sys(223, 0, 0, AT + 128, 0));
        yield work(10_050_000);
        log(yield sys(NR.sigtimedwait, AT + 256, AT + 640, 0, 8));
        log(['overrun', g.space.readU32(AT + 640 + 20), 'value', g.space.readU64(AT + 640 + 24)]);
        log(yield sys(225, 0));
        log(yield sys(226, 0));
        yield sys(NR.exitGroup, 0);
      };
    });
    expect(seen).toEqual([0, 0, SIG.RT, ['overrun', 9, 'value', 0x1234_5678_9abc], 9, 0]);
  });
});
