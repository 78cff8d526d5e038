/**
 * The rounds of AES (FIPS 197; SDM vol. 1, 12.13). The state is a vector: byte `row + 4 * column`. A substitution of 256 entries is sixteen swizzles,
 * each of which sees only the indices of its own sixteenth.
 */
import type { OpBuilder, Value } from '../../ir/op-builder.js';
import { type Subroutine, type SubroutineBuilder, subroutine } from '../../ir/subroutine.js';

/** x times the field's generator polynomial's root, modulo x^8 + x^4 + x^3 + x + 1. */
function timesTwo(x: number): number {
  return ((x << 1) ^ (x & 0x80 ? 0x11b : 0)) & 0xff;
}

/** The S-box: multiplicative inverse, then an affine map (FIPS 197, 5.1.1). 3 generates the field's group. */
function makeSubstitution(): Uint8Array {
  const powers: number[] = [1];
  for (let i = 1; i < 255; i++) {
    const last = powers[i - 1] as number;
    powers.push(timesTwo(last) ^ last);
  }
  const box = new Uint8Array(256);
  for (let i = 0; i < 256; i++) {
    const inverse = i === 0 ? 0 : (powers[(255 - powers.indexOf(i)) % 255] as number);
    const twice = (inverse << 8) | inverse;
    box[i] = (inverse ^ (twice >> 7) ^ (twice >> 6) ^ (twice >> 5) ^ (twice >> 4) ^ 0x63) & 0xff;
  }
  return box;
}

const SUBSTITUTION = makeSubstitution();
const INVERSE_SUBSTITUTION = new Uint8Array(256);
SUBSTITUTION.forEach((to, from) => {
  INVERSE_SUBSTITUTION[to] = from;
});

function bytes(at: (i: number) => number): Uint8Array {
  return Uint8Array.from({ length: 16 }, (_, i) => at(i));
}

function substitution(name: string, box: Uint8Array): Subroutine {
  return subroutine(name, 'v>v', (b, state) => {
    const parts = Array.from({ length: 16 }, (_, i) => {
      const indices = b.op('i8x16.sub', state as Value, b.v128(bytes(() => 16 * i)));
      return b.op('i8x16.swizzle', b.v128(box.slice(16 * i, 16 * i + 16)), indices);
    });
    return parts.reduce((x, y) => b.op('v128.or', x, y));
  });
}

/** SubBytes of all 16 bytes. */
export const substitute = substitution('aes.substitute', SUBSTITUTION);
const substituteBack = substitution('aes.substituteBack', INVERSE_SUBSTITUTION);

const SHIFT_ROWS = bytes((i) => (i & 3) + 4 * (((i >> 2) + i) & 3));
const SHIFT_ROWS_BACK = bytes((i) => (i & 3) + 4 * (((i >> 2) - i) & 3));

/** Each column turned by some rows. */
function turned(b: OpBuilder, x: Value, rows: number): Value {
  return b.shuffle(
    x,
    x,
    bytes((i) => (i & ~3) | ((i + rows) & 3)),
  );
}

function doubled(b: OpBuilder, x: Value): Value {
  const reduction = b.op('v128.and', b.op('i8x16.shr_s', x, b.i32(7)), b.v128(bytes(() => 0x1b)));
  return b.op('v128.xor', b.op('i8x16.shl', x, b.i32(1)), reduction);
}

function xor(b: OpBuilder, ...values: Value[]): Value {
  return values.reduce((x, y) => b.op('v128.xor', x, y));
}

/** Row r of a column becomes 2 r + 3 (r + 1) + (r + 2) + (r + 3). */
function mixColumns(b: OpBuilder, x: Value): Value {
  const next = turned(b, x, 1);
  return xor(b, doubled(b, xor(b, x, next)), next, turned(b, x, 2), turned(b, x, 3));
}

/** The inverse matrix is the matrix times one whose rows are 5, 0, 4, 0. */
function mixColumnsBack(b: OpBuilder, x: Value): Value {
  return mixColumns(b, xor(b, x, doubled(b, doubled(b, xor(b, x, turned(b, x, 2))))));
}

function round(name: string, step: (b: SubroutineBuilder, state: Value) => Value): Subroutine {
  return subroutine(name, 'vv>v', (b, state, key) => xor(b, step(b, state as Value), key as Value));
}

function forward(b: SubroutineBuilder, state: Value): Value {
  return b.call1(substitute, b.shuffle(state, state, SHIFT_ROWS));
}

function backward(b: SubroutineBuilder, state: Value): Value {
  return b.call1(substituteBack, b.shuffle(state, state, SHIFT_ROWS_BACK));
}

/** (state, round key) → state. */
export const AES = {
  encrypt: round('aes.encrypt', (b, state) => mixColumns(b, forward(b, state))),
  encryptLast: round('aes.encryptLast', forward),
  decrypt: round('aes.decrypt', (b, state) => mixColumnsBack(b, backward(b, state))),
  decryptLast: round('aes.decryptLast', backward),
} as const;

/** AESIMC: (round key) → round key of the equivalent inverse cipher. */
export const invertKey = subroutine('aes.invertKey', 'v>v', (b, key) => mixColumnsBack(b, key as Value));

export const aesSubroutines: readonly Subroutine[] = [substitute, substituteBack, ...Object.values(AES), invertKey];
