import { describe, expect, test } from 'vitest';
import { GPR } from '../../src/register-set.js';
import type { Method } from '../../src/uprobes/arch.js';
import { DATA, FakeHost, type FakeProcess, TEXT } from './fake/host.js';
import { FAR_HOLE, NEAR_HOLE } from './fake/memory.js';
import { probe } from './probe.js';

/** All that a program can see of itself. */
function visible(process: FakeProcess): unknown {
  const { gprs, ip, flags, retired, fip } = process.leader;
  const { stores, mappings } = process.space;
  const data = mappings.filter(({ writable }) => writable).map(({ bytes }) => Buffer.from(bytes).toString('base64'));
  return { gprs: [...gprs], ip, flags, retired, fip, stores, data };
}

interface Prepared {
  readonly host: FakeHost;
  readonly process: FakeProcess;
}

/** `hook`: originals are left to the host. */
function prepare(code: string, methods: readonly Method[], setUp: (process: FakeProcess) => void = () => {}): Prepared {
  const host = new FakeHost({ methods: new Set(methods) });
  host.hooks = methods.includes('hook');
  const process = host.spawn(code);
  process.leader.writeGpr(GPR.RDI, BigInt(DATA));
  process.leader.writeGpr(GPR.RSI, BigInt(DATA + 0x100));
  process.leader.writeGpr(GPR.RAX, BigInt(TEXT + 0x20));
  setUp(process);
  return { host, process };
}

function displacement(length: number, target: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(target - (TEXT + length));
  return bytes.toString('hex');
}

const ZOO = [
  { name: 'nop', code: '90' },
  { name: 'nop5', code: '0f1f440000' },
  { name: 'endbr64', code: 'f30f1efa' },
  { name: 'push rbp', code: '55' },
  { name: 'push rsp', code: '54' },
  { name: 'push r12', code: '4154' },
  { name: 'push imm8', code: '6aff' },
  { name: 'pop rcx', code: '59' },
  { name: 'mov rbp, rsp', code: '4889e5' },
  { name: 'sub rsp, 16', code: '4883ec10' },
  { name: 'xor eax, eax', code: '31c0' },
  { name: 'jmp rel8', code: 'eb10' },
  { name: 'jmp rel32', code: 'e910000000' },
  { name: 'call rel32', code: 'e810000000' },
  { name: 'call rax', code: 'ffd0' },
  { name: 'jmp rax', code: 'ffe0' },
  { name: 'call m(%rip)', code: `ff15${displacement(6, DATA + 8)}` },
  { name: 'jmp m(%rip)', code: `ff25${displacement(6, DATA + 8)}` },
  { name: 'lea d(%rip), rcx', code: `488d0d${displacement(7, DATA)}` },
  { name: 'mov d(%rip), rcx', code: `488b0d${displacement(7, DATA)}` },
  { name: 'mov d(%rip), rsi', code: `488b35${displacement(7, DATA)}` },
  { name: 'mov rsi, d(%rip)', code: `488935${displacement(7, DATA)}` },
  { name: 'mov d(%rip), r9 with REX.B', code: `4d8b0d${displacement(7, DATA)}` },
  { name: 'pushfq', code: '9c' },
  { name: 'loop', code: 'e210' },
  { name: 'jrcxz', code: 'e310' },
  { name: 'rep movsb of nothing', code: 'f3a4' },
  { name: 'fld1', code: 'd9e8' },
  { name: 'ret', code: 'c3' },
  { name: 'ret 8', code: 'c20800' },
];

function withData(process: FakeProcess): void {
  const word = Buffer.alloc(8);
  word.writeBigUInt64LE(BigInt(TEXT + 0x20));
  process.space.write(DATA + 8, word);
  word.writeBigUInt64LE(0x1122_3344_5566_7788n);
  process.space.write(DATA, word);
  // The return address of the outermost function.
  word.writeBigUInt64LE(BigInt(TEXT + 0x20));
  process.space.write(process.leader.sp, word);
}

describe.each([
  { holes: [NEAR_HOLE], where: 'near' },
  { holes: [FAR_HOLE], where: 'far' },
])('slots $where', ({ holes }) => {
  describe.each([
    { methods: ['emulate'] },
    { methods: ['boost'] },
    { methods: ['xol'] },
    { methods: ['inline'] },
    { methods: ['hook'] },
    { methods: ['emulate', 'boost', 'xol', 'inline'] },
  ] as { methods: Method[] }[])('by $methods', ({ methods }) => {
    test.each(ZOO)('$name does what it does unprobed', ({ code }) => {
      const plain = prepare(code, methods, withData);
      plain.host.run(plain.process.leader);

      const probed = prepare(code, methods, withData);
      probed.process.space.holes = holes;
      const u = probe(probed.process, TEXT);
      expect(probed.host.engine.register(probed.host.root, u)).toBeUndefined();
      const { leader } = probed.process;
      for (let i = 0; i < 3 && leader.retired < plain.process.leader.retired; i++) probed.host.run(leader);
      expect(u.hits).toHaveLength(1);
      expect(visible(probed.process)).toEqual(visible(plain.process));
    });
  });
});

test('T16 a probe on push rbp is emulated, and no XOL area is mapped', () => {
  const { host, process } = prepare('55 90', ['emulate', 'boost', 'xol']);
  host.engine.register(host.root, probe(process, TEXT));
  host.run(process.leader);
  expect(host.engine.report().probepoints[0]?.method).toBe('emulate');
  expect(process.space.xol.size).toBe(0);
});

const FLAGS = [0, 0x1, 0x4, 0x40, 0x80, 0x800, 0x880, 0xc0, 0x41, 0x840].map((flags) => 0x202 | flags);
test.each(Array.from({ length: 16 }, (_, condition) => ({ condition })))(
  'T17 jcc $condition goes where it goes unprobed, for all flags',
  ({ condition }) => {
    for (const form of [`${(0x70 + condition).toString(16)}10`, `0f${(0x80 + condition).toString(16)}10000000`]) {
      for (const flags of FLAGS) {
        const ends = [[], ['emulate'], ['xol'], ['inline']].map((methods) => {
          const { host, process } = prepare(form, methods as Method[]);
          process.leader.flags = flags;
          if (methods.length > 0) host.engine.register(host.root, probe(process, TEXT));
          host.run(process.leader);
          return visible(process);
        });
        expect(ends.slice(1)).toEqual([ends[0], ends[0], ends[0]]);
      }
    }
  },
);

test.each([{ code: 'e810000000' }, { code: 'ffd0' }, { code: `ff15${displacement(6, DATA + 8)}` }])(
  'T18 a probed call ($code) pushes the address behind the original',
  ({ code }) => {
    for (const methods of [['emulate'], ['xol'], ['inline']] as Method[][]) {
      const { host, process } = prepare(code, methods, withData);
      host.engine.register(host.root, probe(process, TEXT));
      host.run(process.leader);
      expect(process.space.word(process.leader.sp)).toBe(BigInt(TEXT + code.length / 2));
    }
  },
);

test.each(['emulate', 'xol', 'inline'] as Method[])('T19 a probed pushf pushes flags without TF (%s)', (method) => {
  const { host, process } = prepare('9c', [method]);
  host.engine.register(host.root, probe(process, TEXT));
  host.run(process.leader);
  expect(process.space.word(process.leader.sp)).toBe(0x202n);
});

test.each(['emulate', 'xol', 'inline'] as Method[])(
  'T20 the kernel finds a probed syscall at its own address (%s)',
  (method) => {
    const { host, process } = prepare('0f05', [method]);
    const u = probe(process, TEXT);
    host.engine.register(host.root, u);
    expect(host.run(process.leader)).toBe('syscall');
    expect([process.leader.ip, process.leader.retired, u.hits.length]).toEqual([TEXT, 0, 1]);
  },
);

test.each([
  { name: 'mov to rcx', code: `488b0d${displacement(7, DATA)}`, scratch: GPR.RSI },
  { name: 'mov to rsi', code: `488b35${displacement(7, DATA)}`, scratch: GPR.RDI },
])('T21 far from its operand, $name borrows a register and gives it back', ({ code, scratch }) => {
  const { host, process } = prepare(code, ['xol'], withData);
  process.space.holes = [FAR_HOLE];
  const before = process.leader.readGpr(scratch);
  host.background = true;
  host.engine.register(host.root, probe(process, TEXT));
  expect(host.run(process.leader)).toBe('parked');
  expect(process.leader.readGpr(scratch)).toBe(BigInt(TEXT + code.length / 2));
  host.finishStep(process.leader);
  expect(process.leader.readGpr(scratch)).toBe(before);
});

test.each([
  { where: 'near', holes: [NEAR_HOLE] },
  { where: 'far', holes: [FAR_HOLE] },
])(
  'T22 a load that faults in a $where slot reports the data address at the original, with its registers',
  ({ holes }) => {
    for (const methods of [['xol'], ['boost'], ['inline']] as Method[][]) {
      const { host, process } = prepare(`488b0d${displacement(7, DATA + 0x8000)}`, methods);
      process.space.holes = holes;
      const before = [...process.leader.gprs];
      host.engine.register(host.root, probe(process, TEXT));
      expect(host.run(process.leader, 2)).toBe('fault');
      expect(host.end).toMatchObject({ kind: 'fault', fault: { signal: 11, address: DATA + 0x8000 } });
      expect([process.leader.ip, process.leader.retired]).toEqual([TEXT, 0]);
      expect([...process.leader.gprs]).toEqual(before);
    }
  },
);

test('T22 a fault that reports the instruction itself reports the original', () => {
  for (const methods of [['xol'], ['inline']] as Method[][]) {
    const { host, process } = prepare('0f0b', methods);
    host.engine.register(host.root, probe(process, TEXT));
    expect(host.run(process.leader)).toBe('fault');
    expect(host.end).toMatchObject({ fault: { signal: 4, address: TEXT } });
  }
});

test('T23 an instruction that is tried again after a fault hits again', () => {
  for (const methods of [['emulate'], ['xol'], ['boost'], ['inline']] as Method[][]) {
    const { host, process } = prepare('488b07', methods);
    const u = probe(process, TEXT);
    host.engine.register(host.root, u);
    process.leader.writeGpr(GPR.RDI, 0x60_0000n);
    expect(host.run(process.leader, 2)).toBe('fault');
    host.map(process, 0x60_0000, 0x1000);
    expect(host.runTo(process.leader, TEXT + 3)).toBe('fuel');
    expect(u.hits).toHaveLength(2);
  }
});

test('T27 without a page for slots the original is executed in place, and nobody passes unprobed', () => {
  const { host, process } = prepare('48ffc0 ebfb', ['xol', 'inline']);
  process.space.holes = [];
  const u = probe(process, TEXT);
  host.engine.register(host.root, u);
  host.background = true;
  const second = host.clone(process.leader);
  expect(host.run(process.leader)).toBe('parked');
  expect(host.run(second)).toBe('frozen');
  expect(process.space.swbps).not.toContain(TEXT);
  host.finishStep(process.leader);
  expect(process.space.swbps).toContain(TEXT);
  expect(host.run(second)).toBe('parked');
  expect(u.hits).toHaveLength(2);
});

describe('REP', () => {
  const COUNT = 1000n;
  function copying(methods: readonly Method[]): Prepared {
    return prepare('f3a4 90', methods, (process) => process.leader.writeGpr(GPR.RCX, COUNT - 900n));
  }

  test.each([['xol'], ['boost'], ['inline']] as Method[][])('T32 rep movsb is one hit (%s)', (method) => {
    const plain = copying([]);
    plain.host.runTo(plain.process.leader, TEXT + 2);
    const { host, process } = copying([method]);
    const u = probe(process, TEXT);
    host.engine.register(host.root, u);
    host.runTo(process.leader, TEXT + 2);
    expect(u.hits).toHaveLength(1);
    expect(visible(process)).toEqual(visible(plain.process));
  });

  test.each([['xol'], ['boost'], ['inline']] as Method[][])(
    'T32 interrupted between two iterations, and with a hit of the same probe in the signal handler, it resumes without a second hit (%s)',
    (method) => {
      const { host, process } = copying([method]);
      const { leader } = process;
      const u = probe(process, TEXT);
      host.engine.register(host.root, u);
      host.run(leader, 4);
      expect(leader.ip).toBe(TEXT);
      const saved = [...leader.gprs];
      leader.writeGpr(GPR.RSP, BigInt(leader.sp - 0x200));
      leader.writeGpr(GPR.RCX, 2n);
      host.runTo(leader, TEXT + 2);
      expect(u.hits).toHaveLength(2);
      leader.gprs.set(saved);
      leader.ip = TEXT;
      host.runTo(leader, TEXT + 2);
      expect(u.hits).toHaveLength(2);
    },
  );

  test("gdb's breakpoint on it is evaluated at every iteration", () => {
    const { host, process } = copying(['boost', 'xol']);
    host.engine.setBreakpoint({ process, address: TEXT, conditions: [], commands: [] });
    expect(host.run(process.leader)).toBe('stop');
    host.engine.resumed(process.leader, 'step');
    process.leader.stepping = true;
    host.run(process.leader);
    expect(process.leader.readGpr(GPR.RCX)).toBe(99n);
    host.engine.resumed(process.leader, 'continue');
    process.leader.stepping = false;
    expect(host.run(process.leader)).toBe('stop');
    expect(process.leader.readGpr(GPR.RCX)).toBe(99n);
  });
});

test('T33 a program that steps itself has its instruction executed in place, where the trap is raised', () => {
  const { host, process } = prepare('55', ['emulate', 'boost', 'xol']);
  process.leader.flags |= 0x100;
  host.engine.register(host.root, probe(process, TEXT));
  host.run(process.leader);
  expect(host.engine.statistics.executed).toMatchObject({ emulate: 0, inline: 1 });
});

describe('boosted', () => {
  test('T52 is one trap and no step, and between copy and jump the thread shows the address behind the original', () => {
    const { host, process } = prepare('4889e5 90', ['boost']);
    host.engine.register(host.root, probe(process, TEXT));
    host.run(process.leader); // the trap
    host.run(process.leader); // the copy: the host looks here
    expect([process.leader.ip, process.leader.retired, process.leader.displaced]).toEqual([TEXT + 3, 1, false]);
    expect(host.engine.statistics.executed).toEqual({ emulate: 0, boost: 1, xol: 0, inline: 0, hook: 0 });
  });

  test('T53 its slot is free at once when the probe goes, and the thread goes on at the original', () => {
    const { host, process } = prepare('4889e5 90 ebfa', ['boost']);
    const u = probe(process, TEXT);
    host.engine.register(host.root, u);
    host.run(process.leader); // the trap: the copy has not run
    expect(host.engine.report().slotsUsed).toBe(1);
    host.expose(process.leader);
    host.engine.unregister(u);
    expect(host.engine.report().slotsUsed).toBe(0);
    expect(process.leader.ip).toBe(TEXT);
    host.runTo(process.leader, TEXT + 3);
    expect(u.hits).toHaveLength(1);
  });

  test('a slot that still holds the copy is used again without writing it', () => {
    const { host, process } = prepare('4889e5 ebfb', ['boost']);
    for (let i = 0; i < 5; i++) {
      const u = probe(process, TEXT);
      host.engine.register(host.root, u);
      host.runTo(process.leader, TEXT + 3);
      host.runTo(process.leader, TEXT);
      host.engine.unregister(u);
    }
    expect(process.space.xolWrites).toBe(2); // the fresh page, the copy
  });

  test('the debugger steps it as one instruction', () => {
    const { host, process } = prepare('4889e5 90', ['boost', 'xol']);
    host.engine.register(host.root, probe(process, TEXT));
    process.leader.stepping = true;
    host.run(process.leader);
    expect([process.leader.ip, process.leader.retired]).toEqual([TEXT + 3, 1]);
  });
});

test('an inline hook runs the same consumers, and leaves the original to the host', () => {
  const { host, process } = prepare('55 4889e5 f3a4', ['hook'], (p) => p.leader.writeGpr(GPR.RCX, 3n));
  const probes = [TEXT, TEXT + 1, TEXT + 4].map((vaddr) => probe(process, vaddr));
  for (const u of probes) host.engine.register(host.root, u);
  host.runTo(process.leader, TEXT + 6);
  expect(probes.map(({ hits }) => hits.length)).toEqual([1, 1, 1]);
  // The REP instruction's iterations are the engine's to follow.
  expect(host.engine.statistics.executed).toMatchObject({ hook: 2, emulate: 0, boost: 0, xol: 0, inline: 3 });
});

test('T61 an x87 instruction that ran in a slot leaves its own address in FIP', () => {
  const { host, process } = prepare('d9e8', ['xol']);
  host.engine.register(host.root, probe(process, TEXT));
  host.run(process.leader);
  expect(process.leader.fip).toBe(TEXT);
});

test('a program that jumps into the XOL area gets SIGILL', () => {
  const { host, process } = prepare('4889e5 ffe0', ['xol'], (p) =>
    p.leader.writeGpr(GPR.RAX, BigInt(NEAR_HOLE + 0x800)),
  );
  host.engine.register(host.root, probe(process, TEXT));
  expect(host.run(process.leader, 3)).toBe('fault');
  expect(host.end).toMatchObject({ fault: { signal: 4, address: NEAR_HOLE + 0x800 } });
});
