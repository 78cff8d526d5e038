/** x87 data transfer, arithmetic, comparison, transcendental functions and constants: SDM vol. 1, 5.2.1 to 5.2.6. */
import { MemorySize, Mnemonic } from '../../../iced-x86.js';
import type { Value } from '../../ir/op-builder.js';
import type { Subroutine } from '../../ir/subroutine.js';
import { ACCESS } from '../../stop.js';
import { CONDITIONS, type Condition, condition } from '../conditions.js';
import { setArithmeticFlags } from '../flags.js';
import { type InsnRow, type Lifter, row } from '../lifter.js';
import { arctangent } from '../x87/arctangent.js';
import { type ArithmeticName, ON_MEMORY, ON_REGISTERS, squareRoot } from '../x87/arithmetic.js';
import { compareMemory, compareRegisters, compareToFlags, examine } from '../x87/compare.js';
import { loadDecimal, storeDecimal } from '../x87/decimal.js';
import { exponential } from '../x87/exponential.js';
import {
  changeSign,
  exchange,
  loadConstant,
  loadNumber,
  loadRegister,
  moveIf,
  NEAREST_IS,
  storeRegister,
  storeRegisterQuietly,
} from '../x87/load.js';
import { logarithm, logarithmPlusOne } from '../x87/logarithm.js';
import { remainder, remainder1 } from '../x87/remainder.js';
import { extract, roundTop, scaleTop } from '../x87/scale.js';
import { push } from '../x87/stack.js';
import { STORE_AS, storeExtended, storeInteger } from '../x87/store.js';
import { sineAndCosine, topCosine, topSine, topTangent } from '../x87/trigonometric.js';
import { lastStIndex, readNumber, stIndex, track, wait } from './x87-operands.js';

/** An instruction that is one subroutine with constant operands. */
export function implicit(sub: Subroutine, ...operands: number[]): (b: Lifter) => void {
  return (b) => {
    wait(b);
    b.call(sub, ...operands.map((operand) => b.i32(operand)));
    track(b);
  };
}

/** FADD … FDIVR, popping and integer forms. `reversed`: source op destination. */
function arithmetic(name: ArithmeticName, reversed = false, pops = 0): (b: Lifter) => void {
  return (b) => {
    wait(b);
    const turned = b.i32(reversed ? 1 : 0);
    if (b.isMemory(0)) b.call(ON_MEMORY[name], ...readNumber(b), turned);
    else b.call(ON_REGISTERS[name], b.i32(stIndex(b, 0) | (pops << 8)), b.i32(stIndex(b, 1)), turned);
    track(b);
  };
}

/** FLD, FILD. Integers and 80-bit numbers come as they are. */
function fld(b: Lifter): void {
  wait(b);
  const { memorySize } = b.insn;
  if (!b.isMemory(0)) b.call(loadRegister, b.i32(lastStIndex(b, 0)));
  else if (memorySize === MemorySize.Float32 || memorySize === MemorySize.Float64) b.call(loadNumber, ...readNumber(b));
  else b.call(push, ...readNumber(b), b.i32(0));
  track(b);
}

/** FST, FSTP. */
function fst(pops: number): (b: Lifter) => void {
  return (b) => {
    wait(b);
    if (!b.isMemory(0)) {
      b.call(storeRegister, b.i32(stIndex(b, 0) | (pops << 8)));
      return track(b);
    }
    const size = b.size(0);
    b.probe(b.address(0), size, ACCESS.WRITE);
    if (size === 10) return storeTen(b, storeExtended);
    const [bits, stopped] = b.call(size === 4 ? STORE_AS.f32 : STORE_AS.f64, b.i32(pops)) as [Value, Value];
    finishStore(b, stopped, size === 4 ? b.wrap(bits) : bits);
  };
}

/** FSTPNCE. */
function fstpnce(b: Lifter): void {
  wait(b);
  b.call(storeRegisterQuietly, b.i32(stIndex(b, 0)));
  track(b);
}

/** The store at the end of an instruction; not when an unmasked exception has stopped it. */
function finishStore(b: Lifter, stopped: Value, value: Value): void {
  track(b);
  b.leaveIf(stopped, b.nextIp);
  b.store(b.address(0), b.size(0), value);
}

/** FSTP m80, FBSTP: ten bytes by a subroutine that gives 8, 2 and `stopped`. */
function storeTen(b: Lifter, sub: Subroutine): void {
  const [low, high, stopped] = b.call(sub) as [Value, Value, Value];
  track(b);
  b.leaveIf(stopped, b.nextIp);
  b.store(b.address(0), 8, low);
  b.store(b.at(b.address(0), 8), 2, high);
}

/** FBLD. */
function fbld(b: Lifter): void {
  wait(b);
  b.call(loadDecimal, b.load(b.address(0), 8), b.load(b.at(b.address(0), 8), 2));
  track(b);
}

/** FBSTP. */
function fbstp(b: Lifter): void {
  wait(b);
  b.probe(b.address(0), 10, ACCESS.WRITE);
  storeTen(b, storeDecimal);
}

/** FIST, FISTP; `truncate`: FISTTP. */
function fist(pops: number, truncate = false): (b: Lifter) => void {
  return (b) => {
    wait(b);
    const size = b.size(0);
    b.probe(b.address(0), size, ACCESS.WRITE);
    const how = [b.i32(8 * size), b.i32(truncate ? 1 : 0), b.i32(pops)];
    const [integer, stopped] = b.call(storeInteger, ...how) as [Value, Value];
    finishStore(b, stopped, size === 8 ? integer : b.wrap(integer));
  };
}

/** FLD1 and its kin. */
function constant(significand: bigint, signExponent: number, nearestIs: number): (b: Lifter) => void {
  return (b) => {
    wait(b);
    b.call(loadConstant, b.i64(significand), b.i32(signExponent), b.i32(nearestIs));
    track(b);
  };
}

/** FXCH. */
function fxch(b: Lifter): void {
  wait(b);
  b.call(exchange, b.i32(lastStIndex(b, 1)));
  track(b);
}

/** FCMOVcc. */
function fcmov(name: Condition): (b: Lifter) => void {
  return (b) => {
    wait(b);
    b.call(moveIf, b.i32(stIndex(b, 1)), condition(b, CONDITIONS.indexOf(name)));
    track(b);
  };
}

/** FCOM, FUCOM, FICOM, popping or not. */
function compare(pops: number, quiet = false): (b: Lifter) => void {
  return (b) => {
    wait(b);
    if (b.insn.opCount > 0 && b.isMemory(0)) b.call(compareMemory, ...readNumber(b), b.i32(pops));
    else b.call(compareRegisters, b.i32(lastStIndex(b, 1) | (pops << 8)), b.i32(quiet ? 1 : 0));
    track(b);
  };
}

/** FTST: with +0. */
function ftst(b: Lifter): void {
  wait(b);
  b.call(compareMemory, b.i64(0), b.i32(0), b.i32(0));
  track(b);
}

/** FCOMI, FUCOMI: ZF, PF, CF from the comparison; OF, SF, AF = 0. */
function compareFlags(pops: number, quiet: boolean): (b: Lifter) => void {
  return (b) => {
    wait(b);
    const where = b.i32(stIndex(b, 1) | (pops << 8));
    const [flags, stopped] = b.call(compareToFlags, where, b.i32(quiet ? 1 : 0)) as [Value, Value];
    track(b);
    b.leaveIf(stopped, b.nextIp);
    setArithmeticFlags(b, flags);
  };
}

const { EXACT, ABOVE, BELOW } = NEAREST_IS;

export const x87: readonly InsnRow[] = [
  row(Mnemonic.Fld, fld),
  row(Mnemonic.Fild, fld),
  row(Mnemonic.Fst, fst(0)),
  row(Mnemonic.Fstp, fst(1)),
  row(Mnemonic.Fstpnce, fstpnce),
  row(Mnemonic.Fist, fist(0)),
  row(Mnemonic.Fistp, fist(1)),
  row(Mnemonic.Fisttp, fist(1, true)),
  row(Mnemonic.Fbld, fbld),
  row(Mnemonic.Fbstp, fbstp),
  row(Mnemonic.Fxch, fxch),
  row(Mnemonic.Fcmovb, fcmov('b')),
  row(Mnemonic.Fcmovnb, fcmov('nb')),
  row(Mnemonic.Fcmove, fcmov('z')),
  row(Mnemonic.Fcmovne, fcmov('nz')),
  row(Mnemonic.Fcmovbe, fcmov('be')),
  row(Mnemonic.Fcmovnbe, fcmov('nbe')),
  row(Mnemonic.Fcmovu, fcmov('p')),
  row(Mnemonic.Fcmovnu, fcmov('np')),
  row(Mnemonic.Fadd, arithmetic('add')),
  row(Mnemonic.Fiadd, arithmetic('add')),
  row(Mnemonic.Faddp, arithmetic('add', false, 1)),
  row(Mnemonic.Fsub, arithmetic('sub')),
  row(Mnemonic.Fisub, arithmetic('sub')),
  row(Mnemonic.Fsubp, arithmetic('sub', false, 1)),
  row(Mnemonic.Fsubr, arithmetic('sub', true)),
  row(Mnemonic.Fisubr, arithmetic('sub', true)),
  row(Mnemonic.Fsubrp, arithmetic('sub', true, 1)),
  row(Mnemonic.Fmul, arithmetic('mul')),
  row(Mnemonic.Fimul, arithmetic('mul')),
  row(Mnemonic.Fmulp, arithmetic('mul', false, 1)),
  row(Mnemonic.Fdiv, arithmetic('div')),
  row(Mnemonic.Fidiv, arithmetic('div')),
  row(Mnemonic.Fdivp, arithmetic('div', false, 1)),
  row(Mnemonic.Fdivr, arithmetic('div', true)),
  row(Mnemonic.Fidivr, arithmetic('div', true)),
  row(Mnemonic.Fdivrp, arithmetic('div', true, 1)),
  row(Mnemonic.Fsqrt, implicit(squareRoot)),
  row(Mnemonic.Fprem, implicit(remainder)),
  row(Mnemonic.Fprem1, implicit(remainder1)),
  row(Mnemonic.Frndint, implicit(roundTop)),
  row(Mnemonic.Fscale, implicit(scaleTop)),
  row(Mnemonic.Fxtract, implicit(extract)),
  row(Mnemonic.F2xm1, implicit(exponential)),
  row(Mnemonic.Fyl2x, implicit(logarithm)),
  row(Mnemonic.Fyl2xp1, implicit(logarithmPlusOne)),
  row(Mnemonic.Fpatan, implicit(arctangent)),
  row(Mnemonic.Fptan, implicit(topTangent)),
  row(Mnemonic.Fsin, implicit(topSine)),
  row(Mnemonic.Fcos, implicit(topCosine)),
  row(Mnemonic.Fsincos, implicit(sineAndCosine)),
  row(Mnemonic.Fabs, implicit(changeSign, 0x7fff, 0)),
  row(Mnemonic.Fchs, implicit(changeSign, 0xffff, 0x8000)),
  row(Mnemonic.Fxam, implicit(examine)),
  row(Mnemonic.Ftst, ftst),
  row(Mnemonic.Fcom, compare(0)),
  row(Mnemonic.Ficom, compare(0)),
  row(Mnemonic.Fcomp, compare(1)),
  row(Mnemonic.Ficomp, compare(1)),
  row(Mnemonic.Fcompp, compare(2)),
  row(Mnemonic.Fucom, compare(0, true)),
  row(Mnemonic.Fucomp, compare(1, true)),
  row(Mnemonic.Fucompp, compare(2, true)),
  row(Mnemonic.Fcomi, compareFlags(0, false)),
  row(Mnemonic.Fcomip, compareFlags(1, false)),
  row(Mnemonic.Fucomi, compareFlags(0, true)),
  row(Mnemonic.Fucomip, compareFlags(1, true)),
  row(Mnemonic.Fldz, constant(0n, 0, EXACT)),
  row(Mnemonic.Fld1, constant(1n << 63n, 0x3fff, EXACT)),
  row(Mnemonic.Fldl2t, constant(0xd49a_784b_cd1b_8afen, 0x4000, BELOW)),
  row(Mnemonic.Fldl2e, constant(0xb8aa_3b29_5c17_f0bcn, 0x3fff, ABOVE)),
  row(Mnemonic.Fldpi, constant(0xc90f_daa2_2168_c235n, 0x4000, ABOVE)),
  row(Mnemonic.Fldlg2, constant(0x9a20_9a84_fbcf_f799n, 0x3ffd, ABOVE)),
  row(Mnemonic.Fldln2, constant(0xb172_17f7_d1cf_79acn, 0x3ffe, ABOVE)),
];
