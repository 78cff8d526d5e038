import { expect, test } from 'vitest';
import { usdtOperands } from '../../src/elf/usdt-operand.js';
import { GPR } from '../../src/register-set.js';

const memory = (facts: object): object => ({
  kind: 'memory',
  displacement: 0n,
  symbol: undefined,
  base: undefined,
  index: undefined,
  scale: 1n,
  ...facts,
});

// The forms are gcc's, as they stand in notes of glibc, Python and PostgreSQL.
test.each([
  {
    text: '-4@%edi',
    operands: [{ size: 4, signed: true, place: { kind: 'register', register: GPR.RDI, high: false } }],
  },
  { text: '1@%ah', operands: [{ size: 1, signed: false, place: { kind: 'register', register: GPR.RAX, high: true } }] },
  { text: '1@%r10b', operands: [{ size: 1, signed: false, place: { kind: 'register', register: 10, high: false } }] },
  {
    text: '1@%sil',
    operands: [{ size: 1, signed: false, place: { kind: 'register', register: GPR.RSI, high: false } }],
  },
  { text: '-4@$-7', operands: [{ size: 4, signed: true, place: { kind: 'constant', value: -7n } }] },
  { text: '8@-24(%rbp)', operands: [{ size: 8, signed: false, place: memory({ displacement: -24n, base: GPR.RBP }) }] },
  {
    text: '8@8(%rax,%rbx,4)',
    operands: [{ size: 8, signed: false, place: memory({ displacement: 8n, base: 0, index: GPR.RBX, scale: 4n }) }],
  },
  {
    text: '8@0(,%rdx,8)',
    operands: [{ size: 8, signed: false, place: memory({ index: GPR.RDX, scale: 8n }) }],
  },
  {
    text: '-4@counter+4(%rip)',
    operands: [{ size: 4, signed: true, place: memory({ displacement: 4n, symbol: 'counter' }) }],
  },
  { text: '8f@%xmm0', operands: [undefined] },
  { text: '', operands: [] },
])('the operand "$text"', ({ text, operands }) => {
  expect(usdtOperands(text)).toEqual(operands);
});

test('several operands, with spaces inside of parentheses', () => {
  expect(usdtOperands('8@%rdi -4@4(%rax, %rcx, 4) 2@$3').map((operand) => operand?.size)).toEqual([8, 4, 2]);
});
