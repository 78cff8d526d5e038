/**
 * What building an instruction's IR and building a subroutine have in common: typed values and one method for each operation.
 * Where a method exists for i32 and i64 alike, the type of its operands chooses the op.
 */
import type { WasmType } from '../wasm/function-writer.js';
import { type OpRow, opNamed } from './ops.js';

/** A value that an op computed (or a constant): immutable, known by the builder that made it. */
export interface Value {
  readonly type: WasmType;
  readonly id: number;
  /** The constant's value, unsigned in its type's width. */
  readonly constant?: bigint;
}

export type Immediate = bigint | Uint8Array;

type IntegerRows = Readonly<Record<'i32' | 'i64', OpRow>>;

function integerRows(name: string): IntegerRows {
  return { i32: opNamed(`i32.${name}`), i64: opNamed(`i64.${name}`) };
}

const ADD = integerRows('add');
const SUB = integerRows('sub');
const MUL = integerRows('mul');
const AND = integerRows('and');
const OR = integerRows('or');
const XOR = integerRows('xor');
const SHL = integerRows('shl');
const SHR_S = integerRows('shr_s');
const SHR_U = integerRows('shr_u');
const EQZ = integerRows('eqz');
const EQ = integerRows('eq');
const NE = integerRows('ne');
const LT_S = integerRows('lt_s');
const LT_U = integerRows('lt_u');
const LE_S = integerRows('le_s');
const LE_U = integerRows('le_u');
const GT_S = integerRows('gt_s');
const GT_U = integerRows('gt_u');
const GE_S = integerRows('ge_s');
const GE_U = integerRows('ge_u');

export abstract class OpBuilder {
  /** Appends an op; its result, if the row has one. */
  protected abstract emit(row: OpRow, args: readonly Value[], immediate?: Immediate): Value;

  abstract i32(value: number): Value;
  abstract i64(value: bigint | number): Value;
  abstract v128(bytes: Uint8Array): Value;

  /** Any pure op by its name in ir/ops.ts. */
  op(name: string, ...args: Value[]): Value {
    return this.emit(opNamed(name), args);
  }

  private integer(rows: IntegerRows, args: readonly Value[]): Value {
    const type = (args[0] as Value).type;
    if (type !== 'i32' && type !== 'i64') throw new Error(`${rows.i32.name} of a ${type}`);
    return this.emit(rows[type], args);
  }

  /** A constant of the same type as `like`. */
  like(like: Value, value: bigint | number): Value {
    return like.type === 'i64' ? this.i64(value) : this.i32(Number(BigInt.asIntN(32, BigInt(value))));
  }

  add(x: Value, y: Value): Value {
    return y.constant === 0n ? x : this.integer(ADD, [x, y]);
  }

  sub(x: Value, y: Value): Value {
    return y.constant === 0n ? x : this.integer(SUB, [x, y]);
  }

  mul(x: Value, y: Value): Value {
    return this.integer(MUL, [x, y]);
  }

  and(x: Value, y: Value): Value {
    return this.integer(AND, [x, y]);
  }

  or(x: Value, y: Value): Value {
    return y.constant === 0n ? x : this.integer(OR, [x, y]);
  }

  xor(x: Value, y: Value): Value {
    return y.constant === 0n ? x : this.integer(XOR, [x, y]);
  }

  /** Shifts: both operands of one type, the count taken modulo its width. */
  shl(x: Value, count: Value): Value {
    return count.constant === 0n ? x : this.integer(SHL, [x, count]);
  }

  shrS(x: Value, count: Value): Value {
    return count.constant === 0n ? x : this.integer(SHR_S, [x, count]);
  }

  shrU(x: Value, count: Value): Value {
    return count.constant === 0n ? x : this.integer(SHR_U, [x, count]);
  }

  not(x: Value): Value {
    return this.xor(x, this.like(x, -1));
  }

  neg(x: Value): Value {
    return this.integer(SUB, [this.like(x, 0), x]);
  }

  /** Comparisons give an i32, 0 or 1. */
  eqz(x: Value): Value {
    return this.integer(EQZ, [x]);
  }

  eq(x: Value, y: Value): Value {
    return y.constant === 0n ? this.eqz(x) : this.integer(EQ, [x, y]);
  }

  ne(x: Value, y: Value): Value {
    return this.integer(NE, [x, y]);
  }

  ltS(x: Value, y: Value): Value {
    return this.integer(LT_S, [x, y]);
  }

  ltU(x: Value, y: Value): Value {
    return this.integer(LT_U, [x, y]);
  }

  leS(x: Value, y: Value): Value {
    return this.integer(LE_S, [x, y]);
  }

  leU(x: Value, y: Value): Value {
    return this.integer(LE_U, [x, y]);
  }

  gtS(x: Value, y: Value): Value {
    return this.integer(GT_S, [x, y]);
  }

  gtU(x: Value, y: Value): Value {
    return this.integer(GT_U, [x, y]);
  }

  geS(x: Value, y: Value): Value {
    return this.integer(GE_S, [x, y]);
  }

  geU(x: Value, y: Value): Value {
    return this.integer(GE_U, [x, y]);
  }

  /** `yes` where `condition` (i32) is not zero, else `no`. */
  select(condition: Value, yes: Value, no: Value): Value {
    return this.op(`${yes.type}.select`, yes, no, condition);
  }

  /** i64 → i32, the low half; an i32 stays. */
  wrap(x: Value): Value {
    if (x.type === 'i32') return x;
    return x.constant === undefined ? this.op('i32.wrap', x) : this.i32(Number(BigInt.asIntN(32, x.constant)));
  }

  /** i32 → i64 with zeros; an i64 stays. */
  extendU(x: Value): Value {
    if (x.type === 'i64') return x;
    return x.constant === undefined ? this.op('i64.extend_u', x) : this.i64(x.constant);
  }

  /** i32 → i64 with the sign; an i64 stays. */
  extendS(x: Value): Value {
    if (x.type === 'i64') return x;
    return x.constant === undefined ? this.op('i64.extend_s', x) : this.i64(BigInt.asIntN(32, x.constant));
  }

  /** Bytes of two vectors chosen by 16 constant indices (0..31). */
  shuffle(x: Value, y: Value, indices: Uint8Array): Value {
    return this.emit(SHUFFLE, [x, y], indices);
  }
}

const SHUFFLE = opNamed('i8x16.shuffle');
