import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Alarms } from '../../src/emulator/alarms.js';
import { SYSCALL_NS, VirtualClock } from '../../src/emulator/clock.js';
import { Entropy } from '../../src/emulator/entropy.js';

test('time is the retired count plus charges plus jumps, and a jump never goes back', () => {
  const clock = new VirtualClock({ seconds: 1_700_000_000, nanoseconds: 999_999_990 });
  clock.retired = 20;
  expect([clock.monotonic, clock.realtime]).toEqual([20, { seconds: 1_700_000_001, nanoseconds: 10 }]);
  clock.chargeSyscall();
  clock.chargeSyscall();
  expect([clock.monotonic, clock.retired]).toEqual([20 + 2 * SYSCALL_NS, 20]);
  clock.jumpTo(5_000_000_000);
  clock.jumpTo(7);
  expect(clock.monotonic).toBe(5_000_000_000);
  expect(clock.monotonicOf(clock.realtime)).toBe(5_000_000_000);
});

test('alarms ring in order of their instant, equal ones in order of setting', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 20 })), (instants) => {
      const alarms = new Alarms();
      instants.forEach((at, key) => {
        alarms.set(at, { kind: 'key', key });
      });
      const rung: [number, number][] = [];
      for (let alarm = alarms.take(); alarm !== undefined; alarm = alarms.take()) {
        rung.push([alarm.at, alarm.target.kind === 'key' ? alarm.target.key : -1]);
      }
      const expected = instants
        .map((at, key): [number, number] => [at, key])
        .sort((a, b) => a[0] - b[0] || a[1] - b[1]);
      expect(rung).toEqual(expected);
    }),
  );
});

test('a seed gives one sequence of bytes, another seed another', () => {
  const bytes = (seed: number): Uint8Array => {
    const entropy = new Entropy(seed);
    const result = new Uint8Array(4096);
    entropy.fill(result);
    return result;
  };
  expect(bytes(1)).toEqual(bytes(1));
  expect(bytes(1)).not.toEqual(bytes(2));
  expect(bytes(1)).not.toEqual(bytes(1 + 2 ** 32));
  expect(new Set(bytes(0)).size).toBe(256);
});
