import { expect, test } from 'vitest';
import { Pack } from '../../../src/emulator/execution/pack.js';
import { MemoryCache } from './memory-cache.js';

const piece = (length: number): Uint8Array<ArrayBuffer> => Uint8Array.from({ length }, (_, i) => length + i);

test('keeps pieces of any length by number, what it has before what is added', () => {
  const cache = new MemoryCache();
  const first = new Pack(cache, 'a');
  expect(first.get(7)).toBeUndefined();
  for (const [number, length] of [
    [0x7fff_f7dd_5000, 3],
    [7, 0],
    [1, 16],
    [9, 9],
  ] as const)
    first.add(number, piece(length));
  first.save();
  const second = new Pack(cache, 'a');
  for (const [number, length] of [
    [0x7fff_f7dd_5000, 3],
    [7, 0],
    [1, 16],
    [9, 9],
  ] as const) {
    expect(second.get(number)).toEqual(piece(length));
    expect((second.get(number) as Uint8Array).byteOffset % 8).toBe(0);
  }
  second.add(9, piece(4));
  second.add(8, piece(5));
  second.save();
  const third = new Pack(cache, 'a');
  expect([7, 8, 9, 10].map((number) => third.get(number)?.length)).toEqual([0, 5, 9, undefined]);
});

test('is written only when there is something new', () => {
  const cache = new MemoryCache();
  new Pack(cache, 'a').save();
  expect(cache.writes).toBe(0);
  const pack = new Pack(cache, 'a');
  pack.add(1, piece(2));
  pack.save();
  new Pack(cache, 'a').save();
  expect(cache.writes).toBe(1);
});

test('takes a file that is cut off, or something else, for an empty one', () => {
  const cache = new MemoryCache();
  const pack = new Pack(cache, 'a');
  pack.add(1, piece(2));
  pack.save();
  const whole = cache.files.get('a') as Uint8Array<ArrayBuffer>;
  for (let length = 0; length < whole.length; length++) {
    cache.files.set('a', whole.slice(0, length));
    expect(new Pack(cache, 'a').get(1)).toBeUndefined();
  }
  cache.files.set('a', new Uint8Array(100).fill(0x20));
  expect(new Pack(cache, 'a').get(1)).toBeUndefined();
});
