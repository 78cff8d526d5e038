/** Random programs of supported instructions, for comparing the tiers: a loop whose body may jump, call, touch memory across pages, and fault. */
import fc from 'fast-check';
import { GPR } from '../../../src/register-set.js';

/** Registers that the body may write; r15 counts, rdi and rbp point at memory, rsp is the stack. */
const FREE = [GPR.RAX, GPR.RCX, GPR.RDX, GPR.RBX, GPR.RSI, GPR.R8, GPR.R9, GPR.R10, GPR.R11, GPR.R12, GPR.R13, GPR.R14];
const free = fc.constantFrom(...FREE);
const low = fc.constantFrom(0, 1, 2, 3);
/** rdi points into the middle of an area, rbp before its end: behind it nothing is mapped. */
const pointer = fc.constantFrom(GPR.RDI, GPR.RDI, GPR.RDI, GPR.RBP);
const byte = fc.integer({ min: 0, max: 255 });

const REX = 0x40;
const OPERAND_SIZE = 0x66;

type Width = 2 | 4 | 8;
const width = fc.constantFrom<Width[]>(4, 8, 4, 8, 2);

function encode(
  size: Width,
  opcode: readonly number[],
  reg: number,
  rm: number,
  mod: number,
  tail: number[] = [],
): number[] {
  const rex = REX | (size === 8 ? 8 : 0) | ((reg >> 3) << 2) | (rm >> 3);
  const modrm = (mod << 6) | ((reg & 7) << 3) | (rm & 7);
  return [...(size === 2 ? [OPERAND_SIZE] : []), rex, ...opcode, modrm, ...tail];
}

/** ADD OR AND SUB XOR CMP TEST MOV, destination first in the `rm` field. */
const TO_RM = [0x01, 0x09, 0x21, 0x29, 0x31, 0x39, 0x85, 0x89];
/** ADD OR AND SUB XOR CMP MOV, destination in the `reg` field. */
const TO_REG = [0x03, 0x0b, 0x23, 0x2b, 0x33, 0x3b, 0x8b];
const toRm = fc.constantFrom(...TO_RM);
const toReg = fc.constantFrom(...TO_REG);

const registers = fc.tuple(width, toRm, free, free).map(([size, op, reg, rm]) => encode(size, [op], reg, rm, 3));
const toMemory = fc
  .tuple(width, toRm, free, pointer, byte)
  .map(([size, op, reg, rm, disp]) => encode(size, [op], reg, rm, 1, [disp]));
const fromMemory = fc
  .tuple(width, toReg, free, pointer, byte)
  .map(([size, op, reg, rm, disp]) => encode(size, [op], reg, rm, 1, [disp]));
/** Without REX, numbers 4 to 7 are ah ch dh bh. */
const bytes = fc
  .tuple(toRm, low, low, fc.constantFrom(0, 4), fc.constantFrom(0, 4))
  .map(([op, reg, rm, high, otherHigh]) => [op - 1, 0xc0 | ((reg + high) << 3) | (rm + otherHigh)]);
const byteToMemory = fc.tuple(toRm, low, byte).map(([op, reg, disp]) => [op - 1, 0x47 | (reg << 3), disp]);
const step = fc
  .tuple(width, fc.constantFrom(0, 1), free)
  .map(([size, direction, rm]) => encode(size, [0xff], direction, rm, 3));
const lea = fc.tuple(free, free, byte).map(([reg, rm, disp]) => {
  return (rm & 7) === 4 ? encode(8, [0x8d], reg, GPR.RAX, 1, [disp]) : encode(8, [0x8d], reg, rm, 1, [disp]);
});
const pushPop = fc
  .tuple(free, free)
  .map(([from, to]) => [REX | (from >> 3), 0x50 | (from & 7), REX | (to >> 3), 0x58 | (to & 7)]);
const immediate = fc
  .tuple(width, fc.constantFrom(0, 1, 4, 5, 6, 7), free, byte)
  .map(([size, op, rm, value]) => encode(size, [0x83], op, rm, 3, [value]));

const plain = fc.oneof(registers, toMemory, fromMemory, bytes, byteToMemory, step, lea, pushPop, immediate);

/** A conditional jump over a few instructions. */
const skip = fc
  .tuple(fc.integer({ min: 0, max: 15 }), fc.array(plain, { minLength: 1, maxLength: 3 }))
  .map(([code, over]) => {
    const skipped = over.flat();
    return [0x70 | code, skipped.length, ...skipped];
  });

/** A call of a function that lies right behind the call, and a jump over it. */
const call = fc.array(plain, { minLength: 1, maxLength: 3 }).map((body) => {
  const inner = [...body.flat(), 0xc3];
  return [0xe8, 2, 0, 0, 0, 0xeb, inner.length, ...inner];
});

/** An inner loop that counts r14 down from a small number. */
const loop = fc
  .tuple(fc.integer({ min: 1, max: 5 }), fc.array(plain, { minLength: 1, maxLength: 3 }))
  .map(([n, body]) => {
    const inner = [...body.flat(), 0x49, 0xff, 0xce]; // dec %r14
    return [0x41, 0xbe, n, 0, 0, 0, ...inner, 0x41, 0x83, 0xe6, 7, 0x75, 0x100 - inner.length - 6];
  });

const piece = fc.oneof({ weight: 6, arbitrary: plain }, { weight: 3, arbitrary: skip }, call, loop);

/** `iterations` times the body: mov $n,%r15d; 1: body; dec %r15; jnz 1b. */
export const programs = fc
  .tuple(fc.array(piece, { minLength: 1, maxLength: 12 }), fc.constantFrom(1, 3, 70, 150))
  .map(([pieces, iterations]) => {
    const body = pieces.flat();
    const back = -(body.length + 3 + 6);
    const jump = [0x0f, 0x85, back & 0xff, (back >> 8) & 0xff, 0xff, 0xff];
    return [0x41, 0xbf, iterations, 0, 0, 0, ...body, 0x49, 0xff, 0xcf, ...jump];
  });

export const registerValues = fc.record(
  Object.fromEntries(
    ['rax', 'rcx', 'rdx', 'rbx', 'rsi', 'r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14'].map((name) => [
      name,
      fc.oneof(fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), fc.constantFrom(0n, 1n, 0x7fff_ffffn, (1n << 63n) - 1n)),
    ]),
  ),
);
