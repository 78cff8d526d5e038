/** Random choices that a seed repeats: what fuzzing prints when it fails. */

export class Random {
  private state: number;

  constructor(readonly seed: number) {
    this.state = seed >>> 0;
  }

  /** 0 <= value < limit (mulberry32). */
  below(limit: number): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % limit;
  }

  of<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }
}

/** SIDESTEP_FUZZ_SECONDS makes the long form, SIDESTEP_FUZZ_SEED repeats one. */
export const FUZZ_SECONDS = Number(process.env.SIDESTEP_FUZZ_SECONDS ?? 0);
export const FIRST_SEED = Number(process.env.SIDESTEP_FUZZ_SEED ?? 1);

/** Calls `round` with one seed after the other: so many of them, or until the time of the long form is over. */
export async function fuzz(name: string, rounds: number, round: (random: Random) => unknown): Promise<void> {
  const end = performance.now() + FUZZ_SECONDS * 1000;
  let seed = FIRST_SEED;
  for (; FUZZ_SECONDS > 0 ? performance.now() < end : seed < FIRST_SEED + rounds; seed++) {
    try {
      await round(new Random(seed));
    } catch (error) {
      throw new Error(`${name}: SIDESTEP_FUZZ_SEED=${seed} repeats it`, { cause: error });
    }
  }
  if (FUZZ_SECONDS > 0) console.log(`${name}: seeds ${FIRST_SEED} to ${seed - 1} in ${FUZZ_SECONDS} s`);
}
