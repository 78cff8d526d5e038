import { describe, expect, test } from 'vitest';
import { type MachineHooks, NO_HOOKS } from '../../../src/emulator/hooks.js';
import { type Program, type Programs, runAll, type Scripted, scripted, sys, work } from './scripted.js';

const NR = {
  sigaction: 13,
  getpid: 39,
  clone: 56,
  vfork: 58,
  execve: 59,
  exit: 60,
  wait4: 61,
  kill: 62,
  exitGroup: 231,
  gettid: 186,
  execveat: 322,
} as const;
const AT = 0x1_8000;
const PATH = 0x1_8800;

type Log = (entry: unknown) => void;

function play(
  make: (guest: Scripted, log: Log) => Program,
  programs: (log: Log) => Programs = () => ({}),
  hooks: Partial<MachineHooks> = {},
) {
  const seen: unknown[] = [];
  const log = (entry: unknown): void => void seen.push(entry);
  const guest: Scripted = scripted(
    function* () {
      guest.machine.hooks = { ...NO_HOOKS, ...hooks };
      yield* make(guest, log)();
    },
    {},
    programs(log),
  );
  guest.text(PATH, '/prog');
  runAll(guest.machine);
  return { seen, guest };
}

describe('execve', () => {
  test('replaces memory and program, keeps pid, mask and ignored signals, resets handlers', () => {
    const { seen, guest } = play(
      (g) => {
        const act = g.action(function* () {
          yield work(1);
        });
        const ignore = g.action(1);
        g.words(AT, PATH, g.text(PATH + 64, 'one'), 0);
        return function* () {
          yield sys(NR.sigaction, 10, act, 0, 8);
          yield sys(NR.sigaction, 12, ignore, 0, 8);
          yield sys(NR.execve, PATH, AT, 0);
        };
      },
      (log) => ({
        '/prog': function* () {
          log(yield sys(NR.getpid));
          yield sys(NR.exitGroup, 4);
        },
      }),
    );
    expect(seen).toEqual([1001]);
    expect(guest.process.status).toEqual({ kind: 'exited', code: 4 });
    expect(guest.space.destroyed).toBe(true);
    expect([10, 12].map((signal) => guest.process.handlers.actions[signal]?.handler)).toEqual([0, 1]);
    expect(guest.process.image.argv.map((bytes) => new TextDecoder().decode(bytes))).toEqual(['/prog', 'one']);
  });

  test.each([
    { name: 'a program that is not there', path: '/none', argv: 0, result: -2 },
    { name: 'an empty path', path: '', argv: 0, result: -2 },
    { name: 'a vector that cannot be read', path: '/prog', argv: 0x10, result: -14 },
  ])('$name changes nothing', ({ path, argv, result }) => {
    const { seen } = play((g, log) => {
      return function* () {
        g.text(PATH, path);
        log(yield sys(NR.execve, PATH, argv, 0));
        yield sys(NR.exitGroup, 0);
      };
    });
    expect(seen).toEqual([result]);
  });

  test('ends the other threads; one that is not the leader becomes it', () => {
    const { seen, guest } = play(
      (_g, log) => {
        return function* () {
          yield {
            call: NR.clone,
            args: [0x5_0f00, 0x2_4000],
            child: function* () {
              log(yield sys(NR.gettid));
              yield sys(NR.execve, PATH, 0, 0);
            },
          };
          yield work(1_000_000);
        };
      },
      (log) => ({
        '/prog': function* () {
          log([yield sys(NR.gettid), yield sys(NR.getpid)]);
          yield sys(NR.exitGroup, 0);
        },
      }),
      {
        exec: (thread, formerTid) => {
          expect([thread.tid, formerTid]).toEqual([1001, 1002]);
          return 'go';
        },
      },
    );
    expect(seen).toEqual([1002, [1001, 1001]]);
    expect(guest.machine.threads.size).toBe(0);
  });

  test('of a vfork child lets the parent go on and leaves it its memory', () => {
    const { seen, guest } = play(
      (g, log) => {
        return function* () {
          const child = yield {
            call: NR.vfork,
            child: function* () {
              g.words(AT, 77);
              yield sys(NR.execve, PATH, 0, 0);
            },
          };
          log(['parent sees', g.space.readU64(AT), g.space.destroyed]);
          log((yield sys(NR.wait4, child, 0, 0, 0)) === child);
          yield sys(NR.exitGroup, 0);
        };
      },
      (log) => ({
        '/prog': function* () {
          log('program');
          yield work(500);
          yield sys(NR.exitGroup, 0);
        },
      }),
    );
    expect(seen).toEqual(['program', ['parent sees', 77, false], true]);
    expect(guest.space.destroyed).toBe(true);
  });

  test('stops for the debugger at the entry of the new program', () => {
    const guest = scripted(
      function* () {
        yield sys(NR.execve, PATH, 0, 0);
      },
      {},
      {
        '/prog': function* () {
          yield sys(NR.exitGroup, 0);
        },
      },
    );
    guest.text(PATH, '/prog');
    guest.process.traced = true;
    guest.machine.hooks = { ...NO_HOOKS, exec: () => 'stop' };
    expect(guest.machine.run(100)).toMatchObject({ kind: 'stop', event: { kind: 'exec', formerTid: 1001 } });
    expect(guest.thread.cpu.rip).toBe(0x70_0000);
    expect(guest.thread.held).toBe(true);
  });
});
