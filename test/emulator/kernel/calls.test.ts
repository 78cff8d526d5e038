import { describe, expect, test } from 'vitest';
import { SYSCALL_NS } from '../../../src/emulator/clock.js';
import { credentialsOf } from '../../../src/emulator/kernel/root.js';
import { SYSCALL_NAMES } from '../../../src/emulator/kernel/syscall-names.js';
import { SyscallTable } from '../../../src/emulator/kernel/syscall-table.js';
import { runAll, type Scripted, scripted, sys } from './scripted.js';

const AT = 0x1_8000;
const BAD = 0x10;
const EXIT_GROUP = 231;

type Arguments = readonly (number | bigint)[];

/** Makes the calls one after the other; what they answered, and what `look` finds afterwards. */
function calls(
  list: readonly (readonly [nr: number, ...args: Arguments])[],
  prepare: (guest: Scripted) => void = () => undefined,
) {
  const results: number[] = [];
  const guest: Scripted = scripted(function* () {
    prepare(guest);
    for (const [nr, ...args] of list) results.push(yield sys(nr, ...args));
    yield sys(EXIT_GROUP, 0);
  });
  runAll(guest.machine);
  return { results, guest };
}

function words(guest: Scripted, ...offsets: number[]): (number | undefined)[] {
  return offsets.map((offset) => guest.space.readU32(AT + offset));
}

describe('users and groups', () => {
  test.each([
    {
      name: 'an ordinary user may only go among its ids',
      uid: 1000,
      list: [
        [105, 1000],
        [105, 0],
        [117, -1, 1000, -1],
        [117, 5, -1, -1],
      ],
      results: [0, -1, 0, -1],
    },
    {
      name: 'root may do what it likes, until it is root no more',
      uid: 0,
      list: [[117, 5, 6, 7], [105, 0], [105, 7], [107], [102]],
      results: [0, -1, 0, 7, 5],
    },
    {
      name: 'setfsuid answers the old one',
      uid: 0,
      list: [
        [122, 9],
        [122, -1],
      ],
      results: [0, 9],
    },
    {
      name: 'setreuid saves the effective one',
      uid: 0,
      list: [
        [113, 4, 5],
        [118, AT, AT + 4, AT + 8],
      ],
      results: [0, 0],
      after: [4, 5, 5],
    },
  ] as const)('$name', ({ uid, list, results, ...rest }) => {
    const played = calls(list, ({ process }) => {
      process.credentials = credentialsOf(uid, uid, []);
    });
    expect(played.results).toEqual(results);
    if ('after' in rest) expect(words(played.guest, 0, 4, 8)).toEqual(rest.after);
  });

  test('capabilities go with the effective uid', () => {
    const { results, guest } = calls(
      [
        [125, AT, AT + 16],
        [117, -1, 5, -1],
        [125, AT, AT + 48],
      ],
      (g) => {
        g.process.credentials = credentialsOf(0, 0, []);
        g.space.writeU32(AT, 0x2008_0522);
      },
    );
    expect(results).toEqual([0, 0, 0]);
    expect(words(guest, 16, 20, 28)).toEqual([0xffff_ffff, 0xffff_ffff, 0x1ff]);
    expect(words(guest, 48, 52)).toEqual([0, 0xffff_ffff]);
  });

  test('capget tells the version that it knows', () => {
    const { results, guest } = calls([
      [125, AT, 0],
      [125, AT + 8, AT + 16],
    ]);
    expect(results).toEqual([0, -22]);
    expect(words(guest, 0, 8)).toEqual([0x2008_0522, 0x2008_0522]);
  });
});

describe('limits', () => {
  test('lowering is for everybody, raising the hard one is not', () => {
    const { results, guest } = calls(
      [
        [302, 0, 7, AT, AT + 32],
        [160, 7, AT],
        [97, 7, AT + 64],
        [160, 7, AT + 16],
        [97, 99, AT],
        [97, 7, BAD],
      ],
      (g) => g.words(AT, 100, 200, 100, 300),
    );
    expect(results).toEqual([0, 0, 0, -1, -22, -14]);
    expect(words(guest, 32, 40, 64, 72)).toEqual([1024, 1_048_576, 100, 200]);
  });

  test('RLIMIT_CPU sends SIGXCPU at the exact count', () => {
    const guest: Scripted = scripted(
      function* () {
        yield sys(160, 0, guest.words(AT, 1, 5));
        yield { work: 2_000_000_000 };
      },
      { sliceLength: 1_000_000 },
    );
    runAll(guest.machine);
    expect(guest.process.status).toEqual({ kind: 'killed', signal: 24, core: false });
    expect(guest.process.retired).toBe(1_000_000_000);
  });
});

describe('scheduling parameters', () => {
  test.each([
    {
      name: 'one processor',
      list: [
        [204, 0, 128, AT],
        [203, 0, 8, AT],
        [203, 0, 8, AT + 64],
        [204, 0, 4, AT],
      ],
      results: [8, 0, -22, -22],
    },
    {
      name: 'nice goes up, not down',
      list: [
        [140, 0, 0],
        [141, 0, 0, 7],
        [140, 0, 0],
        [141, 0, 0, 3],
      ],
      results: [20, 0, 13, -13],
    },
    {
      name: 'policies',
      list: [
        [145, 0],
        [146, 1],
        [147, 1],
        [146, 99],
        [144, 0, 1, AT],
        [144, 0, 3, AT + 8],
      ],
      results: [0, 99, 1, -22, -22, 0],
    },
    {
      name: 'a thread that is not there',
      list: [
        [145, 4711],
        [204, 4711, 8, AT],
      ],
      results: [-3, -3],
    },
  ] as const)('$name', ({ list, results }) => {
    expect(calls(list).results).toEqual(results);
  });
});

describe('prctl and arch_prctl', () => {
  test('names, cut to 15 bytes', () => {
    const { guest, results } = calls(
      [
        [157, 15, AT],
        [157, 16, AT + 64],
      ],
      (g) => g.text(AT, 'a name that is too long'),
    );
    expect(results).toEqual([0, 0]);
    expect(guest.thread.name).toBe('a name that is ');
    expect(guest.space.readCString(AT + 64, 16)).toEqual(new TextEncoder().encode('a name that is '));
  });

  test.each([
    {
      name: 'dumpable',
      list: [
        [157, 3],
        [157, 4, 0],
        [157, 3],
        [157, 4, 2],
      ],
      results: [1, 0, 0, -22],
    },
    {
      name: 'death signal',
      list: [
        [157, 1, 65],
        [157, 1, 9],
        [157, 2, AT],
      ],
      results: [-22, 0, 0],
    },
    {
      name: 'no new privileges',
      list: [
        [157, 39],
        [157, 38, 1, 0, 0, 0],
        [157, 39],
        [157, 38, 0, 0, 0, 0],
      ],
      results: [0, 0, 1, -22],
    },
    { name: 'an option that nobody knows', list: [[157, 4711]], results: [-22] },
    {
      name: 'thread pointers',
      list: [
        [158, 0x1002, 0x1234_5000],
        [158, 0x1003, AT],
        [158, 0x1001, 0x8000_0000_0000n],
        [158, 0x4711],
      ],
      results: [0, 0, -1, -22],
    },
    {
      name: 'personality',
      list: [
        [135, 0xffff_ffff],
        [135, 0x4_0000],
        [135, 0xffff_ffff],
      ],
      results: [0, 0, 0x4_0000],
    },
  ] as const)('$name', ({ list, results }) => {
    expect(calls(list).results).toEqual(results);
  });
});

describe('clocks', () => {
  test.each([
    { name: 'REALTIME', clock: 0, seconds: 1_000_000_000, nanoseconds: 501 + SYSCALL_NS },
    { name: 'MONOTONIC', clock: 1, seconds: 0, nanoseconds: 1 + SYSCALL_NS },
    { name: 'PROCESS_CPUTIME_ID', clock: 2, seconds: 0, nanoseconds: 1 },
    { name: 'THREAD_CPUTIME_ID', clock: 3, seconds: 0, nanoseconds: 1 },
    { name: 'the CPU clock of a pid', clock: (~1001 << 3) | 2, seconds: 0, nanoseconds: 1 },
  ])('$name', ({ clock, seconds, nanoseconds }) => {
    const { results, guest } = calls([
      [228, clock, AT],
      [229, clock, AT + 16],
    ]);
    expect(results).toEqual([0, 0]);
    expect([guest.space.readU64(AT), guest.space.readU64(AT + 8)]).toEqual([seconds, nanoseconds]);
    expect([guest.space.readU64(AT + 16), guest.space.readU64(AT + 24)]).toEqual([0, 1]);
  });

  test.each([
    { name: 'a clock that is not there', call: [228, 99, AT], result: -22 },
    { name: 'no place', call: [228, 1, BAD], result: -14 },
    { name: 'setting without the privilege', call: [227, 0, AT], result: -1 },
    { name: 'a time that is none', call: [35, AT + 64, 0], result: -22 },
    { name: 'sleeping on a thread clock', call: [230, 3, 0, AT, 0], result: -22 },
    { name: 'sleeping until the past', call: [230, 1, 1, AT, 0], result: 0 },
  ] as const)('$name', ({ call, result }) => {
    expect(calls([call], (g) => g.words(AT + 64, 0, 1_000_000_000)).results).toEqual([result]);
  });

  test('an absolute sleep on the wall clock ends on its second', () => {
    const list = [
      [157, 29, 1],
      [230, 0, 1, AT, 0],
    ] as const;
    const { results, guest } = calls(list, (g) => g.words(AT, 1_000_000_007, 0));
    expect(results).toEqual([0, 0]);
    expect(guest.machine.clock.realtime).toEqual({ seconds: 1_000_000_007, nanoseconds: 1 + SYSCALL_NS + 1 });
  });

  test('a sleep on the CPU clock of the process lasts while another thread works', () => {
    const guest: Scripted = scripted(function* () {
      yield {
        call: 56,
        args: [0x5_0f00, 0x2_4000],
        child: function* () {
          yield { work: 100_000 };
        },
      };
      yield sys(157, 29, 1);
      yield sys(230, 2, 0, guest.words(AT, 0, 5000), 0);
      slept = guest.process.retired;
      yield sys(EXIT_GROUP, 0);
    });
    let slept = 0;
    runAll(guest.machine);
    expect(slept).toBeGreaterThanOrEqual(5002);
    expect(slept).toBeLessThan(5202);
  });
});

describe('the system', () => {
  test('uname, sysinfo, getcpu', () => {
    const { guest, results } = calls([
      [63, AT],
      [99, AT + 512],
      [309, AT + 640, AT + 644, 0],
    ]);
    expect(results).toEqual([0, 0, 0]);
    const field = (i: number) => new TextDecoder().decode(guest.space.readCString(AT + 65 * i, 65) as Uint8Array);
    expect([field(0), field(1), field(4)]).toEqual(['Linux', 'guest', 'x86_64']);
    expect(guest.space.readU64(AT + 512 + 32)).toBe(1 << 30);
    expect(words(guest, 640, 644)).toEqual([0, 0]);
  });

  test('getrandom is the same for the same seed, fills what it says, and knows its flags', () => {
    const list = [
      [318, AT, 33, 0],
      [318, AT, 8, 6],
      [318, BAD, 8, 0],
      [318, BAD, -1, 0],
    ] as const;
    const one = calls(list);
    const two = calls(list);
    expect(one.results).toEqual([33, -22, -14, -14]);
    expect(one.guest.space.readBytes(AT, 64)).toEqual(two.guest.space.readBytes(AT, 64));
    expect(one.guest.space.readU32(AT + 36)).toBe(0);
  });

  test('process_vm_readv copies between vectors of different cuts', () => {
    const { guest, results } = calls(
      [
        [310, 1001, AT, 2, AT + 64, 2, 0],
        [310, 4711, AT, 2, AT + 64, 2, 0],
      ],
      (g) => {
        g.words(AT, AT + 256, 3, AT + 300, 7);
        g.words(AT + 64, AT + 512, 6, AT + 600, 4);
        g.text(AT + 512, 'abcdef');
        g.text(AT + 600, 'ghij');
      },
    );
    expect(results).toEqual([10, -3]);
    expect(new TextDecoder().decode(guest.space.readBytes(AT + 256, 3))).toBe('abc');
    expect(new TextDecoder().decode(guest.space.readBytes(AT + 300, 7))).toBe('defghij');
  });

  test('ptrace and its kin are refused, restartable sequences and asynchronous rings unknown', () => {
    expect(
      calls([
        [101, 0, 0, 0, 0],
        [321, 0, 0, 0],
        [334, 0, 0, 0, 0],
        [425, 1, 0],
      ]).results,
    ).toEqual([-1, -1, -38, -38]);
  });
});

describe('tables', () => {
  test('two rows for one number are a mistake', () => {
    const row = { nr: 1, name: 'write', run: () => 0 };
    expect(() => new SyscallTable([row], [{ ...row, name: 'other' }])).toThrow(
      'syscall 1 has two rows: write and other',
    );
  });

  test('every row has the name that its number has in Linux', () => {
    const { machine } = scripted(function* () {
      yield sys(EXIT_GROUP, 0);
    });
    const wrong = SYSCALL_NAMES.flatMap((name, nr) => {
      const row = machine.syscalls.find(nr);
      return row === undefined || row.name === name ? [] : [`${nr} is ${name}, not ${row.name}`];
    });
    expect(wrong).toEqual([]);
    expect([SYSCALL_NAMES[0], SYSCALL_NAMES[231], SYSCALL_NAMES[334], SYSCALL_NAMES[335], SYSCALL_NAMES[435]]).toEqual([
      'read', 'exit_group', 'rseq', undefined, 'clone3',
    ]); // biome-ignore format: one list
  });
});
