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
 * - RESULT: ZF, SF, PF from r; a = CF, b = OF (0 or 1); AF = 0.
 * - SHL, SHR, SAR: r = a shifted by b (not 0). SHIFTED: as RESULT. In all four AF = 1, as AMD's processors leave it.
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
  SHIFTED: 12,
  MUL: 13,
} as const;

/** The kind for a base and an operand size in bytes (1, 2, 4, 8). */
export function flagsKind(base: number, size: number): number {
  return (base << 2) | (31 - Math.clz32(size));
}

/** The condition codes in the encoding's order (SDM vol. 2D, table B-10); an odd code is the negation of the even one before it. */
export const CONDITIONS = [
  'o',
  'no',
  'b',
  'nb',
  'z',
  'nz',
  'be',
  'nbe',
  's',
  'ns',
  'p',
  'np',
  'l',
  'nl',
  'le',
  'nle',
] as const;
export type Condition = (typeof CONDITIONS)[number];

/** 1 when the low byte has an even number of ones (PF). */
export function parity(b: OpBuilder, value: Value): Value {
  const ones = b.op('i32.popcnt', b.and(b.wrap(value), b.i32(0xff)));
  return b.xor(b.and(ones, b.i32(1)), b.i32(1));
}

/**
 * The six flags of a record, as in RFLAGS: (kind, a, b, r) → i32. Operands are shifted to the top of 64 bits first, so that
 * one formula serves all widths. This is the definition; `condition` below only shortens it where the kind is known.
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
  b.if(b.or(is(FLAGS_BASE.RESULT), is(FLAGS_BASE.SHIFTED)), () => {
    b.assign(carry, b.wrap(a as Value));
    b.assign(overflow, b.wrap(other as Value));
  });
  b.if(b.and(b.geU(base, b.i32(FLAGS_BASE.SHL)), b.leU(base, b.i32(FLAGS_BASE.SHIFTED))), () => {
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

/** A condition code (0..15, as encoded) as an i32, 0 or 1. */
export function condition(b: IrBuilder, code: number): Value {
  const positive = code & ~1;
  const value =
    (b.flagsKind === undefined ? undefined : knownCondition(b, positive, b.flagsKind)) ?? computed(b, positive);
  return code & 1 ? b.eqz(value) : value;
}

/** A condition from the flags themselves. */
function computed(b: IrBuilder, code: number): Value {
  const flags = arithmeticFlags(b);
  const bit = (n: number): Value => b.and(b.shrU(flags, b.i32(n)), b.i32(1));
  switch (CONDITIONS[code]) {
    case 'o':
      return bit(11);
    case 'b':
      return b.and(flags, b.i32(1));
    case 'z':
      return bit(6);
    case 'be':
      return b.ne(b.and(flags, b.i32(FLAG.CF | FLAG.ZF)), b.i32(0));
    case 's':
      return bit(7);
    case 'p':
      return bit(2);
    case 'l':
      return b.xor(bit(7), bit(11));
    default:
      return b.or(bit(6), b.xor(bit(7), bit(11)));
  }
}

/** The short form of a condition after a known kind, or undefined where there is none. */
function knownCondition(b: IrBuilder, code: number, kind: number): Value | undefined {
  const size = 1 << (kind & 3);
  const wide = size === 8;
  const operand = (slot: number): Value => b.get(slot, wide ? 8 : 4);
  const signed = (value: Value): Value =>
    size === 1 ? b.op('i32.extend8_s', value) : size === 2 ? b.op('i32.extend16_s', value) : value;
  const a = (): Value => operand(SLOT.CC_A);
  const other = (): Value => operand(SLOT.CC_B);
  const r = (): Value => operand(SLOT.CC_R);
  const zero = (): Value => (wide ? b.i64(0) : b.i32(0));
  const name = CONDITIONS[code];

  const base = kind >> 2;
  if (base === FLAGS_BASE.EXPLICIT) return undefined;
  if (name === 'z') return base === FLAGS_BASE.SUB ? b.eq(a(), other()) : b.eqz(r());
  const negative = (value: Value): Value => b.ltS(signed(value), zero());
  if (name === 's') return negative(r());
  if (name === 'p') return parity(b, r());
  switch (base) {
    case FLAGS_BASE.SUB:
      if (name === 'b') return b.ltU(a(), other());
      if (name === 'be') return b.leU(a(), other());
      if (name === 'l') return b.ltS(signed(a()), signed(other()));
      if (name === 'le') return b.leS(signed(a()), signed(other()));
      return undefined;
    case FLAGS_BASE.ADD:
      return name === 'b' ? b.ltU(r(), a()) : undefined;
    case FLAGS_BASE.ADC:
      return name === 'b' ? negative(b.or(b.and(a(), other()), b.and(b.or(a(), other()), b.not(r())))) : undefined;
    case FLAGS_BASE.SBB:
      return name === 'b'
        ? negative(b.or(b.and(b.not(a()), other()), b.and(b.not(b.xor(a(), other())), r())))
        : undefined;
    case FLAGS_BASE.LOGIC:
      if (name === 'b' || name === 'o') return b.i32(0);
      if (name === 'be') return b.eqz(r());
      if (name === 'l') return negative(r());
      return b.leS(signed(r()), zero());
    case FLAGS_BASE.INC:
    case FLAGS_BASE.DEC:
      return name === 'b' ? b.get(SLOT.CC_B, 4) : undefined;
    case FLAGS_BASE.RESULT:
    case FLAGS_BASE.SHIFTED:
      if (name === 'b') return b.get(SLOT.CC_A, 4);
      if (name === 'o') return b.get(SLOT.CC_B, 4);
      return undefined;
    default:
      return undefined;
  }
}
