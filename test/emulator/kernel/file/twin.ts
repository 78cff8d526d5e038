/**
 * The same system calls made by a scripted guest and by a native program, each in a directory of its own: what the real kernel answers is what is
 * expected. Both have 128 KiB of memory at 0x10000, so that the arguments are the same numbers.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { NodeHost } from '../../../../src/emulator/host/node-host.js';
import { errnoName } from '../../../../src/emulator/kernel/errno.js';
import { filesOf } from '../../../../src/emulator/kernel/file/file-table.js';
import { openFile, openHow } from '../../../../src/emulator/kernel/file/open.js';
import { O } from '../../../../src/emulator/kernel/file/open-file.js';
import { credentialsOf } from '../../../../src/emulator/kernel/root.js';
import type { Process } from '../../../../src/emulator/process.js';
import { runAll, type Scripted, ScriptedSpace, scripted, sys } from '../scripted.js';

const RUNNER = `
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <errno.h>
#include <signal.h>

#define OUT 1000

/* runner IN OUT: IN is the count of calls, seven words each, then the memory; OUT the results, then the memory. */
int main(int argc, char **argv) {
  char *memory = mmap((void *)0x10000, 0x20000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  static int64_t calls[7 * 1024], results[1024];
  int64_t count;
  if (memory == MAP_FAILED) return 1;
  int in = open(argv[1], O_RDONLY);
  if (read(in, &count, 8) != 8 || read(in, calls, 56 * count) != 56 * count) return 2;
  if (read(in, memory, 0x20000) != 0x20000) return 3;
  close(in);
  /* Opened now: the calls may give up the right to. */
  dup2(open(argv[2], O_WRONLY | O_CREAT | O_TRUNC, 0600), OUT);
  for (int fd = 0; fd < 3; fd++) close(fd);
  for (int fd = 0; fd < 3; fd++) open("/dev/null", O_RDWR);
  for (int i = 3; i < OUT; i++) close(i);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);
  for (int64_t i = 0; i < count; i++) {
    int64_t *c = calls + 7 * i;
    long result = syscall(c[0], c[1], c[2], c[3], c[4], c[5], c[6]);
    results[i] = result == -1 ? -errno : result;
  }
  struct rlimit limit;
  for (int resource = RLIMIT_FSIZE; resource <= RLIMIT_NOFILE; resource += RLIMIT_NOFILE - RLIMIT_FSIZE) {
    getrlimit(resource, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(resource, &limit);
  }
  if (write(OUT, results, 8 * count) != 8 * count || write(OUT, memory, 0x20000) != 0x20000) return 4;
  return 0;
}
`;

/** A call: its number and arguments. A string is the address of that string; -100 is AT_FDCWD. */
export type Call = readonly [nr: number, ...args: (number | bigint | string)[]];

/** Bytes that both sides must have left in memory. */
export interface Region {
  readonly at: number;
  readonly length: number;
}

export interface Twin {
  /** Fills each directory. */
  prepare?(directory: string): void;
  /** Bytes in memory before the first call. */
  readonly memory?: readonly { readonly at: number; readonly bytes: Uint8Array }[];
  readonly calls: readonly Call[];
  readonly compare?: readonly Region[];
  readonly runner: string;
  /** Where the guest makes its calls instead of a directory of the host. */
  readonly guestDirectory?: string;
}

const BASE = ScriptedSpace.BASE;
const SIZE = ScriptedSpace.SIZE;
/** Strings are laid down from here; below is the tests' own. */
const STRINGS = 0x2_0000;
const NR_EXIT = 60;

/** Compiles the native side; its path. */
export function buildRunner(directory: string): string {
  const source = join(directory, 'runner.c');
  const program = join(directory, 'runner');
  writeFileSync(source, RUNNER);
  execFileSync('gcc', ['-O1', '-w', '-o', program, source]);
  return program;
}

interface Laid {
  readonly memory: Uint8Array;
  readonly calls: readonly (readonly [number, ...bigint[]])[];
}

function lay({ calls, memory: initial }: Twin): Laid {
  const memory = new Uint8Array(SIZE);
  for (const { at, bytes } of initial ?? []) memory.set(bytes, at - BASE);
  let next = STRINGS;
  const address = (text: string): bigint => {
    const at = next;
    const bytes = Buffer.from(`${text}\0`);
    memory.set(bytes, at - BASE);
    next += bytes.length;
    return BigInt(at);
  };
  const laid = calls.map(([nr, ...args]): readonly [number, ...bigint[]] => [
    nr,
    ...args.map((arg) => (typeof arg === 'string' ? address(arg) : BigInt(arg))),
  ]);
  return { memory, calls: laid };
}

interface Outcome {
  readonly results: readonly number[];
  readonly memory: Uint8Array;
}

function runNative(runner: string, directory: string, scratch: string, { memory, calls }: Laid): Outcome {
  const words = calls.flatMap(([nr, ...args]) =>
    Array.from({ length: 7 }, (_, i) => (i === 0 ? BigInt(nr) : (args[i - 1] ?? 0n))),
  );
  const input = join(scratch, 'in');
  const output = join(scratch, 'out');
  writeFileSync(
    input,
    Buffer.concat([Buffer.from(BigInt64Array.from([BigInt(calls.length), ...words]).buffer), Buffer.from(memory)]),
  );
  execFileSync(runner, [input, output], { cwd: directory, stdio: ['ignore', 'ignore', 'inherit'] });
  const bytes = readFileSync(output);
  const results = calls.map((_, i) => Number(bytes.readBigInt64LE(8 * i)));
  return { results, memory: bytes.subarray(8 * calls.length) };
}

/** A guest with the rights of the test's own process and /dev/null as its first three descriptors. */
export function guestIn(directory: string, program: Parameters<typeof scripted>[0]): Scripted {
  const host = new NodeHost();
  const guest = scripted(program, {}, {}, host);
  const { machine, process, thread } = guest;
  const { uid, gid, groups } = host.inputs;
  process.credentials = credentialsOf(uid, gid, groups);
  process.fs.cwd = directory;
  (machine.root as Process).credentials = credentialsOf(uid, gid, groups);
  const how = openHow(O.RDWR, 0);
  if (typeof how === 'number') throw new Error('bad flags');
  for (let fd = 0; fd < 3; fd++) {
    const file = openFile(machine.context(thread), -100, '/dev/null', how);
    if (typeof file === 'number') throw new Error(`no /dev/null: ${file}`);
    filesOf(process).add(file, false, { soft: 3, hard: 3 });
  }
  return guest;
}

function runScripted(directory: string, { memory, calls }: Laid): Outcome {
  const results: number[] = [];
  const guest = guestIn(directory, function* () {
    yield sys(13, 13, guest.action(1), 0, 8);
    yield sys(13, 25, guest.action(1), 0, 8);
    guest.space.writeBytes(BASE, memory);
    for (const [nr, ...args] of calls) results.push(yield sys(nr, ...args));
    yield sys(NR_EXIT, 0);
  });
  runAll(guest.machine);
  return { results, memory: guest.space.readBytes(BASE, SIZE) as Uint8Array };
}

function shown(result: number): string {
  return result < 0 && result > -4096 ? `-${errnoName(-result)}` : String(result);
}

/** Runs both and compares results, memory regions, and, by `look`, what became of the directories. */
export function expectTwins(twin: Twin, look?: (directory: string) => unknown): string[] {
  const scratch = realpathSync(mkdtempSync(join(tmpdir(), 'sidestep-twin-')));
  try {
    const [native, guest] = ['native', 'guest'].map((name) => {
      const directory = join(scratch, name);
      mkdirSync(directory);
      twin.prepare?.(directory);
      return directory;
    }) as [string, string];
    const laid = lay(twin);
    const expected = runNative(twin.runner, native, scratch, laid);
    const actual = runScripted(twin.guestDirectory ?? guest, laid);
    const name = (results: readonly number[]): string[] =>
      results.map((result, i) => `${i}: ${twin.calls[i]?.join(' ')} = ${shown(result)}`);
    const differs = (_: unknown, i: number): boolean => actual.results[i] !== expected.results[i];
    expect(name(actual.results).filter(differs)).toEqual(name(expected.results).filter(differs));
    for (const { at, length } of twin.compare ?? []) {
      const part = ({ memory }: Outcome): string =>
        Buffer.from(memory.subarray(at - BASE, at - BASE + length)).toString('hex');
      expect(part(actual), `memory at ${at.toString(16)}`).toBe(part(expected));
    }
    if (look !== undefined) expect(look(guest)).toEqual(look(native));
    return actual.results.map(shown);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
