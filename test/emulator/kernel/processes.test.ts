import { describe, expect, test } from 'vitest';
import { type Program, runAll, type Scripted, scripted, sys, work } from './scripted.js';

const NR = {
  sigaction: 13,
  getpid: 39,
  clone: 56,
  fork: 57,
  vfork: 58,
  exit: 60,
  wait4: 61,
  kill: 62,
  setpgid: 109,
  getppid: 110,
  getpgrp: 111,
  setsid: 112,
  getpgid: 121,
  prctl: 157,
  exitGroup: 231,
  waitid: 247,
  clone3: 435,
} as const;
const SIG = { HUP: 1, USR1: 10, CHLD: 17, CONT: 18, STOP: 19, TSTP: 20 } as const;
const AT = 0x1_8000;
const ECHILD = -10;

type Log = (entry: unknown) => void;

function play(make: (guest: Scripted, log: Log) => Program, config = {}): { seen: unknown[]; guest: Scripted } {
  const seen: unknown[] = [];
  const guest: Scripted = scripted(function* () {
    yield* make(guest, (entry) => seen.push(entry))();
  }, config);
  runAll(guest.machine);
  return { seen, guest };
}

function fork(child: Program) {
  return { call: NR.fork, child };
}

function* exits(code: number) {
  yield work(200);
  yield sys(NR.exitGroup, code);
}

describe('fork', () => {
  test('copies memory and ids; the child answers 0', () => {
    const { seen } = play((g, log) => {
      g.words(AT, 7);
      return function* () {
        const child = yield fork(function* () {
          log(['ppid', yield sys(NR.getppid), 'group', yield sys(NR.getpgrp)]);
          yield sys(NR.exitGroup, 0);
        });
        log(['child', child]);
        yield sys(NR.wait4, child, 0, 0, 0);
        yield sys(NR.exitGroup, 0);
      };
    });
    expect(seen).toEqual([
      ['child', 1002],
      ['ppid', 1001, 'group', 1001],
    ]);
  });

  test('beyond the limit of processes is EAGAIN', () => {
    const { seen } = play(
      (_g, log) => {
        return function* () {
          log(yield fork(() => exits(0)));
          log(yield fork(() => exits(0)));
          log(yield sys(NR.fork));
          yield sys(NR.exitGroup, 0);
        };
      },
      { maxProcesses: 3 },
    );
    expect(seen).toEqual([1002, 1003, -11]);
  });

  test.each([
    { name: 'THREAD without SIGHAND', flags: 0x1_0100, result: -22 },
    { name: 'SIGHAND without VM', flags: 0x800, result: -22 },
    { name: 'a new namespace', flags: 0x2000_0011, result: -1 },
  ])('clone refuses $name', ({ flags, result }) => {
    const { seen } = play((_g, log) => {
      return function* () {
        log(yield sys(NR.clone, flags, 0, 0, 0, 0));
        yield sys(NR.exitGroup, 0);
      };
    });
    expect(seen).toEqual([result]);
  });

  test('clone3 takes its arguments from a structure', () => {
    const { seen } = play((g, log) => {
      g.words(AT, 0x0f00 | 0x1_0000 | 0x10_0000 | 0x8_0000, 0, 0, AT + 128, 0, 0x2_4000, 0x1000, 0x7777);
      return function* () {
        const tid = yield {
          call: NR.clone3,
          args: [AT, 88],
          child: function* () {
            const self = [...g.process.threads.values()].at(-1);
            log([self?.cpu.rsp, self?.cpu.num(136)]);
            yield sys(NR.exit, 0);
          },
        };
        log([tid, g.space.readU32(AT + 128)]);
        yield work(500);
        log(yield sys(NR.clone3, AT, 60));
        log(yield sys(NR.clone3, AT, 5000));
        yield sys(NR.exitGroup, 0);
      };
    });
    expect(seen).toEqual([[1002, 1002], [0x2_5000, 0x7777], -22, -7]);
  });
});

describe('wait', () => {
  test.each([
    { name: 'any', argument: () => -1 },
    { name: 'its pid', argument: (child: number) => child },
    { name: 'the own group', argument: () => 0 },
    { name: 'the group by number', argument: () => -1001 },
  ])('for $name', ({ argument }) => {
    const { seen } = play((g, log) => {
      return function* () {
        const child = yield fork(() => exits(5));
        log((yield sys(NR.wait4, argument(child), AT, 0, 0)) === child);
        log(g.space.readU32(AT));
        log(yield sys(NR.wait4, -1, AT, 0, 0));
        yield sys(NR.exitGroup, 0);
      };
    });
    expect(seen).toEqual([true, 5 << 8, ECHILD]);
  });

  test('tells the CPU time of the child and adds it to the parent', () => {
    const { seen, guest } = play((g, log) => {
      return function* () {
        yield fork(function* () {
          yield work(3_000_000);
          yield sys(NR.exitGroup, 0);
        });
        yield sys(NR.wait4, -1, 0, 0, AT);
        log(g.space.readU64(AT + 8));
        yield sys(98, -1, AT);
        log(g.space.readU64(AT + 8));
        yield sys(NR.exitGroup, 0);
      };
    });
    expect(seen).toEqual([3000, 3000]);
    expect(guest.process.childrenUsage.retired).toBe(3_000_001);
  });

  test('waitid leaves the zombie with WNOWAIT and fills siginfo', () => {
    const { seen } = play((g, log) => {
      return function* () {
        const child = yield fork(() => exits(5));
        log(yield sys(NR.waitid, 1, child, AT, 4 | 0x100_0000, 0));
        log([0, 8, 16, 20, 24].map((at) => g.space.readU32(AT + at)));
        log(yield sys(NR.waitid, 0, 0, AT, 4, 0));
        log(yield sys(NR.waitid, 0, 0, AT, 4, 0));
        yield sys(NR.exitGroup, 0);
      };
    });
    expect(seen).toEqual([0, [SIG.CHLD, 1, 1002, 1000, 5], 0, ECHILD]);
  });

  test('a parent that ignores SIGCHLD never sees zombies, and wait answers when all are gone', () => {
    const { seen, guest } = play((g, log) => {
      const ignore = g.action(1);
      return function* () {
        yield sys(NR.sigaction, SIG.CHLD, ignore, 0, 8);
        yield fork(() => exits(5));
        log(yield sys(NR.wait4, -1, AT, 0, 0));
        yield sys(NR.exitGroup, 0);
      };
    });
    expect(seen).toEqual([ECHILD]);
    expect(guest.machine.processes.size).toBe(1);
  });

  test('SIGCHLD brings pid, code and status', () => {
    const { seen } = play((g, log) => {
      const act = g.action(function* () {
        const info = g.thread.cpu.num(8 * 6);
        log([8, 16, 20, 24].map((at) => g.space.readU32(info + at)));
        yield work(1);
      }, 4);
      return function* () {
        yield sys(NR.sigaction, SIG.CHLD, act, 0, 8);
        const child = yield fork(function* () {
          yield work(1_000_000);
        });
        yield sys(NR.kill, child, 9);
        yield sys(NR.wait4, -1, AT, 0, 0);
        yield sys(NR.exitGroup, 0);
      };
    });
    expect(seen).toEqual([[2, 1002, 1000, 9]]);
  });
});

describe('orphans', () => {
  test('go to the root, which waits for them at once', () => {
    const { seen, guest } = play((_g, log) => {
      return function* () {
        yield fork(function* () {
          yield fork(function* () {
            yield work(1000);
            log(yield sys(NR.getppid));
            yield sys(NR.exitGroup, 0);
          });
          yield sys(NR.exitGroup, 0);
        });
        yield sys(NR.wait4, -1, 0, 0, 0);
        yield sys(NR.exitGroup, 0);
      };
    });
    expect(seen).toEqual([1000]);
    expect([...guest.machine.processes.keys()]).toEqual([1000]);
  });

  test('go to a subreaper instead, which can wait for them', () => {
    const { seen } = play((g, log) => {
      return function* () {
        yield sys(NR.prctl, 36, 1);
        yield fork(function* () {
          yield fork(function* () {
            yield work(1000);
            log(yield sys(NR.getppid));
            yield sys(NR.exitGroup, 3);
          });
          yield sys(NR.exitGroup, 0);
        });
        yield sys(NR.wait4, -1, 0, 0, 0);
        log(yield sys(NR.wait4, -1, AT, 0, 0));
        log(g.space.readU32(AT));
        yield sys(NR.exitGroup, 0);
      };
    });
    expect(seen).toEqual([1001, 1003, 3 << 8]);
  });

  test('hear of their parent with PR_SET_PDEATHSIG', () => {
    const { seen } = play((g, log) => {
      const act = g.action(function* () {
        log('parent died');
        yield work(1);
      });
      return function* () {
        yield sys(NR.sigaction, SIG.USR1, act, 0, 8);
        yield fork(function* () {
          yield sys(NR.prctl, 1, SIG.USR1);
          yield sys(34);
          yield sys(NR.exitGroup, 0);
        });
        yield work(1000);
        yield sys(NR.exitGroup, 0);
      };
    });
    expect(seen).toEqual(['parent died']);
  });

  test('in a stopped group that lost its minder get SIGHUP and SIGCONT', () => {
    const { seen } = play((g, log) => {
      const act = g.action(function* () {
        log('hangup');
        yield work(1);
      });
      return function* () {
        yield sys(NR.sigaction, SIG.HUP, act, 0, 8);
        yield fork(function* () {
          const child = yield fork(function* () {
            yield sys(NR.setpgid, 0, 0);
            yield sys(NR.kill, yield sys(NR.getpid), SIG.STOP);
            log('goes on');
            yield sys(NR.exitGroup, 0);
          });
          yield sys(NR.wait4, child, 0, 2, 0);
          yield sys(NR.exitGroup, 0);
        });
        yield sys(NR.wait4, -1, 0, 0, 0);
        yield work(1000);
        yield sys(NR.exitGroup, 0);
      };
    });
    expect(seen).toEqual(['hangup', 'goes on']);
  });
});

describe('groups and sessions', () => {
  test('setpgid and setsid follow their rules', () => {
    const { seen } = play((_g, log) => {
      return function* () {
        const child = yield fork(function* () {
          yield work(500);
          log(['child in group', yield sys(NR.getpgrp)]);
          log(['session', yield sys(NR.setsid)]);
          log(['leader moves', yield sys(NR.setpgid, 0, 0)]);
          yield sys(NR.exitGroup, 0);
        });
        log(['join nobody', yield sys(NR.setpgid, child, 4711)]);
        log(['move', yield sys(NR.setpgid, child, child)]);
        log(['back', yield sys(NR.setpgid, child, 1001)]);
        log(['setsid of a group leader', yield sys(NR.setsid)]);
        yield sys(NR.wait4, -1, 0, 0, 0);
        log(['gone', yield sys(NR.getpgid, child)]);
        yield sys(NR.exitGroup, 0);
      };
    });
    expect(seen).toEqual([
      ['join nobody', -1],
      ['move', 0],
      ['back', 0],
      ['setsid of a group leader', -1],
      ['child in group', 1001],
      ['session', 1002],
      ['leader moves', -1],
      ['gone', -3],
    ]);
  });
});
