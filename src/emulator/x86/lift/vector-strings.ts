/** PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM: SDM vol. 1, 12.10; vol. 2B, 4.1. */
import { Mnemonic } from '../../../iced-x86.js';
import { GPR, SLOT } from '../../../register-set.js';
import type { Value } from '../../ir/op-builder.js';
import { setArithmeticFlags } from '../flags.js';
import { both, type InsnRow, type Lifter, type LiftFunction } from '../lifter.js';
import { COMPARE_STRINGS, type ElementBytes } from '../vector/string-compare.js';
import { isVex, shapeOf, zero } from './vector-operands.js';

/** What the immediate says. */
interface Control {
  readonly bytes: ElementBytes;
  /** Elements in a vector. */
  readonly count: number;
  readonly format: number;
  readonly aggregation: number;
  readonly polarity: number;
  /** Bit 6: the last index instead of the first; a mask of elements instead of bits. */
  readonly alternative: boolean;
}

function control(b: Lifter): Control {
  const chosen = b.insn.immediate8;
  const bytes = chosen & 1 ? 2 : 1;
  return {
    bytes,
    count: 16 / bytes,
    format: chosen & 3,
    aggregation: (chosen >> 2) & 3,
    polarity: (chosen >> 4) & 3,
    alternative: (chosen & 0x40) !== 0,
  };
}

/** Elements before the first zero. */
function implicitLength(b: Lifter, { bytes, count }: Control, string: Value): Value {
  const zeros = b.op(`${shapeOf(bytes)}.bitmask`, b.op(`${shapeOf(bytes)}.eq`, string, zero(b)));
  return b.op('i32.ctz', b.or(zeros, b.i32(1 << count)));
}

/** The magnitude of eax or edx (rax, rdx), at most a whole vector. */
function explicitLength(b: Lifter, { count }: Control, register: number, size: number): Value {
  const value = b.gpr(register, size);
  const sign = b.shrS(value, b.like(value, 8 * size - 1));
  const magnitude = b.sub(b.xor(value, sign), sign);
  return b.select(b.ltU(magnitude, b.like(value, count)), b.wrap(magnitude), b.i32(count));
}

/** Bits above the second string's elements that the polarity turns round. */
function polarized(b: Lifter, { polarity, count }: Control, bits: Value, yLength: Value): Value {
  if (polarity === 1) return b.xor(bits, b.i32((1 << count) - 1));
  if (polarity === 3) return b.xor(bits, b.sub(b.shl(b.i32(1), yLength), b.i32(1)));
  return bits;
}

/** The first or last index of a one; without any, the number of elements. */
function indexOf(b: Lifter, { count, alternative }: Control, bits: Value): Value {
  if (!alternative) return b.op('i32.ctz', b.or(bits, b.i32(1 << count)));
  return b.select(bits, b.sub(b.i32(31), b.op('i32.clz', bits)), b.i32(count));
}

/** The bits as they are, or each as a whole element. */
function maskOf(b: Lifter, { bytes, count, alternative }: Control, bits: Value): Value {
  if (!alternative) return b.op('i64x2.replace_lane.0', zero(b), b.extendU(bits));
  const pairs = Uint8Array.from({ length: 16 }, (_, i) => (bytes === 1 ? i >> 3 : 0));
  const spread = b.op('i8x16.swizzle', b.op('i32x4.splat', bits), b.v128(pairs));
  const places = new Uint8Array(16);
  for (let i = 0; i < count; i++) places[i * bytes] = 1 << (i & 7);
  const wanted = b.v128(places);
  return b.op(`${shapeOf(bytes)}.eq`, b.op('v128.and', spread, wanted), wanted);
}

/** CF: any bit; ZF, SF: the second, the first string ends within its vector; OF: the first bit; AF = PF = 0. */
function setStringFlags(b: Lifter, { count }: Control, bits: Value, xLength: Value, yLength: Value): void {
  const at = (value: Value, bit: number): Value => b.shl(value, b.i32(bit));
  const whole = b.i32(count);
  const flags = [at(b.ltU(yLength, whole), 6), at(b.ltU(xLength, whole), 7), at(b.and(bits, b.i32(1)), 11)].reduce(
    (all, flag) => b.or(all, flag),
    b.ne(bits, b.i32(0)),
  );
  setArithmeticFlags(b, flags);
}

/** The mask goes to xmm0. */
function writeMask(b: Lifter, mask: Value): void {
  b.set(SLOT.VECTOR, 16, mask);
  if (isVex(b)) b.set(SLOT.VECTOR + 16, 16, zero(b));
}

/** `lengthSize`: bytes of the length registers, or `implicit`. */
function compareStrings(lengthSize: 'implicit' | 4 | 8, wants: 'index' | 'mask'): LiftFunction {
  return (b) => {
    const how = control(b);
    const y = b.readVector(1);
    const x = b.readVector(0);
    const implicit = lengthSize === 'implicit';
    const xLength = implicit ? implicitLength(b, how, x) : explicitLength(b, how, GPR.RAX, lengthSize);
    const yLength = implicit ? implicitLength(b, how, y) : explicitLength(b, how, GPR.RDX, lengthSize);
    const compare = COMPARE_STRINGS[how.format]?.[how.aggregation];
    if (compare === undefined) throw new Error('no such comparison of strings');
    const bits = polarized(b, how, b.call1(compare, x, y, xLength, yLength), yLength);
    if (wants === 'index') b.setGpr(GPR.RCX, indexOf(b, how, bits), 4);
    else writeMask(b, maskOf(b, how, bits));
    setStringFlags(b, how, bits, xLength, yLength);
  };
}

export const vectorStrings: readonly InsnRow[] = [
  ...both(Mnemonic.Pcmpistri, Mnemonic.Vpcmpistri, compareStrings('implicit', 'index')),
  ...both(Mnemonic.Pcmpistrm, Mnemonic.Vpcmpistrm, compareStrings('implicit', 'mask')),
  ...both(Mnemonic.Pcmpestri, Mnemonic.Vpcmpestri, compareStrings(4, 'index')),
  ...both(Mnemonic.Pcmpestrm, Mnemonic.Vpcmpestrm, compareStrings(4, 'mask')),
  ...both(Mnemonic.Pcmpestri64, Mnemonic.Vpcmpestri64, compareStrings(8, 'index')),
  ...both(Mnemonic.Pcmpestrm64, Mnemonic.Vpcmpestrm64, compareStrings(8, 'mask')),
];
