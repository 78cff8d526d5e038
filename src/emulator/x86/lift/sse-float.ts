/** SSE, SSE2, SSE3 and SSE4.1 floating-point arithmetic and comparison: SDM vol. 1, 5.5.1, 5.6.1, 5.7, 5.10. */
import { Mnemonic } from 'iced-x86';
import type { Value } from '../../ir/op-builder.js';
import type { Subroutine } from '../../ir/subroutine.js';
import { FAULT } from '../../stop.js';
import { setArithmeticFlags } from '../flags.js';
import { type InsnRow, type Lifter, row, UndefinedInstruction } from '../lifter.js';
import { APPROXIMATE } from '../softfloat/approximation.js';
import { EXTREMA, ORDERING, PREDICATE, PREDICATES } from '../softfloat/compare.js';
import { F32, F64, type FloatFormat } from '../softfloat/format.js';
import { DOT_PRODUCT, HORIZONTAL } from '../softfloat/horizontal.js';
import { INTEGRAL } from '../softfloat/integral.js';
import { PACKED, SCALAR } from '../softfloat/operations.js';
import { readAligned } from './vector-operands.js';

/** Calls a subroutine that gives (result, trap) and faults before anything is written. */
export function computed(b: Lifter, sub: Subroutine, ...args: Value[]): Value {
  const [result, trap] = b.call(sub, ...args) as [Value, Value];
  b.faultIf(trap, FAULT.SIMD);
  return result;
}

function bytes(format: FloatFormat): number {
  return format.bits / 8;
}

/** dst ← dst op src, in the lowest lane; the rest stays. */
function scalar(format: FloatFormat, sub: Subroutine): (b: Lifter) => void {
  return (b) => {
    const x = b.readSized(0, bytes(format));
    const y = b.readSized(1, bytes(format));
    b.writeSized(0, bytes(format), computed(b, sub, x, y));
  };
}

/** dst ← op src, in the lowest lane; the rest stays. */
function scalarUnary(format: FloatFormat, sub: Subroutine): (b: Lifter) => void {
  return (b) => b.writeSized(0, bytes(format), computed(b, sub, b.readSized(1, bytes(format))));
}

/** dst ← dst op src, in all lanes. */
function packed(sub: Subroutine): (b: Lifter) => void {
  return (b) => {
    const y = readAligned(b, 1);
    b.writeVector(0, computed(b, sub, b.readVector(0), y));
  };
}

function packedUnary(sub: Subroutine): (b: Lifter) => void {
  return (b) => b.writeVector(0, computed(b, sub, readAligned(b, 1)));
}

/** COMISS, COMISD; `quiet`: UCOMISS, UCOMISD. OF, SF, AF = 0. */
function ordered(format: FloatFormat, quiet: boolean): (b: Lifter) => void {
  return (b) => {
    const x = b.readSized(0, bytes(format));
    const y = b.readSized(1, bytes(format));
    setArithmeticFlags(b, computed(b, ORDERING[format.name], x, y, b.i32(quiet ? 1 : 0)));
  };
}

/** The relations and the quietness of CMPPS's predicate, from the immediate (whose upper bits legacy SSE ignores). */
function predicate(b: Lifter): [Value, Value] {
  const chosen = PREDICATES[b.insn.immediate8 & 7];
  if (chosen === undefined) throw new Error('no such predicate');
  return [b.i32(chosen.relations), b.i32(chosen.quiet ? 1 : 0)];
}

function compareScalar(format: FloatFormat): (b: Lifter) => void {
  return (b) => {
    const x = b.readSized(0, bytes(format));
    const y = b.readSized(1, bytes(format));
    b.writeSized(0, bytes(format), computed(b, PREDICATE.scalar[format.name], x, y, ...predicate(b)));
  };
}

const compareScalarDouble = compareScalar(F64);

/** CMPSD of a vector register. iced gives the string instruction the same mnemonic; that one has two memory operands. */
export function cmpsd(b: Lifter): void {
  if (!b.isRegister(0)) throw new UndefinedInstruction('cmpsd');
  compareScalarDouble(b);
}

function comparePacked(format: FloatFormat): (b: Lifter) => void {
  return (b) => {
    const y = readAligned(b, 1);
    b.writeVector(0, computed(b, PREDICATE.packed[format.name], b.readVector(0), y, ...predicate(b)));
  };
}

/** ROUNDSS, ROUNDSD. */
function integral(format: FloatFormat): (b: Lifter) => void {
  return (b) => {
    const x = b.readSized(1, bytes(format));
    b.writeSized(0, bytes(format), computed(b, INTEGRAL.scalar[format.name], x, b.i32(b.insn.immediate8 & 15)));
  };
}

/** ROUNDPS, ROUNDPD. */
function integralPacked(format: FloatFormat): (b: Lifter) => void {
  return (b) => {
    const x = readAligned(b, 1);
    b.writeVector(0, computed(b, INTEGRAL.packed[format.name], x, b.i32(b.insn.immediate8 & 15)));
  };
}

/** DPPS, DPPD. */
function dotProduct(format: FloatFormat): (b: Lifter) => void {
  return (b) => {
    const y = readAligned(b, 1);
    const result = computed(b, DOT_PRODUCT[format.name], b.readVector(0), y, b.i32(b.insn.immediate8));
    b.writeVector(0, result);
  };
}

/** RCPSS, RSQRTSS. */
function approximate(what: keyof typeof APPROXIMATE): (b: Lifter) => void {
  return (b) => {
    const x = b.extendU(b.readSized(1, 4));
    b.writeSized(0, 4, b.wrap(b.call1(APPROXIMATE[what].scalar, x)));
  };
}

/** RCPPS, RSQRTPS. */
function approximatePacked(what: keyof typeof APPROXIMATE): (b: Lifter) => void {
  return (b) => b.writeVector(0, b.call1(APPROXIMATE[what].packed, readAligned(b, 1)));
}

export const sseFloat: readonly InsnRow[] = [
  row(Mnemonic.Addss, scalar(F32, SCALAR.f32.add)),
  row(Mnemonic.Addsd, scalar(F64, SCALAR.f64.add)),
  row(Mnemonic.Addps, packed(PACKED.f32.add)),
  row(Mnemonic.Addpd, packed(PACKED.f64.add)),
  row(Mnemonic.Subss, scalar(F32, SCALAR.f32.sub)),
  row(Mnemonic.Subsd, scalar(F64, SCALAR.f64.sub)),
  row(Mnemonic.Subps, packed(PACKED.f32.sub)),
  row(Mnemonic.Subpd, packed(PACKED.f64.sub)),
  row(Mnemonic.Mulss, scalar(F32, SCALAR.f32.mul)),
  row(Mnemonic.Mulsd, scalar(F64, SCALAR.f64.mul)),
  row(Mnemonic.Mulps, packed(PACKED.f32.mul)),
  row(Mnemonic.Mulpd, packed(PACKED.f64.mul)),
  row(Mnemonic.Divss, scalar(F32, SCALAR.f32.div)),
  row(Mnemonic.Divsd, scalar(F64, SCALAR.f64.div)),
  row(Mnemonic.Divps, packed(PACKED.f32.div)),
  row(Mnemonic.Divpd, packed(PACKED.f64.div)),
  row(Mnemonic.Sqrtss, scalarUnary(F32, SCALAR.f32.sqrt)),
  row(Mnemonic.Sqrtsd, scalarUnary(F64, SCALAR.f64.sqrt)),
  row(Mnemonic.Sqrtps, packedUnary(PACKED.f32.sqrt)),
  row(Mnemonic.Sqrtpd, packedUnary(PACKED.f64.sqrt)),
  row(Mnemonic.Rcpss, approximate('reciprocal')),
  row(Mnemonic.Rcpps, approximatePacked('reciprocal')),
  row(Mnemonic.Rsqrtss, approximate('reciprocalRoot')),
  row(Mnemonic.Rsqrtps, approximatePacked('reciprocalRoot')),
  row(Mnemonic.Minss, scalar(F32, EXTREMA.min.scalar.f32)),
  row(Mnemonic.Minsd, scalar(F64, EXTREMA.min.scalar.f64)),
  row(Mnemonic.Minps, packed(EXTREMA.min.packed.f32)),
  row(Mnemonic.Minpd, packed(EXTREMA.min.packed.f64)),
  row(Mnemonic.Maxss, scalar(F32, EXTREMA.max.scalar.f32)),
  row(Mnemonic.Maxsd, scalar(F64, EXTREMA.max.scalar.f64)),
  row(Mnemonic.Maxps, packed(EXTREMA.max.packed.f32)),
  row(Mnemonic.Maxpd, packed(EXTREMA.max.packed.f64)),
  row(Mnemonic.Comiss, ordered(F32, false)),
  row(Mnemonic.Comisd, ordered(F64, false)),
  row(Mnemonic.Ucomiss, ordered(F32, true)),
  row(Mnemonic.Ucomisd, ordered(F64, true)),
  row(Mnemonic.Cmpss, compareScalar(F32)),
  row(Mnemonic.Cmpsd, cmpsd),
  row(Mnemonic.Cmpps, comparePacked(F32)),
  row(Mnemonic.Cmppd, comparePacked(F64)),
  row(Mnemonic.Haddps, packed(HORIZONTAL.f32.add)),
  row(Mnemonic.Haddpd, packed(HORIZONTAL.f64.add)),
  row(Mnemonic.Hsubps, packed(HORIZONTAL.f32.sub)),
  row(Mnemonic.Hsubpd, packed(HORIZONTAL.f64.sub)),
  row(Mnemonic.Addsubps, packed(HORIZONTAL.f32.addsub)),
  row(Mnemonic.Addsubpd, packed(HORIZONTAL.f64.addsub)),
  row(Mnemonic.Dpps, dotProduct(F32)),
  row(Mnemonic.Dppd, dotProduct(F64)),
  row(Mnemonic.Roundss, integral(F32)),
  row(Mnemonic.Roundsd, integral(F64)),
  row(Mnemonic.Roundps, integralPacked(F32)),
  row(Mnemonic.Roundpd, integralPacked(F64)),
];
