/** Conversions between MMX and vector registers: CVTPI2PS, CVTPS2PI and their kin (SDM vol. 1, 5.5.1.6, 5.6.1.6, 9.5.1). */
import { Mnemonic } from 'iced-x86';
import { SLOT } from '../../../register-set.js';
import type { Value } from '../../ir/op-builder.js';
import type { Subroutine } from '../../ir/subroutine.js';
import { type InsnRow, type Lifter, row } from '../lifter.js';
import { registerSlot } from '../registers.js';
import { CONVERT } from '../softfloat/convert.js';
import { computed, readAligned } from './sse-float.js';
import { wait } from './x87-operands.js';

const ALL_IN_USE = 0xff;
/** Exponent and sign of an x87 register that holds an MMX value. */
const MMX_SIGN_EXPONENT = 0xffff;

/** What the use of an MMX register does to the x87: TOP is 0 and every register is in use. */
function enterMmx(b: Lifter): void {
  b.set(SLOT.FTOP, 4, b.i32(0));
  b.set(SLOT.FTAG, 4, b.i32(ALL_IN_USE));
}

function writeMmx(b: Lifter, operand: number, value: Value): void {
  const { slot } = registerSlot(b.insn.opRegister(operand));
  enterMmx(b);
  b.set(slot, 8, value);
  b.set(slot + 8, 2, b.i32(MMX_SIGN_EXPONENT));
}

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
