/** SSE, SSE2, SSE3 and SSE4.1 floating-point arithmetic and comparison: SDM vol. 1, 5.5.1, 5.6.1, 5.7, 5.10. */
import { Mnemonic } from '../../../iced-x86.js';
import { SLOT } from '../../../register-set.js';
import type { Value } from '../../ir/op-builder.js';
import type { Subroutine } from '../../ir/subroutine.js';
import { FAULT } from '../../stop.js';
import { setArithmeticFlags } from '../flags.js';
import { both, type InsnRow, type Lifter, type LiftFunction, UndefinedInstruction } from '../lifter.js';
import { APPROXIMATE } from '../softfloat/approximation.js';
import { EXTREMA, ORDERING, PREDICATE, PREDICATES } from '../softfloat/compare.js';
import { F32, F64, type FloatFormat } from '../softfloat/format.js';
import { DOT_PRODUCT, HORIZONTAL } from '../softfloat/horizontal.js';
import { INTEGRAL } from '../softfloat/integral.js';
import { settle } from '../softfloat/mxcsr.js';
import { PACKED, SCALAR } from '../softfloat/operations.js';
import { halves, isVex, readAligned, sources, unary, writeHalves, writeLowest } from './vector-operands.js';

/** Calls a subroutine that gives (result, trap) and faults before anything is written. */
export function computed(b: Lifter, sub: Subroutine, ...args: Value[]): Value {
  const [result, trap] = b.call(sub, ...args) as [Value, Value];
  b.faultIf(trap, FAULT.SIMD);
  return result;
}

/** dst ← sub(args) for each half, all of whose sources are read before the first one is computed. The lanes of both halves raise together. */
export function computedHalves(b: Lifter, sub: Subroutine, args: (half: number) => readonly Value[]): void {
  const [low, high] = halves(b, 0).map(args) as [Value[], Value[]?];
  if (high === undefined) return writeHalves(b, [computed(b, sub, ...low)]);
  const before = b.get(SLOT.MXCSR, 4);
  const [lowResult, lowTrap] = b.call(sub, ...low) as [Value, Value];
  const [highResult, highTrap] = b.call(sub, ...high) as [Value, Value];
  b.faultIf(b.call1(settle, before, b.or(highTrap, lowTrap)), FAULT.SIMD);
  writeHalves(b, [lowResult, highResult]);
}

function bytes(format: FloatFormat): number {
  return format.bits / 8;
}

/** The two sources of a scalar instruction. */
function scalars(b: Lifter, format: FloatFormat): [Value, Value] {
  const [first, last] = sources(b);
  return [b.readSized(first, bytes(format)), b.readSized(last, bytes(format))];
}

/** dst ← x op y, in the lowest lane. */
function scalar(format: FloatFormat, sub: Subroutine): LiftFunction {
  return (b) => writeLowest(b, bytes(format), computed(b, sub, ...scalars(b, format)));
}

/** dst ← op src, in the lowest lane. */
function scalarUnary(format: FloatFormat, sub: Subroutine): LiftFunction {
  return (b) => writeLowest(b, bytes(format), computed(b, sub, b.readSized(sources(b)[1], bytes(format))));
}

/** The two sources of a half. */
function vectors(b: Lifter, half: number): [Value, Value] {
  const [first, last] = sources(b);
  const y = readAligned(b, last, half);
  return [b.readVector(first, half), y];
}

/** dst ← x op y, in all lanes. */
function packed(sub: Subroutine): LiftFunction {
  return (b) => computedHalves(b, sub, (half) => vectors(b, half));
}

function packedUnary(sub: Subroutine): LiftFunction {
  return (b) => computedHalves(b, sub, (half) => [readAligned(b, 1, half)]);
}

/** COMISS, COMISD; `quiet`: UCOMISS, UCOMISD. OF, SF, AF = 0. */
function ordered(format: FloatFormat, quiet: boolean): LiftFunction {
  return (b) => {
    const x = b.readSized(0, bytes(format));
    const y = b.readSized(1, bytes(format));
    setArithmeticFlags(b, computed(b, ORDERING[format.name], x, y, b.i32(quiet ? 1 : 0)));
  };
}

/** The relations and the quietness of CMPPS's predicate, from the immediate: legacy SSE has eight of them, AVX 32. */
function predicate(b: Lifter): [Value, Value] {
  const chosen = PREDICATES[b.insn.immediate8 & (isVex(b) ? 31 : 7)];
  if (chosen === undefined) throw new Error('no such predicate');
  return [b.i32(chosen.relations), b.i32(chosen.quiet ? 1 : 0)];
}

function compareScalar(format: FloatFormat): LiftFunction {
  return (b) => {
    const args = [...scalars(b, format), ...predicate(b)];
    writeLowest(b, bytes(format), computed(b, PREDICATE.scalar[format.name], ...args));
  };
}

const compareScalarDouble = compareScalar(F64);

/** CMPSD of a vector register. iced gives the string instruction the same mnemonic; that one has two memory operands. */
export function cmpsd(b: Lifter): void {
  if (!b.isRegister(0)) throw new UndefinedInstruction('cmpsd');
  compareScalarDouble(b);
}

function comparePacked(format: FloatFormat): LiftFunction {
  return (b) => computedHalves(b, PREDICATE.packed[format.name], (half) => [...vectors(b, half), ...predicate(b)]);
}

/** ROUNDSS, ROUNDSD. */
function integral(format: FloatFormat): LiftFunction {
  return (b) => {
    const x = b.readSized(sources(b)[1], bytes(format));
    const result = computed(b, INTEGRAL.scalar[format.name], x, b.i32(b.insn.immediate8 & 15));
    writeLowest(b, bytes(format), result);
  };
}

/** ROUNDPS, ROUNDPD. */
function integralPacked(format: FloatFormat): LiftFunction {
  return (b) => {
    const how = b.i32(b.insn.immediate8 & 15);
    computedHalves(b, INTEGRAL.packed[format.name], (half) => [readAligned(b, 1, half), how]);
  };
}

/** DPPS, DPPD. */
function dotProduct(format: FloatFormat): LiftFunction {
  return (b) => {
    const how = b.i32(b.insn.immediate8);
    computedHalves(b, DOT_PRODUCT[format.name], (half) => [...vectors(b, half), how]);
  };
}

/** RCPSS, RSQRTSS. */
function approximate(what: keyof typeof APPROXIMATE): LiftFunction {
  return (b) => {
    const x = b.extendU(b.readSized(sources(b)[1], 4));
    writeLowest(b, 4, b.wrap(b.call1(APPROXIMATE[what].scalar, x)));
  };
}

/** RCPPS, RSQRTPS. */
function approximatePacked(what: keyof typeof APPROXIMATE): LiftFunction {
  return unary((b, x) => b.call1(APPROXIMATE[what].packed, x));
}

export const sseFloat: readonly InsnRow[] = [
  ...both(Mnemonic.Addss, Mnemonic.Vaddss, scalar(F32, SCALAR.f32.add)),
  ...both(Mnemonic.Addsd, Mnemonic.Vaddsd, scalar(F64, SCALAR.f64.add)),
  ...both(Mnemonic.Addps, Mnemonic.Vaddps, packed(PACKED.f32.add)),
  ...both(Mnemonic.Addpd, Mnemonic.Vaddpd, packed(PACKED.f64.add)),
  ...both(Mnemonic.Subss, Mnemonic.Vsubss, scalar(F32, SCALAR.f32.sub)),
  ...both(Mnemonic.Subsd, Mnemonic.Vsubsd, scalar(F64, SCALAR.f64.sub)),
  ...both(Mnemonic.Subps, Mnemonic.Vsubps, packed(PACKED.f32.sub)),
  ...both(Mnemonic.Subpd, Mnemonic.Vsubpd, packed(PACKED.f64.sub)),
  ...both(Mnemonic.Mulss, Mnemonic.Vmulss, scalar(F32, SCALAR.f32.mul)),
  ...both(Mnemonic.Mulsd, Mnemonic.Vmulsd, scalar(F64, SCALAR.f64.mul)),
  ...both(Mnemonic.Mulps, Mnemonic.Vmulps, packed(PACKED.f32.mul)),
  ...both(Mnemonic.Mulpd, Mnemonic.Vmulpd, packed(PACKED.f64.mul)),
  ...both(Mnemonic.Divss, Mnemonic.Vdivss, scalar(F32, SCALAR.f32.div)),
  ...both(Mnemonic.Divsd, Mnemonic.Vdivsd, scalar(F64, SCALAR.f64.div)),
  ...both(Mnemonic.Divps, Mnemonic.Vdivps, packed(PACKED.f32.div)),
  ...both(Mnemonic.Divpd, Mnemonic.Vdivpd, packed(PACKED.f64.div)),
  ...both(Mnemonic.Sqrtss, Mnemonic.Vsqrtss, scalarUnary(F32, SCALAR.f32.sqrt)),
  ...both(Mnemonic.Sqrtsd, Mnemonic.Vsqrtsd, scalarUnary(F64, SCALAR.f64.sqrt)),
  ...both(Mnemonic.Sqrtps, Mnemonic.Vsqrtps, packedUnary(PACKED.f32.sqrt)),
  ...both(Mnemonic.Sqrtpd, Mnemonic.Vsqrtpd, packedUnary(PACKED.f64.sqrt)),
  ...both(Mnemonic.Rcpss, Mnemonic.Vrcpss, approximate('reciprocal')),
  ...both(Mnemonic.Rcpps, Mnemonic.Vrcpps, approximatePacked('reciprocal')),
  ...both(Mnemonic.Rsqrtss, Mnemonic.Vrsqrtss, approximate('reciprocalRoot')),
  ...both(Mnemonic.Rsqrtps, Mnemonic.Vrsqrtps, approximatePacked('reciprocalRoot')),
  ...both(Mnemonic.Minss, Mnemonic.Vminss, scalar(F32, EXTREMA.min.scalar.f32)),
  ...both(Mnemonic.Minsd, Mnemonic.Vminsd, scalar(F64, EXTREMA.min.scalar.f64)),
  ...both(Mnemonic.Minps, Mnemonic.Vminps, packed(EXTREMA.min.packed.f32)),
  ...both(Mnemonic.Minpd, Mnemonic.Vminpd, packed(EXTREMA.min.packed.f64)),
  ...both(Mnemonic.Maxss, Mnemonic.Vmaxss, scalar(F32, EXTREMA.max.scalar.f32)),
  ...both(Mnemonic.Maxsd, Mnemonic.Vmaxsd, scalar(F64, EXTREMA.max.scalar.f64)),
  ...both(Mnemonic.Maxps, Mnemonic.Vmaxps, packed(EXTREMA.max.packed.f32)),
  ...both(Mnemonic.Maxpd, Mnemonic.Vmaxpd, packed(EXTREMA.max.packed.f64)),
  ...both(Mnemonic.Comiss, Mnemonic.Vcomiss, ordered(F32, false)),
  ...both(Mnemonic.Comisd, Mnemonic.Vcomisd, ordered(F64, false)),
  ...both(Mnemonic.Ucomiss, Mnemonic.Vucomiss, ordered(F32, true)),
  ...both(Mnemonic.Ucomisd, Mnemonic.Vucomisd, ordered(F64, true)),
  ...both(Mnemonic.Cmpss, Mnemonic.Vcmpss, compareScalar(F32)),
  ...both(Mnemonic.Cmpsd, Mnemonic.Vcmpsd, cmpsd),
  ...both(Mnemonic.Cmpps, Mnemonic.Vcmpps, comparePacked(F32)),
  ...both(Mnemonic.Cmppd, Mnemonic.Vcmppd, comparePacked(F64)),
  ...both(Mnemonic.Haddps, Mnemonic.Vhaddps, packed(HORIZONTAL.f32.add)),
  ...both(Mnemonic.Haddpd, Mnemonic.Vhaddpd, packed(HORIZONTAL.f64.add)),
  ...both(Mnemonic.Hsubps, Mnemonic.Vhsubps, packed(HORIZONTAL.f32.sub)),
  ...both(Mnemonic.Hsubpd, Mnemonic.Vhsubpd, packed(HORIZONTAL.f64.sub)),
  ...both(Mnemonic.Addsubps, Mnemonic.Vaddsubps, packed(HORIZONTAL.f32.addsub)),
  ...both(Mnemonic.Addsubpd, Mnemonic.Vaddsubpd, packed(HORIZONTAL.f64.addsub)),
  ...both(Mnemonic.Dpps, Mnemonic.Vdpps, dotProduct(F32)),
  ...both(Mnemonic.Dppd, Mnemonic.Vdppd, dotProduct(F64)),
  ...both(Mnemonic.Roundss, Mnemonic.Vroundss, integral(F32)),
  ...both(Mnemonic.Roundsd, Mnemonic.Vroundsd, integral(F64)),
  ...both(Mnemonic.Roundps, Mnemonic.Vroundps, integralPacked(F32)),
  ...both(Mnemonic.Roundpd, Mnemonic.Vroundpd, integralPacked(F64)),
];
