/** x87 comparisons and classification (SDM vol. 1, 8.3.6). */

import { SLOT } from '../../../register-set.js';
import type { OpBuilder, Value } from '../../ir/op-builder.js';
import { type Subroutine, type SubroutineBuilder, subroutine } from '../../ir/subroutine.js';
import { RELATION, relationFlags } from '../softfloat/compare.js';
import { EXCEPTION, flagIf } from '../softfloat/mxcsr.js';
import { classifyExtended, normalizeExtended, type Operand } from './extended.js';
import { type Extended, isEmpty, popCount, readSt } from './stack.js';
import { CONDITION_CODES, EARLY, note, readStatus, STACK_UNDERFLOW, STATUS } from './status.js';

/** The relation of two ordered or unordered operands (i32, one RELATION bit). */
function relation(b: OpBuilder, x: Operand, y: Operand): Value {
  const nx = normalizeExtended(b, x);
  const ny = normalizeExtended(b, y);
  const sameExponent = b.eq(nx.exponent, ny.exponent);
  // A zero is below every other magnitude, whatever normalizing it gave.
  const below = b.select(
    b.or(x.zero, y.zero),
    b.and(x.zero, b.xor(y.zero, b.i32(1))),
    b.or(b.ltS(nx.exponent, ny.exponent), b.and(sameExponent, b.ltU(nx.significand, ny.significand))),
  );
  const sameMagnitude = b.and(sameExponent, b.eq(nx.significand, ny.significand));
  const bothZero = b.and(x.zero, y.zero);
  const equal = b.or(bothZero, b.and(sameMagnitude, b.eq(x.sign, y.sign)));
  const less = b.select(b.xor(x.sign, y.sign), x.sign, b.xor(x.sign, below));
  const ordered = b.select(equal, b.i32(RELATION.EQUAL), b.select(less, b.i32(RELATION.LESS), b.i32(RELATION.GREATER)));
  const unordered = [x.nan, y.nan, x.unsupported, y.unsupported].reduce((p, q) => b.or(p, q));
  return b.select(unordered, b.i32(RELATION.UNORDERED), ordered);
}

/** (x, y, each significand then sign and exponent | quiet << 17 in the last) → RELATION, flags. */
const compareCore = subroutine('x87.core.compare', 'lili>ii', (b, xs, xe, ys, ye) => {
  const x = classifyExtended(b, xs as Value, xe as Value);
  const y = classifyExtended(b, ys as Value, b.and(ye as Value, b.i32(~QUIET)));
  const found = relation(b, x, y);
  const nan = b.or(x.nan, y.nan);
  const invalidNan = b.select(b.and(ye as Value, b.i32(QUIET)), b.or(x.signalling, y.signalling), nan);
  const invalid = b.or(invalidNan, b.or(x.unsupported, y.unsupported));
  const unordered = b.eq(found, b.i32(RELATION.UNORDERED));
  const denormal = b.and(b.or(x.denormal, y.denormal), b.eqz(unordered));
  return [found, b.or(invalid, flagIf(b, denormal, EXCEPTION.DENORMAL))];
});

/** In the last operand's sign and exponent: a QNaN is not invalid (FUCOM). */
export const QUIET = 1 << 17;

/**
 * Sets the condition codes, C3 C2 C0 where ZF PF CF are in the byte that FNSTSW and SAHF move, even where an unmasked exception keeps the
 * operands on the stack.
 */
function finishComparison(b: SubroutineBuilder, found: Value, flags: Value, pops: Value): void {
  const status = b.and(readStatus(b), b.i32(~(CONDITION_CODES & ~STATUS.C1)));
  const codes = b.shl(relationFlags(b, found), b.i32(8));
  b.rawStore('store32', b.cpu, SLOT.FSW, b.or(status, codes));
  b.returnIf(b.and(b.call1(note, flags), b.i32(EARLY)));
  popCount(b, pops);
}

/** Compares ST(0), or says that an operand is missing: RELATION, flags. */
function compareTop(b: SubroutineBuilder, other: Extended, missing: Value, quiet: Value): [Value, Value] {
  const zero = b.i32(0);
  const top = readSt(b, zero);
  const marked = b.or(other.signExponent, b.select(quiet, b.i32(QUIET), zero));
  const [found, flags] = b.call(compareCore, top.significand, top.signExponent, other.significand, marked) as [
    Value,
    Value,
  ];
  const underflow = b.or(missing, isEmpty(b, zero));
  return [b.select(underflow, b.i32(RELATION.UNORDERED), found), b.select(underflow, b.i32(STACK_UNDERFLOW), flags)];
}

/** (ST index | pops << 8, quiet): FCOM, FUCOM and their popping forms. */
export const compareRegisters = subroutine('x87.compare', 'ii>', (b, where, quiet) => {
  const index = b.and(where as Value, b.i32(7));
  const [found, flags] = compareTop(b, readSt(b, index), isEmpty(b, index), quiet as Value);
  finishComparison(b, found, flags, b.shrU(where as Value, b.i32(8)));
  return undefined;
});

/** (significand, sign and exponent, pops): FCOM, FICOM with memory; FTST with zero. */
export const compareMemory = subroutine('x87.compare.memory', 'lii>', (b, significand, signExponent, pops) => {
  const other = { significand: significand as Value, signExponent: signExponent as Value };
  const [found, flags] = compareTop(b, other, b.i32(0), b.i32(0));
  finishComparison(b, found, flags, pops as Value);
  return undefined;
});

/** (ST index | pops << 8, quiet) → ZF PF CF, and 1 when an unmasked exception forbids to set them: FCOMI and its kin. */
export const compareToFlags = subroutine('x87.compare.flags', 'ii>ii', (b, where, quiet) => {
  const index = b.and(where as Value, b.i32(7));
  const [found, flags] = compareTop(b, readSt(b, index), isEmpty(b, index), quiet as Value);
  // Only a stack fault touches C1.
  const kept = b.select(b.and(flags, b.i32(STATUS.STACK_FAULT)), b.i32(0), b.and(readStatus(b), b.i32(STATUS.C1)));
  const stopped = b.and(b.call1(note, b.or(flags, kept)), b.i32(EARLY));
  const result = relationFlags(b, found);
  b.returnIf(stopped, result, b.i32(1));
  popCount(b, b.shrU(where as Value, b.i32(8)));
  return [result, b.i32(0)];
});

/** FXAM: C3 C2 C0 by class (SDM vol. 2A, table 3-39), C1 the sign, of an empty register too. */
export const examine = subroutine('x87.examine', '>', (b) => {
  const zero = b.i32(0);
  const top = readSt(b, zero);
  const x = classifyExtended(b, top.significand, top.signExponent);
  const { C0, C2, C3 } = STATUS;
  const byClass = [
    { when: isEmpty(b, zero), codes: C3 | C0 },
    { when: x.unsupported, codes: 0 },
    { when: x.nan, codes: C0 },
    { when: x.infinite, codes: C2 | C0 },
    { when: x.zero, codes: C3 },
    { when: x.denormal, codes: C3 | C2 },
  ].reduceRight((rest, { when, codes }) => b.select(when, b.i32(codes), rest), b.i32(C2));
  const status = b.and(readStatus(b), b.i32(~CONDITION_CODES));
  b.rawStore('store32', b.cpu, SLOT.FSW, b.or(b.or(status, byClass), flagIf(b, x.sign, STATUS.C1)));
  return undefined;
});

export const compareSubroutines: readonly Subroutine[] = [
  compareCore,
  compareRegisters,
  compareMemory,
  compareToFlags,
  examine,
];
