import { expect, test } from 'vitest';
import { isTrue, type Scope } from '../../src/probing/expression.js';
import { parseExpression } from '../../src/probing/expression-parser.js';

const FIELDS = new Map<string, bigint | string | undefined>([
  ['size', 100n],
  ['delta', -3n],
  ['path', '/lib/libc.so'],
  ['fault', undefined],
]);

const SCOPE: Scope = {
  field: (name) => FIELDS.get(name),
  fetch: (source, type) => {
    if (source.kind === 'register') return type?.kind === 'integer' ? 7n : 8n;
    return source.kind === 'argument' ? BigInt(source.index + 1) : source.kind === 'memory' ? 'text' : undefined;
  },
};

function evaluate(text: string): bigint | string | undefined {
  const parsed = parseExpression(text, (name) => FIELDS.has(name));
  if (typeof parsed === 'string') throw new Error(parsed);
  return parsed.evaluate(SCOPE);
}

test.each([
  ['1 + 2 * 3', 7n],
  ['(1 + 2) * 3', 9n],
  ['10 - 2 - 3', 5n],
  ['7 / 2 + 7 % 2', 4n],
  ['1 << 4 | 1', 17n],
  ['6 & 3 == 3', 0n],
  ['(6 & 3) == 2', 1n],
  ['0x10', 16n],
  ['-size + 1', -99n],
  ['~0', -1n],
  ['!0 && !!5', 1n],
  ['size > 99 && delta < 0', 1n],
  ['size >= 100 || fault == 1', 1n],
  ['1 <= 2', 1n],
  ['path == "/lib/libc.so"', 1n],
  ['path ~ "*.so"', 1n],
  ['path ~ "*.a"', 0n],
  ['path == 5', 0n],
  ['fault == 0', undefined],
  ['1 / 0', undefined],
  ['%di + $arg2', 10n],
  ['%di:u8', 7n],
  ['size %delta', 1n],
  ['arg1', 1n],
  ['+8(%sp):string', 'text'],
  ['1 + +0(%sp):u8 == 1', undefined],
  ['str($arg1)', 'text'],
  ['"a\\"b"', 'a"b'],
])('%s is %s', (text, value) => {
  expect(evaluate(text)).toBe(value);
});

test.each([
  ['', /something is missing/],
  ['size +', /something is missing/],
  ['(size', /parenthesis/],
  ['siz', /nothing is called siz/],
  ['size size', /not understood \(at "size"\)/],
  ['%xmm0', /no general register/],
  ['size = 4', /not understood/],
  ['+8(%sp', /parenthesis/],
])('%s is refused', (text, says) => {
  expect(parseExpression(text, (name) => FIELDS.has(name))).toMatch(says);
});

test('what is false', () => {
  expect([0n, '', undefined, 1n, 'x', -1n].map(isTrue)).toEqual([false, false, false, true, true, true]);
});
