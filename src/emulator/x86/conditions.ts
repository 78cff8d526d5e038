/**
 * Condition codes and single flags, in the shortest form for how the flags came about: a few ops where the block knows the kind of the lazy record,
 * one call where only the record knows it. What they mean is defined by `eflagsOf`.
 */
import { SLOT } from '../../register-set.js';
import type { IrBuilder } from '../ir/builder.js';
import type { OpBuilder, Value } from '../ir/op-builder.js';
import { type Subroutine, type SubroutineBuilder, subroutine } from '../ir/subroutine.js';
import { arithmeticFlags, eflagsOf, FLAG, FLAGS_BASE, parity } from './flags.js';

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

/** The lazy record where its kind is known, and is not EXPLICIT. The operands are those of recordFlags. */
interface KnownRecord {
  readonly base: number;
  /** Bytes of the operation. */
  readonly size: number;
  readonly a: () => Value;
  readonly other: () => Value;
  readonly result: () => Value;
}

export function knownRecord(b: IrBuilder): KnownRecord | undefined {
  if (b.flagsKind === undefined || b.flagsKind >> 2 === FLAGS_BASE.EXPLICIT) return undefined;
  const size = 1 << (b.flagsKind & 3);
  const width = size === 8 ? 8 : 4;
  return {
    base: b.flagsKind >> 2,
    size,
    a: () => b.get(SLOT.CC_A, width),
    other: () => b.get(SLOT.CC_B, width),
    result: () => b.get(SLOT.CC_R, width),
  };
}

function signed(b: OpBuilder, size: number, value: Value): Value {
  if (size === 1) return b.op('i32.extend8_s', value);
  return size === 2 ? b.op('i32.extend16_s', value) : value;
}

/** The sign bit (i32, 0 or 1). */
function isNegative(b: OpBuilder, size: number, value: Value): Value {
  return b.ltS(signed(b, size, value), b.like(value, 0));
}

function lowBit(b: OpBuilder, value: Value): Value {
  return b.and(b.wrap(value), b.i32(1));
}

/** CF (i32, 0 or 1), or undefined where it has no short form. */
export function knownCarry(b: IrBuilder, record: KnownRecord): Value | undefined {
  const { base, size, a, other, result } = record;
  const before = (): Value => b.sub(other(), b.like(other(), 1));
  switch (base) {
    case FLAGS_BASE.ADD:
      return b.ltU(result(), a());
    case FLAGS_BASE.SUB:
      return b.ltU(a(), other());
    case FLAGS_BASE.ADC:
      return isNegative(b, size, b.or(b.and(a(), other()), b.and(b.or(a(), other()), b.not(result()))));
    case FLAGS_BASE.SBB:
      return isNegative(b, size, b.or(b.and(b.not(a()), other()), b.and(b.not(b.xor(a(), other())), result())));
    case FLAGS_BASE.LOGIC:
      return b.i32(0);
    case FLAGS_BASE.INC:
    case FLAGS_BASE.DEC:
      return b.wrap(other());
    case FLAGS_BASE.RESULT:
      return lowBit(b, a());
    case FLAGS_BASE.SHL:
      return isNegative(b, size, b.shl(a(), before()));
    case FLAGS_BASE.SHR:
      return lowBit(b, b.shrU(a(), before()));
    case FLAGS_BASE.SAR:
      return lowBit(b, b.shrS(signed(b, size, a()), before()));
    default:
      return undefined;
  }
}

/** OF (i32, 0 or 1), or undefined where it has no short form. */
export function knownOverflow(b: IrBuilder, record: KnownRecord): Value | undefined {
  const { base, size, a, other, result } = record;
  const lowest = 1n << BigInt(8 * size - 1);
  switch (base) {
    case FLAGS_BASE.ADD:
    case FLAGS_BASE.ADC:
      return isNegative(b, size, b.and(b.xor(a(), result()), b.xor(other(), result())));
    case FLAGS_BASE.SUB:
    case FLAGS_BASE.SBB:
      return isNegative(b, size, b.and(b.xor(a(), other()), b.xor(a(), result())));
    case FLAGS_BASE.LOGIC:
    case FLAGS_BASE.SAR:
      return b.i32(0);
    case FLAGS_BASE.INC:
      return b.eq(result(), b.like(result(), lowest));
    case FLAGS_BASE.DEC:
      return b.eq(result(), b.like(result(), lowest - 1n));
    case FLAGS_BASE.RESULT:
      return b.wrap(other());
    case FLAGS_BASE.SHL:
      return b.xor(isNegative(b, size, result()), knownCarry(b, record) as Value);
    case FLAGS_BASE.SHR:
      return isNegative(b, size, b.xor(result(), b.shl(result(), b.like(result(), 1))));
    default:
      return undefined;
  }
}

/** AF at its place in RFLAGS (i32, 0 or 16). */
export function knownAdjust(b: IrBuilder, { base, a, other, result }: KnownRecord): Value {
  const at = b.i32(FLAG.AF);
  const nibble = (value: number): Value => b.shl(b.eq(b.and(b.wrap(result()), b.i32(15)), b.i32(value)), b.i32(4));
  switch (base) {
    case FLAGS_BASE.ADD:
    case FLAGS_BASE.ADC:
    case FLAGS_BASE.SUB:
    case FLAGS_BASE.SBB:
      return b.and(b.wrap(b.xor(b.xor(a(), other()), result())), at);
    case FLAGS_BASE.INC:
      return nibble(0);
    case FLAGS_BASE.DEC:
      return nibble(15);
    case FLAGS_BASE.RESULT:
      return b.and(b.wrap(a()), at);
    case FLAGS_BASE.SHL:
    case FLAGS_BASE.SHR:
    case FLAGS_BASE.SAR:
      return at;
    default:
      return b.i32(0);
  }
}

/** A condition code (0..15, as encoded) as an i32, 0 or 1. */
export function condition(b: IrBuilder, code: number): Value {
  const positive = code & ~1;
  const value = knownCondition(b, CONDITIONS[positive] as Condition) ?? computedCondition(b, positive);
  return code & 1 ? b.eqz(value) : value;
}

/** The short form of a condition, or undefined where there is none. */
function knownCondition(b: IrBuilder, name: Condition): Value | undefined {
  const record = knownRecord(b);
  if (record === undefined) return undefined;
  const { base, size, a, other, result } = record;
  const subtracted = base === FLAGS_BASE.SUB;
  const either = (x: Value | undefined, y: Value): Value | undefined => (x === undefined ? undefined : b.or(x, y));
  switch (name) {
    case 'o':
      return knownOverflow(b, record);
    case 'b':
      return knownCarry(b, record);
    case 'z':
      return subtracted ? b.eq(a(), other()) : b.eqz(result());
    case 'be':
      return subtracted ? b.leU(a(), other()) : either(knownCarry(b, record), b.eqz(result()));
    case 's':
      return isNegative(b, size, result());
    case 'p':
      return parity(b, result());
    case 'l':
      return subtracted ? b.ltS(signed(b, size, a()), signed(b, size, other())) : knownLess(b, record);
    default:
      return subtracted
        ? b.leS(signed(b, size, a()), signed(b, size, other()))
        : either(knownLess(b, record), b.eqz(result()));
  }
}

/** SF and OF differ. */
function knownLess(b: IrBuilder, record: KnownRecord): Value | undefined {
  const overflow = knownOverflow(b, record);
  const sign = isNegative(b, record.size, record.result());
  if (overflow?.constant === 0n) return sign;
  return overflow === undefined ? undefined : b.xor(sign, overflow);
}

/** A condition where the kind is not known, or has no short form. */
function computedCondition(b: IrBuilder, code: number): Value {
  if (b.flagsKind !== undefined) return conditionOfFlags(b, code, arithmeticFlags(b));
  const record = [b.get(SLOT.CC_KIND, 4), b.get(SLOT.CC_A, 8), b.get(SLOT.CC_B, 8), b.get(SLOT.CC_R, 8)];
  return b.call1(conditionOf[code >> 1] as Subroutine, ...record);
}

/** A condition of the flags as in RFLAGS. */
function conditionOfFlags(b: OpBuilder, code: number, flags: Value): Value {
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

/** A condition after SUB, its operands and its result at the top of an i64. */
function conditionOfDifference(b: SubroutineBuilder, name: Condition, x: Value, y: Value): Value {
  const difference = b.sub(x, y);
  const sign = b.ltS(difference, b.i64(0));
  switch (name) {
    case 'o':
      return b.ltS(b.and(b.xor(x, y), b.xor(x, difference)), b.i64(0));
    case 'b':
      return b.ltU(x, y);
    case 'z':
      return b.eq(x, y);
    case 'be':
      return b.leU(x, y);
    case 's':
      return sign;
    case 'l':
      return b.ltS(x, y);
    default:
      return b.leS(x, y);
  }
}

/** (kind, a, b, r) → a condition: at once after the most frequent kind, else from all flags. One for each even condition code. */
const conditionOf: readonly Subroutine[] = CONDITIONS.filter((_, code) => code % 2 === 0).map((name, i) =>
  subroutine(`condition.${name}`, 'illl>i', (b, kind, a, other, result) => {
    const k = kind as Value;
    if (name === 'b') {
      // A loop that counts with INC or DEC asks at its start for the carry that these keep.
      const base = b.shrU(k, b.i32(2));
      const counted = b.or(b.eq(base, b.i32(FLAGS_BASE.INC)), b.eq(base, b.i32(FLAGS_BASE.DEC)));
      b.returnIf(counted, b.wrap(other as Value));
    }
    if (name !== 'p') {
      const shift = b.sub(b.i64(64), b.shl(b.i64(8), b.extendU(b.and(k, b.i32(3)))));
      b.if(b.eq(b.shrU(k, b.i32(2)), b.i32(FLAGS_BASE.SUB)), () => {
        b.return(conditionOfDifference(b, name, b.shl(a as Value, shift), b.shl(other as Value, shift)));
      });
    }
    return conditionOfFlags(b, 2 * i, b.call1(eflagsOf, k, a as Value, other as Value, result as Value));
  }),
);

export const flagSubroutines = [eflagsOf, ...conditionOf];
