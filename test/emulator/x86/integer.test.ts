/** Single integer instructions against what a processor did: recorded/integer.txt, made by recorded/record-integer.c. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Tier } from '../../../src/emulator/execution/tiering.js';
import { decode, disassemble } from '../../../src/emulator/x86/decoder.js';
import { CODE, DATA, runCode } from './run-code.js';

const ARITHMETIC_FLAGS = 0x8d5n;

interface Case {
  readonly undefinedFlags: bigint;
  readonly before: Record<Name, bigint>;
  /** What changed, by name; or `signal`. */
  readonly changes: Record<string, bigint>;
}

const NAMES = ['rax', 'rcx', 'rdx', 'flags', 'memory'] as const;
type Name = (typeof NAMES)[number];

function hex(digits: string): bigint {
  return BigInt(`0x${digits}`);
}

function parseCase(fields: readonly string[]): Case {
  const [mask = '0', ...rest] = fields;
  const before = Object.fromEntries(NAMES.map((name, i) => [name, hex(rest[i] as string)])) as Record<Name, bigint>;
  const changes = rest.slice(NAMES.length).map((change) => {
    const [name, value] = change.split('=') as [string, string];
    return [name, name === 'signal' ? BigInt(value) : hex(value)] as const;
  });
  return { undefinedFlags: hex(mask), before, changes: Object.fromEntries(changes) };
}

function casesByCode(): Map<string, Case[]> {
  const cases = new Map<string, Case[]>();
  for (const line of readFileSync(new URL('./recorded/integer.txt', import.meta.url), 'utf8')
    .trim()
    .split('\n')) {
    const [code, ...fields] = line.split(' ') as [string, ...string[]];
    cases.set(code, [...(cases.get(code) ?? []), parseCase(fields)]);
  }
  return cases;
}

function littleEndian(value: bigint): number[] {
  return Array.from({ length: 8 }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));
}

function outcome(code: Uint8Array, tier: Tier, { undefinedFlags, before }: Case): Record<string, bigint> {
  const { rax, rcx, rdx, flags, memory } = before;
  const after = runCode({
    code,
    tier,
    registers: { rax, rcx, rdx, rdi: BigInt(DATA), eflags: flags | 0x202n },
    memory: [{ address: DATA, bytes: littleEndian(memory) }],
  });
  if (after.exit.kind === 'fault') return { signal: BigInt(after.exit.fault.signal) };
  expect(after.exit).toEqual({ kind: 'end' });
  expect(after.retired).toBe(1);
  const defined = ARITHMETIC_FLAGS & ~undefinedFlags;
  const now: Record<Name, bigint> = {
    rax: after.register('rax'),
    rcx: after.register('rcx'),
    rdx: after.register('rdx'),
    flags: after.register('eflags') & defined,
    memory: after.memory(DATA, 8).reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n),
  };
  const then = { ...before, flags: flags & defined };
  return Object.fromEntries(NAMES.filter((name) => now[name] !== then[name]).map((name) => [name, now[name]]));
}

function textOf(code: Uint8Array): string {
  const insn = decode(code, CODE);
  if (insn === 'truncated') throw new Error('a recorded instruction is truncated');
  const text = disassemble(insn);
  insn.free();
  return text;
}

const rows = [...casesByCode()].map(([digits, cases]) => {
  const code = Uint8Array.from(Buffer.from(digits, 'hex'));
  return { text: textOf(code), code, cases };
});

describe.each(['interp', 'compile'] as const)('%s', (tier) => {
  test.each(rows)('$text', ({ code, cases }) => {
    for (const known of cases)
      expect(outcome(code, tier, known), JSON.stringify(known, showBig)).toEqual(known.changes);
  });
});

function showBig(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString(16) : value;
}
