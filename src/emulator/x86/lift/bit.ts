/** Bit tests, scans and counts, BMI1, BMI2 and CRC32: SDM vol. 1, 5.1.6, 5.1.16. */
import { Mnemonic } from 'iced-x86';
import type { Address } from '../../ir/builder.js';
import type { Value } from '../../ir/op-builder.js';
import { crc32c, depositBits, extractBits } from '../bit-subroutines.js';
import {
  ARITHMETIC_FLAGS,
  arithmeticFlags,
  FLAG,
  FLAGS_BASE,
  flagsKind,
  parity,
  setArithmeticFlags,
} from '../flags.js';
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
    const flags = b.and(arithmeticFlags(b), b.i32(ARITHMETIC_FLAGS & ~FLAG.CF));
    const bit = b.and(b.wrap(b.shrU(x, place)), b.i32(1));
    if (change !== undefined) {
      const result = change(b, x, b.shl(b.like(x, 1), place));
      if (at === undefined) b.write(0, result);
      else b.store(at, size, result);
    }
    setArithmeticFlags(b, b.or(flags, bit));
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

/** Records a result with a carry (i32), as BLSI and its kin do: OF = 0. */
function resultFlags(b: Lifter, size: number, result: Value, carry: Value): void {
  const bit = size === 8 ? b.extendU(carry) : carry;
  b.recordFlags(flagsKind(FLAGS_BASE.RESULT, size), bit, b.like(bit, 0), result);
}

/** ANDN: dst ← ~first & second. */
function andn(b: Lifter): void {
  const result = b.and(b.not(b.read(1)), b.read(2));
  b.write(0, result);
  b.recordFlags(flagsKind(FLAGS_BASE.LOGIC, b.size(0)), result);
}

/** BLSI, BLSMSK, BLSR: the lowest one alone, a mask up to it, all but it. `carryIfZero`: CF tells that the source is 0, else that it is not. */
function lowestOne(compute: (b: Lifter, x: Value) => Value, carryIfZero: boolean): LiftFunction {
  return (b) => {
    const x = b.read(1);
    const result = compute(b, x);
    const zero = b.eqz(x);
    b.write(0, result);
    resultFlags(b, b.size(0), result, carryIfZero ? zero : b.eqz(zero));
  };
}

/** The low `count` bits of a value, all of them from its width on. `count`: of the value's type, below 256. */
function lowBits(b: Lifter, x: Value, count: Value, size: number): Value {
  const mask = b.sub(b.shl(b.like(x, 1), count), b.like(x, 1));
  return b.select(b.geU(count, b.like(x, 8 * size)), x, b.and(x, mask));
}

/** BZHI: zeroes from the bit given on; CF when there is no such bit. */
function bzhi(b: Lifter): void {
  const size = b.size(0);
  const x = b.read(1);
  const count = b.and(b.read(2), b.like(x, 0xff));
  const result = lowBits(b, x, count, size);
  b.write(0, result);
  resultFlags(b, size, result, b.geU(count, b.like(x, 8 * size)));
}

/** BEXTR: a field of the source: its start in bits 0..7 of the control, its length in bits 8..15. */
function bextr(b: Lifter): void {
  const size = b.size(0);
  const x = b.read(1);
  const control = b.read(2);
  const start = b.and(control, b.like(x, 0xff));
  const length = b.and(b.shrU(control, b.like(x, 8)), b.like(x, 0xff));
  const beyond = b.geU(start, b.like(x, 8 * size));
  const field = b.select(beyond, b.like(x, 0), b.shrU(x, start));
  const result = lowBits(b, field, length, size);
  b.write(0, result);
  b.recordFlags(flagsKind(FLAGS_BASE.LOGIC, size), result);
}

/** PDEP, PEXT. */
function gather(sub: typeof depositBits): LiftFunction {
  return (b) => {
    const result = b.call1(sub, b.extendU(b.read(1)), b.extendU(b.read(2)));
    b.write(0, b.size(0) === 8 ? result : b.wrap(result));
  };
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
  row(Mnemonic.Andn, andn),
  row(
    Mnemonic.Blsi,
    lowestOne((b, x) => b.and(x, b.neg(x)), false),
  ),
  row(
    Mnemonic.Blsmsk,
    lowestOne((b, x) => b.xor(x, b.sub(x, b.like(x, 1))), true),
  ),
  row(
    Mnemonic.Blsr,
    lowestOne((b, x) => b.and(x, b.sub(x, b.like(x, 1))), true),
  ),
  row(Mnemonic.Bzhi, bzhi),
  row(Mnemonic.Bextr, bextr),
  row(Mnemonic.Pdep, gather(depositBits)),
  row(Mnemonic.Pext, gather(extractBits)),
  row(Mnemonic.Crc32, crc32),
];
