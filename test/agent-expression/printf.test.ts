import { expect, test } from 'vitest';
import { evaluate } from '../../src/agent-expression/evaluate.js';
import { formatPrintf, parsePrintfFormat } from '../../src/agent-expression/printf.js';
import { parseAgentExpression } from '../../src/agent-expression/program.js';
import { bytecode, testMachine } from './machine.js';

const STRINGS: Record<string, string> = { '16': 'text', '32': '' };

function printed(format: string, args: readonly bigint[]): string {
  const parsed = parsePrintfFormat(Buffer.from(`${format}\0`), args.length);
  if ('invalid' in parsed) return `invalid: ${parsed.invalid}`;
  const text = formatPrintf(parsed, args.map((arg) => BigInt.asUintN(64, arg)), (address, limit) => {
    const string = STRINGS[address.toString()];
    return string === undefined ? undefined : Buffer.from(string.slice(0, limit));
  }); // biome-ignore format: one call
  return typeof text === 'string' ? text : `error: ${text.error}`;
}

/** Expected texts are what glibc's printf prints for the same format and arguments. */
test.each([
  { format: 'plain', args: [], text: 'plain' },
  { format: '100%%', args: [], text: '100%' },
  { format: 'a\\tb\\n\\\\\\"', args: [], text: 'a\tb\n\\"' },
  { format: 'i=%d sum=%ld\\n', args: [-3n, 1n << 40n], text: 'i=-3 sum=1099511627776\n' },
  { format: '%d', args: [0xffff_fffffn], text: '-1' },
  { format: '%u', args: [-1n], text: '4294967295' },
  { format: '%lu', args: [-1n], text: '18446744073709551615' },
  { format: '%hhd %hd', args: [0x1ffn, 0x18000n], text: '-1 -32768' },
  { format: '%x %#x %#X %#lx', args: [255n, 255n, 255n, 0n], text: 'ff 0xff 0XFF 0' },
  { format: '%o %#o', args: [8n, 8n], text: '10 010' },
  { format: '[%5d|%-5d|%05d|%+d|% d]', args: [42n, 42n, -42n, 42n, 42n], text: '[   42|42   |-0042|+42| 42]' },
  { format: '[%5.3d|%.0d|%08.3x]', args: [7n, 0n, 10n], text: '[  007||     00a]' },
  { format: '%#08x', args: [255n], text: '0x0000ff' },
  { format: '%c%3c', args: [0x41n, 0x42n], text: 'A  B' },
  { format: '%p %p', args: [0x1234n, 0n], text: '0x1234 (nil)' },
  { format: '[%s|%6s|%-6s|%.2s]', args: [16n, 16n, 16n, 16n], text: '[text|  text|text  |te]' },
  { format: '[%s]', args: [0n], text: '[(null)]' },
  { format: '[%s]', args: [32n], text: '[]' },
])('printf $format', ({ format, args, text }) => {
  expect(printed(format, args)).toBe(text);
});

test.each([
  { format: '%d', args: [], text: 'invalid: 1 conversions for 0 arguments' },
  { format: '%f', args: [1n], text: 'invalid: unsupported conversion %f' },
  { format: '%ls', args: [1n], text: 'invalid: wide characters are unsupported' },
  { format: '%*d', args: [1n, 2n], text: 'invalid: bad conversion in format' },
  { format: '%n', args: [1n], text: 'invalid: unsupported conversion %n' },
  { format: '%99999d', args: [1n], text: 'invalid: width too large in format' },
  { format: '\\q', args: [], text: 'invalid: unrecognized escape in format' },
  { format: '%', args: [], text: 'invalid: bad conversion in format' },
  { format: '%s', args: [99n], text: 'error: string at 0x63 is unreadable' },
])('printf refuses $format', ({ format, args, text }) => {
  expect(printed(format, args)).toBe(text);
});

test('a format without its NUL is refused', () => {
  expect(parsePrintfFormat(Buffer.from('x'), 0)).toEqual({ invalid: 'unterminated format' });
});

test('the commands of gdb’s dprintf print in the order of the conversions', () => {
  // dprintf "hot i=%d sum=%ld\n", i, sum as gdb 13.1 compiles it: sum, i, channel, function, printf.
  const sum = '25 0000555555558020 1a 1640';
  const i = '26 0006 22 10 02 22 dc 16 08 02 19 16 20';
  const digits = `${sum} ${i} 2200 2200 34 02 0013 686f7420693d25642073756d3d256c645c6e00 27`;
  const program = parseAgentExpression(bytecode(digits));
  if ('invalid' in program) throw new Error(program.invalid);
  const machine = testMachine({
    registers: new Map([[6, 0x1000n]]),
    memory: [
      [0x0fecn, 'ffffffff'],
      [0x555555558020n, '0500000000000000'],
    ],
  });
  expect(evaluate(program, machine)).toEqual({ kind: 'done', value: undefined });
  expect(machine.printed).toEqual(['hot i=-1 sum=5\n']);
});
