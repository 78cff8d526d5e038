/** The steps of SHA-1 and SHA-256 (FIPS 180-4, 6.1.2, 6.2.2; SDM vol. 1, 5.20). Words stand in lanes, for SHA-1 the first in lane 3. */
import type { OpBuilder, Value } from '../../ir/op-builder.js';
import { type Subroutine, type SubroutineBuilder, subroutine } from '../../ir/subroutine.js';

function lane(b: OpBuilder, vector: Value, number: number): Value {
  return b.op(`i32x4.extract_lane.${number}`, vector);
}

function lanes(b: OpBuilder, four: readonly Value[]): Value {
  const first = b.op('i32x4.splat', four[0] as Value);
  return [1, 2, 3].reduce((vector, i) => b.op(`i32x4.replace_lane.${i}`, vector, four[i] as Value), first);
}

function rotateLeft(b: OpBuilder, x: Value, count: number): Value {
  return b.op('i32.rotl', x, b.i32(count));
}

function sum(b: OpBuilder, ...values: Value[]): Value {
  return values.reduce((x, y) => b.add(x, y));
}

function xor(b: OpBuilder, ...values: Value[]): Value {
  return values.reduce((x, y) => b.xor(x, y));
}

function choose(b: OpBuilder, x: Value, y: Value, z: Value): Value {
  return b.xor(z, b.and(x, b.xor(y, z)));
}

function majority(b: OpBuilder, x: Value, y: Value, z: Value): Value {
  return b.or(b.and(x, y), b.and(b.or(x, y), z));
}

type Mix = (b: OpBuilder, x: Value, y: Value, z: Value) => Value;

/** f and K of the rounds 0, 20, 40, 60 and on. */
const SHA1_STAGES: readonly (readonly [Mix, number])[] = [
  [choose, 0x5a82_7999],
  [xor, 0x6ed9_eba1],
  [majority, 0x8f1b_bcdc],
  [xor, 0xca62_c1d6],
];

/** SHA1RNDS4: (A B C D, four words, with E added to the first) → A B C D. One for each value of the immediate. */
export const sha1Rounds: readonly Subroutine[] = SHA1_STAGES.map(([mix, constant], stage) =>
  subroutine(`sha1.rounds.${stage}`, 'vv>v', (b, state, words) => {
    let [a, x, y, z] = [3, 2, 1, 0].map((i) => lane(b, state as Value, i)) as [Value, Value, Value, Value];
    let e: Value = b.i32(0);
    for (let round = 0; round < 4; round++) {
      const word = lane(b, words as Value, 3 - round);
      const next = sum(b, mix(b, x, y, z), rotateLeft(b, a, 5), word, b.i32(constant), e);
      [e, z, y, x, a] = [z, y, rotateLeft(b, x, 30), a, next];
    }
    return lanes(b, [z, y, x, a]);
  }),
);

/** SHA1MSG2. */
export const sha1Schedule = subroutine('sha1.schedule', 'vv>v', (b, x, y) => {
  const step = (i: number, other: Value): Value => rotateLeft(b, b.xor(lane(b, x as Value, i), other), 1);
  const first = step(3, lane(b, y as Value, 2));
  return lanes(b, [step(0, first), step(1, lane(b, y as Value, 0)), step(2, lane(b, y as Value, 1)), first]);
});

/** Three rotations to the right; of a negative count a shift. */
function sigma(b: OpBuilder, x: Value, counts: readonly [number, number, number]): Value {
  return xor(b, ...counts.map((n) => (n < 0 ? b.shrU(x, b.i32(-n)) : b.op('i32.rotr', x, b.i32(n)))));
}

const LARGE_SIGMA_0 = [2, 13, 22] as const;
const LARGE_SIGMA_1 = [6, 11, 25] as const;
const SMALL_SIGMA_0 = [7, 18, -3] as const;
const SMALL_SIGMA_1 = [17, 19, -10] as const;

function fourLanes(b: SubroutineBuilder, vector: Value): [Value, Value, Value, Value] {
  return [0, 1, 2, 3].map((i) => lane(b, vector, i)) as [Value, Value, Value, Value];
}

/** SHA256RNDS2: (H G D C, F E B A, two words with K added, from lane 0 on) → F E B A. */
export const sha256Rounds = subroutine('sha256.rounds', 'vvv>v', (b, older, newer, words) => {
  let [h, g, d, c] = fourLanes(b, older as Value);
  let [f, e, x, a] = fourLanes(b, newer as Value);
  for (let round = 0; round < 2; round++) {
    const first = sum(b, choose(b, e, f, g), sigma(b, e, LARGE_SIGMA_1), lane(b, words as Value, round), h);
    const next = sum(b, first, majority(b, a, x, c), sigma(b, a, LARGE_SIGMA_0));
    [h, g, f, e, d, c, x, a] = [g, f, e, b.add(first, d), c, x, a, next];
  }
  return lanes(b, [f, e, x, a]);
});

/** SHA256MSG1: W[i] + σ0(W[i + 1]). */
export const sha256Schedule1 = subroutine('sha256.schedule1', 'vv>v', (b, x, y) => {
  const words = [...fourLanes(b, x as Value), lane(b, y as Value, 0)];
  return lanes(
    b,
    words.slice(0, 4).map((word, i) => b.add(word, sigma(b, words[i + 1] as Value, SMALL_SIGMA_0))),
  );
});

/** SHA256MSG2: W[i] + σ1(W[i - 2]), the last two of which are results themselves. */
export const sha256Schedule2 = subroutine('sha256.schedule2', 'vv>v', (b, x, y) => {
  const words = [lane(b, y as Value, 2), lane(b, y as Value, 3)];
  fourLanes(b, x as Value).forEach((word, i) => {
    words.push(b.add(word, sigma(b, words[i] as Value, SMALL_SIGMA_1)));
  });
  return lanes(b, words.slice(2));
});

export const shaSubroutines: readonly Subroutine[] = [
  ...sha1Rounds,
  sha1Schedule,
  sha256Rounds,
  sha256Schedule1,
  sha256Schedule2,
];
