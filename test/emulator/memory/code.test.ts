import { describe, expect, test } from 'vitest';
import type { AddressSpace } from '../../../src/emulator/memory/address-space.js';
import type { FrameUser } from '../../../src/emulator/memory/machine-memory.js';
import { PROT } from '../../../src/emulator/memory/vma.js';
import { ACCESS } from '../../../src/emulator/stop.js';
import { AREA_FRAMES, ByteFile, fixture, IMAGE, MMAP_BASE, PAGE, RW, RX, SHARED, tlbLookup } from './fixture.js';

const AT = 0x40_0000;
const RWX = RW | PROT.EXEC;

/** A page of code: `markCode` was called for [from, to). */
function codePage(prot = RWX, from = 0x100, to = 0x110) {
  const made = fixture();
  const space = made.space();
  space.mappings.map({ at: AT, length: 2 * PAGE, prot });
  space.fill(AT, ACCESS.READ);
  space.fetch(AT + from);
  space.markCode(AT + from, AT + to);
  return { ...made, space, told: () => made.listener.take() };
}

/** A store as execution makes it: filled, logged, settled. */
function store(space: AddressSpace, at: number, size = 8): string {
  const how = space.fill(at, ACCESS.WRITE);
  space.settle(how === 'once' ? [{ address: at, size, access: ACCESS.WRITE }] : []);
  return how;
}

function fetchByte(space: AddressSpace, at: number): number | string {
  const physical = space.fetch(at);
  return typeof physical === 'number' ? (space.memory.physical.u8[physical] as number) : physical;
}

function peekByte(space: AddressSpace, at: number): number {
  const byte = new Uint8Array(1);
  space.peek(at, byte);
  return byte[0] as number;
}

describe('code and stores', () => {
  test('marking code takes the write entry away, and stores to its lines are told as whole lines', () => {
    const { space, told } = codePage();
    expect(tlbLookup(space, AT, 8, true)).toBeUndefined();
    expect(tlbLookup(space, AT, 8, false)).toBeDefined();
    expect(store(space, AT + 0x200)).toBe('once');
    expect(told()).toEqual([]);
    expect(store(space, AT + 0xf9)).toBe('once');
    expect(told()).toEqual([`${space.id}:4000c0-400140`]);
    expect(store(space, AT + 0x108)).toBe('filled');
    expect(told()).toEqual([]);
    expect(tlbLookup(space, AT, 8, true)).toBeDefined();
  });

  test('a store makes all code of its line void: nobody hears of the next one', () => {
    const { space, told } = codePage(RWX, 0x100, 0x140);
    store(space, AT + 0x100, 4);
    expect(told()).toEqual([`${space.id}:400100-400140`]);
    expect(store(space, AT + 0x120, 4)).toBe('filled');
  });

  test('a store over the end of a page is seen in both', () => {
    const { space, told } = codePage();
    space.fetch(AT + PAGE);
    space.markCode(AT + PAGE, AT + PAGE + 4);
    space.fill(AT + PAGE - 4, ACCESS.WRITE);
    space.fill(AT + PAGE, ACCESS.WRITE);
    space.settle([{ address: AT + PAGE - 4, size: 8, access: ACCESS.WRITE }]);
    expect(told()).toEqual([`${space.id}:401000-401040`]);
  });

  test('data beside code costs a slow store each until the page is taken for data', () => {
    const { space, told } = codePage();
    let slow = 0;
    while (store(space, AT + 0x800) === 'once') slow++;
    expect(slow).toBe(32);
    expect(told()).toEqual([`${space.id}:400000-401000`]);
    space.markCode(AT + 0x100, AT + 0x110);
    expect(store(space, AT + 0x800)).toBe('once');
  });

  test.each([
    { name: 'a system call', change: (space: AddressSpace) => space.writeU32(AT + 0x100, 1), range: '400100-400140' },
    {
      name: 'a debugger',
      change: (space: AddressSpace) => space.poke(AT + 0x10f, Uint8Array.of(1)),
      range: '400100-400140',
    },
    { name: 'munmap', change: (space: AddressSpace) => space.mappings.unmap(AT, AT + PAGE), range: '400000-401000' },
    {
      name: 'another mapping',
      change: (space: AddressSpace) => space.mappings.map({ at: AT, length: PAGE, prot: RX }),
      range: '400000-401000',
    },
    {
      name: 'losing the right to execute',
      change: (space: AddressSpace) => space.mappings.protect(AT, AT + PAGE, RW),
      range: '400000-401000',
    },
    {
      name: 'mremap',
      change: (space: AddressSpace) => space.mappings.move(AT, PAGE, AT + 9 * PAGE, PAGE, false),
      range: '400000-401000',
    },
    {
      name: 'MADV_DONTNEED',
      change: (space: AddressSpace) => space.mappings.discard(AT, AT + PAGE),
      range: '400000-401000',
    },
  ])('code is void after $name', ({ change, range }) => {
    // biome-ignore format: a table
    const { space, told } = codePage();
    change(space);
    expect(told()).toEqual([`${space.id}:${range}`]);
  });

  test('what changes no byte of code tells nothing', () => {
    const { space, told } = codePage(RX);
    space.mappings.protect(AT, AT + PAGE, RWX);
    space.writeU32(AT + 0x200, 1);
    space.poke(AT + PAGE, new Uint8Array(4));
    space.mappings.unmap(AT + PAGE, AT + 2 * PAGE);
    expect(told()).toEqual([]);
  });

  test('a forked child that writes tells only of itself, and its copy stays marked', () => {
    const { space, told } = codePage();
    const child = space.fork() as AddressSpace;
    expect(store(child, AT + 0x400)).toBe('once');
    expect(told()).toEqual([]);
    expect(store(child, AT + 0x100)).toBe('once');
    expect(told()).toEqual([`${child.id}:400100-400140`]);
    space.writeU32(AT + 0x100, 5);
    expect(told()).toEqual([`${space.id}:400100-400140`]);
  });

  test('code in shared memory is void for everybody, through whatever mapping it is written', () => {
    const { cache, listener, space: make } = fixture();
    const [one, two] = [make(), make()];
    const pages = cache.shared(PAGE);
    pages.addUser();
    pages.addUser();
    one.mappings.map({ at: AT, length: PAGE, prot: RX, flags: SHARED, pages });
    one.mappings.map({ at: 2 * AT, length: PAGE, prot: RW, flags: SHARED, pages });
    two.mappings.map({ at: 3 * AT, length: PAGE, prot: RX, flags: SHARED, pages });
    one.fill(2 * AT, ACCESS.WRITE);
    two.fetch(3 * AT);
    two.markCode(3 * AT, 3 * AT + 8);
    expect(tlbLookup(one, 2 * AT, 1, true)).toBeUndefined();
    one.fetch(AT);
    one.markCode(AT, AT + 8);
    expect(store(one, 2 * AT, 4)).toBe('once');
    expect(listener.take().sort()).toEqual([
      `${one.id}:400000-400040`,
      `${one.id}:800000-800040`,
      `${two.id}:c00000-c00040`,
    ]);
  });

  test('write(2) to a file makes code in its mappings void', () => {
    const { cache, listener, space: make } = fixture();
    const space = make();
    const file = new ByteFile(new Uint8Array(2 * PAGE).fill(0x90));
    file.retain();
    space.mappings.map({ at: AT, length: 2 * PAGE, prot: RX, pages: cache.open(file) });
    space.fetch(AT + PAGE);
    space.markCode(AT + PAGE, AT + PAGE + 16);
    cache.write(file, Uint8Array.of(1, 2), PAGE - 1);
    expect(listener.take()).toEqual([`${space.id}:401000-401040`]);
    expect([peekByte(space, AT + PAGE - 1), peekByte(space, AT + PAGE)]).toEqual([1, 2]);
  });
});

describe('breakpoints in fetch frames', () => {
  test('only decoding sees an int3', () => {
    const { space, told } = codePage();
    expect(space.insertSwbp(AT + 0x104)).toBe(true);
    expect(space.insertSwbp(AT + 0x104)).toBe(false);
    expect(told()).toEqual([`${space.id}:400104-400105`]);
    expect(space.hasSwbp(AT + 0x104)).toBe(true);
    expect(space.hasSwbp(AT + 0x105)).toBe(false);
    expect(fetchByte(space, AT + 0x104)).toBe(0xcc);
    expect(fetchByte(space, AT + 0x105)).toBe(0);
    expect([space.readU32(AT + 0x104), peekByte(space, AT + 0x104)]).toEqual([0, 0]);
    expect(space.removeSwbp(AT + 0x104)).toBe(true);
    expect(space.removeSwbp(AT + 0x104)).toBe(false);
    expect(told()).toEqual([`${space.id}:400104-400105`]);
    expect(fetchByte(space, AT + 0x104)).toBe(0);
  });

  test('every store to a probed page shows in what is fetched, and is told to the engine', () => {
    const { memory, space } = codePage();
    const rewritten: string[] = [];
    memory.observer = {
      mapped: () => undefined,
      unmapped: () => undefined,
      rewritten: (_space: FrameUser, from: number, to: number) =>
        rewritten.push(`${from.toString(16)}-${to.toString(16)}`),
    };
    space.insertSwbp(AT + 0x104);
    fetchByte(space, AT);
    space.writeU32(AT + 0x100, 0x1111_1111);
    space.writeU32(AT + 0x104, 0x2222_2222);
    expect([0x103, 0x104, 0x105].map((offset) => fetchByte(space, AT + offset))).toEqual([0x11, 0xcc, 0x22]);
    for (let i = 0; i < 100; i++) expect(store(space, AT + 0x800)).toBe('once');
    expect(rewritten.length).toBe(102);
    expect(rewritten.slice(0, 3)).toEqual(['400100-400140', '400100-400140', '400800-400840']);
    space.removeSwbp(AT + 0x104);
    expect(fetchByte(space, AT + 0x104)).toBe(0x22);
  });

  test('a page that has no frame yet is probed too', () => {
    const { space } = codePage();
    space.insertSwbp(AT + PAGE);
    expect(space.residentBytes).toBe(PAGE);
    expect(store(space, AT + PAGE + 8)).toBe('once');
    expect(fetchByte(space, AT + PAGE)).toBe(0xcc);
  });

  test('any mapped byte will do, executable or not; nothing else', () => {
    const { space, cache } = codePage(RW);
    expect(space.insertSwbp(AT + 0x104)).toBe(true);
    expect(space.fetch(AT + 0x104)).toBe('denied');
    expect(space.insertSwbp(AT - 1)).toBe(false);
    const pages = cache.open(new ByteFile(new Uint8Array(PAGE).fill(0x90)));
    space.mappings.map({ at: AT, length: PAGE, prot: RX, pages });
    expect(space.hasSwbp(AT + 0x104)).toBe(false);
    expect(space.insertSwbp(AT + 0x104)).toBe(true);
    expect([fetchByte(space, AT + 0x103), fetchByte(space, AT + 0x104)]).toEqual([0x90, 0xcc]);
    space.mappings.protect(AT, AT + PAGE, RWX);
    expect(store(space, AT + 0x103, 1)).toBe('once');
    expect(space.hasSwbp(AT + 0x104)).toBe(true);
  });

  test('a child is born without them, and its frames are its own', () => {
    const { memory, space } = codePage();
    space.insertSwbp(AT + 0x104);
    fetchByte(space, AT);
    const child = space.fork() as AddressSpace;
    expect(child.hasSwbp(AT + 0x104)).toBe(false);
    expect(fetchByte(child, AT + 0x104)).toBe(0);
    expect(fetchByte(space, AT + 0x104)).toBe(0xcc);
    child.destroy();
    space.destroy();
    const left = fixture();
    left.space().destroy();
    expect(memory.frames.free).toBe(left.memory.frames.free - AREA_FRAMES); // the second area is only recycled
  });
});

describe('XOL areas', () => {
  test('lie in reserved pages that decoding and debuggers see, and the program does not', () => {
    const { space, told } = codePage();
    const hole = IMAGE - PAGE;
    expect(space.reservedHoles).toContain(hole);
    expect(space.reservedHoles).toContain(MMAP_BASE);
    expect(space.isReserved(hole + 5)).toBe(true);
    expect(space.mapXol(hole + PAGE, Uint8Array.of(1))).toBe(false);
    expect(space.mapXol(hole, Uint8Array.of(0x90, 0xc3))).toBe(true);
    expect(told()).toEqual([`${space.id}:${hole.toString(16)}-${(hole + 2).toString(16)}`]);
    expect([fetchByte(space, hole + 1), peekByte(space, hole + 1)]).toEqual([0xc3, 0xc3]);
    expect(space.fill(hole, ACCESS.READ)).toBe('unmapped');
    expect(space.poke(hole, Uint8Array.of(1))).toBe(false);
    space.writeXol(hole + 0x80, Uint8Array.of(0xcc));
    expect(fetchByte(space, hole + 0x80)).toBe(0xcc);
    expect(space.vmas.find(hole)).toBeUndefined();
    expect(space.hasXol(hole - PAGE, hole + 1)).toBe(true);
    expect(space.hasXol(hole + PAGE, hole + 2 * PAGE)).toBe(false);
    expect(space.fork()?.fetch(hole)).toBe('unmapped');
  });
});
