/** Conversions between half and single precision (F16C; SDM vol. 1, 14.4). Four lanes each: (vector, ...) → (vector, trap). */
import type { Value } from '../../ir/op-builder.js';
import { type Subroutine, subroutine } from '../../ir/subroutine.js';
import { readOperand } from './arithmetic.js';
import { F16, F32, infinityBits, normalize, quietBit, withSign } from './format.js';
import { EXCEPTION, flagIf, MXCSR, raise, readMxcsr } from './mxcsr.js';
import { packHalf } from './pack.js';

const FRACTION_SHIFT = F32.fractionBits - F16.fractionBits;
const HALF_FRACTION = (1 << F16.fractionBits) - 1;

/** (half, zero-extended) → single, flags. Exact; a subnormal is no exception, and DAZ does not matter. */
const softWiden = subroutine('soft.half.widen', 'i>ii', (b, half) => {
  const x = half as Value;
  const sign = b.shl(b.and(x, b.i32(0x8000)), b.i32(16));
  const magnitude = b.and(x, b.i32(0x7fff));
  const top = b.i32(Number(infinityBits(F16)));
  const shifted = b.shl(magnitude, b.i32(FRACTION_SHIFT));
  b.if(b.geU(magnitude, top), () => {
    const nan = b.gtU(magnitude, top);
    const signalling = b.and(nan, b.eqz(b.and(x, b.i32(Number(quietBit(F16))))));
    const quiet = b.select(nan, b.i32(Number(quietBit(F32))), b.i32(0));
    const fraction = b.shl(b.and(x, b.i32(HALF_FRACTION)), b.i32(FRACTION_SHIFT));
    b.return(b.or(b.or(b.or(fraction, quiet), b.i32(Number(infinityBits(F32)))), sign), signalling);
  });
  // A subnormal half is its fraction times 2^-24; both factors are exact as singles.
  const scaled = b.op('f32.mul', b.op('f32.convert_i32_s', magnitude), b.op('f32.reinterpret_i32', b.i32(0x3380_0000)));
  const normal = b.add(shifted, b.i32((F32.bias - F16.bias) << F32.fractionBits));
  const small = b.ltU(magnitude, b.i32(1 << F16.fractionBits));
  return [b.or(b.select(small, b.op('i32.reinterpret_f32', scaled), normal), sign), b.i32(0)];
});

/** (single, mode as MXCSR) → half, flags. FTZ does not matter. */
const softNarrow = subroutine('soft.half.narrow', 'li>li', (b, bits, mode) => {
  const x = readOperand(b, F32, bits as Value, mode as Value);
  b.if(b.or(x.nan, x.infinite), () => {
    const fraction = b.and(b.shrU(x.magnitude, b.i64(FRACTION_SHIFT)), b.i64(HALF_FRACTION));
    const quiet = b.select(x.nan, b.i64(quietBit(F16)), b.i64(0));
    const magnitude = b.or(b.or(fraction, quiet), b.i64(infinityBits(F16)));
    b.return(withSign(b, F16, x.sign, magnitude), x.signalling);
  });
  b.returnIf(x.zero, withSign(b, F16, x.sign, b.i64(0)), b.i32(0));
  const { exponent, significand } = normalize(b, F32, x);
  const kept = b.and(mode as Value, b.i32(~MXCSR.FTZ));
  const [result, flags] = b.call(packHalf, kept, x.sign, exponent, significand) as [Value, Value];
  return [result, b.or(flags, flagIf(b, x.denormal, EXCEPTION.DENORMAL))];
});

/** VCVTPH2PS: the four halves in the low 8 bytes. */
const widen = subroutine('half.widen', 'v>vi', (b, vector) => {
  let result = vector as Value;
  let flags = b.i32(0);
  for (let lane = 0; lane < 4; lane++) {
    const half = b.op(`i16x8.extract_lane_u.${lane}`, vector as Value);
    const [single, more] = b.call(softWiden, half) as [Value, Value];
    result = b.op(`i32x4.replace_lane.${lane}`, result, single);
    flags = b.or(flags, more);
  }
  return [result, b.call1(raise, flags)];
});

/** Bit 2 of the rounding operand: as MXCSR says. */
const CURRENT_ROUNDING = 4;

/** VCVTPS2PH: (singles, the immediate) → halves in the low 8 bytes, the rest zero. */
const narrow = subroutine('half.narrow', 'vi>vi', (b, vector, how) => {
  const mxcsr = readMxcsr(b);
  const cleared = b.and(mxcsr, b.i32(~(3 << MXCSR.ROUNDING_SHIFT)));
  const chosen = b.or(cleared, b.shl(b.and(how as Value, b.i32(3)), b.i32(MXCSR.ROUNDING_SHIFT)));
  const mode = b.select(b.and(how as Value, b.i32(CURRENT_ROUNDING)), mxcsr, chosen);
  let result = b.v128(new Uint8Array(16));
  let flags = b.i32(0);
  for (let lane = 0; lane < 4; lane++) {
    const bits = b.extendU(b.op(`i32x4.extract_lane.${lane}`, vector as Value));
    const [half, more] = b.call(softNarrow, bits, mode) as [Value, Value];
    result = b.op(`i16x8.replace_lane.${lane}`, result, b.wrap(half));
    flags = b.or(flags, more);
  }
  return [result, b.call1(raise, flags)];
});

export const HALF = { widen, narrow } as const;

export const halfSubroutines: readonly Subroutine[] = [softWiden, softNarrow, widen, narrow];
