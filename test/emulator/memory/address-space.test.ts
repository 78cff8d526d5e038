import { describe, expect, test } from 'vitest';
import type { AddressSpace } from '../../../src/emulator/memory/address-space.js';
import { PROT, VMA } from '../../../src/emulator/memory/vma.js';
import { ACCESS } from '../../../src/emulator/stop.js';
import { ByteFile, fixture, MMAP_BASE, PAGE, RW, RX, SHARED, tlbLookup } from './fixture.js';

const AT = 0x1234_5678_9000;
const text = (bytes: Uint8Array | undefined): string =>
  bytes === undefined ? 'EFAULT' : String.fromCharCode(...bytes);
const bytes = (string: string): Uint8Array => Uint8Array.from(string, (character) => character.charCodeAt(0));
const peek = (space: AddressSpace, at: number, length: number): string => {
  const into = new Uint8Array(length);
  return text(into.subarray(0, space.peek(at, into)));
};

describe('pages on demand', () => {
  test('an anonymous page is zero at first, and filled it hits the TLB at its physical address', () => {
    const { memory, space: make } = fixture();
    const space = make();
    space.mappings.map({ at: AT, length: 4 * PAGE, prot: RW });
    expect(space.residentBytes).toBe(0);
    expect(tlbLookup(space, AT, 8, true)).toBeUndefined();
    expect(space.fill(AT + 8, ACCESS.WRITE)).toBe('filled');
    const physical = tlbLookup(space, AT + 8, 8, true) as number;
    expect(tlbLookup(space, AT + 8, 8, false)).toBe(physical);
    expect(tlbLookup(space, AT + PAGE - 4, 8, false)).toBeUndefined();
    expect(tlbLookup(space, AT + PAGE, 1, false)).toBeUndefined();
    expect(space.readU64(AT + 8)).toBe(0);
    memory.physical.view.setUint32(physical, 0xdead_beef, true);
    expect(space.readU32(AT + 8)).toBe(0xdead_beef);
    expect(space.residentBytes).toBe(PAGE);
  });

  test.each([
    { name: 'nothing is mapped', at: AT - 1, access: ACCESS.READ, says: 'unmapped' },
    { name: 'no access', at: AT, access: ACCESS.READ, says: 'denied' },
    { name: 'writing what may be read', at: AT + PAGE, access: ACCESS.WRITE, says: 'denied' },
    { name: 'reading what may only be executed', at: AT + 2 * PAGE, access: ACCESS.READ, says: 'filled' },
    { name: 'beyond the end of a file', at: AT + 4 * PAGE, access: ACCESS.READ, says: 'beyond-file' },
    { name: 'the last page of a file', at: AT + 3 * PAGE, access: ACCESS.READ, says: 'filled' },
    { name: 'an address that is not canonical', at: 2 ** 63, access: ACCESS.READ, says: 'unmapped' },
  ])('a fault says why: $name', ({ at, access, says }) => {
    const { cache, space: make } = fixture();
    const space = make();
    space.mappings.map({ at: AT, length: PAGE, prot: PROT.NONE });
    space.mappings.map({ at: AT + PAGE, length: PAGE, prot: PROT.READ });
    space.mappings.map({ at: AT + 2 * PAGE, length: PAGE, prot: PROT.EXEC });
    const pages = cache.open(new ByteFile(new Uint8Array(5)));
    space.mappings.map({ at: AT + 3 * PAGE, length: 2 * PAGE, prot: PROT.READ, pages });
    expect(space.fill(at, access)).toBe(says);
  });

  test('a machine whose frames are used up says so, and goes on when some are free again', () => {
    const { memory, space: make } = fixture(4);
    const space = make();
    space.mappings.map({ at: AT, length: 0x40_0000, prot: RW });
    let page = 0;
    while (space.fill(AT + page * PAGE, ACCESS.WRITE) === 'filled') page++;
    expect(space.fill(AT + page * PAGE, ACCESS.WRITE)).toBe('out-of-memory');
    expect(memory.frames.free).toBe(0);
    space.mappings.unmap(AT, AT + PAGE);
    expect(space.fill(AT + page * PAGE, ACCESS.WRITE)).toBe('filled');
  });

  test('faults are counted, and the most that was resident', () => {
    const space = fixture().space();
    space.mappings.map({ at: AT, length: 4 * PAGE, prot: RW });
    for (const page of [0, 1, 2, 1]) space.fill(AT + page * PAGE, ACCESS.WRITE);
    space.mappings.discard(AT, AT + 4 * PAGE);
    space.fill(AT, ACCESS.READ);
    expect([space.pageFaults, space.peakBytes, space.residentBytes]).toEqual([4, 3 * PAGE, PAGE]);
    const child = space.fork() as AddressSpace;
    child.fill(AT, ACCESS.WRITE);
    expect([child.pageFaults, child.peakBytes]).toEqual([1, PAGE]);
  });

  test('a copy stops at the first page that cannot be accessed', () => {
    const space = fixture().space();
    space.mappings.map({ at: AT, length: 2 * PAGE, prot: RW });
    expect(space.write(AT + PAGE, new Uint8Array(3 * PAGE).fill(65))).toBe(PAGE);
    expect(space.read(AT + PAGE - 1, new Uint8Array(3 * PAGE))).toBe(PAGE + 1);
    expect(space.writeBytes(AT + 2 * PAGE - 2, bytes('xyz'))).toBe(false);
    expect(text(space.readBytes(AT + 2 * PAGE - 2, 2))).toBe('AA');
    expect(space.readBytes(AT + 2 * PAGE - 2, 3)).toBeUndefined();
    expect(space.readCString(AT + PAGE, 2 * PAGE)).toBeUndefined();
    expect(space.readCString(AT + PAGE, PAGE)).toBe('too-long');
    space.write(AT + PAGE + 3, bytes('\0'));
    expect(text(space.readCString(AT + PAGE - 0, PAGE) as Uint8Array)).toBe('AAA');
    space.write(AT + PAGE - 2, bytes('ab'));
    expect(text(space.readCString(AT + PAGE - 2, PAGE) as Uint8Array)).toBe('abAAA');
  });

  test('the stack grows to its limit and keeps its distance from what lies below', () => {
    const space = fixture().space();
    const top = 0x7fff_ffff_f000;
    space.mappings.map({ at: top - PAGE, length: PAGE, prot: RW, flags: VMA.GROWSDOWN, name: '[stack]' });
    expect(space.fill(top - 0x10_0000, ACCESS.WRITE)).toBe('filled');
    expect(space.vmas.find(top - 0x8000)?.start).toBe(top - 0x10_0000);
    expect(space.fill(top - (8 << 20), ACCESS.WRITE)).toBe('filled');
    expect(space.fill(top - (8 << 20) - 1, ACCESS.WRITE)).toBe('unmapped');
    const other = fixture().space();
    other.mappings.map({ at: top - PAGE, length: PAGE, prot: RW, flags: VMA.GROWSDOWN, name: '[stack]' });
    other.mappings.map({ at: top - 0x20_0000, length: PAGE, prot: RW });
    expect(other.fill(top - 0x20_0000 + PAGE + 0x10_0000, ACCESS.WRITE)).toBe('filled');
    expect(other.fill(top - 0x20_0000 + 0x10_0000, ACCESS.WRITE)).toBe('unmapped');
    expect(peek(other, top - 0x14_0000, 1)).toBe('');
  });
});

describe('fork', () => {
  test('parent and child see each other as they were, and only what is written is copied', () => {
    const { memory, space: make } = fixture();
    const parent = make();
    parent.mappings.map({ at: AT, length: 3 * PAGE, prot: RW });
    parent.write(AT, bytes('one'));
    parent.write(AT + PAGE, bytes('two'));
    parent.fill(AT, ACCESS.WRITE);
    const before = memory.frames.free;
    const child = parent.fork() as AddressSpace;
    const areaFrames = before - memory.frames.free;
    expect(tlbLookup(parent, AT, 1, true)).toBeUndefined();
    expect(tlbLookup(parent, AT, 1, false)).toBeDefined();
    parent.write(AT, bytes('ONE'));
    child.write(AT + PAGE, bytes('TWO'));
    expect([peek(parent, AT, 3), peek(parent, AT + PAGE, 3)]).toEqual(['ONE', 'two']);
    expect([peek(child, AT, 3), peek(child, AT + PAGE, 3)]).toEqual(['one', 'TWO']);
    expect(before - memory.frames.free).toBe(areaFrames + 2);
    expect(parent.fill(AT, ACCESS.READ)).toBe('filled');
    expect(tlbLookup(parent, AT, 1, true)).toBeDefined();
    child.destroy();
    expect(memory.frames.free).toBe(before - areaFrames);
    expect(parent.fork()?.area).toBe(child.area);
  });

  test('a write reaches no stale frame: the read entry of a page that is copied goes', () => {
    const { space: make } = fixture();
    const parent = make();
    parent.mappings.map({ at: AT, length: PAGE, prot: RW });
    parent.write(AT, bytes('a'));
    const child = parent.fork() as AddressSpace;
    child.fill(AT, ACCESS.READ);
    const before = tlbLookup(child, AT, 1, false);
    expect(tlbLookup(child, AT, 1, true)).toBeUndefined();
    child.fill(AT, ACCESS.WRITE);
    expect(tlbLookup(child, AT, 1, false)).not.toBe(before);
    expect(tlbLookup(child, AT, 1, false)).toBe(tlbLookup(child, AT, 1, true));
  });

  test('shared memory stays shared, and its address names a futex', () => {
    const { cache, space: make } = fixture();
    const parent = make();
    parent.mappings.map({ at: AT, length: PAGE, prot: RW, flags: SHARED, pages: cache.shared(PAGE) });
    parent.mappings.map({ at: AT + PAGE, length: PAGE, prot: RW });
    const child = parent.fork() as AddressSpace;
    child.write(AT + 4, bytes('both'));
    expect(peek(parent, AT + 4, 4)).toBe('both');
    expect(parent.sharedAddress(AT + 4)).toBe(child.sharedAddress(AT + 4));
    expect(parent.sharedAddress(AT + 4)).toBeDefined();
    expect(parent.sharedAddress(AT + PAGE)).toBeUndefined();
    expect(parent.sharedAddress(AT - 1)).toBeUndefined();
  });

  test('madvise decides what a child gets', () => {
    const { space: make } = fixture();
    const parent = make();
    parent.mappings.map({ at: AT, length: 3 * PAGE, prot: RW });
    parent.write(AT, new Uint8Array(3 * PAGE).fill(65));
    parent.mappings.setFlags(AT, AT + PAGE, VMA.DONTFORK, 0);
    parent.mappings.setFlags(AT + PAGE, AT + 2 * PAGE, VMA.WIPEONFORK, 0);
    const child = parent.fork() as AddressSpace;
    expect([peek(child, AT, 1), peek(child, AT + PAGE, 1), peek(child, AT + 2 * PAGE, 1)]).toEqual(['', '\0', 'A']);
  });
});

describe('changes of mappings', () => {
  test('unmapping gives the frames back and drops the TLB entries', () => {
    const { memory, space: make } = fixture();
    const space = make();
    const free = memory.frames.free;
    space.mappings.map({ at: AT, length: 5 * PAGE, prot: RW });
    for (let page = 0; page < 5; page++) space.fill(AT + page * PAGE, ACCESS.WRITE);
    space.mappings.unmap(AT + PAGE, AT + 3 * PAGE);
    expect(space.vmas.all().map(({ start, end }) => [(start - AT) / PAGE, (end - AT) / PAGE])).toEqual([
      [0, 1],
      [3, 5],
    ]);
    expect(memory.frames.free).toBe(free - 3);
    const hits = [0, 1, 2, 3, 4].map((page) => tlbLookup(space, AT + page * PAGE, 1, true) !== undefined);
    expect(hits).toEqual([true, false, false, true, true]);
  });

  test('protecting drops TLB entries, and the bytes stay', () => {
    const space = fixture().space();
    space.mappings.map({ at: AT, length: PAGE, prot: RW });
    space.write(AT, bytes('x'));
    space.fill(AT, ACCESS.WRITE);
    space.mappings.protect(AT, AT + PAGE, PROT.READ);
    expect(tlbLookup(space, AT, 1, true)).toBeUndefined();
    expect(space.fill(AT, ACCESS.WRITE)).toBe('denied');
    expect(space.fill(AT, ACCESS.READ)).toBe('filled');
    expect(tlbLookup(space, AT, 1, true)).toBeUndefined();
    space.mappings.protect(AT, AT + PAGE, PROT.NONE);
    expect(space.read(AT, new Uint8Array(1))).toBe(0);
    expect(peek(space, AT, 1)).toBe('x');
  });

  test('moving takes the pages along, and what is longer is zero', () => {
    const { memory, space: make } = fixture();
    const space = make();
    space.mappings.map({ at: AT, length: 3 * PAGE, prot: RW });
    space.write(AT, bytes('a'));
    space.write(AT + 2 * PAGE, bytes('c'));
    space.fill(AT, ACCESS.WRITE);
    const free = memory.frames.free;
    const to = AT + 64 * PAGE;
    space.mappings.move(AT, 3 * PAGE, to, 5 * PAGE, false);
    expect(peek(space, AT, 1)).toBe('');
    expect(tlbLookup(space, AT, 1, false)).toBeUndefined();
    expect([0, 1, 2, 3, 4].map((page) => peek(space, to + page * PAGE, 1))).toEqual(['a', '\0', 'c', '\0', '\0']);
    space.mappings.move(to, 5 * PAGE, AT, PAGE, true);
    expect(peek(space, AT, 1)).toBe('a');
    expect([0, 2, 4].map((page) => peek(space, to + page * PAGE, 1))).toEqual(['\0', 'c', '\0']);
    expect(memory.frames.free).toBe(free);
  });

  test('what is discarded is zero again, or what the file says', () => {
    const { cache, space: make } = fixture();
    const space = make();
    const pages = cache.open(new ByteFile(bytes('file')));
    space.mappings.map({ at: AT, length: PAGE, prot: RW });
    space.mappings.map({ at: AT + PAGE, length: PAGE, prot: RW, pages });
    space.write(AT + PAGE - 1, bytes('xy'));
    expect(peek(space, AT + PAGE - 1, 5)).toBe('xyile');
    space.mappings.discard(AT, AT + 2 * PAGE);
    expect(peek(space, AT + PAGE - 1, 5)).toBe('\0file');
  });
});

describe('debugger access', () => {
  test('a debugger writes to private pages that the program cannot write, without the file noticing', () => {
    const { cache, space: make } = fixture();
    const space = make();
    const file = new ByteFile(bytes('program text'));
    space.mappings.map({ at: AT, length: PAGE, prot: RX, pages: cache.open(file) });
    space.fill(AT, ACCESS.READ);
    expect(space.poke(AT, bytes('P'))).toBe(true);
    expect(peek(space, AT, 7)).toBe('Program');
    expect(tlbLookup(space, AT, 1, false)).toBeUndefined();
    expect(text(file.bytes)).toBe('program text');
  });

  test('all or nothing, and nothing through a shared mapping that is not writable', () => {
    const { cache, space: make } = fixture();
    const space = make();
    space.mappings.map({ at: AT, length: PAGE, prot: PROT.NONE });
    expect(space.poke(AT + PAGE - 1, bytes('ab'))).toBe(false);
    expect(peek(space, AT + PAGE - 1, 2)).toBe('\0');
    space.mappings.map({ at: AT + PAGE, length: PAGE, prot: PROT.READ, flags: SHARED, pages: cache.shared(PAGE) });
    expect(space.poke(AT + PAGE, bytes('a'))).toBe(false);
    expect(space.poke(AT + PAGE - 1, bytes('a'))).toBe(true);
  });

  test('looking at memory does not change what is resident', () => {
    const space = fixture().space();
    space.mappings.map({ at: AT, length: 2 * PAGE, prot: RW });
    expect(peek(space, AT + PAGE - 1, 3)).toBe('\0\0\0');
    expect(space.residentBytes).toBe(0);
  });
});

describe('watchpoints', () => {
  test('a watched page has TLB entries for one instruction only, and its accesses are told', () => {
    const space = fixture().space();
    space.mappings.map({ at: AT, length: 2 * PAGE, prot: RW });
    space.fill(AT, ACCESS.WRITE);
    space.watch([{ from: AT + 8, to: AT + 12, read: false, write: true }]);
    expect(tlbLookup(space, AT, 1, false)).toBeUndefined();
    expect(space.fill(AT, ACCESS.WRITE)).toBe('once');
    expect(space.fill(AT + PAGE, ACCESS.WRITE)).toBe('filled');
    expect(tlbLookup(space, AT, 1, true)).toBeDefined();
    const hits = space.settle([
      { address: AT + 8, size: 4, access: ACCESS.READ },
      { address: AT + 4, size: 8, access: ACCESS.WRITE },
      { address: AT + 12, size: 4, access: ACCESS.WRITE },
    ]);
    expect(hits).toEqual([{ address: AT + 8, length: 4, access: 'write' }]);
    expect(tlbLookup(space, AT, 1, true)).toBeUndefined();
    expect(tlbLookup(space, AT + PAGE, 1, true)).toBeDefined();
    space.watch([]);
    expect(space.fill(AT, ACCESS.READ)).toBe('filled');
  });

  test('system calls are seen too, whatever the length watched', () => {
    const space = fixture().space();
    space.mappings.map({ at: AT, length: 4 * PAGE, prot: RW });
    const seen: unknown[] = [];
    space.onWatched = (hits) => seen.push(...hits);
    space.watch([
      { from: AT + 100, to: AT + 100 + 2 * PAGE, read: true, write: true },
      { from: AT + 3 * PAGE, to: AT + 3 * PAGE + 1, read: true, write: false },
    ]);
    space.write(AT + 50, new Uint8Array(60));
    space.readU32(AT + 98);
    space.writeU32(AT + 3 * PAGE, 1);
    space.readU32(AT + 3 * PAGE);
    expect(seen).toEqual([
      { address: AT + 100, length: 10, access: 'write' },
      { address: AT + 100, length: 2, access: 'read' },
      { address: AT + 3 * PAGE, length: 1, access: 'read' },
    ]);
  });
});

describe('placement', () => {
  test('mappings go below each other from the top, around what is reserved', () => {
    const space = fixture().space();
    const { placement } = space;
    const place = (length: number): number => placement.highest(length, 0x1_0000, MMAP_BASE) as number;
    expect(place(PAGE)).toBe(MMAP_BASE - PAGE);
    space.mappings.map({ at: MMAP_BASE - 2 * PAGE, length: PAGE, prot: RW });
    expect(place(PAGE)).toBe(MMAP_BASE - PAGE);
    expect(place(2 * PAGE)).toBe(MMAP_BASE - 4 * PAGE);
    const hole = placement.holes[placement.holes.length - 2] as number;
    expect(placement.isFree(hole, PAGE)).toBe(false);
    const huge = place(2 ** 40);
    expect(placement.holes.every((at) => at < huge || at >= huge + 2 ** 40)).toBe(true);
    space.mappings.map({ at: hole - PAGE, length: 3 * PAGE, prot: RW });
    expect(space.reservedHoles).not.toContain(hole);
  });
});
