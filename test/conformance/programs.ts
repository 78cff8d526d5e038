/**
 * Unmodified programs, Debian's own and some that gcc just built: same output and exit status as natively. A file for each tier calls `programs`, so that
 * they run side by side.
 */
import { describe, expect, test } from 'vitest';
import { buildGuest, LINKAGES } from '../guests/build.js';
import { type Outcome, type Program, runEmulated, runNatively, SLOW, type Tier } from './run.js';

/** Bytes that compress badly and are the same every time. */
function megabytes(count: number): Uint8Array {
  const bytes = new Uint8Array(count << 20);
  let state = 1;
  for (let i = 0; i < bytes.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

const TEXT = Array.from({ length: 5000 }, (_, i) => `${(i * 7919) % 5000} word${i % 17} line ${i}`).join('\n');

const COMMANDS: readonly (Program & { name: string })[] = [
  { name: 'true', argv: ['true'] },
  { name: 'false', argv: ['false'] },
  { name: 'echo', argv: ['/bin/echo', '-e', 'hello\\tworld', 'ünïcödé'] },
  { name: 'ls -l', argv: ['ls', '-l', '/etc', '/usr/lib/x86_64-linux-gnu'] },
  { name: 'ls of nothing', argv: ['ls', '/no/such/folder'] },
  { name: 'cat of a file', argv: ['cat', '/etc/passwd', '/etc/group'] },
  { name: 'cat of its input', argv: ['cat'], stdin: TEXT },
  { name: 'wc', argv: ['wc'], stdin: TEXT },
  { name: 'sort', argv: ['sort', '-n'], stdin: TEXT },
  { name: 'sort -u -r', argv: ['sort', '-u', '-r', '-k', '2'], stdin: TEXT },
  { name: 'sha256sum', argv: ['sha256sum'], stdin: megabytes(1) },
  { name: 'dash: loop', argv: ['dash', '-c', 'i=0; while [ $i -lt 300 ]; do i=$((i + 1)); echo $i; done; exit 9'] },
  { name: 'dash: pipes', argv: ['dash', '-c', 'seq 100 | sort -r | head -n 20 | tr 0-9 a-j | wc -c; false | true'] },
  {
    name: 'dash: substitution, subshell, here document',
    argv: ['dash', '-c', 'x=$(echo a b c | cut -d" " -f2); (cd /; pwd; exit 3); echo $? $x; cat <<E\n$x$x\nE\n'],
  },
  { name: 'dash: jobs', argv: ['dash', '-c', 'for i in 1 2 3; do (sleep 0.0$i; exit $i) & done; wait; echo all'] },
  { name: 'dash: redirection', argv: ['dash', '-c', 'echo one >f; echo two >>f; cat <f f; rm f; ls -a'] },
  { name: 'dash: FIFO', argv: ['dash', '-c', 'mkfifo f; (echo through >f) & cat f; wait; ls f; rm f'] },
  { name: 'bash: process substitution', argv: ['bash', '-c', 'cat < <(echo one) <(echo two)'] },
  { name: 'script: a terminal', argv: ['script', '-qc', 'tty | cut -c1-9; echo typed | cat', '/dev/null'] },
  { name: 'dash: killed by a signal', argv: ['dash', '-c', 'kill -TERM $$'] },
  {
    name: 'dash: traps',
    argv: ['dash', '-c', 'trap "echo caught" USR1; trap "echo bye" EXIT; kill -USR1 $$; echo on'],
  },
];

/** What each program needs beside what its linkage and optimisation ask for. */
const GUESTS: readonly { source: string; flags?: readonly string[] }[] = [
  { source: 'floats.c', flags: ['-lm'] },
  { source: 'memory.c' },
  { source: 'coherence.c' },
  { source: 'threads.c', flags: ['-pthread'] },
  { source: 'signals.c' },
  { source: 'jumps.c', flags: ['-lm'] },
  { source: 'transfers.c' },
  { source: 'processes.c' },
  { source: 'clocks.c' },
  { source: 'self.c' },
  { source: 'files.c' },
  { source: 'channels.c', flags: ['-pthread', '-lutil'] },
];

/** Too much for the gate without compiled code: 900 million instructions. */
const LARGE: Program & { name: string } = { name: 'sha256sum of 16 MiB', argv: ['sha256sum'], stdin: megabytes(16) };

const FAULTS = ['abort', 'segv', 'fpe', 'ill'];
const WAYS_TO_END = [...FAULTS, 'return', 'exit', '_exit', 'term', 'kill', 'usr1'];

interface Build {
  readonly build: string;
  readonly flags: readonly string[];
}

const ALL_BUILDS: readonly Build[] = LINKAGES.flatMap((linkage) =>
  ['-O0', '-O2'].map((optimisation) => ({
    build: `${linkage.name} ${optimisation}`,
    flags: [...linkage.flags, optimisation],
  })),
);

/**
 * How a program is linked, and most ways to end, are the kernel's business, the same in every tier. The gate takes a sample: compiling all that a start
 * executes takes seconds. The slow suite has everything in every tier.
 */
const SAMPLE: Record<Tier, readonly string[]> = {
  interp: ['static -O2', 'dynamic PIE -O0'],
  compile: ['static -O2'],
  auto: ['static -O2', 'static PIE -O0', 'dynamic -O2', 'dynamic PIE -O0'],
};

function buildsFor(tier: Tier): readonly Build[] {
  return SLOW ? ALL_BUILDS : ALL_BUILDS.filter(({ build }) => SAMPLE[tier].includes(build));
}

const native = new Map<string, Outcome>();

function nativeOutcome(key: string, program: Program): Outcome {
  const outcome = native.get(key) ?? runNatively(program);
  native.set(key, outcome);
  return outcome;
}

/** Declares the tests of one tier. */
export function programs(tier: Tier): void {
  function expectSame(key: string, program: Program): void {
    const { stdout, status, stderr } = runEmulated(program, [`--tier=${tier}`]);
    expect({ stdout, status }, stderr).toEqual(nativeOutcome(key, program));
  }

  const whole = SLOW || tier === 'auto';

  test.each(whole ? [...COMMANDS, LARGE] : COMMANDS)('$name does as natively', (command) =>
    expectSame(command.name, command),
  );

  describe.each(buildsFor(tier))('built $build', ({ build, flags }) => {
    test.each(GUESTS)('$source does as natively', ({ source, flags: own = [] }) => {
      const program = buildGuest({ source, flags: [...flags, ...own] });
      expectSame(`${source} ${build}`, { argv: [program] });
    });
  });

  test.each(whole ? WAYS_TO_END : FAULTS)('a program that ends by %s has the status it has natively', (way) => {
    const program = buildGuest({ source: 'dies.c', flags: ['-O1'] });
    expectSame(`dies ${way}`, { argv: [program, way] });
  });
}
