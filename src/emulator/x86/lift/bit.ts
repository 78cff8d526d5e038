/** Bit tests, scans and counts, and CRC32: SDM vol. 1, 5.1.6, 5.1.7, 5.12. */
import { Mnemonic } from '../../../iced-x86.js';
import type { Address } from '../../ir/builder.js';
import type { Value } from '../../ir/op-builder.js';
import { crc32c } from '../bit-subroutines.js';
import { changeFlags } from '../flag-parts.js';
import { parity, setArithmeticFlags } from '../flags.js';
import { type InsnRow, type Lifter, type LiftFunction, row } from '../lifter.js';

/** What becomes of the tested bit, given the value and a mask of that bit. */
type BitChange = (b: Lifter, value: Value, mask: Value) => Value;

/** The memory that a bit offset in a register selects: the operand-sized piece that holds it, before or behind the address given (SDM vol. 2A, BT). */
function bitStringAddress(b: Lifter, offset: Value, size: number): Address {
  const signed = b.extendS(b.signExtend(offset, size));
  const pieces = b.shrS(signed, b.i64(Math.log2(8 * size)));
  return b.displacedAddress(b.shl(pieces, b.i64(Math.log2(size))));
}

/** BT, BTS, BTR, BTC: CF ← the bit; the other flags stay (of them only ZF by definition). */
function bitTest(change?: BitChange): LiftFunction {
  return (b) => {
    const size = b.size(0);
    const offset = b.readSized(1, size);
    const inString = b.isMemory(0) && b.isRegister(1);
    const at = inString ? bitStringAddress(b, offset, size) : undefined;
    const forWrite = change !== undefined;
    const x = at === undefined ? b.readSized(0, size, forWrite) : b.load(at, size, forWrite);
    const place = b.and(offset, b.like(offset, 8 * size - 1));
    const bit = b.and(b.wrap(b.shrU(x, place)), b.i32(1));
    if (change !== undefined) {
      const result = change(b, x, b.shl(b.like(x, 1), place));
      if (at === undefined) b.write(0, result);
      else b.store(at, size, result);
    }
    changeFlags(b, { carry: bit });
  };
}

/** Number of zeros above (below) the highest (lowest) one of a value of `size` bytes; its width when there is none. */
function leadingZeros(b: Lifter, x: Value, size: number): Value {
  const zeros = b.op(`${x.type}.clz`, x);
  return size < 4 ? b.sub(zeros, b.i32(32 - 8 * size)) : zeros;
}

function trailingZeros(b: Lifter, x: Value, size: number): Value {
  return b.op(`${x.type}.ctz`, size < 4 ? b.or(x, b.i32(1 << (8 * size))) : x);
}

/**
 * BSF, BSR: of 0, ZF is set and the destination keeps what it was (AMD's APM vol. 3; SDM: undefined). The other flags, undefined too, are 0 but for
 * PF, which is that of the result (of 0 for a source of 0).
 */
function bitScan(reverse: boolean): LiftFunction {
  return (b) => {
    const size = b.size(0);
    const x = b.read(1);
    const zero = b.eqz(x);
    const place = reverse ? b.sub(b.like(x, 8 * size - 1), leadingZeros(b, x, size)) : trailingZeros(b, x, size);
    b.writeUnless(zero, 0, place);
    setArithmeticFlags(b, b.or(b.shl(zero, b.i32(6)), b.shl(b.or(parity(b, place), zero), b.i32(2))));
  };
}

/** TZCNT, LZCNT: CF for a source of 0, ZF for a result of 0. */
function zeroCount(count: (b: Lifter, x: Value, size: number) => Value): LiftFunction {
  return (b) => {
    const x = b.read(1);
    const result = count(b, x, b.size(0));
    b.write(0, result);
    setArithmeticFlags(b, b.or(b.eqz(x), b.shl(b.eqz(result), b.i32(6))));
  };
}

/** POPCNT: ZF for a source of 0, all other flags 0. */
function popcnt(b: Lifter): void {
  const x = b.read(1);
  b.write(0, b.op(`${x.type}.popcnt`, x));
  setArithmeticFlags(b, b.shl(b.eqz(x), b.i32(6)));
}

/** CRC32: the Castagnoli polynomial over 1, 2, 4 or 8 bytes; the sum is 32 bits wide in any case. */
function crc32(b: Lifter): void {
  const size = b.size(1);
  const sum = b.call1(crc32c, b.wrap(b.read(0)), b.extendU(b.read(1)), b.i32(size));
  b.write(0, b.size(0) === 8 ? b.extendU(sum) : sum);
}

export const bits: readonly InsnRow[] = [
  row(Mnemonic.Bt, bitTest()),
  row(
    Mnemonic.Bts,
    bitTest((b, x, mask) => b.or(x, mask)),
  ),
  row(
    Mnemonic.Btr,
    bitTest((b, x, mask) => b.and(x, b.not(mask))),
  ),
  row(
    Mnemonic.Btc,
    bitTest((b, x, mask) => b.xor(x, mask)),
  ),
  row(Mnemonic.Bsf, bitScan(false)),
  row(Mnemonic.Bsr, bitScan(true)),
  row(Mnemonic.Tzcnt, zeroCount(trailingZeros)),
  row(Mnemonic.Lzcnt, zeroCount(leadingZeros)),
  row(Mnemonic.Popcnt, popcnt),
  row(Mnemonic.Crc32, crc32),
];
