/**
 * Lazy flags: an instruction records what it did (kind, operands, result) and a flag is computed only when somebody asks.
 * One kind for each way in which flags come about, times the operand width: kind = base << 2 | log2(bytes).
 */
import { SLOT } from '../../register-set.js';
import type { IrBuilder } from '../ir/builder.js';
import type { OpBuilder, Value } from '../ir/op-builder.js';
import { subroutine } from '../ir/subroutine.js';
import { multiplySigned } from './wide-integer.js';

/** Bits of RFLAGS. */
export const FLAG = {
  CF: 1,
  PF: 4,
  AF: 16,
  ZF: 64,
  SF: 128,
  TF: 256,
  IF: 512,
  DF: 1024,
  OF: 2048,
  NT: 1 << 14,
  AC: 1 << 18,
  ID: 1 << 21,
} as const;

/** The six arithmetic flags. */
export const ARITHMETIC_FLAGS = FLAG.CF | FLAG.PF | FLAG.AF | FLAG.ZF | FLAG.SF | FLAG.OF;

/**
 * The bases. a, b, r are what the kind's record holds:
 * - EXPLICIT: a = the six flags as in RFLAGS.
 * - ADD: r = a + b. ADC: r = a + b + carry. SUB: r = a - b. SBB: r = a - b - carry.
 * - LOGIC: r; CF = OF = AF = 0.
 * - INC, DEC: r; b = CF (0 or 1), which these keep.
 * - RESULT: ZF, SF, PF from r; a = CF and AF as in RFLAGS, b = OF (0 or 1).
 * - SHL, SHR, SAR: r = a shifted by b (not 0); AF = 1, as AMD's processors leave it.
 * - MUL: r = the low half of the signed product of a and b; CF = OF = 1 when that is not the whole product; ZF, SF, PF from r; AF = 0.
 */
export const FLAGS_BASE = {
  EXPLICIT: 0,
  ADD: 1,
  ADC: 2,
  SUB: 3,
  SBB: 4,
  LOGIC: 5,
  INC: 6,
  DEC: 7,
  RESULT: 8,
  SHL: 9,
  SHR: 10,
  SAR: 11,
  MUL: 12,
} as const;

/** The kind for a base and an operand size in bytes (1, 2, 4, 8). */
export function flagsKind(base: number, size: number): number {
  return (base << 2) | (31 - Math.clz32(size));
}

/** 1 when the low byte has an even number of ones (PF). */
export function parity(b: OpBuilder, value: Value): Value {
  const ones = b.op('i32.popcnt', b.and(b.wrap(value), b.i32(0xff)));
  return b.xor(b.and(ones, b.i32(1)), b.i32(1));
}

/**
 * The six flags of a record, as in RFLAGS: (kind, a, b, r) → i32. Operands are shifted to the top of 64 bits first, so that
 * one formula serves all widths. This is the definition; conditions.ts only shortens it where the kind is known.
 */
export const eflagsOf = subroutine('eflags', 'illl>i', (b, kind, a, other, result) => {
  const k = kind as Value;
  const base = b.shrU(k, b.i32(2));
  b.returnIf(b.eqz(base), b.wrap(a as Value));
  const shift = b.sub(b.i64(64), b.shl(b.i64(8), b.extendU(b.and(k, b.i32(3)))));
  const x = b.shl(a as Value, shift);
  const y = b.shl(other as Value, shift);
  const r = b.shl(result as Value, shift);
  const zero = b.i64(0);
  const is = (value: number): Value => b.eq(base, b.i32(value));

  const carry = b.variable(b.i32(0));
  const overflow = b.variable(b.i32(0));
  const adjust = b.variable(b.i32(0));
  const nibble = b.and(b.wrap(result as Value), b.i32(15));
  const adjustBit = b.and(
    b.wrap(b.shrU(b.xor(b.xor(a as Value, other as Value), result as Value), b.i64(4))),
    b.i32(1),
  );
  b.if(b.or(is(FLAGS_BASE.ADD), is(FLAGS_BASE.ADC)), () => {
    b.assign(carry, b.ltS(b.or(b.and(x, y), b.and(b.or(x, y), b.not(r))), zero));
    b.assign(overflow, b.ltS(b.and(b.xor(x, r), b.xor(y, r)), zero));
    b.assign(adjust, adjustBit);
  });
  b.if(b.or(is(FLAGS_BASE.SUB), is(FLAGS_BASE.SBB)), () => {
    b.assign(carry, b.ltS(b.or(b.and(b.not(x), y), b.and(b.not(b.xor(x, y)), r)), zero));
    b.assign(overflow, b.ltS(b.and(b.xor(x, y), b.xor(x, r)), zero));
    b.assign(adjust, adjustBit);
  });
  b.if(is(FLAGS_BASE.INC), () => {
    b.assign(carry, b.wrap(other as Value));
    b.assign(overflow, b.eq(r, b.i64(1n << 63n)));
    b.assign(adjust, b.eqz(nibble));
  });
  b.if(is(FLAGS_BASE.DEC), () => {
    b.assign(carry, b.wrap(other as Value));
    b.assign(overflow, b.eq(r, b.shl(b.shrU(b.i64(-1), b.add(shift, b.i64(1))), shift)));
    b.assign(adjust, b.eq(nibble, b.i32(15)));
  });
  b.if(is(FLAGS_BASE.RESULT), () => {
    const bits = b.wrap(a as Value);
    b.assign(carry, b.and(bits, b.i32(FLAG.CF)));
    b.assign(adjust, b.and(b.shrU(bits, b.i32(4)), b.i32(1)));
    b.assign(overflow, b.wrap(other as Value));
  });
  b.if(b.and(b.geU(base, b.i32(FLAGS_BASE.SHL)), b.leU(base, b.i32(FLAGS_BASE.SAR))), () => {
    b.assign(adjust, b.i32(1));
  });
  /** The count without the last step, which moves the carry out. */
  const before = b.and(b.sub(b.extendU(b.wrap(other as Value)), b.i64(1)), b.i64(63));
  const rightOverflow = b.ltS(b.xor(r, b.shl(r, b.i64(1))), zero);
  b.if(is(FLAGS_BASE.SHL), () => {
    b.assign(carry, b.ltS(b.shl(x, before), zero));
    b.assign(overflow, b.xor(b.read(carry), b.ltS(r, zero)));
  });
  b.if(is(FLAGS_BASE.SHR), () => {
    b.assign(carry, b.and(b.wrap(b.shrU(b.shrU(x, shift), before)), b.i32(1)));
    b.assign(overflow, rightOverflow);
  });
  b.if(is(FLAGS_BASE.SAR), () => {
    b.assign(carry, b.and(b.wrap(b.shrS(b.shrS(x, shift), before)), b.i32(1)));
  });
  b.if(is(FLAGS_BASE.MUL), () => {
    const [high, low] = b.call(multiplySigned, x, b.shrS(y, shift)) as [Value, Value];
    b.assign(carry, b.ne(high, b.shrS(low, b.i64(63))));
    b.assign(overflow, b.read(carry));
  });
  const at = (value: Value, bit: number): Value => b.shl(value, b.i32(bit));
  return [
    at(b.read(overflow), 11),
    at(b.ltS(r, zero), 7),
    at(b.eqz(r), 6),
    at(b.read(adjust), 4),
    at(parity(b, result as Value), 2),
  ].reduce((all, flag) => b.or(all, flag), b.read(carry));
});

/**
 * Records flags of an operation that leaves them alone when `changes` (i32) is 0, as shifts by a register do. Operands have the
 * type of the operation's size. What the flags are is then known only when the program runs.
 */
export function recordFlagsIf(b: IrBuilder, changes: Value, kind: number, x: Value, y: Value, result: Value): void {
  const record: [number, number, Value][] = [
    [SLOT.CC_KIND, 4, b.i32(kind)],
    [SLOT.CC_A, 8, b.extendU(x)],
    [SLOT.CC_B, 8, b.extendU(y)],
    [SLOT.CC_R, 8, b.extendU(result)],
  ];
  for (const [slot, size, value] of record) b.set(slot, size, b.select(changes, value, b.get(slot, size)));
  b.flagsKind = undefined;
}

/** The six flags as they are now (i32). */
export function arithmeticFlags(b: IrBuilder): Value {
  const a = (): Value => b.get(SLOT.CC_A, 8);
  if (b.flagsKind === FLAGS_BASE.EXPLICIT << 2) return b.get(SLOT.CC_A, 4);
  const kind = b.flagsKind === undefined ? b.get(SLOT.CC_KIND, 4) : b.i32(b.flagsKind);
  return b.call1(eflagsOf, kind, a(), b.get(SLOT.CC_B, 8), b.get(SLOT.CC_R, 8));
}

/** Sets all six flags from RFLAGS bits (i32); others are ignored. */
export function setArithmeticFlags(b: IrBuilder, flags: Value): void {
  b.recordFlags(FLAGS_BASE.EXPLICIT << 2, b.and(flags, b.i32(ARITHMETIC_FLAGS)));
}
