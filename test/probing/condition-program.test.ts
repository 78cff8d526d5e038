/** Conditions that are translated mean what they mean when they are evaluated. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { evaluateConditions } from '../../src/agent-expression/evaluate.js';
import { conditionProgram } from '../../src/probing/condition-program.js';
import { type EventSpec, parseEventSpec } from '../../src/probing/event-spec.js';
import { isTrue, type Scope } from '../../src/probing/expression.js';
import { type FetchContext, fetchArg } from '../../src/probing/fetch-arg.js';
import { GPR, REGISTERS, SLOT } from '../../src/register-set.js';
import { NO_VARIABLES } from '../../src/rsp/agent-machine.js';
import type { Hit } from '../../src/uprobes/uprobe.js';

const MEMORY = 0x5000n;

/** A thread with these general registers, and 64 bytes of memory. */
interface World {
  readonly registers: readonly bigint[];
  readonly memory: Uint8Array;
}

function read({ memory }: World, address: bigint, length: number): Uint8Array | undefined {
  const from = Number(address - MEMORY);
  return from >= 0 && from + length <= memory.length ? memory.slice(from, from + length) : undefined;
}

function evaluated({ args, condition }: EventSpec, world: World): boolean {
  const hit = {
    get: (register: number) => world.registers[register],
    read: (address: bigint, length: number) => read(world, address, length),
  } as Hit;
  const context = { hit, comm: 'me', operands: undefined, entryArguments: undefined } as FetchContext;
  const scope: Scope = {
    field(name) {
      const arg = args.find((one) => one.name === name);
      return arg && fetchArg(arg, context);
    },
    fetch: (source, type) => fetchArg({ source, type }, context),
  };
  return isTrue(condition?.evaluate(scope));
}

/** undefined: it is not translated. */
function translated(event: EventSpec, world: World): boolean | undefined {
  const program = conditionProgram(event);
  if (program === undefined) return undefined;
  const { stop, error } = evaluateConditions([program], {
    ...NO_VARIABLES,
    readRegister: (number) => world.registers[((REGISTERS[number]?.slot ?? -1) - SLOT.GPR) / 8],
    readMemory(address, into) {
      const bytes = read(world, address, into.length);
      if (bytes !== undefined) into.set(bytes);
      return bytes !== undefined;
    },
    print: () => undefined,
  });
  return error === undefined && stop;
}

function event(condition: string): EventSpec {
  const parsed = parseEventSpec(`f size=$arg1:u32 delta=%si:s16 at=+8(%di):s32 far=+0($arg7):u8 /${condition}/`);
  if (typeof parsed === 'string') throw new Error(parsed);
  return parsed;
}

const word = fc.oneof(
  fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
  fc.constantFrom(0n, 1n, MEMORY, MEMORY + 56n, MEMORY + 60n, 1n << 31n, 1n << 63n, (1n << 63n) - 1n, (1n << 64n) - 1n),
);
const world: fc.Arbitrary<World> = fc.record({
  registers: fc.array(word, { minLength: 16, maxLength: 16 }),
  memory: fc.uint8Array({ minLength: 64, maxLength: 64 }),
});

const leaf = fc.oneof(
  fc.constantFrom(
    'size',
    'delta',
    'at',
    'far',
    '%ax',
    '%si:s64',
    '$arg2',
    '$arg3:s8',
    '$stack1',
    '+4(%cx):u16',
    '+0(+8(%di))',
  ),
  word.map(String),
  fc.integer({ min: 0, max: 70 }).map(String),
);
const BINARY = ['|', '^', '&', '==', '!=', '<=', '>=', '<', '>', '<<', '>>', '+', '-', '*', '/', '%', '&&', '||'];
const { condition } = fc.letrec<{ condition: string }>((tie) => ({
  condition: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    leaf,
    fc.tuple(fc.constantFrom('!', '~', '-'), tie('condition')).map(([operator, operand]) => `${operator}(${operand})`),
    fc
      .tuple(tie('condition'), fc.constantFrom(...BINARY), tie('condition'))
      .map(([left, operator, right]) => `(${left}) ${operator} (${right})`),
  ),
}));

test('any condition, translated and evaluated', () => {
  let both = 0;
  fc.assert(
    fc.property(condition, world, (text, where) => {
      const wanted = event(text);
      const outcome = translated(wanted, where);
      if (outcome === undefined) return;
      both++;
      expect(outcome).toBe(evaluated(wanted, where));
    }),
    { numRuns: 20_000 },
  );
  expect(both).toBeGreaterThan(2000);
});

test.each([
  'size > 4096',
  'size > 4096 && delta < 0',
  '$arg1 == 0 || $arg2 == 0',
  '!(%ax & 1)',
  'at != 0 && size / 16 % 2 == 1',
  '-delta >= 5',
  '+0(%di):u8 == 47',
])('%s is translated', (text) => {
  expect(conditionProgram(event(text))).toBeDefined();
});

test.each([
  ['comm == "ls"', 'a string'],
  ['tid == 5', 'not of the hit'],
  ['at == 0 || size == 0', 'what fails on one side'],
  ['!(at == 0)', 'what fails below !'],
  ['(at == 0 && size == 0) == 0', 'what fails within a value'],
  ['$arg1 * $arg2 == 6', 'more than 64 bits'],
  ['%ax:s64 < $arg1', 'signed against unsigned'],
  ['size / delta == 1', 'a divisor that may be zero'],
])('%s is not: %s', (text) => {
  expect(conditionProgram(event(text))).toBeUndefined();
});

test('arguments of USDT probes are not: each place has its own', () => {
  const parsed = parseEventSpec('usdt:shop:sold /$arg1 > 5/');
  expect(typeof parsed === 'string' ? parsed : conditionProgram(parsed)).toBeUndefined();
});

test('numbers of registers are those of gdb', () => {
  expect(REGISTERS.filter(({ slot }) => slot === SLOT.GPR + 8 * GPR.RDI).map(({ name }) => name)).toEqual(['rdi']);
});
