/** SSE3's horizontal and alternating sums and SSE4.1's dot products: (x, y …) → (result, trap). */
import type { Value } from '../../ir/op-builder.js';
import { type Subroutine, type SubroutineBuilder, subroutine } from '../../ir/subroutine.js';
import { SOFT } from './arithmetic.js';
import { F32, F64, type FloatFormat } from './format.js';
import { LaneResults, laneBits } from './lanes.js';
import { has, raise } from './mxcsr.js';
import { nativePackedArithmetic } from './native.js';
import { type NativeSubroutine, nativeSubroutine } from './native-subroutine.js';
import { PACKED } from './operations.js';

/** Byte indices that take whole lanes (0 … 2n - 1 of two vectors). */
function pick(format: FloatFormat, lanes: readonly number[]): Uint8Array {
  const size = format.bits / 8;
  return Uint8Array.from({ length: 16 }, (_, i) => (lanes[Math.floor(i / size)] as number) * size + (i % size));
}

const EVEN = { f32: pick(F32, [0, 2, 4, 6]), f64: pick(F64, [0, 2]) } as const;
const ODD = { f32: pick(F32, [1, 3, 5, 7]), f64: pick(F64, [1, 3]) } as const;

/** HADD, HSUB: neighbours added (the odd one subtracted from the even one), those of x below those of y. */
function horizontal(format: FloatFormat, name: 'add' | 'sub'): Subroutine {
  return subroutine(`h${name}.${format.lanes}`, 'vv>vi', (b, x, y) => {
    const even = b.shuffle(x as Value, y as Value, EVEN[format.name]);
    const odd = b.shuffle(x as Value, y as Value, ODD[format.name]);
    return b.call(PACKED[format.name][name], even, odd);
  });
}

/** The sign bits of the even lanes. */
function evenSigns(format: FloatFormat): Uint8Array {
  const bytes = new Uint8Array(16);
  for (let lane = 0; lane < format.laneCount; lane += 2) bytes[(lane + 1) * (format.bits / 8) - 1] = 0x80;
  return bytes;
}

/** ADDSUB: odd lanes added, even lanes subtracted. */
function alternating(format: FloatFormat): NativeSubroutine {
  return nativeSubroutine(
    `addsub.${format.lanes}`,
    'vv>vi',
    (b, state, x, y) => {
      const turned = b.op('v128.xor', y as Value, b.v128(evenSigns(format)));
      return nativePackedArithmetic(b, format, 'add', state, x as Value, turned);
    },
    (b, x, y) => {
      const results = new LaneResults(b, format, x as Value);
      for (let lane = 0; lane < format.laneCount; lane++) {
        const soft = SOFT[format.name][lane % 2 === 0 ? 'sub' : 'add'];
        const operands = [laneBits(b, format, x as Value, lane), laneBits(b, format, y as Value, lane)];
        results.put(lane, b.call(soft, ...operands));
      }
      return results.raise();
    },
  );
}

/** Raises the flags of one step; leaves the subroutine when that traps. */
function raiseStep(b: SubroutineBuilder, flags: Value, x: Value): void {
  const trap = b.call1(raise, flags);
  b.returnIf(trap, x, trap);
}

/**
 * DPPS, DPPD: (x, y, immediate). Bits 4 up choose the products that count, bits 0 up the lanes that get the sum, the others are zero.
 * Every step rounds (SDM vol. 2A, DPPS).
 */
function dotProduct(format: FloatFormat): Subroutine {
  const { laneCount, name } = format;
  return subroutine(`dot.${format.lanes}`, 'vvi>vi', (b, x, y, immediate) => {
    const chosen = (bit: number): Value => has(b, immediate as Value, 1 << bit);
    const zero = b.i64(0);
    let flags = b.i32(0);
    const products = Array.from({ length: laneCount }, (_, lane) => {
      const operands = [laneBits(b, format, x as Value, lane), laneBits(b, format, y as Value, lane)];
      const result = b.variable(zero);
      const raised = b.variable(b.i32(0));
      b.if(chosen(4 + lane), () => {
        const [bits, more] = b.call(SOFT[name].mul, ...operands) as [Value, Value];
        b.assign(result, bits);
        b.assign(raised, more);
      });
      flags = b.or(flags, b.read(raised));
      return b.read(result);
    });
    raiseStep(b, flags, x as Value);

    let terms = products;
    while (terms.length > 1) {
      let raised = b.i32(0);
      const sums: Value[] = [];
      for (let i = 0; i < terms.length; i += 2) {
        const [bits, more] = b.call(SOFT[name].add, terms[i] as Value, terms[i + 1] as Value) as [Value, Value];
        sums.push(bits);
        raised = b.or(raised, more);
      }
      raiseStep(b, raised, x as Value);
      terms = sums;
    }
    const results = new LaneResults(b, format, x as Value);
    for (let lane = 0; lane < laneCount; lane++) {
      results.put(lane, [b.select(chosen(lane), terms[0] as Value, zero), b.i32(0)]);
    }
    return results.raise();
  });
}

const horizontalOf = (format: FloatFormat) =>
  ({ add: horizontal(format, 'add'), sub: horizontal(format, 'sub'), addsub: alternating(format) }) as const;

export const HORIZONTAL = { f32: horizontalOf(F32), f64: horizontalOf(F64) } as const;
export const DOT_PRODUCT = { f32: dotProduct(F32), f64: dotProduct(F64) } as const;

export const horizontalSubroutines: readonly Subroutine[] = [
  ...Object.values(HORIZONTAL.f32),
  ...Object.values(HORIZONTAL.f64),
  DOT_PRODUCT.f32,
  DOT_PRODUCT.f64,
];
