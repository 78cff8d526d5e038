import { expect, test } from 'vitest';
import { FRAME_BYTES, FramePool } from '../../../src/emulator/memory/frames.js';
import { FRAMES_BASE, SPACE_AREA_BYTES } from '../../../src/emulator/memory/layout.js';
import { PhysicalMemory } from '../../../src/emulator/memory/physical.js';

function pool(bytes = 0x40_0000) {
  const physical = new PhysicalMemory(FRAMES_BASE + bytes);
  return { physical, frames: new FramePool(physical) };
}

test('a frame comes back full of zeros', () => {
  const { physical, frames } = pool();
  const frame = frames.alloc() as number;
  physical.u8.fill(7, frame * FRAME_BYTES, (frame + 1) * FRAME_BYTES);
  expect(frames.release(frame)).toBe(true);
  expect(frames.alloc()).toBe(frame);
  expect(physical.u8.subarray(frame * FRAME_BYTES, (frame + 1) * FRAME_BYTES).every((byte) => byte === 0)).toBe(true);
});

test('a frame is free when its last user has gone, and cannot be released once more', () => {
  const { frames } = pool();
  const before = frames.free;
  const frame = frames.alloc() as number;
  frames.retain(frame);
  expect(frames.release(frame)).toBe(false);
  expect(frames.free).toBe(before - 1);
  expect(frames.release(frame)).toBe(true);
  expect(frames.free).toBe(before);
  expect(() => frames.release(frame)).toThrow();
});

test('frames and areas share the pool, and neither takes from the other', () => {
  const { physical, frames } = pool();
  const area = frames.allocArea() as number;
  expect(area).toBe(physical.size - SPACE_AREA_BYTES);
  const taken = new Set<number>();
  for (;;) {
    const frame = frames.alloc();
    if (frame === undefined) break;
    taken.add(frame);
  }
  expect(taken.size).toBe((0x40_0000 - SPACE_AREA_BYTES) / FRAME_BYTES);
  expect(Math.max(...taken)).toBe(area / FRAME_BYTES - 1);
  expect(frames.allocArea()).toBeUndefined();
  frames.releaseArea(area);
  expect(frames.allocArea()).toBe(area);
});

test('an empty pool asks for memory that can be had again', () => {
  const { frames } = pool();
  const held: number[] = [];
  for (let frame = frames.alloc(); frame !== undefined; frame = frames.alloc()) held.push(frame);
  frames.reclaim = () => held.length > 0 && frames.release(held.pop() as number);
  expect(frames.alloc()).toBeDefined();
});

test('a program is told of no frame that is aside', () => {
  const { frames } = pool();
  const [free, available] = [frames.free, frames.available];
  const aside = frames.alloc('aside') as number;
  const copy = frames.copy(aside, 'aside') as number;
  const own = frames.copy(aside) as number;
  expect([frames.free, frames.available]).toEqual([free - 3, available - 1]);
  for (const frame of [own, copy, aside]) frames.release(frame);
  expect([frames.free, frames.available]).toEqual([free, available]);
  frames.alloc();
  expect(frames.available).toBe(available - 1);
});
