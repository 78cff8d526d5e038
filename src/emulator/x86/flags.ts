/**
 * Lazy flags: an instruction records what it did (kind, operands, result) and a flag is computed only when somebody asks.
 * One kind for each way in which flags come about, times the operand width: kind = base << 2 | log2(bytes).
 */
import { SLOT } from '../../register-set.js';
import type { IrBuilder } from '../ir/builder.js';
import type { OpBuilder, Value } from '../ir/op-builder.js';
import { type SubroutineBuilder, subroutine } from '../ir/subroutine.js';
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

/** A record, its operands shifted to the top of an i64, so that one formula serves all widths. */
interface Operands {
  /** Bits below the operand. */
  readonly shift: Value;
  readonly x: Value;
  readonly y: Value;
  readonly r: Value;
  /** The record as it is. */
  readonly a: Value;
  readonly other: Value;
  readonly result: Value;
}

/** CF, OF and AF (i32, 0 or 1): what does not come from the result alone. */
interface Parts {
  readonly carry: Value;
  readonly overflow: Value;
  readonly adjust: Value;
}

type PartsOf = (b: SubroutineBuilder, record: Operands) => Parts;

function isNegative(b: OpBuilder, value: Value): Value {
  return b.ltS(value, b.i64(0));
}

/** The carry out of bit 3. */
function nibbleCarry(b: OpBuilder, { a, other, result }: Operands): Value {
  return b.and(b.wrap(b.shrU(b.xor(b.xor(a, other), result), b.i64(4))), b.i32(1));
}

const sum: PartsOf = (b, record) => {
  const { x, y, r } = record;
  return {
    carry: isNegative(b, b.or(b.and(x, y), b.and(b.or(x, y), b.not(r)))),
    overflow: isNegative(b, b.and(b.xor(x, r), b.xor(y, r))),
    adjust: nibbleCarry(b, record),
  };
};

const difference: PartsOf = (b, record) => {
  const { x, y, r } = record;
  return {
    carry: isNegative(b, b.or(b.and(b.not(x), y), b.and(b.not(b.xor(x, y)), r))),
    overflow: isNegative(b, b.and(b.xor(x, y), b.xor(x, r))),
    adjust: nibbleCarry(b, record),
  };
};

const logic: PartsOf = (b) => ({ carry: b.i32(0), overflow: b.i32(0), adjust: b.i32(0) });

function nibbleIs(b: OpBuilder, { result }: Operands, value: number): Value {
  return b.eq(b.and(b.wrap(result), b.i32(15)), b.i32(value));
}

const increment: PartsOf = (b, record) => {
  const overflow = b.eq(record.r, b.i64(1n << 63n));
  return { carry: b.wrap(record.other), overflow, adjust: nibbleIs(b, record, 0) };
};

const decrement: PartsOf = (b, record) => {
  const highest = b.shl(b.shrU(b.i64(-1), b.add(record.shift, b.i64(1))), record.shift);
  return { carry: b.wrap(record.other), overflow: b.eq(record.r, highest), adjust: nibbleIs(b, record, 15) };
};

const given: PartsOf = (b, { a, other }) => {
  const bits = b.wrap(a);
  return {
    carry: b.and(bits, b.i32(FLAG.CF)),
    overflow: b.wrap(other),
    adjust: b.and(b.shrU(bits, b.i32(4)), b.i32(1)),
  };
};

/** The count without the last step, which moves the carry out. */
function stepsBefore(b: OpBuilder, { other }: Operands): Value {
  return b.and(b.sub(b.extendU(b.wrap(other)), b.i64(1)), b.i64(63));
}

const shiftLeft: PartsOf = (b, record) => {
  const carry = isNegative(b, b.shl(record.x, stepsBefore(b, record)));
  return { carry, overflow: b.xor(carry, isNegative(b, record.r)), adjust: b.i32(1) };
};

const shiftRight: PartsOf = (b, record) => {
  const { x, r, shift } = record;
  const last = b.wrap(b.shrU(b.shrU(x, shift), stepsBefore(b, record)));
  const overflow = isNegative(b, b.xor(r, b.shl(r, b.i64(1))));
  return { carry: b.and(last, b.i32(1)), overflow, adjust: b.i32(1) };
};

const shiftRightSigned: PartsOf = (b, record) => {
  const last = b.wrap(b.shrS(b.shrS(record.x, record.shift), stepsBefore(b, record)));
  return { carry: b.and(last, b.i32(1)), overflow: b.i32(0), adjust: b.i32(1) };
};

const product: PartsOf = (b, { x, y, shift }) => {
  const [high, low] = b.call(multiplySigned, x, b.shrS(y, shift)) as [Value, Value];
  const carry = b.ne(high, b.shrS(low, b.i64(63)));
  return { carry, overflow: carry, adjust: b.i32(0) };
};

/** One row for each base but EXPLICIT, the frequent ones first: they are tried in this order. */
const PARTS: readonly (readonly [base: number, partsOf: PartsOf])[] = [
  [FLAGS_BASE.SUB, difference],
  [FLAGS_BASE.LOGIC, logic],
  [FLAGS_BASE.ADD, sum],
  [FLAGS_BASE.RESULT, given],
  [FLAGS_BASE.INC, increment],
  [FLAGS_BASE.DEC, decrement],
  [FLAGS_BASE.SHL, shiftLeft],
  [FLAGS_BASE.SHR, shiftRight],
  [FLAGS_BASE.SAR, shiftRightSigned],
  [FLAGS_BASE.ADC, sum],
  [FLAGS_BASE.SBB, difference],
  [FLAGS_BASE.MUL, product],
];

/**
 * The six flags of a record, as in RFLAGS: (kind, a, b, r) → i32. This is the definition; conditions.ts only shortens it where the kind is known.
 */
export const eflagsOf = subroutine('eflags', 'illl>i', (b, kind, a, other, result) => {
  const k = kind as Value;
  const base = b.shrU(k, b.i32(2));
  b.returnIf(b.eqz(base), b.wrap(a as Value));
  const shift = b.sub(b.i64(64), b.shl(b.i64(8), b.extendU(b.and(k, b.i32(3)))));
  const record: Operands = {
    ...{ shift, a: a as Value, other: other as Value, result: result as Value },
    x: b.shl(a as Value, shift),
    y: b.shl(other as Value, shift),
    r: b.shl(result as Value, shift),
  };
  const at = (value: Value, bit: number): Value => b.shl(value, b.i32(bit));
  const ofResult = [at(isNegative(b, record.r), 7), at(b.eqz(record.r), 6), at(parity(b, record.result), 2)].reduce(
    (all, flag) => b.or(all, flag),
  );
  for (const [number, partsOf] of PARTS) {
    b.if(b.eq(base, b.i32(number)), () => {
      const { carry, overflow, adjust } = partsOf(b, record);
      b.return(b.or(b.or(ofResult, carry), b.or(at(adjust, 4), at(overflow, 11))));
    });
  }
  return ofResult;
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
