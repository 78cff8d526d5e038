/**
 * Bulk iterations of REP MOVS and REP STOS as IR subroutines. They serve only pages that the TLB holds, so whatever needs to be seen
 * (a watched page, a page with translated code, a missing one) ends them, and the instruction goes on one iteration at a time.
 */
import { STATE } from '../cpu-state.js';
import type { Value } from '../ir/op-builder.js';
import { type SubroutineBuilder, subroutine } from '../ir/subroutine.js';
import { TLB_ENTRIES } from '../memory/layout.js';

/** Physical address of guest address `at`, 0 when the TLB (its address in the CPU struct) does not hold its page. */
function lookup(b: SubroutineBuilder, tlb: number, at: Value): Value {
  const table = b.raw('load32', b.cpu, tlb);
  const index = b.and(b.wrap(b.shrU(at, b.i64(9))), b.i32((TLB_ENTRIES - 1) << 3));
  const entry = b.raw('load64', b.add(table, index));
  const hit = b.eq(b.shrU(at, b.i64(12)), b.shrU(entry, b.i64(20)));
  return b.select(hit, b.add(b.wrap(at), b.shl(b.wrap(entry), b.i32(12))), b.i32(0));
}

/** The lower of two unsigned i32. */
function least(b: SubroutineBuilder, x: Value, y: Value): Value {
  return b.select(b.ltU(x, y), x, y);
}

/** How many whole elements lie in the page from the one at `at` on, in the direction of `step`. */
function elementsInPage(b: SubroutineBuilder, at: Value, step: Value, size: Value): Value {
  const offset = b.and(b.wrap(at), b.i32(4095));
  const up = b.op('i32.div_u', b.sub(b.i32(4096), offset), size);
  const crosses = b.gtU(b.add(offset, size), b.i32(4096));
  const down = b.select(crosses, b.i32(0), b.add(b.op('i32.div_u', offset, size), b.i32(1)));
  return b.select(b.ltS(step, b.i32(0)), down, up);
}

function absolute(b: SubroutineBuilder, x: Value): Value {
  return b.select(b.ltS(x, b.i32(0)), b.neg(x), x);
}

/** Stores the low `size` (1, 2, 4, 8) bytes. */
function storeElement(b: SubroutineBuilder, at: Value, size: Value, value: Value): void {
  const cases = [
    [1, 'store8'],
    [2, 'store16'],
    [4, 'store32'],
  ] as const;
  b.block((done) => {
    for (const [bytes, op] of cases) {
      b.if(b.eq(size, b.i32(bytes)), () => {
        b.rawStore(op, at, 0, b.wrap(value));
        b.leave(done);
      });
    }
    b.rawStore('store64', at, 0, value);
  });
}

function loadElement(b: SubroutineBuilder, at: Value, size: Value): Value {
  const value = b.variable(b.i64(0));
  const cases = [
    [1, 'load8'],
    [2, 'load16'],
    [4, 'load32'],
  ] as const;
  b.block((done) => {
    for (const [bytes, op] of cases) {
      b.if(b.eq(size, b.i32(bytes)), () => {
        b.assign(value, b.extendU(b.raw(op, at)));
        b.leave(done);
      });
    }
    b.assign(value, b.raw('load64', at));
  });
  return b.read(value);
}

/** Runs `body` for `count` (not 0) elements from physical address `first` on. */
function eachElement(b: SubroutineBuilder, first: Value, step: Value, count: Value, body: (at: Value) => void): void {
  const at = b.variable(first);
  const left = b.variable(count);
  b.loop(() => {
    const here = b.read(at);
    body(here);
    b.assign(at, b.add(here, step));
    const rest = b.sub(b.read(left), b.i32(1));
    b.assign(left, rest);
    return rest;
  });
}

/** The lowest address of `count` elements that begin at `first` and go in the direction of `step`. */
function lowest(b: SubroutineBuilder, first: Value, step: Value, count: Value): Value {
  const back = b.mul(step, b.sub(count, b.i32(1)));
  return b.select(b.ltS(step, b.i32(0)), b.add(first, back), first);
}

/**
 * (to, from, limit, step) → how many iterations of MOVS behind the one at `to` and `from` it has done, at most `limit`. `step` is ± the
 * element size. Overlapping areas come out as single iterations would have left them.
 */
export const copyElements = subroutine('string.copy', 'llii>i', (b, to, from, limit, by) => {
  const step = by as Value;
  const size = absolute(b, step);
  const target = b.add(to as Value, b.extendS(step));
  const source = b.add(from as Value, b.extendS(step));
  const inPages = least(b, elementsInPage(b, target, step, size), elementsInPage(b, source, step, size));
  const count = least(b, limit as Value, inPages);
  const at = lookup(b, STATE.TLB_WRITE, target);
  const origin = lookup(b, STATE.TLB_READ, source);
  b.returnIf(b.or(b.or(b.eqz(at), b.eqz(origin)), b.eqz(count)), b.i32(0));

  // How far the target runs ahead of the source: what it overwrites before it is read is copied again and again.
  const ahead = b.select(b.ltS(step, b.i32(0)), b.sub(origin, at), b.sub(at, origin));
  const length = b.mul(size, count);
  b.if(
    b.or(b.geU(ahead, length), b.eqz(ahead)),
    () => b.copy(lowest(b, at, step, count), lowest(b, origin, step, count), length),
    () => {
      const distance = b.sub(origin, at);
      eachElement(b, at, step, count, (here) => {
        storeElement(b, here, size, loadElement(b, b.add(here, distance), size));
      });
    },
  );
  return count;
});

/** (to, value, limit, step) → how many iterations of STOS behind the one at `to` it has done. */
export const fillElements = subroutine('string.fill', 'llii>i', (b, to, element, limit, by) => {
  const step = by as Value;
  const value = element as Value;
  const size = absolute(b, step);
  const target = b.add(to as Value, b.extendS(step));
  const count = least(b, limit as Value, elementsInPage(b, target, step, size));
  const at = lookup(b, STATE.TLB_WRITE, target);
  b.returnIf(b.or(b.eqz(at), b.eqz(count)), b.i32(0));

  const byte = b.and(b.wrap(value), b.i32(0xff));
  const uniform = b.or(b.eq(size, b.i32(1)), b.eqz(value));
  b.if(
    uniform,
    () => b.fill(lowest(b, at, step, count), byte, b.mul(size, count)),
    () => eachElement(b, at, step, count, (here) => storeElement(b, here, size, value)),
  );
  return count;
});

export const stringSubroutines = [copyElements, fillElements];
