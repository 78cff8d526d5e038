/** SSE and SSE2 conversions, and MXCSR: SDM vol. 1, 5.5.1.6, 5.5.2, 5.6.1.6. */
import { Mnemonic } from 'iced-x86';
import { SLOT } from '../../../register-set.js';
import type { Value } from '../../ir/op-builder.js';
import type { Subroutine } from '../../ir/subroutine.js';
import { FAULT } from '../../stop.js';
import { type InsnRow, type Lifter, row } from '../lifter.js';
import { CONVERT } from '../softfloat/convert.js';
import { computed } from './sse-float.js';
import { readAligned } from './vector-operands.js';

/** dst ← convert(src): `from` and `to` bytes of the lowest lanes; the rest of dst stays. */
function scalar(sub: Subroutine, from: number, to: number): (b: Lifter) => void {
  return (b) => b.writeSized(0, to, computed(b, sub, b.readSized(1, from)));
}

/** CVTSI2SS, CVTSI2SD. An i32 is exact as a double: nothing can go wrong. */
function fromInteger(format: 'f32' | 'f64'): (b: Lifter) => void {
  return (b) => {
    const source = b.read(1);
    const size = format === 'f32' ? 4 : 8;
    if (format === 'f64' && source.type === 'i32') {
      return b.writeSized(0, size, b.op('i64.reinterpret_f64', b.op('f64.convert_i32_s', source)));
    }
    b.writeSized(0, size, computed(b, CONVERT.fromInteger[format], b.extendS(source)));
  };
}

/** CVTSS2SI, CVTSD2SI and their truncating forms: the destination's width decides. */
function toInteger(how: 'round' | 'truncate', format: 'f32' | 'f64'): (b: Lifter) => void {
  return (b) => {
    const width = b.size(0) === 8 ? 64 : 32;
    b.write(0, computed(b, CONVERT[how][format][width], b.readSized(1, format === 'f32' ? 4 : 8)));
  };
}

/** All 16 bytes of an aligned source. */
function packed(sub: Subroutine): (b: Lifter) => void {
  return (b) => b.writeVector(0, computed(b, sub, readAligned(b, 1)));
}

/** The low 8 bytes of a source, in the low half of a vector. */
function lowHalf(b: Lifter): Value {
  return b.op('i64x2.splat', b.readSized(1, 8));
}

/** LDMXCSR: reserved bits are #GP (all 16 low bits are supported, DAZ included). */
function ldmxcsr(b: Lifter): void {
  const value = b.read(0);
  b.faultIf(b.and(value, b.i32(~0xffff)), FAULT.PROTECTION);
  b.set(SLOT.MXCSR, 4, value);
}

export const sseFloatConvert: readonly InsnRow[] = [
  row(Mnemonic.Cvtsi2ss, fromInteger('f32')),
  row(Mnemonic.Cvtsi2sd, fromInteger('f64')),
  row(Mnemonic.Cvtss2si, toInteger('round', 'f32')),
  row(Mnemonic.Cvtsd2si, toInteger('round', 'f64')),
  row(Mnemonic.Cvttss2si, toInteger('truncate', 'f32')),
  row(Mnemonic.Cvttsd2si, toInteger('truncate', 'f64')),
  row(Mnemonic.Cvtss2sd, scalar(CONVERT.widen, 4, 8)),
  row(Mnemonic.Cvtsd2ss, scalar(CONVERT.narrow, 8, 4)),
  row(Mnemonic.Cvtps2pd, (b) => b.writeVector(0, computed(b, CONVERT.widenLanes, lowHalf(b)))),
  row(Mnemonic.Cvtpd2ps, packed(CONVERT.narrowLanes)),
  row(Mnemonic.Cvtdq2ps, packed(CONVERT.integersToSingles)),
  row(Mnemonic.Cvtdq2pd, (b) => b.writeVector(0, b.op('f64x2.convert_low_i32x4_s', lowHalf(b)))),
  row(Mnemonic.Cvtps2dq, packed(CONVERT.roundLanes.f32)),
  row(Mnemonic.Cvttps2dq, packed(CONVERT.truncateLanes.f32)),
  row(Mnemonic.Cvtpd2dq, packed(CONVERT.roundLanes.f64)),
  row(Mnemonic.Cvttpd2dq, packed(CONVERT.truncateLanes.f64)),
  row(Mnemonic.Ldmxcsr, ldmxcsr),
  row(Mnemonic.Stmxcsr, (b) => b.store(b.address(0), 4, b.get(SLOT.MXCSR, 4))),
];
