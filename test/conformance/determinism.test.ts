/** Two runs of a program that reads no clock, socket or terminal of the host are the same run: output, interleaving, count. In every tier. */
import { expect, test } from 'vitest';
import { buildGuest } from '../guests/build.js';
import { type Program, runEmulated, TIERS, type Tier } from './run.js';

function guest(source: string): readonly string[] {
  return [buildGuest({ source, flags: ['-O1', '-pthread'] })];
}

/** Several threads or processes each, whose order shows in what they print. */
const PROGRAMS: readonly (Program & { name: string })[] = [
  { name: 'threads', argv: guest('threads.c') },
  { name: 'a crew of threads', argv: guest('crew.c') },
  { name: 'signals', argv: guest('signals.c') },
  {
    name: 'processes in pipes',
    argv: ['dash', '-c', 'for i in 1 2 3; do (echo $i a; echo $i b) & done | sort; seq 50 | tr 0-9 a-j | wc'],
  },
];

interface Run {
  readonly stdout: string;
  readonly status: number;
  readonly retired: string | undefined;
}

function run(program: Program, tier: Tier): Run {
  const { stdout, status, stderr } = runEmulated(program, [`--tier=${tier}`, '--stats']);
  return { stdout, status, retired: /^(\d+) instructions retired$/m.exec(stderr)?.[1] };
}

test.each(PROGRAMS)('$name: every run is the same', (program) => {
  const first = run(program, 'auto');
  expect(first.retired).toBeDefined();
  for (const tier of TIERS) expect(run(program, tier), tier).toEqual(first);
});
