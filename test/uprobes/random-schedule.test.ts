/** T60 on the real emulator: see random-schedule.ts. scripts/stress-probes runs it for as long as one likes. */
import { expect, test } from 'vitest';
import { buildGuest } from '../guests/build.js';
import { randomSchedule } from './random-schedule.js';

const CROWD = buildGuest({ source: 'crowd.c', flags: ['-O1', '-static', '-no-pie', '-fno-pie', '-pthread'] });

test.each([1, 2, 3])(
  'T60 probes come and go under eight threads, forks, execs and kills (seed %i)',
  { timeout: 300_000 },
  async (seed) => {
    const { cycles, statistics } = await randomSchedule(CROWD, seed, 60);
    expect(cycles).toBeGreaterThanOrEqual(60);
    expect(statistics.hits).toBeGreaterThan(300);
  },
);

/** Code takes frames by areas of so many, and keeps them. */
const AREA_FRAMES = 64;

const seconds = Number(process.env.SIDESTEP_STRESS_SECONDS ?? 0);
const firstSeed = Number(process.env.SIDESTEP_STRESS_SEED ?? 1);

test.runIf(seconds > 0)(
  `a thousand cycles for each seed, ${seconds} s`,
  { timeout: (seconds + 300) * 1000 },
  async () => {
    const kept = new Set<number>();
    const end = performance.now() + seconds * 1000;
    for (let seed = firstSeed; performance.now() < end; seed++) {
      const { statistics, framesKept } = await randomSchedule(CROWD, seed, 1000);
      const { hits, sleeps, executed, slotWaits, returns } = statistics;
      kept.add(framesKept % AREA_FRAMES);
      const heap = Math.round(process.memoryUsage().heapUsed / 2 ** 20);
      console.log(`seed ${seed}: ${JSON.stringify({ hits, sleeps, slotWaits, returns, executed, framesKept, heap })}`);
    }
    expect(kept.size).toBe(1);
  },
);
