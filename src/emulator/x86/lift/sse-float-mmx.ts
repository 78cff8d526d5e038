/** Conversions between MMX and vector registers: CVTPI2PS, CVTPS2PI and their kin (SDM vol. 1, 5.5.1.6, 5.6.1.6, 9.5.1). */
import { Mnemonic } from '../../../iced-x86.js';
import type { Value } from '../../ir/op-builder.js';
import type { Subroutine } from '../../ir/subroutine.js';
import { type InsnRow, type Lifter, row } from '../lifter.js';
import { CONVERT } from '../softfloat/convert.js';
import { enterMmx, writeMmx } from './mmx-operands.js';
import { computed } from './sse-float.js';
import { readAligned } from './vector-operands.js';
import { wait } from './x87-operands.js';

/** The 8 bytes of an MMX register or memory, twice. */
function readPair(b: Lifter, operand: number): Value {
  return b.op('i64x2.splat', b.readSized(operand, 8));
}

/** A source in memory is no use of an MMX register. */
function afterPair(b: Lifter, operand: number): void {
  if (!b.isMemory(operand)) enterMmx(b);
}

/** CVTPI2PS: the upper half of the destination stays. */
function cvtpi2ps(b: Lifter): void {
  wait(b);
  const singles = computed(b, CONVERT.integersToSingles, readPair(b, 1));
  afterPair(b, 1);
  b.writeSized(0, 8, b.op('i64x2.extract_lane.0', singles));
}

/** CVTPI2PD: exact. */
function cvtpi2pd(b: Lifter): void {
  wait(b);
  const doubles = b.op('f64x2.convert_low_i32x4_s', readPair(b, 1));
  afterPair(b, 1);
  b.writeVector(0, doubles);
}

/** CVTPS2PI, CVTTPS2PI: the two low singles. */
function singlesToMmx(sub: Subroutine): (b: Lifter) => void {
  return (b) => {
    wait(b);
    const integers = computed(b, sub, readPair(b, 1));
    writeMmx(b, 0, b.op('i64x2.extract_lane.0', integers));
  };
}

/** CVTPD2PI, CVTTPD2PI. */
function doublesToMmx(sub: Subroutine): (b: Lifter) => void {
  return (b) => {
    wait(b);
    const integers = computed(b, sub, readAligned(b, 1));
    writeMmx(b, 0, b.op('i64x2.extract_lane.0', integers));
  };
}

export const sseFloatMmx: readonly InsnRow[] = [
  row(Mnemonic.Cvtpi2ps, cvtpi2ps),
  row(Mnemonic.Cvtpi2pd, cvtpi2pd),
  row(Mnemonic.Cvtps2pi, singlesToMmx(CONVERT.roundLanes.f32)),
  row(Mnemonic.Cvttps2pi, singlesToMmx(CONVERT.truncateLanes.f32)),
  row(Mnemonic.Cvtpd2pi, doublesToMmx(CONVERT.roundLanes.f64)),
  row(Mnemonic.Cvttpd2pi, doublesToMmx(CONVERT.truncateLanes.f64)),
];
