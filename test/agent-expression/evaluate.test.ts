import { describe, expect, test } from 'vitest';
import { type Evaluation, evaluate, evaluateConditions } from '../../src/agent-expression/evaluate.js';
import { type AgentProgram, parseAgentExpression } from '../../src/agent-expression/program.js';
import { bytecode, type TestMachine, testMachine } from './machine.js';
import { RECORDED, RECORDED_MEMORY, RECORDED_REGISTERS } from './recorded.js';

function program(digits: string): AgentProgram {
  const parsed = parseAgentExpression(bytecode(digits));
  if ('invalid' in parsed) throw new Error(parsed.invalid);
  return parsed;
}

function run(digits: string, machine: TestMachine = testMachine()): Evaluation {
  return evaluate(program(digits), machine);
}

const recorded = () => testMachine({ registers: RECORDED_REGISTERS, memory: RECORDED_MEMORY });

test.each(RECORDED)('`$source` has the value that gdb computes', ({ bytecode: digits, value }) => {
  const result = run(digits, recorded());
  if (value === undefined) expect(result.kind).toBe('error');
  else expect(result).toEqual({ kind: 'done', value: BigInt.asUintN(64, value) });
});

const MINUS_1 = '22ff 1608';
const MINUS_5 = '22fb 1608';

describe('opcodes', () => {
  test.each([
    { name: 'sub wraps', code: '2201 2202 03', value: -1n },
    { name: 'mul wraps', code: `25 8000000000000001 2202 04`, value: 2n },
    { name: 'div_signed rounds to zero', code: `${MINUS_5} 2202 05`, value: -2n },
    { name: 'div_signed of the least by -1', code: `25 8000000000000000 ${MINUS_1} 05`, value: -(1n << 63n) },
    { name: 'div_unsigned', code: `${MINUS_1} 2202 06`, value: 0x7fff_ffff_ffff_ffffn },
    { name: 'rem_signed has the sign of the dividend', code: `${MINUS_5} 2203 07`, value: -2n },
    { name: 'rem_unsigned', code: '2207 2204 08', value: 3n },
    { name: 'lsh', code: '2203 2204 09', value: 48n },
    { name: 'lsh by 65 shifts by one', code: '2203 2241 09', value: 6n },
    { name: 'rsh_signed', code: `${MINUS_5} 2201 0a`, value: -3n },
    { name: 'rsh_unsigned', code: `${MINUS_1} 223c 0b`, value: 15n },
    { name: 'log_not of zero', code: '2200 0e', value: 1n },
    { name: 'log_not of anything else', code: `${MINUS_1} 0e`, value: 0n },
    { name: 'bit_and', code: '220c 220a 0f', value: 8n },
    { name: 'bit_or', code: '220c 220a 10', value: 14n },
    { name: 'bit_xor', code: '220c 220a 11', value: 6n },
    { name: 'bit_not', code: '2200 12', value: -1n },
    { name: 'equal', code: '2203 2203 13', value: 1n },
    { name: 'less_signed', code: `${MINUS_1} 2200 14`, value: 1n },
    { name: 'less_unsigned', code: `${MINUS_1} 2200 15`, value: 0n },
    { name: 'ext', code: '2280 1608', value: -128n },
    { name: 'ext of more than 64 bits', code: '2280 16ff', value: 128n },
    { name: 'zero_ext', code: `${MINUS_1} 2a10`, value: 0xffffn },
    { name: 'const16', code: '231234', value: 0x1234n },
    { name: 'const32', code: '2489abcdef', value: 0x89abcdefn },
    { name: 'const64', code: '25 fedcba9876543210', value: -0x0123456789abcdf0n },
    { name: 'dup', code: '2203 28 02', value: 6n },
    { name: 'pop', code: '2203 2204 29', value: 3n },
    { name: 'swap', code: '2203 2204 2b 03', value: 1n },
    { name: 'pick 0 is dup', code: '2203 2204 3200 02', value: 8n },
    { name: 'pick 1', code: '2203 2204 3201', value: 3n },
    { name: 'rot brings the second to the top', code: '2201 2202 2203 33', value: 2n },
    { name: 'rot moves the top below', code: '2201 2202 2203 33 29', value: 1n },
    { name: 'if_goto falls through on zero', code: '2200 20000a 2205 21000c 2206', value: 5n },
    { name: 'if_goto jumps on anything else', code: '2207 20000a 2205 21000c 2206', value: 6n },
    { name: 'getv', code: '2c0001', value: 40n },
    { name: 'setv leaves the value', code: '2209 2d0001', value: 9n },
  ])('$name', ({ code, value }) => {
    const machine = testMachine({ variables: new Map([[1, 40n]]) });
    expect(run(`${code}27`, machine)).toEqual({ kind: 'done', value: BigInt.asUintN(64, value) });
  });

  test('an expression may end with nothing on the stack', () => {
    expect(run('27')).toEqual({ kind: 'done', value: undefined });
  });
});

test.each([
  { name: 'division by zero', code: '2201 2200 05 27', reason: 'division by zero at 4' },
  { name: 'unsigned remainder by zero', code: '2201 2200 08 27', reason: 'division by zero at 4' },
  { name: 'an unreadable address', code: '2210 1a 27', reason: 'memory at 0x10 is unreadable at 2' },
  { name: 'no such register', code: '26 0063 27', reason: 'register 99 is unavailable at 0' },
  { name: 'no such variable', code: '2c 0007 27', reason: 'no trace state variable 7 at 0' },
  { name: 'a variable that cannot be set', code: '2201 2d 0007 27', reason: 'no trace state variable 7 at 2' },
  { name: 'an endless loop', code: '21 0000', reason: 'more than 10000 steps' },
])('error: $name', ({ code, reason }) => {
  expect(run(code)).toEqual({ kind: 'error', reason });
});

describe('the condition list of a breakpoint', () => {
  const yes = '2201 27';
  const no = '2200 27';
  const broken = '2200 17 27';
  test.each([
    { name: 'none', conditions: [], result: { stop: true } },
    { name: 'false', conditions: [no], result: { stop: false } },
    { name: 'false or true', conditions: [no, yes], result: { stop: true } },
    { name: 'true or broken: decided before', conditions: [yes, broken], result: { stop: true } },
    { name: 'false or broken', conditions: [no, broken], result: { stop: true, error: expect.anything() } },
    { name: 'no value', conditions: ['27'], result: { stop: true, error: 'condition without a value' } },
  ])('$name', ({ conditions, result }) => {
    expect(evaluateConditions(conditions.map(program), testMachine())).toEqual(result);
  });
});

describe('tracing', () => {
  const memory = [[0x10n, '414200']] as const;
  test.each([
    { name: 'trace', code: '2210 2204 0c 27', collected: ['10+4'] },
    { name: 'trace_quick keeps the address', code: '2210 0d04 17 27', collected: ['10+4'] },
    { name: 'trace16', code: '2210 300102 17 27', collected: ['10+258'] },
    { name: 'tracev', code: '2e0005 27', collected: ['$5'] },
    { name: 'tracenz takes the NUL along', code: '2210 2208 2f 27', collected: ['10+3'] },
    { name: 'tracenz stops at its limit', code: '2210 2201 2f 27', collected: ['10+1'] },
  ])('$name', ({ code, collected }) => {
    const machine = testMachine({ memory });
    expect(run(code, machine).kind).toBe('done');
    expect(machine.collected).toEqual(collected);
  });

  test('is an error where nothing collects', () => {
    const { collector: _, ...machine } = testMachine({ memory });
    expect(evaluate(program('2210 0d04 27'), machine)).toEqual({
      kind: 'error',
      reason: 'trace outside a tracepoint at 2',
    });
  });
});
