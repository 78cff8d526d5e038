/** What the transcendental instructions share: rounding of a result that is never exact, and how results reach the stack. */
import type { Value } from '../../ir/op-builder.js';
import { type Subroutine, type SubroutineBuilder, subroutine } from '../../ir/subroutine.js';
import type { Wide } from '../softfloat/wide.js';
import { deliverUnderflow, finish } from './arithmetic.js';
import { normalizeFraction } from './fraction.js';
import { deliver, isEmpty, readSt } from './stack.js';
import { fullPrecision, readMode } from './status.js';

/** Rounds fraction · 2^exponent, which is inexact, to 64 bits whatever precision control says: significand, sign and exponent, flags. */
export function inexactResult(
  b: SubroutineBuilder,
  sign: Value,
  fraction: Wide,
  exponent: Value,
  flags: Value,
): readonly Value[] {
  const normal = normalizeFraction(b, fraction);
  const top = b.sub(b.sub(exponent, normal.zeros), b.i32(1));
  const { high, low } = normal.fraction;
  return finish(b, fullPrecision(b, readMode(b)), sign, [top, high, b.or(low, b.i64(1))], flags);
}

/** A function of ST(1) and ST(0), whose result takes their place. Cores take x = ST(0), then y = ST(1). */
export function onTwo(name: string, core: Subroutine): Subroutine {
  return subroutine(name, '>', (b) => {
    const [zero, one] = [b.i32(0), b.i32(1)];
    const where = b.i32(1 | (1 << 8));
    b.if(b.or(isEmpty(b, zero), isEmpty(b, one)), () => {
      deliverUnderflow(b, where);
      b.return();
    });
    const [x, y] = [readSt(b, zero), readSt(b, one)];
    b.call(deliver, where, ...b.call(core, x.significand, x.signExponent, y.significand, y.signExponent));
    return undefined;
  });
}
