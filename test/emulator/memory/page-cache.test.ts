import { describe, expect, test } from 'vitest';
import type { AddressSpace } from '../../../src/emulator/memory/address-space.js';
import { PROT } from '../../../src/emulator/memory/vma.js';
import { ACCESS } from '../../../src/emulator/stop.js';
import { AREA_FRAMES, ByteFile, type Fixture, fixture, PAGE, RW, SHARED, tlbLookup } from './fixture.js';

const AT = 0x7000_0000;

function mapShared({ cache }: Fixture, space: AddressSpace, file: ByteFile, prot: number = RW, at = AT): void {
  file.retain();
  const pages = cache.open(file);
  file.retain();
  pages.offerWriter(file);
  space.mappings.map({ at, length: 4 * PAGE, prot, flags: SHARED, pages });
}

function mapPrivate({ cache }: Fixture, space: AddressSpace, file: ByteFile, at: number): void {
  file.retain();
  space.mappings.map({ at, length: 4 * PAGE, prot: RW, pages: cache.open(file) });
}

const filled = (pages: number, value: number): Uint8Array => new Uint8Array(pages * PAGE).fill(value);

describe('mapped files', () => {
  test('shared mappings, read(2) and write(2) agree, and the file has it after msync', () => {
    const made = fixture();
    const [one, two] = [made.space(), made.space()];
    const file = new ByteFile(filled(3, 1));
    mapShared(made, one, file);
    mapShared(made, two, file, PROT.READ);
    one.writeU32(AT + PAGE, 0x0202_0202);
    expect(two.readU32(AT + PAGE)).toBe(0x0202_0202);
    const into = new Uint8Array(4);
    expect(made.cache.read(file, into, PAGE - 2)).toBe(4);
    expect([...into]).toEqual([1, 1, 2, 2]);
    expect(file.bytes[PAGE]).toBe(1);
    expect(made.cache.write(file, Uint8Array.of(3, 3), 0)).toBe(2);
    expect(two.readU32(AT)).toBe(0x0101_0303);
    expect(one.mappings.sync(AT, AT + PAGE)).toBe(0);
    expect(file.bytes[PAGE]).toBe(1);
    expect(one.mappings.sync(AT, AT + 4 * PAGE)).toBe(0);
    expect(file.bytes[PAGE]).toBe(2);
  });

  test('after msync the next store is seen again', () => {
    const made = fixture();
    const space = made.space();
    const file = new ByteFile(filled(1, 1));
    mapShared(made, space, file);
    space.fill(AT, ACCESS.WRITE);
    const physical = tlbLookup(space, AT, 1, true) as number;
    made.memory.physical.u8[physical] = 5;
    space.mappings.sync(AT, AT + PAGE);
    expect(file.bytes[0]).toBe(5);
    expect(tlbLookup(space, AT, 1, true)).toBeUndefined();
    space.fill(AT, ACCESS.WRITE);
    made.memory.physical.u8[physical] = 6;
    space.mappings.unmap(AT, AT + PAGE);
    expect(file.bytes[0]).toBe(6);
  });

  test('the end of a process writes back, and closes the file', () => {
    const made = fixture();
    const space = made.space();
    const file = new ByteFile(filled(2, 1));
    mapShared(made, space, file);
    const child = space.fork() as AddressSpace;
    child.writeU32(AT + PAGE, 7);
    space.destroy();
    expect(file.users).toBe(3);
    expect(child.readU32(AT + PAGE)).toBe(7);
    child.destroy();
    expect(file.users).toBe(1);
    expect(file.bytes[PAGE]).toBe(7);
    expect(made.cache.read(file, new Uint8Array(1), 0)).toBe(1);
  });

  test('private mappings start as the file and keep what is written to themselves', () => {
    const made = fixture();
    const space = made.space();
    const file = new ByteFile(filled(2, 1));
    mapPrivate(made, space, file, AT);
    mapPrivate(made, space, file, 2 * AT);
    space.fill(AT, ACCESS.READ);
    expect(tlbLookup(space, AT, 1, true)).toBeUndefined();
    space.writeU32(AT, 0);
    expect([space.readU32(AT), space.readU32(2 * AT)]).toEqual([0, 0x0101_0101]);
    made.cache.write(file, Uint8Array.of(9, 9, 9, 9), 0);
    expect([space.readU32(AT), space.readU32(2 * AT)]).toEqual([0, 0x0909_0909]);
    expect(file.bytes[0]).toBe(9);
  });

  test('a mapping begins at its offset, and mappings of one file share its frames', () => {
    const made = fixture();
    const space = made.space();
    const bytes = filled(20, 0).map((_, at) => Math.floor(at / PAGE));
    const file = new ByteFile(bytes);
    file.retain();
    space.mappings.map({ at: AT, length: 2 * PAGE, prot: PROT.READ, pages: made.cache.open(file), offset: 5 * PAGE });
    mapPrivate(made, space, file, 2 * AT);
    space.mappings.unmap(AT, AT + PAGE);
    const free = made.memory.frames.free;
    expect(space.readU32(AT + PAGE)).toBe(0x0606_0606);
    expect(space.readU32(2 * AT + 3 * PAGE)).toBe(0x0303_0303);
    expect(file.reads).toBe(2);
    expect(free - made.memory.frames.free).toBe(11);
  });

  test('what lies beyond the end raises SIGBUS, also after the file was cut', () => {
    const made = fixture();
    const space = made.space();
    const file = new ByteFile(filled(4, 1));
    mapShared(made, space, file);
    mapPrivate(made, space, file, 2 * AT);
    space.writeU32(2 * AT + 2 * PAGE, 5);
    space.readU32(AT + PAGE);
    space.fill(AT + 3 * PAGE, ACCESS.WRITE);
    file.bytes = file.bytes.slice(0, PAGE + 2);
    made.cache.truncated(file.key, PAGE + 2);
    expect(tlbLookup(space, AT + 3 * PAGE, 1, false)).toBeUndefined();
    expect([1, 2, 3].map((page) => space.fill(AT + page * PAGE, ACCESS.READ))).toEqual([
      'filled',
      'beyond-file',
      'beyond-file',
    ]);
    expect(space.fill(2 * AT + 2 * PAGE, ACCESS.READ)).toBe('beyond-file');
    expect(space.readU32(AT + PAGE)).toBe(0x0101);
    made.cache.write(file, Uint8Array.of(1), 2 * PAGE);
    expect(space.fill(AT + 2 * PAGE, ACCESS.READ)).toBe('filled');
    space.destroy();
    expect(file.bytes.length).toBe(2 * PAGE + 1);
  });

  test.each([
    {
      name: 'write(2) behind its end',
      grow: ({ cache }: Fixture, file: ByteFile) => cache.write(file, Uint8Array.of(1), PAGE),
    },
    {
      name: 'ftruncate',
      grow: ({ cache }: Fixture, file: ByteFile) => {
        const longer = new Uint8Array(2 * PAGE);
        longer.set(file.bytes);
        file.bytes = longer;
        cache.truncated(file.key, longer.length);
      },
    },
  ])('what is stored behind the end of a file is gone when the file grows by $name', ({ grow }) => {
    const made = fixture();
    const space = made.space();
    const file = new ByteFile(new Uint8Array(100).fill(1));
    mapShared(made, space, file);
    space.writeU32(AT + 200, 5);
    made.cache.write(file, Uint8Array.of(2), 99);
    expect(space.readU32(AT + 200)).toBe(5);
    grow(made, file);
    expect([space.readU32(AT + 200), space.readU32(AT + 96)]).toEqual([0, 0x0201_0101]);
  });

  test('clean pages of files make room when the frames are used up', () => {
    const made = fixture(4);
    const space = made.space();
    const file = new ByteFile(filled(4, 1));
    mapPrivate(made, space, file, AT);
    space.readU32(AT);
    space.mappings.map({ at: 2 * AT, length: 0x40_0000, prot: RW });
    let page = 0;
    while (space.fill(2 * AT + page * PAGE, ACCESS.WRITE) === 'filled') page++;
    // All frames but the area's, and the one page of the file that is mapped.
    expect(page).toBe(1024 - AREA_FRAMES - 1);
    expect(space.readU32(AT)).toBe(0x0101_0101);
  });
});
