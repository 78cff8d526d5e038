/** Instructions against digests of what a real processor did with them, each from 20 states: recorded/record.c made the tables. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { CpuState } from '../../../src/emulator/cpu-state.js';
import type { Tier } from '../../../src/emulator/execution/tiering.js';
import { SLOT } from '../../../src/register-set.js';
import { CASES, Digest, IMAGE, MEMORY_BYTES, makeState, type State } from './recorded/states.js';
import { type CodeOutcome, DATA, runCode } from './run-code.js';

interface Recorded {
  readonly code: Uint8Array;
  readonly digest: string;
  readonly text: string;
}

function table(name: string): Recorded[] {
  return readFileSync(new URL(`recorded/${name}.txt`, import.meta.url), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [code, digest, ...words] = line.split(' ') as [string, string, ...string[]];
      return { code: Uint8Array.from(Buffer.from(code, 'hex')), digest, text: words.join(' ') };
    });
}

const TOP_SHIFT = 11;
const TOP_BITS = 7 << TOP_SHIFT;
const VECTORS = 8;

/** Runs `copy` for each piece of the image: its offset, the slot that holds it, its length. TOP decides where x87 registers are. */
function eachPiece(top: number, copy: (offset: number, slot: number, length: number) => void): void {
  for (let i = 0; i < 8; i++) copy(IMAGE.ST + 16 * i, SLOT.X87 + 16 * ((top + i) & 7), 10);
  for (let i = 0; i < VECTORS; i++) {
    copy(IMAGE.XMM + 16 * i, SLOT.VECTOR + 32 * i, 16);
    copy(IMAGE.YMM_HIGH + 16 * i, SLOT.VECTOR + 32 * i + 16, 16);
  }
}

function load(cpu: CpuState, { image }: State): void {
  const status = image.getUint16(IMAGE.FSW, true);
  const top = (status >> TOP_SHIFT) & 7;
  cpu.setInt(SLOT.FCW, image.getUint16(IMAGE.FCW, true));
  cpu.setInt(SLOT.FSW, status & ~TOP_BITS);
  cpu.setInt(SLOT.FTOP, top);
  cpu.setInt(SLOT.FTAG, image.getUint8(IMAGE.FTW));
  cpu.setInt(SLOT.MXCSR, image.getUint32(IMAGE.MXCSR, true));
  eachPiece(top, (offset, slot, length) => {
    cpu.bytes(slot, length).set(new Uint8Array(image.buffer, offset, length));
  });
}

function after(outcome: CodeOutcome): State {
  const { cpu } = outcome;
  const image = new DataView(new ArrayBuffer(1024));
  const top = cpu.int(SLOT.FTOP);
  image.setUint16(IMAGE.FCW, cpu.int(SLOT.FCW), true);
  image.setUint16(IMAGE.FSW, cpu.int(SLOT.FSW) | (top << TOP_SHIFT), true);
  image.setUint16(IMAGE.FTW, cpu.int(SLOT.FTAG), true);
  image.setUint32(IMAGE.MXCSR, cpu.int(SLOT.MXCSR), true);
  eachPiece(top, (offset, slot, length) => {
    new Uint8Array(image.buffer, offset, length).set(cpu.bytes(slot, length));
  });
  return {
    image,
    rax: outcome.register('rax'),
    rcx: outcome.register('rcx'),
    rdx: outcome.register('rdx'),
    flags: outcome.register('eflags') & 0x8d5n,
    memory: outcome.memory(DATA, MEMORY_BYTES),
  };
}

function digestOf(code: Uint8Array, tier: Tier): string {
  const digest = new Digest();
  for (let i = 0; i < CASES; i++) {
    const state = makeState(i);
    const { rax, rcx, rdx, flags, memory } = state;
    const outcome = runCode({
      code,
      tier,
      registers: { rax, rcx, rdx, rdi: BigInt(DATA), eflags: flags | 0x202n },
      memory: [{ address: DATA, bytes: memory }],
      prepare: (cpu) => load(cpu, state),
    });
    if (outcome.exit.kind === 'end') digest.state(after(outcome));
    else if (outcome.exit.kind === 'fault') digest.signal(outcome.exit.fault.signal);
    else throw new Error(`the run ended with ${outcome.exit.kind}`);
  }
  return digest.text;
}

describe.each(['interp', 'compile'] as const)('%s', (tier) => {
  describe.each(['vector', 'x87', 'v3'])('%s', (name) => {
    // Compiling takes longer than running: a third of the rows shows what the code generator does with such ops.
    const rows = table(name).filter((_, i) => tier === 'interp' || i % 3 === 0);
    test.each(rows)('$text', ({ code, digest }) => {
      expect(digestOf(code, tier)).toBe(digest);
    });
  });
});
