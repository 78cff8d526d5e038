/** The soft path of a packed instruction: lane after lane, exceptions of all lanes raised together. */
import type { OpBuilder, Value } from '../../ir/op-builder.js';
import type { Subroutine, SubroutineBuilder } from '../../ir/subroutine.js';
import type { FloatFormat } from './format.js';
import { raise } from './mxcsr.js';

/** Bits of a lane, zero-extended to an i64. */
export function laneBits(b: OpBuilder, format: FloatFormat, vector: Value, lane: number): Value {
  const shape = format.bits === 32 ? 'i32x4' : 'i64x2';
  return b.extendU(b.op(`${shape}.extract_lane.${lane}`, vector));
}

/** The vector with a lane replaced by the low bits of an i64. */
export function withLane(b: OpBuilder, format: FloatFormat, vector: Value, lane: number, bits: Value): Value {
  if (format.bits === 32) return b.op(`i32x4.replace_lane.${lane}`, vector, b.wrap(bits));
  return b.op(`i64x2.replace_lane.${lane}`, vector, bits);
}

/** Lane results, their flags or'ed. */
export class LaneResults {
  private result: Value;
  flags: Value;

  constructor(
    private readonly b: SubroutineBuilder,
    private readonly format: FloatFormat,
    start: Value,
  ) {
    this.result = start;
    this.flags = b.i32(0);
  }

  /** Puts a soft result (bits, flags) into a lane. */
  put(lane: number, [bits, flags]: readonly Value[]): void {
    this.result = withLane(this.b, this.format, this.result, lane, bits as Value);
    this.flags = this.b.or(flags as Value, this.flags);
  }

  /** Raises the exceptions: (vector, trap). */
  raise(): readonly Value[] {
    return [this.result, this.b.call1(raise, this.flags)];
  }
}

/** Calls a soft subroutine of (x) or (x, y) for every lane. */
export function eachLane(
  b: SubroutineBuilder,
  format: FloatFormat,
  soft: Subroutine,
  vectors: readonly Value[],
): readonly Value[] {
  const results = new LaneResults(b, format, vectors[0] as Value);
  for (let lane = 0; lane < format.laneCount; lane++) {
    results.put(lane, b.call(soft, ...vectors.map((vector) => laneBits(b, format, vector, lane))));
  }
  return results.raise();
}

/** Calls a soft subroutine for one number in the format's integer type: (bits, trap). */
export function oneLane(b: SubroutineBuilder, soft: Subroutine, operands: readonly Value[]): readonly Value[] {
  const [bits, flags] = b.call(soft, ...operands.map((operand) => b.extendU(operand))) as [Value, Value];
  const trap = b.call1(raise, flags);
  return [operands[0]?.type === 'i32' ? b.wrap(bits) : bits, trap];
}
