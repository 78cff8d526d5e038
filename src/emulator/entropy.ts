/**
 * Random numbers for the guest (getrandom, AT_RANDOM, layout), all from the machine's seed: the same seed, the same bytes. xoshiro128** of Blackman and
 * Vigna, its state filled from the seed by splitmix32. Plain data; not for secrets.
 */
export class Entropy {
  readonly state: Uint32Array;

  constructor(seed: number) {
    this.state = new Uint32Array(4);
    let s = seed >>> 0;
    for (let i = 0; i < 4; i++) {
      s = (s + 0x9e37_79b9) >>> 0;
      let z = s;
      z = Math.imul(z ^ (z >>> 16), 0x85eb_ca6b);
      z = Math.imul(z ^ (z >>> 13), 0xc2b2_ae35);
      this.state[i] = z ^ (z >>> 16);
    }
    // Seeds above 32 bits count too.
    this.state[3] = (this.state[3] as number) ^ Math.floor(seed / 0x1_0000_0000);
    this.state[0] = (this.state[0] as number) | 1;
  }

  /** The next 32 bits, unsigned. */
  next(): number {
    const s = this.state as unknown as [number, number, number, number];
    const product = Math.imul(s[1], 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    const t = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = (s[3] << 11) | (s[3] >>> 21);
    return result;
  }

  fill(bytes: Uint8Array): void {
    let word = 0;
    for (let i = 0; i < bytes.length; i++) {
      if (i % 4 === 0) word = this.next();
      bytes[i] = word >>> (8 * (i % 4));
    }
  }
}
