import fc from 'fast-check';
import { expect, test } from 'vitest';
import { evaluate } from '../../src/agent-expression/evaluate.js';
import { MAX_BYTECODE, MAX_STACK, parseAgentExpression } from '../../src/agent-expression/program.js';
import { bytecode, testMachine } from './machine.js';
import { RECORDED } from './recorded.js';

test.each(RECORDED)('gdb’s bytecode for `$source` is a program', (recorded) => {
  expect(parseAgentExpression(bytecode(recorded.bytecode))).not.toHaveProperty('invalid');
});

test.each([
  { name: 'nothing', code: '', invalid: 'execution leaves the bytecode at 0' },
  { name: 'no end', code: '22 01', invalid: 'execution leaves the bytecode at 2' },
  { name: 'an unknown opcode', code: '22 01 35', invalid: 'unknown opcode 0x35 at 2' },
  { name: 'floating point', code: '22 01 1e 27', invalid: 'unknown opcode 0x1e at 2' },
  { name: 'the opcode that gdb keeps invalid', code: '31', invalid: 'unknown opcode 0x31 at 0' },
  { name: 'an operand cut off', code: '25 00 00', invalid: 'operand cut off at 0' },
  { name: 'an empty stack added', code: '22 01 02 27', invalid: 'stack underflow at 2' },
  { name: 'a pick below the stack', code: '22 01 32 01 27', invalid: 'stack underflow at 2' },
  { name: 'a jump out of it', code: '21 00 09', invalid: 'execution leaves the bytecode at 9' },
  { name: 'a jump into an operand', code: '22 27 20 00 01 27', invalid: 'a jump leads into the instruction before 1' },
  { name: 'branches that leave different heights', code: '22 01 20 00 07 22 02 27', invalid: 'stack heights' },
  { name: 'a loop that pushes', code: '22 01 21 00 00', invalid: 'stack heights 0 and 1 meet at 0' },
  { name: 'no bits to keep', code: '22 01 2a 00 27', invalid: 'zero_ext 0 at 2' },
  { name: 'a printf cut off', code: '22 00 28 34 00 00 05 41 00', invalid: 'printf cut off at 3' },
])('refused: $name', ({ code, invalid }) => {
  const result = parseAgentExpression(bytecode(code));
  expect('invalid' in result && result.invalid).toContain(invalid);
});

test('refused: a stack deeper than gdbserver’s', () => {
  const pushes = (count: number) => parseAgentExpression(bytecode(`${'2201'.repeat(count)}27`));
  expect(pushes(MAX_STACK)).toMatchObject({ maxHeight: MAX_STACK });
  expect(pushes(MAX_STACK + 1)).toEqual({ invalid: `stack overflow at ${2 * MAX_STACK}` });
});

test('refused: more bytecode than a condition can need', () => {
  expect(parseAgentExpression(new Uint8Array(MAX_BYTECODE + 1))).toHaveProperty('invalid');
});

test('a program names the registers that it reads, and jumps by index', () => {
  // reg 6; if_goto 11; const8 5; goto 13; const8 6; end
  const jump = parseAgentExpression(bytecode('26 0006 20 000b 22 05 21 000d 22 06 27'));
  expect(jump).toMatchObject({ registers: new Set([6]) });
  expect('code' in jump && jump.code.map(({ op, operand }) => `${op.name} ${operand}`)).toEqual([
    'reg 6',
    'if_goto 4',
    'const8 5',
    'goto 5',
    'const8 6',
    'end 0',
  ]);
});

test('any bytes are either refused or run to a value or an error', () => {
  const opcodes = fc.constantFrom(...bytecode('02 05 0e 13 16 17 1a 20 21 22 26 27 28 29 2a 2b 2c 2d 32 33 34'));
  const byte = fc.oneof(opcodes, fc.integer({ min: 0, max: 12 }), fc.integer({ min: 0, max: 255 }));
  fc.assert(
    fc.property(fc.array(byte, { maxLength: 60 }), (bytes) => {
      const program = parseAgentExpression(Uint8Array.from([...bytes, 0x27]));
      if ('invalid' in program) return;
      const machine = testMachine({ registers: new Map([[6, 1n]]), variables: new Map([[1, 5n]]) });
      expect(['done', 'error']).toContain(evaluate(program, machine).kind);
    }),
    { numRuns: 2000 },
  );
});
