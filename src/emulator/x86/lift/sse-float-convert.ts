/** SSE and SSE2 conversions, and MXCSR: SDM vol. 1, 5.5.1.6, 5.5.2, 5.6.1.6. */
import { Mnemonic } from '../../../iced-x86.js';
import { SLOT } from '../../../register-set.js';
import type { Value } from '../../ir/op-builder.js';
import type { Subroutine } from '../../ir/subroutine.js';
import { FAULT } from '../../stop.js';
import { both, type InsnRow, type Lifter, type LiftFunction } from '../lifter.js';
import { CONVERT } from '../softfloat/convert.js';
import { settle } from '../softfloat/mxcsr.js';
import { computed, computedHalves } from './sse-float.js';
import { halves, laneIndices, readAligned, sources, writeHalves, writeLowest } from './vector-operands.js';

/** dst ← convert(src): `from` and `to` bytes of the lowest lanes; the rest of dst stays. */
function scalar(sub: Subroutine, from: number, to: number): LiftFunction {
  return (b) => writeLowest(b, to, computed(b, sub, b.readSized(sources(b)[1], from)));
}

/** CVTSI2SS, CVTSI2SD. An i32 is exact as a double: nothing can go wrong. */
function fromInteger(format: 'f32' | 'f64'): LiftFunction {
  return (b) => {
    const source = b.read(sources(b)[1]);
    const size = format === 'f32' ? 4 : 8;
    if (format === 'f64' && source.type === 'i32') {
      return writeLowest(b, size, b.op('i64.reinterpret_f64', b.op('f64.convert_i32_s', source)));
    }
    writeLowest(b, size, computed(b, CONVERT.fromInteger[format], b.extendS(source)));
  };
}

/** CVTSS2SI, CVTSD2SI and their truncating forms: the destination's width decides. */
function toInteger(how: 'round' | 'truncate', format: 'f32' | 'f64'): LiftFunction {
  return (b) => {
    const width = b.size(0) === 8 ? 64 : 32;
    b.write(0, computed(b, CONVERT[how][format][width], b.readSized(1, format === 'f32' ? 4 : 8)));
  };
}

/** All bytes of a source as wide as the destination. */
function packed(sub: Subroutine): LiftFunction {
  return (b) => computedHalves(b, sub, (half) => [readAligned(b, 1, half)]);
}

/** A source half as wide as the destination: 8 bytes, or 16 for ymm. */
function widening(convert: (b: Lifter, low: Value) => readonly [Value, Value?]): LiftFunction {
  return (b) => {
    const parts = halves(b, 0).map((half) => b.op('i64x2.splat', readEight(b, half)));
    const before = b.get(SLOT.MXCSR, 4);
    const results = parts.map((part) => convert(b, part));
    const traps = results.flatMap(([, trap]) => (trap === undefined ? [] : [trap]));
    if (traps.length > 0) {
      const trap = traps.reduce((x, y) => b.or(x, y));
      b.faultIf(traps.length > 1 ? b.call1(settle, before, trap) : trap, FAULT.SIMD);
    }
    writeHalves(
      b,
      results.map(([value]) => value),
    );
  };
}

/** Eight bytes of the source. */
function readEight(b: Lifter, half: number): Value {
  if (b.isMemory(1)) return b.load(b.at(b.address(1), 8 * half), 8);
  return half === 0 ? b.readSized(1, 8) : b.op('i64x2.extract_lane.1', b.readVector(1));
}

/** A source twice as wide as the destination's 8 bytes: 16 bytes, or ymm for 16 bytes. */
function narrowing(sub: Subroutine): LiftFunction {
  return (b) => {
    const parts = halves(b, 1).map((half) => readAligned(b, 1, half));
    const before = b.get(SLOT.MXCSR, 4);
    const [[low, trap], high] = parts.map((part) => b.call(sub, part)) as [[Value, Value], [Value, Value]?];
    b.faultIf(high === undefined ? trap : b.call1(settle, before, b.or(high[1], trap)), FAULT.SIMD);
    writeHalves(b, [high === undefined ? low : b.shuffle(low, high[0], laneIndices(8, [0, 2]))]);
  };
}

/** LDMXCSR: reserved bits are #GP (all 16 low bits are supported, DAZ included). */
function ldmxcsr(b: Lifter): void {
  const value = b.read(0);
  b.faultIf(b.and(value, b.i32(~0xffff)), FAULT.PROTECTION);
  b.set(SLOT.MXCSR, 4, value);
}

export const sseFloatConvert: readonly InsnRow[] = [
  ...both(Mnemonic.Cvtsi2ss, Mnemonic.Vcvtsi2ss, fromInteger('f32')),
  ...both(Mnemonic.Cvtsi2sd, Mnemonic.Vcvtsi2sd, fromInteger('f64')),
  ...both(Mnemonic.Cvtss2si, Mnemonic.Vcvtss2si, toInteger('round', 'f32')),
  ...both(Mnemonic.Cvtsd2si, Mnemonic.Vcvtsd2si, toInteger('round', 'f64')),
  ...both(Mnemonic.Cvttss2si, Mnemonic.Vcvttss2si, toInteger('truncate', 'f32')),
  ...both(Mnemonic.Cvttsd2si, Mnemonic.Vcvttsd2si, toInteger('truncate', 'f64')),
  ...both(Mnemonic.Cvtss2sd, Mnemonic.Vcvtss2sd, scalar(CONVERT.widen, 4, 8)),
  ...both(Mnemonic.Cvtsd2ss, Mnemonic.Vcvtsd2ss, scalar(CONVERT.narrow, 8, 4)),
  ...both(
    Mnemonic.Cvtps2pd,
    Mnemonic.Vcvtps2pd,
    widening((b, low) => b.call(CONVERT.widenLanes, low) as [Value, Value]),
  ),
  ...both(Mnemonic.Cvtpd2ps, Mnemonic.Vcvtpd2ps, narrowing(CONVERT.narrowLanes)),
  ...both(Mnemonic.Cvtdq2ps, Mnemonic.Vcvtdq2ps, packed(CONVERT.integersToSingles)),
  ...both(
    Mnemonic.Cvtdq2pd,
    Mnemonic.Vcvtdq2pd,
    widening((b, low) => [b.op('f64x2.convert_low_i32x4_s', low)]),
  ),
  ...both(Mnemonic.Cvtps2dq, Mnemonic.Vcvtps2dq, packed(CONVERT.roundLanes.f32)),
  ...both(Mnemonic.Cvttps2dq, Mnemonic.Vcvttps2dq, packed(CONVERT.truncateLanes.f32)),
  ...both(Mnemonic.Cvtpd2dq, Mnemonic.Vcvtpd2dq, narrowing(CONVERT.roundLanes.f64)),
  ...both(Mnemonic.Cvttpd2dq, Mnemonic.Vcvttpd2dq, narrowing(CONVERT.truncateLanes.f64)),
  ...both(Mnemonic.Ldmxcsr, Mnemonic.Vldmxcsr, ldmxcsr),
  ...both(Mnemonic.Stmxcsr, Mnemonic.Vstmxcsr, (b) => b.store(b.address(0), 4, b.get(SLOT.MXCSR, 4))),
];
