import { expect, test } from 'vitest';
import { EACCES, EEXIST, EINVAL, ENOENT, ENOMEM } from '../../../../src/emulator/kernel/errno.js';
import { type MmFixture, mmFixture, PAGE } from './fixture.js';

const [GET, AT, CTL, DT, MUNMAP] = [29, 30, 31, 67, 11];
const [CREAT, EXCL] = [0o1000, 0o2000];
const [RMID, STAT, INFO] = [0, 2, 14];
const [RDONLY, RND, REMAP] = [0o10000, 0o20000, 0o40000];
const ELSEWHERE = 0x10_0000_0000;

/** shmid64_ds: what it says, read through a segment of its own. */
function status({ call, space }: MmFixture, id: number): { size: number; mode: number; key: number; attached: number } {
  const place = call(AT, call(GET, 0, PAGE, 0o600), 0, 0);
  expect(call(CTL, id, STAT, place)).toBe(0);
  const view = new DataView((space.readBytes(place, 112) as Uint8Array).buffer.slice(0));
  call(DT, place);
  return {
    key: view.getInt32(0, true),
    mode: view.getUint32(20, true),
    size: Number(view.getBigUint64(48, true)),
    attached: Number(view.getBigUint64(88, true)),
  };
}

test('all attachments show the same bytes', () => {
  const f = mmFixture();
  const id = f.call(GET, 77, 5000, CREAT | 0o600);
  const [a, b] = [f.call(AT, id, 0, 0), f.call(AT, id, ELSEWHERE, 0)];
  expect(b).toBe(ELSEWHERE);
  f.space.writeBytes(a + 4999, Uint8Array.of(42));
  expect(f.space.readBytes(b + 4999, 1)).toEqual(Uint8Array.of(42));
  expect(f.space.writeBytes(a + 2 * PAGE - 1, Uint8Array.of(1))).toBe(true);
  expect(status(f, id)).toEqual({ key: 77, mode: 0o600, size: 5000, attached: 2 });
});

test('a removed segment lives until its last attachment goes; its key is free at once', () => {
  const f = mmFixture();
  const id = f.call(GET, 77, PAGE, CREAT | 0o600);
  const at = f.call(AT, id, 0, 0);
  expect(f.call(CTL, id, RMID, 0)).toBe(0);
  expect(status(f, id)).toEqual({ key: 0, mode: 0o1600, size: PAGE, attached: 1 });
  expect(f.call(GET, 77, 0, 0)).toBe(-ENOENT);
  expect(f.space.writeBytes(at, Uint8Array.of(1))).toBe(true);
  expect(f.call(DT, at)).toBe(0);
  expect(f.space.writeBytes(at, Uint8Array.of(1))).toBe(false);
  expect(f.call(AT, id, 0, 0)).toBeLessThan(0);
  expect(f.call(DT, at)).toBe(-EINVAL);
});

test('unmapping is detaching', () => {
  const f = mmFixture();
  const id = f.call(GET, 0, 3 * PAGE, 0o600);
  const at = f.call(AT, id, 0, 0);
  f.call(MUNMAP, at + PAGE, PAGE);
  expect(status(f, id).attached).toBe(2);
  expect(f.call(DT, at)).toBe(0);
  expect(status(f, id).attached).toBe(0);
  expect(f.space.readBytes(at + 2 * PAGE, 1)).toBeUndefined();
});

test('a read-only attachment takes no stores', () => {
  const f = mmFixture();
  const id = f.call(GET, 0, PAGE, 0o600);
  const at = f.call(AT, id, 0, RDONLY);
  expect(f.space.writeBytes(at, Uint8Array.of(1))).toBe(false);
  expect(f.space.readBytes(at, 1)).toEqual(Uint8Array.of(0));
});

test.each([
  { name: 'no such key', call: [GET, 5, PAGE, 0], result: -ENOENT },
  { name: 'nothing', call: [GET, 5, 0, CREAT], result: -EINVAL },
  { name: 'more than there is', call: [GET, 5, 2 ** 40, CREAT], result: -ENOMEM },
  { name: 'already there', call: [GET, 77, PAGE, CREAT | EXCL], result: -EEXIST },
  { name: 'bigger than it is', call: [GET, 77, 2 * PAGE, 0], result: -EINVAL },
  { name: 'no such id', call: [AT, 99, 0, 0], result: -EINVAL },
  { name: 'an odd place', call: [AT, 0, ELSEWHERE + 1, 0], result: -EINVAL },
  { name: 'an odd place, rounded', call: [AT, 0, ELSEWHERE + 1, RND], result: ELSEWHERE },
  { name: 'instead of nothing', call: [AT, 0, 0, REMAP], result: -EINVAL },
  { name: 'detaching nothing', call: [DT, ELSEWHERE], result: -EINVAL },
  { name: 'an unknown command', call: [CTL, 0, 99, 0], result: -EINVAL },
  { name: 'what is in use', call: [CTL, 0, INFO, 8], result: -14 },
] as const)('$name', ({ call: [nr, ...args], result }) => {
  const f = mmFixture();
  f.call(GET, 77, PAGE, CREAT | 0o600);
  expect(f.call(nr, ...args)).toBe(result);
});

test('who may not read it may not attach it', () => {
  const f = mmFixture(1000);
  const id = f.call(GET, 0, PAGE, 0o200);
  expect(f.call(AT, id, 0, RDONLY)).toBe(-EACCES);
});
