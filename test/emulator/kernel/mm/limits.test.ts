import { describe, expect, test } from 'vitest';
import { FullDevice, ZeroDevice } from '../../../../src/emulator/kernel/file/devices.js';
import { O } from '../../../../src/emulator/kernel/file/open-file.js';
import { RLIMIT } from '../../../../src/emulator/kernel/limits.js';
import { MMAP_BASE, mmFixture, PAGE } from './fixture.js';

const NR = { mmap: 9, mprotect: 10, munmap: 11, brk: 12, mremap: 25, msync: 26, mincore: 27, madvise: 28, mlock: 149, mlockall: 151, munlockall: 152, mlock2: 325, pkeyAlloc: 330, pkeyFree: 331 } as const; // biome-ignore format: a table
const PRIVATE = 0x22;
const SHARED = 0x21;
const HEAP = 0x5555_5556_0000;

describe('where mappings go', () => {
  test('below each other from the top, at a free hint, around stacks and reserved pages', () => {
    const { call } = mmFixture();
    const first = call(NR.mmap, 0, 2 * PAGE, 3, PRIVATE, -1, 0);
    expect(first).toBe(MMAP_BASE - 2 * PAGE);
    expect(call(NR.mmap, 0, PAGE, 3, PRIVATE, -1, 0)).toBe(first - PAGE);
    expect(call(NR.munmap, first, PAGE)).toBe(0);
    expect(call(NR.mmap, 0, PAGE, 3, PRIVATE, -1, 0)).toBe(first);
    expect(call(NR.mmap, 0x1234_5678, PAGE, 3, PRIVATE, -1, 0)).toBe(0x1234_5000);
    expect(call(NR.mmap, 5, PAGE, 3, PRIVATE, -1, 0)).toBe(0x1_0000);
    expect(call(NR.mmap, first, PAGE, 3, PRIVATE, -1, 0)).toBe(first - 2 * PAGE);
    expect(call(NR.mmap, MMAP_BASE, PAGE, 3, PRIVATE, -1, 0)).toBe(first - 3 * PAGE);
    expect(call(NR.mmap, 0, PAGE, 3, PRIVATE | 0x40, -1, 0)).toBe(0x4000_0000);
  });

  test.each([
    { name: 'page 0 for an ordinary user', uid: 1000, args: [0, PAGE, 3, PRIVATE | 0x10, -1, 0], result: -1 },
    { name: 'page 0 for root', uid: 0, args: [0, PAGE, 3, PRIVATE | 0x10, -1, 0], result: 0 },
    { name: 'the kernel half', uid: 0, args: [-PAGE, PAGE, 3, PRIVATE | 0x10, -1, 0], result: -12 },
    { name: 'over the top', uid: 0, args: [0x7fff_ffff_e000, 2 * PAGE, 3, PRIVATE | 0x10, -1, 0], result: -12 },
    { name: 'more than there is', uid: 0, args: [0, 2 ** 47, 3, PRIVATE, -1, 0], result: -12 },
    { name: 'more than the machine has', uid: 0, args: [0, 2 ** 31, 3, PRIVATE, -1, 0], result: -12 },
    { name: 'huge pages', uid: 0, args: [0, PAGE, 3, PRIVATE | 0x4_0000, -1, 0], result: -12 },
    { name: 'a descriptor that is not open', uid: 0, args: [0, PAGE, 3, 2, 9, 0], result: -9 },
    { name: 'no kind of mapping', uid: 0, args: [0, PAGE, 3, 0x20, -1, 0], result: -22 },
  ])('mmap: $name', ({ uid, args, result }) => {
    expect(mmFixture(uid).call(NR.mmap, ...args)).toBe(result);
  });

  test('what is only reserved costs nothing, however much it is', () => {
    const { call, space } = mmFixture();
    expect(call(NR.mmap, 0, 2 ** 44, 0, PRIVATE, -1, 0)).toBeGreaterThan(0);
    expect(call(NR.mmap, 0, 2 ** 40, 3, PRIVATE | 0x4000, -1, 0)).toBeGreaterThan(0);
    expect(space.residentBytes).toBe(0);
  });

  test('an XOL area stays: unmapping spares it, nothing can be put over it', () => {
    const { call, space } = mmFixture();
    space.mapXol(MMAP_BASE, Uint8Array.of(0xc3));
    expect(call(NR.mmap, MMAP_BASE, PAGE, 3, PRIVATE | 0x10, -1, 0)).toBe(-12);
    expect(call(NR.munmap, MMAP_BASE, PAGE)).toBe(0);
    expect(call(NR.mprotect, MMAP_BASE, PAGE, 0)).toBe(-12);
    expect(space.fetch(MMAP_BASE)).toBeTypeOf('number');
  });
});

describe('files', () => {
  test.each([
    { name: 'shared writable of a file open for reading', flags: O.RDONLY, prot: 3, type: 1, result: -13 },
    { name: 'private writable of a file open for reading', flags: O.RDONLY, prot: 3, type: 2, result: 1 },
    { name: 'of a file open for writing', flags: O.WRONLY, prot: 2, type: 2, result: -13 },
    { name: 'O_PATH', flags: O.PATH, prot: 1, type: 2, result: -9 },
  ])('$name', ({ flags, prot, type, result }) => {
    const { call, addFile } = mmFixture();
    const file = addFile(5, new Uint8Array(PAGE), flags);
    expect(Math.sign(call(NR.mmap, 0, PAGE, prot, type, 5, 0)) > 0 ? 1 : call(NR.mmap, 0, PAGE, prot, type, 5, 0)).toBe(
      result,
    );
    expect(file.users).toBe(result > 0 ? 2 : 1);
  });

  test('a shared mapping of a file open for reading cannot become writable', () => {
    const { call, addFile } = mmFixture();
    addFile(5, new Uint8Array(PAGE), O.RDONLY);
    const at = call(NR.mmap, 0, PAGE, 1, 1, 5, 0);
    expect(call(NR.mprotect, at, PAGE, 3)).toBe(-13);
    expect(call(NR.mprotect, at, PAGE, 5)).toBe(0);
  });

  test('/dev/zero gives anonymous memory', () => {
    const { call, machine, files, space } = mmFixture();
    files.replace(6, new ZeroDevice(machine, O.RDWR, '/dev/zero'), false);
    files.replace(7, new FullDevice(machine, O.RDWR, '/dev/full'), false);
    const [own, shared] = [2, 1].map((type) => call(NR.mmap, 0, PAGE, 3, type, 6, 0)) as [number, number];
    const child = space.fork();
    for (const at of [own, shared]) expect(child?.writeU32(at, 5)).toBe(true);
    expect([space.readU32(own), space.readU32(shared)]).toEqual([0, 5]);
    expect(call(NR.mmap, 0, PAGE, 3, 2, 7, 0)).toBe(-19);
  });

  test('closing the descriptor leaves the mapping, and unmapping closes the file', () => {
    const { call, addFile, process, space } = mmFixture();
    const file = addFile(5, new Uint8Array(PAGE).fill(7));
    const at = call(NR.mmap, 0, PAGE, 3, 1, 5, 0);
    process.files.release();
    expect(space.readU32(at)).toBe(0x0707_0707);
    space.writeU32(at, 9);
    expect(call(NR.munmap, at, PAGE)).toBe(0);
    expect([file.users, file.bytes[0]]).toEqual([1, 9]);
  });
});

describe('the heap', () => {
  test('grows and shrinks in bytes, is zero again after that, and says where it ends', () => {
    const { call, space } = mmFixture();
    space.marks.startBrk = HEAP;
    space.marks.brk = HEAP;
    expect(call(NR.brk, 0)).toBe(HEAP);
    expect(call(NR.brk, HEAP + 100)).toBe(HEAP + 100);
    expect(space.writeU32(HEAP + PAGE - 4, 5)).toBe(true);
    expect(space.writeU32(HEAP + PAGE, 5)).toBe(false);
    expect(call(NR.brk, HEAP + 3 * PAGE)).toBe(HEAP + 3 * PAGE);
    expect(space.vmas.all().map(({ name, end }) => `${name} ${end}`)).toEqual([`[heap] ${HEAP + 3 * PAGE}`]);
    expect(call(NR.brk, HEAP)).toBe(HEAP);
    expect(space.vmas.count).toBe(0);
    expect(call(NR.brk, HEAP + PAGE)).toBe(HEAP + PAGE);
    expect(space.readU32(HEAP + PAGE - 4)).toBe(0);
    expect(call(NR.brk, HEAP - 1)).toBe(HEAP + PAGE);
    expect(call(NR.brk, -1)).toBe(HEAP + PAGE);
  });

  test('keeps a page from what is mapped behind it, and does not join what lies before it', () => {
    const { call, space } = mmFixture();
    space.marks.startBrk = HEAP;
    space.marks.brk = HEAP;
    call(NR.mmap, HEAP - PAGE, PAGE, 3, PRIVATE | 0x10, -1, 0);
    call(NR.mmap, HEAP + 4 * PAGE, PAGE, 3, PRIVATE | 0x10, -1, 0);
    expect(call(NR.brk, HEAP + 4 * PAGE)).toBe(HEAP);
    expect(call(NR.brk, HEAP + 3 * PAGE)).toBe(HEAP + 3 * PAGE);
    expect(space.vmas.count).toBe(3);
  });
});

describe('limits', () => {
  test('RLIMIT_AS counts everything, RLIMIT_DATA what is private and writable', () => {
    const { call, limit, space } = mmFixture();
    space.marks.startBrk = HEAP;
    space.marks.brk = HEAP;
    limit(RLIMIT.AS, 10 * PAGE);
    limit(RLIMIT.DATA, 4 * PAGE);
    const at = call(NR.mmap, 0, 4 * PAGE, 3, PRIVATE, -1, 0);
    expect(at).toBeGreaterThan(0);
    expect(call(NR.mmap, 0, PAGE, 3, PRIVATE, -1, 0)).toBe(-12);
    expect(call(NR.mmap, 0, 5 * PAGE, 3, SHARED, -1, 0)).toBeGreaterThan(0);
    expect(call(NR.mmap, 0, 2 * PAGE, 0, PRIVATE, -1, 0)).toBe(-12);
    expect(call(NR.mmap, 0, PAGE, 0, PRIVATE, -1, 0)).toBeGreaterThan(0);
    expect(call(NR.mremap, at, 4 * PAGE, 5 * PAGE, 1)).toBe(-12);
    expect(call(NR.brk, HEAP + PAGE)).toBe(HEAP);
    call(NR.munmap, at, 2 * PAGE);
    expect(call(NR.brk, HEAP + PAGE)).toBe(HEAP + PAGE);
  });

  test('RLIMIT_MEMLOCK bounds what a user may lock', () => {
    const { call, limit } = mmFixture(1000);
    const at = call(NR.mmap, 0, 8 * PAGE, 3, PRIVATE, -1, 0);
    limit(RLIMIT.MEMLOCK, 4 * PAGE);
    expect(call(NR.mlock, at, 4 * PAGE)).toBe(0);
    expect(call(NR.mlock, at, 4 * PAGE)).toBe(0);
    expect(call(NR.mlock, at + 4 * PAGE, 1)).toBe(-12);
    expect(call(NR.mmap, 0, PAGE, 3, PRIVATE | 0x2000, -1, 0)).toBe(-11);
    expect(call(NR.madvise, at, PAGE, 4)).toBe(-22);
    expect(call(NR.mlockall, 1)).toBe(-12);
    expect(call(NR.munlockall)).toBe(0);
    expect(call(NR.mlock2, at + 7 * PAGE, PAGE, 1)).toBe(0);
    expect(call(NR.mlock2, at, PAGE, 2)).toBe(-22);
    limit(RLIMIT.MEMLOCK, 0);
    expect(call(NR.mlock, at, 1)).toBe(-1);
    expect(call(NR.mlockall, 2)).toBe(-1);
    expect(call(NR.mlockall, 4)).toBe(-22);
  });

  test('mlockall brings in what is there and what comes', () => {
    const { call, space } = mmFixture();
    call(NR.mmap, 0, 2 * PAGE, 3, PRIVATE, -1, 0);
    expect(call(NR.mlockall, 3)).toBe(0);
    expect(space.residentBytes).toBe(2 * PAGE);
    call(NR.mmap, 0, 3 * PAGE, 3, PRIVATE, -1, 0);
    expect(space.residentBytes).toBe(5 * PAGE);
  });
});

describe('the rest', () => {
  test('mincore tells what is in memory', () => {
    const { call, space } = mmFixture();
    const at = call(NR.mmap, 0, 4 * PAGE, 3, PRIVATE, -1, 0);
    const vector = call(NR.mmap, 0, PAGE, 3, PRIVATE, -1, 0);
    space.writeU32(at + 2 * PAGE, 1);
    expect(call(NR.mincore, at, 3 * PAGE + 1, vector)).toBe(0);
    expect([...(space.readBytes(vector, 4) ?? [])]).toEqual([0, 0, 1, 0]);
    expect(call(NR.mincore, at + 1, PAGE, vector)).toBe(-22);
    expect(call(NR.mincore, at, 5 * PAGE, vector)).toBe(-12);
    expect(call(NR.mincore, at, PAGE, 8)).toBe(-14);
  });

  test('there are no protection keys', () => {
    const { call } = mmFixture();
    expect([
      call(NR.pkeyAlloc, 0, 0),
      call(NR.pkeyAlloc, 1, 0),
      call(NR.pkeyAlloc, 0, 4),
      call(NR.pkeyFree, 0),
    ]).toEqual([-28, -22, -22, -22]);
  });

  test('an anonymous shared mapping ends where it ended when it is made longer', () => {
    const { call, space } = mmFixture();
    const at = call(NR.mmap, 0, PAGE, 3, SHARED, -1, 0);
    space.writeU32(at, 5);
    const moved = call(NR.mremap, at, PAGE, 3 * PAGE, 1);
    expect(space.readU32(moved)).toBe(5);
    expect(space.fill(moved + 2 * PAGE, 1)).toBe('beyond-file');
    const twin = call(NR.mremap, moved, 0, PAGE, 1);
    space.writeU32(twin, 6);
    expect(space.readU32(moved)).toBe(6);
  });
});
