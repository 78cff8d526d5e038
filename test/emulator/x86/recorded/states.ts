/** The states that record.c runs its instructions from, and its digest. Both files must agree byte for byte. */

export const CASES = 20;
export const MEMORY_BYTES = 576;
/** Offsets in the XSAVE image (SDM vol. 1, 13.4, 13.5.3): standard format. */
export const IMAGE = { FCW: 0, FSW: 2, FTW: 4, MXCSR: 24, ST: 32, XMM: 160, YMM_HIGH: 576 } as const;

export interface State {
  /** An XSAVE image of 1024 bytes. */
  readonly image: DataView;
  rax: bigint;
  rcx: bigint;
  rdx: bigint;
  /** The six arithmetic flags count. */
  flags: bigint;
  readonly memory: Uint8Array;
}

const EDGES = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff, 2];
const SINGLES = [
  ...[0, 0x80000000, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000, 0x7fc00000, 0x7f800001],
  ...[1, 0x807fffff, 0x00800000, 0x7f7fffff, 0x4f000000, 0xcf000000, 0x3f000000, 0x40200000],
];
const SPECIAL_EXPONENTS = [0, 0x8000, 0x7fff, 0xffff, 0x3fff, 0x4000, 1, 0x7ffe];

/** The generator "mulberry32". */
class Numbers {
  constructor(private seed: number) {}

  next(): number {
    this.seed = (this.seed + 0x6d2b79f5) | 0;
    let t = Math.imul(this.seed ^ (this.seed >>> 15), this.seed | 1);
    t ^= (t + Math.imul(t ^ (t >>> 7), t | 61)) | 0;
    return (t ^ (t >>> 14)) >>> 0;
  }

  of(list: readonly number[]): number {
    return list[this.next() % list.length] as number;
  }

  integer(): bigint {
    const [low, high] = [this.next(), this.next()];
    switch (this.next() % 3) {
      case 0:
        return BigInt(low % 20);
      case 1:
        return BigInt.asUintN(64, -BigInt(low % 20));
      default:
        return (BigInt(high) << 32n) | BigInt(low);
    }
  }
}

/** Eight bytes: noise, edges of bytes, words and double words, singles, doubles. */
function fill8(numbers: Numbers, view: DataView, at: number): void {
  const [a, b] = [numbers.next(), numbers.next()];
  const put = (low: number, high: number): void => {
    view.setUint32(at, low, true);
    view.setUint32(at + 4, high, true);
  };
  switch (numbers.next() % 8) {
    case 0:
    case 1:
      return put(a, b);
    case 2:
      for (let i = 0; i < 8; i++) view.setUint8(at + i, numbers.of(EDGES));
      return;
    case 3:
      for (let i = 0; i < 4; i++) view.setUint16(at + 2 * i, numbers.of(EDGES), true);
      return;
    case 4:
      return put(numbers.of(EDGES), numbers.of(EDGES));
    case 5:
      return put(numbers.of(SINGLES), numbers.of(SINGLES));
    case 6:
      return put((a & 0x807fffff) | ((107 + (b % 40)) << 23), (b & 0x807fffff) | ((107 + (a % 40)) << 23));
    default:
      return put(a, (b & 0x800fffff) | ((1003 + (a % 40)) << 20));
  }
}

function fill(numbers: Numbers, view: DataView, at: number, bytes: number): void {
  for (let i = 0; i < bytes; i += 8) fill8(numbers, view, at + i);
}

/** An x87 register: a number near 1, an MMX value, a special one, or noise. */
function fillRegister(numbers: Numbers, view: DataView, at: number): void {
  const setTop = (): void => view.setUint8(at + 7, view.getUint8(at + 7) | 0x80);
  let exponent: number;
  fill8(numbers, view, at);
  switch (numbers.next() % 4) {
    case 0:
      exponent = 0x3fff + (numbers.next() % 41) - 20;
      exponent |= numbers.next() & 0x8000;
      setTop();
      break;
    case 1:
      exponent = 0xffff;
      break;
    case 2:
      exponent = numbers.of(SPECIAL_EXPONENTS);
      if (numbers.next() & 1) view.setBigUint64(at, 0n);
      if (exponent & 0x7fff) setTop();
      break;
    default:
      exponent = numbers.next() & 0xffff;
      if (exponent & 0x7fff) setTop();
      else view.setUint8(at + 7, view.getUint8(at + 7) & 0x7f);
  }
  view.setUint16(at + 8, exponent, true);
}

export function makeState(number: number): State {
  const image = new DataView(new ArrayBuffer(1024));
  const memory = new Uint8Array(MEMORY_BYTES);
  const numbers = new Numbers(Math.imul(number, 0x9e3779b9) + 1);
  for (let i = 0; i < 8; i++) {
    fill(numbers, image, IMAGE.XMM + 16 * i, 16);
    fill(numbers, image, IMAGE.YMM_HIGH + 16 * i, 16);
  }
  for (let i = 0; i < 8; i++) fillRegister(numbers, image, IMAGE.ST + 16 * i);
  fill(numbers, new DataView(memory.buffer), 0, MEMORY_BYTES);
  const [rax, rcx, rdx] = [numbers.integer(), numbers.integer(), numbers.integer()];
  const flags = BigInt(numbers.next() & 0x8d5);
  image.setUint16(IMAGE.FCW, 0x37f | ((numbers.next() & 3) << 10), true);
  image.setUint16(IMAGE.FSW, numbers.next() & 0x7f00, true);
  image.setUint16(IMAGE.FTW, numbers.next() % 3 === 0 ? numbers.next() & 0xff : 0xff, true);
  let mxcsr = 0x1f80;
  if (numbers.next() % 3 === 0) mxcsr |= (numbers.next() & 3) << 13;
  if (numbers.next() % 4 === 0) mxcsr |= 0x8000;
  if (numbers.next() % 4 === 0) mxcsr |= 0x40;
  mxcsr |= numbers.next() & 0x20;
  image.setUint32(IMAGE.MXCSR, mxcsr, true);
  return { image, rax, rcx, rdx, flags, memory };
}

export class Digest {
  private first = 0x811c9dc5;
  private second = 0x811c9dc5;

  mix(bytes: Uint8Array): void {
    for (const byte of bytes) {
      this.first = Math.imul(this.first ^ byte, 0x01000193);
      this.second = Math.imul(this.second ^ byte, 0x85ebca6b);
      this.second ^= this.second >>> 13;
    }
  }

  integer(value: bigint): void {
    const bytes = new DataView(new ArrayBuffer(8));
    bytes.setBigUint64(0, value, true);
    this.mix(new Uint8Array(bytes.buffer));
  }

  signal(number: number): void {
    this.mix(Uint8Array.of(number, 0, 0, 0));
  }

  /** A state after an instruction. */
  state({ image, rax, rcx, rdx, flags, memory }: State): void {
    const bytes = (at: number, length: number): Uint8Array => new Uint8Array(image.buffer, at, length);
    this.mix(bytes(IMAGE.FCW, 5));
    this.mix(bytes(IMAGE.MXCSR, 4));
    for (let i = 0; i < 8; i++) this.mix(bytes(IMAGE.ST + 16 * i, 10));
    for (let i = 0; i < 8; i++) {
      this.mix(bytes(IMAGE.XMM + 16 * i, 16));
      this.mix(bytes(IMAGE.YMM_HIGH + 16 * i, 16));
    }
    for (const value of [rax, rcx, rdx, flags]) this.integer(value);
    this.mix(memory);
  }

  get text(): string {
    return [this.first, this.second].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('');
  }
}
