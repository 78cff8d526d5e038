/** Bit operations that need a loop, as IR subroutines. */
import type { Value } from '../ir/op-builder.js';
import { subroutine } from '../ir/subroutine.js';

/** (source, mask) → PDEP: the low bits of the source at the places of the mask's ones. One turn for each of these. */
export const depositBits = subroutine('bits.deposit', 'll>l', (b, source, mask) => {
  const rest = b.variable(mask as Value);
  const bits = b.variable(source as Value);
  const result = b.variable(b.i64(0));
  b.block((done) => {
    b.loop(() => {
      const left = b.read(rest);
      b.leaveIf(done, b.eqz(left));
      const lowest = b.and(left, b.neg(left));
      const chosen = b.neg(b.and(b.read(bits), b.i64(1)));
      b.assign(result, b.or(b.read(result), b.and(lowest, chosen)));
      b.assign(rest, b.xor(left, lowest));
      b.assign(bits, b.shrU(b.read(bits), b.i64(1)));
      return b.i32(1);
    });
  });
  return b.read(result);
});

/** (source, mask) → PEXT: the bits of the source at the mask's ones, side by side. */
export const extractBits = subroutine('bits.extract', 'll>l', (b, source, mask) => {
  const rest = b.variable(mask as Value);
  const place = b.variable(b.i64(0));
  const result = b.variable(b.i64(0));
  b.block((done) => {
    b.loop(() => {
      const left = b.read(rest);
      b.leaveIf(done, b.eqz(left));
      const bit = b.and(b.shrU(source as Value, b.op('i64.ctz', left)), b.i64(1));
      b.assign(result, b.or(b.read(result), b.shl(bit, b.read(place))));
      b.assign(rest, b.and(left, b.sub(left, b.i64(1))));
      b.assign(place, b.add(b.read(place), b.i64(1)));
      return b.i32(1);
    });
  });
  return b.read(result);
});

/** The Castagnoli polynomial, bits reversed. */
const CRC32C = 0x82f6_3b78;

/** (sum, data, bytes of data) → the CRC32C sum, without the inversions before and after (SDM vol. 2A, CRC32). */
export const crc32c = subroutine('bits.crc32c', 'ili>i', (b, sum, data, size) => {
  const crc = b.variable(sum as Value);
  const rest = b.variable(data as Value);
  const bytes = b.variable(size as Value);
  b.loop(() => {
    let step = b.xor(b.read(crc), b.and(b.wrap(b.read(rest)), b.i32(0xff)));
    for (let bit = 0; bit < 8; bit++) {
      const odd = b.neg(b.and(step, b.i32(1)));
      step = b.xor(b.shrU(step, b.i32(1)), b.and(odd, b.i32(CRC32C)));
    }
    b.assign(crc, step);
    b.assign(rest, b.shrU(b.read(rest), b.i64(8)));
    const left = b.sub(b.read(bytes), b.i32(1));
    b.assign(bytes, left);
    return left;
  });
  return b.read(crc);
});

export const bitSubroutines = [depositBits, extractBits, crc32c];
