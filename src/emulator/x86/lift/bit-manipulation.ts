/** BMI1 and BMI2 as far as they have a VEX prefix: SDM vol. 1, 5.1.16. */
import { Mnemonic } from '../../../iced-x86.js';
import { GPR } from '../../../register-set.js';
import type { Value } from '../../ir/op-builder.js';
import { depositBits, extractBits } from '../bit-subroutines.js';
import { FLAGS_BASE, flagsKind } from '../flags.js';
import { type InsnRow, type Lifter, type LiftFunction, row } from '../lifter.js';
import { product } from './multiply-divide.js';

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

/** MULX: an unsigned product of rDX in two registers of choice, the upper half first; no flags. */
function mulx(b: Lifter): void {
  const size = b.size(0);
  const [low, high] = product(b, b.gpr(GPR.RDX, size), b.read(2), size, false);
  b.write(1, low);
  b.write(0, high);
}

/** SHLX, SHRX, SARX, RORX: no flags. The count is taken modulo the operand size, as WebAssembly does. */
function withoutFlags(compute: (b: Lifter, x: Value, count: Value) => Value): LiftFunction {
  return (b) => {
    const x = b.read(1);
    b.write(0, compute(b, x, b.readSized(2, b.size(0))));
  };
}

export const bitManipulation: readonly InsnRow[] = [
  row(Mnemonic.Andn, andn),
  row(Mnemonic.Bzhi, bzhi),
  row(Mnemonic.Bextr, bextr),
  row(Mnemonic.Pdep, gather(depositBits)),
  row(Mnemonic.Pext, gather(extractBits)),
  row(Mnemonic.Mulx, mulx),
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
  row(
    Mnemonic.Shlx,
    withoutFlags((b, x, count) => b.shl(x, count)),
  ),
  row(
    Mnemonic.Shrx,
    withoutFlags((b, x, count) => b.shrU(x, count)),
  ),
  row(
    Mnemonic.Sarx,
    withoutFlags((b, x, count) => b.shrS(x, count)),
  ),
  row(
    Mnemonic.Rorx,
    withoutFlags((b, x, count) => b.op(`${x.type}.rotr`, x, count)),
  ),
];
