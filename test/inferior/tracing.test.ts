import { expect, test } from 'vitest';
import type { Tracepoint } from '../../src/rsp/tracing/tracepoint.js';
import { type Program, sys, work } from '../emulator/kernel/scripted.js';
import { debug } from './debugger.js';

const CODE = 0x40_0000;

/** Three hits of the int3 at CODE + 2, two instructions apart. */
const program: Program = function* () {
  yield work(2);
  for (let i = 0; i < 3; i++) {
    yield { int3: true };
    yield work(3);
  }
  yield sys(231, 0);
};

function tracepoint(address: number, parts: Partial<Tracepoint> = {}): Tracepoint {
  return {
    number: 1, address: BigInt(address), enabled: true, stepCount: 0, passCount: 0, fast: undefined, condition: undefined,
    actions: [{ kind: 'registers', text: 'R0' }], stepActions: [], sources: [], hits: 0, usage: 0, stepping: false, ...parts,
  }; // biome-ignore format: a record
}

test('a tracepoint records without a stop', () => {
  const { inferior, main, continue: go } = debug(program);
  const { tracing } = inferior;
  const point = tracepoint(CODE + 2);
  tracing.add(point);
  expect(tracing.start(main.pid)).toBeUndefined();
  expect(go()).toMatchObject({ kind: 'exited' });
  expect(point.hits).toBe(1);
  expect(tracing.buffer.get(0)).toBeDefined();
});

test('steps behind a hit are recorded one by one, and the client sees none of them', () => {
  const { inferior, main, continue: go } = debug(program);
  const { tracing } = inferior;
  tracing.add(tracepoint(CODE + 2, { stepCount: 2, stepActions: [{ kind: 'registers', text: 'R0' }] }));
  tracing.start(main.pid);
  expect(go()).toMatchObject({ kind: 'exited' });
  const frames = [undefined, 0, 1, 2].map((after) => tracing.findByTracepoint(after, 1));
  expect(frames).toEqual([0, 1, 2, undefined]);
});

test('a client’s own step over a tracepoint that steps is one step', () => {
  const { inferior, main, step, pc } = debug(program);
  const { tracing } = inferior;
  tracing.add(tracepoint(CODE + 2, { stepCount: 2, stepActions: [{ kind: 'registers', text: 'R0' }] }));
  tracing.start(main.pid);
  step();
  step();
  expect(pc()).toBe(CODE + 2);
  expect(step()).toEqual({ kind: 'stepped', thread: main });
  expect(pc()).toBe(CODE + 3);
});
