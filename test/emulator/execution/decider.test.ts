/** Deciders agree with the reference evaluator of agent expressions: whatever they let pass it calls false, and they ask only where it sees a reason. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { assemble, op, constant as pushed } from '../../../src/agent-expression/assemble.js';
import { evaluateConditions } from '../../../src/agent-expression/evaluate.js';
import type { AgentProgram } from '../../../src/agent-expression/program.js';
import { CpuState, STATE } from '../../../src/emulator/cpu-state.js';
import { CodeHooks, type HookDecision } from '../../../src/emulator/execution/code-hooks.js';
import { ACCESS } from '../../../src/emulator/stop.js';
import { GPR, registerNamed, SLOT } from '../../../src/register-set.js';
import { FlatMemory, FlatSpace } from './flat-space.js';

const PAGE_AT = 0x7fff_f7a0_0000;
const PAGE = 4096;
const RDI = registerNamed('rdi').number;
const RSI = registerNamed('rsi').number;

/** A piece of bytecode that leaves one value, at whatever offset it stands. */
type Piece = (at: number) => readonly number[];
type OpName = Parameters<typeof op>[0];

const join =
  (...pieces: Piece[]): Piece =>
  (at) => {
    const code: number[] = [];
    for (const piece of pieces) code.push(...piece(at + code.length));
    return code;
  };
const plain =
  (name: OpName, operand = 0): Piece =>
  () =>
    op(name, operand);
const constant =
  (value: bigint): Piece =>
  () =>
    pushed(value);
/** `c ? a : b` as gdb writes it. */
const choice =
  (c: Piece, a: Piece, b: Piece): Piece =>
  (at) => {
    const test = c(at);
    const no = b(at + test.length + 3);
    const yesAt = at + test.length + 3 + no.length + 3;
    const yes = a(yesAt);
    return [...test, ...op('if_goto', yesAt), ...no, ...op('goto', yesAt + yes.length), ...yes];
  };

const BINARY: OpName[] = [
  ...(['add', 'sub', 'mul', 'div_signed', 'div_unsigned', 'rem_signed', 'rem_unsigned', 'lsh', 'rsh_signed'] as const),
  ...(['rsh_unsigned', 'bit_and', 'bit_or', 'bit_xor', 'equal', 'less_signed', 'less_unsigned'] as const),
];
const number = fc.oneof(
  fc.constantFrom(0n, 1n, 2n, -1n, 1n << 63n, (1n << 63n) - 1n, 64n, 0xffff_ffffn),
  fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
);

const { expression } = fc.letrec<{ expression: Piece }>((tie) => ({
  expression: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    number.map(constant),
    fc.constantFrom(RDI, RSI).map((register) => plain('reg', register)),
    fc
      .tuple(fc.constantFrom(...BINARY), tie('expression'), tie('expression'))
      .map(([name, x, y]) => join(x, y, plain(name))),
    fc
      .tuple(fc.constantFrom('log_not' as const, 'bit_not' as const), tie('expression'))
      .map(([name, x]) => join(x, plain(name))),
    fc
      .tuple(fc.constantFrom('ext' as const, 'zero_ext' as const), fc.integer({ min: 1, max: 70 }), tie('expression'))
      .map(([name, bits, x]) => join(x, plain(name, bits))),
    fc
      .tuple(fc.constantFrom('ref8' as const, 'ref16' as const, 'ref32' as const, 'ref64' as const), tie('expression'))
      .map(([name, x]) =>
        join(x, constant(BigInt(PAGE - 8)), plain('bit_and'), constant(BigInt(PAGE_AT)), plain('add'), plain(name)),
      ),
    fc.tuple(tie('expression'), tie('expression'), tie('expression')).map(([c, a, b]) => choice(c, a, b)),
    fc.tuple(tie('expression'), tie('expression')).map(([x, y]) => join(x, y, plain('swap'), plain('sub'))),
    fc
      .tuple(tie('expression'), tie('expression'))
      .map(([x, y]) => join(x, y, plain('pick', 1), plain('rot'), plain('add'), plain('mul'))),
    tie('expression').map((x) => join(x, plain('dup'), plain('mul'), plain('dup'), plain('pop'))),
  ),
}));

const program = (piece: Piece): AgentProgram => assemble(piece(0));

const memory = new FlatMemory();
const space = new FlatSpace(memory);
space.map(PAGE_AT, PAGE, ACCESS.READ);
const pattern = Uint8Array.from({ length: PAGE }, (_, i) => (i * 37 + (i >> 5)) & (i % 24 < 8 ? 0 : 0xff));
space.write(PAGE_AT, pattern);
const cpu = new CpuState(memory.physical, memory.allocate(PAGE));
cpu.setInt(STATE.TLB_READ, space.area);
const hooks = new CodeHooks(memory.physical);
let places = 0;

/** What a decider says, and what it has counted. */
function decide(decisions: readonly HookDecision[], rdi: bigint, rsi: bigint) {
  cpu.setBig(SLOT.GPR + 8 * GPR.RDI, rdi);
  cpu.setBig(SLOT.GPR + 8 * GPR.RSI, rsi);
  const hook = hooks.acquire(`${places++}`, new Uint8Array(1), decisions);
  if (hook?.decider === undefined) throw new Error('no decider');
  const asks = (hook.decider.code as unknown as (cpu: number, number: number) => number)(cpu.base, hook.number) !== 0;
  return { asks, counted: hooks.take(hook) };
}

function reference(conditions: readonly AgentProgram[], rdi: bigint, rsi: bigint) {
  return evaluateConditions(conditions, {
    readRegister: (register) => (register === RDI ? rdi : rsi),
    readMemory(address, into) {
      const at = Number(address) - PAGE_AT;
      into.set(pattern.subarray(at, at + into.length));
      return true;
    },
    readVariable: () => undefined,
    writeVariable: () => false,
    print: () => undefined,
  });
}

test('random conditions pass exactly where all of them are false', () => {
  space.fill(PAGE_AT, ACCESS.READ);
  fc.assert(
    fc.property(fc.array(expression, { minLength: 1, maxLength: 3 }), number, number, (pieces, rdi, rsi) => {
      const conditions = pieces.map(program);
      const { stop } = reference(conditions, rdi, rsi);
      const { asks, counted } = decide([{ kind: 'unless', conditions }], rdi, rsi);
      expect([asks, counted]).toEqual([stop, [stop ? 0 : 1]]);
    }),
    { numRuns: 300 },
  );
});

test('random conditions of counts', () => {
  space.fill(PAGE_AT, ACCESS.READ);
  fc.assert(
    fc.property(expression, expression, number, number, (one, other, rdi, rsi) => {
      const [x, y] = [program(one), program(other)];
      const outcomes = [x, y].map((when) => reference([when], rdi, rsi));
      const failed = outcomes.some(({ error }) => error !== undefined);
      const decisions = [x, y].map((when): HookDecision => ({ kind: 'count', when }));
      const counted = failed ? [0, 0, 0] : [1, ...outcomes.map(({ stop }) => (stop ? 1 : 0))];
      expect(decide(decisions, rdi, rsi)).toEqual({ asks: failed, counted });
    }),
    { numRuns: 100 },
  );
});

test('memory that the TLB does not have, or has no whole access of, is asked for', () => {
  const condition = (at: number): HookDecision => ({
    kind: 'unless',
    conditions: [program(join(constant(BigInt(at)), plain('ref64'), constant(0n), plain('mul')))],
  });
  space.fill(PAGE_AT, ACCESS.READ);
  expect(decide([condition(PAGE_AT + PAGE - 8)], 0n, 0n)).toEqual({ asks: false, counted: [1] });
  expect(decide([condition(PAGE_AT + PAGE - 7)], 0n, 0n).asks).toBe(true);
  expect(decide([condition(PAGE_AT + PAGE)], 0n, 0n)).toEqual({ asks: true, counted: [0] });
  expect(cpu.num(STATE.DECIDER_MISS)).toBe(PAGE_AT + PAGE);
});

test('a thread with something unfinished is asked for', () => {
  cpu.setInt(STATE.UNFINISHED, 1);
  expect(decide([{ kind: 'count', when: undefined }], 0n, 0n)).toEqual({ asks: true, counted: [0] });
  cpu.setInt(STATE.UNFINISHED, 0);
  expect(decide([{ kind: 'count', when: undefined }], 0n, 0n)).toEqual({ asks: false, counted: [1] });
});

test('what prints, loops, or looks at computed registers has no decider', () => {
  const loop = join(plain('const8', 1), plain('if_goto'), plain('const8', 0));
  const flags = plain('reg', registerNamed('eflags').number);
  for (const piece of [loop, flags, join(constant(0n), plain('setv', 1)), plain('getv', 1)]) {
    const hook = hooks.acquire(`${places++}`, new Uint8Array(1), [{ kind: 'count', when: program(piece) }]);
    expect(hook?.decider).toBeUndefined();
  }
});

test('a hook that is put in place again is the same, with its counts taken', () => {
  const bytes = Uint8Array.of(0x90);
  const decisions: HookDecision[] = [{ kind: 'count', when: undefined }];
  const hook = hooks.acquire('here', bytes, decisions);
  if (hook === undefined) throw new Error('no hook');
  hooks.release(hook);
  expect(hooks.acquire('here', bytes, decisions)).toBe(hook);
  expect(hooks.acquire('here', Uint8Array.of(0x91), decisions)).not.toBe(hook);
  expect(hooks.acquire('there', bytes, decisions)).not.toBe(hook);
});
