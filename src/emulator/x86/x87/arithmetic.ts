/**
 * x87 arithmetic: add, subtract, multiply, divide, square root, exact and rounded once (SDM vol. 1, 8.3.5, 8.5). The cores know operands only:
 * (x, x's sign and exponent, y, y's) → significand, sign and exponent, flags. Around them: operands from the stack or from memory.
 */
import type { Value } from '../../ir/op-builder.js';
import { type Subroutine, type SubroutineBuilder, subroutine } from '../../ir/subroutine.js';
import { zeroSumSign } from '../softfloat/arithmetic.js';
import {
  addMagnitudes,
  divideMagnitudes,
  multiplyMagnitudes,
  squareRootMagnitude,
  subtractMagnitudes,
} from '../softfloat/magnitude.js';
import { EXCEPTION, flagIf } from '../softfloat/mxcsr.js';
import {
  chooseNan,
  classifyExtended,
  infinityOf,
  normalizeExtended,
  type Operand,
  quietedExtended,
  selectExtended,
  zeroOf,
} from './extended.js';
import { packExtended } from './pack.js';
import { quickProduct, quickSum, whenUsual } from './quick.js';
import { deliver, type Extended, indefinite, isEmpty, readSt } from './stack.js';
import { modeWithSign, readMode, STACK_UNDERFLOW } from './status.js';

export type ArithmeticName = 'add' | 'sub' | 'mul' | 'div';

export function returnExtended(b: SubroutineBuilder, value: Extended, flags: Value): void {
  b.return(value.significand, value.signExponent, flags);
}

/** Leaves a core with a number when a condition holds. */
export function returnExtendedIf(b: SubroutineBuilder, condition: Value, value: Extended, flags: Value): void {
  b.returnIf(condition, value.significand, value.signExponent, flags);
}

export function returnInvalidIf(b: SubroutineBuilder, condition: Value): void {
  returnExtendedIf(b, condition, indefinite(b), b.i32(EXCEPTION.INVALID));
}

/** Leaves a core for unsupported encodings and NaNs. */
export function returnSpecial(b: SubroutineBuilder, x: Operand, y: Operand): void {
  returnInvalidIf(b, b.or(x.unsupported, y.unsupported));
  b.if(b.or(x.nan, y.nan), () => returnExtended(b, chooseNan(b, x, y), b.or(x.signalling, y.signalling)));
}

/** Rounds a result of magnitude.ts and adds the flags that were found before. */
export function finish(
  b: SubroutineBuilder,
  mode: Value,
  sign: Value,
  [exponent, high, low]: readonly Value[],
  flags: Value,
): readonly Value[] {
  const [significand, signExponent, more] = b.call(
    packExtended,
    modeWithSign(b, mode, sign),
    exponent as Value,
    high as Value,
    low as Value,
  ) as [Value, Value, Value];
  return [significand, signExponent, b.or(flags, more)];
}

function sum(b: SubroutineBuilder, x: Operand, y: Operand, mode: Value, flip: number): readonly Value[] {
  const ySign = b.xor(y.sign, b.i32(flip));
  const differ = b.xor(x.sign, ySign);
  returnInvalidIf(b, b.and(b.and(x.infinite, y.infinite), differ));
  const flags = flagIf(b, b.or(x.denormal, y.denormal), EXCEPTION.DENORMAL);
  returnExtendedIf(b, b.or(x.infinite, y.infinite), infinityOf(b, b.select(x.infinite, x.sign, ySign)), flags);
  b.if(b.and(x.zero, y.zero), () => {
    returnExtended(b, zeroOf(b, b.select(differ, zeroSumSign(b, mode), x.sign)), flags);
  });
  const nx = normalizeExtended(b, x);
  const ny = normalizeExtended(b, y);
  // A zero has no exponent to compare.
  const below = b.or(
    b.ltS(nx.exponent, ny.exponent),
    b.and(b.eq(nx.exponent, ny.exponent), b.ltU(nx.significand, ny.significand)),
  );
  const swap = b.or(x.zero, b.and(below, b.eqz(y.zero)));
  const sign = b.select(swap, ySign, x.sign);
  const big = [b.select(swap, ny.exponent, nx.exponent), b.select(swap, ny.significand, nx.significand)];
  const small = [b.select(swap, nx.exponent, ny.exponent), b.select(swap, nx.significand, ny.significand)];
  b.if(b.or(x.zero, y.zero), () => {
    b.return(...finish(b, mode, sign, [...big, b.i64(0)], flags));
  });
  b.if(differ, () => {
    const difference = b.call(subtractMagnitudes, ...big, ...small);
    returnExtendedIf(b, b.eqz(difference[1] as Value), zeroOf(b, zeroSumSign(b, mode)), flags);
    b.return(...finish(b, mode, sign, difference, flags));
  });
  return finish(b, mode, sign, b.call(addMagnitudes, ...big, ...small), flags);
}

function product(b: SubroutineBuilder, x: Operand, y: Operand, mode: Value): readonly Value[] {
  const infinite = b.or(x.infinite, y.infinite);
  const zero = b.or(x.zero, y.zero);
  returnInvalidIf(b, b.and(infinite, zero));
  const sign = b.xor(x.sign, y.sign);
  const flags = flagIf(b, b.or(x.denormal, y.denormal), EXCEPTION.DENORMAL);
  returnExtendedIf(b, infinite, infinityOf(b, sign), flags);
  returnExtendedIf(b, zero, zeroOf(b, sign), flags);
  const nx = normalizeExtended(b, x);
  const ny = normalizeExtended(b, y);
  const result = b.call(multiplyMagnitudes, nx.exponent, nx.significand, ny.exponent, ny.significand);
  return finish(b, mode, sign, result, flags);
}

function quotient(b: SubroutineBuilder, x: Operand, y: Operand, mode: Value): readonly Value[] {
  returnInvalidIf(b, b.or(b.and(x.infinite, y.infinite), b.and(x.zero, y.zero)));
  const sign = b.xor(x.sign, y.sign);
  const flags = flagIf(b, b.or(x.denormal, y.denormal), EXCEPTION.DENORMAL);
  returnExtendedIf(b, x.infinite, infinityOf(b, sign), flags);
  returnExtendedIf(b, y.zero, infinityOf(b, sign), b.i32(EXCEPTION.ZERO_DIVIDE));
  returnExtendedIf(b, b.or(x.zero, y.infinite), zeroOf(b, sign), flags);
  const nx = normalizeExtended(b, x);
  const ny = normalizeExtended(b, y);
  const result = b.call(divideMagnitudes, nx.exponent, nx.significand, ny.exponent, ny.significand);
  return finish(b, mode, sign, result, flags);
}

function core(name: ArithmeticName): Subroutine {
  return subroutine(`x87.core.${name}`, 'lili>lii', (b, xs, xe, ys, ye) => {
    const operands = [xs, xe, ys, ye] as [Value, Value, Value, Value];
    if (name === 'mul') whenUsual(b, operands, () => quickProduct(b, ...operands));
    if (name === 'add' || name === 'sub') {
      whenUsual(b, operands, () => quickSum(b, ...operands, name === 'sub' ? 1 : 0));
    }
    const mode = readMode(b);
    const x = classifyExtended(b, xs as Value, xe as Value);
    const y = classifyExtended(b, ys as Value, ye as Value);
    returnSpecial(b, x, y);
    switch (name) {
      case 'add':
        return sum(b, x, y, mode, 0);
      case 'sub':
        return sum(b, x, y, mode, 1);
      case 'mul':
        return product(b, x, y, mode);
      case 'div':
        return quotient(b, x, y, mode);
    }
  });
}

export const CORE = { add: core('add'), sub: core('sub'), mul: core('mul'), div: core('div') } as const;

const squareRootCore = subroutine('x87.core.sqrt', 'li>lii', (b, significand, signExponent) => {
  const x = classifyExtended(b, significand as Value, signExponent as Value);
  returnInvalidIf(b, x.unsupported);
  b.if(x.nan, () => returnExtended(b, quietedExtended(b, x), x.signalling));
  returnExtendedIf(b, x.zero, x, b.i32(0));
  returnInvalidIf(b, x.sign);
  returnExtendedIf(b, x.infinite, x, b.i32(0));
  const normal = normalizeExtended(b, x);
  const root = b.call(squareRootMagnitude, normal.exponent, normal.significand);
  return finish(b, readMode(b), x.sign, root, flagIf(b, x.denormal, EXCEPTION.DENORMAL));
});

/** Delivers the indefinite number to `where` for operands that are not there. */
export function deliverUnderflow(b: SubroutineBuilder, where: Value): void {
  const nothing = indefinite(b);
  b.call(deliver, where, nothing.significand, nothing.signExponent, b.i32(STACK_UNDERFLOW));
}

/** (ST index of the destination | pops << 8, ST index of the source, reversed): destination ← destination op source, or the other way round. */
function onRegisters(name: ArithmeticName): Subroutine {
  return subroutine(`x87.${name}`, 'iii>', (b, where, source, reversed) => {
    const target = b.and(where as Value, b.i32(7));
    b.if(b.or(isEmpty(b, target), isEmpty(b, source as Value)), () => {
      deliverUnderflow(b, where as Value);
      b.return();
    });
    const own = readSt(b, target);
    const other = readSt(b, source as Value);
    const x = selectExtended(b, reversed as Value, other, own);
    const y = selectExtended(b, reversed as Value, own, other);
    const result = b.call(CORE[name], x.significand, x.signExponent, y.significand, y.signExponent);
    b.call(deliver, where as Value, ...result);
    return undefined;
  });
}

/** (significand, sign and exponent, reversed): ST(0) ← ST(0) op a number from memory, or the other way round. */
function onMemory(name: ArithmeticName): Subroutine {
  return subroutine(`x87.${name}.memory`, 'lii>', (b, significand, signExponent, reversed) => {
    const zero = b.i32(0);
    b.if(isEmpty(b, zero), () => {
      deliverUnderflow(b, zero);
      b.return();
    });
    const own = readSt(b, zero);
    const other = { significand: significand as Value, signExponent: signExponent as Value };
    const x = selectExtended(b, reversed as Value, other, own);
    const y = selectExtended(b, reversed as Value, own, other);
    const result = b.call(CORE[name], x.significand, x.signExponent, y.significand, y.signExponent);
    b.call(deliver, zero, ...result);
    return undefined;
  });
}

/** Applies a core of one operand to ST(0). */
export function onTop(name: string, unary: Subroutine): Subroutine {
  return subroutine(name, '>', (b) => {
    const zero = b.i32(0);
    b.if(isEmpty(b, zero), () => {
      deliverUnderflow(b, zero);
      b.return();
    });
    const x = readSt(b, zero);
    b.call(deliver, zero, ...b.call(unary, x.significand, x.signExponent));
    return undefined;
  });
}

export const ON_REGISTERS = {
  add: onRegisters('add'),
  sub: onRegisters('sub'),
  mul: onRegisters('mul'),
  div: onRegisters('div'),
} as const;

export const ON_MEMORY = {
  add: onMemory('add'),
  sub: onMemory('sub'),
  mul: onMemory('mul'),
  div: onMemory('div'),
} as const;

export const squareRoot = onTop('x87.sqrt', squareRootCore);

export const arithmeticSubroutines: readonly Subroutine[] = [
  packExtended,
  squareRootCore,
  squareRoot,
  ...[CORE, ON_REGISTERS, ON_MEMORY].flatMap((each) => Object.values(each)),
];
