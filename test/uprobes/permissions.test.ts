/** T08 to T11 where the kernel of the guest keeps the pid namespaces, user ids and set-user-id programs. */
import { chmodSync, chownSync, copyFileSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { numberFor } from '../../src/emulator/kernel/pid-namespace.js';
import type { Process } from '../../src/emulator/process.js';
import { guestCaller } from '../../src/inferior/guest-caller.js';
import type { Hit, Uprobe } from '../../src/uprobes/uprobe.js';
import { buildGuest } from '../guests/build.js';
import { errno } from './probe.js';
import { type Program, start, symbolsOf } from './real-machine.js';

const NESTED = buildGuest({ source: 'nested.c', flags: ['-O1', '-static', '-no-pie', '-fno-pie'] });
const SYMBOLS = symbolsOf(NESTED);
const PROBED = SYMBOLS.get('probed') as number;
const USER = 1234;

let folder: string;
/** Where every user may execute it. */
let plain: string;
/** The same program, owned by root, with the set-user-id bit where the file system of the host keeps it. */
let privileged: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'permissions-'));
  chmodSync(folder, 0o755);
  plain = join(folder, 'plain');
  privileged = join(folder, 'privileged');
  for (const copy of [plain, privileged]) copyFileSync(NESTED, copy);
  chmodSync(plain, 0o755);
  chownSync(privileged, 0, 0);
  chmodSync(privileged, 0o4755);
});

afterAll(() => rmSync(folder, { recursive: true }));

interface Family extends Program {
  /** Of an ordinary user. */
  readonly users: readonly [Process, Process];
  /** Process 1 of the nested namespace, and its process 5. */
  readonly init: Process;
  readonly fifth: Process;
}

/** Everybody is there and spins. */
function family(): Family {
  const program = start([plain, privileged], {}, {}, { checked: true });
  const { machine } = program.guest;
  for (let i = 0; i < 500; i++) {
    const all = [...machine.processes.values()].filter(({ pid }) => pid > program.process.pid);
    const users = all.filter(({ credentials, dumpable }) => credentials.euid === USER && dumpable === 1);
    const [init] = all.filter((process) => process.pidNamespace?.init === process.pid);
    const fifth = all.find((process) => init !== undefined && numberFor(init, process.pid) === 5);
    const [first, second] = users;
    if (first !== undefined && second !== undefined && init !== undefined && fifth !== undefined)
      return { ...program, users: [first, second], init, fifth };
    machine.run(10_000);
  }
  throw new Error('they do not come up');
}

function spins({ guest }: Program, instructions = 200_000): void {
  guest.machine.run(instructions);
}

function probeOf(pid: number): Uprobe & { readonly hits: Hit[]; readonly gone: string[] } {
  const hits: Hit[] = [];
  const gone: string[] = [];
  return {
    pid,
    vaddr: PROBED,
    hits,
    gone,
    handler(hit) {
      hits.push(hit);
      return 'continue';
    },
    onGone: (why) => gone.push(why),
  };
}

function hitBy(hits: readonly Hit[]): number[] {
  return [...new Set(hits.map(({ thread }) => thread.process.pid as number))];
}

test.runIf(process.getuid?.() === 0)(
  'T08 pid 5 of a nested namespace is that process to a caller inside, and nobody outside',
  () => {
    const program = family();
    const { engine, port, init, fifth } = program;
    const inside = guestCaller(port, init);
    const u = probeOf(5);
    expect(engine.register(inside, u)).toBeUndefined();
    spins(program);
    expect(hitBy(u.hits)).toEqual([fifth.pid]);
    expect(errno(engine.register(guestCaller(port, program.process), probeOf(5)))).toBe('ESRCH');
    expect(engine.register(guestCaller(port, program.process), probeOf(fifth.pid))).toBeUndefined();
  },
);

test.runIf(process.getuid?.() === 0)('T09 a pid that the caller cannot see is ESRCH, and not EPERM', () => {
  const { engine, port, init, users, process } = family();
  const inside = guestCaller(port, init);
  for (const { pid } of [process, users[0]]) expect(errno(engine.register(inside, probeOf(pid)))).toBe('ESRCH');
  expect(errno(engine.register(guestCaller(port, users[0]), probeOf(999)))).toBe('ESRCH');
});

test.runIf(process.getuid?.() === 0)(
  "T10 another user's process is EPERM, unless the caller has CAP_SYS_PTRACE",
  () => {
    const { engine, port, init, users, process } = family();
    const [user, other] = users;
    expect(errno(engine.register(guestCaller(port, user), probeOf(process.pid)))).toBe('EPERM');
    expect(errno(engine.register(guestCaller(port, user), probeOf(init.pid)))).toBe('EPERM');
    expect(engine.register(guestCaller(port, user), probeOf(other.pid))).toBeUndefined();
    expect(engine.register(guestCaller(port, process), probeOf(other.pid))).toBeUndefined();
    // What does not want to be dumped is not to be looked into by its own user either.
    other.dumpable = 0;
    expect(errno(engine.register(guestCaller(port, user), probeOf(other.pid)))).toBe('EPERM');
  },
);

test.runIf(process.getuid?.() === 0)(
  "T11 behind a set-user-id exec the user's probes are gone, and the program runs",
  () => {
    const program = family();
    const { engine, port, users } = program;
    const [user, other] = users;
    const caller = guestCaller(port, user);
    const { dev, ino } = statSync(privileged);
    const offset = PROBED - (SYMBOLS.get('file offset') as number);
    const mine = { ...probeOf(0), file: { dev, ino }, offset, ownProcessesOnly: true };
    const everybodys = { ...probeOf(0), file: { dev, ino }, offset };
    const u = probeOf(other.pid);
    expect(errno(engine.registerFile(caller, everybodys))).toBe('EACCES');
    expect(engine.registerFile(caller, mine)).toBeUndefined();
    expect(engine.registerFile(guestCaller(port, program.process), everybodys)).toBeUndefined();
    expect(engine.register(caller, u)).toBeUndefined();
    spins(program);
    expect([hitBy(u.hits), mine.hits, everybodys.hits]).toEqual([[other.pid], [], []]);
    port.space(other).write(SYMBOLS.get('order') as number, Uint8Array.of(1));
    const before = u.hits.length;
    spins(program);
    expect(u.gone).toEqual(['exec']);
    expect(u.hits.length).toBeLessThanOrEqual(before + 1);
    expect([other.credentials.ruid, other.credentials.euid, other.dumpable]).toEqual([USER, 0, 0]);
    expect([mine.hits.length, hitBy(everybodys.hits)]).toEqual([0, [other.pid]]);
    expect(errno(engine.register(caller, probeOf(other.pid)))).toBe('EPERM');
  },
);
